use super::*;
use oxrdf::{NamedNode, TermRef};

fn typed(text: &str, datatype: &str) -> Term {
    let datatype = match datatype {
        "wkt" => WKT.into_owned(),
        name => NamedNode::new_unchecked(format!("http://www.w3.org/2001/XMLSchema#{name}")),
    };
    Literal::new_typed_literal(text, datatype).into()
}

/// The lexical form and the datatype's local name.
fn shown(function: &Function, term: &Term) -> Option<(String, String)> {
    let term = apply(function, term, None)?;
    let TermRef::Literal(literal) = term.as_ref() else {
        return None;
    };
    let datatype = literal.datatype().as_str();
    let name = datatype.rsplit(['#', '/']).next().unwrap_or_default();
    Some((literal.value().to_owned(), name.to_owned()))
}

/// A literal's lexical form and datatype, and what it becomes.
type Case<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);

fn check(function: &Function, cases: &[Case<'_>]) {
    for (text, datatype, expected) in cases {
        let expected = expected.map(|(text, name)| (text.to_owned(), name.to_owned()));
        assert_eq!(
            shown(function, &typed(text, datatype)),
            expected,
            "{function:?} of {text} {datatype}"
        );
    }
}

fn of(text: &str) -> Decimal {
    Decimal::from_str(text).unwrap()
}

#[test]
fn numbers_are_rounded_halves_away_from_zero_and_keep_their_type_where_it_holds_them() {
    check(
        &Function::Round(of("10")),
        &[
            ("14", "integer", Some(("10", "integer"))),
            ("15", "integer", Some(("20", "integer"))),
            ("-15", "integer", Some(("-20", "integer"))),
            ("-14", "integer", Some(("-10", "integer"))),
            ("4", "integer", Some(("0", "integer"))),
            ("127", "byte", Some(("130", "decimal"))),
            ("124", "byte", Some(("120", "byte"))),
            ("4", "positiveInteger", Some(("0", "decimal"))),
            ("14.99", "decimal", Some(("10", "decimal"))),
            ("1.5e1", "double", Some(("20", "double"))),
            ("INF", "double", None),
            ("nothing", "integer", None),
            ("5.0", "integer", None),
            ("300", "byte", None),
            ("15", "string", None),
        ],
    );
    check(
        &Function::Round(of("0.25")),
        &[
            ("5", "integer", Some(("5", "integer"))),
            ("1.125", "decimal", Some(("1.25", "decimal"))),
            ("-1.1", "decimal", Some(("-1", "decimal"))),
        ],
    );
    check(
        &Function::Round(of("2.5")),
        &[
            ("6", "integer", Some(("5", "integer"))),
            ("7", "integer", Some(("7.5", "decimal"))),
        ],
    );
    check(&Function::Round(of("0")), &[("7", "integer", None)]);
}

#[test]
fn times_begin_at_their_unit_in_their_own_zone() {
    let time = "2026-11-21T14:31:42.5+02:00";
    for (unit, expected, date) in [
        (TimeUnit::Year, "2026-01-01T00:00:00+02:00", "2026-01-01"),
        (TimeUnit::Month, "2026-11-01T00:00:00+02:00", "2026-11-01"),
        (TimeUnit::Day, "2026-11-21T00:00:00+02:00", "2026-11-21"),
        (TimeUnit::Hour, "2026-11-21T14:00:00+02:00", "2026-11-21"),
    ] {
        check(
            &Function::Truncate(unit),
            &[
                (time, "dateTime", Some((expected, "dateTime"))),
                ("2026-11-21", "date", Some((date, "date"))),
                ("14:31:42", "time", None),
                ("yesterday", "dateTime", None),
                ("2026", "integer", None),
            ],
        );
    }
    check(
        &Function::Truncate(TimeUnit::Month),
        &[
            ("-0044-03-15Z", "date", Some(("-0044-03-01Z", "date"))),
            (
                "12026-11-21T00:00:00Z",
                "dateTime",
                Some(("12026-11-01T00:00:00Z", "dateTime")),
            ),
            (
                "2026-11-21T00:00:00",
                "dateTime",
                Some(("2026-11-01T00:00:00", "dateTime")),
            ),
        ],
    );
}

#[test]
fn geometries_become_the_middle_of_a_cell() {
    let wkt = |text| Some((text, "wktLiteral"));
    check(
        &Function::Generalise(of("0.1")),
        &[
            ("POINT(4.35 52.01)", "wkt", wkt("POINT(4.35 52.05)")),
            // On edges, which doubles miss.
            ("POINT(1.9 2.3)", "wkt", wkt("POINT(1.95 2.35)")),
            (
                "LINESTRING(0.1 -0.3, 0.3 -0.1)",
                "wkt",
                wkt("POINT(0.25 -0.15)"),
            ),
            ("POINT (-0.01 0)", "wkt", wkt("POINT(-0.05 0.05)")),
            (
                "<http://www.opengis.net/def/crs/EPSG/0/4258> POLYGON((0 0, 1 0, 1 0.5, 0 0))",
                "wkt",
                wkt("<http://www.opengis.net/def/crs/EPSG/0/4258> POINT(0.55 0.25)"),
            ),
            (
                "GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(2 2, 3 3))",
                "wkt",
                wkt("POINT(2.05 2.05)"),
            ),
            ("POINT EMPTY", "wkt", None),
            ("POINT(here)", "wkt", None),
            ("<http://e/unclosed POINT(1 1)", "wkt", None),
            ("POINT(4.35 52.01)", "string", None),
        ],
    );
    let deep = format!(
        "{}POINT(1 1){}",
        "GEOMETRYCOLLECTION(".repeat(9_999),
        ")".repeat(9_999)
    );
    check(&Function::Generalise(of("1")), &[(&deep, "wkt", None)]);
}

#[test]
fn what_is_no_literal_can_only_be_masked_or_named_otherwise() {
    let node = Term::from(NamedNode::new_unchecked("http://e/a"));
    for function in [
        Function::Round(of("1")),
        Function::Truncate(TimeUnit::Day),
        Function::Generalise(of("1")),
        Function::Suppress,
    ] {
        assert_eq!(apply(&function, &node, None), None);
    }
    assert_eq!(
        apply(&Function::Mask("***".to_owned()), &node, None),
        Some(Literal::new_simple_literal("***").into())
    );
    let recipient = NamedNode::new_unchecked("http://e/r");
    let pseudonymise = Function::Pseudonymise {
        recipient,
        purpose: None,
    };
    assert_eq!(apply(&pseudonymise, &node, None), None);
}

//! Graph patterns and areas select the nodes that match, with errors on the safe side.

use crate::nodes::{both, data, selected};
use crate::support::ex;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn by(operand: &str, value: &str) -> String {
    format!("[ odrl:leftOperand tl:{operand} ; odrl:operator odrl:eq ; odrl:rightOperand {value} ]")
}

fn pattern(text: &str) -> String {
    by("pattern", &format!("'''{text}'''"))
}

#[test]
fn patterns_select_what_matches() {
    let data =
        data("ex:a ex:p ex:b ; ex:q 1 . ex:b ex:p ex:c ; ex:q 2 . ex:c ex:q 3 ; ex:r ex:a .");
    let (p, q, r) = (ex("p"), ex("q"), ex("r"));
    for (text, expected) in [
        (format!("{{ ?this {p} ?other }}"), "a b"),
        (
            format!("SELECT ?this WHERE {{ ?this {p}/{p} ?other }}"),
            "a",
        ),
        (
            format!("SELECT DISTINCT * WHERE {{ ?this ({p}|^{r})+ [] }}"),
            "a b",
        ),
        (
            "PREFIX ex: <http://example.org/> SELECT ?this { ?this ex:q ?q FILTER(?q > 1) }"
                .to_owned(),
            "b c",
        ),
        (
            format!("{{ ?this {q} ?q MINUS {{ ?this {r} ?x }} }}"),
            "a b",
        ),
        (
            format!("{{ {{ ?this {r} ?x }} UNION {{ ?x {r} ?this }} }}"),
            "a c",
        ),
        (
            format!(
                "{{ VALUES ?this {{ {} {} }} ?this {r} ?x }}",
                ex("a"),
                ex("c")
            ),
            "c",
        ),
        (
            format!(
                "{{ ?this {q} ?q FILTER(NOT EXISTS {{ ?this {r} ?x }} && EXISTS {{ ?this {p} ?x }}) }}"
            ),
            "a b",
        ),
        (
            format!("{{ ?this {p} _:x . _:x {p} _:y . _:y {q} 3 }}"),
            "a",
        ),
    ] {
        both(&pattern(&text), "", &data, expected);
    }
}

#[test]
fn errors_fall_to_the_safe_side() {
    let data = data("ex:a ex:q 1 . ex:b ex:q 5 . ex:c ex:q ex:a . ex:d ex:q \"x\" .");
    let q = ex("q");
    for (text, permitted, prohibited) in [
        (format!("{{ ?this {q} ?q FILTER(?q > 3) }}"), "b", "b c d"),
        (
            format!("{{ ?this {q} ?q FILTER(!(?q > 3)) }}"),
            "a",
            "a c d",
        ),
        (
            format!("{{ ?this {q} ?q FILTER(NOT EXISTS {{ ?this {q} ?r FILTER(?r > 3) }}) }}"),
            "a",
            "a c d",
        ),
        (
            format!("{{ ?this {q} ?q MINUS {{ ?this {q} ?r FILTER(?r > 3) }} }}"),
            "a",
            "a c d",
        ),
        (
            format!(
                "{{ ?this {q} ?q MINUS {{ ?this {q} ?r MINUS {{ ?this {q} ?r FILTER(?r > 3) }} }} }}"
            ),
            "b",
            "b c d",
        ),
        // The effective boolean value of an IRI is an error too.
        (format!("{{ ?this {q} ?q FILTER(?q) }}"), "a b d", "a b c d"),
        (
            format!("{{ ?this {q} ?q FILTER(NOT EXISTS {{ FILTER(?q) }}) }}"),
            "",
            "c",
        ),
        // An EXISTS whose truth is looked at: it is an error itself where its filter is.
        (
            format!("{{ ?this {q} ?q FILTER(EXISTS {{ ?this {q} ?r FILTER(?r > 3) }} = false) }}"),
            "a",
            "a c d",
        ),
        (
            format!(
                "{{ ?this {q} ?q FILTER(IF(EXISTS {{ ?this {q} ?r FILTER(?r > 3) }}, false, true)) }}"
            ),
            "a",
            "a c d",
        ),
        // Who writes COALESCE says what becomes of errors.
        (
            format!("{{ ?this {q} ?q FILTER(COALESCE(?q > 3, true)) }}"),
            "b c d",
            "b c d",
        ),
    ] {
        let [left, right] = selected(&pattern(&text), "", &data);
        assert_eq!(
            (left.as_str(), right.as_str()),
            (permitted, prohibited),
            "{text}"
        );
    }
}

#[test]
fn areas_select_what_lies_in_them() {
    let data = data(
        r#"ex:in geo:hasGeometry ex:gin . ex:gin geo:asWKT "POINT(1 1)"^^geo:wktLiteral .
           ex:out geo:hasDefaultGeometry ex:gout . ex:gout geo:asWKT "POINT(9 9)"^^geo:wktLiteral .
           ex:across geo:asWKT "LINESTRING(1 1,9 9)"^^geo:wktLiteral .
           ex:twice geo:asWKT "POINT(1 1)"^^geo:wktLiteral , "POINT(9 9)"^^geo:wktLiteral .
           ex:broken geo:asWKT "POINT(1"^^geo:wktLiteral .
           ex:untold geo:hasGeometry ex:guntold . ex:guntold ex:asGML "..." .
           ex:half geo:hasGeometry ex:gin , ex:guntold .
           ex:nowhere ex:p 1 ."#,
    );
    let area = by("area", "\"POLYGON((0 0,2 0,2 2,0 2,0 0))\"^^geo:wktLiteral");
    assert_eq!(
        selected(&area, "", &data),
        ["gin in", "across broken gin half in twice untold"]
    );
}

#[test]
fn two_refinements_by_nodes_hold_together() {
    let data = data("ex:a ex:p 1 ; ex:q 1 . ex:b ex:p 1 . ex:c ex:q 2 .");
    let p = pattern(&format!("{{ ?this {} ?x }}", ex("p")));
    let q = pattern(&format!("{{ ?this {} ?x }}", ex("q")));
    both(&format!("{p} , {q}"), "", &data, "a");
    both(&format!("{q} , {p} , {q}"), "", &data, "a");
}

/// A filter of the test's own language, evaluated here with three values.
#[derive(Debug, Clone)]
enum Test {
    /// The node's value is over 3: unknown where it is no number.
    Over,
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    /// Some neighbour passes.
    Some(Box<Self>),
    /// No neighbour passes, by MINUS.
    Without(Box<Self>),
    /// The same truth as another.
    Same(Box<Self>, Box<Self>),
}

fn tests() -> impl Strategy<Value = Test> {
    Just(Test::Over).prop_recursive(4, 10, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|a| Test::Not(a.into())),
            two.clone().prop_map(|(a, b)| Test::And(a.into(), b.into())),
            two.clone().prop_map(|(a, b)| Test::Or(a.into(), b.into())),
            inner.clone().prop_map(|a| Test::Some(a.into())),
            inner.prop_map(|a| Test::Without(a.into())),
            two.prop_map(|(a, b)| Test::Same(a.into(), b.into())),
        ]
    })
}

impl Test {
    /// As an expression about the node in variable `at`.
    fn text(&self, at: usize) -> String {
        let (p, q) = (ex("p"), ex("q"));
        let next = at + 1;
        match self {
            // Without triples of its own, so that it is an error and not absent where there is no number.
            Self::Over => format!("?q{at} > 3"),
            Self::Not(a) => format!("!({})", a.text(at)),
            Self::And(a, b) => format!("({} && {})", a.text(at), b.text(at)),
            Self::Or(a, b) => format!("({} || {})", a.text(at), b.text(at)),
            Self::Some(a) => format!(
                "EXISTS {{ ?n{at} {p} ?n{next} . ?n{next} {q} ?q{next} FILTER({}) }}",
                a.text(next)
            ),
            Self::Without(a) => format!(
                "EXISTS {{ ?n{at} {q} ?z{at} MINUS {{ ?n{at} {p} ?n{next} . ?n{next} {q} ?q{next} FILTER({}) }} }}",
                a.text(next)
            ),
            Self::Same(a, b) => format!("(({}) = ({}))", a.text(at), b.text(at)),
        }
    }

    /// By Kleene's logic; none is unknown.
    fn truth(&self, world: &World, node: usize) -> Option<bool> {
        let and = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        let not = |a: Option<bool>| a.map(|a| !a);
        let some = |a: &Self| {
            let near = world.near.iter().filter(|(from, _)| *from == node);
            let truths = near.map(|(_, to)| not(a.truth(world, *to)));
            not(truths.fold(Some(true), and))
        };
        match self {
            Self::Over => world.values[node].map(|value| value > 3),
            Self::Not(a) => not(a.truth(world, node)),
            Self::And(a, b) => and(a.truth(world, node), b.truth(world, node)),
            Self::Or(a, b) => not(and(not(a.truth(world, node)), not(b.truth(world, node)))),
            Self::Some(a) => some(a),
            Self::Without(a) => not(some(a)),
            Self::Same(a, b) => Some(a.truth(world, node)? == b.truth(world, node)?),
        }
    }
}

#[derive(Debug, Clone)]
struct World {
    /// None: a value that is no number.
    values: Vec<Option<i32>>,
    near: BTreeSet<(usize, usize)>,
}

fn worlds() -> impl Strategy<Value = World> {
    let values = prop::collection::vec(prop::option::of(0..7), 4);
    let near = prop::collection::btree_set((0..4_usize, 0..4_usize), 0..8);
    (values, near).prop_map(|(values, near)| World { values, near })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    // A permission selects the nodes for which the test is true, a prohibition also those for which it is unknown.
    #[test]
    fn patterns_have_three_values(test in tests(), world in worlds()) {
        let mut text = String::new();
        for (node, value) in world.values.iter().enumerate() {
            let value = value.map_or("ex:none".to_owned(), |value| value.to_string());
            text += &format!("ex:n{node} ex:q {value} . ");
        }
        for (from, to) in &world.near {
            text += &format!("ex:n{from} ex:p ex:n{to} . ");
        }
        let data = data(&text);
        let q = ex("q");
        let of_zero = test.text(0).replace("?n0", "?this");
        let refinement = pattern(&format!("{{ ?this {q} ?q0 FILTER({of_zero}) }}"));
        let [permitted, prohibited] = selected(&refinement, "", &data);
        let truths: BTreeMap<_, _> = (0..4).map(|node| (format!("n{node}"), test.truth(&world, node))).collect();
        let names = |keep: &dyn Fn(Option<bool>) -> bool| {
            let kept: Vec<_> = truths.iter().filter(|(_, truth)| keep(**truth)).map(|(name, _)| name.as_str()).collect();
            kept.join(" ")
        };
        prop_assert_eq!(permitted, names(&|truth| truth == Some(true)), "{}", &refinement);
        prop_assert_eq!(prohibited, names(&|truth| truth != Some(false)), "{}", &refinement);
    }
}

//! Ways around what depends on the question, on patterns, on time and on numbers; the list is that of `leaks.rs`.

use super::changed::{PERSONS, holding, mask, of, twin_read, values};
use crate::support::{
    Collected, graph, insert, iri, parse, property, rows, store, update, visible,
};
use oxrdf::Quad;
use oxsdatatypes::DateTime;
use std::str::FromStr;
use std::time::{Duration, Instant};
use twinlink_core::Budget;
use twinlink_core::policy::{
    End, Guard, Measure, MeasureKind, Named, NodePattern, Part, Recorded, Selector, Statistic,
};

fn nodes(query: &str) -> Selector {
    Selector {
        nodes: Some(NodePattern::new(parse(query))),
        ..Selector::default()
    }
}

/// A unit that comes or goes must not be told by the difference of two answers.
#[test]
fn no_small_difference_of_statistics() {
    let ages = |ages: &[(&str, u32)]| {
        let mut number = 0;
        let mut quads = Vec::new();
        for (place, count) in ages {
            for _ in 0..*count {
                number += 1;
                let unit = iri(&format!("unit{number}"));
                quads.push(Quad::new(
                    unit,
                    iri("lives"),
                    iri(place),
                    oxrdf::GraphName::DefaultGraph,
                ));
            }
        }
        quads
    };
    let statistic = Statistic {
        name: iri("by-place"),
        selector: Selector::default(),
        dimensions: vec![iri("lives")],
        measure: None,
        minimum: 5,
    };
    let guard = Guard::default().with_statistics(vec![statistic]);
    for (groups, shown) in [
        (&[("a", 5), ("b", 9)][..], &["5", "9"][..]),
        // The smallest shown group goes with the one that is too small.
        (&[("a", 4), ("b", 6), ("c", 9)], &["9"]),
        (&[("a", 1), ("b", 2), ("c", 9), ("d", 9)], &["9"]),
        (&[("a", 3), ("b", 2), ("c", 9)], &["9"]),
        (&[("a", 4)], &[]),
        (&[("a", 4), ("b", 5)], &[]),
    ] {
        let twin = store();
        insert(&twin, ages(groups));
        let counts = "SELECT (STR(?n) AS ?count) { ?x <https://w3id.org/twinlink/ns#count> ?n }";
        let expected = shown
            .iter()
            .map(|count| format!("\"{count}\""))
            .collect::<Vec<_>>();
        assert_eq!(rows(&twin, &guard, counts), expected, "{groups:?}");
        // Nothing else is shown: no unit, and no group that is not told.
        assert!(
            rows(
                &twin,
                &guard,
                "SELECT * { ?unit :lives ?place . FILTER(STRSTARTS(STR(?unit), 'http://e/unit')) }"
            )
            .is_empty()
        );
        let told: u32 = shown
            .iter()
            .map(|count| count.parse::<u32>().unwrap())
            .sum();
        let all: u32 = groups.iter().map(|(_, count)| count).sum();
        assert!(
            all - told == 0 || all - told >= 5 || told == 0,
            "{groups:?}"
        );
    }
}

/// What two of many units have must not be told as of many.
#[test]
fn measures_of_few_are_not_told() {
    let twin = store();
    let data = (0..9)
        .map(|n| format!(":u{n} :in :g . "))
        .collect::<String>();
    update(
        &twin,
        &format!("INSERT DATA {{ {data} :u1 :pay 10 . :u2 :pay 30 }}"),
    )
    .unwrap();
    let guard = |minimum| {
        Guard::default().with_statistics(vec![Statistic {
            name: iri("pay"),
            selector: Selector::default(),
            dimensions: vec![iri("in")],
            measure: Some(Measure {
                property: iri("pay"),
                kind: MeasureKind::Average,
            }),
            minimum,
        }])
    };
    let mean = "SELECT (STR(?x) AS ?mean) { ?o <https://w3id.org/twinlink/ns#average> ?x }";
    assert_eq!(rows(&twin, &guard(2), mean), ["\"20\""]);
    assert!(rows(&twin, &guard(3), mean).is_empty());
}

#[test]
fn patterns_fail_closed() {
    let twin = holding(PERSONS);
    let slow = "SELECT ?this { ?this ?p ?o . ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n ?q . ?r ?s ?t }";
    for (pattern, check, time) in [
        (
            "SELECT ?this { ?this :p ?x SERVICE <http://x/> { ?x :q ?y } }",
            "policy.pattern",
            60_000,
        ),
        (
            "SELECT ?this { ?this :age ?x FILTER(<http://e/no-such-function>(?x)) }",
            "policy.pattern",
            60_000,
        ),
        (slow, "deadline", 50),
        // An error inside EXISTS that the evaluator takes for "no".
        (
            &format!(
                "SELECT ?this {{ ?this :age ?y FILTER NOT EXISTS {{ {} }} }}",
                &slow[13..]
            )
            .replace("?this ?p ?o", "?v ?w ?z"),
            "deadline",
            50,
        ),
    ] {
        for guard in [
            Guard::new(vec![nodes(pattern)], Vec::new()),
            Guard::new(vec![Selector::default()], vec![nodes(pattern)]),
            Guard::everything().with_transformed(vec![values(nodes(pattern), mask())]),
            Guard::everything().with_transformed(vec![of(
                Selector::default(),
                Part::Nodes(NodePattern::new(parse(pattern))),
                mask(),
            )]),
        ] {
            let budget = Budget::new(Instant::now() + Duration::from_millis(time), 1_000);
            let mut collected = Collected::default();
            let query = parse("SELECT * { ?s ?p ?o }");
            let refusal = twin
                .query(&query, None, &guard, &budget, &mut collected)
                .unwrap_err();
            assert_eq!(refusal.check(), check, "{pattern}");
            assert!(collected.head.is_none() && collected.rows.is_empty());
            // Not even the pattern is told to the one who asked.
            assert!(!refusal.public().to_string().contains("this"), "{pattern}");
        }
    }
}

/// Who asks more than it may name is shown what one is who names nothing.
#[test]
fn many_names_are_no_names() {
    let twin = holding(PERSONS);
    let named = |is_negated| Selector {
        named: Some(Named {
            end: End::Subject,
            is_negated,
        }),
        ..property("number")
    };
    let permitted = Guard::new(vec![named(false)], Vec::new());
    let prohibited = Guard::new(vec![Selector::default()], vec![named(true)]);
    for guard in [&permitted, &prohibited] {
        assert_eq!(
            rows(&twin, guard, "SELECT ?n { :ann :number ?n }"),
            ["\"1111\""]
        );
        assert_eq!(
            rows(
                &twin,
                guard,
                "SELECT ?n { VALUES ?s { :ann :bob } ?s :number ?n }"
            )
            .len(),
            2
        );
        // From the value to the person there is no way, nor to all persons.
        assert!(rows(&twin, guard, "SELECT ?s { ?s :number '1111' }").is_empty());
        assert!(rows(&twin, guard, "SELECT ?s { ?s :number ?n }").is_empty());
        assert!(
            rows(
                &twin,
                guard,
                "SELECT ?s { ?s :number ?n FILTER(?s = :ann) }"
            )
            .is_empty()
        );
        let listing = |count: usize| {
            let others = (0..count).map(|n| format!(":n{n} ")).collect::<String>();
            rows(
                &twin,
                guard,
                &format!("SELECT ?n {{ VALUES ?s {{ :ann {others} }} ?s :number ?n }}"),
            )
            .len()
        };
        assert_eq!((listing(Named::MOST - 1), listing(Named::MOST)), (1, 0));
        // Exports, summaries and data to delete name nothing.
        assert!(
            visible(&twin, guard)
                .iter()
                .all(|quad| !quad.contains("number"))
        );
        let deleted = twin_read(&twin, guard, "DELETE DATA { :ann :number '1111' }").unwrap();
        assert_eq!(deleted.removed, 0);
        let moved = "INSERT { ?s :told ?n } WHERE { ?s :number ?n }";
        assert_eq!(twin_read(&twin, guard, moved).unwrap().inserted, 0);
    }
}

/// What is too new is not there yet; a subject with one value that is no time is never old enough.
#[test]
fn what_is_not_old_enough_is_not_there() {
    let at = |node: &str, times: &[&str]| {
        let times = times
            .iter()
            .map(|time| format!("{node} :at {time} ; :value 1 . "));
        times.collect::<String>()
    };
    let typed = |time: &str| format!("'{time}'^^<http://www.w3.org/2001/XMLSchema#dateTime>");
    let (old, new) = (typed("2026-01-01T00:00:00Z"), typed("2026-02-01T00:00:00Z"));
    let elsewhere = typed("2026-01-15T01:00:00+01:00");
    let zoneless = typed("2026-01-01T00:00:00");
    let twin = holding(
        &[
            at(":old", &[&old]),
            at(":just", &[&elsewhere]),
            at(":new", &[&new]),
            at(":both", &[&old, &new]),
            at(":unclear", &[&old, &zoneless]),
            at(":wrong", &["'2026-01-01T00:00:00Z'"]),
            ":timeless :value 1 .".to_owned(),
            format!(
                "GRAPH :g {{ {} }} {}",
                at(":hidden", &[&new]),
                at(":hidden", &[&old])
            ),
        ]
        .concat(),
    );
    let guard = Guard::new(
        vec![Selector {
            recorded: Some(Recorded {
                property: iri("at"),
                until: DateTime::from_str("2026-01-15T00:00:00Z").unwrap(),
            }),
            ..Selector::default()
        }],
        vec![graph("g")],
    );
    let shown = rows(&twin, &guard, "SELECT DISTINCT ?s { ?s ?p ?o }");
    assert_eq!(shown, ["<http://e/just>", "<http://e/old>"]);
}

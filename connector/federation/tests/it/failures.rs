//! A member that fails is named, and no answer is wrong without saying so.

use crate::equal::{sorted, split};
use crate::fakes::{Mode, World, iri, participant};
use crate::merged::{evaluate, merge};
use crate::shapes::{By, PREFIXES, SHAPES};
use oxrdf::{GraphName, Literal, Quad};
use proptest::prelude::*;
use spargebra::SparqlParser;
use twinlink_core::{Head, SourceState};
use twinlink_federation::FederationLimits;

const MODES: [(Mode, SourceState); 8] = [
    (Mode::Denies, SourceState::Denied),
    (Mode::Unreachable, SourceState::Unreachable),
    (Mode::Hangs, SourceState::TimedOut),
    (Mode::HangsLater, SourceState::TimedOut),
    (Mode::Breaks, SourceState::Partial),
    (Mode::Lies, SourceState::NotEvaluable),
    (Mode::Invents, SourceState::NotEvaluable),
    (Mode::Panics, SourceState::NotEvaluable),
];

fn quad(subject: &str, predicate: &str, object: i64) -> Quad {
    Quad::new(
        iri(&format!("urn:{subject}")),
        iri(&format!("urn:{predicate}")),
        Literal::from(object),
        GraphName::DefaultGraph,
    )
}

/// Three members that all hold some of `:p0`, `:p1` and `:p2`.
pub(crate) fn members() -> Vec<Vec<Quad>> {
    (0..3)
        .map(|member| {
            (0..3)
                .flat_map(|n| {
                    let subject = format!("s{}", n + member);
                    ["p0", "p1", "p2"].map(|predicate| quad(&subject, predicate, n))
                })
                .collect()
        })
        .collect()
}

#[test]
fn a_member_that_fails_is_named() {
    for (mode, state) in MODES {
        let world = World::new(members()).with(1, mode);
        let answer = world.ask("SELECT * { ?s <urn:p0> ?x }");
        let [first, second, third] = answer.sources.as_slice() else {
            panic!("{mode:?}: {:?}", answer.sources);
        };
        assert_eq!(first.state, SourceState::Complete, "{mode:?}");
        assert_eq!(third.state, SourceState::Complete, "{mode:?}");
        assert_eq!(second.state, state, "{mode:?}");
        assert_eq!(second.participant, participant(1));
        let reason = second.reason.as_ref().unwrap();
        assert!(reason.contains("https://member1.example/"), "{reason}");
        // What the others hold is there.
        assert!(
            answer.rows.solutions.len() >= 5,
            "{mode:?}: {:?}",
            answer.rows
        );
        // A pattern needs nobody to be right.
        assert!(answer.unsure.is_empty(), "{mode:?}: {:?}", answer.unsure);
    }
}

#[test]
fn operators_that_need_all_are_named() {
    let cases = [
        (
            "SELECT * { ?s <urn:p0> ?x OPTIONAL { ?s <urn:p1> ?y } }",
            "OPTIONAL",
        ),
        (
            "SELECT * { ?s <urn:p0> ?x MINUS { ?s <urn:p1> ?y } }",
            "MINUS",
        ),
        (
            "SELECT * { ?s <urn:p0> ?x FILTER NOT EXISTS { ?s <urn:p1> ?y } }",
            "NOT EXISTS",
        ),
        (
            "SELECT * { ?s <urn:p0> ?x BIND(EXISTS { ?s <urn:p1> ?y } AS ?e) }",
            "EXISTS",
        ),
        ("SELECT (COUNT(*) AS ?n) { ?s <urn:p0> ?x }", "aggregate"),
        (
            "SELECT * { ?s <urn:p0> ?x } ORDER BY ?x LIMIT 2",
            "ORDER BY with LIMIT",
        ),
        ("ASK { ?s <urn:p0> 99 }", "ASK"),
    ];
    for (mode, _) in MODES {
        for (query, operator) in cases {
            let answer = World::new(members()).with(2, mode).ask(query);
            // Nobody but the third member's own rows could tell: the probe of the last case finds nothing to break.
            if answer
                .sources
                .iter()
                .all(|source| source.state.is_settled())
            {
                assert!(operator == "ASK", "{mode:?} {query}: {:?}", answer.sources);
                continue;
            }
            assert_eq!(answer.unsure, [operator], "{mode:?} {query}");
        }
    }
    let within =
        "SELECT * { ?s <urn:p0> ?x OPTIONAL { ?s <urn:p1> ?y FILTER NOT EXISTS { ?y ?p ?x } } }";
    let answer = World::new(members()).with(2, Mode::Denies).ask(within);
    assert_eq!(answer.unsure, ["OPTIONAL", "NOT EXISTS"]);
    let monotone = "SELECT DISTINCT ?s { ?s <urn:p0>+/<urn:p1>? ?x FILTER EXISTS { ?s ?p ?x } }";
    let answer = World::new(members()).with(2, Mode::Denies).ask(monotone);
    assert!(answer.unsure.is_empty(), "{:?}", answer.unsure);
}

#[test]
fn our_own_twin_may_fail_as_a_member() {
    let answer = World::new(members())
        .with(0, Mode::Hangs)
        .ask("SELECT * { ?s <urn:p0> ?x }");
    assert_eq!(answer.sources[0].state, SourceState::TimedOut);
    assert_eq!(answer.rows.solutions.len(), 6);
}

#[test]
fn more_rows_than_are_fetched_is_partial() {
    let mut world = World::new(members());
    world.limits = FederationLimits {
        rows_per_fetch: 2,
        ..FederationLimits::default()
    };
    let answer = world.ask("SELECT * { ?s <urn:p0> ?x }");
    for source in &answer.sources {
        assert_eq!(source.state, SourceState::Partial, "{source:?}");
        assert_eq!(source.rows, 2);
    }
    world.limits = FederationLimits {
        quads: 4,
        ..FederationLimits::default()
    };
    let answer = world.ask("SELECT * { ?s <urn:p0> ?x }");
    assert_eq!(answer.rows.solutions.len(), 4);
    assert!(
        answer
            .sources
            .iter()
            .any(|source| source.state == SourceState::Partial)
    );
}

#[test]
fn the_only_holder_may_break_off() {
    let mut members = members();
    members[1].push(quad("only", "here", 1));
    members[1].push(quad("also", "here", 2));
    let world = World::new(members).with(1, Mode::Breaks);
    let answer = world.ask("SELECT * { ?s <urn:here> ?x }");
    assert_eq!(answer.rows.solutions.len(), 1);
    assert_eq!(answer.sources[1].state, SourceState::Partial);
    assert_eq!(answer.sources[1].rows, 1);
    assert_eq!(answer.sources[0].state, SourceState::Empty);
}

#[test]
fn a_member_that_gave_nothing_is_empty() {
    let states = |answer: crate::fakes::Answer| -> Vec<_> {
        answer.sources.iter().map(|source| source.state).collect()
    };
    let (complete, empty) = (SourceState::Complete, SourceState::Empty);
    // The third holds matches of a pattern, but none of what is asked for.
    let world = World::new(vec![
        vec![quad("a", "p", 1)],
        vec![quad("a", "q", 1)],
        vec![quad("b", "q", 2)],
    ]);
    let answer = world.ask("SELECT * { VALUES ?s { <urn:a> } ?s <urn:p> ?x . ?s <urn:q> ?y }");
    assert_eq!(states(answer), [complete, complete, empty]);
    // The only holder says no, or has no row.
    let world = World::new(vec![Vec::new(), vec![quad("a", "q", 1)]]);
    assert_eq!(
        states(world.ask("ASK { ?s <urn:q> ?x }")),
        [empty, complete]
    );
    let filtered = "{ ?s <urn:q> ?x FILTER(?x > 1) }";
    for form in ["ASK", "SELECT *"] {
        let answer = world.ask(&format!("{form} {filtered}"));
        assert_eq!(states(answer), [empty, empty]);
    }
}

proptest! {
    /// Whatever fails, rows of a query without operators that need all are rows of the whole answer; for others the
    /// operator is named.
    #[test]
    fn no_wrong_row_without_a_word(
        held in crate::equal::held(),
        shapes in prop::collection::vec(0..SHAPES.len(), 4),
        member in 1..3_usize,
        mode in 0..MODES.len(),
    ) {
        let world = World::new(split(&held)).with(member, MODES[mode].0);
        for shape in shapes {
            let (query, by) = SHAPES[shape];
            let query = format!("{PREFIXES}{query}");
            let answer = world.ask(&query);
            if !answer.unsure.is_empty() || matches!(by, By::Count) || query.contains("LIMIT") {
                continue;
            }
            let parsed = SparqlParser::new().parse_query(&query).unwrap();
            let (head, all) = evaluate(&merge(&world.members), &parsed, None).unwrap();
            if let Head::Boolean(_) = head {
                prop_assert_eq!(head, answer.head);
                continue;
            }
            let mut all = sorted(&all);
            let is_settled = answer.sources.iter().all(|source| source.state.is_settled());
            for row in sorted(&answer.rows) {
                let place = all.iter().position(|other| *other == row);
                prop_assert!(place.is_some(), "{:?} {}: {}", MODES[mode].0, query, row);
                all.remove(place.unwrap());
            }
            prop_assert!(all.is_empty() || !is_settled, "{:?} {}: {:?}", MODES[mode].0, query, all);
        }
    }
}

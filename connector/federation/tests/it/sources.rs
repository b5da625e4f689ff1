//! Which members a row rests on.

use crate::equal::{config, held, sorted, split};
use crate::fakes::{Answer, World, iri};
use crate::merged::{evaluate, merge};
use crate::shapes::{By, PREFIXES, SHAPES};
use oxrdf::{GraphName, Literal, Quad};
use proptest::prelude::*;
use spargebra::SparqlParser;
use twinlink_core::Head;

fn quad(subject: &str, predicate: &str, object: i64) -> Quad {
    Quad::new(
        iri(&format!("urn:{subject}")),
        iri(&format!("urn:{predicate}")),
        Literal::from(object),
        GraphName::DefaultGraph,
    )
}

fn world() -> World {
    World::new(vec![
        vec![quad("a", "p", 0), quad("shared", "p", 9)],
        vec![quad("b", "p", 1), quad("a", "q", 1)],
        vec![quad("b", "q", 2), quad("shared", "p", 9)],
    ])
}

/// The sources of each row, by the text of its first value.
fn by_first(answer: &Answer) -> Vec<(String, Vec<u16>)> {
    let mut rows: Vec<_> = answer
        .rows
        .solutions
        .iter()
        .map(|row| {
            let first = row.values.iter().flatten().next().map(ToString::to_string);
            (first.unwrap_or_default(), row.sources.to_vec())
        })
        .collect();
    rows.sort();
    rows
}

fn expect(answer: &Answer, expected: &[(&str, &[u16])]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, sources)| (format!("<urn:{name}>"), sources.to_vec()))
        .collect();
    assert_eq!(by_first(answer), expected);
}

#[test]
fn a_row_names_those_who_gave_its_triples() {
    let answer = world().ask("SELECT ?s ?x { ?s <urn:p> ?x }");
    expect(&answer, &[("a", &[0]), ("b", &[1]), ("shared", &[0, 2])]);
    let answer = world().ask("SELECT ?s { ?s <urn:p> ?x . ?s <urn:q> ?y }");
    expect(&answer, &[("a", &[0, 1]), ("b", &[1, 2])]);
    assert_eq!(
        answer.head,
        Head::Solutions(vec![oxrdf::Variable::new_unchecked("s")])
    );
}

#[test]
fn optional_counts_where_it_matched() {
    let answer =
        world().ask("SELECT ?s ?y { ?s <urn:p> ?x OPTIONAL { ?s <urn:q> ?y FILTER(?y < 2) } }");
    expect(&answer, &[("a", &[0, 1]), ("b", &[1]), ("shared", &[0, 2])]);
}

#[test]
fn a_sub_select_passes_its_sources_on() {
    let answer = world().ask("SELECT ?s { ?s <urn:q> ?y { SELECT ?s { ?s <urn:p> ?x } } }");
    expect(&answer, &[("a", &[0, 1]), ("b", &[1, 2])]);
}

#[test]
fn grouped_rows_rest_on_all() {
    let answer = world().ask("SELECT ?s (COUNT(*) AS ?n) { ?s <urn:p> ?x } GROUP BY ?s");
    expect(
        &answer,
        &[("a", &[0, 1, 2]), ("b", &[0, 1, 2]), ("shared", &[0, 1, 2])],
    );
}

#[test]
fn the_rows_of_one_member_are_its_own() {
    let mut world = world();
    world.members[1].push(quad("c", "only", 1));
    let answer = world.ask("SELECT ?s (COUNT(*) AS ?n) { ?s <urn:only> ?x } GROUP BY ?s");
    expect(&answer, &[("c", &[1])]);
}

fn in_graph(quad: Quad, graph: &str) -> Quad {
    Quad {
        graph_name: iri(&format!("urn:{graph}")).into(),
        ..quad
    }
}

/// Three members: a closure of one, a road of another, and a graph that two of them fill.
fn city() -> World {
    World::new(vec![
        vec![
            in_graph(quad("road", "name", 1), "roads"),
            in_graph(quad("path", "name", 2), "roads"),
            in_graph(quad("path", "closed", 1), "notes"),
        ],
        vec![
            in_graph(quad("road", "closed", 7), "closures"),
            in_graph(quad("path", "closed", 1), "closures"),
        ],
        vec![
            in_graph(quad("path", "closed", 1), "closures"),
            quad("path", "name", 2),
        ],
    ])
}

#[test]
fn quads_of_named_graphs_are_traced() {
    let answer = city().ask(
        "SELECT ?r ?g { GRAPH ?g { ?r <urn:closed> ?x } GRAPH <urn:roads> { ?r <urn:name> ?y } }",
    );
    let expected: &[(&str, &[u16])] = &[("path", &[0]), ("path", &[0, 1, 2]), ("road", &[0, 1])];
    expect(&answer, expected);
    let answer = city().ask("SELECT ?r { ?r <urn:name> ?y }");
    expect(&answer, &[("path", &[2])]);
    let answer = city().ask(
        "SELECT ?r { { GRAPH ?g { ?r <urn:name> ?y } } UNION { ?r <urn:name> ?y } OPTIONAL { GRAPH ?g { ?r <urn:closed> 1 } } }",
    );
    let expected: &[(&str, &[u16])] = &[
        ("path", &[0]),
        ("path", &[0, 2]),
        ("path", &[1, 2]),
        ("road", &[0]),
    ];
    expect(&answer, expected);
}

#[test]
fn what_is_looked_at_untraced_leaves_the_rest_traced() {
    let answer = city().ask(
        "SELECT ?r { GRAPH ?g { ?r <urn:name> ?y FILTER NOT EXISTS { ?r <urn:nothing>+ ?z } } MINUS { GRAPH ?h { ?r <urn:closed> 7 } } }",
    );
    expect(&answer, &[("path", &[0])]);
}

#[test]
fn a_distinct_row_rests_on_all_that_gave_it() {
    let answer = city().ask("SELECT DISTINCT ?r { GRAPH ?g { ?r <urn:closed> ?x } } ORDER BY ?r");
    expect(&answer, &[("path", &[0, 1, 2]), ("road", &[1])]);
    let ordered: Vec<_> = answer
        .rows
        .solutions
        .iter()
        .map(|row| &row.values)
        .collect();
    assert!(format!("{:?}", ordered[0]).contains("urn:path"));
}

#[test]
fn names_of_ours_in_the_data_are_names() {
    let mut world = city();
    let ours = in_graph(quad("road", "closed", 9), "x-twinlink:sources:0:0");
    world.members[2].push(ours);
    let answer = world.ask("SELECT ?r ?g { GRAPH ?g { ?r <urn:closed> 9 } }");
    expect(&answer, &[("road", &[2])]);
    let answer = world.ask("SELECT ?r ?g { GRAPH ?g { ?r <urn:closed> ?x } }");
    assert_eq!(answer.rows.solutions.len(), 4);
    let answer = city().ask("SELECT * { GRAPH <urn:x-twinlink:links> { ?s ?p ?o } }");
    assert!(answer.rows.solutions.is_empty());
}

proptest! {
    #![proptest_config(config())]

    /// The members that a row names give that row without the others, as far as its quads are traced.
    // INVARIANT(sources-suffice)
    #[test]
    fn sources_suffice(held in held(), shapes in prop::collection::vec(0..SHAPES.len(), 4), is_summarised: bool) {
        let mut world = World::new(split(&held));
        if is_summarised {
            world.summaries = Some(crate::summaries::Shown::of(&world.members));
        }
        for shape in shapes {
            let (query, by) = SHAPES[shape];
            if matches!(by, By::Count) || query.replace("NOT EXISTS", "").contains("EXISTS") {
                continue;
            }
            // Which rows are passed over is for others to say, too.
            if query.contains("OFFSET") {
                continue;
            }
            let query = format!("{PREFIXES}{query}");
            let answer = world.ask(&query);
            let parsed = SparqlParser::new().parse_query(&query).unwrap();
            for row in &answer.rows.solutions {
                let alone: Vec<_> = world.members.iter().enumerate().map(|(number, quads)| {
                    let counts = row.sources.iter().any(|source| usize::from(*source) == number);
                    if counts { quads.clone() } else { Vec::new() }
                }).collect();
                let (_, rows) = evaluate(&merge(&alone), &parsed, None).unwrap();
                let text = format!("{:?}", row.values);
                prop_assert!(sorted(&rows).contains(&text), "{query}: {text} from {:?}", row.sources);
            }
        }
    }
}

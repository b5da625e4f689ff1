//! With every member answering, the federated answer is that over the merge.

use crate::fakes::{Answer, World, iri};
use crate::merged::{evaluate, merge};
use crate::shapes::{By, PREFIXES, SHAPES};
use crate::summaries::{Shown, name_apart};
use oxrdf::dataset::CanonicalizationAlgorithm;
use oxrdf::{BlankNode, Graph, GraphName, Literal, NamedOrBlankNode, Quad, Term};
use proptest::prelude::*;
use spargebra::SparqlParser;
use twinlink_core::{DatasetChoice, Head};
use twinlink_federation::{FederationLimits, Rows, query_text};

/// One quad and the members that hold it, as bits.
pub(crate) type Held = (Quad, u8);

fn subject() -> impl Strategy<Value = NamedOrBlankNode> {
    prop_oneof![
        4 => (0..5_u8).prop_map(|n| iri(&format!("urn:s{n}")).into()),
        1 => (0..2_u8).prop_map(|n| BlankNode::new_unchecked(format!("b{n}")).into()),
    ]
}

fn object() -> impl Strategy<Value = Term> {
    prop_oneof![
        4 => subject().prop_map(Term::from),
        3 => (0..4_i64).prop_map(|n| Literal::from(n).into()),
        1 => (0..2_u8).prop_map(|n| iri(&format!("urn:C{n}")).into()),
        1 => Just(Literal::new_typed_literal("01", oxrdf::vocab::xsd::INTEGER).into()),
        1 => Just(Literal::new_language_tagged_literal_unchecked("a", "en").into()),
    ]
}

fn graph() -> impl Strategy<Value = GraphName> {
    prop_oneof![
        5 => Just(GraphName::DefaultGraph),
        2 => (0..2_u8).prop_map(|n| iri(&format!("urn:g{n}")).into()),
    ]
}

fn quad() -> impl Strategy<Value = Quad> {
    let predicate = prop_oneof![
        9 => (0..3_u8).prop_map(|p| iri(&format!("urn:p{p}"))),
        1 => Just(oxrdf::vocab::rdf::TYPE.into_owned()),
    ];
    (subject(), predicate, object(), graph()).prop_map(|(subject, predicate, object, graph)| {
        Quad::new(subject, predicate, object, graph)
    })
}

/// Random, by subject, by predicate, replicated, or all at one member.
pub(crate) fn held() -> impl Strategy<Value = Vec<Held>> {
    let quads = prop::collection::vec((quad(), 0..3_u8, 1..8_u8), 0..40);
    (quads, 0..5_u8, 0..3_u8).prop_map(|(quads, split, one)| {
        let number = |text: String| text.bytes().map(usize::from).sum::<usize>() % 3;
        quads
            .into_iter()
            .map(|(quad, member, members)| {
                let members = match split {
                    0 => 1 << member,
                    1 => 1 << number(quad.subject.to_string()),
                    2 => 1 << number(quad.predicate.to_string()),
                    3 => members,
                    _ => 1 << one,
                };
                (quad, members)
            })
            .collect()
    })
}

pub(crate) fn split(held: &[Held]) -> Vec<Vec<Quad>> {
    (0..3)
        .map(|member| {
            held.iter()
                .filter(|(_, members)| members & (1 << member) != 0)
                .map(|(quad, _)| quad.clone())
                .collect()
        })
        .collect()
}

/// The rows in an order of their own, to compare.
pub(crate) fn sorted(rows: &Rows) -> Vec<String> {
    let mut texts: Vec<_> = rows
        .solutions
        .iter()
        .map(|row| format!("{:?}", row.values))
        .chain(rows.triples.iter().map(|triple| {
            // Which triple comes how often is not part of a graph.
            triple.to_string()
        }))
        .collect();
    texts.sort();
    if rows.solutions.is_empty() {
        texts.dedup();
    }
    texts
}

pub(crate) fn same(
    query: &str,
    by: By,
    members: &[Vec<Quad>],
    answer: &Answer,
    choice: Option<&DatasetChoice>,
) {
    let parsed = SparqlParser::new().parse_query(query).unwrap();
    let (head, rows) = evaluate(&merge(members), &parsed, choice).unwrap();
    match (&head, &answer.head) {
        (Head::Solutions(expected), Head::Solutions(found)) => {
            assert_eq!(expected, found, "{query}")
        }
        (expected, found) => assert_eq!(expected, found, "{query}"),
    }
    match by {
        By::Rows => assert_eq!(sorted(&answer.rows), sorted(&rows), "{query}"),
        By::Count => {
            let unlimited = query
                .split(" LIMIT")
                .next()
                .unwrap()
                .split(" OFFSET")
                .next()
                .unwrap();
            assert_eq!(answer.rows.solutions.len(), rows.solutions.len(), "{query}");
            if let Ok(unlimited) = SparqlParser::new().parse_query(unlimited) {
                let (_, all) = evaluate(&merge(members), &unlimited, choice).unwrap();
                let mut all = sorted(&all);
                for row in sorted(&answer.rows) {
                    let place = all.iter().position(|other| *other == row);
                    all.remove(place.unwrap_or_else(|| panic!("{query}: {row} is no solution")));
                }
            }
        }
    }
    assert!(answer.unsure.is_empty(), "{query}: {:?}", answer.unsure);
    for source in &answer.sources {
        assert!(source.state.is_settled(), "{query}: {source:?}");
    }
}

/// 500 cases; the environment variable `PROPTEST_CASES` asks for more.
pub(crate) fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() {
            default.cases
        } else {
            500
        },
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    // INVARIANT(federated-is-merged), INVARIANT(blank-nodes-apart)
    #[test]
    fn federated_is_merged(
        held in held(),
        shapes in prop::collection::vec(0..SHAPES.len(), 4),
        share_bindings: bool,
        bindings in prop_oneof![Just(0_usize), Just(2), Just(500)],
        request_rows in prop_oneof![Just(0_usize), Just(1), Just(100)],
        is_summarised: bool,
        is_apart: bool,
        detailed in prop_oneof![Just(100_000_usize), Just(3)],
    ) {
        let mut world = World::new(split(&held));
        if is_apart {
            name_apart(&mut world.members);
        }
        if is_summarised {
            world.summaries = Some(Shown::outlined(&world.members, detailed));
        }
        world.limits = FederationLimits {
            share_bindings,
            bindings,
            request_rows,
            ..FederationLimits::default()
        };
        for shape in shapes {
            let (query, by) = SHAPES[shape];
            let query = format!("{PREFIXES}{query}");
            let answer = world.ask(&query);
            same(&query, by, &world.members, &answer, None);
        }
    }

    #[test]
    fn the_protocols_dataset_wins(held in held(), shape in 0..SHAPES.len(), default in 0..3_usize, named in 0..3_usize, is_summarised: bool) {
        let graphs = [iri("urn:g0"), iri("urn:g1"), iri("urn:g9")];
        let choice = DatasetChoice {
            default_graphs: graphs[..default].to_vec(),
            named_graphs: graphs[named..].to_vec(),
        };
        let mut world = World::new(split(&held));
        if is_summarised {
            world.summaries = Some(Shown::of(&world.members));
        }
        let (query, by) = SHAPES[shape];
        let query = format!("{PREFIXES}{query}");
        let answer = world.ask_about(&query, Some(&choice)).unwrap();
        same(&query, by, &world.members, &answer, Some(&choice));
    }

    /// What is sent to a peer means what was asked.
    #[test]
    fn the_text_means_the_query(held in held(), shape in 0..SHAPES.len()) {
        let (query, by) = SHAPES[shape];
        let query = SparqlParser::new().parse_query(&format!("{PREFIXES}{query}")).unwrap();
        if let Some(text) = query_text(&query) {
            let parsed = SparqlParser::new().parse_query(&text).unwrap();
            let dataset = held.iter().map(|(quad, _)| quad.clone()).collect();
            let choice = query.dataset().map(|chosen| DatasetChoice {
                default_graphs: chosen.default.clone(),
                named_graphs: chosen.named.clone().unwrap_or_default(),
            });
            let (head, rows) = evaluate(&dataset, &query, choice.as_ref()).unwrap();
            let (again, rows_again) = evaluate(&dataset, &parsed, choice.as_ref()).unwrap();
            prop_assert_eq!(head, again);
            match by {
                By::Rows => prop_assert_eq!(sorted(&rows), sorted(&rows_again)),
                By::Count => prop_assert_eq!(rows.solutions.len(), rows_again.solutions.len()),
            }
        }
    }
}

#[test]
fn new_blank_nodes_of_a_template_are_new() {
    let one = |n: u8| {
        Quad::new(
            iri("urn:s"),
            iri("urn:p0"),
            Literal::from(i64::from(n)),
            GraphName::DefaultGraph,
        )
    };
    let members = vec![vec![one(0)], vec![one(1)], vec![one(1), one(2)]];
    let query = "CONSTRUCT { [] <urn:is> ?x ; <urn:of> ?s } WHERE { ?s <urn:p0> ?x }";
    let answer = World::new(members.clone()).ask(query);
    let parsed = SparqlParser::new().parse_query(query).unwrap();
    let (_, rows) = evaluate(&merge(&members), &parsed, None).unwrap();
    let canonical = |rows: &Rows| {
        let mut graph: Graph = rows.triples.iter().collect();
        graph.canonicalize(CanonicalizationAlgorithm::Unstable);
        graph
    };
    assert_eq!(canonical(&answer.rows), canonical(&rows));
    assert_eq!(answer.rows.triples.len(), 6);
}

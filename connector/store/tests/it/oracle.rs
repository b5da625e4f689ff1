//! The same changes and queries as oxigraph's in-memory store.

use crate::support::{SHAPES, all, insert, parse, quad, rows, store, update};
use oxigraph::sparql::{QueryResults, SparqlEvaluator};
use oxigraph::store::Store;
use oxrdf::{GraphName, NamedNode, Quad, Term};
use spargebra::Query;
use spargeo::GEOSPARQL_EXTENSION_FUNCTIONS;
use twinlink_core::policy::Guard;

pub(crate) fn oracle_rows(store: &Store, query: &str) -> Vec<String> {
    oracle_rows_of(store, parse(query))
}

/// The rows that oxigraph finds, sorted.
pub(crate) fn oracle_rows_of(store: &Store, query: Query) -> Vec<String> {
    let mut evaluator = SparqlEvaluator::new();
    for (name, function) in GEOSPARQL_EXTENSION_FUNCTIONS {
        evaluator = evaluator.with_custom_function(name.into_owned(), function);
    }
    let text = query.to_string();
    let results = evaluator
        .for_query(query)
        .on_store(store)
        .execute()
        .expect(&text);
    let mut rows = match results {
        QueryResults::Boolean(value) => vec![value.to_string()],
        QueryResults::Solutions(solutions) => solutions
            .map(|row| {
                let value =
                    |value: &Option<Term>| value.as_ref().map_or("-".to_owned(), Term::to_string);
                row.unwrap()
                    .values()
                    .iter()
                    .map(value)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect(),
        QueryResults::Graph(triples) => triples.map(|triple| triple.unwrap().to_string()).collect(),
    };
    rows.sort();
    rows
}

fn oracle_all(store: &Store) -> Vec<String> {
    let mut quads = store
        .iter()
        .map(|quad| quad.unwrap().to_string())
        .collect::<Vec<_>>();
    quads.sort();
    quads
}

/// Changes that leave no blank nodes of their own behind: their labels would differ.
fn change(number: u64) -> String {
    let (s, p, q) = (number * 7 % 9, number * 5 % 5, number * 3 % 5);
    let g = 1 + number % 3;
    match number % 16 {
        0 => format!("INSERT DATA {{ :s{s} :p{p} {number} . GRAPH :g{g} {{ :s{s} :p{q} 'x' }} }}"),
        1 => format!("DELETE WHERE {{ :s{s} :p{p} ?o }}"),
        2 => format!("DELETE {{ ?s :p{p} ?o }} INSERT {{ ?s :p{q} ?o }} WHERE {{ ?s :p{p} ?o }}"),
        3 => format!(
            "WITH :g{g} DELETE {{ ?s ?p ?o }} INSERT {{ ?o :p{p} ?s }} WHERE {{ ?s ?p ?o FILTER(isIRI(?o)) }}"
        ),
        4 => {
            format!("INSERT {{ GRAPH :g{g} {{ ?s :p{p} ?o }} }} USING :g2 WHERE {{ ?s :p{q} ?o }}")
        }
        5 => format!("COPY DEFAULT TO :g{g}"),
        6 => format!("ADD :g{g} TO DEFAULT"),
        7 => format!("MOVE SILENT :g{g} TO :g{}", 1 + (number + 1) % 3),
        8 => format!("CLEAR SILENT GRAPH :g{g}"),
        9 => format!("DELETE DATA {{ :s{s} :p{p} :s{} }}", number % 9),
        10 => format!(
            "INSERT DATA {{ :s{s} :p{p} 'a' }} ; INSERT {{ ?x :p4 'b' }} WHERE {{ ?x :p{p} 'a' }} ; DELETE DATA {{ :s{s} :p{p} 'a' }}"
        ),
        11 => "DROP SILENT NAMED".to_owned(),
        12 => format!(
            "INSERT {{ ?s :p{p} ?n }} WHERE {{ SELECT ?s (COUNT(*) AS ?n) {{ ?s ?p ?o }} GROUP BY ?s }}"
        ),
        _ => format!(
            "INSERT DATA {{ GRAPH :g{g} {{ :s{s} :p{p} :s{} . :s{s} a :C{} }} }}",
            number * 11 % 9,
            number % 4
        ),
    }
}

#[test]
fn random_changes_leave_what_they_leave_in_oxigraph() {
    let ours = store();
    let theirs = Store::new().unwrap();
    let mut seed = 0;
    for round in 0..200 {
        if round % 5 == 0 {
            let quads = (0..40).map(|n| quad(seed + n)).collect::<Vec<_>>();
            seed += 40;
            theirs.extend(quads.iter().cloned()).unwrap();
            insert(&ours, quads);
        }
        let text = change(round);
        update(&ours, &text).expect(&text);
        let prefixed = format!("PREFIX : <http://e/> {text}");
        SparqlEvaluator::new()
            .parse_update(&prefixed)
            .unwrap()
            .on_store(&theirs)
            .execute()
            .expect(&text);
        assert_eq!(all(&ours), oracle_all(&theirs), "after {text}");
    }
    assert!(!all(&ours).is_empty());
}

#[test]
fn every_query_shape_answers_as_oxigraph_does() {
    let ours = store();
    let theirs = Store::new().unwrap();
    let quads = (0..600).map(quad).collect::<Vec<_>>();
    theirs.extend(quads.iter().cloned()).unwrap();
    for part in quads.chunks(50) {
        insert(&ours, part.to_vec());
    }
    let mut answered = 0;
    for shape in SHAPES {
        let expected = oracle_rows(&theirs, shape);
        answered += usize::from(!expected.is_empty());
        assert_eq!(
            rows(&ours, &Guard::everything(), shape),
            expected,
            "{shape}"
        );
    }
    assert!(
        answered > SHAPES.len() * 3 / 4,
        "{answered} shapes have rows"
    );
}

#[test]
fn every_pattern_finds_what_oxigraph_finds() {
    let ours = store();
    let theirs = Store::new().unwrap();
    let quads = (0..300).map(quad).collect::<Vec<_>>();
    theirs.extend(quads.iter().cloned()).unwrap();
    insert(&ours, quads.clone());
    let text =
        |bound: bool, term: String, name: &str| if bound { term } else { format!("?{name}") };
    for (number, quad) in quads
        .iter()
        .enumerate()
        .filter(|(_, quad)| !quad.subject.is_blank_node())
    {
        let bound = number % 8;
        let s = text(bound & 1 != 0, quad.subject.to_string(), "s");
        let p = text(bound & 2 != 0, quad.predicate.to_string(), "p");
        let o = text(
            bound & 4 != 0 && !quad.object.is_blank_node(),
            quad.object.to_string(),
            "o",
        );
        let pattern = match (&quad.graph_name, number % 3) {
            (GraphName::DefaultGraph, _) => format!("{s} {p} {o}"),
            (graph, 0) => format!("GRAPH {graph} {{ {s} {p} {o} }}"),
            _ => format!("GRAPH ?g {{ {s} {p} {o} }}"),
        };
        let query = format!("SELECT * {{ {pattern} }}");
        assert_eq!(
            rows(&ours, &Guard::everything(), &query),
            oracle_rows(&theirs, &query),
            "{query}"
        );
    }
}

/// Where oxigraph gives a triple once for each graph that holds it, the RDF merge has it once:
/// <https://www.w3.org/TR/sparql11-query/#unnamedGraph>.
#[test]
fn several_from_are_merged() {
    let ours = store();
    let triple = |graph: &str| {
        Quad::new(
            NamedNode::new_unchecked("http://e/s"),
            NamedNode::new_unchecked("http://e/p"),
            NamedNode::new_unchecked("http://e/o"),
            NamedNode::new_unchecked(format!("http://e/{graph}")),
        )
    };
    insert(&ours, vec![triple("g1"), triple("g2"), triple("g3")]);
    let query = "SELECT (COUNT(*) AS ?n) FROM :g1 FROM :g2 FROM :g4 { ?s ?p ?o }";
    assert_eq!(
        rows(&ours, &Guard::everything(), query),
        ["\"1\"^^<http://www.w3.org/2001/XMLSchema#integer>"]
    );
    let query = "SELECT ?g FROM :g1 FROM :g2 FROM NAMED :g3 { ?s ?p ?o GRAPH ?g { ?s :p* ?o } }";
    assert_eq!(rows(&ours, &Guard::everything(), query), ["<http://e/g3>"]);
}

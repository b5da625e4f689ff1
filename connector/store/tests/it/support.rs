//! What the tests share: a sink that collects, data that is the same on every run, and answers made comparable.

use oxrdf::{BlankNode, GraphName, Literal, NamedNode, NamedOrBlankNode, Quad, Term};
use spargebra::{Query, SparqlParser};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use twinlink_core::policy::{GraphNameKey, Guard, Selector};
use twinlink_core::{Applied, Budget, Change, Evaluated, Head, Piece, Refusal, Sink};
use twinlink_store::{EvaluationOptions, TwinStore};

/// Keeps what was put.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) head: Option<Head>,
    pub(crate) rows: Vec<String>,
    pub(crate) batches: Vec<usize>,
}

impl Sink for Collected {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        match piece {
            Piece::Head(head) => self.head = Some(head),
            Piece::Solutions(rows) => {
                self.batches.push(rows.len());
                self.rows.extend(rows.iter().map(|row| {
                    let value = |value: &Option<Term>| {
                        value.as_ref().map_or("-".to_owned(), Term::to_string)
                    };
                    row.values.iter().map(value).collect::<Vec<_>>().join(" ")
                }));
            }
            Piece::Triples(triples) => {
                self.batches.push(triples.len());
                self.rows.extend(triples.iter().map(ToString::to_string));
            }
        }
        Ok(())
    }
}

pub(crate) fn store() -> TwinStore {
    TwinStore::in_memory(EvaluationOptions::default()).unwrap()
}

pub(crate) fn budget() -> Budget {
    Budget::new(Instant::now() + Duration::from_secs(60), 1_000_000)
}

pub(crate) fn parse(query: &str) -> Query {
    let prefixes = "PREFIX : <http://e/> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> ";
    SparqlParser::new()
        .parse_query(&format!("{prefixes}{query}"))
        .expect(query)
}

pub(crate) fn ask(
    store: &TwinStore,
    guard: &Guard,
    query: &str,
) -> Result<(Collected, Evaluated), Refusal> {
    let mut collected = Collected::default();
    let evaluated = store.query(&parse(query), None, guard, &budget(), &mut collected)?;
    Ok((collected, evaluated))
}

/// The rows, sorted: as a multiset.
pub(crate) fn rows(store: &TwinStore, guard: &Guard, query: &str) -> Vec<String> {
    let (mut collected, _) = ask(store, guard, query).expect(query);
    if let Some(Head::Boolean(value)) = collected.head {
        return vec![value.to_string()];
    }
    collected.rows.sort();
    collected.rows
}

pub(crate) fn update(store: &TwinStore, update: &str) -> Result<Applied, Refusal> {
    update_as(
        store,
        Some(&Guard::everything()),
        &Guard::everything(),
        update,
    )
}

pub(crate) fn update_as(
    store: &TwinStore,
    read: Option<&Guard>,
    modify: &Guard,
    update: &str,
) -> Result<Applied, Refusal> {
    let change = Change::Update {
        update: format!("PREFIX : <http://e/> {update}"),
        base: None,
        using: None,
    };
    store.apply(&change, read, modify, &budget())
}

pub(crate) fn insert(store: &TwinStore, quads: Vec<Quad>) -> Applied {
    let everything = Guard::everything();
    store
        .apply(
            &Change::Insert(quads),
            Some(&everything),
            &everything,
            &budget(),
        )
        .unwrap()
}

pub(crate) fn all(store: &TwinStore) -> Vec<String> {
    visible(store, &Guard::everything())
}

pub(crate) fn visible(store: &TwinStore, guard: &Guard) -> Vec<String> {
    let mut quads = store
        .snapshot()
        .quads(guard, &budget())
        .unwrap()
        .map(|quad| quad.to_string())
        .collect::<Vec<_>>();
    quads.sort();
    quads
}

pub(crate) fn iri(name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://e/{name}"))
}

pub(crate) fn graph(name: &str) -> Selector {
    Selector {
        graph: Some(match name {
            "" => GraphNameKey::Default,
            name => GraphNameKey::Named(iri(name)),
        }),
        ..Selector::default()
    }
}

pub(crate) fn property(name: &str) -> Selector {
    Selector {
        property: Some(iri(name)),
        ..Selector::default()
    }
}

pub(crate) fn class(name: &str) -> Selector {
    Selector {
        class: Some(iri(name)),
        ..Selector::default()
    }
}

/// Everything less some parts.
pub(crate) fn without(prohibitions: &[Selector]) -> Guard {
    Guard::new(vec![Selector::default()], prohibitions.to_vec())
}

/// A quad of a small world, from a number: dense enough that random patterns meet.
pub(crate) fn quad(seed: u64) -> Quad {
    let mut left = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
    let mut pick = |of: u64| {
        let picked = left % of;
        left /= of;
        picked
    };
    let subject = match pick(12) {
        0 => BlankNode::new_unchecked(format!("b{}", pick(3))).into(),
        _ => NamedOrBlankNode::NamedNode(iri(&format!("s{}", pick(9)))),
    };
    let graph_name = match pick(6) {
        0 => iri("g1").into(),
        1 => iri("g2").into(),
        2 => iri("g3").into(),
        _ => GraphName::DefaultGraph,
    };
    if pick(5) == 0 {
        let class = iri(&format!("C{}", pick(4)));
        return Quad::new(subject, oxrdf::vocab::rdf::TYPE, class, graph_name);
    }
    let predicate = iri(&format!("p{}", pick(5)));
    let object: Term = match pick(4) {
        0 => Literal::from(i64::try_from(pick(20)).unwrap()).into(),
        1 => Literal::new_simple_literal(format!("text {}", pick(6))).into(),
        2 if pick(3) == 0 => {
            Literal::new_language_tagged_literal_unchecked(format!("word {}", pick(3)), "en").into()
        }
        _ => iri(&format!("s{}", pick(9))).into(),
    };
    Quad::new(subject, predicate, object, graph_name)
}

/// What the guard shows of some quads, by the meaning of selectors and nothing else.
pub(crate) fn materialise(quads: &[Quad], guard: &Guard) -> Vec<Quad> {
    let mut classes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for quad in quads {
        if quad.predicate == oxrdf::vocab::rdf::TYPE {
            classes
                .entry(quad.subject.to_string())
                .or_default()
                .push(quad.object.to_string());
        }
    }
    let covers = |selector: &Selector, quad: &Quad| {
        selector
            .graph
            .as_ref()
            .is_none_or(|graph| graph.to_graph_name() == quad.graph_name)
            && selector
                .property
                .as_ref()
                .is_none_or(|property| *property == quad.predicate)
            && selector.class.as_ref().is_none_or(|class| {
                classes
                    .get(&quad.subject.to_string())
                    .is_some_and(|classes| classes.contains(&class.to_string()))
            })
    };
    let shows = |quad: &&Quad| {
        guard.layers().any(|layer| {
            let mut permits = layer.permits().iter();
            let mut prohibitions = layer.prohibitions().iter();
            permits.any(|selector| covers(selector, quad))
                && !prohibitions.any(|selector| covers(selector, quad))
        })
    };
    quads.iter().filter(shows).cloned().collect()
}

/// Shapes of queries over the small world: at least one for every operator that could leak or err.
pub(crate) const SHAPES: &[&str] = &[
    "SELECT * { ?s ?p ?o }",
    "SELECT * { :s1 ?p ?o }",
    "SELECT * { ?s ?p :s2 }",
    "SELECT * { :s1 ?p :s2 }",
    "SELECT * { ?s :p1 ?o }",
    "SELECT * { ?s a :C1 ; :p1 ?x ; ?q ?y }",
    "SELECT * { ?a :p1 ?b . ?b :p2 ?c }",
    "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
    "SELECT ?p (COUNT(?o) AS ?n) (SUM(?o) AS ?sum) { ?s ?p ?o } GROUP BY ?p",
    "SELECT (COUNT(DISTINCT ?s) AS ?n) (MIN(?o) AS ?min) { ?s :p2 ?o }",
    "SELECT * { ?s :p1 ?o FILTER EXISTS { ?s :p2 ?x } }",
    "SELECT * { ?s :p1 ?o FILTER NOT EXISTS { ?s a :C2 } }",
    "SELECT * { ?s :p1 ?o MINUS { ?s :p3 ?x } }",
    "SELECT * { ?s a ?c OPTIONAL { ?s :p1 ?o OPTIONAL { ?o :p2 ?x } } }",
    "SELECT * { ?s :p1+ ?o }",
    "SELECT * { ?s :p1* ?o }",
    "SELECT * { :s1 (:p1|:p2)* ?o }",
    "SELECT * { :s4 :p1? ?o }",
    "SELECT * { ?s !(:p1|a) ?o }",
    "SELECT * { ?s !(:p1|^:p2) ?o }",
    "SELECT * { ?s ^:p1/:p2 ?o }",
    "SELECT * { GRAPH ?g { ?s ?p ?o } }",
    "SELECT * { GRAPH ?g { } }",
    "ASK { GRAPH :g1 { } }",
    "ASK { GRAPH :g3 { } }",
    "SELECT * { VALUES ?g { :g1 :g2 :g3 :nowhere } GRAPH ?g { } }",
    "SELECT * { GRAPH :g2 { :s1 :p1* ?o } }",
    "SELECT * { GRAPH ?g { ?s :p1 ?o . ?s a ?c } }",
    "SELECT * { GRAPH ?g { ?s :p1* ?o } }",
    "SELECT * { GRAPH ?g { :s1 :p1? ?o } }",
    "SELECT * { GRAPH ?g { ?s ?p :s1 } }",
    "SELECT * { GRAPH :g1 { ?s ?p ?o } }",
    "SELECT * { ?s :p1 ?o GRAPH :g2 { ?s ?q ?o } }",
    "SELECT * FROM :g1 { ?s ?p ?o }",
    "SELECT * FROM :g1 FROM NAMED :g2 { ?s :p1 ?o GRAPH ?g { ?s a ?c } }",
    "SELECT * FROM NAMED :g3 { GRAPH ?g { ?s ?p ?o } }",
    "SELECT DISTINCT ?p { ?s ?p ?o }",
    "SELECT * { { ?s :p1 ?o } UNION { ?o :p2 ?s } }",
    "SELECT * { ?s :p2 ?o FILTER(?o > 5 && ?o < 15) }",
    "SELECT * { ?s ?p ?o FILTER(isLiteral(?o) && CONTAINS(STR(?o), '1')) }",
    "SELECT * { ?s ?p ?o FILTER(LANG(?o) = 'en') }",
    "SELECT * { VALUES ?s { :s1 :s3 :nowhere } ?s ?p ?o }",
    "SELECT * { ?s :p1 ?o BIND(CONCAT(STR(?s), '#') AS ?x) FILTER(?x != '') }",
    "SELECT * { { SELECT ?s (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?s HAVING(COUNT(*) > 3) } ?s a ?c }",
    "SELECT ?o { ?s :p2 ?o } ORDER BY ?o ?s",
    "ASK { ?s :p4 ?o }",
    "ASK { GRAPH :g3 { ?s ?p ?o } }",
    "CONSTRUCT { ?o :of ?s } WHERE { ?s :p1 ?o FILTER(isIRI(?o)) }",
    "DESCRIBE :s1 :s2",
    "DESCRIBE ?s { ?s a :C3 }",
];

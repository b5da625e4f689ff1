//! Planning by summaries of what the members show.

use crate::fakes::{PatientClock, World, iri, participant};
use futures::FutureExt;
use futures::future::BoxFuture;
use oxrdf::{GraphName, Literal, NamedNode, NamedOrBlankNode, Quad, Term};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use twinlink_federation::{
    Federator, Summaries, Summarized, Summary, SummaryLimits, SummaryQuestion, SummaryReply,
    Unanswered,
};

/// What the members show, with a version that counts changes.
pub(crate) struct Shown {
    members: Mutex<Vec<(u64, Vec<Quad>)>>,
    pub(crate) asked: AtomicUsize,
    pub(crate) sent: AtomicUsize,
    recipients: Vec<NamedNode>,
    pub(crate) limits: SummaryLimits,
}

impl Shown {
    pub(crate) fn of(members: &[Vec<Quad>]) -> Arc<Self> {
        let members = members.iter().map(|quads| (0, quads.clone()));
        Arc::new(Self {
            members: Mutex::new(members.collect()),
            asked: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            recipients: Vec::new(),
            limits: SummaryLimits::default(),
        })
    }

    /// As [`Self::of`], and each lets the caller tell all others.
    pub(crate) fn to_all(members: &[Vec<Quad>]) -> Arc<Self> {
        Self::told(members, (0..members.len()).map(participant).collect())
    }

    /// As [`Self::to_all`]; graphs of more quads are known in outline only.
    pub(crate) fn outlined(members: &[Vec<Quad>], detailed: usize) -> Arc<Self> {
        let mut shown = Arc::into_inner(Self::to_all(members)).unwrap();
        shown.limits.detailed = detailed;
        Arc::new(shown)
    }

    /// As [`Self::of`], and each lets the caller tell these.
    pub(crate) fn told(members: &[Vec<Quad>], recipients: Vec<NamedNode>) -> Arc<Self> {
        let mut shown = Arc::into_inner(Self::of(members)).unwrap();
        shown.recipients = recipients;
        Arc::new(shown)
    }
}

impl Summaries for Shown {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Result<Option<Summarized>, Unanswered>> {
        let members = self.members.lock().unwrap();
        let number = (0..members.len()).find(|number| participant(*number) == *member);
        let Some((version, quads)) = number.map(|number| &members[number]) else {
            return std::future::ready(Ok(None)).boxed();
        };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let version = version.to_string();
        let reply = if question.held == Some(&version) {
            SummaryReply::Held
        } else {
            self.sent.fetch_add(1, Ordering::Relaxed);
            let summary = Summary::of(version, quads.clone(), &self.limits).unwrap();
            let summary = summary.with_recipients(self.recipients.clone());
            let bytes = summary.encode();
            let again = Summary::decode(&bytes, &SummaryLimits::default()).unwrap();
            assert_eq!(again, summary);
            SummaryReply::Other(Arc::new(again))
        };
        std::future::ready(Ok(Some(reply.into()))).boxed()
    }
}

/// Gives each member's nodes names that no other has, but for one.
pub(crate) fn name_apart(members: &mut [Vec<Quad>]) {
    for (number, quads) in members.iter_mut().enumerate() {
        let apart = |name: &mut NamedNode| {
            let node = name.as_str().strip_prefix("urn:s").filter(|n| *n != "0");
            if let Some(node) = node {
                *name = iri(&format!("http://member{number}.example/s{node}"));
            }
        };
        for quad in quads {
            if let NamedOrBlankNode::NamedNode(name) = &mut quad.subject {
                apart(name);
            }
            if let Term::NamedNode(name) = &mut quad.object {
                apart(name);
            }
        }
    }
}

/// Shops that each have products and offers of their own; products are the same as those of a catalogue.
pub(crate) fn shops() -> World {
    let shop = |shop: usize| {
        let node = move |name: &str| iri(&format!("http://shop{shop}.example/{name}"));
        (0..10).flat_map(move |n| {
            let (product, offer) = (node(&format!("product{n}")), node(&format!("offer{n}")));
            let same = iri(&format!("http://catalogue.example/{}", n + shop));
            let quad = |subject: &NamedNode, predicate: &str, object: Term| {
                let predicate = iri(&format!("urn:{predicate}"));
                Quad::new(subject.clone(), predicate, object, GraphName::DefaultGraph)
            };
            let label = format!("thing number {} of shop{shop}", n + shop);
            let price = Literal::from(i64::try_from(n * 10 + shop).unwrap());
            let mut quads = vec![
                quad(&product, "same", same.into()),
                quad(&product, "label", Literal::from(label).into()),
                quad(&offer, "product", product.clone().into()),
                quad(&offer, "price", price.into()),
            ];
            if n % 2 == 0 {
                quads.push(quad(&offer, "note", Literal::from("few left").into()));
            }
            quads
        })
    };
    let members = (0..4).map(|number| match number {
        0 => Vec::new(),
        number => shop(number).collect(),
    });
    let members: Vec<Vec<Quad>> = members.collect();
    let mut world = World::new(members.clone());
    world.summaries = Some(Shown::of(&members));
    world
}

/// What is asked without summaries is the answer with them, too.
fn same_as_without(world: &World, query: &str) -> usize {
    let mut plain = World::new(world.members.clone());
    plain.limits = world.limits;
    let (one, other) = (world.ask(query), plain.ask(query));
    let rows = |answer: &crate::fakes::Answer| crate::equal::sorted(&answer.rows);
    assert_eq!(rows(&one), rows(&other), "{query}");
    assert!(one.unsure.is_empty());
    one.rows.solutions.len()
}

#[test]
fn joins_within_members_cost_one_request_for_each_that_can_contribute() {
    let queries = [
        // Only one shop has it: the whole question goes there.
        (
            "SELECT * { ?p <urn:same> <http://catalogue.example/1> ; <urn:label> ?l . ?o <urn:product> ?p ; <urn:price> ?x }",
            1,
            [0, 1, 0, 0],
        ),
        // All have it, and each has a part of the answer.
        (
            "SELECT * { ?p <urn:same> <http://catalogue.example/5> ; <urn:label> ?l . ?o <urn:product> ?p ; <urn:price> ?x OPTIONAL { ?o <urn:note> ?n } } ORDER BY ?x LIMIT 2",
            2,
            [0, 1, 1, 1],
        ),
        (
            "SELECT * { ?p <urn:same> <http://catalogue.example/5> FILTER NOT EXISTS { ?o <urn:product> ?p ; <urn:note> ?n } }",
            1,
            [0, 1, 1, 1],
        ),
        (
            "SELECT (COUNT(*) AS ?n) { { ?p <urn:same> <http://catalogue.example/5> } UNION { ?p <urn:same> <http://catalogue.example/12> } }",
            1,
            [0, 1, 1, 1],
        ),
        // A text that one shop's labels have.
        (
            "SELECT * { ?p <urn:label> ?l FILTER(CONTAINS(?l, \"of shop2\")) }",
            10,
            [0, 0, 1, 0],
        ),
        // A mark over two steps: offers of what is the same as that.
        (
            "SELECT * { ?o <urn:product> ?p . ?p <urn:same> <http://catalogue.example/12> . ?o <urn:price> ?x }",
            1,
            [0, 0, 0, 1],
        ),
        // A number that one shop has.
        (
            "SELECT * { ?o <urn:price> ?x ; <urn:product> ?p FILTER(?x > 92.5) }",
            1,
            [0, 0, 0, 1],
        ),
        (
            "SELECT * { ?p <urn:same> <http://catalogue.example/nothing> ; <urn:label> ?l }",
            0,
            [0, 0, 0, 0],
        ),
    ];
    for (query, rows, requests) in queries {
        let world = shops();
        assert_eq!(same_as_without(&world, query), rows, "{query}");
        assert_eq!(world.requests(), requests, "{query}");
    }
}

#[test]
fn members_give_rows_where_that_is_exact() {
    // With how many rows come from the shops.
    let queries = [
        (
            "SELECT * { ?o <urn:price> ?x ; <urn:product> ?p } ORDER BY ?x LIMIT 2",
            2,
            6,
        ),
        (
            "SELECT ?p { ?o <urn:price> ?x ; <urn:product> ?p } ORDER BY DESC(?x) LIMIT 2 OFFSET 3",
            2,
            15,
        ),
        ("SELECT DISTINCT ?n { ?o <urn:note> ?n }", 1, 3),
        ("ASK { ?o <urn:price> ?x FILTER(?x > 10) }", 0, 3),
        (
            "SELECT (COUNT(*) AS ?n) (AVG(?x) AS ?a) { ?o <urn:price> ?x ; <urn:product> ?p }",
            1,
            3,
        ),
        (
            "SELECT ?n (MAX(?x) AS ?a) { ?o <urn:price> ?x ; <urn:note> ?n } GROUP BY ?n",
            1,
            3,
        ),
        (
            "SELECT ?o (COUNT(DISTINCT ?x) AS ?a) { ?o <urn:price> ?x ; <urn:note> ?n } GROUP BY ?o",
            15,
            15,
        ),
        // What they have in common must be counted once.
        (
            "SELECT (COUNT(*) AS ?n) { ?o <urn:note> ?n . ?p <urn:same> ?s }",
            1,
            45,
        ),
        (
            "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?p <urn:same> ?s }",
            1,
            30,
        ),
    ];
    for (query, rows, fetched) in queries {
        let world = shops();
        assert_eq!(same_as_without(&world, query), rows, "{query}");
        let answer = world.ask(query);
        let given: u64 = answer.sources.iter().map(|source| source.rows).sum();
        assert_eq!(given, fetched, "{query}");
    }
}

/// The shops with their products and their offers each in a graph.
fn shops_in_graphs() -> World {
    let mut members = shops().members;
    for (number, quads) in members.iter_mut().enumerate() {
        for quad in quads {
            let is_product = ["urn:same", "urn:label"].contains(&quad.predicate.as_str());
            let kind = if is_product { "products" } else { "offers" };
            quad.graph_name = iri(&format!("http://shop{number}.example/graph/{kind}")).into();
        }
    }
    let mut world = World::new(members);
    world.summaries = Some(Shown::of(&world.members));
    world
}

#[test]
fn named_graphs_cost_no_more() {
    let queries = [
        (
            "SELECT * { GRAPH ?g { ?p <urn:same> <http://catalogue.example/1> ; <urn:label> ?l } GRAPH ?h { ?o <urn:product> ?p } }",
            1,
            [0, 1, 0, 0],
        ),
        // All have it, and each has a part of the answer.
        (
            "SELECT * { GRAPH ?g { ?p <urn:same> <http://catalogue.example/5> ; <urn:label> ?l } GRAPH ?h { ?o <urn:product> ?p OPTIONAL { ?o <urn:note> ?n } } }",
            3,
            [0, 1, 1, 1],
        ),
        (
            "SELECT ?p { GRAPH ?g { ?p <urn:same> <http://catalogue.example/5> } FILTER NOT EXISTS { GRAPH ?h { ?o <urn:product> ?p ; <urn:note> ?n } } }",
            1,
            [0, 1, 1, 1],
        ),
        // No graph has both.
        (
            "SELECT * { GRAPH ?g { ?p <urn:same> ?s . ?o <urn:product> ?p } }",
            0,
            [0, 0, 0, 0],
        ),
        (
            "SELECT * { GRAPH <http://shop2.example/graph/products> { ?p <urn:label> ?l } }",
            10,
            [0, 0, 1, 0],
        ),
        (
            "SELECT * FROM <http://shop2.example/graph/products> { ?p <urn:label> ?l }",
            10,
            [0, 0, 1, 0],
        ),
        (
            "SELECT * FROM <http://shop2.example/graph/products> FROM <http://shop2.example/graph/offers> { ?p <urn:label> ?l . ?o <urn:product> ?p }",
            10,
            [0, 0, 1, 0],
        ),
        (
            "SELECT * FROM NAMED <http://shop3.example/graph/offers> { GRAPH ?g { ?o <urn:price> ?x } }",
            10,
            [0, 0, 0, 1],
        ),
        (
            "SELECT * FROM NAMED <http://shop3.example/graph/offers> { ?o <urn:price> ?x }",
            0,
            [0; 4],
        ),
        ("SELECT * { ?o <urn:price> ?x }", 0, [0; 4]),
    ];
    for (query, rows, requests) in queries {
        let world = shops_in_graphs();
        assert_eq!(same_as_without(&world, query), rows, "{query}");
        assert_eq!(world.requests(), requests, "{query}");
    }
}

#[test]
fn graphs_too_many_to_have_a_part_each_share_them() {
    let mut world = shops_in_graphs();
    for (number, quads) in world.members.iter_mut().enumerate() {
        let count = quads.len();
        for (place, quad) in quads.iter_mut().enumerate().take(count / 2 * number) {
            quad.graph_name = iri(&format!("http://shop{number}.example/graph/{place}")).into();
        }
        let mut more = Vec::new();
        for quad in quads.iter() {
            for place in 0..number * 2 {
                let graph_name = iri(&format!("http://shop{number}.example/graph/also{place}"));
                more.push(Quad {
                    graph_name: graph_name.into(),
                    ..quad.clone()
                });
            }
        }
        quads.extend(more);
    }
    world.summaries = Some(Shown::of(&world.members));
    let summary = Summary::of(
        "v".to_owned(),
        world.members[3].clone(),
        &SummaryLimits::default(),
    )
    .unwrap();
    assert!(summary.bytes() < 1 << 20, "{}", summary.bytes());
    for query in [
        "SELECT * { GRAPH ?g { ?p <urn:same> <http://catalogue.example/1> ; <urn:label> ?l } }",
        "SELECT * { GRAPH <http://shop3.example/graph/2> { ?s ?p ?o } }",
        "SELECT * { GRAPH <http://shop3.example/graph/also2> { ?o <urn:product> ?p ; <urn:price> ?x } }",
        "SELECT DISTINCT ?g { GRAPH ?g { ?o <urn:price> 33 } }",
    ] {
        assert!(same_as_without(&world, query) > 0, "{query}");
    }
    let before: usize = world.requests().iter().sum();
    let nothing = "SELECT * { GRAPH <http://shop3.example/graph/nothing> { ?s ?p ?o } }";
    assert_eq!(same_as_without(&world, nothing), 0);
    assert_eq!(world.requests().iter().sum::<usize>(), before);
}

#[test]
fn a_join_across_members_asks_those_that_its_first_half_leaves() {
    let query = "SELECT * { ?p <urn:same> <http://catalogue.example/2> ; <urn:same> ?s . ?q <urn:same> ?s ; <urn:label> ?l }";
    let world = shops();
    assert_eq!(same_as_without(&world, query), 4);
    // Two shops have it: once for the first half, once for the second.
    assert_eq!(world.requests(), [0, 2, 2, 0]);
}

#[test]
fn what_changed_is_noticed_and_costs_one_summary() {
    let mut world = shops();
    let shown = Shown::of(&world.members);
    world.summaries = Some(Arc::clone(&shown) as _);
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let query = "SELECT * { ?p <urn:same> <http://catalogue.example/99> ; <urn:label> ?l }";
    let rows = |federator: &Federator| {
        let answer = World::ask_of(federator, &clock, query, None).unwrap();
        answer.rows.solutions.len()
    };
    assert_eq!((rows(&federator), rows(&federator)), (0, 0));
    assert_eq!(shown.sent.load(Ordering::Relaxed), 4);
    assert_eq!(shown.asked.load(Ordering::Relaxed), 8);
    // It gains what was asked for.
    let quads = shown.members.lock().unwrap()[2].1.clone();
    let new = quads
        .iter()
        .filter(|quad| quad.predicate == iri("urn:same"));
    let new: Vec<_> = new
        .map(|quad| Quad {
            object: iri("http://catalogue.example/99").into(),
            ..quad.clone()
        })
        .collect();
    let mut gained = World::new(world.members.clone());
    gained.members[2].extend(new.iter().cloned());
    shown.members.lock().unwrap()[2] = (1, gained.members[2].clone());
    gained.summaries = Some(Arc::clone(&shown) as _);
    assert_eq!(
        rows(&federator),
        0,
        "the data of this federator are as before"
    );
    assert_eq!(shown.sent.load(Ordering::Relaxed), 5);
    assert_eq!(rows(&gained.federator(&clock)), 10);
    // One who may believe what is old for a while does not ask.
    world.limits.summary_age = Duration::from_secs(60);
    let patient = world.federator(&clock);
    assert_eq!((rows(&patient), rows(&patient)), (0, 0));
    let asked = shown.asked.load(Ordering::Relaxed);
    rows(&patient);
    // This twin only.
    assert_eq!(shown.asked.load(Ordering::Relaxed), asked + 1);
}

/// Gives no summaries.
#[derive(Default)]
struct Silent(AtomicUsize);

impl Summaries for Silent {
    fn summary<'a>(
        &'a self,
        _: &'a NamedNode,
        _: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Result<Option<Summarized>, Unanswered>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(None)).boxed()
    }
}

#[test]
fn who_gives_no_summary_is_not_asked_again_at_once() {
    let mut world = shops();
    let none = Arc::new(Silent::default());
    world.summaries = Some(Arc::clone(&none) as _);
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let query = "SELECT * { ?p <urn:label> ?l }";
    for _ in 0..3 {
        let answer = World::ask_of(&federator, &clock, query, None).unwrap();
        assert_eq!(answer.rows.solutions.len(), 30);
    }
    // Each peer once, this twin each time.
    assert_eq!(none.0.load(Ordering::Relaxed), 3 + 3);
    world.limits.summary_retry = Duration::ZERO;
    let federator = world.federator(&clock);
    for _ in 0..2 {
        World::ask_of(&federator, &clock, query, None).unwrap();
    }
    assert_eq!(none.0.load(Ordering::Relaxed), 6 + 8);
}

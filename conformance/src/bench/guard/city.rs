//! A made-up city of any size: the same quads on every run.

use oxrdf::vocab::{rdf, xsd};
use oxrdf::{GraphName, Literal, NamedNode, NamedNodeRef, Quad, Term};

/// Names of the city start with this.
pub(super) const CITY: &str = "http://city.example/";
/// Quads that one block makes.
const BLOCK: usize = 3 * 7 + 2 * 6 + 7 + 6 + 5;
/// Districts; each has a graph for what its sensors measure.
const DISTRICTS: usize = 40;
/// Hydrants on one water main.
const MAIN: usize = 200;

/// So many quads.
pub(super) fn quads(count: usize) -> impl Iterator<Item = Quad> {
    (0..count.div_ceil(BLOCK)).flat_map(block).take(count)
}

/// The year of a building.
pub(super) fn built(number: usize) -> usize {
    1850 + scatter(number + 1) / 11 % 175
}

/// Where a hydrant is, in hundredths.
pub(super) fn position(number: usize) -> (usize, usize) {
    let random = scatter(number + 3);
    (random / 23 % 1_000, random / 29_000 % 1_000)
}

fn block(block: usize) -> impl Iterator<Item = Quad> {
    let mut quads = Vec::with_capacity(BLOCK);
    let district = scatter(block) % DISTRICTS;
    for n in 0..3 {
        building(block * 3 + n, district, &mut quads);
    }
    for n in 0..2 {
        person(block * 2 + n, block, &mut quads);
    }
    hydrant(block, district, &mut quads);
    sensor(block, district, &mut quads);
    incident(block, &mut quads);
    quads.into_iter()
}

/// 7 quads, in the default graph.
fn building(number: usize, district: usize, quads: &mut Vec<Quad>) {
    let random = scatter(number + 1);
    let kind = match random % 100 {
        0..=1 => "School",
        2 => "Clinic",
        _ => "Building",
    };
    let label = format!(
        "{kind} {number}, {} Street {}",
        one_of(&STREETS, random / 100),
        random % 90 + 1
    );
    let mut at = Subject::new(format!("building/{number}"), GraphName::DefaultGraph, quads);
    at.put(rdf::TYPE, name(kind));
    at.say("label", Literal::new_simple_literal(label));
    at.say("district", name(&format!("district/{district}")));
    at.say("height", integer(3 + random / 7 % 60));
    at.say("built", integer(built(number)));
    at.say(
        "owner",
        name(&format!("person/{}", random / 13 % (number / 2 + 1))),
    );
    if random.is_multiple_of(3) {
        at.say("residents", integer(random / 17 % 400));
    } else {
        at.say("area", decimal(random / 19 % 900_000, 100));
    }
}

/// 6 quads, in the registry.
fn person(number: usize, blocks: usize, quads: &mut Vec<Quad>) {
    let random = scatter(number + 7);
    let graph = if number.is_multiple_of(2) {
        name("graph/registry").into()
    } else {
        GraphName::DefaultGraph
    };
    let mut at = Subject::new(format!("person/{number}"), graph, quads);
    at.put(rdf::TYPE, name("Person"));
    at.say(
        "name",
        Literal::new_simple_literal(format!("{} {}", one_of(&FIRST, random), number)),
    );
    at.say(
        "born",
        Literal::new_typed_literal(
            format!("{}-05-{:02}", 1930 + random % 90, random % 28 + 1),
            xsd::DATE,
        ),
    );
    at.say(
        "citizenNumber",
        Literal::new_simple_literal(format!("{:010}", random % 1_000_000_007)),
    );
    at.say(
        "knows",
        name(&format!("person/{}", random / 3 % (blocks * 2 + 2))),
    );
    at.say(
        "knows",
        name(&format!("person/{}", random / 5 % (blocks * 2 + 2))),
    );
}

/// 7 quads, in the default graph.
fn hydrant(number: usize, district: usize, quads: &mut Vec<Quad>) {
    let random = scatter(number + 3);
    let next = if number % MAIN == MAIN - 1 {
        number + 1 - MAIN
    } else {
        number + 1
    };
    let mut at = Subject::new(format!("hydrant/{number}"), GraphName::DefaultGraph, quads);
    at.put(rdf::TYPE, name("Hydrant"));
    at.say(
        "label",
        Literal::new_simple_literal(format!("Hydrant {number}")),
    );
    at.say("district", name(&format!("district/{district}")));
    at.say("pressure", decimal(200 + random % 700, 100));
    at.say("connectedTo", name(&format!("hydrant/{next}")));
    at.say("near", name(&format!("building/{}", number * 3)));
    let (x, y) = position(number);
    at.say(
        "at",
        Literal::new_typed_literal(
            format!(
                "POINT({}.{:02} {}.{:02})",
                x / 100,
                x % 100,
                y / 100,
                y % 100
            ),
            NamedNodeRef::new_unchecked("http://www.opengis.net/ont/geosparql#wktLiteral"),
        ),
    );
}

/// 6 quads, in its district's graph.
fn sensor(number: usize, district: usize, quads: &mut Vec<Quad>) {
    let random = scatter(number + 5);
    let mut at = Subject::new(
        format!("sensor/{number}"),
        name(&format!("graph/sensors/{district}")).into(),
        quads,
    );
    at.put(rdf::TYPE, name("Sensor"));
    at.say("on", name(&format!("building/{}", number * 3 + 1)));
    at.say("value", decimal(random % 5_000, 100));
    at.say(
        "unit",
        name(if random.is_multiple_of(2) {
            "unit/ppm"
        } else {
            "unit/celsius"
        }),
    );
    let time = format!(
        "2026-{:02}-{:02}T{:02}:00:00Z",
        random % 12 + 1,
        random % 28 + 1,
        random % 24
    );
    at.say("time", Literal::new_typed_literal(time, xsd::DATE_TIME));
    at.say(
        "label",
        Literal::new_language_tagged_literal_unchecked(format!("sensor {number}"), "en"),
    );
}

/// 5 quads, in the police's graph.
fn incident(number: usize, quads: &mut Vec<Quad>) {
    let random = scatter(number + 9);
    let mut at = Subject::new(
        format!("incident/{number}"),
        name("graph/police").into(),
        quads,
    );
    at.put(rdf::TYPE, name("Incident"));
    at.say("at", name(&format!("building/{}", number * 3 + 2)));
    at.say("involves", name(&format!("person/{}", number * 2)));
    at.say(
        "note",
        Literal::new_simple_literal(format!("note {number}: case {}", random % 10_000)),
    );
    at.say("severity", integer(random % 5));
}

const STREETS: [&str; 8] = [
    "Market", "Harbour", "Church", "Mill", "Station", "Garden", "Bridge", "School",
];
const FIRST: [&str; 8] = [
    "Aino", "Bram", "Chloé", "Dana", "Emil", "Fenna", "Gül", "Hilla",
];

struct Subject<'a> {
    subject: NamedNode,
    graph: GraphName,
    quads: &'a mut Vec<Quad>,
}

impl<'a> Subject<'a> {
    fn new(subject: String, graph: GraphName, quads: &'a mut Vec<Quad>) -> Self {
        Self {
            subject: name(&subject),
            graph,
            quads,
        }
    }

    fn say(&mut self, predicate: &str, object: impl Into<Term>) {
        self.put(name(predicate).as_ref(), object);
    }

    fn put(&mut self, predicate: NamedNodeRef<'_>, object: impl Into<Term>) {
        self.quads.push(Quad::new(
            self.subject.clone(),
            predicate.into_owned(),
            object,
            self.graph.clone(),
        ));
    }
}

pub(super) fn name(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{CITY}{local}"))
}

fn one_of<'a>(words: &[&'a str], number: usize) -> &'a str {
    words.get(number % words.len()).copied().unwrap_or_default()
}

fn integer(value: usize) -> Literal {
    Literal::new_typed_literal(value.to_string(), xsd::INTEGER)
}

/// In canonical form: oxigraph keeps decimals as values and would give other texts back.
fn decimal(value: usize, scale: usize) -> Literal {
    let text = format!("{}.{:02}", value / scale, value % scale);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    Literal::new_typed_literal(text, xsd::DECIMAL)
}

/// A number that looks random, the same on every run.
fn scatter(number: usize) -> usize {
    let mut x = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x >> 20) as usize
}

//! Places, times, sizes and districts, some of them broken. All are in canonical form, in which oxigraph gives them back.

use super::{DISTRICT, PLACE, SIZE, TIME};
use crate::noninterference::random::Random;
use crate::noninterference::scene::iri;
use oxrdf::vocab::xsd;
use oxrdf::{GraphName, Literal, NamedNodeRef, Quad, Term};

const WKT: NamedNodeRef<'_> =
    NamedNodeRef::new_unchecked("http://www.opengis.net/ont/geosparql#wktLiteral");

/// By which areas know where a node is.
const AS_WKT: NamedNodeRef<'_> =
    NamedNodeRef::new_unchecked("http://www.opengis.net/ont/geosparql#asWKT");

/// What most subjects of a town have: one place, time, size and district each.
pub(super) fn town(random: &mut Random, nodes: usize) -> Vec<Quad> {
    let mut quads = Vec::new();
    for node in 0..nodes {
        for property in [PLACE, TIME, SIZE, DISTRICT] {
            if random.chance(75) {
                let (subject, predicate) = (format_args!("s{node}"), format_args!("p{property}"));
                let graph = match random.below(8) {
                    0 => iri("g0").into(),
                    _ => GraphName::DefaultGraph,
                };
                let value = of(random, property);
                if property == PLACE && random.chance(50) {
                    let graph = graph.clone();
                    quads.push(Quad::new(iri(subject), AS_WKT, value.clone(), graph));
                }
                quads.push(Quad::new(iri(subject), iri(predicate), value, graph));
            }
        }
    }
    quads
}

/// A value of the property.
pub(super) fn of(random: &mut Random, property: usize) -> Term {
    match property {
        PLACE => place(random).into(),
        TIME => time(random).into(),
        SIZE => size(random).into(),
        _ if random.chance(80) => iri(format_args!("d{}", random.below(4))).into(),
        _ => Literal::new_simple_literal(format!("d{}", random.below(3))).into(),
    }
}

/// A place, time or size.
pub(super) fn literal(random: &mut Random) -> Literal {
    match random.below(3) {
        0 => place(random),
        1 => time(random),
        _ => size(random),
    }
}

fn place(random: &mut Random) -> Literal {
    let mut coordinate = || {
        let sign = if random.chance(20) { "-" } else { "" };
        let tenths = random.below(40);
        let value = format!("{}.{}", tenths / 10, tenths % 10);
        if value == "0.0" {
            value
        } else {
            format!("{sign}{value}")
        }
    };
    let (x, y, z, w) = (coordinate(), coordinate(), coordinate(), coordinate());
    let text = match random.below(16) {
        0 => "POINT EMPTY".to_owned(),
        1 => format!("POINT({x})"),
        2 => format!("POINT({x} east)"),
        3 => "here".to_owned(),
        4 => format!("POLYGON(({x} {y}, {z} {y}, {z} {w}, {x} {w}, {x} {y})"),
        5 => format!("<http://www.opengis.net/def/crs/EPSG/0/28992> POINT({x} {y})"),
        6 => format!("<http://www.opengis.net/def/crs/OGC/1.3/CRS84> POINT({x} {y})"),
        7 | 8 => format!("POLYGON(({x} {y}, {z} {y}, {z} {w}, {x} {w}, {x} {y}))"),
        9 => format!("LINESTRING({x} {y}, {z} {w})"),
        10 => return Literal::new_simple_literal(format!("POINT({x} {y})")),
        _ => format!("POINT({x} {y})"),
    };
    Literal::new_typed_literal(text, WKT)
}

fn time(random: &mut Random) -> Literal {
    let (month, day) = (random.between(10, 11), random.between(1, 3));
    let (hour, minute) = (random.between(6, 9), random.below(2) * 30);
    let zone = *random.pick(&["Z", "Z", "Z", "+02:00", "-05:00", ""]);
    match random.below(12) {
        0 => Literal::new_typed_literal(format!("2026-{month}-0{day}{zone}"), xsd::DATE),
        1 => Literal::new_typed_literal(format!("2026-{month}-3{day}T25:00:00Z"), xsd::DATE_TIME),
        2 => Literal::new_simple_literal(format!("2026-{month}-0{day}")),
        3 => Literal::new_typed_literal(
            format!("2026-{month}-0{day}T0{hour}:{minute:02}:07.25{zone}"),
            xsd::DATE_TIME,
        ),
        _ => Literal::new_typed_literal(
            format!("2026-{month}-0{day}T0{hour}:{minute:02}:00{zone}"),
            xsd::DATE_TIME,
        ),
    }
}

/// Multiples of a quarter: exact however they are held, so that sums hang on no order.
fn size(random: &mut Random) -> Literal {
    let sign = if random.chance(15) { "-" } else { "" };
    let whole = random.between(1, 24);
    match random.below(12) {
        0 | 1 => Literal::new_typed_literal(format!("{sign}{whole}.5"), xsd::DECIMAL),
        2 | 3 => Literal::new_typed_literal(format!("{sign}{whole}.25"), xsd::DOUBLE),
        4 => Literal::new_typed_literal(format!("{sign}{whole}.75"), xsd::FLOAT),
        5 if random.chance(30) => Literal::new_typed_literal("NaN", xsd::DOUBLE),
        6 if random.chance(30) => Literal::new_typed_literal("many", xsd::INTEGER),
        _ => Literal::new_typed_literal(format!("{sign}{whole}"), xsd::INTEGER),
    }
}

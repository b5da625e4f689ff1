//! A feature as facts: GeoSPARQL 1.1 for the place, PROV-O for the origin, the map's own keys for the rest.

use super::{Area, Element, Feature, Position, Shape};
use oxrdf::vocab::{rdf, rdfs, xsd};
use oxrdf::{GraphName, Literal, NamedNode, NamedNodeRef, Quad, Term};
use std::fmt;
use twinlink_vocab::{geo, prov, tl};

const SIMPLE_FEATURES: &str = "http://www.opengis.net/ont/sf#";
/// Keys of the map as properties, by the page that defines them.
const KEY: &str = "https://wiki.openstreetmap.org/wiki/Key:";
const ORIGIN: &str = "https://www.openstreetmap.org/";

impl Element {
    /// Its path at OpenStreetMap, such as `way/123`.
    pub fn path(self) -> String {
        match self {
            Self::Node(id) => format!("node/{id}"),
            Self::Way(id) => format!("way/{id}"),
            Self::Relation(id) => format!("relation/{id}"),
        }
    }
}

impl Feature {
    /// The value of a kept tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Its IRI below this base.
    pub fn iri(&self, base: &NamedNode) -> NamedNode {
        NamedNode::new_unchecked(format!("{}{}", base.as_str(), self.element.path()))
    }

    /// All that is known of it, in one graph.
    pub fn facts(&self, base: &NamedNode, graph: &GraphName) -> Vec<Quad> {
        let subject = self.iri(base);
        let geometry = NamedNode::new_unchecked(format!("{}/geometry", subject.as_str()));
        let mut quads = Vec::new();
        let mut add = |subject: &NamedNode, property: NamedNodeRef<'_>, object: Term| {
            quads.push(Quad::new(
                subject.clone(),
                property.into_owned(),
                object,
                graph.clone(),
            ));
        };
        for class in &self.classes {
            let class =
                NamedNode::new_unchecked(format!("{}{}", tl::NAMESPACE, class.local_name()));
            add(&subject, rdf::TYPE, class.into());
        }
        add(&subject, rdf::TYPE, geo::FEATURE.into_owned().into());
        let origin = NamedNode::new_unchecked(format!("{ORIGIN}{}", self.element.path()));
        add(&subject, prov::WAS_DERIVED_FROM, origin.into());
        for (key, value) in &self.tags {
            if key == "name" {
                let label = Literal::new_simple_literal(value);
                add(&subject, rdfs::LABEL, label.into());
            } else {
                let property = NamedNode::new_unchecked(format!("{KEY}{key}"));
                add(&subject, property.as_ref(), value_of(key, value).into());
            }
        }
        add(&subject, geo::HAS_GEOMETRY, geometry.clone().into());
        let shape = NamedNode::new_unchecked(format!("{SIMPLE_FEATURES}{}", self.shape.class()));
        add(&geometry, rdf::TYPE, shape.into());
        let wkt = Literal::new_typed_literal(self.shape.wkt(), geo::WKT_LITERAL);
        add(&geometry, geo::AS_WKT, wkt.into());
        quads
    }
}

/// Numbers where the key means one and the value is one; what mappers wrote otherwise.
fn value_of(key: &str, value: &str) -> Literal {
    match (key, value.parse::<u32>()) {
        ("building:levels" | "capacity", Ok(number)) => {
            Literal::new_typed_literal(number.to_string(), xsd::INTEGER)
        }
        _ => Literal::new_simple_literal(value),
    }
}

impl Shape {
    /// The last part of the IRI of its class in the Simple Features ontology.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Point(_) => "Point",
            Self::Lines(lines) if lines.len() == 1 => "LineString",
            Self::Lines(_) => "MultiLineString",
            Self::Areas(areas) if areas.len() == 1 => "Polygon",
            Self::Areas(_) => "MultiPolygon",
        }
    }

    /// Well-known text in CRS84, longitude first: <https://docs.ogc.org/is/22-047r1/22-047r1.html#_rdfs_datatype_geowktliteral>.
    pub fn wkt(&self) -> String {
        let word = self.class().to_ascii_uppercase();
        match self {
            Self::Point(position) => format!("{word}({position})"),
            Self::Lines(lines) => match lines.as_slice() {
                [line] => format!("{word}({})", positions(line)),
                lines => format!(
                    "{word}({})",
                    list(lines, |line| format!("({})", positions(line)))
                ),
            },
            Self::Areas(areas) => match areas.as_slice() {
                [area] => format!("{word}({})", rings(area)),
                areas => format!(
                    "{word}({})",
                    list(areas, |area| format!("({})", rings(area)))
                ),
            },
        }
    }
}

fn rings(area: &Area) -> String {
    let rings: Vec<&Vec<Position>> = std::iter::once(&area.outer).chain(&area.holes).collect();
    list(&rings, |ring| format!("({})", positions(ring)))
}

fn positions(positions: &[Position]) -> String {
    list(positions, Position::to_string)
}

fn list<T>(items: &[T], write: impl Fn(&T) -> String) -> String {
    items.iter().map(write).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        degrees(f, self.longitude)?;
        f.write_str(" ")?;
        degrees(f, self.latitude)
    }
}

/// Exact: by whole numbers, not by floating point.
fn degrees(f: &mut fmt::Formatter<'_>, value: i32) -> fmt::Result {
    const ONE: u32 = 10_000_000;
    let sign = if value < 0 { "-" } else { "" };
    let whole = value.unsigned_abs() / ONE;
    let part = format!("{:07}", value.unsigned_abs() % ONE);
    match part.trim_end_matches('0') {
        "" => write!(f, "{sign}{whole}"),
        part => write!(f, "{sign}{whole}.{part}"),
    }
}

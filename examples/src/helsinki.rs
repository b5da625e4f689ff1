//! Central Helsinki: facts of OpenStreetMap, each with the organisation that would hold it, and how many people live
//! where, which is invented.

use oxrdf::vocab::rdfs;
use oxrdf::{GraphName, Literal, NamedNode, NamedNodeRef, Quad};
use twinlink_ingest::{Area, Class, Feature, Position, Shape};
use twinlink_vocab::{dcterms, tl};

/// The participant id of the city.
pub const CITY: &str = "https://city.helsinki.example/";
/// The participant id of the rescue department.
pub const RESCUE: &str = "https://rescue.helsinki.example/";
/// The participant id of the police.
pub const POLICE: &str = "https://police.helsinki.example/";

/// Square metres of floor that one resident has, stairs and shops included.
const FLOOR_PER_RESIDENT: f64 = 60.0;
/// Where the map does not say.
const USUAL_LEVELS: u32 = 5;
/// Smaller buildings are sheds and kiosks, whatever their tag says.
const SMALLEST_HOME: f64 = 60.0;

/// Who holds features of this class, by participant id, and in which of its graphs.
pub fn holder(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Building => (CITY, "buildings"),
        Class::School => (CITY, "schools"),
        Class::Clinic => (CITY, "clinics"),
        Class::Road => (CITY, "roads"),
        Class::CarPark => (CITY, "car-parks"),
        Class::Hydrant => (RESCUE, "hydrants"),
        Class::FireStation => (RESCUE, "stations"),
    }
}

/// The name of a participant's graph.
pub fn graph(participant: &str, name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{participant}graph/{name}"))
}

/// What this participant holds of the map. A feature of two classes is in two graphs, with one class in each.
pub fn facts(participant: &str, features: &[Feature]) -> Vec<Quad> {
    let base = NamedNode::new_unchecked(format!("{participant}id/"));
    let mut quads = Vec::new();
    for feature in features {
        for class in &feature.classes {
            let (holder, name) = holder(*class);
            if holder == participant {
                let feature = Feature {
                    classes: vec![*class],
                    ..feature.clone()
                };
                quads.extend(feature.facts(&base, &graph(participant, name).into()));
            }
        }
    }
    quads
}

/// A scenario: how many people live in each building, in a graph of its own that says so.
pub fn residents_facts(features: &[Feature]) -> Vec<Quad> {
    let base = NamedNode::new_unchecked(format!("{CITY}id/"));
    let name = graph(CITY, "residents");
    let graph = GraphName::from(name.clone());
    let about = |property: NamedNodeRef<'_>, text: &str| {
        let text = Literal::new_language_tagged_literal_unchecked(text, "en");
        Quad::new(name.clone(), property.into_owned(), text, graph.clone())
    };
    let mut quads = vec![
        about(rdfs::LABEL, "residents per building (scenario)"),
        about(
            dcterms::DESCRIPTION,
            "Scenario, not a fact: invented for the demo. Residents = floor area x share of homes / 60 m2, rounded down; \
             floor area = footprint x building:levels (5 where the map has none); share of homes = 0.8 for apartments, \
             0.2 for building=yes or block without another use, else 0.",
        ),
    ];
    for feature in features {
        let count = residents(feature);
        if count > 0 {
            quads.push(Quad::new(
                feature.iri(&base),
                tl::RESIDENTS.into_owned(),
                Literal::from(i64::from(count)),
                graph.clone(),
            ));
        }
    }
    quads
}

/// How many people live in a building, by the scenario's formula. Nobody in anything else.
pub fn residents(feature: &Feature) -> u32 {
    let share = match feature.tag("building") {
        Some("apartments" | "residential") => 0.8,
        Some("yes" | "block") if feature.tag("amenity").is_none() => 0.2,
        _ => 0.0,
    };
    let Shape::Areas(areas) = &feature.shape else {
        return 0;
    };
    let footprint: f64 = areas.iter().map(square_metres).sum();
    if footprint < SMALLEST_HOME {
        return 0;
    }
    let levels = feature
        .tag("building:levels")
        .and_then(|levels| levels.parse().ok())
        .unwrap_or(USUAL_LEVELS);
    // A float that is too large becomes the largest integer.
    (footprint * f64::from(levels) * share / FLOOR_PER_RESIDENT) as u32
}

fn square_metres(area: &Area) -> f64 {
    let holes: f64 = area.holes.iter().map(|hole| ring_area(hole)).sum();
    ring_area(&area.outer) - holes
}

/// By the shoelace formula on a plane that touches the earth at the ring's first position.
fn ring_area(ring: &[Position]) -> f64 {
    const METRES_PER_UNIT: f64 = 111_320.0 / 10_000_000.0;
    let Some(origin) = ring.first() else {
        return 0.0;
    };
    let narrowing = (f64::from(origin.latitude) / 10_000_000.0)
        .to_radians()
        .cos();
    let plane = |position: &Position| {
        (
            (f64::from(position.longitude) - f64::from(origin.longitude))
                * METRES_PER_UNIT
                * narrowing,
            (f64::from(position.latitude) - f64::from(origin.latitude)) * METRES_PER_UNIT,
        )
    };
    let twice: f64 = ring
        .iter()
        .zip(ring.iter().skip(1))
        .map(|(from, to)| {
            let ((x1, y1), (x2, y2)) = (plane(from), plane(to));
            x1 * y2 - x2 * y1
        })
        .sum();
    twice.abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinlink_ingest::Element;

    /// About 100 m x 50 m at Helsinki's latitude.
    fn building(tags: &[(&str, &str)]) -> Feature {
        let corner = |longitude, latitude| Position {
            longitude: 249_400_000 + longitude,
            latitude: 601_700_000 + latitude,
        };
        Feature {
            element: Element::Way(1),
            classes: vec![Class::Building, Class::School],
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            shape: Shape::Areas(vec![Area {
                outer: vec![
                    corner(0, 0),
                    corner(18_058, 0),
                    corner(18_058, 4_492),
                    corner(0, 4_492),
                    corner(0, 0),
                ],
                holes: Vec::new(),
            }]),
        }
    }

    #[test]
    fn residents_follow_the_formula() {
        // 5,000 m2 x 6 x 0.8 / 60 = 400
        let home = building(&[("building", "apartments"), ("building:levels", "6")]);
        assert!((399..=400).contains(&residents(&home)));
        // 5,000 m2 x 5 x 0.2 / 60 = 83.3
        assert_eq!(residents(&building(&[("building", "yes")])), 83);
        for tags in [
            &[("building", "office")][..],
            &[("building", "yes"), ("amenity", "school")],
            &[],
        ] {
            assert_eq!(residents(&building(tags)), 0);
        }
    }

    #[test]
    fn a_feature_of_two_classes_is_in_two_graphs() {
        let quads = facts(CITY, &[building(&[("building", "school")])]);
        let classes: Vec<String> = quads
            .iter()
            .filter(|quad| quad.object.to_string().contains("twinlink"))
            .map(|quad| format!("{} {}", quad.object, quad.graph_name))
            .collect();
        assert_eq!(
            classes,
            [
                "<https://w3id.org/twinlink/ns#Building> <https://city.helsinki.example/graph/buildings>",
                "<https://w3id.org/twinlink/ns#School> <https://city.helsinki.example/graph/schools>",
            ]
        );
        assert!(facts(RESCUE, &[building(&[])]).is_empty());
    }
}

//! The guards of the benchmark: what is withheld as a whole, what row by row, and what is shown changed.

use super::city::{self, CITY};
use super::fault;
use crate::library::Fault;
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, Quad};
use oxsdatatypes::Decimal;
use spargebra::SparqlParser;
use twinlink_policy::{
    Function, GraphNameKey, Guard, NodePattern, Part, Selector, Step, Transformed,
};

/// A guard, and what it withholds, told from the way the city is made.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) guard: Guard,
    /// None where values are changed: what is shown is then compared with what the snapshot itself exports.
    pub(super) is_withheld: Option<fn(&Quad) -> bool>,
}

/// All guards.
pub(super) fn all() -> Result<Vec<Case>, Fault> {
    let without = |prohibited: Vec<Selector>| Guard::new(vec![Selector::default()], prohibited);
    Ok(vec![
        Case {
            name: "one property and one graph prohibited",
            guard: whole(),
            is_withheld: Some(|quad| is_citizen_number(quad) || is_of_police(quad)),
        },
        Case {
            name: "one class prohibited",
            guard: without(vec![of_class("Person")]),
            is_withheld: Some(is_of_person),
        },
        Case {
            name: "row by row: a class, a pattern and an area prohibited",
            guard: without(vec![
                of_class("Person"),
                of_nodes(
                    "SELECT ?this { ?this <http://city.example/built> ?year FILTER(?year < 1860) }",
                )?,
                of_nodes(
                    "PREFIX geo: <http://www.opengis.net/ont/geosparql#> \
                     PREFIX geof: <http://www.opengis.net/def/function/geosparql/> \
                     SELECT ?this { ?this <http://city.example/at> ?place \
                     FILTER(geof:sfWithin(?place, 'POLYGON((2 2, 5 2, 5 5, 2 5, 2 2))'^^geo:wktLiteral)) }",
                )?,
            ]),
            is_withheld: Some(|quad| is_of_person(quad) || is_old(quad) || is_in_area(quad)),
        },
        Case {
            name: "changed: numbers masked, persons under pseudonyms, heights rounded",
            guard: changed(),
            is_withheld: None,
        },
        Case {
            name: "nothing prohibited",
            guard: Guard::everything(),
            is_withheld: Some(|_| false),
        },
    ])
}

/// Withholds a property and a graph.
pub(super) fn whole() -> Guard {
    let police = Selector {
        graph: Some(GraphNameKey::Named(city::name("graph/police"))),
        ..Selector::default()
    };
    Guard::new(
        vec![Selector::default()],
        vec![of_property("citizenNumber"), police],
    )
}

/// All but three properties as they are; a person nowhere by name.
fn changed() -> Guard {
    let plain = [
        "label",
        "district",
        "built",
        "residents",
        "area",
        "pressure",
        "connectedTo",
        "near",
        "on",
        "value",
        "unit",
        "time",
        "note",
        "severity",
    ];
    let classes = [
        "School", "Clinic", "Building", "Hydrant", "Sensor", "Incident",
    ];
    let mut permits = plain.map(of_property).to_vec();
    permits.extend(classes.map(|class| Selector {
        property: Some(rdf::TYPE.into_owned()),
        ..of_class(class)
    }));
    permits.push(Selector {
        property: Some(city::name("at")),
        ..Selector::default()
    });
    let pseudonym = Step {
        part: Part::Instances(city::name("Person")),
        function: Function::Pseudonymise {
            recipient: city::name("recipient"),
            purpose: Some(city::name("purpose")),
        },
    };
    let mask = Step {
        part: Part::Values(vec![city::name("citizenNumber")]),
        function: Function::Mask("***".to_owned()),
    };
    let round = Step {
        part: Part::Values(Vec::new()),
        function: Function::Round(Decimal::from(10)),
    };
    let transformed = |selector: Selector, steps: Vec<Step>| Transformed { selector, steps };
    Guard::new(permits, Vec::new()).with_transformed(vec![
        transformed(of_class("Person"), vec![mask, pseudonym.clone()]),
        transformed(of_property("owner"), vec![pseudonym.clone()]),
        transformed(of_property("involves"), vec![pseudonym]),
        transformed(of_property("height"), vec![round]),
    ])
}

fn of_property(property: &str) -> Selector {
    Selector {
        property: Some(city::name(property)),
        ..Selector::default()
    }
}

fn of_class(class: &str) -> Selector {
    Selector {
        class: Some(city::name(class)),
        ..Selector::default()
    }
}

fn of_nodes(pattern: &str) -> Result<Selector, Fault> {
    let query = SparqlParser::new().parse_query(pattern).map_err(fault)?;
    Ok(Selector {
        nodes: Some(NodePattern::new(query)),
        ..Selector::default()
    })
}

fn is_citizen_number(quad: &Quad) -> bool {
    quad.predicate == city::name("citizenNumber")
}

fn is_of_police(quad: &Quad) -> bool {
    quad.graph_name == city::name("graph/police").into()
}

fn is_of_person(quad: &Quad) -> bool {
    number_of(quad, "person").is_some()
}

fn is_old(quad: &Quad) -> bool {
    number_of(quad, "building").is_some_and(|number| city::built(number) < 1860)
}

fn is_in_area(quad: &Quad) -> bool {
    // On the edge is not within.
    let within = |hundredths: usize| (201..500).contains(&hundredths);
    number_of(quad, "hydrant").is_some_and(|number| {
        let (x, y) = city::position(number);
        within(x) && within(y)
    })
}

/// Which of its kind the quad's subject is.
fn number_of(quad: &Quad, kind: &str) -> Option<usize> {
    let subject = match &quad.subject {
        oxrdf::NamedOrBlankNode::NamedNode(node) => NamedNode::as_str(node),
        oxrdf::NamedOrBlankNode::BlankNode(_) => return None,
    };
    let rest = subject.strip_prefix(CITY)?.strip_prefix(kind)?;
    rest.strip_prefix('/')?.parse().ok()
}

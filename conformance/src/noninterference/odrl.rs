//! What a caller may see and change, read from ODRL's text.
//!
//! Written from <https://www.w3.org/TR/odrl-model/> and the profile `tl:`, for policies as they were made up: nothing of
//! the engine is used, neither its parser nor its decisions. All that follows is one sentence of ODRL after another.

use super::scene::{
    Action, Caller, Comparison, Condition, Constraint, Kind, Membership, Moment, Nodes, Place,
    Rule, Scene, Target, When,
};
use super::turtle::date_time;
use oxrdf::NamedNode;
use spargebra::SparqlParser;
use std::cmp::Ordering;
use twinlink_core::policy::{
    Function, GraphNameKey, Guard, Named, NodePattern, Recorded, Selector, Statistic, Transformed,
};

/// The purposes with what is broader, as `ontologies/twinlink.ttl` and the Data Privacy Vocabulary have them.
const BROADER: &[(&str, &str)] = &[
    (
        "https://w3id.org/twinlink/ns#EmergencyResponse",
        "https://w3id.org/dpv/sector/infra#CriticalEmergencyResponseManagement",
    ),
    (
        "https://w3id.org/dpv/sector/infra#CriticalEmergencyResponseManagement",
        "https://w3id.org/dpv/sector/infra#CriticalInfrastructureManagement",
    ),
    (
        "https://w3id.org/dpv/sector/infra#CriticalInfrastructureManagement",
        "https://w3id.org/dpv/sector/infra#InfrastructureManagement",
    ),
    (
        "https://w3id.org/dpv/sector/infra#InfrastructureManagement",
        "https://w3id.org/dpv#Purpose",
    ),
    (
        "https://w3id.org/twinlink/ns#UrbanPlanning",
        "https://w3id.org/dpv#PublicBenefit",
    ),
    (
        "https://w3id.org/dpv#PublicBenefit",
        "https://w3id.org/dpv#Purpose",
    ),
];

/// True, false, or not known.
type Truth = Option<bool>;

/// What of the dataset the action may be about: permitted by some rule and prohibited by none.
pub(super) fn guard(scene: &Scene, action: Action) -> Guard {
    let active = |permits: bool| {
        in_force(scene)
            .filter(move |rule| rule.permits == permits && is_active(rule, action, &scene.caller))
    };
    let (mut permits, mut transformed) = (Vec::new(), Vec::new());
    for rule in active(true) {
        let mut steps = rule.transforms.clone();
        for step in &mut steps {
            if let Function::Pseudonymise { recipient, purpose } = &mut step.function {
                recipient.clone_from(&scene.caller.participant);
                purpose.clone_from(&scene.caller.purpose);
            }
        }
        // What is told in numbers is not shown.
        let shown = rule.figures.is_none();
        for selector in selectors(rule, scene.caller.now)
            .into_iter()
            .filter(|_| shown)
        {
            if steps.is_empty() {
                permits.push(selector);
            } else {
                let steps = steps.clone();
                transformed.push(Transformed { selector, steps });
            }
        }
    }
    let prohibitions = active(false).flat_map(|rule| selectors(rule, scene.caller.now));
    let mut statistics = Vec::new();
    if action == Action::Read {
        for rule in in_force(scene) {
            let told = rule.figures.as_ref();
            let told = told.filter(|_| is_active(rule, Action::Aggregate, &scene.caller));
            let selectors = selectors(rule, scene.caller.now).into_iter();
            statistics.extend(selectors.zip(told).map(|(selector, figures)| Statistic {
                name: figures.name.clone(),
                selector,
                dimensions: figures.dimensions.clone(),
                measure: figures.measure.clone(),
                minimum: figures.minimum,
            }));
        }
    }
    Guard::new(permits, prohibitions.collect())
        .with_transformed(transformed)
        .with_statistics(statistics)
}

/// An offer proposes; it grants and forbids nothing: ODRL 2.1.2.
fn in_force(scene: &Scene) -> impl Iterator<Item = &Rule> {
    let policies = scene.policies.iter();
    let policies = policies.filter(|policy| policy.kind != Kind::Offer);
    policies.flat_map(|policy| &policy.rules)
}

/// What all targets of a rule select.
fn selectors(rule: &Rule, now: Moment) -> Vec<Selector> {
    let targets = rule.targets.iter();
    let mut selectors: Vec<_> = targets
        .flat_map(|target| parts(target, rule.permits))
        .collect();
    if let Some((property, minutes)) = &rule.delay {
        let since = now.day * 1440 + now.minute - minutes;
        let (day, minute) = (since.div_euclid(1440), since.rem_euclid(1440));
        // What is not before any time selects nothing.
        let Ok(until) = date_time(Moment { day, minute, ..now }).parse() else {
            return Vec::new();
        };
        for selector in &mut selectors {
            let property = property.clone();
            selector.recorded = Some(Recorded { property, until });
        }
    }
    if !rule.permits {
        let named = selectors.iter_mut().filter_map(|one| one.named.as_mut());
        named.for_each(|named| named.is_negated = true);
    }
    selectors
}

/// One for each way to meet all refinements: ODRL 2.5.3.
fn parts(target: &Target, permits: bool) -> Vec<Selector> {
    let any = |names: &[NamedNode]| -> Vec<Option<NamedNode>> {
        match names {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        }
    };
    let key = |place: &Place| match place {
        Place::Default => GraphNameKey::Default,
        Place::Named(name) => GraphNameKey::Named(name.clone()),
    };
    let mut graphs: Vec<_> = target.graphs.iter().map(|place| Some(key(place))).collect();
    if graphs.is_empty() {
        graphs.push(None);
    }
    let text = target.nodes.as_ref().map(|nodes| group(nodes, permits));
    let text = text.map(|group| format!("SELECT ?this WHERE {group}"));
    let query = text.and_then(|text| SparqlParser::new().parse_query(&text).ok());
    let nodes = query.map(NodePattern::new);
    let mut selectors = Vec::new();
    for graph in graphs {
        for property in any(&target.properties) {
            for class in any(&target.classes) {
                selectors.push(Selector {
                    graph: graph.clone(),
                    property: property.clone(),
                    class,
                    nodes: nodes.clone(),
                    named: target.named.map(|end| Named {
                        end,
                        is_negated: false,
                    }),
                    ..Selector::default()
                });
            }
        }
    }
    selectors
}

/// The nodes as a pattern. What lies in an area is told by the texts of its own geometries; where that cannot be told, a
/// permission is not about it, and a prohibition is.
fn group(nodes: &Nodes, permits: bool) -> String {
    const FUNCTION: &str = "http://www.opengis.net/def/function/geosparql/";
    const WKT: &str = "http://www.opengis.net/ont/geosparql#";
    match nodes {
        Nodes::Pattern(group) => group.clone(),
        Nodes::Area(polygon) if permits => format!(
            "{{ ?this <{WKT}asWKT> ?any MINUS {{ ?this <{WKT}asWKT> ?text \
             FILTER(!COALESCE(<{FUNCTION}sfWithin>(?text, \"{polygon}\"^^<{WKT}wktLiteral>), false)) }} }}"
        ),
        Nodes::Area(polygon) => format!(
            "{{ ?this <{WKT}asWKT> ?text \
             FILTER(COALESCE(<{FUNCTION}sfIntersects>(?text, \"{polygon}\"^^<{WKT}wktLiteral>), true)) }}"
        ),
        Nodes::Shape {
            class,
            property,
            condition,
        } => {
            let of = match class {
                Some(class) => format!("?this a {class} ."),
                None => "?this ?p ?o .".to_owned(),
            };
            let condition = match condition {
                Condition::Some => format!("?this {property} ?x"),
                Condition::Has(value) => format!("?this {property} {value}"),
                Condition::Class(class) => {
                    format!("MINUS {{ ?this {property} ?x FILTER NOT EXISTS {{ ?x a {class} }} }}")
                }
            };
            format!("{{ {of} {condition} }}")
        }
    }
}

/// A permission needs all its constraints to be satisfied; a prohibition applies unless one is not.
fn is_active(rule: &Rule, action: Action, caller: &Caller) -> bool {
    let about = rule.actions.iter().any(|stated| {
        let covers = includes(*stated, action);
        if rule.permits {
            covers
        } else {
            covers || includes(action, *stated)
        }
    });
    let to = rule.assignees.is_empty() || rule.assignees.contains(&caller.participant);
    let satisfied = all(rule.constraints.iter().map(|c| truth(c, caller)));
    about
        && to
        && if rule.permits {
            satisfied == Some(true)
        } else {
            satisfied != Some(false)
        }
}

/// `odrl:includedIn`.
fn includes(outer: Action, inner: Action) -> bool {
    outer == inner || (outer == Action::Use && inner != Action::Transfer)
}

fn truth(constraint: &Constraint, caller: &Caller) -> Truth {
    match constraint {
        Constraint::Purpose(operator, values) => {
            // Without a purpose there is nothing to compare.
            let purpose = caller.purpose.as_ref()?;
            match operator {
                Membership::Eq | Membership::IsAnyOf => Some(values.contains(purpose)),
                Membership::Neq | Membership::IsNoneOf => Some(!values.contains(purpose)),
                Membership::IsA => any(values.iter().map(|kind| is_a(purpose, kind))),
            }
        }
        Constraint::Role(operator, values) => {
            if caller.roles.is_empty() {
                return None;
            }
            let has = caller.roles.iter().any(|role| values.contains(role));
            match operator {
                Membership::Eq | Membership::IsAnyOf => Some(has),
                Membership::Neq | Membership::IsNoneOf => Some(!has),
                Membership::IsA => None,
            }
        }
        Constraint::DateTime(operator, when) => {
            let order = compare(caller.now, *when)?;
            Some(match operator {
                Comparison::Eq => order == Ordering::Equal,
                Comparison::Neq => order != Ordering::Equal,
                Comparison::Lt => order == Ordering::Less,
                Comparison::Lteq => order != Ordering::Greater,
                Comparison::Gt => order == Ordering::Greater,
                Comparison::Gteq => order != Ordering::Less,
            })
        }
        Constraint::And(parts) => all(parts.iter().map(|part| truth(part, caller))),
        Constraint::Or(parts) => any(parts.iter().map(|part| truth(part, caller))),
        Constraint::Xone(parts) => one(parts.iter().map(|part| truth(part, caller))),
    }
}

/// False where one is false, else not known where one is not known.
fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    let truths: Vec<_> = truths.collect();
    if truths.contains(&Some(false)) {
        Some(false)
    } else if truths.contains(&None) {
        None
    } else {
        Some(true)
    }
}

/// True where one is true, else not known where one is not known.
fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    let truths: Vec<_> = truths.collect();
    if truths.contains(&Some(true)) {
        Some(true)
    } else if truths.contains(&None) {
        None
    } else {
        Some(false)
    }
}

/// False where two are true, else not known where one is not known, else whether one is true.
fn one(truths: impl Iterator<Item = Truth>) -> Truth {
    let truths: Vec<_> = truths.collect();
    let held = truths.iter().filter(|truth| **truth == Some(true)).count();
    if held > 1 {
        Some(false)
    } else if truths.contains(&None) {
        None
    } else {
        Some(held == 1)
    }
}

/// Not known for a purpose that no hierarchy places.
fn is_a(purpose: &NamedNode, kind: &NamedNode) -> Truth {
    if purpose == kind {
        return Some(true);
    }
    let is_placed = |name: &NamedNode| {
        BROADER
            .iter()
            .any(|(narrow, broad)| *narrow == name.as_str() || *broad == name.as_str())
    };
    if !is_placed(purpose) || !is_placed(kind) {
        return None;
    }
    let mut reached = vec![purpose.as_str()];
    let mut at = 0;
    while let Some(name) = reached.get(at).copied() {
        let broader = BROADER.iter().filter(|(narrow, _)| *narrow == name);
        reached.extend(broader.map(|(_, broad)| *broad));
        at += 1;
    }
    Some(reached.contains(&kind.as_str()))
}

/// Where now stands to a time: within a day is equal to it. Not known where either has no time zone.
fn compare(now: Moment, when: When) -> Option<Ordering> {
    let utc = |moment: Moment| Some(moment.day * 1440 + moment.minute - moment.ahead?);
    let now = utc(now)?;
    match when {
        When::Instant(instant) => Some(now.cmp(&utc(instant)?)),
        When::Day(day) => {
            let begin = utc(Moment { minute: 0, ..day })?;
            let end = begin + 1440;
            Some(if now < begin {
                Ordering::Less
            } else if now < end {
                Ordering::Equal
            } else {
                Ordering::Greater
            })
        }
    }
}

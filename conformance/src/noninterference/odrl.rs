//! What a caller may see and change, read from ODRL's text.
//!
//! Written from <https://www.w3.org/TR/odrl-model/> and the profile `tl:`, for policies as they were made up: nothing of
//! the engine is used, neither its parser nor its decisions. All that follows is one sentence of ODRL after another.

use super::scene::{
    Action, Caller, Comparison, Condition, Constraint, Kind, Membership, Moment, Nodes, Place,
    Policy, Rule, Scene, Target, When,
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

/// What of the dataset the action may be about: what each permission is about, less the prohibitions that apply to it.
pub(super) fn guard(scene: &Scene, action: Action) -> Guard {
    let layers = in_force(scene).filter_map(|(policy, rule)| {
        // What is told in numbers is not shown. Who may read is told the numbers too.
        let (is_told, active_for) = match rule.figures {
            Some(_) => (true, Action::Aggregate),
            None => (false, action),
        };
        let is_asked = !is_told || action == Action::Read;
        if !rule.permits || !is_asked || !is_active(rule, active_for, &scene.caller) {
            return None;
        }
        let prohibitions = in_force(scene).filter(|(other, one)| {
            // `odrl:conflict`, of which each policy speaks for itself: ODRL 2.10.
            let is_overridden = policy.permissions_win && other.uid == policy.uid;
            let is_active = |action| is_active(one, action, &scene.caller);
            !one.permits
                && !is_overridden
                && (is_active(action) || is_told && is_active(active_for))
        });
        let prohibitions = prohibitions.flat_map(|(_, one)| selectors(one, scene.caller.now));
        Some(layer(rule, prohibitions.collect(), &scene.caller))
    });
    Guard::union(layers)
}

/// What one permission shows or tells.
fn layer(rule: &Rule, prohibitions: Vec<Selector>, caller: &Caller) -> Guard {
    let selectors = selectors(rule, caller.now);
    let mut steps = rule.transforms.clone();
    for step in &mut steps {
        if let Function::Pseudonymise { recipient, purpose } = &mut step.function {
            recipient.clone_from(&caller.participant);
            purpose.clone_from(&caller.purpose);
        }
    }
    if let Some(figures) = &rule.figures {
        let statistics = selectors.into_iter().map(|selector| Statistic {
            name: figures.name.clone(),
            selector,
            dimensions: in_order(&figures.dimensions),
            measure: figures.measure.clone(),
            minimum: figures.minimum,
        });
        return Guard::new(Vec::new(), prohibitions).with_statistics(statistics.collect());
    }
    if steps.is_empty() {
        return Guard::new(selectors, prohibitions);
    }
    let transformed = selectors.into_iter().map(|selector| Transformed {
        selector,
        steps: steps.clone(),
    });
    Guard::new(Vec::new(), prohibitions).with_transformed(transformed.collect())
}

/// A set, so its order says nothing: groups are named by the dimensions in the order of their IRIs.
fn in_order(dimensions: &[NamedNode]) -> Vec<NamedNode> {
    let mut dimensions = dimensions.to_vec();
    dimensions.sort();
    dimensions
}

/// An offer proposes; it grants and forbids nothing: ODRL 2.1.2.
fn in_force(scene: &Scene) -> impl Iterator<Item = (&Policy, &Rule)> {
    let policies = scene.policies.iter();
    let policies = policies.filter(|policy| policy.kind != Kind::Offer);
    policies.flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)))
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

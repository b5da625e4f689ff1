//! Writes made-up policies as Turtle, in the words of ODRL: <https://www.w3.org/TR/odrl-vocab/>.

use super::scene::{
    Action, Comparison, Condition, Constraint, Figures, Kind, Membership, Moment, Nodes, Place,
    Policy, Rule, TWIN, Target, When,
};
use oxrdf::{Literal, NamedNode};
use std::fmt::Display;
use twinlink_core::policy::{Function, Measure, MeasureKind, Part, Step};

const PREFIXES: &str = "\
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix tl: <https://w3id.org/twinlink/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix time: <http://www.w3.org/2006/time#> .
@prefix geo: <http://www.opengis.net/ont/geosparql#> .
@prefix sh: <http://www.w3.org/ns/shacl#> .
";

/// A document of all policies.
pub(super) fn document(policies: &[Policy]) -> String {
    let mut text = PREFIXES.to_owned();
    for policy in policies {
        text += &self::policy(policy);
    }
    text
}

/// An `xsd:dateTime` in its lexical form.
pub(super) fn date_time(moment: Moment) -> String {
    let (hour, minute) = (moment.minute / 60, moment.minute % 60);
    let zone = zone(moment.ahead);
    format!("2026-11-{:02}T{hour:02}:{minute:02}:00{zone}", moment.day)
}

fn policy(policy: &Policy) -> String {
    let kind = match policy.kind {
        Kind::Set => "Set",
        Kind::Agreement => "Agreement",
        Kind::Offer => "Offer",
    };
    let mut text = format!(
        "{} a odrl:{kind} ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:conflict odrl:{}",
        policy.uid,
        if policy.permissions_win {
            "perm"
        } else {
            "prohibit"
        },
    );
    if policy.kind == Kind::Agreement {
        text += " ; odrl:assigner <http://e/owner>";
    }
    for rule in &policy.rules {
        text += &self::rule(rule);
    }
    text + " .\n"
}

fn rule(rule: &Rule) -> String {
    let property = if rule.permits {
        "permission"
    } else {
        "prohibition"
    };
    let mut text = format!(
        " ;\n  odrl:{property} [ odrl:action {}",
        list(rule.actions.iter().map(|action| match action {
            Action::Use => "odrl:use",
            Action::Read => "odrl:read",
            Action::Modify => "odrl:modify",
            Action::Distribute => "odrl:distribute",
            Action::Transfer => "odrl:transfer",
            Action::Aggregate => "odrl:aggregate",
        }))
    );
    for target in &rule.targets {
        let target = self::target(target, rule.permits, rule.figures.as_ref());
        text += &format!(" ;\n    odrl:target {target}");
    }
    for assignee in &rule.assignees {
        text += &format!(" ;\n    odrl:assignee {assignee}");
    }
    for constraint in &rule.constraints {
        text += &format!(" ;\n    odrl:constraint {}", self::constraint(constraint));
    }
    for (place, step) in rule.transforms.iter().enumerate() {
        text += &format!(" ;\n    odrl:duty {}", self::transform(step, place + 1));
    }
    if let Some((property, minutes)) = &rule.delay {
        let period = format!("\"PT{minutes}M\"^^xsd:dayTimeDuration");
        text += &format!(
            " ;\n    odrl:duty [ odrl:action [ rdf:value tl:delay ; odrl:refinement {} , {} ] ]",
            triple("odrl:delayPeriod", "eq", &period),
            triple("tl:recordedBy", "eq", &property.to_string())
        );
    }
    text + " ]"
}

fn transform(step: &Step, place: usize) -> String {
    let (action, parameter) = match &step.function {
        Function::Mask(text) => (
            "mask",
            Some(triple("tl:replacement", "eq", &format!("\"{text}\""))),
        ),
        Function::Pseudonymise { .. } => ("pseudonymise", None),
        Function::Round(of) => ("round", Some(triple("tl:multiple", "eq", &of.to_string()))),
        Function::Truncate(unit) => {
            let unit = format!("time:unit{unit:?}");
            ("truncate", Some(triple("tl:timeUnit", "eq", &unit)))
        }
        Function::Generalise(side) => (
            "generalise",
            Some(triple("tl:cellSize", "eq", &side.to_string())),
        ),
        Function::Suppress => ("suppress", None),
        Function::SuppressBelow(least) => {
            let least = triple("tl:minimumGroupSize", "gteq", &least.to_string());
            ("suppressSmallGroups", Some(least))
        }
    };
    let step_number = triple("tl:step", "eq", &place.to_string());
    let refinements: Vec<_> = parameter.into_iter().chain([step_number]).collect();
    let about = match &step.part {
        Part::Values(of) if of.is_empty() => None,
        Part::Values(of) => Some(any_of("tl:property", of)),
        Part::Instances(class) => Some(triple("tl:class", "eq", &class.to_string())),
        Part::Nodes(pattern) => {
            let text = Literal::new_simple_literal(pattern.text());
            Some(triple("tl:pattern", "eq", &text.to_string()))
        }
    };
    let about = about.map_or(String::new(), |about| {
        format!(" ; odrl:target [ a odrl:AssetCollection ; odrl:source <{TWIN}> ; odrl:refinement {about} ]")
    });
    let refinements = refinements.join(" , ");
    format!("[ odrl:action [ rdf:value tl:{action} ; odrl:refinement {refinements} ]{about} ]")
}

fn target(target: &Target, permits: bool, figures: Option<&Figures>) -> String {
    let graphs: Vec<_> = target
        .graphs
        .iter()
        .map(|graph| match graph {
            Place::Default => "tl:DefaultGraph".to_owned(),
            Place::Named(name) => name.to_string(),
        })
        .collect();
    let mut refinements = Vec::new();
    if !graphs.is_empty() {
        refinements.push(any_of("tl:graph", &graphs));
    }
    for (left, names) in [
        ("tl:property", &target.properties),
        ("tl:class", &target.classes),
    ] {
        if !names.is_empty() {
            refinements.push(any_of(left, names));
        }
    }
    refinements.extend(target.nodes.as_ref().map(nodes));
    if let Some(end) = target.named {
        let operator = if permits { "eq" } else { "neq" };
        refinements.push(triple("tl:named", operator, &format!("tl:{end:?}")));
    }
    refinements.extend(figures.into_iter().flat_map(statistic));
    if refinements.is_empty() {
        return format!("<{TWIN}>");
    }
    let uid = figures.map_or(String::new(), |figures| {
        format!("odrl:uid {} ; ", figures.name)
    });
    format!(
        "[ a odrl:AssetCollection ; {uid}odrl:source <{TWIN}> ; odrl:refinement {} ]",
        refinements.join(" , ")
    )
}

fn nodes(nodes: &Nodes) -> String {
    match nodes {
        Nodes::Pattern(group) => {
            let text = Literal::new_simple_literal(group);
            triple("tl:pattern", "eq", &text.to_string())
        }
        Nodes::Area(polygon) => {
            let text = Literal::new_simple_literal(polygon);
            triple("tl:area", "eq", &format!("{text}^^geo:wktLiteral"))
        }
        Nodes::Shape {
            class,
            property,
            condition,
        } => {
            let target = class
                .as_ref()
                .map_or(String::new(), |class| format!(" ; sh:targetClass {class}"));
            let condition = match condition {
                Condition::Some => "sh:minCount 1".to_owned(),
                Condition::Has(value) => format!("sh:hasValue {value}"),
                Condition::Class(class) => format!("sh:class {class}"),
            };
            let shape = format!(
                "[ a sh:NodeShape{target} ; sh:property [ sh:path {property} ; {condition} ] ]"
            );
            triple("tl:shape", "eq", &shape)
        }
    }
}

fn statistic(figures: &Figures) -> Vec<String> {
    let minimum = figures.minimum.to_string();
    let mut refinements = vec![triple("tl:minimumGroupSize", "gteq", &minimum)];
    if !figures.dimensions.is_empty() {
        let dimensions: Vec<_> = figures.dimensions.iter().map(ToString::to_string).collect();
        let dimensions = format!("({})", dimensions.join(" "));
        refinements.push(triple("tl:dimension", "isAllOf", &dimensions));
    }
    if let Some(Measure { property, kind }) = &figures.measure {
        let kind = match kind {
            MeasureKind::Sum => "tl:sum",
            MeasureKind::Average => "tl:average",
        };
        refinements.push(triple("tl:measure", "eq", &property.to_string()));
        refinements.push(triple("tl:measureKind", "eq", kind));
    }
    refinements
}

/// One value with `eq`, several with `isAnyOf`.
fn any_of<T: Display>(left: &str, values: &[T]) -> String {
    let operator = if values.len() == 1 { "eq" } else { "isAnyOf" };
    triple(left, operator, &list(values.iter()))
}

fn constraint(constraint: &Constraint) -> String {
    let all = |parts: &[Constraint]| list(parts.iter().map(self::constraint));
    match constraint {
        Constraint::Purpose(operator, values) => {
            triple("odrl:purpose", membership(*operator), &names(values))
        }
        Constraint::Role(operator, values) => {
            triple("tl:role", membership(*operator), &names(values))
        }
        Constraint::DateTime(operator, when) => {
            let operator = match operator {
                Comparison::Eq => "eq",
                Comparison::Neq => "neq",
                Comparison::Lt => "lt",
                Comparison::Lteq => "lteq",
                Comparison::Gt => "gt",
                Comparison::Gteq => "gteq",
            };
            let value = match when {
                When::Instant(moment) => format!("\"{}\"^^xsd:dateTime", date_time(*moment)),
                When::Day(Moment { day, ahead, .. }) => {
                    format!("\"2026-11-{day:02}{}\"^^xsd:date", zone(*ahead))
                }
            };
            triple("odrl:dateTime", operator, &value)
        }
        Constraint::And(parts) => format!("[ odrl:and {} ]", all(parts)),
        Constraint::Or(parts) => format!("[ odrl:or {} ]", all(parts)),
        Constraint::Xone(parts) => format!("[ odrl:xone {} ]", all(parts)),
    }
}

fn membership(operator: Membership) -> &'static str {
    match operator {
        Membership::Eq => "eq",
        Membership::Neq => "neq",
        Membership::IsAnyOf => "isAnyOf",
        Membership::IsNoneOf => "isNoneOf",
        Membership::IsA => "isA",
    }
}

fn triple(left: &str, operator: &str, right: &str) -> String {
    format!(
        "[ odrl:leftOperand {left} ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
    )
}

fn names(names: &[NamedNode]) -> String {
    list(names.iter())
}

fn list(values: impl Iterator<Item = impl Display>) -> String {
    let values: Vec<_> = values.map(|value| value.to_string()).collect();
    match values.as_slice() {
        [one] => one.clone(),
        _ => format!("({})", values.join(" ")),
    }
}

fn zone(ahead: Option<i64>) -> String {
    match ahead {
        None => String::new(),
        Some(0) => "Z".to_owned(),
        Some(minutes) => {
            let sign = if minutes < 0 { '-' } else { '+' };
            let minutes = minutes.abs();
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}

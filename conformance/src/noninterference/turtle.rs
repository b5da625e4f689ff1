//! Writes made-up policies as Turtle, in the words of ODRL: <https://www.w3.org/TR/odrl-vocab/>.

use super::scene::{
    Action, Comparison, Constraint, Kind, Membership, Moment, Place, Policy, Rule, TWIN, Target,
    When,
};
use oxrdf::NamedNode;
use std::fmt::Display;

const PREFIXES: &str = "\
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix tl: <https://w3id.org/twinlink/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
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
        "{} a odrl:{kind} ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:conflict odrl:prohibit",
        policy.uid
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
        }))
    );
    for target in &rule.targets {
        text += &format!(" ;\n    odrl:target {}", self::target(target));
    }
    for assignee in &rule.assignees {
        text += &format!(" ;\n    odrl:assignee {assignee}");
    }
    for constraint in &rule.constraints {
        text += &format!(" ;\n    odrl:constraint {}", self::constraint(constraint));
    }
    text + " ]"
}

fn target(target: &Target) -> String {
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
    if refinements.is_empty() {
        return format!("<{TWIN}>");
    }
    format!(
        "[ a odrl:AssetCollection ; odrl:source <{TWIN}> ; odrl:refinement {} ]",
        refinements.join(" , ")
    )
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

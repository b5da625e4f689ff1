//! Rules in plain words, for the person who publishes them.

use super::{Comparison, Constraint, Membership, Moment, Rule, RuleKind, Target};
use crate::guard::{GraphNameKey, Selector};
use oxrdf::{NamedNode, NamedNodeRef};
use std::fmt::{self, Display};
use twinlink_vocab::{dpv, odrl, sector_infra, tl};

impl Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.assignees.is_empty() {
            f.write_str("anyone")?;
        } else {
            write!(f, "{}", joined(self.assignees.iter().map(short), " or "))?;
        }
        f.write_str(match self.kind {
            RuleKind::Permission => " may ",
            RuleKind::Prohibition => " must not ",
        })?;
        write!(f, "{} ", joined(self.actions.iter().map(short), " or "))?;
        write!(f, "{}", joined(self.targets.iter(), ", and "))?;
        if !self.constraints.is_empty() {
            write!(f, ", if {}", joined(self.constraints.iter(), " and "))?;
        }
        Ok(())
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dataset = short(&self.dataset);
        if self.selectors.contains(&Selector::default()) {
            return write!(f, "all of {dataset}");
        }
        write!(
            f,
            "{} of {dataset}",
            joined(self.selectors.iter(), ", and ")
        )
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the statements")?;
        if let Some(property) = &self.property {
            write!(f, " with {}", short(property))?;
        }
        if let Some(class) = &self.class {
            write!(f, " about instances of {}", short(class))?;
        }
        match &self.graph {
            Some(GraphNameKey::Default) => f.write_str(" in the default graph"),
            Some(GraphNameKey::Named(graph)) => write!(f, " in graph {}", short(graph)),
            None => Ok(()),
        }
    }
}

impl Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, parts) = match self {
            Self::Purpose(membership, values) => {
                return compared(f, "the purpose", *membership, values);
            }
            Self::Role(membership, values) => return compared(f, "a role", *membership, values),
            Self::DateTime(comparison, moment) => {
                return write!(f, "the time is {comparison} {moment}");
            }
            Self::And(parts) => ("all of", parts),
            Self::Or(parts) => ("any of", parts),
            Self::Xone(parts) => ("exactly one of", parts),
        };
        write!(f, "{word} ({})", joined(parts.iter(), "; "))
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "at",
            Self::NotEqual => "not at",
            Self::Less => "before",
            Self::LessOrEqual => "at or before",
            Self::Greater => "after",
            Self::GreaterOrEqual => "at or after",
        })
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant(instant) => instant.fmt(f),
            Self::Day(day) => day.fmt(f),
        }
    }
}

fn compared(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    membership: Membership,
    values: &[NamedNode],
) -> fmt::Result {
    let (word, join) = match membership {
        Membership::AnyOf => ("is", " or "),
        Membership::NoneOf => ("is not", " nor "),
        Membership::IsA => ("is a kind of", " or "),
    };
    write!(
        f,
        "{what} {word} {}",
        joined(values.iter().map(short), join)
    )
}

/// A known term by its prefixed name, any other by its IRI.
pub(crate) fn short(term: &NamedNode) -> String {
    let known: &[(&str, &str, &[NamedNodeRef<'static>])] = &[
        ("odrl", odrl::NAMESPACE, odrl::ALL),
        ("tl", tl::NAMESPACE, tl::ALL),
        ("dpv", dpv::NAMESPACE, dpv::ALL),
        ("sector-infra", sector_infra::NAMESPACE, sector_infra::ALL),
    ];
    for (prefix, namespace, terms) in known {
        if let Some(local) = term.as_str().strip_prefix(namespace)
            && terms.iter().any(|known| *known == *term)
        {
            return format!("{prefix}:{local}");
        }
    }
    term.to_string()
}

fn joined(parts: impl Iterator<Item = impl Display>, with: &str) -> String {
    let parts: Vec<_> = parts.map(|part| part.to_string()).collect();
    parts.join(with)
}

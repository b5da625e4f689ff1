//! Rules in plain words, for the person who publishes them.

use super::treatment::{Change, Delay, Figures, Transform, Treatment};
use super::{Comparison, Constraint, Membership, Moment, Rule, RuleKind, Target};
use crate::guard::{
    End, Function, GraphNameKey, Measure, MeasureKind, Part, Recorded, Selector, TimeUnit,
};
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
        self.treatment.fmt(f)?;
        if !self.constraints.is_empty() {
            write!(f, ", if {}", joined(self.constraints.iter(), " and "))?;
        }
        Ok(())
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dataset = short(&self.dataset);
        if let Some(figures) = &self.figures {
            write!(f, "{figures} from ")?;
        }
        if self.selectors.contains(&Selector::default()) {
            return write!(f, "all of {dataset}");
        }
        let mut selectors: Vec<_> = self.selectors.iter().map(|one| self.part(one)).collect();
        selectors.dedup();
        write!(f, "{} of {dataset}", selectors.join(", and "))
    }
}

impl Target {
    fn part(&self, selector: &Selector) -> String {
        let nodes = selector.nodes.as_ref().map(|_| self.about.join(" and "));
        described(selector, nodes)
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.as_ref();
        let nodes = nodes.map(|nodes| format!("of the pattern {}", nodes.text()));
        f.write_str(&described(self, nodes))
    }
}

fn described(selector: &Selector, nodes: Option<String>) -> String {
    let mut words = String::from("the statements");
    if let Some(property) = &selector.property {
        words += &format!(" with {}", short(property));
    }
    if let Some(class) = &selector.class {
        words += &format!(" about instances of {}", short(class));
    }
    if let Some(nodes) = nodes {
        words += &format!(" about nodes {nodes}");
    }
    match &selector.graph {
        Some(GraphNameKey::Default) => words += " in the default graph",
        Some(GraphNameKey::Named(graph)) => words += &format!(" in graph {}", short(graph)),
        None => {}
    }
    if let Some(named) = &selector.named {
        let end = match named.end {
            End::Subject => "subject",
            End::Object => "object",
        };
        let does = if named.is_negated {
            "does not name"
        } else {
            "names"
        };
        words += &format!(" whose {end} the question {does}");
    }
    if let Some(Recorded { property, until }) = &selector.recorded {
        words += &format!(" recorded by {} until {until}", short(property));
    }
    words
}

impl Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers")?;
        if let Some(Measure { property, kind }) = &self.measure {
            let kind = match kind {
                MeasureKind::Sum => "sums",
                MeasureKind::Average => "averages",
            };
            write!(f, " and {kind} of {}", short(property))?;
        }
        write!(f, " for groups of at least {}", self.minimum)?;
        if !self.dimensions.is_empty() {
            write!(
                f,
                " by {}",
                joined(self.dimensions.iter().map(short), " and ")
            )?;
        }
        Ok(())
    }
}

impl Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Delay { property, period }) = &self.delay {
            write!(f, ", {period} after it is recorded by {}", short(property))?;
        }
        if !self.steps.is_empty() {
            write!(f, ", with {}", joined(self.steps.iter(), ", then "))?;
        }
        Ok(())
    }
}

impl Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.part, &self.about) {
            (Part::Values(properties), _) if properties.is_empty() => f.write_str("all values")?,
            (Part::Values(properties), _) => {
                let properties = joined(properties.iter().map(short), " and ");
                write!(f, "values of {properties}")?;
            }
            (Part::Instances(class), _) => write!(f, "instances of {}", short(class))?,
            (Part::Nodes(_), Some(about)) => write!(f, "nodes {about}")?,
            (Part::Nodes(nodes), None) => write!(f, "nodes of the pattern {}", nodes.text())?,
        }
        let Change::Fixed(function) = &self.change else {
            return f.write_str(" replaced by pseudonyms");
        };
        match function {
            Function::Mask(text) => write!(f, " masked as {text:?}"),
            Function::Pseudonymise { .. } => f.write_str(" replaced by pseudonyms"),
            Function::Round(multiple) => write!(f, " rounded to multiples of {multiple}"),
            Function::Truncate(unit) => {
                let unit = match unit {
                    TimeUnit::Year => "year",
                    TimeUnit::Month => "month",
                    TimeUnit::Day => "day",
                    TimeUnit::Hour => "hour",
                };
                write!(f, " cut to the {unit}")
            }
            Function::Generalise(side) => {
                write!(f, " moved to the centre of grid cells with sides of {side}")
            }
            Function::Suppress => f.write_str(" left out"),
            Function::SuppressBelow(minimum) => {
                write!(f, " left out where fewer than {minimum} share them")
            }
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

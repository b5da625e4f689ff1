//! Rules in plain words, for the person who publishes them.

use super::duty::{Deadline, Duty, Phase};
use super::operand::{Claim, Clock, Period};
use super::party::Party;
use super::treatment::{Change, Delay, Figures, Transform, Treatment};
use super::{Comparison, Constraint, Membership, Moment, Rule, RuleKind, Target};
use crate::guard::{
    End, Function, GraphNameKey, Measure, MeasureKind, Part, Recorded, Selector, Statistic, Step,
    TimeUnit, Transformed,
};
use oxrdf::{NamedNode, NamedNodeRef};
use std::fmt::{self, Display};
use twinlink_vocab::{dpv, odrl, sector_infra, tl};

impl Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.assignees.is_empty() {
            f.write_str("anyone")?;
        } else {
            write!(f, "{}", joined(self.assignees.iter(), " or "))?;
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
        if let Some(length) = self.break_glass {
            write!(f, ", by breaking the glass for {length}")?;
        }
        let when = match self.kind {
            RuleKind::Permission => "and must",
            RuleKind::Prohibition => "and who does all the same must",
        };
        for duty in &self.duties {
            write!(f, ", {when} {duty}")?;
        }
        if self.never_overridden {
            f.write_str(", also if the glass is broken")?;
        }
        Ok(())
    }
}

impl Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Collection(collection) = self else {
            return write!(f, "{}", joined(self.members().iter().map(short), ""));
        };
        match &collection.name {
            Some(name) => write!(f, "those of {}", short(name))?,
            None => write!(
                f,
                "{}",
                joined(collection.members.iter().map(short), " or ")
            )?,
        }
        if !collection.refinements.is_empty() {
            write!(
                f,
                " of whom {}",
                joined(collection.refinements.iter(), " and ")
            )?;
        }
        Ok(())
    }
}

impl Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.phase {
            Phase::Before => "before",
            Phase::After => "after",
        };
        write!(f, "{} {when} it", short(&self.action))?;
        if !self.constraints.is_empty() {
            write!(f, ", when {}", joined(self.constraints.iter(), " and "))?;
        }
        for deadline in &self.deadlines {
            match deadline {
                Deadline::At(at) => write!(f, ", by {at}")?,
                Deadline::After(length) => write!(f, ", within {length}")?,
            }
        }
        if !self.towards.is_empty() {
            write!(
                f,
                ", towards {}",
                joined(self.towards.iter().map(short), " and ")
            )?;
        }
        if !self.consequences.is_empty() {
            write!(f, ", or else {}", joined(self.consequences.iter(), " and "))?;
        }
        Ok(())
    }
}

impl Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = short(&self.operator.name().into_owned());
        let right = self.right.iter().map(|operand| operand.term.to_string());
        write!(f, "{} {operator} {}", short(&self.left), joined(right, " "))?;
        let status = self.status.iter().map(|operand| operand.term.to_string());
        match self.status.is_empty() {
            true => Ok(()),
            false => write!(
                f,
                " (it is {} unless the caller says)",
                joined(status, " and ")
            ),
        }
    }
}

impl Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.clock {
            Clock::SinceFirst => f.write_str("the time since the first use"),
            Clock::SinceLast => f.write_str("the time since the last use"),
            Clock::Metered => f.write_str("the time that all uses took"),
            Clock::SinceInstant(start) => write!(f, "the time since {start}"),
            Clock::SinceEvent(event) => write!(f, "the time since {} began", short(event)),
        }?;
        write!(f, " is {} {}", relation(self.comparison), self.length)
    }
}

/// How two quantities compare.
fn relation(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "exactly",
        Comparison::NotEqual => "not",
        Comparison::Less => "less than",
        Comparison::LessOrEqual => "at most",
        Comparison::Greater => "more than",
        Comparison::GreaterOrEqual => "at least",
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
        told(f, self.measure.as_ref(), self.minimum, &self.dimensions)
    }
}

/// What is told in numbers.
fn told(
    f: &mut fmt::Formatter<'_>,
    measure: Option<&Measure>,
    minimum: u32,
    dimensions: &[NamedNode],
) -> fmt::Result {
    f.write_str("numbers")?;
    if let Some(Measure { property, kind }) = measure {
        let kind = match kind {
            MeasureKind::Sum => "sums",
            MeasureKind::Average => "averages",
        };
        write!(f, " and {kind} of {}", short(property))?;
    }
    write!(f, " for groups of at least {minimum}")?;
    if !dimensions.is_empty() {
        let dimensions = joined(dimensions.iter().map(short), " and ");
        write!(f, " by {dimensions}")?;
    }
    Ok(())
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
        match &self.about {
            Some(about) => write!(f, "nodes {about}")?,
            None => self.part.fmt(f)?,
        }
        match &self.change {
            Change::Fixed(function) => function.fmt(f),
            Change::Pseudonymise => f.write_str(" replaced by pseudonyms"),
        }
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.part, self.function)
    }
}

impl Display for Transformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = joined(self.steps.iter(), ", then ");
        write!(f, "{}, with {steps}", whole_or(&self.selector))
    }
}

impl Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            selector,
            dimensions,
            measure,
            minimum,
        } = self;
        told(f, measure.as_ref(), *minimum, dimensions)?;
        write!(f, " from {}, as {name}", whole_or(selector))
    }
}

/// Without conditions a selector is all there is.
fn whole_or(selector: &Selector) -> String {
    match *selector == Selector::default() {
        true => "everything".to_owned(),
        false => selector.to_string(),
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(properties) if properties.is_empty() => f.write_str("all values"),
            Self::Values(properties) => {
                let properties = joined(properties.iter().map(short), " and ");
                write!(f, "values of {properties}")
            }
            Self::Instances(class) => write!(f, "instances of {}", short(class)),
            Self::Nodes(nodes) => write!(f, "nodes of the pattern {}", nodes.text()),
        }
    }
}

impl Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask(text) => write!(f, " masked as {text:?}"),
            Self::Pseudonymise { recipient, purpose } => {
                write!(f, " replaced by pseudonyms for {}", short(recipient))?;
                match purpose {
                    Some(purpose) => write!(f, " and {}", short(purpose)),
                    None => f.write_str(" without purpose"),
                }
            }
            Self::Round(multiple) => write!(f, " rounded to multiples of {multiple}"),
            Self::Truncate(unit) => {
                let unit = match unit {
                    TimeUnit::Year => "year",
                    TimeUnit::Month => "month",
                    TimeUnit::Day => "day",
                    TimeUnit::Hour => "hour",
                };
                write!(f, " cut to the {unit}")
            }
            Self::Generalise(side) => {
                write!(f, " moved to the centre of grid cells with sides of {side}")
            }
            Self::Suppress => f.write_str(" left out"),
            Self::SuppressBelow(minimum) => {
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
            Self::Claim(claim) => return claim.fmt(f),
            Self::Event(comparison, events) => {
                let when = match comparison {
                    Comparison::Equal => "during",
                    Comparison::NotEqual => "not during",
                    Comparison::Less => "before",
                    Comparison::LessOrEqual => "before or during",
                    Comparison::Greater => "after",
                    Comparison::GreaterOrEqual => "during or after",
                };
                let events = joined(events.iter().map(short), " or ");
                return write!(f, "it is {when} {events}");
            }
            Self::Count(comparison, limit) => {
                return write!(f, "the uses are {} {limit}", relation(*comparison));
            }
            Self::Period(period) => return period.fmt(f),
            Self::Sequence(parts) => ("one after the other", parts),
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

//! How an answer is come by, as a connector tells it.

use crate::Error;
use crate::error::clean;
use crate::outcome::node;
use oxrdf::NamedNode;
use std::time::Duration;
use twinlink_proto::v1;

/// What to tell in place of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// What would be done, fetching nothing.
    Plan,
    /// What was done; the rows are counted and thrown away.
    Analyze,
}

/// How an answer is come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it was done, not only planned.
    pub is_run: bool,
    /// Every source, the connector itself first.
    pub choices: Vec<Choice>,
    /// What is done, in the order in which it ended.
    pub steps: Vec<Step>,
    /// Whether there were more steps than are told.
    pub is_cut: bool,
}

/// Whether a source is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Whose twin.
    pub participant: NamedNode,
    /// Whether anything of the answer is asked of it.
    pub is_asked: bool,
    /// Why.
    pub why: String,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What kind of step: `summary`, `probe`, `plan`, `fetch`, `whole`, `service` or `evaluate`.
    pub kind: String,
    /// The sources that it asks.
    pub at: Vec<NamedNode>,
    /// Patterns, or a query.
    pub what: String,
    /// How many rows were expected at most.
    pub estimate: Option<u64>,
    /// How many came.
    pub rows: Option<u64>,
    /// Requests to other sources.
    pub requests: u64,
    /// Bytes of the terms that came from them.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// What the sources do themselves: `question`, `joins`, `first rows`, `distinct rows`, `groups` or `aggregates`.
    pub pushed: Option<String>,
    /// Between which sources values learnt before may go along.
    pub directions: Vec<Direction>,
    /// Whether rows leave while others still come.
    pub is_streamed: bool,
    /// What else there is to say.
    pub word: String,
}

/// Whether values learnt from one source may be sent to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direction {
    /// Who gave them.
    pub from: NamedNode,
    /// Who is asked with them.
    pub to: NamedNode,
    /// Whether the first one's policies let the second be told.
    pub is_permitted: bool,
}

impl From<Explain> for v1::Explain {
    fn from(explain: Explain) -> Self {
        match explain {
            Explain::Plan => Self::Plan,
            Explain::Analyze => Self::Analyze,
        }
    }
}

impl TryFrom<v1::Explanation> for Explanation {
    type Error = Error;

    fn try_from(told: v1::Explanation) -> Result<Self, Error> {
        let choices = told.choices.into_iter().map(|choice| {
            Ok(Choice {
                participant: node(choice.participant)?,
                is_asked: choice.is_asked,
                why: clean(&choice.why),
            })
        });
        Ok(Self {
            is_run: told.is_run,
            choices: choices.collect::<Result<_, Error>>()?,
            steps: told
                .steps
                .into_iter()
                .map(Step::try_from)
                .collect::<Result<_, _>>()?,
            is_cut: told.is_cut,
        })
    }
}

impl TryFrom<v1::ExplanationStep> for Step {
    type Error = Error;

    fn try_from(step: v1::ExplanationStep) -> Result<Self, Error> {
        let elapsed = step.elapsed.unwrap_or_default();
        let elapsed = elapsed.try_into();
        Ok(Self {
            kind: clean(&step.kind),
            at: step.at.into_iter().map(node).collect::<Result<_, _>>()?,
            what: clean(&step.what),
            estimate: step.estimate,
            rows: step.rows,
            requests: step.requests,
            bytes: step.bytes,
            elapsed: elapsed.map_err(|_| Error::nonsense("a step of negative duration"))?,
            pushed: (!step.pushed.is_empty()).then(|| clean(&step.pushed)),
            directions: step
                .directions
                .into_iter()
                .map(Direction::try_from)
                .collect::<Result<_, _>>()?,
            is_streamed: step.is_streamed,
            word: clean(&step.word),
        })
    }
}

impl TryFrom<v1::ExplanationDirection> for Direction {
    type Error = Error;

    fn try_from(direction: v1::ExplanationDirection) -> Result<Self, Error> {
        Ok(Self {
            from: node(direction.from)?,
            to: node(direction.to)?,
            is_permitted: direction.is_permitted,
        })
    }
}

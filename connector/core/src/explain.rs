//! How an answer would be come by, or was: for those who ask for that in place of the rows.

use crate::{Head, Piece, Refusal, Sink};
use oxrdf::NamedNode;
use std::fmt;
use std::time::Duration;

/// The most steps that are told one by one.
const STEPS: usize = 500;

/// The most directions of values of one step.
const DIRECTIONS: usize = 100;

/// The longest text of one step, in bytes.
const TEXT: usize = 2_000;

/// What to tell in place of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// What would be done. Members are asked what they can contribute, and nothing is fetched.
    Plan,
    /// What was done: the question is answered, and its rows are counted and thrown away.
    Analyze,
}

/// How an answer is come by. Rests on what the caller may see, and on nothing else.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explanation {
    /// Whether it was done, not only planned.
    pub is_run: bool,
    /// Every source, ourselves first.
    pub choices: Vec<Choice>,
    /// What is done, in the order in which it begins.
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
    /// Why, in plain words.
    pub why: String,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What kind of step.
    pub kind: StepKind,
    /// The sources that it asks; none where it asks nobody.
    pub at: Vec<NamedNode>,
    /// What it asks: patterns, or a query.
    pub what: String,
    /// How many rows were expected at most, where summaries tell.
    pub estimate: Option<u64>,
    /// How many came; none where it was only planned.
    pub rows: Option<u64>,
    /// Requests to other sources.
    pub requests: u64,
    /// Bytes of the terms that came from other sources.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// What the sources do themselves, beside matching patterns.
    pub pushed: Option<Pushed>,
    /// Between which sources values learnt before may go along with it.
    pub directions: Vec<Direction>,
    /// Whether rows leave while others still come.
    pub is_streamed: bool,
    /// What else there is to say, such as why it is done so, or what became of it.
    pub word: String,
}

/// What a source does of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// All of it.
    Question,
    /// The joins of all that it can contribute, in one request.
    Joins,
    /// Its first solutions.
    FirstRows,
    /// Its rows that differ.
    DistinctRows,
    /// Its groups: none of them is of another source too.
    Groups,
    /// What its solutions add up to: none of them is of another source too.
    Aggregates,
}

/// Whether values learnt from one source may be sent to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direction {
    /// Who gave them.
    pub from: NamedNode,
    /// Who is to be asked with them.
    pub to: NamedNode,
    /// Whether the first one's policies, as they are for this caller, let the second be told.
    pub is_permitted: bool,
}

impl Pushed {
    /// The word for the reader, as the wire has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Joins => "joins",
            Self::FirstRows => "first rows",
            Self::DistinctRows => "distinct rows",
            Self::Groups => "groups",
            Self::Aggregates => "aggregates",
        }
    }
}

/// What is done in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Learns from a source's summary what it can contribute.
    Summary,
    /// Asks a source what it can contribute.
    Probe,
    /// Decides what is asked of whom, or finds what was decided before.
    Plan,
    /// Fetches what patterns match.
    Fetch,
    /// Asks one source the whole question.
    Whole,
    /// Asks an endpoint that the question names.
    Service,
    /// Evaluates the question over this twin, or over what was fetched.
    Evaluate,
}

impl StepKind {
    /// The word for the reader, as the wire has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Probe => "probe",
            Self::Plan => "plan",
            Self::Fetch => "fetch",
            Self::Whole => "whole",
            Self::Service => "service",
            Self::Evaluate => "evaluate",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Explanation {
    /// Adds a step, if there is room.
    pub fn push(&mut self, mut step: Step) {
        if self.steps.len() >= STEPS {
            self.is_cut = true;
            return;
        }
        self.is_cut |= step.directions.len() > DIRECTIONS;
        step.directions.truncate(DIRECTIONS);
        if step.what.len() > TEXT {
            let mut end = TEXT;
            while !step.what.is_char_boundary(end) {
                end -= 1;
            }
            step.what.truncate(end);
            step.what.push_str(" ...");
        }
        self.steps.push(step);
    }
}

impl Step {
    /// A step that asks nobody and says nothing yet.
    pub fn new(kind: StepKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            at: Vec::new(),
            what: what.into(),
            estimate: None,
            rows: None,
            requests: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            pushed: None,
            directions: Vec::new(),
            is_streamed: false,
            word: String::new(),
        }
    }
}

/// Takes rows and keeps none.
pub(crate) struct Discard;

impl Discard {
    /// The head of an answer that is explained in place of being given.
    pub(crate) fn head() -> Piece {
        Piece::Head(Head::Solutions(Vec::new()))
    }
}

impl Sink for Discard {
    fn put(&mut self, _: Piece) -> Result<(), Refusal> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_are_bounded() {
        let mut told = Explanation::default();
        for _ in 0..STEPS + 5 {
            told.push(Step::new(StepKind::Fetch, "ü".repeat(TEXT)));
        }
        assert!(told.is_cut);
        assert_eq!(told.steps.len(), STEPS);
        assert!(told.steps.iter().all(|step| step.what.len() <= TEXT + 4));
    }
}

//! What must come of a question, and in what an answer differs from that.

use super::organisation::{CONNECTORS, Organisation};
use super::play::Answered;
use oxrdf::Term;
use twinlink_client::{Error, SourceState};

/// The rows that each caller gets of each question when every organisation answers. `examples/tests/helsinki.rs` finds the
/// same by deleting what the policies withhold and asking one store.
const TABLE: &str = include_str!("../../../../examples/helsinki/expected.csv");

/// What must come of a question.
#[derive(Debug, Clone)]
pub(super) enum Expectation {
    /// The token is not believed: no answer, and no word on what there is.
    Refused,
    /// An answer.
    Answer(Expected),
}

/// What an answer must be.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// How many rows.
    pub(super) rows: u64,
    /// The sources that do not give all, and why. All others must have answered whole.
    pub(super) missing: &'static [(Organisation, SourceState)],
    /// Whether the answer must say that rows may be wrong.
    pub(super) unsure: bool,
    /// Values that no source could evaluate.
    pub(super) not_evaluable: u64,
    /// What must be in the rows.
    pub(super) cells: &'static [Cells],
}

/// What must be in a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cells {
    /// The first row has this value.
    First(&'static str, &'static str),
    /// So many rows have a value.
    Bound(&'static str, usize),
}

impl Expected {
    /// All answer, and the rows are as many as the table says. None where the table has no such line.
    pub(super) fn of(question: &str, caller: &str) -> Option<Self> {
        let rows = TABLE.lines().find_map(|line| {
            let rest = line.strip_prefix(question)?.strip_prefix(',')?;
            rest.strip_prefix(caller)?.strip_prefix(',')?.parse().ok()
        })?;
        Some(Self {
            rows,
            ..Self::default()
        })
    }

    /// These sources do not give all.
    pub(super) fn missing(self, missing: &'static [(Organisation, SourceState)]) -> Self {
        Self { missing, ..self }
    }

    /// The answer says that rows may be wrong.
    pub(super) fn unsure(self) -> Self {
        Self {
            unsure: true,
            ..self
        }
    }

    /// The rows hold this.
    pub(super) fn cells(self, cells: &'static [Cells]) -> Self {
        Self { cells, ..self }
    }
}

impl Expectation {
    /// Each difference in words; none where all is as expected.
    pub(super) fn differences(&self, result: &Result<Answered, Error>) -> Vec<String> {
        match (self, result) {
            (Self::Refused, Ok(answer)) => vec![format!(
                "expected to be refused, got {} rows",
                answer.outcome.rows
            )],
            (Self::Refused, Err(Error::Unauthenticated(text))) => telling(text),
            (Self::Refused, Err(error)) => {
                vec![format!("expected to be refused, but: {error}")]
            }
            (Self::Answer(_), Err(error)) => vec![format!("expected an answer, but: {error}")],
            (Self::Answer(expected), Ok(answer)) => expected.differences(answer),
        }
    }
}

impl Expected {
    fn differences(&self, answer: &Answered) -> Vec<String> {
        let outcome = &answer.outcome;
        let mut found = Vec::new();
        let mut expect = |what: &str, expected: &dyn ToString, got: &dyn ToString| {
            let (expected, got) = (expected.to_string(), got.to_string());
            if expected != got {
                found.push(format!("expected {what} {expected}, got {got}"));
            }
        };
        expect("rows", &self.rows, &outcome.rows);
        expect("complete", &self.missing.is_empty(), &outcome.complete);
        expect("unsure", &self.unsure, &!outcome.unsure.is_empty());
        let not_evaluable: u64 = outcome.sources.iter().map(|s| s.not_evaluable).sum();
        expect("not evaluable", &self.not_evaluable, &not_evaluable);
        expect("sources", &CONNECTORS.len(), &outcome.sources.len());
        expect("a receipt", &true, &!outcome.receipt.is_empty());
        for organisation in CONNECTORS {
            let source = outcome
                .sources
                .iter()
                .find(|source| source.participant == organisation.participant());
            let got = source.map_or("absent", |source| source.state.as_str());
            match self
                .missing
                .iter()
                .find(|(which, _)| *which == organisation)
            {
                Some((_, state)) => expect(organisation.name(), &state, &got),
                None if source.is_none_or(|source| !source.state.is_settled()) => {
                    expect(organisation.name(), &"complete or empty", &got);
                }
                None => {}
            }
            if source.is_some_and(|source| source.rows > 0 && source.policies.is_empty()) {
                expect(organisation.name(), &"to name its policy", &"none");
            }
        }
        for cells in self.cells {
            match cells {
                Cells::First(column, value) => {
                    let got = answer.column(column).next().flatten().map(text);
                    expect(&format!("?{column}"), value, &got.unwrap_or_default());
                }
                Cells::Bound(column, count) => {
                    let got = answer.column(column).flatten().count();
                    expect(&format!("values of ?{column}"), count, &got);
                }
            }
        }
        found
    }
}

/// A refusal that says what it could not believe would help to guess.
fn telling(refusal: &str) -> Vec<String> {
    let words = ["role", "purpose", "police", "rescue", "graph"];
    let told = words
        .into_iter()
        .filter(|word| refusal.to_lowercase().contains(word))
        .map(|word| format!("expected a refusal that names nothing, it names a {word}"));
    told.collect()
}

fn text(term: &Term) -> String {
    match term {
        Term::Literal(literal) => literal.value().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_by_question_and_caller() {
        let rows = |question, caller| Expected::of(question, caller).map(|expected| expected.rows);
        assert_eq!(rows("2-homes", "rescue officer"), Some(66));
        assert_eq!(rows("2-homes", "outsider"), Some(0));
        assert_eq!(rows("2-homes", "nobody"), None);
        assert_eq!(rows("2", "outsider"), None);
    }

    #[test]
    fn another_kind_of_result_is_a_difference() {
        let refused = Err(Error::Unauthenticated("authentication failed".to_owned()));
        assert!(Expectation::Refused.differences(&refused).is_empty());
        let expected = Expectation::Answer(Expected::default());
        assert_eq!(expected.differences(&refused).len(), 1);
        let tells = Err(Error::Unauthenticated("no such Role".to_owned()));
        assert_eq!(Expectation::Refused.differences(&tells).len(), 1);
        assert_eq!(
            Expectation::Refused
                .differences(&Err(Error::TimedOut))
                .len(),
            1
        );
    }
}

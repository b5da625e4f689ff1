//! An answer of a peer that is read as it comes.

use super::{Rows, SubAnswer, Unanswered};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use twinlink_core::{Head, SourceStatus};

/// Rows of one part, where an answer came as a whole.
const PART: usize = 512;

/// An answer of which the head is known. Dropping it tells the peer to stop.
pub struct Opened {
    /// Its form.
    pub head: Head,
    /// What follows: rows, and at last, once, [`Part::End`]. Nothing is read from the peer but when it is asked for.
    /// Where it fails, its rows so far stand for [`Unanswered::Broken`], which brings none of its own;
    /// [`Unanswered::NotEvaluable`] says that they are not to be believed.
    pub parts: BoxStream<'static, Result<Part, Unanswered>>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Some rows.
    Rows(Rows),
    /// What the peer says of itself.
    End(Box<SourceStatus>),
}

impl Opened {
    /// An answer that came as a whole, or began and did not end.
    ///
    /// # Errors
    /// That of the answer, where nothing of it came.
    pub fn of(answer: Result<SubAnswer, Unanswered>) -> Result<Self, Unanswered> {
        let (head, rows, end) = match answer {
            Ok(answer) => (
                answer.head,
                answer.rows,
                Ok(Part::End(Box::new(answer.status))),
            ),
            Err(Unanswered::Broken {
                reason,
                head: Some(head),
                rows,
            }) => {
                let broken = Unanswered::Broken {
                    reason,
                    head: None,
                    rows: Rows::default(),
                };
                (head, rows, Err(broken))
            }
            Err(why) => return Err(why),
        };
        let parts = in_parts(rows).chain(std::iter::once(end));
        Ok(Self {
            head,
            parts: stream::iter(parts.collect::<Vec<_>>()).boxed(),
        })
    }
}

fn in_parts(rows: Rows) -> impl Iterator<Item = Result<Part, Unanswered>> {
    let (mut solutions, mut triples) = (rows.solutions.into_iter(), rows.triples.into_iter());
    std::iter::from_fn(move || {
        let rows = Rows {
            solutions: solutions.by_ref().take(PART).collect(),
            triples: triples.by_ref().take(PART).collect(),
        };
        let is_none = rows.solutions.is_empty() && rows.triples.is_empty();
        (!is_none).then_some(Ok(Part::Rows(rows)))
    })
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

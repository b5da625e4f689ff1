//! An answer on its way: rows as they come, and the outcome that makes it whole.

use crate::batch::unpack;
use crate::client::within;
use crate::outcome::Outcome;
use crate::{Error, Row};
use oxrdf::Variable;
use tokio::time::Instant;
use tonic::codec::Streaming;
use twinlink_proto::v1::{self, query_response::Part};

/// What kind of answer comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// Rows over these variables.
    Solutions(Vec<Variable>),
    /// Triples: each row makes one.
    Graph,
    /// One truth value, and no rows.
    Boolean(bool),
}

/// An answer of which the head is known. The deadline of the call holds for all of it.
///
/// Dropping it tells the server to stop.
#[derive(Debug)]
pub struct Answer {
    head: Head,
    deadline: Instant,
    rows: u64,
    bytes: u64,
    sources: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Box<Streaming<v1::QueryResponse>>),
    Ended(Outcome),
    Failed,
}

impl Answer {
    /// Waits for the head.
    pub(crate) async fn open(
        mut stream: Streaming<v1::QueryResponse>,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let head = match part(&mut stream, deadline).await? {
            Some(Part::Head(head)) => decode_head(head)?,
            Some(_) => return Err(Error::nonsense("an answer that does not start with a head")),
            None => return Err(Error::Broken("it ended before its head".to_owned())),
        };
        Ok(Self {
            rows: u64::from(matches!(head, Head::Boolean(_))),
            head,
            deadline,
            bytes: 0,
            sources: 0,
            state: State::Open(Box::new(stream)),
        })
    }

    /// What kind of answer comes.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// About how many bytes of memory the rows took that came so far, for callers that keep them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next rows; `None` when all are out, and then [`Answer::outcome`] tells how the answer came about.
    ///
    /// # Errors
    /// What the server refused, or broke, in the middle: what came before is not the whole answer.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, Error> {
        match self.advance().await {
            Ok(rows) => Ok(rows),
            Err(error) => {
                self.state = State::Failed;
                Err(error)
            }
        }
    }

    /// The end of the answer. Drains what was not read.
    ///
    /// # Errors
    /// As [`Answer::next`]. An answer without an outcome is [`Error::Broken`].
    pub async fn outcome(mut self) -> Result<Outcome, Error> {
        while self.next().await?.is_some() {}
        match self.state {
            State::Ended(outcome) => Ok(outcome),
            State::Open(_) | State::Failed => Err(broken()),
        }
    }

    async fn advance(&mut self) -> Result<Option<Vec<Row>>, Error> {
        let stream = match &mut self.state {
            State::Open(stream) => stream,
            State::Ended(_) => return Ok(None),
            State::Failed => return Err(broken()),
        };
        match part(stream, self.deadline).await? {
            Some(Part::Batch(batch)) => {
                let (rows, bytes) = decode_rows(batch, &self.head)?;
                self.bytes += bytes as u64;
                self.rows += rows.len() as u64;
                let highest = rows.iter().flat_map(|row| row.sources.iter()).max();
                self.sources = self
                    .sources
                    .max(highest.map_or(0, |highest| usize::from(*highest) + 1));
                Ok(Some(rows))
            }
            Some(Part::Outcome(outcome)) => {
                let outcome = Outcome::try_from(outcome)?;
                if outcome.rows != self.rows {
                    return Err(Error::nonsense(format_args!(
                        "an outcome of {} rows after {}",
                        outcome.rows, self.rows
                    )));
                }
                if self.sources > outcome.sources.len() {
                    return Err(Error::nonsense("rows of a source that the outcome lacks"));
                }
                // Only the status after the last message says that the call went well.
                if part(stream, self.deadline).await?.is_some() {
                    return Err(Error::nonsense("a message after the outcome"));
                }
                self.state = State::Ended(outcome);
                Ok(None)
            }
            Some(Part::Head(_)) => Err(Error::nonsense("a second head")),
            None => Err(Error::Broken("it ended before its outcome".to_owned())),
        }
    }
}

fn broken() -> Error {
    Error::Broken("it failed before".to_owned())
}

async fn part(
    stream: &mut Streaming<v1::QueryResponse>,
    deadline: Instant,
) -> Result<Option<Part>, Error> {
    match within(deadline, async { Ok(stream.message().await?) }).await? {
        None => Ok(None),
        Some(v1::QueryResponse { part: Some(part) }) => Ok(Some(part)),
        Some(v1::QueryResponse { part: None }) => Err(Error::nonsense("an empty message")),
    }
}

fn decode_head(head: v1::Head) -> Result<Head, Error> {
    match head.kind {
        Some(v1::head::Kind::Variables(variables)) => variables
            .names
            .into_iter()
            .map(|name| {
                Variable::new(name.as_str())
                    .map_err(|_| Error::nonsense(format_args!("`{name}` as a variable")))
            })
            .collect::<Result<_, _>>()
            .map(Head::Solutions),
        Some(v1::head::Kind::Graph(v1::Graph {})) => Ok(Head::Graph),
        Some(v1::head::Kind::Boolean(value)) => Ok(Head::Boolean(value)),
        None => Err(Error::nonsense("a head without a kind")),
    }
}

fn decode_rows(batch: v1::Batch, head: &Head) -> Result<(Vec<Row>, usize), Error> {
    match head {
        Head::Solutions(variables) => unpack(batch, variables.len()),
        Head::Graph => {
            let (rows, bytes) = unpack(batch, 3)?;
            if rows.iter().all(Row::is_triple) {
                Ok((rows, bytes))
            } else {
                Err(Error::nonsense("a row that is no triple"))
            }
        }
        Head::Boolean(_) => Err(Error::nonsense("rows after a truth value")),
    }
}

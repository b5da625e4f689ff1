//! What can go wrong between us and a connector.

use crate::SourceStatus;
use std::error::Error as _;
use tonic::{Code, Status, TimeoutExpired};
use twinlink_proto::{MALFORMED, Message as _, OUTCOME, v1};

/// The longest text of a server that we repeat, in characters.
const REPEATED: usize = 1000;

/// Why a call gave no whole answer. Texts that came from the server are cut and free of control characters.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's own configuration cannot work.
    #[error("the client is not set up rightly: {0}")]
    Configuration(String),
    /// There is no token to send.
    #[error("no access token: {0}")]
    Token(String),
    /// No connection, or it was lost before an answer began.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Something answered, but it did not prove to be the connector that was meant.
    #[error("not the expected connector: {0}")]
    Impostor(String),
    /// The deadline passed.
    #[error("timed out")]
    TimedOut,
    /// The server does not know who asks.
    #[error("not authenticated: {0}")]
    Unauthenticated(String),
    /// The server knows who asks and does not permit it.
    #[error("denied: {0}")]
    Denied(String),
    /// There is no such thing, or we may not know that there is.
    #[error("not found: {0}")]
    NotFound(String),
    /// The request is malformed or asks for what the server does not do.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// The request contradicts the present state.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Nothing was sent: the server asked to be left alone, or may be asked only so often.
    #[error("not sent: {0}")]
    NotSent(String),
    /// A limit of the server was reached.
    #[error("limit reached: {0}")]
    Exhausted(String),
    /// The server answers, but cannot do this now.
    #[error("not available now: {0}")]
    Unavailable(String),
    /// Sources that we require did not give all there is.
    #[error("not enough sources: {text}")]
    Insufficient {
        /// The server's word.
        text: String,
        /// What became of each source.
        sources: Vec<SourceStatus>,
    },
    /// A fault of the server.
    #[error("the server failed: {0}")]
    Failed(String),
    /// The answer ended before its outcome: what came is not the whole answer.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The server sent what no honest connector sends.
    #[error("the server sent nonsense: {0}")]
    Nonsense(String),
    /// The source of the data to import failed.
    #[error("cannot read what is to be imported: {0}")]
    Source(#[source] std::io::Error),
}

/// Why there is no connection. Travels through tonic as the source of a status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectFailure {
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Impostor(String),
    #[error("no connection in time")]
    TimedOut,
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        if let Some(failure) = cause::<ConnectFailure>(&status) {
            return failure.into();
        }
        let text = clean(status.message());
        // Statuses that a connector sends carry details; those that tonic makes of a bad message or a lost connection
        // do not.
        let local = status.details().is_empty();
        match status.code() {
            Code::Unauthenticated => Self::Unauthenticated(text),
            Code::PermissionDenied => Self::Denied(text),
            Code::NotFound => Self::NotFound(text),
            Code::DeadlineExceeded => Self::TimedOut,
            Code::Unavailable if local => Self::Broken(text),
            Code::Unavailable => match sources(&status) {
                Some(sources) => Self::Insufficient { text, sources },
                None => Self::Unavailable(text),
            },
            // tonic has its own clock, set to the same deadline as ours.
            Code::Cancelled if cause::<TimeoutExpired>(&status).is_some() => Self::TimedOut,
            Code::Cancelled => Self::Broken(text),
            Code::Aborted | Code::AlreadyExists | Code::FailedPrecondition => Self::Conflict(text),
            Code::ResourceExhausted => Self::Exhausted(text),
            Code::InvalidArgument if local && text.starts_with(MALFORMED) => Self::Nonsense(text),
            Code::InvalidArgument | Code::Unimplemented => Self::Invalid(text),
            Code::OutOfRange if local => Self::Nonsense(text),
            Code::OutOfRange => Self::Invalid(text),
            Code::Internal | Code::Unknown | Code::DataLoss | Code::Ok if local => {
                if status.source().is_some() {
                    Self::Broken(text)
                } else {
                    Self::Nonsense(text)
                }
            }
            Code::Internal | Code::Unknown | Code::DataLoss | Code::Ok => Self::Failed(text),
        }
    }
}

/// What became of the sources, where that is why there is no answer. A server that says it wrongly has not said it.
fn sources(status: &Status) -> Option<Vec<SourceStatus>> {
    let outcome = status.metadata().get_bin(OUTCOME)?.to_bytes().ok()?;
    let outcome = v1::Outcome::decode(outcome).ok()?;
    let sources = outcome.sources.into_iter().map(SourceStatus::try_from);
    sources.collect::<Result<_, _>>().ok()
}

impl From<tonic::transport::Error> for Error {
    fn from(error: tonic::transport::Error) -> Self {
        match cause::<ConnectFailure>(&error) {
            Some(failure) => failure.into(),
            None => Self::Unreachable(describe(&error)),
        }
    }
}

impl From<&ConnectFailure> for Error {
    fn from(failure: &ConnectFailure) -> Self {
        match failure {
            ConnectFailure::Unreachable(text) => Self::Unreachable(text.clone()),
            ConnectFailure::Impostor(text) => Self::Impostor(text.clone()),
            ConnectFailure::TimedOut => Self::Unreachable(failure.to_string()),
        }
    }
}

impl Error {
    /// What a server sent and no honest one sends.
    pub(crate) fn nonsense(what: impl std::fmt::Display) -> Self {
        Self::Nonsense(clean(&what.to_string()))
    }
}

/// Text of a stranger, made fit for one line of a terminal or log.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(REPEATED)
        .collect()
}

/// The first error of a type among an error and its causes.
fn cause<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error with its causes, on one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    clean(&text)
}

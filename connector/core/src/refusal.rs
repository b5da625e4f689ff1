//! Why a request was not answered: one closed set of codes, one text for our log, one for the peer.

use crate::SourceStatus;
use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

/// What kind of refusal: maps to one gRPC status and one HTTP status, in the doors' one status file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request is malformed or asks for what is not supported.
    Invalid,
    /// No valid proof of who asks.
    Unauthenticated,
    /// Known, but not permitted.
    Forbidden,
    /// There is no such thing, or the caller may not know that there is.
    NotFound,
    /// The request contradicts the present state.
    Conflict,
    /// A limit on rows, memory, size or concurrency was reached.
    Exhausted,
    /// The deadline passed.
    Timeout,
    /// Something this needs does not answer now; trying again may help.
    Unavailable,
    /// A fault of ours.
    Internal,
}

/// The check that fails where the disk takes no writes.
pub const DISK: &str = "store.disk";

/// A request that was not answered: which check failed, at which party, and why.
///
/// `Display` is for the operator's log. Only [`Refusal::public`] may go to a peer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{check} failed{}: {detail}", .party.as_ref().map_or(String::new(), |p| format!(" at {p}")))]
pub struct Refusal {
    code: Code,
    check: &'static str,
    party: Option<String>,
    // Without room to grow: a refusal is in most results.
    detail: Box<str>,
    public: Option<Box<str>>,
    /// Seconds.
    retry: Option<NonZeroU16>,
    is_recorded: bool,
    sources: Box<[SourceStatus]>,
}

impl Refusal {
    /// A refusal whose detail stays with us: the peer reads the code's general text.
    pub fn new(code: Code, check: &'static str, detail: impl fmt::Display) -> Self {
        Self {
            code,
            check,
            party: None,
            is_recorded: false,
            detail: one_line(&detail),
            public: None,
            retry: None,
            sources: Box::default(),
        }
    }

    /// A refusal whose detail is about the peer's own input, so the peer may read it.
    pub fn about_input(check: &'static str, detail: impl fmt::Display) -> Self {
        let detail = one_line(&detail);
        Self {
            code: Code::Invalid,
            check,
            party: None,
            is_recorded: false,
            public: Some(detail.clone()),
            retry: None,
            detail,
            sources: Box::default(),
        }
    }

    /// Says to the peer the same as to the operator. Only for texts that hold nothing of the twin.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.public = Some(self.detail.clone());
        self
    }

    /// Names the party at which the check failed, by participant id.
    #[must_use]
    pub fn at(mut self, party: impl Into<String>) -> Self {
        self.party = Some(party.into());
        self
    }

    /// Says what became of each source of the answer that there is not.
    #[must_use]
    pub fn over(mut self, sources: &[SourceStatus]) -> Self {
        self.sources = sources.into();
        self
    }

    /// What became of each source, where that is why there is no answer; empty elsewhere. The caller may read it.
    pub fn sources(&self) -> &[SourceStatus] {
        &self.sources
    }

    /// Says that it is in the log of use.
    #[must_use]
    pub(crate) fn recorded(mut self) -> Self {
        self.is_recorded = true;
        self
    }

    /// Whether it is in the log of use. One of a door is not, before the door puts it there.
    pub fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Says when to try again, in whole seconds: of a refusal that has nothing to do with what was asked.
    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> Self {
        let seconds = u16::try_from(time.as_secs()).unwrap_or(u16::MAX);
        self.retry = NonZeroU16::new(seconds.max(1));
        self
    }

    /// When trying the same again may help, where that is known.
    pub fn retry(&self) -> Option<Duration> {
        let seconds = self.retry?.get();
        Some(Duration::from_secs(seconds.into()))
    }

    /// The kind of refusal.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The check that failed, such as `token.exp` or `policy`.
    pub fn check(&self) -> &'static str {
        self.check
    }

    /// The party at which it failed, where that is not ourselves.
    pub fn party(&self) -> Option<&str> {
        self.party.as_deref()
    }

    /// What the peer may read.
    pub fn public(&self) -> &str {
        self.public.as_deref().unwrap_or(match self.code {
            Code::Invalid => "the request is not valid",
            Code::Unauthenticated => "authentication failed",
            Code::Forbidden => "not permitted",
            Code::NotFound => "not found",
            Code::Conflict => "the request conflicts with the present state",
            Code::Exhausted => "a limit was reached",
            Code::Timeout => "the deadline passed",
            Code::Unavailable => "not available now",
            Code::Internal => "internal error",
        })
    }
}

/// Nobody makes up a line of the log by what they ask for.
// INVARIANT(one_line_each): what a refusal says has no line breaks and no other control characters.
fn one_line(detail: &impl fmt::Display) -> Box<str> {
    let text = detail.to_string();
    match text.contains(char::is_control) {
        true => text.replace(char::is_control, " ").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each() {
        let text = "`x\n2026-11-20T12:00:00Z INFO all is well\u{1b}[31m` is none";
        let about = Refusal::about_input("query.form", text);
        let ours = Refusal::new(Code::Internal, "disk", text).open();
        for refusal in [about, ours] {
            for said in [refusal.to_string(), refusal.public().to_owned()] {
                assert!(said.contains("all is well"), "{said}");
                assert!(!said.contains(char::is_control), "{said:?}");
            }
        }
    }
}

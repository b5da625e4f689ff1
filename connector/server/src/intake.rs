//! RDF that came with a request, parsed on a worker for as long as its sender waits for it.

use std::io::{self, BufRead, Read};
use twinlink_core::{Budget, Code, Connector, Refusal, offload};

/// The most bytes that a parser is given at a time: the sender may be gone before the next ones.
const PIECE: usize = 64 * 1024;

/// Whether somebody still waits for what is parsed.
#[derive(Debug)]
pub(crate) struct Wanted(Budget);

/// Bytes that end in an error as soon as nobody waits for them.
struct Pieces<'a> {
    left: &'a [u8],
    wanted: &'a Wanted,
}

/// Runs a parser on a worker, within the deadline of a request; it ends early where the future is dropped.
///
/// # Errors
/// The job's own; [`Code::Exhausted`] where all threads are busy.
pub(crate) async fn parse<T: Send + 'static>(
    connector: &Connector,
    job: impl FnOnce(&Wanted) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let deadline = connector.clock.instant() + connector.limits.deadline;
    let budget = Budget::new(deadline, u64::MAX);
    let _abandoned = budget.cancel_on_drop();
    let wanted = Wanted(budget.clone());
    offload(connector, move || job(&wanted)).await
}

impl Wanted {
    /// # Errors
    /// [`Code::Timeout`] where nobody waits any more.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.0.is_cancelled() || self.0.left(std::time::Instant::now()).is_zero() {
            let detail = "the deadline passed before the body was parsed";
            return Err(Refusal::new(Code::Timeout, "deadline", detail));
        }
        Ok(())
    }

    /// What a parser reads from.
    pub(crate) fn reader<'a>(&'a self, bytes: &'a [u8]) -> impl BufRead + 'a {
        Pieces {
            left: bytes,
            wanted: self,
        }
    }
}

#[cfg(test)]
impl Wanted {
    /// For a minute.
    pub(crate) fn for_tests() -> Self {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        Self(Budget::new(deadline, u64::MAX))
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.wanted.check().map_err(io::Error::other)?;
        Ok(self.left.get(..PIECE).unwrap_or(self.left))
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.get(amount..).unwrap_or_default();
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn what_nobody_waits_for_is_not_read_on() {
        let budget = Budget::new(Instant::now() + Duration::from_secs(60), 1);
        let wanted = Wanted(budget.clone());
        let bytes = vec![7; 3 * PIECE + 5];
        let mut all = Vec::new();
        wanted.reader(&bytes).read_to_end(&mut all).unwrap();
        assert_eq!(all, bytes);
        let mut reader = wanted.reader(&bytes);
        assert_eq!(reader.fill_buf().unwrap().len(), PIECE);
        reader.consume(PIECE);
        budget.cancel();
        assert!(reader.fill_buf().is_err());
        assert_eq!(wanted.check().unwrap_err().code(), Code::Timeout);
        let late = Wanted(Budget::new(Instant::now(), 1));
        assert!(late.reader(&bytes).fill_buf().is_err());
    }
}

//! The log of use, off the disk while no connector runs, and by the connector while one does.

use crate::cli::{Console, Failure};
use crate::config::Config;
use crate::session::{Person, Session};
use crate::wire;
use futures::future::{BoxFuture, ready};
use indicatif::ProgressBar;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use twinlink_client::{Client, Error, LogReader};
use twinlink_core::{Code, Journal, Refusal};
use twinlink_store::{JournalFile, StoreError};
use twinlink_vocab::tl;

/// How long all of it may take to read.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The log.
pub(super) enum Opened {
    File(JournalFile),
    /// It goes on being written while it is read.
    Running(Box<Running>),
    /// There is no store yet: what others signed can be looked at all the same.
    None(StoreError),
}

impl Opened {
    pub(super) fn journal(&self) -> &dyn Journal {
        match self {
            Self::File(file) => file,
            Self::Running(running) => &**running,
            Self::None(_) => &Nothing,
        }
    }

    /// As [`Self::journal`], for what is about our own log alone.
    ///
    /// # Errors
    /// That there is none.
    pub(super) fn own(&self) -> Result<&dyn Journal, Failure> {
        match self {
            Self::None(error) => Err(error.clone().into()),
            _ => Ok(self.journal()),
        }
    }
}

/// Opens the log, to be read only.
///
/// # Errors
/// What is wrong with the store, or why the connector that has it does not let it be read.
pub(super) fn open(config: &Config) -> Result<Opened, Failure> {
    match JournalFile::open(&config.store) {
        Ok(file) => Ok(Opened::File(file)),
        Err(error @ StoreError::Absent(_)) => Ok(Opened::None(error)),
        Err(StoreError::InUse { .. }) => Ok(Opened::Running(Box::new(Running::connect(config)?))),
        Err(error) => Err(error.into()),
    }
}

/// The log of a connector that has never been used.
struct Nothing;

impl Journal for Nothing {
    fn append(&self, _: Vec<Vec<u8>>, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        let refusal = Refusal::new(Code::Conflict, "log", "it was opened to be read");
        Box::pin(ready(Err(refusal)))
    }

    fn read(&self, _: u64, _: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        Ok(Vec::new())
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(None)
    }
}

/// A log that shows how far whoever reads it has come. How long it is nobody knows before.
pub(super) struct Watched<'a> {
    journal: &'a dyn Journal,
    spinner: ProgressBar,
    /// What is done with what is read.
    work: Mutex<&'static str>,
}

impl<'a> Watched<'a> {
    pub(super) fn new(journal: &'a dyn Journal, console: &Console) -> Self {
        Self {
            journal,
            spinner: console.spinner("reading the log"),
            work: Mutex::new("reading the log"),
        }
    }

    /// Says what comes now.
    pub(super) fn begin(&self, work: &'static str) {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = work;
        self.spinner.set_message(work);
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}

impl Journal for Watched<'_> {
    fn append(
        &self,
        records: Vec<Vec<u8>>,
        seal: Vec<u8>,
    ) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        self.journal.append(records, seal)
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        self.journal.seal()
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        let read = self.journal.read(from, most)?;
        if let Some((last, _)) = read.last() {
            let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            self.spinner.set_message(format!("{work}: record {last}"));
        }
        Ok(read)
    }
}

/// The log of a connector that runs, as it was when it was first read.
pub(super) struct Running {
    runtime: Runtime,
    client: Client,
    reading: Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    /// What came after it is not read: to read is on record, and would never end.
    last: Option<u64>,
    open: Option<Open>,
}

struct Open {
    reader: LogReader,
    /// Where it goes on.
    next: u64,
    waiting: VecDeque<(u64, Vec<u8>)>,
}

impl Running {
    fn connect(config: &Config) -> Result<Self, Failure> {
        let runtime = wire::runtime()?;
        let steward = Person {
            subject: "audit".to_owned(),
            roles: vec![tl::STEWARD.into_owned()],
            purpose: None,
            claims: BTreeMap::new(),
        };
        let session = Session::open(config, None)?;
        let client = runtime.block_on(session.connect(steward))?;
        Ok(Self {
            runtime,
            client,
            reading: Mutex::default(),
        })
    }

    async fn read_on(
        &self,
        reading: &mut Reading,
        from: u64,
        most: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        if reading.last.is_some_and(|last| from > last) {
            return Ok(Vec::new());
        }
        if reading.open.as_ref().is_none_or(|open| open.next != from) {
            let limit = if most == 1 { 1 } else { 0 };
            let deadline = Instant::now() + PATIENCE;
            let reader = self.client.read_log(from, limit, deadline).await?;
            reading.last.get_or_insert(reader.last());
            reading.open = Some(Open {
                reader,
                next: from,
                waiting: VecDeque::new(),
            });
        }
        let (last, mut found) = (reading.last.unwrap_or_default(), Vec::new());
        let Some(open) = &mut reading.open else {
            return Ok(found);
        };
        while found.len() < most {
            match open.waiting.pop_front() {
                Some((sequence, _)) if sequence > last => break,
                Some(one) => found.push(one),
                None => match open.reader.next().await? {
                    Some(more) => open.waiting.extend(more),
                    None => break,
                },
            }
        }
        if let Some((sequence, _)) = found.last() {
            open.next = sequence.saturating_add(1);
        }
        Ok(found)
    }
}

impl Journal for Running {
    fn append(&self, _: Vec<Vec<u8>>, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        let detail = "the log of a connector that runs is written by it alone";
        Box::pin(ready(Err(Refusal::new(Code::Conflict, "log", detail))))
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self
            .runtime
            .block_on(self.read_on(&mut reading, from, most));
        read.map_err(|error| Refusal::new(Code::Unavailable, "log", error))
    }

    /// It goes on being written: no seal is of what was read.
    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(None)
    }
}

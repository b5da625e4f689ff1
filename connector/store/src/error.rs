//! What can go wrong in the store.

use std::path::PathBuf;
use twinlink_core::{Code, DISK, MemoryFull, Refusal};

/// Why the store could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the store open.
    #[error("the store {} is open in another process: stop that process, or give this one a store of its own", .0.display())]
    InUse(PathBuf),
    /// The file was written by another version of the program.
    #[error("the store {} has version {found}, this program reads version {known}: use the program that wrote it", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What the file says.
        found: u64,
        /// What this program knows.
        known: u64,
    },
    /// The directory or file cannot be opened, or is not a store.
    #[error("cannot open the store {}: {reason}", .path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// There is no store, and nothing of one.
    #[error("there is no store in {} yet: `twinlink import` and `twinlink serve` make it", .0.display())]
    Absent(PathBuf),
    /// There was a store, and what holds the twin and the log of use is gone.
    #[error(
        "the store {} has lost its log: {reason}; keep what is left for evidence in another place, and restore a backup (`twinlink \
         restore`): a new store would forget all use",
        .path.display()
    )]
    Lost {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The log holds what this program never writes.
    #[error("the log of changes is damaged at change {sequence}: {reason}")]
    Damaged {
        /// The change.
        sequence: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The log could not be read or written.
    #[error("the log of changes cannot be read or written: {0}")]
    Log(String),
    /// The ledger could not be read or written, or holds what this program never writes.
    #[error("the ledger of use cannot be read or written: {0}")]
    Ledger(String),
    /// A copy of the store could not be made, or is not what it should be.
    #[error("the backup cannot be made or read: {0}")]
    Backup(String),
    /// A write failed: nothing more is written until the file could be opened again.
    #[error(
        "a write to the disk failed ({0}): changes and answers are refused until the disk can be written again, which is tried by itself"
    )]
    Failed(String),
    /// The disk does not tell how full it is.
    #[error(
        "the disk does not tell how many bytes are free ({0}): changes and answers are refused until it does"
    )]
    NoRoomTold(String),
    /// The thread that writes has ended.
    #[error("the thread that writes has ended: start the program again")]
    Stopped,
    /// The disk has too little room for another write.
    #[error(
        "the disk is full: {free} bytes are free, {needed} are needed; free some, and changes and answers go on by themselves"
    )]
    DiskFull {
        /// Bytes that are free.
        free: u64,
        /// Bytes that must be.
        needed: u64,
    },
    /// The change builds on one that was refused.
    #[error("a change before this one could not be made durable: try again")]
    Orphan,
    /// The ids for terms have run out.
    #[error("the twin holds as many terms as it can")]
    Full,
    /// The query's time is over.
    #[error("the deadline passed")]
    Deadline,
    /// The query's reader went away.
    #[error("the request was cancelled")]
    Cancelled,
    /// The query made more or longer terms than it may.
    #[error("the query makes more than {0} bytes of new terms")]
    Terms(usize),
    /// The query held more memory than it may.
    #[error("the query holds more than {0} bytes in memory: ask for less at a time")]
    Memory(usize),
    /// All queries together hold as much memory as they may.
    #[error("{0}")]
    Together(MemoryFull),
    /// An attempt took more steps than it may.
    #[error("the attempt took too many steps")]
    Steps,
    /// An attempt needs what is not made yet.
    #[error("what the policy shows is still to be found out")]
    NotReady,
    /// A pattern that says what a policy is about cannot be evaluated.
    #[error("a pattern of the policy cannot be evaluated: {0}")]
    Pattern(String),
    /// A policy shows pseudonyms, and there is no secret to make them with.
    #[error("the policy shows pseudonyms, but no secret for them is configured")]
    NoKey,
    /// A policy shows more transformed quads than it may.
    #[error("the policy changes more than {0} quads before it shows them")]
    Overlay(usize),
    /// A term of a query result that the store does not know. A fault of ours.
    #[error("there is no term {0}")]
    NoTerm(u32),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Deadline | StoreError::Cancelled => {
                Self::new(Code::Timeout, "deadline", error)
            }
            StoreError::Terms(_) | StoreError::Memory(_) => {
                Self::new(Code::Exhausted, "limits.memory", error).open()
            }
            StoreError::Together(full) => full.into(),
            StoreError::Steps => Self::new(Code::Exhausted, "limits.steps", error),
            StoreError::NotReady => Self::new(Code::Exhausted, "policy.ready", error),
            StoreError::Pattern(_) => Self::new(Code::Internal, "policy.pattern", error),
            StoreError::NoKey => Self::new(Code::Internal, "policy.pseudonym", error),
            StoreError::Overlay(_) => Self::new(Code::Exhausted, "limits.transformed", error),
            StoreError::Full => Self::new(Code::Exhausted, "store.terms", error),
            StoreError::Stopped | StoreError::Log(_) | StoreError::Orphan => {
                Self::new(Code::Unavailable, "store.log", error)
            }
            StoreError::DiskFull { .. } | StoreError::NoRoomTold(_) | StoreError::Failed(_) => {
                Self::new(Code::Unavailable, DISK, error)
            }
            StoreError::Ledger(_) => Self::new(Code::Unavailable, "ledger", error),
            error => Self::new(Code::Internal, "store", error),
        }
    }
}

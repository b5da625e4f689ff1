//! The twin: a durable change log, an id index, pinned snapshots and the guarded view.
//!
//! Owns: the log of changes, the index, what a guard shows of it, evaluation and updates over that.
//! Never: sockets, policies' meaning, who asks. Enter at: [`TwinStore::open`] and [`Snapshot::view`].

mod algebra;
pub mod backup;
mod change;
mod dataset;
mod dictionary;
mod durable;
mod error;
mod evaluate;
mod guard;
mod id_set;
mod index;
mod ledger;
mod log;
mod memory;
mod once;
mod run;
mod snapshot;
mod spatial;
mod store;
mod term;
mod version;
mod view;
mod watch;

pub use change::with_fresh_blank_nodes;
pub use durable::room::room;
pub use error::StoreError;
pub use evaluate::{EvaluationOptions, QuadWorkbench};
pub use ledger::Ledger;
pub use log::file::JournalFile;
pub use snapshot::{Snapshot, Summary};
pub use store::{ChangeSet, TwinStore, UseJournal};
pub use view::View;
pub use watch::Health;

/// Reads a part of the change log, whatever it is: for the fuzz target.
#[cfg(fuzzing)]
pub fn read_part(bytes: &[u8]) {
    drop(log::part::read(1, bytes));
}

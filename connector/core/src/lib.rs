//! One request's way through a connector, and the ports it needs.
//!
//! Owns: the order of the steps (authenticate, decide, record, evaluate, release), limits, refusals.
//! Never: sockets, disks, cryptography, an async runtime. Enter at: [`answer()`].

mod admission;
mod age;
pub mod algebra;
mod answer;
mod caller;
mod digest;
mod explain;
mod limits;
mod memory;
mod outcome;
mod ports;
mod receipt;
mod recent;
mod refusal;
mod request;
mod requirement;
mod service;
mod signable;
mod solution;
mod steward;
mod streamed;
mod syntax;
mod world;

pub use admission::{Admission, AdmissionLimits, Priority, Seat};
pub use age::{Age, Freshness};
pub use answer::{
    Changed, Connector, PermitCache, QuestionCache, Reply, SUMMARY, admit_change, answer, change,
    offload, summarize,
};
pub use caller::{Caller, Credentials, Means, Possession, Secret};
pub use digest::{
    Operation, ResultDigest, content_digest, operation_digest, request_digest, summary_digest,
};
pub use explain::{Choice, Direction, Explain, Explanation, Pushed, Step, StepKind};
pub use limits::{Budget, CancelOnDrop, Limits};
pub use memory::{Memory, MemoryFull, MemoryShare, Reservation};
pub use outcome::{Outcome, SourceState, SourceStatus};
pub use ports::{
    Applied, Authenticator, Clock, Conditions, Evaluated, Federation, Harvest, Intent, Journal,
    Merge, Overview, PolicySource, Recorded, SignedRequest, Signer, Twin, UseLog, UseRecord,
    Workbench, Workers,
};
pub use receipt::receipt;
pub use refusal::{Code, DISK, Refusal};
pub use request::{Change, ChangeRequest, DatasetChoice, Delegation, Request, SummaryRequest};
pub use requirement::Requirement;
pub use service::serve;
pub use signable::Signable;
pub use solution::{Head, Piece, Sink, Solution, Sources, bytes_of_solutions, bytes_of_triples};
pub use steward::{
    BackupUse, Declaration, admit_log_reader, begin_backup, declare_incident, end_incident,
    fulfil_obligation, list_incidents, list_obligations, purge_records, readmit_peer,
};
pub use streamed::{Gathered, Streamed, Told};
pub use syntax::{parse_query, parse_update};
pub use world::{
    Beginning, Begun, Obligation, ObligationKind, ObligationState, Seen, StateOfWorld, Turn,
};

pub use twinlink_policy as policy;

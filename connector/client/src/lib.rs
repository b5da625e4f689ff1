//! The Rust SDK: asks a connector over gRPC on mutual TLS; also how a connector calls its peers.
//!
//! Owns: the connection, deadlines, the conversion between wire messages and RDF terms, and the suspicion that a
//! server may send anything. Never: keys, trust decisions, policies; the caller brings a TLS configuration, a check of
//! the server's certificate and the tokens. Enter at: [`Client`].

mod answer;
mod backup;
mod batch;
mod client;
mod connect;
mod error;
mod evidence;
mod explain;
mod import;
mod log;
mod outcome;
mod proof;
mod purge;
mod readmit;
mod sparql;
mod steward;
mod summary;
mod token;

pub use answer::{Answer, Head};
pub use backup::Backup;
pub use batch::{BATCH_BYTES, BATCH_ROWS, Encoder, MESSAGE_BYTES, Row, Sources, decode};
pub use client::{Client, Dataset, Description, QueryOptions, Requirement};
pub use connect::{ClientConfig, VerifyPeer};
pub use error::Error;
pub use evidence::WitnessReply;
pub use explain::{Choice, Direction, Explain, Explanation, Step};
pub use import::{ImportOptions, Imported};
pub use log::LogReader;
pub use outcome::{Outcome, SourceState, SourceStatus};
pub use proof::ProofSource;
pub use purge::Purge;
pub use readmit::Readmitted;
pub use sparql::{Endpoint, EndpointAnswer, EndpointConfig, EndpointRows, Login, ResultForm};
pub use steward::{Incident, NewIncident, Obligation, ObligationState};
pub use summary::{Summarized, SummaryOptions, SummaryReply};
pub use token::{Token, TokenSource};

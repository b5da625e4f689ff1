//! The federated answer against the answer over the merge; what is said when a member fails; what a question costs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here fails rightly"
)]

mod ages;
mod brokers;
mod equal;
mod explain;
mod failures;
mod fakes;
mod foreign;
mod gates;
mod memory;
mod merged;
mod requests;
mod required;
mod service;
mod shapes;
mod silent;
mod sources;
mod streams;
mod summaries;
mod summary;
mod walks;

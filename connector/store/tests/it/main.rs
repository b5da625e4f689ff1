//! The store from outside: against oxigraph's store, against the model of the guard, and against a kill.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "tests and their helpers fail by panic"
)]

mod attempts;
mod backup;
mod bounds;
mod changes;
mod durability;
mod golden;
mod leaks;
mod ledger;
mod lost;
mod model;
mod oracle;
mod queries;
mod statistics;
mod support;
mod transforms;

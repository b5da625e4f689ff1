//! The connector as its users meet it: the program, run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of it is a test"
)]

mod demo;
mod network;
mod policy;
mod program;

//! The connector: doors, configuration, wiring, command line.
//!
//! Owns: listeners, the mapping of refusals to gRPC and HTTP, the configuration file, the command line.
//! Never: decides anything; every request goes through `twinlink_core::answer()` or `twinlink_core::change()`.
//! Enter at: [`serve::Listener`], [`http`], [`grpc`].

mod arriving;
mod backup;
pub mod cli;
pub mod config;
mod demo;
mod evidence;
pub mod grpc;
pub mod http;
mod intake;
pub mod metrics;
mod overviews;
pub mod peers;
pub mod readiness;
pub mod runtime;
mod secret;
pub mod serve;
mod session;
mod shown;
pub mod status;
mod tally;
mod telemetry;
pub mod wire;

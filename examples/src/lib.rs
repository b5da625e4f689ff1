//! Scenarios with their data, and how that data was made.
//!
//! Owns: what the data under `examples/` says, and the programs that make it. Never: behaviour of the connector.
//! Enter at: [`helsinki`].

pub mod helsinki;

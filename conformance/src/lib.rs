//! Does it hold: conformance suites run against the connector, and benchmarks of it.
//!
//! Owns: what "conforms" means here: suites, their runners, the comparison of answers, figures and how they are measured.
//! Never: code that the connector links, expectations written into a runner. Enter at: [`suite::SUITES`].

mod analysis;
mod answer;
mod attacks;
mod canonical;
mod chance;
mod compare;
mod crash;
mod description;
mod engine;
mod evaluation;
mod exchange;
mod federated;
mod hostile;
mod jose;
mod library;
mod manifest;
mod members;
mod merged;
mod noninterference;
mod order;
mod partial;
mod program;
mod protocol;
mod rotation;
mod sparql;
mod tamper;
mod town;

pub mod bench;
pub mod embedded;
pub mod http;
pub mod plain;
pub mod report;
pub mod suite;

pub use library::Library;

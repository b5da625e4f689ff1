//! The engines that SPARQL suites are run on: ours, and oxigraph's own as the yardstick.

mod federated;
mod ours;
mod reference;

pub(crate) use federated::Federated;
pub(crate) use ours::{Collector, Ours};
pub(crate) use reference::{Endpoint, Nowhere, Reference, collect};

use crate::answer::Answer;
use oxrdf::{NamedNode, Quad};

/// Evaluates SPARQL, each time over a twin of its own. Errors are for the report.
pub(crate) trait Engine {
    /// Whether the text is a query.
    fn check_query(&self, text: &str, base: &str) -> Result<(), String>;

    /// Whether the text is an update.
    fn check_update(&self, text: &str, base: &str) -> Result<(), String>;

    /// Answers a query.
    fn query(&self, question: &Question) -> Result<Answer, String>;

    /// What the quads are after an update.
    fn update(&self, text: &str, base: &str, data: &[Quad]) -> Result<Vec<Quad>, String>;
}

/// A query, and over what it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// SPARQL 1.1 Query.
    pub(crate) text: String,
    /// Resolves relative IRIs in it.
    pub(crate) base: String,
    /// The twin.
    pub(crate) data: Vec<Quad>,
    /// The endpoints that SERVICE may name, with what they hold.
    pub(crate) services: Vec<(NamedNode, Vec<Quad>)>,
}

//! All that members are asked with for one question, for as long as rows come.

use crate::explain::Teller;
use crate::gate::{Bulkhead, Gates};
use crate::ledger::Ledger;
use crate::members::Members;
use crate::peers::{FederationLimits, Peers};
use crate::room::Room;
use oxrdf::NamedNode;
use std::sync::Arc;
use twinlink_core::policy::Permit;
use twinlink_core::{Budget, Clock, Conditions, DatasetChoice, Delegation, Twin, Workers};

/// What [`Members`] borrow.
pub(crate) struct Question {
    pub(crate) ourselves: NamedNode,
    pub(crate) twin: Arc<dyn Twin>,
    pub(crate) workers: Arc<dyn Workers>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: FederationLimits,
    pub(crate) names: Vec<NamedNode>,
    pub(crate) dataset: Option<DatasetChoice>,
    pub(crate) permit: Permit,
    pub(crate) delegation: Delegation,
    pub(crate) budget: Budget,
    pub(crate) room: Room,
    pub(crate) ledger: Ledger,
    pub(crate) turns: Vec<Arc<Bulkhead>>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) teller: Teller,
    pub(crate) conditions: Conditions,
    /// Operators of the question that need every source.
    pub(crate) operators: Vec<String>,
}

impl Question {
    /// Who is asked it.
    pub(crate) fn members(&self) -> Members<'_> {
        Members {
            ourselves: &self.ourselves,
            twin: &self.twin,
            workers: &self.workers,
            peers: &self.peers,
            clock: &self.clock,
            limits: self.limits,
            names: self.names.clone(),
            dataset: self.dataset.clone(),
            permit: &self.permit,
            delegation: &self.delegation,
            budget: &self.budget,
            room: &self.room,
            ledger: &self.ledger,
            turns: self.turns.clone(),
            gates: &self.gates,
            teller: &self.teller,
            conditions: &self.conditions,
            operators: &self.operators,
        }
    }
}

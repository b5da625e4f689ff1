//! Evaluation reports for what ODRL 2.2 can say.

#[cfg(test)]
#[path = "report/actions.rs"]
mod actions;
#[cfg(test)]
#[path = "report/agreement.rs"]
mod agreement;
#[cfg(test)]
#[path = "report/collections.rs"]
mod collections;
#[cfg(test)]
#[path = "report/duties.rs"]
mod duties;
#[cfg(test)]
#[path = "report/graph.rs"]
mod graph;
#[cfg(test)]
#[path = "report/operands.rs"]
mod operands;
#[cfg(test)]
#[path = "report/operators.rs"]
mod operators;
#[cfg(test)]
#[path = "report/policies.rs"]
mod policies;
#[cfg(test)]
#[path = "report/support.rs"]
mod support;

//! May this be known: ODRL policies parsed, compiled and decided.
//!
//! Owns: ODRL semantics. Never: clocks, sockets, files, tokens. Enter at: [`Policy::parse`], [`PolicySet::compile`],
//! [`PolicySet::decide`]; [`report::evaluate`] for any policy and a report.

mod action;
pub mod analyse;
mod check;
mod compare;
mod decide;
mod error;
mod guard;
mod model;
mod operator;
mod parse;
mod permit;
mod purpose;
pub mod report;
mod stock;
mod truth;
mod unit;
mod world;

pub use check::{Finding, check};
pub use decide::{Explanation, PolicySet, RuleExplanation};
pub use error::{Place, PolicyError};
pub use guard::{
    End, Function, GraphNameKey, Guard, Measure, MeasureKind, Named, NodePattern, Part, Recorded,
    Selector, Statistic, Step, TimeUnit, Transformed,
};
pub use model::{Policy, PolicyKind, Rule, RuleKind};
pub use oxrdfio::RdfFormat;
pub use permit::{Ask, Basis, BreakGlass, Charge, Debtor, Denied, Obligation, Outlook, Permit};
pub use purpose::{PurposeHierarchy, PurposeRules};
pub use stock::owner_policy;
pub use truth::Truth;
pub use world::{Claimed, Claims, Counter, Incident, NewWorld, Usage, World};

/// The ODRL profile that declares what policies here use beyond ODRL, as Turtle.
pub const PROFILE_TURTLE: &str = include_str!("../profiles/twinlink.ttl");

/// Which role of the Dutch crisis organisation may state which purpose, and which purpose there is only in an incident, as
/// Turtle for [`PurposeRules::parse`].
pub const DUTCH_RULES_TURTLE: &str = include_str!("../profiles/nl.ttl");

//! One question over many twins: which of them can matter, what to fetch from each, and the answer over all of it.
//!
//! Owns: summaries of members, source selection, sub-queries, the row's sources, the status of every member.
//! Never: sockets, disks, policies (a member shows each caller what it may see). Enter at: [`Federator`].
//!
//! The answer is that of the query over the RDF merge of what the members show: default graphs merged, named graphs
//! merged by name, blank nodes of different members apart. It is reached by shipping the quads that can matter into a
//! scratch dataset and evaluating the query as it was asked over them. What may be left out is argued in `needs` and
//! `fetch`, in one sentence each: a part of the query keeps its value as long as the scratch dataset is a subset of
//! the merge that holds all quads used by those of its solutions that can reach the answer.

mod algebra;
mod broker;
mod collector;
mod describe;
mod dialect;
mod explain;
mod federator;
mod fetch;
mod foreign;
mod gate;
mod hedge;
mod ledger;
mod members;
mod merge;
mod needs;
mod peers;
mod plans;
mod probe;
mod question;
mod room;
mod scratch;
mod service;
mod source;
mod stream;
mod summaries;
mod summary;
mod text;
mod unsure;

pub use dialect::Dialect;
pub use federator::Federator;
pub use foreign::{SubQueryForm, asks, form};
pub use hedge::hedged;
pub use peers::{
    FederationLimits, Opened, Part, PeerTraits, Peers, Rows, SubAnswer, SubQuery, Unanswered,
};
pub use room::{NoRoom, Room};
pub use summaries::{Summaries, Summarized, SummaryQuestion, SummaryReply};
pub use summary::{Summary, SummaryError, SummaryLimits, View};
pub use text::query_text;

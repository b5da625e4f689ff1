//! What is asked, before anything of it is believed.

use crate::{Explain, Requirement, request_digest};
use oxrdf::{GraphName, NamedNode, Quad};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// A question to be answered with rows or triples.
#[derive(Debug, Clone)]
pub struct Request {
    /// Ours; goes into the log, the receipt and every sub-request.
    pub id: Uuid,
    /// SPARQL 1.1 Query.
    pub query: String,
    /// SHA-256 of what was asked, where the query only stands for it: [`crate::operation_digest`].
    pub digest: Option<String>,
    /// Resolves relative IRIs in the query.
    pub base: Option<String>,
    /// The dataset given by the protocol: <https://www.w3.org/TR/sparql11-protocol/#dataset>. It wins over the query's.
    pub dataset: Option<DatasetChoice>,
    /// Whether to ask the peers too.
    pub federated: bool,
    /// Participants that are asked already, by whoever passes the question on to us: not to be asked again.
    pub left_out: Vec<NamedNode>,
    /// What the caller requires of the sources.
    pub require: Requirement,
    /// Whether to tell how the answer is come by, in place of its rows.
    pub explain: Option<Explain>,
    /// The purpose the caller states; it must be the one the token carries.
    pub purpose: Option<NamedNode>,
    /// The declared incident for which the caller breaks the glass, if nothing else permits what is asked.
    pub break_glass: Option<NamedNode>,
    /// The request as the caller's organisation signed it, if it did.
    pub envelope: Option<String>,
    /// How long the caller is ready to wait.
    pub patience: Option<Duration>,
}

impl Request {
    /// A question to this twin alone, in one text, under a new id.
    pub fn new(query: impl Into<String>) -> Self {
        Self {
            id: Uuid::now_v7(),
            query: query.into(),
            digest: None,
            base: None,
            dataset: None,
            federated: false,
            left_out: Vec::new(),
            require: Requirement::default(),
            explain: None,
            purpose: None,
            break_glass: None,
            envelope: None,
            patience: None,
        }
    }
}

/// A question for a summary of what the caller may see.
#[derive(Debug, Clone)]
pub struct SummaryRequest {
    /// Ours, or that of the request this is a part of.
    pub id: Uuid,
    /// The purpose the caller states; it must be the one the token carries.
    pub purpose: Option<NamedNode>,
    /// The declared incident for which the caller breaks the glass, if nothing else permits what is asked.
    pub break_glass: Option<NamedNode>,
    /// The version that the caller has.
    pub held: Option<String>,
    /// Only whether that is as it would be made now.
    pub confirm: bool,
    /// The request as the caller's organisation signed it, if it did.
    pub envelope: Option<String>,
    /// How long the caller is ready to wait.
    pub patience: Option<Duration>,
}

/// Which graphs make the default graph, and which are the named ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetChoice {
    /// Merged into the default graph.
    pub default_graphs: Vec<NamedNode>,
    /// Named graphs.
    pub named_graphs: Vec<NamedNode>,
}

/// A change of the twin.
#[derive(Debug, Clone)]
pub enum Change {
    /// SPARQL 1.1 Update; `using` is the protocol's `using-graph-uri` and `using-named-graph-uri`.
    Update {
        /// The update text.
        update: String,
        /// Resolves relative IRIs in it.
        base: Option<String>,
        /// The dataset of its WHERE parts.
        using: Option<DatasetChoice>,
    },
    /// Adds quads.
    Insert(Vec<Quad>),
    /// Makes a graph hold just these quads.
    Replace(GraphName, Vec<Quad>),
    /// Empties a graph.
    Clear(GraphName),
}

/// A change, and how it was asked for.
#[derive(Debug, Clone)]
pub struct ChangeRequest {
    /// Ours; goes into the log and the receipt.
    pub id: Uuid,
    /// What to change.
    pub change: Change,
    /// SHA-256 of it as it came, lower-case hex: what its signature is of, and its record says.
    pub digest: String,
    /// The purpose the caller states; it must be the one the token carries.
    pub purpose: Option<NamedNode>,
    /// The request as the caller signed it, where it came with the change and not in a header.
    pub envelope: Option<String>,
    /// How long the caller is ready to wait.
    pub patience: Option<Duration>,
}

impl ChangeRequest {
    /// An update, of which all that selects what it changes is signed: its text, its base and its dataset.
    pub fn update(update: String, base: Option<String>, using: Option<DatasetChoice>) -> Self {
        let digest = request_digest(&update, base.as_deref(), using.as_ref());
        let change = Change::Update {
            update,
            base,
            using,
        };
        Self::new(change, digest)
    }

    /// A change that came as something with this digest.
    pub fn new(change: Change, digest: String) -> Self {
        Self {
            id: Uuid::now_v7(),
            change,
            digest,
            purpose: None,
            envelope: None,
            patience: None,
        }
    }
}

/// On whose behalf a connector asks its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The request this is part of.
    pub request: Uuid,
    /// The organisation of the caller.
    pub participant: NamedNode,
    /// The person or program.
    pub subject: String,
    /// Who acts for it now, and who did before.
    pub actors: Vec<String>,
    /// Its roles.
    pub roles: Vec<NamedNode>,
    /// Its purpose.
    pub purpose: Option<NamedNode>,
    /// What else its token claims: left operands of constraints and their values.
    pub claims: BTreeMap<NamedNode, Vec<NamedNode>>,
    /// The incident for which it breaks the glass.
    pub break_glass: Option<NamedNode>,
    /// Where the organisation passes the question on as a broker: the organisations that it comes from, the first first.
    pub on_behalf: Vec<NamedNode>,
    /// Participants that are asked already, and are not asked again.
    pub left_out: Vec<NamedNode>,
}

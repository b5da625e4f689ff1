//! `Describe`: what the connector is, and what of its twin the caller may see.

use super::{Participants, credentials, iri, patience};
use crate::evidence::Evidence;
use oxrdf::{NamedNode, Term};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use tonic::Request;
use twinlink_core::{Caller, Connector, Credentials, Piece, Refusal, Request as Question, answer};
use twinlink_proto::v1;
use uuid::Uuid;

/// The most entries of one list.
const MOST: usize = 1000;

const NAMED_GRAPHS: &str = "SELECT DISTINCT ?item WHERE { GRAPH ?item { ?s ?p ?o } }";
const CLASSES: &str =
    "SELECT DISTINCT ?item WHERE { { ?s a ?item } UNION { GRAPH ?g { ?s a ?item } } }";
const PROPERTIES: &str =
    "SELECT DISTINCT ?item WHERE { { ?s ?item ?o } UNION { GRAPH ?g { ?s ?item ?o } } }";

/// Asks the same way as everyone, so there is nothing in it that a query would not tell.
pub(super) async fn describe(
    connector: &Arc<Connector>,
    (participants, evidence): (&Participants, Option<&Evidence>),
    request: Request<v1::DescribeRequest>,
) -> Result<v1::DescribeResponse, Refusal> {
    let credentials = credentials(&request)?;
    let limit = connector.limits.deadline;
    let patience = patience(request.metadata())?.map_or(limit, |p| p.min(limit));
    let mut lists = Lists {
        connector,
        credentials: &credentials,
        purpose: iri("grpc.purpose", "purpose", &request.get_ref().purpose)?,
        deadline: Instant::now() + patience,
        truncated: false,
    };
    let named_graphs = lists.list(NAMED_GRAPHS).await?;
    let classes = lists.list(CLASSES).await?;
    let properties = lists.list(PROPERTIES).await?;
    let truncated = lists.truncated;
    let caller = connector
        .authenticator
        .authenticate(&credentials, connector.clock.now())?;
    // With whom we work is our own people's to know.
    let peers = if caller.is_owner() {
        participants()
    } else {
        Vec::new()
    };
    let contradicted = match evidence.filter(|_| caller.is_owner()) {
        Some(evidence) => evidence.contradicted(),
        None => Vec::new(),
    };
    Ok(v1::DescribeResponse {
        participant: connector.participant.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        caller: name(&caller),
        peers: peers.into_iter().map(NamedNode::into_string).collect(),
        named_graphs,
        classes,
        properties,
        truncated,
        contradicted,
    })
}

struct Lists<'a> {
    connector: &'a Connector,
    credentials: &'a Credentials,
    purpose: Option<NamedNode>,
    deadline: Instant,
    truncated: bool,
}

impl Lists<'_> {
    /// The IRIs that a query gives, sorted.
    async fn list(&mut self, query: &str) -> Result<Vec<String>, Refusal> {
        let question = Question {
            id: Uuid::now_v7(),
            query: format!("{query} LIMIT {}", MOST + 1),
            base: None,
            dataset: None,
            federated: false,
            left_out: Vec::new(),
            require: Default::default(),
            explain: None,
            purpose: self.purpose.clone(),
            break_glass: None,
            envelope: None,
            patience: Some(self.deadline.saturating_duration_since(Instant::now())),
        };
        let mut reply = answer(self.connector, self.credentials, question).await?;
        let mut found = BTreeSet::new();
        let mut count = 0;
        while let Some(piece) = reply.next().await? {
            let Piece::Solutions(rows) = piece else {
                continue;
            };
            count += rows.len();
            for row in rows {
                if let Some(Some(Term::NamedNode(node))) = row.values.into_iter().next() {
                    found.insert(node.into_string());
                }
            }
        }
        reply.finish().await?;
        self.truncated |= count > MOST;
        Ok(found.into_iter().take(MOST).collect())
    }
}

fn name(caller: &Caller) -> String {
    let mut text = format!(
        "{} of <{}>",
        caller.subject(),
        caller.participant().as_str()
    );
    for role in caller.roles() {
        text.push_str(&format!(", role <{}>", role.as_str()));
    }
    if let Some(purpose) = caller.purpose() {
        text.push_str(&format!(", purpose <{}>", purpose.as_str()));
    }
    text
}

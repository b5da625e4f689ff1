//! `Describe`: what the connector is, and what of its twin the caller may see.

use super::{Participants, credentials, iri, patience, some};
use crate::evidence::Evidence;
use oxrdf::{NamedNode, Term};
use std::collections::BTreeSet;
use std::sync::Arc;
use tonic::Request;
use twinlink_core::{
    Caller, Connector, Operation, Piece, Refusal, Reply, Request as Question, answer,
    operation_digest,
};
use twinlink_proto::v1;

/// The most entries of one list.
const MOST: usize = 1000;

/// The lists, by the word that stands before their entries.
const LISTS: [(&str, &str); 3] = [
    ("graph", "GRAPH ?item { ?s ?p ?o }"),
    ("class", "{ ?s a ?item } UNION { GRAPH ?g { ?s a ?item } }"),
    (
        "property",
        "{ ?s ?item ?o } UNION { GRAPH ?g { ?s ?item ?o } }",
    ),
];

/// Asks the same way as everyone, so there is nothing in it that a query would not tell.
pub(super) async fn describe(
    connector: &Arc<Connector>,
    (participants, evidence): (&Participants, Option<&Evidence>),
    request: Request<v1::DescribeRequest>,
) -> Result<v1::DescribeResponse, Refusal> {
    let credentials = credentials(&request)?;
    let limit = connector.limits.deadline;
    let patience = patience(request.metadata())?.map_or(limit, |p| p.min(limit));
    let message = request.into_inner();
    let digest = operation_digest(&Operation {
        kind: "describe",
        ..Operation::default()
    });
    // One question, so that one signature is of all of it.
    let question = Question {
        digest: Some(digest),
        purpose: iri("grpc.purpose", "purpose", &message.purpose)?,
        envelope: some(message.envelope),
        patience: Some(patience),
        ..Question::new(query())
    };
    let reply = answer(connector, &credentials, question).await?;
    let lists = lists(reply).await?;
    let truncated = lists.iter().any(|list| list.rows > MOST);
    let [named_graphs, classes, properties] = lists.map(List::told);
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

/// The IRIs of one list, sorted, and how many rows it had.
struct List {
    rows: usize,
    items: BTreeSet<String>,
}

fn query() -> String {
    let parts = LISTS.map(|(word, pattern)| {
        let most = MOST + 1;
        format!("{{ SELECT DISTINCT (\"{word}\" AS ?list) ?item {{ {pattern} }} LIMIT {most} }}")
    });
    format!("SELECT ?list ?item {{ {} }}", parts.join(" UNION "))
}

/// What the query gives of each list.
async fn lists(mut reply: Reply) -> Result<[List; 3], Refusal> {
    let mut lists = [const {
        List {
            rows: 0,
            items: BTreeSet::new(),
        }
    }; 3];
    while let Some(piece) = reply.next().await? {
        let Piece::Solutions(rows) = piece else {
            continue;
        };
        for row in rows {
            let mut values = row.values.into_iter().flatten();
            let (Some(Term::Literal(word)), Some(item)) = (values.next(), values.next()) else {
                continue;
            };
            let found = lists.iter_mut().zip(LISTS);
            let mut found = found.filter(|(_, (of, _))| *of == word.value());
            let Some((list, _)) = found.next() else {
                continue;
            };
            list.rows += 1;
            if let Term::NamedNode(item) = item {
                list.items.insert(item.into_string());
            }
        }
    }
    reply.finish().await?;
    Ok(lists)
}

impl List {
    fn told(self) -> Vec<String> {
        self.items.into_iter().take(MOST).collect()
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

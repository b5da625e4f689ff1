//! Peers in memory, and what each does with a question.

use super::clock::Patience;
use super::{Ages, Mode, iri, participant};
use crate::merged::evaluate;
use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use oxrdf::{Dataset, NamedNode, Variable};
use spargebra::SparqlParser;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use twinlink_core::{Head, SourceState, SourceStatus};
use twinlink_federation::{PeerTraits, Peers, Rows, SubAnswer, SubQuery, Unanswered};

pub(super) struct FakePeers {
    pub(super) members: Vec<Dataset>,
    pub(super) modes: Arc<Mutex<BTreeMap<usize, Mode>>>,
    pub(super) ages: Ages,
    pub(super) traits: BTreeMap<usize, PeerTraits>,
    pub(super) now: AtomicUsize,
    pub(super) most: Arc<AtomicUsize>,
    pub(super) asked: Arc<Mutex<Vec<(usize, SubQuery)>>>,
}

impl Peers for FakePeers {
    fn list(&self) -> Vec<NamedNode> {
        (1..=self.members.len()).map(participant).collect()
    }

    fn traits(&self, peer: &NamedNode) -> PeerTraits {
        let number = self.list().iter().position(|name| name == peer).unwrap();
        self.traits.get(&(number + 1)).cloned().unwrap_or_default()
    }

    fn at(&self, endpoint: &NamedNode) -> Option<NamedNode> {
        let names = self.list();
        let mut names = names.into_iter();
        names.find(|name| endpoint.as_str() == format!("{}sparql", name.as_str()))
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        let number = self.list().iter().position(|name| name == peer).unwrap();
        self.asked
            .lock()
            .unwrap()
            .push((number + 1, question.clone()));
        let dataset = &self.members[number];
        let mode = self.modes.lock().unwrap().get(&(number + 1)).copied();
        async move {
            let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(now, Ordering::Relaxed);
            // Others get their turn.
            Patience(3).await;
            let mut answer = answer(dataset, mode.unwrap_or_default(), peer, question).await;
            if let Ok(answer) = &mut answer {
                if let Err(full) = question.room.take(answer.rows.bytes()) {
                    return Err(Unanswered::Broken {
                        reason: full.to_string(),
                        head: None,
                        rows: Rows::default(),
                    });
                }
                answer.status.as_of = self.ages.lock().unwrap().get(&(number + 1)).copied();
            }
            self.now.fetch_sub(1, Ordering::Relaxed);
            answer
        }
        .boxed()
    }
}

pub(super) async fn answer(
    dataset: &Dataset,
    mode: Mode,
    peer: &NamedNode,
    question: &SubQuery,
) -> Result<SubAnswer, Unanswered> {
    let reason = "as told".to_owned();
    let query = SparqlParser::new()
        .parse_query(&question.query)
        .unwrap_or_else(|error| panic!("{error} in {}", question.query));
    let (head, mut rows) = evaluate(dataset, &query, question.dataset.as_ref()).unwrap();
    let is_probe = question.query.starts_with("SELECT ?e0 ");
    match mode {
        Mode::Denies => return Err(Unanswered::Denied { reason }),
        Mode::Unreachable => return Err(Unanswered::Unreachable { reason }),
        Mode::Hangs => return pending().await,
        Mode::HangsLater if !is_probe => return pending().await,
        Mode::Breaks if !is_probe => {
            rows.solutions.truncate(1);
            rows.triples.truncate(1);
            return Err(Unanswered::Broken {
                reason,
                head: Some(head),
                rows,
            });
        }
        Mode::Lies => {
            for row in &mut rows.solutions {
                row.values.push(None);
            }
            if let Head::Solutions(mut variables) = head {
                variables.push(Variable::new_unchecked("more"));
                let head = Head::Solutions(variables);
                return Ok(SubAnswer {
                    head,
                    rows,
                    status: status(peer),
                    beyond: Vec::new(),
                });
            }
        }
        Mode::Invents => rows.triples.push(oxrdf::Triple::new(
            iri("urn:never"),
            iri("urn:asked"),
            iri("urn:for"),
        )),
        Mode::Panics => panic!("as told"),
        _ => {}
    }
    Ok(SubAnswer {
        head,
        rows,
        status: status(peer),
        beyond: Vec::new(),
    })
}

fn status(peer: &NamedNode) -> SourceStatus {
    SourceStatus {
        participant: peer.clone(),
        state: SourceState::Complete,
        rows: 0,
        elapsed: Duration::ZERO,
        as_of: None,
        policies: vec![iri("https://policy.example/p")],
        not_evaluable: 0,
        reason: None,
        receipt: None,
    }
}

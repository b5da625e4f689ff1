//! Peers that fail, each in its way and at moments by chance.

use super::clock::IdleClock;
use super::faults::{Fault, MAX_AGE};
use super::spoiled::{Broken, cut, spoil};
use crate::chance::Chance;
use oxrdf::NamedNode;
use spargebra::term::NamedNodePattern;
use spargebra::{Query, SparqlParser};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use twinlink_core::Clock as _;
use twinlink_federation::{Opened, PeerTraits, Peers, SubAnswer, SubQuery, Unanswered, hedged};

pub(super) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// After how long a second replica is asked beside the first.
const HEDGE: Duration = Duration::from_secs(1);

/// What was seen of the peers.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// How often each was asked.
    pub(super) asked: BTreeMap<NamedNode, usize>,
    /// Those of whom rows came before they turned out not to be believed.
    pub(super) soured: BTreeSet<NamedNode>,
    /// How many answers failed in their middle, behind rows.
    pub(super) broken: usize,
}

/// Peers of which some have a fault.
pub(super) struct Faulty {
    pub(super) inner: Arc<dyn Peers>,
    pub(super) faults: BTreeMap<NamedNode, Fault>,
    pub(super) traits: BTreeMap<NamedNode, PeerTraits>,
    pub(super) seed: usize,
    pub(super) clock: Arc<IdleClock>,
    pub(super) log: Arc<Mutex<Log>>,
    /// Whether the faults show.
    pub(super) is_on: Arc<AtomicBool>,
}

impl Faulty {
    /// Counts a question; with the fault that it meets, and chances that are its own.
    fn begin(&self, peer: &NamedNode) -> (Fault, usize, Chance) {
        if !self.is_on.load(Ordering::SeqCst) {
            return (Fault::None, 1, Chance::new(0));
        }
        let number = {
            let mut log = lock(&self.log);
            let asked = log.asked.entry(peer.clone()).or_default();
            *asked += 1;
            *asked
        };
        let name: usize = peer.as_str().bytes().map(usize::from).sum();
        let seed = self
            .seed
            .wrapping_add(name << 32)
            .wrapping_add(number << 16);
        let fault = self.faults.get(peer).copied().unwrap_or(Fault::None);
        (fault, number, Chance::new(seed as u64))
    }

    async fn answer(
        &self,
        peer: &NamedNode,
        question: &SubQuery,
        (fault, number, mut chance): (Fault, usize, Chance),
    ) -> Result<SubAnswer, Unanswered> {
        let before = match fault {
            Fault::Slow => Duration::from_millis(500),
            Fault::TooSlow => Duration::from_secs(3600),
            _ => Duration::ZERO,
        };
        if !before.is_zero() {
            let until = self.clock.instant() + before;
            self.clock.sleep_until(until).await;
        }
        let reason = "as told".to_owned();
        match fault {
            Fault::Refuses => return Err(Unanswered::Unreachable { reason }),
            Fault::Garbage => return Err(Unanswered::NotEvaluable { reason }),
            Fault::Denies => return Err(Unanswered::Denied { reason }),
            Fault::Hangs => return std::future::pending().await,
            Fault::HangsLater if number > 1 => return std::future::pending().await,
            Fault::Panics => std::panic::resume_unwind(Box::new("as told")),
            _ => {}
        }
        let answer = self.inner.ask(peer, question).await?;
        spoil(fault.or_swaps(question), answer, &mut chance)
    }

    /// As the connector asks one that has replicas.
    async fn of_replicas(
        &self,
        peer: &NamedNode,
        question: &SubQuery,
        fault: Fault,
    ) -> Result<SubAnswer, Unanswered> {
        let ask = |replica: usize| -> futures::future::BoxFuture<'_, _> {
            Box::pin(async move {
                match (replica, fault) {
                    (0, Fault::ReplicaHangs) => std::future::pending().await,
                    (0, _) => Err(Unanswered::Unreachable {
                        reason: "as told".to_owned(),
                    }),
                    _ => self.inner.ask(peer, question).await,
                }
            })
        };
        hedged(2, 0, ask, HEDGE, &*self.clock).await
    }
}

impl Peers for Faulty {
    fn list(&self) -> Vec<NamedNode> {
        self.inner.list()
    }

    fn traits(&self, peer: &NamedNode) -> PeerTraits {
        self.traits.get(peer).cloned().unwrap_or_default()
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> Later<'a, Result<SubAnswer, Unanswered>> {
        let begun = self.begin(peer);
        Box::pin(async move {
            match begun.0 {
                fault @ (Fault::ReplicaRefuses | Fault::ReplicaHangs) => {
                    self.of_replicas(peer, question, fault).await
                }
                _ => self.answer(peer, question, begun).await,
            }
        })
    }

    fn open<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> Later<'a, Result<Opened, Unanswered>> {
        let (fault, number, mut chance) = self.begin(peer);
        Box::pin(async move {
            // Some faults show before anything came.
            let is_early = chance.once_in(6) || fault.is_of_the_start();
            if is_early {
                let begun = (fault, number, chance);
                return Opened::of(self.answer(peer, question, begun).await);
            }
            let mut answer = match fault {
                Fault::ReplicaRefuses | Fault::ReplicaHangs => {
                    self.of_replicas(peer, question, fault).await?
                }
                _ => self.inner.ask(peer, question).await?,
            };
            if matches!(fault, Fault::Partial | Fault::NotEvaluable) {
                cut(&mut answer.rows, &mut chance);
            }
            let fault = fault.or_swaps(question);
            let broken = Broken::new(peer, fault, answer, chance, &self.clock, &self.log);
            Ok(broken.opened())
        })
    }
}

impl Fault {
    /// Whether it shows before an answer began, or not at all.
    fn is_of_the_start(self) -> bool {
        matches!(self, Self::Refuses | Self::Denies)
    }

    /// Whatever a peer says where any triple fits is its word on its own twin: nobody can see that it is a lie.
    fn or_swaps(self, question: &SubQuery) -> Self {
        match self {
            Self::Lies if takes_anything(&question.query) => Self::Swaps,
            fault => fault,
        }
    }
}

/// Whether any triple could be an answer to the question.
fn takes_anything(query: &str) -> bool {
    let parsed = SparqlParser::new().parse_query(query);
    match parsed {
        Ok(Query::Construct { template, .. }) => {
            let mut predicates = template.iter().map(|triple| &triple.predicate);
            predicates.any(|predicate| matches!(predicate, NamedNodePattern::Variable(_)))
        }
        Ok(Query::Describe { .. }) => true,
        _ => false,
    }
}

/// How a peer is that is no connector: of few abilities.
pub(super) fn foreign() -> PeerTraits {
    PeerTraits {
        takes_bindings: false,
        values: 2,
        keeps_labels: false,
        ..PeerTraits::default()
    }
}

/// The same, where it matters how old the peer is.
pub(super) fn dated(traits: PeerTraits) -> PeerTraits {
    PeerTraits {
        max_age: Some(MAX_AGE),
        ..traits
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Plans made so far: the same question of the same caller over the same summaries is planned once.

use crate::fetch::{Push, Spread, Whole, Why};
use crate::members::Members;
use crate::peers::PeerTraits;
use crate::summaries::Key;
use crate::summary::Summary;
use oxrdf::NamedNode;
use rustc_hash::FxHashMap;
use spargebra::Query;
use std::sync::{Arc, Mutex, PoisonError};

/// The most plans that are kept.
const PLANS: usize = 256;
/// The longest question whose plan is kept, in bytes, roughly.
const LONGEST: usize = 32 * 1024;

/// What is to be done for a question.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where its joins all stay within members.
    pub(crate) whole: Option<Whole>,
    /// Whether each member takes what it is asked for then.
    pub(crate) can_ask: bool,
    /// What members can do of it.
    pub(crate) push: Option<Push>,
    /// What each member gives of its answer by itself, or why that is not the answer.
    pub(crate) spread: Result<Arc<Spread>, Why>,
}

/// The plans made so far.
#[derive(Debug, Default)]
pub(crate) struct Plans(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    turn: u64,
    of: FxHashMap<PlanKey, (u64, Arc<Plan>)>,
}

/// All that a plan rests on. Two callers share none: what they are shown differs, and what one asks is not for another
/// to feel by how long an answer takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PlanKey {
    caller: Key,
    query: Query,
    default_graphs: Vec<NamedNode>,
    named_graphs: Vec<NamedNode>,
    /// The members, each with what is known of it.
    members: Vec<(NamedNode, PeerTraits, Holds)>,
}

/// What a member can contribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holds {
    /// By its summary of this version.
    Summary(String),
    /// Without one: which of the question's patterns it can match, as it said this time. None where it said nothing.
    Patterns(Vec<bool>),
}

impl Plans {
    /// The plan for a question, made now where it is not kept; and whether it was. `matches` is what each member can match
    /// of it.
    pub(crate) fn plan(
        &self,
        query: &Query,
        members: &Members<'_>,
        summaries: &[Option<Arc<Summary>>],
        matches: &[Vec<bool>],
        make: impl FnOnce() -> Plan,
    ) -> (Arc<Plan>, bool) {
        let names = members.names.iter().enumerate();
        let known = names.map(|(member, name)| {
            let holds = match summaries.get(member) {
                Some(Some(summary)) => Holds::Summary(summary.version().to_owned()),
                _ => Holds::Patterns(matches.get(member).cloned().unwrap_or_default()),
            };
            (name.clone(), members.traits(member), holds)
        });
        let dataset = members.dataset.clone().unwrap_or_default();
        let key = PlanKey {
            caller: Key::new(members.ourselves, members.delegation),
            query: query.clone(),
            default_graphs: dataset.default_graphs,
            named_graphs: dataset.named_graphs,
            members: known.collect(),
        };
        if let Some(plan) = self.get(&key) {
            return (plan, true);
        }
        let plan = Arc::new(make());
        if query.to_string().len() <= LONGEST {
            self.put(key, Arc::clone(&plan));
        }
        (plan, false)
    }

    fn get(&self, key: &PlanKey) -> Option<Arc<Plan>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.turn += 1;
        let turn = kept.turn;
        let (used, plan) = kept.of.get_mut(key)?;
        *used = turn;
        Some(Arc::clone(plan))
    }

    /// What was not used for longest goes.
    fn put(&self, key: PlanKey, plan: Arc<Plan>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = kept.turn;
        kept.of.insert(key, (turn, plan));
        while kept.of.len() > PLANS {
            let oldest = kept.of.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            kept.of.remove(&oldest);
        }
    }
}

//! The twin at one moment: never changes, costs nothing to keep, blocks nobody.

use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Dictionary, Growing, Id};
use crate::evaluate::EvaluationOptions;
use crate::guard::{Change, GuardOptions, IdGuard, Names, Overlay, Sets};
use crate::index::Index;
use crate::once::Once;
use crate::run::IdQuad;
use crate::term;
use crate::version::Chain;
use crate::view::View;
use oxrdf::{GraphName, NamedNode, NamedOrBlankNode, Quad, Term, TermRef};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Borrow;
use std::sync::{Arc, Mutex, PoisonError};
use time::OffsetDateTime;
use twinlink_core::Budget;
use twinlink_policy::Guard;

/// The least memory that what a policy shows may take while it is made, whoever asks first.
const POLICY_BYTES: usize = 1 << 30;
/// How many compiled guards a snapshot keeps: a caller's guard is compiled once per snapshot, not once per query.
const GUARDS: usize = 64;
/// The most bytes of transformed quads that a snapshot keeps. One guard may take more while it is the only one kept.
const GUARD_BYTES: usize = 256 << 20;

/// The twin at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    sequence: u64,
    time: Option<OffsetDateTime>,
    /// Over the changes that led here.
    pub(crate) chain: Chain,
    /// As text: it goes into the record of each use.
    version: Option<Arc<str>>,
    pub(crate) dictionary: Dictionary,
    pub(crate) index: Index,
    pub(crate) sets: Sets,
    pub(crate) options: Arc<GuardOptions>,
    guards: Mutex<Guards>,
    /// Of guards that nobody has asked for yet here: what a change before left of them.
    overlays: Mutex<FxHashMap<(Guard, Names), Overlay>>,
}

/// Compiled guards, by what they are compiled from. Whoever needs one first compiles it for all.
type Guards = FxHashMap<(Guard, Names), Arc<Once<Arc<IdGuard>>>>;

/// What a caller may know of the twin's shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Whether the default graph shows anything.
    pub default_graph: bool,
    /// Named graphs that show something, sorted.
    pub graphs: Vec<NamedOrBlankNode>,
    /// Classes of visible `rdf:type` statements, sorted.
    pub classes: Vec<NamedNode>,
    /// Predicates of visible quads, sorted.
    pub properties: Vec<NamedNode>,
}

impl Snapshot {
    /// A snapshot of just these quads, outside any store.
    ///
    /// # Errors
    /// [`StoreError::Full`] where there are more terms than ids.
    pub fn of(quads: impl IntoIterator<Item = impl Borrow<Quad>>) -> Result<Self, StoreError> {
        let mut growing = Dictionary::default().grow();
        let mut rows = Vec::new();
        for quad in quads {
            rows.push(encode(&mut growing, quad.borrow())?);
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(Self {
            dictionary: growing.finish(),
            index: Index::default().apply(&rows, &[]),
            ..Self::default()
        })
    }

    /// The same quads, shown by these options.
    #[must_use]
    pub fn with_options(self, options: &EvaluationOptions) -> Self {
        Self {
            options: Arc::clone(&options.guard),
            ..self
        }
    }

    /// The number of the last change in it; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When that change was made.
    pub fn time(&self) -> Option<OffsetDateTime> {
        self.time
    }

    /// What names this state: the number of the last change, a hyphen, and SHA-256 over all changes, lower-case hex. None of
    /// quads outside any store, and before the first change.
    pub fn version(&self) -> Option<Arc<str>> {
        self.version.clone()
    }

    /// The number of quads, visible or not.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory, roughly. Parts shared with other snapshots count in each.
    pub fn bytes(&self) -> usize {
        self.dictionary.bytes() + self.index.bytes()
    }

    /// What the guard shows, for one evaluation within the budget. No term counts as named by a question.
    ///
    /// # Errors
    /// [`StoreError::Pattern`], [`StoreError::NoKey`], [`StoreError::Overlay`], [`StoreError::Deadline`] and others where
    /// the guard cannot be evaluated: nothing is shown then.
    pub fn view(&self, guard: &Guard, budget: &Budget) -> Result<View<'_>, StoreError> {
        self.view_for(guard, &Names::default(), budget)
    }

    pub(crate) fn view_for(
        &self,
        guard: &Guard,
        names: &Names,
        budget: &Budget,
    ) -> Result<View<'_>, StoreError> {
        let guard = self.compile(guard, names, budget)?;
        Ok(View::new(self, guard, budget))
    }

    /// The quads that the guard shows, in no particular order.
    ///
    /// # Errors
    /// As [`Snapshot::view`].
    pub fn quads(
        &self,
        guard: &Guard,
        budget: &Budget,
    ) -> Result<impl Iterator<Item = Quad> + '_, StoreError> {
        let guard = self.compile(guard, &Names::default(), budget)?;
        let quads = guard.quads(self);
        Ok(quads.filter_map(move |quad| decode(guard.dictionary(self), quad)))
    }

    /// The visible quads of one graph.
    ///
    /// # Errors
    /// As [`Snapshot::view`].
    pub fn quads_of_graph(
        &self,
        guard: &Guard,
        graph: &GraphName,
        budget: &Budget,
    ) -> Result<impl Iterator<Item = Quad> + '_, StoreError> {
        let guard = self.compile(guard, &Names::default(), budget)?;
        // Only terms of the snapshot name graphs.
        let quads = self.graph(graph).map(|id| guard.quads_of(self, id, None));
        Ok(quads
            .into_iter()
            .flatten()
            .filter_map(move |quad| decode(guard.dictionary(self), quad)))
    }

    /// The visible graphs, classes and properties.
    ///
    /// # Errors
    /// As [`Snapshot::view`].
    pub fn summary(&self, guard: &Guard, budget: &Budget) -> Result<Summary, StoreError> {
        let guard = self.compile(guard, &Names::default(), budget)?;
        let dictionary = guard.dictionary(self);
        let rdf_type = dictionary.id(oxrdf::vocab::rdf::TYPE.into());
        let mut shown = Vec::new();
        let mut classes = FxHashSet::default();
        let mut properties = FxHashSet::default();
        for graph in std::iter::once(DEFAULT_GRAPH).chain(guard.graphs(self).to_vec()) {
            let mut shows = false;
            for property in guard.predicates(self, graph) {
                let mut quads = guard.quads_of(self, graph, Some(property));
                if Some(property) == rdf_type {
                    let of_graph = quads.map(|[.., class]| class).collect::<FxHashSet<_>>();
                    shows |= !of_graph.is_empty();
                    properties.extend(Some(property).filter(|_| !of_graph.is_empty()));
                    classes.extend(of_graph);
                } else if quads.next().is_some() {
                    shows = true;
                    properties.insert(property);
                }
            }
            shown.extend(Some(graph).filter(|_| shows));
        }
        let term = |id: Id| dictionary.text(id).map(term::decode);
        let named_nodes = |ids: FxHashSet<Id>| {
            let nodes = ids.into_iter().filter_map(|id| match term(id)? {
                Term::NamedNode(node) => Some(node),
                _ => None,
            });
            let mut nodes = nodes.collect::<Vec<_>>();
            nodes.sort();
            nodes
        };
        let default_graph = shown.first() == Some(&DEFAULT_GRAPH);
        let mut graphs = shown
            .into_iter()
            .filter_map(|id| term::node(term(id)?))
            .collect::<Vec<_>>();
        graphs.sort_by_key(ToString::to_string);
        Ok(Summary {
            default_graph,
            graphs,
            classes: named_nodes(classes),
            properties: named_nodes(properties),
        })
    }

    pub(crate) fn next(
        &self,
        sequence: u64,
        time: Option<OffsetDateTime>,
        dictionary: Dictionary,
        index: Index,
    ) -> Self {
        Self {
            sequence,
            time,
            chain: Chain::default(),
            version: None,
            dictionary,
            index,
            options: Arc::clone(&self.options),
            sets: Sets::default(),
            guards: Mutex::default(),
            overlays: Mutex::default(),
        }
    }

    /// The same, of which the log holds all changes: this is the chain over them.
    #[must_use]
    pub(crate) fn chained(self, chain: Chain) -> Self {
        Self {
            version: Some(chain.version(self.sequence).into()),
            chain,
            ..self
        }
    }

    /// Takes over from the snapshot before what this change cannot have altered.
    pub(crate) fn keep(&mut self, before: &Self, added: &[IdQuad], removed: &[IdQuad]) {
        if !self.options.keeps {
            return;
        }
        let Some(change) = Change::new(before, self, added, removed) else {
            return;
        };
        let sets = Sets::kept(&before.sets, &change);
        drop(change);
        self.sets = sets;
        // Anew, because what guards show rests on the sets.
        let Some(change) = Change::new(before, self, added, removed) else {
            return;
        };
        let mut left = GUARD_BYTES;
        let mut overlays = FxHashMap::default();
        let mut carry = |key: &(Guard, Names), overlay: &Overlay| {
            let bytes = overlay.bytes();
            if bytes <= left
                && let Some(carried) = change.carry(&key.0, overlay)
            {
                left -= bytes;
                overlays.insert(key.clone(), carried);
            }
        };
        for (key, guard) in before.guards().iter() {
            let guard = guard.get();
            if let Some(overlay) = guard.as_ref().and_then(|guard| guard.overlay()) {
                carry(key, overlay);
            }
        }
        for (key, overlay) in before.overlays().iter() {
            carry(key, overlay);
        }
        self.overlays = Mutex::new(overlays);
    }

    fn overlays(&self) -> std::sync::MutexGuard<'_, FxHashMap<(Guard, Names), Overlay>> {
        self.overlays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guard as ids of this snapshot, for a question that names these terms.
    pub(crate) fn compile(
        &self,
        guard: &Guard,
        names: &Names,
        budget: &Budget,
    ) -> Result<Arc<IdGuard>, StoreError> {
        // What a policy needs stays with the snapshot, for all that ask under it.
        let budget = &budget
            .clone()
            .with_memory(budget.memory().max(POLICY_BYTES));
        let is_directed = guard.selectors().any(|selector| selector.named.is_some());
        let names = Some(names).filter(|_| is_directed).cloned();
        let key = (self.settled(guard, budget)?, names.unwrap_or_default());
        let once = {
            let mut guards = self.guards();
            if guards.len() >= GUARDS && !guards.contains_key(&key) {
                make_room(&mut guards);
            }
            Arc::clone(guards.entry(key.clone()).or_default())
        };
        if let Some(known) = once.get() {
            return Ok(known);
        }
        let compiled = once.get_or_make(budget, || {
            let kept = self.overlays().remove(&key);
            IdGuard::new(&key.0, self, &key.1, kept, budget).map(Arc::new)
        })?;
        if compiled.bytes() > 0 {
            shrink(&mut self.guards(), &compiled);
        }
        Ok(compiled)
    }

    fn guards(&self) -> std::sync::MutexGuard<'_, Guards> {
        // A poisoned cache is still a right cache: entries are whole before they go in.
        self.guards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of a graph's name.
    pub(crate) fn graph(&self, graph: &GraphName) -> Option<Id> {
        match graph {
            GraphName::DefaultGraph => Some(DEFAULT_GRAPH),
            GraphName::NamedNode(node) => self.dictionary.id(node.as_ref().into()),
            GraphName::BlankNode(node) => self.dictionary.id(node.as_ref().into()),
        }
    }

    /// The quad's ids in what a guard shows, if all its terms have some.
    pub(crate) fn ids(&self, guard: &IdGuard, quad: &Quad) -> Option<IdQuad> {
        let dictionary = guard.dictionary(self);
        Some([
            self.graph(&quad.graph_name)?,
            dictionary.id(TermRef::from(quad.subject.as_ref()))?,
            dictionary.id(quad.predicate.as_ref().into())?,
            dictionary.id(quad.object.as_ref())?,
        ])
    }

    pub(crate) fn term(&self, id: Id) -> Option<Term> {
        self.dictionary.text(id).map(term::decode)
    }

    pub(crate) fn decode(&self, [g, s, p, o]: IdQuad) -> Option<Quad> {
        decode(&self.dictionary, [g, s, p, o])
    }
}

/// Forgets guards: those that are quick to compile first, so that questions with many names push out nobody's transforms.
fn make_room(guards: &mut Guards) {
    guards.retain(|_, guard| guard.get().is_some_and(|guard| guard.bytes() > 0));
    if guards.len() >= GUARDS {
        guards.clear();
    }
}

/// Forgets guards, though not this one, until what they keep is little enough.
fn shrink(guards: &mut Guards, newest: &Arc<IdGuard>) {
    let mut left = GUARD_BYTES.saturating_sub(newest.bytes());
    guards.retain(|_, guard| {
        let Some(guard) = guard.get() else {
            return true;
        };
        let bytes = guard.bytes();
        let keep = Arc::ptr_eq(&guard, newest) || bytes <= left;
        if keep && !Arc::ptr_eq(&guard, newest) {
            left -= bytes;
        }
        keep
    });
}

/// The quad's ids; terms without one get one.
pub(crate) fn encode(growing: &mut Growing, quad: &Quad) -> Result<IdQuad, StoreError> {
    let g = match &quad.graph_name {
        GraphName::DefaultGraph => DEFAULT_GRAPH,
        GraphName::NamedNode(node) => growing.id(node.as_ref().into())?,
        GraphName::BlankNode(node) => growing.id(node.as_ref().into())?,
    };
    Ok([
        g,
        growing.id(TermRef::from(quad.subject.as_ref()))?,
        growing.id(quad.predicate.as_ref().into())?,
        growing.id(quad.object.as_ref())?,
    ])
}

pub(crate) fn decode(dictionary: &Dictionary, [g, s, p, o]: IdQuad) -> Option<Quad> {
    let term = |id| dictionary.text(id).map(term::decode);
    let graph_name = if g == DEFAULT_GRAPH {
        GraphName::DefaultGraph
    } else {
        term::node(term(g)?)?.into()
    };
    let Term::NamedNode(predicate) = term(p)? else {
        return None;
    };
    Some(Quad::new(
        term::node(term(s)?)?,
        predicate,
        term(o)?,
        graph_name,
    ))
}

//! The twin at one moment: never changes, costs nothing to keep, blocks nobody.

use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Dictionary, Growing, Id};
use crate::guard::IdGuard;
use crate::index::Index;
use crate::run::IdQuad;
use crate::term;
use crate::view::View;
use oxrdf::{GraphName, NamedNode, NamedOrBlankNode, Quad, Term, TermRef};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Borrow;
use std::sync::{Arc, Mutex, PoisonError};
use time::OffsetDateTime;
use twinlink_core::Budget;
use twinlink_policy::Guard;

/// How many compiled guards a snapshot keeps: a caller's guard is compiled once per snapshot, not once per query.
const GUARDS: usize = 64;

/// The twin at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    sequence: u64,
    time: Option<OffsetDateTime>,
    pub(crate) dictionary: Dictionary,
    pub(crate) index: Index,
    guards: Mutex<FxHashMap<Guard, Arc<IdGuard>>>,
}

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

    /// The number of the last change in it; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When that change was made.
    pub fn time(&self) -> Option<OffsetDateTime> {
        self.time
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

    /// What the guard shows, for one evaluation within the budget.
    pub fn view(&self, guard: &Guard, budget: &Budget) -> View<'_> {
        View::new(self, self.compile(guard), budget)
    }

    /// The quads that the guard shows, in no particular order.
    pub fn quads(&self, guard: &Guard) -> impl Iterator<Item = Quad> + '_ {
        self.visible(guard).filter_map(|quad| self.decode(quad))
    }

    /// The visible quads of one graph.
    pub fn quads_of_graph(
        &self,
        guard: &Guard,
        graph: &GraphName,
    ) -> impl Iterator<Item = Quad> + '_ {
        self.visible_in_graph(guard, graph)
            .filter_map(|quad| self.decode(quad))
    }

    /// The visible graphs, classes and properties.
    pub fn summary(&self, guard: &Guard) -> Summary {
        let guard = self.compile(guard);
        let rdf_type = self.dictionary.id(oxrdf::vocab::rdf::TYPE.into());
        let mut graphs = Vec::new();
        let mut classes = FxHashSet::default();
        let mut properties = FxHashSet::default();
        for graph in std::iter::once(DEFAULT_GRAPH).chain(self.index.named_graphs()) {
            let mut shows = false;
            for property in self.index.predicates(graph, None) {
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
            graphs.extend(Some(graph).filter(|_| shows));
        }
        let default_graph = graphs.first() == Some(&DEFAULT_GRAPH);
        let mut graphs = graphs
            .into_iter()
            .filter_map(|id| term::node(self.term(id)?))
            .collect::<Vec<_>>();
        graphs.sort_by_key(ToString::to_string);
        Summary {
            default_graph,
            graphs,
            classes: self.named_nodes(classes),
            properties: self.named_nodes(properties),
        }
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
            dictionary,
            index,
            guards: Mutex::default(),
        }
    }

    /// The guard as ids of this snapshot.
    pub(crate) fn compile(&self, guard: &Guard) -> Arc<IdGuard> {
        // A poisoned cache is still a right cache: entries are whole before they go in.
        if let Some(known) = self
            .guards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(guard)
        {
            return Arc::clone(known);
        }
        let compiled = Arc::new(IdGuard::new(guard, self));
        let mut guards = self.guards.lock().unwrap_or_else(PoisonError::into_inner);
        if guards.len() >= GUARDS {
            guards.clear();
        }
        guards.insert(guard.clone(), Arc::clone(&compiled));
        compiled
    }

    pub(crate) fn visible(&self, guard: &Guard) -> impl Iterator<Item = IdQuad> + '_ {
        self.compile(guard).quads(self)
    }

    pub(crate) fn visible_in_graph(
        &self,
        guard: &Guard,
        graph: &GraphName,
    ) -> impl Iterator<Item = IdQuad> + '_ {
        let id = self.graph(graph);
        let guard = self.compile(guard);
        id.map(|id| guard.quads_of_graph(self, id))
            .into_iter()
            .flatten()
    }

    /// The id of a graph's name.
    pub(crate) fn graph(&self, graph: &GraphName) -> Option<Id> {
        match graph {
            GraphName::DefaultGraph => Some(DEFAULT_GRAPH),
            GraphName::NamedNode(node) => self.dictionary.id(node.as_ref().into()),
            GraphName::BlankNode(node) => self.dictionary.id(node.as_ref().into()),
        }
    }

    /// The quad's ids, if all its terms have some.
    pub(crate) fn ids(&self, quad: &Quad) -> Option<IdQuad> {
        Some([
            self.graph(&quad.graph_name)?,
            self.dictionary.id(TermRef::from(quad.subject.as_ref()))?,
            self.dictionary.id(quad.predicate.as_ref().into())?,
            self.dictionary.id(quad.object.as_ref())?,
        ])
    }

    pub(crate) fn term(&self, id: Id) -> Option<Term> {
        self.dictionary.text(id).map(term::decode)
    }

    pub(crate) fn decode(&self, [g, s, p, o]: IdQuad) -> Option<Quad> {
        decode(&self.dictionary, [g, s, p, o])
    }

    fn named_nodes(&self, ids: FxHashSet<Id>) -> Vec<NamedNode> {
        let nodes = ids.into_iter().filter_map(|id| match self.term(id)? {
            Term::NamedNode(node) => Some(node),
            _ => None,
        });
        let mut nodes = nodes.collect::<Vec<_>>();
        nodes.sort();
        nodes
    }
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

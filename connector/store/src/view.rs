//! What a guard shows of a snapshot, for one evaluation.
//!
//! Every triple pattern is decided before it is scanned: what is hidden as a whole costs what an absent term costs.
//! What can only be decided row by row is first split by graph and predicate, so that the split parts can be decided
//! as a whole. Rows that are left to be checked one by one (those of a class, and those of one subject) cost a few
//! nanoseconds each when hidden.

mod scan;

use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Dictionary, Growing, Id};
use crate::guard::{IdGuard, Pattern};
use crate::snapshot::Snapshot;
use crate::term;
use crate::watch::{Health, Watch};
use oxrdf::{NamedNode, Term};
use scan::Scan;
use spareval::{ExpressionTerm, InternalQuad, QueryableDataset};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use twinlink_core::Budget;

/// The most bytes of terms that one evaluation may make.
const TERM_BYTES: usize = 256 << 20;
/// The most bytes of one such term.
const ONE_TERM_BYTES: usize = 8 << 20;

/// What a guard shows of a snapshot, for one evaluation within a budget.
// INVARIANT(non-interference): an evaluation over this view equals one over a copy without what the guard withholds.
#[derive(Debug, Clone)]
pub struct View<'a> {
    snapshot: &'a Snapshot,
    guard: Arc<IdGuard>,
    state: Rc<State>,
    /// Graphs that are merged into one default graph, which is then asked for as "any named graph".
    merged: Option<Merged>,
}

/// The graphs of which the default graph is the RDF merge.
#[derive(Debug, Clone)]
enum Merged {
    These(Rc<[Id]>),
    /// The dataset's default graph and all named graphs.
    All,
}

/// What all parts of one evaluation share.
#[derive(Debug)]
struct State {
    /// The terms of the snapshot and those that the guard made.
    dictionary: Dictionary,
    /// The same, and the terms that the query makes.
    terms: RefCell<Growing>,
    /// Terms that the query makes begin here.
    first_made: Id,
    watch: Arc<Watch>,
    /// Whether somebody catches [`crate::watch::Stopped`].
    unwinds: Cell<bool>,
}

impl<'a> View<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, guard: Arc<IdGuard>, budget: &Budget) -> Self {
        let dictionary = guard.dictionary(snapshot).clone();
        Self {
            snapshot,
            guard,
            state: Rc::new(State {
                terms: RefCell::new(dictionary.grow()),
                first_made: dictionary.next(),
                dictionary,
                watch: Arc::new(Watch::new(budget)),
                unwinds: Cell::new(false),
            }),
            merged: None,
        }
    }

    /// Answers patterns over "any named graph" with the RDF merge of these graphs: every triple once.
    ///
    /// For a query with several `FROM`, whose evaluator is told that the default graph is the union of all and that
    /// the named graphs are those listed: it then asks for "any named graph" only when it means the default graph.
    #[must_use]
    pub fn merging(mut self, graphs: &[NamedNode]) -> Self {
        let mut ids = graphs
            .iter()
            .filter_map(|graph| self.snapshot.dictionary.id(graph.as_ref().into()))
            .collect::<Vec<_>>();
        ids.sort_unstable();
        ids.dedup();
        self.merged = Some(Merged::These(ids.into()));
        self
    }

    /// As [`View::merging`], with all graphs, the default graph among them.
    pub(crate) fn merging_all(mut self) -> Self {
        self.merged = Some(Merged::All);
        self
    }

    /// Bytes that the guard keeps in memory beside the snapshot, roughly: what it shows transformed, and statistics.
    pub fn kept_bytes(&self) -> usize {
        self.guard.bytes()
    }

    /// Whether all went well so far.
    pub fn health(&self) -> Health {
        Health(Arc::clone(&self.state.watch))
    }

    /// For one who catches [`crate::watch::Stopped`]: expressions then stop at once when they must.
    pub(crate) fn unwinding(self) -> Self {
        self.state.unwinds.set(true);
        self
    }

    /// Whether the id is that of a term of the snapshot or of the guard.
    fn known(&self, id: Id) -> bool {
        id != DEFAULT_GRAPH && id < self.state.first_made
    }

    fn with_text<T>(&self, id: Id, read: impl FnOnce(&str) -> T) -> Result<T, StoreError> {
        let found = if self.known(id) {
            self.state.dictionary.text(id).map(read)
        } else {
            self.state.terms.borrow().text(id).map(read)
        };
        found.ok_or(StoreError::NoTerm(id))
    }
}

impl State {
    /// Counts a step inside an expression, whose errors the evaluator takes for "no value" and goes on.
    #[inline]
    fn step(&self) -> Result<(), StoreError> {
        if self.unwinds.get() {
            self.watch.step_or_unwind();
            return Ok(());
        }
        self.watch.step()
    }

    fn fail(&self, error: StoreError) -> StoreError {
        self.watch.fail(error)
    }
}

impl<'a> QueryableDataset<'a> for View<'a> {
    type InternalTerm = Id;
    type Error = StoreError;

    fn internal_quads_for_pattern(
        &self,
        subject: Option<&Id>,
        predicate: Option<&Id>,
        object: Option<&Id>,
        graph_name: Option<Option<&Id>>,
    ) -> impl Iterator<Item = Result<InternalQuad<Id>, StoreError>> + use<'a> {
        let pattern = Pattern {
            g: graph_name.map(|name| name.copied().unwrap_or(DEFAULT_GRAPH)),
            s: subject.copied(),
            p: predicate.copied(),
            o: object.copied(),
        };
        // A graph that the query made up would otherwise pass for the default graph's id only if it were 0.
        let unknown = |id: Option<&Id>| id.is_some_and(|id| !self.known(*id));
        if unknown(subject)
            || unknown(predicate)
            || unknown(object)
            || graph_name.is_some_and(unknown)
        {
            return Scan::none(self);
        }
        match (&self.merged, graph_name) {
            (Some(Merged::These(graphs)), None) => Scan::merged(self, pattern, graphs),
            (Some(Merged::All), None) => Scan::merged_all(self, pattern),
            _ => Scan::new(self, pattern),
        }
    }

    fn internal_named_graphs(&self) -> impl Iterator<Item = Result<Id, StoreError>> + use<'a> {
        self.guard
            .graphs(self.snapshot)
            .to_vec()
            .into_iter()
            .map(Ok)
    }

    fn contains_internal_graph_name(&self, graph_name: &Id) -> Result<bool, StoreError> {
        Ok(self.known(*graph_name) && self.guard.shows(self.snapshot, *graph_name))
    }

    fn internalize_term(&self, term: Term) -> Result<Id, StoreError> {
        self.state.step()?;
        let mut terms = self.state.terms.borrow_mut();
        let id = terms
            .id(term.as_ref())
            .map_err(|error| self.state.fail(error))?;
        if terms.made_bytes() > TERM_BYTES {
            return Err(self.state.fail(StoreError::Terms(TERM_BYTES)));
        }
        Ok(id)
    }

    fn externalize_term(&self, term: Id) -> Result<Term, StoreError> {
        self.with_text(term, term::decode)
    }

    fn externalize_expression_term(&self, term: Id) -> Result<ExpressionTerm, StoreError> {
        self.state.step()?;
        self.with_text(term, term::decode_expression)
    }

    fn internalize_expression_term(&self, term: ExpressionTerm) -> Result<Id, StoreError> {
        if let ExpressionTerm::StringLiteral(value)
        | ExpressionTerm::LangStringLiteral { value, .. }
        | ExpressionTerm::OtherTypedLiteral { value, .. } = &term
            && value.len() > ONE_TERM_BYTES
        {
            return Err(self.state.fail(StoreError::Terms(ONE_TERM_BYTES)));
        }
        self.internalize_term(term.into())
    }

    fn internal_term_effective_boolean_value(&self, term: Id) -> Result<Option<bool>, StoreError> {
        self.state.step()?;
        if let Some(value) = self.with_text(term, term::boolean)? {
            return Ok(value);
        }
        Ok(match self.externalize_expression_term(term)? {
            ExpressionTerm::IntegerLiteral(value) => {
                Some(oxsdatatypes::Boolean::from(value).into())
            }
            ExpressionTerm::DecimalLiteral(value) => {
                Some(oxsdatatypes::Boolean::from(value).into())
            }
            ExpressionTerm::DoubleLiteral(value) => Some(oxsdatatypes::Boolean::from(value).into()),
            ExpressionTerm::FloatLiteral(value) => Some(oxsdatatypes::Boolean::from(value).into()),
            ExpressionTerm::BooleanLiteral(value) => Some(value.into()),
            ExpressionTerm::StringLiteral(value) => Some(!value.is_empty()),
            _ => None,
        })
    }
}

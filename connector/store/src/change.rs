//! Changes: all or nothing, and only what the permits cover.
//!
//! What the rules are, so that a change neither does nor tells more than it may:
//! - The caller sees the twin through `read`. A quad it cannot see counts as absent: deleting it does nothing, and
//!   inserting it counts like inserting a new one.
//! - A quad that is added must be one that `modify` covers on the state before its operation *and* on the state
//!   after. So nobody may give a subject a class and with it the right to write about it, in one stroke or in two.
//! - A quad that is removed must be one that `modify` covers on the state before its operation.
//! - A quad that the caller sees only because a policy shows another one transformed cannot be removed, and to insert it
//!   does nothing.
//! - The twin does not record empty graphs: `CREATE` makes nothing, `DROP` is `CLEAR`, and neither misses a graph.

mod draft;

use crate::dataset::Choice;
use crate::evaluate::{refusal, stoppable};
use crate::guard::Names;
use crate::spatial::Unevaluable;
use crate::{Health, TwinStore};
use draft::{Draft, Removed};
use oxrdf::{BlankNode, GraphName, NamedOrBlankNode, Quad, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use spareval::{DeleteInsertIter, DeleteInsertQuad, QueryEvaluationError};
use spargebra::algebra::GraphTarget;
use spargebra::term::{GroundQuad, GroundTerm};
use spargebra::{GraphUpdateOperation, SparqlParser};
use twinlink_core::{Applied, Budget, Change, Code, DatasetChoice, Refusal};
use twinlink_policy::Guard;

/// Gives every blank node a fresh label, the same for the same node: what an importer does with each document.
///
/// The labels are random and stay as they are, so that no later document can mean an earlier one's nodes.
pub fn with_fresh_blank_nodes(quads: impl IntoIterator<Item = Quad>) -> impl Iterator<Item = Quad> {
    let mut fresh = Fresh::default();
    quads.into_iter().map(move |quad| fresh.quad(quad))
}

const NOTHING: Removed<'_> = Removed::These(&[]);

impl TwinStore {
    /// Makes a change durable, or makes none. The WHERE parts and removals see what `read` shows, nothing without.
    ///
    /// # Errors
    /// As [`twinlink_core::Twin::change`].
    pub fn apply(
        &self,
        change: &Change,
        read: Option<&Guard>,
        modify: &Guard,
        budget: &Budget,
    ) -> Result<Applied, Refusal> {
        let nothing = Guard::nothing();
        let turn = self.turn(budget)?;
        let mut draft = Draft::new(&turn.snapshot, read.unwrap_or(&nothing), modify, budget);
        let mut created = false;
        match change {
            Change::Update {
                update,
                base,
                using,
            } => {
                self.update(&mut draft, update, base.as_deref(), using.as_ref(), budget)?;
            }
            Change::Insert(quads) => {
                let graphs = quads
                    .iter()
                    .map(|quad| &quad.graph_name)
                    .collect::<FxHashSet<_>>();
                created = !quads.is_empty();
                for graph in graphs {
                    created &= !draft.shows(graph)?;
                }
                draft.apply(NOTHING, quads, &Names::default())?;
            }
            Change::Replace(graph, quads) => {
                if let Some(stray) = quads.iter().find(|quad| quad.graph_name != *graph) {
                    return Err(Refusal::about_input(
                        "change.graph",
                        format_args!("a quad of {} cannot be put into {graph}", stray.graph_name),
                    ));
                }
                created = !draft.shows(graph)?;
                draft.apply(Removed::Graph(graph), quads, &Names::default())?;
            }
            Change::Clear(graph) => {
                draft.apply(Removed::Graph(graph), &[], &Names::default())?;
            }
        }
        check(budget)?;
        let applied = Applied {
            sequence: turn.snapshot.sequence(),
            inserted: draft.inserted,
            removed: draft.removed,
            created,
            version: turn.snapshot.version(),
        };
        match draft.finish() {
            Some(delta) => {
                let after = turn.commit(delta)?;
                Ok(Applied {
                    sequence: after.sequence(),
                    version: after.version(),
                    ..applied
                })
            }
            None => Ok(applied),
        }
    }

    fn update(
        &self,
        draft: &mut Draft<'_>,
        update: &str,
        base: Option<&str>,
        using: Option<&DatasetChoice>,
        budget: &Budget,
    ) -> Result<(), Refusal> {
        let mut parser = SparqlParser::new();
        if let Some(base) = base {
            parser = parser
                .with_base_iri(base)
                .map_err(|error| Refusal::about_input("sparql.base", error))?;
        }
        // The doors have checked length and nesting.
        let update = parser
            .parse_update(update)
            .map_err(|error| Refusal::about_input("sparql.syntax", error))?;
        for operation in &update.operations {
            check(budget)?;
            match operation {
                GraphUpdateOperation::InsertData { data } => {
                    draft.apply(
                        NOTHING,
                        &with_fresh_blank_nodes(data.iter().map(data_quad)).collect::<Vec<_>>(),
                        &Names::default(),
                    )?;
                }
                GraphUpdateOperation::DeleteData { data } => {
                    let quads = data.iter().map(ground_quad).collect::<Vec<_>>();
                    draft.apply(Removed::These(&quads), &[], &Names::default())?;
                }
                GraphUpdateOperation::DeleteInsert {
                    delete,
                    insert,
                    using: own,
                    pattern,
                } => {
                    let names = Names::of_pattern(pattern);
                    let bounded = self.options.bound(pattern)?;
                    let choice = Choice::new(using, own.as_ref());
                    let view = choice.seen_in(draft.view(&names)?).unwinding();
                    let health = view.health();
                    health.look()?;
                    let unevaluable = Unevaluable::default();
                    let calls = bounded.calls_functions;
                    let evaluator = self.options.evaluator(&health, &unevaluable, calls);
                    let base = update.base_iri.clone();
                    let mut prepared = evaluator.prepare_delete_insert(
                        delete.clone(),
                        insert.clone(),
                        base,
                        None,
                        &bounded.pattern,
                    );
                    *prepared.dataset_mut() = choice.specification();
                    let (removed, added) =
                        stoppable(&health, || collect(prepared.execute(view), &health, budget))?;
                    draft.apply(Removed::These(&removed), &added, &names)?;
                }
                GraphUpdateOperation::Clear { graph, .. }
                | GraphUpdateOperation::Drop { graph, .. } => {
                    let name;
                    let removed = match graph {
                        GraphTarget::NamedNode(graph) => {
                            name = graph.clone().into();
                            Removed::Graph(&name)
                        }
                        GraphTarget::DefaultGraph => Removed::Graph(&GraphName::DefaultGraph),
                        GraphTarget::NamedGraphs => Removed::Named,
                        GraphTarget::AllGraphs => Removed::All,
                    };
                    draft.apply(removed, &[], &Names::default())?;
                }
                GraphUpdateOperation::Create { silent, graph } => {
                    if !silent && draft.shows(&graph.clone().into())? {
                        return Err(Refusal::new(
                            Code::Conflict,
                            "sparql.create",
                            format_args!("the graph {graph} is there already"),
                        )
                        .open());
                    }
                }
                GraphUpdateOperation::Load { silent: true, .. } => {}
                GraphUpdateOperation::Load { source, .. } => {
                    return Err(Refusal::about_input(
                        "sparql.load",
                        format_args!(
                            "LOAD {source} is not supported: the twin calls nobody; import the document instead"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// All quads that a WHERE part leads to: the deletions and insertions of an operation happen after it.
fn collect(
    quads: Result<DeleteInsertIter<'_>, QueryEvaluationError>,
    health: &Health,
    budget: &Budget,
) -> Result<(Vec<Quad>, Vec<Quad>), Refusal> {
    let mut removed = Vec::new();
    let mut added = Vec::new();
    for quad in quads.map_err(|error| refusal(health, error))? {
        match quad.map_err(|error| refusal(health, error))? {
            DeleteInsertQuad::Delete(quad) => removed.push(quad),
            DeleteInsertQuad::Insert(quad) => added.push(quad),
        }
        within_rows(removed.len() + added.len(), budget)?;
    }
    health.check()?;
    Ok((removed, added))
}

fn check(budget: &Budget) -> Result<(), Refusal> {
    if budget.is_cancelled() || budget.left(std::time::Instant::now()).is_zero() {
        return Err(Refusal::new(
            Code::Timeout,
            "deadline",
            "the deadline passed, nothing was changed",
        ));
    }
    Ok(())
}

fn within_rows(rows: usize, budget: &Budget) -> Result<(), Refusal> {
    if rows as u64 > budget.rows() {
        return Err(Refusal::new(
            Code::Exhausted,
            "limits.rows",
            format_args!("the update changes more than {} quads", budget.rows()),
        )
        .open());
    }
    Ok(())
}

fn data_quad(quad: &spargebra::term::Quad) -> Quad {
    Quad::new(
        quad.subject.clone(),
        quad.predicate.clone(),
        quad.object.clone(),
        graph_name(&quad.graph_name),
    )
}

fn ground_quad(quad: &GroundQuad) -> Quad {
    let object: Term = match &quad.object {
        GroundTerm::NamedNode(node) => node.clone().into(),
        GroundTerm::Literal(literal) => literal.clone().into(),
    };
    Quad::new(
        quad.subject.clone(),
        quad.predicate.clone(),
        object,
        graph_name(&quad.graph_name),
    )
}

fn graph_name(name: &spargebra::term::GraphName) -> GraphName {
    match name {
        spargebra::term::GraphName::NamedNode(node) => node.clone().into(),
        spargebra::term::GraphName::DefaultGraph => GraphName::DefaultGraph,
    }
}

/// Old blank nodes to new.
#[derive(Default)]
struct Fresh(FxHashMap<BlankNode, BlankNode>);

impl Fresh {
    fn quad(&mut self, mut quad: Quad) -> Quad {
        if let NamedOrBlankNode::BlankNode(node) = &mut quad.subject {
            self.rename(node);
        }
        if let Term::BlankNode(node) = &mut quad.object {
            self.rename(node);
        }
        if let GraphName::BlankNode(node) = &mut quad.graph_name {
            self.rename(node);
        }
        quad
    }

    fn rename(&mut self, node: &mut BlankNode) {
        let fresh = self.0.entry(std::mem::take(node)).or_default();
        node.clone_from(fresh);
    }
}

//! Engines with one fault each. The suite is good if it finds out every one of them.
//!
//! The engine itself stays as it is: a fault is put around it, in the policies it is given, in the guard it is given, in
//! a view around its view, or in what is made of its answers. What only the inside could get wrong and the outside
//! cannot imitate (such as leaving out the second check of an insertion) is not among them.

mod view;

use super::question::Question;
use super::scene::{Action, Kind, Policy, Scene};
use super::subject::{Subject, budget, choice, parse};
use crate::answer::{Answer, Table};
use crate::engine::Collector;
use oxrdf::vocab::rdf;
use oxrdf::{GraphName, NamedOrBlankNode, Quad, Term};
use spargebra::Query;
use spargebra::algebra::QueryDataset;
use std::collections::HashSet;
use twinlink_core::policy::{GraphNameKey, Guard, Permit, Selector};
use twinlink_core::{Applied, Change, Refusal, Workbench as _};
use twinlink_store::{QuadWorkbench, TwinStore};

/// An engine with a fault, or without one, for comparison.
pub(super) struct Mutant(pub(super) Option<Fault>);

macro_rules! faults {
    ($($(#[$_comment:meta])* $fault:ident = $name:literal,)*) => {
        /// What can be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Fault {
            $($(#[$_comment])* $fault,)*
        }

        impl Fault {
            /// All of them.
            pub(super) const ALL: &'static [Self] = &[$(Self::$fault,)*];

            /// What the report calls it.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$fault => $name,)*
                }
            }
        }
    };
}

faults! {
    // In the policies.
    ConstraintsDropped = "constraints dropped, and then permitted",
    OffersGranted = "offers granted",
    AssigneesIgnored = "assignees ignored",
    WiderProhibitionsIgnored = "a prohibition of use does not cover read",
    UnknownLiftsProhibitions = "a prohibition with an unknown condition does not apply",
    // In the guard.
    ProhibitionsIgnored = "prohibitions ignored",
    FirstPermitOnly = "first permit only",
    FirstProhibitionOnly = "first prohibition only",
    PropertyForgotten = "a conjunction's property forgotten",
    ClassForgotten = "a conjunction's class forgotten",
    DefaultGraphIsAny = "default graph taken for every graph",
    // In the view.
    ResidualSkipped = "residual check skipped",
    SubjectLookupsUnguarded = "lookups by subject unguarded",
    ObjectLookupsUnguarded = "lookups by object unguarded",
    VariablePredicateUnguarded = "patterns with any predicate unguarded",
    AnyGraphUnguarded = "patterns over any graph unguarded",
    NamedGraphUnguarded = "patterns over a graph by name unguarded",
    EnumerationUnguarded = "graph enumeration unguarded",
    ContainsSaysYes = "contains-graph says yes to hidden graphs",
    PathNodesUnguarded = "nodes of zero-length paths unguarded",
    DescribeUnguarded = "DESCRIBE unguarded",
    FromUnguarded = "FROM unguarded",
    FromCountedTwice = "a triple of two FROM graphs counted twice",
    RowsCountedTwice = "a row of a split scan given twice",
    RowsLost = "a row of a residual scan lost",
    ClassesFromTheVisible = "class sets from the visible part only",
    ClassesFromTheDefaultGraph = "class sets from the default graph only",
    ClassesOfTheObject = "class of the object instead of the subject",
    // Around the answer.
    FilteredAfterwards = "answers filtered after they were computed",
    // In changes.
    WhereUnguarded = "WHERE of updates unguarded",
    ClearUnguarded = "CLEAR and replacing unguarded",
    ModifyUnguarded = "modify permit ignored",
    HiddenCounted = "what a change did counted with what is hidden",
    SilentDuplicate = "inserting what is there but hidden commits nothing",
}

impl Subject for Mutant {
    fn published(&self, scene: &Scene) -> Vec<Policy> {
        let mut policies = scene.policies.clone();
        let caller = &scene.caller;
        match self.0 {
            Some(Fault::OffersGranted) => {
                policies
                    .iter_mut()
                    .for_each(|policy| policy.kind = Kind::Set);
            }
            Some(Fault::ConstraintsDropped) => rules(&mut policies, |rule| {
                rule.constraints.clear();
                true
            }),
            Some(Fault::AssigneesIgnored) => {
                policies.iter_mut().for_each(|policy| {
                    if policy.kind == Kind::Agreement {
                        policy.kind = Kind::Set;
                    }
                });
                rules(&mut policies, |rule| {
                    rule.assignees.clear();
                    true
                });
            }
            Some(Fault::WiderProhibitionsIgnored) => {
                rules(&mut policies, |rule| {
                    rule.permits || rule.actions != [Action::Use]
                });
            }
            Some(Fault::UnknownLiftsProhibitions) => rules(&mut policies, |rule| {
                let unknown = caller.purpose.is_none() || caller.roles.is_empty();
                rule.permits || rule.constraints.is_empty() || !unknown
            }),
            _ => {}
        }
        policies.retain(|policy| !policy.rules.is_empty());
        policies
    }

    fn guard(&self, permit: &Permit) -> Guard {
        let guard = permit.guard();
        let mut permits = guard.permits().to_vec();
        let mut prohibitions = guard.prohibitions().to_vec();
        match self.0 {
            Some(Fault::ProhibitionsIgnored) => prohibitions.clear(),
            Some(Fault::FirstPermitOnly) => permits.truncate(1),
            Some(Fault::FirstProhibitionOnly) => prohibitions.truncate(1),
            Some(Fault::PropertyForgotten) => permits.iter_mut().for_each(|selector| {
                if selector.graph.is_some() || selector.class.is_some() {
                    selector.property = None;
                }
            }),
            Some(Fault::ClassForgotten) => permits.iter_mut().for_each(|selector| {
                if selector.graph.is_some() || selector.property.is_some() {
                    selector.class = None;
                }
            }),
            Some(Fault::DefaultGraphIsAny) => permits.iter_mut().for_each(|selector| {
                if selector.graph == Some(GraphNameKey::Default) {
                    selector.graph = None;
                }
            }),
            _ => {}
        }
        Guard::new(permits, prohibitions)
    }

    fn answer(
        &self,
        twin: &TwinStore,
        permit: &Permit,
        question: &Question,
    ) -> Result<Answer, String> {
        let query = parse(question)?;
        let guard = self.guard(permit);
        let quads: Vec<_> = quads_of(twin, &Guard::everything())?;
        let instances: fn(&Quad) -> Option<(NamedOrBlankNode, Term)> = match self.0 {
            Some(Fault::ClassesFromTheVisible) => {
                // Those that the right view shows.
                let visible: HashSet<_> = quads_of(twin, &guard)?.into_iter().collect();
                let shown = by_class(&quads, &guard, |quad| {
                    visible.contains(quad).then(|| subject_of(quad)).flatten()
                });
                return over(shown, query, question);
            }
            Some(Fault::ClassesFromTheDefaultGraph) => {
                |quad| subject_of(quad).filter(|_| quad.graph_name == GraphName::DefaultGraph)
            }
            Some(Fault::ClassesOfTheObject) => {
                return over(objects_by_class(&quads, &guard), query, question);
            }
            // Both ways around the engine must be right where nothing is made wrong in them.
            None if question.body.len().is_multiple_of(2) => subject_of,
            Some(Fault::FilteredAfterwards) => {
                let visible: Vec<_> = quads_of(twin, &guard)?.into_iter().collect();
                let mut answer = answered(twin, &Guard::everything(), &query, question)?;
                filter(&mut answer, &quads, &visible);
                return Ok(answer);
            }
            _ => return view::answer(self.0, twin, &guard, &query, question),
        };
        over(by_class(&quads, &guard, instances), query, question)
    }

    fn change(
        &self,
        twin: &TwinStore,
        read: Option<&Permit>,
        modify: &Permit,
        change: &Change,
    ) -> Result<Applied, Refusal> {
        let everything = Guard::everything();
        let seen = read.map(|permit| self.guard(permit));
        let mut read = seen.as_ref();
        let mut guard = self.guard(modify);
        let is_clear = match change {
            Change::Update { update, .. } => update.contains("CLEAR") || update.contains("DROP"),
            Change::Replace(..) | Change::Clear(_) => true,
            Change::Insert(_) => false,
        };
        match self.0 {
            Some(Fault::WhereUnguarded) => read = Some(&everything),
            Some(Fault::ClearUnguarded) if is_clear => read = Some(&everything),
            Some(Fault::ModifyUnguarded) => guard = Guard::everything(),
            _ => {}
        }
        let before = twin.snapshot();
        let mut applied = twin.apply(change, read, &guard, &budget())?;
        let after = twin.snapshot();
        match self.0 {
            Some(Fault::HiddenCounted) => {
                let more = after.len() as u64 + applied.removed;
                applied.inserted = more.saturating_sub(before.len() as u64);
            }
            Some(Fault::SilentDuplicate) if after.len() == before.len() && applied.removed == 0 => {
                applied.sequence = before.sequence();
            }
            _ => {}
        }
        Ok(applied)
    }
}

fn rules(policies: &mut [Policy], mut keep: impl FnMut(&mut super::scene::Rule) -> bool) {
    for policy in policies {
        policy.rules.retain_mut(|rule| keep(rule));
    }
}

fn answered(
    twin: &TwinStore,
    guard: &Guard,
    query: &Query,
    question: &Question,
) -> Result<Answer, String> {
    let mut collected = Collector::default();
    let choice = choice(question.dataset.as_ref());
    twin.query(query, choice.as_ref(), guard, &budget(), &mut collected)
        .map_err(|refusal| refusal.to_string())?;
    collected.answer()
}

/// The answer over just these quads.
fn over(quads: Vec<Quad>, mut query: Query, question: &Question) -> Result<Answer, String> {
    if let Some(dataset) = &question.dataset {
        let chosen = QueryDataset {
            default: dataset.default.clone(),
            named: Some(dataset.named.clone()),
        };
        match &mut query {
            Query::Select { dataset, .. }
            | Query::Construct { dataset, .. }
            | Query::Describe { dataset, .. }
            | Query::Ask { dataset, .. } => *dataset = Some(chosen),
        }
    }
    let mut collected = Collector::default();
    QuadWorkbench::default()
        .evaluate_over(quads, &query, &budget(), &mut collected)
        .map_err(|refusal| refusal.to_string())?;
    collected.answer()
}

/// A subject with its class, where a quad tells one.
fn subject_of(quad: &Quad) -> Option<(NamedOrBlankNode, Term)> {
    (quad.predicate == rdf::TYPE).then(|| (quad.subject.clone(), quad.object.clone()))
}

/// What a guard shows where only some quads tell who is of which class.
fn by_class(
    quads: &[Quad],
    guard: &Guard,
    instance: impl Fn(&Quad) -> Option<(NamedOrBlankNode, Term)>,
) -> Vec<Quad> {
    let instances: HashSet<_> = quads.iter().filter_map(instance).collect();
    shown(quads, guard, |quad, class| {
        instances.contains(&(quad.subject.clone(), class.clone()))
    })
}

fn objects_by_class(quads: &[Quad], guard: &Guard) -> Vec<Quad> {
    let instances: HashSet<_> = quads.iter().filter_map(subject_of).collect();
    shown(quads, guard, |quad, class| {
        NamedOrBlankNode::try_from(quad.object.clone())
            .is_ok_and(|object| instances.contains(&(object, class.clone())))
    })
}

fn shown(quads: &[Quad], guard: &Guard, is_instance: impl Fn(&Quad, &Term) -> bool) -> Vec<Quad> {
    let selects = |selector: &Selector, quad: &Quad| {
        let graph = selector.graph.as_ref();
        graph.is_none_or(|graph| graph.to_graph_name() == quad.graph_name)
            && selector
                .property
                .as_ref()
                .is_none_or(|property| *property == quad.predicate)
            && selector
                .class
                .as_ref()
                .is_none_or(|class| is_instance(quad, &class.clone().into()))
    };
    let is_shown = |quad: &&Quad| {
        guard.permits().iter().any(|one| selects(one, quad))
            && !guard.prohibitions().iter().any(|one| selects(one, quad))
    };
    quads.iter().filter(is_shown).cloned().collect()
}

/// Drops rows that name what only hidden quads name.
fn filter(answer: &mut Answer, all: &[Quad], visible: &[Quad]) {
    let terms = |quads: &[Quad]| -> HashSet<Term> {
        let of = |quad: &Quad| {
            let graph = match &quad.graph_name {
                GraphName::NamedNode(name) => Some(name.clone().into()),
                _ => None,
            };
            [
                Some(quad.subject.clone().into()),
                Some(quad.predicate.clone().into()),
                Some(quad.object.clone()),
                graph,
            ]
        };
        quads.iter().flat_map(of).flatten().collect()
    };
    let known = terms(visible);
    let hidden: HashSet<_> = terms(all).difference(&known).cloned().collect();
    if let Answer::Table(Table { rows, .. }) = answer {
        rows.retain(|row| !row.iter().flatten().any(|term| hidden.contains(term)));
    }
}

fn quads_of(twin: &TwinStore, guard: &Guard) -> Result<Vec<Quad>, String> {
    let snapshot = twin.snapshot();
    let quads = snapshot.quads(guard, &budget());
    Ok(quads.map_err(|error| error.to_string())?.collect())
}

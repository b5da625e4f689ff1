//! Engines with one fault each. The suite is good if it finds out every one of them.
//!
//! The engine itself stays as it is: a fault is put around it, in the policies it is given, in the guard it is given, in
//! a view around its view, or in what is made of its answers. What only the inside could get wrong and the outside
//! cannot imitate (such as leaving out the second check of an insertion) is not among them.

mod bag;
mod copy;
mod guard;
mod view;

use super::model::Model;
use super::question::{Check, Question, names};
use super::scene::{Action, KEY, Kind, Policy, Scene};
use super::subject::{Subject, budget, choice, parse};
use crate::answer::{Answer, Table};
use crate::engine::Collector;
use bag::Bag;
use oxrdf::vocab::rdf;
use oxrdf::{GraphName, NamedOrBlankNode, Quad, Term};
use spargebra::Query;
use spargebra::algebra::{GraphPattern, QueryDataset};
use std::collections::{HashMap, HashSet};
use twinlink_core::policy::{Guard, Selector};
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
    ExceptionsForgotten = "a prohibition that spares one permission applied to it too",
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
    // In what is shown changed.
    MaskedAfterJoin = "values changed after joins and filters",
    SortedBeforeMask = "values changed after sorting",
    OriginalsFound = "what is shown changed found by what it was",
    OriginalsShown = "what is shown changed shown as it is too",
    TransformsIgnoreProhibitions = "transforms ignore prohibitions",
    PseudonymsWithoutARecipient = "the same pseudonym for every recipient",
    PseudonymsWithoutAPurpose = "the same pseudonym for every purpose",
    PseudonymsWithoutAKey = "pseudonyms without the connector's key",
    FirstStepOnly = "first step only",
    StepsReversed = "steps in reverse",
    BrokenValuesShown = "values that a function is not defined for shown",
    SubjectsForgotten = "nodes changed as values only",
    SuppressionForgotten = "rare values shown",
    ChangedGivenTwice = "what is shown both ways given twice",
    EmptiedGraphListed = "a graph listed whose quads were all dropped",
    // In numbers.
    SmallGroupShown = "small groups shown",
    ComplementForgotten = "no second group suppressed",
    StatisticsIgnoreProhibitions = "statistics count what is prohibited",
    FewMeasured = "a measure that few units have told",
    DifferencesTold = "statistics told one by one",
    // In sets of subjects.
    PatternsOverTheVisible = "patterns over the visible part only",
    PatternErrorsSelect = "a pattern's error selects",
    NameLimitIgnored = "names without limit",
    NegationForgotten = "named instead of not named",
    DelayIgnored = "delay ignored",
    OneOldTimeIsEnough = "one old time of several is enough",
    // Around the answer.
    FilteredAfterwards = "answers filtered after they were computed",
    // In changes.
    WhereUnguarded = "WHERE of updates unguarded",
    WhereUnchanged = "WHERE of updates sees what is shown changed as it is",
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

    fn guard(&self, guard: &Guard) -> Guard {
        guard::guard(self.0, guard)
    }

    fn answer(
        &self,
        twin: &TwinStore,
        guard: &Guard,
        question: &Question,
    ) -> Result<Answer, String> {
        let query = parse(question)?;
        let guard = &self.guard(guard);
        let quads: Vec<_> = quads_of(twin, &Guard::everything())?;
        let names = match self.0 {
            Some(Fault::NameLimitIgnored) => names::all(pattern(&query)),
            _ => names::of_query(&query),
        };
        let copied = || copy::copy(self.0, &quads, guard, &names);
        let has_dataset = question.dataset.is_some();
        match self.0 {
            Some(Fault::ClassesOfTheObject) if is_simple(guard) => {
                over(objects_by_class(&quads, guard), query, question)
            }
            Some(Fault::FilteredAfterwards) => {
                let mut answer = answered(twin, &Guard::everything(), &query, question)?;
                filter(&mut answer, &quads, &copied()?);
                Ok(answer)
            }
            Some(fault @ (Fault::MaskedAfterJoin | Fault::SortedBeforeMask)) => {
                let sorts = matches!(question.check, Check::Ordered | Check::Page { .. });
                if fault == Fault::SortedBeforeMask && !sorts {
                    return answered(twin, guard, &query, question);
                }
                let changes = copy::changes(&quads, guard, &names)?;
                let changed: HashSet<_> = changes.iter().map(|(now, _)| now).collect();
                let mut as_it_is = copied()?;
                as_it_is.retain(|quad| !changed.contains(quad));
                as_it_is.extend(changes.iter().map(|(_, was)| was.clone()));
                let mut answer = over(as_it_is, query, question)?;
                rename(&mut answer, &copy::renamed(&changes));
                Ok(answer)
            }
            Some(Fault::OriginalsFound | Fault::ChangedGivenTwice | Fault::EmptiedGraphListed)
                if !has_dataset =>
            {
                self.bag(&quads, guard, &names)?.answer(&query)
            }
            Some(
                Fault::ClassesFromTheVisible
                | Fault::ClassesFromTheDefaultGraph
                | Fault::PatternsOverTheVisible
                | Fault::OneOldTimeIsEnough
                | Fault::NameLimitIgnored
                | Fault::PseudonymsWithoutAKey
                | Fault::TransformsIgnoreProhibitions
                | Fault::StatisticsIgnoreProhibitions
                | Fault::BrokenValuesShown
                | Fault::ComplementForgotten
                | Fault::FewMeasured
                | Fault::DifferencesTold,
            ) => over(copied()?, query, question),
            // All ways around the engine must be right where nothing is made wrong in them.
            None if question.body.len().is_multiple_of(3) => over(copied()?, query, question),
            None if question.body.len() % 3 == 1 && !has_dataset => {
                self.bag(&quads, guard, &names)?.answer(&query)
            }
            // A view is of no question, so nothing counts as named in it.
            _ if guard.selectors().any(|selector| selector.named.is_some()) => {
                answered(twin, guard, &query, question)
            }
            _ => view::answer(self.0, twin, guard, &query, question),
        }
    }

    fn change(
        &self,
        twin: &TwinStore,
        read: Option<&Guard>,
        modify: &Guard,
        change: &Change,
    ) -> Result<Applied, Refusal> {
        let everything = Guard::everything();
        let seen = read.map(|guard| self.guard(guard));
        let unchanged = seen.as_ref().map(guard::unchanged);
        let mut read = seen.as_ref();
        let mut guard = self.guard(modify);
        let is_clear = match change {
            Change::Update { update, .. } => update.contains("CLEAR") || update.contains("DROP"),
            Change::Replace(..) | Change::Clear(_) => true,
            Change::Insert(_) => false,
        };
        match self.0 {
            Some(Fault::WhereUnguarded) => read = Some(&everything),
            Some(Fault::WhereUnchanged) => read = unchanged.as_ref(),
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

impl Mutant {
    /// What is shown, in a dataset that has this fault.
    fn bag(&self, quads: &[Quad], guard: &Guard, names: &HashSet<Term>) -> Result<Bag, String> {
        let shown = copy::copy(None, quads, guard, names)?;
        let mut bag = Bag {
            quads: shown.into_iter().map(|quad| (quad.clone(), quad)).collect(),
            graphs: Vec::new(),
        };
        let changes = copy::changes(quads, guard, names)?;
        match self.0 {
            Some(Fault::OriginalsFound) => {
                let is_changed =
                    |(quad, _): &(Quad, Quad)| changes.iter().any(|(now, _)| now == quad);
                bag.quads.retain(|both| !is_changed(both));
                bag.quads.extend(changes);
            }
            Some(Fault::ChangedGivenTwice) => {
                let plain = guard.as_it_is();
                let plain = copy::copy(None, quads, &plain, names)?;
                let twice = changes.into_iter().filter(|(now, _)| plain.contains(now));
                bag.quads.extend(twice.map(|(now, _)| (now.clone(), now)));
            }
            Some(Fault::EmptiedGraphListed) => {
                let model = Model {
                    data: quads,
                    whole: quads,
                    names,
                    key: KEY,
                };
                for (layer, one) in copy::each(guard, Guard::transformed) {
                    let rows = model.allowed(&one.selector, layer)?;
                    bag.graphs
                        .extend(rows.into_iter().map(|quad| quad.graph_name));
                }
            }
            _ => {}
        }
        Ok(bag)
    }
}

fn pattern(query: &Query) -> &GraphPattern {
    let (Query::Select { pattern, .. }
    | Query::Construct { pattern, .. }
    | Query::Describe { pattern, .. }
    | Query::Ask { pattern, .. }) = query;
    pattern
}

/// Whether graphs, properties and classes say all.
fn is_simple(guard: &Guard) -> bool {
    let mut selectors = guard.selectors();
    guard.layers().count() == 1
        && guard.transformed().is_empty()
        && guard.statistics().is_empty()
        && selectors.all(|one| one.nodes.is_none() && one.named.is_none() && one.recorded.is_none())
}

/// Puts other terms in an answer's place.
fn rename(answer: &mut Answer, names: &HashMap<Term, Term>) {
    if let Answer::Table(Table { rows, .. }) = answer {
        for term in rows.iter_mut().flatten().flatten() {
            if let Some(name) = names.get(term) {
                term.clone_from(name);
            }
        }
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

fn objects_by_class(quads: &[Quad], guard: &Guard) -> Vec<Quad> {
    let types = quads.iter().filter(|quad| quad.predicate == rdf::TYPE);
    let instances: HashSet<_> = types
        .map(|quad| (quad.subject.clone(), quad.object.clone()))
        .collect();
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

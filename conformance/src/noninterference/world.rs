//! One scene, loaded into a twin and into the copy, and what is asked of both.

use super::model::Scope;
use super::question::{Check, Question};
use super::reference::{self, Changed, Refused};
use super::scene::{Action, Scene, TWIN, iri};
use super::subject::{Subject, budget};
use super::turtle;
use crate::answer::{Answer, Table};
use crate::canonical::UNDECIDED;
use crate::compare::{same_answer, same_graph, same_quads};
use oxigraph::store::Store;
use oxrdf::vocab::rdf;
use oxrdf::{Graph, GraphName, NamedNode, NamedOrBlankNode, Quad, Term, TermRef, TripleRef};
use std::collections::{BTreeSet, HashMap};
use twinlink_core::policy::{
    Ask, Denied, Guard, Permit, Policy, PolicyError, PolicySet, RdfFormat,
};
use twinlink_core::{Change, Code};
use twinlink_store::{EvaluationOptions, Summary, TwinStore};
use twinlink_vocab::odrl;

/// What is asked of a scene.
#[derive(Debug, Clone)]
pub(super) enum Task {
    Question(Question),
    Change(Change),
    /// What the caller may know of the twin's shape.
    Summary,
}

/// What a case was about, for the counts that show that cases are about something.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) something_withheld: bool,
    pub(super) something_visible: bool,
    pub(super) answered: bool,
    pub(super) changed: bool,
    pub(super) refused: bool,
}

/// A scene in both forms.
pub(super) struct World<'a> {
    scene: &'a Scene,
    twin: TwinStore,
    set: PolicySet,
    read: Option<Permit>,
    visible: Vec<Quad>,
    copy: Store,
}

impl<'a> World<'a> {
    pub(super) fn new(subject: &dyn Subject, scene: &'a Scene) -> Result<Self, String> {
        let set = compile(subject, scene)?;
        let scope = Scope::new(scene, Action::Read, &scene.quads);
        let visible = scope.of(&scene.quads);
        let read = match decide(&set, scene, odrl::READ.into_owned())? {
            Ok(_) if !scope.is_permitted_at_all() => {
                return Err("a permit although no permission is active".to_owned());
            }
            Ok(permit) => Some(permit),
            Err(denied) if !visible.is_empty() => {
                let count = visible.len();
                return Err(format!("{denied}, although {count} quads are visible"));
            }
            Err(_) => None,
        };
        Ok(Self {
            twin: load(&scene.quads)?,
            copy: reference::store(&visible)?,
            scene,
            set,
            read,
            visible,
        })
    }

    /// Compares the engine with the copy.
    ///
    /// # Errors
    /// The difference, in words.
    pub(super) fn check(&self, subject: &dyn Subject, task: &Task) -> Result<Seen, String> {
        let mut seen = Seen {
            something_withheld: self.visible.len() < self.scene.quads.len(),
            something_visible: !self.visible.is_empty(),
            ..Seen::default()
        };
        match task {
            Task::Question(question) => {
                let Some(permit) = &self.read else {
                    return Ok(seen);
                };
                let expected = reference::answer(&self.copy, &self.visible, question)?;
                let actual = subject.answer(&self.twin, permit, question)?;
                seen.answered = !is_empty(&expected);
                same(expected, actual, question.check)?;
            }
            Task::Summary => {
                let Some(permit) = &self.read else {
                    return Ok(seen);
                };
                let actual = self
                    .twin
                    .snapshot()
                    .summary(&subject.guard(permit), &budget())
                    .map_err(|error| error.to_string())?;
                let expected = summary(&self.visible);
                seen.answered = true;
                if actual != expected {
                    return Err(format!("expected {expected:?}, got {actual:?}"));
                }
            }
            Task::Change(change) => self.check_change(subject, change, &mut seen)?,
        }
        Ok(seen)
    }

    fn check_change(
        &self,
        subject: &dyn Subject,
        change: &Change,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let scene = self.scene;
        let expected = reference::change(scene, &scene.quads, change)?;
        let modify = decide(&self.set, scene, odrl::MODIFY.into_owned())?;
        let Ok(modify) = modify else {
            return match expected {
                Ok(Changed { touched: true, .. }) => {
                    Err("there is no permit for a change that is permitted".to_owned())
                }
                _ => Ok(()),
            };
        };
        let twin = load(&scene.quads)?;
        let before = twin.snapshot().sequence();
        let actual = subject.change(&twin, self.read.as_ref(), &modify, change);
        let (expected, applied) = match (expected, actual) {
            (Ok(expected), Ok(applied)) => (expected, applied),
            (Err(refused), Err(refusal)) if refusal.code() == code(refused) => {
                seen.refused = true;
                let after = quads(&twin, &Guard::everything());
                return same_quads(scene.quads.clone(), after)
                    .map_err(|error| format!("a refused change was made: {error}"));
            }
            (Ok(_), Err(refusal)) => return Err(format!("refused: {refusal}")),
            (Err(refused), Err(refusal)) => {
                return Err(format!("refused by {refusal}, not as {refused:?}"));
            }
            (Err(refused), Ok(_)) => return Err(format!("not refused as {refused:?}")),
        };
        seen.changed = expected.touched;
        let told = (
            applied.inserted,
            applied.removed,
            applied.created,
            applied.sequence > before,
        );
        let right = (
            expected.inserted,
            expected.removed,
            expected.created,
            expected.touched,
        );
        if told != right {
            return Err(format!(
                "inserted, removed, created, made: expected {right:?}, told {told:?}"
            ));
        }
        let visible = Scope::new(scene, Action::Read, &expected.state).of(&expected.state);
        let guard = self
            .read
            .as_ref()
            .map_or_else(Guard::nothing, |permit| permit.guard().clone());
        same_quads(visible, quads(&twin, &guard))
            .map_err(|error| format!("what is visible afterwards: {error}"))?;
        same_quads(expected.state, quads(&twin, &Guard::everything()))
            .map_err(|error| format!("what is there afterwards: {error}"))
    }
}

fn compile(subject: &dyn Subject, scene: &Scene) -> Result<PolicySet, String> {
    let told = |errors: Vec<PolicyError>| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        errors.join("; ")
    };
    let published = subject.published(scene);
    let mut policies = Vec::new();
    if !published.is_empty() {
        let text = turtle::document(&published);
        policies = Policy::parse(&text, RdfFormat::Turtle, None).map_err(told)?;
    }
    PolicySet::compile(NamedNode::new_unchecked(TWIN), policies).map_err(told)
}

fn decide(
    set: &PolicySet,
    scene: &Scene,
    action: NamedNode,
) -> Result<Result<Permit, Denied>, String> {
    let caller = &scene.caller;
    let now = turtle::date_time(caller.now);
    Ok(set.decide(&Ask {
        participant: caller.participant.clone(),
        subject: "someone".to_owned(),
        roles: caller.roles.clone(),
        purpose: caller.purpose.clone(),
        action,
        now: now.parse().map_err(|_| format!("no time: {now}"))?,
    }))
}

/// A twin with a past: in several changes, with things that were there and are gone.
fn load(quads: &[Quad]) -> Result<TwinStore, String> {
    let twin =
        TwinStore::in_memory(EvaluationOptions::default()).map_err(|error| error.to_string())?;
    let (everything, budget) = (Guard::everything(), budget());
    let apply = |change: Change| {
        twin.apply(&change, Some(&everything), &everything, &budget)
            .map(drop)
            .map_err(|refusal| refusal.to_string())
    };
    let gone = GraphName::from(iri("gone"));
    let past = [
        Quad::new(iri("s0"), rdf::TYPE, iri("C0"), gone.clone()),
        Quad::new(iri("s1"), iri("p5"), iri("C4"), gone.clone()),
    ];
    let (first, second) = quads.split_at(quads.len() / 3);
    apply(Change::Insert(first.iter().chain(&past).cloned().collect()))?;
    apply(Change::Insert(second.to_vec()))?;
    apply(Change::Clear(gone))?;
    Ok(twin)
}

/// None where the guard cannot be evaluated.
fn quads(twin: &TwinStore, guard: &Guard) -> Vec<Quad> {
    let snapshot = twin.snapshot();
    let quads = snapshot.quads(guard, &budget());
    quads.into_iter().flatten().collect()
}

fn code(refused: Refused) -> Code {
    match refused {
        Refused::Forbidden => Code::Forbidden,
        Refused::Conflict => Code::Conflict,
    }
}

fn summary(visible: &[Quad]) -> Summary {
    let mut graphs: Vec<_> = visible
        .iter()
        .filter_map(|quad| match &quad.graph_name {
            GraphName::NamedNode(name) => Some(NamedOrBlankNode::from(name.clone())),
            GraphName::BlankNode(node) => Some(node.clone().into()),
            GraphName::DefaultGraph => None,
        })
        .collect();
    graphs.sort_by_key(ToString::to_string);
    graphs.dedup();
    let classes = visible.iter().filter(|quad| quad.predicate == rdf::TYPE);
    let classes: BTreeSet<_> = classes
        .filter_map(|quad| match &quad.object {
            Term::NamedNode(class) => Some(class.clone()),
            _ => None,
        })
        .collect();
    let properties: BTreeSet<_> = visible.iter().map(|quad| quad.predicate.clone()).collect();
    Summary {
        default_graph: visible.iter().any(|q| q.graph_name.is_default_graph()),
        graphs,
        classes: classes.into_iter().collect(),
        properties: properties.into_iter().collect(),
    }
}

fn is_empty(answer: &Answer) -> bool {
    match answer {
        Answer::Boolean(value) => !value,
        Answer::Graph(graph) => graph.is_empty(),
        Answer::Table(table) => table.rows.is_empty(),
    }
}

fn same(expected: Answer, actual: Answer, check: Check) -> Result<(), String> {
    let (mut expected, mut actual) = match (expected, actual) {
        (Answer::Table(expected), Answer::Table(actual)) => (expected, actual),
        (Answer::Graph(expected), Answer::Graph(actual)) => {
            return alike(same_graph(&expected, &actual), &expected, &actual);
        }
        (expected, actual) => return same_answer(&expected, &actual),
    };
    match check {
        Check::Rows => {}
        Check::Ordered => expected.ordered = true,
        Check::Set => {
            for table in [&mut expected, &mut actual] {
                let mut seen = std::collections::HashSet::new();
                table.rows.retain(|row| seen.insert(row.clone()));
            }
        }
        Check::Page { limit, offset } => return same_page(&expected, &actual, limit, offset),
    }
    // Twin and copy call blank nodes the same, so most answers need no search for an isomorphism.
    if expected.variables == actual.variables && count(&expected) == count(&actual) {
        return match expected.ordered && expected.rows != actual.rows {
            true => Err("the same rows in another order".to_owned()),
            false => Ok(()),
        };
    }
    same_answer(&Answer::Table(expected), &Answer::Table(actual))
}

/// Where an isomorphism would take too long to find, for CONSTRUCT made many blank nodes that differ in nothing: whether
/// the graphs have the same triples but for the names of blank nodes.
fn alike(found: Result<(), String>, expected: &Graph, actual: &Graph) -> Result<(), String> {
    let lines = |graph: &Graph| {
        let blank = |term: TermRef<'_>| match term {
            TermRef::BlankNode(_) => "_:".to_owned(),
            term => term.to_string(),
        };
        let line = |t: TripleRef<'_>| {
            [
                blank(t.subject.into()),
                t.predicate.to_string(),
                blank(t.object),
            ]
        };
        let mut lines: Vec<_> = graph.iter().map(line).collect();
        lines.sort();
        lines
    };
    match found {
        Err(error) if error.starts_with(UNDECIDED) => {
            let same = lines(expected) == lines(actual);
            if same { Ok(()) } else { Err(error) }
        }
        found => found,
    }
}

fn count(table: &Table) -> HashMap<&[Option<Term>], usize> {
    let mut counts = HashMap::new();
    for row in &table.rows {
        *counts.entry(row.as_slice()).or_default() += 1;
    }
    counts
}

/// The page has as many rows as it should, its first column is that of the page of all rows in order, and each of its
/// rows is one of all.
fn same_page(all: &Table, page: &Table, limit: usize, offset: usize) -> Result<(), String> {
    let key = |row: &Vec<Option<Term>>| row.first().cloned().flatten();
    let wanted: Vec<_> = all.rows.iter().skip(offset).take(limit).map(key).collect();
    let got: Vec<_> = page.rows.iter().map(key).collect();
    if wanted != got {
        return Err(format!("a page of {wanted:?} is {got:?}"));
    }
    let (all, page) = (count(all), count(page));
    let stray = page
        .iter()
        .find(|(row, times)| all.get(*row).is_none_or(|most| *times > most));
    match stray {
        Some((row, _)) => Err(format!("on the page, and not in the answer: {row:?}")),
        None => Ok(()),
    }
}

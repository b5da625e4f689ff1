//! One scene, loaded into a twin and into the copy, and what is asked of both.

mod comparison;

use super::model::materialise;
use super::odrl;
use super::question::{Question, names};
use super::reference::{self, Changed, Refused};
use super::scene::{Action, Guards, KEY, Scene, TWIN, iri};
use super::subject::{self, Subject, budget};
use super::turtle;
use crate::answer::Answer;
use crate::compare::same_quads;
use comparison::{is_empty, same};
use oxigraph::store::Store;
use oxrdf::vocab::rdf;
use oxrdf::{GraphName, NamedNode, NamedOrBlankNode, Quad, Term};
use std::collections::{BTreeSet, HashSet};
use twinlink_core::policy::{
    Ask, Denied, Function, Guard, Permit, Policy, PolicyError, PolicySet, RdfFormat, Step,
};
use twinlink_core::{Change, Code};
use twinlink_store::{EvaluationOptions, Summary, TwinStore};
use twinlink_vocab::odrl as vocabulary;

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
    /// Whether something is seen that is not there: a transformed quad, an observation.
    pub(super) something_changed: bool,
    pub(super) answered: bool,
    pub(super) changed: bool,
    pub(super) refused: bool,
}

/// A scene in both forms.
pub(super) struct World<'a> {
    scene: &'a Scene,
    twin: TwinStore,
    /// What the engine decided: what the caller may see and change, if anything.
    read: Option<Guard>,
    modify: Option<Guard>,
    /// What it should have decided.
    right: Guards,
    visible: Vec<Quad>,
    copy: Store,
}

impl<'a> World<'a> {
    pub(super) fn new(subject: &dyn Subject, scene: &'a Scene) -> Result<Self, String> {
        let right = match &scene.guards {
            Some(guards) => guards.clone(),
            None => Guards {
                read: odrl::guard(scene, Action::Read),
                modify: odrl::guard(scene, Action::Modify),
            },
        };
        let visible = materialise(&scene.quads, &right.read, &HashSet::new(), KEY)?;
        let (read, modify) = match &scene.guards {
            Some(Guards { read, modify }) => (Some(read.clone()), Some(modify.clone())),
            None => decide(subject, scene, &right.read, &visible)?,
        };
        Ok(Self {
            twin: load(&scene.quads)?,
            copy: reference::store(&visible)?,
            scene,
            read,
            modify,
            right,
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
            something_changed: self.visible.iter().any(|q| !self.scene.quads.contains(q)),
            ..Seen::default()
        };
        match task {
            Task::Question(question) => {
                let Some(guard) = &self.read else {
                    return Ok(seen);
                };
                let expected = self.expected(question)?;
                let actual = subject.answer(&self.twin, guard, question)?;
                seen.answered = !is_empty(&expected);
                same(expected, actual, question.check)?;
            }
            Task::Summary => {
                let Some(guard) = &self.read else {
                    return Ok(seen);
                };
                let guard = subject.guard(guard);
                same_quads(self.visible.clone(), quads(&self.twin, &guard)?)
                    .map_err(|error| format!("what is visible: {error}"))?;
                let actual = self.twin.snapshot().summary(&guard, &budget());
                let actual = actual.map_err(|error| error.to_string())?;
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

    /// The answer over the copy. Where what is seen hangs on what the question names, over a copy for this question.
    fn expected(&self, question: &Question) -> Result<Answer, String> {
        let read = &self.right.read;
        if read.selectors().all(|selector| selector.named.is_none()) {
            return reference::answer(&self.copy, &self.visible, question);
        }
        let names = names::of_query(&subject::parse(question)?);
        let visible = materialise(&self.scene.quads, read, &names, KEY)?;
        reference::answer(&reference::store(&visible)?, &visible, question)
    }

    fn check_change(
        &self,
        subject: &dyn Subject,
        change: &Change,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let scene = self.scene;
        let Guards { read, modify } = &self.right;
        let expected = reference::change((read, modify, KEY), &scene.quads, change)?;
        let Some(modify) = &self.modify else {
            return match expected {
                Ok(Changed { touched: true, .. }) => {
                    Err("there is no permit for a change that is permitted".to_owned())
                }
                _ => Ok(()),
            };
        };
        let twin = load(&scene.quads)?;
        let before = twin.snapshot().sequence();
        let actual = subject.change(&twin, self.read.as_ref(), modify, change);
        let (expected, applied) = match (expected, actual) {
            (Ok(expected), Ok(applied)) => (expected, applied),
            (Err(refused), Err(refusal)) if refusal.code() == code(refused) => {
                seen.refused = true;
                let after = quads(&twin, &Guard::everything())?;
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
        // Nodes that a change makes have names by chance, and so have their pseudonyms.
        let steps = read.transformed().iter().flat_map(|one| &one.steps);
        let has_pseudonyms = steps.into_iter().any(is_pseudonymised);
        if !(has_pseudonyms && makes_nodes(change)) {
            let visible = materialise(&expected.state, read, &HashSet::new(), KEY)?;
            let guard = self.read.clone().unwrap_or_default();
            same_quads(visible, quads(&twin, &guard)?)
                .map_err(|error| format!("what is visible afterwards: {error}"))?;
            return same_quads(expected.state, quads(&twin, &Guard::everything())?)
                .map_err(|error| format!("what is there afterwards: {error}"));
        }
        Ok(())
    }
}

fn is_pseudonymised(step: &Step) -> bool {
    matches!(step.function, Function::Pseudonymise { .. })
}

fn makes_nodes(change: &Change) -> bool {
    matches!(change, Change::Update { update, .. } if update.contains("_:"))
}

/// What the engine leaves of the policies for seeing and for changing.
fn decide(
    subject: &dyn Subject,
    scene: &Scene,
    right: &Guard,
    visible: &[Quad],
) -> Result<(Option<Guard>, Option<Guard>), String> {
    let set = compile(subject, scene)?;
    let is_permitted = !right.permits().is_empty()
        || !right.transformed().is_empty()
        || !right.statistics().is_empty();
    let read = match permit(&set, scene, vocabulary::READ.into_owned())? {
        Ok(_) if !is_permitted => {
            return Err("a permit although no permission is active".to_owned());
        }
        Err(denied) if !visible.is_empty() => {
            let count = visible.len();
            return Err(format!("{denied}, although {count} quads are visible"));
        }
        decided => decided.ok(),
    };
    let modify = permit(&set, scene, vocabulary::MODIFY.into_owned())?.ok();
    let guard = |permit: Permit| permit.guard().clone();
    Ok((read.map(guard), modify.map(guard)))
}

pub(super) fn compile(subject: &dyn Subject, scene: &Scene) -> Result<PolicySet, String> {
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

pub(super) fn permit(
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
pub(super) fn load(quads: &[Quad]) -> Result<TwinStore, String> {
    let options = EvaluationOptions::default().with_pseudonym_key(&KEY);
    let twin = TwinStore::in_memory(options).map_err(|error| error.to_string())?;
    let (everything, budget) = (Guard::everything(), budget());
    let apply = |change: Change| {
        twin.apply(&change, Some(&everything), &everything, &budget)
            .map(drop)
            .map_err(|refusal| refusal.to_string())
    };
    let gone = GraphName::from(iri("gone"));
    let past = [
        Quad::new(iri("s0"), rdf::TYPE, iri("C0"), gone.clone()),
        Quad::new(iri("s1"), iri("p99"), iri("C4"), gone.clone()),
    ];
    let (first, second) = quads.split_at(quads.len() / 3);
    apply(Change::Insert(first.iter().chain(&past).cloned().collect()))?;
    apply(Change::Insert(second.to_vec()))?;
    apply(Change::Clear(gone))?;
    Ok(twin)
}

fn quads(twin: &TwinStore, guard: &Guard) -> Result<Vec<Quad>, String> {
    let snapshot = twin.snapshot();
    let quads = snapshot.quads(guard, &budget());
    Ok(quads.map_err(|error| error.to_string())?.collect())
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

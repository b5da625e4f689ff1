//! What is done for one question, taken down for whoever asked for that.

use crate::members::Given;
use crate::needs::Atom;
use crate::probe::atom_pattern;
use oxrdf::{NamedNode, Term, Triple};
use std::sync::{Mutex, MutexGuard, PoisonError};
use twinlink_core::{Choice, Explain, Explanation, Step};

/// Takes down the steps of one question; nothing, at no cost, where nobody asked for it.
#[derive(Debug)]
pub(crate) struct Teller {
    explain: Option<Explain>,
    told: Mutex<Explanation>,
}

impl Teller {
    pub(crate) fn new(explain: Option<Explain>) -> Self {
        Self {
            explain,
            told: Mutex::new(Explanation {
                is_run: explain == Some(Explain::Analyze),
                ..Explanation::default()
            }),
        }
    }

    /// Whether anybody asked.
    pub(crate) fn listens(&self) -> bool {
        self.explain.is_some()
    }

    /// Whether nothing is to be fetched.
    pub(crate) fn is_plan(&self) -> bool {
        self.explain == Some(Explain::Plan)
    }

    pub(crate) fn step(&self, step: impl FnOnce() -> Step) {
        if self.listens() {
            let step = step();
            self.lock().push(step);
        }
    }

    pub(crate) fn choose(&self, choices: impl FnOnce() -> Vec<Choice>) {
        if self.listens() {
            let choices = choices();
            self.lock().choices = choices;
        }
    }

    /// All that was told; none where nobody asked.
    pub(crate) fn told(&self) -> Option<Explanation> {
        self.listens().then(|| self.lock().clone())
    }

    /// Whether anything of the answer was, or is to be, asked of this source.
    pub(crate) fn is_asked(&self, participant: &NamedNode) -> bool {
        use twinlink_core::StepKind::{Fetch, Service, Whole};
        let told = self.lock();
        told.steps.iter().any(|step| {
            matches!(step.kind, Fetch | Whole | Service) && step.at.contains(participant)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Explanation> {
        // It is whole after every step.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Patterns as text.
pub(crate) fn patterns(atoms: &[Atom]) -> String {
    let atoms = atoms.iter().map(|atom| atom_pattern(atom).to_string());
    atoms.collect::<Vec<_>>().join(" ")
}

/// About how many bytes the terms of an answer take as text.
pub(crate) fn bytes(given: &Given) -> u64 {
    let terms = |term: &Term| match term {
        Term::NamedNode(name) => name.as_str().len(),
        Term::BlankNode(blank) => blank.as_str().len(),
        Term::Literal(literal) => literal.value().len() + literal.datatype().as_str().len(),
    };
    let triple = |triple: &Triple| {
        terms(&triple.subject.clone().into())
            + triple.predicate.as_str().len()
            + terms(&triple.object)
    };
    let rows = given.rows.solutions.iter().flat_map(|row| &row.values);
    let rows: usize = rows.flatten().map(terms).sum();
    let triples: usize = given.rows.triples.iter().map(triple).sum();
    (rows + triples) as u64
}

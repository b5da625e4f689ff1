//! What is done for one question, taken down for whoever asked for that.

use crate::members::{Given, Members};
use crate::needs::Atom;
use crate::peers::Rows;
use crate::probe::atom_pattern;
use crate::summary::Summary;
use oxrdf::{NamedNode, Term, Triple};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// What is known before members are asked, for whoever asks how the answer came about.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// Of each member, as [`known`] has it.
    pub(crate) known: Vec<(usize, usize, bool)>,
    /// How many rows some are expected to give.
    pub(crate) expected: Vec<(usize, u64)>,
}

impl Before {
    pub(crate) fn expected(&self, member: usize) -> Option<u64> {
        let mut expected = self.expected.iter();
        expected
            .find(|(one, _)| *one == member)
            .map(|(_, rows)| *rows)
    }
}

/// For each member how many patterns it can match and of how many; whether its summary says so.
pub(crate) fn known(
    members: &Members<'_>,
    learnt: &[(Vec<bool>, Option<Arc<Summary>>)],
) -> Vec<(usize, usize, bool)> {
    if !members.teller.listens() {
        return Vec::new();
    }
    let known = learnt.iter().map(|(matches, summary)| {
        let can = matches.iter().filter(|can| **can).count();
        (can, matches.len(), summary.is_some())
    });
    known.collect()
}

/// Why each member is asked, or is not.
pub(crate) fn choices(members: &Members<'_>, known: Vec<(usize, usize, bool)>) -> Vec<Choice> {
    let mut known = known.into_iter();
    let statuses = members.ledger.statuses().into_iter();
    statuses
        .map(|status| {
            let is_asked = members.teller.is_asked(&status.participant);
            let by = |summary| if summary { "its summary" } else { "asking it" };
            let why = match (known.next(), status.reason) {
                (_, Some(reason)) => reason,
                (None, None) if !members.names.contains(&status.participant) => {
                    "a broker asks it".to_owned()
                }
                (Some((0, 0, _)) | None, None) => "the question asks for no data".to_owned(),
                (Some((0, all, summary)), None) => {
                    format!("can match none of {all} patterns, by {}", by(summary))
                }
                (Some((can, all, summary)), None) => {
                    let besides = if is_asked {
                        ""
                    } else {
                        ", but not what else they join with"
                    };
                    format!(
                        "can match {can} of {all} patterns, by {}{besides}",
                        by(summary)
                    )
                }
            };
            Choice {
                participant: status.participant,
                is_asked,
                why,
            }
        })
        .collect()
}

/// Patterns as text.
pub(crate) fn patterns(atoms: &[Atom]) -> String {
    let atoms = atoms.iter().map(|atom| atom_pattern(atom).to_string());
    atoms.collect::<Vec<_>>().join(" ")
}

/// About how many bytes the terms of an answer take as text.
pub(crate) fn bytes(given: &Given) -> u64 {
    bytes_of(&given.rows)
}

/// As [`bytes`], of some rows.
pub(crate) fn bytes_of(rows: &Rows) -> u64 {
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
    let values = rows.solutions.iter().flat_map(|row| &row.values);
    let values: usize = values.flatten().map(terms).sum();
    let triples: usize = rows.triples.iter().map(triple).sum();
    (values + triples) as u64
}

//! Which members can hold a solution of some patterns, and where variables join: within members only, or across them.
//!
//! A variable joins within members if no place that its values can have is known of two members, other than of one
//! and the same pattern. Patterns that such variables connect are matched by quads of one member in every solution.

mod between;

use super::Fetcher;
use super::group::variables_of;
use super::known::Known;
use crate::algebra::Context;
use crate::needs::Atom;
use crate::summary::{Between, Mark, PIECES, Part, Star};
use between::between;
use oxrdf::{Literal, NamedNode, Term, Variable};
use rustc_hash::FxHashMap;
use spargebra::algebra::{Expression, Function};
use spargebra::term::{GroundTerm, NamedNodePattern, TermPattern};
use std::collections::{BTreeMap, BTreeSet};

impl Fetcher<'_> {
    /// The members that can match all the patterns together.
    pub(super) fn holders(
        &self,
        atoms: &[Atom],
        filters: &[Expression],
        known: &Known,
    ) -> Vec<usize> {
        let mut holders: Option<Vec<usize>> = None;
        for atom in atoms {
            let contributors = self.contributors(atom);
            match &mut holders {
                Some(holders) => holders.retain(|member| contributors.contains(member)),
                None => holders = Some(contributors),
            }
        }
        let mut holders = holders.unwrap_or_default();
        holders.retain(|member| self.may_hold(*member, atoms, filters, known));
        holders
    }

    /// Whether the member's summary leaves room for a solution of the patterns.
    pub(super) fn may_hold(
        &self,
        member: usize,
        atoms: &[Atom],
        filters: &[Expression],
        known: &Known,
    ) -> bool {
        let Some(Some(summary)) = self.summaries.get(member) else {
            return true;
        };
        let mut contexts: Vec<&Context> = Vec::new();
        for atom in atoms {
            if !contexts.contains(&&atom.context) {
                contexts.push(&atom.context);
            }
        }
        contexts.into_iter().all(|context| {
            let of_context = atoms.iter().filter(|atom| atom.context == *context);
            let of_context: Vec<_> = of_context.collect();
            let alternatives = summary.alternatives(context, self.members.dataset.as_ref());
            alternatives.iter().any(|parts| match parts.as_slice() {
                [part] => part_may_hold(part, &of_context, filters, known),
                // What one graph lacks another may have.
                parts => of_context
                    .iter()
                    .all(|atom| parts.iter().any(|part| part.may_match(&atom.triple))),
            })
        })
    }

    /// Whether variables that join within members connect all the patterns.
    pub(super) fn are_together(&self, atoms: &[Atom]) -> bool {
        let mut sets: Vec<usize> = (0..atoms.len()).collect();
        for variable in shared(atoms) {
            if !self.is_local(&variable, atoms) {
                continue;
            }
            let has = |atom: &Atom| variables_of(atom).contains(&variable);
            let joined: BTreeSet<_> = sets
                .iter()
                .zip(atoms)
                .filter(|(_, atom)| has(atom))
                .map(|(set, _)| *set)
                .collect();
            let first = joined.first().copied().unwrap_or_default();
            for set in &mut sets {
                if joined.contains(set) {
                    *set = first;
                }
            }
        }
        sets.iter().all(|set| Some(set) == sets.first())
    }

    /// Whether the variable has one value at one member only, wherever it stands in two of the patterns.
    pub(super) fn is_local(&self, variable: &Variable, atoms: &[Atom]) -> bool {
        // By place: a pattern and a member that it is known of, and whether another pattern, another member is.
        let mut places: FxHashMap<Option<String>, (usize, usize, bool, bool)> =
            FxHashMap::default();
        let mut everywhere = (BTreeSet::new(), false);
        for (number, atom) in atoms.iter().enumerate() {
            if !variables_of(atom).contains(variable) {
                continue;
            }
            for member in self.contributors(atom) {
                everywhere.0.insert(member);
                let summary = self.summaries.get(member).and_then(Option::as_ref);
                let dataset = self.members.dataset.as_ref();
                let known = summary.map(|summary| summary.places(atom, variable, dataset));
                let Some(known) = known.filter(|known| !known.is_anywhere) else {
                    everywhere.1 = true;
                    continue;
                };
                let authorities = known.authorities.into_iter().map(Some);
                for place in authorities.chain(known.has_literals.then_some(None)) {
                    let seen = places
                        .entry(place)
                        .or_insert((number, member, false, false));
                    seen.2 |= seen.0 != number;
                    seen.3 |= seen.1 != member;
                }
            }
        }
        everywhere.0.len() <= 1 || (!everywhere.1 && !places.values().any(|seen| seen.2 && seen.3))
    }
}

/// Whether there may be a solution of the patterns in triples of which this is known.
fn part_may_hold(part: &Part, atoms: &[&Atom], filters: &[Expression], known: &Known) -> bool {
    let mut stars: BTreeMap<&Variable, Star> = BTreeMap::new();
    for atom in atoms {
        if !part.may_match(&atom.triple) {
            return false;
        }
        let NamedNodePattern::NamedNode(predicate) = &atom.triple.predicate else {
            continue;
        };
        let objects = objects(&atom.triple.object, known);
        if let Some(objects) = &objects
            && !objects.iter().any(|o| part.may_have(predicate, o))
        {
            return false;
        }
        if let TermPattern::Variable(object) = &atom.triple.object {
            let mut texts = filters
                .iter()
                .filter_map(|filter| contained(filter, object));
            if texts.any(|text| !part.may_contain(predicate, text)) {
                return false;
            }
        }
        if let TermPattern::Variable(subject) = &atom.triple.subject {
            let star = stars.entry(subject).or_default();
            star.predicates.insert(predicate.clone());
            if let TermPattern::Variable(object) = &atom.triple.object
                && let Some([least, greatest]) = between(object, filters, known)
            {
                star.between.push(Between {
                    predicate: predicate.clone(),
                    least,
                    greatest,
                });
            }
            star.marks.extend(mark(predicate, None, objects));
            for next in atoms {
                if next.triple.subject == atom.triple.object
                    && let NamedNodePattern::NamedNode(then) = &next.triple.predicate
                {
                    let objects = self::objects(&next.triple.object, known);
                    star.marks.extend(mark(predicate, Some(then), objects));
                }
            }
        }
    }
    stars.values().all(|star| part.may_hold(star))
}

/// The variables that stand in two patterns.
pub(super) fn shared(atoms: &[Atom]) -> Vec<Variable> {
    let mut counts: BTreeMap<Variable, usize> = BTreeMap::new();
    for atom in atoms {
        for variable in variables_of(atom) {
            *counts.entry(variable).or_default() += 1;
        }
    }
    let shared = counts.into_iter().filter(|(_, count)| *count > 1);
    shared.map(|(variable, _)| variable).collect()
}

/// The terms that an object can be, where they are known.
fn objects(object: &TermPattern, known: &Known) -> Option<Vec<Term>> {
    match object {
        TermPattern::NamedNode(name) => Some(vec![name.clone().into()]),
        TermPattern::Literal(literal) => Some(vec![literal.clone().into()]),
        TermPattern::BlankNode(_) => None,
        TermPattern::Variable(variable) => {
            let terms = known.terms(variable)?.iter();
            let terms = terms.map(|term| match term {
                GroundTerm::NamedNode(name) => Term::from(name.clone()),
                GroundTerm::Literal(literal) => Term::from(literal.clone()),
            });
            Some(terms.collect())
        }
    }
}

/// Only IRIs are marked.
fn mark(first: &NamedNode, then: Option<&NamedNode>, objects: Option<Vec<Term>>) -> Option<Mark> {
    let objects = objects?;
    let are_names = objects
        .iter()
        .all(|term| matches!(term, Term::NamedNode(_)));
    are_names.then(|| Mark {
        first: first.clone(),
        then: then.cloned(),
        objects,
    })
}

/// The text that the variable's value must contain for the condition to hold.
fn contained<'a>(condition: &'a Expression, variable: &Variable) -> Option<&'a str> {
    let Expression::FunctionCall(function, arguments) = condition else {
        return None;
    };
    let [Expression::Variable(about), Expression::Literal(text)] = arguments.as_slice() else {
        return None;
    };
    let text = Literal::value(text);
    let is_plain = match function {
        Function::Contains | Function::StrStarts | Function::StrEnds => true,
        // Nothing in it means anything but itself.
        Function::Regex => text.chars().all(|c| c.is_alphanumeric() || c == ' '),
        _ => false,
    };
    (about == variable && is_plain && text.len() >= PIECES[0]).then_some(text)
}

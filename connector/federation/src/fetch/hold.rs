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
use crate::summary::{Between, Mark, PIECES, Part, Place, Star, object_key};
use between::between;
use oxrdf::{Literal, NamedNode, Term, Variable};
use rustc_hash::FxHashMap;
use spargebra::algebra::{Expression, Function};
use spargebra::term::{GroundTerm, NamedNodePattern, TermPattern, TriplePattern};
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
                Some(holders) => {
                    holders.retain(|member| contributors.binary_search(member).is_ok());
                }
                None => holders = Some(contributors),
            }
        }
        let mut holders = holders.unwrap_or_default();
        let wanted = Wanted::new(atoms, filters, known);
        holders.retain(|member| self.may_hold(*member, &wanted));
        holders
    }

    /// Whether the member's summary leaves room for a solution of the patterns.
    pub(super) fn may_hold(&self, member: usize, wanted: &Wanted<'_>) -> bool {
        let Some(Some(summary)) = self.summaries.get(member) else {
            return true;
        };
        wanted.0.iter().all(|(context, of_graph)| {
            let alternatives = summary.alternatives(context, self.members.dataset.as_ref());
            alternatives.iter().any(|parts| match parts.as_slice() {
                [part] => of_graph.may_be_in(part),
                // What one graph lacks another may have.
                parts => of_graph
                    .atoms
                    .iter()
                    .all(|atom| parts.iter().any(|part| part.may_match(atom.triple))),
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
        let mut places: FxHashMap<Place<'_>, (usize, usize, bool, bool)> = FxHashMap::default();
        let mut one = None;
        let (mut are_several, mut is_anywhere) = (false, false);
        let dataset = self.members.dataset.as_ref();
        for (number, atom) in atoms.iter().enumerate() {
            if !variables_of(atom).contains(variable) {
                continue;
            }
            for member in self.contributors(atom) {
                are_several |= *one.get_or_insert(member) != member;
                let Some(Some(summary)) = self.summaries.get(member) else {
                    is_anywhere = true;
                    continue;
                };
                for place in summary.places(atom, variable, dataset) {
                    is_anywhere |= place == Place::Anywhere;
                    let seen = places
                        .entry(place)
                        .or_insert((number, member, false, false));
                    seen.2 |= seen.0 != number;
                    seen.3 |= seen.1 != member;
                    if seen.2 && seen.3 {
                        return false;
                    }
                }
            }
        }
        !(is_anywhere && are_several)
    }
}

/// What must be there for a solution of some patterns, by the graphs that they are about. It is made once, and held
/// against what is known of each member.
pub(super) struct Wanted<'a>(Vec<(&'a Context, OfGraph<'a>)>);

/// What must be in one graph.
#[derive(Default)]
struct OfGraph<'a> {
    atoms: Vec<OfAtom<'a>>,
    stars: Vec<Star>,
}

/// What must be there for one pattern.
struct OfAtom<'a> {
    triple: &'a TriplePattern,
    /// Where its object is known: one of these, by their keys.
    objects: Option<Vec<u64>>,
    /// What literals must contain.
    texts: Vec<(&'a NamedNode, &'a str)>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(atoms: &'a [Atom], filters: &'a [Expression], known: &Known) -> Self {
        let mut contexts: Vec<&Context> = Vec::new();
        for atom in atoms {
            if !contexts.contains(&&atom.context) {
                contexts.push(&atom.context);
            }
        }
        let contexts = contexts.into_iter().map(|context| {
            let of_context = atoms.iter().filter(|atom| atom.context == *context);
            let of_context: Vec<_> = of_context.collect();
            (context, OfGraph::new(&of_context, filters, known))
        });
        Self(contexts.collect())
    }
}

impl<'a> OfGraph<'a> {
    fn new(atoms: &[&'a Atom], filters: &'a [Expression], known: &Known) -> Self {
        let mut of_graph = Self::default();
        let mut stars: BTreeMap<&Variable, Star> = BTreeMap::new();
        for atom in atoms {
            let triple = &atom.triple;
            let mut wanted = OfAtom {
                triple,
                objects: None,
                texts: Vec::new(),
            };
            if let NamedNodePattern::NamedNode(predicate) = &triple.predicate {
                let objects = objects(&triple.object, known);
                wanted.objects = objects.as_ref().map(|objects| {
                    let keys = objects.iter().map(|object| object_key(predicate, object));
                    keys.collect()
                });
                if let TermPattern::Variable(object) = &triple.object {
                    let texts = filters.iter().filter_map(|one| contained(one, object));
                    wanted.texts.extend(texts.map(|text| (predicate, text)));
                }
                if let TermPattern::Variable(subject) = &triple.subject {
                    let star = stars.entry(subject).or_default();
                    add(star, (triple, predicate), objects, atoms, filters, known);
                }
            }
            of_graph.atoms.push(wanted);
        }
        of_graph.stars = stars.into_values().collect();
        of_graph
    }

    /// Whether there may be a solution of the patterns in triples of which this is known.
    fn may_be_in(&self, part: &Part) -> bool {
        let atoms = self.atoms.iter();
        let mut texts = atoms.clone().flat_map(|atom| &atom.texts);
        let may_match = |atom: &OfAtom<'_>| {
            let objects = atom.objects.as_deref();
            part.may_match(atom.triple) && objects.is_none_or(|objects| part.may_have(objects))
        };
        atoms.clone().all(may_match)
            && texts.all(|(predicate, text)| part.may_contain(predicate, text))
            && self.stars.iter().all(|star| part.may_hold(star))
    }
}

/// Adds what a pattern says of its subject.
fn add(
    star: &mut Star,
    (triple, predicate): (&TriplePattern, &NamedNode),
    objects: Option<Vec<Term>>,
    atoms: &[&Atom],
    filters: &[Expression],
    known: &Known,
) {
    star.predicates.insert(predicate.clone());
    if let TermPattern::Variable(object) = &triple.object
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
        if next.triple.subject == triple.object
            && let NamedNodePattern::NamedNode(then) = &next.triple.predicate
        {
            let objects = self::objects(&next.triple.object, known);
            star.marks.extend(mark(predicate, Some(then), objects));
        }
    }
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
    are_names.then(|| Mark::new(first, then, &objects))
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

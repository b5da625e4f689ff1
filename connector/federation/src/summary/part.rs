//! What is known of the triples of one graph, or of several graphs together.

use super::filter::{self, Filter};
use super::profile::{self, Profiles};
use super::range::Range;
use super::{Mark, PIECES, Star, authority};
use oxrdf::{NamedNode, Term, Variable};
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};
use std::collections::BTreeSet;

/// What is known of some triples. Those of several graphs are taken for those of one: that promises more than there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub(super) triples: u64,
    /// By name.
    pub(super) predicates: Vec<Predicate>,
    pub(super) filter: Filter,
    /// None where there was no room for them.
    pub(super) profiles: Option<Profiles>,
}

/// The triples of one predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Predicate {
    pub(super) name: NamedNode,
    pub(super) triples: u64,
    pub(super) subjects: Places,
    pub(super) objects: Places,
    /// Whether each of its IRIs in object position is of another authority than its subject.
    pub(super) is_outward: bool,
    /// Whether the filter knows the pieces of its literals.
    pub(super) has_pieces: bool,
    /// Where all objects are numbers: in which steps a subject has some is among its marks.
    pub(super) range: Option<Range>,
}

/// Where terms are at home: a variable that has no place in common at two members does not join across them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Places {
    /// Scheme and authority of IRIs.
    pub(super) authorities: BTreeSet<String>,
    pub(super) has_literals: bool,
    /// Too many to list.
    pub(super) is_anywhere: bool,
}

/// A place where terms are at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place<'a> {
    /// Scheme and authority of IRIs.
    Authority(&'a str),
    /// All literals have this one in common.
    Literals,
    /// Too many places to list.
    Anywhere,
}

impl Part {
    pub(super) fn bytes(&self) -> usize {
        let predicates = self.predicates.iter();
        let predicates: usize = predicates
            .map(|predicate| predicate.name.as_str().len() + 64)
            .sum();
        predicates + self.filter.bytes() + self.profiles.as_ref().map_or(0, Profiles::bytes)
    }

    /// Whether a graph of this name may be among the several that it is of.
    pub(super) fn may_be_of(&self, graph: &NamedNode) -> bool {
        self.filter.has(filter::graph(graph))
    }

    fn predicate(&self, name: &NamedNode) -> Option<(usize, &Predicate)> {
        let place = self
            .predicates
            .binary_search_by(|predicate| predicate.name.cmp(name))
            .ok()?;
        Some((place, self.predicates.get(place)?))
    }

    /// Whether some triple may match the pattern.
    pub(crate) fn may_match(&self, triple: &TriplePattern) -> bool {
        let predicate = match &triple.predicate {
            NamedNodePattern::Variable(_) if self.triples == 0 => return false,
            NamedNodePattern::Variable(_) => None,
            NamedNodePattern::NamedNode(name) if self.predicate(name).is_none() => return false,
            NamedNodePattern::NamedNode(name) => Some(name),
        };
        let ends = [(true, &triple.subject), (false, &triple.object)];
        ends.into_iter().all(|(is_subject, end)| match end {
            TermPattern::NamedNode(name) => {
                self.filter
                    .has(filter::end(is_subject, predicate, &name.clone().into()))
            }
            TermPattern::Literal(literal) => {
                !is_subject
                    && self
                        .filter
                        .has(filter::end(false, predicate, &literal.clone().into()))
            }
            TermPattern::Variable(_) | TermPattern::BlankNode(_) => true,
        })
    }

    /// Roughly how many triples match the pattern.
    pub(crate) fn estimate(&self, triple: &TriplePattern) -> u64 {
        let of_predicate = match &triple.predicate {
            NamedNodePattern::NamedNode(name) => self.predicate(name).map_or(0, |(_, p)| p.triples),
            NamedNodePattern::Variable(_) => self.triples,
        };
        let is_constant =
            |end: &TermPattern| matches!(end, TermPattern::NamedNode(_) | TermPattern::Literal(_));
        match (is_constant(&triple.subject), is_constant(&triple.object)) {
            (false, false) => of_predicate,
            (true, _) => of_predicate.min(8),
            // Classes and the like have many.
            (false, true) => of_predicate.isqrt(),
        }
    }

    /// Whether one of the terms of these keys may be the object of some triple of the predicate that they are for.
    pub(crate) fn may_have(&self, objects: &[u64]) -> bool {
        objects.iter().any(|object| self.filter.has(*object))
    }

    /// Whether some literal of the predicate may contain the text.
    pub(crate) fn may_contain(&self, predicate: &NamedNode, text: &str) -> bool {
        match self.predicate(predicate) {
            None => false,
            Some((_, known)) if !known.has_pieces => true,
            Some(_) => PIECES
                .iter()
                .flat_map(|length| text.as_bytes().windows(*length))
                .all(|piece| self.filter.has(filter::piece(predicate, piece))),
        }
    }

    /// Adds where the values of the variable are at home that matching triples give it; none where nothing is known.
    pub(super) fn places<'a>(
        &'a self,
        triple: &TriplePattern,
        variable: &Variable,
        places: &mut Vec<Place<'a>>,
    ) {
        let stands = |end: &TermPattern| matches!(end, TermPattern::Variable(v) if v == variable);
        let (is_subject, is_object) = (stands(&triple.subject), stands(&triple.object));
        let known = match &triple.predicate {
            NamedNodePattern::NamedNode(name) => self
                .predicate(name)
                .map_or(&[][..], |(_, known)| std::slice::from_ref(known)),
            NamedNodePattern::Variable(_) => &self.predicates,
        };
        for predicate in known {
            // Where it stands at two ends, the one says as much as the other.
            if is_subject {
                places.extend(predicate.subjects.each());
            } else if is_object {
                places.extend(predicate.objects.each());
            } else {
                places.push(Place::Authority(authority(predicate.name.as_str())));
            }
        }
    }

    /// Whether some subject may have all of a star.
    pub(crate) fn may_hold(&self, star: &Star) -> bool {
        let Some(profiles) = &self.profiles else {
            return true;
        };
        let mut predicates = Vec::new();
        for name in &star.predicates {
            match self.predicate(name) {
                Some((place, _)) => predicates.push(place),
                None => return false,
            }
        }
        predicates.sort_unstable();
        let is_marked = |mark: &Mark| {
            self.predicate(&mark.last)
                .is_some_and(|(_, predicate)| predicate.is_outward)
        };
        let between = star.between.iter().filter_map(|between| {
            let (place, known) = self.predicate(&between.predicate)?;
            let steps = known.range?.steps(between);
            let steps = steps.map(|step| profile::step(place, step));
            Some(steps.collect())
        });
        let between: Vec<Vec<u16>> = between.collect();
        let marks = star.marks.iter().filter(|mark| is_marked(mark));
        let marks = marks.map(|mark| &mark.hashes).chain(&between);
        let marks: Vec<&[u16]> = marks.map(Vec::as_slice).collect();
        profiles.may_hold(&predicates, &marks)
    }
}

impl Places {
    pub(super) fn insert(&mut self, term: &Term, most: usize) {
        match term {
            Term::NamedNode(name) => {
                if !self.authorities.contains(authority(name.as_str())) {
                    self.authorities.insert(authority(name.as_str()).to_owned());
                    self.is_anywhere |= self.authorities.len() > most;
                }
            }
            // Those of different members are different nodes.
            Term::BlankNode(_) => {}
            Term::Literal(_) => self.has_literals = true,
        }
    }

    fn each(&self) -> impl Iterator<Item = Place<'_>> {
        let authorities = self.authorities.iter().map(String::as_str);
        let anywhere = self.is_anywhere.then_some(Place::Anywhere).into_iter();
        anywhere
            .chain(self.has_literals.then_some(Place::Literals))
            .chain(authorities.map(Place::Authority))
    }
}

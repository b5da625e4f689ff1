//! What a member shows a caller, in short: enough to see what it cannot contribute, and what joins only within it.
//!
//! A summary is made of the quads that the caller may see and of nothing else, so what is withheld leaves no trace in
//! it. It errs to one side only: it may promise what is not there, and never denies what is. It is about the default
//! graph; questions about named graphs and chosen datasets are planned without it. A member whose summary lies hides
//! its own quads, as it can anyway, and nobody else's.

mod build;
mod filter;
mod profile;
mod range;
mod wire;

use crate::algebra::Context;
use crate::needs::Atom;
use filter::Filter;
use oxrdf::{NamedNode, Term, Variable};
use profile::Profiles;
pub(crate) use profile::{Mark, Star};
use range::Range;
pub(crate) use range::{Between, number};
use spargebra::term::{NamedNodePattern, TermPattern};
use std::collections::BTreeSet;
pub use wire::SummaryError;

/// How many bytes the pieces of literals have that are looked for.
pub(crate) const PIECES: [usize; 2] = [4, 7];

/// What a member shows one caller for one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    version: String,
    triples: u64,
    /// By name.
    predicates: Vec<Predicate>,
    filter: Filter,
    /// None where there was no room for them.
    profiles: Option<Profiles>,
}

/// The largest summary that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummaryLimits {
    /// The most predicates; with more, there is no summary.
    pub predicates: usize,
    /// The most bytes of filters on constants; they get coarser to fit.
    pub filter_bytes: usize,
    /// The most marks of characteristic sets; with more, there are none.
    pub marks: usize,
}

impl Default for SummaryLimits {
    fn default() -> Self {
        Self {
            predicates: 4_096,
            filter_bytes: 4 << 20,
            marks: 1 << 20,
        }
    }
}

/// The triples of one predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Predicate {
    name: NamedNode,
    triples: u64,
    subjects: Places,
    objects: Places,
    /// Whether each of its IRIs in object position is of another authority than its subject.
    is_outward: bool,
    /// Whether the filter knows the pieces of its literals.
    has_pieces: bool,
    /// Where all objects are numbers: in which steps a subject has some is among its marks.
    range: Option<Range>,
}

/// Where terms are at home: a variable that has no place in common at two members does not join across them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Places {
    /// Scheme and authority of IRIs.
    pub(crate) authorities: BTreeSet<String>,
    pub(crate) has_literals: bool,
    /// Too many to list.
    pub(crate) is_anywhere: bool,
}

impl Summary {
    /// Names the data and the policies that it was made from, opaquely.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The same, by another name.
    #[must_use]
    pub fn with_version(self, version: String) -> Self {
        Self { version, ..self }
    }

    /// How many triples there are in the default graph.
    pub fn triples(&self) -> u64 {
        self.triples
    }

    /// How many bytes it takes, roughly.
    pub fn bytes(&self) -> usize {
        let predicates = self.predicates.iter();
        let predicates: usize = predicates
            .map(|predicate| predicate.name.as_str().len() + 64)
            .sum();
        predicates + self.filter.bytes() + self.profiles.as_ref().map_or(0, Profiles::bytes)
    }

    fn predicate(&self, name: &NamedNode) -> Option<(usize, &Predicate)> {
        let place = self
            .predicates
            .binary_search_by(|predicate| predicate.name.cmp(name))
            .ok()?;
        Some((place, self.predicates.get(place)?))
    }

    /// Whether some triple may match the pattern.
    pub(crate) fn may_match(&self, atom: &Atom) -> bool {
        if atom.context != Context::Default {
            return true;
        }
        let predicate = match &atom.triple.predicate {
            NamedNodePattern::Variable(_) if self.triples == 0 => return false,
            NamedNodePattern::Variable(_) => None,
            NamedNodePattern::NamedNode(name) if self.predicate(name).is_none() => return false,
            NamedNodePattern::NamedNode(name) => Some(name),
        };
        let ends = [(true, &atom.triple.subject), (false, &atom.triple.object)];
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
    pub(crate) fn estimate(&self, atom: &Atom) -> u64 {
        let of_predicate = match &atom.triple.predicate {
            NamedNodePattern::NamedNode(name) => self.predicate(name).map_or(0, |(_, p)| p.triples),
            NamedNodePattern::Variable(_) => self.triples,
        };
        let is_constant =
            |end: &TermPattern| matches!(end, TermPattern::NamedNode(_) | TermPattern::Literal(_));
        match (
            is_constant(&atom.triple.subject),
            is_constant(&atom.triple.object),
        ) {
            (false, false) => of_predicate,
            (true, _) => of_predicate.min(8),
            // Classes and the like have many.
            (false, true) => of_predicate.isqrt(),
        }
    }

    /// Whether the term may be the object of some triple of the predicate.
    pub(crate) fn may_have(&self, predicate: &NamedNode, object: &Term) -> bool {
        self.filter.has(filter::end(false, Some(predicate), object))
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

    /// Whether the place of the variable is listed, and what it is; none where nothing is known.
    pub(crate) fn places(&self, atom: &Atom, variable: &Variable) -> Option<Places> {
        let NamedNodePattern::NamedNode(name) = &atom.triple.predicate else {
            return None;
        };
        let Some((_, predicate)) = self.predicate(name) else {
            return Some(Places::default());
        };
        let stands = |end: &TermPattern| matches!(end, TermPattern::Variable(v) if v == variable);
        // Where it stands at both ends, the one says as much as the other.
        if stands(&atom.triple.subject) {
            Some(predicate.subjects.clone())
        } else if stands(&atom.triple.object) {
            Some(predicate.objects.clone())
        } else {
            None
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
            let last = mark.then.as_ref().unwrap_or(&mark.first);
            self.predicate(last)
                .is_some_and(|(_, predicate)| predicate.is_outward)
        };
        let mut marks: Vec<Vec<u16>> = star
            .marks
            .iter()
            .filter(|mark| is_marked(mark))
            .map(|mark| {
                let objects = mark.objects.iter();
                let hashes =
                    objects.map(|object| profile::mark(&mark.first, mark.then.as_ref(), object));
                hashes.collect()
            })
            .collect();
        for between in &star.between {
            let known = self.predicate(&between.predicate);
            if let Some(range) = known.and_then(|(_, predicate)| predicate.range) {
                let steps = range.steps(between).into_iter();
                marks.push(
                    steps
                        .map(|s| profile::step(&between.predicate, s))
                        .collect(),
                );
            }
        }
        profiles.may_hold(&predicates, &marks)
    }
}

impl Places {
    fn insert(&mut self, term: &Term, most: usize) {
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
}

/// Scheme and authority of an IRI; of one without an authority, all up to the last colon.
fn authority(iri: &str) -> &str {
    let end = match iri.split_once("://") {
        Some((scheme, rest)) => {
            let start = scheme.len() + "://".len();
            start + rest.find(['/', '?', '#']).unwrap_or(rest.len())
        }
        None => iri.rfind(':').map_or(iri.len(), |colon| colon + 1),
    };
    iri.get(..end).unwrap_or(iri)
}

//! A part in detail, of triples few enough to hold all at once.

use crate::summary::filter::{self, Filter};
use crate::summary::part::{Part, Places, Predicate};
use crate::summary::profile::{Profile, Profiles, mark, step};
use crate::summary::range::{Range, number};
use crate::summary::{PIECES, SummaryLimits, authority};
use oxrdf::{NamedNode, Quad, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

/// The most authorities that are listed of one end of a predicate.
pub(in crate::summary) const AUTHORITIES: usize = 64;
/// The most marks of one subject.
const MARKS: usize = 256;
/// Literals longer than this on average are not known by their pieces, in bytes.
const LENGTH: usize = 80;

impl Part {
    /// What is known of these quads, of whatever graph they are, and of the graphs of these names.
    pub(super) fn detailed(quads: Vec<Quad>, names: &[NamedNode], limits: &SummaryLimits) -> Self {
        let count = quads.len();
        let mut triples = Triples::default();
        for quad in quads {
            let of_subject = triples.entry(Term::from(quad.subject)).or_default();
            of_subject.push((quad.predicate, quad.object));
        }
        let mut predicates = Predicates::default();
        for (subject, (name, object)) in each(&triples) {
            predicates.see(subject, name, object);
        }
        let predicates = predicates.finish();
        let mut keys = keys(&triples, &predicates);
        keys.extend(names.iter().map(filter::graph));
        Self {
            triples: count as u64,
            profiles: profiles(&triples, &predicates, limits.marks),
            filter: Filter::of(keys.into_iter(), limits.filter_bytes),
            predicates: predicates.into_values().collect(),
        }
    }
}

type Triples = FxHashMap<Term, Vec<(NamedNode, Term)>>;

/// Predicates, each with the bytes of its literals.
#[derive(Debug, Default)]
pub(super) struct Predicates(BTreeMap<NamedNode, (Predicate, usize)>);

impl Predicates {
    pub(super) fn see(&mut self, subject: &Term, name: &NamedNode, object: &Term) {
        if !self.0.contains_key(name) {
            let empty = Predicate {
                name: name.clone(),
                triples: 0,
                subjects: Places::default(),
                objects: Places::default(),
                is_outward: true,
                has_pieces: true,
                range: number(object).and_then(|number| Range::new(number, number)),
            };
            self.0.insert(name.clone(), (empty, 0));
        }
        let Some((predicate, bytes)) = self.0.get_mut(name) else {
            return;
        };
        predicate.triples += 1;
        predicate.range = predicate
            .range
            .and_then(|range| range.including(number(object)?));
        predicate.subjects.insert(subject, AUTHORITIES);
        predicate.objects.insert(object, AUTHORITIES);
        match (subject, object) {
            (Term::NamedNode(subject), Term::NamedNode(object)) => {
                predicate.is_outward &= authority(subject.as_str()) != authority(object.as_str());
            }
            (_, Term::Literal(literal)) => *bytes += literal.value().len(),
            _ => {}
        }
    }

    pub(super) fn finish(self) -> BTreeMap<NamedNode, Predicate> {
        let predicates = self.0.into_iter().map(|(name, (mut predicate, bytes))| {
            let literals = usize::try_from(predicate.triples).unwrap_or(usize::MAX);
            predicate.has_pieces = bytes <= literals.saturating_mul(LENGTH);
            for places in [&mut predicate.subjects, &mut predicate.objects] {
                if places.is_anywhere {
                    places.authorities.clear();
                }
            }
            (name, predicate)
        });
        predicates.collect()
    }
}

fn each(triples: &Triples) -> impl Iterator<Item = (&Term, &(NamedNode, Term))> {
    triples
        .iter()
        .flat_map(|(subject, known)| known.iter().map(move |pair| (subject, pair)))
}

/// The keys of the two ends of a triple.
pub(super) fn ends<'a>(
    subject: &'a Term,
    predicate: &'a NamedNode,
    object: &'a Term,
) -> impl Iterator<Item = u64> {
    let ends = [(true, subject), (false, object)].into_iter();
    // Nobody can ask for a blank node.
    let named = ends.filter(|(_, term)| !matches!(term, Term::BlankNode(_)));
    named.flat_map(move |(is_subject, term)| {
        [Some(predicate), None].map(|of| filter::end(is_subject, of, term))
    })
}

fn keys(triples: &Triples, predicates: &BTreeMap<NamedNode, Predicate>) -> FxHashSet<u64> {
    let mut keys = FxHashSet::default();
    for (subject, (predicate, object)) in each(triples) {
        keys.extend(ends(subject, predicate, object));
        let has_pieces = predicates.get(predicate).is_some_and(|p| p.has_pieces);
        if let (true, Term::Literal(literal)) = (has_pieces, object) {
            for length in PIECES {
                let pieces = literal.value().as_bytes().windows(length);
                keys.extend(pieces.map(|piece| filter::piece(predicate, piece)));
            }
        }
    }
    keys
}

/// None where they would have more marks than there is room for.
fn profiles(
    triples: &Triples,
    predicates: &BTreeMap<NamedNode, Predicate>,
    room: usize,
) -> Option<Profiles> {
    let numbers: FxHashMap<&NamedNode, usize> = predicates.keys().zip(0..).collect();
    let is_outward = |name: &NamedNode| predicates.get(name).is_some_and(|p| p.is_outward);
    let outward = |(predicate, object): &&(NamedNode, Term)| {
        matches!(object, Term::NamedNode(_)) && is_outward(predicate)
    };
    let mut sets: BTreeMap<Vec<usize>, (Profile, BTreeSet<Vec<u16>>)> = BTreeMap::new();
    let mut left = room;
    for known in triples.values() {
        let mut of_subject: Vec<usize> = known
            .iter()
            .filter_map(|(predicate, _)| numbers.get(predicate).copied())
            .collect();
        of_subject.sort_unstable();
        of_subject.dedup();
        let mut marks = BTreeSet::new();
        for pair in known {
            let (first, object) = pair;
            let range = predicates.get(first).and_then(|known| known.range);
            let place = numbers.get(first).copied();
            if let (Some(range), Some(number), Some(place)) = (range, number(object), place) {
                marks.insert(step(place, range.step(number)));
            }
            if outward(&pair) {
                marks.insert(mark(first, None, object));
            }
            for (then, object) in triples.get(object).into_iter().flatten().filter(outward) {
                marks.insert(mark(first, Some(then), object));
                if marks.len() > MARKS {
                    break;
                }
            }
        }
        let (profile, seen) = sets.entry(of_subject).or_default();
        profile.subjects += 1;
        if marks.len() > MARKS {
            profile.is_open = true;
        } else {
            let cost = marks.len() + 1;
            if seen.insert(marks.into_iter().collect()) {
                left = left.checked_sub(cost)?;
            }
        }
    }
    let sets = sets
        .into_iter()
        .map(|(predicates, (profile, marks))| Profile {
            predicates,
            marks: marks.into_iter().collect(),
            ..profile
        });
    Some(Profiles {
        sets: sets.collect(),
    })
}

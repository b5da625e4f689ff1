//! Making a summary of the quads that a caller may see.

use super::filter::{self, Filter};
use super::profile::{Profile, Profiles, mark, step};
use super::range::{Range, number};
use super::{PIECES, Places, Predicate, Summary, SummaryLimits, authority};
use oxrdf::{GraphName, NamedNode, Quad, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

/// The most authorities that are listed of one end of a predicate.
pub(super) const AUTHORITIES: usize = 64;
/// The most marks of one subject.
const MARKS: usize = 256;
/// Literals longer than this on average are not known by their pieces, in bytes.
const LENGTH: usize = 80;

impl Summary {
    /// The summary of the quads that a caller may see, in any order; none where it would be too large.
    ///
    /// `version` must be another one whenever the quads may be others.
    pub fn of(
        version: String,
        quads: impl IntoIterator<Item = Quad>,
        limits: &SummaryLimits,
    ) -> Option<Self> {
        let mut triples: FxHashMap<Term, Vec<(NamedNode, Term)>> = FxHashMap::default();
        let mut count = 0;
        for quad in quads {
            if quad.graph_name == GraphName::DefaultGraph {
                let subject = Term::from(quad.subject);
                let of_subject = triples.entry(subject).or_default();
                of_subject.push((quad.predicate, quad.object));
                count += 1;
            }
        }
        let mut predicates = predicates(&triples);
        if predicates.len() > limits.predicates {
            return None;
        }
        let keys = keys(&triples, &mut predicates);
        let profiles = profiles(&triples, &predicates, limits);
        Some(Self {
            version,
            triples: count,
            filter: Filter::new(keys.into_iter(), limits.filter_bytes),
            profiles,
            predicates: predicates.into_values().map(|known| known.0).collect(),
        })
    }
}

type Triples = FxHashMap<Term, Vec<(NamedNode, Term)>>;
/// With the bytes of its literals.
type Predicates = BTreeMap<NamedNode, (Predicate, usize)>;

fn predicates(triples: &Triples) -> Predicates {
    let mut predicates = Predicates::new();
    for (subject, (name, object)) in each(triples) {
        if !predicates.contains_key(name) {
            let empty = Predicate {
                name: name.clone(),
                triples: 0,
                subjects: Places::default(),
                objects: Places::default(),
                is_outward: true,
                has_pieces: true,
                range: number(object).and_then(|number| Range::new(number, number)),
            };
            predicates.insert(name.clone(), (empty, 0));
        }
        let Some((predicate, bytes)) = predicates.get_mut(name) else {
            continue;
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
    for (predicate, bytes) in predicates.values_mut() {
        let literals = usize::try_from(predicate.triples).unwrap_or(usize::MAX);
        predicate.has_pieces = *bytes <= literals.saturating_mul(LENGTH);
        for places in [&mut predicate.subjects, &mut predicate.objects] {
            if places.is_anywhere {
                places.authorities.clear();
            }
        }
    }
    predicates
}

fn each(triples: &Triples) -> impl Iterator<Item = (&Term, &(NamedNode, Term))> {
    triples
        .iter()
        .flat_map(|(subject, known)| known.iter().map(move |pair| (subject, pair)))
}

fn keys(triples: &Triples, predicates: &mut Predicates) -> FxHashSet<u64> {
    let mut keys = FxHashSet::default();
    for (subject, (predicate, object)) in each(triples) {
        if matches!(subject, Term::NamedNode(_)) {
            keys.insert(filter::end(true, Some(predicate), subject));
            keys.insert(filter::end(true, None, subject));
        }
        if !matches!(object, Term::BlankNode(_)) {
            keys.insert(filter::end(false, Some(predicate), object));
            keys.insert(filter::end(false, None, object));
        }
        let has_pieces = predicates.get(predicate).is_some_and(|p| p.0.has_pieces);
        if let (true, Term::Literal(literal)) = (has_pieces, object) {
            for length in PIECES {
                let pieces = literal.value().as_bytes().windows(length);
                keys.extend(pieces.map(|piece| filter::piece(predicate, piece)));
            }
        }
    }
    keys
}

fn profiles(
    triples: &Triples,
    predicates: &Predicates,
    limits: &SummaryLimits,
) -> Option<Profiles> {
    let numbers: FxHashMap<&NamedNode, usize> = predicates.keys().zip(0..).collect();
    let is_outward = |name: &NamedNode| predicates.get(name).is_some_and(|p| p.0.is_outward);
    let outward = |(predicate, object): &&(NamedNode, Term)| {
        matches!(object, Term::NamedNode(_)) && is_outward(predicate)
    };
    let mut sets: BTreeMap<Vec<usize>, (Profile, BTreeSet<Vec<u16>>)> = BTreeMap::new();
    let mut room = limits.marks;
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
            let range = predicates.get(first).and_then(|known| known.0.range);
            if let (Some(range), Some(number)) = (range, number(object)) {
                marks.insert(step(first, range.step(number)));
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
                room = room.checked_sub(cost)?;
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

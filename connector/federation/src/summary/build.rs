//! Making a summary of the quads that a caller may see.

use super::filter::{self, Filter};
use super::part::{Part, Places, Predicate};
use super::profile::{Profile, Profiles, mark, step};
use super::range::{Range, number};
use super::{Graphs, Named, PIECES, Summary, SummaryLimits, authority};
use oxrdf::{GraphName, NamedNode, Quad, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most authorities that are listed of one end of a predicate.
pub(super) const AUTHORITIES: usize = 64;
/// The most named graphs that have a part each. With more, each part is of the graphs of a bucket.
pub(super) const GRAPHS: usize = 64;
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
        let mut default = Triples::default();
        let mut graphs: FxHashMap<GraphName, Triples> = FxHashMap::default();
        for quad in quads {
            let of_graph = match quad.graph_name {
                GraphName::DefaultGraph => &mut default,
                name => graphs.entry(name).or_default(),
            };
            let of_subject = of_graph.entry(Term::from(quad.subject)).or_default();
            of_subject.push((quad.predicate, quad.object));
        }
        let drafts = drafts(graphs);
        let default = Draft::new(default, &[]);
        let all = || std::iter::once(&default).chain(drafts.values());
        let predicates = all().map(|draft| draft.predicates.len());
        if predicates.sum::<usize>() > limits.predicates {
            return None;
        }
        let keys = all().map(|draft| draft.keys.len()).sum();
        let mut room = limits.marks;
        let default = default.finish(limits.filter_bytes, keys, &mut room);
        let named = drafts.into_iter().map(|(graphs, draft)| Named {
            graphs,
            part: Arc::new(draft.finish(limits.filter_bytes, keys, &mut room)),
        });
        Some(Self {
            version,
            recipients: Vec::new(),
            named: named.collect(),
            default: Arc::new(default),
        })
    }
}

/// The bucket that a graph falls into where there are many.
pub(super) fn bucket(name: &NamedNode) -> u8 {
    let bucket = filter::graph(name) % GRAPHS as u64;
    u8::try_from(bucket).unwrap_or_default()
}

/// Those of each graph, or of the graphs of each bucket.
fn drafts(graphs: FxHashMap<GraphName, Triples>) -> BTreeMap<Graphs, Draft> {
    let are_few = graphs.len() <= GRAPHS;
    let mut bundles: BTreeMap<Graphs, (Triples, Vec<NamedNode>)> = BTreeMap::new();
    for (graph, triples) in graphs {
        let (key, name) = match graph {
            GraphName::NamedNode(name) if are_few => (Graphs::One(name), None),
            GraphName::NamedNode(name) => (Graphs::Several(bucket(&name)), Some(name)),
            // Nobody can ask for it by name.
            GraphName::BlankNode(_) | GraphName::DefaultGraph => (Graphs::Several(0), None),
        };
        let (known, names) = bundles.entry(key).or_default();
        names.extend(name);
        for (subject, pairs) in triples {
            known.entry(subject).or_default().extend(pairs);
        }
    }
    let drafts = bundles.into_iter();
    drafts
        .map(|(graphs, (triples, names))| (graphs, Draft::new(triples, &names)))
        .collect()
}

/// A part that is not sized yet.
struct Draft {
    triples: Triples,
    predicates: Predicates,
    keys: FxHashSet<u64>,
}

impl Draft {
    fn new(triples: Triples, names: &[NamedNode]) -> Self {
        let predicates = predicates(&triples);
        let mut keys = keys(&triples, &predicates);
        keys.extend(names.iter().map(filter::graph));
        Self {
            triples,
            predicates,
            keys,
        }
    }

    /// In its share of the bytes for the keys of all, and of the room for marks.
    fn finish(self, bytes: usize, all_keys: usize, room: &mut usize) -> Part {
        let share = self.keys.len().saturating_mul(bytes) / all_keys.max(1);
        let count: usize = self.triples.values().map(Vec::len).sum();
        let profiles = profiles(&self.triples, &self.predicates, *room);
        Part {
            triples: count as u64,
            filter: Filter::new(self.keys.into_iter(), share),
            profiles: profiles.map(|(profiles, cost)| {
                *room -= cost;
                profiles
            }),
            predicates: self.predicates.into_values().map(|known| known.0).collect(),
        }
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

fn keys(triples: &Triples, predicates: &Predicates) -> FxHashSet<u64> {
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

/// With what they cost; none where that is more than there is room for.
fn profiles(triples: &Triples, predicates: &Predicates, room: usize) -> Option<(Profiles, usize)> {
    let numbers: FxHashMap<&NamedNode, usize> = predicates.keys().zip(0..).collect();
    let is_outward = |name: &NamedNode| predicates.get(name).is_some_and(|p| p.0.is_outward);
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
    let profiles = Profiles {
        sets: sets.collect(),
    };
    Some((profiles, room - left))
}

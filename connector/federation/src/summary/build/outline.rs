//! A part in outline, of triples too many to hold: they pass by a few times.

use super::detail::{Predicates, ends};
use super::{SummaryLimits, View};
use crate::summary::filter::{self, Filter};
use crate::summary::part::{Part, Predicate};
use crate::summary::profile::{Lists, Profile, Profiles};
use oxrdf::{GraphName, NamedNode, Quad, Term};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// The most subjects that are told apart, in 16 bytes each.
const SUBJECTS: usize = 4 << 20;
/// The most sets of predicates that subjects have.
const SETS: usize = 16_384;

impl Part {
    /// What is known of the quads of these graphs, and of the graphs of these names. No pieces of literals, and no marks.
    /// None where the view ends early.
    pub(super) fn outlined(
        view: &dyn View,
        graphs: &[GraphName],
        names: &[NamedNode],
        limits: &SummaryLimits,
    ) -> Option<Self> {
        let (mut count, mut predicates) = (0_u64, Predicates::default());
        pass(view, graphs, &mut |quad| {
            let subject = Term::from(quad.subject);
            predicates.see(&subject, &quad.predicate, &quad.object);
            count += 1;
        })?;
        let mut predicates = predicates.finish();
        for predicate in predicates.values_mut() {
            predicate.has_pieces = false;
        }
        let most = usize::try_from(count.saturating_mul(4)).unwrap_or(usize::MAX);
        let mut filter = Filter::empty(most.saturating_add(names.len()), limits.filter_bytes);
        names
            .iter()
            .for_each(|name| filter.insert(filter::graph(name)));
        let mut subjects = Subjects::new(&predicates);
        pass(view, graphs, &mut |quad| {
            let subject = Term::from(quad.subject);
            ends(&subject, &quad.predicate, &quad.object).for_each(|key| filter.insert(key));
            subjects.see(&subject, &quad.predicate);
        })?;
        Some(Self {
            triples: count,
            filter,
            profiles: subjects.finish(),
            predicates: predicates.into_values().collect(),
        })
    }
}

fn pass(view: &dyn View, graphs: &[GraphName], each: &mut dyn FnMut(Quad)) -> Option<()> {
    for graph in graphs {
        view.each(graph, &mut |quad| {
            each(quad);
            true
        })?;
    }
    Some(())
}

/// Which predicates each subject has. Subjects are known by a hash: two with the same one have what either has.
struct Subjects {
    numbers: FxHashMap<NamedNode, usize>,
    /// The set that each subject has so far.
    at: FxHashMap<u64, usize>,
    sets: Vec<Vec<usize>>,
    known: FxHashMap<Vec<usize>, usize>,
    with: FxHashMap<(usize, usize), usize>,
}

impl Subjects {
    fn new(predicates: &BTreeMap<NamedNode, Predicate>) -> Self {
        Self {
            numbers: predicates.keys().cloned().zip(0..).collect(),
            at: FxHashMap::default(),
            sets: vec![Vec::new()],
            known: FxHashMap::from_iter([(Vec::new(), 0)]),
            with: FxHashMap::default(),
        }
    }

    fn see(&mut self, subject: &Term, predicate: &NamedNode) {
        let Some(number) = self.numbers.get(predicate).copied() else {
            return;
        };
        let subject = filter::hash(&[subject.to_string().as_bytes()]);
        if self.at.len() > SUBJECTS {
            return;
        }
        let at = self.at.entry(subject).or_insert(0);
        let (sets, known) = (&mut self.sets, &mut self.known);
        *at = *self.with.entry((*at, number)).or_insert_with(|| {
            let mut set = sets.get(*at).cloned().unwrap_or_default();
            if let Err(place) = set.binary_search(&number) {
                set.insert(place, number);
            }
            *known.entry(set).or_insert_with_key(|set| {
                sets.push(set.clone());
                sets.len() - 1
            })
        });
    }

    /// None where there are too many to tell.
    fn finish(self) -> Option<Profiles> {
        if self.at.len() > SUBJECTS {
            return None;
        }
        let mut counts: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
        for at in self.at.into_values() {
            let set = self.sets.get(at).cloned().unwrap_or_default();
            *counts.entry(set).or_default() += 1;
        }
        let sets = counts.into_iter().map(|(predicates, subjects)| Profile {
            predicates,
            subjects,
            marks: Lists::default(),
            is_open: true,
        });
        let sets: Vec<_> = sets.collect();
        (sets.len() <= SETS).then_some(Profiles { sets })
    }
}

//! What a guard shows beside quads of the snapshot: transformed quads and observations, made once per snapshot and guard.
//!
//! They are quads like any other, in an index like the snapshot's, so filters, joins and sorts see the transformed
//! value, and a lookup by the original value finds nothing.

use super::function::apply;
use super::names::Names;
use super::pseudonym::PseudonymKey;
use super::selector::IdSelector;
use super::statistic;
use super::{IdGuard, Layer, Pattern};
use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Dictionary, Growing, Id};
use crate::id_set::IdSet;
use crate::run::{IdQuad, Level, Order, Range};
use crate::snapshot::Snapshot;
use crate::term;
use crate::watch::Watch;
use oxrdf::Term;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use twinlink_core::Budget;
use twinlink_policy::{Function, Guard, Part, Step};

/// What a guard shows beside quads of the snapshot. None of it is shown by the rest of the guard already.
#[derive(Debug)]
pub(crate) struct Overlay {
    /// The snapshot's, and the terms that were made.
    pub(super) dictionary: Dictionary,
    level: Arc<Level>,
    /// The predicates of its quads: a pattern with another one need not be sought.
    predicates: Arc<FxHashSet<Id>>,
    /// What it would have beside that, were it not shown as it is, ascending.
    left_out: Arc<[IdQuad]>,
    made_bytes: usize,
}

/// An overlay in the making.
pub(super) struct Making<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) terms: Growing,
    pub(super) watch: Watch,
    names: &'a Names,
    budget: &'a Budget,
    base: &'a IdGuard,
    /// Of which the prohibitions hold.
    pub(super) layer: &'a Layer,
    /// What is shown changed, with the layer that does; where statistics ask.
    changed: Vec<(&'a Layer, IdSelector)>,
}

/// How a quad can be seen beside what statistics tell of it: one bit as it is, one as it is or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen(u8);

/// Matches of a pattern in an overlay.
#[derive(Debug)]
pub(crate) struct OverlayRows {
    guard: Arc<IdGuard>,
    range: Range,
    places: std::ops::Range<usize>,
}

/// Which quads a step is about.
enum IdPart {
    /// Those with one of these predicates; none: all.
    Values(Option<FxHashSet<Id>>),
    /// Those with one of these nodes as subject or object.
    Nodes(Arc<IdSet>),
}

impl Overlay {
    /// What `guard`, compiled to `base` as far as it shows quads as they are, shows beside them.
    pub(super) fn new(
        guard: &Guard,
        base: &IdGuard,
        snapshot: &Snapshot,
        names: &Names,
        budget: &Budget,
    ) -> Result<Self, StoreError> {
        let key = snapshot.options.key.as_ref();
        // Told by the policy alone, not by whether there is anything to name.
        let transformed = guard.layers().flat_map(Guard::transformed);
        let steps = transformed.clone().flat_map(|one| &one.steps);
        let needs_key = |step: &Step| matches!(step.function, Function::Pseudonymise { .. });
        if key.is_none() && { steps }.any(needs_key) {
            return Err(StoreError::NoKey);
        }
        let nothing = Layer::default();
        let mut making = Making {
            snapshot,
            terms: snapshot.dictionary.grow_apart(),
            watch: Watch::new(budget),
            names,
            budget,
            base,
            layer: &nothing,
            changed: Vec::new(),
        };
        making.watch_memory()?;
        let most = snapshot.options.overlay_quads;
        let mut quads = Vec::new();
        for (layer, transformed) in each_of(guard, base, Guard::transformed) {
            making.layer = layer;
            let mut selected = Vec::new();
            let left = most.saturating_sub(quads.len());
            making.select(&transformed.selector, |quad| {
                if base.covers(quad) {
                    return Ok(());
                }
                if selected.len() >= left {
                    return Err(StoreError::Overlay(most));
                }
                selected.push(quad);
                Ok(())
            })?;
            for step in &transformed.steps {
                making.step(step, key, &mut selected)?;
            }
            quads.append(&mut selected);
        }
        let statistics: Vec<_> = each_of(guard, base, Guard::statistics).collect();
        if !statistics.is_empty() {
            for (layer, transformed) in each_of(guard, base, Guard::transformed) {
                let changed = IdSelector::new(&transformed.selector, snapshot, names, budget)?;
                making.changed.extend(changed.map(|one| (layer, one)));
            }
            statistic::observe(statistics, &mut making, &mut quads)?;
        }
        if quads.len() > most {
            return Err(StoreError::Overlay(most));
        }
        making.watch_memory()?;
        quads.sort_unstable();
        quads.dedup();
        let is_shown = |quad: &IdQuad| base.covers(*quad) && snapshot.index.contains(*quad);
        let (left_out, quads): (Vec<_>, Vec<_>) = quads.into_iter().partition(is_shown);
        making.watch_memory()?;
        let predicates: FxHashSet<_> = quads.iter().map(|[_, _, p, _]| *p).collect();
        let level = Level::new(&quads, []);
        making.watch_memory()?;
        Ok(Self {
            made_bytes: making.terms.made_bytes(),
            dictionary: making.terms.finish_apart(),
            level: Arc::new(level),
            predicates: Arc::new(predicates),
            left_out: left_out.into(),
        })
    }

    /// The same beside a later snapshot, whose dictionary has new terms from an id on; none where it cannot be.
    pub(super) fn carried(&self, first_new: Id, later: &Dictionary) -> Option<Self> {
        Some(Self {
            dictionary: self.dictionary.carried(first_new, later)?,
            level: Arc::clone(&self.level),
            predicates: Arc::clone(&self.predicates),
            left_out: Arc::clone(&self.left_out),
            made_bytes: self.made_bytes,
        })
    }

    /// Whether both are one, not only alike.
    #[cfg(test)]
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.level, &other.level)
    }

    /// Whether the quad is not in it only because it is shown as it is.
    pub(super) fn left_out(&self, quad: IdQuad) -> bool {
        self.left_out.binary_search(&quad).is_ok()
    }

    /// Bytes in memory beside the snapshot's, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.made_bytes + self.level.bytes() + size_of_val(&*self.left_out)
    }

    pub(super) fn contains(&self, quad: IdQuad) -> bool {
        self.level.contains(quad)
    }

    /// The named graphs that it has quads in, ascending.
    pub(super) fn named_graphs(&self) -> Vec<Id> {
        let mut graphs = Vec::new();
        let mut next = Some(DEFAULT_GRAPH + 1);
        while let Some(from) = next {
            let low = Order::Gspo.pack([from, 0, 0, 0]);
            let Some(first) = self.level.first(Order::Gspo, low) else {
                break;
            };
            let [graph, ..] = Order::Gspo.unpack(first);
            graphs.push(graph);
            next = graph.checked_add(1);
        }
        graphs
    }

    /// The predicates in a graph, ascending.
    pub(super) fn predicates(&self, graph: Id) -> Vec<Id> {
        let mut predicates = Vec::new();
        let mut next = Some(0);
        while let Some(from) = next {
            let range = Range::predicates_from(graph, None, from);
            let rows = self.level.range(range.order, range.low, range.high);
            let Some(first) = rows.first() else { break };
            let [_, _, predicate, _] = range.order.unpack(*first);
            predicates.push(predicate);
            next = predicate.checked_add(1);
        }
        predicates
    }
}

/// Something that layers have, each with its layer as compiled.
fn each_of<'a, T: 'a>(
    guard: &'a Guard,
    base: &'a IdGuard,
    of: impl Fn(&'a Guard) -> &'a [T],
) -> impl Iterator<Item = (&'a Layer, &'a T)> {
    let layers = guard.layers().zip(&base.layers);
    layers.flat_map(move |(layer, compiled)| of(layer).iter().map(move |one| (compiled, one)))
}

impl Making<'_> {
    /// Calls `each` with the quads that the selector selects and no prohibition of the layer does.
    pub(super) fn select(
        &self,
        selector: &twinlink_policy::Selector,
        mut each: impl FnMut(IdQuad) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let selector = IdSelector::new(selector, self.snapshot, self.names, self.budget)?;
        let Some(selector) = selector else {
            return Ok(());
        };
        selector.each(self.snapshot, &self.watch, |quad| {
            if self.layer.withholds(quad) {
                return Ok(());
            }
            each(quad)
        })
    }

    /// How a quad of the snapshot can be seen.
    pub(super) fn seen(&self, quad: IdQuad) -> Seen {
        let mut changed = self.changed.iter();
        if self.base.covers(quad) {
            Seen::ALL
        } else if changed.any(|(layer, one)| one.holds(quad) && !layer.withholds(quad)) {
            Seen::OR_CHANGED
        } else {
            Seen::default()
        }
    }

    /// The term of an id, old or made.
    pub(super) fn term(&self, id: Id) -> Result<Term, StoreError> {
        let text = self.terms.text(id).ok_or(StoreError::NoTerm(id))?;
        Ok(term::decode(text))
    }

    pub(super) fn watch_memory(&self) -> Result<(), StoreError> {
        self.watch.look()
    }

    fn step(
        &mut self,
        step: &Step,
        key: Option<&PseudonymKey>,
        quads: &mut Vec<IdQuad>,
    ) -> Result<(), StoreError> {
        let part = self.part(&step.part)?;
        match &step.function {
            Function::Suppress => quads.retain(|quad| !part.is_about(*quad)),
            Function::SuppressBelow(least) => suppress_below(*least, &part, quads),
            function => {
                let mut made = FxHashMap::default();
                let mut kept = Vec::with_capacity(quads.len());
                for quad in quads.drain(..) {
                    self.watch.step()?;
                    kept.extend(self.change(function, &part, key, &mut made, quad)?);
                }
                *quads = kept;
            }
        }
        self.watch.look()
    }

    fn part(&self, part: &Part) -> Result<IdPart, StoreError> {
        let id = |node: &oxrdf::NamedNode| self.snapshot.dictionary.id(node.as_ref().into());
        Ok(match part {
            Part::Values(predicates) if predicates.is_empty() => IdPart::Values(None),
            Part::Values(predicates) => {
                IdPart::Values(Some(predicates.iter().filter_map(id).collect()))
            }
            Part::Instances(class) => IdPart::Nodes(match id(class) {
                Some(class) => self.snapshot.instances(class, self.budget)?,
                None => Arc::new(IdSet::new(FxHashSet::default())),
            }),
            Part::Nodes(pattern) => IdPart::Nodes(self.snapshot.nodes(pattern, self.budget)?),
        })
    }

    /// The quad as the function leaves it; none where it is dropped.
    fn change(
        &mut self,
        function: &Function,
        part: &IdPart,
        key: Option<&PseudonymKey>,
        made: &mut FxHashMap<Id, Option<Id>>,
        [g, mut s, p, mut o]: IdQuad,
    ) -> Result<Option<IdQuad>, StoreError> {
        let mut make = |id: Id| -> Result<Option<Id>, StoreError> {
            if let Some(known) = made.get(&id) {
                return Ok(*known);
            }
            let new = match apply(function, &self.term(id)?, key) {
                Some(term) => Some(self.terms.id(term.as_ref())?),
                None => None,
            };
            made.insert(id, new);
            Ok(new)
        };
        let (is_subject, is_object) = match part {
            IdPart::Values(predicates) => (
                false,
                predicates.as_ref().is_none_or(|some| some.contains(&p)),
            ),
            IdPart::Nodes(nodes) => (nodes.contains(s), nodes.contains(o)),
        };
        for (is_meant, id) in [(is_subject, &mut s), (is_object, &mut o)] {
            if is_meant {
                let Some(new) = make(*id)? else {
                    return Ok(None);
                };
                *id = new;
            }
        }
        // What a literal says of itself is no quad.
        if is_subject && term::node(self.term(s)?).is_none() {
            return Ok(None);
        }
        Ok(Some([g, s, p, o]))
    }
}

impl Seen {
    pub(super) const NOTHING: Self = Self(0);
    pub(super) const OR_CHANGED: Self = Self(2);
    pub(super) const ALL: Self = Self(3);
    /// As it is.
    pub(super) const AS_IT_IS: Self = Self(1);

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it is seen in one of these ways.
    pub(super) fn is(self, way: Self) -> bool {
        self.0 & way.0 != 0
    }
}

impl IdPart {
    fn is_about(&self, [_, s, p, o]: IdQuad) -> bool {
        match self {
            Self::Values(predicates) => predicates.as_ref().is_none_or(|some| some.contains(&p)),
            Self::Nodes(nodes) => nodes.contains(s) || nodes.contains(o),
        }
    }
}

/// Drops quads of the part that too few subjects share.
fn suppress_below(least: u32, part: &IdPart, quads: &mut Vec<IdQuad>) {
    let mut sayings = quads
        .iter()
        .map(|[_, s, p, o]| [*p, *o, *s])
        .collect::<Vec<_>>();
    sayings.sort_unstable();
    sayings.dedup();
    let common = sayings
        .chunk_by(|[p, o, _], [q, x, _]| (p, o) == (q, x))
        .filter(|subjects| subjects.len() >= least as usize)
        .filter_map(|subjects| subjects.first().map(|[p, o, _]| (*p, *o)))
        .collect::<FxHashSet<_>>();
    quads.retain(|quad| {
        let [_, _, p, o] = quad;
        !part.is_about(*quad) || common.contains(&(*p, *o))
    });
}

impl OverlayRows {
    /// The matches in the guard's overlay; none where there are none.
    pub(super) fn new(guard: &Arc<IdGuard>, pattern: Pattern) -> Option<Box<Self>> {
        let overlay = guard.overlay.as_ref()?;
        if pattern
            .p
            .is_some_and(|predicate| !overlay.predicates.contains(&predicate))
        {
            return None;
        }
        let range = pattern.range();
        let places = overlay.level.places(range.order, range.low, range.high);
        if places.is_empty() {
            return None;
        }
        Some(Box::new(Self {
            guard: Arc::clone(guard),
            range,
            places,
        }))
    }

    /// At most how many are left.
    pub(crate) fn most(&self) -> usize {
        self.places.len()
    }
}

impl Iterator for OverlayRows {
    type Item = IdQuad;

    #[inline]
    fn next(&mut self) -> Option<IdQuad> {
        let overlay = self.guard.overlay.as_ref()?;
        let rows = overlay.level.rows_at(self.range.order, self.places.clone());
        for row in rows {
            self.places.start += 1;
            if row & self.range.mask == self.range.value {
                return Some(self.range.order.unpack(*row));
            }
        }
        None
    }
}

//! A guard as ids of one snapshot: decides a pattern before it is scanned.

mod function;
mod names;
mod options;
mod overlay;
mod pseudonym;
mod reads;
mod selector;
mod sets;
mod statistic;
mod upkeep;

pub(crate) use function::envelope;
pub(crate) use names::Names;
pub(crate) use options::GuardOptions;
pub(crate) use overlay::Overlay;
pub(crate) use overlay::OverlayRows;
pub(crate) use pseudonym::{PseudonymKey, hex};
pub(crate) use sets::Sets;
pub(crate) use upkeep::Change;

use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Dictionary, Id};
use crate::id_set::IdSet;
use crate::index::Rows;
use crate::run::{IdQuad, Range};
use crate::snapshot::Snapshot;
use rustc_hash::FxHashMap;
use selector::IdSelector;
use std::sync::{Arc, OnceLock};
use twinlink_core::Budget;
use twinlink_policy::{Guard, Selector};

/// A guard as ids of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct IdGuard {
    /// A quad is shown as it is if one of them shows it.
    layers: Vec<Layer>,
    /// What is shown beside quads of the snapshot.
    overlay: Option<Overlay>,
    /// The named graphs that show at least one quad, ascending; found when first asked for.
    graphs: OnceLock<Vec<Id>>,
}

/// What some permissions show as it is, and what is withheld from them.
#[derive(Debug, Default)]
struct Layer {
    permits: Selectors,
    prohibitions: Selectors,
}

/// Selectors, and which of them can be about a predicate.
#[derive(Debug, Default)]
struct Selectors {
    list: Vec<IdSelector>,
    /// Those of any predicate.
    of_any: Vec<usize>,
    /// Those of one predicate, beside those of any.
    of_one: FxHashMap<Id, Vec<usize>>,
}

/// A pattern: none stands for a variable. A graph of none is any named graph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern {
    pub(crate) g: Option<Id>,
    pub(crate) s: Option<Id>,
    pub(crate) p: Option<Id>,
    pub(crate) o: Option<Id>,
}

/// What the guard says of a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    /// No match can be visible.
    Denied,
    /// Every match is visible.
    Allowed,
    /// It depends on the row.
    Residual(Residual),
}

/// The part of a guard that a pattern leaves open.
#[derive(Debug, Clone)]
pub(crate) struct Residual {
    guard: Arc<IdGuard>,
    first: Open,
    /// Of the other layers; most guards have none.
    others: Vec<Open>,
}

/// The part of a layer that a pattern leaves open.
#[derive(Debug, Clone, Copy)]
struct Open {
    layer: usize,
    /// None where a permit covers all matches.
    permits: Option<Places>,
    prohibitions: Places,
}

/// What one layer says of a pattern: the permits that are left open (none where one covers all matches), and the
/// prohibitions.
enum LayerDecision {
    Denied,
    Allowed,
    Open(Option<Places>, Places),
}

/// Places in a list, one bit each; the last bit stands for all from there on.
///
/// To look at a selector that the pattern has decided already is needless, not wrong.
#[derive(Debug, Clone, Copy, Default)]
struct Places(u64);

/// Whether a selector covers the matches of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Covers {
    All,
    None,
    Some,
}

impl IdGuard {
    /// The guard for a question that names these terms; with the overlay of the snapshot before, where that was kept.
    ///
    /// # Errors
    /// [`StoreError::Pattern`] and others where a part of it cannot be evaluated: nothing is shown then.
    pub(crate) fn new(
        guard: &Guard,
        snapshot: &Snapshot,
        names: &Names,
        kept: Option<Overlay>,
        budget: &Budget,
    ) -> Result<Self, StoreError> {
        let compile = |selectors: &[Selector]| {
            selectors
                .iter()
                .filter_map(|selector| {
                    IdSelector::new(selector, snapshot, names, budget).transpose()
                })
                .collect::<Result<Vec<_>, _>>()
                .map(Selectors::new)
        };
        let layers = guard.layers().map(|layer| {
            Ok(Layer {
                permits: compile(layer.permits())?,
                prohibitions: compile(layer.prohibitions())?,
            })
        });
        let mut compiled = Self {
            layers: layers.collect::<Result<_, StoreError>>()?,
            ..Self::default()
        };
        let mut layers = guard.layers();
        if layers.any(|layer| !layer.transformed().is_empty() || !layer.statistics().is_empty()) {
            compiled.overlay = Some(match kept {
                Some(kept) => kept,
                None => Overlay::new(guard, &compiled, snapshot, names, budget)?,
            });
        }
        Ok(compiled)
    }

    /// Shows every quad.
    pub(crate) fn everything() -> Self {
        Self {
            layers: vec![Layer {
                permits: Selectors::new(vec![IdSelector::default()]),
                ..Layer::default()
            }],
            ..Self::default()
        }
    }

    /// The terms that what it shows is made of, and more.
    pub(crate) fn dictionary<'a>(&'a self, snapshot: &'a Snapshot) -> &'a Dictionary {
        match &self.overlay {
            Some(overlay) => &overlay.dictionary,
            None => &snapshot.dictionary,
        }
    }

    /// What it shows beside quads of the snapshot.
    pub(crate) fn overlay(&self) -> Option<&Overlay> {
        self.overlay.as_ref()
    }

    /// Bytes in memory beside the snapshot's, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.overlay.as_ref().map_or(0, Overlay::bytes)
    }

    /// Decides a pattern without looking at any row of the snapshot.
    pub(crate) fn decide(self: &Arc<Self>, pattern: Pattern) -> Decision {
        let (mut first, mut others) = (None, Vec::new());
        for (number, layer) in self.layers.iter().enumerate() {
            let (permits, prohibitions) = match layer.decide(pattern) {
                LayerDecision::Denied => continue,
                LayerDecision::Allowed => return Decision::Allowed,
                LayerDecision::Open(permits, prohibitions) => (permits, prohibitions),
            };
            let open = Open {
                layer: number,
                permits,
                prohibitions,
            };
            match first {
                None => first = Some(open),
                Some(_) => others.push(open),
            }
        }
        match first {
            None => Decision::Denied,
            Some(first) => Decision::Residual(Residual {
                guard: Arc::clone(self),
                first,
                others,
            }),
        }
    }

    /// Whether the quad is visible as it is, should it be there.
    pub(crate) fn covers(&self, quad: IdQuad) -> bool {
        let mut layers = self.layers.iter();
        layers.any(|layer| layer.permits.hold(quad) && !layer.withholds(quad))
    }

    /// Whether the quad, of ids of [`IdGuard::dictionary`], is shown though it is not there as such.
    pub(crate) fn adds(&self, quad: IdQuad) -> bool {
        self.overlay
            .as_ref()
            .is_some_and(|overlay| overlay.contains(quad))
    }

    /// The named graphs that show at least one quad, ascending.
    ///
    /// A graph that is wholly denied is not looked into, one that is wholly allowed only for its first quad.
    pub(crate) fn graphs(self: &Arc<Self>, snapshot: &Snapshot) -> &[Id] {
        self.graphs.get_or_init(|| {
            let mut graphs = snapshot.index.named_graphs();
            graphs.retain(|graph| self.shows_some(snapshot, *graph));
            if let Some(overlay) = &self.overlay {
                graphs.extend(overlay.named_graphs());
                graphs.sort_unstable();
                graphs.dedup();
            }
            graphs
        })
    }

    /// Whether the graph shows at least one quad.
    pub(crate) fn shows(self: &Arc<Self>, snapshot: &Snapshot, graph: Id) -> bool {
        match self.graphs.get() {
            Some(graphs) => graphs.binary_search(&graph).is_ok(),
            None => self.shows_some(snapshot, graph) || self.added(graph_of(graph, None)).is_some(),
        }
    }

    /// Whether at least one of the graph's quads is shown as it is.
    fn shows_some(self: &Arc<Self>, snapshot: &Snapshot, graph: Id) -> bool {
        self.shown(snapshot, graph_of(graph, None)).next().is_some()
    }

    /// The visible quads of a graph, with a predicate if one is given.
    pub(crate) fn quads_of<'a>(
        self: &Arc<Self>,
        snapshot: &'a Snapshot,
        graph: Id,
        predicate: Option<Id>,
    ) -> impl Iterator<Item = IdQuad> + use<'a> {
        let pattern = graph_of(graph, predicate);
        let added = self.added(pattern).into_iter().flatten();
        self.shown(snapshot, pattern).chain(added)
    }

    /// All visible quads.
    pub(crate) fn quads<'a>(
        self: &Arc<Self>,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = IdQuad> + use<'a> {
        let guard = Arc::clone(self);
        let mut graphs = vec![DEFAULT_GRAPH];
        graphs.extend(snapshot.index.named_graphs());
        let added = self.overlay.iter().flat_map(Overlay::named_graphs);
        graphs.extend(added);
        graphs.sort_unstable();
        graphs.dedup();
        graphs
            .into_iter()
            .flat_map(move |graph| guard.quads_of(snapshot, graph, None))
    }

    /// The predicates that may be visible in a graph.
    pub(crate) fn predicates(&self, snapshot: &Snapshot, graph: Id) -> Vec<Id> {
        let mut predicates = snapshot.index.predicates(graph, None);
        if let Some(overlay) = &self.overlay {
            predicates.extend(overlay.predicates(graph));
            predicates.sort_unstable();
            predicates.dedup();
        }
        predicates
    }

    /// The quads of one graph that are shown as they are.
    fn shown<'a>(
        self: &Arc<Self>,
        snapshot: &'a Snapshot,
        pattern: Pattern,
    ) -> impl Iterator<Item = IdQuad> + use<'a> {
        let decision = self.decide(pattern);
        let rows = match decision {
            Decision::Denied => Rows::none(),
            _ => snapshot.index.rows(&pattern.range()),
        };
        rows.filter(move |quad| decision.shows(*quad))
    }

    /// The matches of a pattern that are shown though they are not there as such.
    pub(crate) fn added(self: &Arc<Self>, pattern: Pattern) -> Option<Box<OverlayRows>> {
        OverlayRows::new(self, pattern)
    }
}

fn graph_of(graph: Id, predicate: Option<Id>) -> Pattern {
    Pattern {
        g: Some(graph),
        s: None,
        p: predicate,
        o: None,
    }
}

impl Layer {
    /// Decides a pattern as far as this layer goes.
    fn decide(&self, pattern: Pattern) -> LayerDecision {
        let mut prohibitions = Places::default();
        for (place, selector) in self.prohibitions.about(pattern.p) {
            match selector.covers(pattern) {
                Covers::All => return LayerDecision::Denied,
                Covers::Some => prohibitions.add(place),
                Covers::None => {}
            }
        }
        let mut permits = Places::default();
        for (place, selector) in self.permits.about(pattern.p) {
            match selector.covers(pattern) {
                Covers::All if prohibitions.is_empty() => return LayerDecision::Allowed,
                Covers::All => return LayerDecision::Open(None, prohibitions),
                Covers::Some => permits.add(place),
                Covers::None => {}
            }
        }
        match permits.is_empty() {
            true => LayerDecision::Denied,
            false => LayerDecision::Open(Some(permits), prohibitions),
        }
    }

    /// Whether a prohibition selects the quad.
    fn withholds(&self, quad: IdQuad) -> bool {
        self.prohibitions.hold(quad)
    }
}

impl Selectors {
    fn new(list: Vec<IdSelector>) -> Self {
        let mut selectors = Self::default();
        for (place, selector) in list.iter().enumerate() {
            match selector.property() {
                Some(property) => selectors.of_one.entry(property).or_default().push(place),
                None => selectors.of_any.push(place),
            }
        }
        Self { list, ..selectors }
    }

    /// Those that can be about quads of the predicate, if one is given, with their places.
    fn about(&self, predicate: Option<Id>) -> impl Iterator<Item = (usize, &IdSelector)> {
        let (all, some) = match predicate {
            None => (Some(self.list.iter().enumerate()), None),
            Some(predicate) => {
                let of_one = self.of_one.get(&predicate).into_iter().flatten();
                let places = of_one.chain(&self.of_any);
                let at = |place: &usize| Some((*place, self.list.get(*place)?));
                (None, Some(places.filter_map(at)))
            }
        };
        all.into_iter().flatten().chain(some.into_iter().flatten())
    }

    /// Whether one of them selects the quad.
    fn hold(&self, quad: IdQuad) -> bool {
        let [_, _, p, _] = quad;
        self.about(Some(p))
            .any(|(_, selector)| selector.holds(quad))
    }
}

impl Pattern {
    /// Where its matches are.
    pub(crate) fn range(&self) -> Range {
        match self.g {
            Some(g) => Range::in_graph(g, self.s, self.p, self.o),
            None => Range::in_named(self.s, self.p, self.o),
        }
    }
}

impl Decision {
    fn shows(&self, quad: IdQuad) -> bool {
        match self {
            Self::Denied => false,
            Self::Allowed => true,
            Self::Residual(residual) => residual.shows(quad),
        }
    }
}

impl Residual {
    /// Whether a row of the pattern is visible.
    #[inline]
    pub(crate) fn shows(&self, quad: IdQuad) -> bool {
        let layers = &self.guard.layers;
        self.first.shows(layers, quad) || self.others.iter().any(|open| open.shows(layers, quad))
    }
}

impl Open {
    #[inline]
    fn shows(&self, layers: &[Layer], quad: IdQuad) -> bool {
        layers.get(self.layer).is_some_and(|layer| {
            !self.prohibitions.hold(&layer.prohibitions.list, quad)
                && self
                    .permits
                    .is_none_or(|permits| permits.hold(&layer.permits.list, quad))
        })
    }
}

impl Places {
    const LAST: usize = 63;

    fn add(&mut self, place: usize) {
        self.0 |= 1 << place.min(Self::LAST);
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of the selectors at these places selects the quad.
    #[inline]
    fn hold(self, selectors: &[IdSelector], quad: IdQuad) -> bool {
        let mut left = self.0;
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            left &= left - 1;
            let holds = if place == Self::LAST {
                let rest = selectors.get(place..).unwrap_or_default();
                rest.iter().any(|selector| selector.holds(quad))
            } else {
                selectors
                    .get(place)
                    .is_some_and(|selector| selector.holds(quad))
            };
            if holds {
                return true;
            }
        }
        false
    }
}

impl Covers {
    fn all_or_none(all: bool) -> Self {
        if all { Self::All } else { Self::None }
    }

    fn of_set(set: &IdSet, bound: Option<Id>) -> Self {
        match bound {
            None if set.is_empty() => Self::None,
            None => Self::Some,
            Some(bound) => Self::all_or_none(set.contains(bound)),
        }
    }
}

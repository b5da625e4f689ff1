//! What a decision leaves visible: the shape a policy compiles to.

mod selector;
mod transform;

use oxsdatatypes::DateTime;

pub use selector::{End, GraphNameKey, Named, NodePattern, Recorded, Selector};
pub use transform::{Function, Measure, MeasureKind, Part, Statistic, Step, TimeUnit, Transformed};

/// What a caller may see of a dataset: the union of what its layers show. A layer shows
///
/// 1. the quads that some permit of it selects and no prohibition of it selects;
/// 2. the quads that a [`Transformed`] of it selects and no prohibition of it selects, as its steps leave them, but for those
///    that a layer shows as they are: who may know the name is not shown a mask beside it;
/// 3. the observations of each [`Statistic`] of it, as far as those of all layers can be told together.
///
/// Most guards have one layer. There are more where a prohibition applies to what one permission shows and spares what
/// another does. What is said below of permits, prohibitions and the rest is about a layer: that of a guard itself is its first.
///
/// A guard names terms, not rows: the twin store compiles it to ids once per snapshot and decides each triple
/// pattern before it scans.
// INVARIANT(deny-by-default): a guard without permits, transforms and statistics shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Guard {
    permits: Vec<Selector>,
    prohibitions: Vec<Selector>,
    transformed: Vec<Transformed>,
    statistics: Vec<Statistic>,
    /// The layers after the first; none of them has any itself.
    others: Vec<Self>,
}

impl Guard {
    /// What the permits cover less what the prohibitions cover.
    pub fn new(permits: Vec<Selector>, prohibitions: Vec<Selector>) -> Self {
        Self {
            permits,
            prohibitions,
            ..Self::default()
        }
    }

    /// The same, and these quads as their steps leave them.
    #[must_use]
    pub fn with_transformed(mut self, transformed: Vec<Transformed>) -> Self {
        self.transformed = transformed;
        self
    }

    /// The same, and these statistics.
    #[must_use]
    pub fn with_statistics(mut self, statistics: Vec<Statistic>) -> Self {
        self.statistics = statistics;
        self
    }

    /// What any of these shows, each with its own prohibitions.
    pub fn union(guards: impl IntoIterator<Item = Self>) -> Self {
        let mut layers = guards.into_iter().flat_map(|mut guard| {
            let others = std::mem::take(&mut guard.others);
            std::iter::once(guard).chain(others)
        });
        let first = layers.next().unwrap_or_default();
        Self {
            others: layers.collect(),
            ..first
        }
    }

    /// The layers: the guard itself, and those after the first.
    pub fn layers(&self) -> impl Iterator<Item = &Self> + Clone {
        std::iter::once(self).chain(&self.others)
    }

    /// Of each layer what it shows as it is.
    #[must_use]
    pub fn as_it_is(&self) -> Self {
        Self::union(
            self.layers()
                .map(|layer| Self::new(layer.permits.clone(), layer.prohibitions.clone())),
        )
    }

    /// Shows nothing.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Shows every quad.
    pub fn everything() -> Self {
        Self::new(vec![Selector::default()], Vec::new())
    }

    /// The sets of which a quad must be in one to be shown as it is.
    pub fn permits(&self) -> &[Selector] {
        &self.permits
    }

    /// The sets of which a quad must be in none to have any effect on what is shown.
    pub fn prohibitions(&self) -> &[Selector] {
        &self.prohibitions
    }

    /// What is shown changed.
    pub fn transformed(&self) -> &[Transformed] {
        &self.transformed
    }

    /// What is told in numbers only.
    pub fn statistics(&self) -> &[Statistic] {
        &self.statistics
    }

    /// Whether no quad of any dataset can be visible.
    pub fn is_nothing(&self) -> bool {
        self.layers().all(|layer| {
            (layer.permits.is_empty()
                && layer.transformed.is_empty()
                && layer.statistics.is_empty())
                || layer.prohibitions.contains(&Selector::default())
        })
    }

    /// Whether every quad of every dataset is visible, and nothing else.
    pub fn is_everything(&self) -> bool {
        self.permits.contains(&Selector::default())
            && self.prohibitions.is_empty()
            && self.transformed.is_empty()
            && self.statistics.is_empty()
            && self.others.is_empty()
    }

    /// The same, with other moments in the conditions on how old something is.
    #[must_use]
    pub fn with_moments(mut self, mut moment: impl FnMut(&Recorded) -> DateTime) -> Self {
        self.set_moments(&mut moment);
        self
    }

    fn set_moments(&mut self, moment: &mut impl FnMut(&Recorded) -> DateTime) {
        let transformed = self.transformed.iter_mut().map(|one| &mut one.selector);
        let statistics = self.statistics.iter_mut().map(|one| &mut one.selector);
        let as_it_is = self.permits.iter_mut().chain(&mut self.prohibitions);
        for selector in as_it_is.chain(transformed).chain(statistics) {
            if let Some(recorded) = &mut selector.recorded {
                recorded.until = moment(recorded);
            }
        }
        for layer in &mut self.others {
            layer.set_moments(moment);
        }
    }

    /// Every selector in any of its layers.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        self.layers().flat_map(|layer| {
            layer
                .permits
                .iter()
                .chain(&layer.prohibitions)
                .chain(layer.transformed.iter().map(|one| &one.selector))
                .chain(layer.statistics.iter().map(|one| &one.selector))
        })
    }
}

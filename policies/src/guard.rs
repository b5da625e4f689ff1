//! What a decision leaves visible: the shape a policy compiles to.

mod selector;
mod transform;

pub use selector::{End, GraphNameKey, Named, NodePattern, Recorded, Selector};
pub use transform::{Function, Measure, MeasureKind, Part, Statistic, Step, TimeUnit, Transformed};

/// What a caller may see of a dataset:
///
/// 1. the quads that some permit selects and no prohibition selects;
/// 2. the quads that a [`Transformed`] selects and no prohibition selects, as its steps leave them;
/// 3. the observations of each [`Statistic`].
///
/// A guard names terms, not rows: the twin store compiles it to ids once per snapshot and decides each triple
/// pattern before it scans.
// INVARIANT(deny-by-default): a guard without permits, transforms and statistics shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Guard {
    permits: Vec<Selector>,
    prohibitions: Vec<Selector>,
    transformed: Vec<Transformed>,
    statistics: Vec<Statistic>,
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
        (self.permits.is_empty() && self.transformed.is_empty() && self.statistics.is_empty())
            || self.prohibitions.contains(&Selector::default())
    }

    /// Whether every quad of every dataset is visible, and nothing else.
    pub fn is_everything(&self) -> bool {
        self.permits.contains(&Selector::default())
            && self.prohibitions.is_empty()
            && self.transformed.is_empty()
            && self.statistics.is_empty()
    }

    /// Every selector in it.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        self.permits
            .iter()
            .chain(&self.prohibitions)
            .chain(self.transformed.iter().map(|one| &one.selector))
            .chain(self.statistics.iter().map(|one| &one.selector))
    }
}

//! A selector as ids of one snapshot.

use super::names::Names;
use super::sets::Times;
use super::{Covers, Pattern};
use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Id};
use crate::id_set::IdSet;
use crate::run::{IdQuad, Range};
use crate::snapshot::Snapshot;
use crate::watch::Watch;
use oxsdatatypes::DateTime;
use std::sync::Arc;
use twinlink_core::Budget;
use twinlink_policy::{End, Selector};

/// A selector as ids of one snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct IdSelector {
    graph: Option<Id>,
    property: Option<Id>,
    class: Option<Class>,
    nodes: Option<Arc<IdSet>>,
    named: Option<NamedEnd>,
    recorded: Option<(Arc<Times>, DateTime)>,
}

#[derive(Debug, Clone)]
struct Class {
    rdf_type: Id,
    class: Id,
    instances: Arc<IdSet>,
}

#[derive(Debug, Clone)]
struct NamedEnd {
    end: End,
    is_negated: bool,
    names: Arc<[Id]>,
}

impl IdSelector {
    /// None where the selector names a term that the snapshot does not have: it selects nothing there.
    pub(super) fn new(
        selector: &Selector,
        snapshot: &Snapshot,
        names: &Names,
        budget: &Budget,
    ) -> Result<Option<Self>, StoreError> {
        let dictionary = &snapshot.dictionary;
        let mut compiled = Self::default();
        if let Some(graph) = &selector.graph {
            let Some(graph) = snapshot.graph(&graph.to_graph_name()) else {
                return Ok(None);
            };
            compiled.graph = Some(graph);
        }
        if let Some(property) = &selector.property {
            let Some(property) = dictionary.id(property.as_ref().into()) else {
                return Ok(None);
            };
            compiled.property = Some(property);
        }
        if let Some(class) = &selector.class {
            let rdf_type = dictionary.id(oxrdf::vocab::rdf::TYPE.into());
            let class = dictionary.id(class.as_ref().into());
            let Some((rdf_type, class)) = rdf_type.zip(class) else {
                return Ok(None);
            };
            compiled.class = Some(Class {
                rdf_type,
                class,
                instances: snapshot.instances(class, budget)?,
            });
        }
        if let Some(pattern) = &selector.nodes {
            compiled.nodes = Some(snapshot.nodes(pattern, budget)?);
        }
        if let Some(named) = selector.named {
            let mut ids = names
                .iter()
                .filter_map(|name| dictionary.id(name.as_ref()))
                .collect::<Vec<_>>();
            ids.sort_unstable();
            compiled.named = Some(NamedEnd {
                end: named.end,
                is_negated: named.is_negated,
                names: ids.into(),
            });
        }
        if let Some(recorded) = &selector.recorded {
            let Some(property) = dictionary.id(recorded.property.as_ref().into()) else {
                return Ok(None);
            };
            compiled.recorded = Some((snapshot.times(property, budget)?, recorded.until));
        }
        Ok(Some(compiled))
    }

    /// The predicate of all that it selects, if there is one.
    pub(super) fn property(&self) -> Option<Id> {
        self.property
    }

    /// Whether it selects all, none or some matches of a pattern, without a look at any row.
    pub(super) fn covers(&self, pattern: Pattern) -> Covers {
        let graph = match (self.graph, pattern.g) {
            (None, _) => Covers::All,
            (Some(DEFAULT_GRAPH), None) => Covers::None,
            (Some(_), None) => Covers::Some,
            (Some(wanted), Some(bound)) => Covers::all_or_none(wanted == bound),
        };
        let property = match (self.property, pattern.p) {
            (None, _) => Covers::All,
            (Some(_), None) => Covers::Some,
            (Some(wanted), Some(bound)) => Covers::all_or_none(wanted == bound),
        };
        if graph == Covers::None || property == Covers::None {
            return Covers::None;
        }
        let class = self.class.as_ref().map_or(Covers::All, |class| {
            // Who matches `?s rdf:type class` is an instance.
            if (pattern.p, pattern.o) == (Some(class.rdf_type), Some(class.class)) {
                Covers::All
            } else {
                Covers::of_set(&class.instances, pattern.s)
            }
        });
        let nodes = self
            .nodes
            .as_ref()
            .map_or(Covers::All, |nodes| Covers::of_set(nodes, pattern.s));
        let named = self
            .named
            .as_ref()
            .map_or(Covers::All, |named| named.covers(pattern));
        let recorded = match (&self.recorded, pattern.s) {
            (None, _) => Covers::All,
            (Some(_), None) => Covers::Some,
            (Some(_), Some(bound)) => Covers::all_or_none(self.is_old_enough(bound)),
        };
        let all = [graph, property, class, nodes, named, recorded];
        if all.contains(&Covers::None) {
            Covers::None
        } else if all.contains(&Covers::Some) {
            Covers::Some
        } else {
            Covers::All
        }
    }

    /// Whether it selects the quad.
    #[inline]
    pub(super) fn holds(&self, [g, s, p, o]: IdQuad) -> bool {
        self.property.is_none_or(|property| property == p)
            && self.graph.is_none_or(|graph| graph == g)
            && self
                .class
                .as_ref()
                .is_none_or(|class| class.instances.contains(s))
            && self.nodes.as_ref().is_none_or(|nodes| nodes.contains(s))
            && self.named.as_ref().is_none_or(|named| named.holds(s, o))
            && self.is_old_enough(s)
    }

    #[inline]
    fn is_old_enough(&self, subject: Id) -> bool {
        let mut recorded = self.recorded.iter();
        recorded.all(|(times, until)| times.is_until(subject, *until))
    }

    /// Calls `each` with every quad of the snapshot that it selects.
    pub(super) fn each(
        &self,
        snapshot: &Snapshot,
        watch: &Watch,
        mut each: impl FnMut(IdQuad) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let index = &snapshot.index;
        let ranges = |subject: Option<Id>| {
            let default = Range::in_graph(DEFAULT_GRAPH, subject, self.property, None);
            match self.graph {
                Some(DEFAULT_GRAPH) => [Some(default), None],
                Some(graph) => [
                    Some(Range::in_graph(graph, subject, self.property, None)),
                    None,
                ],
                None => [
                    Some(default),
                    Some(Range::in_named(subject, self.property, None)),
                ],
            }
        };
        let rows = ranges(None)
            .into_iter()
            .flatten()
            .map(|range| index.size(&range));
        let rows = rows.sum::<usize>();
        let subjects = [
            self.class.as_ref().map(|class| &class.instances),
            self.nodes.as_ref(),
        ];
        let fewest = subjects.into_iter().flatten().min_by_key(|set| set.len());
        // A lookup costs about as much as reading so many rows.
        const LOOKUP: usize = 16;
        match fewest {
            Some(few) if few.len().saturating_mul(LOOKUP) < rows => {
                for subject in few.iter() {
                    for range in ranges(Some(subject)).iter().flatten() {
                        watch.step()?;
                        for quad in index.rows(range).filter(|quad| self.holds(*quad)) {
                            each(quad)?;
                        }
                    }
                }
            }
            _ => {
                for range in ranges(None).iter().flatten() {
                    for quad in index.rows(range) {
                        watch.step()?;
                        if self.holds(quad) {
                            each(quad)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl NamedEnd {
    fn covers(&self, pattern: Pattern) -> Covers {
        let bound = match self.end {
            End::Subject => pattern.s,
            End::Object => pattern.o,
        };
        match bound {
            Some(bound) => Covers::all_or_none(self.names.contains(&bound) != self.is_negated),
            None if self.names.is_empty() => Covers::all_or_none(self.is_negated),
            None => Covers::Some,
        }
    }

    fn holds(&self, s: Id, o: Id) -> bool {
        let end = match self.end {
            End::Subject => s,
            End::Object => o,
        };
        self.names.contains(&end) != self.is_negated
    }
}

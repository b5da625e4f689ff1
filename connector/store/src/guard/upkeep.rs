//! What a snapshot takes over from the one before: sets of nodes and transformed quads that a change cannot have altered.
//!
//! Each is kept only where it is plain to see that it would be found the same again; all else is found anew when it is
//! asked for. Ids mean the same in every later snapshot, so what is kept is kept as it is.

use super::overlay::Overlay;
use super::reads::{Read, Reads};
use crate::dictionary::Id;
use crate::run::IdQuad;
use crate::snapshot::Snapshot;
use rustc_hash::FxHashSet;
use twinlink_policy::{Guard, NodePattern, Part, Selector};

/// The most quads of a change that are looked through. After a larger one everything is found anew.
const MOST: usize = 8192;

/// A change from one snapshot to the next.
pub(crate) struct Change<'a> {
    /// As it is after the change.
    after: &'a Snapshot,
    added: &'a [IdQuad],
    removed: &'a [IdQuad],
    predicates: FxHashSet<Id>,
    /// Whose instances came or went.
    classes: FxHashSet<Id>,
    /// The first of the terms that are new.
    first_new: Id,
}

impl<'a> Change<'a> {
    /// None where it is too large to be looked through.
    pub(crate) fn new(
        before: &Snapshot,
        after: &'a Snapshot,
        added: &'a [IdQuad],
        removed: &'a [IdQuad],
    ) -> Option<Self> {
        if added.len() + removed.len() > MOST {
            return None;
        }
        let rdf_type = after.dictionary.id(oxrdf::vocab::rdf::TYPE.into());
        let quads = || added.iter().chain(removed);
        let of_type = quads().filter(|[_, _, p, _]| Some(*p) == rdf_type);
        Some(Self {
            after,
            added,
            removed,
            predicates: quads().map(|[_, _, p, _]| *p).collect(),
            classes: of_type.map(|[.., class]| *class).collect(),
            first_new: before.dictionary.next(),
        })
    }

    fn quads(&self) -> impl Iterator<Item = &'a IdQuad> {
        self.added.iter().chain(self.removed)
    }

    /// Whether instances of the class came or went.
    pub(super) fn touches_class(&self, class: Id) -> bool {
        self.classes.contains(&class)
    }

    /// Whether values of the property came or went.
    pub(super) fn touches_property(&self, property: Id) -> bool {
        self.predicates.contains(&property)
    }

    /// Whether the pattern can have other nodes now.
    pub(super) fn touches_pattern(&self, pattern: &NodePattern) -> bool {
        match Reads::of(pattern.query()) {
            Reads::Everything => true,
            Reads::Quads { like, makes_nodes } => {
                (makes_nodes && self.first_new < self.after.dictionary.next())
                    || like.iter().any(|read| self.is_read(read))
            }
        }
    }

    /// Whether one of the quads is like this. A term that the snapshot does not have is in none of them.
    fn is_read(&self, read: &Read) -> bool {
        let dictionary = &self.after.dictionary;
        let id = |term: Option<oxrdf::TermRef<'_>>| term.map(|term| dictionary.id(term));
        let subject = id(read.subject.as_ref().map(oxrdf::Term::as_ref));
        let predicate = id(read.predicate.as_ref().map(|node| node.as_ref().into()));
        let object = id(read.object.as_ref().map(oxrdf::Term::as_ref));
        let fits = |wanted: Option<Option<Id>>, id: Id| wanted.is_none_or(|one| one == Some(id));
        self.quads()
            .any(|[_, s, p, o]| fits(subject, *s) && fits(predicate, *p) && fits(object, *o))
    }

    /// The overlay as it is after the change; none where it might be another.
    ///
    /// It is the same if no quad that its transforms may select came or went, no set that it rests on is another, and none
    /// of its quads is now there, or no longer there, as a quad that is shown as it is.
    // INVARIANT(kept-guards-equal-those-built-anew): what is kept over a change equals what would be found anew.
    pub(crate) fn carry(&self, guard: &Guard, overlay: &Overlay) -> Option<Overlay> {
        let mut transformed = guard.layers().flat_map(Guard::transformed);
        // Statistics speak of more than the quads that they select.
        let is_touched = guard.layers().any(|layer| !layer.statistics().is_empty())
            || guard.selectors().any(|selector| !self.keeps(selector))
            || transformed.clone().any(|one| {
                let mut parts = one.steps.iter().map(|step| &step.part);
                parts.any(|part| !self.keeps_part(part))
            })
            || transformed.any(|one| self.may_select(&one.selector))
            || self.added.iter().any(|quad| overlay.contains(*quad))
            || self.removed.iter().any(|quad| overlay.left_out(*quad));
        if is_touched {
            return None;
        }
        overlay.carried(self.first_new, &self.after.dictionary)
    }

    /// Whether the sets that a selector speaks of were taken over.
    fn keeps(&self, selector: &Selector) -> bool {
        let sets = &self.after.sets;
        let class = selector.class.as_ref();
        let recorded = selector.recorded.as_ref();
        class.is_none_or(|class| self.is_unknown_or(class, |id| sets.instances_of(id).is_some()))
            && selector
                .nodes
                .as_ref()
                .is_none_or(|pattern| sets.nodes_of(pattern).is_some())
            && recorded.is_none_or(|recorded| {
                self.is_unknown_or(&recorded.property, |id| sets.has_times_of(id))
            })
    }

    fn keeps_part(&self, part: &Part) -> bool {
        let sets = &self.after.sets;
        match part {
            Part::Values(_) => true,
            Part::Instances(class) => {
                self.is_unknown_or(class, |id| sets.instances_of(id).is_some())
            }
            Part::Nodes(pattern) => sets.nodes_of(pattern).is_some(),
        }
    }

    fn is_unknown_or(&self, node: &oxrdf::NamedNode, is_kept: impl Fn(Id) -> bool) -> bool {
        let id = self.after.dictionary.id(node.as_ref().into());
        id.is_none_or(is_kept)
    }

    /// Whether the selector, whose sets are kept, may select one of the quads.
    fn may_select(&self, selector: &Selector) -> bool {
        let dictionary = &self.after.dictionary;
        let sets = &self.after.sets;
        let graph = selector.graph.as_ref();
        let graph = graph.map(|graph| self.after.graph(&graph.to_graph_name()));
        let property = selector.property.as_ref();
        let property = property.map(|node| dictionary.id(node.as_ref().into()));
        let class = selector.class.as_ref();
        let class = class.map(|node| dictionary.id(node.as_ref().into()));
        let instances = class.map(|class| class.and_then(|class| sets.instances_of(class)));
        let nodes = selector.nodes.as_ref();
        let nodes = nodes.map(|pattern| sets.nodes_of(pattern));
        let fits = |wanted: Option<Option<Id>>, id: Id| wanted.is_none_or(|one| one == Some(id));
        self.quads().any(|[g, s, p, _]| {
            fits(graph, *g)
                && fits(property, *p)
                && instances
                    .as_ref()
                    .is_none_or(|set| set.as_ref().is_some_and(|set| set.contains(*s)))
                && nodes
                    .as_ref()
                    .is_none_or(|set| set.as_ref().is_some_and(|set| set.contains(*s)))
        })
    }
}

#[cfg(test)]
mod tests;

//! The reference model: what a caller may see, worked out without regard to speed.
//!
//! One sentence of [`Guard`]'s documentation after another. Nothing of the engine is used but the types that say what a
//! guard is; patterns are left to oxigraph.

mod statistic;
mod together;
mod transform;

use super::reference;
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, Quad, Term};
use oxsdatatypes::DateTime;
use statistic::Told;
use std::collections::HashSet;
use twinlink_core::policy::{End, Guard, NodePattern, Recorded, Selector};

/// The connector's secret for pseudonyms.
pub(super) type Key = [u8; 32];

/// A dataset, and who asks.
pub(super) struct Model<'a> {
    /// The quads that there are.
    pub(super) data: &'a [Quad],
    /// The quads that tell of which class, of which pattern and how old a subject is: all there are, visible or not.
    pub(super) whole: &'a [Quad],
    /// What the question names.
    pub(super) names: &'a HashSet<Term>,
    pub(super) key: Key,
}

/// What the guard leaves of the data: the copy that every answer must be the answer of.
pub(super) fn materialise(
    data: &[Quad],
    guard: &Guard,
    names: &HashSet<Term>,
    key: Key,
) -> Result<Vec<Quad>, String> {
    let whole = data;
    Model {
        data,
        whole,
        names,
        key,
    }
    .shown(guard)
}

impl Model<'_> {
    /// What is shown as it is, what is shown changed, and what is told in numbers; each quad once.
    pub(super) fn shown(&self, guard: &Guard) -> Result<Vec<Quad>, String> {
        let (mut shown, mut original, mut changed) =
            (HashSet::new(), HashSet::new(), HashSet::new());
        let mut told = Vec::new();
        for layer in guard.layers() {
            for permit in layer.permits() {
                shown.extend(self.allowed(permit, layer)?);
            }
        }
        for layer in guard.layers() {
            for transformed in layer.transformed() {
                let mut rows = self.allowed(&transformed.selector, layer)?;
                rows.retain(|quad| !shown.contains(quad));
                original.extend(rows.iter().cloned());
                changed.extend(self.changed(rows, &transformed.steps)?);
            }
            for statistic in layer.statistics() {
                let rows = self.allowed(&statistic.selector, layer)?;
                told.push(Told::new(statistic, rows));
            }
        }
        original.extend(shown.iter().cloned());
        together::hide_differences(&mut told, &[HashSet::new(), shown.clone(), original]);
        shown.extend(changed);
        shown.extend(told.iter().flat_map(Told::observations));
        Ok(shown.into_iter().collect())
    }

    /// The quads that the selector selects and no prohibition of the layer selects.
    pub(super) fn allowed(
        &self,
        selector: &Selector,
        guard: &Guard,
    ) -> Result<HashSet<Quad>, String> {
        let mut quads = self.selected(selector)?;
        for prohibition in guard.prohibitions() {
            let withheld = self.selected(prohibition)?;
            quads.retain(|quad| !withheld.contains(quad));
        }
        Ok(quads)
    }

    /// All conditions must hold.
    fn selected(&self, selector: &Selector) -> Result<HashSet<Quad>, String> {
        let mut quads: HashSet<_> = self.data.iter().cloned().collect();
        if let Some(graph) = &selector.graph {
            quads.retain(|quad| quad.graph_name == graph.to_graph_name());
        }
        if let Some(property) = &selector.property {
            quads.retain(|quad| quad.predicate == *property);
        }
        if let Some(class) = &selector.class {
            let instances = self.instances(class);
            quads.retain(|quad| instances.contains(&subject(quad)));
        }
        if let Some(pattern) = &selector.nodes {
            let nodes = self.nodes(pattern)?;
            quads.retain(|quad| nodes.contains(&subject(quad)));
        }
        if let Some(named) = &selector.named {
            quads.retain(|quad| {
                let end = match named.end {
                    End::Subject => subject(quad),
                    End::Object => quad.object.clone(),
                };
                self.names.contains(&end) != named.is_negated
            });
        }
        if let Some(recorded) = &selector.recorded {
            quads.retain(|quad| self.is_recorded(quad, recorded));
        }
        Ok(quads)
    }

    fn instances(&self, class: &NamedNode) -> HashSet<Term> {
        let class = Term::from(class.clone());
        let stated = |quad: &&Quad| quad.predicate == rdf::TYPE && quad.object == class;
        self.whole.iter().filter(stated).map(subject).collect()
    }

    /// The values of `?this` over the union of all graphs.
    fn nodes(&self, pattern: &NodePattern) -> Result<HashSet<Term>, String> {
        reference::nodes(pattern.query(), self.whole)
    }

    /// There is a time, and every one is a time that is not after `until`.
    fn is_recorded(&self, quad: &Quad, recorded: &Recorded) -> bool {
        let states =
            |one: &&Quad| one.subject == quad.subject && one.predicate == recorded.property;
        let mut times = self.whole.iter().filter(states).peekable();
        times.peek().is_some() && times.all(|one| is_until(&one.object, recorded.until))
    }
}

/// An order between times with a zone and times without is not told.
pub(super) fn is_until(object: &Term, until: DateTime) -> bool {
    let Term::Literal(literal) = object else {
        return false;
    };
    let time = literal.value().parse::<DateTime>();
    literal.datatype() == oxrdf::vocab::xsd::DATE_TIME
        && time.is_ok_and(|time| time.timezone().is_some() && time <= until)
}

fn subject(quad: &Quad) -> Term {
    quad.subject.clone().into()
}

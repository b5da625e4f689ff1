//! What a member shows a caller, in short: enough to see what it cannot contribute, and what joins only within it.
//!
//! A summary is made of the quads that the caller may see and of nothing else, so what is withheld leaves no trace in
//! it. It errs to one side only: it may promise what is not there, and never denies what is. Each graph is a part of
//! its own; where there are many, several together. A member whose summary lies hides its own quads, as it can anyway,
//! and nobody else's.

mod build;
mod delta;
mod filter;
mod part;
mod profile;
mod range;
mod wire;

use crate::algebra::Context;
use crate::needs::Atom;
pub use build::View;
use oxrdf::{NamedNode, Term, Variable};
use part::Places;
pub(crate) use part::{Part, Place};
pub(crate) use profile::{Mark, Star};
pub(crate) use range::{Between, number};
use std::sync::Arc;
use twinlink_core::DatasetChoice;
pub use wire::SummaryError;

/// How many bytes the pieces of literals have that are looked for.
pub(crate) const PIECES: [usize; 2] = [4, 7];

/// What a member shows one caller for one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    version: String,
    recipients: Vec<NamedNode>,
    /// Whether parts were cut to fit.
    is_cut: bool,
    default: Arc<Part>,
    /// In order.
    named: Vec<Named>,
}

/// A named graph, or several of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    graphs: Graphs,
    part: Arc<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Graphs {
    /// One.
    One(NamedNode),
    /// Those whose names fall into this bucket. The filter of their part knows the names.
    Several(u8),
}

/// What of a summary a pattern looks at: each entry is what one graph is made of that it may look at.
pub(crate) type Alternatives<'a> = Vec<Vec<&'a Part>>;

/// The largest summary that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummaryLimits {
    /// The most predicates; with more, there is no summary.
    pub predicates: usize,
    /// The most bytes of filters on constants; they get coarser to fit.
    pub filter_bytes: usize,
    /// The most marks of characteristic sets; with more, there are none.
    pub marks: usize,
    /// The most quads of one part that are held in memory to know them in detail; more are known in outline.
    pub detailed: usize,
}

impl Default for SummaryLimits {
    fn default() -> Self {
        Self {
            predicates: 4_096,
            filter_bytes: 4 << 20,
            marks: 1 << 20,
            detailed: 100_000,
        }
    }
}

impl Summary {
    /// Names the data and the policies that it was made from, opaquely.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The same, by another name.
    #[must_use]
    pub fn with_version(self, version: String) -> Self {
        Self { version, ..self }
    }

    /// With the participants whom this caller may tell what is shown.
    #[must_use]
    pub fn with_recipients(self, mut recipients: Vec<NamedNode>) -> Self {
        recipients.sort();
        recipients.dedup();
        Self { recipients, ..self }
    }

    /// Whom this caller may tell what is shown: values from here are sent to no other participant.
    pub fn recipients(&self) -> &[NamedNode] {
        &self.recipients
    }

    /// How many quads there are.
    pub fn quads(&self) -> u64 {
        let named = self.named.iter().map(|named| named.part.triples);
        named.fold(self.default.triples, u64::saturating_add)
    }

    /// How many bytes it takes, roughly.
    pub fn bytes(&self) -> usize {
        let named = self.named.iter().map(|named| match &named.graphs {
            Graphs::One(name) => name.as_str().len() + named.part.bytes(),
            Graphs::Several(_) => named.part.bytes(),
        });
        self.default.bytes() + named.sum::<usize>()
    }

    /// The parts of the graphs that may have this name.
    fn graph(&self, name: &NamedNode) -> Option<&Part> {
        let part = self.named.iter().find(|named| match &named.graphs {
            Graphs::One(known) => known == name,
            Graphs::Several(bucket) => *bucket == build::bucket(name) && named.part.may_be_of(name),
        });
        part.map(|named| &*named.part)
    }

    /// What a pattern in this context looks at, in the dataset that is chosen or else in that of the member.
    pub(crate) fn alternatives(
        &self,
        context: &Context,
        dataset: Option<&DatasetChoice>,
    ) -> Alternatives<'_> {
        match (context, dataset) {
            (Context::Default, None) => vec![vec![&self.default]],
            (Context::Default, Some(choice)) => {
                let graphs = choice.default_graphs.iter();
                vec![graphs.filter_map(|name| self.graph(name)).collect()]
            }
            (Context::Named(name), None) => self
                .graph(name)
                .map(|part| vec![part])
                .into_iter()
                .collect(),
            (Context::Named(name), Some(choice)) => {
                let is_chosen = choice.named_graphs.contains(name);
                let part = self.graph(name).filter(|_| is_chosen);
                part.map(|part| vec![part]).into_iter().collect()
            }
            (Context::Any(_), None) => self.named.iter().map(|named| vec![&*named.part]).collect(),
            (Context::Any(_), Some(choice)) => {
                let graphs = choice.named_graphs.iter();
                graphs
                    .filter_map(|name| self.graph(name))
                    .map(|part| vec![part])
                    .collect()
            }
        }
    }

    fn parts<'a>(
        &'a self,
        atom: &Atom,
        dataset: Option<&DatasetChoice>,
    ) -> impl Iterator<Item = &'a Part> + use<'a> {
        self.alternatives(&atom.context, dataset)
            .into_iter()
            .flatten()
    }

    /// Whether some quad may match the pattern.
    pub(crate) fn may_match(&self, atom: &Atom, dataset: Option<&DatasetChoice>) -> bool {
        self.parts(atom, dataset)
            .any(|part| part.may_match(&atom.triple))
    }

    /// Roughly how many quads match the pattern.
    pub(crate) fn estimate(&self, atom: &Atom, dataset: Option<&DatasetChoice>) -> u64 {
        let parts = self
            .parts(atom, dataset)
            .filter(|part| part.may_match(&atom.triple));
        parts
            .map(|part| part.estimate(&atom.triple))
            .fold(0, u64::saturating_add)
    }

    /// Where the values of the variable are at home that matching quads give it; some places more than once.
    pub(crate) fn places<'a>(
        &'a self,
        atom: &Atom,
        variable: &Variable,
        dataset: Option<&DatasetChoice>,
    ) -> Vec<Place<'a>> {
        if matches!(&atom.context, Context::Any(graph) if graph == variable) {
            return self.names().collect();
        }
        let mut places = Vec::new();
        for part in self
            .parts(atom, dataset)
            .filter(|part| part.may_match(&atom.triple))
        {
            part.places(&atom.triple, variable, &mut places);
        }
        places
    }

    /// Where the names of graphs are at home.
    fn names(&self) -> impl Iterator<Item = Place<'_>> {
        self.named.iter().map(|named| match &named.graphs {
            Graphs::One(name) => Place::Authority(authority(name.as_str())),
            Graphs::Several(_) => Place::Anywhere,
        })
    }
}

/// The key of the object of some triple of a predicate, for [`Part::may_have`].
pub(crate) fn object_key(predicate: &NamedNode, object: &Term) -> u64 {
    filter::end(false, Some(predicate), object)
}

/// Scheme and authority of an IRI; of one without an authority, all up to the last colon.
fn authority(iri: &str) -> &str {
    let end = match iri.split_once("://") {
        Some((scheme, rest)) => {
            let start = scheme.len() + "://".len();
            start + rest.find(['/', '?', '#']).unwrap_or(rest.len())
        }
        None => iri.rfind(':').map_or(iri.len(), |colon| colon + 1),
    };
    iri.get(..end).unwrap_or(iri)
}

//! Reads what a permission of `odrl:aggregate` tells in numbers, from the refinements of its target.

use super::reader::Reader;
use super::refinement::Refinement;
use crate::guard::{Measure, MeasureKind};
use crate::model::RuleKind;
use crate::model::treatment::Figures;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode};
use twinlink_vocab::{odrl, tl};

/// The refinements by which a part of a dataset is told in numbers only.
const REFINEMENTS: &[NamedNodeRef<'static>] = &[
    tl::DIMENSION,
    tl::MEASURE,
    tl::MEASURE_KIND,
    tl::MINIMUM_GROUP_SIZE,
];
/// The most dimensions of one statistic.
const MOST_DIMENSIONS: usize = 8;

/// What was read of a statistic so far.
#[derive(Default)]
pub(super) struct Draft {
    dimensions: Option<Vec<NamedNode>>,
    measure: Option<NamedNode>,
    kind: Option<MeasureKind>,
    minimum: Option<u32>,
}

impl Draft {
    /// Whether a refinement is one of a statistic.
    pub(super) fn takes(&self, left: &NamedNode) -> bool {
        REFINEMENTS.iter().any(|one| one == left)
    }

    pub(super) fn read(&mut self, reader: &mut Reader<'_>, refinement: &Refinement) -> Option<()> {
        let is_given = match refinement.left.as_ref() {
            tl::DIMENSION => {
                let values = refinement.all_of(reader)?;
                let mut dimensions = reader.iris(values, tl::DIMENSION)?;
                dimensions.sort();
                dimensions.dedup();
                if dimensions.len() > MOST_DIMENSIONS {
                    reader.too_many("dimensions of one statistic", MOST_DIMENSIONS);
                    return None;
                }
                self.dimensions.replace(dimensions).is_some()
            }
            tl::MEASURE => self.measure.replace(refinement.iri(reader)?).is_some(),
            tl::MEASURE_KIND => {
                let kind = refinement.iri(reader)?;
                let kind = match kind.as_ref() {
                    tl::SUM => MeasureKind::Sum,
                    tl::AVERAGE => MeasureKind::Average,
                    _ => return refinement.not(reader, "tl:sum or tl:average"),
                };
                self.kind.replace(kind).is_some()
            }
            _ => {
                let minimum = refinement.whole(reader, odrl::GTEQ.into_owned(), 2)?;
                self.minimum.replace(minimum).is_some()
            }
        };
        if is_given {
            reader.malformed(format_args!(
                "two refinements on {} of one target: dimensions are given together by odrl:isAllOf",
                refinement.left
            ));
            return None;
        }
        Some(())
    }

    /// The statistic, if there is one at all.
    #[allow(
        clippy::option_option,
        reason = "as everywhere here, the outer one tells that a fault was found"
    )]
    pub(super) fn finish(
        self,
        reader: &mut Reader<'_>,
        collection: &NamedOrBlankNode,
        kind: RuleKind,
        parts: usize,
    ) -> Option<Option<Figures>> {
        if self.dimensions.is_none()
            && self.measure.is_none()
            && self.kind.is_none()
            && self.minimum.is_none()
        {
            return Some(None);
        }
        if kind == RuleKind::Prohibition {
            reader.malformed(
                "a prohibition is about data, not about statistics: prohibit odrl:aggregate of the data",
            );
            return None;
        }
        if parts != 1 {
            reader.malformed(format_args!(
                "a statistic is about one part of the dataset, here are {parts}: give each its own target"
            ));
            return None;
        }
        let Some(minimum) = self.minimum else {
            reader.malformed(format_args!(
                "a statistic needs a {}: of how many, at least, may be told",
                tl::MINIMUM_GROUP_SIZE
            ));
            return None;
        };
        let measure = match (self.measure, self.kind) {
            (None, None) => None,
            (Some(property), Some(kind)) => Some(Measure { property, kind }),
            _ => {
                reader.malformed(format_args!(
                    "{} and {} are given together",
                    tl::MEASURE,
                    tl::MEASURE_KIND
                ));
                return None;
            }
        };
        Some(Some(Figures {
            name: name(reader, collection)?,
            dimensions: self.dimensions.unwrap_or_default(),
            measure,
            minimum,
        }))
    }
}

/// The collection's IRI, or its `odrl:uid`: it names the observations.
#[allow(
    clippy::option_option,
    reason = "as everywhere here, the outer one tells that a fault was found"
)]
fn name(reader: &mut Reader<'_>, collection: &NamedOrBlankNode) -> Option<Option<NamedNode>> {
    let stated = match reader.at_most_one(collection, odrl::UID) {
        Some(term) => Some(reader.iri(&term, odrl::UID)?),
        None => None,
    };
    let name = stated.or_else(|| match collection {
        NamedOrBlankNode::NamedNode(name) => Some(name.clone()),
        NamedOrBlankNode::BlankNode(_) => None,
    });
    if let Some(name) = name.as_ref().filter(|name| name.as_str().contains('#')) {
        reader.malformed(format_args!(
            "the statistic {name} has a fragment in its name: its observations are named by one"
        ));
        return None;
    }
    Some(name)
}

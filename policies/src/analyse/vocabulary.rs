//! What left operands range over, and the words for it that policies are read by.

use super::formula::{Axis, Scale};
use super::interval::{End, Intervals};
use super::taxonomy::Taxonomy;
use oxsdatatypes::Decimal;
use std::collections::BTreeMap;
use twinlink_vocab::odrl::NAMESPACE as ODRL;

/// What is known about left operands and about the concepts they are compared with.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// Which concept is a kind or a part of which.
    pub taxonomy: Taxonomy,
    joined: BTreeMap<String, String>,
}

impl Vocabulary {
    /// States that left operands, by their IRIs, are readings of one number, whatever the types of their values: instants
    /// count as seconds since 1970, durations as seconds. Without it, an instant never meets a duration.
    pub fn join(&mut self, operands: &[&str]) {
        let Some(first) = operands.first() else {
            return;
        };
        for operand in operands {
            self.joined
                .insert((*operand).to_owned(), (*first).to_owned());
        }
    }

    /// Where the values of an operand are counted, and how.
    pub(super) fn place(&self, operand: &str, scale: Scale) -> (Axis, Scale) {
        match self.joined.get(operand) {
            Some(first) => (Axis::of(first), Scale::Number(None)),
            None => (Axis::of(operand), scale),
        }
    }

    /// The values an operand can have at all.
    pub(super) fn domain(&self, axis: &Axis, scale: &Scale) -> Intervals {
        let from_zero = || Intervals::between(End::Closed(Decimal::default()), End::Unbounded);
        if self.joined.contains_key(&axis.operand) {
            return Intervals::all();
        }
        match scale {
            Scale::Duration => from_zero(),
            Scale::Number(_) if is_magnitude(&axis.operand) => from_zero(),
            _ => Intervals::all(),
        }
    }
}

/// Whether the operand counts or measures something, so that it is never negative.
fn is_magnitude(operand: &str) -> bool {
    const ODRL_MAGNITUDES: &[&str] = &[
        "absoluteSize",
        "count",
        "percentage",
        "relativeSize",
        "resolution",
        "unitOfCount",
    ];
    const AXIS_MAGNITUDES: &[&str] = &["absoluteSize", "relativeSize", "resolution"];
    if let Some(name) = operand.strip_prefix(ODRL) {
        return ODRL_MAGNITUDES.contains(&name);
    }
    operand.strip_prefix(SPATIAL_AXIS).is_some_and(|name| {
        AXIS_MAGNITUDES
            .iter()
            .any(|magnitude| name.starts_with(magnitude))
    })
}

/// One dimension of a left operand that has several, as `absoluteSizeWidth`: the axis decomposition of ODRL.
const SPATIAL_AXIS: &str = "http://w3id.org/odrl/spatial-axis#";

pub(super) const DATE_TIME: &str = "http://www.w3.org/ns/odrl/2/dateTime";
pub(super) const TIME_INTERVAL: &str = "http://www.w3.org/ns/odrl/2/timeInterval";
pub(super) const ELAPSED_TIME: &str = "http://www.w3.org/ns/odrl/2/elapsedTime";
pub(super) const METERED_TIME: &str = "http://www.w3.org/ns/odrl/2/meteredTime";
pub(super) const DELAY_PERIOD: &str = "http://www.w3.org/ns/odrl/2/delayPeriod";
/// The instant from which an `odrl:timeInterval` recurs.
pub(super) const ANCHOR: &str = "http://w3id.org/drk/ontology/anchor";

macro_rules! words {
    ($module:ident $namespace:literal $($name:ident = $local:literal,)*) => {
        pub(super) mod $module {
            $(pub(in crate::analyse) const $name: oxrdf::NamedNodeRef<'static> =
                oxrdf::NamedNodeRef::new_unchecked(concat!($namespace, $local));)*
        }
    };
}

words!(skos "http://www.w3.org/2004/02/skos/core#"
    BROADER = "broader",
    BROADER_TRANSITIVE = "broaderTransitive",
    NARROWER = "narrower",
);
words!(owl "http://www.w3.org/2002/07/owl#"
    DISJOINT_WITH = "disjointWith",
    DISTINCT_MEMBERS = "distinctMembers",
    MEMBERS = "members",
);
words!(geonames "https://www.geonames.org/ontology#"
    PARENT_FEATURE = "parentFeature",
);
words!(geosparql "http://www.opengis.net/ont/geosparql#"
    WITHIN = "sfWithin",
);

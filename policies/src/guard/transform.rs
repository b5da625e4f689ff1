//! What a caller is shown instead of the truth: transforms of values, and statistics instead of data.

use super::{NodePattern, Selector};
use oxrdf::NamedNode;
use oxsdatatypes::Decimal;

/// Quads that are shown changed: each selected quad that no prohibition selects goes through the steps, in order.
///
/// What a permit shows unchanged is shown unchanged too: a transform is the condition of its own permission, not a
/// prohibition for the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Transformed {
    /// The quads.
    pub selector: Selector,
    /// What is done to each, one after the other.
    pub steps: Vec<Step>,
}

/// One change of a quad.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    /// Which of its terms.
    pub part: Part,
    /// What becomes of them.
    pub function: Function,
}

/// Which terms of a quad a step changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The objects of quads with one of these predicates; with none given, of every quad.
    Values(Vec<NamedNode>),
    /// The instances of a class, wherever they stand as subject or object.
    Instances(NamedNode),
    /// The nodes of a pattern, wherever they stand as subject or object.
    Nodes(NodePattern),
}

/// What becomes of a term. A value that the function is not defined for is not shown: the quad is dropped. So is a quad
/// whose subject would become a literal. Graph names and predicates stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// The string literal of this text, for every value.
    Mask(String),
    /// A name that stands for the term towards one recipient and one purpose, and towards no other:
    /// `urn:pseudonym:` and the lower-case hex of the first 16 bytes of HMAC-SHA-256 by the connector's key over
    /// recipient, purpose and term (each in N-Triples form, ended by a line feed; no purpose is an empty line). A literal
    /// becomes a string literal of those hex digits.
    Pseudonymise {
        /// The organisation that is shown it.
        recipient: NamedNode,
        /// For what.
        purpose: Option<NamedNode>,
    },
    /// The nearest multiple, halves away from zero, calculated as a decimal. For numeric literals (those of
    /// `xsd:integer` and the types derived from it, `xsd:decimal`, `xsd:float` and `xsd:double`) that a decimal can hold.
    /// They keep their data type where it can hold the result, and become `xsd:decimal` where not; in canonical form.
    Round(Decimal),
    /// The beginning of the unit, in the value's own zone if it has one. For `xsd:dateTime`, `xsd:date`.
    Truncate(TimeUnit),
    /// The centre of the grid cell that holds the centre of the geometry's envelope, as a WKT point: `POINT(x y)`, both as
    /// decimals in canonical form, after the name of the coordinate system in angle brackets and a space where the
    /// value has one. The cells have sides of this many units of the geometry's coordinate system; one has a corner at its
    /// origin, and a cell holds its lower and left edges. For `geo:wktLiteral` that is not empty.
    Generalise(Decimal),
    /// Drops the quad.
    Suppress,
    /// Drops the quad where fewer than this many different subjects of the selected quads share its predicate and object,
    /// all as the steps before left them.
    SuppressBelow(u32),
}

/// To what a time is truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeUnit {
    /// 1 January, midnight.
    Year,
    /// The first of the month, midnight.
    Month,
    /// Midnight.
    Day,
    /// The full hour. Leaves an `xsd:date` as it is.
    Hour,
}

/// Numbers about data that itself is not shown: one fixed partition of the units into groups, and per group one
/// observation in the [RDF Data Cube vocabulary](https://www.w3.org/TR/vocab-data-cube/), in the default graph.
///
/// A unit is a subject of the selected quads that no prohibition selects. It belongs to the group of its values of the
/// dimensions; a unit with no value or more than one for a dimension belongs to none. Values are those of the same quads,
/// and one that stands in several graphs is one.
///
/// An observation is of type `qb:Observation`, has its `qb:dataSet`, the dimensions with the group's values, and what is
/// told.
///
/// Against differencing: groups of fewer than `minimum` units are not shown; as long as the units of all groups not
/// shown together are some, but fewer than `minimum`, or are of one group only, the smallest shown group (first by the
/// N-Triples form of its values, among equals) is not shown either. So neither the total nor any sum of groups tells
/// of fewer than `minimum` units. No other partition of the same data is offered by the same rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Statistic {
    /// Names the observations: `qb:dataSet`. The observation's own name is this, `#`, and the lower-case hex of SHA-256 over
    /// the group's values in N-Triples form, each ended by a line feed.
    pub name: NamedNode,
    /// The quads that tell of the units.
    pub selector: Selector,
    /// The properties that make the groups; the observation repeats them with the group's values. None: one group of all.
    pub dimensions: Vec<NamedNode>,
    /// What is told beside the number of units (`tl:count`, `xsd:integer`).
    pub measure: Option<Measure>,
    /// The fewest units of a group that is shown; 2 or more.
    pub minimum: u32,
}

/// A number about a group: told by `tl:sum` or `tl:average` (`xsd:decimal`), with `tl:measured` naming the property.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Measure {
    /// The property whose numeric values count. A group tells none if one of its values is no number that a decimal can
    /// hold, or if fewer than [`Statistic::minimum`] of its units have a value: what few have is not told as of many.
    pub property: NamedNode,
    /// How they are put together.
    pub kind: MeasureKind,
}

/// How values are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MeasureKind {
    /// Their sum.
    Sum,
    /// Their mean, rounded to 6 decimals, halves away from zero.
    Average,
}

//! OpenStreetMap extracts in PBF into features: <https://wiki.openstreetmap.org/wiki/PBF_Format>.

mod collect;
mod facts;
mod rings;
mod tags;

pub use tags::Class;

use crate::IngestError;
use collect::Collector;
use oxrdf::{GraphName, NamedNode, Quad};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

/// How an extract is to be read.
#[derive(Debug, Clone)]
pub struct OsmOptions {
    /// What errors call the file.
    pub name: String,
    /// What the features' IRIs begin with: `way/123` follows.
    pub base: NamedNode,
    /// Where the facts go.
    pub graph: GraphName,
    /// The most nodes, ways and relations.
    pub limit: u64,
}

/// A thing on the map that has a class of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// Which element it was made from.
    pub element: Element,
    /// What it is; never empty.
    pub classes: Vec<Class>,
    /// The tags worth keeping, by key.
    pub tags: Vec<(String, String)>,
    /// Where it is.
    pub shape: Shape,
}

/// An element of the map, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Element {
    /// A point.
    Node(i64),
    /// A line or an area.
    Way(i64),
    /// An area of several rings.
    Relation(i64),
}

/// A place in ten-millionths of a degree, as OpenStreetMap keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// East of Greenwich.
    pub longitude: i32,
    /// North of the equator.
    pub latitude: i32,
}

/// The shape of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// One position.
    Point(Position),
    /// At least one line of at least two positions each. Several where the extract cuts pieces out of one.
    Lines(Vec<Vec<Position>>),
    /// At least one area.
    Areas(Vec<Area>),
}

/// A ring and its holes, each of at least four positions, the last one the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// The ring around it.
    pub outer: Vec<Position>,
    /// Rings that are not part of it, such as courtyards.
    pub holes: Vec<Vec<Position>>,
}

/// What was found in an extract, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OsmReport {
    /// How many features of each class.
    pub features: BTreeMap<Class, u64>,
    /// Ways and relations that have a class of ours, but lack a part, or do not close where they must: not imported.
    pub incomplete: u64,
    /// Roads of which the extract holds only parts: imported so far.
    pub roads_cut: u64,
}

/// Reads an extract into facts, by [`read_features`] and [`Feature::facts`].
///
/// # Errors
/// As [`read_features`].
pub fn read_osm(
    input: impl Read + Send,
    options: &OsmOptions,
    progress: impl FnMut(u64) + Send,
) -> Result<(Vec<Quad>, OsmReport), IngestError> {
    let (features, report) = read_features(input, options, progress)?;
    let quads = features
        .iter()
        .flat_map(|feature| feature.facts(&options.base, &options.graph))
        .collect();
    Ok((quads, report))
}

/// Reads the features of an extract, in its order; `progress` hears how many bytes were read so far.
///
/// # Errors
/// [`IngestError::Osm`] for a broken file or one that needs more than we know; [`IngestError::TooLarge`].
pub fn read_features(
    input: impl Read + Send,
    options: &OsmOptions,
    progress: impl FnMut(u64) + Send,
) -> Result<(Vec<Feature>, OsmReport), IngestError> {
    let mut collector = Collector::default();
    collector.read(input, options, progress)?;
    Ok(collector.finish())
}

impl fmt::Display for OsmReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (class, count)) in self.features.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {}", class.plural())?;
        }
        if self.features.is_empty() {
            f.write_str("no features")?;
        }
        if self.incomplete > 0 {
            write!(f, "; {} incomplete features left out", self.incomplete)?;
        }
        if self.roads_cut > 0 {
            write!(f, "; {} roads cut at the edge", self.roads_cut)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

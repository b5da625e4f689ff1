//! From blocks of a PBF file to features.

use super::rings::{areas, is_ring};
use super::tags::{self, KEPT};
use super::{Area, Class, Element, Feature, OsmOptions, OsmReport, Position, Shape};
use crate::IngestError;
use osmpbf::{BlobDecode, BlobReader, HeaderBlock, PrimitiveBlock, RelMemberType, Relation};
use std::collections::HashMap;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Features of the format that we understand: a file that requires another one is refused.
const UNDERSTOOD: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];

#[derive(Default)]
pub(super) struct Collector {
    positions: HashMap<i64, Position>,
    /// The nodes of every way, for the relations that follow.
    ways: HashMap<i64, Vec<i64>>,
    features: Vec<Feature>,
    report: OsmReport,
    elements: u64,
}

/// Why a block could not be taken.
enum Fault {
    Broken(String),
    TooMany,
}

type Tags<'a> = Vec<(&'a str, &'a str)>;

impl Collector {
    pub(super) fn read(
        &mut self,
        input: impl Read + Send,
        options: &OsmOptions,
        progress: impl FnMut(u64) + Send,
    ) -> Result<(), IngestError> {
        let broken = |message: String| IngestError::Osm {
            file: options.name.clone(),
            message,
        };
        let counted = Counted {
            inner: input,
            bytes: 0,
            tell: progress,
        };
        let mut has_header = false;
        for blob in BlobReader::new(counted) {
            let blob = blob.map_err(|error| broken(error.to_string()))?;
            match blob.decode().map_err(|error| broken(error.to_string()))? {
                BlobDecode::OsmHeader(header) => {
                    has_header = true;
                    check_header(&header).map_err(broken)?;
                }
                BlobDecode::OsmData(_) if !has_header => {
                    return Err(broken("data before the header block".to_owned()));
                }
                BlobDecode::OsmData(block) => {
                    // The decoder adds up differences without checks: a broken file makes it panic on overflow.
                    catch_unwind(AssertUnwindSafe(|| self.take_block(&block, options.limit)))
                        .unwrap_or_else(|_| Err(Fault::Broken("numbers out of range".to_owned())))
                        .map_err(|fault| match fault {
                            Fault::Broken(message) => broken(message),
                            Fault::TooMany => IngestError::TooLarge {
                                file: options.name.clone(),
                                what: "nodes, ways and relations",
                                limit: options.limit,
                            },
                        })?;
                }
                BlobDecode::Unknown(_) => {}
            }
        }
        if has_header {
            Ok(())
        } else {
            Err(broken("no header block".to_owned()))
        }
    }

    pub(super) fn finish(self) -> (Vec<Feature>, OsmReport) {
        (self.features, self.report)
    }

    fn take_block(&mut self, block: &PrimitiveBlock, limit: u64) -> Result<(), Fault> {
        let table = block.raw_stringtable();
        for group in block.groups() {
            for node in group.dense_nodes() {
                let position = position(node.nano_lon(), node.nano_lat())?;
                let tags = resolve(table, node.raw_tags())?;
                self.take_node(node.id(), position, &tags, limit)?;
            }
            for node in group.nodes() {
                let position = position(node.nano_lon(), node.nano_lat())?;
                let tags = resolve(table, node.raw_tags())?;
                self.take_node(node.id(), position, &tags, limit)?;
            }
            for way in group.ways() {
                self.count(limit)?;
                let tags = resolve(table, way.raw_tags())?;
                self.take_way(way.id(), way.refs().collect(), &tags);
            }
            for relation in group.relations() {
                self.count(limit)?;
                let tags = resolve(table, relation.raw_tags())?;
                self.take_relation(&relation, table, &tags)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, limit: u64) -> Result<(), Fault> {
        self.elements += 1;
        if self.elements > limit {
            return Err(Fault::TooMany);
        }
        Ok(())
    }

    fn take_node(
        &mut self,
        id: i64,
        position: Position,
        tags: &Tags<'_>,
        limit: u64,
    ) -> Result<(), Fault> {
        self.count(limit)?;
        self.positions.insert(id, position);
        let classes = tags::classes(tags.iter().copied(), true);
        if !classes.is_empty() {
            self.keep(Element::Node(id), classes, tags, Shape::Point(position));
        }
        Ok(())
    }

    pub(super) fn take_way(&mut self, id: i64, nodes: Vec<i64>, tags: &Tags<'_>) {
        let classes = tags::classes(tags.iter().copied(), false);
        if !classes.is_empty() {
            let shape = if classes == [Class::Road] && !tags.contains(&("area", "yes")) {
                self.lines(&nodes)
            } else {
                self.whole(&nodes)
                    .filter(|ring| is_ring(ring))
                    .map(|outer| {
                        Shape::Areas(vec![Area {
                            outer,
                            holes: Vec::new(),
                        }])
                    })
            };
            self.keep_if_whole(Element::Way(id), classes, tags, shape);
        }
        self.ways.insert(id, nodes);
    }

    fn take_relation(
        &mut self,
        relation: &Relation<'_>,
        table: &[Vec<u8>],
        tags: &Tags<'_>,
    ) -> Result<(), Fault> {
        let classes = tags::classes(tags.iter().copied(), false);
        if classes.is_empty() || !tags.contains(&("type", "multipolygon")) {
            return Ok(());
        }
        let (mut outer, mut inner) = (Vec::new(), Vec::new());
        let mut is_whole = true;
        for member in relation.members() {
            if member.member_type != RelMemberType::Way {
                continue;
            }
            match (text(table, member.role_sid)?, self.way(member.member_id)) {
                ("inner", Some(way)) => inner.push(way),
                (_, Some(way)) => outer.push(way),
                (_, None) => is_whole = false,
            }
        }
        let shape = is_whole
            .then(|| areas(outer, inner))
            .flatten()
            .map(Shape::Areas);
        self.keep_if_whole(Element::Relation(relation.id()), classes, tags, shape);
        Ok(())
    }

    fn way(&self, id: i64) -> Option<Vec<Position>> {
        self.whole(self.ways.get(&id)?)
    }

    /// The positions, if the extract has all of them.
    fn whole(&self, nodes: &[i64]) -> Option<Vec<Position>> {
        nodes
            .iter()
            .map(|node| self.positions.get(node).copied())
            .collect()
    }

    /// The pieces of a line that the extract has. Roads are lines even where they close, such as roundabouts.
    fn lines(&mut self, nodes: &[i64]) -> Option<Shape> {
        let positions: Vec<Option<Position>> = nodes
            .iter()
            .map(|node| self.positions.get(node).copied())
            .collect();
        let lines: Vec<Vec<Position>> = positions
            .split(Option::is_none)
            .filter(|piece| piece.len() >= 2)
            .map(|piece| piece.iter().copied().flatten().collect())
            .collect();
        if lines.is_empty() {
            return None;
        }
        if positions.contains(&None) {
            self.report.roads_cut += 1;
        }
        Some(Shape::Lines(lines))
    }

    fn keep_if_whole(
        &mut self,
        element: Element,
        classes: Vec<Class>,
        tags: &Tags<'_>,
        shape: Option<Shape>,
    ) {
        match shape {
            Some(shape) => self.keep(element, classes, tags, shape),
            None => self.report.incomplete += 1,
        }
    }

    fn keep(&mut self, element: Element, classes: Vec<Class>, tags: &Tags<'_>, shape: Shape) {
        for class in &classes {
            *self.report.features.entry(*class).or_default() += 1;
        }
        let mut tags: Vec<(String, String)> = tags
            .iter()
            .filter(|(key, _)| KEPT.contains(key))
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        tags.sort_unstable();
        self.features.push(Feature {
            element,
            classes,
            tags,
            shape,
        });
    }

    #[cfg(test)]
    pub(super) fn place_node(&mut self, id: i64, position: Position) {
        self.positions.insert(id, position);
    }
}

fn check_header(header: &HeaderBlock) -> Result<(), String> {
    match header
        .required_features()
        .iter()
        .find(|feature| !UNDERSTOOD.contains(&feature.as_str()))
    {
        Some(feature) => Err(format!("it requires {feature:?}, which is not supported")),
        None => Ok(()),
    }
}

/// Nanodegrees to ten-millionths of a degree.
fn position(nano_longitude: i64, nano_latitude: i64) -> Result<Position, Fault> {
    let bounded = |nano: i64, most: i64| {
        let value = nano / 100;
        i32::try_from(value)
            .ok()
            .filter(|_| value.abs() <= most * 10_000_000)
            .ok_or_else(|| Fault::Broken(format!("a coordinate of {nano} nanodegrees")))
    };
    Ok(Position {
        longitude: bounded(nano_longitude, 180)?,
        latitude: bounded(nano_latitude, 90)?,
    })
}

/// The decoder's own tag iterators end in silence at a broken entry: these say so.
fn resolve<N: TryInto<usize>>(
    table: &[Vec<u8>],
    tags: impl Iterator<Item = (N, N)>,
) -> Result<Tags<'_>, Fault> {
    tags.map(|(key, value)| Ok((text(table, key)?, text(table, value)?)))
        .collect()
}

fn text<N: TryInto<usize>>(table: &[Vec<u8>], index: N) -> Result<&str, Fault> {
    index
        .try_into()
        .ok()
        .and_then(|index: usize| table.get(index))
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .ok_or_else(|| Fault::Broken("a tag or role without valid text".to_owned()))
}

struct Counted<R, F> {
    inner: R,
    bytes: u64,
    tell: F,
}

impl<R: Read, F: FnMut(u64)> Read for Counted<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.bytes += bytes as u64;
        (self.tell)(self.bytes);
        Ok(bytes)
    }
}

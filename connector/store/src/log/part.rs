//! A part of a batch in the log: some quads added and some removed, with all their terms.
//!
//! Version 1: one byte, 0 for plain or 1 for deflated, then: the number of terms, each term as its length and its
//! text (see [`crate::term`]); the number of quads added and removed; first the added, then the removed quads as four
//! numbers: graph, subject, predicate, object, where 1 is the first term and 0 the default graph. All numbers are
//! unsigned, 32 bits, little-endian. A part needs no other part to be read.

use super::damaged;
use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Dictionary, Id};
use crate::run::IdQuad;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rustc_hash::FxHashMap;
use std::io::{Read, Write};

/// The most quads in a part: bounds the memory that reading and writing need.
const QUADS: usize = 16_384;
/// Shorter parts are not worth deflating.
const PLAIN_BYTES: usize = 1024;
/// The most bytes of an inflated part that is believed.
const MOST_BYTES: u64 = 1 << 31;

const PLAIN: u8 = 0;
const DEFLATED: u8 = 1;

/// A part as it is read: quads are places in `texts`, plus one.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) texts: Vec<String>,
    pub(crate) added: Vec<[u32; 4]>,
    pub(crate) removed: Vec<[u32; 4]>,
}

/// The parts of a batch.
pub(crate) fn write(
    dictionary: &Dictionary,
    added: &[IdQuad],
    removed: &[IdQuad],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let removed = removed
        .chunks(QUADS)
        .map(|removed| write_one(dictionary, &[], removed));
    let added = added
        .chunks(QUADS)
        .map(|added| write_one(dictionary, added, &[]));
    removed.chain(added).collect()
}

/// Reads a part back.
pub(crate) fn read(sequence: u64, bytes: &[u8]) -> Result<Part, StoreError> {
    let (kind, body) = bytes
        .split_first()
        .ok_or_else(|| damaged(sequence, "an empty part"))?;
    match *kind {
        PLAIN => read_body(sequence, body),
        DEFLATED => {
            let mut inflated = Vec::new();
            DeflateDecoder::new(body)
                .take(MOST_BYTES)
                .read_to_end(&mut inflated)
                .map_err(|error| damaged(sequence, error))?;
            read_body(sequence, &inflated)
        }
        kind => Err(damaged(sequence, format_args!("a part of kind {kind}"))),
    }
}

fn write_one(
    dictionary: &Dictionary,
    added: &[IdQuad],
    removed: &[IdQuad],
) -> Result<Vec<u8>, StoreError> {
    let mut places: FxHashMap<Id, u32> = FxHashMap::default();
    let mut texts = Vec::new();
    let mut rows = Vec::with_capacity((added.len() + removed.len()) * 16 + 8);
    put(&mut rows, added.len())?;
    put(&mut rows, removed.len())?;
    for id in added.iter().chain(removed).flatten() {
        let place = if *id == DEFAULT_GRAPH {
            0
        } else if let Some(place) = places.get(id) {
            *place
        } else {
            let text = dictionary.text(*id).ok_or(StoreError::NoTerm(*id))?;
            put(&mut texts, text.len())?;
            texts.extend_from_slice(text.as_bytes());
            let place = u32::try_from(places.len() + 1).map_err(|_| StoreError::Full)?;
            places.insert(*id, place);
            place
        };
        rows.extend_from_slice(&place.to_le_bytes());
    }
    let mut count = Vec::new();
    put(&mut count, places.len())?;
    let pieces = [count, texts, rows];
    if pieces.iter().map(Vec::len).sum::<usize>() < PLAIN_BYTES {
        let mut part = vec![PLAIN];
        pieces
            .iter()
            .for_each(|piece| part.extend_from_slice(piece));
        return Ok(part);
    }
    let deflate = || -> std::io::Result<Vec<u8>> {
        let mut encoder = DeflateEncoder::new(vec![DEFLATED], Compression::fast());
        for piece in &pieces {
            encoder.write_all(piece)?;
        }
        encoder.finish()
    };
    deflate().map_err(|error| StoreError::Log(error.to_string()))
}

fn put(bytes: &mut Vec<u8>, number: usize) -> Result<(), StoreError> {
    let number = u32::try_from(number).map_err(|_| StoreError::Full)?;
    bytes.extend_from_slice(&number.to_le_bytes());
    Ok(())
}

fn read_body(sequence: u64, body: &[u8]) -> Result<Part, StoreError> {
    let mut reader = Reader {
        sequence,
        rest: body,
    };
    let terms = reader.number()?;
    let mut part = Part::default();
    for _ in 0..terms {
        let length = reader.number()?;
        let text = std::str::from_utf8(reader.bytes(length as usize)?)
            .map_err(|error| damaged(sequence, error))?;
        part.texts.push(text.to_owned());
    }
    let added = reader.number()?;
    let removed = reader.number()?;
    for _ in 0..added {
        part.added.push(reader.quad(terms)?);
    }
    for _ in 0..removed {
        part.removed.push(reader.quad(terms)?);
    }
    if reader.rest.is_empty() {
        Ok(part)
    } else {
        Err(damaged(sequence, "bytes after the last quad"))
    }
}

struct Reader<'a> {
    sequence: u64,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], StoreError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| damaged(self.sequence, "a part that ends early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, StoreError> {
        let bytes = self.bytes(4)?;
        let bytes = bytes
            .try_into()
            .map_err(|error| damaged(self.sequence, error))?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn quad(&mut self, terms: u32) -> Result<[u32; 4], StoreError> {
        let quad = [
            self.number()?,
            self.number()?,
            self.number()?,
            self.number()?,
        ];
        let [_, s, p, o] = quad;
        if quad.iter().any(|place| *place > terms) || [s, p, o].contains(&0) {
            return Err(damaged(self.sequence, "a quad of terms that are not there"));
        }
        Ok(quad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::{Literal, NamedNode};

    #[test]
    fn parts_are_read_as_written_and_damage_is_noticed() {
        let mut growing = Dictionary::default().grow();
        let mut quads = Vec::new();
        for number in 0..20_000 {
            let subject = NamedNode::new_unchecked(format!("http://example.com/{}", number / 5));
            let object = Literal::from(number);
            quads.push([
                DEFAULT_GRAPH,
                growing.id(subject.as_ref().into()).unwrap(),
                growing.id(oxrdf::vocab::rdfs::LABEL.into()).unwrap(),
                growing.id(object.as_ref().into()).unwrap(),
            ]);
        }
        let dictionary = growing.finish();
        let (removed, added) = quads.split_at(3);
        let parts = write(&dictionary, added, removed).unwrap();
        assert_eq!(parts.len(), 3);
        let mut found = [Vec::new(), Vec::new()];
        for bytes in &parts {
            let part = read(1, bytes).unwrap();
            for (found, quads) in found.iter_mut().zip([&part.added, &part.removed]) {
                found.extend(quads.iter().map(|quad| {
                    quad.map(|place| match place {
                        0 => "default".to_owned(),
                        place => part.texts[place as usize - 1].clone(),
                    })
                }));
            }
            for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
                assert!(read(1, &bytes[..cut]).is_err());
            }
        }
        let texts = |quads: &[IdQuad]| {
            let text = |id| dictionary.text(id).unwrap_or("default").to_owned();
            quads.iter().map(|quad| quad.map(text)).collect::<Vec<_>>()
        };
        assert_eq!(found, [texts(added), texts(removed)]);
    }
}

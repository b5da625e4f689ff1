//! A summary as what is new in it: pieces of the bytes that are held, and new bytes between them.

use super::filter::hash;
use super::wire::{Reader, Writer};
use super::{Summary, SummaryError, SummaryLimits};
use rustc_hash::FxHashMap;

/// The first byte; no format of whole summaries has it.
const DELTA: u8 = 0xd1;
/// The shortest piece of the old bytes that is looked for.
const BLOCK: usize = 32;
/// The largest summary that is made of one, in bytes.
const MOST: usize = 16 << 20;

impl Summary {
    /// The summary as bytes for whoever holds one that was encoded like this.
    pub fn encode_since(&self, held: &[u8]) -> Vec<u8> {
        let new = self.encode();
        let mut out = Writer(vec![DELTA]);
        out.0.extend(hash(&[held]).to_le_bytes());
        out.length(new.len());
        out.0.extend(hash(&[&new]).to_le_bytes());
        let mut blocks: FxHashMap<&[u8], usize> = FxHashMap::default();
        for (number, block) in held.chunks_exact(BLOCK).enumerate() {
            blocks.entry(block).or_insert(number * BLOCK);
        }
        let (mut at, mut fresh) = (0, 0);
        // Where the old bytes went on after the last piece: most often they still do.
        let mut next = 0;
        while let Some(block) = new.get(at..at + BLOCK) {
            let goes_on = held.get(next..next + BLOCK) == Some(block);
            let known = if goes_on {
                Some(next)
            } else {
                blocks.get(block).copied()
            };
            let Some(from) = known else {
                at += 1;
                next += 1;
                continue;
            };
            let (old, rest) = (held.iter().skip(from), new.iter().skip(at));
            let length = old.zip(rest).take_while(|(old, new)| old == new).count();
            out.fresh(new.get(fresh..at).unwrap_or_default());
            out.length(length << 1);
            out.length(from);
            (at, next) = (at + length, from + length);
            fresh = at;
        }
        out.fresh(new.get(fresh..).unwrap_or_default());
        out.0
    }

    /// Reads what [`Summary::encode`] or [`Summary::encode_since`] wrote, the latter with what it was made for.
    ///
    /// # Errors
    /// [`SummaryError`]
    pub fn read(
        bytes: &[u8],
        held: Option<&Self>,
        limits: &SummaryLimits,
    ) -> Result<Self, SummaryError> {
        if bytes.len() > MOST {
            return Err(SummaryError::Size);
        }
        if bytes.first() != Some(&DELTA) {
            return Self::decode(bytes, limits);
        }
        let held = held.ok_or(SummaryError::Content)?.encode();
        let mut input = Reader(bytes.get(1..).unwrap_or_default());
        let [from, length, to] = [input.word()?, input.number()?, input.word()?];
        let length = usize::try_from(length).map_err(|_| SummaryError::Size)?;
        if length > MOST {
            return Err(SummaryError::Size);
        }
        if from != hash(&[&held]) {
            return Err(SummaryError::Content);
        }
        let mut new = Vec::with_capacity(length);
        while new.len() < length {
            let step = input.length(length << 1 | 1)?;
            let piece = if step & 1 == 0 {
                let from = input.length(held.len())?;
                held.get(from..from.saturating_add(step >> 1))
            } else {
                Some(input.take(step >> 1)?)
            };
            let piece =
                piece.filter(|piece| !piece.is_empty() && new.len() + piece.len() <= length);
            new.extend(piece.ok_or(SummaryError::Content)?);
        }
        if !input.0.is_empty() || hash(&[&new]) != to {
            return Err(SummaryError::Content);
        }
        Self::decode(&new, limits)
    }
}

impl Writer {
    /// Bytes that are not among the old ones.
    fn fresh(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.length(bytes.len() << 1 | 1);
            self.0.extend(bytes);
        }
    }
}

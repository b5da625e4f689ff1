//! The bytes on their way to a parser: counted, decompressed, bounded.

use super::ReadOptions;
use crate::{Place, Syntax};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What the readers below saw, for the error texts: a parser knows only that reading failed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    over_limit: AtomicBool,
    line: AtomicU64,
    column: AtomicU64,
    refused: Mutex<Option<(Place, &'static str)>>,
}

impl Watch {
    pub(super) fn is_over_limit(&self) -> bool {
        self.over_limit.load(Ordering::Relaxed)
    }

    /// Where the parser stands, for the syntaxes whose parsers do not say.
    pub(super) fn place(&self) -> Option<Place> {
        let line = self.line.load(Ordering::Relaxed);
        (line > 0).then(|| Place {
            line,
            column: self.column.load(Ordering::Relaxed).max(1),
        })
    }

    /// What one of the readers itself would not let through.
    pub(super) fn refused(&self) -> Option<(Place, &'static str)> {
        self.refused.lock().ok().and_then(|refused| *refused)
    }
}

/// Decompresses where the first bytes say gzip, bounds the length, drops a byte order mark.
pub(super) fn open<'a>(
    mut input: impl BufRead + 'a,
    options: &ReadOptions,
    watch: Arc<Watch>,
) -> io::Result<Box<dyn Read + 'a>> {
    let start = take_start(&mut input, GZIP.len())?;
    let compressed = start == GZIP;
    let input = Cursor::new(start).chain(input);
    let content: Box<dyn BufRead + 'a> = if compressed {
        Box::new(BufReader::new(MultiGzDecoder::new(input)))
    } else {
        Box::new(input)
    };
    let mut content = Limited {
        inner: content,
        left: options.limit,
        watch: Arc::clone(&watch),
    };
    let mut start = take_start(&mut content, BYTE_ORDER_MARK.len())?;
    if start == BYTE_ORDER_MARK {
        start.clear();
    }
    let content = Cursor::new(start).chain(content);
    Ok(match options.syntax {
        Syntax::RdfXml | Syntax::JsonLd => Box::new(Stepper::new(
            BufReader::new(content),
            options.syntax == Syntax::RdfXml,
            watch,
        )),
        _ => Box::new(content),
    })
}

/// At most the first `count` bytes: fewer at the end, or where a limit strikes, which the next read tells.
fn take_start(input: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(count);
    input.take(count as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Tells how many bytes were read.
pub(super) struct Progress<R, F> {
    inner: R,
    bytes: u64,
    tell: F,
}

impl<R, F: FnMut(u64)> Progress<R, F> {
    pub(super) fn new(inner: R, tell: F) -> Self {
        Self {
            inner,
            bytes: 0,
            tell,
        }
    }

    fn count(&mut self, bytes: usize) {
        if bytes > 0 {
            self.bytes += bytes as u64;
            (self.tell)(self.bytes);
        }
    }
}

impl<R: BufRead, F: FnMut(u64)> Read for Progress<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.count(bytes);
        Ok(bytes)
    }
}

impl<R: BufRead, F: FnMut(u64)> BufRead for Progress<R, F> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.inner.consume(bytes);
        self.count(bytes);
    }
}

/// Fails after so many bytes: a small compressed file can be a large one.
struct Limited<R> {
    inner: R,
    left: u64,
    watch: Arc<Watch>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        match self.left.checked_sub(bytes as u64) {
            Some(left) => {
                self.left = left;
                Ok(bytes)
            }
            None => {
                self.watch.over_limit.store(true, Ordering::Relaxed);
                Err(io::Error::other("over the limit"))
            }
        }
    }
}

/// Feeds a parser tag by tag or member by member, so that this reader stands where the parser stands: no error of the
/// RDF/XML parser and not every error of the JSON-LD parser has a place.
///
/// Refuses XML entities made of other entities, which a few lines can blow up to any size.
struct Stepper<R> {
    inner: R,
    is_xml: bool,
    watch: Arc<Watch>,
    place: Place,
    /// The last eight bytes.
    window: u64,
    /// Before the root element.
    in_prolog: bool,
}

impl<R> Stepper<R> {
    fn new(inner: R, is_xml: bool, watch: Arc<Watch>) -> Self {
        watch.line.store(1, Ordering::Relaxed);
        Self {
            inner,
            is_xml,
            watch,
            place: Place { line: 1, column: 0 },
            window: 0,
            in_prolog: true,
        }
    }

    /// The complaint about this byte, if there is one.
    fn see(&mut self, byte: u8) -> Option<&'static str> {
        let before = (self.window & 0xff) as u8;
        self.window = (self.window << 8) | u64::from(byte);
        match byte {
            b'\n' => {
                self.place = Place {
                    line: self.place.line + 1,
                    column: 0,
                };
            }
            // Bytes that continue a code point are no columns.
            0x80..=0xbf => {}
            _ => self.place.column += 1,
        }
        if !self.is_xml {
            return None;
        }
        if before == b'<' && !matches!(byte, b'!' | b'?') {
            self.in_prolog = false;
        }
        if self.in_prolog && before == b'&' && byte != b'#' {
            return Some("an entity that uses another entity is not supported: write it out");
        }
        if !self.in_prolog && self.window == u64::from_be_bytes(*b"<!ENTITY") {
            return Some("an entity declaration after the first element is not supported");
        }
        None
    }
}

impl<R: BufRead> Read for Stepper<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let steps: &[u8] = if self.is_xml { b">\n" } else { b",]}\n" };
        let available = self.inner.fill_buf()?;
        let end = available
            .iter()
            .position(|byte| steps.contains(byte))
            .map_or(available.len(), |index| index + 1)
            .min(buffer.len());
        let (Some(from), Some(to)) = (available.get(..end), buffer.get_mut(..end)) else {
            return Ok(0);
        };
        to.copy_from_slice(from);
        self.inner.consume(end);
        for byte in to {
            if let Some(complaint) = self.see(*byte) {
                if let Ok(mut refused) = self.watch.refused.lock() {
                    *refused = Some((self.place, complaint));
                }
                return Err(io::Error::other(complaint));
            }
        }
        self.watch.line.store(self.place.line, Ordering::Relaxed);
        self.watch
            .column
            .store(self.place.column, Ordering::Relaxed);
        Ok(end)
    }
}

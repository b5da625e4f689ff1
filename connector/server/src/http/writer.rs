//! Answers as bytes: pieces in, what was written so far out.

use super::fault::Fault;
use super::lines;
use super::negotiate::{Accept, GRAPHS, RESULTS};
use bytes::Bytes;
use oxrdf::Variable;
use oxrdfio::{RdfSerializer, WriterQuadSerializer};
use sparesults::{QueryResultsSerializer, WriterSolutionsSerializer};
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};
use twinlink_core::{Code, Head, Outcome, Piece, Refusal};
use uuid::Uuid;

/// Writes one answer.
pub(super) struct Writer {
    written: Shared,
    kind: Kind,
}

enum Kind {
    Boolean,
    Solutions(Vec<Variable>, Box<WriterSolutionsSerializer<Buffer>>),
    Graph(Box<WriterQuadSerializer<Buffer>>),
    /// Nothing of it waits in a buffer. With the columns.
    Lines(Vec<Variable>),
}

/// The serializers write many small pieces and give their writer back only at the end: hence shared, and buffered.
type Buffer = BufWriter<Shared>;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Writer {
    /// A writer in the client's preferred format for this kind of answer, and the media type of that.
    ///
    /// # Errors
    /// 406 where the client takes none that is offered.
    pub(super) fn open(head: &Head, accept: &Accept) -> Result<(Self, &'static str), Fault> {
        let written = Shared::default();
        if accept.wants_lines(head) {
            written.put(&lines::head(head));
            let kind = Kind::Lines(match head {
                Head::Solutions(variables) => variables.clone(),
                Head::Boolean(_) | Head::Graph => Vec::new(),
            });
            return Ok((Self { written, kind }, lines::MEDIA_TYPE));
        }
        let buffer = BufWriter::new(written.clone());
        let (kind, media_type) = match head {
            Head::Boolean(value) => {
                let (media_type, format) = accept.choose(&RESULTS)?;
                QueryResultsSerializer::from_format(format)
                    .serialize_boolean_to_writer(buffer, *value)
                    .and_then(|mut buffer| buffer.flush())
                    .map_err(|error| unwritable(&error))?;
                (Kind::Boolean, media_type)
            }
            Head::Solutions(variables) => {
                let (media_type, format) = accept.choose(&RESULTS)?;
                let serializer = QueryResultsSerializer::from_format(format)
                    .serialize_solutions_to_writer(buffer, variables.clone())
                    .map_err(|error| unwritable(&error))?;
                (
                    Kind::Solutions(variables.clone(), Box::new(serializer)),
                    media_type,
                )
            }
            Head::Graph => {
                let (media_type, syntax) = accept.choose(&GRAPHS)?;
                let serializer = RdfSerializer::from_format(syntax.to_format()).for_writer(buffer);
                (Kind::Graph(Box::new(serializer)), media_type)
            }
        };
        Ok((Self { written, kind }, media_type))
    }

    /// Writes a piece.
    ///
    /// # Errors
    /// Where the format cannot express it, such as RDF/XML some predicates; or the piece is of another kind.
    pub(super) fn put(&mut self, piece: &Piece) -> Result<(), Refusal> {
        match (&mut self.kind, piece) {
            (Kind::Solutions(variables, serializer), Piece::Solutions(rows)) => {
                for row in rows {
                    let bound = variables
                        .iter()
                        .zip(&row.values)
                        .filter_map(|(variable, value)| Some((variable, value.as_ref()?)));
                    serializer
                        .serialize(bound)
                        .map_err(|error| unwritable(&error))?;
                }
                Ok(())
            }
            (Kind::Graph(serializer), Piece::Triples(triples)) => {
                for triple in triples {
                    serializer
                        .serialize_triple(triple)
                        .map_err(|error| unwritable(&error))?;
                }
                Ok(())
            }
            (Kind::Lines(variables), Piece::Solutions(rows)) => {
                for row in rows {
                    self.written.put(&lines::row(variables, row));
                }
                Ok(())
            }
            (Kind::Lines(_), Piece::Triples(triples)) => {
                for triple in triples {
                    self.written.put(&lines::triple(triple));
                }
                Ok(())
            }
            _ => Err(Refusal::new(
                Code::Internal,
                "http.writer",
                "the evaluation put a piece of another kind than its head",
            )),
        }
    }

    /// Whether its last line is the outcome, and its rows need not wait for that.
    pub(super) fn tells_outcome(&self) -> bool {
        matches!(self.kind, Kind::Lines(_))
    }

    /// How much is written and not taken yet, in bytes.
    pub(super) fn waiting(&self) -> usize {
        self.written.with(|bytes| bytes.len())
    }

    /// Takes what is written.
    pub(super) fn take(&self) -> Bytes {
        self.written.with(std::mem::take).into()
    }

    /// Writes the end and takes all that is left.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub(super) fn finish(self, request: Uuid, outcome: &Outcome) -> Result<Bytes, Refusal> {
        let flushed = match self.kind {
            Kind::Boolean => Ok(()),
            Kind::Lines(_) => {
                self.written.put(&lines::outcome(request, outcome));
                Ok(())
            }
            Kind::Solutions(_, serializer) => serializer.finish().and_then(|mut b| b.flush()),
            Kind::Graph(serializer) => serializer.finish().and_then(|mut b| b.flush()),
        };
        flushed.map_err(|error| unwritable(&error))?;
        Ok(self.written.with(std::mem::take).into())
    }
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        // A panic while the lock is held cannot leave bytes half-written.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, bytes: &[u8]) {
        self.with(|written| written.extend_from_slice(bytes));
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unwritable(error: &io::Error) -> Refusal {
    Refusal::about_input(
        "http.format",
        format_args!("the answer cannot be written in this format: {error}; ask for another"),
    )
}

//! Quads into files of every syntax.

use crate::{IngestError, Syntax};
use flate2::Compression;
use flate2::write::GzEncoder;
use oxrdf::{GraphNameRef, QuadRef};
use oxrdfio::{RdfSerializer, WriterQuadSerializer};
use std::fmt;
use std::io::{self, Write};

/// How a file is to be written.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Its syntax.
    pub syntax: Syntax,
    /// Whether to compress it by gzip. The same quads make the same bytes: no time, no file name inside.
    pub gzip: bool,
    /// Prefix names and what they stand for, where the syntax has prefixes.
    pub prefixes: Vec<(String, String)>,
}

/// Writes quads one by one. The file is whole only after [`Writer::finish`].
pub struct Writer<W: Write> {
    inner: WriterQuadSerializer<Output<W>>,
    syntax: Syntax,
}

enum Output<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
}

impl<W: Write> Writer<W> {
    /// A file that begins at the output's present place.
    ///
    /// # Errors
    /// [`IngestError::Base`] for a prefix that does not stand for an absolute IRI.
    pub fn new(output: W, options: &WriteOptions) -> Result<Self, IngestError> {
        let mut serializer = RdfSerializer::from_format(options.syntax.to_format());
        for (name, iri) in &options.prefixes {
            serializer = serializer
                .with_prefix(name, iri)
                .map_err(|error| IngestError::Base {
                    iri: iri.clone(),
                    reason: error.to_string(),
                })?;
        }
        let output = if options.gzip {
            Output::Gzip(GzEncoder::new(output, Compression::best()))
        } else {
            Output::Plain(output)
        };
        Ok(Self {
            inner: serializer.for_writer(output),
            syntax: options.syntax,
        })
    }

    /// Writes a quad; a triple is a quad of the default graph.
    ///
    /// # Errors
    /// [`IngestError::NamedGraph`] where the syntax has no named graphs; [`IngestError::Write`].
    pub fn write<'a>(&mut self, quad: impl Into<QuadRef<'a>>) -> Result<(), IngestError> {
        let quad = quad.into();
        if quad.graph_name != GraphNameRef::DefaultGraph && !self.syntax.holds_datasets() {
            return Err(IngestError::NamedGraph {
                syntax: self.syntax.name(),
                graph: quad.graph_name.to_string(),
            });
        }
        self.inner.serialize_quad(quad).map_err(IngestError::Write)
    }

    /// Ends the file and gives the output back, flushed.
    ///
    /// # Errors
    /// [`IngestError::Write`].
    pub fn finish(self) -> Result<W, IngestError> {
        let finished = || -> io::Result<W> {
            let mut output = match self.inner.finish()? {
                Output::Plain(output) => output,
                Output::Gzip(encoder) => encoder.finish()?,
            };
            output.flush()?;
            Ok(output)
        };
        finished().map_err(IngestError::Write)
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(bytes),
            Self::Gzip(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Gzip(output) => output.flush(),
        }
    }
}

impl<W: Write> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("syntax", &self.syntax)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReadOptions, read};
    use oxrdf::{GraphName, Literal, NamedNode, Quad};

    fn sample(graph: GraphName) -> Vec<Quad> {
        let node = |name: &str| NamedNode::new_unchecked(format!("http://example.com/{name}"));
        vec![
            Quad::new(node("s"), node("p"), node("o"), graph.clone()),
            Quad::new(
                node("s"),
                node("p"),
                Literal::new_language_tagged_literal_unchecked("a \"b\"\n<c> & ä", "fi"),
                graph.clone(),
            ),
            Quad::new(node("s"), node("p"), Literal::from(1.5), graph),
        ]
    }

    fn round(quads: &[Quad], syntax: Syntax, gzip: bool) -> Result<Vec<Quad>, IngestError> {
        let mut writer = Writer::new(
            Vec::new(),
            &WriteOptions {
                syntax,
                gzip,
                prefixes: vec![("ex".to_owned(), "http://example.com/".to_owned())],
            },
        )?;
        for quad in quads {
            writer.write(quad)?;
        }
        read(
            &*writer.finish()?,
            &ReadOptions {
                name: "file".to_owned(),
                syntax,
                base: None,
                graph: GraphName::DefaultGraph,
                named_graphs: true,
                limit: 1_000_000,
            },
        )
    }

    #[test]
    fn what_is_written_is_read_again() {
        for syntax in Syntax::ALL {
            for gzip in [false, true] {
                let quads = sample(GraphName::DefaultGraph);
                assert_eq!(round(&quads, syntax, gzip).unwrap(), quads, "{syntax:?}");
            }
        }
    }

    #[test]
    fn named_graphs_are_kept_or_refused() {
        let graph = NamedNode::new_unchecked("http://example.com/g");
        let quads = sample(graph.into());
        for syntax in Syntax::ALL {
            match round(&quads, syntax, false) {
                Ok(again) => assert_eq!(again, quads, "{syntax:?}"),
                Err(error) => {
                    assert!(!syntax.holds_datasets());
                    assert!(error.to_string().contains("<http://example.com/g>"));
                }
            }
        }
    }
}

//! RDF files of every syntax into quads, within bounds.

mod input;

use crate::{IngestError, Place, Syntax};
use input::{Progress, Watch};
use oxrdf::{GraphName, NamedOrBlankNode, Quad, Term};
use oxrdfio::{RdfParseError, RdfParser, ReaderQuadParser};
use std::fmt;
use std::io::{BufRead, Read};
use std::sync::Arc;

/// How a file is to be read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// What errors call the file.
    pub name: String,
    /// Its syntax.
    pub syntax: Syntax,
    /// Resolves relative IRIs.
    pub base: Option<String>,
    /// Where triples, and quads of the default graph, go.
    pub graph: GraphName,
    /// Whether the file may name graphs itself. Without, a named graph is an error.
    pub named_graphs: bool,
    /// The most bytes after decompression.
    pub limit: u64,
}

/// What the terms of a file may take together, as a multiple of its limit: a prefix of a megabyte makes a gigabyte of
/// a thousand short names.
const EXPANSION: u64 = 8;

/// Reads a whole file, compressed by gzip or not.
///
/// Blank nodes get labels that no other file's have. All or nothing: there are no quads of a broken file.
///
/// # Errors
/// As [`Quads`] yields them.
// INVARIANT(fresh-blank-nodes): no blank node of one read is one of another.
pub fn read(input: impl BufRead, options: &ReadOptions) -> Result<Vec<Quad>, IngestError> {
    quads(input, options, |_| {})?.collect()
}

/// Reads a file quad by quad; `progress` hears how many bytes of `input`, as it lies on disk, were read so far.
///
/// # Errors
/// [`IngestError::Base`], [`IngestError::Read`].
pub fn quads<'a>(
    input: impl BufRead + 'a,
    options: &ReadOptions,
    progress: impl FnMut(u64) + 'a,
) -> Result<Quads<'a>, IngestError> {
    let watch = Arc::new(Watch::default());
    let reader = input::open(Progress::new(input, progress), options, Arc::clone(&watch)).map_err(
        |source| IngestError::Read {
            file: options.name.clone(),
            source,
        },
    )?;
    let mut parser = RdfParser::from_format(options.syntax.to_format())
        .with_default_graph(options.graph.clone())
        .rename_blank_nodes();
    if !options.named_graphs {
        parser = parser.without_named_graphs();
    }
    if let Some(base) = &options.base {
        parser = parser
            .with_base_iri(base)
            .map_err(|error| IngestError::Base {
                iri: base.clone(),
                reason: error.to_string(),
            })?;
    }
    Ok(Quads {
        parser: Some(parser.for_reader(reader)),
        watch,
        name: options.name.clone(),
        limit: options.limit,
        expanded: 0,
    })
}

/// The quads of a file, in its order. Ends after the first error.
pub struct Quads<'a> {
    /// Gone after an error or the end.
    parser: Option<ReaderQuadParser<Box<dyn Read + 'a>>>,
    watch: Arc<Watch>,
    name: String,
    limit: u64,
    /// Bytes of the terms so far.
    expanded: u64,
}

impl fmt::Debug for Quads<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quads")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Iterator for Quads<'_> {
    type Item = Result<Quad, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.parser.as_mut()?.next();
        let result = match result {
            Some(Ok(quad)) => self.within_expansion(quad),
            Some(Err(error)) => Err(self.explain(error)),
            None => {
                self.parser = None;
                return None;
            }
        };
        if result.is_err() {
            self.parser = None;
        }
        Some(result)
    }
}

impl Quads<'_> {
    fn within_expansion(&mut self, quad: Quad) -> Result<Quad, IngestError> {
        self.expanded = self.expanded.saturating_add(text_bytes(&quad));
        let limit = self.limit.saturating_mul(EXPANSION);
        if self.expanded > limit {
            return Err(IngestError::TooLarge {
                file: self.name.clone(),
                what: "terms",
                limit,
            });
        }
        Ok(quad)
    }

    fn explain(&self, error: RdfParseError) -> IngestError {
        if self.watch.is_over_limit() {
            return IngestError::TooLarge {
                file: self.name.clone(),
                what: "content",
                limit: self.limit,
            };
        }
        if let Some((place, message)) = self.watch.refused() {
            return IngestError::Syntax {
                file: self.name.clone(),
                place: Some(place),
                message: message.to_owned(),
            };
        }
        match error {
            RdfParseError::Io(source) => IngestError::Read {
                file: self.name.clone(),
                source,
            },
            RdfParseError::Syntax(error) => IngestError::Syntax {
                file: self.name.clone(),
                place: error
                    .location()
                    .map(|range| Place {
                        line: range.start.line + 1,
                        column: range.start.column + 1,
                    })
                    .or_else(|| self.watch.place()),
                message: explained(without_place(&error.to_string())),
            },
        }
    }
}

/// The parsers put the place into their texts too: ours comes first and once.
fn without_place(message: &str) -> &str {
    match message.split_once(": ") {
        Some((before, after))
            if before.contains(" line ") && before.to_ascii_lowercase().contains("error") =>
        {
            after
        }
        _ => message,
    }
}

/// The parser's words are for programmers where it asks for a function to fetch with.
fn explained(message: &str) -> String {
    if message.contains("LoadDocumentCallback") {
        "remote contexts are not fetched: write the context into the file".to_owned()
    } else if message.contains("No scheme found") {
        format!("{message}: it is relative, and there is no base IRI")
    } else {
        message.to_owned()
    }
}

fn text_bytes(quad: &Quad) -> u64 {
    let subject = match &quad.subject {
        NamedOrBlankNode::NamedNode(node) => node.as_str().len(),
        NamedOrBlankNode::BlankNode(node) => node.as_str().len(),
    };
    let object = match &quad.object {
        Term::NamedNode(node) => node.as_str().len(),
        Term::BlankNode(node) => node.as_str().len(),
        Term::Literal(literal) => literal.value().len() + literal.datatype().as_str().len(),
        #[allow(
            unreachable_patterns,
            reason = "there are triple terms only where another crate turns them on"
        )]
        _ => 0,
    };
    let graph = match &quad.graph_name {
        GraphName::NamedNode(node) => node.as_str().len(),
        GraphName::BlankNode(node) => node.as_str().len(),
        GraphName::DefaultGraph => 0,
    };
    (subject + quad.predicate.as_str().len() + object + graph) as u64
}

#[cfg(test)]
mod tests;

//! What can be wrong with a file, said with its place.

use std::fmt;
use std::io;

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The text breaks the rules of its syntax.
    #[error("{file}:{}{message}", .place.map_or(" ".to_owned(), |place| format!("{place}: ")))]
    Syntax {
        /// The file's name, as the caller gave it.
        file: String,
        /// Where, if the fault has one place.
        place: Option<Place>,
        /// What is wrong.
        message: String,
    },
    /// Neither file name nor media type says what it is.
    #[error(
        "{name}: unknown kind of file: expected .ttl, .nt, .nq, .trig, .rdf, .xml, .jsonld or .json, each also with .gz, or .osm.pbf"
    )]
    UnknownKind {
        /// The file name or media type.
        name: String,
    },
    /// The content goes over the limit on decompressed bytes, or on what they expand to.
    #[error("{file}: {what} over the limit of {limit} bytes")]
    TooLarge {
        /// The file's name.
        file: String,
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The base IRI is not an absolute IRI.
    #[error("base IRI <{iri}>: {reason}")]
    Base {
        /// The base IRI.
        iri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is not a sound OpenStreetMap PBF extract.
    #[error("{file}: not a readable OpenStreetMap PBF extract: {message}")]
    Osm {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// The input cannot be read, or its compression is broken.
    #[error("{file}: cannot read: {source}")]
    Read {
        /// The file's name.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The syntax has no named graphs and the data has.
    #[error(
        "{syntax} cannot hold the named graph {graph}: choose n-quads, trig or json-ld, or export one graph"
    )]
    NamedGraph {
        /// The syntax, by its name.
        syntax: &'static str,
        /// The first named graph met.
        graph: String,
    },
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
}

/// A place in a text, as editors count: the first line and the first column are 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: u64,
    /// Column in code points, from 1.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

//! The folder of test suites: files by the IRIs under which their manifests know them.

use oxrdf::{Graph, GraphName, NamedNode, Quad};
use oxrdfio::{RdfFormat, RdfParser};
use std::path::{Path, PathBuf};

/// The IRI that stands for the folder of suites. Data and queries name each other by relative IRIs only.
const BASE: &str = "https://w3c.github.io/rdf-tests/sparql/";

/// A folder of test suites.
#[derive(Debug, Clone)]
pub struct Library {
    root: PathBuf,
}

/// Why a suite or a benchmark could not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file cannot be read.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file of a suite does not say what it should.
    #[error("{place}: {detail}")]
    Content {
        /// A file or a case.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// The connector under test cannot be started or reached.
    #[error("the connector under test: {0}")]
    Target(String),
    /// A benchmark cannot be measured on this machine.
    #[error("cannot measure: {0}")]
    Measure(String),
}

impl Library {
    /// The suites under this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The IRI of a file, by its path from the folder.
    pub(crate) fn iri(&self, path: &str) -> NamedNode {
        NamedNode::new_unchecked(format!("{BASE}{path}"))
    }

    /// Whether the folder has such a file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).is_file()
    }

    /// Whether the IRI stands for a file of this folder.
    pub(crate) fn knows(&self, iri: &NamedNode) -> bool {
        self.path(iri).is_ok_and(|path| path.is_file())
    }

    /// The folders in a folder, by their paths, sorted. Links are not followed.
    pub(crate) fn folders(&self, path: &str) -> Result<Vec<String>, Fault> {
        self.entries(path, |kind, _| kind.is_dir())
    }

    /// The files in a folder with this extension, by their paths, sorted; none where there is no such folder.
    pub(crate) fn files(&self, path: &str, extension: &str) -> Result<Vec<String>, Fault> {
        if !self.root.join(path).is_dir() {
            return Ok(Vec::new());
        }
        self.entries(path, |kind, name| {
            kind.is_file()
                && Path::new(name)
                    .extension()
                    .is_some_and(|its| its == extension)
        })
    }

    fn entries(
        &self,
        path: &str,
        is_wanted: impl Fn(std::fs::FileType, &str) -> bool,
    ) -> Result<Vec<String>, Fault> {
        let folder = self.root.join(path);
        let fault = |error| Fault::File {
            path: folder.clone(),
            error,
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_wanted(entry.file_type().map_err(fault)?, &name) {
                found.push(format!("{path}/{name}"));
            }
        }
        found.sort();
        Ok(found)
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, iri: &NamedNode) -> Result<Vec<u8>, Fault> {
        let path = self.path(iri)?;
        std::fs::read(&path).map_err(|error| Fault::File { path, error })
    }

    /// The text of a file.
    pub(crate) fn text(&self, iri: &NamedNode) -> Result<String, Fault> {
        String::from_utf8(self.bytes(iri)?).map_err(|error| Fault::content(iri, error))
    }

    /// The triples of a file as quads of one graph, with blank nodes that no other file has.
    pub(crate) fn quads(&self, iri: &NamedNode, graph: GraphName) -> Result<Vec<Quad>, Fault> {
        let extension = Path::new(iri.as_str()).extension().unwrap_or_default();
        let format = extension
            .to_str()
            .and_then(RdfFormat::from_extension)
            .ok_or_else(|| Fault::content(iri, "no known RDF format"))?;
        RdfParser::from_format(format)
            .with_base_iri(iri.as_str())
            .map_err(|error| Fault::content(iri, error))?
            .with_default_graph(graph)
            .rename_blank_nodes()
            .for_slice(&self.bytes(iri)?)
            .collect::<Result<_, _>>()
            .map_err(|error| Fault::content(iri, error))
    }

    /// The triples of a file.
    pub(crate) fn graph(&self, iri: &NamedNode) -> Result<Graph, Fault> {
        let quads = self.quads(iri, GraphName::DefaultGraph)?;
        Ok(quads.into_iter().map(oxrdf::Triple::from).collect())
    }

    fn path(&self, iri: &NamedNode) -> Result<PathBuf, Fault> {
        iri.as_str()
            .strip_prefix(BASE)
            .map(|path| self.root.join(path))
            .ok_or_else(|| Fault::content(iri, "not a file of the suites' folder"))
    }
}

impl Fault {
    pub(crate) fn content(place: impl ToString, detail: impl ToString) -> Self {
        Self::Content {
            place: place.to_string(),
            detail: detail.to_string(),
        }
    }
}

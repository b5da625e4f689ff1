//! Files into facts: RDF in every syntax, and OpenStreetMap extracts.
//!
//! Owns: reading and writing RDF files, what an OpenStreetMap element means. Never: the twin, sockets, paths on disk.
//! Enter at: [`read`] for RDF, [`read_osm`] for extracts, [`Writer`] for the way out.

mod error;
mod export;
mod osm;
mod rdf;
mod syntax;

pub use error::{IngestError, Place};
pub use export::{WriteOptions, Writer};
pub use osm::{
    Area, Class, Element, Feature, OsmOptions, OsmReport, Position, Shape, read_features, read_osm,
};
pub use rdf::{Quads, ReadOptions, quads, read};
pub use syntax::{Kind, Syntax};

//! The words: IRIs of the vocabularies Twinlink speaks.
//!
//! Owns: IRI constants and Twinlink's own application profile, [`TWINLINK_TURTLE`]. Never: parsing, inference, I/O.
//! Enter at: [`tl`] for Twinlink's own terms, and the module named after each vocabulary for the others.

mod vocab;

pub use vocab::{
    compliance_report, dcat, dcterms, dpv, geo, odrl, owl, prov, schema, sd, sector_infra, skos,
    sosa, sotw, tl,
};

/// The application profile whose terms [`tl`] names, as Turtle.
pub const TWINLINK_TURTLE: &str = include_str!("../twinlink.ttl");

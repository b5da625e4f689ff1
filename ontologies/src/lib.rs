//! The words: IRIs of the vocabularies Twinlink speaks.
//!
//! Owns: IRI constants, Twinlink's own application profile, [`TWINLINK_TURTLE`], and the Dutch one, [`DUTCH_PROFILE`].
//! Never: parsing, inference, I/O.
//! Enter at: [`tl`] for Twinlink's own terms, and the module named after each vocabulary for the others.

mod vocab;

pub use vocab::{
    compliance_report, dcat, dcterms, dpv, geo, nl, odrl, owl, prov, schema, sd, sector_infra, sh,
    skos, sosa, sotw, time, tl,
};

/// The application profile whose terms [`tl`] names, as Turtle.
pub const TWINLINK_TURTLE: &str = include_str!("../twinlink.ttl");

/// The Dutch profile, as Turtle: SKOS schemes of classification levels, crisis roles and GRIP levels, categories of data,
/// legal bases, and purposes mapped to the [Data Privacy Vocabulary](https://w3id.org/dpv/2.3). All terms are in the
/// namespace `https://w3id.org/twinlink/nl#`.
///
/// In every scheme `skos:broader` is what `odrl:isA` compares by: a role, a purpose, a level of an incident or of a
/// clearance is a kind of the broader one.
pub const DUTCH_PROFILE: &[&str] = &[
    include_str!("../nl/classification.ttl"),
    include_str!("../nl/crisis.ttl"),
    include_str!("../nl/data-categories.ttl"),
    include_str!("../nl/legal-bases.ttl"),
    include_str!("../nl/purposes.ttl"),
];

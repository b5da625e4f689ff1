//! One module per vocabulary; every constant is an absolute IRI.

mod evaluation;
mod policy;
mod profile;
mod shacl;
mod web;

pub use evaluation::{compliance_report, sotw};
pub use policy::{dpv, odrl, sector_infra};
pub use profile::{nl, tl};
pub use shacl::sh;
pub use web::{dcat, dcterms, geo, owl, prov, schema, sd, skos, sosa, time};

/// Names terms of one namespace, and lists them all in `ALL`.
macro_rules! terms {
    ($namespace:literal; $($name:ident = $local:literal,)*) => {
        /// The namespace that every term here starts with.
        pub const NAMESPACE: &str = $namespace;
        $(
            #[doc = concat!("`", $namespace, $local, "`")]
            pub const $name: oxrdf::NamedNodeRef<'static> =
                oxrdf::NamedNodeRef::new_unchecked(concat!($namespace, $local));
        )*
        /// Every term named here.
        pub const ALL: &[oxrdf::NamedNodeRef<'static>] = &[$($name),*];
    };
}
use terms;

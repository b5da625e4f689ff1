//! What kind of file it is: told by its name or its media type, never guessed from its content.

use crate::IngestError;
use oxrdfio::{JsonLdProfileSet, RdfFormat};

/// A syntax of RDF 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// <https://www.w3.org/TR/turtle/>
    Turtle,
    /// <https://www.w3.org/TR/n-triples/>
    NTriples,
    /// <https://www.w3.org/TR/n-quads/>
    NQuads,
    /// <https://www.w3.org/TR/trig/>
    TriG,
    /// <https://www.w3.org/TR/rdf-syntax-grammar/>
    RdfXml,
    /// <https://www.w3.org/TR/json-ld11/>, without remote contexts.
    JsonLd,
}

/// What a file holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RDF. Whether it is compressed shows in its first bytes.
    Rdf(Syntax),
    /// An OpenStreetMap extract in PBF.
    OsmPbf,
}

impl Kind {
    /// The kind that a file name tells, a final `.gz` aside.
    ///
    /// # Errors
    /// [`IngestError::UnknownKind`] with the endings that are known.
    pub fn from_file_name(name: &str) -> Result<Self, IngestError> {
        let lower = name.to_ascii_lowercase();
        if lower.ends_with(".osm.pbf") {
            return Ok(Self::OsmPbf);
        }
        let plain = lower.strip_suffix(".gz").unwrap_or(&lower);
        plain
            .rsplit_once('.')
            .and_then(|(_, extension)| Syntax::from_extension(extension))
            .map(Self::Rdf)
            .ok_or_else(|| IngestError::UnknownKind {
                name: name.to_owned(),
            })
    }
}

impl Syntax {
    /// All syntaxes, the most compact first.
    pub const ALL: [Self; 6] = [
        Self::Turtle,
        Self::TriG,
        Self::NTriples,
        Self::NQuads,
        Self::JsonLd,
        Self::RdfXml,
    ];

    /// The syntax of a file name's last part, such as `ttl`, in any case.
    pub fn from_extension(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "ttl" => Self::Turtle,
            "nt" => Self::NTriples,
            "nq" => Self::NQuads,
            "trig" => Self::TriG,
            "rdf" | "xml" => Self::RdfXml,
            "jsonld" | "json" => Self::JsonLd,
            _ => return None,
        })
    }

    /// The syntax of a media type, its parameters aside.
    ///
    /// `None` too where the parameters name a character set that is not UTF-8.
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        Some(match RdfFormat::from_media_type(media_type)? {
            RdfFormat::Turtle => Self::Turtle,
            RdfFormat::NTriples => Self::NTriples,
            RdfFormat::NQuads => Self::NQuads,
            RdfFormat::TriG => Self::TriG,
            RdfFormat::RdfXml => Self::RdfXml,
            RdfFormat::JsonLd { .. } => Self::JsonLd,
            _ => return None,
        })
    }

    /// The registered media type.
    pub fn media_type(self) -> &'static str {
        self.to_format().media_type()
    }

    /// The usual ending of a file name, without the dot.
    pub fn extension(self) -> &'static str {
        self.to_format().file_extension()
    }

    /// The name as the standards write it.
    pub fn name(self) -> &'static str {
        self.to_format().name()
    }

    /// Whether it can hold named graphs.
    pub fn holds_datasets(self) -> bool {
        self.to_format().supports_datasets()
    }

    /// The same syntax as oxrdfio names it.
    pub fn to_format(self) -> RdfFormat {
        match self {
            Self::Turtle => RdfFormat::Turtle,
            Self::NTriples => RdfFormat::NTriples,
            Self::NQuads => RdfFormat::NQuads,
            Self::TriG => RdfFormat::TriG,
            Self::RdfXml => RdfFormat::RdfXml,
            Self::JsonLd => RdfFormat::JsonLd {
                profile: JsonLdProfileSet::empty(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_tell_the_kind() {
        for (name, kind) in [
            ("a.ttl", Kind::Rdf(Syntax::Turtle)),
            ("a.b.NT", Kind::Rdf(Syntax::NTriples)),
            ("dir.x/a.nq.gz", Kind::Rdf(Syntax::NQuads)),
            ("a.trig", Kind::Rdf(Syntax::TriG)),
            ("a.rdf", Kind::Rdf(Syntax::RdfXml)),
            ("a.xml.GZ", Kind::Rdf(Syntax::RdfXml)),
            ("a.jsonld", Kind::Rdf(Syntax::JsonLd)),
            ("a.json", Kind::Rdf(Syntax::JsonLd)),
            ("city.osm.pbf", Kind::OsmPbf),
        ] {
            assert_eq!(Kind::from_file_name(name).unwrap(), kind, "{name}");
        }
        for name in ["a", "a.gz", "a.csv", "ttl", "a.pbf", ""] {
            let error = Kind::from_file_name(name).unwrap_err().to_string();
            assert!(error.contains(".ttl"), "{error}");
        }
    }

    #[test]
    fn media_types_tell_the_syntax() {
        for syntax in Syntax::ALL {
            assert_eq!(Syntax::from_media_type(syntax.media_type()), Some(syntax));
            assert_eq!(Syntax::from_extension(syntax.extension()), Some(syntax));
        }
        assert_eq!(
            Syntax::from_media_type("text/turtle; charset=utf-8"),
            Some(Syntax::Turtle)
        );
        assert_eq!(Syntax::from_media_type("text/turtle; charset=latin1"), None);
        assert_eq!(Syntax::from_media_type("text/n3"), None);
        assert_eq!(Syntax::from_media_type("image/png"), None);
    }
}

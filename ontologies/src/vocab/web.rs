//! General vocabularies: what things are, where they are, where they come from.

use super::terms;

/// DCAT 3: <https://www.w3.org/TR/vocab-dcat-3/>.
pub mod dcat {
    super::terms! {
        "http://www.w3.org/ns/dcat#";
        CATALOG = "Catalog",
        DATASET = "Dataset",
        DATA_SERVICE = "DataService",
    }
}

/// DCMI Metadata Terms: <https://www.dublincore.org/specifications/dublin-core/dcmi-terms/>.
pub mod dcterms {
    super::terms! {
        "http://purl.org/dc/terms/";
        CREATED = "created",
        CREATOR = "creator",
        DESCRIPTION = "description",
        HAS_PART = "hasPart",
        ISSUED = "issued",
        IS_PART_OF = "isPartOf",
        LICENSE = "license",
        MODIFIED = "modified",
        PUBLISHER = "publisher",
        SOURCE = "source",
        TITLE = "title",
    }
}

/// GeoSPARQL 1.1: <https://docs.ogc.org/is/22-047r1/22-047r1.html>.
pub mod geo {
    super::terms! {
        "http://www.opengis.net/ont/geosparql#";
        AS_WKT = "asWKT",
        FEATURE = "Feature",
        GEOMETRY = "Geometry",
        HAS_DEFAULT_GEOMETRY = "hasDefaultGeometry",
        HAS_GEOMETRY = "hasGeometry",
        WKT_LITERAL = "wktLiteral",
    }
}

/// OWL 2: <https://www.w3.org/TR/owl2-syntax/>.
pub mod owl {
    super::terms! {
        "http://www.w3.org/2002/07/owl#";
        CLASS = "Class",
        DATATYPE_PROPERTY = "DatatypeProperty",
        OBJECT_PROPERTY = "ObjectProperty",
        ONTOLOGY = "Ontology",
        SAME_AS = "sameAs",
    }
}

/// PROV-O: <https://www.w3.org/TR/prov-o/>.
pub mod prov {
    super::terms! {
        "http://www.w3.org/ns/prov#";
        ENTITY = "Entity",
        GENERATED_AT_TIME = "generatedAtTime",
        WAS_ATTRIBUTED_TO = "wasAttributedTo",
        WAS_DERIVED_FROM = "wasDerivedFrom",
    }
}

/// schema.org: <https://schema.org/>.
pub mod schema {
    super::terms! {
        "https://schema.org/";
        ADDRESS = "address",
        MEDICAL_CLINIC = "MedicalClinic",
        NAME = "name",
        PLACE = "Place",
        SCHOOL = "School",
        STREET_ADDRESS = "streetAddress",
    }
}

/// SPARQL 1.1 Service Description: <https://www.w3.org/TR/sparql11-service-description/>.
pub mod sd {
    super::terms! {
        "http://www.w3.org/ns/sparql-service-description#";
        BASIC_FEDERATED_QUERY = "BasicFederatedQuery",
        DATASET = "Dataset",
        DEFAULT_DATASET = "defaultDataset",
        DEFAULT_GRAPH = "defaultGraph",
        ENDPOINT = "endpoint",
        EXTENSION_FUNCTION = "extensionFunction",
        FEATURE = "feature",
        FUNCTION = "Function",
        GRAPH = "Graph",
        INPUT_FORMAT = "inputFormat",
        NAME = "name",
        NAMED_GRAPH = "namedGraph",
        NAMED_GRAPH_CLASS = "NamedGraph",
        RESULT_FORMAT = "resultFormat",
        SERVICE = "Service",
        SPARQL_10_QUERY = "SPARQL10Query",
        SPARQL_11_QUERY = "SPARQL11Query",
        SPARQL_11_UPDATE = "SPARQL11Update",
        SUPPORTED_LANGUAGE = "supportedLanguage",
    }
}

/// SKOS: <https://www.w3.org/TR/skos-reference/>.
pub mod skos {
    super::terms! {
        "http://www.w3.org/2004/02/skos/core#";
        BROADER = "broader",
        BROAD_MATCH = "broadMatch",
        CLOSE_MATCH = "closeMatch",
        CONCEPT = "Concept",
        EXACT_MATCH = "exactMatch",
        PREF_LABEL = "prefLabel",
    }
}

/// SOSA: <https://www.w3.org/TR/vocab-ssn/>.
pub mod sosa {
    super::terms! {
        "http://www.w3.org/ns/sosa/";
        FEATURE_OF_INTEREST = "FeatureOfInterest",
        HAS_FEATURE_OF_INTEREST = "hasFeatureOfInterest",
        HAS_SIMPLE_RESULT = "hasSimpleResult",
        OBSERVATION = "Observation",
        OBSERVED_PROPERTY = "observedProperty",
        PLATFORM = "Platform",
        RESULT_TIME = "resultTime",
        SENSOR = "Sensor",
    }
}

/// OWL-Time: <https://www.w3.org/TR/owl-time/>.
pub mod time {
    super::terms! {
        "http://www.w3.org/2006/time#";
        UNIT_DAY = "unitDay",
        UNIT_HOUR = "unitHour",
        UNIT_MONTH = "unitMonth",
        UNIT_YEAR = "unitYear",
    }
}

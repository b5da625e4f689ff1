//! Twinlink's own terms, defined in `twinlink.ttl`.

use super::{dpv, sector_infra, terms};
use oxrdf::NamedNodeRef;

/// Twinlink's application profile: a few terms for policies, and the things of a city that an incident concerns.
pub mod tl {
    super::terms! {
        "https://w3id.org/twinlink/ns#";
        // Policies: left operands of constraints, and of refinements of datasets
        AREA = "area",
        CLASS = "class",
        GRAPH = "graph",
        NAMED = "named",
        PATTERN = "pattern",
        PROPERTY = "property",
        ROLE = "role",
        SHAPE = "shape",
        // Policies: rules that wait for an incident, duties after use, grounds
        BREAK_GLASS = "breakGlass",
        BREAK_GLASS_FOR = "breakGlassFor",
        CLEARANCE = "clearance",
        LEGAL_BASIS = "legalBasis",
        NEEDS_LEGAL_BASIS = "needsLegalBasis",
        NEVER_OVERRIDDEN = "neverOverridden",
        REPORT_USE = "reportUse",
        REVIEW = "review",
        // Roles and purposes: who may state which purpose, and when
        MAY_STATE = "mayState",
        REQUIRES_INCIDENT = "requiresIncident",
        // Policies: left operands of refinements that ask for statistics
        DIMENSION = "dimension",
        MEASURE = "measure",
        MEASURE_KIND = "measureKind",
        MINIMUM_GROUP_SIZE = "minimumGroupSize",
        // Policies: transforms, and left operands of their refinements
        DELAY = "delay",
        GENERALISE = "generalise",
        MASK = "mask",
        PSEUDONYMISE = "pseudonymise",
        ROUND = "round",
        SUPPRESS = "suppress",
        SUPPRESS_SMALL_GROUPS = "suppressSmallGroups",
        TRUNCATE = "truncate",
        CELL_SIZE = "cellSize",
        MULTIPLE = "multiple",
        RECORDED_BY = "recordedBy",
        REPLACEMENT = "replacement",
        STEP = "step",
        TIME_UNIT = "timeUnit",
        // Policies: right operands
        DEFAULT_GRAPH = "DefaultGraph",
        OBJECT = "Object",
        SUBJECT = "Subject",
        // Statistics: what an observation tells
        AVERAGE = "average",
        COUNT = "count",
        MEASURED = "measured",
        SUM = "sum",
        // Roles
        CITY_PLANNER = "CityPlanner",
        INCIDENT_COMMANDER = "IncidentCommander",
        POLICE_OFFICER = "PoliceOfficer",
        RESCUE_OFFICER = "RescueOfficer",
        STEWARD = "Steward",
        // Purposes
        EMERGENCY_RESPONSE = "EmergencyResponse",
        URBAN_PLANNING = "UrbanPlanning",
        // Classes
        BUILDING = "Building",
        CAR_PARK = "CarPark",
        CLINIC = "Clinic",
        CORDON = "Cordon",
        FIRE_STATION = "FireStation",
        HAZARD_ZONE = "HazardZone",
        HAZARDOUS_SITE = "HazardousSite",
        HYDRANT = "Hydrant",
        INCIDENT_NOTE = "IncidentNote",
        RESCUE_UNIT = "RescueUnit",
        ROAD = "Road",
        ROAD_CLOSURE = "RoadClosure",
        SAFETY_WARNING = "SafetyWarning",
        SCHOOL = "School",
        // Properties
        CLASSIFICATION = "classification",
        CONCERNS = "concerns",
        LEVEL = "level",
        NOTE_TEXT = "noteText",
        PERSON_BIRTH_DATE = "personBirthDate",
        PERSON_NAME = "personName",
        RESIDENTS = "residents",
        STATUS = "status",
        SUBSTANCE = "substance",
        VALID_FROM = "validFrom",
        VALID_UNTIL = "validUntil",
    }

    pub use super::{PROFILE, PURPOSE_BROADER};
}

/// The Dutch profile, [`crate::DUTCH_PROFILE`]: no code rests on one of its terms.
pub mod nl {
    super::terms! {
        "https://w3id.org/twinlink/nl#";
    }
}

/// The ODRL profile that a policy declares with `odrl:profile` when it uses a left operand of [`tl`].
pub const PROFILE: NamedNodeRef<'static> =
    NamedNodeRef::new_unchecked("https://w3id.org/twinlink/profile/1");

/// The purposes that policies can compare by `odrl:isA`: each with one that is broader, as `skos:broader` has it.
pub const PURPOSE_BROADER: &[(NamedNodeRef<'static>, NamedNodeRef<'static>)] = &[
    (
        tl::EMERGENCY_RESPONSE,
        sector_infra::CRITICAL_EMERGENCY_RESPONSE_MANAGEMENT,
    ),
    (tl::URBAN_PLANNING, dpv::PUBLIC_BENEFIT),
    (dpv::PUBLIC_BENEFIT, dpv::PURPOSE),
    (
        sector_infra::CRITICAL_EMERGENCY_RESPONSE_COMMUNICATION_MANAGEMENT,
        sector_infra::CRITICAL_EMERGENCY_RESPONSE_MANAGEMENT,
    ),
    (
        sector_infra::CRITICAL_EMERGENCY_RESPONSE_DISPATCH_MANAGEMENT,
        sector_infra::CRITICAL_EMERGENCY_RESPONSE_MANAGEMENT,
    ),
    (
        sector_infra::CRITICAL_EMERGENCY_RESPONSE_TRIAGE,
        sector_infra::CRITICAL_EMERGENCY_RESPONSE_MANAGEMENT,
    ),
    (
        sector_infra::CRITICAL_EMERGENCY_RESPONSE_MANAGEMENT,
        sector_infra::CRITICAL_INFRASTRUCTURE_MANAGEMENT,
    ),
    (
        sector_infra::CRITICAL_INFRASTRUCTURE_MANAGEMENT,
        sector_infra::INFRASTRUCTURE_MANAGEMENT,
    ),
    (sector_infra::INFRASTRUCTURE_MANAGEMENT, dpv::PURPOSE),
];

#[cfg(test)]
mod tests {
    use super::tl;
    use oxrdf::vocab::{rdf, rdfs};
    use oxrdf::{Graph, NamedNodeRef, NamedOrBlankNodeRef, TermRef};
    use oxrdfio::{RdfFormat, RdfParser};
    use std::collections::BTreeSet;

    fn profile() -> Graph {
        RdfParser::from_format(RdfFormat::Turtle)
            .for_slice(crate::TWINLINK_TURTLE)
            .map(|quad| oxrdf::Triple::from(quad.unwrap()))
            .collect()
    }

    #[test]
    fn every_constant_is_defined_and_every_definition_has_a_constant() {
        let graph = profile();
        let defined: BTreeSet<_> = graph
            .triples_for_predicate(rdf::TYPE)
            .filter_map(|triple| match triple.subject {
                NamedOrBlankNodeRef::NamedNode(term)
                    if term.as_str().starts_with(tl::NAMESPACE)
                        && term.as_str() != tl::NAMESPACE =>
                {
                    Some(term.as_str().to_owned())
                }
                _ => None,
            })
            .collect();
        let named: BTreeSet<_> = tl::ALL
            .iter()
            .map(|term| term.as_str().to_owned())
            .collect();
        assert_eq!(named, defined);
    }

    #[test]
    fn every_term_has_one_label_and_one_comment() {
        let graph = profile();
        for term in tl::ALL {
            for annotation in [rdfs::LABEL, rdfs::COMMENT] {
                let count = graph
                    .objects_for_subject_predicate(*term, annotation)
                    .count();
                assert_eq!(count, 1, "{annotation} of {term}");
            }
        }
    }

    #[test]
    fn purposes_are_as_the_profile_says() {
        let graph = profile();
        let told: BTreeSet<_> = graph
            .triples_for_predicate(crate::skos::BROADER)
            .map(|triple| (triple.subject.to_string(), triple.object.to_string()))
            .collect();
        let named: BTreeSet<_> = tl::PURPOSE_BROADER
            .iter()
            .map(|(narrow, broad)| (narrow.to_string(), broad.to_string()))
            .collect();
        assert_eq!(named, told);
    }

    #[test]
    fn all_constants_are_iris_and_none_is_named_twice() {
        let all = [
            crate::dcat::ALL,
            crate::dcterms::ALL,
            crate::dpv::ALL,
            crate::geo::ALL,
            crate::odrl::ALL,
            crate::owl::ALL,
            crate::prov::ALL,
            crate::schema::ALL,
            crate::sd::ALL,
            crate::sector_infra::ALL,
            crate::sh::ALL,
            crate::skos::ALL,
            crate::sosa::ALL,
            crate::time::ALL,
            tl::ALL,
        ]
        .concat();
        for term in &all {
            assert!(NamedNodeRef::new(term.as_str()).is_ok(), "{term}");
        }
        let distinct: BTreeSet<_> = all.iter().map(|term| term.as_str()).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn left_operands_are_declared_as_such() {
        let graph = profile();
        let declared: BTreeSet<_> = graph
            .subjects_for_predicate_object(
                rdf::TYPE,
                TermRef::from(crate::odrl::LEFT_OPERAND_CLASS),
            )
            .map(|subject| subject.to_string())
            .collect();
        let named: BTreeSet<_> = [
            tl::AREA,
            tl::CELL_SIZE,
            tl::CLASS,
            tl::DIMENSION,
            tl::GRAPH,
            tl::CLEARANCE,
            tl::LEGAL_BASIS,
            tl::MEASURE,
            tl::MEASURE_KIND,
            tl::MINIMUM_GROUP_SIZE,
            tl::MULTIPLE,
            tl::NAMED,
            tl::PATTERN,
            tl::PROPERTY,
            tl::RECORDED_BY,
            tl::REPLACEMENT,
            tl::ROLE,
            tl::SHAPE,
            tl::STEP,
            tl::TIME_UNIT,
        ]
        .iter()
        .map(ToString::to_string)
        .collect();
        assert_eq!(named, declared);
    }
}

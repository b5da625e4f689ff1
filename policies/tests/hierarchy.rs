//! What `odrl:isA` holds of the concepts of the Dutch profile.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails here fails rightly"
)]

use oxrdf::NamedNode;
use twinlink_policy::{
    Ask, Claimed, Claims, NewWorld, Policy, PolicySet, PurposeHierarchy, RdfFormat,
};

const NL: &str = "https://w3id.org/twinlink/nl#";
const TL: &str = "https://w3id.org/twinlink/ns#";
const DPV: &str = "https://w3id.org/dpv#";
const LAW: &str = "https://w3id.org/dpv/sector/law#";
const INFRA: &str = "https://w3id.org/dpv/sector/infra#";

/// Whether a policy for the one purpose lets a caller with the other in.
fn is_a(purpose: (&str, &str), kind: (&str, &str)) -> bool {
    let node = |(namespace, name): (&str, &str)| NamedNode::new(format!("{namespace}{name}"));
    let text = format!(
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
         <urn:p> a odrl:Set ; odrl:permission [ odrl:target <urn:twin> ; odrl:action odrl:read ;
           odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:isA ; odrl:rightOperand {} ] ] .",
        node(kind).unwrap()
    );
    let policies = Policy::parse(&text, RdfFormat::Turtle, None).unwrap();
    let set = PolicySet::compile(NamedNode::new("urn:twin").unwrap(), policies).unwrap();
    let ask = Ask {
        participant: NamedNode::new("urn:fire").unwrap(),
        subject: "officer 1".to_owned(),
        roles: Vec::new(),
        purpose: Some(node(purpose).unwrap()),
        action: NamedNode::new("http://www.w3.org/ns/odrl/2/read").unwrap(),
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    };
    set.decide(&ask).is_ok()
}

#[test]
fn a_narrower_purpose_is_let_in_and_a_broader_one_is_not() {
    for (narrow, broad) in [
        ((NL, "Evacuation"), (TL, "EmergencyResponse")),
        ((NL, "Evacuation"), (NL, "EffectControl")),
        (
            (NL, "Alerting"),
            (INFRA, "CriticalEmergencyResponseDispatchManagement"),
        ),
        ((NL, "TrafficRegulation"), (INFRA, "TransportManagement")),
        ((NL, "PublicOrder"), (DPV, "PublicBenefit")),
        ((NL, "CriminalInvestigation"), (LAW, "LawEnforcement")),
        ((NL, "Exercise"), (DPV, "Purpose")),
    ] {
        assert!(is_a(narrow, broad), "{narrow:?} {broad:?}");
        assert!(!is_a(broad, narrow), "{broad:?} {narrow:?}");
    }
}

#[test]
fn an_exact_match_is_the_same_purpose() {
    let (ours, theirs) = ((NL, "CriminalInvestigation"), (LAW, "CrimeInvestigation"));
    assert!(is_a(ours, theirs) && is_a(theirs, ours));
}

#[test]
fn helping_planning_and_investigating_are_no_kinds_of_each_other() {
    let apart = [
        (NL, "Evacuation"),
        (NL, "CriminalInvestigation"),
        (NL, "PublicOrder"),
        (NL, "IncidentReview"),
        (NL, "Preparedness"),
        (TL, "UrbanPlanning"),
        (NL, "OfficialStatistics"),
    ];
    for one in apart {
        for other in apart {
            assert_eq!(is_a(one, other), one == other, "{one:?} {other:?}");
        }
    }
}

#[test]
fn an_incident_of_a_level_is_one_of_each_level_below() {
    let nl = |name: &str| NamedNode::new(format!("{NL}{name}")).unwrap();
    let hierarchy = PurposeHierarchy::standard();
    let expected = ["GRIP1", "GRIP2", "GRIP3", "Incident"].map(nl);
    assert_eq!(hierarchy.kinds(&nl("GRIP3")), expected);
    // What nobody knows is only itself, and circles end.
    assert_eq!(hierarchy.kinds(&nl("Unknown")), [nl("Unknown")]);
    assert!(
        hierarchy
            .kinds(&nl("CriminalInvestigation"))
            .contains(&nl("CriminalInvestigation"))
    );
}

#[test]
fn who_is_cleared_for_a_level_is_cleared_for_those_below() {
    let nl = |name: &str| NamedNode::new(format!("{NL}{name}")).unwrap();
    let hierarchy = PurposeHierarchy::standard();
    for levels in [
        &[
            "TLP-CLEAR",
            "TLP-GREEN",
            "TLP-AMBER",
            "TLP-AMBER-STRICT",
            "TLP-RED",
        ][..],
        &["BBN1", "BBN2", "BBN2plus", "BBN3"],
        &["Ongerubriceerd", "DepV", "StgC", "StgG", "StgZG"],
        &["V0", "V1", "V2", "V3"],
    ] {
        for (number, level) in levels.iter().enumerate() {
            let cleared = hierarchy.kinds(&nl(level));
            assert_eq!(cleared.len(), number + 1, "{level}");
            assert!(
                levels
                    .iter()
                    .take(number)
                    .all(|low| cleared.contains(&nl(low)))
            );
        }
    }
}

#[test]
fn a_rule_asks_for_at_least_a_clearance() {
    let text = "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <https://w3id.org/twinlink/ns#> .
         <urn:p> a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
           odrl:permission [ odrl:target <urn:twin> ; odrl:action odrl:read ; odrl:constraint [
             odrl:leftOperand tl:clearance ; odrl:operator odrl:isA ; odrl:rightOperand <https://w3id.org/twinlink/nl#TLP-AMBER> ] ] .";
    let policies = Policy::parse(text, RdfFormat::Turtle, None).unwrap();
    let set = PolicySet::compile(NamedNode::new("urn:twin").unwrap(), policies).unwrap();
    let ask = Ask {
        participant: NamedNode::new("urn:fire").unwrap(),
        subject: "officer 1".to_owned(),
        roles: Vec::new(),
        purpose: None,
        action: NamedNode::new("http://www.w3.org/ns/odrl/2/read").unwrap(),
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    };
    let is_permitted = |levels: &[&str]| {
        let level = |name: &&str| NamedNode::new(format!("{NL}{name}")).unwrap().into();
        let mut claims = Claims::default();
        if !levels.is_empty() {
            let clearance = NamedNode::new(format!("{TL}clearance")).unwrap();
            claims
                .values
                .insert(clearance, levels.iter().map(level).collect());
        }
        set.decide_in(&ask, &Claimed::new(&NewWorld, &claims))
            .is_ok()
    };
    for cleared in [
        &["TLP-AMBER"][..],
        &["TLP-RED"],
        &["BBN2", "TLP-AMBER-STRICT"],
    ] {
        assert!(is_permitted(cleared), "{cleared:?}");
    }
    for cleared in [&[][..], &["TLP-GREEN"], &["BBN3"], &["StgZG"]] {
        assert!(!is_permitted(cleared), "{cleared:?}");
    }
}

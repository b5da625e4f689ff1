//! Ways of writing the same policy.

use crate::support::{ask, dataset, ex, policies, tl};
use std::collections::BTreeSet;
use twinlink_policy::{
    Ask, PROFILE_TURTLE, Policy, PolicyKind, PolicySet, RdfFormat, RuleKind, owner_policy,
};

const TURTLE: &str = "
    ex:p a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
      odrl:permission [
        odrl:target [ a odrl:AssetCollection ; odrl:source ex:twin ; odrl:refinement
          [ odrl:leftOperand tl:class ; odrl:operator odrl:isAnyOf ; odrl:rightOperand (tl:School tl:Clinic) ] ] ;
        odrl:assignee ex:fire ; odrl:action odrl:read ;
        odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
          odrl:rightOperand \"2027-01-01T00:00:00Z\"^^xsd:dateTime ] ] .";

const JSON: &str = r#"{
  "@context": {
    "odrl": "http://www.w3.org/ns/odrl/2/", "tl": "https://w3id.org/twinlink/ns#",
    "ex": "http://example.org/", "xsd": "http://www.w3.org/2001/XMLSchema#",
    "profile": {"@id": "odrl:profile", "@type": "@id"},
    "permission": {"@id": "odrl:permission", "@type": "@id"},
    "target": {"@id": "odrl:target", "@type": "@id"},
    "source": {"@id": "odrl:source", "@type": "@id"},
    "assignee": {"@id": "odrl:assignee", "@type": "@id"},
    "action": {"@id": "odrl:action", "@type": "@id"},
    "constraint": "odrl:constraint", "refinement": "odrl:refinement",
    "leftOperand": {"@id": "odrl:leftOperand", "@type": "@id"},
    "operator": {"@id": "odrl:operator", "@type": "@id"},
    "rightOperand": "odrl:rightOperand"
  },
  "@id": "ex:p", "@type": "odrl:Set", "profile": "https://w3id.org/twinlink/profile/1",
  "permission": [{
    "target": {"@type": "odrl:AssetCollection", "source": "ex:twin", "refinement": {
      "leftOperand": "tl:class", "operator": "odrl:isAnyOf",
      "rightOperand": {"@list": [{"@id": "tl:School"}, {"@id": "tl:Clinic"}]}}},
    "assignee": "ex:fire", "action": "odrl:read",
    "constraint": {"leftOperand": "odrl:dateTime", "operator": "odrl:lt",
      "rightOperand": {"@value": "2027-01-01T00:00:00Z", "@type": "xsd:dateTime"}}
  }]
}"#;

#[test]
fn json_ld_and_turtle_are_one_policy() {
    let json = RdfFormat::from_media_type("application/ld+json").unwrap();
    let parsed = Policy::parse(JSON, json, None).unwrap();
    assert_eq!(parsed, policies(TURTLE));
}

#[test]
fn what_the_policy_says_once_holds_for_all_rules() {
    let compact = policies(
        "ex:p a odrl:Policy ; odrl:assigner ex:city ; odrl:assignee ex:fire, ex:police ; odrl:target ex:twin ;
           odrl:action odrl:read ; odrl:permission [ a odrl:Permission ], [ rdfs:label \"again\" ] .",
    );
    let [policy] = &compact[..] else { panic!() };
    assert_eq!((policy.uid(), policy.kind()), (&ex("p"), PolicyKind::Set));
    let sentences: Vec<_> = policy.rules().iter().map(ToString::to_string).collect();
    let expected = "<http://example.org/fire> or <http://example.org/police> may odrl:read all of <http://example.org/twin>";
    assert_eq!(sentences, [expected, expected]);
}

#[test]
fn rules_are_numbered_by_kind_in_document_order() {
    let parsed = policies(
        "ex:p a odrl:Set ; odrl:target ex:twin ; odrl:prohibition [ odrl:action odrl:modify ] ;
           odrl:permission [ odrl:action odrl:read ], [ odrl:action odrl:index ] .",
    );
    let numbered: Vec<_> = parsed[0]
        .rules()
        .iter()
        .map(|rule| (rule.kind(), rule.number()))
        .collect();
    assert_eq!(
        numbered,
        [
            (RuleKind::Permission, 1),
            (RuleKind::Permission, 2),
            (RuleKind::Prohibition, 1)
        ]
    );
}

#[test]
fn a_blank_policy_with_a_uid_is_named_by_it() {
    let parsed = policies(
        "[] a odrl:Set ; odrl:uid ex:p ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .",
    );
    assert_eq!(parsed[0].uid(), &ex("p"));
}

#[test]
fn relative_iris_resolve_against_the_base() {
    let text = "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
        <p> a odrl:Set ; odrl:permission [ odrl:target <twin> ; odrl:action odrl:read ] .";
    let parsed = Policy::parse(text, RdfFormat::Turtle, Some("http://example.org/")).unwrap();
    assert_eq!(parsed[0].uid(), &ex("p"));
    assert!(PolicySet::compile(dataset(), parsed).is_ok());
}

#[test]
fn the_owner_policy_lets_stewards_in_and_nobody_else() {
    for (dataset, uid) in [
        (ex("twin"), "http://example.org/twin#owner-policy"),
        (ex("city#twin"), "http://example.org/city#twin-owner-policy"),
    ] {
        let text = owner_policy(&ex("fire"), &dataset);
        let parsed = Policy::parse(&text, RdfFormat::Turtle, None).unwrap();
        assert_eq!(parsed[0].uid().as_str(), uid);
        let set = PolicySet::compile(dataset, parsed).unwrap();
        let steward = Ask {
            roles: vec![tl("Steward")],
            ..ask()
        };
        for action in ["read", "modify"] {
            let ask = Ask {
                action: crate::support::odrl(action),
                ..steward.clone()
            };
            assert!(set.decide(&ask).unwrap().guard().is_everything());
        }
        let stranger = Ask {
            participant: ex("police"),
            ..steward
        };
        assert!(set.decide(&stranger).is_err());
        assert!(set.decide(&ask()).is_err());
    }
}

#[test]
fn the_example_of_the_readme_is_a_policy() {
    let readme = include_str!("../../README.md");
    let example = readme
        .split("```")
        .nth(1)
        .unwrap()
        .strip_prefix("turtle")
        .unwrap();
    let parsed = policies(example);
    assert_eq!(
        parsed[0].rules()[0].to_string(),
        "<https://fire.example/> may odrl:read the statements about instances of tl:Clinic, and the statements about \
         instances of tl:School of <https://city.example/twin>, if the purpose is a kind of tl:EmergencyResponse"
    );
}

#[test]
fn the_profile_declares_the_left_operands_we_add() {
    let declared: BTreeSet<_> = oxrdfio::RdfParser::from_format(RdfFormat::Turtle)
        .for_slice(PROFILE_TURTLE)
        .map(Result::unwrap)
        .filter(|quad| quad.object == oxrdf::Term::from(twinlink_vocab::odrl::LEFT_OPERAND_CLASS))
        .map(|quad| quad.subject.to_string())
        .collect();
    let added = [
        "area",
        "cellSize",
        "class",
        "clearance",
        "dimension",
        "graph",
        "legalBasis",
        "measure",
        "measureKind",
        "minimumGroupSize",
        "multiple",
        "named",
        "pattern",
        "property",
        "recordedBy",
        "replacement",
        "role",
        "shape",
        "step",
        "timeUnit",
    ];
    let added = added.map(|name| tl(name).to_string());
    assert_eq!(declared, BTreeSet::from(added));
    assert!(PROFILE_TURTLE.contains(&format!("{} a odrl:Profile", twinlink_vocab::tl::PROFILE)));
}

//! What must not be published: each case names the term and the place.

use crate::support::{PROFILE, dataset, ex, lines, policies, refused, rule, turtle};
use twinlink_policy::{PolicyError, PolicySet};

#[test]
fn the_rule_without_addition_is_in_order() {
    assert_eq!(policies(&rule("")).len(), 1);
}

#[test]
fn terms_without_effect() {
    let place = "policy <http://example.org/p>, permission 1";
    for (addition, term) in [
        ("odrl:duty [ odrl:action odrl:play ]", "odrl/2/play"),
        (
            "odrl:duty [ odrl:action odrl:compensate ; odrl:constraint
               [ odrl:leftOperand odrl:payAmount ; odrl:operator odrl:eq ; odrl:rightOperand 5 ] ]",
            "odrl/2/payAmount",
        ),
        (
            "odrl:duty [ odrl:action odrl:compensate ; odrl:compensatedParty ex:owner ]",
            "odrl/2/compensatedParty",
        ),
        (
            "odrl:duty [ odrl:action odrl:delete ; odrl:assignee ex:somebody ]",
            "odrl/2/assignee",
        ),
        (
            "odrl:duty [ odrl:action odrl:delete ; odrl:target ex:elsewhere ]",
            "example.org/elsewhere",
        ),
        ("odrl:duty [ odrl:action tl:review ]", "ns#review"),
        ("tl:neverOverridden true", "ns#neverOverridden"),
        (
            "tl:breakGlassFor \"PT4H\"^^xsd:dayTimeDuration",
            "ns#breakGlassFor",
        ),
        ("odrl:remedy [ odrl:action odrl:delete ]", "odrl/2/remedy"),
        ("odrl:consequence []", "odrl/2/consequence"),
        ("odrl:output ex:o", "odrl/2/output"),
        ("odrl:refinement []", "odrl/2/refinement"),
        ("odrl:unheardOf 1", "odrl/2/unheardOf"),
        ("ex:note 1", "http://example.org/note"),
        ("a odrl:Duty", "odrl/2/Duty"),
        (
            "odrl:constraint [ odrl:leftOperand odrl:percentage ; odrl:operator odrl:lt ; odrl:rightOperand 5 ]",
            "odrl/2/percentage",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:delayPeriod ; odrl:operator odrl:gt ; odrl:rightOperand \"P1D\"^^xsd:duration ]",
            "odrl/2/delayPeriod",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:count ; odrl:operator odrl:isAnyOf ; odrl:rightOperand 5 ]",
            "odrl/2/isAnyOf",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:spatial ; odrl:operator ex:near ; odrl:rightOperand ex:a ]",
            "example.org/near",
        ),
        (
            "odrl:constraint [ odrl:leftOperand ex:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ]",
            "example.org/purpose",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator ex:eq ; odrl:rightOperand ex:a ]",
            "example.org/eq",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:gt ; odrl:rightOperand ex:a ]",
            "odrl/2/gt",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:isPartOf ; odrl:rightOperand ex:a ]",
            "odrl/2/isPartOf",
        ),
        (
            "odrl:constraint [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ]",
            "ns#graph",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ; odrl:unit ex:u ]",
            "odrl/2/unit",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ; odrl:status 1 ]",
            "odrl/2/status",
        ),
        (
            "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperandReference ex:a ]",
            "odrl/2/rightOperandReference",
        ),
    ] {
        refused(&rule(addition), &[place, term, "is not supported"]);
    }
}

#[test]
fn unknown_actions() {
    for action in ["ex:read", "odrl:watermark", "odrl:Read"] {
        let text = format!(
            "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action {action} ] ."
        );
        refused(&text, &["permission 1", "is not supported", "actions are"]);
    }
    let refined = "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action
        [ <http://www.w3.org/1999/02/22-rdf-syntax-ns#value> odrl:read ; odrl:refinement [] ] ] .";
    refused(refined, &["odrl/2/leftOperand> is missing"]);
}

#[test]
fn parts_of_policies() {
    let with = |addition: &str| {
        format!(
            "ex:p a odrl:Set ; {addition} ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] ."
        )
    };
    for (addition, part) in [
        ("odrl:obligation [ odrl:action odrl:play ]", "odrl/2/play"),
        ("odrl:duty [ odrl:action odrl:delete ]", "odrl/2/duty"),
        ("odrl:inheritFrom \"q\"", "odrl/2/inheritFrom"),
        ("tl:needsLegalBasis true", "declare odrl:profile"),
        (
            "odrl:constraint [ odrl:leftOperand odrl:purpose ]",
            "odrl/2/constraint",
        ),
        ("odrl:profile ex:profile", "http://example.org/profile"),
        (
            "odrl:profile <https://w3id.org/twinlink/profile/2>",
            "twinlink/profile/2",
        ),
        ("odrl:conflict ex:other", "http://example.org/other"),
        (
            "<http://purl.org/dc/terms/isReplacedBy> ex:q",
            "isReplacedBy",
        ),
        ("a odrl:Privacy", "odrl/2/Privacy"),
        ("a odrl:Agreement", "more than one kind"),
        ("odrl:uid ex:q", "another IRI"),
        ("odrl:target ex:other", "in one place"),
        ("odrl:action odrl:modify", "in one place"),
    ] {
        refused(&with(addition), &["policy <http://example.org/p>", part]);
    }
    for (text, part) in [
        ("ex:p a odrl:Set .", "no permission and no prohibition"),
        (
            "ex:p odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .",
            "no type",
        ),
        (
            "ex:p a odrl:Ticket ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .",
            "odrl/2/Ticket",
        ),
        (
            "[] a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .",
            "has no IRI",
        ),
        (
            "ex:p a odrl:Set ; odrl:permission [ odrl:action odrl:read ] .",
            "no odrl:target",
        ),
        (
            "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ] .",
            "no odrl:action",
        ),
        (
            "ex:p a odrl:Set ; odrl:permission ex:elsewhere .",
            "nothing is said about rule",
        ),
        (
            "ex:p a odrl:Set ; odrl:permission \"all\" .",
            "must be a node",
        ),
        (
            "ex:p a odrl:Set ; odrl:permission [ odrl:target \"http://example.org/twin\" ; odrl:action odrl:read ] .",
            "must be a node",
        ),
        (
            "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:assignee [ a odrl:PartyCollection ] ] .",
            "who belongs to the party collection",
        ),
        (
            "ex:p a odrl:Agreement ; odrl:assigner ex:c ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .",
            "needs an odrl:assignee",
        ),
        (
            "ex:p a odrl:Agreement ; odrl:assignee ex:c ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .",
            "needs an odrl:assigner",
        ),
        ("ex:other rdfs:label \"no policy\" .", "holds no policy"),
    ] {
        refused(text, &[part]);
    }
}

#[test]
fn statements_that_no_policy_reaches() {
    let policy = rule("odrl:assignee ex:officers");
    for (addition, part) in [
        ("ex:fire odrl:partOf ex:others .", "odrl/2/partOf"),
        ("ex:lost odrl:action odrl:read .", "odrl/2/action"),
        ("odrl:read odrl:refinement ex:r .", "odrl/2/refinement"),
        ("ex:twin odrl:hasPolicy ex:other .", "odrl/2/hasPolicy"),
        ("[] rdfs:label \"to whom\" .", "rdf-schema#label"),
    ] {
        refused(
            &format!("{policy} {addition}"),
            &[part, "outside any policy"],
        );
    }
    let harmless = format!("{policy} ex:officers a odrl:Party ; rdfs:label \"officers\" .");
    assert_eq!(policies(&harmless).len(), 1);
}

#[test]
fn profile_terms_need_the_profile() {
    refused(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:constraint
           [ odrl:leftOperand tl:role ; odrl:operator odrl:eq ; odrl:rightOperand tl:Steward ] ] .",
        &["ns#role", "declare odrl:profile"],
    );
}

#[test]
fn conflicts_within_a_policy() {
    let policy = |strategy: &str, permission: &str, prohibition: &str| {
        let target = |graph: &str| match graph {
            "" => "ex:twin".to_owned(),
            graph => format!(
                "[ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:{graph} ] ]"
            ),
        };
        let rule = |text: &str| {
            let mut words = text.split(' ');
            let (action, graph, party) = (
                words.next().unwrap(),
                words.next().unwrap(),
                words.next().unwrap(),
            );
            let party = if party == "-" {
                String::new()
            } else {
                format!("odrl:assignee ex:{party}")
            };
            let graph = if graph == "-" { "" } else { graph };
            format!(
                "[ odrl:action odrl:{action} ; odrl:target {} ; {party} ]",
                target(graph)
            )
        };
        format!(
            "ex:p a odrl:Set ; {PROFILE} ; {strategy} odrl:permission {} ; odrl:prohibition {} .",
            rule(permission),
            rule(prohibition)
        )
    };
    for (permission, prohibition, conflict) in [
        ("read - -", "read - -", true),
        ("use - -", "read - -", true),
        ("read - -", "use - -", true),
        ("read - -", "modify - -", false),
        ("read g -", "read - -", true),
        ("read g -", "read h -", false),
        ("read g -", "read g -", true),
        ("read - a", "read - b", false),
        ("read - a", "read - -", true),
    ] {
        let case = format!("{permission} / {prohibition}");
        let unsaid = turtle(&policy("", permission, prohibition));
        assert_eq!(unsaid.is_err(), conflict, "{case}");
        if let Err(errors) = unsaid {
            assert!(
                matches!(
                    errors[..],
                    [PolicyError::Conflict {
                        permission: 1,
                        prohibition: 1,
                        ..
                    }]
                ),
                "{case}"
            );
            assert!(lines(&errors).contains("odrl:conflict odrl:prohibit"));
        }
        let invalid = turtle(&policy(
            "odrl:conflict odrl:invalid ;",
            permission,
            prohibition,
        ));
        assert_eq!(invalid.is_err(), conflict, "{case}");
        let settled = turtle(&policy(
            "odrl:conflict odrl:prohibit ;",
            permission,
            prohibition,
        ));
        assert!(settled.is_ok(), "{case}");
    }
}

#[test]
fn compile_refuses_other_datasets_and_doubles() {
    let parsed = policies(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:other ; odrl:action odrl:read ] ,
            [ odrl:target ex:twin ; odrl:action odrl:read ] .",
    );
    let errors = PolicySet::compile(dataset(), parsed).unwrap_err();
    assert_eq!(
        lines(&errors),
        "policy <http://example.org/p>, permission 1: unknown target <http://example.org/other>: \
         this connector's dataset is <http://example.org/twin>"
    );
    let one = policies(&rule(""));
    let twice = [one.clone(), one].concat();
    let errors = PolicySet::compile(dataset(), twice).unwrap_err();
    assert_eq!(errors, [PolicyError::Duplicate { policy: ex("p") }]);
}

#[test]
fn every_error_is_reported() {
    let errors = turtle(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action ex:a ; odrl:duty [] ] ,
            [ odrl:target ex:twin ; odrl:action odrl:read ; ex:note 1 ] .
         ex:q a odrl:Set ; odrl:inheritAllowed ex:p ; odrl:prohibition [ odrl:action odrl:read ] .",
    )
    .unwrap_err();
    let text = lines(&errors);
    for part in [
        "permission 1: <http://example.org/a>",
        "said about duty",
        "permission 2: <http://example.org/note>",
        "odrl/2/inheritAllowed",
        "policy <http://example.org/q>, prohibition 1: the rule has no odrl:target",
    ] {
        assert!(text.contains(part), "{text}\nnot: {part}");
    }
}

#[test]
fn understood_whole() {
    let nodes = [
        "ex:p",
        "ex:rule",
        "ex:part",
        "ex:graph",
        "ex:when",
        "ex:either",
        "_:cell",
    ];
    let text = format!(
        "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
         ex:p a odrl:Set ; {PROFILE} ; odrl:permission ex:rule .
         ex:rule odrl:target ex:part ; odrl:action odrl:read ; odrl:constraint ex:either .
         ex:part odrl:source ex:twin ; odrl:refinement ex:graph .
         ex:graph odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:g .
         ex:either odrl:or _:cell . _:cell rdf:first ex:when ; rdf:rest () .
         ex:when odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ."
    );
    assert_eq!(policies(&text).len(), 1);
    for node in nodes {
        let described = format!("{text} {node} rdfs:comment \"why\" .");
        assert_eq!(policies(&described).len(), 1, "{node}");
        for addition in [
            "ex:note 1",
            "odrl:output ex:o",
            "odrl:unit ex:u",
            "a ex:Thing",
        ] {
            refused(
                &format!("{text} {node} {addition} ."),
                &["is not supported"],
            );
        }
    }
}

//! What the hash of a policy depends on.

use crate::support::{ask, dataset, policies, turtle};
use std::time::Instant;
use twinlink_policy::{PolicyError, PolicySet};

const RULE: &str = "[ odrl:target ex:twin ; odrl:action odrl:read ; odrl:constraint
    [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand tl:EmergencyResponse ] ]";

fn hash(text: &str) -> String {
    policies(text)[0].hash().to_owned()
}

#[test]
fn the_same_graph_has_the_same_hash() {
    let one = hash(&format!("ex:p a odrl:Set ; odrl:permission {RULE} ."));
    assert!(one.starts_with("sha256:") && one.len() == 7 + 64, "{one}");
    let named_otherwise = "_:c odrl:rightOperand tl:EmergencyResponse ; odrl:operator odrl:eq ; odrl:leftOperand odrl:purpose .
        _:r odrl:constraint _:c ; odrl:action odrl:read ; odrl:target ex:twin .
        ex:p odrl:permission _:r . ex:p a odrl:Set .";
    assert_eq!(one, hash(named_otherwise));
    // Other policies of the document are not part of it.
    let beside = format!(
        "ex:p a odrl:Set ; odrl:permission {RULE} . ex:q a odrl:Set ; odrl:permission {RULE} ."
    );
    assert_eq!(one, hash(&beside));
    assert_ne!(policies(&beside)[0].hash(), policies(&beside)[1].hash());
}

#[test]
fn the_hash_is_that_of_the_canonical_n_quads() {
    // SHA-256 of the two sorted lines; no blank node is in them but the rule.
    let text =
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .";
    let lines = "<http://example.org/p> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/odrl/2/Set> .\n\
        <http://example.org/p> <http://www.w3.org/ns/odrl/2/permission> _:c14n0 .\n\
        _:c14n0 <http://www.w3.org/ns/odrl/2/action> <http://www.w3.org/ns/odrl/2/read> .\n\
        _:c14n0 <http://www.w3.org/ns/odrl/2/target> <http://example.org/twin> .\n";
    use sophia_c14n::hash::{HashFunction, Sha256};
    let mut digest = Sha256::initialize();
    digest.update(lines.as_bytes());
    let hex: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hash(text), format!("sha256:{hex}"));
}

#[test]
fn any_change_changes_hash_and_version() {
    let original = format!("ex:p a odrl:Set ; odrl:permission {RULE} .");
    let version = |text: &str| {
        PolicySet::compile(dataset(), policies(text))
            .unwrap()
            .version()
            .to_owned()
    };
    for changed in [
        original.replace("tl:Emerg", "ex:Emerg"),
        original.replace("odrl:eq", "odrl:neq"),
        original.replace("odrl:read", "odrl:modify"),
        original.replace("odrl:Set", "odrl:Offer"),
        original.replace("odrl:Set", "odrl:Set ; rdfs:label \"new\""),
    ] {
        assert_ne!(hash(&original), hash(&changed), "{changed}");
        assert_ne!(version(&original), version(&changed), "{changed}");
    }
    let empty = PolicySet::compile(dataset(), Vec::new()).unwrap();
    assert!(empty.decide(&ask()).is_err());
    assert_ne!(empty.version(), PolicySet::default().version());
}

#[test]
fn look_alikes_are_hashed_or_refused_but_never_hang() {
    let leaf = |i: usize| {
        format!(
            "[ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:v{i} ]"
        )
    };
    let target = |i: usize| {
        format!(
            "[ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:g{i} ] ]"
        )
    };
    let repeat = |count: usize, part: &dyn Fn(usize) -> String| {
        let parts: Vec<_> = (0..count).map(part).collect();
        parts.join(", ")
    };
    let rule = |targets: usize| {
        format!(
            "ex:p a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
            odrl:permission [ odrl:action odrl:read ; odrl:target {} ] .",
            repeat(targets, &target)
        )
    };
    assert!(turtle(&rule(6)).is_ok());
    let started = Instant::now();
    for poison in [
        rule(12),
        format!(
            "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:constraint [ odrl:and {} ] ] .",
            repeat(6, &|i| format!(
                "[ odrl:or {} ]",
                repeat(6, &|j| format!(
                    "[ odrl:or {} ]",
                    repeat(6, &|k| format!("[ odrl:and {} ]", leaf(i * 36 + j * 6 + k)))
                ))
            ))
        ),
    ] {
        let errors = turtle(&poison).unwrap_err();
        assert!(
            matches!(errors[..], [PolicyError::NotCanonical { .. }]),
            "{errors:?}"
        );
    }
    // Chains of look-alikes, as long as lists may be: the cells differ only below, or not at all.
    for item in
        [&|_| leaf(1), &|i| format!("[ odrl:and ({}) ]", leaf(i))] as [&dyn Fn(usize) -> String; 2]
    {
        let items: Vec<_> = (0..256).map(item).collect();
        let chain = format!(
            "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ;
            odrl:constraint [ odrl:or ({}) ] ] .",
            items.join(" ")
        );
        if let Err(errors) = turtle(&chain) {
            assert!(
                matches!(errors[..], [PolicyError::NotCanonical { .. }]),
                "{errors:?}"
            );
        }
    }
    // Far above what it takes, far below for ever.
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

//! Policies as a peer offers them: read in Turtle and JSON-LD, and where they are good, decided on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxrdf::NamedNode;
use oxrdfio::JsonLdProfileSet;
use twinlink_policy::{Ask, Policy, PolicySet, RdfFormat};

/// The stack that documents are read on.
const STACK: usize = 64 << 20;

fn read(text: &str, format: RdfFormat) {
    let Ok(policies) = Policy::parse(text, format, Some("http://e/")) else {
        return;
    };
    let Some(dataset) = policies.iter().find_map(|policy| policy.dataset().cloned()) else {
        return;
    };
    let Ok(set) = PolicySet::compile(dataset, policies) else {
        return;
    };
    let ask = Ask {
        participant: NamedNode::new_unchecked("http://e/fire"),
        subject: "officer".to_owned(),
        roles: vec![NamedNode::new_unchecked("http://e/officer")],
        purpose: Some(NamedNode::new_unchecked("http://e/rescue")),
        action: NamedNode::new_unchecked("http://www.w3.org/ns/odrl/2/read"),
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
    };
    drop(set.decide(&ask));
    set.explain(&ask);
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let format = match mode % 2 {
        0 => RdfFormat::Turtle,
        _ => RdfFormat::JsonLd {
            profile: JsonLdProfileSet::empty(),
        },
    };
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        builder
            .spawn_scoped(scope, || read(text, format))
            .unwrap()
            .join()
            .unwrap();
    });
});

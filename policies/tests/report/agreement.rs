//! The engine that compiles to guards and the evaluator of all of ODRL agree on what both understand.

use crate::support::graph;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use proptest::prelude::*;
use twinlink_policy::report::{Evaluator, Request, World};
use twinlink_policy::{Ask, Counter, Incident, Policy, PolicySet, RdfFormat, Usage};

const PREFIXES: &str =
    "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix ex: <http://example.org/> .
    @prefix tl: <https://w3id.org/twinlink/ns#> . @prefix dpv: <https://w3id.org/dpv#> .
    @prefix xsd: <http://www.w3.org/2001/XMLSchema#> . ";

const PURPOSES: &[&str] = &[
    "tl:UrbanPlanning",
    "dpv:PublicBenefit",
    "tl:EmergencyResponse",
    "ex:unheard",
];

fn purpose() -> impl Strategy<Value = String> {
    let operators = vec!["eq", "neq", "isAnyOf", "isNoneOf", "isA"];
    (prop::sample::select(operators), prop::sample::select(PURPOSES)).prop_map(|(operator, value)| {
        format!("[ odrl:leftOperand odrl:purpose ; odrl:operator odrl:{operator} ; odrl:rightOperand {value} ]")
    })
}

fn time() -> impl Strategy<Value = String> {
    let operators = vec!["eq", "neq", "lt", "lteq", "gt", "gteq"];
    let times = vec![
        "\"2026-11-20T12:00:00Z\"^^xsd:dateTime",
        "\"2026-11-20T12:30:00+01:00\"^^xsd:dateTime",
        "\"2026-11-20T12:30:00\"^^xsd:dateTime",
        "\"2026-11-20Z\"^^xsd:date",
        "\"2026-11-21Z\"^^xsd:date",
    ];
    (prop::sample::select(operators), prop::sample::select(times)).prop_map(|(operator, value)| {
        format!("[ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:{operator} ; odrl:rightOperand {value} ]")
    })
}

fn constraint() -> impl Strategy<Value = String> {
    prop_oneof![purpose(), time()].prop_recursive(3, 12, 3, |inner| {
        let logics = prop::sample::select(vec!["and", "or", "xone"]);
        (logics, prop::collection::vec(inner, 1..4))
            .prop_map(|(logic, parts)| format!("[ odrl:{logic} ( {} ) ]", parts.join(" ")))
    })
}

fn rule() -> impl Strategy<Value = String> {
    let assignees = vec!["", "odrl:assignee ex:alice ;", "odrl:assignee ex:bob ;"];
    let actions = vec!["odrl:use", "odrl:read", "odrl:reproduce", "odrl:sell"];
    (
        prop::sample::select(assignees),
        prop::sample::select(actions),
        prop::collection::vec(constraint(), 0..3),
    )
        .prop_map(|(assignee, action, constraints)| {
            let constraints: String = constraints
                .iter()
                .map(|constraint| format!("; odrl:constraint {constraint} "))
                .collect();
            format!("{assignee} odrl:action {action} ; odrl:target ex:x {constraints}")
        })
}

fn name(local: &str) -> oxrdf::NamedNode {
    let (namespace, local) = match local.split_once(':').unwrap() {
        ("tl", local) => ("https://w3id.org/twinlink/ns#", local),
        ("dpv", local) => ("https://w3id.org/dpv#", local),
        ("odrl", local) => ("http://www.w3.org/ns/odrl/2/", local),
        (_, local) => ("http://example.org/", local),
    };
    oxrdf::NamedNode::new(format!("{namespace}{local}")).unwrap()
}

proptest! {
    #[test]
    fn both_engines_agree(
        permission in rule(),
        prohibition in rule(),
        action in prop::sample::select(vec!["odrl:use", "odrl:read", "odrl:extract", "odrl:give"]),
        purpose in prop::option::of(prop::sample::select(PURPOSES)),
    ) {
        let policy = format!(
            "{PREFIXES} ex:p a odrl:Set ; odrl:conflict odrl:prohibit ; odrl:permission ex:may ; odrl:prohibition ex:not .
             ex:may {permission} . ex:not {prohibition} ."
        );
        let parsed = Policy::parse(&policy, RdfFormat::Turtle, None);
        let parsed = parsed.unwrap_or_else(|errors| panic!("{policy}\n{errors:?}"));
        let set = PolicySet::compile(name("ex:x"), parsed).unwrap();
        let explained = set.explain(&Ask {
            participant: name("ex:alice"),
            subject: "somebody".to_owned(),
            roles: Vec::new(),
            purpose: purpose.map(name),
            action: name(action),
            now: "2026-11-20T12:00:00Z".parse().unwrap(),
        });
        let claim = purpose.map_or(String::new(), |purpose| format!(
            "; odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand {purpose} ]"
        ));
        let request = graph(&format!(
            "ex:request a odrl:Request ; odrl:permission [ odrl:assignee ex:alice ; odrl:action {action} ; odrl:target ex:x {claim} ] ."
        ));
        let evaluator = Evaluator::read(&graph(&policy)).unwrap();
        let request = Request::read(&request).unwrap();
        let world = World::default().at("2026-11-20T12:00:00Z".parse().unwrap());
        let report = evaluator.evaluate(&request, &world);
        let by_guard: Vec<_> = explained.rules.iter().map(|rule| rule.active).collect();
        let by_report: Vec<_> = report.policies()[0].rules().iter().map(|rule| rule.is_active()).collect();
        prop_assert_eq!(by_guard, by_report, "{}", policy);
        prop_assert_eq!(explained.decision.is_ok(), report.is_permitted(), "{}", policy);
    }
}

/// What happened before, as both engines are told.
#[derive(Debug, Clone)]
struct Past {
    uses: u64,
    leak: u8,
    paid: Option<u8>,
}

fn clock(hour: u8) -> DateTime {
    format!("2026-11-20T{hour:02}:00:00Z").parse().unwrap()
}

struct Ledger {
    past: Past,
    incidents: Vec<Incident>,
}

impl twinlink_policy::World for Ledger {
    fn usage(&self, _: &Counter) -> Option<Usage> {
        Some(Usage {
            count: self.past.uses,
            ..Usage::default()
        })
    }

    fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    fn has_violations(&self, _: &NamedNode) -> bool {
        false
    }

    fn performed(&self, _: &NamedNode, action: &NamedNode) -> Option<DateTime> {
        let is_pay = *action == name("odrl:pay");
        self.past.paid.filter(|_| is_pay).map(clock)
    }
}

fn stateful() -> impl Strategy<Value = String> {
    let comparisons = || prop::sample::select(vec!["eq", "neq", "lt", "lteq", "gt", "gteq"]);
    let count = (comparisons(), 0..4_u8).prop_map(|(operator, right)| {
        format!("[ odrl:leftOperand odrl:count ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]")
    });
    let event = comparisons().prop_map(|operator| {
        format!("[ odrl:leftOperand odrl:event ; odrl:operator odrl:{operator} ; odrl:rightOperand ex:leak ]")
    });
    let recipient = prop::sample::select(vec![
        "eq ex:alice",
        "neq ex:bob",
        "isPartOf ex:team",
        "isPartOf ex:other",
    ]);
    let recipient = recipient.prop_map(|test| {
        let (operator, right) = test.split_once(' ').unwrap();
        format!("[ odrl:leftOperand odrl:recipient ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]")
    });
    prop_oneof![count, event, recipient, purpose(), time()].prop_recursive(2, 8, 3, |inner| {
        let logics = prop::sample::select(vec!["and", "or", "xone", "andSequence"]);
        (logics, prop::collection::vec(inner, 1..4))
            .prop_map(|(logic, parts)| format!("[ odrl:{logic} ( {} ) ]", parts.join(" ")))
    })
}

fn duty() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "; odrl:duty [ odrl:action odrl:compensate ]",
        "; odrl:duty [ odrl:action odrl:pay ; odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
            odrl:rightOperand \"2026-11-20T11:00:00Z\"^^xsd:dateTime ] ]",
        "; odrl:duty [ odrl:action odrl:pay ; odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:gt ;
            odrl:rightOperand \"2026-11-20T14:00:00Z\"^^xsd:dateTime ] ]",
    ])
    .prop_map(str::to_owned)
}

fn body() -> impl Strategy<Value = String> {
    let assignees = vec![
        "",
        "odrl:assignee ex:alice ;",
        "odrl:assignee ex:team ;",
        "odrl:assignee ex:bob ;",
    ];
    let actions = vec!["odrl:use", "odrl:read", "odrl:reproduce", "odrl:sell"];
    (
        prop::sample::select(assignees),
        prop::sample::select(actions),
        prop::collection::vec(stateful(), 0..3),
    )
        .prop_map(|(assignee, action, constraints)| {
            let constraints = constraints
                .iter()
                .map(|one| format!("; odrl:constraint {one} "));
            let constraints: String = constraints.collect();
            format!("{assignee} odrl:action {action} ; odrl:target ex:x {constraints}")
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn both_engines_agree_on_what_happened(
        (permission, duty, prohibition) in (body(), duty(), body()),
        strategy in prop::sample::select(vec!["perm", "prohibit"]),
        is_inherited in any::<bool>(),
        action in prop::sample::select(vec!["odrl:use", "odrl:read", "odrl:extract"]),
        past in (0..4_u64, 11..14_u8, prop::option::of(9..14_u8))
            .prop_map(|(uses, leak, paid)| Past { uses, leak, paid }),
    ) {
        let kind = if is_inherited { "odrl:Offer" } else { "odrl:Set" };
        let child = if is_inherited {
            format!("ex:child a odrl:Set ; odrl:conflict odrl:{strategy} ; odrl:inheritFrom ex:p .")
        } else {
            String::new()
        };
        let policy = format!(
            "{PREFIXES} ex:p a {kind} ; odrl:conflict odrl:{strategy} ; odrl:permission ex:may ; odrl:prohibition ex:not .
             ex:may {permission} {duty} . ex:not {prohibition} . {child}"
        );
        // Who is a part of what matters only to policies that ask.
        let asks = ["ex:team", "ex:other"].iter().any(|part| policy.contains(part));
        let parts = if asks { "ex:alice odrl:partOf ex:team ." } else { "" };
        let team = if policy.contains("assignee ex:team") { "ex:team a odrl:PartyCollection ." } else { "" };
        let policy = format!("{policy} {parts} {team}");
        let parsed = Policy::parse(&policy, RdfFormat::Turtle, None);
        let parsed = parsed.unwrap_or_else(|errors| panic!("{policy}\n{errors:?}"));
        let set = PolicySet::compile(name("ex:x"), parsed).unwrap();
        let begins = clock(past.leak);
        let leak = Incident {
            id: name("ex:leak"),
            kinds: Vec::new(),
            area: None,
            begins,
            ends: format!("2026-11-20T{:02}:00:01Z", past.leak).parse().unwrap(),
            declared_by: name("ex:city"),
        };
        let ledger = Ledger { past: past.clone(), incidents: vec![leak] };
        let ask = Ask {
            participant: name("ex:alice"),
            subject: "somebody".to_owned(),
            roles: Vec::new(),
            purpose: None,
            action: name(action),
            now: clock(12),
        };
        let explained = set.explain_in(&ask, &ledger);
        let request = graph(&format!(
            "ex:request a odrl:Request ; odrl:permission [ odrl:assignee ex:alice ; odrl:action {action} ; odrl:target ex:x ;
               odrl:constraint [ odrl:leftOperand odrl:recipient ; odrl:operator odrl:eq ; odrl:rightOperand ex:alice ] ] ."
        ));
        let paid = past.paid.map_or(String::new(), |hour| format!(
            "ex:done odrl:action odrl:pay ; odrl:assignee ex:alice ; dcterms:issued \"2026-11-20T{hour:02}:00:00Z\"^^xsd:dateTime ."
        ));
        let state = graph(&format!(
            "ex:may odrl:count {} . ex:not odrl:count {} . ex:alice odrl:partOf ex:team .
             ex:leak dcterms:issued \"{begins}\"^^xsd:dateTime . {paid}", past.uses, past.uses
        ));
        let evaluator = Evaluator::read(&graph(&policy)).unwrap();
        let request = Request::read(&request).unwrap();
        let world = World::read(&state).at(clock(12));
        let report = evaluator.evaluate(&request, &world);
        let by_guard: Vec<_> = explained.rules.iter().map(|rule| rule.active).collect();
        let by_report: Vec<_> = report.policies()[0].rules().iter().map(|rule| rule.is_active()).collect();
        prop_assert_eq!(by_guard, by_report, "{} {:?}", policy, past);
        prop_assert_eq!(explained.decision.is_ok(), report.is_permitted(), "{} {:?}", policy, past);
    }
}

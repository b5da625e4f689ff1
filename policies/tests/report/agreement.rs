//! The engine that compiles to guards and the evaluator of all of ODRL agree on what both understand.

use crate::support::graph;
use proptest::prelude::*;
use twinlink_policy::report::{Evaluator, Request, World};
use twinlink_policy::{Ask, Policy, PolicySet, RdfFormat};

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

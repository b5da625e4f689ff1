//! What the stock policies of the police let the fire brigade know before, in and after an incident.

use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use std::fs;
use std::path::Path;
use twinlink_policy::{
    Ask, Basis, Claimed, Claims, Counter, Denied, GraphNameKey, Incident, Permit, Policy,
    PolicySet, PurposeHierarchy, RdfFormat, Selector, Usage, World,
};

const LEAK: &str = "https://fire.example/incident/1";

/// One leak, from noon to six, of GRIP 2.
struct Leak(Vec<Incident>);

impl World for Leak {
    fn usage(&self, _: &Counter) -> Option<Usage> {
        Some(Usage::default())
    }

    fn incidents(&self) -> &[Incident] {
        &self.0
    }

    fn has_violations(&self, _: &NamedNode) -> bool {
        false
    }

    fn performed(&self, _: &NamedNode, _: &NamedNode) -> Option<DateTime> {
        None
    }
}

fn node(iri: &str) -> NamedNode {
    NamedNode::new(iri).unwrap()
}

fn nl(name: &str) -> NamedNode {
    node(&format!("https://w3id.org/twinlink/nl#{name}"))
}

fn graph(name: &str) -> Option<GraphNameKey> {
    let graph = node(&format!("https://police.example/graph/{name}"));
    Some(GraphNameKey::Named(graph))
}

fn asked(at: &str, breaks_glass: bool) -> Result<Permit, Denied> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("stock/police.ttl");
    let text = fs::read_to_string(path).unwrap();
    let policies = Policy::parse(&text, RdfFormat::Turtle, None).unwrap();
    let set = PolicySet::compile(node("https://police.example/twin"), policies).unwrap();
    let world = Leak(vec![Incident {
        id: node(LEAK),
        kinds: PurposeHierarchy::standard().kinds(&nl("GRIP2")),
        area: None,
        begins: "2026-11-20T12:00:00Z".parse().unwrap(),
        ends: "2026-11-20T18:00:00Z".parse().unwrap(),
        declared_by: node("https://fire.example/"),
    }]);
    let claims = Claims {
        breaks_glass: breaks_glass.then(|| node(LEAK)),
        ..Claims::default()
    };
    let ask = Ask {
        participant: node("https://fire.example/"),
        subject: "duty officer".to_owned(),
        roles: vec![nl("OvD-B")],
        purpose: Some(nl("SourceControl")),
        action: node("http://www.w3.org/ns/odrl/2/read"),
        now: at.parse().unwrap(),
    };
    set.decide_in(&ask, &Claimed::new(&world, &claims))
}

fn has_graph(selectors: &[Selector], name: &str) -> bool {
    selectors.iter().any(|one| one.graph == graph(name))
}

#[test]
fn the_scene_is_shown_as_it_is_and_notes_without_persons_while_the_incident_lasts() {
    for outside in ["2026-11-20T11:59:59Z", "2026-11-20T18:00:01Z"] {
        assert!(asked(outside, false).is_err(), "{outside}");
        assert!(asked(outside, true).is_err(), "{outside}");
    }
    let permit = asked("2026-11-20T12:30:00Z", false).unwrap();
    let guard = permit.guard();
    assert!(has_graph(guard.permits(), "cordons"));
    assert!(!has_graph(guard.permits(), "incident-notes"));
    let changed: Vec<_> = guard
        .transformed()
        .iter()
        .map(|one| &one.selector)
        .collect();
    assert!(
        changed
            .iter()
            .all(|one| one.graph == graph("incident-notes"))
    );
    assert_eq!(changed.len(), 1);
    assert_eq!(*permit.basis(), Basis::Ordinary);
}

#[test]
fn persons_are_shown_to_who_breaks_the_glass_and_that_is_reviewed() {
    let permit = asked("2026-11-20T12:30:00Z", true).unwrap();
    let guard = permit.guard();
    assert!(has_graph(guard.permits(), "incident-notes"));
    assert_eq!(*permit.basis(), Basis::BreakGlass(node(LEAK)));
    let review = node("https://w3id.org/twinlink/ns#review");
    assert!(
        permit
            .obligations()
            .iter()
            .any(|one| one.action == review && one.due.is_some())
    );
    assert!(permit.valid_until().is_some());
    // The closed circles stay closed.
    for closed in ["investigations", "threats", "informants"] {
        assert!(!has_graph(guard.permits(), closed), "{closed}");
    }
    assert!(guard.permits().iter().all(|one| one.graph.is_some()));
}

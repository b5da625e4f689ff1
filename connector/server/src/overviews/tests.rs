use super::*;
use oxrdf::{GraphName, Literal, NamedOrBlankNode, Quad, Term};
use proptest::prelude::*;
use twinlink_core::{Change, Twin as _};
use twinlink_policy::{Ask, GraphNameKey, Permit, Policy, PolicySet, RdfFormat, Selector};
use twinlink_store::EvaluationOptions;

fn iri(text: &str) -> NamedNode {
    NamedNode::new_unchecked(text)
}

fn quad() -> impl Strategy<Value = Quad> {
    let node = |n: u8| NamedOrBlankNode::from(iri(&format!("https://city.example/s{n}")));
    let graph = prop_oneof![
        Just(GraphName::DefaultGraph),
        (0..3_u8).prop_map(|n| GraphName::from(iri(&format!("urn:g{n}"))))
    ];
    (0..5_u8, 0..3_u8, 0..9_u8, graph).prop_map(move |(s, p, o, graph)| {
        let object: Term = match o {
            0..5 => node(o).into(),
            _ => Literal::from(u64::from(o)).into(),
        };
        Quad::new(node(s), iri(&format!("urn:p{p}")), object, graph)
    })
}

fn selector() -> impl Strategy<Value = Selector> {
    let graph = prop_oneof![
        Just(None),
        Just(Some(GraphNameKey::Default)),
        (0..3_u8).prop_map(|n| Some(GraphNameKey::Named(iri(&format!("urn:g{n}")))))
    ];
    let property = prop::option::of((0..3_u8).prop_map(|n| iri(&format!("urn:p{n}"))));
    (graph, property).prop_map(|(graph, property)| Selector {
        graph,
        property,
        ..Selector::default()
    })
}

fn guard() -> impl Strategy<Value = Guard> {
    let permits = prop::collection::vec(selector(), 1..3);
    let prohibitions = prop::collection::vec(selector(), 0..3);
    (permits, prohibitions).prop_map(|(permits, prohibitions)| Guard::new(permits, prohibitions))
}

fn all() -> Permit {
    let text = "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
        <urn:policy> a odrl:Set ; odrl:permission [ odrl:target <urn:twin> ; odrl:action odrl:use ] .";
    let policies = Policy::parse(text, RdfFormat::Turtle, None).unwrap();
    let set = PolicySet::compile(iri("urn:twin"), policies).unwrap();
    let ask = |action: &str| Ask {
        participant: iri("https://city.example/"),
        subject: String::new(),
        roles: Vec::new(),
        purpose: None,
        action: iri(&format!("http://www.w3.org/ns/odrl/2/{action}")),
        now: DateTime::now(),
    };
    set.decide(&ask("modify")).unwrap()
}

fn store(quads: &[Quad]) -> TwinStore {
    let store = TwinStore::in_memory(EvaluationOptions::default()).unwrap();
    put(&store, quads);
    store
}

fn put(store: &TwinStore, quads: &[Quad]) {
    let change = Change::Insert(quads.to_vec());
    store.change(&change, None, &all(), &budget()).unwrap();
}

fn budget() -> Budget {
    Budget::new(Instant::now() + Duration::from_secs(60), u64::MAX)
}

fn bytes(summary: Option<Option<Arc<Summary>>>) -> Vec<u8> {
    summary.unwrap().unwrap().encode()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What is withheld leaves no trace: the summary behind a guard is, byte for byte and by its version, that of a twin
    /// that holds nothing else.
    #[test]
    fn summaries_are_of_the_view(quads in prop::collection::vec(quad(), 0..40), guard in guard()) {
        let whole = store(&quads);
        let snapshot = whole.snapshot();
        let seen: Vec<_> = snapshot.quads(&guard, &budget()).unwrap().collect();
        let copy = store(&seen);
        let told = bytes(made(&snapshot, &guard, &budget()));
        prop_assert_eq!(told, bytes(made(&copy.snapshot(), &Guard::everything(), &budget())));
    }

    /// One that is kept up with changes is the one that would be made anew.
    #[test]
    fn what_is_kept_up_is_as_made_anew(
        quads in prop::collection::vec(quad(), 0..20),
        changes in prop::collection::vec(prop::collection::vec(quad(), 1..4), 1..4),
        guard in guard(),
    ) {
        let store = store(&quads);
        let before = store.snapshot();
        let summary = made(&before, &guard, &budget()).unwrap();
        let entry = Entry::new(&before, summary, Duration::ZERO);
        for change in &changes {
            put(&store, change);
        }
        let now = store.snapshot();
        let up = kept_up(&store, &now, &guard, Some(&entry), &budget());
        prop_assume!(now.sequence() > before.sequence());
        prop_assert_eq!(bytes(Some(up)), bytes(made(&now, &guard, &budget())));
    }
}

fn policies(rules: &str) -> PolicySet {
    let text = format!(
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <https://w3id.org/twinlink/ns#> .
         <urn:policy> a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; {rules} ."
    );
    let policies = Policy::parse(&text, RdfFormat::Turtle, None).unwrap();
    PolicySet::compile(iri("urn:twin"), policies).unwrap()
}

// INVARIANT(told-on-by-policy)
#[test]
fn who_may_be_told_changes_with_policies_and_time() {
    let read = "odrl:permission [ odrl:target <urn:twin> ; odrl:action odrl:read ]";
    let distribute = |more: &str| {
        let all = "odrl:target <urn:twin> ; odrl:action odrl:distribute";
        policies(&format!("{read}, [ {all} {more} ]"))
    };
    let until = "; odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
        odrl:rightOperand \"2026-06-01T00:00:00Z\"^^<http://www.w3.org/2001/XMLSchema#dateTime> ]";
    let (always, for_a_time, never) = (distribute(""), distribute(until), policies(read));
    let [before, after]: [DateTime; 2] =
        ["2026-05-01T00:00:00Z", "2026-07-01T00:00:00Z"].map(|time| time.parse().unwrap());
    let permit = never.decide(&Ask {
        participant: iri("https://officer.example/"),
        subject: "officer".to_owned(),
        roles: Vec::new(),
        purpose: None,
        action: iri("http://www.w3.org/ns/odrl/2/read"),
        now: before,
    });
    let permit = permit.unwrap();
    let kept = Recipients::default();
    let peer = iri("https://a.example/");
    let is_told = |policies: &PolicySet, now: DateTime| {
        let told = kept.of(policies, vec![peer.clone()], &permit, None, now);
        told == [peer.clone()]
    };
    for _ in 0..2 {
        assert!(is_told(&for_a_time, before));
        assert!(!is_told(&for_a_time, after));
        assert!(is_told(&for_a_time, before));
        assert!(!is_told(&never, before));
        assert!(is_told(&always, after));
    }
    // One that is no peer any more is not named.
    assert!(
        kept.of(&always, Vec::new(), &permit, None, after)
            .is_empty()
    );
}

#[test]
fn told_on_by_policy() {
    let told = |rules: &str, purpose: Option<&str>| {
        let set = policies(rules);
        let ask = Ask {
            participant: iri("https://officer.example/"),
            subject: "officer".to_owned(),
            roles: Vec::new(),
            purpose: purpose.map(iri),
            action: iri("http://www.w3.org/ns/odrl/2/read"),
            now: DateTime::now(),
        };
        let permit = set.decide(&ask).unwrap();
        let peers = vec![iri("https://a.example/"), iri("https://b.example/")];
        let kept = Recipients::default();
        let recipients = kept.of(&set, peers, &permit, ask.purpose.as_ref(), ask.now);
        let names = recipients.iter().map(|name| name.as_str().to_owned());
        names.collect::<Vec<_>>()
    };
    let read = "odrl:permission [ odrl:target <urn:twin> ; odrl:action odrl:read ]";
    assert!(told(read, None).is_empty());
    let to = |more: &str| {
        format!(
            "{read}, [ odrl:target <urn:twin> ; odrl:action odrl:distribute ; odrl:assignee <https://a.example/> {more} ]"
        )
    };
    assert_eq!(told(&to(""), None), ["https://a.example/"]);
    // For a purpose; counted; and of a part only.
    let purpose = "; odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand <urn:rescue> ]";
    assert!(told(&to(purpose), None).is_empty());
    assert_eq!(
        told(&to(purpose), Some("urn:rescue")),
        ["https://a.example/"]
    );
    let counted = "; odrl:constraint [ odrl:leftOperand odrl:count ; odrl:operator odrl:lteq ; odrl:rightOperand 5 ]";
    assert!(told(&to(counted), None).is_empty());
    let part = to("").replace(
        "[ odrl:target <urn:twin> ; odrl:action odrl:distribute",
        "[ odrl:target [ odrl:source <urn:twin> ; odrl:refinement [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand <urn:g0> ] ] ; odrl:action odrl:distribute",
    );
    assert!(told(&part, None).is_empty());
    // Whom one may tell is part of the version.
    let summary = Summary::of("v".to_owned(), Vec::new(), &SummaryLimits::default());
    let summary = Arc::new(summary.unwrap());
    let with = told_to(&summary, vec![iri("https://a.example/")]);
    assert_ne!(summary.version(), with.version());
    assert_eq!(with.recipients(), [iri("https://a.example/")]);
}

#[test]
fn a_guard_that_looks_at_classes_is_not_kept_up_by_graph() {
    let class = Selector {
        class: Some(iri("urn:c")),
        ..Selector::default()
    };
    assert!(!shown::is_by_graph(&Guard::new(vec![class], Vec::new())));
    assert!(shown::is_by_graph(&Guard::everything()));
}

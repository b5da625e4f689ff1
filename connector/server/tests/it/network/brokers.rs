//! Questions that a broker passes on: to its own members, for people of others, with a word on everyone.

use super::caller::{Answered, PATIENCE, value};
use super::town::{Organisation, Permission};
use std::collections::BTreeSet;
use twinlink_client::{SourceState, SourceState::*};
use twinlink_trust::{EntryKind, list_entries};
use twinlink_vocab::tl;

const ALL: &str = "SELECT ?thing ?class WHERE { ?thing a ?class }";
const NAMED: &str = "SELECT ?thing ?class WHERE { ?thing a ?class FILTER(isIRI(?thing)) }";
const CITY: &str = "https://city.example/";
const POLICE: &str = "https://police.example/";
const RESCUE: &str = "https://rescue.example/";

/// The rescue department asks, the city is its broker, and the police are a peer of the city's only.
struct Chain {
    rescue: Organisation,
    city: Organisation,
    police: Organisation,
}

/// Who opted in to what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consent {
    Everyone,
    /// The city passes nothing on.
    NotTheBroker,
    /// The police answer the city for its own people only.
    NotTheMember,
    /// All three are brokers to each other.
    InACircle,
}

impl Chain {
    async fn new(consent: Consent) -> Self {
        let mut chain = Self {
            rescue: Organisation::new("rescue"),
            city: Organisation::new("city"),
            police: Organisation::new("police"),
        };
        let Self {
            rescue,
            city,
            police,
        } = &chain;
        rescue.import(
            "<https://rescue.example/hydrant> a tl:Hydrant ; tl:name [ a tl:Unit ] .",
            None,
        );
        city.import(
            "<https://city.example/school> a tl:School ; tl:near <https://police.example/cordon> .",
            None,
        );
        police.import(
            "<https://police.example/cordon> a tl:Cordon ; tl:name [ a tl:Unit ] .",
            None,
        );
        for organisation in [rescue, city, police] {
            organisation.permit(
                "all",
                Permission {
                    role: Some(tl::RESCUE_OFFICER),
                    ..Permission::default()
                },
            );
        }
        for organisation in [&mut chain.rescue, &mut chain.city, &mut chain.police] {
            organisation.serve().await;
        }
        chain.introduce(consent);
        for organisation in [&chain.rescue, &chain.city, &chain.police] {
            organisation.node().reload().unwrap();
        }
        chain
    }

    fn introduce(&self, consent: Consent) {
        let Self {
            rescue,
            city,
            police,
        } = self;
        let officers: &[_] = &[tl::RESCUE_OFFICER];
        let meet = |one: &Organisation, other: &Organisation, options: &[&str]| {
            one.introduce_as(&other.card(), officers, &[], options);
        };
        let both: &[_] = &["--broker", "--brokered"];
        match consent {
            Consent::InACircle => {
                meet(rescue, city, both);
                meet(city, rescue, both);
                meet(city, police, both);
                meet(police, city, both);
                meet(police, rescue, both);
            }
            Consent::Everyone | Consent::NotTheBroker | Consent::NotTheMember => {
                meet(rescue, city, &["--broker"]);
                let passes = consent != Consent::NotTheBroker;
                meet(
                    city,
                    rescue,
                    if passes {
                        &["--brokered", "--asks-only"]
                    } else {
                        &["--asks-only"]
                    },
                );
                meet(city, police, &[]);
                let takes = consent != Consent::NotTheMember;
                meet(
                    police,
                    city,
                    if takes {
                        &["--broker", "--asks-only"]
                    } else {
                        &["--asks-only"]
                    },
                );
            }
        }
    }

    async fn ask(&self, query: &str) -> Answered {
        let officer = self.rescue.caller(&[tl::RESCUE_OFFICER], None);
        officer
            .ask_all(&self.rescue, query, PATIENCE)
            .await
            .unwrap()
    }
}

fn states(answered: &Answered) -> BTreeSet<(&str, &str)> {
    let sources = answered.outcome.sources.iter();
    sources
        .map(|source| (source.participant.as_str(), source.state.as_str()))
        .collect()
}

fn all(state: SourceState) -> BTreeSet<(&'static str, &'static str)> {
    [RESCUE, CITY, POLICE]
        .map(|one| (one, state.as_str()))
        .into()
}

/// Each row's first value, and the participants it rests on.
fn rows(answered: &Answered) -> Vec<(String, Vec<&str>)> {
    let sources = &answered.outcome.sources;
    let rows = answered.rows.iter().map(|row| {
        let names = row
            .sources
            .iter()
            .map(|source| sources[usize::from(*source)].participant.as_str());
        (value(row, 0), names.collect())
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn no_source_is_lost_behind_a_broker() {
    let chain = Chain::new(Consent::Everyone).await;
    let answered = chain.ask(NAMED).await;
    let expected = [(CITY, "school"), (POLICE, "cordon"), (RESCUE, "hydrant")]
        .map(|(who, thing)| (format!("{who}{thing}"), vec![who]));
    assert_eq!(rows(&answered), expected);
    assert_eq!(states(&answered), all(Complete));
    assert!(answered.outcome.complete);
    // Who gave rows tells by which policy, and with which receipt.
    for source in &answered.outcome.sources[1..] {
        assert!(!source.policies.is_empty(), "{source:?}");
        assert!(source.receipt.is_some(), "{source:?}");
    }
    // A join over what the broker has and what its member has, and one over all three.
    let join = "SELECT ?thing ?other ?mine WHERE { ?thing <https://w3id.org/twinlink/ns#near> ?other . ?other a ?class .
        ?mine a <https://w3id.org/twinlink/ns#Hydrant> }";
    let answered = chain.ask(join).await;
    assert_eq!(answered.rows.len(), 1);
    let (_, sources) = &rows(&answered)[0];
    let sources: BTreeSet<_> = sources.iter().copied().collect();
    assert_eq!(sources, BTreeSet::from([CITY, POLICE, RESCUE]));
    // What only the broker's member has goes to it whole.
    let answered = chain
        .ask("SELECT ?x WHERE { ?x a <https://w3id.org/twinlink/ns#Cordon> }")
        .await;
    assert_eq!(rows(&answered), [(format!("{POLICE}cordon"), vec![POLICE])]);
    let asked = chain
        .ask("ASK { ?x a <https://w3id.org/twinlink/ns#Cordon> }")
        .await;
    assert!(asked.outcome.complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_member_knows_for_whom_a_broker_asks() {
    let mut chain = Chain::new(Consent::Everyone).await;
    chain.ask(ALL).await;
    chain.police.stop().await;
    let journal = chain.police.store().journal();
    let entries = list_entries(&journal, 0, 1_000).unwrap();
    let users: BTreeSet<_> = entries
        .into_iter()
        .filter_map(|(_, entry)| match entry.kind {
            EntryKind::Intent { used, .. } => Some((used.participant?, used.subject?)),
            _ => None,
        })
        .collect();
    assert!(!users.is_empty());
    for (participant, subject) in users {
        assert_eq!(participant, CITY);
        assert!(subject.ends_with(&format!(" of <{RESCUE}>")), "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_say_so() {
    for consent in [Consent::NotTheBroker, Consent::NotTheMember] {
        let mut chain = Chain::new(consent).await;
        let answered = chain.ask(ALL).await;
        let expected = [(RESCUE, "complete"), (CITY, "complete"), (POLICE, "denied")];
        assert_eq!(states(&answered), expected.into());
        assert!(!answered.outcome.complete);
        chain.police.stop().await;
        let refusals = chain.police.refusals();
        match consent {
            // It was not even asked.
            Consent::NotTheBroker => assert_eq!(refusals, [""; 0]),
            _ => assert!(
                refusals.iter().all(|check| check == "token.on_behalf") && !refusals.is_empty(),
                "{refusals:?}"
            ),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_loops() {
    let chain = Chain::new(Consent::InACircle).await;
    let answered = chain.ask(ALL).await;
    assert_eq!(states(&answered), all(Complete));
    assert!(answered.outcome.complete);
    // Each quad counts once, those with blank nodes too.
    let blank = rows(&answered).into_iter();
    let blank = blank.filter(|(thing, _)| !thing.starts_with("https:"));
    assert_eq!(blank.count(), 2);
    assert_eq!(answered.rows.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_behind_a_broker_that_does_not_answer_is_told_of() {
    let mut chain = Chain::new(Consent::Everyone).await;
    chain.police.stop().await;
    let answered = chain
        .ask("SELECT ?x WHERE { ?x a ?class MINUS { ?x a <https://w3id.org/twinlink/ns#Cordon> } }")
        .await;
    let expected = [
        (RESCUE, "complete"),
        (CITY, "complete"),
        (POLICE, "unreachable"),
    ];
    assert_eq!(states(&answered), expected.into());
    assert!(!answered.outcome.complete);
    assert!(!answered.outcome.unsure.is_empty());
}

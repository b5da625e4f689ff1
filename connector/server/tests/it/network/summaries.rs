//! Members that tell in short what they show: questions are planned by it, and answered just the same.

use super::caller::{Answered, Caller, PATIENCE};
use super::town::{Organisation, Permission, Town};
use std::collections::BTreeSet;
use tokio::time::Instant;
use twinlink_client::{Error, Summarized, SummaryOptions, SummaryReply};
use twinlink_federation::{Summary, SummaryLimits};
use twinlink_trust::EntryKind;
use twinlink_vocab::tl;

/// Over what is in default graphs: only that is summarized.
const NAMED: &str = "PREFIX tl: <https://w3id.org/twinlink/ns#>
    SELECT ?thing ?name WHERE { ?thing tl:kind ?kind . ?kind tl:name ?name }";

fn rows(answered: &Answered) -> BTreeSet<String> {
    let rows = answered.rows.iter();
    rows.map(|row| format!("{:?}", row.values)).collect()
}

async fn summary(caller: &Caller, at: &Organisation, held: Option<&str>) -> Summarized {
    let begun = Instant::now();
    loop {
        let told = summarize(caller, at, held).await.unwrap();
        // It is made in the background, after the first who asks.
        if told.reply != SummaryReply::None || begun.elapsed() > PATIENCE {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn summarize(
    caller: &Caller,
    at: &Organisation,
    held: Option<&str>,
) -> Result<Summarized, Error> {
    let client = caller.client(at).await.unwrap();
    client.summarize(options(held)).await
}

fn options(held: Option<&str>) -> SummaryOptions {
    SummaryOptions {
        purpose: None,
        break_glass: None,
        request_id: None,
        envelope: None,
        held: held.map(str::to_owned),
        confirm: false,
        deadline: Instant::now() + PATIENCE,
    }
}

fn decoded(summarized: Summarized) -> (Summary, Vec<u8>) {
    let SummaryReply::Bytes(bytes) = summarized.reply else {
        panic!("no summary")
    };
    let summary = Summary::decode(&bytes, &SummaryLimits::default()).unwrap();
    (summary, bytes)
}

async fn insert(at: &Organisation, triple: &str) {
    let update = format!("PREFIX tl: <{}> INSERT DATA {{ {triple} }}", tl::NAMESPACE);
    let page = at.steward().update(at, &update).await;
    assert_eq!(page.status, http::StatusCode::NO_CONTENT, "{}", page.text);
}

/// How often one used the other's twin, once that does not serve.
fn uses(of: &Organisation, by: &Organisation) -> usize {
    let journal = of.store().journal();
    let entries = twinlink_trust::list_entries(&journal, 0, 10_000).unwrap();
    let is_by = |kind: &EntryKind| match kind {
        EntryKind::Completion { used, .. } => used.participant.as_deref() == Some(by.id.as_str()),
        _ => false,
    };
    entries.iter().filter(|(_, one)| is_by(&one.kind)).count()
}

/// Three organisations that show each other's default graphs to everyone.
async fn open_town() -> Town {
    let town = Town::new().await;
    for one in [&town.city, &town.rescue, &town.police] {
        one.permit("open", Permission::default());
        one.node().reload().unwrap();
    }
    insert(&town.city, "<urn:school> tl:kind <urn:kind> .").await;
    insert(&town.police, "<urn:kind> tl:name 'a kind' .").await;
    town
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_at_a_peer_is_in_the_answer_to_the_next_question() {
    let town = open_town().await;
    let caller = town.rescue.caller(&[tl::RESCUE_OFFICER], None);
    let ask = || caller.ask_all(&town.rescue, NAMED, PATIENCE);
    let first = ask().await.unwrap();
    assert_eq!(first.rows.len(), 1, "{first:?}");
    assert!(first.outcome.complete);
    // By what is held now.
    assert_eq!(rows(&ask().await.unwrap()), rows(&first));

    insert(&town.police, "<urn:other> tl:name 'another' .").await;
    insert(&town.city, "<urn:office> tl:kind <urn:other> .").await;
    let second = ask().await.unwrap();
    assert_eq!(second.rows.len(), 2, "{second:?}");
    assert!(rows(&second).is_superset(&rows(&first)));
    insert(&town.rescue, "<urn:third> tl:kind <urn:kind> .").await;
    assert_eq!(ask().await.unwrap().rows.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_planned_by_summaries() {
    let mut town = open_town().await;
    let caller = town.rescue.caller(&[tl::RESCUE_OFFICER], None);
    for _ in 0..2 {
        let answered = caller.ask_all(&town.rescue, NAMED, PATIENCE).await;
        assert!(answered.unwrap().outcome.complete);
    }
    town.city.stop().await;
    // The import and the policies aside: the summary, which the second question has confirmed only, and each question's part.
    let uses = uses(&town.city, &town.rescue);
    assert_eq!(uses, 3, "{uses}");
}

/// INVARIANT(confirmed-tells-nothing)
#[tokio::test(flavor = "multi_thread")]
async fn confirmed_tells_nothing() {
    let mut town = open_town().await;
    let caller = town.rescue.caller(&[], None);
    let (known, _) = decoded(summary(&caller, &town.city, None).await);
    let client = caller.client(&town.city).await.unwrap();
    let confirm = async |held: Option<&str>| {
        let confirm = SummaryOptions {
            confirm: true,
            ..options(held)
        };
        client.summarize(confirm).await.unwrap()
    };
    let held = Some(known.version());
    let told = confirm(held).await;
    assert_eq!(told.reply, SummaryReply::Held);
    assert_eq!(told.outcome.unwrap().receipt, "");
    // Who holds nothing, or something else, is told nothing in this way.
    for held in [None, Some("7"), Some("")] {
        assert_eq!(confirm(held).await.reply, SummaryReply::None);
    }
    insert(&town.city, "<urn:more> tl:kind <urn:kind> .").await;
    assert_eq!(confirm(held).await.reply, SummaryReply::None);
    town.city.stop().await;
    // Only the summary was a use.
    assert_eq!(uses(&town.city, &town.rescue), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn summaries_are_of_the_view() {
    let town = Town::new().await;
    let graph = town.police.graph("cordons");
    // To the rescue department's people: one of two predicates of the default graph.
    let id = town.police.id.as_str();
    let text = format!(
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .\n@prefix tl: <{}> .\n\
         <{id}policy/names> a odrl:Set ; odrl:profile {} ; odrl:permission [ odrl:action odrl:read ; odrl:target \
         [ a odrl:AssetCollection ; odrl:source <{id}twin> ; odrl:refinement \
         [ odrl:leftOperand tl:property ; odrl:operator odrl:isAnyOf ; odrl:rightOperand tl:name ] ] ] .",
        tl::NAMESPACE,
        tl::PROFILE,
    );
    std::fs::write(town.police.path("policies/names.ttl"), text).unwrap();
    town.police.node().reload().unwrap();
    insert(&town.police, "<urn:shown> tl:name 'shown' .").await;
    let caller = town.rescue.caller(&[], None);
    let (before, bytes) = decoded(summary(&caller, &town.police, None).await);
    assert_eq!(before.quads(), 1);

    // What is not shown leaves no trace: the same bytes, and what is held is good.
    insert(&town.police, "<urn:secret> tl:hidden 'secret' .").await;
    insert(
        &town.police,
        &format!("GRAPH <{graph}> {{ <urn:s> tl:hidden 'x' }}"),
    )
    .await;
    assert_eq!(decoded(summary(&caller, &town.police, None).await).1, bytes);
    let held = Some(before.version());
    let told = summary(&caller, &town.police, held).await;
    assert_eq!(told.reply, SummaryReply::Held);
    // It is a use, and it has a receipt.
    assert!(!told.outcome.unwrap().receipt.is_empty());
    // Its own steward sees it.
    let (own, _) = decoded(summary(&town.police.steward(), &town.police, None).await);
    assert!(own.quads() > 2);
    insert(&town.police, "<urn:more> tl:name 'more' .").await;
    // In whole, as to one who has none.
    let (after, _) = decoded(summary(&caller, &town.police, None).await);
    assert_eq!(after.quads(), 2);
    assert_ne!(after.version(), before.version());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_nothing_gets_no_summary_and_that_is_on_record() {
    let mut town = Town::new().await;
    let caller = town.city.caller(&[], None);
    let refused = summarize(&caller, &town.police, None).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    town.police.stop().await;
    assert_eq!(town.police.refusals(), ["policy"]);
}

//! Who goes away from a federated question frees the threads of the members that were asked for it.

use super::super::town::{Organisation, Permission};
use super::{Asked, ENDLESS, LONG, ROWS, hang, hub, wait_for};
use twinlink_vocab::tl;

/// The rescue department, whose officers ask, and the city, which has all the data. Each has two evaluation threads.
async fn two() -> (Organisation, Organisation) {
    let (mut rescue, mut city) = (Organisation::new("rescue"), Organisation::new("city"));
    city.import(&hub(), Some("hub"));
    let officer = Permission {
        role: Some(tl::RESCUE_OFFICER),
        ..Permission::default()
    };
    for organisation in [&mut rescue, &mut city] {
        organisation.permit("officers", officer);
        organisation.configure(&format!("[limits]\ndeadline_seconds = {}", LONG.as_secs()));
        organisation.serve().await;
    }
    city.introduce(&rescue, &[tl::RESCUE_OFFICER], &[]);
    rescue.introduce(&city, &[], &[]);
    for organisation in [&rescue, &city] {
        organisation.node().reload().unwrap();
    }
    (rescue, city)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_frees_the_threads_of_members() {
    let (rescue, city) = two().await;
    let officer = rescue.caller(&[tl::RESCUE_OFFICER], None);
    let graph = city.graph("hub");
    for (query, door) in [
        (format!("ASK FROM <{graph}> {ENDLESS}"), "grpc"),
        (
            format!("SELECT (COUNT(*) AS ?n) FROM <{graph}> WHERE {ENDLESS}"),
            "http/2",
        ),
        (
            format!("SELECT * FROM <{graph}> WHERE {ENDLESS}"),
            "http/1.1",
        ),
        // Rows all the time: on their way from the member when their reader leaves.
        (
            ROWS.replace("WHERE", &format!("FROM <{graph}> WHERE")),
            "grpc",
        ),
        (
            ROWS.replace("WHERE", &format!("FROM <{graph}> WHERE")),
            "http/2",
        ),
        (
            ROWS.replace("WHERE", &format!("FROM <{graph}> WHERE")),
            "http/1.1",
        ),
    ] {
        let text = format!("PREFIX tl: <https://w3id.org/twinlink/ns#> {query}");
        let asked = Asked {
            federated: true,
            ..Asked::query(text)
        };
        let case = format!("{door}: {query}");
        let asked = tokio::spawn(hang(&rescue, &officer, asked, door).await);
        wait_for(&city, 1, &case).await;
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled(), "{case}");
        wait_for(&city, 0, &case).await;
        wait_for(&rescue, 0, &case).await;
    }
}

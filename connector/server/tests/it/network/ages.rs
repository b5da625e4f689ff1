//! Sources that are older than the caller accepts, or do not tell how old they are.

use super::caller::PATIENCE;
use super::town::{Organisation, Permission};
use http::Method;
use std::fs;
use std::time::Duration;
use tokio::time::Instant;
use twinlink_client::{Error, QueryOptions, Requirement, SourceState};
use twinlink_vocab::tl;

const ALL: &str = "SELECT * { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }";
const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

/// The city, whose steward sees all of it, and the police, who show the city a graph and not when it changed.
async fn pair() -> (Organisation, Organisation) {
    let mut city = Organisation::new("city");
    city.import("<https://city.example/school> a tl:School .", None);
    city.serve().await;
    let mut police = Organisation::new("police");
    police.import(
        "<https://police.example/cordon> a tl:Cordon .",
        Some("cordons"),
    );
    police.permit(
        "cordons",
        Permission {
            graphs: &["cordons"],
            ..Permission::default()
        },
    );
    let file = police.path("twinlink.toml");
    let text = fs::read_to_string(&file).unwrap();
    let untold = text.replace("# age_grain_seconds = 60", "age_grain_seconds = 0");
    assert_ne!(text, untold);
    fs::write(&file, untold).unwrap();
    police.serve().await;
    police.introduce(&city, &[tl::STEWARD], &[]);
    police.node().reload().unwrap();
    city.introduce(&police, &[], &[]);
    city.node().reload().unwrap();
    (city, police)
}

fn asked(max_age: Option<Duration>, exact: bool) -> QueryOptions {
    QueryOptions {
        federated: true,
        require: Requirement {
            max_age,
            exact,
            ..Requirement::default()
        },
        ..QueryOptions::new(ALL, Instant::now() + PATIENCE)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_tell_its_age_is_stale_where_that_matters() {
    let (city, _police) = pair().await;
    let steward = city.steward();
    let (complete, stale) = (SourceState::Complete, SourceState::Stale);
    for (max_age, expected) in [(None, [complete, complete]), (HOUR, [complete, stale])] {
        let answered = steward.put(&city, asked(max_age, false)).await.unwrap();
        assert_eq!(answered.rows.len(), 2);
        let sources = &answered.outcome.sources;
        assert_eq!([sources[0].state, sources[1].state], expected);
        assert_eq!(sources[1].as_of, None);
        assert_eq!(answered.outcome.complete, max_age.is_none());
    }
    // Rows that may be wrong for their age are not exact.
    let refused = steward.put(&city, asked(HOUR, true)).await;
    match refused {
        Err(Error::Insufficient { text, sources }) => {
            assert!(
                text.contains("<https://police.example/> is stale"),
                "{text}"
            );
            assert!(sources.iter().any(|source| source.state == stale));
        }
        other => panic!("{other:?}"),
    }

    let get = |parameters: &str| {
        let path = format!("/sparql?federated=true{parameters}");
        let kind = "application/sparql-query";
        let request = steward.request(&city, Method::POST, &path, kind, ALL);
        steward.send(&city, request)
    };
    let page = get("&max-age=1h").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let sources: serde_json::Value = serde_json::from_str(page.header("twinlink-sources")).unwrap();
    assert_eq!(sources[1]["state"], "stale");
    let reason = sources[1]["reason"].as_str().unwrap();
    assert!(
        reason.contains("tells no time of its last change"),
        "{reason}"
    );
    assert_eq!(get("&max-age=1h&require=all").await.status, 503);
    assert_eq!(get("&max-age=soon").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peers_file_says_how_old_it_may_be() {
    let (city, _police) = pair().await;
    let file = city.path("peers/police.example.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("max_age_seconds = 3600\n{text}")).unwrap();
    city.node().reload().unwrap();
    let answered = city.steward().put(&city, asked(None, false)).await.unwrap();
    assert_eq!(answered.outcome.sources[1].state, SourceState::Stale);
    fs::write(&file, format!("max_age_seconds = 0\n{text}")).unwrap();
    assert!(city.node().reload().is_err());
}

//! Changes through the guarded view: what is not permitted changes nothing, what is acknowledged stays.

use super::caller::Caller;
use super::town::{Organisation, Permission};
use http::{Method, StatusCode};
use twinlink_vocab::tl;

/// Police whose officers may read and change the cordons; the notes they may neither read nor change, and to the
/// archive they may only add.
async fn police() -> (Organisation, Caller) {
    let mut police = Organisation::new("police");
    police.import(
        "<https://police.example/cordon> a tl:Cordon .",
        Some("cordons"),
    );
    police.import(
        "<https://police.example/note> a tl:IncidentNote .",
        Some("notes"),
    );
    police.import(
        "<https://police.example/old> a tl:Cordon .",
        Some("archive"),
    );
    let officer = Permission {
        role: Some(tl::POLICE_OFFICER),
        ..Permission::default()
    };
    let readable = ["cordons", "archive"];
    police.permit(
        "read",
        Permission {
            graphs: &readable,
            ..officer
        },
    );
    let changeable = Permission {
        graphs: &["cordons"],
        action: "modify",
        ..officer
    };
    police.permit("modify", changeable);
    police.serve().await;
    let caller = police.caller(&[tl::POLICE_OFFICER], None);
    (police, caller)
}

fn update(text: &str) -> String {
    let text = text
        .replace("CORDONS", "<https://police.example/graph/cordons>")
        .replace("NOTES", "<https://police.example/graph/notes>")
        .replace("ARCHIVE", "<https://police.example/graph/archive>");
    format!("PREFIX : <https://police.example/> {text}")
}

async fn everything(police: &Organisation) -> Vec<String> {
    let query = "SELECT ?g ?s ?p ?o WHERE { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }";
    let answered = police.steward().ask(police, query).await.unwrap();
    let mut rows: Vec<_> = answered
        .rows
        .iter()
        .map(|row| format!("{:?}", row.values))
        .collect();
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_matches_only_what_its_caller_may_read() {
    let (police, officer) = police().await;
    for text in [
        "INSERT { GRAPH CORDONS { ?s :copied ?o } } WHERE { GRAPH NOTES { ?s ?p ?o } }",
        "INSERT { GRAPH CORDONS { :x :count ?n } } WHERE { SELECT (COUNT(*) AS ?n) { GRAPH NOTES { ?s ?p ?o } } HAVING (COUNT(*) > 0) }",
        "DELETE { GRAPH CORDONS { ?s ?p ?o } } WHERE { GRAPH CORDONS { ?s ?p ?o } GRAPH NOTES { ?a ?b ?c } }",
        "INSERT { GRAPH CORDONS { :x :seen ?g } } WHERE { GRAPH ?g { ?s a <https://w3id.org/twinlink/ns#IncidentNote> } }",
        "INSERT { GRAPH CORDONS { ?s :copied ?o } } USING NAMED NOTES WHERE { GRAPH ?g { ?s ?p ?o } }",
    ] {
        let before = everything(&police).await;
        let page = officer.update(&police, &update(text)).await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{text}: {}", page.text);
        assert_eq!(page.header("twinlink-inserted"), "0", "{text}");
        assert_eq!(page.header("twinlink-removed"), "0", "{text}");
        assert_eq!(everything(&police).await, before, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_change_changes_nothing() {
    let (mut police, officer) = police().await;
    let before = everything(&police).await;
    let texts = [
        "INSERT DATA { GRAPH NOTES { :x :p 1 } }",
        "INSERT DATA { :x :p 1 }",
        "INSERT DATA { GRAPH :elsewhere { :x :p 1 } }",
        "INSERT DATA { GRAPH CORDONS { :x :p 1 } GRAPH NOTES { :x :p 1 } }",
        "INSERT DATA { GRAPH CORDONS { :x :p 1 } } ; INSERT DATA { GRAPH ARCHIVE { :x :p 1 } }",
        "DELETE WHERE { GRAPH ARCHIVE { ?s ?p ?o } }",
        "DELETE WHERE { GRAPH CORDONS { ?s ?p ?o } } ; CLEAR GRAPH ARCHIVE",
        "DELETE { GRAPH ?g { ?s ?p ?o } } WHERE { GRAPH ?g { ?s ?p ?o } }",
        "MOVE ARCHIVE TO CORDONS",
        "CLEAR ALL",
        "DROP NAMED",
    ];
    for text in texts {
        let page = officer.update(&police, &update(text)).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{text}: {}", page.text);
        assert!(page.text.contains("not permitted"), "{text}: {}", page.text);
        assert_eq!(everything(&police).await, before, "{text}");
    }
    let reader = police.caller(&[], None);
    let page = reader
        .update(
            &police,
            &update("INSERT DATA { GRAPH CORDONS { :x :p 1 } }"),
        )
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    police.stop().await;
    assert_eq!(police.refusals().len(), texts.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_there_when_the_twin_is_opened_again() {
    let (mut police, officer) = police().await;
    let text = "INSERT DATA { GRAPH CORDONS { :new :level 3 } } ; DELETE WHERE { GRAPH CORDONS { :cordon ?p ?o } }";
    let page = officer.update(&police, &update(text)).await;
    assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.text);
    assert_eq!(page.header("twinlink-inserted"), "1");
    assert_eq!(page.header("twinlink-removed"), "1");
    let turtle = "<https://police.example/put> <https://police.example/level> 4 .";
    let path = "/data?graph=https://police.example/graph/cordons";
    let request = officer.request(&police, Method::POST, path, "text/turtle", turtle);
    assert_eq!(
        officer.send(&police, request).await.status,
        StatusCode::NO_CONTENT
    );
    let before = everything(&police).await;
    assert!(
        before
            .iter()
            .any(|row| row.contains("https://police.example/put"))
    );

    police.stop().await;
    police.serve().await;
    assert_eq!(everything(&police).await, before);
}

//! What a caller may not see cannot be told from what is not there.

use super::caller::{Caller, Page};
use super::town::{Organisation, Permission};
use http::{Method, StatusCode};
use twinlink_vocab::tl;

/// Names of the same length: one graph that is hidden, one that does not exist.
const HIDDEN: &str = "https://police.example/graph/notes";
const ABSENT: &str = "https://police.example/graph/nites";

/// The police, with one graph that a guest may read and change, and one that is hidden from the guest.
async fn police() -> (Organisation, Caller) {
    let mut police = Organisation::new("police");
    police.import(
        "<https://police.example/cordon> a tl:Cordon .",
        Some("cordons"),
    );
    police.import(
        "<https://police.example/note> a tl:IncidentNote ; tl:personName 'Secret Person' .",
        Some("notes"),
    );
    for action in ["read", "modify"] {
        let permission = Permission {
            graphs: &["cordons"],
            role: Some(tl::POLICE_OFFICER),
            action,
            ..Permission::default()
        };
        police.permit(action, permission);
    }
    police.serve().await;
    let guest = police.caller(&[tl::POLICE_OFFICER], None);
    (police, guest)
}

/// All that a client sees of an answer, without what differs between any two answers.
fn seen(page: &Page, graph: &str) -> String {
    let mut lines = vec![page.status.to_string()];
    for (name, value) in &page.headers {
        let value = value.to_str().unwrap();
        match name.as_str() {
            "date" | "twinlink-request" | "twinlink-receipt" => {}
            "twinlink-sources" => {
                let mut sources: serde_json::Value = serde_json::from_str(value).unwrap();
                for source in sources.as_array_mut().unwrap() {
                    source["millis"].take();
                }
                lines.push(format!("{name}: {sources}"));
            }
            "twinlink-sequence" => lines.push(name.to_string()),
            _ => lines.push(format!("{name}: {value}")),
        }
    }
    let mut text = page.text.clone();
    if let Ok(mut problem) = serde_json::from_str::<serde_json::Value>(&text)
        && problem["instance"].is_string()
    {
        problem["instance"].take();
        text = problem.to_string();
    }
    lines.push(text);
    lines.join("\n").replace(graph, "GRAPH")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_graph_is_as_one_that_is_not_there() {
    let (mut police, guest) = police().await;
    let turtle = "<https://police.example/new> a <https://w3id.org/twinlink/ns#Cordon> .";
    let mut differences = Vec::new();
    for (method, kind, body) in [
        (Method::GET, "", ""),
        (Method::HEAD, "", ""),
        (Method::DELETE, "", ""),
        (Method::PUT, "text/turtle", turtle),
        (Method::PUT, "text/turtle", ""),
        (Method::PUT, "text/turtle", "not turtle"),
        (Method::POST, "text/turtle", turtle),
        (Method::PATCH, "text/turtle", turtle),
    ] {
        let mut pages = Vec::new();
        for graph in [HIDDEN, ABSENT] {
            let path = format!("/data?graph={graph}");
            let request = guest.request(&police, method.clone(), &path, kind, body);
            pages.push(seen(&guest.send(&police, request).await, graph));
        }
        if pages[0] != pages[1] {
            differences.push(format!("{method} {body}: {} / {}", pages[0], pages[1]));
        }
    }
    assert_eq!(differences, [] as [&str; 0]);
    // Who may see it can tell: there is something to hide.
    let steward = police.steward();
    for (graph, status) in [(HIDDEN, StatusCode::OK), (ABSENT, StatusCode::NOT_FOUND)] {
        let path = format!("/data?graph={graph}");
        let request = steward.request(&police, Method::GET, &path, "", "");
        assert_eq!(steward.send(&police, request).await.status, status);
        let request = guest.request(&police, Method::GET, &path, "", "");
        assert_eq!(
            guest.send(&police, request).await.status,
            StatusCode::NOT_FOUND
        );
    }

    for query in [
        "ASK { GRAPH <GRAPH> { ?s ?p ?o } }",
        "SELECT * WHERE { GRAPH <GRAPH> { ?s ?p ?o } }",
        "SELECT (COUNT(*) AS ?n) WHERE { GRAPH <GRAPH> { ?s ?p ?o } }",
        "SELECT (COUNT(*) AS ?n) FROM <GRAPH> WHERE { ?s ?p ?o }",
        "SELECT ?g FROM NAMED <GRAPH> WHERE { GRAPH ?g {} }",
        "SELECT ?g WHERE { GRAPH ?g {} FILTER(?g = <GRAPH>) }",
        "ASK { GRAPH <GRAPH> {} }",
        "DESCRIBE <GRAPH>",
        "CONSTRUCT { ?s ?p ?o } WHERE { GRAPH <GRAPH> { ?s ?p ?o } }",
        "SELECT * WHERE { GRAPH <GRAPH> { ?s ?p* ?o } } LIMIT 1",
        "SELECT * WHERE { ?s ?p ?o FILTER NOT EXISTS { GRAPH <GRAPH> { ?a ?b ?c } } }",
        "SELECT * WHERE { GRAPH <GRAPH> { ?s ?p ?o",
        "SELECT * WHERE { SERVICE <GRAPH> { ?s ?p ?o } }",
    ] {
        let mut pages = Vec::new();
        for graph in [HIDDEN, ABSENT] {
            let page = guest
                .query(&police, &query.replace("GRAPH>", &format!("{graph}>")))
                .await;
            pages.push(seen(&page, graph));
        }
        assert_eq!(pages[0], pages[1], "{query}");
        assert!(!pages[0].contains("Secret"), "{}", pages[0]);
    }

    let before = police
        .steward()
        .count(&police, "GRAPH ?g { ?s ?p ?o }")
        .await;
    for update in [
        "DELETE WHERE { GRAPH <GRAPH> { ?s ?p ?o } }",
        "DELETE DATA { GRAPH <GRAPH> { <https://police.example/note> a <https://w3id.org/twinlink/ns#IncidentNote> } }",
        "INSERT DATA { GRAPH <GRAPH> { <https://police.example/note> a <https://w3id.org/twinlink/ns#IncidentNote> } }",
        "CLEAR GRAPH <GRAPH>",
        "DROP GRAPH <GRAPH>",
        "DROP SILENT GRAPH <GRAPH>",
        "CREATE GRAPH <GRAPH>",
        "COPY <GRAPH> TO <https://police.example/graph/cordons>",
        "MOVE <GRAPH> TO <https://police.example/graph/cordons>",
        "ADD <GRAPH> TO <https://police.example/graph/cordons>",
        "LOAD <https://police.example/file> INTO GRAPH <GRAPH>",
        "INSERT { GRAPH <https://police.example/graph/cordons> { ?s a ?o } } WHERE { GRAPH <GRAPH> { ?s a ?o } }",
        "WITH <GRAPH> DELETE { ?s ?p ?o } INSERT { ?s ?p 1 } WHERE { ?s ?p ?o }",
    ] {
        let mut pages = Vec::new();
        for graph in [HIDDEN, ABSENT] {
            // What the one before emptied is there again.
            police
                .insert("cordons", "<https://police.example/cordon> a tl:Cordon")
                .await;
            let page = guest
                .update(&police, &update.replace("GRAPH>", &format!("{graph}>")))
                .await;
            pages.push(seen(&page, graph));
        }
        assert_eq!(pages[0], pages[1], "{update}");
    }
    police
        .insert("cordons", "<https://police.example/cordon> a tl:Cordon")
        .await;
    let after = police
        .steward()
        .count(&police, "GRAPH ?g { ?s ?p ?o }")
        .await;
    assert_eq!(before, after);
    police.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_nothing_hidden() {
    let (police, guest) = police().await;
    let deadline = tokio::time::Instant::now() + super::caller::PATIENCE;
    let client = guest.client(&police).await.unwrap();
    let described = client.describe(None, deadline).await.unwrap();
    let text = format!("{described:?}");
    assert!(text.contains("graph/cordons"), "{text}");
    for hidden in ["notes", "IncidentNote", "personName", "Secret"] {
        assert!(!text.contains(hidden), "{text}");
    }
    let request = guest.request(&police, Method::GET, "/sparql", "", "");
    let page = guest.send(&police, request).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("notes"), "{}", page.text);
}

//! Receipts for clients that read no trailers.

use super::*;
use twinlink_trust::verify_receipt;
use uuid::Uuid;

/// Rows that are more than is held back for such a client.
const ROWS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn no_complete_answer_is_without_its_receipt() {
    let mut city = city("").await;
    city.serve().await;
    let app = App::new(&city);
    let token = |subject: &str| {
        let thumbprint = app.key.public().thumbprint();
        let made = city
            .program()
            .args(["token", "--subject", subject, "--jkt", &thumbprint])
            .output()
            .unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    let (ada, eve) = (token("ada"), token("eve"));
    let nonce = super::nonce(&app.ask(&city, ASK, Shown::Nothing).await.headers);
    let values = |name: &str| {
        let values: Vec<String> = (0..ROWS)
            .map(|number| format!("\"value {number}\""))
            .collect();
        format!("VALUES ?{name} {{ {} }}", values.join(" "))
    };
    let query = format!("SELECT * {{ {} {} }}", values("a"), values("b"));
    let proof = app.proof(&city, "POST", "/sparql", Some(&ada), &nonce);
    let request = Request::post("/sparql")
        .header("host", "localhost")
        .header("authorization", format!("DPoP {ada}"))
        .header("dpop", proof)
        .header("content-type", "application/sparql-query")
        .body(Full::new(Bytes::from(query)))
        .unwrap();
    let page = app.send(&city, request).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.len() > 4 * 1024 * 1024, "{}", page.text.len());
    assert_eq!(page.header("twinlink-receipt"), "");
    let id = page.header("twinlink-request").to_owned();
    let get = async |token: &str, id: &str| {
        let path = format!("/receipts/{id}");
        let proof = app.proof(&city, "GET", &path, Some(token), &nonce);
        app.ask(&city, &path, Shown::Proven(token, &proof)).await
    };
    let page = get(&ada, &id).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let claims = verify_receipt(&page.text, &city.id, &city.keys()).unwrap();
    assert_eq!(claims.used.request, id);
    assert_eq!(claims.rows, (ROWS * ROWS) as u64);
    assert!(claims.complete);
    // Another's is as one that is not there.
    let unknown = get(&ada, &Uuid::now_v7().to_string()).await;
    let others = get(&eve, &id).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(
        (others.status, &others.text),
        (unknown.status, &unknown.text)
    );
    assert_eq!(get(&ada, "none").await.status, StatusCode::BAD_REQUEST);
    let nobody = app
        .ask(&city, &format!("/receipts/{id}"), Shown::Nothing)
        .await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    // What it gave is no use: one intent of ada's, one completion.
    city.stop().await;
    let journal = city.store().journal();
    let entries = twinlink_trust::list_entries(&journal, 0, 10_000).unwrap();
    let of_ada = entries.iter().filter(|(_, entry)| {
        let text = serde_json::to_string(entry).unwrap();
        text.contains("\"subject\":\"ada\"") && text.contains("\"refused\":null")
    });
    assert_eq!(of_ada.count(), 1, "{entries:?}");
}

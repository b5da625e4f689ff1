//! What the log is made to forget, with a connector that runs and without one.

use super::Folder;
use serde_json::Value;
use std::fs;

/// Asks as somebody of this name; the request's id.
fn use_as(folder: &Folder, name: &str) -> String {
    folder.run(&["query", "ASK {}", "--subject", name]).well();
    let log = folder
        .run(&["audit", "list", "--json", "--limit", "1000"])
        .well();
    let records = log
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut mine = records.filter(|line| line["record"]["subject"] == name);
    let request = mine.next_back().unwrap()["record"]["request"].clone();
    request.as_str().unwrap().to_owned()
}

fn said(folder: &Folder, request: &str) -> bool {
    folder.run(&["audit", "show", request]).code == 0
}

#[test]
fn what_the_log_says_of_a_request_is_forgotten() {
    let city = Folder::new("city");
    let serving = city.serve();
    let [first, second] = ["person-with-a-name", "another-person"].map(|name| use_as(&city, name));
    let reason = ["--reason", "asked to be forgotten"];
    let purge =
        |request: &str| city.run(&["audit", "purge", request, reason[0], reason[1], "--json"]);
    // Only stewards may.
    city.run(&[
        "audit",
        "purge",
        &first,
        reason[0],
        reason[1],
        "--role",
        "https://city.example/guest",
    ])
    .badly(1, &["denied"]);
    city.run(&["audit", "purge", &first])
        .badly(2, &["--reason"]);
    purge("nobody-knows").badly(1, &["says nothing of nobody-knows"]);
    let done = purge(&first).well();
    assert!(done.err.contains("at its next start"), "{}", done.err);
    let purged = done.json();
    assert_eq!(purged["records"].as_array().unwrap().len(), 2);
    assert!(!said(&city, &first) && said(&city, &second));
    let verified = city.run(&["audit", "verify"]).well();
    assert_eq!(verified.json()["purged"], 2);
    assert!(
        verified.err.contains("2 records are purged"),
        "{}",
        verified.err
    );
    assert_eq!(serving.stop(), Some(0));

    // Where no connector runs, the file has nothing of it at once.
    let file = city.path("twin/twin.redb");
    let holds = |text: &str| {
        let bytes = fs::read(&file).unwrap();
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("another-person"));
    purge(&second).well();
    assert!(!holds("another-person") && !holds("person-with-a-name"));
    let verified = city.run(&["audit", "verify"]).well().json();
    assert_eq!(verified["purged"], 4);
    assert_eq!(verified["purged_without_record"], 0);
    let log = city
        .run(&["audit", "list", "--json", "--limit", "1000"])
        .well()
        .out;
    let purges = log
        .lines()
        .filter(|line| line.contains("\"kind\":\"purge\""))
        .count();
    assert_eq!(purges, 2, "{log}");
    assert!(log.contains("asked to be forgotten"), "{log}");
    // A backup has what is left, and the connector goes on.
    let copy = city.path("after.backup");
    city.run(&["backup", copy.to_str().unwrap()]).well();
    let bytes = fs::read(&copy).unwrap();
    assert!(!bytes.windows(14).any(|window| window == b"another-person"));
    let serving = city.serve();
    use_as(&city, "a-third-person");
    assert_eq!(serving.stop(), Some(0));
}

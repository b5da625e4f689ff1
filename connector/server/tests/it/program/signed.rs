//! Apps that sign what they ask, from the command line, and receipts that are kept.

use super::Folder;
use super::evidence::{CITY, POLICE, log, two};
use std::fs;

const QUERY: &str = "SELECT ?o WHERE { ?s ?p ?o } ORDER BY ?o";

#[test]
fn an_app_signs_with_its_key_and_keeps_the_receipt() {
    let city = Folder::new("city");
    let data = city.file(
        "level.ttl",
        "<https://city.example/school> <https://city.example/level> 1, 2 .",
    );
    city.run(&["import", &data]).well();
    city.append(
        "twinlink.toml",
        "[apps]\ndpop = true\nrequire_signed_requests = true\n",
    );
    let _serving = city.serve();
    let text = |name: &str| city.path(name).to_str().unwrap().to_owned();
    let (key, receipt) = (text("app.key"), text("answer.receipt"));
    city.run(&["query", QUERY, "--app-key", &key])
        .badly(1, &["twinlink app-key"]);
    let made = city.run(&["app-key", &key]).well();
    assert!(made.err.contains("wrote"), "{}", made.err);
    let again = city.run(&["app-key", &key, "--json"]).well().json();
    let thumbprint = again["thumbprint"].as_str().unwrap();
    assert!(
        made.out.contains(thumbprint) && again["jwk"]["x"].is_string(),
        "{again}"
    );
    let ask = [
        "query",
        QUERY,
        "--app-key",
        &key,
        "--receipt",
        &receipt,
        "--format",
        "csv",
    ];
    assert_eq!(city.run(&ask).well().out, "o\r\n1\r\n2\r\n");
    // Without the app's key it is the organisation's that signs.
    city.run(&["query", "ASK {}"]).well();
    city.run(&[
        "query",
        "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }",
        "--app-key",
        &key,
    ])
    .well();
    // Nor is what it brings.
    let imported = text("import.receipt");
    let import = ["import", &data, "--app-key", &key, "--receipt", &imported];
    city.run(&import).well();
    city.run(&import).badly(1, &["is there already"]);
    city.run(&["import", &data]).well();
    city.run(&["doctor"]).well();
    let records = log(&city);
    let of = |kind: &str, member: &str| -> Vec<String> {
        let records = records.iter().map(|line| &line["record"]);
        let wanted = records.filter(|record| record["kind"] == kind && record["refused"].is_null());
        wanted
            .map(|record| record[member].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    // The token and the key are in what is kept, so that anybody can verify it; the state of the twin is in no receipt.
    let held = of("intent", "held");
    let asked = held.iter().filter(|text| !text.is_empty()).count();
    assert_eq!(asked, 7, "{held:?}");
    assert!(held.iter().any(|text| text.matches('~').count() == 1));
    assert!(held.iter().any(|text| text.matches('~').count() == 2));
    let versions = of("intent", "dataset_version");
    assert!(
        versions
            .iter()
            .filter(|text| text.starts_with("1-"))
            .count()
            >= 3,
        "{versions:?}"
    );
    assert!(
        of("completion", "dataset_version")
            .iter()
            .all(String::is_empty)
    );
    let refused: Vec<_> = records
        .iter()
        .map(|line| &line["record"]["refused"])
        .collect();
    assert!(
        refused
            .iter()
            .all(|check| !check.as_str().unwrap_or_default().starts_with("envelope")),
        "{refused:?}"
    );
    let verified = city
        .run(&["audit", "verify", "--receipt", &receipt])
        .well()
        .json();
    assert_eq!(verified["receipts"], 1);
    assert_eq!(verified["statements_of_others"]["held"], 7);
    city.run(&["audit", "verify", "--receipt", &imported])
        .well();
    let whole = fs::read_to_string(&receipt).unwrap();
    let spoilt = whole.replacen('.', ".A", 1);
    fs::write(&receipt, spoilt).unwrap();
    city.run(&["audit", "verify", "--receipt", &receipt])
        .badly(1, &["receipt"]);
}

#[test]
fn a_receipt_of_a_peer_is_checked_offline() {
    let (city, police) = two();
    let serving = police.serve();
    let receipt = city.path("answer.receipt").to_str().unwrap().to_owned();
    let query = "SELECT ?s WHERE { ?s <https://police.example/is> 7 }";
    let ask = ["query", query, "--at", POLICE, "--receipt", &receipt];
    city.run(&ask).well();
    // What cannot be kept is not asked for, and a receipt takes no other's place.
    city.run(&ask).badly(1, &["is there already"]);
    let nowhere = city.path("none/answer.receipt");
    let nowhere = nowhere.to_str().unwrap();
    city.run(&["query", query, "--at", POLICE, "--receipt", nowhere])
        .badly(1, &["cannot make"]);
    assert_eq!(serving.stop(), Some(0));
    let uses = police.run(&["audit", "list", "--json"]).well();
    assert_eq!(
        uses.out.matches("\"kind\":\"intent\"").count(),
        1,
        "{}",
        uses.out
    );
    let verified = city
        .run(&["audit", "verify", "--receipt", &receipt])
        .well()
        .json();
    let promised = &verified["receipts_of_peers"][0];
    assert_eq!(promised["participant"], POLICE);
    assert_eq!(promised["used"]["participant"], CITY);
    assert_eq!(promised["rows"], 1);
    // The peer's log holds it; and knows that it is no exchange between connectors.
    let theirs = police
        .run(&["audit", "verify", "--receipt", &receipt])
        .well()
        .json();
    assert_eq!(theirs["receipts"], 1);
    let export = ["audit", "export", "--format", "exchanges", "--with", CITY];
    let exchanges = police.run(&export).well().json();
    assert_eq!(exchanges["provided"], serde_json::json!([]));
}

/// One thumbprint in 64 does.
#[test]
fn a_thumbprint_may_begin_with_a_hyphen() {
    let city = Folder::new("city");
    let thumbprint = "-bcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";
    city.run(&["token", "--jkt", thumbprint]).well();
    city.run(&["token", "--jkt", "--json"])
        .badly(1, &["thumbprint"]);
}

//! Connectors that start again: acknowledgements that were left, and a log that was put back from a copy.

use super::evidence::{CITY, POLICE, compared, log, two, until};
use super::{Folder, Serving, failed};
use std::collections::BTreeMap;
use std::fs;

const QUESTION: &str = "SELECT ?s WHERE { ?s <https://police.example/is> 7 }";

fn ask(city: &Folder) {
    city.run(&["query", QUESTION, "--federated"]).well();
}

#[test]
fn what_was_not_acknowledged_is_after_a_restart_and_once() {
    let (city, police) = two();
    let (serving, other) = (city.serve(), police.serve());
    for _ in 0..3 {
        ask(&city);
    }
    // Killed at once: whether anything was said of the answers by then or not.
    drop::<Serving>(serving);
    drop::<Serving>(other);
    let (_serving, _other) = (city.serve(), police.serve());
    until(|| {
        let found = compared(&city, &police);
        let is_good = found.iter().all(|(_, said)| said == "matched");
        (found.len() >= 3 && is_good).then_some(())
    });
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for line in log(&police) {
        let record = &line["record"];
        if record["kind"] == "acknowledged" {
            for transaction in record["transactions"].as_array().unwrap() {
                *times
                    .entry(transaction.as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
    }
    assert!(
        times.len() >= 3 && times.values().all(|times| *times == 1),
        "{times:?}"
    );
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn a_peer_that_was_restored_is_readmitted() {
    let (city, police) = two();
    let _serving = city.serve();
    let other = police.serve();
    ask(&city);
    assert_eq!(other.stop(), Some(0));
    copy(&police.path("twin"), &police.path("copy"));
    let other = police.serve();
    let witnessed = || {
        let records = log(&city);
        let of_police = records.into_iter().filter(|line| {
            line["record"]["kind"] == "witnessed" && line["record"]["participant"] == POLICE
        });
        of_police
            .map(|line| line["sequence"].as_u64().unwrap())
            .max()
    };
    // What comes after the copy the city has seen.
    let before = witnessed();
    for _ in 0..3 {
        ask(&city);
    }
    until(|| (witnessed() > before).then_some(()));
    assert_eq!(other.stop(), Some(0));
    fs::remove_dir_all(police.path("twin")).unwrap();
    copy(&police.path("copy"), &police.path("twin"));
    let _other = police.serve();
    ask(&city);
    // The doctor asks the connector that runs, and says what to do.
    let found = until(|| {
        let found = city.run(&["doctor", "--json"]).json();
        failed(&found).contains(&"peer.logs").then_some(found)
    });
    let text = found.to_string();
    assert!(
        text.contains(&format!("twinlink audit readmit {POLICE}")),
        "{text}"
    );
    city.run(&["audit", "verify"])
        .badly(1, &[POLICE, "audit readmit"]);
    // Only our own stewards may, with a reason, and only a peer that contradicts itself.
    let readmit = [
        "audit",
        "readmit",
        POLICE,
        "--reason",
        "restored after a disk failure",
    ];
    let guest = ["--role", "https://city.example/guest"];
    city.run(&[&readmit[..], &guest].concat())
        .badly(1, &["denied"]);
    city.run(&["audit", "readmit", POLICE])
        .badly(2, &["--reason"]);
    city.run(&["audit", "readmit", POLICE, "--reason", " "])
        .badly(1, &["reason"]);
    city.run(&["audit", "readmit", CITY, "--reason", "x"])
        .badly(1, &["contradicts nothing"]);
    let done = city
        .run(&[&readmit[..], &["--json"]].concat())
        .well()
        .json();
    let recorded = done["recorded"].as_u64().unwrap();
    let verified = city.run(&["audit", "verify"]).well();
    assert!(
        verified.err.contains("restored after a disk failure"),
        "{}",
        verified.err
    );
    assert!(verified.json()["statements_of_others"]["contradicted"].as_u64() >= Some(1));
    assert!(!failed(&city.run(&["doctor", "--json"]).json()).contains(&"peer.logs"));
    // From here on its log is signed again as it grows.
    ask(&city);
    until(|| (witnessed() > Some(recorded)).then_some(()));
    city.run(&readmit).badly(1, &["contradicts nothing"]);
    city.run(&["audit", "verify"]).well();
}

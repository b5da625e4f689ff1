//! What two connectors record of one exchange, compared from the command line while they run, and after one was killed.

use super::{Folder, Serving};
use serde_json::Value;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub(super) const CITY: &str = "https://city.example/";
const STEWARD: &str = "https://w3id.org/twinlink/ns#Steward";
pub(super) const POLICE: &str = "https://police.example/";

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two organisations that know each other; the city may read what the police has.
pub(super) fn two() -> (Folder, Folder) {
    let (city, police) = (Folder::new("city"), Folder::new("police"));
    let things: String = (0..400)
        .map(|n| format!("<https://police.example/{n}> <https://police.example/is> {n} .\n"))
        .collect();
    let data = police.file("things.ttl", &things);
    police.run(&["import", &data]).well();
    fs::write(
        police.path("policies/open.ttl"),
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . <https://police.example/policy/open> a odrl:Set ;
         odrl:permission [ odrl:target <https://police.example/twin> ; odrl:action odrl:read ] .",
    )
    .unwrap();
    let card = |folder: &Folder| folder.path("card.toml").to_str().unwrap().to_owned();
    city.run(&["peer", "add", &card(&police)]).well();
    police
        .run(&["peer", "add", &card(&city), "--role", STEWARD])
        .well();
    for folder in [&city, &police] {
        folder.replace(
            "twinlink.toml",
            "# cosign_seconds = 60",
            "cosign_seconds = 1",
        );
    }
    (city, police)
}

/// The transactions with what both logs say of each, as the city compares them.
pub(super) fn compared(city: &Folder, police: &Folder) -> Vec<(String, String)> {
    let export = ["audit", "export", "--format", "exchanges", "--with", CITY];
    let theirs = city.file("theirs.json", &police.run(&export).well().out);
    let done = city.run(&["audit", "reconcile", &theirs]);
    let lines = done
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found: Vec<_> = lines
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (text("transaction"), text("agreement"))
        })
        .collect();
    let is_matched = found.iter().all(|(_, agreement)| agreement == "matched");
    assert_eq!(done.code == 0, is_matched, "{}{}", done.out, done.err);
    found
}

/// Tries until it is so.
pub(super) fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came to be so");
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub(super) fn log(folder: &Folder) -> Vec<Value> {
    let list = ["audit", "list", "--json", "--limit", "100000"];
    let done = folder.run(&list).well();
    let lines = done.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Asks without waiting.
fn ask(folder: &Folder, query: &str) -> Child {
    let mut command = folder.command();
    command.arg("--config").arg(folder.path("twinlink.toml"));
    command.args(["query", query, "--federated"]);
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    quiet.stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn an_exchange_is_compared_while_both_run_and_after_one_was_killed() {
    let (city, police) = two();
    let (_serving, other) = (city.serve(), police.serve());
    let question = "SELECT ?s WHERE { ?s <https://police.example/is> 7 }";
    let answer = city.run(&["query", question, "--federated", "--format", "tsv"]);
    assert_eq!(answer.well().out, "?s\n<https://police.example/7>\n");
    let before = until(|| {
        let found = compared(&city, &police);
        let is_good = !found.is_empty() && found.iter().all(|(_, said)| said == "matched");
        is_good.then_some(found.len())
    });
    // The owner sees who asked, when, for what and how many rows left, and not a word of the rows.
    let listed = police.run(&["audit", "list"]).well().out;
    assert!(
        listed.contains(CITY) && listed.contains("policy/open"),
        "{listed}"
    );
    assert!(!listed.contains("police.example/7"), "{listed}");

    // Killed in the middle of an answer that takes long: after its intent is on disk, and before its end is.
    let endless = "SELECT (COUNT(*) AS ?n) WHERE { ?a <https://police.example/is> ?b .
        ?c <https://police.example/is> ?d . ?e <https://police.example/is> ?f . ?g <https://police.example/is> ?h }";
    let mut asking = ask(&city, endless);
    let transaction = until(|| begun_and_not_ended(&police));
    drop::<Serving>(other);
    asking.wait().unwrap();
    let again = police.serve();
    let found = until(|| {
        let found = compared(&city, &police);
        let open: Vec<_> = found.iter().filter(|(_, said)| said != "matched").collect();
        let is_it =
            |(id, said): &&(String, String)| *id == transaction && said == "no-acknowledgement";
        (open.len() == 1 && open.iter().all(is_it)).then_some(found.len())
    });
    assert!(found > before, "{found} {before}");
    assert_eq!(again.stop(), Some(0));
    for folder in [&city, &police] {
        folder.run(&["audit", "verify"]).well();
    }
}

/// The request that the log says was begun by the city and has not ended.
fn begun_and_not_ended(police: &Folder) -> Option<String> {
    let records = log(police);
    let of = |kind: &str| -> Vec<&Value> {
        let records = records.iter().map(|line| &line["record"]);
        let wanted =
            records.filter(|record| record["kind"] == kind && record["participant"] == CITY);
        wanted.map(|record| &record["transaction"]).collect()
    };
    let (begun, ended) = (of("intent"), of("completion"));
    let mut open = begun.iter().filter(|one| !ended.contains(one));
    open.find_map(|one| one.as_str().map(str::to_owned))
}

#[test]
fn peers_sign_each_others_logs_and_verify_shows_it() {
    let (city, police) = two();
    let (_serving, _other) = (city.serve(), police.serve());
    let question = "SELECT ?s WHERE { ?s <https://police.example/is> 7 }";
    city.run(&["query", question, "--federated"]).well();
    for (folder, peer) in [(&city, POLICE), (&police, CITY)] {
        until(|| {
            let verified = folder.run(&["audit", "verify"]).well().json();
            let statements = &verified["statements_of_others"];
            let is_signed = statements["cosigned"][peer].as_u64().unwrap_or_default() > 0;
            (is_signed && statements["witnessed"].as_u64()? > 0).then_some(())
        });
    }
    // What a witness holds tells that a log was put back to what it was.
    let verified = city.run(&["audit", "verify"]).well().json();
    let statements = &verified["statements_of_others"];
    assert!(statements["receipts"].as_u64().unwrap() > 0, "{verified}");
    let verified = police.run(&["audit", "verify"]).well().json();
    let statements = &verified["statements_of_others"];
    assert!(statements["envelopes"].as_u64().unwrap() > 0, "{verified}");
}

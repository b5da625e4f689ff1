//! Backups of a connector that runs, and what becomes of them.

use super::Folder;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ACTION: &str = "https://w3id.org/twinlink/ns#backup";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Triples about subjects `from..to`, as a file.
fn data(folder: &Folder, from: usize, to: usize) -> String {
    let lines =
        (from..to).map(|n| format!("<https://city.example/s{n}> <https://city.example/p> {n} .\n"));
    folder.file(&format!("{from}.ttl"), &lines.collect::<String>())
}

/// The quads of a folder's store, sorted; its connector must not run.
fn quads(folder: &Folder) -> Vec<String> {
    let mut lines: Vec<_> = folder
        .run(&["export"])
        .well()
        .out
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

fn receipt(folder: &Folder, name: &str) -> PathBuf {
    let outcome = folder.path("outcome.json");
    folder
        .run(&["query", "ASK {}", "--outcome", text(&outcome)])
        .well();
    let outcome: Value = serde_json::from_slice(&fs::read(outcome).unwrap()).unwrap();
    PathBuf::from(folder.file(name, outcome["receipt"].as_str().unwrap()))
}

#[test]
fn a_running_connector_is_copied_and_restored() {
    let city = Folder::new("city");
    city.run(&["import", &data(&city, 0, 50)]).well();
    let serving = city.serve();
    city.run(&["import", &data(&city, 50, 60)]).well();
    let before = receipt(&city, "before.txt");
    // Others write and ask while the copy is made.
    let copy = city.path("city.backup");
    // A folder's memory of what was said is not for threads.
    let (config, home) = (city.path("twinlink.toml"), city.home.path());
    let program = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twinlink"));
        command
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .output()
            .unwrap()
    };
    let made = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for number in 0..6 {
                let file = home.join(format!("more {number}.ttl"));
                let line =
                    format!("<https://city.example/more{number}> <https://city.example/p> 1 .");
                fs::write(&file, line).unwrap();
                assert!(program(&["import", text(&file)]).status.success());
            }
        });
        let made = program(&["backup", text(&copy), "--json"]);
        writing.join().unwrap();
        made
    });
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&copy).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    city.run(&["backup", text(&copy)])
        .badly(1, &["is there already"]);
    // Only stewards may, and both are on record.
    let role = ["--role", "https://city.example/guest"];
    let refused = city.path("refused.backup");
    city.run(&["backup", text(&refused), role[0], role[1]])
        .badly(1, &["denied"]);
    assert!(!refused.exists());
    let after = receipt(&city, "after.txt");
    city.run(&["restore", text(&copy)])
        .badly(1, &["another process"]);
    assert_eq!(serving.stop(), Some(0));
    let log = city
        .run(&["audit", "list", "--json", "--limit", "1000"])
        .well()
        .out;
    let uses: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_backup = |kind: &str| {
        let uses = uses.iter().map(|line| &line["record"]);
        uses.filter(|record| record["action"] == ACTION && record["kind"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let (intents, ends) = (of_backup("intent"), of_backup("completion"));
    assert_eq!((intents.len(), ends.len()), (2, 1), "{log}");
    assert_eq!(intents[1]["refused"], "steward");
    assert_eq!(ends[0]["result_digest"], made["sha256"]);

    // Into a connector of the same keys, whose disk was lost.
    let whole = quads(&city);
    fs::rename(city.path("twin"), city.path("lost")).unwrap();
    city.run(&["restore", text(&copy), "--check"]).well();
    assert!(!city.path("twin").exists());
    let restored = city.run(&["restore", text(&copy), "--json"]).well().json();
    assert_eq!(restored, made);
    let found = quads(&city);
    assert!(found.len() >= 60 && found.iter().all(|quad| whole.contains(quad)));
    let acknowledged: Vec<_> = whole
        .iter()
        .filter(|quad| !quad.contains("/more"))
        .collect();
    assert!(acknowledged.iter().all(|quad| found.contains(quad)));
    let verified = city
        .run(&["audit", "verify", "--receipt", text(&before)])
        .well()
        .json();
    assert_eq!(verified["records"], made["log_of_use"]["size"]);
    assert_eq!(verified["root"], made["log_of_use"]["root"]);
    // What came after it is not in it, and whoever has a receipt of that sees it.
    city.run(&["audit", "verify", "--receipt", text(&after)])
        .badly(1, &["the log does not hold the receipt's record"]);
    // It goes on.
    let serving = city.serve();
    receipt(&city, "again.txt");
    assert_eq!(serving.stop(), Some(0));

    // Not over what is there, and never over uses that it does not know.
    city.run(&["restore", text(&copy)])
        .badly(1, &["is not empty", "--replace"]);
    city.run(&["restore", text(&copy), "--replace"])
        .badly(1, &["older than the store", "forget uses"]);
    let later = city.path("later.backup");
    city.run(&["backup", text(&later)]).well();
    let done = city.run(&["restore", text(&later), "--replace"]).well();
    assert!(done.err.contains("the old store is in"), "{}", done.err);
    assert_eq!(quads(&city), found);
    let names = fs::read_dir(city.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names
        .filter(|name| text(Path::new(name)).contains("restoring"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

// INVARIANT(our-own-whole-backups)
#[test]
fn only_our_own_whole_backups_are_restored() {
    let city = Folder::new("city");
    city.run(&["import", &data(&city, 0, 20)]).well();
    let copy = city.path("city.backup");
    city.run(&["backup", text(&copy)]).well();
    let bytes = fs::read(&copy).unwrap();
    fs::rename(city.path("twin"), city.path("lost")).unwrap();
    let spoilt = city.path("spoilt.backup");
    let refuse = |bytes: &[u8], words: &[&str]| {
        fs::write(&spoilt, bytes).unwrap();
        city.run(&["restore", text(&spoilt)]).badly(1, words);
        assert!(!city.path("twin").exists());
    };
    refuse(&bytes[..bytes.len() - 1], &["spoilt.backup", "cut short"]);
    refuse(b"twin", &["spoilt.backup", "cut short"]);
    refuse(&[&bytes[..], b"\n"].concat(), &["after its end"]);
    for place in [30, bytes.len() / 3, bytes.len() / 2, bytes.len() - 10] {
        let mut changed = bytes.clone();
        changed[place] ^= 4;
        refuse(&changed, &["spoilt.backup"]);
    }
    let police = Folder::new("police");
    let done = police.run(&["restore", text(&copy)]);
    done.badly(1, &["backup.signature"]);
    // A secret is not in it.
    let secrets = ["identity/key.pem", "pseudonyms.key"]
        .map(|name| fs::read(city.path(name)).unwrap_or_default());
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let line = secret
            .split(|byte| *byte == b'\n')
            .max_by_key(|line| line.len())
            .unwrap();
        assert!(!bytes.windows(line.len()).any(|window| window == line));
    }
    let help = city.run_bare(&["backup", "--help"]).well().out;
    assert!(
        help.contains("Not in it: keys, certificates, secrets"),
        "{help}"
    );
}

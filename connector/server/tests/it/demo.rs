//! `twinlink demo`: three processes, an ammonia leak, and what each caller learns of it.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

const CITY: &str = "https://city.helsinki.example/";
const RESCUE: &str = "https://rescue.helsinki.example/";
const POLICE: &str = "https://police.helsinki.example/";

struct Played(Vec<Value>);

impl Played {
    /// The one question of this name by this caller; with a killed connector, without a refusal.
    fn question(&self, name: &str, caller: &str, is_killed: bool) -> &Value {
        let mut found = self.0.iter().filter(|question| {
            question["name"] == name
                && question["caller"] == caller
                && question["killed"].is_string() == is_killed
                && question["refused"].is_null()
        });
        let first = found
            .next()
            .unwrap_or_else(|| panic!("{name} by the {caller}"));
        assert!(
            found.next().is_none(),
            "{name} by the {caller} is there twice"
        );
        first
    }

    fn rows(&self, name: &str, caller: &str) -> u64 {
        self.question(name, caller, false)["rows"].as_u64().unwrap()
    }
}

fn status<'a>(question: &'a Value, participant: &str) -> &'a str {
    let sources = question["sources"].as_array().unwrap();
    let source = sources
        .iter()
        .find(|source| source["participant"] == participant);
    source.unwrap()["status"].as_str().unwrap()
}

#[test]
fn the_leak_is_played_as_expected() {
    let folder = tempfile::tempdir().unwrap();
    let town = folder.path().join("town");
    let run = Command::new(env!("CARGO_BIN_EXE_twinlink"))
        .args(["demo", "--once", "--json", "--folder"])
        .arg(&town)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{complaint}");
    assert_eq!(complaint, "");

    // Nothing but one JSON value.
    let mut all: Value = serde_json::from_slice(&run.stdout).unwrap();
    let Value::Array(questions) = all["questions"].take() else {
        panic!("no questions in {all}");
    };
    assert_eq!(all["as_expected"], true);
    for question in &questions {
        assert!(question["name"].is_string() && question["caller"].is_string());
        assert!(question["rows"].is_u64() && question["complete"].is_boolean());
        assert!(question["purpose"].is_string() || question["purpose"].is_null());
        for source in question["sources"].as_array().unwrap() {
            assert!(source["participant"].is_string() && source["status"].is_string());
            assert!(source["rows"].is_u64() && source["millis"].is_u64());
            assert!(source["policy"].is_string() || source["policy"].is_null());
            let gave_rows = source["rows"].as_u64() > Some(0);
            assert!(!gave_rows || source["policy"].is_string(), "{source}");
        }
    }

    let played = Played(questions);
    assert_eq!(played.rows("2-homes", "rescue officer"), 66);
    assert_eq!(played.rows("2-homes", "city planner"), 0);
    assert_eq!(played.rows("2-homes", "outsider"), 0);
    assert_eq!(played.rows("4-closed-roads", "rescue officer"), 5);
    assert_eq!(played.rows("8-water-supply", "city planner"), 38);

    let public = played.question("1-schools-and-clinics", "outsider", false);
    assert_eq!(public["rows"], 3);
    assert_eq!(status(public, CITY), "complete");
    assert_eq!(status(public, RESCUE), "denied");
    assert_eq!(status(public, POLICE), "denied");

    // Once while the incident went on and once after it, both times with the same statement.
    let broken: Vec<_> = played
        .0
        .iter()
        .filter(|question| question["breaks_glass"].is_string())
        .collect();
    let rows: Vec<_> = broken
        .iter()
        .map(|question| question["rows"].as_u64().unwrap())
        .collect();
    assert_eq!(rows, [2, 0]);
    assert!(
        broken
            .iter()
            .all(|question| question["name"] == "10-safety-warnings")
    );

    let whole = played.question("7-people-under-the-plume", "rescue officer", false);
    assert_eq!(whole["complete"], true);
    assert_eq!(whole["unsure"].as_array().unwrap().len(), 0);
    let without = played.question("7-people-under-the-plume", "rescue officer", true);
    assert_eq!(without["complete"], false);
    assert_eq!(status(without, POLICE), "unreachable");
    assert_eq!(without["unsure"].as_array().unwrap().len(), 1);

    let mut refused = played
        .0
        .iter()
        .filter(|question| question["refused"].is_string());
    assert_eq!(
        refused.next().unwrap()["sources"].as_array().unwrap().len(),
        0
    );

    // A folder that was named is kept, and can be looked at.
    assert!(town.join("police/policies/helsinki.ttl").is_file());
    assert!(town.join("police/serve.log").is_file());
}

/// INVARIANT(no-orphans), for a reader such as `head`.
#[test]
fn no_orphans_are_left_when_the_reader_goes_away() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_twinlink"))
        .args(["demo", "--once"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ports: Vec<u16> = BufReader::new(demo.stdout.take().unwrap())
        .lines()
        .filter_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("https://localhost:")?;
            rest.split_whitespace().next()?.parse().ok()
        })
        .take(3)
        .collect();
    // The pipe is closed now, and the play has only begun.
    assert_eq!(ports.len(), 3);
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    for port in ports {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "{port}");
    }
}

#[test]
fn the_town_runs_on_until_it_is_told_to_stop() {
    let mut demo = Running(
        Command::new(env!("CARGO_BIN_EXE_twinlink"))
            .arg("demo")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut shown = Vec::new();
    for line in BufReader::new(demo.0.stdout.take().unwrap()).lines() {
        shown.push(line.unwrap());
        if shown.last().unwrap().starts_with("Ctrl-C") {
            break;
        }
    }
    let tour = shown
        .iter()
        .skip_while(|line| !line.starts_with("== Everything runs"));
    let tour: Vec<&String> = tour.collect();
    let addresses: Vec<String> = tour
        .iter()
        .filter_map(|line| line.strip_prefix("https://"))
        .filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
        .collect();
    assert_eq!(addresses.len(), 3, "{tour:#?}");

    // The police's connector, which the play killed, answers again: the officer's answer is whole.
    let command = tour
        .iter()
        .find(|line| line.contains("RescueOfficer"))
        .unwrap();
    let asked = Command::new("sh").args(["-c", command]).output().unwrap();
    assert_eq!(asked.status.code(), Some(0), "{command}: {asked:?}");
    assert_eq!(String::from_utf8_lossy(&asked.stdout).lines().count(), 6);

    let folder = command.split_once(" --config ").unwrap().1;
    let folder = folder.split_once("/rescue/").unwrap().0;
    assert!(std::fs::exists(folder).unwrap());
    let told = Command::new("kill").arg(demo.0.id().to_string()).status();
    assert!(told.unwrap().success());
    assert_eq!(demo.0.wait().unwrap().code(), Some(0));
    for address in addresses {
        assert!(TcpStream::connect(&address).is_err(), "{address}");
    }
    assert!(!std::fs::exists(folder).unwrap());
}

/// Ends with the test, also where that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            // Told to stop, it ends its connectors too; killed, it could not.
            drop(Command::new("kill").arg(self.0.id().to_string()).status());
            drop(self.0.wait());
        }
    }
}

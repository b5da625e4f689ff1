//! What programs read of ours: data whole or not at all, as JSON where that is asked for, and names as policies have them.

use super::Folder;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::process::Stdio;

#[test]
fn nothing_of_a_connector_stays_that_was_not_made_whole() {
    let city = Folder::new("city");
    for (option, value) in [
        ("--host", "no host name"),
        ("--public-url", "localhost:7443"),
        ("--participant", "https:///city"),
        ("--participant", "https://city.example/#twin"),
        ("--listen", "7443"),
    ] {
        let mut arguments = vec!["init", "made", option, value];
        if option != "--participant" {
            arguments.extend(["--participant", "https://city.example/"]);
        }
        city.run_bare(&arguments).badly(1, &[value]);
        assert!(!city.home.path().join("made").exists(), "{option} {value}");
    }
    // What was in the folder before stays there.
    let folder = city.home.path().join("mine");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "notes").unwrap();
    let mut arguments = vec!["init", "mine", "--participant", "https://city.example/"];
    arguments.extend(["--host", "no host name"]);
    city.run_bare(&arguments).badly(1, &["no host name"]);
    let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    assert_eq!(left.len(), 1);
    // One that listens for others says how it is reached, or is told so.
    let mut open = arguments[..4].to_vec();
    open[1] = "open";
    open.extend(["--listen", "0.0.0.0:7443"]);
    let told = city.run_bare(&open).well().err;
    assert!(told.contains("--public-url"), "{told}");
    // A card alone is another connector's.
    fs::write(folder.join("card.toml"), "").unwrap();
    city.run_bare(&arguments[..4]).badly(1, &["card.toml"]);
}

#[test]
fn programs_are_told_in_json() {
    let city = Folder::new("city");
    let mut arguments = vec!["init", "rescue", "--participant", "https://rescue.example/"];
    arguments.push("--json");
    let made = city.run_bare(&arguments).well();
    assert_eq!(made.err, "");
    let made = made.json();
    assert_eq!(made["participant"], "https://rescue.example/");
    let card = city.home.path().join(made["card"].as_str().unwrap());
    let card = card.to_str().unwrap();

    let role = "https://w3id.org/twinlink/ns#RescueOfficer";
    let added = city
        .run(&["peer", "add", card, "--role", "tl:RescueOfficer", "--json"])
        .well()
        .json();
    assert_eq!(added["peer"]["roles"][0], role);
    assert_eq!(added["peer"]["participant"], "https://rescue.example/");
    assert_eq!(
        city.run(&["peer", "list", "--json"]).json()[0]["roles"][0],
        role
    );

    let facts = city.file("facts.ttl", "<urn:a> <urn:b> 1, 1, 2 .");
    let told = city.run(&["import", "--json", &facts]).well().json();
    assert_eq!((&told["read"], &told["added"]), (&3.into(), &2.into()));

    let checked = city.run(&["config", "check", "--json"]).well().json();
    assert_eq!(checked["peers"], 1);
    fs::write(city.path("policies/empty.ttl"), "").unwrap();
    let found = city.run(&["policy", "check", "--json"]);
    assert_eq!(found.code, 1);
    let is_wrong = |one: &&Value| one["is_error"] == true;
    let found = found.json();
    let wrong: Vec<_> = found.as_array().unwrap().iter().filter(is_wrong).collect();
    assert_eq!(wrong.len(), 1, "{found}");
    fs::remove_file(city.path("policies/empty.ttl")).unwrap();

    let serving = city.serve();
    let answer = city.run(&["query", "--json", "SELECT * { ?s <urn:b> 2 }"]);
    let answer = answer.well().json();
    assert_eq!(answer["results"]["bindings"][0]["s"]["value"], "urn:a");
    drop(serving);
}

#[test]
fn names_are_written_as_in_policies() {
    let city = Folder::new("city");
    // A prefix that nobody knows would be an IRI of a role that nobody has.
    city.run(&["token", "--role", "tls:RescueOfficer"])
        .badly(2, &["--role", "tl:"]);
    city.run(&["token", "--claim", "tl:legalBasis"])
        .badly(2, &["--claim", "OPERAND=VALUE"]);
    city.run(&["token", "--subject", ""])
        .badly(2, &["--subject"]);
    city.run(&["audit", "export", "--with", "rescue"])
        .badly(2, &["--with", "IRI"]);
    let serving = city.serve();
    city.run(&["query", "--role", "tl:Steward", "ASK {}"])
        .well();
    city.run(&["query", "--role", "tl:RescueOfficer", "ASK {}"])
        .badly(1, &["not permitted", "policy explain"]);
    city.run(&["query", "INSERT DATA { <urn:a> <urn:b> 1 }"])
        .badly(1, &["SPARQL update"]);
    city.run(&["query"]).badly(1, &["no query"]);
    drop(serving);
}

#[test]
fn data_that_is_lost_is_no_success() {
    let city = Folder::new("city");
    let facts = city.file("facts.ttl", "<urn:a> <urn:b> 1 .");
    city.run(&["import", &facts]).well();
    for arguments in [["export", "--gzip"], ["audit", "list"], ["peer", "list"]] {
        let full = OpenOptions::new().write(true).open("/dev/full");
        let Ok(full) = full else {
            return; // Not a system with such a device.
        };
        let mut command = city.command();
        command.arg("--config").arg(city.path("twinlink.toml"));
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(full)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("standard output"), "{arguments:?}: {said}");
    }
}

#[test]
fn an_export_is_there_once_it_is_whole() {
    let city = Folder::new("city");
    let facts = city.file("facts.nq", "<urn:a> <urn:b> <urn:c> <urn:g> .");
    city.run(&["import", &facts]).well();
    let path = city.home.path().join("out.ttl");
    let name = path.to_str().unwrap();
    // Turtle has no named graphs: that is found half way.
    city.run(&["export", "--format", "turtle", "--output", name])
        .badly(1, &["named graph"]);
    assert!(!path.exists());
    city.run(&["export", "--output", name]).well();
    assert!(fs::read_to_string(&path).unwrap().contains("<urn:g>"));
    city.run(&["export", "--output", name])
        .badly(1, &["out.ttl", "is there already"]);
}

#[test]
fn participants_whose_ids_look_alike_keep_a_file_each() {
    let city = Folder::new("city");
    for id in ["https://peer.example/a/b", "https://peer.example/a-b"] {
        let folder = id.len().to_string() + &id.replace(['/', ':'], "_");
        city.run_bare(&["init", &folder, "--participant", id])
            .well();
        let card = city.home.path().join(folder).join("card.toml");
        // What a card asks for itself counts for nothing.
        let text = fs::read_to_string(&card).unwrap();
        let text = text.replace("roles = []", "introspect = true\nroles = [\"urn:role\"]");
        fs::write(&card, text).unwrap();
        city.run(&["peer", "add", card.to_str().unwrap()]).well();
    }
    let known = city.run(&["peer", "list", "--json"]).well().json();
    assert_eq!(known.as_array().unwrap().len(), 2, "{known}");
    for peer in known.as_array().unwrap() {
        assert_eq!(peer["roles"], Value::Array(Vec::new()));
    }
    for file in fs::read_dir(city.path("peers")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("introspect"), "{text}");
    }
}

#[test]
fn whoever_looks_makes_nothing() {
    let city = Folder::new("city");
    let doctor = city.run(&["doctor", "--json"]).well();
    assert!(doctor.out.contains("there is none yet"), "{}", doctor.out);
    city.run(&["config", "check"]).well();
    assert!(!city.path("twin").exists());

    fs::write(city.path("identity/pseudonym.key"), "short").unwrap();
    city.run(&["config", "check"]).badly(1, &["pseudonym.key"]);
    city.replace("twinlink.toml", "store = \"twin\"", "store = \"card.toml\"");
    city.run(&["config", "check"])
        .badly(1, &["card.toml", "no folder"]);
    let facts = city.file("facts.ttl", "<urn:a> <urn:b> 1 .");
    fs::write(city.path("identity/pseudonym.key"), "0f".repeat(32)).unwrap();
    city.run(&["import", &facts])
        .badly(1, &["card.toml", "no directory"]);
    city.replace(
        "twinlink.toml",
        "policies = \"policies\"",
        "policies = \"polices\"",
    );
    for command in ["serve", "policy"] {
        let arguments: &[&str] = match command {
            "policy" => &["policy", "check"],
            command => &[command],
        };
        city.run(arguments).badly(1, &["`policies`", "polices"]);
    }
}

#[test]
fn proofs_are_made_only_for_requests_that_can_be() {
    let city = Folder::new("city");
    let key = city.path("identity/key.pem");
    let proof = |method: &str, url: &str, more: &[&str]| {
        let mut arguments = vec!["proof", method, url, "--key", key.to_str().unwrap()];
        arguments.extend(more);
        city.run_bare(&arguments)
    };
    let url = "https://localhost:7443/sparql";
    proof("POST", url, &["--no-token"]).well();
    proof("post", url, &["--no-token"]).badly(2, &["capital letters"]);
    proof("POST", "localhost/sparql", &["--no-token"]).badly(2, &["https://"]);
    proof("POST", url, &[]).badly(1, &["no token"]);
}

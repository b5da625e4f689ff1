//! Policies looked at by their authors: explained, tested, compared.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const PREFIXES: &str = "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <https://w3id.org/twinlink/ns#> .\n";

/// The rescue department may read where things are in an emergency, but no names.
const PARTNERS: &str = "<https://city.example/partners> a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
  odrl:conflict odrl:prohibit ;
  odrl:permission [ odrl:target <https://city.example/twin> ; odrl:assignee <https://rescue.example/> ; odrl:action odrl:read ;
    odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:isA ; odrl:rightOperand tl:EmergencyResponse ] ] ;
  odrl:prohibition [ odrl:action odrl:read ; odrl:target [ odrl:source <https://city.example/twin> ; odrl:refinement
    [ odrl:leftOperand tl:property ; odrl:operator odrl:eq ; odrl:rightOperand tl:personName ] ] ] .";

struct Done {
    code: i32,
    out: String,
    err: String,
}

impl Done {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

fn run(folder: &TempDir, arguments: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinlink"));
    command
        .env_remove("TWINLINK_CONFIG")
        .env_remove("TWINLINK_LOG");
    let output = command
        .current_dir(folder.path())
        .arg("policy")
        .args(arguments)
        .output()
        .unwrap();
    Done {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let prefixes = if name.ends_with(".ttl") { PREFIXES } else { "" };
        fs::write(path, format!("{prefixes}{text}")).unwrap();
    }
    folder
}

const RESCUE: &[&str] = &[
    "explain",
    "partners.ttl",
    "--participant",
    "https://rescue.example/",
];

#[test]
fn explain_names_the_rules_that_decided_and_why_others_did_not() {
    let folder = folder(&[("partners.ttl", PARTNERS)]);
    let done = run(&folder, RESCUE);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.starts_with("denied"), "{}", done.out);
    assert!(
        done.out.contains("does not say enough to meet it"),
        "{}",
        done.out
    );
    assert!(
        done.out
            .contains("unknown: the purpose is a kind of tl:EmergencyResponse"),
        "{}",
        done.out
    );

    let done = run(
        &folder,
        &[RESCUE, &["--purpose", "tl:EmergencyResponse", "--json"]].concat(),
    );
    let json = done.json();
    assert_eq!(json["permitted"], true);
    assert_eq!(json["shown"][0], "everything");
    assert_eq!(json["withheld"][0], "the statements with tl:personName");
    assert_eq!(json["rules"][0]["reason"], "grants");
    assert_eq!(json["rules"][1]["reason"], "withholds");
    let stranger = [
        "explain",
        "partners.ttl",
        "--participant",
        "https://other.example/",
        "--json",
    ];
    let json = run(&folder, &stranger).json();
    assert_eq!(json["permitted"], false);
    assert_eq!(json["rules"][0]["concerns"], false);
}

const CHANGED: &str = r#"
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix tl: <https://w3id.org/twinlink/ns#> .
@prefix ex: <http://example.org/> .
ex:p a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:conflict odrl:perm ;
  odrl:permission [ odrl:action odrl:read ; odrl:target [ odrl:source ex:twin ; odrl:refinement
      [ odrl:leftOperand tl:property ; odrl:operator odrl:eq ; odrl:rightOperand ex:income ] ] ;
    odrl:duty [ odrl:action [ rdf:value tl:round ; odrl:refinement
      [ odrl:leftOperand tl:multiple ; odrl:operator odrl:eq ; odrl:rightOperand 1000 ] ] ] ] ,
   [ odrl:action odrl:aggregate ; odrl:target [ odrl:uid ex:incomes ; odrl:source ex:twin ; odrl:refinement
      [ odrl:leftOperand tl:dimension ; odrl:operator odrl:eq ; odrl:rightOperand ex:district ] ,
      [ odrl:leftOperand tl:minimumGroupSize ; odrl:operator odrl:gteq ; odrl:rightOperand 10 ] ] ] ;
  odrl:prohibition [ odrl:action odrl:read ; odrl:target [ odrl:source ex:twin ; odrl:refinement
      [ odrl:leftOperand tl:class ; odrl:operator odrl:eq ; odrl:rightOperand ex:Person ] ] ] .
ex:q a odrl:Set ; odrl:permission [ odrl:action odrl:read ; odrl:target ex:twin ] .
"#;

#[test]
fn explain_names_what_is_changed_and_counted_and_from_what_something_is_withheld() {
    let folder = folder(&[("changed.ttl", CHANGED)]);
    let asked = [
        "explain",
        "changed.ttl",
        "--participant",
        "https://rescue.example/",
    ];
    let done = run(&folder, &asked);
    for line in [
        "changes   the statements with <http://example.org/income>, with all values rounded to multiples of 1000",
        "counts    numbers for groups of at least 10 by <http://example.org/district> from everything, as <http://example.org/incomes>",
        "and beside that",
        "shows     everything",
        "withholds the statements about instances of <http://example.org/Person>",
    ] {
        assert!(done.out.contains(line), "{line}\n{}", done.out);
    }
    let json = run(&folder, &[&asked[..], &["--json"]].concat()).json();
    assert_eq!(json["layers"].as_array().unwrap().len(), 2, "{json}");
    assert_eq!(json["shown"][0], "everything");
}

const MET: &str = r#"
policies = ["../partners.ttl"]
[[expect]]
name = "in an emergency"
participant = "https://rescue.example/"
purpose = "tl:EmergencyResponse"
decision = "permitted"
sees = [{ graph = "tl:DefaultGraph", property = "tl:polygon" }]
withholds = [{ property = "tl:personName", class = "tl:Incident" }]
[[expect]]
name = "otherwise"
participant = "https://rescue.example/"
decision = "denied"
"#;

#[test]
fn expectations_that_are_met_are_said_so() {
    let folder = folder(&[("partners.ttl", PARTNERS), ("tests/partners.toml", MET)]);
    let done = run(&folder, &["test", "tests/partners.toml"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert_eq!(done.out.matches("ok  ").count(), 2, "{}", done.out);
}

#[test]
fn an_expectation_that_is_not_met_names_the_rule() {
    let wrong = MET
        .replace("sees = [{ graph", "sees = [{}, { graph")
        .replace("property = \"tl:personName\", class", "class")
        .replace("decision = \"denied\"", "decision = \"permitted\"");
    let folder = folder(&[("partners.ttl", PARTNERS), ("tests/wrong.toml", &wrong)]);
    let done = run(&folder, &["test", "tests/wrong.toml"]);
    assert_eq!(done.code, 1, "{}", done.out);
    for part in [
        "FAIL tests/wrong.toml: in an emergency",
        "a part of everything is not shown",
        "prohibition 1 of <https://city.example/partners> withholds",
        "a part of the statements about instances of <https://w3id.org/twinlink/ns#Incident> is not withheld",
        "permission 1 of <https://city.example/partners> grants",
        "is denied, should be permitted",
    ] {
        assert!(done.out.contains(part), "{}\nlacks: {part}", done.out);
    }
    assert!(
        done.err.contains("2 of 2 expectations are not met"),
        "{}",
        done.err
    );
    let json = run(&folder, &["test", "tests/wrong.toml", "--json"]).json();
    assert_eq!(json[0]["met"], false);
    assert_eq!(json[1]["name"], "otherwise");
}

#[test]
fn a_file_of_expectations_with_a_mistake_says_where() {
    for (mistake, part) in [
        (MET.replace("sees", "shows"), "shows"),
        (MET.replace("\"denied\"", "\"refused\""), "refused"),
        (MET.replace("https://rescue.example/", "rescue"), "`rescue`"),
        (MET.replace("../partners.ttl", "none.ttl"), "none.ttl"),
        (MET.replace("tl:polygon", "rdfs:comment"), "`rdfs:comment`"),
    ] {
        let folder = folder(&[("partners.ttl", PARTNERS), ("tests/wrong.toml", &mistake)]);
        let done = run(&folder, &["test", "tests/wrong.toml"]);
        assert_eq!(done.code, 1, "{}", done.out);
        assert!(done.err.contains(part), "{}", done.err);
    }
}

#[test]
fn diff_says_who_gains_and_who_loses_with_an_example() {
    let wider = PARTNERS
        .replace(
            "odrl:action odrl:read ;\n    odrl:constraint",
            "odrl:action odrl:use ;\n    odrl:constraint",
        )
        .replace(
            "odrl:prohibition [",
            "odrl:prohibition [ odrl:assignee <https://other.example/> ;",
        );
    let folder = folder(&[("old/partners.ttl", PARTNERS), ("new/partners.ttl", &wider)]);
    let done = run(&folder, &["diff", "old", "new"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(
        done.out
            .contains("gain by new permission 1 of <https://city.example/partners>"),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("for example: <https://rescue.example/>"),
        "{}",
        done.out
    );
    assert!(!done.out.contains("loss"), "{}", done.out);
    let json = run(&folder, &["diff", "new", "old", "--json"]).json();
    assert_eq!(json["gains"].as_array().unwrap().len(), 0);
    let example = &json["losses"][0]["example"];
    assert_eq!(example["participant"], "https://rescue.example/");
    let same = run(&folder, &["diff", "old", "old/partners.ttl"]);
    assert_eq!(same.out, "nobody gains, nobody loses\n");
}

#[test]
fn the_policies_of_the_example_and_the_stock_do_what_their_authors_expect() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["../../examples/helsinki/policies", "../../policies/stock"];
    let expectations: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(here.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    assert!(!expectations.is_empty());
    let folder = folder(&[]);
    for path in expectations {
        let done = run(&folder, &["test", path.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    }
}

#[test]
fn help_teaches() {
    let folder = folder(&[]);
    for (command, part) in [
        ("explain", "--role tl:RescueOfficer"),
        ("test", "[[expect]]"),
        ("diff", "twinlink policy diff policies/"),
    ] {
        let done = run(&folder, &[command, "--help"]);
        assert_eq!(done.code, 0);
        assert!(done.out.contains(part), "{}", done.out);
    }
}

#[test]
fn what_is_withheld_is_told_to_the_owner_as_counts() {
    let folder = folder(&[(
        "data.ttl",
        "<https://city.example/i1> tl:personName \"A\", \"B\" ; tl:polygon \"P\" .",
    )]);
    let twinlink = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twinlink"));
        command
            .env_remove("TWINLINK_CONFIG")
            .env_remove("TWINLINK_LOG");
        let output = command
            .current_dir(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(output.stderr)
        );
        text(output.stdout)
    };
    twinlink(&[
        "init",
        "city",
        "--participant",
        "https://city.example/",
        "--listen",
        "127.0.0.1:0",
    ]);
    let configured = ["--config", "city/twinlink.toml"];
    twinlink(&[&configured[..], &["import", "data.ttl"]].concat());
    let policy = format!("{PREFIXES}{PARTNERS}");
    fs::write(folder.path().join("city/policies/partners.ttl"), &policy).unwrap();
    let explain = |more: &[&str]| {
        let ask = [
            "policy",
            "explain",
            "--participant",
            "https://rescue.example/",
            "--json",
            "--query",
            "SELECT * { ?s ?p ?o }",
            "--purpose",
        ];
        let out = twinlink(&[&configured[..], &ask, more].concat());
        serde_json::from_str::<Value>(&out).unwrap()["counts"].clone()
    };
    let counts = |statements: u32, rows: u32| {
        serde_json::json!([
            {"of": "statements", "shown": statements, "steward": 1},
            {"of": "rows", "shown": rows, "steward": 1},
        ])
    };
    // The prohibition of names is for anyone: for stewards too.
    assert_eq!(explain(&["tl:EmergencyResponse"]), counts(1, 1));
    assert_eq!(explain(&["tl:UrbanPlanning"]), counts(0, 0));
}

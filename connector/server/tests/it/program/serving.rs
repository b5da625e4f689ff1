//! Connectors that serve: from nothing to an answer, two that join, and reading policies again.

use super::{Folder, failed};
use serde_json::Value;
use std::fs;
use std::process::Command;

const STEWARD: &str = "https://w3id.org/twinlink/ns#Steward";

#[test]
fn from_nothing_to_an_answer() {
    let city = Folder::new("city");
    let data = city.file(
        "schools.ttl",
        "<https://city.example/school> <https://city.example/level> 1, 2 .",
    );
    assert_eq!(
        city.run(&["import", &data]).well().out,
        "2 quads added, on disk\n"
    );
    city.run(&["config", "check"]).well();
    city.run(&["policy", "check"]).well();
    let query = "SELECT ?o WHERE { ?s ?p ?o } ORDER BY ?o";
    city.run(&["query", query])
        .badly(1, &["is it running?", "twinlink doctor"]);

    let serving = city.serve();
    let answer = city.run(&["query", query, "--format", "csv"]).well();
    assert_eq!(answer.out, "o\r\n1\r\n2\r\n");
    assert!(
        answer
            .err
            .contains("https://city.example/: complete, 2 rows"),
        "{}",
        answer.err
    );
    let answer = city.run(&["query", query, "--format", "json"]).well();
    assert_eq!(
        answer.json()["results"]["bindings"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let outcome = city.path("outcome.json");
    let file = outcome.to_str().unwrap();
    assert_eq!(
        city.run(&["query", "ASK { ?s ?p ?o }", "--outcome", file])
            .well()
            .out,
        "true\n"
    );
    let outcome: Value = serde_json::from_slice(&fs::read(outcome).unwrap()).unwrap();
    assert_eq!(outcome["complete"], true);
    assert_eq!(
        outcome["sources"][0]["participant"],
        "https://city.example/"
    );
    assert_eq!(outcome["receipt"].as_str().unwrap().split('~').count(), 2);

    // While it serves, imports go through it; what reads the twin itself says why it cannot.
    let more = city.file(
        "more.ttl",
        "<https://city.example/school> <https://city.example/level> 3 .",
    );
    assert_eq!(
        city.run(&["import", &more]).well().out,
        "1 quads added, on disk\n"
    );
    city.run(&["export"])
        .badly(1, &["the connector is running"]);
    city.run(&["serve"])
        .badly(1, &["twin", "another process", "stop that process"]);
    city.run(&["query", "SELECT"])
        .badly(1, &["invalid request", "1:"]);
    city.run(&["query", query, "--role", "https://city.example/nobody"])
        .badly(1, &["denied: not permitted"]);
    assert_eq!(serving.stop(), Some(0));
    // It stopped with a checkpoint behind its last record.
    let log = city.run(&["audit", "verify"]).well().json();
    assert_eq!(log["without_checkpoint"], 0, "{log}");
    assert_eq!(
        city.run(&["export", "--format", "ntriples"])
            .well()
            .out
            .lines()
            .count(),
        3
    );
}

#[test]
fn two_organisations_join_and_one_goes() {
    let (city, police) = (Folder::new("city"), Folder::new("police"));
    let data = police.file(
        "cordon.ttl",
        "<https://police.example/cordon> a <https://police.example/Cordon> .",
    );
    police.run(&["import", &data]).well();
    police.file("policy.ttl", "");
    fs::write(
        police.path("policies/open.ttl"),
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . <https://police.example/policy/open> a odrl:Set ;
         odrl:permission [ odrl:target <https://police.example/twin> ; odrl:action odrl:read ] .",
    )
    .unwrap();
    let card = |folder: &Folder| folder.path("card.toml").to_str().unwrap().to_owned();
    city.run(&["peer", "add", &card(&city)])
        .badly(1, &["own card"]);
    city.run(&["peer", "add", &card(&police)]).well();
    city.run(&["peer", "add", &card(&police)])
        .badly(1, &["known already", "remove"]);
    police
        .run(&["peer", "add", &card(&city), "--role", STEWARD])
        .well();

    let peers = police.run(&["peer", "list", "--json"]).well().json();
    assert_eq!(peers[0]["participant"], "https://city.example/");
    assert_eq!(peers[0]["roles"][0], STEWARD);
    assert!(
        peers[0]["url"]
            .as_str()
            .unwrap()
            .starts_with("https://localhost:")
    );
    assert!(
        city.run(&["peer", "list"])
            .well()
            .out
            .contains("https://police.example/")
    );

    let (serving, other) = (city.serve(), police.serve());
    assert_eq!(
        failed(&city.run(&["doctor", "--json"]).well().json()),
        [] as [&str; 0]
    );
    let query = [
        "query",
        "SELECT ?s WHERE { ?s a ?c }",
        "--federated",
        "--format",
        "tsv",
    ];
    let answer = city.run(&query).well();
    assert_eq!(answer.out, "?s\n<https://police.example/cordon>\n");
    assert!(
        answer
            .err
            .contains("https://police.example/: complete, 1 row,"),
        "{}",
        answer.err
    );

    let plan = city.run(&["query", query[1], "--federated", "--explain", "--json"]);
    let plan = plan.well().json();
    let step = plan["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&step["kind"], &step["pushed"]),
        (&"whole".into(), &"question".into())
    );
    assert_eq!(step["directions"], serde_json::json!([]));
    let age = |word| police.run(&["query", "ASK {}", "--max-age", word]);
    age("1h").well();
    age("0").badly(1, &["--max-age", "5m"]);

    assert_eq!(other.stop(), Some(0));
    let answer = city.run(&query);
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert_eq!(answer.out, "?s\n");
    assert!(
        answer.err.contains("https://police.example/: unreachable"),
        "{}",
        answer.err
    );
    let doctor = city.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1);
    assert_eq!(failed(&doctor.json()), ["peer.reach"]);
    let text = city.run(&["doctor"]);
    assert!(
        text.out
            .contains("FAIL peer.reach   https://police.example/"),
        "{}",
        text.out
    );
    drop(serving);
}

#[test]
fn a_claim_of_the_token_meets_its_constraint() {
    let city = Folder::new("city");
    fs::write(
        city.path("policies/basis.ttl"),
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <https://w3id.org/twinlink/ns#> .
         <https://city.example/policy/basis> a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
         tl:needsLegalBasis true ;
         odrl:permission [ odrl:target <https://city.example/twin> ; odrl:action odrl:read ;
           odrl:constraint [ odrl:leftOperand tl:legalBasis ; odrl:operator odrl:eq ; odrl:rightOperand <https://laws.example/19> ] ] .",
    )
    .unwrap();
    let _serving = city.serve();
    let ask = |claim: Option<&str>| {
        let mut arguments = vec!["query", "ASK {}", "--role", "https://city.example/guest"];
        arguments.extend(claim.iter().flat_map(|claim| ["--claim", claim]));
        city.run(&arguments)
    };
    let basis = "https://w3id.org/twinlink/ns#legalBasis";
    ask(Some(&format!("{basis}=https://laws.example/19"))).well();
    ask(Some(&format!("{basis}=https://laws.example/20"))).badly(1, &["denied: not permitted"]);
    ask(None).badly(1, &["denied: not permitted"]);
    ask(Some(basis)).badly(2, &["--claim", "OPERAND=VALUE"]);
}

#[test]
fn policies_are_read_again_on_a_signal() {
    let city = Folder::new("city");
    let serving = city.serve();
    let query = ["query", "ASK {}", "--role", "https://city.example/guest"];
    assert_eq!(city.run(&query).code, 1);
    fs::write(
        city.path("policies/open.ttl"),
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . <https://city.example/policy/open> a odrl:Set ;
         odrl:permission [ odrl:target <https://city.example/twin> ; odrl:action odrl:read ] .",
    )
    .unwrap();
    let id = serving.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-HUP", &id])
            .status()
            .unwrap()
            .success()
    );
    let began = std::time::Instant::now();
    while city.run(&query).code != 0 {
        assert!(
            began.elapsed().as_secs() < 20,
            "{}",
            fs::read_to_string(city.path("serve.log")).unwrap()
        );
    }
    fs::write(city.path("policies/odd.ttl"), "odd").unwrap();
    assert!(
        Command::new("kill")
            .args(["-HUP", &id])
            .status()
            .unwrap()
            .success()
    );
    let log = || fs::read_to_string(city.path("serve.log")).unwrap();
    while !log().contains("nothing was reloaded") {
        assert!(began.elapsed().as_secs() < 20, "{}", log());
        std::thread::yield_now();
    }
    assert!(log().contains("policies/odd.ttl"), "{}", log());
    assert_eq!(city.run(&query).code, 0);
}

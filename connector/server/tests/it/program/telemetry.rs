//! What the log tells of a round of requests, and what it does not.

use super::Folder;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const STEWARD: &str = "https://w3id.org/twinlink/ns#Steward";

/// The lines of a log, each an object.
fn lines(folder: &Folder) -> Vec<Value> {
    let text = fs::read_to_string(folder.path("serve.log")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

fn traces(folder: &Folder) -> BTreeSet<String> {
    let lines = lines(folder);
    let traces = lines
        .iter()
        .filter_map(|line| line["span"]["trace"].as_str());
    traces.map(str::to_owned).collect()
}

#[test]
fn no_secret_in_logs() {
    let (city, police) = (Folder::new("city"), Folder::new("police"));
    let data = police.file(
        "cordon.ttl",
        "<https://police.example/planted-row> <https://police.example/says> \"planted value\" .",
    );
    police.run(&["import", &data]).well();
    fs::write(
        police.path("policies/open.ttl"),
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . <https://police.example/policy/open> a odrl:Set ;
         odrl:permission [ odrl:target <https://police.example/twin> ; odrl:action odrl:read ] .",
    )
    .unwrap();
    let card = |folder: &Folder| folder.path("card.toml").to_str().unwrap().to_owned();
    police
        .run(&["peer", "add", &card(&city), "--role", STEWARD])
        .well();
    police.log_everything();
    let serving = police.serve();
    // The police's port is known by now.
    let text = fs::read_to_string(police.path("card.toml")).unwrap();
    let url = text
        .lines()
        .find(|line| line.starts_with("url"))
        .unwrap()
        .to_owned();
    let text = text.replace(
        &url,
        &format!("url = \"https://localhost:{}\"", serving.port),
    );
    fs::write(police.path("card.toml"), text).unwrap();
    city.run(&["peer", "add", &card(&police)]).well();
    city.log_everything();
    let other = city.serve();
    let query = "SELECT * { ?planted_name <https://police.example/says> ?o FILTER (?o != \"planted filter\") }";
    let answer = city
        .run(&["query", "--federated", "--format", "csv", query])
        .well();
    assert!(answer.out.contains("planted value"), "{}", answer.out);
    // What is broken is not repeated either.
    city.run(&["query", "SELECT * { ?s \"planted literal\" } planted_rest"])
        .badly(1, &["invalid request"]);
    city.run(&[
        "query",
        "SELECT * { ?s ?p ?o } # planted",
        "--role",
        "https://city.example/nobody",
    ])
    .badly(1, &["denied"]);
    let broken = city.file(
        "broken.ttl",
        "<https://city.example/planted-subject> <planted-predicate \"planted object\" .",
    );
    assert_ne!(city.run(&["import", &broken]).code, 0);
    let token = city.run(&["token"]).well().out;
    assert_eq!(other.stop(), Some(0));
    assert_eq!(serving.stop(), Some(0));
    for folder in [&city, &police] {
        let log = fs::read_to_string(folder.path("serve.log")).unwrap();
        assert!(log.contains("answered"), "{log}");
        for secret in ["planted", token.trim(), "eyJ", "PRIVATE KEY"] {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret}");
        }
    }
    // One question, one trace, in both logs.
    let shared: Vec<String> = traces(&city)
        .intersection(&traces(&police))
        .cloned()
        .collect();
    assert!(
        !shared.is_empty(),
        "{:?} {:?}",
        traces(&city),
        traces(&police)
    );
}

/// Traces leave only where they are configured to, whatever the environment says.
#[test]
fn no_trace_leaves_that_is_not_configured() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let city = Folder::new("city");
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let serving = city.serve_with("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    city.run(&["query", "ASK {}"]).well();
    assert_eq!(serving.stop(), Some(0));
    collector.set_nonblocking(true).unwrap();
    assert!(collector.accept().is_err(), "somebody connected");
    // Where it is, they do.
    collector.set_nonblocking(false).unwrap();
    city.append(
        "twinlink.toml",
        &format!("[telemetry]\notlp = \"{endpoint}\"\n"),
    );
    let serving = city.serve();
    city.run(&["query", "ASK {}"]).well();
    let received = std::thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = collector.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).unwrap();
        drop(stream.write_all(b"no HTTP/2"));
        preface
    });
    // Its last traces are sent before it ends; a collector that does not answer delays that for seconds at most.
    assert_eq!(serving.stop(), Some(0));
    assert_eq!(
        &received.join().unwrap(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    );
    city.replace("twinlink.toml", &endpoint, "https://user@collector.example");
    city.run(&["config", "check"]).badly(1, &["telemetry.otlp"]);
}

#[test]
fn a_level_that_is_not_understood_is_told() {
    let city = Folder::new("city");
    let serving = city.serve_with("TWINLINK_LOG", "info,[[");
    let log = fs::read_to_string(city.path("serve.log")).unwrap();
    assert!(log.contains("TWINLINK_LOG is not understood"), "{log}");
    drop(serving);
}

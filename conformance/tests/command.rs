//! The command line, and a suite of our own against an embedded connector.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A suite over HTTP with one case that must pass and one that must fail.
const PROTOCOL: &str = r#"
@prefix mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#> .
@prefix ht: <http://www.w3.org/2011/http#> .
@prefix hts: <http://www.w3.org/2011/http-statusCodes#> .
@prefix ut: <http://www.w3.org/2009/sparql/tests/test-update#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
<> mf:entries ( <#right> <#wrong> ) .
<#right> a mf:ProtocolTest ;
  ut:graphData [ ut:graph <data.nt> ; rdfs:label "http://x/g" ] ;
  mf:action [ ht:requests (
    [ ht:methodName "GET" ;
      ht:absolutePath "/sparql/?query=ASK%20%7B%20GRAPH%20%3Chttp%3A%2F%2Fx%2Fg%3E%20%7B%20%3Fs%20%3Fp%20%3Fo%20%7D%20%7D" ;
      ht:resp [ mf:expectedBoolean true ; mf:expectedStatus hts:StatusCode2xx ] ] ) ] .
<#wrong> a mf:ProtocolTest ;
  mf:action [ ht:requests (
    [ ht:methodName "GET" ; ht:absolutePath "/sparql/?query=ASK%20%7B%20%3Fs%20%3Fp%20%3Fo%20%7D" ;
      ht:resp [ mf:expectedBoolean true ] ] ) ] .
"#;

fn conformance(arguments: &[&str], suites: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_twinlink-conformance"))
        .args(arguments)
        .arg("--suites")
        .arg(suites)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_missing_folder_is_said_and_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    // Not `all`: `hostile-queries` judges by time, which is for release builds on a quiet machine.
    let suites = [
        "sparql11-query",
        "federated-equals-merged",
        "noninterference",
    ];
    let arguments = [&["suite"], &suites[..], &["--cases", "3"]].concat();
    let output = conformance(&arguments, folder.path());
    assert_eq!(output.status.code(), Some(0));
    let said = said(&output);
    assert!(
        said.contains("sparql11-query: skipped: not found"),
        "{said}"
    );
    // What is generated needs no folder.
    assert!(
        said.contains("federated-equals-merged: 3 passed, 0 failed, 0 skipped"),
        "{said}"
    );
    assert!(
        said.contains("noninterference: 3 passed, 0 failed, 0 skipped"),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    assert!(last.contains(" passed, 0 failed, "), "{said}");
}

#[test]
fn unknown_names_end_with_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let output = conformance(&["suite", "sparql11-query", "nonsense"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("graph-store-protocol"), "{error}");
    assert!(output.stdout.is_empty());
}

#[test]
fn an_embedded_connector_is_judged_case_by_case() {
    let folder = tempfile::tempdir().unwrap();
    let protocol = folder.path().join("sparql11/protocol");
    fs::create_dir_all(&protocol).unwrap();
    fs::write(protocol.join("manifest.ttl"), PROTOCOL).unwrap();
    fs::write(protocol.join("data.nt"), "<urn:a> <urn:b> <urn:c> .").unwrap();
    let output = conformance(&["suite", "sparql11-protocol", "--json"], folder.path());
    let said = said(&output);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["suite"], "sparql11-protocol", "{said}");
    assert_eq!(report["total"], 2, "{said}");
    assert_eq!(report["passed"], 1, "{said}");
    assert_eq!(report["failed"], 1, "{said}");
    let case = report["failures"][0]["case"].as_str().unwrap();
    assert!(case.ends_with("#wrong"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

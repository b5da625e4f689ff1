use super::*;
use crate::library::Library;
use crate::manifest::{Manifest, Take};
use std::cell::RefCell;

const MANIFEST: &str = r#"
@prefix mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#> .
@prefix ht: <http://www.w3.org/2011/http#> .
@prefix hts: <http://www.w3.org/2011/http-statusCodes#> .
@prefix cnt: <http://www.w3.org/2011/content#> .
<> mf:entries ( <#t> ) .
<#t> a mf:GraphStoreProtocolTest ; mf:action [ ht:requests (
  [ ht:methodName "POST" ; ht:absolutePath "/gsp" ;
    ht:headers ( [ ht:fieldName "content-type" ; ht:fieldValue "text/turtle" ] ) ;
    ht:body [ cnt:chars "<urn:a> <urn:b> [] ." ] ;
    ht:resp [ mf:expectedStatus hts:Created ; mf:expectedLocation "$LOCATION$" ] ]
  [ ht:methodName "GET" ; ht:absolutePath "/gsp?graph=$LOCATION$" ;
    ht:resp [ mf:expectedStatus hts:StatusCode2xx ;
      ht:headers ( [ ht:fieldName "content-type" ; ht:fieldValue "text/turtle; charset=utf-8" ] ) ;
      ht:body [ cnt:chars "<urn:a> <urn:b> [] ." ] ] ]
  [ ht:methodName "POST" ; ht:absolutePath "/sparql/?x=y" ;
    ht:body [ cnt:chars "ASK {}" ; cnt:characterEncoding "UTF-16" ] ;
    ht:resp [ mf:expectedStatus hts:StatusCode4xx ] ]
) ] .
"#;

/// Answers from a list, and keeps what it was asked.
struct Script {
    answers: RefCell<Vec<Response>>,
    asked: RefCell<Vec<Request>>,
}

impl Target for Script {
    fn root(&self) -> &str {
        "http://example.org"
    }

    fn send(&self, request: &Request) -> Result<Response, Fault> {
        self.asked.borrow_mut().push(request.clone());
        Ok(self.answers.borrow_mut().remove(0))
    }
}

fn answers() -> Vec<Response> {
    let answer = |status, headers: &[(&str, &str)], body: &str| Response {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.into(),
    };
    vec![
        answer(201, &[("location", "/data/new?a&b")], ""),
        answer(
            200,
            &[("content-type", "text/turtle")],
            "<urn:a> <urn:b> _:x .",
        ),
        answer(415, &[], ""),
    ]
}

fn played(answers: Vec<Response>) -> (Result<(), String>, Vec<Request>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("manifest.ttl"), MANIFEST).unwrap();
    let library = Library::new(folder.path());
    let manifest = Manifest::load(&library, &["manifest.ttl"], Take::Entries);
    let manifest = manifest.unwrap().unwrap();
    let steps = steps(&manifest.start(&manifest.cases()[0])).unwrap();
    let script = Script {
        answers: RefCell::new(answers),
        asked: RefCell::default(),
    };
    (play(&script, &steps).unwrap(), script.asked.into_inner())
}

#[test]
fn requests_are_sent_as_the_manifest_has_them() {
    let (result, asked) = played(answers());
    assert_eq!(result, Ok(()));
    assert_eq!(asked[0].path, "/data");
    assert_eq!(
        asked[0].headers,
        [("content-type".to_owned(), "text/turtle".to_owned())]
    );
    assert!(
        asked[1]
            .path
            .starts_with("/data?graph=http%3A%2F%2Fexample.org%2Fdata%2Fnew")
    );
    assert_eq!(asked[2].path, "/sparql?x=y");
    assert_eq!(
        asked[2].body.get(..4),
        Some([0xFE, 0xFF, 0, b'A'].as_slice())
    );
}

#[test]
fn wrong_status_body_and_location_are_found() {
    let mut wrong = answers();
    wrong[2].status = 200;
    assert!(played(wrong).0.unwrap_err().contains("request 3"));
    let mut wrong = answers();
    wrong[1].body = "<urn:a> <urn:b> <urn:c> .".into();
    assert!(played(wrong).0.unwrap_err().contains("request 2"));
    let mut wrong = answers();
    wrong[0].headers.clear();
    assert!(played(wrong).0.unwrap_err().contains("request 1"));
    let mut wrong = answers();
    wrong[1].headers = vec![(
        "content-type".to_owned(),
        "text/turtle; charset=latin1".to_owned(),
    )];
    assert!(played(wrong).0.unwrap_err().contains("media type"));
}

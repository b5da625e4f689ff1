use super::*;

const OUTER: &str = r#"
@prefix mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#> .
<> mf:include ( <inner/manifest.ttl> ) .
"#;

const INNER: &str = r#"
@prefix mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#> .
@prefix : <http://www.w3.org/2009/sparql/docs/tests/data-sparql11/inner/manifest#> .
<> mf:entries ( :b :a ) .
:a a mf:PositiveSyntaxTest11 ; mf:action <a.rq> .
:b a mf:QueryEvaluationTest ; mf:action [ mf:result "x" ] .
:c a mf:QueryEvaluationTest .
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    std::fs::write(folder.path().join("manifest.ttl"), OUTER).unwrap();
    std::fs::write(folder.path().join("inner/manifest.ttl"), INNER).unwrap();
    folder
}

#[test]
fn entries_of_included_manifests_come_in_their_order() {
    let folder = folder();
    let library = Library::new(folder.path());
    let manifest = Manifest::load(&library, &["manifest.ttl"], Take::Entries)
        .unwrap()
        .unwrap();
    let ids: Vec<_> = manifest.cases().iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["inner#b", "inner#a"]);
    let kinds: Vec<_> = manifest.cases().iter().map(|c| c.kind.as_str()).collect();
    assert_eq!(kinds, ["QueryEvaluationTest", "PositiveSyntaxTest11"]);
    let start = manifest.start(&manifest.cases()[0]);
    let action = start.need(&mf("action")).unwrap();
    assert_eq!(action.need(&mf("result")).unwrap().text().unwrap(), "x");
    assert!(action.need(&mf("name")).is_err());
}

#[test]
fn tests_that_no_list_names_are_taken_on_request() {
    let folder = folder();
    let library = Library::new(folder.path());
    let manifest = Manifest::load(&library, &["manifest.ttl"], Take::All)
        .unwrap()
        .unwrap();
    let ids: Vec<_> = manifest.cases().iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["inner#b", "inner#a", "inner#c"]);
}

#[test]
fn a_missing_folder_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path());
    let manifest = Manifest::load(&library, &["manifest.ttl"], Take::All).unwrap();
    assert!(manifest.is_none());
}

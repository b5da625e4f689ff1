//! A store directory that an earlier version wrote: later versions open it, and find all of it.
//!
//! `golden/1` is what a connector left that was told of a school and a note, changed a number, answered one question,
//! refused one, and had an incident declared.

use crate::support::budget;
use flate2::read::GzDecoder;
use std::fs::{self, File};
use std::path::Path;
use twinlink_core::{Journal, StateOfWorld};
use twinlink_policy::Guard;
use twinlink_store::{EvaluationOptions, Ledger, TwinStore};

fn unpacked(version: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for packed in fs::read_dir(golden.join(version)).unwrap() {
        let packed = packed.unwrap().path();
        let mut to = File::create(folder.path().join(packed.file_stem().unwrap())).unwrap();
        std::io::copy(&mut GzDecoder::new(File::open(packed).unwrap()), &mut to).unwrap();
    }
    folder
}

#[test]
fn what_version_1_wrote_is_read() {
    let folder = unpacked("1");
    let store = TwinStore::open(folder.path(), EvaluationOptions::default()).unwrap();
    let snapshot = store.snapshot();
    let quads = snapshot.quads(&Guard::everything(), &budget()).unwrap();
    let mut quads = quads.map(|quad| quad.to_string()).collect::<Vec<_>>();
    quads.sort();
    assert_eq!(quads.len(), 9, "{quads:#?}");
    for quad in [
        r#"<https://golden.example/school> <https://golden.example/name> "Kaisaniemi"@fi"#,
        r#"<https://golden.example/school> <https://golden.example/pupils> "251"^^<http://www.w3.org/2001/XMLSchema#integer>"#,
        r#"<https://golden.example/note1> <https://golden.example/text> "line one\nline two \"quoted\" ü 𝄞" <https://golden.example/notes>"#,
    ] {
        assert!(
            quads.iter().any(|known| known == quad),
            "{quad}: {quads:#?}"
        );
    }
    let changes = store.changes(1, 10).unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!((changes[1].added.len(), changes[1].removed.len()), (1, 1));
    let records = store.journal().read(0, 100).unwrap();
    assert_eq!(records.len(), 7);

    let ledger = Ledger::open(folder.path()).unwrap();
    let incidents = ledger.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(
        incidents[0].id.as_str(),
        "https://golden.example/incident/1"
    );
}

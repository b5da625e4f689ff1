//! Receipts and envelopes: records that a peer shows of its log. Any text; any end behind a good checkpoint; and any
//! record that is really in the tree that was signed.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use std::slice::from_ref;
use std::sync::LazyLock;
use twinlink_fuzz::{Signer, moment};
use twinlink_trust::{
    Checkpoint, Digest256, Expected, Growth, Peaks, tombstone, verify_envelope, verify_receipt,
};

static SIGNER: LazyLock<Signer> =
    LazyLock::new(|| Signer::new("https://city.example/", moment()));

/// The signed head of a tree, and the path from one leaf of it.
fn grow(before: u8, leaf: &[u8], after: u8) -> (String, Vec<u8>) {
    let mut tree = Growth::from(Peaks::default());
    let other = |n: u8| Digest256::of_leaf(&[n]);
    for n in 0..before {
        tree.push(other(n));
    }
    let index = tree.push(Digest256::of_leaf(leaf));
    for n in 0..after {
        tree.push(other(n));
    }
    let head = Checkpoint {
        log: SIGNER.id.as_str().to_owned(),
        size: tree.size(),
        root: tree.peaks().root(),
        time: "2027-01-15T08:00:00Z".to_owned(),
    };
    let payload = serde_json::to_vec(&head).unwrap();
    let path = tree.inclusion(index).unwrap();
    let signed = SIGNER.sign("twinlink-checkpoint+jwt", &payload);
    (signed, path.iter().flat_map(Digest256::bytes).collect())
}

fn read(text: &str) {
    let keys = from_ref(SIGNER.public());
    if let Ok(claims) = verify_receipt(text, &SIGNER.id, keys) {
        assert_eq!(claims.iss, SIGNER.id.as_str());
        assert!(claims.index < claims.checkpoint.size);
    }
    if let Ok(claims) = verify_envelope(text, &SIGNER.id, keys) {
        assert_eq!(claims.consumer, SIGNER.id.as_str());
        let expected = Expected {
            provider: &SIGNER.id,
            request_digest: "ab",
            subject: "a",
            purpose: None,
            now: moment(),
        };
        drop(claims.check(&expected));
    }
}

fuzz_target!(|data: &[u8]| {
    let [mode, before, after, rest @ ..] = data else {
        return;
    };
    match mode % 3 {
        0 => read(&String::from_utf8_lossy(rest)),
        1 => {
            let (head, _) = grow(*before, b"", *after);
            read(&format!("{head}~{}", String::from_utf8_lossy(rest)));
        }
        _ => {
            let (head, path) = grow(*before, rest, *after);
            let [path, record] = [&path, rest].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
            read(&format!("{head}~{before}.{after}.{path}.{record}"));
            // What is left of a record that was purged is as good a record, and says nothing.
            if let Some(left) = tombstone(rest) {
                assert_eq!(tombstone(&left), Some(left));
            }
        }
    }
});

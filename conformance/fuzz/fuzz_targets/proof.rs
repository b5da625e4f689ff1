//! What clients sign for themselves: proofs of possession (RFC 9449) and assertions (RFC 7523). Any text, any header, and
//! any claims under a good signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::slice::from_ref;
use std::sync::LazyLock;
use twinlink_core::Secret;
use twinlink_fuzz::{Signer, moment};
use twinlink_trust::{AssertionOf, By, OnceStore, Proof, ProofOf, claimed_client, verify_assertion};

const CLIENT: &str = "app";
const URL: &str = "https://localhost/oauth/token";
const BY: By<'_> = By {
    organisation: "https://city.example/",
    client: CLIENT,
};

static SIGNER: LazyLock<Signer> =
    LazyLock::new(|| Signer::new("https://city.example/", moment()));

fn prove(text: &str) {
    let token = Secret::new("token");
    for token in [None, Some(&token)] {
        let of = ProofOf {
            method: "POST",
            url: URL,
            token,
            nonces: None,
        };
        let Ok(proof) = Proof::verify(&[text], &of, moment()) else {
            continue;
        };
        let store = OnceStore::new(10);
        assert!(proof.use_once(BY, &store, moment()).is_ok(), "a new proof");
        assert!(proof.use_once(BY, &store, moment()).is_err(), "one proof, twice");
    }
}

fn assert_client(text: String) {
    let text = Secret::new(text);
    let claimed = claimed_client(&text);
    let of = AssertionOf {
        client: CLIENT,
        keys: from_ref(SIGNER.public()),
        audiences: &["https://city.example/", URL],
    };
    let store = OnceStore::new(10);
    if verify_assertion(&text, &of, &store, moment()).is_ok() {
        assert_eq!(claimed.as_deref(), Some(CLIENT));
        let again = verify_assertion(&text, &of, &store, moment());
        assert!(again.is_err(), "one assertion, twice");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let text = || String::from_utf8_lossy(rest).into_owned();
    // A line break is in no header that anybody sends: it parts ours from the claims.
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let header = parts.next().unwrap_or_default();
    let claims = parts.next().unwrap_or_default();
    match mode % 6 {
        0 => prove(&text()),
        1 => prove(&SIGNER.sign_proof(rest)),
        2 => prove(&SIGNER.sign_under(header, claims)),
        3 => assert_client(text()),
        4 => assert_client(SIGNER.sign("JWT", rest)),
        _ => assert_client(SIGNER.sign_under(header, claims)),
    }
});

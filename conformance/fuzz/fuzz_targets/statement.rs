//! What peers sign about logs of use, and tell of their own: checkpoints, cosignatures, acknowledgements, proofs that a
//! log grew, lists of exchanges.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::slice::from_ref;
use std::sync::LazyLock;
use twinlink_fuzz::{Signer, moment};
use twinlink_trust::{
    Acknowledgement, CurrentIdentity, Digest256, Exchange, Shown, Witness, Witnessed, reconcile,
    verify_checkpoint, verify_cosignature, verify_jws,
};

const CHECKPOINT: &str = "twinlink-checkpoint+jwt";
const COSIGNATURE: &str = "twinlink-cosignature+jwt";
const ACKNOWLEDGEMENT: &str = "twinlink-acknowledgement+jwt";

static SIGNER: LazyLock<Signer> =
    LazyLock::new(|| Signer::new("https://city.example/", moment()));

fn read(text: &str) {
    let (id, keys) = (&SIGNER.id, from_ref(SIGNER.public()));
    drop(verify_jws(text, keys));
    if let Ok(checkpoint) = verify_checkpoint(text, id, keys) {
        assert_eq!(checkpoint.log, id.as_str());
    }
    drop(verify_cosignature(text, id, keys));
    drop(Acknowledgement::verify(text, (id, keys), id));
}

/// Two checkpoints, each with a size and a proof, one after the other: only one that follows is signed.
fn witness(data: &[u8]) {
    let signer = Signer::new("https://police.example/", moment());
    let witness = Witness::new(
        CurrentIdentity::new(signer.identity),
        &Witnessed::default(),
    );
    let mut seen: Option<u64> = None;
    for shown in data.split(|byte| *byte == b'\n').take(2) {
        let Some((old, rest)) = shown.split_first() else {
            return;
        };
        let Some((proofs, claims)) = rest.split_at_checked(usize::from(*old % 4) * 32) else {
            return;
        };
        let proof: Option<Vec<_>> = proofs.chunks(32).map(Digest256::from_bytes).collect();
        let text = SIGNER.sign(CHECKPOINT, claims);
        let keys = from_ref(SIGNER.public());
        let proven = (u64::from(*old), proof.unwrap_or_default());
        let said = witness.cosign(
            &text,
            (&SIGNER.id, keys),
            (proven.0, &proven.1),
            moment(),
            |_| Ok(()),
        );
        if let Ok(Shown::Cosigned(cosigned)) = said {
            let checkpoint = verify_checkpoint(&text, &SIGNER.id, keys).unwrap();
            assert!(seen.is_none_or(|seen| seen <= checkpoint.size), "it shrank");
            seen = Some(checkpoint.size);
            assert!(!cosigned.is_empty());
        }
    }
}

fn compare(data: &[u8]) {
    let mut lists = data.splitn(2, |byte| *byte == b'\n');
    let mut list = || -> Option<Vec<Exchange>> { serde_json::from_slice(lists.next()?).ok() };
    if let (Some(ours), Some(theirs)) = (list(), list()) {
        let found = reconcile(&ours, &theirs);
        assert!(found.len() <= ours.len() + theirs.len());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    match mode % 6 {
        0 => read(&String::from_utf8_lossy(rest)),
        1 => read(&SIGNER.sign(CHECKPOINT, rest)),
        2 => read(&SIGNER.sign(COSIGNATURE, rest)),
        3 => read(&SIGNER.sign(ACKNOWLEDGEMENT, rest)),
        4 => witness(rest),
        _ => compare(rest),
    }
});

//! What apps signed, as a log has it beside the request that it is of.

use super::*;
use crate::{Binding, RequestOf, SigningKey, sign_request, verify_held_request};
use twinlink_core::{Signable, SignedRequest, Signer};

#[test]
fn what_an_app_signed_stands_beside_its_own_request() {
    let [city, police] =
        ["city", "police"].map(|name| Organisation::new(&format!("https://{name}.example/")));
    let key = SigningKey::generate().unwrap();
    let thumbprint = key.public().thumbprint();
    let token =
        police
            .issuer()
            .issue_bound(&police.request(&city), Binding::Key(&thumbprint), now());
    let (token, used) = (token.unwrap(), record());
    let of = RequestOf {
        audience: &city.id,
        signable: &Signable::new(&used.request_digest),
        purpose: used.purpose.as_ref(),
        token: &token,
    };
    let (transaction, text) = sign_request(&key, &of, now()).unwrap();
    let envelope = format!("{}~{text}", token.reveal());
    let keys = [police.identity().key().public().clone()];
    let held = verify_held_request(&envelope, &police.id, &keys).unwrap();
    let signed = SignedRequest {
        by: Signer::App,
        transaction,
        envelope,
    };
    let found = |change: &dyn Fn(&mut UseRecord)| {
        let mut used = UseRecord {
            token_id: Some(held.token_id.clone()),
            signed: Some(signed.clone()),
            ..record()
        };
        change(&mut used);
        let journal = Arc::new(Memory::default());
        let receipts = Case::open(&city, &journal);
        let intent = block_on(receipts.intend(used)).unwrap();
        block_on(receipts.complete(intent, done())).unwrap();
        let found = verify_statements(&*journal, &city.id, |_| keys.to_vec());
        let entries = list_entries(&*journal, 0, usize::MAX).unwrap();
        // What apps signed is no exchange between connectors: theirs knows nothing of it.
        assert!(provided(&entries, police.id.as_str()).is_empty());
        assert_eq!(unsigned(&entries, police.id.as_str()), 1);
        found.map(|(found, _)| found.held)
    };
    assert_eq!(found(&|_| ()).unwrap(), 1);
    let changes: [&dyn Fn(&mut UseRecord); 5] = [
        &|used| used.request_digest = "cd".repeat(32),
        &|used| used.options = vec!["federated=true".to_owned()],
        &|used| used.purpose = None,
        &|used| used.token_id = Some("another".to_owned()),
        &|used| {
            if let Some(signed) = &mut used.signed {
                signed.transaction = "another".to_owned();
            }
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert!(found(change).is_err(), "{number}");
    }
}

/// A broker signs the name as it knows it; who is asked records whose person that is.
#[test]
fn what_a_broker_signed_stands_beside_its_own_request() {
    let two = super::exchange::Two::new();
    let keys = [two.police.city.identity().key().public().clone()];
    for (subject, is_good) in [
        ("officer-7", true),
        ("officer-7 of <https://rescue.example/>", true),
        ("officer-77 of <https://rescue.example/>", false),
        ("officer of <https://rescue.example/>", false),
    ] {
        let signed = block_on(two.police.receipts.ask(&two.asking())).unwrap();
        let used = UseRecord {
            subject: Some(subject.to_owned()),
            signed: Some(signed),
            ..record()
        };
        let journal = Arc::new(Memory::default());
        let receipts = Case::open(&two.city.city, &journal);
        block_on(receipts.intend(used)).unwrap();
        let found = verify_statements(&*journal, &two.city.city.id, |_| keys.to_vec());
        assert_eq!(found.is_ok(), is_good, "{subject}");
    }
}

//! A peer that was put back from a backup is believed again once our operator says so, on record.

use super::witness::Watch;
use super::*;

fn readmit<'a>(watch: &'a Watch, from: Option<&'a str>, reason: &'a str) -> Readmission<'a> {
    Readmission {
        participant: &watch.case.city.id,
        from,
        by: "j.virtanen",
        reason,
    }
}

/// INVARIANT(readmitted-on-record)
#[test]
fn readmitted_on_record() {
    let watch = Watch::new();
    let keys = [watch.case.city.identity().key().public().clone()];
    let record = |from: Option<&str>, reason: &str| {
        readmit(&watch, from, reason).record(&watch.kept(), &keys)
    };
    let check = |from: Option<&str>, reason: &str| record(from, reason).unwrap_err().check();
    let (text, seen) = watch.checkpoint();
    watch.show(&text, 0, &[]).unwrap();
    // Who contradicts nothing has nothing to be forgiven.
    assert_eq!(check(None, "restored"), "readmit.peer");
    // The city goes back to an empty log, and on from there.
    let restored = Case::of_log(&watch.case.city);
    let after = |uses: usize| {
        let mut last = String::new();
        for _ in 0..uses {
            last = block_on(restored.use_once()).unwrap();
        }
        last.split_once('~').unwrap().0.to_owned()
    };
    let first = after(3);
    let shown: Checkpoint = crate::jws::unverified(&first).unwrap();
    let refused = watch.show(&first, seen.size, &[]).unwrap_err();
    assert_eq!(refused.check(), "checkpoint.consistency");
    let later = after(2);
    let grown: Checkpoint = crate::jws::unverified(&later).unwrap();
    let proof = prove_consistency(&*restored.journal, shown.size, grown.size).unwrap();
    let told = watch.show(&later, shown.size, &proof).unwrap();
    assert_eq!(told, Shown::Seen(seen.size));
    // Not without a reason, and not from what the city did not sign.
    assert_eq!(check(None, " "), "readmit.reason");
    assert_eq!(check(None, &"x".repeat(5000)), "readmit.reason");
    let forged = watch.police.checkpoint();
    assert_eq!(check(Some(&forged), "restored"), "checkpoint");
    assert_eq!(check(Some("nonsense"), "restored"), "checkpoint");
    let (kind, from) = record(None, "restored").unwrap();
    assert_eq!(from, shown);
    block_on(watch.police.receipts.note(kind, now())).unwrap();
    watch.witness.readmit(from, first.clone());
    // From there on it must grow, as before.
    assert_eq!(watch.show(&later, 0, &[]).unwrap(), Shown::Seen(shown.size));
    let signed = watch.show(&later, shown.size, &proof).unwrap();
    assert!(matches!(signed, Shown::Cosigned(_)));
    assert!(watch.show(&watch.rewritten(5), grown.size, &[]).is_err());
    // The log has both sides of the first, who settled it and why; and a second that nobody did.
    let known = |participant: &NamedNode| match participant == &watch.case.city.id {
        true => keys.to_vec(),
        false => Vec::new(),
    };
    let (found, _) =
        verify_statements(&*watch.police.journal, &watch.police.city.id, known).unwrap();
    assert_eq!(found.contradicted, 2);
    assert!(found.readmitted.is_empty());
    assert_eq!(found.unsettled.len(), 1);
    let (kind, from) = record(Some(&later), "it was a drill").unwrap();
    block_on(watch.police.receipts.note(kind, now())).unwrap();
    assert_eq!(from, grown);
    let (found, _) =
        verify_statements(&*watch.police.journal, &watch.police.city.id, known).unwrap();
    let why = ("j.virtanen".to_owned(), "it was a drill".to_owned());
    assert_eq!(found.readmitted[watch.case.city.id.as_str()], why);
    assert!(found.unsettled.is_empty());
    // A witness that starts again remembers it.
    let current = Arc::clone(&watch.police.city.current);
    let again = Witness::new(current, &watch.kept());
    assert_eq!(again.last(&watch.case.city.id), Some(grown));
    assert!(watch.kept().contradicted.is_empty());
}

impl Case {
    /// Another log of this organisation, signed with the same key.
    fn of_log(city: &Organisation) -> Self {
        let journal = Arc::new(Memory::default());
        let receipts = Self::open(city, &journal);
        Self {
            city: Organisation {
                id: city.id.clone(),
                authority: crate::Authority::create(city.id.as_str(), now()).unwrap(),
                current: Arc::clone(&city.current),
            },
            journal,
            receipts,
        }
    }

    fn checkpoint(&self) -> String {
        let receipt = block_on(self.use_once()).unwrap();
        receipt.split_once('~').unwrap().0.to_owned()
    }
}

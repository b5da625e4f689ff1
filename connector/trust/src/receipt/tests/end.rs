//! The end of a log is ours, or it is not written on in silence.

use super::*;
use crate::merkle::Peaks;
use crate::testing::certify;

impl Memory {
    /// What a crash leaves of it now.
    pub(super) fn copied(&self) -> Arc<Self> {
        let records = self.records.lock().unwrap().clone();
        let seal = self.seal.lock().unwrap().clone();
        Arc::new(Self {
            records: Mutex::new(records),
            seal: Mutex::new(seal),
            failing: AtomicBool::default(),
        })
    }
}

impl Case {
    fn reopen(&self, former: &[PublicKey]) -> Result<Receipts, Refusal> {
        let journal: Arc<dyn Journal> = Arc::clone(&self.journal) as _;
        let patience = Duration::from_secs(24 * 3600);
        Receipts::sealing_after(journal, Arc::clone(&self.city.current), former, patience)
    }

    /// Stops: the scribe ends with a checkpoint, and lets go of the journal.
    fn stop(self) -> Stopped {
        drop(self.receipts);
        while Arc::strong_count(&self.journal) > 1 {
            std::thread::yield_now();
        }
        Stopped {
            city: self.city,
            journal: self.journal,
        }
    }

    fn kinds(&self) -> Vec<EntryKind> {
        let entries = list_entries(&*self.journal, 0, usize::MAX).unwrap();
        entries.into_iter().map(|(_, entry)| entry.kind).collect()
    }

    /// What a crash leaves: all that was written, without the checkpoint at the end.
    fn crashed(&self) -> Stopped {
        Stopped {
            city: Organisation {
                id: self.city.id.clone(),
                authority: crate::Authority::create("another", now()).unwrap(),
                current: CurrentIdentity::new((*self.city.identity()).clone()),
            },
            journal: self.journal.copied(),
        }
    }
}

/// A log that no scribe has open.
struct Stopped {
    city: Organisation,
    journal: Arc<Memory>,
}

impl Stopped {
    fn open(self, former: &[PublicKey]) -> Result<Case, Box<(Self, Refusal)>> {
        let journal: Arc<dyn Journal> = Arc::clone(&self.journal) as _;
        let (current, patience) = (&self.city.current, Duration::from_secs(24 * 3600));
        match Receipts::sealing_after(journal, Arc::clone(current), former, patience) {
            Ok(receipts) => Ok(Case {
                city: self.city,
                journal: self.journal,
                receipts,
            }),
            Err(refusal) => Err(Box::new((self, refusal))),
        }
    }

    fn refused(self) -> (Self, String) {
        let (stopped, refusal) = *self.open(&[]).map(drop).unwrap_err();
        assert_eq!(refusal.check(), "use-log.end");
        (stopped, refusal.to_string())
    }

    /// Appends a record that follows on the last: what anybody can do who can write the file.
    fn forge(&self) {
        let mut records = self.journal.records.lock().unwrap();
        let (sequence, last) = records.last().unwrap().clone();
        let used = Entry {
            previous: Digest256::of_leaf(&last),
            salt: "0".repeat(32),
            time: "2026-11-20T10:00:00Z".to_owned(),
            kind: Draft::intent(&record()).unwrap().kind(),
        };
        records.push((sequence + 5, serde_json::to_vec(&used).unwrap()));
    }

    fn verify(&self) -> Result<Audit, Refusal> {
        let key = self.city.identity().key().public().clone();
        verify_log(&*self.journal, &self.city.id, &[key], &[])
    }
}

/// INVARIANT(nothing-forged-is-signed)
#[test]
fn nothing_forged_is_signed() {
    for is_crashed in [false, true] {
        let case = Case::new();
        block_on(case.use_once()).unwrap();
        let stopped = match is_crashed {
            true => case.crashed(),
            false => case.stop(),
        };
        stopped.forge();
        stopped.forge();
        assert_eq!(stopped.verify().unwrap_err().check(), "audit.end");
        let (stopped, said) = stopped.refused();
        assert!(said.contains("2 records stand behind the last"), "{said}");
        // The same end as a log without seals has it: taken up, and on record.
        *stopped.journal.seal.lock().unwrap() = None;
        let found = stopped.verify().unwrap();
        assert_eq!(found.sealed().unwrap_err().check(), "audit.end");
        let Ok(case) = stopped.open(&[]) else {
            panic!("not taken up")
        };
        block_on(case.use_once()).unwrap();
        case.seal();
        let found = case.verify_log(&[]).unwrap();
        found.sealed().unwrap();
        let records = case.journal.records.lock().unwrap().clone();
        let forged = records.len() - 3 - 2;
        let first = if is_crashed { 3 } else { records[forged].0 };
        let [(from, to)] = found.unproven[..] else {
            panic!("{found:?}")
        };
        assert!(from <= first || is_crashed, "{found:?}");
        assert!(to >= records[3].0, "{found:?}");
        let kinds = case.kinds();
        let noted = kinds
            .iter()
            .position(|kind| matches!(kind, EntryKind::Unproven { .. }));
        let signed = kinds
            .iter()
            .rposition(|kind| matches!(kind, EntryKind::Checkpoint { .. }));
        assert!(noted < signed, "{kinds:?}");
    }
}

#[test]
fn what_a_crash_leaves_is_proven() {
    let case = Case::new();
    for _ in 0..3 {
        block_on(case.use_once()).unwrap();
    }
    let crashed = case.crashed();
    crashed.verify().unwrap().sealed().unwrap();
    let Ok(case) = crashed.open(&[]) else {
        panic!("refused")
    };
    case.seal();
    let found = case.verify_log(&[]).unwrap();
    assert_eq!((found.records, found.unproven), (7, Vec::new()));
}

#[test]
fn an_end_that_was_cut_off_or_changed_is_refused() {
    let case = Case::new();
    for _ in 0..3 {
        block_on(case.use_once()).unwrap();
    }
    let stopped = case.stop();
    let last = stopped.journal.records.lock().unwrap().pop().unwrap();
    let (stopped, said) = stopped.refused();
    assert!(said.contains("its last 1 records are gone"), "{said}");
    // Another in its place.
    stopped.forge();
    let (stopped, said) = stopped.refused();
    assert!(said.contains("are not those that were signed"), "{said}");
    // All of it.
    stopped.journal.records.lock().unwrap().clear();
    let (stopped, said) = stopped.refused();
    assert!(said.contains("its last 7 records are gone"), "{said}");
    drop(last);
    drop(stopped);
}

#[test]
fn a_checkpoint_that_nobody_of_us_signed_is_no_end() {
    let case = Case::new();
    block_on(case.use_once()).unwrap();
    let stopped = case.stop();
    *stopped.journal.seal.lock().unwrap() = None;
    let stranger = Organisation::new("https://city.example/");
    let mut peaks = Peaks::default();
    peaks.push(Digest256::of_leaf(b"anything"));
    let time = "2026-11-20T10:00:00Z".to_owned();
    let checkpoint = Checkpoint {
        log: "https://city.example/".to_owned(),
        size: 1,
        root: peaks.root(),
        time: time.clone(),
    };
    let forged = Entry {
        previous: Digest256::of_leaf(b"anything"),
        salt: String::new(),
        time,
        kind: EntryKind::Checkpoint {
            size: 1,
            peaks: peaks.digests().to_vec(),
            checkpoint: checkpoint.sign(&stranger.identity()).unwrap(),
        },
    };
    let forged = serde_json::to_vec(&forged).unwrap();
    *stopped.journal.records.lock().unwrap() = vec![(3, forged)];
    let (stopped, said) = stopped.refused();
    assert!(said.contains("signed by none of our keys"), "{said}");
    // Nor does a seal of theirs make it one.
    let seal = checkpoint.sign(&stranger.identity()).unwrap();
    *stopped.journal.seal.lock().unwrap() = Some(seal.into_bytes());
    let (_, said) = stopped.refused();
    assert!(said.contains("signed by none of our keys"), "{said}");
}

/// INVARIANT(keys-by-keys)
#[test]
fn keys_by_keys() {
    let case = Case::new();
    let id = case.city.id.as_str().to_owned();
    block_on(case.use_once()).unwrap();
    case.seal();
    // While it is open: nothing but the next write is needed.
    let second = certify(&case.city.authority, &id, time::Duration::days(1));
    case.city.current.replace(second).unwrap();
    block_on(case.use_once()).unwrap();
    case.seal();
    case.verify_log(&[]).unwrap().sealed().unwrap();
    let said = |case: &Case| {
        let kinds = case.kinds();
        kinds
            .iter()
            .filter(|kind| matches!(kind, EntryKind::Key { .. }))
            .count()
    };
    assert_eq!(said(&case), 2, "the old key of the new, the new of the old");
    // Also where the journal failed in between, and its end is found anew.
    let again = certify(&case.city.authority, &id, time::Duration::days(1));
    case.journal.failing.store(true, Ordering::SeqCst);
    block_on(case.use_once()).unwrap_err();
    case.city.current.replace(again).unwrap();
    case.journal.failing.store(false, Ordering::SeqCst);
    block_on(case.use_once()).unwrap();
    assert_eq!(said(&case), 4);
    // While it is not: the former key is named once, and never again.
    let before = case.city.identity().key().public().clone();
    let stopped = case.stop();
    let third = certify(&stopped.city.authority, &id, time::Duration::days(1));
    stopped.city.current.replace(third).unwrap();
    let (stopped, why) = stopped.refused();
    assert!(why.contains("identity.overlapping_keys"), "{why}");
    let Ok(case) = stopped.open(&[before]) else {
        panic!("refused")
    };
    block_on(case.use_once()).unwrap();
    assert_eq!(said(&case), 5);
    let Ok(case) = case.stop().open(&[]) else {
        panic!("refused")
    };
    block_on(case.use_once()).unwrap();
    case.seal();
    assert_eq!(said(&case), 5, "said once");
    case.verify_log(&[]).unwrap().sealed().unwrap();
    drop(case.reopen(&[]));
}

#[test]
fn a_key_that_only_the_log_names_is_not_ours() {
    let ours = Organisation::new("https://city.example/");
    let case = Case::new();
    let key = ours.identity().key().public().clone();
    let kind = super::super::keys::vouch(&case.city.identity(), &key, now()).unwrap();
    let draft = Draft::new(moment(now()).unwrap(), kind);
    block_on(case.receipts.scribe.write(draft)).unwrap();
    block_on(case.use_once()).unwrap();
    case.seal();
    case.verify_log(&[]).unwrap();
    let refusal = verify_log(&*case.journal, &ours.id, &[key], &[]).unwrap_err();
    assert_eq!(refusal.check(), "audit.checkpoint");
}

#[test]
fn what_a_peer_signed_is_verified_after_it_changed_its_key() {
    let case = Case::new();
    let police = Organisation::new("https://police.example/");
    let before = police.identity();
    let mut peaks = Peaks::default();
    peaks.push(Digest256::of_leaf(b"anything"));
    let checkpoint = Checkpoint {
        log: police.id.as_str().to_owned(),
        size: 1,
        root: peaks.root(),
        time: moment(now()).unwrap(),
    };
    let kind = EntryKind::Witnessed {
        participant: police.id.as_str().to_owned(),
        checkpoint: checkpoint.sign(&before).unwrap(),
    };
    block_on(case.receipts.note(kind, now())).unwrap();
    let trusted = case.city.trusting(&[&police]);
    let next = certify(
        &police.authority,
        police.id.as_str(),
        time::Duration::days(1),
    );
    police.current.replace(next).unwrap();
    let later = case.city.trusting(&[&police]);
    let keys = |peer: &NamedNode| later.keys(peer).to_vec();
    let verify = || verify_statements(&*case.journal, &case.city.id, keys);
    assert_eq!(verify().unwrap_err().check(), "audit.statement");
    let dropped = trusted.dropped(&later);
    assert_eq!(
        dropped,
        [(police.id.clone(), before.key().public().clone())]
    );
    assert!(trusted.dropped(&trusted).is_empty());
    let kind = EntryKind::Known {
        participant: police.id.as_str().to_owned(),
        key: dropped[0].1.to_jwk(),
    };
    block_on(case.receipts.note(kind, now())).unwrap();
    assert_eq!(verify().unwrap().0.witnessed, 1);
}

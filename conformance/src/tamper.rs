//! Logs of use that somebody tampered with: found alone, by whoever has the log and the public keys, and by comparing it
//! with what the other side holds.
//!
//! Each case makes two organisations that use each other's twin, spoils one of the two logs in one way, and asks the
//! verifier of the command line. What nobody can see in a log alone, because it is what an honest log looks like, must be
//! found with the other side's: an end that was cut off, and a past that the owner wrote anew and signed.

mod file;
mod journal;
mod spoil;

use crate::chance::Chance;
use crate::library::Fault;
use crate::report::{Report, Verdict};
use journal::{Memory, Side, fault};
use oxrdf::NamedNode;
use spoil::{Spoiling, Spoilt};
use std::collections::BTreeMap;
use std::time::SystemTime;
use twinlink_trust::{
    Agreement, Checkpoint, Entry, Exchange, consumed, list_entries, provided, reconcile, tombstone,
    verify_log, verify_receipt, verify_statements,
};

/// Cases where nobody says how many.
pub(crate) const CASES: usize = 300;

/// For so many cases a store on disk is spoilt in every way.
const CASES_A_FILE: usize = 60;

/// Finds the exchanges with a participant among the entries of a log.
type Read = fn(&[(u64, Entry)], &str) -> Vec<Exchange>;

/// Two logs of the same uses, and what each side holds of the other's.
struct World {
    city: Side,
    police: Side,
    /// Signed by the city, kept by the police.
    held: Vec<Checkpoint>,
    /// Signed by the police, kept by the city: what came with its requests, and what it was shown as a witness.
    shown: Vec<Checkpoint>,
}

/// Whose log is spoilt: the provider's or the consumer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    City,
    Police,
}

/// Runs so many cases of a seed; of one by the time of day where there is none.
pub(crate) fn run(suite: &'static str, count: usize, seed: Option<u64>) -> Result<Report, Fault> {
    let seed = seed.unwrap_or_else(|| {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        time.map_or(0, |time| time.as_secs())
    });
    let mut cases = Vec::new();
    let mut kinds: BTreeMap<&'static str, usize> = BTreeMap::new();
    for number in 0..count as u64 {
        let mut chance = Chance::new(seed.wrapping_add(number));
        let world = World::make(&mut chance)?;
        let spoiling = Spoiling::ALL
            .get(usize::try_from(number).unwrap_or_default() % Spoiling::ALL.len())
            .copied()
            .unwrap_or(Spoiling::Flip);
        let victim = match number / Spoiling::ALL.len() as u64 % 2 {
            0 => Victim::City,
            _ => Victim::Police,
        };
        let place = format!(
            "case {number}, seed {seed}: {} ({victim:?})",
            spoiling.name()
        );
        let untouched = world.untouched();
        if untouched != Verdict::Passed {
            cases.push((format!("case {number}, seed {seed}: untouched"), untouched));
            continue;
        }
        let whole = world.whole()?;
        let whole = (whole.as_slice(), victim == Victim::City);
        let spoilt = spoiling.spoil(world.side(victim), whole, &mut chance)?;
        cases.push((place, world.judge(victim, spoiling, &spoilt)));
        *kinds.entry(spoiling.name()).or_default() += 1;
    }
    // The same store is spoilt in every way, so a few are enough.
    for number in 0..(count / CASES_A_FILE).max(1) as u64 {
        for (name, verdict) in file::cases(&mut Chance::new(seed.wrapping_add(number)))? {
            cases.push((format!("file {number}, seed {seed}: {name}"), verdict));
            *kinds.entry(name).or_default() += 1;
        }
    }
    let mut report = Report::of(suite, cases);
    for (name, count) in kinds {
        report = report.with(name, count);
    }
    Ok(report.with("seed", usize::try_from(seed).unwrap_or_default()))
}

impl World {
    /// Some uses of the city's twin by the police, all acknowledged, and some refusals.
    fn make(chance: &mut Chance) -> Result<Self, Fault> {
        let city = Side::new("https://city.example/")?;
        let police = Side::new("https://police.example/")?;
        let (mut held, mut shown) = (Vec::new(), Vec::new());
        for _ in 0..=chance.below(8) {
            if chance.once_in(4) {
                city.refuse(&police)?;
            }
            let (receipt, asked) = city.provide(&police, chance.below(100) as u64)?;
            let claims = verify_receipt(&receipt, &city.id, &city.keys()).map_err(fault)?;
            held.push(claims.checkpoint);
            shown.push(asked);
            if chance.once_in(3) {
                city.seal()?;
                police.seal()?;
            }
        }
        city.seal()?;
        police.seal()?;
        held.push(police.witness(&city)?);
        shown.push(city.witness(&police)?);
        city.seal()?;
        police.seal()?;
        if chance.once_in(2) {
            city.forget(chance)?;
        }
        // Each has seen the other's last checkpoint too, as a witness does.
        held.push(city.last_checkpoint()?);
        shown.push(police.last_checkpoint()?);
        Ok(Self {
            city,
            police,
            held,
            shown,
        })
    }

    fn side(&self, victim: Victim) -> &Side {
        match victim {
            Victim::City => &self.city,
            Victim::Police => &self.police,
        }
    }

    /// A log that nobody touched must pass: else all that follows says nothing.
    fn untouched(&self) -> Verdict {
        for victim in [Victim::City, Victim::Police] {
            let journal = &self.side(victim).journal;
            let found = self
                .alone(victim, journal)
                .and_then(|()| self.with_held(victim, journal));
            if let Err(reason) = found {
                return Verdict::Failed(format!("{victim:?} refused: {reason}"));
            }
        }
        let agreements = self.compare(Victim::City, &self.city.journal);
        let is_matched = agreements.as_ref().is_ok_and(|all| {
            all.iter()
                .all(|(_, agreement)| *agreement == Agreement::Matched)
        });
        // What was forgotten on purpose is only at the other side.
        match is_matched || self.city.has_forgotten() {
            true => Verdict::Passed,
            false => Verdict::Failed(format!("does not match: {agreements:?}")),
        }
    }

    /// The uses of which both logs have all: intent, outcome and acknowledgement.
    fn whole(&self) -> Result<Vec<String>, Fault> {
        let agreements = self.compare(Victim::City, &self.city.journal);
        let matched = agreements.map_err(fault)?.into_iter();
        let matched = matched.filter(|(_, agreement)| *agreement == Agreement::Matched);
        let entries = list_entries(&*self.city.journal, 0, usize::MAX).map_err(fault)?;
        // What was forgotten of it on purpose would show otherwise.
        let has_all = |id: &String| {
            let about = |(_, entry): &&(u64, Entry)| entry.kind.requests().contains(&id.as_str());
            entries.iter().filter(about).count() == 3
        };
        Ok(matched.map(|(id, _)| id).filter(has_all).collect())
    }

    fn judge(&self, victim: Victim, spoiling: Spoiling, spoilt: &Spoilt) -> Verdict {
        let Spoilt { journal, expected } = spoilt;
        let spoilt = journal;
        if spoilt.records() == self.side(victim).journal.records() {
            return match spoiling.needs_something() {
                // Such as a statement in a log where all were purged.
                true => Verdict::Passed,
                false => Verdict::Failed("nothing was spoilt".to_owned()),
            };
        }
        let alone = self.alone(victim, spoilt);
        if alone.is_ok() && !spoiling.looks_honest() {
            return Verdict::Failed("not found alone".to_owned());
        }
        if self.with_held(victim, spoilt).is_ok() {
            return Verdict::Failed("not found with what the peer holds".to_owned());
        }
        let Some((transaction, expected)) = expected else {
            return Verdict::Passed;
        };
        let compared = self.compare(victim, spoilt).unwrap_or_default();
        let found = compared.iter().find(|(id, _)| id == transaction);
        match found {
            Some((_, found)) if found == expected => Verdict::Passed,
            found => Verdict::Failed(format!("reconciling says {found:?}, not {expected:?}")),
        }
    }

    /// With the log and public keys alone.
    fn alone(&self, victim: Victim, journal: &Memory) -> Result<(), String> {
        let own = self.side(victim);
        let keys = |participant: &NamedNode| {
            let sides = [&self.city, &self.police];
            let side = sides.into_iter().find(|side| &side.id == participant);
            side.map(Side::keys).unwrap_or_default()
        };
        let checked = verify_log(journal, &own.id, &own.keys(), &[])
            .and_then(|_| verify_statements(journal, &own.id, keys))
            .and_then(|(_, cosigned)| verify_log(journal, &own.id, &own.keys(), &cosigned));
        checked.map(drop).map_err(|refusal| refusal.to_string())
    }

    fn with_held(&self, victim: Victim, journal: &Memory) -> Result<(), String> {
        let (own, held) = match victim {
            Victim::City => (&self.city, &self.held),
            Victim::Police => (&self.police, &self.shown),
        };
        verify_log(journal, &own.id, &own.keys(), held)
            .map(drop)
            .map_err(|refusal| refusal.to_string())
    }

    /// What both sides say of each use, one of them by this journal.
    fn compare(
        &self,
        victim: Victim,
        journal: &Memory,
    ) -> Result<Vec<(String, Agreement)>, String> {
        let (ours, theirs) = match victim {
            Victim::City => (journal, &*self.police.journal),
            Victim::Police => (&*self.city.journal, journal),
        };
        let ours = self.exchanges(ours, &self.police.id, provided)?;
        let theirs = self.exchanges(theirs, &self.city.id, consumed)?;
        Ok(reconcile(&ours, &theirs))
    }

    fn exchanges(
        &self,
        journal: &Memory,
        with: &NamedNode,
        read: Read,
    ) -> Result<Vec<Exchange>, String> {
        let entries = list_entries(journal, 0, usize::MAX).map_err(|error| error.to_string())?;
        Ok(read(&entries, with.as_str()))
    }
}

impl Side {
    /// Puts tombstones in place of some records, as retention does.
    fn forget(&self, chance: &mut Chance) -> Result<(), Fault> {
        let mut records = self.journal.records();
        for _ in 0..=chance.below(3) {
            let at = chance.below(records.len());
            if let Some((_, record)) = records.get_mut(at)
                && let Some(left) = tombstone(record)
            {
                *record = left;
            }
        }
        self.journal.replace(records);
        Ok(())
    }

    fn has_forgotten(&self) -> bool {
        let records = self.journal.records();
        records
            .iter()
            .any(|(_, record)| record.starts_with(b"{\"purged\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_spoiling_is_found() {
        let report = run("tamper", Spoiling::ALL.len() * 4, Some(11)).unwrap();
        let failures: Vec<_> = report.failures().collect();
        assert!(failures.is_empty(), "{failures:?}");
        assert!(report.passed() > Spoiling::ALL.len() * 4);
    }

    #[test]
    fn a_use_that_one_side_leaves_out_is_found_by_reconciling() {
        let world = World::make(&mut Chance::new(5)).unwrap();
        let theirs = world.compare(Victim::City, &world.city.journal).unwrap();
        let all = theirs.len();
        let none = world.compare(Victim::City, &Memory::default()).unwrap();
        let only_there = none.iter().filter(|(_, a)| *a == Agreement::OnlyThere);
        assert_eq!(only_there.count(), all);
    }
}

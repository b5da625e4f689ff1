//! Members that fail: whatever is wrong with one of them, and whatever stands in the query, the answer is right or says
//! what is missing. No row is wrong without a word.

mod bounds;
mod case;
mod classes;
mod clock;
mod faults;
mod overviews;
mod peers;
mod sockets;
mod spoiled;
mod twin;
mod withheld;

use crate::chance::Chance;
use crate::engine::Ours;
use crate::library;
use crate::members::{Member, deep, store};
use crate::merged::World;
use crate::report::{Report, Verdict};
use case::{Case, Held};
use classes::{CLASSES, Class};
use faults::{FAULTS, Fault};
use spargebra::{Query, SparqlParser};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;
use twinlink_core::SourceState;
use twinlink_store::TwinStore;

/// Cases where nobody says how many: every fault under every operator, more than three times.
pub(crate) const CASES: usize = 1_600;

/// Of so many cases one is followed by one about what is told of what is withheld.
const WITHHELD: usize = 20;

/// Cases over the same twins.
const CASES_PER_WORLD: usize = 8;

const PREFIXES: &str = "PREFIX : <urn:> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> ";

/// Runs so many cases of a seed; of one by the time of day where there is none.
///
/// # Errors
/// Where the engine cannot be set up.
pub(crate) fn run(
    suite: &'static str,
    count: usize,
    seed: Option<u64>,
) -> Result<Report, library::Fault> {
    let seed = seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(1, |now| now.as_secs())
    });
    let steward = Ours::new().map_err(library::Fault::Target)?;
    let mut met = Met::default();
    let cases = deep(|| {
        let mut cases = Vec::with_capacity(count);
        let mut world = None;
        for number in 0..count {
            // Each case has chances of its own, so that one that fails can be seen again without those before.
            let mut chance = Chance::new(seed.wrapping_add(number as u64));
            if number % CASES_PER_WORLD == 0 {
                world = Some(Setting::new(&mut chance, &steward)?);
            }
            let (Some(setting), Some(class)) = (&world, CLASSES.get(number % CLASSES.len())) else {
                continue;
            };
            let fault = number / CLASSES.len() % FAULTS.len();
            let fault = FAULTS.get(fault).copied().unwrap_or(Fault::None);
            let held = || setting.hold(&mut chance, class, fault, &steward, &mut met);
            let verdict = match catch_unwind(AssertUnwindSafe(held)) {
                Ok(Ok(())) => Verdict::Passed,
                Ok(Err(reason)) => Verdict::Failed(reason),
                Err(_) => Verdict::Failed("panicked".to_owned()),
            };
            let name = format!("case {number}, seed {seed}: {fault:?}, {}", class.name);
            cases.push((name, verdict));
            if number % WITHHELD == 0 {
                let verdict = match withheld::hold(&mut chance, class, &steward) {
                    Ok(is_withheld) => {
                        met.withheld += usize::from(is_withheld);
                        Verdict::Passed
                    }
                    Err(reason) => Verdict::Failed(reason),
                };
                let name = format!("withheld {number}, seed {seed}: {}", class.name);
                cases.push((name, verdict));
            }
        }
        if count >= CASES {
            cases.extend(met.every_state(seed));
        }
        Ok(cases)
    });
    let mut cases = cases
        .and_then(|cases| cases)
        .map_err(library::Fault::Target)?;
    if count >= CASES {
        cases.extend(sockets::run(seed, &steward)?);
    }
    Ok(Report::of(suite, cases)
        .with("answers that lack a source", met.missing)
        .with("of them flagged", met.flagged)
        .with("of them with rows", met.rows)
        .with("of them exactly what the others hold", met.exact)
        .with("answers whose rows left as they came", met.streamed)
        .with("of them broken in their middle", met.broken)
        .with(
            "answers that are none, as rows were not to be believed",
            met.unbelieved,
        )
        .with("cases in which something is withheld", met.withheld)
        .with("kinds of state", met.kinds())
        .with("seed", usize::try_from(seed).unwrap_or_default()))
}

/// How many cases were of use.
#[derive(Debug, Default)]
struct Met {
    missing: usize,
    flagged: usize,
    rows: usize,
    exact: usize,
    streamed: usize,
    broken: usize,
    unbelieved: usize,
    withheld: usize,
    /// What members were, by operator.
    states: BTreeMap<&'static str, BTreeSet<&'static str>>,
}

/// What a source can be.
const STATES: [SourceState; 8] = [
    SourceState::Complete,
    SourceState::Partial,
    SourceState::Empty,
    SourceState::Denied,
    SourceState::Unreachable,
    SourceState::TimedOut,
    SourceState::Stale,
    SourceState::NotEvaluable,
];

impl Met {
    fn kinds(&self) -> usize {
        let all: BTreeSet<_> = self.states.values().flatten().collect();
        all.len()
    }

    /// A case for each operator: whether members were all that they can be.
    fn every_state(&self, seed: u64) -> Vec<(String, Verdict)> {
        let classes = CLASSES.iter().map(|class| {
            let met = self.states.get(class.name);
            let is_met = |state: &SourceState| met.is_some_and(|met| met.contains(state.as_str()));
            let missed: Vec<_> = STATES.iter().filter(|state| !is_met(state)).collect();
            let verdict = if missed.is_empty() {
                Verdict::Passed
            } else {
                Verdict::Failed(format!("no member was {missed:?}"))
            };
            (format!("every state, seed {seed}: {}", class.name), verdict)
        });
        classes.collect()
    }
}

/// Twins, and what each shows.
struct Setting {
    world: World,
    stores: Vec<Arc<TwinStore>>,
}

impl Setting {
    fn new(chance: &mut Chance, steward: &Ours) -> Result<Self, String> {
        // Where members have names of their own, rows leave as they come.
        let world = match chance.once_in(2) {
            true => World::apart(chance),
            false => World::new(chance),
        };
        let stores = world.members.iter();
        let stores = stores
            .map(|quads| store(quads.clone(), steward.modify()))
            .collect::<Result<_, _>>()?;
        Ok(Self { world, stores })
    }

    fn hold(
        &self,
        chance: &mut Chance,
        class: &'static Class,
        fault: Fault,
        steward: &Ours,
        met: &mut Met,
    ) -> Result<(), String> {
        let members = self.stores.iter().map(|store| Member {
            store: Arc::clone(store),
            permit: Some(steward.read().clone()),
        });
        let members: Vec<_> = members.collect();
        let asked = chance.one(class.queries).copied();
        let asked = asked.ok_or("an operator without a query")?;
        let case = Case::new(chance, &self.world, &members, asked, fault)?;
        let found = match case.hold(chance)? {
            Held::Answer(found) => found,
            Held::Unbelieved => {
                met.unbelieved += 1;
                return Ok(());
            }
            Held::NoService => return Ok(()),
        };
        let states = met.states.entry(class.name).or_default();
        states.extend(found.told.states.iter().map(|state| state.as_str()));
        met.streamed += usize::from(found.is_streamed);
        met.broken += usize::from(found.is_streamed && found.log.broken > 0);
        if found.is_missing {
            met.missing += 1;
            met.flagged += usize::from(!found.told.unsure.is_empty());
            met.rows += usize::from(bounds::number(&found.told.answer) > 0);
            met.exact += usize::from(found.is_exact);
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<Query, String> {
    SparqlParser::new()
        .parse_query(&format!("{PREFIXES}{text}"))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::bounds::subset;
    use super::*;
    use crate::answer::Answer;

    #[test]
    fn cases_hold_and_are_of_use() {
        let count = CLASSES.len() * FAULTS.len();
        let report = run("partial", count, Some(1)).unwrap();
        assert_eq!(report.failures().collect::<Vec<_>>(), []);
        assert_eq!(report.passed(), count + count.div_ceil(WITHHELD));
        assert!(
            report
                .counts
                .iter()
                .any(|(name, many)| name.contains("withheld") && *many > 5)
        );
        let counts: BTreeMap<_, _> = report.counts.iter().copied().collect();
        assert!(counts["answers that lack a source"] > count / 3);
        assert!(counts["of them with rows"] > count / 20);
        assert!(counts["of them exactly what the others hold"] > count / 10);
        // All that a source can be.
        assert_eq!(counts["kinds of state"], 8);
    }

    #[test]
    fn a_wrong_row_is_seen() {
        let answer = |texts: &[&str]| {
            let rows = texts.iter().map(|text| {
                let literal = oxrdf::Literal::from(*text);
                vec![Some(oxrdf::Term::from(literal))]
            });
            Answer::Table(crate::answer::Table {
                variables: vec![oxrdf::Variable::new_unchecked("x")],
                rows: rows.collect(),
                ordered: false,
            })
        };
        let all = answer(&["a", "b"]);
        assert!(subset(&answer(&["b"]), &all).is_ok());
        assert!(subset(&answer(&["c"]), &all).is_err());
        assert!(subset(&answer(&["b", "b"]), &all).is_err());
    }
}

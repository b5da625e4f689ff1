//! Members that fail: whatever is wrong with one of them, and whatever stands in the query, the answer is right or says
//! what is missing. No row is wrong without a word.

mod classes;
mod faults;
mod withheld;

use crate::answer::Answer;
use crate::chance::Chance;
use crate::engine::Ours;
use crate::library;
use crate::members::{Member, Told, Town, deep, participant, store};
use crate::merged::{Model, World, lines};
use crate::report::{Report, Verdict};
use classes::{CLASSES, Class};
use faults::{FAULTS, Fault, Faulty, IdleClock, MAX_AGE, lock};
use spargebra::{Query, SparqlParser};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use twinlink_core::{Requirement, SourceState};
use twinlink_federation::FederationLimits;
use twinlink_store::TwinStore;

/// Cases where nobody says how many: every fault under every operator, more than three times.
pub(crate) const CASES: usize = 1_200;

/// Of so many cases one is followed by one about what is told of what is withheld.
const WITHHELD: usize = 15;

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
        Ok(cases)
    });
    let cases = cases
        .and_then(|cases| cases)
        .map_err(library::Fault::Target)?;
    Ok(Report::of(suite, cases)
        .with("answers that lack a source", met.missing)
        .with("of them flagged", met.flagged)
        .with("of them with rows", met.rows)
        .with("cases in which something is withheld", met.withheld)
        .with("kinds of state", met.states.len())
        .with("seed", usize::try_from(seed).unwrap_or_default()))
}

/// How many cases were of use.
#[derive(Debug, Default)]
struct Met {
    missing: usize,
    flagged: usize,
    rows: usize,
    withheld: usize,
    states: BTreeSet<&'static str>,
}

/// Twins, and what each shows.
struct Setting {
    world: World,
    stores: Vec<Arc<TwinStore>>,
}

impl Setting {
    fn new(chance: &mut Chance, steward: &Ours) -> Result<Self, String> {
        let world = World::new(chance);
        let stores = world.members.iter();
        let stores = stores
            .map(|quads| store(quads.clone(), steward.modify()))
            .collect::<Result<_, _>>()?;
        Ok(Self { world, stores })
    }

    fn hold(
        &self,
        chance: &mut Chance,
        class: &Class,
        fault: Fault,
        steward: &Ours,
        met: &mut Met,
    ) -> Result<(), String> {
        let text = chance.one(class.queries).copied().unwrap_or_default();
        let (text, is_any) = match text.strip_prefix("any ") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let query = parse(text)?;
        let members: Vec<_> = self
            .stores
            .iter()
            .map(|store| Member {
                store: Arc::clone(store),
                permit: Some(steward.read().clone()),
            })
            .collect();
        let faults = faults(chance, members.len(), fault);
        let asked = Arc::new(Mutex::new(BTreeMap::new()));
        let dated = Requirement {
            max_age: chance.once_in(2).then_some(MAX_AGE),
            ..Requirement::default()
        };
        let before = chance.clone();
        let told = ask(&members, &query, &faults, &asked, chance, dated.clone())?;
        if !required_early(&members, &query, &faults, &before, &told, &dated)? {
            return Err("what is required is not what is required at the end".to_owned());
        }
        let is_dated = dated.max_age.is_some();
        let model = Model::new(&self.world, &members);
        let expected = model.evaluate(&query)?;
        let asked = lock(&asked).clone();
        // What never changed tells no time of it.
        let ageless: Vec<_> = self
            .stores
            .iter()
            .map(|store| is_dated && store.snapshot().time().is_none())
            .collect();
        let states = check_states(&faults, &asked, &told, is_dated, &ageless)?;
        met.states
            .extend(told.states.iter().map(|state| state.as_str()));
        let is_settled = states.iter().all(|state| state.is_settled());
        require(&told, is_settled)?;
        if is_settled {
            if !told.unsure.is_empty() {
                return Err(format!("{:?} lack nothing", told.unsure));
            }
            return if is_any {
                let all = model.evaluate(&parse(unlimited(text))?)?;
                subset(&told.answer, &all, number(&expected))
            } else {
                same(&expected, &told.answer)
            };
        }
        met.missing += 1;
        met.rows += usize::from(number(&told.answer) > 0);
        if class.is_monotone != told.unsure.is_empty() {
            return Err(format!("flagged are {:?}", told.unsure));
        }
        if !class.is_monotone {
            // It says that rows may be wrong, and by which operator.
            met.flagged += 1;
            return Ok(());
        }
        let all = if is_any {
            model.evaluate(&parse(unlimited(text))?)?
        } else {
            expected
        };
        subset(&told.answer, &all, usize::MAX)
    }
}

/// Which member has which fault: at least one has the fault that is asked for.
fn faults(chance: &mut Chance, members: usize, fault: Fault) -> Vec<Fault> {
    let first = 1 + chance.below(members - 1);
    (0..members)
        .map(|member| {
            if member == first {
                fault
            } else if member > 0 && chance.once_in(4) {
                chance.one(FAULTS).copied().unwrap_or(Fault::None)
            } else {
                Fault::None
            }
        })
        .collect()
}

fn ask(
    members: &[Member],
    query: &Query,
    faults: &[Fault],
    asked: &Arc<Mutex<BTreeMap<oxrdf::NamedNode, usize>>>,
    chance: &mut Chance,
    require: Requirement,
) -> Result<Told, String> {
    let limits = FederationLimits {
        share_bindings: !chance.once_in(4),
        bindings: chance.one(&[0, 2, 1_000]).copied().unwrap_or_default(),
        ..FederationLimits::default()
    };
    let clock = IdleClock::new();
    let named = faults.iter().enumerate();
    let between = |inner| -> Arc<dyn twinlink_federation::Peers> {
        Arc::new(Faulty {
            inner,
            faults: named.map(|(n, fault)| (participant(n), *fault)).collect(),
            chance: Mutex::new(chance.clone()),
            clock: Arc::clone(&clock),
            asked: Arc::clone(asked),
        })
    };
    // By summaries a member that fails is found out later, or not at all where it need not be asked.
    let is_summarised = faults.iter().all(|fault| *fault != Fault::Denies) && query_is_even(query);
    Town::over(members, limits, is_summarised, clock.clone(), between)?
        .ask_requiring(query, require)
}

/// Whether the same question, of one that requires something, is refused where it would be at the end, and only there.
fn required_early(
    members: &[Member],
    query: &Query,
    faults: &[Fault],
    before: &Chance,
    told: &Told,
    dated: &Requirement,
) -> Result<bool, String> {
    let mut chance = before.clone();
    let named = participant(chance.below(members.len()));
    let quorum = (1 + chance.below(members.len())).to_string();
    let words = ["all", "exact", &quorum, named.as_str()];
    let mut require = dated.clone();
    require.add(chance.one(&words).copied().unwrap_or_default())?;
    let asked = Arc::default();
    let early = ask(
        members,
        query,
        faults,
        &asked,
        &mut before.clone(),
        require.clone(),
    );
    let holds = require.check(&told.sources, &told.unsure).is_ok();
    Ok(match early {
        Ok(again) => require.check(&again.sources, &again.unsure).is_ok() == holds,
        Err(_) => !holds,
    })
}

/// Half of the cases, whatever their chances.
fn query_is_even(query: &Query) -> bool {
    query.to_string().len().is_multiple_of(2)
}

/// Each member has a state that its fault explains.
fn check_states(
    faults: &[Fault],
    asked: &BTreeMap<oxrdf::NamedNode, usize>,
    told: &Told,
    is_dated: bool,
    ageless: &[bool],
) -> Result<Vec<SourceState>, String> {
    for (number, (fault, state)) in faults.iter().zip(&told.states).enumerate() {
        let is_asked = asked.contains_key(&participant(number));
        let is_ageless = ageless.get(number) == Some(&true);
        let is_explained = if *state == SourceState::Stale && is_ageless {
            true
        } else if is_asked && fault.shows_at_once(is_dated) {
            fault.states(is_dated).contains(state)
        } else {
            state.is_settled() || fault.states(is_dated).contains(state)
        };
        if !is_explained {
            return Err(format!("member {number} is {state}, for {fault:?}"));
        }
        let source = told.sources.get(number);
        let has_reason = source.is_some_and(|source| source.reason.is_some());
        if has_reason == state.is_settled() {
            return Err(format!("member {number} is {state}: {source:?}"));
        }
    }
    Ok(told.states.clone())
}

/// What the caller requires is kept to.
fn require(told: &Told, is_settled: bool) -> Result<(), String> {
    let holds = |words: &[&str]| {
        let mut requirement = Requirement::default();
        for word in words {
            requirement.add(word)?;
        }
        Ok::<_, String>(requirement.check(&told.sources, &told.unsure).is_ok())
    };
    let settled = told.states.iter().filter(|state| state.is_settled());
    let count = settled.count();
    let mut wrong = holds(&["all"])? != is_settled;
    let is_stale = told.states.contains(&SourceState::Stale);
    wrong |= holds(&["exact"])? != (told.unsure.is_empty() && !is_stale);
    for quorum in 1..=told.states.len() {
        wrong |= holds(&[&quorum.to_string()])? != (count >= quorum);
    }
    for (number, state) in told.states.iter().enumerate() {
        wrong |= holds(&[participant(number).as_str()])? != state.is_settled();
    }
    if wrong {
        return Err(format!(
            "a requirement is not kept to with {:?}",
            told.states
        ));
    }
    Ok(())
}

fn parse(text: &str) -> Result<Query, String> {
    SparqlParser::new()
        .parse_query(&format!("{PREFIXES}{text}"))
        .map_err(|error| error.to_string())
}

/// The query without its slice.
fn unlimited(text: &str) -> &str {
    [" OFFSET", " LIMIT"].iter().fold(text, |text, word| {
        text.split_once(word).map_or(text, |(before, _)| before)
    })
}

fn number(answer: &Answer) -> usize {
    match answer {
        Answer::Boolean(value) => usize::from(*value),
        Answer::Graph(graph) => graph.len(),
        Answer::Table(table) => table.rows.len(),
    }
}

/// The rows as sorted text.
fn texts(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Boolean(value) => vec![value.to_string()],
        Answer::Table(table) => lines(table),
        Answer::Graph(graph) => {
            let mut lines: Vec<_> = graph.iter().map(|triple| triple.to_string()).collect();
            lines.sort();
            lines
        }
    }
}

fn same(expected: &Answer, actual: &Answer) -> Result<(), String> {
    let (expected, actual) = (texts(expected), texts(actual));
    if expected == actual {
        return Ok(());
    }
    Err(format!("expected {expected:?}, got {actual:?}"))
}

/// Each row is one of all, as often as there, and there are at most so many, or where that is known just so many.
fn subset(actual: &Answer, all: &Answer, count: usize) -> Result<(), String> {
    if count != usize::MAX && number(actual) != count {
        return Err(format!("expected {count} rows, got {}", number(actual)));
    }
    let mut all = texts(all);
    for row in texts(actual) {
        let Ok(place) = all.binary_search(&row) else {
            return Err(format!("{row} is a wrong row"));
        };
        all.remove(place);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(subset(&answer(&["b"]), &all, usize::MAX).is_ok());
        assert!(subset(&answer(&["c"]), &all, usize::MAX).is_err());
        assert!(subset(&answer(&["b", "b"]), &all, usize::MAX).is_err());
        assert!(subset(&answer(&["b"]), &all, 2).is_err());
    }
}

//! Non-interference: an answer over the guarded view equals the answer over a copy of the twin from which everything
//! that the policies withhold was really deleted; and a change leaves what it leaves there.
//!
//! Data, policies, callers, queries and updates are made up by chance. The policies go to the engine as Turtle, and are
//! read as they were made up ([`odrl`]); for all that a guard can say, guards are made up as well. The model ([`model`])
//! makes the copy that a guard leaves, and oxigraph's own store answers over it ([`reference`]).

mod function;
mod generate;
mod member;
mod model;
mod mutants;
mod odrl;
mod question;
mod random;
mod reference;
mod scene;
mod shrink;
mod subject;
mod turtle;
mod update;
mod world;

use crate::report::{Report, Verdict};
pub(crate) use member::{Made, members};
use mutants::{Fault, Mutant};
pub(crate) use question::names::of_query as names_of;
use question::{Question, Writer};
use random::Random;
use scene::Scene;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use subject::{Engine, Subject};
use world::{Seen, Task, World};

/// How many cases are run where nobody says.
pub(crate) const CASES: usize = 2_000;
/// How many cases a faulty engine is given at most where nobody says: the rarest fault takes some thousands.
pub(crate) const MUTATION_CASES: usize = 20_000;
/// How many cases share a scene.
const TASKS: usize = 10;
/// After so many differences more would tell nothing new.
const ENOUGH: usize = 5;

/// Runs the cases of a seed on the engine.
pub(crate) fn run(suite: &'static str, cases: usize, seed: Option<u64>) -> Report {
    let seed = seed.unwrap_or_else(today);
    let failed = AtomicUsize::new(0);
    let outcomes = in_parallel(cases.div_ceil(TASKS), |number| {
        if failed.load(Ordering::Relaxed) >= ENOUGH {
            return Vec::new();
        }
        let outcomes = scene_cases(&Engine, seed, number, cases);
        let failures = outcomes.iter().filter(|(_, outcome)| outcome.is_err());
        failed.fetch_add(failures.count(), Ordering::Relaxed);
        outcomes
    });
    let mut verdicts = Vec::new();
    let mut seen = Vec::new();
    for (case, outcome) in outcomes.into_iter().flatten() {
        let verdict = match outcome {
            Ok(about) => {
                seen.push(about);
                Verdict::Passed
            }
            Err(difference) => Verdict::Failed(shrink::describe(seed, case, &difference)),
        };
        verdicts.push((format!("seed {seed} case {case}"), verdict));
    }
    let count = |is: fn(&Seen) -> bool| seen.iter().filter(|about| is(about)).count();
    Report::of(suite, verdicts)
        .with("seed", usize::try_from(seed).unwrap_or(usize::MAX))
        .with(
            "withheld_in_part",
            count(|s| s.something_withheld && s.something_visible),
        )
        .with("withheld_whole", count(|s| !s.something_visible))
        .with("seen_changed", count(|s| s.something_changed))
        .with("answers_not_empty", count(|s| s.answered))
        .with("changes_made", count(|s| s.changed))
        .with("changes_refused", count(|s| s.refused))
}

/// Runs the cases of a seed on faulty engines: each must be found out. The report tells by which case.
pub(crate) fn run_mutations(suite: &'static str, cases: usize, seed: Option<u64>) -> Report {
    let seed = seed.unwrap_or_else(today);
    let faults: Vec<_> = std::iter::once(None)
        .chain(Fault::ALL.iter().copied().map(Some))
        .collect();
    let found = in_parallel(faults.len(), |place| {
        let fault = faults.get(place).copied().flatten();
        let mutant = Mutant(fault);
        let most = if fault.is_some() {
            cases
        } else {
            cases.min(CASES)
        };
        let first = (0..most.div_ceil(TASKS)).find_map(|number| {
            let outcomes = scene_cases(&mutant, seed, number, cases);
            let mut differences = outcomes.into_iter();
            differences.find_map(|(case, outcome)| Some((case, outcome.err()?)))
        });
        (fault, first)
    });
    let mut report = Report::of(suite, Vec::new())
        .with("seed", usize::try_from(seed).unwrap_or(usize::MAX))
        .with("faults", Fault::ALL.len());
    for (fault, first) in found {
        let name = fault.map_or("no fault", Fault::name);
        let verdict = match (fault, first) {
            (Some(_), Some((case, _))) => {
                report = report.with(name, case);
                Verdict::Passed
            }
            (Some(_), None) if cases < MUTATION_CASES => Verdict::Skipped(format!(
                "not caught by {cases} cases of seed {seed}, which are too few to tell"
            )),
            (Some(_), None) => {
                Verdict::Failed(format!("not caught by {cases} cases of seed {seed}"))
            }
            // The way around the engine's own evaluation must itself be right.
            (None, None) => Verdict::Passed,
            (None, Some((case, difference))) => {
                Verdict::Failed(format!("case {case} of seed {seed}: {difference}"))
            }
        };
        report.cases.push((name.to_owned(), verdict));
    }
    report
}

/// The cases about one scene, by their numbers.
fn scene_cases(
    subject: &dyn Subject,
    seed: u64,
    number: usize,
    cases: usize,
) -> Vec<(usize, Result<Seen, String>)> {
    let scene = scene(seed, number);
    let first = number * TASKS;
    let numbers = first..(first + TASKS).min(cases);
    let world = match guarded(|| World::new(subject, &scene)) {
        Ok(world) => world,
        Err(difference) => return vec![(first, Err(difference))],
    };
    numbers
        .map(|case| {
            let task = task(seed, case, &scene);
            (case, guarded(|| world.check(subject, &task)))
        })
        .collect()
}

/// The scene of this number.
fn scene(seed: u64, number: usize) -> Scene {
    generate::scene(&mut Random::new(seed, number as u64 * 2))
}

/// What case so-and-so asks.
fn task(seed: u64, case: usize, scene: &Scene) -> Task {
    let mut random = Random::new(seed, case as u64 * 2 + 1);
    match case % TASKS {
        0 => Task::Summary,
        1..3 => Task::Change(update::change(&mut random, &scene.about)),
        _ => Task::Question(Question::new(&mut random, Writer::new(&scene.about))),
    }
}

/// A panic is a difference too.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("it panicked".to_owned()))
}

/// Does all jobs on all cores; the results are in the jobs' order.
fn in_parallel<T: Send>(jobs: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    /// The evaluator recurses.
    const STACK: usize = 64 << 20;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let broken = AtomicBool::new(false);
    let done = Mutex::new(Vec::with_capacity(jobs));
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= jobs {
                    return;
                }
                let result = job(number);
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((number, result));
            }
        };
        for _ in 0..threads.min(jobs) {
            let thread = std::thread::Builder::new().stack_size(STACK);
            if thread.spawn_scoped(scope, work).is_err() {
                broken.store(true, Ordering::Relaxed);
            }
        }
        if broken.load(Ordering::Relaxed) {
            work();
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// A seed that is another one tomorrow.
fn today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;

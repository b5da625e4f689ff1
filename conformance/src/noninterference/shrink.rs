//! Makes a failing case small, and says it so that it can be followed by hand.

use super::question::Check;
use super::scene::Scene;
use super::subject::{Engine, Subject};
use super::world::{Task, World};
use super::{TASKS, guarded, scene, task, turtle};
use std::time::{Duration, Instant};
use twinlink_core::Change;

/// The longest that is spent on making a case small.
const PATIENCE: Duration = Duration::from_secs(10);

/// The case, as small as a few tries make it.
pub(super) fn describe(seed: u64, case: usize, difference: &str) -> String {
    let whole = scene(seed, case / TASKS);
    let task = task(seed, case, &whole);
    let small = shrink(whole, &task);
    let caller = &small.caller;
    let names = |names: &[oxrdf::NamedNode]| {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    let mut lines = vec![
        format!("{difference} (again: --seed {seed} --cases {})", case + 1),
        format!(
            "  caller {} roles ({}) purpose {} at {}",
            caller.participant,
            names(&caller.roles),
            caller
                .purpose
                .as_ref()
                .map_or("none".to_owned(), ToString::to_string),
            turtle::date_time(caller.now)
        ),
        format!("  asks {}", told(&task)),
        "  of".to_owned(),
    ];
    lines.extend(small.quads.iter().map(|quad| format!("    {quad} .")));
    lines.push("  under".to_owned());
    let policies = turtle::document(&small.policies);
    lines.extend(policies.lines().map(|line| format!("    {line}")));
    lines.join("\n")
}

fn told(task: &Task) -> String {
    match task {
        Task::Summary => "for the graphs, classes and properties".to_owned(),
        Task::Change(Change::Update { update, using, .. }) => match using {
            Some(using) => format!("{update} using {using:?}"),
            None => update.clone(),
        },
        Task::Change(change) => format!("{change:?}"),
        Task::Question(question) => {
            let by_protocol = question.dataset.as_ref().filter(|d| d.by_protocol);
            let mut text = question.text();
            if let Some(dataset) = by_protocol {
                text += &format!(" over {dataset:?}");
            }
            if let Check::Page { .. } = question.check {
                text += " (a page)";
            }
            text
        }
    }
}

/// Drops quads and rules for as long as a difference stays.
fn shrink(mut scene: Scene, task: &Task) -> Scene {
    let end = Instant::now() + PATIENCE;
    let fails = |scene: &Scene| {
        let subject: &dyn Subject = &Engine;
        let outcome = guarded(|| World::new(subject, scene)?.check(subject, task));
        Instant::now() < end && outcome.is_err()
    };
    let mut size = scene.quads.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < scene.quads.len() {
            let mut smaller = scene.clone();
            let upto = (at + size).min(smaller.quads.len());
            smaller.quads.drain(at..upto);
            if fails(&smaller) {
                scene = smaller;
            } else {
                at += size;
            }
        }
        if size == 1 {
            break;
        }
        size = size.div_ceil(2);
    }
    for policy in (0..scene.policies.len()).rev() {
        let rules = scene.policies.get(policy).map_or(0, |p| p.rules.len());
        for rule in (0..rules).rev() {
            let mut smaller = scene.clone();
            if let Some(policy) = smaller.policies.get_mut(policy) {
                policy.rules.remove(rule);
            }
            smaller.policies.retain(|policy| !policy.rules.is_empty());
            if smaller.policies.len() == scene.policies.len() && fails(&smaller) {
                scene = smaller;
            }
        }
    }
    scene
}

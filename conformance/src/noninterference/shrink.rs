//! Makes a failing case small, and says it so that it can be followed by hand.

use super::question::Check;
use super::scene::{Guards, Scene};
use super::subject::{Engine, Subject};
use super::world::{Task, World};
use super::{TASKS, guarded, scene, task, turtle};
use std::time::{Duration, Instant};
use twinlink_core::Change;
use twinlink_core::policy::{Guard, Part, Selector, Step, Transformed};

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
    match &small.guards {
        Some(guards) => {
            lines.extend(parts("see", &guards.read));
            lines.extend(parts("change", &guards.modify));
        }
        None => {
            let policies = turtle::document(&small.policies);
            lines.extend(policies.lines().map(|line| format!("    {line}")));
        }
    }
    lines.join("\n")
}

/// A line for each part of a guard.
fn parts(to: &str, guard: &Guard) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |what: &str, text: String| lines.push(format!("    {to}: {what} {text}"));
    let conditions = |selector: &Selector| {
        let mut text = format!("{selector:?}");
        if let Some(pattern) = &selector.nodes {
            text = format!(
                "{:?} of {}",
                Selector {
                    nodes: None,
                    ..selector.clone()
                },
                pattern.text()
            );
        }
        text
    };
    for (number, layer) in guard.layers().enumerate() {
        if number > 0 {
            line("and", "in another layer".to_owned());
        }
        layer
            .permits()
            .iter()
            .for_each(|one| line("permitted", conditions(one)));
        layer
            .prohibitions()
            .iter()
            .for_each(|one| line("prohibited", conditions(one)));
        for Transformed { selector, steps } in layer.transformed() {
            line("transformed", conditions(selector));
            for Step { part, function } in steps {
                let part = match part {
                    Part::Nodes(pattern) => pattern.text().to_owned(),
                    part => format!("{part:?}"),
                };
                line("  by", format!("{function:?} of {part}"));
            }
        }
        layer
            .statistics()
            .iter()
            .for_each(|one| line("in numbers", format!("{one:?}")));
    }
    lines
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

/// Drops quads, rules and parts of guards for as long as a difference stays.
fn shrink(mut scene: Scene, task: &Task) -> Scene {
    let end = Instant::now() + PATIENCE;
    let fails = |scene: &Scene| {
        let subject: &dyn Subject = &Engine;
        let outcome = guarded(|| World::new(subject, scene)?.check(subject, task));
        Instant::now() < end && outcome.is_err()
    };
    // What is left out of the guards first makes each try for the quads cheaper.
    let mut at = 0;
    while let Some(smaller) = without_part(&scene, at) {
        if fails(&smaller) {
            scene = smaller;
        } else {
            at += 1;
        }
    }
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

/// The scene without the part of this number of its guards, if there are so many.
fn without_part(scene: &Scene, number: usize) -> Option<Scene> {
    let guards = scene.guards.as_ref()?;
    let read = without(&guards.read, number);
    let parts = size(&guards.read);
    let guards = match read {
        Some(read) => Guards {
            read,
            modify: guards.modify.clone(),
        },
        None => Guards {
            read: guards.read.clone(),
            modify: without(&guards.modify, number.checked_sub(parts)?)?,
        },
    };
    Some(Scene {
        guards: Some(guards),
        ..scene.clone()
    })
}

fn size(guard: &Guard) -> usize {
    (0..)
        .take_while(|number| without(guard, *number).is_some())
        .count()
}

fn without(guard: &Guard, number: usize) -> Option<Guard> {
    let mut left = number;
    let layers = guard.layers().map(|layer| {
        let (permits, prohibitions) = (
            drop_one(layer.permits(), &mut left),
            drop_one(layer.prohibitions(), &mut left),
        );
        let mut transformed = drop_one(layer.transformed(), &mut left);
        let statistics = drop_one(layer.statistics(), &mut left);
        for one in &mut transformed {
            one.steps = drop_one(&one.steps, &mut left);
        }
        Guard::new(permits, prohibitions)
            .with_transformed(transformed)
            .with_statistics(statistics)
    });
    let smaller = Guard::union(layers.collect::<Vec<_>>());
    (smaller != *guard).then_some(smaller)
}

/// All but the one that `left` counts down to.
fn drop_one<T: Clone>(of: &[T], left: &mut usize) -> Vec<T> {
    let mut kept = of.to_vec();
    if *left < kept.len() {
        kept.remove(*left);
        *left = usize::MAX;
    } else if *left != usize::MAX {
        *left -= kept.len();
    }
    kept
}

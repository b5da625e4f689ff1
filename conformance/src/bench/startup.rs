//! How long a connector takes to start, and what it costs while nobody asks.

use crate::library::Fault;
use crate::program::Program;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How often each thing is measured.
const ROUNDS: usize = 10;
/// How long a connector is left alone before its memory is looked at.
const IDLE: Duration = Duration::from_millis(500);
/// Ready within this many milliseconds.
const READY_MILLIS: f64 = 200.0;
/// Idle below this many megabytes.
const IDLE_MEGABYTES: f64 = 40.0;

/// Measures.
pub(super) fn run() -> Result<Value, Fault> {
    let program = Program::find()?;
    let home = program.init()?;
    let (mut ready, mut bare, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    // The first start makes the files of the twin, and finds no cache warm: it is told, but not in the median.
    let running = program.serve(&home)?;
    let first = millis(running.ready_after);
    running.stop()?;
    for _ in 0..ROUNDS {
        bare.push(millis(version(&program)?));
        let running = program.serve(&home)?;
        ready.push(millis(running.ready_after));
        std::thread::sleep(IDLE);
        memory.push(running.megabytes()?);
        running.stop()?;
    }
    // Dropped, it is killed: the next start finds a twin that was not closed.
    drop(program.serve(&home)?);
    let after_kill = millis(program.serve(&home)?.ready_after);
    let (ready, bare, memory) = (median(ready), median(bare), median(memory));
    Ok(json!({
        "rounds": ROUNDS,
        "first_start_ms": first,
        "after_kill_ms": after_kill,
        "ready_ms": ready,
        "ready_ms_bound": READY_MILLIS,
        "version_ms": bare,
        "ready_to_version_ratio": ready / bare,
        "idle_mb": memory,
        "idle_mb_bound": IDLE_MEGABYTES,
        "ok": ready < READY_MILLIS && memory < IDLE_MEGABYTES,
    }))
}

/// How long the program takes to start and end without doing anything.
fn version(program: &Program) -> Result<Duration, Fault> {
    let started = Instant::now();
    let mut command = program.command();
    let status = command.arg("--version").stdout(Stdio::null()).status();
    let status = status.map_err(|error| Fault::Measure(error.to_string()))?;
    if status.success() {
        Ok(started.elapsed())
    } else {
        Err(Fault::Measure(format!("twinlink --version: {status}")))
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}

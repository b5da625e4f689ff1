//! The other caller: asks simple questions all the time, and notes how long each took.

use super::{End, ask, connect, fault, queries, whole};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::{OFFICER, Town};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The most that the 95th percentile of the other caller may rise by.
const SLOWER: usize = 2;

/// Someone who asks simple questions all the time.
pub(super) struct Other {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Duration>, String>>,
}

/// How long answers took, of one window or several; or why there are none.
#[derive(Debug, Default)]
pub(super) struct Sample {
    all: Vec<Duration>,
    fault: Option<String>,
}

impl Other {
    pub(super) fn start(town: &Town) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(fault)?;
        let client = connect(town, &town.police, OFFICER, &runtime)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let query = format!("SELECT ?o {{ <{}n7> <{0}knows> ?o }}", queries::BASE);
            let mut all = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let started = Instant::now();
                match runtime.block_on(ask(&client, &query))? {
                    End::Answered => all.push(started.elapsed()),
                    end => return Err(format!("a simple query was not answered: {end:?}")),
                }
                // As someone who reads what came before asking on.
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(all)
        });
        Ok(Self { stop, thread })
    }

    pub(super) fn stop(self) -> Sample {
        self.stop.store(true, Ordering::Relaxed);
        let joined = self.thread.join();
        let panicked = |_| Err("the other caller panicked".to_owned());
        match joined.unwrap_or_else(panicked) {
            Ok(all) => Sample { all, fault: None },
            Err(fault) => Sample {
                all: Vec::new(),
                fault: Some(fault),
            },
        }
    }

    pub(super) fn ask_for(town: &Town, time: Duration) -> Result<Sample, Fault> {
        let other = Self::start(town)?;
        std::thread::sleep(time);
        Ok(other.stop())
    }

    /// Has it ask for as long as something is done.
    pub(super) fn during(
        town: &Town,
        work: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<Sample, Fault> {
        let other = Self::start(town)?;
        let done = work();
        let sample = other.stop();
        done.map(|()| sample)
    }
}

impl Sample {
    /// Another window's, beside those that are there.
    pub(super) fn add(&mut self, more: Result<Self, Fault>) {
        match more {
            Ok(more) => {
                self.all.extend(more.all);
                self.fault = self.fault.take().or(more.fault);
            }
            Err(fault) => self.fault = Some(fault.to_string()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What so many in a hundred do not exceed, in microseconds.
    pub(super) fn at(&self, percent: usize) -> usize {
        let mut all = self.all.clone();
        all.sort_unstable();
        let at = (all.len() * percent).div_ceil(100).saturating_sub(1);
        all.get(at).map_or(0, |time| whole(*time))
    }

    /// Whether it is no more than so much slower than alone.
    pub(super) fn compared(&self, alone: &Self) -> Verdict {
        if let Some(fault) = self.fault.as_ref().or(alone.fault.as_ref()) {
            return Verdict::Failed(fault.clone());
        }
        if self.all.is_empty() || alone.all.is_empty() {
            return Verdict::Failed("none was answered".to_owned());
        }
        let (now, alone) = (self.at(95), alone.at(95).max(1));
        if now > SLOWER * alone {
            let percent = now * 100 / alone;
            return Verdict::Failed(format!(
                "the 95th percentile is at {percent} % of that alone"
            ));
        }
        Verdict::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(micros: impl Iterator<Item = u64>) -> Sample {
        Sample {
            all: micros.map(Duration::from_micros).collect(),
            fault: None,
        }
    }

    #[test]
    fn percentiles_are_of_the_slowest() {
        assert_eq!(sample((1..=100).rev()).at(95), 95);
        assert_eq!(Sample::default().at(95), 0);
    }

    #[test]
    fn twice_as_slow_is_as_slow_as_it_may_be() {
        let alone = || sample(std::iter::repeat_n(100, 50));
        let other = |micros| sample(std::iter::repeat_n(micros, 50));
        assert_eq!(other(200).compared(&alone()), Verdict::Passed);
        assert_ne!(other(201).compared(&alone()), Verdict::Passed);
        assert_ne!(Sample::default().compared(&alone()), Verdict::Passed);
        assert_ne!(alone().compared(&Sample::default()), Verdict::Passed);
        let mut broken = other(100);
        broken.add(Err(fault("gone")));
        assert_ne!(broken.compared(&alone()), Verdict::Passed);
    }
}

//! Time and threads: the two ports that an operating system fills.

use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_core::{Clock, Code, Refusal, Workers};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// One thread a job, with a deep stack, at most so many at once.
///
/// Evaluation recurses as deep as a query nests, and blocks on slow readers; a thread of its own costs tens of
/// microseconds and keeps both away from the runtime's threads.
#[derive(Debug, Clone)]
pub struct Threads {
    most: usize,
    busy: Arc<AtomicUsize>,
}

/// Enough for the deepest query that `Limits::nesting` lets in. Reserved, not used, until it is needed.
const STACK: usize = 64 * 1024 * 1024;

impl Threads {
    /// At most `most` jobs at once.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            busy: Arc::default(),
        }
    }

    /// How many jobs run now.
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }
}

impl Workers for Threads {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Refusal> {
        let seat = Seat::take(&self.busy, self.most).ok_or_else(|| {
            Refusal::new(
                Code::Exhausted,
                "limits.concurrency",
                format_args!("{} requests are being evaluated", self.most),
            )
        })?;
        std::thread::Builder::new()
            .name("evaluation".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                job();
                drop(seat);
            })
            .map(drop)
            .map_err(|error| Refusal::new(Code::Exhausted, "threads", error))
    }
}

/// A place among the busy threads; given back when dropped, also by a panic.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(busy: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
            (n < most).then_some(n + 1)
        })
        .ok()
        .map(|_| Self(Arc::clone(busy)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, until: Instant) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until(until.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_over_the_limit_are_refused_and_seats_come_back() {
        let threads = Threads::new(1);
        let (release, wait) = channel::<()>();
        let (done_in, done) = channel();
        threads
            .run(Box::new(move || {
                wait.recv().unwrap();
                done_in.send(()).unwrap();
            }))
            .unwrap();
        let refused = threads.run(Box::new(|| {})).unwrap_err();
        assert_eq!(refused.code(), Code::Exhausted);
        release.send(()).unwrap();
        done.recv().unwrap();
        while threads.run(Box::new(|| {})).is_err() {
            std::thread::yield_now();
        }
    }
}

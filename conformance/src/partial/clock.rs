//! A clock that passes when nothing else happens.

use super::peers::{Later, lock};
use crate::members::Threads;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_core::Clock;

/// Its time passes only when nothing else happens.
pub(super) struct IdleClock {
    now: Arc<Mutex<Instant>>,
    threads: Arc<Threads>,
}

impl IdleClock {
    pub(super) fn new(threads: Arc<Threads>) -> Arc<Self> {
        let now = Arc::new(Mutex::new(Instant::now()));
        Arc::new(Self { now, threads })
    }
}

impl Clock for IdleClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn instant(&self) -> Instant {
        *lock(&self.now)
    }

    fn sleep_until(&self, until: Instant) -> Later<'static, ()> {
        Box::pin(Sleep {
            now: Arc::clone(&self.now),
            threads: Arc::clone(&self.threads),
            until,
            idle: 0,
        })
    }
}

/// Every peer answers within a few polls, and our own twin's work is seen: whoever still sleeps after many polls waits for
/// nothing else. Who sleeps shorter wakes sooner.
struct Sleep {
    now: Arc<Mutex<Instant>>,
    threads: Arc<Threads>,
    until: Instant,
    idle: u64,
}

/// Polls for each second of sleep.
const POLLS: u64 = 50;

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.threads.is_busy() {
            std::thread::yield_now();
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut now = lock(&self.now);
        let left = self.until.saturating_duration_since(*now);
        let polls = left.as_secs().saturating_mul(POLLS).max(POLLS);
        let is_over = left.is_zero() || self.idle >= polls;
        if is_over {
            *now = self.until.max(*now);
            return Poll::Ready(());
        }
        drop(now);
        self.idle += 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

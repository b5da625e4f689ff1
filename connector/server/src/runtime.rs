//! Time and threads: the two ports that an operating system fills.

mod threads;

use futures::future::BoxFuture;
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_core::Clock;

pub use threads::Threads;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

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

//! Threads and time as the tests have them: whoever asks works, and nobody waits.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::{Clock, Refusal, Workers};

pub(super) struct RightHere;

impl Workers for RightHere {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Refusal> {
        job();
        Ok(())
    }
}

/// Its time passes only when nothing else happens.
pub(crate) struct PatientClock(Arc<Mutex<Instant>>);

impl PatientClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Arc::new(Mutex::new(Instant::now()))))
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for PatientClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }

    fn instant(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, until: Instant) -> BoxFuture<'static, ()> {
        // All fakes answer within a few polls: whoever still sleeps after many waits for nothing else.
        let now = Arc::clone(&self.0);
        Patience(1_000)
            .map(move |()| {
                let mut now = now.lock().unwrap();
                *now = until.max(*now);
            })
            .boxed()
    }
}

pub(super) struct Patience(pub(super) usize);

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

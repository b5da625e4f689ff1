//! A log that nobody can fill: of each kind of line so many in a while, and how many were left out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::{Event, Metadata};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of one kind in a while: those that one place of the code writes.
const LINES: u32 = 500;

/// How long a while is.
const WHILE: Duration = Duration::from_secs(10);

/// What was written lately, and left out.
#[derive(Debug, Default)]
pub(crate) struct Flood(Mutex<HashMap<Identifier, Kind>>);

#[derive(Debug)]
struct Kind {
    at: &'static Metadata<'static>,
    since: Instant,
    lines: u32,
    left_out: u64,
}

/// Lets through so many lines of each kind.
pub(super) struct Few(pub(super) Arc<Flood>);

impl Flood {
    // INVARIANT(bounded-log): however often something happens, no more lines of it are written than so many in a while.
    fn admit(&self, at: &'static Metadata<'static>, now: Instant) -> bool {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(at.callsite()).or_insert(Kind {
            at,
            since: now,
            lines: 0,
            left_out: 0,
        });
        if now.saturating_duration_since(kind.since) >= WHILE {
            kind.since = now;
            kind.lines = 0;
        }
        if kind.lines < LINES {
            kind.lines += 1;
            return true;
        }
        kind.left_out += 1;
        false
    }

    /// What was left out since it was taken last, by the place of the code.
    fn take(&self) -> Vec<(&'static Metadata<'static>, u64)> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = kinds.values_mut().filter(|kind| kind.left_out > 0);
        kinds
            .map(|kind| (kind.at, std::mem::take(&mut kind.left_out)))
            .collect()
    }

    /// Says how many lines were left out.
    pub(crate) fn tell(&self) {
        for (at, lines) in self.take() {
            let (of, line) = (at.target(), at.line());
            tracing::warn!(lines, of, line, "lines were left out of the log");
        }
    }

    /// Says it again and again.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut whiles = tokio::time::interval(WHILE);
        loop {
            whiles.tick().await;
            self.tell();
        }
    }
}

impl<S> Filter<S> for Few {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.0.admit(event.metadata(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::{Layer as _, fmt, registry};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// INVARIANT(bounded-log)
    #[test]
    fn bounded_log() {
        let (written, flood) = (Written::default(), Arc::new(Flood::default()));
        let to = written.clone();
        let lines = fmt::layer()
            .with_writer(move || to.clone())
            .with_ansi(false);
        let log = registry().with(lines.with_filter(Few(Arc::clone(&flood))));
        let most = usize::try_from(LINES).unwrap();
        tracing::subscriber::with_default(log, || {
            for number in 0..most + 1200 {
                tracing::info!(number, "a stranger knocks");
            }
            tracing::info!("something else");
            flood.tell();
            flood.tell();
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        // The machine may be so slow that a while is over.
        let knocks = text.matches("a stranger knocks").count();
        assert!((most..most + 1200).contains(&knocks), "{knocks}");
        assert_eq!(text.matches("something else").count(), 1);
        let told = format!("lines={}", most + 1200 - knocks);
        assert_eq!(text.matches("lines were left out").count(), 1, "{text}");
        assert!(text.contains(&told), "{told}");
    }
}

//! How much a caller is shown and how much is withheld, as counts: for the owner, who reads the store itself.

use crate::cli::{Failure, load};
use crate::config::Config;
use crate::wire;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use twinlink_core::{Budget, Limits, Piece, Refusal, Sink};
use twinlink_policy::Guard;
use twinlink_store::StoreError;
use twinlink_vocab::odrl;

/// How long one evaluation may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Of statements of the twin, or of rows of an answer.
pub(super) struct Count {
    what: &'static str,
    shown: u64,
    /// Those that a steward of the owner sees.
    all: u64,
}

/// Counts statements, and the rows of a query. The connector must not run.
pub(super) fn count(
    config: &Config,
    guard: &Guard,
    query: Option<&str>,
) -> Result<Vec<Count>, Failure> {
    let store = load::open(config).map_err(|error| match error {
        StoreError::InUse(_) => Failure::from(
            "the connector is running: stop it to count what is withheld, or ask without --count and --query",
        ),
        error => error.into(),
    })?;
    // What a steward may not read is not counted as withheld either.
    let steward = wire::steward(config, odrl::READ)?;
    let snapshot = store.snapshot();
    let statements = |guard: &Guard| -> Result<u64, Failure> {
        let budget = Budget::new(Instant::now() + PATIENCE, u64::MAX);
        Ok(snapshot.quads(guard, &budget)?.count() as u64)
    };
    let mut counts = vec![Count {
        what: "statements",
        shown: statements(guard)?,
        all: statements(steward.guard())?,
    }];
    if let Some(text) = query {
        let query =
            twinlink_core::parse_query(text, Some(config.dataset.as_str()), &Limits::default())
                .map_err(|refusal| Failure::from(refusal.to_string()))?;
        let rows = |guard: &Guard| -> Result<u64, Failure> {
            let budget = Budget::new(Instant::now() + PATIENCE, u64::MAX);
            let evaluated = store.query(&query, None, guard, &budget, &mut Forget);
            Ok(evaluated
                .map_err(|refusal| Failure::from(refusal.to_string()))?
                .rows)
        };
        counts.push(Count {
            what: "rows",
            shown: rows(guard)?,
            all: rows(steward.guard())?,
        });
    }
    Ok(counts)
}

/// Takes rows, which are counted elsewhere.
struct Forget;

impl Sink for Forget {
    fn put(&mut self, _: Piece) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Count {
    pub(super) fn to_json(&self) -> Value {
        json!({"of": self.what, "shown": self.shown, "steward": self.all})
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, shown, all } = self;
        write!(f, "{shown} {what} shown, where a steward sees {all}")
    }
}

//! What requests may cost, as the file has it.

use super::{ConfigError, iri, machine};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use twinlink_core::{AdmissionLimits, Limits};

/// The least memory that evaluations may be limited to: below, ordinary questions fail.
const LEAST_MEMORY: usize = 1 << 20;

/// The least memory of all evaluations together: a few of them reserve so much.
const LEAST_TOTAL: usize = 16 << 20;

/// What all may hold together where nothing is said, and the system does not say how much there is.
const UNKNOWN_TOTAL: usize = 1 << 30;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    deadline_seconds: Option<u64>,
    rows: Option<u64>,
    memory_bytes: Option<usize>,
    memory_total_bytes: Option<usize>,
    result_bytes: Option<usize>,
    query_bytes: Option<usize>,
    nesting: Option<usize>,
    body_bytes: Option<usize>,
    concurrency: Option<usize>,
    organisation_concurrency: Option<usize>,
    caller_concurrency: Option<usize>,
    waiting: Option<usize>,
    urgent_purposes: Option<Vec<String>>,
}

impl RawLimits {
    pub(super) fn admission(
        &self,
        wrong: &impl Fn(&'static str, String) -> ConfigError,
    ) -> Result<AdmissionLimits, ConfigError> {
        let within = |key, given: Option<usize>, least: usize, most: usize| match given {
            Some(number) if number < least || number > most => Err(wrong(
                key,
                format!("is {number}, expected {least} to {most}"),
            )),
            given => Ok(given),
        };
        let together = within("limits.concurrency", self.concurrency, 1, 4096)?.unwrap_or(64);
        let default = AdmissionLimits::of(together);
        let organisation = self.organisation_concurrency;
        let organisation = within("limits.organisation_concurrency", organisation, 1, together)?;
        let caller = within(
            "limits.caller_concurrency",
            self.caller_concurrency,
            1,
            together,
        )?;
        let waiting = within("limits.waiting", self.waiting, 0, 65_536)?;
        let waiting = waiting.unwrap_or(default.waiting);
        let urgent = match &self.urgent_purposes {
            None => vec![twinlink_vocab::tl::EMERGENCY_RESPONSE.into_owned()],
            Some(purposes) => purposes
                .iter()
                .map(|text| iri(text).map_err(|problem| wrong("limits.urgent_purposes", problem)))
                .collect::<Result<_, _>>()?,
        };
        Ok(AdmissionLimits {
            together,
            organisation: organisation.unwrap_or(default.organisation),
            caller: caller.unwrap_or(default.caller),
            waiting,
            waiting_caller: waiting.div_ceil(4),
            urgent_purposes: urgent,
        })
    }

    /// The most memory of all evaluations together: where nothing is said half of what the machine lets us have.
    pub(super) fn memory_total(
        &self,
        wrong: &impl Fn(&'static str, String) -> ConfigError,
    ) -> Result<usize, ConfigError> {
        let half = || {
            machine::memory()
                .map_or(UNKNOWN_TOTAL, |all| all / 2)
                .max(LEAST_TOTAL)
        };
        let key = "limits.memory_total_bytes";
        match self.memory_total_bytes {
            None => Ok(half()),
            Some(bytes) if bytes < LEAST_TOTAL => {
                Err(wrong(key, format!("is less than {LEAST_TOTAL}")))
            }
            Some(bytes) if self.memory_bytes.is_some_and(|one| one > bytes) => {
                let problem = "is less than limits.memory_bytes, which one evaluation may hold";
                Err(wrong(key, problem.to_owned()))
            }
            Some(bytes) => Ok(bytes),
        }
    }

    pub(super) fn validate(
        &self,
        wrong: &impl Fn(&'static str, String) -> ConfigError,
    ) -> Result<Limits, ConfigError> {
        let default = Limits::default();
        let seconds = self.deadline_seconds.unwrap_or(default.deadline.as_secs());
        if seconds == 0 || seconds > 3600 {
            return Err(wrong(
                "limits.deadline_seconds",
                format!("is {seconds}, expected 1 to 3600"),
            ));
        }
        if self.memory_bytes.is_some_and(|bytes| bytes < LEAST_MEMORY) {
            return Err(wrong(
                "limits.memory_bytes",
                format!("is less than {LEAST_MEMORY}, which nearly every question needs"),
            ));
        }
        let nesting = self.nesting.unwrap_or(default.nesting);
        if nesting > 256 {
            return Err(wrong(
                "limits.nesting",
                format!("is {nesting}, expected at most 256"),
            ));
        }
        Ok(Limits {
            deadline: Duration::from_secs(seconds),
            rows: self.rows.unwrap_or(default.rows),
            memory: self.memory_bytes.unwrap_or(default.memory),
            result_bytes: self.result_bytes.unwrap_or(default.result_bytes),
            query_bytes: self.query_bytes.unwrap_or(default.query_bytes),
            nesting,
            body_bytes: self.body_bytes.unwrap_or(default.body_bytes),
        })
    }
}

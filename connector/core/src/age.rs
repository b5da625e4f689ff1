//! How old a source is: how exactly a caller may know that, and how old it lets a source be.

use crate::{Connector, SourceState, SourceStatus};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_policy::Permit;

/// How far a source's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60);

/// How exactly a caller may know when the twin last changed. The twin's age is that of all of it, so to one who sees a
/// part it would tell when the rest changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    grain: Option<Duration>,
}

/// How long ago a source may have changed last, seen from one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    most: Duration,
    now: OffsetDateTime,
}

impl Age {
    /// As exactly as it is known.
    pub const EXACT: Self = Self { grain: None };

    pub(crate) fn of(connector: &Connector, permit: &Permit) -> Self {
        Self {
            grain: (!permit.guard().is_everything()).then_some(connector.age_grain),
        }
    }

    /// What is told of when the twin last changed.
    // INVARIANT(coarse-age): who sees a part of the twin learns no more of its last change than the grain it lies in.
    pub fn told(self, as_of: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
        let (Some(grain), Some(time)) = (self.grain, as_of) else {
            return as_of;
        };
        let grain = i64::try_from(grain.as_secs()).ok()?;
        let within = time.unix_timestamp().checked_rem_euclid(grain)?;
        OffsetDateTime::from_unix_timestamp(time.unix_timestamp() - within).ok()
    }
}

impl Freshness {
    /// Lets a source be as old as `most`, at `now`.
    pub fn new(most: Duration, now: OffsetDateTime) -> Self {
        Self { most, now }
    }

    /// What is wrong with the age of a source that last changed then, as it was told; none where nothing is.
    // INVARIANT(unknown-age-is-stale): what does not tell how old it is, or cannot be that old, is not taken for fresh.
    pub fn lacks(&self, as_of: Option<OffsetDateTime>) -> Option<String> {
        let Some(as_of) = as_of else {
            return Some("tells no time of its last change".to_owned());
        };
        let age = self.now - as_of;
        if -age > SKEW {
            return Some("says that it last changed at a time to come".to_owned());
        }
        (age > self.most).then(|| {
            let changed = as_of.replace_nanosecond(0).unwrap_or(as_of);
            let changed = changed.format(&Rfc3339).unwrap_or_default();
            let most = self.most.as_secs();
            format!("last changed at {changed}, longer than {most} s ago")
        })
    }

    /// Tells of a source that it is stale, where it is and nothing worse is known of it.
    pub(crate) fn judge(&self, status: &mut SourceStatus) {
        if status.state.is_settled()
            && let Some(why) = self.lacks(status.as_of)
        {
            status.state = SourceState::Stale;
            status.reason = Some(format!("<{}> {why}", status.participant.as_str()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// INVARIANT(unknown-age-is-stale)
    #[test]
    fn unknown_age_is_stale() {
        let now = datetime!(2026-11-20 12:00 UTC);
        let fresh = Freshness::new(Duration::from_secs(300), now);
        let lacks = |as_of| fresh.lacks(as_of);
        assert_eq!(lacks(Some(now)), None);
        assert_eq!(lacks(Some(datetime!(2026-11-20 11:55 UTC))), None);
        assert_eq!(lacks(Some(datetime!(2026-11-20 12:01 UTC))), None);
        let late = lacks(Some(datetime!(2026-11-20 11:54:59.5 UTC))).unwrap();
        assert_eq!(
            late,
            "last changed at 2026-11-20T11:54:59Z, longer than 300 s ago"
        );
        assert!(lacks(Some(datetime!(2026-11-20 12:01:01 UTC))).is_some());
        assert!(lacks(Some(datetime!(9999-12-31 0:00 UTC))).is_some());
        assert!(lacks(Some(datetime!(-9999-01-01 0:00 UTC))).is_some());
        assert!(lacks(None).is_some());
        let forever = Freshness::new(Duration::MAX, now);
        assert_eq!(forever.lacks(Some(datetime!(-9999-01-01 0:00 UTC))), None);
    }
}

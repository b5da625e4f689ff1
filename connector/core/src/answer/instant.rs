//! Time, as policies have it.

use crate::{Code, Refusal};
use oxsdatatypes::{DateTime, DayTimeDuration, Decimal};
use std::sync::LazyLock;
use time::OffsetDateTime;

/// So many digits of a second are nanoseconds.
const NANOSECONDS: u32 = 9;

/// The same instant, as policies have it.
pub(crate) fn policy_time(now: OffsetDateTime) -> Result<DateTime, Refusal> {
    // Reading dates costs more than all else that a known permit needs.
    static EPOCH: LazyLock<Option<DateTime>> =
        LazyLock::new(|| "1970-01-01T00:00:00Z".parse().ok());
    let since = Decimal::new(now.unix_timestamp_nanos(), NANOSECONDS).ok();
    let time = since
        .and_then(|since| (*EPOCH)?.checked_add_day_time_duration(DayTimeDuration::new(since)));
    time.ok_or_else(|| Refusal::new(Code::Internal, "clock", "the time is beyond all dates"))
}

#[cfg(test)]
mod tests {
    use super::policy_time;
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    #[test]
    fn policies_have_the_same_instant() {
        for text in [
            "1969-12-31T23:59:59.5Z",
            "1970-01-01T00:00:00Z",
            "2026-02-28T23:59:59.999999999Z",
            "2028-02-29T12:00:00.000000001+02:00",
            "9999-12-31T23:59:59Z",
        ] {
            let time = OffsetDateTime::parse(text, &Rfc3339).unwrap();
            let expected: oxsdatatypes::DateTime = text.parse().unwrap();
            assert_eq!(policy_time(time).unwrap(), expected, "{text}");
        }
    }
}

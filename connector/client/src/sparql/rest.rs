//! When an endpoint is asked again that has said how long it wants to be left alone.

use crate::Error;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::Instant;

/// However long it says, it is asked again after that.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The longest that a question waits for it.
const WAIT: Duration = Duration::from_secs(5);

/// Until when it is not asked.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Mutex<Option<Instant>>,
}

impl Rest {
    /// Leaves it alone for as long as it says: <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>. Whether it said so.
    pub(super) fn heed(&self, status: StatusCode, headers: &HeaderMap, now: Instant) -> bool {
        let is_busy = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        let Some(pause) = pause(headers, OffsetDateTime::now_utc()).filter(|_| is_busy) else {
            return false;
        };
        let until = now + pause.min(LONGEST);
        // One time: it is whole after every step.
        let mut kept = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = (*kept).max(Some(until));
        true
    }

    /// Waits until it may be asked.
    ///
    /// # Errors
    /// [`Error::NotSent`] where that takes too long.
    pub(super) async fn wait(&self, deadline: Instant) -> Result<(), Error> {
        if let Some(until) = self.left(Instant::now(), deadline)? {
            tokio::time::sleep_until(until).await;
        }
        Ok(())
    }

    fn left(&self, now: Instant, deadline: Instant) -> Result<Option<Instant>, Error> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = until.filter(|until| now < *until) else {
            return Ok(None);
        };
        if until < deadline && until - now <= WAIT {
            return Ok(Some(until));
        }
        let seconds = (until - now).as_secs().max(1);
        Err(Error::NotSent(format!(
            "it said that it takes no request for another {seconds} s"
        )))
    }
}

/// How long it wants to be left alone: seconds, or until a date.
fn pause(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some((date - now).try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))])
    }

    #[test]
    fn an_endpoint_says_in_seconds_or_by_a_date_how_long() {
        let now = OffsetDateTime::parse("Sun, 06 Nov 1994 08:49:30 GMT", &Rfc2822).unwrap();
        for (text, expected) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(pause(&headers(text), now), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn it_is_left_alone_for_so_long_and_no_longer_than_the_most() {
        let rest = Rest::default();
        let (now, busy) = (Instant::now(), StatusCode::TOO_MANY_REQUESTS);
        let later = now + Duration::from_secs(10_000);
        assert!(!rest.heed(StatusCode::BAD_REQUEST, &headers("1"), now));
        assert!(rest.left(now, later).unwrap().is_none());
        assert!(rest.heed(busy, &headers("2"), now));
        let until = now + Duration::from_secs(2);
        assert_eq!(rest.left(now, later).unwrap(), Some(until));
        // Who has no time for that is told, and a shorter pause takes nothing away.
        assert!(rest.left(now, until).is_err());
        assert!(rest.heed(busy, &headers("1"), now));
        assert_eq!(rest.left(now, later).unwrap(), Some(until));
        assert!(rest.left(until, later).unwrap().is_none());
        assert!(rest.heed(StatusCode::SERVICE_UNAVAILABLE, &headers("999999"), now));
        let said = rest.left(now, later).unwrap_err().to_string();
        assert!(said.contains("900 s"), "{said}");
        assert!(rest.left(now + LONGEST, later).unwrap().is_none());
    }
}

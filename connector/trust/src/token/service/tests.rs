//! What was revoked stays so after a restart, whatever clocks did.

use super::*;
use futures::future::BoxFuture;
use time::Duration;

/// A log of records that were made at these times; those with a token revoke it.
struct Log(Vec<(u64, Vec<u8>)>);

impl Log {
    fn of(records: &[(OffsetDateTime, Option<&str>)]) -> Self {
        let record = |(at, (time, token)): (u64, &(OffsetDateTime, Option<&str>))| {
            let action = token.map_or("http://www.w3.org/ns/odrl/2/read", |_| REVOKE);
            let text = format!(
                r#"{{"previous":"{}","salt":"","time":"{}","kind":"intent","request":"r","participant":null,"subject":null,"purpose":null,"action":"{action}","policies":[],"policy_version":"","request_digest":"","token":"{}","refused":null}}"#,
                crate::Digest256::of_nothing().to_text(),
                time.format(&Rfc3339).unwrap(),
                token.unwrap_or("another"),
            );
            (at, text.into_bytes())
        };
        Self((1..).zip(records).map(record).collect())
    }
}

impl Journal for Log {
    fn append(&self, _: Vec<Vec<u8>>, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        unreachable!("it is only read")
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(None)
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        let found = self.0.iter().filter(|(at, _)| *at >= from);
        Ok(found.take(most).cloned().collect())
    }
}

/// INVARIANT(revoked-for-good)
#[test]
fn a_clock_that_was_set_back_revives_no_token() {
    let now = OffsetDateTime::now_utc();
    let own = NamedNode::new_unchecked("https://city.example/");
    // Revoked ten minutes ago; then the clock was wrong for many records, by a day.
    let mut records = vec![(now - Duration::days(2), None); 40];
    records.push((now - Duration::minutes(10), Some("revoked")));
    records.extend([(now - Duration::DAY, None); 3000]);
    records.push((now - Duration::minutes(1), None));
    records.push((now - Duration::days(3), Some("expired")));
    let revoked = Revoked::new(10);
    revoked.restore_all(&Log::of(&records), &own, now).unwrap();
    assert!(revoked.holds(&own, "revoked", now));
    assert!(!revoked.holds(&own, "expired", now));
    assert!(!revoked.holds(&own, "another", now));
}

//! A request's place in a trace: <https://www.w3.org/TR/trace-context/>.
//!
//! `tracestate` is not taken on: what a vendor put there is between it and whoever asked. Foreign endpoints are told of no
//! trace: which of their requests belong together is not theirs to know.

use super::Traces;
use http::HeaderMap;
use std::future::Future;
use uuid::Uuid;

tokio::task_local! {
    static CURRENT: Place;
}

/// Where a request stands, and where that is told.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) context: Context,
    pub(super) traces: Traces,
}

/// A place in a trace: the trace, and the span that is the parent of what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    trace: u128,
    span: u64,
    flags: u8,
}

/// That the caller may have recorded the trace: the only flag that version 00 has.
const SAMPLED: u8 = 1;

/// The `traceparent` of the request that is being worked for.
pub(crate) fn traceparent() -> Option<String> {
    current().map(|place| place.context.to_string())
}

/// Where the request that is being worked for stands.
pub(super) fn current() -> Option<Place> {
    CURRENT.try_with(Clone::clone).ok()
}

/// The trace of the request that is being worked for, by its id.
pub(crate) fn trace_id() -> Option<String> {
    CURRENT.try_with(|place| place.context.trace()).ok()
}

/// Work for the same request on a task of its own: what is asked of peers there is in the trace too.
pub(crate) fn in_same_trace<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = current();
    async move {
        match place {
            Some(place) => place.during(work).await,
            None => work.await,
        }
    }
}

impl Place {
    /// Works in this place.
    pub(super) fn during<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        CURRENT.scope(self, work)
    }
}

impl Context {
    /// The one that a request came with; none where there is none, or more than one, or it is not as the standard has it.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all("traceparent").iter();
        match (given.next(), given.next()) {
            (Some(one), None) => Self::parse(one.to_str().ok()?),
            _ => None,
        }
    }

    /// The first of a new trace.
    pub(crate) fn fresh() -> Self {
        let context = Self {
            trace: Uuid::new_v4().as_u128(),
            span: 0,
            flags: 0,
        };
        context.child()
    }

    /// The next span of the same trace.
    pub(crate) fn child(self) -> Self {
        let (span, _) = Uuid::new_v4().as_u64_pair();
        Self { span, ..self }
    }

    pub(super) fn with(trace: u128, span: u64, is_sampled: bool) -> Self {
        let flags = if is_sampled { SAMPLED } else { 0 };
        Self { trace, span, flags }
    }

    pub(super) fn ids(self) -> (u128, u64, bool) {
        (self.trace, self.span, self.flags & SAMPLED != 0)
    }

    /// The trace's id.
    pub(crate) fn trace(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The span's id.
    pub(crate) fn span(&self) -> String {
        format!("{:016x}", self.span)
    }

    /// <https://www.w3.org/TR/trace-context/#traceparent-header-field-values>
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let mut part = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            part.bytes().all(is_hex).then_some(part)
        };
        let version = part(2).filter(|version| *version != "ff")?;
        let trace = u128::from_str_radix(part(32)?, 16).ok()?;
        let span = u64::from_str_radix(part(16)?, 16).ok()?;
        let flags = u8::from_str_radix(part(2)?, 16).ok()?;
        // Of a later version only these parts are understood; this one has no more.
        let is_whole = version != "00" || parts.next().is_none();
        (is_whole && trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            flags: flags & SAMPLED,
        })
    }
}

impl std::fmt::Display for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace, self.span, self.flags
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_not_as_the_standard_has_it_is_not_taken_on() {
        assert_eq!(Context::parse(GOOD).unwrap().to_string(), GOOD);
        let later = GOOD.replace("00-0af", "01-0af");
        assert_eq!(
            Context::parse(&format!("{later}-more"))
                .unwrap()
                .to_string(),
            GOOD
        );
        Context::parse(&later).unwrap();
        // Flags that nobody knows are not passed on.
        let flags = Context::parse(&GOOD.replace("-01", "-ff")).unwrap();
        assert_eq!(flags.to_string(), GOOD);
        for bad in [
            "",
            "00",
            &GOOD.replace("00-0af", "ff-0af"),
            &GOOD.replace("00-0af", "0-0af"),
            &GOOD.to_uppercase(),
            &format!("{GOOD}-more"),
            &format!("{GOOD}-"),
            &format!("{GOOD} "),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replace("b7ad6b7169203331", "+7ad6b7169203331"),
            &GOOD.replace("-01", "-1"),
            &GOOD.replace("-01", ""),
            &GOOD.replace('-', "_"),
            &"0".repeat(10_000),
        ] {
            assert_eq!(Context::parse(bad), None, "{bad}");
        }
        let mut headers = HeaderMap::new();
        headers.append("traceparent", GOOD.parse().unwrap());
        assert!(Context::of(&headers).is_some());
        headers.append("traceparent", GOOD.parse().unwrap());
        assert!(Context::of(&headers).is_none());
    }

    #[tokio::test]
    async fn a_request_works_in_its_own_place() {
        assert_eq!(traceparent(), None);
        let (one, other) = (Context::fresh(), Context::fresh());
        let at = |context: Context| Place {
            context,
            traces: Traces::default(),
        };
        let seen = |context: Context| at(context).during(async { traceparent() });
        let seen = futures::future::join(seen(one), seen(other)).await;
        assert_eq!(seen, (Some(one.to_string()), Some(other.to_string())));
        // On a task of its own as well.
        let spawned = at(one).during(async {
            let task = tokio::spawn(in_same_trace(async { traceparent() }));
            task.await.unwrap()
        });
        assert_eq!(spawned.await, Some(one.to_string()));
        let child = one.child();
        assert_eq!(child.trace(), one.trace());
        assert_ne!(child.span(), one.span());
    }
}

//! How an answer came about, as header or trailer fields.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Outcome, Pushed, SourceStatus};
use uuid::Uuid;

/// The request's id.
pub(super) const REQUEST: HeaderName = HeaderName::from_static("twinlink-request");
/// `true` or `false`: whether every source gave all that the caller may see.
const COMPLETE: HeaderName = HeaderName::from_static("twinlink-complete");
/// One JSON object for each source, ourselves first.
const SOURCES: HeaderName = HeaderName::from_static("twinlink-sources");
/// JSON array of the operators that needed a source which is missing; absent where there is none.
const UNSURE: HeaderName = HeaderName::from_static("twinlink-unsure");
/// The signed receipt: the signed checkpoint of the log of use, `~`, and the record with its path to it.
const RECEIPT: HeaderName = HeaderName::from_static("twinlink-receipt");

/// The names, for the `Trailer` header.
pub(super) const TRAILERS: HeaderValue = HeaderValue::from_static(
    "twinlink-complete, twinlink-sources, twinlink-unsure, twinlink-receipt",
);

/// The most bytes of one field: well below what clients and proxies take for all headers together.
const FIELD_BYTES: usize = 6 * 1024;

/// One source, as `Twinlink-Sources` has it.
#[derive(Serialize)]
struct Source<'a> {
    participant: &'a str,
    state: &'static str,
    rows: u64,
    millis: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    not_evaluable: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'a str>,
}

/// The value of [`REQUEST`].
pub(super) fn request(id: Uuid) -> HeaderValue {
    // Hex digits and dashes always are a valid value.
    HeaderValue::from_str(&id.to_string()).unwrap_or(HeaderValue::from_static("?"))
}

/// The fields of an outcome.
pub(super) fn fields(outcome: &Outcome) -> HeaderMap {
    let mut fields = HeaderMap::new();
    let complete = if outcome.complete { "true" } else { "false" };
    fields.insert(COMPLETE, HeaderValue::from_static(complete));
    insert(&mut fields, SOURCES, sources(&outcome.sources));
    if !outcome.unsure.is_empty() {
        insert(&mut fields, UNSURE, bounded(&outcome.unsure, json));
    }
    receipt(&mut fields, outcome.receipt.clone());
    fields
}

/// Adds a receipt.
pub(super) fn receipt(fields: &mut HeaderMap, receipt: String) {
    insert(fields, RECEIPT, receipt);
}

/// Every source of an answer that was refused, for the body of a problem: there it has room.
pub(crate) fn told(sources: &[SourceStatus]) -> serde_json::Value {
    let sources = sources.iter().map(Source::full);
    sources
        .map(|source| serde_json::to_value(source).unwrap_or_default())
        .collect()
}

/// How an answer is come by, with its sources and the operators that lacked one.
pub(super) fn told_explanation(outcome: &Outcome) -> serde_json::Value {
    let explanation = outcome.explanation.as_deref();
    let choices = explanation.iter().flat_map(|told| &told.choices);
    let steps = explanation.iter().flat_map(|told| &told.steps);
    serde_json::json!({
        "is_run": explanation.is_some_and(|told| told.is_run),
        "choices": choices.map(|choice| serde_json::json!({
            "participant": choice.participant.as_str(),
            "is_asked": choice.is_asked,
            "why": choice.why,
        })).collect::<Vec<_>>(),
        "steps": steps.map(|step| serde_json::json!({
            "kind": step.kind.as_str(),
            "at": step.at.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
            "what": step.what,
            "estimate": step.estimate,
            "rows": step.rows,
            "requests": step.requests,
            "bytes": step.bytes,
            "millis": u64::try_from(step.elapsed.as_millis()).unwrap_or(u64::MAX),
            "pushed": step.pushed.map(Pushed::as_str),
            "directions": step.directions.iter().map(|direction| serde_json::json!({
                "from": direction.from.as_str(),
                "to": direction.to.as_str(),
                "is_permitted": direction.is_permitted,
            })).collect::<Vec<_>>(),
            "is_streamed": step.is_streamed,
            "word": step.word,
        })).collect::<Vec<_>>(),
        "is_cut": explanation.is_some_and(|told| told.is_cut),
        "sources": told(&outcome.sources),
        "unsure": outcome.unsure,
    })
}

fn insert(fields: &mut HeaderMap, name: HeaderName, text: String) {
    // Escaped ASCII always is a valid value; a receipt that is not must not bring the answer down after its record.
    if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(text)) {
        fields.insert(name, value);
    }
}

/// All that is known of each source, or with very many sources what matters most of each.
fn sources(sources: &[SourceStatus]) -> String {
    let full = array(sources.iter().map(|status| json(&Source::full(status))));
    if full.len() <= FIELD_BYTES {
        return full;
    }
    // Those that did not answer first: their absence is what a reader must not miss.
    let mut order: Vec<_> = sources.iter().collect();
    order.sort_by_key(|status| status.state.is_settled());
    bounded(&order, |status| json(&Source::brief(status)))
}

/// As many items as fit; the last then tells how many were left out.
fn bounded<T>(items: &[T], render: impl Fn(&T) -> String) -> String {
    let mut rendered = Vec::new();
    let mut length = 2;
    for item in items {
        let text = render(item);
        length += text.len() + 1;
        if length > FIELD_BYTES {
            rendered.push(format!("{{\"omitted\":{}}}", items.len() - rendered.len()));
            break;
        }
        rendered.push(text);
    }
    array(rendered.into_iter())
}

fn array(items: impl Iterator<Item = String>) -> String {
    let mut text = "[".to_owned();
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}

/// Compact JSON in printable ASCII.
fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, ' '..='~') {
            ascii.push(character);
        } else {
            // Only strings hold such characters, and there each may be escaped.
            for unit in character.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> Source<'a> {
    fn full(status: &'a SourceStatus) -> Self {
        Self {
            as_of: status.as_of.and_then(|time| time.format(&Rfc3339).ok()),
            policies: status
                .policies
                .iter()
                .map(|policy| policy.as_str())
                .collect(),
            reason: status.reason.as_deref(),
            receipt: status.receipt.as_deref(),
            ..Self::brief(status)
        }
    }

    fn brief(status: &'a SourceStatus) -> Self {
        Self {
            participant: status.participant.as_str(),
            state: status.state.as_str(),
            rows: status.rows,
            millis: u64::try_from(status.elapsed.as_millis()).unwrap_or(u64::MAX),
            as_of: None,
            policies: Vec::new(),
            not_evaluable: status.not_evaluable,
            reason: None,
            receipt: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::NamedNode;
    use std::time::Duration;
    use twinlink_core::SourceState;

    fn status(number: usize, state: SourceState, reason: Option<&str>) -> SourceStatus {
        SourceStatus {
            participant: NamedNode::new(format!("https://member-{number}.example/")).unwrap(),
            state,
            rows: 3,
            elapsed: Duration::from_millis(12),
            as_of: Some(time::OffsetDateTime::UNIX_EPOCH),
            policies: vec![NamedNode::new("urn:policy:1").unwrap()],
            not_evaluable: 0,
            reason: reason.map(str::to_owned),
            receipt: None,
        }
    }

    fn outcome(sources: Vec<SourceStatus>) -> Outcome {
        Outcome {
            complete: sources.iter().all(|s| s.state.is_settled()),
            sources,
            rows: 3,
            unsure: vec!["OPTIONAL on line 2, \"quoted\" ünd\nbroken".to_owned()],
            explanation: None,
            receipt: "a.b.c".to_owned(),
        }
    }

    #[test]
    fn fields_are_ascii_json_that_reads_back() {
        let reason = "häuser \u{1F692}\r\nTwinlink-Complete: true\u{7f}";
        let outcome = outcome(vec![
            status(1, SourceState::Complete, None),
            status(2, SourceState::Unreachable, Some(reason)),
        ]);
        let fields = fields(&outcome);
        assert_eq!(fields[&COMPLETE], "false");
        assert_eq!(fields[&RECEIPT], "a.b.c");
        let sources: serde_json::Value =
            serde_json::from_str(fields[&SOURCES].to_str().unwrap()).unwrap();
        assert_eq!(sources[0]["policies"][0], "urn:policy:1");
        assert_eq!(sources[0]["as_of"], "1970-01-01T00:00:00Z");
        assert_eq!(sources[1]["state"], "unreachable");
        assert_eq!(sources[1]["reason"], reason);
        let unsure: Vec<String> = serde_json::from_str(fields[&UNSURE].to_str().unwrap()).unwrap();
        assert_eq!(unsure, outcome.unsure);
    }

    #[test]
    fn many_sources_stay_within_bounds_and_the_missing_come_first() {
        let mut many: Vec<_> = (0..500)
            .map(|number| status(number, SourceState::Complete, None))
            .collect();
        many.push(status(
            500,
            SourceState::TimedOut,
            Some(&"x".repeat(10_000)),
        ));
        let fields = fields(&outcome(many));
        let text = fields[&SOURCES].to_str().unwrap();
        assert!(text.len() <= FIELD_BYTES + 32, "{}", text.len());
        let sources: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        assert_eq!(sources[0]["state"], "timed out");
        let omitted = sources.last().unwrap()["omitted"].as_u64().unwrap();
        assert_eq!(omitted as usize + sources.len() - 1, 501);
    }
}

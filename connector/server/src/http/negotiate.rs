//! Content negotiation: <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1>.

use super::fault::Fault;
use super::lines;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, StatusCode};
use sparesults::QueryResultsFormat;
use twinlink_core::Head;
use twinlink_ingest::Syntax;

/// A media type that is offered, and the format behind it.
pub(super) type Offer<T> = (&'static str, T);

/// What rows and truth values can be written as, our preference first.
pub(super) const RESULTS: [Offer<QueryResultsFormat>; 6] = [
    ("application/sparql-results+json", QueryResultsFormat::Json),
    ("application/sparql-results+xml", QueryResultsFormat::Xml),
    ("text/csv", QueryResultsFormat::Csv),
    ("text/tab-separated-values", QueryResultsFormat::Tsv),
    ("application/json", QueryResultsFormat::Json),
    ("application/xml", QueryResultsFormat::Xml),
];

/// What graphs can be read and written as, our preference first.
pub(super) const GRAPHS: [Offer<Syntax>; 8] = [
    ("text/turtle", Syntax::Turtle),
    ("application/n-triples", Syntax::NTriples),
    ("application/rdf+xml", Syntax::RdfXml),
    ("application/ld+json", Syntax::JsonLd),
    ("application/trig", Syntax::TriG),
    ("application/n-quads", Syntax::NQuads),
    ("application/json", Syntax::JsonLd),
    ("application/xml", Syntax::RdfXml),
];

/// What a client is ready to read.
#[derive(Debug, Clone)]
pub(super) struct Accept {
    ranges: Vec<Range>,
}

#[derive(Debug, Clone)]
struct Range {
    kind: String,
    subtype: String,
    /// In thousandths.
    quality: u16,
}

impl Accept {
    /// Reads the headers; without one, everything is welcome. Ranges that are not well-formed are passed over.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut ranges = Vec::new();
        let mut given = false;
        for value in headers.get_all(ACCEPT) {
            let text = value.to_str().unwrap_or_default();
            given |= !text.trim().is_empty();
            ranges.extend(text.split(',').filter_map(Range::parse));
        }
        if !given {
            ranges.push(Range::anything());
        }
        Self { ranges }
    }

    /// The offer this client likes best. Of equals: the one it named more exactly, then our own preference.
    pub(super) fn best<T: Copy>(&self, offers: &[Offer<T>]) -> Option<Offer<T>> {
        let mut best: Option<((u16, u8), Offer<T>)> = None;
        for offer in offers {
            let rank = self.rank(offer.0);
            if rank.0 > 0 && best.is_none_or(|(other, _)| rank > other) {
                best = Some((rank, *offer));
            }
        }
        best.map(|(_, offer)| offer)
    }

    /// As [`Accept::best`].
    ///
    /// # Errors
    /// 406, with the list of what is offered.
    pub(super) fn choose<T: Copy>(&self, offers: &[Offer<T>]) -> Result<Offer<T>, Fault> {
        self.best(offers).ok_or_else(|| not_acceptable(offers))
    }

    /// Whether it likes lines better than whatever else is offered for this kind of answer.
    pub(super) fn wants_lines(&self, head: &Head) -> bool {
        match head {
            Head::Graph => self.prefers_lines(&GRAPHS),
            Head::Boolean(_) | Head::Solutions(_) => self.prefers_lines(&RESULTS),
        }
    }

    /// Whether it takes lines at all.
    pub(super) fn takes_lines(&self) -> bool {
        self.rank(lines::MEDIA_TYPE).0 > 0
    }

    fn prefers_lines<T: Copy>(&self, offers: &[Offer<T>]) -> bool {
        let best = self.best(offers).map(|(media_type, _)| media_type);
        self.takes_lines() && best.is_none_or(|best| self.rank(best) < self.rank(lines::MEDIA_TYPE))
    }

    /// Quality and exactness of the most exact range that covers the media type.
    fn rank(&self, media_type: &str) -> (u16, u8) {
        let covering = self.ranges.iter().filter_map(|range| {
            range
                .covers(media_type)
                .map(|exactness| (exactness, range.quality))
        });
        covering
            .max()
            .map_or((0, 0), |(exactness, quality)| (quality, exactness))
    }
}

impl Range {
    fn anything() -> Self {
        Self {
            kind: "*".to_owned(),
            subtype: "*".to_owned(),
            quality: 1000,
        }
    }

    /// Parameters other than the quality, such as a charset, do not tell our offers apart: they are passed over.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut quality = 1000;
        for part in parts {
            if let Some(("q" | "Q", value)) = part.split_once('=').map(|(k, v)| (k.trim(), v)) {
                quality = thousandths(value.trim())?;
            }
        }
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            subtype: subtype.to_ascii_lowercase(),
            quality,
        })
    }

    fn covers(&self, media_type: &str) -> Option<u8> {
        let (kind, subtype) = media_type.split_once('/')?;
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(1),
            (k, "*") if k == kind => Some(2),
            (k, s) if k == kind && s == subtype => Some(3),
            _ => None,
        }
    }
}

/// `0`, `0.25`, `1.000`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// 406, with the list of what is offered.
pub(super) fn not_acceptable<T>(offers: &[Offer<T>]) -> Fault {
    let mut offered = Vec::new();
    for (media_type, _) in offers {
        // Rows and graphs can both be had as some of them.
        if !offered.contains(media_type) {
            offered.push(*media_type);
        }
    }
    Fault::turned_away(
        StatusCode::NOT_ACCEPTABLE,
        "http.accept",
        format!("offered are {}", offered.join(", ")),
    )
}

/// The `Content-Type` of what is written.
pub(super) fn content_type(media_type: &'static str) -> HeaderValue {
    match media_type {
        "text/turtle" => HeaderValue::from_static("text/turtle; charset=utf-8"),
        "text/csv" => HeaderValue::from_static("text/csv; charset=utf-8"),
        "text/tab-separated-values" => {
            HeaderValue::from_static("text/tab-separated-values; charset=utf-8")
        }
        other => HeaderValue::from_static(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(accept: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        Accept::of(&headers).best(&RESULTS).map(|(media, _)| media)
    }

    #[test]
    fn the_best_offer_wins() {
        const JSON: &str = "application/sparql-results+json";
        const XML: &str = "application/sparql-results+xml";
        for (accept, expected) in [
            ("", Some(JSON)),
            ("*/*", Some(JSON)),
            ("text/csv", Some("text/csv")),
            ("TEXT/CSV; charset=utf-8", Some("text/csv")),
            ("text/csv, */*", Some("text/csv")),
            ("text/csv;q=0.5, */*", Some(JSON)),
            (
                "text/csv;q=0.5, application/sparql-results+xml;q=0.51",
                Some(XML),
            ),
            ("*/*, application/sparql-results+json;q=0", Some(XML)),
            ("application/*", Some(JSON)),
            (
                "text/*;q=0.1, text/csv;q=0",
                Some("text/tab-separated-values"),
            ),
            ("application/json", Some("application/json")),
            (
                "text/html, application/xml;q=0.9, */*;q=0.8",
                Some("application/xml"),
            ),
            ("image/png", None),
            ("*/*;q=0", None),
            ("nonsense", None),
            ("nonsense, text/csv", Some("text/csv")),
            ("text/csv;q=2", None),
            ("text/csv;q=0.1234", None),
        ] {
            assert_eq!(best(accept), expected, "{accept}");
        }
    }

    #[test]
    fn without_a_header_everything_is_welcome() {
        let offer = Accept::of(&HeaderMap::new()).best(&GRAPHS);
        assert_eq!(offer.map(|(media, _)| media), Some("text/turtle"));
    }
}

//! What the parser says of a text that is not SPARQL, as a person can read it.

use crate::Refusal;
use std::fmt::Display;

/// The most bytes of what could stand in the place of the fault.
const EXPECTED: usize = 240;

/// The text is none: with the line and column of the fault, where there is one.
pub(super) fn refusal(text: &str, error: &impl Display) -> Refusal {
    if text.trim().is_empty() {
        return Refusal::about_input("sparql.syntax", "the text is empty");
    }
    Refusal::about_input("sparql.syntax", readable(&error.to_string()))
}

/// The text is a good one of the other language of SPARQL.
pub(super) fn other(given: &str, wanted: &str) -> Refusal {
    Refusal::about_input(
        "sparql.syntax",
        format_args!("this is a SPARQL {given}: a SPARQL {wanted} belongs here"),
    )
}

/// Without the classes of characters that the parser tried, which fill a page.
fn readable(message: &str) -> String {
    let Some((place, expected)) = message.split_once(": expected ") else {
        return message.to_owned();
    };
    let expected = match expected.strip_prefix("one of ") {
        Some(list) => list,
        None if expected.starts_with('[') => "",
        // One word, or a sentence of its own.
        None => return message.to_owned(),
    };
    let mut kept = String::new();
    for item in items(expected).filter(|item| !item.starts_with('[')) {
        if kept.len() + item.len() > EXPECTED {
            kept.push_str(", ...");
            break;
        }
        if !kept.is_empty() {
            kept.push_str(", ");
        }
        kept.push_str(item);
    }
    match kept.as_str() {
        "" => format!("{place}: what stands here does not fit"),
        kept => format!("{place}: expected one of {kept}"),
    }
}

/// The parts of the parser's list: words, texts in quotes, and classes of characters in brackets.
fn items(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([',', ' ']);
        if rest.is_empty() {
            return None;
        }
        let end = match rest.as_bytes().first() {
            Some(b'[') => rest.find(']').map(|at| at + 1),
            Some(b'"') => closing_quote(rest),
            _ => rest.find(','),
        };
        let (item, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        rest = after;
        Some(item)
    })
}

/// Where a text in quotes ends, which may hold escaped ones.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends.then_some(at + 1)
    })
}

#[cfg(test)]
mod tests {
    use crate::{Limits, parse_query, parse_update};

    fn said(text: &str) -> String {
        let fault = parse_query(text, None, &Limits::default()).unwrap_err();
        assert_eq!(fault.check(), "sparql.syntax");
        fault.public().to_owned()
    }

    #[test]
    fn faults_have_a_place_and_fit_a_line() {
        for (text, place) in [
            ("SELECT * { ?s ?p", "1:17"),
            ("ASK {\n", "2:1"),
            ("ASK { FILTER(1 +) }", "1:"),
            ("SELECT", "1:7"),
            ("nothing", "1:"),
        ] {
            let said = said(text);
            assert!(said.contains(place), "{text}: {said}");
            assert!(said.len() < 400, "{text}: {said}");
            assert!(
                !said.contains('\n') && !said.contains("['"),
                "{text}: {said}"
            );
        }
        assert!(said("ASK {").contains("\"}\""), "{}", said("ASK {"));
    }

    #[test]
    fn what_is_empty_or_the_other_language_is_called_so() {
        assert_eq!(said(" \n"), "the text is empty");
        let update = "INSERT DATA { <http://a/> <http://b/> <http://c/> }";
        assert!(said(update).contains("a SPARQL update"), "{}", said(update));
        let fault = parse_update("ASK {}", None, &Limits::default()).unwrap_err();
        assert!(
            fault.public().contains("a SPARQL query"),
            "{}",
            fault.public()
        );
    }
}

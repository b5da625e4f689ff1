//! JSON from parties that may lie: an object, no member twice, no floating-point numbers.

use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::HashSet;
use std::fmt;

/// The longest part of a foreign text that an error repeats, in characters.
const QUOTED: usize = 120;

/// Reads an object into a type of ours.
///
/// Of two members with one name most parsers take the last, and some the first: what a signer meant and what a
/// verifier reads could differ. A type of ours sees each name once: <https://www.rfc-editor.org/rfc/rfc8725#section-2.4>.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let _: Strict = serde_json::from_slice(bytes).map_err(|error| clip(&error.to_string()))?;
    // serde would also fill a struct from an array.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err("not a JSON object".to_owned());
    }
    serde_json::from_slice(bytes).map_err(|error| clip(&error.to_string()))
}

/// A foreign text made fit for our log: short, on one line, no control characters.
pub(crate) fn clip(text: &str) -> String {
    let mut clipped: String = text
        .chars()
        .take(QUOTED)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(QUOTED).is_some() {
        clipped.push('…');
    }
    clipped
}

/// Any JSON value that keeps to the rules. Holds nothing.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

impl<'de> DeserializeSeed<'de> for StrictVisitor {
    type Value = Strict;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without repeated members and floating-point numbers")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Strict, E> {
        i64::try_from(value)
            .map(|_| Strict)
            .map_err(|_| E::custom("a number is too large"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Strict, E> {
        Err(E::custom("a number is not an integer of 64 bits"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_unit<E: Error>(self) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        while items.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value::<Strict>()?;
            if let Some(name) = names.replace(name) {
                return Err(A::Error::custom(format_args!(
                    "member \"{name}\" is there twice"
                )));
            }
        }
        Ok(Strict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        a: i64,
    }

    fn refused(text: &str) -> String {
        object::<Sample>(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn reads_plain_objects() {
        let sample: Sample = object(br#" {"a": 1, "other": {"b": [true, null, "x"]}}"#).unwrap();
        assert_eq!(sample.a, 1);
    }

    #[test]
    fn refuses_what_two_parsers_could_read_differently() {
        assert!(refused(r#"{"a":1,"a":2}"#).contains("twice"));
        assert!(refused(r#"{"a":1,"\u0061":2}"#).contains("twice"));
        assert!(refused(r#"{"a":1,"o":{"b":1,"b":2}}"#).contains("twice"));
        assert!(refused(r#"{"a":1.0}"#).contains("integer"));
        assert!(refused(r#"{"a":1e308}"#).contains("integer"));
        assert!(refused(r#"{"a":18446744073709551615}"#).contains("too large"));
        refused(r#"{"a":1e999}"#);
        refused(r#"{"a":1} {"#);
        assert!(refused("[1]").contains("object"));
        refused(&format!("{{\"a\":{}", "[".repeat(10_000)));
    }

    #[test]
    fn foreign_text_is_clipped() {
        assert_eq!(clip("a\nb\u{1b}[0m"), "a\u{fffd}b\u{fffd}[0m");
        assert!(clip(&"x".repeat(10_000)).chars().count() < 200);
    }
}

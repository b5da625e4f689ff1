//! Terms as the dictionary keeps them: one short text each, so that equal terms have equal texts.

use oxrdf::{BlankNode, Literal, NamedNode, NamedNodeRef, NamedOrBlankNode, Term, TermRef};
use oxsdatatypes::{Boolean, Date, DateTime, Decimal, Double, Float, Integer};
use spareval::ExpressionTerm;
use std::fmt::Write;
use std::str::FromStr;

/// Datatypes with a tag of their own: the text of their literals is the tag and the lexical form.
///
/// The texts are written to the log: to change or add a tag is to change the version of the log.
const TAGGED: [(char, &str); 12] = [
    ('i', "http://www.w3.org/2001/XMLSchema#integer"),
    ('d', "http://www.w3.org/2001/XMLSchema#decimal"),
    ('e', "http://www.w3.org/2001/XMLSchema#double"),
    ('f', "http://www.w3.org/2001/XMLSchema#float"),
    ('b', "http://www.w3.org/2001/XMLSchema#boolean"),
    ('t', "http://www.w3.org/2001/XMLSchema#dateTime"),
    ('a', "http://www.w3.org/2001/XMLSchema#date"),
    ('u', "http://www.w3.org/2001/XMLSchema#anyURI"),
    ('w', "http://www.opengis.net/ont/geosparql#wktLiteral"),
    ('g', "http://www.opengis.net/ont/geosparql#geoJSONLiteral"),
    ('n', "http://www.w3.org/2001/XMLSchema#int"),
    ('l', "http://www.w3.org/2001/XMLSchema#long"),
];

const IRI: char = '<';
const BLANK: char = '_';
const STRING: char = '"';
/// `@`, the length of the language tag in bytes, `:`, the tag, the value.
const LANGUAGE: char = '@';
/// `^`, the length of the datatype's IRI in bytes, `:`, the IRI, the lexical form.
const TYPED: char = '^';

/// Appends the term's text.
pub(crate) fn encode(term: TermRef<'_>, text: &mut String) {
    match term {
        TermRef::NamedNode(node) => {
            text.push(IRI);
            text.push_str(node.as_str());
        }
        TermRef::BlankNode(node) => {
            text.push(BLANK);
            text.push_str(node.as_str());
        }
        TermRef::Literal(literal) => {
            if let Some(language) = literal.language() {
                prefixed(text, LANGUAGE, language);
            } else if literal.datatype() == oxrdf::vocab::xsd::STRING {
                text.push(STRING);
            } else {
                let datatype = literal.datatype().as_str();
                match TAGGED.iter().find(|(_, iri)| *iri == datatype) {
                    Some((tag, _)) => text.push(*tag),
                    None => prefixed(text, TYPED, datatype),
                }
            }
            text.push_str(literal.value());
        }
    }
}

fn prefixed(text: &mut String, tag: char, prefix: &str) {
    text.push(tag);
    // Writing to a string cannot fail.
    let _ = write!(text, "{}:", prefix.len());
    text.push_str(prefix);
}

/// The term of a text that [`encode`] made.
pub(crate) fn decode(text: &str) -> Term {
    let (tag, rest) = split(text);
    match tag {
        IRI => NamedNode::new_unchecked(rest).into(),
        BLANK => BlankNode::new_unchecked(rest).into(),
        STRING => Literal::new_simple_literal(rest).into(),
        LANGUAGE => {
            let (language, value) = unprefixed(rest);
            Literal::new_language_tagged_literal_unchecked(value, language).into()
        }
        TYPED => {
            let (datatype, value) = unprefixed(rest);
            Literal::new_typed_literal(value, NamedNode::new_unchecked(datatype)).into()
        }
        tag => {
            let datatype = TAGGED
                .iter()
                .find(|(known, _)| *known == tag)
                .map_or("", |(_, iri)| iri);
            Literal::new_typed_literal(rest, NamedNodeRef::new_unchecked(datatype)).into()
        }
    }
}

/// What expressions calculate with: no detour over a term for the common kinds.
pub(crate) fn decode_expression(text: &str) -> ExpressionTerm {
    let (tag, rest) = split(text);
    let fast = match tag {
        IRI => Some(ExpressionTerm::NamedNode(NamedNode::new_unchecked(rest))),
        STRING => Some(ExpressionTerm::StringLiteral(rest.to_owned())),
        LANGUAGE => {
            let (language, value) = unprefixed(rest);
            Some(ExpressionTerm::LangStringLiteral {
                value: value.to_owned(),
                language: language.to_owned(),
            })
        }
        'i' | 'n' | 'l' => Integer::from_str(rest)
            .ok()
            .map(ExpressionTerm::IntegerLiteral),
        'd' => Decimal::from_str(rest)
            .ok()
            .map(ExpressionTerm::DecimalLiteral),
        'e' => Double::from_str(rest)
            .ok()
            .map(ExpressionTerm::DoubleLiteral),
        'f' => Float::from_str(rest).ok().map(ExpressionTerm::FloatLiteral),
        'b' => Boolean::from_str(rest)
            .ok()
            .map(ExpressionTerm::BooleanLiteral),
        't' => DateTime::from_str(rest)
            .ok()
            .map(ExpressionTerm::DateTimeLiteral),
        'a' => Date::from_str(rest).ok().map(ExpressionTerm::DateLiteral),
        _ => None,
    };
    fast.unwrap_or_else(|| decode(text).into())
}

/// The effective boolean value: <https://www.w3.org/TR/sparql11-query/#ebv>. The outer none: not known without the
/// whole term.
pub(crate) fn boolean(text: &str) -> Option<Option<bool>> {
    let (tag, rest) = split(text);
    match tag {
        STRING => Some(Some(!rest.is_empty())),
        'b' => Some(Boolean::from_str(rest).ok().map(Into::into)),
        IRI | BLANK | LANGUAGE => Some(None),
        _ => None,
    }
}

/// The time of a text of an `xsd:dateTime` that has a zone.
pub(crate) fn zoned_time(text: &str) -> Option<DateTime> {
    let time = DateTime::from_str(text.strip_prefix('t')?).ok()?;
    time.timezone_offset().map(|_| time)
}

/// The term as a subject or graph name; none for a literal.
pub(crate) fn node(term: Term) -> Option<NamedOrBlankNode> {
    match term {
        Term::NamedNode(node) => Some(node.into()),
        Term::BlankNode(node) => Some(node.into()),
        Term::Literal(_) => None,
    }
}

fn split(text: &str) -> (char, &str) {
    let mut rest = text.chars();
    (rest.next().unwrap_or(STRING), rest.as_str())
}

fn unprefixed(text: &str) -> (&str, &str) {
    text.split_once(':')
        .and_then(|(length, rest)| rest.split_at_checked(length.parse().ok()?))
        .unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::vocab::xsd;

    fn terms() -> Vec<Term> {
        vec![
            NamedNode::new_unchecked("http://example.com/a").into(),
            BlankNode::new_unchecked("a").into(),
            BlankNode::default().into(),
            Literal::new_simple_literal("").into(),
            Literal::new_simple_literal("<http://example.com/a").into(),
            Literal::new_language_tagged_literal_unchecked("2:en", "en").into(),
            Literal::new_language_tagged_literal_unchecked("", "nl-be").into(),
            Literal::from(5).into(),
            Literal::from(5.5).into(),
            Literal::new_typed_literal("05", xsd::INTEGER).into(),
            Literal::new_typed_literal("no number", xsd::INTEGER).into(),
            Literal::new_typed_literal("1", xsd::BOOLEAN).into(),
            Literal::new_typed_literal("2020-01-01", xsd::DATE).into(),
            Literal::new_typed_literal("x:y", NamedNode::new_unchecked("http://example.com/3:t"))
                .into(),
            Literal::new_typed_literal("5", xsd::UNSIGNED_BYTE).into(),
        ]
    }

    #[test]
    fn every_term_survives_and_no_two_share_a_text() {
        let mut texts = Vec::new();
        for term in terms() {
            let mut text = String::new();
            encode(term.as_ref(), &mut text);
            assert_eq!(decode(&text), term);
            assert!(
                decode_expression(&text) == ExpressionTerm::from(term),
                "{text}"
            );
            assert!(!texts.contains(&text), "{text}");
            texts.push(text);
        }
    }
}

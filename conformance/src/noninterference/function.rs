//! What functions make of values, as the model has it: one sentence of [`Function`]'s documentation after another.

use super::model::Key;
use oxrdf::vocab::xsd;
use oxrdf::{Literal, NamedNode, NamedNodeRef, Term};
use oxsdatatypes::{Date, DateTime, Decimal, Double, Float, Integer};
use sha2::{Digest, Sha256};
use twinlink_core::policy::{Function, TimeUnit};

const WKT: NamedNodeRef<'_> =
    NamedNodeRef::new_unchecked("http://www.opengis.net/ont/geosparql#wktLiteral");

/// None where the function is not defined for the term.
pub(super) fn apply(function: &Function, term: &Term, key: &Key) -> Option<Term> {
    let of = |literal: &Literal| match function {
        Function::Round(step) => round(literal, *step),
        Function::Truncate(unit) => truncate(literal, *unit),
        Function::Generalise(side) => generalise(literal, *side),
        _ => None,
    };
    match (function, term) {
        (Function::Pseudonymise { recipient, purpose }, _) => {
            Some(pseudonym(key, recipient, purpose.as_ref(), term))
        }
        (Function::Mask(text), _) => Some(Literal::new_simple_literal(text).into()),
        (_, Term::Literal(literal)) => of(literal).map(Term::from),
        _ => None,
    }
}

fn pseudonym(key: &Key, recipient: &NamedNode, purpose: Option<&NamedNode>, term: &Term) -> Term {
    let purpose = purpose.map(ToString::to_string).unwrap_or_default();
    let mut digits = hmac(key, &format!("{recipient}\n{purpose}\n{term}\n"));
    digits.truncate(2 * 16);
    match term {
        Term::Literal(_) => Literal::new_simple_literal(digits).into(),
        _ => NamedNode::new_unchecked(format!("urn:pseudonym:{digits}")).into(),
    }
}

/// <https://www.rfc-editor.org/rfc/rfc2104>, section 2, in hexadecimal digits.
fn hmac(key: &Key, text: &str) -> String {
    let padded = |with: u8| [key.map(|byte| byte ^ with), [with; 32]].concat();
    let inner = Sha256::digest([padded(0x36).as_slice(), text.as_bytes()].concat());
    format!(
        "{:x}",
        Sha256::digest([padded(0x5c).as_slice(), &inner].concat())
    )
}

/// What a numeric literal is worth, where a decimal can hold that.
pub(super) fn number(term: &Literal) -> Option<Decimal> {
    let text = term.value();
    match term.datatype() {
        xsd::DECIMAL => text.parse().ok(),
        xsd::DOUBLE => text.parse::<Double>().ok()?.try_into().ok(),
        xsd::FLOAT => text.parse::<Float>().ok()?.try_into().ok(),
        kind => {
            let value = text.parse::<Integer>().ok()?.into();
            is_of(kind, value).then_some(value)
        }
    }
}

/// Whether the number is one of this kind of integers: <https://www.w3.org/TR/xmlschema11-2/#built-in-datatypes>.
fn is_of(kind: NamedNodeRef<'_>, value: Decimal) -> bool {
    let (text, zero) = (value.to_string(), Decimal::from(0));
    let is_whole = !text.contains('.');
    match kind {
        xsd::INTEGER => is_whole,
        xsd::NON_NEGATIVE_INTEGER => is_whole && value >= zero,
        xsd::POSITIVE_INTEGER => is_whole && value > zero,
        xsd::NON_POSITIVE_INTEGER => is_whole && value <= zero,
        xsd::NEGATIVE_INTEGER => is_whole && value < zero,
        xsd::LONG => text.parse::<i64>().is_ok(),
        xsd::INT => text.parse::<i32>().is_ok(),
        xsd::SHORT => text.parse::<i16>().is_ok(),
        xsd::BYTE => text.parse::<i8>().is_ok(),
        xsd::UNSIGNED_LONG => text.parse::<u64>().is_ok(),
        xsd::UNSIGNED_INT => text.parse::<u32>().is_ok(),
        xsd::UNSIGNED_SHORT => text.parse::<u16>().is_ok(),
        xsd::UNSIGNED_BYTE => text.parse::<u8>().is_ok(),
        _ => false,
    }
}

/// The multiple that is nearest, of two the one further from zero.
pub(super) fn nearest(value: Decimal, step: Decimal) -> Option<Decimal> {
    let size = value.checked_abs()?;
    let below = floor(size, step)?;
    let rest = size.checked_sub(below)?;
    let is_up = rest.checked_add(rest)? >= step;
    let size = if is_up {
        below.checked_add(step)?
    } else {
        below
    };
    if value < Decimal::from(0) {
        size.checked_neg()
    } else {
        Some(size)
    }
}

/// The greatest multiple that is not greater.
fn floor(value: Decimal, step: Decimal) -> Option<Decimal> {
    value.checked_sub(value.checked_rem_euclid(step)?)
}

fn round(literal: &Literal, step: Decimal) -> Option<Literal> {
    let rounded = nearest(number(literal)?, step)?;
    let (text, kind) = match literal.datatype() {
        xsd::DOUBLE => (Double::from(rounded).to_string(), xsd::DOUBLE),
        xsd::FLOAT => (Float::from(rounded).to_string(), xsd::FLOAT),
        kind if is_of(kind, rounded) => (rounded.to_string(), kind),
        _ => (rounded.to_string(), xsd::DECIMAL),
    };
    Some(Literal::new_typed_literal(text, kind))
}

fn truncate(literal: &Literal, unit: TimeUnit) -> Option<Literal> {
    let (text, kind) = (literal.value(), literal.datatype());
    let hours = |hour| if unit == TimeUnit::Hour { hour } else { 0 };
    let (y, m, d, time, zone) = if kind == xsd::DATE_TIME {
        let at = text.parse::<DateTime>().ok()?;
        let time = format!("T{:02}:00:00", hours(at.hour()));
        (at.year(), at.month(), at.day(), time, at.timezone_offset())
    } else if kind == xsd::DATE {
        let at = text.parse::<Date>().ok()?;
        (
            at.year(),
            at.month(),
            at.day(),
            String::new(),
            at.timezone_offset(),
        )
    } else {
        return None;
    };
    let (m, d) = match unit {
        TimeUnit::Year => (1, 1),
        TimeUnit::Month => (m, 1),
        TimeUnit::Day | TimeUnit::Hour => (m, d),
    };
    let zone = zone.map_or(String::new(), |zone| zone.to_string());
    let sign = if y < 0 { "-" } else { "" };
    let text = format!("{sign}{:04}-{m:02}-{d:02}{time}{zone}", y.abs());
    Some(Literal::new_typed_literal(text, kind))
}

/// The middle of the cell in which the middle of the geometry's envelope is.
fn generalise(literal: &Literal, side: Decimal) -> Option<Literal> {
    let text = literal.value();
    let (system, shape) = match text.split_once('>') {
        Some((system, shape)) => (format!("{system}> "), shape),
        None => (String::new(), text),
    };
    let (xs, ys) = coordinates(shape).filter(|_| literal.datatype() == WKT)?;
    let cell = |of: Vec<Decimal>| {
        let low = of
            .iter()
            .copied()
            .reduce(|a, b| if b < a { b } else { a })?;
        let high = of
            .iter()
            .copied()
            .reduce(|a, b| if b > a { b } else { a })?;
        let middle = low.checked_add(high)?.checked_div(2)?;
        floor(middle, side)?.checked_add(side.checked_div(2)?)
    };
    let text = format!("{system}POINT({} {})", cell(xs)?, cell(ys)?);
    Some(Literal::new_typed_literal(text, WKT))
}

/// The x and the y of all points in a shape's brackets, if there are such and the brackets are even.
fn coordinates(shape: &str) -> Option<(Vec<Decimal>, Vec<Decimal>)> {
    let (kind, inside) = shape.trim().split_once('(')?;
    let inside = inside.strip_suffix(')')?;
    let is_even = inside.matches('(').count() == inside.matches(')').count();
    let kinds = [
        "POINT",
        "LINESTRING",
        "POLYGON",
        "MULTIPOINT",
        "MULTIPOLYGON",
    ];
    let pair = |point: &str| -> Option<(Decimal, Decimal)> {
        let (x, y) = point.trim().split_once(' ')?;
        Some((x.parse().ok()?, y.trim().parse().ok()?))
    };
    let points = inside.replace(['(', ')'], " ");
    let points: Option<_> = points.split(',').map(pair).collect();
    points.filter(|_| is_even && kinds.contains(&kind.trim()))
}

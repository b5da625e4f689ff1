//! What a transform makes of one term.

use super::pseudonym::PseudonymKey;
use geo::BoundingRect;
use oxrdf::vocab::xsd;
use oxrdf::{Literal, NamedNodeRef, Term};
use oxsdatatypes::{Date, DateTime, Decimal, Double, Float};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use twinlink_policy::{Function, TimeUnit};
use wkt::TryFromWkt;

const WKT: NamedNodeRef<'static> =
    NamedNodeRef::new_unchecked("http://www.opengis.net/ont/geosparql#wktLiteral");
/// The deepest nesting of brackets in a geometry that is parsed.
const NESTING: usize = 32;

/// What the decimal 1 is inside: decimals are whole numbers of these parts.
const ONE: i128 = 1_000_000_000_000_000_000;

/// `xsd:integer` and what is derived from it, with the least and greatest value:
/// <https://www.w3.org/TR/xmlschema11-2/#integer>.
const INTEGERS: [(NamedNodeRef<'static>, i128, i128); 13] = [
    (xsd::INTEGER, i128::MIN, i128::MAX),
    (xsd::LONG, i64::MIN as i128, i64::MAX as i128),
    (xsd::INT, i32::MIN as i128, i32::MAX as i128),
    (xsd::SHORT, i16::MIN as i128, i16::MAX as i128),
    (xsd::BYTE, i8::MIN as i128, i8::MAX as i128),
    (xsd::NON_NEGATIVE_INTEGER, 0, i128::MAX),
    (xsd::POSITIVE_INTEGER, 1, i128::MAX),
    (xsd::NON_POSITIVE_INTEGER, i128::MIN, 0),
    (xsd::NEGATIVE_INTEGER, i128::MIN, -1),
    (xsd::UNSIGNED_LONG, 0, u64::MAX as i128),
    (xsd::UNSIGNED_INT, 0, u32::MAX as i128),
    (xsd::UNSIGNED_SHORT, 0, u16::MAX as i128),
    (xsd::UNSIGNED_BYTE, 0, u8::MAX as i128),
];

/// What becomes of a term; none where the function is not defined for it.
///
/// Suppression is not of one term: it makes nothing of any here.
pub(super) fn apply(function: &Function, term: &Term, key: Option<&PseudonymKey>) -> Option<Term> {
    match function {
        Function::Mask(text) => Some(Literal::new_simple_literal(text).into()),
        Function::Pseudonymise { recipient, purpose } => {
            Some(key?.pseudonym(recipient, purpose.as_ref(), term))
        }
        Function::Round(of) => round(literal(term)?, *of).map(Into::into),
        Function::Truncate(unit) => truncate(literal(term)?, *unit).map(Into::into),
        Function::Generalise(side) => generalise(literal(term)?, *side).map(Into::into),
        Function::Suppress | Function::SuppressBelow(_) => None,
    }
}

fn literal(term: &Term) -> Option<&Literal> {
    match term {
        Term::Literal(literal) => Some(literal),
        Term::NamedNode(_) | Term::BlankNode(_) => None,
    }
}

/// The value of a numeric literal that a decimal can hold.
pub(super) fn number(literal: &Literal) -> Option<Decimal> {
    let text = literal.value();
    let datatype = literal.datatype();
    if datatype == xsd::DECIMAL {
        Decimal::from_str(text).ok()
    } else if datatype == xsd::DOUBLE {
        Double::from_str(text).ok()?.try_into().ok()
    } else if datatype == xsd::FLOAT {
        Float::from_str(text).ok()?.try_into().ok()
    } else {
        let (_, least, most) = INTEGERS.iter().find(|(name, ..)| *name == datatype)?;
        let value = Decimal::from_str(text)
            .ok()
            .filter(|_| !text.contains('.'))?;
        (*least..=*most)
            .contains(&(parts(value) / ONE))
            .then_some(value)
    }
}

/// The decimal in whole parts.
pub(super) fn parts(value: Decimal) -> i128 {
    i128::from_be_bytes(value.to_be_bytes())
}

pub(super) fn of_parts(parts: i128) -> Decimal {
    Decimal::from_be_bytes(parts.to_be_bytes())
}

pub(super) fn decimal(value: Decimal) -> Literal {
    Literal::new_typed_literal(value.to_string(), xsd::DECIMAL)
}

/// The nearest multiple, halves away from zero; none where there is none.
pub(super) fn nearest(value: i128, of: i128) -> Option<i128> {
    let rest = value.checked_rem(of)?;
    let lower = value - rest;
    let is_up = rest.unsigned_abs() >= of.unsigned_abs() - rest.unsigned_abs();
    if is_up && rest != 0 {
        lower.checked_add(of.checked_abs()?.checked_mul(value.signum())?)
    } else {
        Some(lower)
    }
}

fn round(literal: &Literal, of: Decimal) -> Option<Literal> {
    let rounded = of_parts(nearest(parts(number(literal)?), parts(of))?);
    let datatype = literal.datatype();
    Some(if datatype == xsd::DOUBLE {
        Literal::new_typed_literal(Double::from(rounded).to_string(), datatype)
    } else if datatype == xsd::FLOAT {
        Literal::new_typed_literal(Float::from(rounded).to_string(), datatype)
    } else {
        let integer = INTEGERS.iter().find(|(name, least, most)| {
            *name == datatype
                && parts(rounded) % ONE == 0
                && (*least..=*most).contains(&(parts(rounded) / ONE))
        });
        match integer {
            Some(_) => Literal::new_typed_literal(rounded.to_string(), datatype),
            None => decimal(rounded),
        }
    })
}

fn truncate(literal: &Literal, unit: TimeUnit) -> Option<Literal> {
    let datatype = literal.datatype();
    let is_date = datatype == xsd::DATE;
    // In canonical form: year, month, day, and with a time `T` and two digits each.
    let text = if is_date {
        Date::from_str(literal.value()).ok()?.to_string()
    } else if datatype == xsd::DATE_TIME {
        DateTime::from_str(literal.value()).ok()?.to_string()
    } else {
        return None;
    };
    let year = text.get(1..)?.find('-')? + 1;
    let (day, rest) = text.split_at_checked(year + 6)?;
    let zone = rest.find(['Z', '+', '-']).and_then(|at| rest.get(at..));
    let day = match unit {
        TimeUnit::Year => format!("{}-01-01", day.get(..year)?),
        TimeUnit::Month => format!("{}-01", day.get(..year + 3)?),
        TimeUnit::Day | TimeUnit::Hour => day.to_owned(),
    };
    let time = match unit {
        _ if is_date => "",
        TimeUnit::Hour => rest.get(..3)?,
        TimeUnit::Year | TimeUnit::Month | TimeUnit::Day => "T00",
    };
    let minutes = if is_date { "" } else { ":00:00" };
    let zone = zone.unwrap_or_default();
    Some(Literal::new_typed_literal(
        format!("{day}{time}{minutes}{zone}"),
        datatype,
    ))
}

fn generalise(literal: &Literal, side: Decimal) -> Option<Literal> {
    if literal.datatype() != WKT {
        return None;
    }
    let text = literal.value().trim();
    let (system, shape) = match text.strip_prefix('<') {
        Some(rest) => {
            let (system, shape) = rest.split_once('>')?;
            (format!("<{system}> "), shape.trim_start())
        }
        None => (String::new(), text),
    };
    let envelope = envelope(shape)?;
    let (low, high) = (envelope.min(), envelope.max());
    let x = cell(low.x, high.x, side)?;
    let y = cell(low.y, high.y, side)?;
    Some(Literal::new_typed_literal(
        format!("{system}POINT({x} {y})"),
        WKT,
    ))
}

/// The envelope of a WKT geometry without coordinate system; none where it is none, or empty.
pub(crate) fn envelope(shape: &str) -> Option<geo::Rect<f64>> {
    if nesting(shape) > NESTING {
        return None;
    }
    // Text that makes the library panic is no geometry.
    catch_unwind(AssertUnwindSafe(|| {
        geo::Geometry::<f64>::try_from_wkt_str(shape)
            .ok()?
            .bounding_rect()
    }))
    .ok()?
}

fn nesting(shape: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in shape.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The middle of the cell that the middle between two coordinates is in. Exact: what is on an edge stays there.
fn cell(low: f64, high: f64, side: Decimal) -> Option<Decimal> {
    let side = parts(side).checked_abs()?;
    let twice = coordinate(low)?.checked_add(coordinate(high)?)?;
    let corner = twice.checked_sub(twice.checked_rem_euclid(side.checked_mul(2)?)?)? / 2;
    Some(of_parts(corner.checked_add(side / 2)?))
}

/// The decimal that was written, in whole parts: a double is next to it, perhaps in another cell.
fn coordinate(value: f64) -> Option<i128> {
    let written = value.to_string().parse::<Decimal>();
    let near = || Decimal::try_from(Double::from(value));
    Some(parts(written.ok().or_else(|| near().ok())?))
}

#[cfg(test)]
mod tests;

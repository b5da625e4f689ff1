//! Units of `odrl:unit`: <https://www.w3.org/TR/odrl-vocab/#term-unit>. Only those of time are converted.

use oxrdf::{NamedNode, Term};
use oxsdatatypes::{DayTimeDuration, Decimal};
use std::str::FromStr;

/// QUDT's names, OWL-Time's, and the codes of UCUM, each with its length in seconds. Months and years are of no length.
const UNITS: &[(&str, &str, &str, &str)] = &[
    ("MilliSEC", "", "ms", "0.001"),
    ("SEC", "unitSecond", "s", "1"),
    ("MIN", "unitMinute", "min", "60"),
    ("HR", "unitHour", "h", "3600"),
    ("DAY", "unitDay", "d", "86400"),
    ("WK", "unitWeek", "wk", "604800"),
];
const QUDT: &str = "http://qudt.org/vocab/unit/";
const OWL_TIME: &str = "http://www.w3.org/2006/time#";
/// The data type of UCUM's codes in QUDT; a plain string is one too.
const UCUM: &str = "http://qudt.org/schema/qudt/UCUMcs";

/// For people: what is converted.
pub(crate) const KNOWN: &str = "units of time are QUDT's unit:MilliSEC, SEC, MIN, HR, DAY, WK, OWL-Time's time:unitSecond to time:unitWeek, \
     or UCUM's codes \"ms\", \"s\", \"min\", \"h\", \"d\", \"wk\"";

/// So many of a unit of time; none where it is none that we know, or too long.
pub(crate) fn time(number: Decimal, unit: &Term) -> Option<DayTimeDuration> {
    let of = |unit: &(&str, &str, &str, &str)| Decimal::from_str(unit.3).ok();
    let found = match unit {
        Term::NamedNode(name) => {
            let local = |space| NamedNode::as_str(name).strip_prefix(space);
            match (local(QUDT), local(OWL_TIME)) {
                (Some(local), _) => UNITS.iter().find(|unit| unit.0 == local),
                (_, Some(local)) => UNITS
                    .iter()
                    .find(|unit| !local.is_empty() && unit.1 == local),
                _ => None,
            }
        }
        Term::Literal(literal) => {
            let is_code = literal.datatype() == oxrdf::vocab::xsd::STRING
                || literal.datatype().as_str() == UCUM;
            let mut units = UNITS.iter().filter(|_| is_code);
            units.find(|unit| unit.2 == literal.value())
        }
        Term::BlankNode(_) => None,
    };
    let seconds = number.checked_mul(found.and_then(of)?)?;
    Some(DayTimeDuration::new(seconds))
}

//! The numbers that a predicate has, in steps: which of them a subject has is part of its marks.

use oxrdf::vocab::xsd;
use oxrdf::{NamedNode, Term};

/// How many steps there are between the least and the greatest number.
const STEPS: f64 = 256.0;

/// From the least to the greatest number. As bits, which are equal where they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    least: u64,
    greatest: u64,
}

/// A condition on a number: it is in between, the ends included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Between {
    pub(crate) predicate: NamedNode,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Range {
    /// None where these are no two ends.
    pub(super) fn new(least: f64, greatest: f64) -> Option<Self> {
        (least.is_finite() && greatest.is_finite() && least <= greatest).then_some(Self {
            least: least.to_bits(),
            greatest: greatest.to_bits(),
        })
    }

    pub(super) fn ends(self) -> [f64; 2] {
        [f64::from_bits(self.least), f64::from_bits(self.greatest)]
    }

    pub(super) fn including(self, number: f64) -> Option<Self> {
        let [least, greatest] = self.ends();
        Self::new(least.min(number), greatest.max(number))
    }

    /// The step that a number is in; the greatest number is in the last one.
    pub(super) fn step(self, number: f64) -> u8 {
        let [least, greatest] = self.ends();
        let width = (greatest - least) / STEPS;
        if width > 0.0 && width.is_finite() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "what is less or greater becomes the first or the last step"
            )]
            return ((number - least) / width).floor() as u8;
        }
        0
    }

    /// The steps of the numbers in between.
    pub(super) fn steps(self, between: &Between) -> impl Iterator<Item = u8> {
        let [least, greatest] = self.ends();
        let (from, to) = (between.least.max(least), between.greatest.min(greatest));
        let steps = (from <= to).then(|| self.step(from)..=self.step(to));
        steps.into_iter().flatten()
    }
}

/// The value of a numeric literal, nearly; none for any other term.
pub(crate) fn number(term: &Term) -> Option<f64> {
    let Term::Literal(literal) = term else {
        return None;
    };
    let is_numeric = [
        xsd::INTEGER,
        xsd::DECIMAL,
        xsd::DOUBLE,
        xsd::FLOAT,
        xsd::INT,
        xsd::LONG,
        xsd::SHORT,
        xsd::BYTE,
        xsd::NON_NEGATIVE_INTEGER,
        xsd::POSITIVE_INTEGER,
        xsd::UNSIGNED_INT,
        xsd::UNSIGNED_LONG,
        xsd::UNSIGNED_SHORT,
        xsd::UNSIGNED_BYTE,
    ]
    .contains(&literal.datatype());
    let number = literal.value().parse::<f64>().ok().filter(|_| is_numeric)?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hold_all_numbers_in_between() {
        let range = Range::new(-3.0, 1997.5).unwrap();
        for number in [-3.0, 0.0, 653.0, 1_000.25, 1997.5] {
            for (least, greatest) in [
                (number, number),
                (number - 20.0, number + 20.0),
                (f64::NEG_INFINITY, number),
                (number, f64::INFINITY),
            ] {
                let predicate = NamedNode::new_unchecked("urn:p");
                let between = Between {
                    predicate,
                    least,
                    greatest,
                };
                assert!(range.steps(&between).any(|step| step == range.step(number)));
            }
        }
        let one = Range::new(5.0, 5.0).unwrap();
        assert_eq!((one.step(5.0), range.step(1997.5)), (0, 255));
        assert!(Range::new(1.0, 0.0).is_none() && Range::new(f64::NAN, 0.0).is_none());
    }
}

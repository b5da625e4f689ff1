//! Kleene's strong three-valued logic: what is not known stays not known until it cannot matter.

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// The request does not say enough to tell.
    Unknown,
}

impl Truth {
    /// True where all are true, false where one is false.
    pub(crate) fn all(values: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::True;
        for value in values {
            match value {
                Self::False => return Self::False,
                Self::Unknown => result = Self::Unknown,
                Self::True => {}
            }
        }
        result
    }

    /// True where one is true, false where all are false.
    pub(crate) fn any(values: impl IntoIterator<Item = Self>) -> Self {
        !Self::all(values.into_iter().map(|value| !value))
    }

    /// True where exactly one is true and the others are false; false where two are true, whatever the others are.
    pub(crate) fn exactly_one(values: impl IntoIterator<Item = Self>) -> Self {
        let (mut held, mut unknown) = (0_usize, false);
        for value in values {
            match value {
                Self::True => held += 1,
                Self::Unknown => unknown = true,
                Self::False => {}
            }
        }
        match (held, unknown) {
            (2.., _) | (0, false) => Self::False,
            (1, false) => Self::True,
            (0 | 1, true) => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl std::fmt::Display for Truth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, False, True, Unknown};

    #[test]
    fn tables() {
        for (values, all, any, one) in [
            (&[][..], True, False, False),
            (&[True], True, True, True),
            (&[Unknown], Unknown, Unknown, Unknown),
            (&[True, True], True, True, False),
            (&[True, False], False, True, True),
            (&[False, False], False, False, False),
            (&[True, Unknown], Unknown, True, Unknown),
            (&[False, Unknown], False, Unknown, Unknown),
            (&[True, True, Unknown], Unknown, True, False),
        ] {
            let values = || values.iter().copied();
            assert_eq!(Truth::all(values()), all, "all {:?}", values());
            assert_eq!(Truth::any(values()), any, "any {:?}", values());
            assert_eq!(Truth::exactly_one(values()), one, "one {:?}", values());
        }
    }
}

//! What can be said of policies without any data and without any request, each with an example where there is one.
//!
//! Two doors. [`PolicySet`](crate::PolicySet)s, whose rules the engine enforces, are compared exactly, by
//! [`comparison`]: is every request that one permits permitted by the other too, who gains, who loses. [`Terms`], any
//! policies of ODRL with left operands that the engine need not know, are compared by what their constraints denote:
//! intervals, finite sets, concepts of a taxonomy; where the taxonomy is silent the answer is [`Verdict::Unknown`].

mod cell;
pub mod comparison;
mod formula;
mod interval;
mod read;
mod rules;
mod schedule;
mod solve;
mod taxonomy;
mod timing;
mod value;
mod vocabulary;

pub use taxonomy::Taxonomy;
pub use vocabulary::Vocabulary;

use crate::model::RuleKind;
use formula::{Axis, Formula};
use solve::solve;
use std::collections::BTreeSet;
use value::Value;

/// Whether two things go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Never, whatever else comes to be known.
    Conflict,
    /// What is known does not tell.
    Unknown,
    /// Yes.
    Compatible,
}

/// A verdict, with a request that shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// Values of left operands that show it: that meet both sides, or that one side lets pass and the other does not.
    pub example: Option<Example>,
}

/// A request, as far as it matters: values of left operands, by the operands' IRIs.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    values: Vec<(Axis, Value)>,
}

/// What it means that a policy says nothing of a left operand that the other one constrains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Silence {
    /// Any value will do: the reading of ODRL.
    Anything,
    /// It is not known which values are meant, so that nothing follows.
    Unknown,
}

/// The rules of one policy, as far as they can be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    uid: String,
    rules: Vec<TermRule>,
}

#[derive(Debug, Clone, PartialEq)]
struct TermRule {
    kind: RuleKind,
    /// Action, target and assignee.
    scope: Formula,
    condition: Formula,
}

impl Terms {
    /// The policy's IRI, or its blank node.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The left operands that its constraints speak of, by their IRIs.
    pub fn operands(&self) -> BTreeSet<&str> {
        let rules = self.rules.iter();
        rules.flat_map(|rule| rule.condition.operands()).collect()
    }

    /// Whether the two conflict: no request meets a permission of each that could apply to one request, or one permits
    /// what the other prohibits.
    pub fn conflict(&self, other: &Self, vocabulary: &Vocabulary, silence: Silence) -> Outcome {
        let (left, right) = (
            Spoken::new(self, other, silence),
            Spoken::new(other, self, silence),
        );
        let mut outcome = self.meet(other, vocabulary, (&left, &right));
        for (permitting, by, prohibiting, unless) in
            [(self, &left, other, &right), (other, &right, self, &left)]
        {
            for permission in permitting.of(RuleKind::Permission) {
                for prohibition in prohibiting.of(RuleKind::Prohibition) {
                    let goals = [
                        (&permission.scope, true),
                        (&permission.condition, true),
                        (&by.silent, true),
                        (&prohibition.scope, true),
                        (&prohibition.condition, true),
                        (&unless.silent, true),
                    ];
                    let both = solve(&goals, vocabulary);
                    let against = Outcome {
                        verdict: !both.verdict,
                        example: both.example,
                    };
                    if against.verdict < outcome.verdict {
                        outcome = against;
                    }
                }
            }
        }
        outcome
    }

    /// Whether all that this policy permits, the other permits too: [`Verdict::Compatible`] where it does, and
    /// [`Verdict::Conflict`] with an example of what it does not.
    pub fn within(&self, other: &Self, vocabulary: &Vocabulary, silence: Silence) -> Outcome {
        let (left, right) = (
            Spoken::new(self, other, silence),
            Spoken::new(other, self, silence),
        );
        let granted = |terms: &Self, spoken: &Spoken| {
            let holds =
                |rule: &TermRule| Formula::all([rule.scope.clone(), rule.condition.clone()]);
            Formula::all([
                Formula::any(terms.of(RuleKind::Permission).map(holds)),
                Formula::not(Formula::any(terms.of(RuleKind::Prohibition).map(holds))),
                spoken.silent.clone(),
            ])
        };
        let (inner, outer) = (granted(self, &left), granted(other, &right));
        if silence == Silence::Unknown && left.is_mute {
            return Outcome::unknown();
        }
        let escape = solve(&[(&inner, true), (&outer, false)], vocabulary);
        Outcome {
            verdict: !escape.verdict,
            example: escape.example,
        }
    }

    /// The same policy for requests in which a left operand has one value, given as a Turtle term of which the
    /// constraint would be `odrl:eq`.
    #[must_use]
    pub fn given(mut self, operand: &str, value: &oxrdf::Literal, vocabulary: &Vocabulary) -> Self {
        for rule in &mut self.rules {
            let observed = read::equal(operand, value, vocabulary);
            let condition = std::mem::replace(&mut rule.condition, Formula::Always);
            rule.condition = Formula::all([condition, observed]);
        }
        self
    }

    /// The best verdict that two permissions on one thing have; where there are no two, nothing stands against it.
    fn meet(&self, other: &Self, vocabulary: &Vocabulary, by: (&Spoken, &Spoken)) -> Outcome {
        if by.0.is_mute {
            return Outcome::unknown();
        }
        let mut best: Option<Outcome> = None;
        for left in self.of(RuleKind::Permission) {
            for right in other.of(RuleKind::Permission) {
                let scopes = [(&left.scope, true), (&right.scope, true)];
                if solve(&scopes, vocabulary).verdict == Verdict::Conflict {
                    continue;
                }
                let conditions = [
                    (&left.condition, true),
                    (&right.condition, true),
                    (&by.0.silent, true),
                    (&by.1.silent, true),
                ];
                let outcome = solve(&conditions, vocabulary);
                if best
                    .as_ref()
                    .is_none_or(|best| outcome.verdict > best.verdict)
                {
                    best = Some(outcome);
                }
            }
        }
        best.unwrap_or(Outcome {
            verdict: Verdict::Compatible,
            example: None,
        })
    }

    fn of(&self, kind: RuleKind) -> impl Iterator<Item = &TermRule> {
        self.rules.iter().filter(move |rule| rule.kind == kind)
    }
}

/// What one policy leaves unsaid beside another.
struct Spoken {
    /// Holds, or nobody knows.
    silent: Formula,
    /// Silence matters, and neither says anything.
    is_mute: bool,
}

impl Spoken {
    fn new(terms: &Terms, beside: &Terms, silence: Silence) -> Self {
        if silence == Silence::Anything {
            return Self {
                silent: Formula::Always,
                is_mute: false,
            };
        }
        let (own, others) = (terms.operands(), beside.operands());
        let unsaid = others.difference(&own).copied();
        Self {
            silent: Formula::all(unsaid.map(Formula::unknown)),
            is_mute: own.is_empty() && others.is_empty(),
        }
    }
}

impl Outcome {
    fn unknown() -> Self {
        Self {
            verdict: Verdict::Unknown,
            example: None,
        }
    }
}

impl Example {
    fn new(values: Vec<(Axis, Value)>) -> Self {
        Self { values }
    }

    /// Left operand and value, as IRIs and lexical forms. Steps of a sequence carry their number.
    pub fn values(&self) -> impl Iterator<Item = (String, String)> {
        self.values.iter().map(|(axis, value)| {
            let operand = match axis.step {
                Some((_, step)) => format!("{} of step {}", axis.operand, step + 1),
                None => axis.operand.clone(),
            };
            (operand, value.to_string())
        })
    }

    fn value(&self, operand: &str) -> Option<&Value> {
        let mut values = self.values.iter();
        values
            .find(|(axis, _)| axis.operand == operand && axis.step.is_none())
            .map(|(_, value)| value)
    }
}

impl std::ops::Not for Verdict {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Conflict => Self::Compatible,
            Self::Unknown => Self::Unknown,
            Self::Compatible => Self::Conflict,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Conflict => "Conflict",
            Self::Unknown => "Unknown",
            Self::Compatible => "Compatible",
        })
    }
}

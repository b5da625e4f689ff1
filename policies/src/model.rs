//! A policy that the engine understands to the last statement.

pub(crate) mod duty;
pub(crate) mod operand;
pub(crate) mod party;
pub(crate) mod sentence;
pub(crate) mod treatment;

use crate::action::Actions;
use crate::guard::Selector;
use duty::Duty;
use operand::{Claim, Period};
use oxrdf::NamedNode;
use oxsdatatypes::{Date, DateTime, DayTimeDuration};
use party::Party;
use std::fmt;
use treatment::{Figures, Treatment};

/// A published ODRL policy, understood whole: made by [`Policy::parse`] and nowhere else.
///
/// See <https://www.w3.org/TR/odrl-model/#policy>.
// INVARIANT(understood-whole): no statement of a policy's graph is without effect, except labels and descriptions.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub(crate) uid: NamedNode,
    pub(crate) kind: PolicyKind,
    pub(crate) conflict: Conflict,
    pub(crate) assigners: Vec<NamedNode>,
    /// The policies whose rules it has too.
    pub(crate) parents: Vec<NamedNode>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) obligations: Vec<Obliged>,
    /// What the document says of actions that the vocabulary does not have.
    pub(crate) actions: Actions,
    pub(crate) hash: String,
}

/// What kind of policy: <https://www.w3.org/TR/odrl-model/#policy-subclass>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Rules that hold as they stand.
    Set,
    /// Rules that two parties agreed on.
    Agreement,
    /// Rules that a party proposes: never evaluated.
    Offer,
}

/// What becomes of a policy of which a permission and a prohibition both apply:
/// <https://www.w3.org/TR/odrl-model/#conflict>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The permission wins.
    Permit,
    /// The prohibition wins.
    Prohibit,
    /// The policy is void: it is not published.
    Invalid,
}

/// A policy's `odrl:obligation`, with who is obliged. None given: everyone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Obliged {
    pub(crate) assignees: Vec<Party>,
    pub(crate) duty: Duty,
}

/// Whether a rule grants or withholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// Grants.
    Permission,
    /// Withholds.
    Prohibition,
}

/// One permission or prohibition. `Display` says it in a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub(crate) kind: RuleKind,
    pub(crate) number: usize,
    /// None given: anyone.
    pub(crate) assignees: Vec<Party>,
    pub(crate) actions: Vec<NamedNode>,
    pub(crate) targets: Vec<Target>,
    /// All must hold.
    pub(crate) constraints: Vec<Constraint>,
    /// How a permission shows what it selects.
    pub(crate) treatment: Treatment,
    /// Of a permission what is to be done before or after use, of a prohibition what makes good a use against it.
    pub(crate) duties: Vec<Duty>,
    /// A permission for those who break the glass only, and for how long they do.
    pub(crate) break_glass: Option<DayTimeDuration>,
    /// A prohibition that withholds from those who break the glass too.
    pub(crate) never_overridden: bool,
}

/// A dataset, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) dataset: NamedNode,
    pub(crate) selectors: Vec<Selector>,
    /// Which nodes the selectors are about, in words.
    pub(crate) about: Vec<String>,
    /// What is told in numbers of that part, instead of the part itself.
    pub(crate) figures: Option<Figures>,
}

/// A condition on a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constraint {
    Purpose(Membership, Vec<NamedNode>),
    Role(Membership, Vec<NamedNode>),
    DateTime(Comparison, Moment),
    Claim(Box<Claim>),
    /// When the use is, against when incidents are: one of these, or of this kind.
    Event(Comparison, Vec<NamedNode>),
    /// How many uses there are under the rule, this one included.
    Count(Comparison, u64),
    Period(Box<Period>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Xone(Vec<Self>),
    /// As all, but what comes after one that does not hold is not looked at.
    Sequence(Vec<Self>),
}

/// How a purpose or role is compared with the right operands. `odrl:eq` is [`Membership::AnyOf`] of one,
/// `odrl:neq` is [`Membership::NoneOf`] of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    AnyOf,
    NoneOf,
    IsA,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A right operand of `odrl:dateTime`: an instant, or a whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Instant(DateTime),
    Day(Date),
}

impl Policy {
    /// The policy's IRI.
    pub fn uid(&self) -> &NamedNode {
        &self.uid
    }

    /// What kind of policy it is.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// Its permissions, then its prohibitions, each in document order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The dataset of its first rule.
    pub fn dataset(&self) -> Option<&NamedNode> {
        let mut targets = self.rules.iter().flat_map(|rule| &rule.targets);
        targets.next().map(|target| &target.dataset)
    }

    /// The parties that its rules are given by. Of an agreement at least one; whoever publishes it checks that it is the
    /// owner of the twin.
    pub fn assigners(&self) -> &[NamedNode] {
        &self.assigners
    }

    /// `sha256:` and the lower-case hex digest of the policy's graph in RDFC-1.0 canonical N-Quads: the same for every
    /// way of writing the same policy. See <https://www.w3.org/TR/rdf-canon/>.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl Rule {
    /// Whether it grants or withholds.
    pub fn kind(&self) -> RuleKind {
        self.kind
    }

    /// Its number among the rules of its kind in its policy, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its constraints, with those on its assignees.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Constraint> {
        let parties = self.assignees.iter();
        parties
            .flat_map(Party::refinements)
            .chain(&self.constraints)
    }

    /// Whether it tells of something in numbers only.
    pub(crate) fn has_figures(&self) -> bool {
        self.targets.iter().any(|target| target.figures.is_some())
    }
}

impl Constraint {
    /// Itself and all inside it.
    pub(crate) fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        for part in self.parts() {
            part.each(visit);
        }
    }

    /// What a logical constraint combines.
    pub(crate) fn parts(&self) -> &[Self] {
        match self {
            Self::And(parts) | Self::Or(parts) | Self::Xone(parts) | Self::Sequence(parts) => parts,
            _ => &[],
        }
    }

    /// Whether something inside it is so.
    pub(crate) fn any(&self, test: &mut impl FnMut(&Self) -> bool) -> bool {
        test(self) || self.parts().iter().any(|part| part.any(test))
    }

    /// Whether it asks for earlier use under the rule.
    pub(crate) fn is_of_use(&self) -> bool {
        use operand::Clock::{Metered, SinceFirst, SinceLast};
        match self {
            Self::Count(..) => true,
            Self::Period(period) => matches!(period.clock, Metered | SinceFirst | SinceLast),
            _ => false,
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "set",
            Self::Agreement => "agreement",
            Self::Offer => "offer",
        })
    }
}

impl fmt::Display for RuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permission => "permission",
            Self::Prohibition => "prohibition",
        })
    }
}

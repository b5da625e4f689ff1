//! Why a policy is not published.

use crate::model::RuleKind;
use oxrdf::NamedNode;
use std::fmt;

/// Why a policy is refused when it is published: names the term, and the rule it stands in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The document is longer than we read.
    #[error("the document has {bytes} bytes, at most {most} are read: split it")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The document is in a format that cannot hold one graph of policies.
    #[error("policies are not read from {format}: use Turtle, N-Triples or JSON-LD")]
    Format {
        /// The format's name.
        format: String,
    },
    /// The document does not parse.
    #[error("the document is not valid {format}: {detail}")]
    Syntax {
        /// The format's name.
        format: String,
        /// What the parser says, with line and column where it knows them.
        detail: String,
    },
    /// The document parses, and no policy is in it.
    #[error(
        "the document holds no policy: give one the type odrl:Set, odrl:Agreement or odrl:Offer"
    )]
    NoPolicy,
    /// A term that the engine does not enforce, so that it must not pass for enforced.
    #[error("{place}: <{term}> is not supported: {advice}")]
    Unsupported {
        /// Where it stands.
        place: Place,
        /// Its IRI.
        term: String,
        /// What to do instead.
        advice: String,
    },
    /// A known term used in a way that has no meaning.
    #[error("{place}: {detail}")]
    Malformed {
        /// Where it stands.
        place: Place,
        /// What is wrong with it.
        detail: String,
    },
    /// More of something than one policy may have.
    #[error("{place}: more than {most} {what}")]
    TooMany {
        /// Where.
        place: Place,
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// A rule about a dataset that this connector does not serve.
    #[error("{place}: unknown target <{}>: this connector's dataset is <{}>", .target.as_str(), .dataset.as_str())]
    UnknownTarget {
        /// The rule.
        place: Place,
        /// What it is about.
        target: NamedNode,
        /// What it can be about.
        dataset: NamedNode,
    },
    /// A permission and a prohibition of one policy overlap, and the policy does not say which wins:
    /// <https://www.w3.org/TR/odrl-model/#conflict>.
    #[error(
        "policy <{}>: permission {permission} and prohibition {prohibition} can apply to the same use: \
         set odrl:conflict odrl:prohibit to let the prohibition win, or odrl:perm",
        .policy.as_str()
    )]
    Conflict {
        /// The policy.
        policy: NamedNode,
        /// The permission's number.
        permission: usize,
        /// The prohibition's number.
        prohibition: usize,
    },
    /// A policy cannot inherit as it says: <https://www.w3.org/TR/odrl-model/#inheritance>.
    #[error("policy <{}>: odrl:inheritFrom: {detail}", .policy.as_str())]
    Inheritance {
        /// The policy.
        policy: NamedNode,
        /// Why.
        detail: String,
    },
    /// Two policies have one uid.
    #[error("policy <{}> is published more than once: give each policy its own uid", .policy.as_str())]
    Duplicate {
        /// The uid.
        policy: NamedNode,
    },
    /// The policy's graph cannot be hashed in bounded time.
    #[error("policy <{}> has no canonical form: {detail}", .policy.as_str())]
    NotCanonical {
        /// The policy.
        policy: NamedNode,
        /// Why.
        detail: String,
    },
}

/// Where in a document of policies something stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The policy's uid, or how the document names it where it has none.
    pub policy: Option<String>,
    /// The rule: its kind and its number among its kind, from 1.
    pub rule: Option<(RuleKind, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.policy, &self.rule) {
            (None, _) => f.write_str("outside any policy"),
            (Some(policy), None) => write!(f, "policy {policy}"),
            (Some(policy), Some((kind, number))) => write!(f, "policy {policy}, {kind} {number}"),
        }
    }
}

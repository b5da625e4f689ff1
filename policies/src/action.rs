//! The actions a rule can be about, and which includes which: <https://www.w3.org/TR/odrl-vocab/#actionConcepts>.

use oxrdf::{NamedNode, NamedNodeRef};
use std::collections::{HashMap, HashSet};
use twinlink_vocab::odrl;

/// The actions that a guard can enforce.
const SUPPORTED: &[NamedNodeRef<'static>] = &[
    odrl::USE,
    odrl::READ,
    odrl::MODIFY,
    odrl::DELETE,
    odrl::AGGREGATE,
    odrl::DERIVE,
    odrl::INDEX,
    odrl::DISTRIBUTE,
    odrl::REPRODUCE,
    odrl::EXTRACT,
    odrl::TRANSFER,
    odrl::SELL,
    odrl::GIVE,
];

/// Names actions and what each is `odrl:includedIn`.
macro_rules! included {
    ($($outer:literal: $($inner:literal)*;)*) => {
        &[$($((concat!("http://www.w3.org/ns/odrl/2/", $inner), concat!("http://www.w3.org/ns/odrl/2/", $outer)),)*)*]
    };
}

/// The actions of the vocabulary, each with the one it is `odrl:includedIn`. `use` and `transfer` are the two roots.
/// The deprecated ones stand under the one that replaces them, by `skos:exactMatch`.
const INCLUDED_IN: &[(&str, &str)] = included! {
    "use": "read" "modify" "delete" "aggregate" "derive" "index" "distribute" "reproduce"
        "acceptTracking" "annotate" "anonymize" "archive" "attribute" "compensate" "concurrentUse" "digitize"
        "ensureExclusivity" "execute" "grantUse" "include" "inform" "install" "move" "nextPolicy" "obtainConsent"
        "play" "present" "print" "reviewPolicy" "stream" "synchronize" "textToSpeech" "transform" "translate"
        "uninstall" "watermark";
    "transfer": "sell" "give";
    "reproduce": "extract" "copy";
    "play": "display";
    "modify": "write" "writeTo" "append" "appendTo";
    "transform": "export";
    "compensate": "pay";
    "grantUse": "license";
};

/// What a profile adds to the vocabulary's actions: `odrl:includedIn` and `odrl:implies`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Actions {
    included_in: HashMap<NamedNode, Vec<NamedNode>>,
    implies: HashMap<NamedNode, Vec<NamedNode>>,
}

/// Whether a guard can enforce the action.
pub(crate) fn is_supported(action: &NamedNode) -> bool {
    SUPPORTED.iter().any(|known| *known == *action)
}

/// The supported actions, for messages.
pub(crate) fn supported() -> String {
    let names: Vec<_> = SUPPORTED
        .iter()
        .filter_map(|action| action.as_str().strip_prefix(odrl::NAMESPACE))
        .collect();
    names.join(", ")
}

/// Whether doing `inner` is doing `outer`: the same action of the vocabulary, or one included in it.
pub(crate) fn includes(outer: &NamedNode, inner: &NamedNode) -> bool {
    is_known(inner.as_str()) && ancestors(inner.as_str()).any(|action| action == outer.as_str())
}

/// The actions of the vocabulary that are doing `outer`, itself not among them.
pub(crate) fn inside(outer: &NamedNode) -> impl Iterator<Item = &'static str> {
    let inner = INCLUDED_IN.iter().map(|(inner, _)| *inner);
    inner.filter(move |inner| {
        ancestors(inner)
            .skip(1)
            .any(|action| action == outer.as_str())
    })
}

/// The supported actions that are doing `outer`, itself among them if it is supported.
pub(crate) fn within(outer: &NamedNode) -> Vec<&'static str> {
    supported_where(|action| includes(outer, action))
}

/// The supported actions of which some use is an instance of `action` too.
pub(crate) fn overlapping(action: &NamedNode) -> Vec<&'static str> {
    supported_where(|known| overlap(action, known))
}

/// All supported actions.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    SUPPORTED.iter().map(|action| action.as_str())
}

fn supported_where(test: impl Fn(&NamedNode) -> bool) -> Vec<&'static str> {
    let all = SUPPORTED.iter().filter(|known| test(&known.into_owned()));
    all.map(|action| action.as_str()).collect()
}

/// Whether some use is an instance of both.
pub(crate) fn overlap(left: &NamedNode, right: &NamedNode) -> bool {
    includes(left, right) || includes(right, left)
}

impl Actions {
    pub(crate) fn include(&mut self, inner: NamedNode, outer: NamedNode) {
        self.included_in.entry(inner).or_default().push(outer);
    }

    pub(crate) fn imply(&mut self, action: NamedNode, needed: NamedNode) {
        self.implies.entry(action).or_default().push(needed);
    }

    /// Adds what the other adds.
    pub(crate) fn extend(&mut self, other: &Self) {
        for (mine, others) in [
            (&mut self.included_in, &other.included_in),
            (&mut self.implies, &other.implies),
        ] {
            for (action, more) in others {
                let known = mine.entry(action.clone()).or_default();
                known.extend(more.iter().cloned());
            }
        }
    }

    /// Whether it is said here of what the action is a kind.
    pub(crate) fn has(&self, action: &NamedNode) -> bool {
        self.included_in.contains_key(action)
    }

    /// Whether nothing is added to the vocabulary.
    pub(crate) fn is_standard(&self) -> bool {
        self.included_in.is_empty() && self.implies.is_empty()
    }

    /// All that doing the action is: itself, and what it is included in.
    pub(crate) fn kinds(&self, action: &NamedNode) -> Vec<NamedNode> {
        self.closure(action, false)
    }

    /// All that doing the action needs too: what it implies, and what that is included in.
    pub(crate) fn needs(&self, action: &NamedNode) -> Vec<NamedNode> {
        self.closure(action, true)
    }

    fn closure(&self, action: &NamedNode, with_implied: bool) -> Vec<NamedNode> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![action.clone()];
        while let Some(next) = open.pop() {
            if !seen.insert(next.clone()) {
                continue;
            }
            open.extend(parent(next.as_str()).map(NamedNode::new_unchecked));
            open.extend(self.included_in.get(&next).into_iter().flatten().cloned());
            if with_implied {
                open.extend(self.implies.get(&next).into_iter().flatten().cloned());
            }
            found.push(next);
        }
        found
    }
}

/// Whether it is an action of the vocabulary.
pub(crate) fn is_known(action: &str) -> bool {
    INCLUDED_IN
        .iter()
        .any(|(inner, outer)| *inner == action || *outer == action)
}

fn parent(action: &str) -> Option<&'static str> {
    let line = INCLUDED_IN.iter().find(|(inner, _)| *inner == action);
    line.map(|(_, outer)| *outer)
}

fn ancestors(action: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(action), |action| parent(action))
}

#[cfg(test)]
mod tests {
    use super::{Actions, includes};
    use oxrdf::NamedNode;
    use twinlink_vocab::odrl;

    #[test]
    fn inclusion_is_transitive_and_one_way() {
        for (outer, inner, expected) in [
            (odrl::USE, odrl::READ, true),
            (odrl::USE, odrl::EXTRACT, true),
            (odrl::READ, odrl::READ, true),
            (odrl::READ, odrl::USE, false),
            (odrl::READ, odrl::MODIFY, false),
            (odrl::USE, odrl::SELL, false),
            (odrl::TRANSFER, odrl::SELL, true),
            (odrl::USE, odrl::PURPOSE, false),
            (odrl::PURPOSE, odrl::PURPOSE, false),
        ] {
            assert_eq!(
                includes(&outer.into_owned(), &inner.into_owned()),
                expected,
                "{outer} {inner}"
            );
        }
    }

    #[test]
    fn a_profile_adds_actions_and_circles_end() {
        let scan = NamedNode::new_unchecked("http://example.org/scan");
        let mut actions = Actions::default();
        actions.include(scan.clone(), odrl::EXTRACT.into_owned());
        actions.include(odrl::EXTRACT.into_owned(), scan.clone());
        actions.imply(scan.clone(), odrl::DISTRIBUTE.into_owned());
        let kinds = actions.kinds(&scan);
        assert!(kinds.contains(&odrl::USE.into_owned()), "{kinds:?}");
        assert!(!kinds.contains(&odrl::DISTRIBUTE.into_owned()), "{kinds:?}");
        assert!(
            actions
                .needs(&scan)
                .contains(&odrl::DISTRIBUTE.into_owned())
        );
    }
}

//! Which parts of a pattern have a variable in common.

use rustc_hash::FxHashSet;
use spargebra::algebra::GraphPattern;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};

/// Whether both sides have a variable in common.
pub(super) fn connected(left: &GraphPattern, right: &GraphPattern) -> bool {
    let mut variables = FxHashSet::default();
    left.on_in_scope_variable(|variable| {
        variables.insert(variable);
    });
    let mut shared = false;
    right.on_in_scope_variable(|variable| shared |= variables.contains(variable));
    shared
}

/// Whether all rows come from quads.
pub(super) fn reads_quads(pattern: &GraphPattern) -> bool {
    match pattern {
        GraphPattern::Bgp { .. } | GraphPattern::Path { .. } => true,
        GraphPattern::Graph { inner, .. } => reads_quads(inner),
        GraphPattern::Join { left, right } => {
            connected(left, right) && reads_quads(left) && reads_quads(right)
        }
        GraphPattern::Union { left, right } => reads_quads(left) && reads_quads(right),
        GraphPattern::Filter { inner, .. } => reads_quads(inner),
        _ => false,
    }
}

/// Splits triple patterns into groups without a variable in common; one group in nearly every query.
///
/// Blank nodes join as variables do. Patterns without either are tests that go with any group.
pub(super) fn disconnect(patterns: Vec<TriplePattern>) -> Vec<GraphPattern> {
    let mut groups: Vec<(FxHashSet<String>, Vec<usize>)> = Vec::new();
    let mut tests = Vec::new();
    for (place, pattern) in patterns.iter().enumerate() {
        let mut names = names(pattern);
        if names.is_empty() {
            tests.push(place);
            continue;
        }
        let mut members = vec![place];
        groups.retain_mut(|(known, others)| {
            let joins = !known.is_disjoint(&names);
            if joins {
                names.extend(known.drain());
                members.append(others);
            }
            !joins
        });
        groups.push((names, members));
    }
    if let Some((_, members)) = groups.first_mut() {
        members.append(&mut tests);
    }
    if groups.len() < 2 {
        return vec![GraphPattern::Bgp { patterns }];
    }
    let parts = groups.into_iter().map(|(_, mut members)| {
        members.sort_unstable();
        GraphPattern::Bgp {
            patterns: members
                .into_iter()
                .filter_map(|place| patterns.get(place).cloned())
                .collect(),
        }
    });
    parts.collect()
}

fn names(pattern: &TriplePattern) -> FxHashSet<String> {
    let mut names = FxHashSet::default();
    for term in [&pattern.subject, &pattern.object] {
        match term {
            TermPattern::Variable(variable) => names.insert(variable.to_string()),
            TermPattern::BlankNode(node) => names.insert(node.to_string()),
            TermPattern::NamedNode(_) | TermPattern::Literal(_) => false,
        };
    }
    if let NamedNodePattern::Variable(variable) = &pattern.predicate {
        names.insert(variable.to_string());
    }
    names
}

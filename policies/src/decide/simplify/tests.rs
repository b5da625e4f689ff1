use super::simplify;
use crate::guard::{
    End, Function, GraphNameKey, Guard, Named, NodePattern, Part, Selector, Statistic, Step,
    Transformed,
};
use oxrdf::NamedNode;
use proptest::prelude::*;
use spargebra::SparqlParser;
use std::collections::BTreeSet;

fn iri(name: usize) -> NamedNode {
    NamedNode::new_unchecked(format!("http://example.org/{name}"))
}

fn nodes(number: usize) -> NodePattern {
    let text = format!("SELECT DISTINCT ?this WHERE {{ ?this <http://example.org/{number}> ?x }}");
    NodePattern::new(SparqlParser::new().parse_query(&text).unwrap())
}

/// A quad, as far as selectors tell quads apart: each of its terms is one of two, and it is in one of two sets or both.
#[derive(Debug, Clone, Copy)]
struct Quad {
    graph: usize,
    property: usize,
    in_class: [bool; 2],
    in_pattern: [bool; 2],
    is_named: bool,
}

fn quads() -> impl Iterator<Item = Quad> {
    (0..128_usize).map(|bits| {
        let bit = |at: usize| bits >> at & 1;
        Quad {
            graph: bit(0),
            property: bit(1),
            in_class: [bit(2) == 1, bit(3) == 1],
            in_pattern: [bit(4) == 1, bit(5) == 1],
            is_named: bit(6) == 1,
        }
    })
}

fn selects(selector: &Selector, quad: Quad) -> bool {
    let pick = |sets: [bool; 2], is: &dyn Fn(usize) -> bool| (0..2).any(|at| is(at) && sets[at]);
    let graph = selector.graph.as_ref();
    let nodes_of = selector.nodes.as_ref();
    graph.is_none_or(|graph| *graph == GraphNameKey::Named(iri(quad.graph)))
        && selector
            .property
            .as_ref()
            .is_none_or(|one| *one == iri(quad.property))
        && selector
            .class
            .as_ref()
            .is_none_or(|class| pick(quad.in_class, &|at| *class == iri(at)))
        && nodes_of.is_none_or(|pattern| pick(quad.in_pattern, &|at| *pattern == nodes(at)))
        && selector
            .named
            .is_none_or(|named| quad.is_named != named.is_negated)
}

/// All that a guard makes of a quad. A part whose small groups are left out is one by itself: its groups are its own.
fn shown(guard: &Guard, quad: Quad) -> (bool, BTreeSet<String>) {
    let mut all = (false, BTreeSet::new());
    for layer in guard.layers() {
        let (is_raw, told) = shown_by(layer, quad);
        all.0 |= is_raw;
        all.1.extend(told);
    }
    all
}

fn shown_by(guard: &Guard, quad: Quad) -> (bool, BTreeSet<String>) {
    if guard.prohibitions().iter().any(|one| selects(one, quad)) {
        return (false, BTreeSet::new());
    }
    let changed = guard
        .transformed()
        .iter()
        .filter(|one| selects(&one.selector, quad));
    let changed = changed.map(|one| {
        let mut steps = one.steps.iter();
        match steps.any(|step| matches!(step.function, Function::SuppressBelow(_))) {
            true => format!("{one:?}"),
            false => format!("{:?}", one.steps),
        }
    });
    let told = guard
        .statistics()
        .iter()
        .filter(|one| selects(&one.selector, quad));
    let told = told.map(|one| format!("{one:?}"));
    let is_raw = guard.permits().iter().any(|one| selects(one, quad));
    (is_raw, changed.chain(told).collect())
}

fn selectors() -> impl Strategy<Value = Selector> {
    let maybe = || prop::option::weighted(0.4, 0..2_usize);
    let named = prop::option::weighted(0.2, any::<bool>());
    (maybe(), maybe(), maybe(), maybe(), named).prop_map(
        |(graph, property, class, pattern, named)| Selector {
            graph: graph.map(|name| GraphNameKey::Named(iri(name))),
            property: property.map(iri),
            class: class.map(iri),
            nodes: pattern.map(nodes),
            named: named.map(|is_negated| Named {
                end: End::Subject,
                is_negated,
            }),
            recorded: None,
        },
    )
}

fn guards() -> impl Strategy<Value = Guard> {
    let list = || prop::collection::vec(selectors(), 0..4);
    let steps = prop::collection::vec((selectors(), any::<bool>()), 0..4);
    (list(), list(), steps, list()).prop_map(|(permits, prohibitions, steps, told)| {
        let transformed = steps.into_iter().map(|(selector, counts)| Transformed {
            selector,
            steps: vec![Step {
                part: Part::Values(Vec::new()),
                function: match counts {
                    true => Function::SuppressBelow(2),
                    false => Function::Suppress,
                },
            }],
        });
        let statistics = told
            .into_iter()
            .enumerate()
            .map(|(at, selector)| Statistic {
                name: iri(at),
                selector,
                dimensions: Vec::new(),
                measure: None,
                minimum: 2,
            });
        Guard::new(permits, prohibitions)
            .with_transformed(transformed.collect())
            .with_statistics(statistics.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn simplify_shows_the_same_changed_and_in_numbers(guard in guards()) {
        let simple = simplify(&guard);
        for quad in quads() {
            prop_assert_eq!(shown(&simple, quad), shown(&guard, quad), "{:?}", quad);
        }
        prop_assert_eq!(simplify(&simple), simple);
    }

    #[test]
    fn simplify_shows_the_same_of_several_layers(layers in prop::collection::vec(guards(), 2..4)) {
        // Each statistic has a name of its own: those of two layers could not be told apart.
        let layers = layers.into_iter().enumerate().map(|(number, layer)| {
            let named = layer.statistics().iter().cloned().map(|mut one| {
                one.name = NamedNode::new_unchecked(format!("{}/{number}", one.name.as_str()));
                one
            });
            let named = named.collect();
            layer.with_statistics(named)
        });
        let guard = Guard::union(layers);
        let simple = simplify(&guard);
        for quad in quads() {
            prop_assert_eq!(shown(&simple, quad), shown(&guard, quad), "{:?}", quad);
        }
        prop_assert_eq!(simplify(&simple), simple);
    }
}

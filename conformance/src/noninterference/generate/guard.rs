//! Makes up what decisions leave: guards with all kinds of selectors, transforms and statistics.

use super::{CLASSES, DISTRICT, GRAPHS, PLACE, PROPERTIES, SIZE, TIME};
use crate::noninterference::random::Random;
use crate::noninterference::scene::{Condition, Figures, Guards, Nodes, iri};
use oxrdf::NamedNode;
use oxrdf::vocab::rdf;
use oxsdatatypes::{DateTime, Decimal};
use spargebra::SparqlParser;
use twinlink_core::policy::{
    End, Function, GraphNameKey, Guard, Measure, MeasureKind, Named, NodePattern, Part, Recorded,
    Selector, Statistic, Step, TimeUnit, Transformed,
};

/// Before the text of a pattern.
const PREFIXES: &str = "PREFIX : <http://e/> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> \
    PREFIX geo: <http://www.opengis.net/ont/geosparql#> \
    PREFIX geof: <http://www.opengis.net/def/function/geosparql/> ";

pub(super) fn guards(random: &mut Random) -> Guards {
    let modify = match random.below(10) {
        0..7 => Guard::everything(),
        7 => Guard::new(vec![Selector::default()], selectors(random, 1, 2)),
        _ => Guard::new(selectors(random, 1, 3), selectors(random, 0, 1)),
    };
    let read = match random.below(10) {
        // What is shown as it is.
        0..3 => Guard::new(vec![Selector::default()], selectors(random, 1, 2)),
        3 => Guard::new(selectors(random, 1, 3), selectors(random, 0, 2)),
        // What is shown changed.
        4..8 => plain(random).with_transformed(transforms(random, 3)),
        // What is told in numbers.
        8 => plain(random).with_statistics(statistics(random, 2)),
        _ => plain(random)
            .with_transformed(transforms(random, 2))
            .with_statistics(statistics(random, 1)),
    };
    // Now and then another layer, with prohibitions of its own.
    let read = match random.below(8) {
        0 => Guard::union([read, layer(random)]),
        _ => read,
    };
    Guards { read, modify }
}

/// A layer beside another one: its statistics have names of their own.
fn layer(random: &mut Random) -> Guard {
    let layer = plain(random);
    match random.below(3) {
        0 => layer,
        1 => layer.with_transformed(transforms(random, 1)),
        _ => layer.with_statistics(vec![statistic(random, 9)]),
    }
}

/// Shows some properties as they are, so that others are left to be shown changed.
fn plain(random: &mut Random) -> Guard {
    let mut permits = Vec::new();
    for number in 0..PROPERTIES {
        if random.chance(if number < PLACE { 70 } else { 12 }) {
            permits.push(about(property(number)));
        }
    }
    permits.push(about(rdf::TYPE.into_owned()));
    if random.chance(15) {
        permits.extend(selectors(random, 1, 1));
    }
    let prohibitions = match random.below(10) {
        0..3 => selectors(random, 1, 2),
        _ => Vec::new(),
    };
    Guard::new(permits, prohibitions)
}

fn about(property: NamedNode) -> Selector {
    Selector {
        property: Some(property),
        ..Selector::default()
    }
}

fn property(number: usize) -> NamedNode {
    iri(format_args!("p{number}"))
}

fn class(random: &mut Random) -> NamedNode {
    iri(format_args!("C{}", random.below(CLASSES + 1)))
}

fn selectors(random: &mut Random, low: usize, high: usize) -> Vec<Selector> {
    let count = random.between(low, high);
    (0..count).map(|_| selector(random)).collect()
}

/// One condition mostly, sometimes two or three.
fn selector(random: &mut Random) -> Selector {
    let mut selector = Selector::default();
    let first = random.below(8);
    for condition in 0..6 {
        let is_first = condition == first.min(5) || (condition == 3 && first == 6);
        if !is_first && !random.chance(10) {
            continue;
        }
        match condition {
            0 => {
                selector.graph = Some(match random.below(GRAPHS + 1) {
                    0 => GraphNameKey::Default,
                    n => GraphNameKey::Named(iri(format_args!("g{}", n - 1))),
                });
            }
            1 => {
                selector.property = Some(match random.below(PROPERTIES + 1) {
                    0 => rdf::TYPE.into_owned(),
                    n => property(n - 1),
                });
            }
            2 => selector.class = Some(class(random)),
            3 => selector.nodes = pattern(random),
            4 => {
                let end = *random.pick(&[End::Subject, End::Object]);
                let is_negated = random.chance(40);
                selector.named = Some(Named { end, is_negated });
            }
            _ => selector.recorded = recorded(random),
        }
    }
    selector
}

fn recorded(random: &mut Random) -> Option<Recorded> {
    let zone = random.pick(&["Z", "+02:00"]);
    let (month, day, hour) = (
        random.between(10, 11),
        random.between(1, 4),
        random.between(6, 9),
    );
    let until: DateTime = format!("2026-{month}-0{day}T0{hour}:00:00{zone}")
        .parse()
        .ok()?;
    let property = property(if random.chance(90) { TIME } else { 1 });
    Some(Recorded { property, until })
}

/// Nodes by their values, relations and places; in some, errors count as no and in some as yes.
fn pattern(random: &mut Random) -> Option<NodePattern> {
    let mut p = || random.below(PLACE);
    let (one, other) = (p(), p());
    let number = random.between(1, 16);
    let (low, high) = (random.below(10), random.between(15, 35));
    let area = format!(
        "POLYGON((0.{low}5 0.05, {high}.05 0.05, {high}.05 2.{low}5, 0.{low}5 2.{low}5, 0.{low}5 0.05))"
    );
    let condition = match random.below(3) {
        0 => format!("?x > {number}"),
        1 => format!(
            "?x < '2026-11-02T0{}:00:00Z'^^xsd:dateTime",
            random.between(6, 9)
        ),
        _ => format!("geof:sfWithin(?x, '{area}'^^geo:wktLiteral)"),
    };
    let condition = match random.below(3) {
        0 => format!("COALESCE({condition}, true)"),
        _ => condition,
    };
    let body = match random.below(12) {
        0..4 => {
            let property = *random.pick(&[PLACE, TIME, SIZE]);
            format!("?this :p{property} ?x FILTER({condition})")
        }
        4 => format!("?this :p{one} ?x"),
        5 => format!("?x :p{one} ?this"),
        6 => format!("?this a :C{} . ?this :p{one} ?x", random.below(CLASSES)),
        7 => format!("GRAPH ?g {{ ?this :p{one} ?x }} ?this :p{other} ?y"),
        8 => format!("?this (:p{one}|:p{other})+ :s{}", random.below(5)),
        9 => format!("?this :p{one} ?x FILTER NOT EXISTS {{ ?this :p{other} ?y }}"),
        10 => format!("?this :p{DISTRICT} :d{}", random.below(4)),
        _ => {
            let text = format!(
                "{PREFIXES}SELECT ?this {{ ?this :p{one} ?x }} GROUP BY ?this HAVING(COUNT(*) > 1)"
            );
            return SparqlParser::new()
                .parse_query(&text)
                .ok()
                .map(NodePattern::new);
        }
    };
    let text = format!("{PREFIXES}SELECT ?this WHERE {{ {body} }}");
    SparqlParser::new()
        .parse_query(&text)
        .ok()
        .map(NodePattern::new)
}

/// One or two changes that a policy can ask for.
pub(super) fn steps(random: &mut Random) -> Vec<Step> {
    let number = *random.pick(&[PLACE, TIME, SIZE, DISTRICT]);
    let mut steps: Vec<_> = (0..random.between(1, 2))
        .map(|_| step(random, number))
        .collect();
    for step in &mut steps {
        if let Part::Values(of) = &mut step.part {
            of.sort();
            of.dedup();
        }
        if matches!(step.part, Part::Nodes(_)) {
            step.part = Part::Instances(class(random));
        }
    }
    steps
}

/// Nodes as a policy names them.
pub(super) fn nodes(random: &mut Random) -> Nodes {
    match random.below(4) {
        0 | 1 => Nodes::Pattern(group(random)),
        2 => {
            let (low, high) = (random.below(10), random.between(15, 35));
            Nodes::Area(format!(
                "POLYGON((0.{low}5 0.05, {high}.05 0.05, {high}.05 2.{low}5, 0.{low}5 2.{low}5, 0.{low}5 0.05))"
            ))
        }
        _ => Nodes::Shape {
            class: random.chance(50).then(|| class(random)),
            property: property(random.below(PROPERTIES)),
            condition: match random.below(3) {
                0 => Condition::Some,
                1 => Condition::Has(iri(format_args!("s{}", random.below(5)))),
                _ => Condition::Class(class(random)),
            },
        },
    }
}

/// A statistic as a policy has it. Each has a name of its own.
pub(super) fn figures(random: &mut Random) -> Figures {
    let number = random.below(1 << 40);
    let statistic = statistic(random, number);
    Figures {
        name: statistic.name,
        dimensions: statistic.dimensions,
        measure: statistic.measure,
        minimum: statistic.minimum,
    }
}

/// A pattern as a policy has it, without expressions: what their errors do is up to the kind of rule.
fn group(random: &mut Random) -> String {
    let p = |number: usize| format!("<http://e/p{number}>");
    let (one, other) = (p(random.below(PLACE)), p(random.below(PROPERTIES)));
    match random.below(6) {
        0 => format!("{{ ?this {one} ?x }}"),
        1 => format!("{{ ?x {other} ?this }}"),
        2 => format!(
            "{{ ?this a <http://e/C{}> ; {other} ?x }}",
            random.below(CLASSES)
        ),
        3 => format!(
            "{{ ?this ({one}|{other})+ <http://e/s{}> }}",
            random.below(5)
        ),
        4 => format!("{{ ?this {one} ?x FILTER NOT EXISTS {{ ?this {other} ?y }} }}"),
        _ => format!(
            "{{ ?this {} <http://e/d{}> }}",
            p(DISTRICT),
            random.below(4)
        ),
    }
}

fn transforms(random: &mut Random, most: usize) -> Vec<Transformed> {
    let count = random.between(1, most);
    (0..count).map(|_| transformed(random)).collect()
}

fn transformed(random: &mut Random) -> Transformed {
    let number = *random.pick(&[PLACE, TIME, SIZE, DISTRICT]);
    let selector = match random.below(10) {
        0..6 => about(property(number)),
        6 => Selector::default(),
        7 => Selector {
            class: Some(class(random)),
            ..Selector::default()
        },
        _ => selector(random),
    };
    let count = *random.pick(&[1, 1, 1, 2, 2, 3]);
    let steps = (0..count).map(|_| step(random, number)).collect();
    Transformed { selector, steps }
}

fn step(random: &mut Random, number: usize) -> Step {
    let part = match random.below(12) {
        0..6 => Part::Values(vec![property(number)]),
        6 => Part::Values(Vec::new()),
        7 | 8 => Part::Instances(class(random)),
        9 => Part::Values(vec![property(random.below(PROPERTIES)), property(number)]),
        _ => match pattern(random) {
            Some(pattern) => Part::Nodes(pattern),
            None => Part::Values(Vec::new()),
        },
    };
    let is_of_values = matches!(part, Part::Values(_));
    let function = match (number, random.below(10)) {
        (PLACE, 0..6) if is_of_values => {
            Function::Generalise(decimal(random, &["1", "0.5", "0.1", "2"]))
        }
        (TIME, 0..6) if is_of_values => Function::Truncate(*random.pick(&[
            TimeUnit::Year,
            TimeUnit::Month,
            TimeUnit::Day,
            TimeUnit::Hour,
        ])),
        (SIZE, 0..6) if is_of_values => {
            Function::Round(decimal(random, &["1", "5", "10", "0.5", "2.5"]))
        }
        (_, 0..3) => pseudonymise(random),
        (_, 3..6) if is_of_values => Function::Mask("***".to_owned()),
        (_, 6..8) => Function::SuppressBelow(*random.pick(&[2, 2, 3, 5])),
        (_, 8) => Function::Suppress,
        _ => pseudonymise(random),
    };
    Step { part, function }
}

fn pseudonymise(random: &mut Random) -> Function {
    Function::Pseudonymise {
        recipient: random.pick(&[iri("fire"), iri("police")]).clone(),
        purpose: random.chance(60).then(|| iri("purpose")),
    }
}

fn decimal(random: &mut Random, of: &[&str]) -> Decimal {
    random.pick(of).parse().unwrap_or_else(|_| Decimal::from(1))
}

fn statistics(random: &mut Random, most: usize) -> Vec<Statistic> {
    let count = random.between(1, most);
    (0..count).map(|number| statistic(random, number)).collect()
}

fn statistic(random: &mut Random, number: usize) -> Statistic {
    let selector = match random.below(6) {
        0..3 => Selector::default(),
        3 => Selector {
            class: Some(class(random)),
            ..Selector::default()
        },
        4 => Selector {
            graph: Some(GraphNameKey::Default),
            ..Selector::default()
        },
        _ => selector(random),
    };
    let places = [
        property(DISTRICT),
        property(DISTRICT),
        rdf::TYPE.into_owned(),
        property(1),
    ];
    let mut dimensions = random.some(&places, 0, 2);
    dimensions.dedup();
    let measure = random.chance(65).then(|| Measure {
        property: property(if random.chance(90) { SIZE } else { 1 }),
        kind: *random.pick(&[MeasureKind::Sum, MeasureKind::Average]),
    });
    Statistic {
        name: iri(format_args!("stat{number}")),
        selector,
        dimensions,
        measure,
        minimum: *random.pick(&[2, 2, 3, 4]),
    }
}

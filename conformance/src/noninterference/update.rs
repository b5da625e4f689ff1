//! Makes up changes: SPARQL 1.1 Update in all its forms, and those of the Graph Store Protocol.

use super::generate;
use super::question::{PREFIXES, Writer};
use super::random::Random;
use super::scene::iri;
use oxrdf::{GraphName, Quad};
use twinlink_core::{Change, DatasetChoice};

/// A change, often about these quads.
pub(super) fn change(random: &mut Random, quads: &[Quad]) -> Change {
    match random.below(12) {
        0 => Change::Insert(fresh(random, quads)),
        1 => {
            let graph = graph_name(random);
            let mut new = fresh(random, quads);
            for quad in &mut new {
                quad.graph_name = graph.clone();
            }
            Change::Replace(graph, new)
        }
        2 => Change::Clear(graph_name(random)),
        3 => {
            let mut writer = Writer::new(quads);
            let names: Vec<_> = (0..4).map(|n| iri(format_args!("g{n}"))).collect();
            let using = DatasetChoice {
                default_graphs: random.some(&names, 0, 1),
                named_graphs: random.some(&names, 0, 2),
            };
            let text = format!("{PREFIXES}{}", modify(random, &mut writer, ""));
            update(text, Some(using))
        }
        _ => {
            let mut writer = Writer::new(quads);
            let count = random.between(1, 3);
            let operations: Vec<_> = (0..count)
                .map(|number| {
                    let text = operation(random, &mut writer, quads);
                    // One label is one node, and must not be in two operations.
                    text.replace(
                        "_:",
                        &format!("_:{}", ["x", "y", "z"].get(number).unwrap_or(&"")),
                    )
                })
                .collect();
            update(format!("{PREFIXES}{}", operations.join(" ; ")), None)
        }
    }
}

fn update(update: String, using: Option<DatasetChoice>) -> Change {
    Change::Update {
        update,
        base: None,
        using,
    }
}

fn operation(random: &mut Random, writer: &mut Writer<'_>, quads: &[Quad]) -> String {
    match random.below(16) {
        0..3 => {
            let data: Vec<_> = (0..random.between(1, 3))
                .map(|_| {
                    let mut quad = generate::quad(random, 7);
                    if quad.graph_name.is_blank_node() {
                        quad.graph_name = GraphName::DefaultGraph;
                    }
                    ground(&quad)
                })
                .collect();
            format!("INSERT DATA {{ {} }}", data.join(" "))
        }
        3 | 4 => format!("DELETE DATA {{ {} }}", sample(random, quads).join(" ")),
        5 => format!("INSERT DATA {{ {} }}", sample(random, quads).join(" ")),
        6 => format!("DELETE WHERE {{ {} }}", wild(random, writer)),
        7 => {
            let pattern = wild(random, writer);
            format!("DELETE {{ {pattern} }} WHERE {{ {pattern} }}")
        }
        8..11 => {
            let with = match random.below(6) {
                0 => format!("WITH {}", writer.graph(random)),
                _ => String::new(),
            };
            modify(random, writer, &with)
        }
        11 | 12 => {
            let verb = random.pick(&["CLEAR", "DROP"]);
            let target = match random.below(5) {
                0 => "DEFAULT".to_owned(),
                1 => "NAMED".to_owned(),
                2 => "ALL".to_owned(),
                _ => format!("GRAPH {}", writer.graph(random)),
            };
            format!("{verb} SILENT {target}")
        }
        13 | 14 => {
            let verb = random.pick(&["COPY", "MOVE", "ADD"]);
            let mut place = || match random.below(4) {
                0 => "DEFAULT".to_owned(),
                _ => writer.graph(random),
            };
            let (from, to) = (place(), place());
            format!("{verb} SILENT {from} TO {to}")
        }
        _ => match random.below(3) {
            0 => format!("CREATE GRAPH {}", writer.graph(random)),
            1 => format!("CREATE SILENT GRAPH {}", writer.graph(random)),
            _ => "LOAD SILENT <http://e/nowhere>".to_owned(),
        },
    }
}

fn modify(random: &mut Random, writer: &mut Writer<'_>, with: &str) -> String {
    let delete = format!("DELETE {{ {} }}", template(random, writer, false));
    let insert = format!("INSERT {{ {} }}", template(random, writer, true));
    let clauses = match random.below(3) {
        0 => delete,
        1 => insert,
        _ => format!("{delete} {insert}"),
    };
    let using = if with.is_empty() && random.chance(15) {
        let (default, named) = (writer.graph(random), writer.graph(random));
        format!("USING {default} USING NAMED {named}")
    } else {
        String::new()
    };
    format!("{with} {clauses} {using} WHERE {}", writer.group(random, 1))
}

fn template(random: &mut Random, writer: &mut Writer<'_>, may_make_nodes: bool) -> String {
    let triple = match random.below(6) {
        0 => "?a ?p ?b".to_owned(),
        1 => format!("?b {} ?a", writer.property(random)),
        2 => format!("?a a :C{}", random.below(4)),
        3 if may_make_nodes => format!("_:n {} ?a", writer.property(random)),
        _ => format!("?a {} ?b", writer.property(random)),
    };
    match random.below(5) {
        0 => format!("GRAPH {} {{ {triple} }}", writer.graph(random)),
        1 => format!("GRAPH ?g {{ {triple} }}"),
        _ => triple,
    }
}

fn wild(random: &mut Random, writer: &mut Writer<'_>) -> String {
    let triple = match random.below(4) {
        0 => "?a ?p ?b".to_owned(),
        1 => format!("{} ?p ?b", writer.node(random)),
        _ => format!("?a {} ?b", writer.property(random)),
    };
    match random.below(4) {
        0 => format!("GRAPH {} {{ {triple} }}", writer.graph(random)),
        1 => format!("GRAPH ?g {{ {triple} }}"),
        _ => triple,
    }
}

/// Some of the quads as they stand, visible or not, and some others.
fn fresh(random: &mut Random, quads: &[Quad]) -> Vec<Quad> {
    let mut some = random.some(quads, 0, 3);
    for _ in 0..random.between(1, 4) {
        some.push(generate::quad(random, 7));
    }
    some
}

fn sample(random: &mut Random, quads: &[Quad]) -> Vec<String> {
    let ground_ones: Vec<_> = quads
        .iter()
        .filter(|quad| {
            !quad.subject.is_blank_node()
                && !quad.object.is_blank_node()
                && !quad.graph_name.is_blank_node()
        })
        .cloned()
        .collect();
    let some = random.some(&ground_ones, 1, 3);
    some.iter().map(ground).collect()
}

fn ground(quad: &Quad) -> String {
    let triple = format!("{} {} {} .", quad.subject, quad.predicate, quad.object);
    match &quad.graph_name {
        GraphName::DefaultGraph => triple,
        name => format!("GRAPH {name} {{ {triple} }}"),
    }
}

fn graph_name(random: &mut Random) -> GraphName {
    match random.below(5) {
        0 => GraphName::DefaultGraph,
        n => iri(format_args!("g{}", n - 1)).into(),
    }
}

//! Makes up queries in all of SPARQL 1.1 whose answers are determined: nothing hangs on the order in which quads are met.

mod aim;
mod expression;
pub(super) mod names;
mod pattern;

pub(super) use pattern::Writer;

use super::random::Random;
use super::scene::{E, iri};
use oxrdf::NamedNode;

/// Before every text.
pub(super) const PREFIXES: &str =
    "PREFIX : <http://e/> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> ";

/// A query, with its dataset apart.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// Up to where FROM stands.
    pub(super) head: String,
    /// From there on, without LIMIT and OFFSET.
    pub(super) body: String,
    pub(super) dataset: Option<Dataset>,
    pub(super) check: Check,
}

/// FROM and FROM NAMED.
#[derive(Debug, Clone)]
pub(super) struct Dataset {
    pub(super) default: Vec<NamedNode>,
    pub(super) named: Vec<NamedNode>,
    /// Whether the protocol says it and not the text.
    pub(super) by_protocol: bool,
}

/// What of an answer is determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The rows, as a multiset.
    Rows,
    /// The rows, as a set.
    Set,
    /// The rows in their order.
    Ordered,
    /// The first column in its order; which of the rows with the same one are on the page is up to the engine.
    Page { limit: usize, offset: usize },
}

impl Question {
    /// A question, often about terms of these quads.
    pub(super) fn new(random: &mut Random, writer: Writer<'_>) -> Self {
        let dataset = random.chance(15).then(|| dataset(random));
        let (head, body, check) = text(random, writer);
        Self {
            head,
            body,
            dataset,
            check,
        }
    }

    /// The whole text, for an engine that is not told the dataset otherwise.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{PREFIXES}{} ", self.head);
        if let Some(dataset) = &self.dataset
            && !dataset.by_protocol
        {
            for name in &dataset.default {
                text += &format!("FROM {name} ");
            }
            for name in &dataset.named {
                text += &format!("FROM NAMED {name} ");
            }
        }
        text += &self.body;
        if let Check::Page { limit, offset } = self.check {
            text += &format!(" LIMIT {limit} OFFSET {offset}");
        }
        text
    }

    /// The text without dataset and page.
    pub(super) fn plain_text(&self) -> String {
        format!("{PREFIXES}{} {}", self.head, self.body)
    }
}

fn dataset(random: &mut Random) -> Dataset {
    let names: Vec<_> = (0..5).map(|n| iri(format_args!("g{n}"))).collect();
    let default = random.some(&names, 0, 3);
    let least = usize::from(default.is_empty());
    Dataset {
        named: random.some(&names, least, 2),
        default,
        by_protocol: random.chance(40),
    }
}

fn text(random: &mut Random, mut writer: Writer<'_>) -> (String, String, Check) {
    match random.below(27) {
        // What is shown changed, or told in numbers.
        22.. => aim::text(random, &mut writer),
        0..6 => {
            let group = writer.group(random, 2);
            let head = match random.below(4) {
                0 => "SELECT DISTINCT ?a ?b",
                1 => "SELECT ?a ?p (STR(?b) AS ?text)",
                _ => "SELECT *",
            };
            (head.to_owned(), group, Check::Rows)
        }
        6 => {
            let group = writer.group(random, 2);
            ("SELECT REDUCED ?a ?p".to_owned(), group, Check::Set)
        }
        7..11 => {
            let group = writer.group(random, 2);
            let (head, tail) = writer.aggregate(random);
            (head, group + &tail, Check::Rows)
        }
        11 => ("ASK".to_owned(), writer.group(random, 2), Check::Rows),
        12 => (
            "ASK".to_owned(),
            format!("{{ {} }}", writer.constant_triple(random)),
            Check::Rows,
        ),
        13 => {
            let group = writer.group(random, 1);
            let head = "CONSTRUCT { ?a :made ?b . ?b ?p _:n . _:n :of ?a }";
            (head.to_owned(), format!("WHERE {group}"), Check::Rows)
        }
        14 => {
            let nodes: Vec<_> = (0..random.between(1, 2))
                .map(|_| writer.node(random))
                .collect();
            (
                format!("DESCRIBE {}", nodes.join(" ")),
                String::new(),
                Check::Rows,
            )
        }
        15 => {
            let group = writer.group(random, 1);
            (
                "DESCRIBE ?a".to_owned(),
                format!("WHERE {group}"),
                Check::Rows,
            )
        }
        16 | 17 => {
            let group = writer.group(random, 1);
            let limit = random.between(1, 6);
            let head = "SELECT ?k".to_owned();
            let body = format!(
                "{{ {group} BIND(STR(?b) AS ?k) }} ORDER BY {} LIMIT {limit} OFFSET {}",
                direction(random),
                random.below(3)
            );
            (head, body, Check::Ordered)
        }
        18 => {
            let group = writer.group(random, 1);
            let body = format!(
                "{{ {group} BIND(STR(?b) AS ?k) }} ORDER BY {}",
                direction(random)
            );
            let limit = random.between(1, 6);
            let offset = random.below(3);
            let head = "SELECT ?k ?a ?b".to_owned();
            (head, body, Check::Page { limit, offset })
        }
        _ => {
            // What a curious caller tries first.
            let (name, property) = (writer.graph(random), writer.property(random));
            let probes = [
                ("SELECT *", "{ ?a ?p ?b }".to_owned()),
                ("SELECT *", "{ GRAPH ?g { } }".to_owned()),
                ("SELECT (COUNT(*) AS ?n)", "{ GRAPH ?g { } }".to_owned()),
                (
                    "SELECT *",
                    format!("{{ GRAPH ?g {{ ?a {property}? ?b }} }}"),
                ),
                ("SELECT *", format!("{{ GRAPH {name} {{ }} }}")),
                ("SELECT *", "{ GRAPH ?g { ?a ?p ?b } }".to_owned()),
                ("ASK", format!("{{ GRAPH {name} {{ }} }}")),
                ("ASK", format!("{{ GRAPH {name} {{ ?a ?p ?b }} }}")),
                ("SELECT (COUNT(*) AS ?n)", "{ ?a ?p ?b }".to_owned()),
                ("SELECT (COUNT(*) AS ?n)", format!("{{ ?a {property} ?b }}")),
                (
                    "SELECT ?p (COUNT(*) AS ?n)",
                    "{ { ?a ?p ?b } UNION { GRAPH ?g { ?a ?p ?b } } } GROUP BY ?p".to_owned(),
                ),
                ("SELECT *", format!("{{ ?a {property}* ?b }}")),
                ("SELECT *", format!("{{ ?a !{property} ?b }}")),
                (
                    "SELECT *",
                    format!("{{ ?a ?p ?b FILTER NOT EXISTS {{ ?a {property} ?c }} }}"),
                ),
                (
                    "SELECT *",
                    format!("{{ ?a ?p ?b MINUS {{ ?a {property} ?c }} }}"),
                ),
                (
                    "SELECT *",
                    format!("{{ VALUES ?g {{ {name} <{E}nowhere> }} GRAPH ?g {{ }} }}"),
                ),
            ];
            let (head, body) = random.pick(&probes).clone();
            (head.to_owned(), body, Check::Rows)
        }
    }
}

fn direction(random: &mut Random) -> &'static str {
    if random.chance(50) { "?k" } else { "DESC(?k)" }
}

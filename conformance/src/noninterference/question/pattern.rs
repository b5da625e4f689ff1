//! Graph patterns, paths and aggregates.

use crate::noninterference::generate::{CLASSES, GRAPHS, PLACE, PROPERTIES, literal};
use crate::noninterference::random::Random;
use oxrdf::{NamedOrBlankNode, Quad, Term};

/// Writes patterns: their variables are `?a ?b ?c`, `?p ?q` for predicates, `?g ?h` for graphs.
pub(in crate::noninterference) struct Writer<'a> {
    quads: &'a [Quad],
    /// Variables that are bound by this text only.
    fresh: usize,
}

impl<'a> Writer<'a> {
    /// Writes often about terms of these quads, visible or not.
    pub(in crate::noninterference) fn new(quads: &'a [Quad]) -> Self {
        Self { quads, fresh: 0 }
    }

    /// A group in braces; `depth` bounds the groups in it.
    pub(in crate::noninterference) fn group(
        &mut self,
        random: &mut Random,
        depth: usize,
    ) -> String {
        let mut parts = Vec::new();
        if !random.chance(4) {
            parts.push(self.triple(random));
        }
        // With many rows, few patterns.
        let most = if self.quads.len() > 60 { 1 } else { 3 };
        for _ in 0..random.below(most + 1) {
            parts.push(self.element(random, depth));
        }
        format!("{{ {} }}", parts.join(" "))
    }

    fn element(&mut self, random: &mut Random, depth: usize) -> String {
        if depth == 0 {
            return match random.below(4) {
                0 => format!("FILTER({})", self.condition(random, 0)),
                1 => self.path_triple(random),
                _ => self.triple(random),
            };
        }
        match random.below(20) {
            0..3 => self.triple(random),
            3 | 4 => self.path_triple(random),
            5 | 6 => format!("OPTIONAL {}", self.group(random, depth - 1)),
            7 => {
                let (left, right) = (self.group(random, depth - 1), self.group(random, depth - 1));
                format!("{left} UNION {right}")
            }
            8 => format!("MINUS {}", self.group(random, depth - 1)),
            9 | 10 => format!("FILTER({})", self.condition(random, 2)),
            11 => format!("FILTER EXISTS {}", self.group(random, depth - 1)),
            12 => format!("FILTER NOT EXISTS {}", self.group(random, depth - 1)),
            13..16 => self.in_graph(random, depth),
            16 => {
                let values: Vec<_> = (0..random.between(1, 3))
                    .map(|_| self.constant(random))
                    .collect();
                let variable = random.pick(&["a", "b", "c"]);
                format!("VALUES ?{variable} {{ {} }}", values.join(" "))
            }
            17 => {
                self.fresh += 1;
                let value = self.value(random, 2);
                format!("BIND({value} AS ?f{})", self.fresh)
            }
            18 => {
                let group = self.group(random, depth - 1);
                self.fresh += 1;
                format!(
                    "{{ SELECT ?a (COUNT(*) AS ?f{}) {group} GROUP BY ?a }}",
                    self.fresh
                )
            }
            _ => format!(
                "{{ SELECT DISTINCT ?a ?b {} }}",
                self.group(random, depth - 1)
            ),
        }
    }

    fn in_graph(&mut self, random: &mut Random, depth: usize) -> String {
        let name = match random.below(10) {
            0..5 => "?g".to_owned(),
            5 => "?h".to_owned(),
            6 => "?a".to_owned(),
            _ => self.graph(random),
        };
        let group = if random.chance(15) {
            "{ }".to_owned()
        } else {
            self.group(random, depth - 1)
        };
        format!("GRAPH {name} {group}")
    }

    /// A triple pattern; most begin at `?a`, so that they hang together.
    pub(in crate::noninterference) fn triple(&mut self, random: &mut Random) -> String {
        let subject = match random.below(10) {
            0..6 => "?a".to_owned(),
            6 => "?b".to_owned(),
            7 => "[]".to_owned(),
            _ => self.node(random),
        };
        let property = match random.below(10) {
            0..3 => "?p".to_owned(),
            3 => "?q".to_owned(),
            _ => self.property(random),
        };
        let object = match random.below(10) {
            0..5 => "?b".to_owned(),
            5 | 6 => "?c".to_owned(),
            7 => "?a".to_owned(),
            _ => self.constant(random),
        };
        format!("{subject} {property} {object} .")
    }

    fn path_triple(&mut self, random: &mut Random) -> String {
        let subject = if random.chance(70) {
            "?a".to_owned()
        } else {
            self.node(random)
        };
        let path = self.path(random, 2);
        let object = match random.below(10) {
            0..7 => "?b".to_owned(),
            7 => "?a".to_owned(),
            _ => self.constant(random),
        };
        format!("{subject} {path} {object} .")
    }

    fn path(&mut self, random: &mut Random, depth: usize) -> String {
        if depth == 0 {
            return self.property(random);
        }
        match random.below(9) {
            0 => format!("{}*", self.step(random, depth)),
            1 => format!("{}+", self.step(random, depth)),
            2 => format!("{}?", self.step(random, depth)),
            3 => format!("^{}", self.step(random, depth)),
            4 => format!("{}/{}", self.step(random, depth), self.step(random, depth)),
            5 => format!("{}|{}", self.step(random, depth), self.step(random, depth)),
            6 => format!("!{}", self.property(random)),
            7 => format!("!({}|^{})", self.property(random), self.property(random)),
            _ => self.property(random),
        }
    }

    fn step(&mut self, random: &mut Random, depth: usize) -> String {
        format!("({})", self.path(random, depth - 1))
    }

    /// A head with aggregates over `?a ?b`, and its GROUP BY.
    pub(super) fn aggregate(&mut self, random: &mut Random) -> (String, String) {
        let functions = [
            "COUNT(*)",
            "COUNT(?b)",
            "COUNT(DISTINCT ?b)",
            "COUNT(DISTINCT *)",
            "SUM(?b)",
            "AVG(?b)",
            "MIN(STR(?b))",
            "MAX(STR(?b))",
            "STRLEN(GROUP_CONCAT(STR(?b); SEPARATOR=','))",
            "SAMPLE(1)",
        ];
        let one = random.pick(&functions);
        let other = random.pick(&functions);
        let grouped = random.pick(&["", "?a", "?p", "?a ?p"]);
        let tail = if grouped.is_empty() {
            String::new()
        } else {
            format!(" GROUP BY {grouped}")
        };
        let having = if random.chance(25) {
            format!(" HAVING(COUNT(*) > {})", random.below(4))
        } else {
            String::new()
        };
        (
            format!("SELECT {grouped} ({one} AS ?n) ({other} AS ?m)"),
            tail + &having,
        )
    }

    /// A triple without variables, mostly one that is there.
    pub(super) fn constant_triple(&mut self, random: &mut Random) -> String {
        let found = self
            .sample(random)
            .filter(|quad| !quad.subject.is_blank_node() && !quad.object.is_blank_node());
        match found {
            Some(quad) => {
                let triple = format!("{} {} {}", quad.subject, quad.predicate, quad.object);
                if quad.graph_name.is_named_node() {
                    return format!("GRAPH {} {{ {triple} }}", quad.graph_name);
                }
                triple
            }
            None => format!(
                "{} {} {}",
                self.node(random),
                self.property(random),
                self.constant(random)
            ),
        }
    }

    /// The name of a node.
    pub(in crate::noninterference) fn node(&mut self, random: &mut Random) -> String {
        match self.sample(random).map(|quad| &quad.subject) {
            Some(NamedOrBlankNode::NamedNode(name)) if random.chance(60) => name.to_string(),
            _ => format!(":s{}", random.below(8)),
        }
    }

    /// The name of a graph, there or not.
    pub(in crate::noninterference) fn graph(&mut self, random: &mut Random) -> String {
        format!(":g{}", random.below(GRAPHS))
    }

    /// The name of a predicate.
    pub(in crate::noninterference) fn property(&mut self, random: &mut Random) -> String {
        match random.below(7) {
            0 => "a".to_owned(),
            1..4 => format!(":p{}", random.below(PLACE)),
            _ => format!(":p{}", random.below(PROPERTIES)),
        }
    }

    /// A name or a literal.
    pub(super) fn constant(&mut self, random: &mut Random) -> String {
        match self.sample(random).map(|quad| &quad.object) {
            Some(term @ (Term::NamedNode(_) | Term::Literal(_))) if random.chance(60) => {
                term.to_string()
            }
            _ => match random.below(4) {
                0 => format!(":C{}", random.below(CLASSES)),
                1 => literal(random).to_string(),
                2 => self.graph(random),
                _ => format!(":s{}", random.below(8)),
            },
        }
    }

    fn sample(&self, random: &mut Random) -> Option<&'a Quad> {
        (!self.quads.is_empty()).then(|| random.pick(self.quads))
    }
}

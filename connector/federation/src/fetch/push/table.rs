//! Rows that members gave, as quads: in the scratch dataset they stand where quads would.

use crate::scratch::{in_graph, term_apart};
use oxrdf::{GraphName, NamedNode, Quad, Term, Triple, Variable};
use rustc_hash::FxHashMap;
use spargebra::algebra::GraphPattern;
use spargebra::term::{TermPattern, TriplePattern};
use std::collections::BTreeMap;

const ROW: &str = "urn:x-twinlink:row";
const COLUMN: &str = "urn:x-twinlink:column";

/// Rows, each with the members that gave it.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Variable>,
    /// Whether equal rows of different members are different rows.
    are_apart: bool,
    numbers: FxHashMap<(Option<u16>, Vec<Option<Term>>), usize>,
    rows: Vec<(u16, usize, Vec<Option<Term>>)>,
}

impl Table {
    pub(super) fn new(columns: Vec<Variable>, are_apart: bool) -> Self {
        Self {
            columns,
            are_apart,
            numbers: FxHashMap::default(),
            rows: Vec::new(),
        }
    }

    /// Takes a row of a member.
    pub(super) fn insert(&mut self, values: Vec<Option<Term>>, member: u16) {
        let values = values.into_iter();
        let values = values.map(|value| value.map(|term| term_apart(term, member)));
        let values: Vec<_> = values.collect();
        let next = self.numbers.len();
        let key = (self.are_apart.then_some(member), values.clone());
        let number = *self.numbers.entry(key).or_insert(next);
        self.rows.push((member, number, values));
    }

    /// The values of a column.
    pub(super) fn column(&self, name: &Variable) -> impl Iterator<Item = &Term> {
        let place = self.columns.iter().position(|column| column == name);
        self.rows
            .iter()
            .filter_map(move |(_, _, values)| values.get(place?)?.as_ref())
    }

    fn is_bound(&self, column: usize) -> bool {
        let mut rows = self.rows.iter();
        rows.all(|(_, _, values)| values.get(column).is_some_and(Option::is_some))
    }

    /// The pattern of which the solutions are the rows.
    pub(super) fn pattern(&self) -> GraphPattern {
        // No query can name it.
        let row = Variable::new_unchecked(" row");
        let is_row = triple(row.clone().into(), named(ROW), row.clone().into());
        let mut always = vec![is_row];
        let mut sometimes = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            let cell = triple(row.clone().into(), cell(place), column.clone().into());
            if self.is_bound(place) {
                always.push(cell);
            } else {
                sometimes.push(cell);
            }
        }
        let mut pattern = GraphPattern::Bgp { patterns: always };
        for cell in sometimes {
            pattern = GraphPattern::LeftJoin {
                left: Box::new(pattern),
                right: Box::new(GraphPattern::Bgp {
                    patterns: vec![cell],
                }),
                expression: None,
            };
        }
        pattern
    }

    /// For each member how many rows it gave, and their quads.
    pub(super) fn into_quads(self) -> impl Iterator<Item = (u16, usize, Vec<Quad>)> {
        let mut members: BTreeMap<u16, (usize, Vec<Quad>)> = BTreeMap::new();
        for (member, number, values) in self.rows {
            let (rows, quads) = members.entry(member).or_default();
            *rows += 1;
            let row = named(&format!("{ROW}:{number}"));
            let put = |predicate: NamedNode, object: Term| {
                let triple = Triple::new(row.clone(), predicate, object);
                in_graph(triple, GraphName::DefaultGraph)
            };
            quads.push(put(named(ROW), row.clone().into()));
            let cells = values.into_iter().enumerate();
            let cells = cells.filter_map(|(place, value)| Some(put(cell(place), value?)));
            quads.extend(cells);
        }
        let members = members.into_iter();
        members.map(|(member, (rows, quads))| (member, rows, quads))
    }
}

fn named(name: &str) -> NamedNode {
    NamedNode::new_unchecked(name)
}

fn cell(column: usize) -> NamedNode {
    named(&format!("{COLUMN}:{column}"))
}

fn triple(subject: TermPattern, predicate: NamedNode, object: TermPattern) -> TriplePattern {
    TriplePattern {
        subject,
        predicate: predicate.into(),
        object,
    }
}

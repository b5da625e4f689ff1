//! The first round: one question to each member, which of the query's triple patterns it can match at all.

use crate::algebra::{Context, triple_variables};
use crate::needs::Atom;
use crate::summary::Summary;
use oxrdf::{Term, Variable};
use rustc_hash::FxHashMap;
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};
use twinlink_core::{DatasetChoice, Solution};

/// The distinct triple patterns of a query, whatever their variables are called.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    atoms: Vec<Atom>,
    numbers: FxHashMap<Atom, usize>,
}

impl Probe {
    pub(crate) fn new<'a>(atoms: impl IntoIterator<Item = &'a Atom>) -> Self {
        let mut probe = Self::default();
        for atom in atoms {
            let atom = normal(atom);
            let number = probe.atoms.len();
            if let std::collections::hash_map::Entry::Vacant(entry) = probe.numbers.entry(atom) {
                probe.atoms.push(entry.key().clone());
                entry.insert(number);
            }
        }
        probe
    }

    pub(crate) fn len(&self) -> usize {
        self.atoms.len()
    }

    pub(crate) fn number(&self, atom: &Atom) -> Option<usize> {
        self.numbers.get(&normal(atom)).copied()
    }

    /// For each pattern, whether a member with this summary may match it.
    pub(crate) fn matches(&self, summary: &Summary, dataset: Option<&DatasetChoice>) -> Vec<bool> {
        self.atoms
            .iter()
            .map(|atom| summary.may_match(atom, dataset))
            .collect()
    }

    /// `SELECT (EXISTS { pattern } AS ?e0) ...`
    pub(crate) fn query(&self) -> Query {
        let mut pattern = GraphPattern::default();
        for (number, atom) in self.atoms.iter().enumerate() {
            pattern = GraphPattern::Extend {
                inner: Box::new(pattern),
                variable: column(number),
                expression: Expression::Exists(Box::new(atom_pattern(atom))),
            };
        }
        Query::Select {
            dataset: None,
            pattern: GraphPattern::Project {
                inner: Box::new(pattern),
                variables: self.columns(),
            },
            base_iri: None,
        }
    }

    pub(crate) fn columns(&self) -> Vec<Variable> {
        (0..self.atoms.len()).map(column).collect()
    }

    /// For each pattern, whether the member can match it; none where the answer is not one row of truth values.
    pub(crate) fn read(&self, solutions: &[Solution]) -> Option<Vec<bool>> {
        let [row] = solutions else { return None };
        row.values
            .iter()
            .map(|value| match value {
                Some(Term::Literal(literal)) => match literal.value() {
                    "true" | "1" => Some(true),
                    "false" | "0" => Some(false),
                    _ => None,
                },
                _ => None,
            })
            .collect()
    }
}

/// A pattern that matches what the atom matches.
pub(crate) fn atom_pattern(atom: &Atom) -> GraphPattern {
    let mut pattern = in_graph(
        &atom.context,
        GraphPattern::Bgp {
            patterns: vec![atom.triple.clone()],
        },
    );
    if let (NamedNodePattern::Variable(predicate), false) =
        (&atom.triple.predicate, atom.except.is_empty())
    {
        let except = atom.except.iter().cloned().map(Expression::NamedNode);
        pattern = GraphPattern::Filter {
            expr: Expression::Not(Box::new(Expression::In(
                Box::new(Expression::Variable(predicate.clone())),
                except.collect(),
            ))),
            inner: Box::new(pattern),
        };
    }
    pattern
}

pub(crate) fn in_graph(context: &Context, inner: GraphPattern) -> GraphPattern {
    let name = match context {
        Context::Default => return inner,
        Context::Named(name) => NamedNodePattern::NamedNode(name.clone()),
        Context::Any(variable) => NamedNodePattern::Variable(variable.clone()),
    };
    GraphPattern::Graph {
        name,
        inner: Box::new(inner),
    }
}

fn column(number: usize) -> Variable {
    Variable::new_unchecked(format!("e{number}"))
}

/// The atom with its variables renamed in order of their first use.
pub(crate) fn normal(atom: &Atom) -> Atom {
    let mut names: Vec<Variable> = Vec::new();
    let mut rename = |variable: &Variable| {
        let place = names.iter().position(|name| name == variable);
        let place = place.unwrap_or_else(|| {
            names.push(variable.clone());
            names.len() - 1
        });
        Variable::new_unchecked(format!("v{place}"))
    };
    let context = match &atom.context {
        Context::Any(variable) => Context::Any(rename(variable)),
        other => other.clone(),
    };
    let renamed: Vec<_> = triple_variables(&atom.triple)
        .map(|variable| (rename(&variable), variable))
        .collect();
    let find = |variable: &Variable| {
        renamed
            .iter()
            .find(|(_, old)| old == variable)
            .map_or_else(|| variable.clone(), |(new, _)| new.clone())
    };
    let term = |term: &TermPattern| match term {
        TermPattern::Variable(variable) => TermPattern::Variable(find(variable)),
        other => other.clone(),
    };
    Atom {
        context,
        triple: TriplePattern {
            subject: term(&atom.triple.subject),
            predicate: match &atom.triple.predicate {
                NamedNodePattern::Variable(variable) => NamedNodePattern::Variable(find(variable)),
                NamedNodePattern::NamedNode(name) => NamedNodePattern::NamedNode(name.clone()),
            },
            object: term(&atom.triple.object),
        },
        except: atom.except.clone(),
        is_witness: atom.is_witness,
    }
}

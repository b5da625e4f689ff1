//! Solutions of SERVICE as VALUES. These hold no blank nodes: each gets a name of ours, for as long as the question lives.

use crate::algebra;
use oxrdf::{BlankNode, NamedNode, NamedOrBlankNode, Term, Triple, Variable};
use spargebra::Query;
use spargebra::algebra::{Expression, Function, GraphPattern};
use spargebra::term::GroundTerm;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use twinlink_core::{Budget, Evaluated, Merge, Piece, Refusal, Sink, Solution};

/// What came of SERVICE so far.
#[derive(Debug)]
pub(super) struct Solutions {
    /// What names of blank nodes begin with.
    prefix: String,
    calls: usize,
    has_blanks: bool,
    /// Whether the question could tell a name from a blank node.
    tells_blanks: bool,
    members: BTreeSet<u16>,
    /// Whether a silent part failed.
    pub(super) is_unsure: bool,
}

/// What the rows of the whole need at last.
#[derive(Debug)]
pub(crate) struct Served {
    prefix: Option<String>,
    members: Arc<[u16]>,
    /// Whether a silent part failed.
    pub(crate) is_unsure: bool,
}

/// The one solution that binds nothing.
pub(super) fn unit() -> GraphPattern {
    GraphPattern::Bgp {
        patterns: Vec::new(),
    }
}

impl Solutions {
    pub(super) fn new(request: impl Display, query: &Query) -> Self {
        Self {
            prefix: format!("urn:x-twinlink:blank:{request}:"),
            calls: 0,
            has_blanks: false,
            tells_blanks: tells_blanks(query),
            members: BTreeSet::new(),
            is_unsure: false,
        }
    }

    /// The solutions that a member gave, and how many had to be left out.
    pub(super) fn take(
        &mut self,
        member: usize,
        variables: Vec<Variable>,
        rows: Vec<Solution>,
    ) -> (GraphPattern, usize) {
        self.calls += 1;
        self.members.extend(u16::try_from(member));
        let all = rows.len();
        let width = variables.len();
        let bindings: Vec<_> = rows
            .into_iter()
            .filter_map(|row| {
                let values = row.values.into_iter().take(width);
                let values = values.map(|value| value.map(|term| self.ground(term)));
                values
                    .map(|value| value.map_or(Some(None), |ground| ground.map(Some)))
                    .collect::<Option<Vec<_>>>()
            })
            .collect();
        let left_out = all - bindings.len();
        let values = GraphPattern::Values {
            variables,
            bindings,
        };
        (values, left_out)
    }

    /// None for a blank node that the question could tell from a name.
    fn ground(&mut self, term: Term) -> Option<GroundTerm> {
        Some(match term {
            Term::NamedNode(name) => name.into(),
            Term::Literal(literal) => literal.into(),
            Term::BlankNode(_) if self.tells_blanks => return None,
            Term::BlankNode(blank) => {
                self.has_blanks = true;
                let (prefix, call, label) = (&self.prefix, self.calls, blank.as_str());
                NamedNode::new_unchecked(format!("{prefix}c{call}x{label}")).into()
            }
        })
    }

    pub(super) fn served(&mut self) -> Served {
        Served {
            prefix: self.has_blanks.then(|| self.prefix.clone()),
            members: self.members.iter().copied().collect(),
            is_unsure: self.is_unsure,
        }
    }
}

/// Whether a function or an order of the query tells blank nodes from names.
fn tells_blanks(query: &Query) -> bool {
    let (mut orders, mut tells) = (false, false);
    algebra::walk(
        algebra::pattern(query),
        &mut |pattern| orders |= matches!(pattern, GraphPattern::OrderBy { .. }),
        &mut |expression| {
            algebra::walk_expression(expression, &mut |part| {
                tells |= matches!(
                    part,
                    Expression::FunctionCall(
                        Function::IsBlank | Function::IsIri | Function::Str | Function::Custom(_),
                        _
                    )
                );
            });
        },
    );
    orders || tells
}

impl Served {
    /// The last step, with blank nodes in place of their names, and rows that rest on who served.
    pub(crate) fn over(self, merge: Box<dyn Merge>) -> Box<dyn Merge> {
        Box::new(Unnamed {
            merge,
            served: self,
        })
    }

    fn term(&self, term: Term) -> Term {
        let label = match (&term, &self.prefix) {
            (Term::NamedNode(name), Some(prefix)) => name.as_str().strip_prefix(prefix),
            _ => None,
        };
        let blank = label.and_then(|label| BlankNode::new(label).ok());
        blank.map_or(term, Term::from)
    }

    fn triple(&self, triple: Triple) -> Triple {
        let subject = match self.term(triple.subject.clone().into()) {
            Term::BlankNode(blank) => NamedOrBlankNode::from(blank),
            Term::NamedNode(_) | Term::Literal(_) => triple.subject,
        };
        Triple {
            subject,
            predicate: triple.predicate,
            object: self.term(triple.object),
        }
    }
}

struct Unnamed {
    merge: Box<dyn Merge>,
    served: Served,
}

impl Merge for Unnamed {
    fn run(self: Box<Self>, budget: &Budget, sink: &mut dyn Sink) -> Result<Evaluated, Refusal> {
        let mut sink = Renaming {
            sink,
            served: &self.served,
        };
        self.merge.run(budget, &mut sink)
    }
}

struct Renaming<'a> {
    sink: &'a mut dyn Sink,
    served: &'a Served,
}

impl Sink for Renaming<'_> {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        let served = self.served;
        self.sink.put(match piece {
            Piece::Head(head) => Piece::Head(head),
            Piece::Triples(triples) => {
                let triples = triples.into_iter();
                Piece::Triples(triples.map(|triple| served.triple(triple)).collect())
            }
            Piece::Solutions(rows) => {
                let rows = rows.into_iter().map(|row| {
                    let values = row.values.into_iter();
                    let sources: BTreeSet<u16> = row
                        .sources
                        .iter()
                        .chain(&*served.members)
                        .copied()
                        .collect();
                    Solution {
                        values: values
                            .map(|value| value.map(|term| served.term(term)))
                            .collect(),
                        sources: sources.into_iter().collect(),
                    }
                });
                Piece::Solutions(rows.collect())
            }
        })
    }
}

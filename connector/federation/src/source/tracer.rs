//! The query with a column for each triple pattern, which names the graph of ours that its quad stands in.

use super::{is_plain, link};
use crate::algebra::{
    Context, each_exists, expressions_mut, triple_variables, unblank, unblank_triple,
};
use crate::probe::in_graph;
use oxrdf::Variable;
use spargebra::algebra::GraphPattern;
use spargebra::term::TriplePattern;
use std::collections::BTreeSet;

pub(super) struct Tracer {
    fresh: usize,
    has_graphs: bool,
    /// Whether some part looks at graphs as they are.
    pub(super) needs_plain: bool,
    /// Whether some part cannot be traced.
    pub(super) is_refused: bool,
}

/// Where the columns go that say where quads stand; none where it does not matter.
type Columns<'a> = Option<&'a mut Vec<Variable>>;

impl Tracer {
    pub(super) fn new(has_graphs: bool) -> Self {
        Self {
            fresh: 0,
            has_graphs,
            needs_plain: false,
            is_refused: false,
        }
    }

    /// The pattern as it is evaluated in a context. The contexts of its parts go with each triple pattern and path.
    pub(super) fn rewrite(
        &mut self,
        pattern: &GraphPattern,
        context: &Context,
        mut columns: Columns<'_>,
    ) -> GraphPattern {
        let mut pattern = match pattern {
            GraphPattern::Bgp { patterns } => return self.triples(patterns, context, columns),
            GraphPattern::Graph { name, inner } => {
                return self.rewrite(inner, &Context::of(name), columns);
            }
            GraphPattern::Path {
                subject,
                path,
                object,
            } => {
                self.is_refused |= columns.is_some();
                let path = GraphPattern::Path {
                    subject: unblank(subject),
                    path: path.clone(),
                    object: unblank(object),
                };
                return self.plain(path, context);
            }
            GraphPattern::Project { inner, variables } => {
                return self.project(inner, variables, context, columns);
            }
            other => other.clone(),
        };
        for expression in expressions_mut(&mut pattern) {
            each_exists(expression, &mut |pattern| {
                *pattern = self.rewrite(pattern, context, None);
            });
        }
        match &mut pattern {
            GraphPattern::Join { left, right }
            | GraphPattern::Lateral { left, right }
            | GraphPattern::LeftJoin { left, right, .. }
            | GraphPattern::Union { left, right } => {
                **left = self.rewrite(left, context, columns.as_deref_mut());
                **right = self.rewrite(right, context, columns);
            }
            GraphPattern::Minus { left, right } => {
                **left = self.rewrite(left, context, columns);
                **right = self.rewrite(right, context, None);
            }
            GraphPattern::Filter { inner, .. }
            | GraphPattern::Extend { inner, .. }
            | GraphPattern::OrderBy { inner, .. }
            | GraphPattern::Slice { inner, .. } => {
                **inner = self.rewrite(inner, context, columns);
            }
            GraphPattern::Distinct { inner }
            | GraphPattern::Reduced { inner }
            | GraphPattern::Group { inner, .. } => {
                self.is_refused |= columns.is_some();
                **inner = self.rewrite(inner, context, None);
            }
            GraphPattern::Service { .. } => self.is_refused = true,
            // VALUES; the others are done.
            _ => {}
        }
        pattern
    }

    fn triples(
        &mut self,
        patterns: &[TriplePattern],
        context: &Context,
        columns: Columns<'_>,
    ) -> GraphPattern {
        let is_in_graph = !matches!(context, Context::Default);
        let mut patterns: Vec<_> = patterns.iter().map(unblank_triple).collect();
        let columns = match columns {
            Some(columns) if !(patterns.is_empty() && is_in_graph) => columns,
            columns => {
                // `GRAPH ?g {}` asks for graphs, which are not from a member's quad.
                self.is_refused |= columns.is_some();
                return self.plain(GraphPattern::Bgp { patterns }, context);
            }
        };
        let mut known = BTreeSet::new();
        let (mut joined, mut links) = (None, Vec::new());
        while !patterns.is_empty() {
            // Each next to one that it shares a variable with: a product on the way would be evaluated as one.
            let place = patterns
                .iter()
                .position(|triple| triple_variables(triple).any(|name| known.contains(&name)));
            if place.is_none() {
                joined = all(joined, links.drain(..));
            }
            let triple = patterns.remove(place.unwrap_or(0));
            known.extend(triple_variables(&triple));
            let ours = self.variable();
            columns.push(ours.clone());
            // The optimiser takes the first of what it finds equally large: triple patterns before links.
            if self.has_graphs {
                links.push(link(&ours, context));
            }
            joined = all(joined, [in_graph(&Context::Any(ours), bgp(triple))]);
        }
        all(joined, links).unwrap_or_default()
    }

    /// A part that looks at graphs as they are.
    fn plain(&mut self, pattern: GraphPattern, context: &Context) -> GraphPattern {
        self.needs_plain = true;
        let pattern = in_graph(context, pattern);
        match context {
            Context::Any(graph) => join(pattern, is_plain(graph)),
            Context::Default | Context::Named(_) => pattern,
        }
    }

    /// A graph's variable that the sub-select does not pass on is another one inside, as the evaluator has it.
    fn project(
        &mut self,
        inner: &GraphPattern,
        variables: &[Variable],
        context: &Context,
        columns: Columns<'_>,
    ) -> GraphPattern {
        let context = match context {
            Context::Any(name) if !variables.contains(name) => Context::Any(self.variable()),
            other => other.clone(),
        };
        let mut variables = variables.to_vec();
        let inner = match columns {
            None => self.rewrite(inner, &context, None),
            Some(columns) => {
                let mut own = Vec::new();
                let inner = self.rewrite(inner, &context, Some(&mut own));
                variables.extend(own.iter().cloned());
                columns.append(&mut own);
                inner
            }
        };
        GraphPattern::Project {
            inner: Box::new(inner),
            variables,
        }
    }

    /// A variable that no query can name.
    fn variable(&mut self) -> Variable {
        self.fresh += 1;
        Variable::new_unchecked(format!(" source {}", self.fresh))
    }
}

fn bgp(triple: TriplePattern) -> GraphPattern {
    GraphPattern::Bgp {
        patterns: vec![triple],
    }
}

/// All joined, one after the other.
fn all(
    joined: Option<GraphPattern>,
    others: impl IntoIterator<Item = GraphPattern>,
) -> Option<GraphPattern> {
    joined.into_iter().chain(others).reduce(join)
}

fn join(left: GraphPattern, right: GraphPattern) -> GraphPattern {
    GraphPattern::Join {
        left: Box::new(left),
        right: Box::new(right),
    }
}

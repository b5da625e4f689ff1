//! What a query needs: its triple patterns, joined, optional or apart, with the conditions that each may take along.

mod walk;

use crate::algebra::{
    Context, certain, conjuncts, exists_patterns, expression_variables, expressions, is_portable,
    pattern, unblank, unblank_triple,
};
use crate::text::depth;
use oxrdf::{NamedNode, Variable};
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern, PropertyPathExpression};
use spargebra::term::{GroundTerm, TermPattern, TriplePattern};
use std::collections::BTreeSet;
pub(crate) use walk::{Walk, WalkStep};

/// Patterns that are joined: a solution of the whole takes one quad of each of `triples`.
#[derive(Debug, Default)]
pub(crate) struct Join {
    /// Each must match for there to be any solution.
    pub(crate) triples: Vec<Atom>,
    /// Fetched as they are: nodes of zero-length paths, the names of graphs.
    pub(crate) others: Vec<Atom>,
    /// Paths.
    pub(crate) walks: Vec<Walk>,
    /// Conditions on every solution, over variables that some part certainly binds. Portable.
    pub(crate) filters: Vec<Expression>,
    /// Values that the query itself gives for a variable.
    pub(crate) values: Vec<(Variable, Vec<GroundTerm>)>,
    /// What else belongs to it.
    pub(crate) parts: Vec<Part>,
    /// Paths that can be of zero length between two variables, and where.
    loops: Vec<([TermPattern; 2], Context)>,
}

/// A part of a query below a join.
#[derive(Debug)]
pub(crate) enum Part {
    /// One of these is joined.
    Union(Vec<Join>),
    /// Is joined; only these of its variables are those of the join.
    Select(Join, BTreeSet<Variable>),
    /// Has its say even where it has no solution: OPTIONAL, MINUS, EXISTS, an aggregate. For the variables given, only
    /// those of its solutions matter that agree with one of the join.
    Dependent(Join, BTreeSet<Variable>),
}

/// One triple pattern. Its blank nodes are variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Atom {
    pub(crate) context: Context,
    pub(crate) triple: TriplePattern,
    /// Predicates that do not match.
    pub(crate) except: Vec<NamedNode>,
    /// Whether one matching quad is as good as all.
    pub(crate) is_witness: bool,
}

/// What the pattern of the query needs.
pub(crate) fn needs(query: &Query) -> Join {
    needs_of(pattern(query))
}

/// What a pattern needs.
pub(crate) fn needs_of(pattern: &GraphPattern) -> Join {
    let mut planner = Planner { fresh: 0 };
    let mut join = planner.join(pattern, &Context::Default, &[]);
    join.pass_filters();
    join
}

/// Every triple of the default graph.
pub(crate) fn everything() -> Atom {
    Planner { fresh: 0 }.everything(&Context::Default)
}

impl Join {
    /// All atoms in it and below it.
    pub(crate) fn atoms(&self) -> Vec<&Atom> {
        let steps = self.walks.iter().flat_map(|walk| &walk.steps);
        let steps = steps.map(|step| &step.atom);
        let mut atoms: Vec<_> = self
            .triples
            .iter()
            .chain(&self.others)
            .chain(steps)
            .collect();
        for part in &self.parts {
            match part {
                Part::Union(joins) => atoms.extend(joins.iter().flat_map(Self::atoms)),
                Part::Select(join, _) | Part::Dependent(join, _) => atoms.extend(join.atoms()),
            }
        }
        atoms
    }

    /// Whether it is triple patterns and nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        self.has_only_patterns() && self.parts.is_empty() && !self.triples.is_empty()
    }

    /// Whether nothing of it is fetched other than triple patterns, in it or in parts of it.
    pub(crate) fn has_only_patterns(&self) -> bool {
        self.others.is_empty() && self.walks.is_empty()
    }

    /// Gives each condition to the parts that it is about as well: rows that fail it there fail it here.
    fn pass_filters(&mut self) {
        for part in &mut self.parts {
            match part {
                Part::Union(joins) => {
                    for join in joins {
                        join.filters.extend_from_slice(&self.filters);
                        join.pass_filters();
                    }
                }
                Part::Select(join, visible) => {
                    let about = self.filters.iter();
                    let about = about.filter(|f| expression_variables(f).is_subset(visible));
                    join.filters.extend(about.cloned());
                    join.pass_filters();
                }
                Part::Dependent(join, _) => join.pass_filters(),
            }
        }
    }

    /// Whether a triple pattern of the join binds one of the ends to a node of the same graph.
    fn has_node(&self, ends: &[TermPattern], context: &Context) -> bool {
        self.triples.iter().any(|atom| {
            atom.context == *context
                && (ends.contains(&atom.triple.subject) || ends.contains(&atom.triple.object))
        })
    }
}

struct Planner {
    fresh: usize,
}

impl Planner {
    fn join(&mut self, pattern: &GraphPattern, context: &Context, filters: &[Expression]) -> Join {
        let mut join = Join {
            filters: filters.to_vec(),
            ..Join::default()
        };
        self.add(pattern, context, &mut join);
        // A path of zero length is at home at every node. Nodes that a triple pattern binds come with its quads.
        for (ends, context) in std::mem::take(&mut join.loops) {
            if !join.has_node(&ends, &context) {
                join.others.push(self.everything(&context));
            }
        }
        join
    }

    fn variable(&mut self) -> Variable {
        self.fresh += 1;
        Variable::new_unchecked(format!("twinlinkFresh_{}", self.fresh))
    }

    /// A graph whose name is not that of the outer query's variable.
    fn apart(&mut self, context: &Context) -> Context {
        match context {
            Context::Any(_) => Context::Any(self.variable()),
            other => other.clone(),
        }
    }

    fn everything(&mut self, context: &Context) -> Atom {
        Atom {
            context: self.apart(context),
            triple: TriplePattern {
                subject: self.variable().into(),
                predicate: self.variable().into(),
                object: self.variable().into(),
            },
            except: Vec::new(),
            is_witness: false,
        }
    }

    fn exists(
        &mut self,
        expression: &Expression,
        context: &Context,
        visible: &BTreeSet<Variable>,
        join: &mut Join,
    ) {
        let mut patterns = Vec::new();
        exists_patterns(expression, &mut |pattern| patterns.push(pattern));
        for pattern in patterns {
            let context = self.apart(context);
            let inner = self.join(pattern, &context, &[]);
            join.parts.push(Part::Dependent(inner, visible.clone()));
        }
    }

    fn add(&mut self, pattern: &GraphPattern, context: &Context, join: &mut Join) {
        for expression in expressions(pattern) {
            let visible = match pattern {
                // It stands above the variables of a group, or under none that can be told.
                GraphPattern::Group { .. } => BTreeSet::new(),
                GraphPattern::LeftJoin { left, .. } => certain(left, context),
                GraphPattern::Filter { inner, .. }
                | GraphPattern::Extend { inner, .. }
                | GraphPattern::OrderBy { inner, .. } => certain(inner, context),
                _ => BTreeSet::new(),
            };
            self.exists(expression, context, &visible, join);
        }
        match pattern {
            GraphPattern::Bgp { patterns } if patterns.is_empty() => self.graph_name(context, join),
            GraphPattern::Bgp { patterns } => {
                join.triples.extend(patterns.iter().map(|triple| Atom {
                    context: context.clone(),
                    triple: unblank_triple(triple),
                    except: Vec::new(),
                    is_witness: false,
                }));
            }
            GraphPattern::Path {
                subject,
                path,
                object,
            } => self.path(&unblank(subject), path, &unblank(object), context, join),
            GraphPattern::Join { left, right } => {
                self.add(left, context, join);
                self.add(right, context, join);
            }
            GraphPattern::Lateral { left, right } => {
                self.add(left, context, join);
                let right = self.join(right, context, &[]);
                join.parts.push(Part::Union(vec![right]));
            }
            GraphPattern::Filter { expr, inner } => {
                let bound = certain(inner, context);
                join.filters.extend(portable(expr, &bound));
                self.add(inner, context, join);
            }
            GraphPattern::LeftJoin {
                left,
                right,
                expression,
            } => {
                self.add(left, context, join);
                let bound = certain(right, context);
                let filters: Vec<_> = expression
                    .iter()
                    .flat_map(|expression| portable(expression, &bound))
                    .collect();
                let right = self.join(right, context, &filters);
                let visible = certain(left, context);
                join.parts.push(Part::Dependent(right, visible));
            }
            GraphPattern::Minus { left, right } => {
                self.add(left, context, join);
                let right = self.join(right, context, &[]);
                let visible = certain(left, context);
                join.parts.push(Part::Dependent(right, visible));
            }
            GraphPattern::Union { .. } => {
                let mut branches = Vec::new();
                collect_branches(pattern, &mut branches);
                let joins = branches
                    .into_iter()
                    .map(|branch| self.join(branch, context, &[]))
                    .collect();
                join.parts.push(Part::Union(joins));
            }
            GraphPattern::Graph { name, inner } => self.add(inner, &Context::of(name), join),
            GraphPattern::Extend { inner, .. }
            | GraphPattern::OrderBy { inner, .. }
            | GraphPattern::Distinct { inner }
            | GraphPattern::Reduced { inner } => self.add(inner, context, join),
            GraphPattern::Values {
                variables,
                bindings,
            } => {
                for (column, variable) in variables.iter().enumerate() {
                    let values: Option<Vec<_>> = bindings
                        .iter()
                        .map(|row| row.get(column).cloned().flatten())
                        .collect();
                    if let Some(values) = values {
                        join.values.push((variable.clone(), values));
                    }
                }
            }
            GraphPattern::Project { inner, variables } => {
                let visible: BTreeSet<_> = variables.iter().cloned().collect();
                let context = match context {
                    Context::Any(name) if !visible.contains(name) => self.apart(context),
                    other => other.clone(),
                };
                let inner = self.join(inner, &context, &[]);
                join.parts.push(Part::Select(inner, visible));
            }
            // Fewer rows below would let others into the slice.
            GraphPattern::Slice { inner, .. } => {
                let inner = self.join(inner, context, &[]);
                join.parts.push(Part::Select(inner, BTreeSet::new()));
            }
            GraphPattern::Group {
                inner, variables, ..
            } => {
                let keys: BTreeSet<_> = variables.iter().cloned().collect();
                let is_whole = keys.is_empty();
                let inner = self.join(inner, context, &[]);
                join.parts.push(if is_whole {
                    Part::Dependent(inner, BTreeSet::new())
                } else {
                    Part::Select(inner, keys)
                });
            }
            // Answered elsewhere.
            GraphPattern::Service { .. } => {}
        }
    }

    /// `GRAPH g {}` asks whether there is such a graph: only a quad in it can tell.
    fn graph_name(&mut self, context: &Context, join: &mut Join) {
        if !matches!(context, Context::Default) {
            let mut atom = self.everything(context);
            atom.is_witness = matches!(context, Context::Named(_));
            join.others.push(atom);
        }
    }

    fn path(
        &mut self,
        subject: &TermPattern,
        path: &PropertyPathExpression,
        object: &TermPattern,
        context: &Context,
        join: &mut Join,
    ) {
        join.walks.push(self.walk([subject, object], path, context));
        if !matches_nothing(path) {
            return;
        }
        // Of zero length: its two ends are one node of the graph.
        let mut is_anchored = false;
        for end in [subject, object] {
            if matches!(end, TermPattern::Variable(_)) {
                continue;
            }
            is_anchored = true;
            for is_subject in [true, false] {
                if is_subject && matches!(end, TermPattern::Literal(_)) {
                    continue;
                }
                let mut atom = self.everything(context);
                atom.is_witness = !matches!(context, Context::Any(_));
                if is_subject {
                    atom.triple.subject = end.clone();
                } else {
                    atom.triple.object = end.clone();
                }
                join.others.push(atom);
            }
        }
        if !is_anchored {
            let ends = [subject.clone(), object.clone()];
            join.loops.push((ends, context.clone()));
        }
    }
}

/// Whether a condition is small enough to travel: with the rest of its sub-query it must keep within the limits that
/// a peer sets to query texts.
fn can_travel(condition: &Expression) -> bool {
    let text = condition.to_string();
    text.len() <= 64 * 1024 && depth(&text) <= 32
}

/// The conditions that may be checked wherever these variables are bound.
fn portable<'a>(
    condition: &'a Expression,
    bound: &'a BTreeSet<Variable>,
) -> impl Iterator<Item = Expression> + 'a {
    conjuncts(condition)
        .into_iter()
        .filter(|part| is_portable(part) && can_travel(part))
        .filter(|part| expression_variables(part).is_subset(bound))
        .cloned()
}

fn collect_branches<'a>(pattern: &'a GraphPattern, branches: &mut Vec<&'a GraphPattern>) {
    if let GraphPattern::Union { left, right } = pattern {
        collect_branches(left, branches);
        collect_branches(right, branches);
    } else {
        branches.push(pattern);
    }
}

/// Whether the path can be of zero length.
fn matches_nothing(path: &PropertyPathExpression) -> bool {
    match path {
        PropertyPathExpression::NamedNode(_) | PropertyPathExpression::NegatedPropertySet(_) => {
            false
        }
        PropertyPathExpression::ZeroOrMore(_) | PropertyPathExpression::ZeroOrOne(_) => true,
        PropertyPathExpression::Reverse(inner) | PropertyPathExpression::OneOrMore(inner) => {
            matches_nothing(inner)
        }
        PropertyPathExpression::Sequence(left, right) => {
            matches_nothing(left) && matches_nothing(right)
        }
        PropertyPathExpression::Alternative(left, right) => {
            matches_nothing(left) || matches_nothing(right)
        }
    }
}

//! Questions about SPARQL algebra: which variables are certainly bound, and what may be evaluated elsewhere.

use oxrdf::{BlankNode, NamedNode, Variable};
use spargebra::Query;
use spargebra::algebra::{Expression, Function, GraphPattern};
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};
use std::collections::BTreeSet;
use twinlink_core::algebra::{parts, parts_mut};

pub(crate) use twinlink_core::algebra::{children, expressions, expressions_mut};

/// Where a triple pattern looks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Context {
    /// The default graph.
    Default,
    /// One named graph.
    Named(NamedNode),
    /// Every named graph; its name is bound to the variable.
    Any(Variable),
}

impl Context {
    pub(crate) fn of(name: &NamedNodePattern) -> Self {
        match name {
            NamedNodePattern::NamedNode(name) => Self::Named(name.clone()),
            NamedNodePattern::Variable(variable) => Self::Any(variable.clone()),
        }
    }
}

/// The pattern of a query.
pub(crate) fn pattern(query: &Query) -> &GraphPattern {
    match query {
        Query::Select { pattern, .. }
        | Query::Construct { pattern, .. }
        | Query::Describe { pattern, .. }
        | Query::Ask { pattern, .. } => pattern,
    }
}

/// The query with another pattern and no dataset of its own.
pub(crate) fn with_pattern(query: &Query, pattern: GraphPattern) -> Query {
    let base_iri = query.base_iri().cloned();
    let dataset = None;
    match query {
        Query::Select { .. } => Query::Select {
            dataset,
            pattern,
            base_iri,
        },
        Query::Construct { template, .. } => Query::Construct {
            template: template.clone(),
            dataset,
            pattern,
            base_iri,
        },
        Query::Describe { .. } => Query::Describe {
            dataset,
            pattern,
            base_iri,
        },
        Query::Ask { .. } => Query::Ask {
            dataset,
            pattern,
            base_iri,
        },
    }
}

/// The variables of a query's rows, in order.
pub(crate) fn columns(pattern: &GraphPattern) -> Vec<Variable> {
    match pattern {
        GraphPattern::Project { variables, .. } => variables.clone(),
        GraphPattern::Slice { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner }
        | GraphPattern::OrderBy { inner, .. } => columns(inner),
        other => {
            let mut variables = Vec::new();
            other.on_in_scope_variable(|variable| {
                if !variables.contains(variable) {
                    variables.push(variable.clone());
                }
            });
            variables
        }
    }
}

/// The variable that stands for a blank node of a pattern: such a blank node is a variable nobody can name.
pub(crate) fn blank_variable(blank: &BlankNode) -> Variable {
    Variable::new_unchecked(format!(
        "twinlinkBlank_{}",
        blank.as_str().replace(['.', '-'], "_")
    ))
}

/// The term pattern with variables for blank nodes.
pub(crate) fn unblank(term: &TermPattern) -> TermPattern {
    match term {
        TermPattern::BlankNode(blank) => TermPattern::Variable(blank_variable(blank)),
        other => other.clone(),
    }
}

/// The triple pattern with variables for blank nodes.
pub(crate) fn unblank_triple(triple: &TriplePattern) -> TriplePattern {
    TriplePattern {
        subject: unblank(&triple.subject),
        predicate: triple.predicate.clone(),
        object: unblank(&triple.object),
    }
}

/// The pattern with variables for blank nodes, where it is of triple patterns, conditions and values.
pub(crate) fn unblanked(pattern: &GraphPattern) -> GraphPattern {
    let mut pattern = pattern.clone();
    match &mut pattern {
        GraphPattern::Bgp { patterns } => {
            for triple in patterns {
                *triple = unblank_triple(triple);
            }
        }
        GraphPattern::Join { left, right } => {
            **left = unblanked(left);
            **right = unblanked(right);
        }
        GraphPattern::Filter { inner, .. }
        | GraphPattern::Extend { inner, .. }
        | GraphPattern::Graph { inner, .. } => **inner = unblanked(inner),
        _ => {}
    }
    pattern
}

pub(crate) fn term_variable(term: &TermPattern) -> Option<Variable> {
    match unblank(term) {
        TermPattern::Variable(variable) => Some(variable),
        _ => None,
    }
}

/// The variables of a triple pattern.
pub(crate) fn triple_variables(triple: &TriplePattern) -> impl Iterator<Item = Variable> {
    let predicate = match &triple.predicate {
        NamedNodePattern::Variable(variable) => Some(variable.clone()),
        NamedNodePattern::NamedNode(_) => None,
    };
    [
        term_variable(&triple.subject),
        predicate,
        term_variable(&triple.object),
    ]
    .into_iter()
    .flatten()
}

/// The variables that every solution of the pattern binds.
pub(crate) fn certain(pattern: &GraphPattern, context: &Context) -> BTreeSet<Variable> {
    let graph = || match context {
        Context::Any(variable) => Some(variable.clone()),
        _ => None,
    };
    match pattern {
        GraphPattern::Bgp { patterns } if patterns.is_empty() => BTreeSet::new(),
        GraphPattern::Bgp { patterns } => patterns
            .iter()
            .flat_map(triple_variables)
            .chain(graph())
            .collect(),
        GraphPattern::Path {
            subject, object, ..
        } => [term_variable(subject), term_variable(object), graph()]
            .into_iter()
            .flatten()
            .collect(),
        GraphPattern::Join { left, right } | GraphPattern::Lateral { left, right } => {
            let mut both = certain(left, context);
            both.extend(certain(right, context));
            both
        }
        GraphPattern::Union { left, right } => {
            let right = certain(right, context);
            certain(left, context)
                .into_iter()
                .filter(|variable| right.contains(variable))
                .collect()
        }
        GraphPattern::LeftJoin { left, .. } | GraphPattern::Minus { left, .. } => {
            certain(left, context)
        }
        GraphPattern::Filter { inner, .. }
        | GraphPattern::Extend { inner, .. }
        | GraphPattern::OrderBy { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner }
        | GraphPattern::Slice { inner, .. } => certain(inner, context),
        GraphPattern::Graph { name, inner } => certain(inner, &Context::of(name)),
        GraphPattern::Values {
            variables,
            bindings,
        } => variables
            .iter()
            .enumerate()
            .filter(|(column, _)| {
                bindings
                    .iter()
                    .all(|row| row.get(*column).is_some_and(Option::is_some))
            })
            .map(|(_, variable)| variable.clone())
            .collect(),
        GraphPattern::Project { inner, variables }
        | GraphPattern::Group {
            inner, variables, ..
        } => {
            let inner = certain(inner, context);
            variables
                .iter()
                .filter(|variable| inner.contains(variable))
                .cloned()
                .collect()
        }
        GraphPattern::Service { .. } => BTreeSet::new(),
    }
}

/// The parts of a condition that must all hold.
pub(crate) fn conjuncts(condition: &Expression) -> Vec<&Expression> {
    match condition {
        Expression::And(left, right) => {
            let mut parts = conjuncts(left);
            parts.extend(conjuncts(right));
            parts
        }
        other => vec![other],
    }
}

/// Calls back on the expression and all its parts, not entering the patterns of EXISTS.
pub(crate) fn walk_expression<'a>(
    expression: &'a Expression,
    callback: &mut impl FnMut(&'a Expression),
) {
    callback(expression);
    for part in parts(expression) {
        walk_expression(part, callback);
    }
}

/// Calls back on each pattern of an EXISTS that stands in the expression itself.
pub(crate) fn exists_patterns<'a>(
    expression: &'a Expression,
    callback: &mut impl FnMut(&'a GraphPattern),
) {
    walk_expression(expression, &mut |part| {
        if let Expression::Exists(pattern) = part {
            callback(pattern);
        }
    });
}

/// The variables of an expression.
pub(crate) fn expression_variables(expression: &Expression) -> BTreeSet<Variable> {
    let mut variables = BTreeSet::new();
    walk_expression(expression, &mut |part| {
        if let Expression::Variable(variable) | Expression::Bound(variable) = part {
            variables.insert(variable.clone());
        }
    });
    variables
}

/// Whether every member finds the same value for the expression as we do: no EXISTS, which looks at one member's data
/// only, and no function that differs by time, place or chance or that a peer may not have.
pub(crate) fn is_portable(expression: &Expression) -> bool {
    let mut portable = true;
    walk_expression(expression, &mut |part| match part {
        Expression::Exists(_) => portable = false,
        Expression::FunctionCall(function, _) if !is_portable_function(function) => {
            portable = false;
        }
        _ => {}
    });
    portable
}

/// As [`is_portable`], for one function.
pub(crate) fn is_portable_function(function: &Function) -> bool {
    match function {
        Function::Rand | Function::Now | Function::Uuid | Function::StrUuid | Function::BNode => {
            false
        }
        Function::Custom(name) => [
            "http://www.opengis.net/def/function/geosparql/",
            "http://www.w3.org/2001/XMLSchema#",
        ]
        .iter()
        .any(|namespace| name.as_str().starts_with(namespace)),
        _ => true,
    }
}

/// Calls back on each pattern of an EXISTS that stands in the expression itself, to change it.
pub(crate) fn each_exists(
    expression: &mut Expression,
    callback: &mut dyn FnMut(&mut GraphPattern),
) {
    walk_expression_mut(expression, &mut |part| {
        if let Expression::Exists(pattern) = part {
            callback(pattern);
        }
    });
}

/// As [`walk_expression`], to change what it calls back on.
pub(crate) fn walk_expression_mut(
    expression: &mut Expression,
    callback: &mut dyn FnMut(&mut Expression),
) {
    callback(expression);
    for part in parts_mut(expression) {
        walk_expression_mut(part, callback);
    }
}

/// Calls back on a pattern and all patterns below it, those of EXISTS included, and on each expression that stands in
/// one of them.
pub(crate) fn walk<'a>(
    pattern: &'a GraphPattern,
    on_pattern: &mut dyn FnMut(&'a GraphPattern),
    on_expression: &mut dyn FnMut(&'a Expression),
) {
    on_pattern(pattern);
    for expression in expressions(pattern) {
        on_expression(expression);
        let mut inner = Vec::new();
        exists_patterns(expression, &mut |pattern| inner.push(pattern));
        for pattern in inner {
            walk(pattern, on_pattern, on_expression);
        }
    }
    for child in children(pattern) {
        walk(child, on_pattern, on_expression);
    }
}

//! SPARQL algebra to text, so that parsing the text gives algebra with the same solutions.
//!
//! spargebra's own `Display` leaves out braces where the scope of a FILTER, a BIND or an OPTIONAL depends on them.
//! Here each operand stands in braces of its own. Blank nodes of patterns become variables, which no projection
//! names: a label may not be used in two groups.

use crate::algebra::{self, columns, unblank, unblank_triple};
use oxrdf::Variable;
use spargebra::Query;
use spargebra::algebra::{
    AggregateExpression, AggregateFunction, Expression, GraphPattern, OrderExpression,
};
use std::fmt::Write;

/// The query's text, without its FROM clauses; none where the text could mean something else.
pub fn query_text(query: &Query) -> Option<String> {
    let mut text = Text::default();
    if let Some(base) = query.base_iri() {
        text.put(format_args!("BASE <{base}> "));
    }
    match query {
        Query::Select { pattern, .. } => text.select(pattern),
        Query::Ask { pattern, .. } => {
            text.put("ASK ");
            text.whole(pattern);
        }
        Query::Describe { pattern, .. } => {
            text.put("DESCRIBE * WHERE ");
            text.whole(pattern);
        }
        Query::Construct {
            template, pattern, ..
        } => {
            text.put("CONSTRUCT { ");
            for triple in template {
                text.put(format_args!("{triple} . "));
            }
            text.put("} WHERE ");
            text.whole(pattern);
        }
    }
    (!text.is_ambiguous).then_some(text.out)
}

#[derive(Default)]
struct Text {
    out: String,
    is_ambiguous: bool,
}

impl Text {
    fn put(&mut self, part: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{part}");
    }

    /// The pattern of ASK, CONSTRUCT or DESCRIBE: a sub-select where it projects or cuts.
    fn whole(&mut self, pattern: &GraphPattern) {
        if is_select(pattern) {
            self.put("{ { ");
            self.select(pattern);
            self.put("} } ");
        } else {
            self.group(pattern);
        }
    }

    fn select(&mut self, pattern: &GraphPattern) {
        let (mut start, mut length, mut modifier) = (0, None, "");
        let mut order = None;
        let mut inner = pattern;
        if let GraphPattern::Slice {
            inner: below,
            start: s,
            length: l,
        } = inner
        {
            (start, length, inner) = (*s, *l, below);
        }
        match inner {
            GraphPattern::Distinct { inner: below } => (modifier, inner) = ("DISTINCT ", below),
            GraphPattern::Reduced { inner: below } => (modifier, inner) = ("REDUCED ", below),
            _ => {}
        }
        let variables = columns(inner);
        if let GraphPattern::Project { inner: below, .. } = inner {
            inner = below;
        }
        if let GraphPattern::OrderBy {
            inner: below,
            expression,
        } = inner
        {
            (order, inner) = (Some(expression), below);
        }
        self.put("SELECT ");
        self.put(modifier);
        self.variables(&variables);
        self.put("WHERE ");
        self.group(inner);
        if let Some(order) = order {
            self.put("ORDER BY ");
            for by in order {
                let (name, expression) = match by {
                    OrderExpression::Asc(expression) => ("ASC(", expression),
                    OrderExpression::Desc(expression) => ("DESC(", expression),
                };
                self.put(name);
                self.expression(expression);
                self.put(") ");
            }
        }
        if let Some(length) = length {
            self.put(format_args!("LIMIT {length} "));
        }
        if start > 0 {
            self.put(format_args!("OFFSET {start} "));
        }
    }

    fn variables(&mut self, variables: &[Variable]) {
        if variables.is_empty() {
            // A star would name the variables made of blank nodes too.
            self.is_ambiguous = true;
            self.put("* ");
        }
        for variable in variables {
            self.put(format_args!("{variable} "));
        }
    }

    fn group(&mut self, pattern: &GraphPattern) {
        self.put("{ ");
        self.elements(pattern);
        self.put("} ");
    }

    /// The pattern as the first elements of a group, after which others may follow.
    fn prefix(&mut self, pattern: &GraphPattern) {
        // A FILTER would apply to what follows too.
        if matches!(pattern, GraphPattern::Filter { .. }) {
            self.group(pattern);
        } else {
            self.elements(pattern);
        }
    }

    /// The pattern as all the elements of a group.
    fn elements(&mut self, pattern: &GraphPattern) {
        match pattern {
            GraphPattern::Bgp { patterns } => {
                for triple in patterns {
                    self.put(format_args!("{} . ", unblank_triple(triple)));
                }
            }
            GraphPattern::Path {
                subject,
                path,
                object,
            } => self.put(format_args!(
                "{} {path} {} . ",
                unblank(subject),
                unblank(object)
            )),
            GraphPattern::Join { left, right } => {
                self.prefix(left);
                self.group(right);
            }
            GraphPattern::Lateral { left, right } => {
                self.prefix(left);
                self.put("LATERAL ");
                self.group(right);
            }
            GraphPattern::LeftJoin {
                left,
                right,
                expression,
            } => {
                self.prefix(left);
                self.put("OPTIONAL { ");
                match expression {
                    Some(expression) => {
                        self.prefix(right);
                        self.put("FILTER(");
                        self.expression(expression);
                        self.put(") ");
                    }
                    // A FILTER at the top of the group would be read as the condition of the OPTIONAL.
                    None => self.prefix(right),
                }
                self.put("} ");
            }
            GraphPattern::Minus { left, right } => {
                self.prefix(left);
                self.put("MINUS ");
                self.group(right);
            }
            GraphPattern::Filter { expr, inner } => {
                self.elements(inner);
                self.put("FILTER(");
                self.expression(expr);
                self.put(") ");
            }
            GraphPattern::Union { left, right } => {
                // UNION leans to the left, as the parser does.
                if matches!(**left, GraphPattern::Union { .. }) {
                    self.elements(left);
                } else {
                    self.group(left);
                }
                self.put("UNION ");
                self.group(right);
            }
            GraphPattern::Graph { name, inner } => {
                self.put(format_args!("GRAPH {name} "));
                self.group(inner);
            }
            GraphPattern::Extend {
                inner,
                variable,
                expression,
            } => {
                self.prefix(inner);
                self.put("BIND(");
                self.expression(expression);
                self.put(format_args!(" AS {variable}) "));
            }
            GraphPattern::Values {
                variables,
                bindings,
            } => self.values(variables, bindings),
            GraphPattern::Service {
                name,
                inner,
                silent,
            } => {
                self.put(format_args!(
                    "SERVICE {}{name} ",
                    if *silent { "SILENT " } else { "" }
                ));
                self.group(inner);
            }
            GraphPattern::Group {
                inner,
                variables,
                aggregates,
            } => self.grouped(inner, variables, aggregates),
            GraphPattern::OrderBy { .. }
            | GraphPattern::Project { .. }
            | GraphPattern::Distinct { .. }
            | GraphPattern::Reduced { .. }
            | GraphPattern::Slice { .. } => {
                self.put("{ ");
                self.select(pattern);
                self.put("} ");
            }
        }
    }

    fn values(
        &mut self,
        variables: &[Variable],
        bindings: &[Vec<Option<spargebra::term::GroundTerm>>],
    ) {
        self.put("VALUES ( ");
        for variable in variables {
            self.put(format_args!("{variable} "));
        }
        self.put(") { ");
        for row in bindings {
            self.put("( ");
            for value in row {
                match value {
                    Some(value) => self.put(format_args!("{value} ")),
                    None => self.put("UNDEF "),
                }
            }
            self.put(") ");
        }
        self.put("} ");
    }

    fn grouped(
        &mut self,
        inner: &GraphPattern,
        variables: &[Variable],
        aggregates: &[(Variable, AggregateExpression)],
    ) {
        // Without keys and aggregates there is no text for it; spargebra makes none such.
        self.is_ambiguous |= variables.is_empty() && aggregates.is_empty();
        self.put("{ SELECT ");
        for variable in variables {
            self.put(format_args!("{variable} "));
        }
        for (variable, aggregate) in aggregates {
            self.put("(");
            self.aggregate(aggregate);
            self.put(format_args!(" AS {variable}) "));
        }
        self.put("WHERE ");
        self.group(inner);
        if !variables.is_empty() {
            self.put("GROUP BY ");
            for variable in variables {
                self.put(format_args!("{variable} "));
            }
        }
        self.put("} ");
    }

    fn aggregate(&mut self, aggregate: &AggregateExpression) {
        match aggregate {
            AggregateExpression::CountSolutions { distinct } => {
                // It counts distinct rows over all variables: also over those made of blank nodes.
                self.is_ambiguous |= *distinct;
                self.put("COUNT(*)");
            }
            AggregateExpression::FunctionCall {
                name,
                expr,
                distinct,
            } => {
                self.put(format_args!(
                    "{name}({}",
                    if *distinct { "DISTINCT " } else { "" }
                ));
                self.expression(expr);
                if let AggregateFunction::GroupConcat {
                    separator: Some(separator),
                } = name
                {
                    let separator = oxrdf::Literal::new_simple_literal(separator);
                    self.put(format_args!("; SEPARATOR = {separator}"));
                }
                self.put(")");
            }
        }
    }

    fn list(&mut self, expressions: &[Expression]) {
        self.put("(");
        for (number, expression) in expressions.iter().enumerate() {
            if number > 0 {
                self.put(", ");
            }
            self.expression(expression);
        }
        self.put(")");
    }

    fn binary(&mut self, left: &Expression, operator: &str, right: &Expression) {
        self.put("(");
        self.expression(left);
        self.put(format_args!(" {operator} "));
        self.expression(right);
        self.put(")");
    }

    fn unary(&mut self, operator: &str, inner: &Expression) {
        self.put(format_args!("({operator} "));
        self.expression(inner);
        self.put(")");
    }

    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::NamedNode(name) => self.put(name),
            Expression::Literal(literal) => self.put(literal),
            Expression::Variable(variable) => self.put(variable),
            Expression::Bound(variable) => self.put(format_args!("BOUND({variable})")),
            Expression::Or(left, right) => self.binary(left, "||", right),
            Expression::And(left, right) => self.binary(left, "&&", right),
            Expression::Equal(left, right) => self.binary(left, "=", right),
            Expression::Greater(left, right) => self.binary(left, ">", right),
            Expression::GreaterOrEqual(left, right) => self.binary(left, ">=", right),
            Expression::Less(left, right) => self.binary(left, "<", right),
            Expression::LessOrEqual(left, right) => self.binary(left, "<=", right),
            Expression::Add(left, right) => self.binary(left, "+", right),
            Expression::Subtract(left, right) => self.binary(left, "-", right),
            Expression::Multiply(left, right) => self.binary(left, "*", right),
            Expression::Divide(left, right) => self.binary(left, "/", right),
            Expression::UnaryPlus(inner) => self.unary("+", inner),
            Expression::UnaryMinus(inner) => self.unary("-", inner),
            Expression::Not(inner) => self.unary("!", inner),
            Expression::SameTerm(left, right) => {
                self.put("sameTerm(");
                self.expression(left);
                self.put(", ");
                self.expression(right);
                self.put(")");
            }
            Expression::In(left, list) => {
                self.put("(");
                self.expression(left);
                self.put(" IN ");
                self.list(list);
                self.put(")");
            }
            Expression::Exists(pattern) => {
                self.put("(EXISTS ");
                self.group(pattern);
                self.put(")");
            }
            Expression::If(condition, then, otherwise) => {
                self.put("IF(");
                self.expression(condition);
                self.put(", ");
                self.expression(then);
                self.put(", ");
                self.expression(otherwise);
                self.put(")");
            }
            Expression::Coalesce(list) => {
                self.put("COALESCE");
                self.list(list);
            }
            Expression::FunctionCall(function, list) => {
                self.put(function);
                self.list(list);
            }
        }
    }
}

fn is_select(pattern: &GraphPattern) -> bool {
    matches!(
        pattern,
        GraphPattern::OrderBy { .. }
            | GraphPattern::Project { .. }
            | GraphPattern::Distinct { .. }
            | GraphPattern::Reduced { .. }
            | GraphPattern::Slice { .. }
    )
}

/// Whether members can evaluate the whole query as we would: nothing that differs by time, chance or place, and no
/// SERVICE, which is ours to call.
pub(crate) fn is_portable(query: &Query) -> bool {
    let (mut no_service, mut portable) = (true, true);
    algebra::walk(
        algebra::pattern(query),
        &mut |pattern| no_service &= !matches!(pattern, GraphPattern::Service { .. }),
        &mut |expression| {
            algebra::walk_expression(expression, &mut |part| {
                if let Expression::FunctionCall(function, _) = part {
                    portable &= algebra::is_portable_function(function);
                }
            });
        },
    );
    no_service && portable
}

/// How deep the brackets of a text nest, those in strings included.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

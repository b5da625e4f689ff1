//! How long the chains of a text and how large its algebra are: parsers, optimizers and evaluators go down them.

use crate::algebra::{children, expressions, parts};
use spargebra::algebra::{Expression, GraphPattern, PropertyPathExpression};

/// What a recursive parser will go down in a text. Where a character may be a bracket or an operator, it counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// The deepest nesting of brackets.
    pub(super) nesting: usize,
    /// Where that is first reached, in bytes from the start.
    pub(super) deepest: usize,
    /// Characters of operators outside IRIs, strings, comments, names, numbers and blocks of data: the parser goes one
    /// call deeper for each operator of a chain such as `a/a/a` or `1+1+1`.
    pub(super) operators: usize,
}

/// Measures a text without parsing it.
pub(super) fn shape(text: &str) -> Shape {
    let mut shape = Shape::default();
    let mut depth = 0_usize;
    // How deep the brackets were before the block of data that we are in, or that a keyword announced.
    let mut data: Option<usize> = None;
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let length = match first {
            b'#' => 1 + run(after, |byte| byte != b'\n' && byte != b'\r'),
            b'"' | b'\'' => string(rest, first),
            b'?' | b'$' => 1 + run(after, is_word),
            b'@' => 1 + run(after, |byte| byte == b'-' || is_word(byte)),
            b'0'..=b'9' | b'.' => number(rest),
            b'<' if let Some(inside) = iri(after) => {
                // It may also be a comparison: what it opens counts, what it closes does not.
                let before = depth;
                for byte in inside {
                    match byte {
                        b'(' | b'[' => depth += 1,
                        b')' | b']' => depth = depth.saturating_sub(1).max(before),
                        _ => {}
                    }
                    shape.reaches(depth, text.len() - rest.len());
                }
                if data.is_none() && !has_authority(inside) {
                    shape.operators += inside.iter().filter(|byte| is_operator(**byte)).count();
                }
                inside.len() + 2
            }
            _ if is_word(first) || first == b':' => {
                let length = name(rest);
                let word = rest.get(..length).unwrap_or_default();
                if word.eq_ignore_ascii_case(b"DATA") || word.eq_ignore_ascii_case(b"VALUES") {
                    data = Some(depth);
                }
                length
            }
            b'{' | b'(' | b'[' => {
                depth += 1;
                shape.reaches(depth, text.len() - rest.len());
                1
            }
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                data = data.filter(|before| first != b'}' || depth > *before);
                1
            }
            _ => {
                shape.operators += usize::from(data.is_none() && is_operator(first));
                1
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    shape
}

impl Shape {
    fn reaches(&mut self, depth: usize, place: usize) {
        if depth > self.nesting {
            (self.nesting, self.deepest) = (depth, place);
        }
    }
}

/// What a join of groups counts.
const JOIN: usize = 6;

/// How many patterns, operators and expressions there are in a pattern, its own included. Lists of constants and
/// variables, as in VALUES and IN, count once: nothing goes down them. What is joined counts more: the optimizer's
/// time to order n triple patterns grows with the fourth power of n (measured: 0.3 s for 60, 4 s for 120).
pub(super) fn nodes(pattern: &GraphPattern) -> usize {
    let mut open = vec![Node::Pattern(pattern)];
    let mut count = 0;
    while let Some(node) = open.pop() {
        count += 1;
        match node {
            Node::Pattern(pattern) => count += below_pattern(pattern, &mut open),
            Node::Expression(expression) => below_expression(expression, &mut open),
            Node::Path(path) => below_path(path, &mut open),
        }
    }
    count
}

/// A part of the algebra.
enum Node<'a> {
    Pattern(&'a GraphPattern),
    Expression(&'a Expression),
    Path(&'a PropertyPathExpression),
}

/// Puts what is right below, and tells what its triple patterns and joins count.
fn below_pattern<'a>(pattern: &'a GraphPattern, open: &mut Vec<Node<'a>>) -> usize {
    open.extend(children(pattern).into_iter().map(Node::Pattern));
    open.extend(expressions(pattern).into_iter().map(Node::Expression));
    match pattern {
        GraphPattern::Bgp { patterns } => {
            let count = patterns.len();
            count + count * count / 10
        }
        GraphPattern::Path { path, .. } => {
            open.push(Node::Path(path));
            0
        }
        GraphPattern::Join { .. } | GraphPattern::Lateral { .. } => JOIN,
        _ => 0,
    }
}

fn below_expression<'a>(expression: &'a Expression, open: &mut Vec<Node<'a>>) {
    let is_deep = |one: &&Expression| {
        !matches!(
            one,
            Expression::NamedNode(_) | Expression::Literal(_) | Expression::Variable(_)
        )
    };
    match expression {
        Expression::Exists(pattern) => open.push(Node::Pattern(pattern)),
        Expression::In(a, list) => {
            open.push(Node::Expression(a));
            open.extend(list.iter().filter(is_deep).map(Node::Expression));
        }
        Expression::Coalesce(list) | Expression::FunctionCall(_, list) => {
            open.extend(list.iter().filter(is_deep).map(Node::Expression));
        }
        _ => open.extend(parts(expression).into_iter().map(Node::Expression)),
    }
}

fn below_path<'a>(path: &'a PropertyPathExpression, open: &mut Vec<Node<'a>>) {
    match path {
        PropertyPathExpression::NamedNode(_) | PropertyPathExpression::NegatedPropertySet(_) => {}
        PropertyPathExpression::Reverse(a)
        | PropertyPathExpression::ZeroOrMore(a)
        | PropertyPathExpression::OneOrMore(a)
        | PropertyPathExpression::ZeroOrOne(a) => open.push(Node::Path(a)),
        PropertyPathExpression::Sequence(a, b) | PropertyPathExpression::Alternative(a, b) => {
            open.extend([Node::Path(a), Node::Path(b)]);
        }
    }
}

/// The length of the string that begins here: quoted once or three times. One that does not end is as long as the text.
fn string(text: &[u8], quote: u8) -> usize {
    let long = [quote; 3];
    let end: &[u8] = if text.starts_with(&long) {
        &long
    } else {
        &long[..1]
    };
    let mut at = end.len();
    while let Some(rest) = text.get(at..) {
        match rest.first() {
            None => break,
            Some(b'\\') => at += 2,
            Some(_) if rest.starts_with(end) => return at + end.len(),
            Some(_) => at += 1,
        }
    }
    text.len()
}

/// What is inside the IRI that has begun, if it is one: <https://www.w3.org/TR/sparql11-query/#rIRIREF>.
fn iri(text: &[u8]) -> Option<&[u8]> {
    let length = run(text, |byte| {
        byte > b' ' && !matches!(byte, b'<' | b'>' | b'"' | b'{' | b'}' | b'|' | b'^' | b'`')
    });
    (text.get(length) == Some(&b'>')).then(|| text.get(..length))?
}

/// Whether an IRI begins like `https://`, as no expression does.
fn has_authority(iri: &[u8]) -> bool {
    let scheme = run(iri, |byte| byte.is_ascii_alphanumeric());
    let rest = iri.get(scheme..).unwrap_or_default();
    scheme > 0 && rest.starts_with(b"://")
}

fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'/' | b'|' | b'^' | b'!' | b'&' | b'*' | b'+' | b'-' | b'=' | b'<' | b'>'
    )
}

/// The length of the number or dot that begins here.
fn number(text: &[u8]) -> usize {
    let digits = run(text, |byte| byte.is_ascii_digit() || byte == b'.');
    let Some([b'e' | b'E', exponent @ ..]) = text.get(digits..) else {
        return digits;
    };
    let sign = usize::from(matches!(exponent.first(), Some(b'+' | b'-')));
    let exponent = run(exponent.get(sign..).unwrap_or_default(), |byte| {
        byte.is_ascii_digit()
    });
    if exponent == 0 {
        digits
    } else {
        digits + 1 + sign + exponent
    }
}

/// The length of the keyword or name that begins here. After its colon a name may have hyphens and escapes; before it
/// a hyphen could be an operator too.
fn name(text: &[u8]) -> usize {
    let mut at = run(text, is_word);
    if text.get(at) != Some(&b':') {
        return at;
    }
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b':' | b'-' | b'.' | b'%' => at += 1,
            _ if is_word(byte) => at += 1,
            _ => break,
        }
    }
    at
}

fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| belongs(**byte)).count()
}

/// A letter, also beyond ASCII, a digit or an underscore.
fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use spargebra::{Query, SparqlParser};

    #[test]
    fn operators_are_counted_where_they_are_operators() {
        for (text, count) in [
            ("ASK { ?s ex:a-b/ex:c ?o }", 1),
            ("<http://a/b/c> 'a/b' \"\"\"a/\"/\\\"/b\"\"\" # a/b\n /", 1),
            ("?x-1 -?y+1.5e-3", 3),
            ("1e0-1-1", 2),
            ("true-1-1", 2),
            ("true-1-1-a:b-1", 3),
            ("'x'@en-us-1", 0),
            (
                "INSERT DATA { :a :b -1 , -2 GRAPH :g { :a :b -3 } } ; DELETE { :a :b -4 }",
                1,
            ),
            ("VALUES (?x ?y) { (-1 -2) } FILTER(-1)", 1),
            ("ex:data { -1 }", 1),
            ("?x < ?y || ?x > ?y", 4),
            ("ex:a\\/b 'it\\'s/'", 0),
            ("'unfinished / ", 0),
            ("häuser/straßen", 1),
            ("1 <2 && 3> 4", 4),
            ("1<2/3/4>5", 2),
            ("<urn:a-b/c> <a-b://c/d> VALUES ?x { <urn:a-b> }", 6),
        ] {
            assert_eq!(shape(text).operators, count, "{text}");
        }
    }

    #[test]
    fn no_string_or_iri_hides_how_deep_brackets_nest() {
        for (text, nesting) in [
            ("{ ( [ ] ) } {}", 3),
            ("( ')' ( \")\" ( # )\n ( <http://a/)> (", 5),
            ("'((((' \"((((\" # ((((", 0),
            ("<http://a/b_(c)> <http://a/b_(c)> (1)", 1),
            ("1<((((1))))&&1>2", 4),
            ("(1<)))>(1<)))>(1", 3),
            ("(1<((1>(1<((1>(1", 7),
        ] {
            assert_eq!(shape(text).nesting, nesting, "{text}");
        }
        assert_eq!(shape("(\n((").deepest, 3);
    }

    #[test]
    fn lists_of_constants_count_once_and_all_else_counts() {
        let count = |text: &str| match SparqlParser::new().parse_query(text).unwrap() {
            Query::Ask { pattern, .. } => nodes(&pattern),
            _ => panic!("{text}"),
        };
        let list = "1, ".repeat(5_000);
        assert!(count(&format!("ASK {{ ?s ?p ?o FILTER(?o IN ({list}1)) }}")) < 10);
        let values = "1 ".repeat(5_000);
        assert!(count(&format!("ASK {{ VALUES ?o {{ {values} }} }}")) < 10);
        for part in [
            "?s ?p ?o . ",
            "OPTIONAL { ?s ?p ?o } ",
            "{ ?a ?b ?c } UNION { ?a ?b ?c } ",
        ] {
            assert!(
                count(&format!("ASK {{ {} }}", part.repeat(100))) >= 100,
                "{part}"
            );
        }
        let deep = "1 + ".repeat(100);
        assert!(
            count(&format!(
                "ASK {{ FILTER EXISTS {{ ?s ?p ?o FILTER({deep} 1) }} }}"
            )) > 100
        );
    }
}

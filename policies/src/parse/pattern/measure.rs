//! How deep a parser would go down a text, told without parsing it.

/// What a recursive parser will go down. Where a character may be a bracket or an operator, it counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// The deepest nesting of brackets.
    pub(super) nesting: usize,
    /// Characters of operators outside strings, comments and IRIs.
    pub(super) operators: usize,
}

/// Measures a text. A bracket in a string or a comment is none; what looks like an IRI may be a comparison, so there
/// brackets that open count, and those that close do not.
pub(super) fn measure(text: &str) -> Size {
    let mut size = Size::default();
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let length = match first {
            b'#' => 1 + run(after, |byte| byte != b'\n' && byte != b'\r'),
            b'"' | b'\'' => string(rest, first),
            b'<' => match iri(after) {
                Some(inside) => {
                    depth += inside.iter().filter(|byte| opens(**byte)).count();
                    if !has_authority(inside) {
                        size.operators += 1 + inside.iter().filter(|byte| operates(**byte)).count();
                    }
                    inside.len() + 2
                }
                None => {
                    size.operators += 1;
                    1
                }
            },
            _ => {
                match first {
                    _ if opens(first) => depth += 1,
                    b'}' | b')' | b']' => depth = depth.saturating_sub(1),
                    _ => size.operators += usize::from(operates(first)),
                }
                1
            }
        };
        size.nesting = size.nesting.max(depth);
        rest = rest.get(length..).unwrap_or_default();
    }
    size
}

fn opens(byte: u8) -> bool {
    matches!(byte, b'{' | b'(' | b'[')
}

fn operates(byte: u8) -> bool {
    matches!(
        byte,
        b'/' | b'|' | b'^' | b'!' | b'&' | b'*' | b'+' | b'-' | b'=' | b'<' | b'>'
    )
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

fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| belongs(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_bracket_or_an_operator_counts() {
        for (text, nesting, operators) in [
            ("{ ( [ ] ) } {}", 3, 0),
            ("( ')' ( \")\" ( # )\n ( <http://a/)> (", 5, 0),
            ("'((((' \"((((\" # ((((", 0, 0),
            ("1<((((1))))&&1>2", 4, 3),
            ("(1<((1>(1<((1>(1", 7, 2),
            ("?s <http://a/b>/<http://c/d>* ?o", 0, 2),
            ("1 < 2 || ?x = 3", 0, 4),
            ("'unfinished / (", 0, 0),
        ] {
            let expected = Size { nesting, operators };
            assert_eq!(measure(text), expected, "{text}");
        }
    }
}

//! Conditions and values over `?a ?b ?c ?p ?g`. Errors in them are part of their meaning.

use super::Writer;
use crate::noninterference::random::Random;

impl Writer<'_> {
    /// What a FILTER may ask.
    pub(super) fn condition(&mut self, random: &mut Random, depth: usize) -> String {
        let variable = variable(random);
        if depth > 0 {
            match random.below(12) {
                0 => return format!("!({})", self.condition(random, depth - 1)),
                1 => {
                    let (left, right) = (
                        self.condition(random, depth - 1),
                        self.condition(random, depth - 1),
                    );
                    let operator = random.pick(&["&&", "||"]);
                    return format!("({left} {operator} {right})");
                }
                2 => return format!("EXISTS {}", self.group(random, 0)),
                3 => return format!("NOT EXISTS {}", self.group(random, 0)),
                _ => {}
            }
        }
        match random.below(14) {
            0 => format!("isIRI({variable})"),
            1 => format!("isBlank({variable})"),
            2 => format!("isLiteral({variable})"),
            3 => format!("isNumeric({variable})"),
            4 => format!("BOUND({variable})"),
            5 => format!("CONTAINS(STR({variable}), '{}')", random.below(5)),
            6 => format!("REGEX(STR({variable}), '[a-s]{}$')", random.below(5)),
            7 => format!("LANG({variable}) = 'en'"),
            8 => format!("DATATYPE({variable}) = xsd:integer"),
            9 => format!("sameTerm({variable}, {})", self.constant(random)),
            10 => format!(
                "{variable} IN ({}, {})",
                self.constant(random),
                self.constant(random)
            ),
            _ => {
                let operator = random.pick(&["=", "!=", "<", ">", "<=", ">="]);
                format!("{variable} {operator} {}", self.value(random, depth.min(1)))
            }
        }
    }

    /// What BIND may compute.
    pub(super) fn value(&mut self, random: &mut Random, depth: usize) -> String {
        let variable = variable(random);
        if depth == 0 {
            return if random.chance(50) {
                variable.to_owned()
            } else {
                self.constant(random)
            };
        }
        match random.below(14) {
            0 => format!("STR({variable})"),
            1 => format!("CONCAT(STR({variable}), 'x')"),
            2 => format!("UCASE(STR({variable}))"),
            3 => format!("COALESCE({variable}, {})", self.value(random, depth - 1)),
            4 => format!(
                "IF({}, {}, {})",
                self.condition(random, 0),
                self.value(random, depth - 1),
                self.value(random, depth - 1)
            ),
            5 => format!("({variable} + {})", random.below(4)),
            6 => format!("STRLEN(STR({variable}))"),
            7 => format!("SHA256(STR({variable}))"),
            8 => format!("SUBSTR(STR({variable}), {})", random.between(1, 12)),
            9 => format!("REPLACE(STR({variable}), '[0-3]', 'n')"),
            10 => format!("IRI(CONCAT('http://e/', STR({variable})))"),
            11 => format!("STRDT(STR({variable}), xsd:string)"),
            12 => format!("STRAFTER(STR({variable}), 'http://e/')"),
            _ => self.value(random, 0),
        }
    }
}

fn variable(random: &mut Random) -> &'static str {
    const VARIABLES: [&str; 6] = ["?a", "?b", "?b", "?c", "?p", "?g"];
    let variable: &&str = random.pick(&VARIABLES);
    variable
}

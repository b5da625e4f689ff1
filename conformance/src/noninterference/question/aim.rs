//! Questions that aim at what is shown changed, told in numbers, or hangs on what is named.

use super::{Check, Writer, direction};
use crate::noninterference::generate::{DISTRICT, PLACE, SIZE, TIME};
use crate::noninterference::random::Random;
use twinlink_core::policy::Named;

const TL: &str = "https://w3id.org/twinlink/ns#";
const CUBE: &str = "http://purl.org/linked-data/cube#";

pub(super) fn text(random: &mut Random, writer: &mut Writer<'_>) -> (String, String, Check) {
    let property = *random.pick(&[PLACE, TIME, SIZE, DISTRICT]);
    let (value, other) = (writer.constant(random), writer.constant(random));
    let node = writer.node(random);
    let some = random.below(6);
    // As many as there may be, or one more.
    let many: Vec<_> = (0..random.between(Named::MOST, Named::MOST + 1))
        .map(|number| format!(":s{number}"))
        .collect();
    let many = many.join(" ");
    let (head, body) = match random.below(30) {
        // Filters, joins and groups over values.
        0 => (
            "SELECT *",
            format!("{{ ?a :p{property} ?b FILTER(?b = {value}) }}"),
        ),
        1 => (
            "SELECT *",
            format!("{{ ?a :p{property} ?b FILTER(?b > {value}) }}"),
        ),
        2 => (
            "SELECT *",
            format!("{{ ?a :p{property} ?b FILTER(sameTerm(?b, {value})) }}"),
        ),
        3 => (
            "SELECT *",
            format!("{{ ?a :p{property} ?b . ?c :p{property} ?b }}"),
        ),
        4 => ("SELECT *", format!("{{ ?a :p{property} {value} ; ?p ?b }}")),
        5 => ("ASK", format!("{{ {node} :p{property} {value} }}")),
        6 => (
            "SELECT *",
            format!("{{ VALUES ?b {{ {value} {other} }} ?a :p{property} ?b }}"),
        ),
        7 => (
            "SELECT ?b (COUNT(DISTINCT ?a) AS ?n)",
            format!("{{ ?a :p{property} ?b }} GROUP BY ?b"),
        ),
        8 => (
            "SELECT ?b (COUNT(*) AS ?n)",
            format!("{{ ?a :p{property} ?b ; :p{DISTRICT} ?d }} GROUP BY ?b HAVING(COUNT(*) < 3)"),
        ),
        9 => (
            "SELECT (SHA256(STR(?b)) AS ?h) (STRLEN(STR(?b)) AS ?l)",
            format!("{{ ?a :p{property} ?b }}"),
        ),
        10 => (
            "SELECT *",
            format!("{{ ?a :p{property} ?b FILTER(SHA1(STR(?b)) = SHA1(STR({value}))) }}"),
        ),
        11 => (
            "SELECT (SUM(?b) AS ?n) (MIN(STR(?b)) AS ?m)",
            format!("{{ ?a :p{SIZE} ?b }}"),
        ),
        12 => ("SELECT *", format!("{{ {node} ?p ?b }}")),
        13 => ("SELECT *", format!("{{ ?a ?p {value} }}")),
        14 => {
            let body = format!("{{ ?a :p{property} ?b BIND(STR(?b) AS ?k) }}");
            let body = format!("{body} ORDER BY {} LIMIT {}", direction(random), 1 + some);
            return ("SELECT ?k".to_owned(), body, Check::Ordered);
        }
        15 => (
            "SELECT *",
            format!(
                "{{ ?a :p{property} ?b FILTER NOT EXISTS {{ ?c :p{property} ?b FILTER(?c != ?a) }} }}"
            ),
        ),
        16 => (
            "SELECT *",
            format!(
                "{{ ?a :p{PLACE} ?b FILTER(<http://www.opengis.net/def/function/geosparql/sfWithin>(?b, \
                 'POLYGON((-0.05 -0.05, 2.05 -0.05, 2.05 2.{some}5, -0.05 2.{some}5, -0.05 -0.05))'\
                 ^^<http://www.opengis.net/ont/geosparql#wktLiteral>)) }}"
            ),
        ),
        // Numbers.
        17 => ("SELECT *", format!("{{ ?o <{TL}count> ?n ; ?p ?v }}")),
        18 => (
            "SELECT (SUM(?n) AS ?t)",
            format!("{{ ?o <{TL}count> ?n ; :p{DISTRICT} ?d }}"),
        ),
        19 => (
            "SELECT ?d ((?t - ?n) AS ?rest)",
            format!(
                "{{ ?o <{TL}count> ?n ; :p{DISTRICT} ?d {{ SELECT (SUM(?m) AS ?t) {{ ?x <{TL}count> ?m }} }} }}"
            ),
        ),
        20 => (
            "SELECT *",
            format!(
                "{{ ?o a <{CUBE}Observation> ; <{CUBE}dataSet> ?s OPTIONAL {{ ?o <{TL}sum> ?v }} }}"
            ),
        ),
        21 => (
            "SELECT *",
            format!("{{ ?o <{TL}average>|<{TL}measured> ?v }}"),
        ),
        // Names.
        22 | 26 | 27 => ("SELECT *", format!("{{ VALUES ?a {{ {many} }} ?a ?p ?b }}")),
        23 | 28 | 29 => ("SELECT *", format!("{{ VALUES ?b {{ {many} }} ?a ?p ?b }}")),
        24 => (
            "SELECT *",
            format!("{{ {node} ?p ?b FILTER EXISTS {{ ?c ?p {value} }} }}"),
        ),
        _ => (
            "SELECT *",
            format!("{{ {{ {node} ?p ?b }} UNION {{ ?b (:p{some}/:p0?)|:p1 {node} }} }}"),
        ),
    };
    (head.to_owned(), body, Check::Rows)
}

//! Short texts that ask for endless work.

use std::fmt::Write as _;

/// Names of the made-up twin start with this.
pub(super) const BASE: &str = "http://hostile.example/";

/// How many things the twin has: each has ten quads.
const THINGS: usize = 5000;

/// The twin, in N-Triples, in parts of at most so many things: a network in which each knows seven others.
pub(super) fn twin(part: usize) -> Vec<String> {
    let things: Vec<usize> = (0..THINGS).collect();
    let text = |things: &[usize]| things.iter().map(|number| thing(*number)).collect();
    things.chunks(part).map(text).collect()
}

fn thing(number: usize) -> String {
    let mut text = format!(
        "<{BASE}n{number}> <{BASE}name> \"aaaaaaaaaaaaaaaaaaaaaaaaaaaa{number}\" .\n\
         <{BASE}n{number}> <{BASE}value> \"{number}\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n\
         <{BASE}n{number}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <{BASE}Thing> .\n"
    );
    for step in 1..=7 {
        let other = (number * 7 + step * step * 31) % THINGS;
        // Writing to a string does not fail.
        let _ = writeln!(text, "<{BASE}n{number}> <{BASE}knows> <{BASE}n{other}> .");
    }
    text
}

/// All of them, by name.
pub(super) fn all() -> Vec<(&'static str, String)> {
    let mut all = products();
    all.extend(strings());
    all.extend(paths());
    all.extend(sizes());
    let prologue = |(name, query)| (name, format!("PREFIX : <{BASE}>\n{query}"));
    all.into_iter().map(prologue).collect()
}

fn products() -> Vec<(&'static str, String)> {
    let three = "?a ?b ?c . ?d ?e ?f . ?g ?h ?i";
    let numbers = |name: char| {
        let list: Vec<String> = (0..600).map(|number: u32| number.to_string()).collect();
        format!("VALUES ?{name} {{ {} }}", list.join(" "))
    };
    let values = ['a', 'b', 'c', 'd'].map(numbers).join(" ");
    vec![
        ("count of a product", format!("SELECT (COUNT(*) AS ?n) {{ {three} }}")),
        ("rows of a product", format!("SELECT * {{ {three} }}")),
        ("rows of a product far behind an offset",
            format!("SELECT * {{ {three} }} OFFSET 900000000000 LIMIT 1")),
        ("product that an expression joins",
            "ASK { ?a :name ?x . ?b :name ?y FILTER(CONCAT(?x, \"b\") = ?y) }".to_owned()),
        ("product under a sum of numbers",
            "SELECT * { ?a :value ?x . ?b :value ?y . ?c :value ?z FILTER(?x + ?y + ?z < 0) }".to_owned()),
        ("product in order", format!("SELECT * {{ {three} }} ORDER BY ?i ?a")),
        ("product in order of an expression",
            "SELECT ?a { ?a :name ?x . ?b :name ?y } ORDER BY SHA512(CONCAT(?x, ?y)) LIMIT 1".to_owned()),
        ("product without duplicates", format!("SELECT DISTINCT ?a ?d ?g {{ {three} }}")),
        ("count of a product without duplicates",
            format!("SELECT (COUNT(DISTINCT *) AS ?n) {{ {three} }}")),
        ("groups of a product",
            "SELECT ?a ?d (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f } GROUP BY ?a ?d HAVING (?n > 1000000)".to_owned()),
        ("sum over joined VALUES", format!("SELECT (SUM(?a * ?b * ?c * ?d) AS ?n) {{ {values} }}")),
        ("joined VALUES in order", format!("SELECT * {{ {values} }} ORDER BY (?a + ?b + ?c + ?d)")),
        ("CONSTRUCT of a product",
            "CONSTRUCT { ?a :p ?d . ?d :q ?f } { ?a ?b ?c . ?d ?e ?f }".to_owned()),
        ("DESCRIBE * of a product", "DESCRIBE * { ?a ?b ?c . ?d ?e ?f }".to_owned()),
        ("MINUS of products",
            "SELECT * { ?a ?b ?c . ?d ?e ?f MINUS { ?a ?e ?x . ?d ?b ?y } }".to_owned()),
        ("NOT EXISTS for each row",
            "SELECT * { ?a ?p ?b FILTER NOT EXISTS { ?c ?q ?d FILTER(STR(?c) = CONCAT(STR(?a), \"x\")) } }".to_owned()),
        ("product in a subquery in a subquery",
            "SELECT (MAX(?n) AS ?m) { { SELECT ?a (COUNT(*) AS ?n) { { SELECT ?a ?d { ?a ?b ?c . ?d ?e ?f } } ?g ?h ?i } GROUP BY ?a } }".to_owned()),
        ("LATERAL products",
            "SELECT (COUNT(*) AS ?n) { ?a :knows ?b LATERAL { ?c :knows ?d } LATERAL { ?e :knows ?f } }".to_owned()),
        ("new ids for each row of a product",
            "SELECT (COUNT(DISTINCT ?u) AS ?n) { ?a ?b ?c . ?d ?e ?f BIND(UUID() AS ?u) }".to_owned()),
        ("star of seven", "SELECT * { ?x :knows ?a, ?b, ?c, ?d, ?e, ?f, ?g }".to_owned()),
        ("chain of nine", {
            let links: Vec<String> =
                (0..9).map(|link| format!("?v{link} :knows ?v{} .", link + 1)).collect();
            format!("SELECT (COUNT(*) AS ?n) {{ {} }}", links.join(" "))
        }),
    ]
}

fn strings() -> Vec<(&'static str, String)> {
    let doubled = |times: usize, step: &str| {
        let mut binds = "BIND(\"aaaaaaaa\" AS ?v0)".to_owned();
        for number in 0..times {
            let value = step.replace("?v", &format!("?v{number}"));
            let _ = write!(binds, " BIND({value} AS ?v{})", number + 1);
        }
        format!("SELECT (STRLEN(?v{times}) AS ?n) {{ {binds} }}")
    };
    vec![
        ("CONCAT doubled 40 times", doubled(40, "CONCAT(?v, ?v)")),
        ("REPLACE by ten, 20 times", doubled(20, "REPLACE(?v, \"a\", \"aaaaaaaaaa\")")),
        ("ENCODE_FOR_URI and CONCAT, 30 times", doubled(30, "ENCODE_FOR_URI(CONCAT(?v, \"%\", ?v))")),
        ("CONCAT doubled for each row",
            "SELECT (SUM(STRLEN(?l)) AS ?n) { ?s :name ?x . BIND(CONCAT(?x,?x,?x,?x) AS ?a) BIND(CONCAT(?a,?a,?a,?a) AS ?b) BIND(CONCAT(?b,?b,?b,?b) AS ?c) BIND(CONCAT(?c,?c,?c,?c) AS ?d) BIND(CONCAT(?d,?d,?d,?d) AS ?l) }".to_owned()),
        ("GROUP_CONCAT of a product",
            "SELECT (GROUP_CONCAT(?x) AS ?all) { ?a :name ?x . ?b :name ?y }".to_owned()),
        ("GROUP_CONCAT with a long separator",
            format!("SELECT (STRLEN(GROUP_CONCAT(?x ; SEPARATOR=\"{}\")) AS ?n) {{ ?a ?p ?x . ?b :knows ?c }}", "-".repeat(10_000))),
        ("pattern with nested repetitions",
            "SELECT * { ?a :name ?x . ?b :name ?y FILTER(REGEX(CONCAT(?x, ?y), \"^(a+)+(a+)+(a|a)*b$\")) }".to_owned()),
        ("pattern with huge counts",
            "SELECT * { ?a :name ?x FILTER(REGEX(?x, \"(((a{1,100}){1,100}){1,100}){1,100}\")) }".to_owned()),
        ("pattern made for each row",
            "SELECT * { ?a :name ?x . ?b :name ?y FILTER(REGEX(?x, CONCAT(\"(x|y)*\", ?y, \"{50}\"))) }".to_owned()),
    ]
}

fn paths() -> Vec<(&'static str, String)> {
    let counted = |path: &str| format!("SELECT (COUNT(*) AS ?n) {{ ?a {path} ?b }}");
    vec![
        ("path * with both ends free", counted(":knows*")),
        ("path * in both directions", counted("(:knows|^:knows)*")),
        ("path + three times", counted(":knows+/:knows+/:knows+")),
        ("path * of * of *", counted("((:knows*)*)*")),
        ("path of everything, *", counted("(!:none)*")),
        (
            "rows of a path",
            "SELECT * { ?a (:knows/:knows)+ ?b . ?b :knows* ?c }".to_owned(),
        ),
        (
            "paths of length zero, both ends free, as a product",
            "SELECT (COUNT(*) AS ?n) { ?a :none? ?b . ?c :none* ?d . ?e :none? ?f }".to_owned(),
        ),
    ]
}

fn sizes() -> Vec<(&'static str, String)> {
    let list = |count: usize| {
        let items: Vec<String> = (0..count).map(|number| format!(":n{number}")).collect();
        items.join(",")
    };
    let nested = |times: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let optionals: String = (0..120)
        .map(|number| format!("OPTIONAL {{ ?a{number} ?b{number} ?c{number} }} "))
        .collect();
    vec![
        (
            "groups nested 10,000 deep",
            format!("SELECT * {}", nested(10_000, "{", "?s ?p ?o", "}")),
        ),
        (
            "groups nested 50 deep, each a product",
            format!("SELECT * {}", nested(50, "{ ?s ?p ?o . ?x ?y ?z ", "", "}")),
        ),
        (
            "OPTIONAL nested 40 deep",
            format!(
                "SELECT * {{ {} }}",
                nested(40, "?a ?b ?c OPTIONAL { ", "?d ?e ?f", "}")
            ),
        ),
        ("120 free OPTIONALs", format!("SELECT * {{ {optionals} }}")),
        (
            "brackets nested 50,000 deep",
            format!(
                "SELECT * {{ ?s ?p ?o FILTER({}) }}",
                nested(50_000, "(", "true", ")")
            ),
        ),
        (
            "chain of 20,000 ors",
            format!(
                "SELECT * {{ ?s ?p ?o FILTER(false{}) }}",
                " || false".repeat(20_000)
            ),
        ),
        (
            "chain of 20,000 sums",
            format!("SELECT (1{} AS ?n) {{ ?s ?p ?o }}", " + 1".repeat(20_000)),
        ),
        (
            "chain of 3,000 UNIONs",
            format!(
                "SELECT (COUNT(*) AS ?n) {{ {{ ?s ?p ?o }} {} }}",
                "UNION { ?s ?p ?o } ".repeat(3000)
            ),
        ),
        (
            "path of 20,000 steps",
            format!("SELECT * {{ ?s :knows{} ?o }}", "/:knows".repeat(20_000)),
        ),
        // As large as is let in.
        (
            "chain of 120 ors over a product",
            format!(
                "SELECT * {{ ?a ?b ?c . ?d ?e ?f FILTER(false{}) }}",
                " || ?a = ?f".repeat(120)
            ),
        ),
        (
            "path of 100 steps",
            format!("SELECT * {{ ?s :knows{} ?o }}", "/:knows".repeat(99)),
        ),
        (
            "UNION of 25 products",
            format!(
                "SELECT (COUNT(*) AS ?n) {{ {{ ?a ?b ?c . ?d ?e ?f }} {} }}",
                "UNION { ?a ?b ?c . ?d ?e ?f } ".repeat(24)
            ),
        ),
        (
            "IN with 20,000 items over a product",
            format!(
                "SELECT * {{ ?a :value ?x . ?b :value ?y FILTER(?y IN ({})) }}",
                list(20_000)
            ),
        ),
        (
            "NOT IN with 20,000 items over a product",
            format!(
                "SELECT (COUNT(*) AS ?n) {{ ?a :knows ?x . ?b :knows ?y FILTER(?y NOT IN ({})) }}",
                list(20_000)
            ),
        ),
    ]
}

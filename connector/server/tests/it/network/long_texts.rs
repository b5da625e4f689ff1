//! Texts that are long rather than deep: none of them brings the connector down.

use super::town::Organisation;
use http::Method;

/// Texts within the limit of the query's length, without brackets, that a recursive parser or evaluator may go down.
/// INVARIANT(bounded-depth)
#[test]
fn bounded_depth() {
    let runtime = twinlink::wire::runtime().unwrap();
    // As requests are: on the runtime's own threads.
    runtime.block_on(async { tokio::spawn(ask_all()).await.unwrap() });
}

async fn ask_all() {
    let mut city = Organisation::new("city");
    city.import("<https://city.example/school> a tl:School .", None);
    city.configure("[limits]\ndeadline_seconds = 10");
    city.serve().await;
    let steward = city.steward();
    // Far beyond what is let in, and about as much as is.
    let longest = cases(|part| 120_000 / part.len());
    let let_in = cases(|part| if JOINS.contains(&part) { 40 } else { 160 });
    for (cases, federated) in [(longest, false), (let_in.clone(), false), (let_in, true)] {
        for (name, query) in cases {
            let path = format!("/sparql?federated={federated}");
            let kind = "application/sparql-query";
            let request = steward.request(&city, Method::POST, &path, kind, query);
            let page = steward.send(&city, request).await;
            let is_expected = matches!(page.status.as_u16(), 200 | 400 | 429 | 504);
            assert!(is_expected, "{name}: {} {}", page.status, page.text);
        }
    }
}

/// Parts that make triple patterns: to order many takes an optimizer long, and is not what this is about.
const JOINS: [&str; 6] = ["a/", "1,", "1 ", "a 1;", "?s a 1.", "?s10000 a 1."];

/// Texts that repeat something, each by its name.
fn cases(times: impl Fn(&str) -> usize) -> Vec<(&'static str, String)> {
    let many = |part: &str| part.repeat(times(part));
    let numbered = |part: fn(usize) -> String| {
        let count = times(&part(10_000));
        (0..count).map(part).collect::<String>()
    };
    vec![
        ("path sequence", format!("ASK {{ ?s {}a ?o }}", many("a/"))),
        (
            "path alternative",
            format!("ASK {{ ?s {}a ?o }}", many("a|")),
        ),
        ("path inverse", format!("ASK {{ ?s {}a ?o }}", many("^"))),
        ("path modifiers", format!("ASK {{ ?s a{} ?o }}", many("*"))),
        ("or", format!("ASK {{ FILTER({}1) }}", many("1||"))),
        ("and", format!("ASK {{ FILTER({}1) }}", many("1&&"))),
        ("not", format!("ASK {{ FILTER({}1) }}", many("!"))),
        ("sum", format!("ASK {{ FILTER({}1) }}", many("1+"))),
        ("signs", format!("ASK {{ FILTER({}1) }}", many("- "))),
        ("product", format!("ASK {{ FILTER({}1) }}", many("1*"))),
        ("comparison", format!("ASK {{ FILTER({}1) }}", many("1="))),
        ("union", format!("ASK {{ {{}}{} }}", many("UNION{}"))),
        ("optional", format!("ASK {{ {} }}", many("OPTIONAL{}"))),
        ("minus", format!("ASK {{ {} }}", many("MINUS{}"))),
        ("filter", format!("ASK {{ {} }}", many("FILTER(1)"))),
        ("exists", format!("ASK {{ {} }}", many("FILTER EXISTS{}"))),
        ("groups", format!("ASK {{ {} }}", many("{}"))),
        ("objects", format!("ASK {{ ?s a {}1 }}", many("1,"))),
        ("predicates", format!("ASK {{ ?s {}a 1 }}", many("a 1;"))),
        ("triples", format!("ASK {{ {} }}", many("?s a 1."))),
        (
            "apart",
            format!("ASK {{ {} }}", numbered(|n| format!("?s{n} a 1."))),
        ),
        (
            "values",
            format!("ASK {{ VALUES ?x {{ {} }} }}", many("1 ")),
        ),
        ("list", format!("ASK {{ ?s a ({}) }}", many("1 "))),
        (
            "binds",
            format!("ASK {{ {} }}", numbered(|n| format!("BIND(1 AS ?x{n})"))),
        ),
        ("order", format!("SELECT * {{}} ORDER BY {}", many("?x "))),
        ("in", format!("ASK {{ FILTER(1 IN ({}1)) }}", many("1,"))),
        ("if", format!("ASK {{ FILTER(COALESCE({}1)) }}", many("1,"))),
        (
            "prefixes",
            format!("{} ASK {{}}", many("PREFIX:<http://a/>")),
        ),
        ("text", format!("ASK {{ ?s a '{}' }}", many("x"))),
    ]
}

//! What can stand in a query, and whether a missing source can make rows wrong there, or only fewer.

/// Queries with one operator in the middle.
#[derive(Debug)]
pub(super) struct Class {
    /// The operator.
    pub(super) name: &'static str,
    /// Whether more data never takes a row away.
    pub(super) is_monotone: bool,
    pub(super) queries: &'static [&'static str],
}

const fn class(name: &'static str, is_monotone: bool, queries: &'static [&'static str]) -> Class {
    Class {
        name,
        is_monotone,
        queries,
    }
}

/// All of them. Queries that begin with "any " may choose rows, of as many as there are.
pub(super) const CLASSES: &[Class] = &[
    class(
        "BGP",
        true,
        &[
            "SELECT * { ?s :p0 ?x }",
            "SELECT * { ?s :p0 ?x ; :p1 ?y }",
            "SELECT * { ?s :p0 ?x . ?x :p1 ?y }",
            "SELECT * { ?s ?p ?o }",
        ],
    ),
    class(
        "FILTER",
        true,
        &[
            "SELECT * { ?s :p0 ?x FILTER(?x > 1) }",
            "SELECT * { ?s :p0 ?x . ?s :p1 ?y FILTER(?x != ?y) }",
        ],
    ),
    class(
        "OPTIONAL",
        false,
        &[
            "SELECT * { ?s :p0 ?x OPTIONAL { ?s :p1 ?y } }",
            "SELECT * { ?s :p0 ?x OPTIONAL { ?x :p1 ?y OPTIONAL { ?y :p2 ?z } } }",
            "SELECT * { ?s :p0 ?x OPTIONAL { ?s :p1 ?y } FILTER(!bound(?y)) }",
        ],
    ),
    class(
        "UNION",
        true,
        &[
            "SELECT * { { ?s :p0 ?x } UNION { ?s :p1 ?x } }",
            "SELECT * { ?s :p2 ?y { ?s :p0 ?x } UNION { ?z :p1 ?y } }",
        ],
    ),
    class(
        "MINUS",
        false,
        &[
            "SELECT * { ?s :p0 ?x MINUS { ?s :p1 ?y } }",
            "SELECT * { GRAPH ?g { ?s :p0 ?x } MINUS { ?s :p1 ?y } }",
        ],
    ),
    class(
        "EXISTS",
        true,
        &[
            "SELECT * { ?s :p0 ?x FILTER EXISTS { ?s :p1 ?y } }",
            "SELECT * { ?s :p0 ?x FILTER EXISTS { ?x ?p ?y FILTER(?y != ?s) } }",
        ],
    ),
    class(
        "EXISTS as a value",
        false,
        &[
            "SELECT * { ?s :p0 ?x BIND(EXISTS { ?s :p2 ?z } AS ?e) }",
            "SELECT * { ?s :p0 ?x FILTER(?x = 1 || NOT EXISTS { ?s :p1 ?x }) }",
        ],
    ),
    class(
        "NOT EXISTS",
        false,
        &[
            "SELECT * { ?s :p0 ?x FILTER NOT EXISTS { ?s :p1 ?y } }",
            "SELECT * { ?s :p0 ?x FILTER NOT EXISTS { GRAPH ?g { ?s :p1 ?x } } }",
        ],
    ),
    class(
        "aggregates",
        false,
        &[
            "SELECT (COUNT(*) AS ?n) { ?s :p0 ?x }",
            "SELECT ?s (COUNT(?x) AS ?n) (MIN(?x) AS ?a) { ?s :p0 ?x } GROUP BY ?s",
            "SELECT ?p (COUNT(DISTINCT ?x) AS ?n) { ?s ?p ?x } GROUP BY ?p HAVING(COUNT(*) > 1)",
        ],
    ),
    class(
        "ORDER BY",
        true,
        &["SELECT ?s ?x { ?s :p0 ?x FILTER(isIRI(?s) && isIRI(?x)) } ORDER BY ?s DESC(?x)"],
    ),
    class(
        "ORDER BY with LIMIT",
        false,
        &[
            "SELECT ?s ?x { ?s :p0 ?x FILTER(isIRI(?s) && isIRI(?x)) } ORDER BY ?s DESC(?x) LIMIT 3",
            "SELECT DISTINCT ?s { ?s ?p ?x FILTER(isIRI(?s)) } ORDER BY ?s OFFSET 1 LIMIT 2",
        ],
    ),
    class(
        "LIMIT",
        true,
        &[
            "any SELECT * { ?s :p0 ?x } LIMIT 2",
            "any SELECT ?s { ?s ?p ?x } OFFSET 1 LIMIT 3",
        ],
    ),
    class(
        "DISTINCT",
        true,
        &[
            "SELECT DISTINCT ?s { ?s :p0 ?x }",
            "SELECT DISTINCT ?x { { ?s :p0 ?x } UNION { GRAPH ?g { ?s :p1 ?x } } }",
        ],
    ),
    class(
        "paths",
        true,
        &[
            "SELECT * { ?s :p0+ ?x }",
            "SELECT * { :s0 (:p0|:p1)* ?x }",
            "SELECT * { ?s :p0/^:p1 ?x }",
            "SELECT * { ?s !(:p0|^:p1) ?x }",
        ],
    ),
    class(
        "subquery",
        true,
        &[
            "SELECT * { ?s :p1 ?y { SELECT DISTINCT ?s { ?s :p0 ?x } } }",
            "SELECT * { ?s :p0 ?x { SELECT ?x { ?z :p1 ?x } } }",
        ],
    ),
    class(
        "aggregating subquery",
        false,
        &["SELECT * { ?s :p0 ?x { SELECT ?s (COUNT(*) AS ?n) { ?s :p1 ?o } GROUP BY ?s } }"],
    ),
    class(
        "BIND and VALUES",
        true,
        &[
            "SELECT * { VALUES ?s { :s0 :s1 :s2 } ?s :p0 ?x BIND(STR(?x) AS ?t) }",
            "SELECT * { ?s :p0 ?x VALUES (?s ?x) { (:s0 UNDEF) (UNDEF 1) } }",
        ],
    ),
    class(
        "GRAPH",
        true,
        &[
            "SELECT * { GRAPH ?g { ?s :p0 ?x } }",
            "SELECT * { GRAPH :g0 { ?s ?p ?x } ?s :p0 ?y }",
            "SELECT * { GRAPH ?g { } }",
        ],
    ),
    class(
        "FROM",
        true,
        &[
            "SELECT * FROM :g0 FROM :g1 { ?s ?p ?x }",
            "SELECT * FROM :g0 FROM NAMED :g1 { ?s :p0 ?x GRAPH ?g { ?s ?p ?y } }",
        ],
    ),
    class(
        "CONSTRUCT",
        true,
        &[
            "CONSTRUCT { ?s :q ?y } WHERE { ?s :p0 ?x . ?x :p1 ?y }",
            "CONSTRUCT WHERE { ?s :p0 ?x . ?s :p1 ?y }",
        ],
    ),
    class(
        "ASK",
        false,
        &["ASK { ?s :p0 ?x . ?x :p1 ?y }", "ASK { :s0 :p0 ?x }"],
    ),
    class(
        "DESCRIBE",
        true,
        &[
            "DESCRIBE :s0",
            "DESCRIBE ?x { ?s :p0 ?x FILTER(isIRI(?x)) }",
        ],
    ),
];

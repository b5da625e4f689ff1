//! What can stand in a query, and whether a missing source can make rows wrong there, or only fewer.

/// Queries with one operator in the middle.
#[derive(Debug)]
pub(super) struct Class {
    /// The operator.
    pub(super) name: &'static str,
    pub(super) queries: &'static [Asked],
}

/// A query, and what is known of its answer while a source is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) text: &'static str,
    /// The operators that are flagged then: without, more data never takes a row away.
    pub(super) flags: &'static [&'static str],
    /// A query whose rows are all that this one can have over any part of the data. None where that is not a query.
    pub(super) loose: Option<&'static str>,
    /// Whether a row of `loose` over some data is a row of every answer over more, as long as it is one over all.
    pub(super) keeps: bool,
    /// Whether it may choose rows, of as many as there are.
    pub(super) is_any: bool,
}

impl Asked {
    const fn more(text: &'static str) -> Self {
        Self {
            text,
            flags: &[],
            loose: Some(text),
            keeps: true,
            is_any: false,
        }
    }

    const fn any(text: &'static str) -> Self {
        Self {
            is_any: true,
            ..Self::more(text)
        }
    }

    /// With a bound from above and one from below.
    const fn kept(flags: &'static [&'static str], text: &'static str, loose: &'static str) -> Self {
        Self {
            text,
            flags,
            loose: Some(loose),
            keeps: true,
            is_any: false,
        }
    }

    /// With a bound from above.
    const fn under(
        flags: &'static [&'static str],
        text: &'static str,
        loose: &'static str,
    ) -> Self {
        Self {
            keeps: false,
            ..Self::kept(flags, text, loose)
        }
    }

    /// Without bounds.
    const fn free(flags: &'static [&'static str], text: &'static str) -> Self {
        Self {
            loose: None,
            keeps: false,
            ..Self::kept(flags, text, "")
        }
    }
}

const fn class(name: &'static str, queries: &'static [Asked]) -> Class {
    Class { name, queries }
}

/// All of them.
pub(super) const CLASSES: &[Class] = &[
    class(
        "BGP",
        &[
            Asked::more("SELECT * { ?s :p0 ?x }"),
            Asked::more("SELECT * { ?s :p0 ?x ; :p1 ?y }"),
            Asked::more("SELECT * { ?s :p0 ?x . ?x :p1 ?y }"),
            Asked::more("SELECT * { ?s ?p ?o }"),
        ],
    ),
    class(
        "FILTER",
        &[
            Asked::more("SELECT * { ?s :p0 ?x FILTER(?x > 1) }"),
            Asked::more("SELECT * { ?s :p0 ?x . ?s :p1 ?y FILTER(?x != ?y) }"),
        ],
    ),
    class(
        "UNION",
        &[
            Asked::more("SELECT * { { ?s :p0 ?x } UNION { ?s :p1 ?x } }"),
            Asked::more("SELECT * { ?s :p2 ?y { ?s :p0 ?x } UNION { ?z :p1 ?y } }"),
        ],
    ),
    class(
        "EXISTS",
        &[
            Asked::more("SELECT * { ?s :p0 ?x FILTER EXISTS { ?s :p1 ?y } }"),
            Asked::more("SELECT * { ?s :p0 ?x FILTER EXISTS { ?x ?p ?y FILTER(?y != ?s) } }"),
        ],
    ),
    class(
        "ORDER BY",
        &[Asked::more(
            "SELECT ?s ?x { ?s :p0 ?x FILTER(isIRI(?s) && isIRI(?x)) } ORDER BY ?s DESC(?x)",
        )],
    ),
    class(
        "LIMIT",
        &[
            Asked::any("SELECT * { ?s :p0 ?x } LIMIT 2"),
            Asked::any("SELECT ?s { ?s ?p ?x } OFFSET 1 LIMIT 3"),
        ],
    ),
    class(
        "DISTINCT",
        &[
            Asked::more("SELECT DISTINCT ?s { ?s :p0 ?x }"),
            Asked::more("SELECT DISTINCT ?x { { ?s :p0 ?x } UNION { GRAPH ?g { ?s :p1 ?x } } }"),
        ],
    ),
    class(
        "paths",
        &[
            Asked::more("SELECT * { ?s :p0+ ?x }"),
            Asked::more("SELECT * { :s0 (:p0|:p1)* ?x }"),
            Asked::more("SELECT * { ?s :p0/^:p1 ?x }"),
            Asked::more("SELECT * { ?s !(:p0|^:p1) ?x }"),
        ],
    ),
    class(
        "subquery",
        &[
            Asked::more("SELECT * { ?s :p1 ?y { SELECT DISTINCT ?s { ?s :p0 ?x } } }"),
            Asked::more("SELECT * { ?s :p0 ?x { SELECT ?x { ?z :p1 ?x } } }"),
        ],
    ),
    class(
        "BIND and VALUES",
        &[
            Asked::more("SELECT * { VALUES ?s { :s0 :s1 :s2 } ?s :p0 ?x BIND(STR(?x) AS ?t) }"),
            Asked::more("SELECT * { ?s :p0 ?x VALUES (?s ?x) { (:s0 UNDEF) (UNDEF 1) } }"),
        ],
    ),
    class(
        "GRAPH",
        &[
            Asked::more("SELECT * { GRAPH ?g { ?s :p0 ?x } }"),
            Asked::more("SELECT * { GRAPH :g0 { ?s ?p ?x } ?s :p0 ?y }"),
            Asked::more("SELECT * { GRAPH ?g { } }"),
        ],
    ),
    class(
        "FROM",
        &[
            Asked::more("SELECT * FROM :g0 FROM :g1 { ?s ?p ?x }"),
            Asked::more("SELECT * FROM :g0 FROM NAMED :g1 { ?s :p0 ?x GRAPH ?g { ?s ?p ?y } }"),
        ],
    ),
    class(
        "CONSTRUCT",
        &[
            Asked::more("CONSTRUCT { ?s :q ?y } WHERE { ?s :p0 ?x . ?x :p1 ?y }"),
            Asked::more("CONSTRUCT WHERE { ?s :p0 ?x . ?s :p1 ?y }"),
        ],
    ),
    class(
        "DESCRIBE",
        &[
            Asked::more("DESCRIBE :s0"),
            Asked::more("DESCRIBE ?x { ?s :p0 ?x FILTER(isIRI(?x)) }"),
        ],
    ),
    class(
        "OPTIONAL",
        &[
            Asked::kept(
                &["OPTIONAL"],
                "SELECT ?s ?x ?y { ?s :p0 ?x OPTIONAL { ?s :p1 ?y } }",
                "SELECT ?s ?x ?y { ?s :p0 ?x { } UNION { ?s :p1 ?y } }",
            ),
            Asked::kept(
                &["OPTIONAL"],
                "SELECT ?s ?x ?y ?z { ?s :p0 ?x OPTIONAL { ?x :p1 ?y OPTIONAL { ?y :p2 ?z } } }",
                "SELECT ?s ?x ?y ?z { ?s :p0 ?x { } UNION { ?x :p1 ?y { } UNION { ?y :p2 ?z } } }",
            ),
            Asked::kept(
                &["OPTIONAL"],
                "SELECT ?s ?x { ?s :p0 ?x OPTIONAL { ?s :p1 ?y } FILTER(!bound(?y)) }",
                "SELECT ?s ?x { ?s :p0 ?x }",
            ),
        ],
    ),
    class(
        "MINUS",
        &[
            Asked::kept(
                &["MINUS"],
                "SELECT ?s ?x { ?s :p0 ?x MINUS { ?s :p1 ?y } }",
                "SELECT ?s ?x { ?s :p0 ?x }",
            ),
            Asked::kept(
                &["MINUS"],
                "SELECT ?g ?s ?x { GRAPH ?g { ?s :p0 ?x } MINUS { ?s :p1 ?y } }",
                "SELECT ?g ?s ?x { GRAPH ?g { ?s :p0 ?x } }",
            ),
        ],
    ),
    class(
        "EXISTS as a value",
        &[
            Asked::under(
                &["EXISTS"],
                "SELECT ?s ?x ?e { ?s :p0 ?x BIND(EXISTS { ?s :p2 ?z } AS ?e) }",
                "SELECT ?s ?x ?e { ?s :p0 ?x VALUES ?e { true false } }",
            ),
            Asked::kept(
                &["NOT EXISTS"],
                "SELECT ?s ?x { ?s :p0 ?x FILTER(?x = 1 || NOT EXISTS { ?s :p1 ?x }) }",
                "SELECT ?s ?x { ?s :p0 ?x }",
            ),
        ],
    ),
    class(
        "NOT EXISTS",
        &[
            Asked::kept(
                &["NOT EXISTS"],
                "SELECT ?s ?x { ?s :p0 ?x FILTER NOT EXISTS { ?s :p1 ?y } }",
                "SELECT ?s ?x { ?s :p0 ?x }",
            ),
            Asked::kept(
                &["NOT EXISTS"],
                "SELECT ?s ?x { ?s :p0 ?x FILTER NOT EXISTS { GRAPH ?g { ?s :p1 ?x } } }",
                "SELECT ?s ?x { ?s :p0 ?x }",
            ),
        ],
    ),
    class(
        "aggregates",
        &[
            Asked::free(&["aggregate"], "SELECT (COUNT(*) AS ?n) { ?s :p0 ?x }"),
            Asked::free(
                &["aggregate"],
                "SELECT ?s (COUNT(?x) AS ?n) (MIN(?x) AS ?a) { ?s :p0 ?x } GROUP BY ?s",
            ),
            Asked::free(
                &["aggregate"],
                "SELECT ?p (COUNT(DISTINCT ?x) AS ?n) { ?s ?p ?x } GROUP BY ?p HAVING(COUNT(*) > 1)",
            ),
        ],
    ),
    class(
        "ORDER BY with LIMIT",
        &[
            Asked::under(
                &["ORDER BY with LIMIT"],
                "SELECT ?s ?x { ?s :p0 ?x FILTER(isIRI(?s) && isIRI(?x)) } ORDER BY ?s DESC(?x) LIMIT 3",
                "SELECT ?s ?x { ?s :p0 ?x FILTER(isIRI(?s) && isIRI(?x)) }",
            ),
            Asked::under(
                &["ORDER BY with LIMIT"],
                "SELECT DISTINCT ?s { ?s ?p ?x FILTER(isIRI(?s)) } ORDER BY ?s OFFSET 1 LIMIT 2",
                "SELECT DISTINCT ?s { ?s ?p ?x FILTER(isIRI(?s)) }",
            ),
        ],
    ),
    class(
        "aggregating subquery",
        &[Asked::free(
            &["aggregate"],
            "SELECT * { ?s :p0 ?x { SELECT ?s (COUNT(*) AS ?n) { ?s :p1 ?o } GROUP BY ?s } }",
        )],
    ),
    class(
        "nested",
        &[
            Asked::under(
                &["OPTIONAL", "MINUS"],
                "SELECT ?s ?x { ?s :p0 ?x MINUS { ?s :p1 ?y OPTIONAL { ?y :p2 ?x } } }",
                "SELECT ?s ?x { ?s :p0 ?x }",
            ),
            Asked::under(
                &["OPTIONAL", "NOT EXISTS"],
                "SELECT ?s ?x ?y { ?s :p0 ?x OPTIONAL { ?s :p1 ?y FILTER NOT EXISTS { ?y :p2 ?z } } }",
                "SELECT ?s ?x ?y { ?s :p0 ?x { } UNION { ?s :p1 ?y } }",
            ),
            Asked::free(
                &["OPTIONAL", "MINUS", "aggregate"],
                "SELECT ?s ?x ?n { ?s :p0 ?x OPTIONAL { SELECT ?s (COUNT(*) AS ?n) { ?s :p1 ?y MINUS { ?s :p2 ?z } } GROUP BY ?s } }",
            ),
            Asked::kept(
                &["MINUS", "NOT EXISTS"],
                "SELECT ?s ?x { { ?s :p0 ?x MINUS { ?s :p1 ?y } } UNION { ?s :p2 ?x FILTER NOT EXISTS { ?x :p0+ ?s } } }",
                "SELECT ?s ?x { { ?s :p0 ?x } UNION { ?s :p2 ?x } }",
            ),
        ],
    ),
    class(
        "ASK",
        &[
            Asked::kept(
                &["ASK"],
                "ASK { ?s :p0 ?x . ?x :p1 ?y }",
                "ASK { ?s :p0 ?x . ?x :p1 ?y }",
            ),
            Asked::kept(&["ASK"], "ASK { :s0 :p0 ?x }", "ASK { :s0 :p0 ?x }"),
        ],
    ),
    class(
        "SERVICE",
        &[
            Asked::more(
                "SELECT ?s ?x ?y { ?s :p0 ?x SERVICE <https://member1.example/> { ?s :p1 ?y } }",
            ),
            Asked::more(
                "SELECT ?m ?s ?x { VALUES ?m { <https://member1.example/> <https://member2.example/> } SERVICE ?m { ?s :p0 ?x } }",
            ),
            Asked::kept(
                &["OPTIONAL"],
                "SELECT ?s ?x ?y { ?s :p0 ?x OPTIONAL { SERVICE <https://member2.example/> { ?s :p1 ?y } } }",
                "SELECT ?s ?x ?y { ?s :p0 ?x { } UNION { SERVICE <https://member2.example/> { ?s :p1 ?y } } }",
            ),
        ],
    ),
    class(
        "SERVICE SILENT",
        &[
            Asked::under(
                &[],
                "SELECT ?s ?x ?y { ?s :p0 ?x SERVICE SILENT <https://member1.example/> { ?s :p1 ?y } }",
                "SELECT ?s ?x ?y { ?s :p0 ?x { } UNION { SERVICE <https://member1.example/> { ?s :p1 ?y } } }",
            ),
            Asked::under(
                &["MINUS"],
                "SELECT ?s ?x { ?s :p0 ?x MINUS { SERVICE SILENT <https://member2.example/> { ?s :p1 ?y } } }",
                "SELECT ?s ?x { ?s :p0 ?x }",
            ),
        ],
    ),
];

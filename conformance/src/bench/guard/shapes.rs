//! The questions of the benchmark.

/// Name and text. Names of the city are `:`.
pub(super) const SHAPES: &[(&str, &str)] = &[
    (
        "point",
        "SELECT * { <http://city.example/building/4711> ?p ?o }",
    ),
    (
        "star",
        "SELECT * { ?b a :School ; :label ?label ; :district ?d ; :height ?h ; :owner ?o }",
    ),
    (
        "two hops",
        "SELECT ?b ?l { ?s a :Clinic ; :district ?d . ?h :district ?d ; a :Hydrant ; :near ?b . ?b :label ?l } LIMIT 20000",
    ),
    (
        "join over graphs",
        "SELECT ?b ?v { GRAPH ?g { ?s :on ?b ; :value ?v } ?b a :School }",
    ),
    (
        "reverse",
        "SELECT * { ?b :district <http://city.example/district/7> ; :residents ?r }",
    ),
    (
        "aggregate",
        "SELECT ?d (COUNT(?b) AS ?n) (AVG(?h) AS ?mean) { ?b :height ?h ; :district ?d } GROUP BY ?d",
    ),
    ("count all", "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"),
    (
        "OPTIONAL",
        "SELECT * { ?b a :School OPTIONAL { ?b :residents ?r } OPTIONAL { ?b :area ?a } }",
    ),
    (
        "MINUS",
        "SELECT ?b { ?b :district <http://city.example/district/3> MINUS { ?b :residents ?r } }",
    ),
    (
        "NOT EXISTS",
        "SELECT ?b { ?b a :School FILTER NOT EXISTS { ?b :residents ?r } }",
    ),
    (
        "path +",
        "SELECT ?h { <http://city.example/hydrant/10> :connectedTo+ ?h }",
    ),
    (
        "path sequence",
        "SELECT ?b ?l { ?b a :Clinic . ?b ^:near/:connectedTo/:near/:label ?l }",
    ),
    (
        "negated property set",
        "SELECT (COUNT(*) AS ?n) { ?s !(:label|:height) ?o }",
    ),
    (
        "GRAPH ?g",
        "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s a ?c } } GROUP BY ?g",
    ),
    (
        "one graph",
        "SELECT * { GRAPH <http://city.example/graph/sensors/3> { ?s :value ?v ; :time ?t } }",
    ),
    (
        "text CONTAINS",
        "SELECT ?b ?l { ?b :label ?l FILTER(CONTAINS(?l, 'Harbour Street 42')) }",
    ),
    (
        "text REGEX",
        "SELECT ?b ?l { ?b :label ?l FILTER(REGEX(?l, '^School [0-9]+, mill', 'i')) }",
    ),
    (
        "top-k",
        "SELECT ?b ?r { ?b :residents ?r } ORDER BY DESC(?r) ?b LIMIT 10",
    ),
    ("DISTINCT", "SELECT DISTINCT ?d { ?b :district ?d }"),
    (
        "range",
        "SELECT ?b ?y { ?b :built ?y ; :height ?h FILTER(?y >= 1900 && ?y < 1910 && ?h > 40) }",
    ),
    (
        "UNION",
        "SELECT ?x ?l { { ?x a :School } UNION { ?x a :Clinic } ?x :label ?l }",
    ),
    (
        "dates",
        "SELECT ?s { GRAPH ?g { ?s :time ?t } FILTER(?t >= '2026-12-20T00:00:00Z'^^<http://www.w3.org/2001/XMLSchema#dateTime>) }",
    ),
    (
        "BIND",
        "SELECT ?k (COUNT(*) AS ?n) { ?b :label ?l BIND(STRBEFORE(?l, ' ') AS ?k) } GROUP BY ?k",
    ),
    (
        "VALUES",
        "SELECT * { VALUES ?b { <http://city.example/building/1> <http://city.example/building/100> <http://city.example/building/1000> } ?b :district ?d . ?s :district ?d ; a :School }",
    ),
];

//! No query harms the next one: time, cancellation, and terms made on the way.

use crate::support::{Collected, ask, insert, iri, parse, quad, store};
use oxrdf::{GraphName, Quad};
use std::time::{Duration, Instant};
use twinlink_core::policy::Guard;
use twinlink_core::{Budget, Change, Code, Memory, Piece, Priority, Refusal, Sink};

fn refused(query: &str, budget: &Budget) -> (Refusal, Duration) {
    let store = store();
    insert(&store, (0..3_000).map(quad).collect());
    let started = Instant::now();
    let refusal = store
        .query(
            &parse(query),
            None,
            &Guard::everything(),
            budget,
            &mut Collected::default(),
        )
        .expect_err(query.get(..200).unwrap_or(query));
    (refusal, started.elapsed())
}

fn short() -> Budget {
    Budget::new(Instant::now() + Duration::from_millis(300), u64::MAX)
}

#[test]
fn scans_and_joins_stop_at_the_deadline() {
    for query in [
        "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }",
        "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }",
        "SELECT * { ?a (:p1|!:p1)* ?b . ?c (:p1|!:p1)* ?d . ?e (:p1|!:p1)* ?f . ?g ?h ?i }",
        "ASK { ?a ?b ?c FILTER NOT EXISTS { ?d ?e ?f . ?g ?h ?i . ?j ?k ?l FILTER(?d = :nothing) } FILTER(?a = :nothing) }",
    ] {
        let (refusal, elapsed) = refused(query, &short());
        assert_eq!(refusal.code(), Code::Timeout, "{query}");
        assert!(
            elapsed < Duration::from_secs(20),
            "{query} took {elapsed:?}"
        );
    }
}

#[test]
fn joins_that_read_nothing_stop_at_the_deadline() {
    let list = "1 ".repeat(2_000);
    let same = format!("{{ VALUES ?x {{ {list} }} }} ").repeat(5);
    let crossed = (0..5)
        .map(|n| format!("VALUES ?x{n} {{ {list} }} "))
        .collect::<String>();
    let optional = (0..5)
        .map(|n| format!("OPTIONAL {{ VALUES ?x{n} {{ {list} }} }} "))
        .collect::<String>();
    let inner = (0..5)
        .map(|n| format!("{{ SELECT (1 AS ?x{n}) {{ VALUES ?y {{ {list} }} }} }} "))
        .collect::<String>();
    let mut queries = vec![
        format!("SELECT * {{ {same} }}"),
        format!("SELECT (COUNT(*) AS ?n) {{ {same} }}"),
    ];
    for pattern in [crossed, optional, inner] {
        queries.extend([
            format!("SELECT (COUNT(*) AS ?n) {{ {pattern} }}"),
            format!("SELECT (COUNT(DISTINCT *) AS ?n) {{ {pattern} }}"),
            format!("ASK {{ {pattern} FILTER(?x0 + ?x4 = 7) }}"),
            format!("ASK {{ ?s ?p ?o FILTER NOT EXISTS {{ {pattern} FILTER(?x0 + ?x4 = 7) }} }}"),
        ]);
    }
    for query in queries {
        let (refusal, elapsed) = refused(&query, &short());
        let name = query.replace(&list, "..");
        assert_eq!(refusal.code(), Code::Timeout, "{name}");
        assert!(elapsed < Duration::from_secs(20), "{name} took {elapsed:?}");
    }
}

#[test]
fn sorting_stops_at_the_deadline() {
    let list = (0..600)
        .map(|n| format!("{} ", n * 7 % 600))
        .collect::<String>();
    let query = format!(
        "SELECT * {{ VALUES ?x {{ {list} }} VALUES ?y {{ {list} }} }} ORDER BY (?x * ?y) (?x + ?y) ?x"
    );
    let (refusal, elapsed) = refused(&query, &short());
    assert_eq!(refusal.code(), Code::Timeout);
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
}

/// INVARIANT(one-key-for-each-row)
#[test]
fn one_key_for_each_row() {
    let store = store();
    insert(&store, (0..3_000).map(quad).collect());
    let rows = |query: &str| {
        let (collected, _) = ask(&store, &Guard::everything(), query).unwrap();
        collected.rows
    };
    let all = rows("SELECT * { ?s ?p ?o } ORDER BY STR(?s) STR(?p) STR(?o)");
    // A key that is another one whenever it is looked at would be no order: the rows come all the same, each once.
    for key in [
        "RAND()",
        "DESC(RAND() < 0.5)",
        "STRUUID()",
        "IF(RAND() < 0.5, ?s, ?o)",
    ] {
        let mut shuffled = rows(&format!("SELECT * {{ ?s ?p ?o }} ORDER BY {key}"));
        assert_ne!(shuffled, all, "{key}");
        let mut all = all.clone();
        shuffled.sort();
        all.sort();
        assert_eq!(shuffled, all, "{key}");
    }
    // Nobody sees the key, and what has none comes first.
    let few = rows("SELECT * { VALUES ?x { 3 'a' 2 } } ORDER BY (?x * 2) LIMIT 2");
    assert_eq!(few.len(), 2);
    assert!(
        few[0].contains("\"a\"") && few[1].contains("\"2\""),
        "{few:?}"
    );
}

#[test]
fn texts_that_multiply_end_in_a_refusal() {
    let mut doubled = "SELECT ?x { BIND('0123456789' AS ?v0)".to_owned();
    for step in 0..14 {
        doubled += &format!(" BIND(CONCAT(?v{step}, ?v{step}) AS ?v{})", step + 1);
    }
    let budget = || Budget::new(Instant::now() + Duration::from_secs(60), 10);
    let replaced = format!("{doubled} BIND(STRLEN(REPLACE(?v14, '[0-9]', ?v14)) AS ?x) }}");
    assert_eq!(refused(&replaced, &budget()).0.check(), "limits.memory");
    let many = "?v14, ".repeat(10_000);
    let joined = format!("{doubled} BIND(CONCAT({many} 'end') AS ?x) }}");
    assert_eq!(refused(&joined, &budget()).0.check(), "limits.memory");
}

#[test]
fn places_to_stop_change_no_answer() {
    let store = store();
    insert(&store, (0..150).map(quad).collect());
    let count = |pattern: &str| {
        let query = format!("SELECT (COUNT(*) AS ?n) {{ {pattern} }}");
        let rows = crate::support::rows(&store, &Guard::everything(), &query);
        rows[0]
            .trim_start_matches('"')
            .split('"')
            .next()
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    let (all, one) = (count("?s ?p ?o"), count("?s :p1 ?o"));
    assert!(all > 20 && one > 2, "{all} {one}");
    assert_eq!(count("?s ?p ?o . ?t :p1 ?u"), all * one);
    assert_eq!(
        count("?s ?p ?o . [] :p1 [] . :s1 ?q ?v"),
        all * one * count(":s1 ?q ?v")
    );
    assert_eq!(count("?s ?p ?o OPTIONAL { VALUES ?x { 1 2 } }"), all * 2);
    assert_eq!(count("?s ?p ?o OPTIONAL { VALUES ?s { :nobody } }"), all);
    assert_eq!(count("VALUES ?x { 1 1 UNDEF } VALUES ?x { 1 UNDEF }"), 6);
    assert_eq!(
        count("{ SELECT DISTINCT * { VALUES ?x { 1 1 } VALUES ?y { 2 2 } } }"),
        1
    );
    assert_eq!(
        count("{ VALUES ?x { 1 2 } VALUES ?y { 2 3 } } MINUS { VALUES ?x { 1 } VALUES ?z { 1 } }"),
        2
    );
    assert_eq!(
        count("?s ?p ?o FILTER(REPLACE('abc', 'b', STR(?p)) != '')"),
        all
    );
    let columns = crate::support::ask(
        &store,
        &Guard::everything(),
        "SELECT * { VALUES ?x { 1 } VALUES ?y { 2 } }",
    );
    assert_eq!(
        columns.unwrap().0.head,
        Some(twinlink_core::Head::Solutions(
            ["x", "y"].map(oxrdf::Variable::new_unchecked).to_vec()
        ))
    );
}

#[test]
fn a_passed_deadline_is_noticed_before_anything_is_read() {
    let budget = Budget::new(Instant::now(), 10);
    assert_eq!(
        refused("SELECT * { ?s ?p ?o }", &budget).0.code(),
        Code::Timeout
    );
    let budget = Budget::new(Instant::now() + Duration::from_secs(60), 10);
    budget.cancel();
    assert_eq!(
        refused("SELECT * { ?s ?p ?o }", &budget).0.code(),
        Code::Timeout
    );
}

#[test]
fn terms_that_double_end_in_a_refusal() {
    let mut query = "SELECT (STRLEN(?v40) AS ?n) { BIND('0123456789' AS ?v0)".to_owned();
    for step in 0..40 {
        query += &format!(" BIND(CONCAT(?v{step}, ?v{step}) AS ?v{})", step + 1);
    }
    query += " }";
    let budget = Budget::new(Instant::now() + Duration::from_secs(60), 10);
    let (refusal, _) = refused(&query, &budget);
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Exhausted, "limits.memory")
    );
}

#[test]
fn memory_within_its_limit() {
    let limit = 4 << 20;
    let product = "?a ?b ?c . ?d ?e ?f . ?g ?h ?i";
    let parts = vec!["STR(?b)"; 1_000].join(", ");
    for query in [
        format!("SELECT * {{ {product} }} ORDER BY ?i ?a"),
        format!("SELECT DISTINCT * {{ {product} }} OFFSET 100000000"),
        format!("SELECT (COUNT(DISTINCT *) AS ?n) {{ {product} }}"),
        format!("SELECT ?u (COUNT(*) AS ?n) {{ {product} BIND(UUID() AS ?u) }} GROUP BY ?u"),
        format!("SELECT (GROUP_CONCAT(CONCAT({parts})) AS ?all) {{ ?a ?b ?c . ?d ?e ?f }}"),
        "SELECT (COUNT(DISTINCT ?u) AS ?n) { ?a ?b ?c . ?d ?e ?f BIND(UUID() AS ?u) }".to_owned(),
    ] {
        let budget = Budget::new(Instant::now() + Duration::from_secs(120), u64::MAX);
        let (refusal, _) = refused(&query, &budget.with_memory(limit));
        assert_eq!(refusal.check(), "limits.memory", "{query}");
        assert_eq!(refusal.code(), Code::Exhausted, "{query}");
        // The limit is told, and nothing of the twin.
        assert!(refusal.public().contains(&limit.to_string()), "{refusal}");
    }
}

#[test]
fn rows_that_have_left_are_not_counted() {
    /// Takes what comes, and keeps nothing.
    struct Gone;
    impl Sink for Gone {
        fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
            std::thread::spawn(move || drop(piece)).join().unwrap();
            Ok(())
        }
    }
    let store = store();
    insert(&store, (0..600).map(quad).collect());
    let budget = Budget::new(Instant::now() + Duration::from_secs(120), u64::MAX);
    let answer = |query: &str, limit| {
        let budget = budget.clone().with_memory(limit);
        let everything = Guard::everything();
        store.query(&parse(query), None, &everything, &budget, &mut Gone)
    };
    // Some 30 MiB in all.
    let evaluated = answer("SELECT * { ?a ?b ?c . ?d ?e ?f }", 8 << 20).unwrap();
    assert!(evaluated.rows > 50_000, "{evaluated:?}");
    let query = "CONSTRUCT { ?a ?b ?f } { ?a ?b ?c . ?d ?e ?f } LIMIT 60000";
    assert!(answer(query, 32 << 20).is_ok());
}

#[test]
fn texts_of_many_parts_are_capped_and_equal() {
    let store = store();
    let value = |expression: &str| {
        let query = format!("SELECT ({expression} AS ?x) {{}}");
        crate::support::rows(&store, &Guard::everything(), &query)[0].clone()
    };
    for (expression, expected) in [
        ("CONCAT('a', 'b', 'c')", "\"abc\""),
        (
            "CONCAT('a'@en, 'b'@en, 'c'@en, 'd'@en, 'e'@en)",
            "\"abcde\"@en",
        ),
        ("CONCAT('a'@en, 'b'@en, 'c', 'd'@en)", "\"abcd\""),
        ("CONCAT('a'@en, 'b'@fr, 'c'@en)", "\"abc\""),
        ("COALESCE(CONCAT('a', 1 / 0, 'c'), 'none')", "\"none\""),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn a_sink_that_refuses_ends_the_evaluation() {
    struct Full;
    impl Sink for Full {
        fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
            match piece {
                Piece::Head(_) => Ok(()),
                _ => Err(Refusal::new(Code::Exhausted, "limits.rows", "full")),
            }
        }
    }
    let store = store();
    insert(&store, (0..3_000).map(quad).collect());
    let budget = Budget::new(Instant::now() + Duration::from_secs(60), 10);
    let query = parse("SELECT * { ?a ?b ?c . ?d ?e ?f }");
    let refusal = store
        .query(&query, None, &Guard::everything(), &budget, &mut Full)
        .unwrap_err();
    assert_eq!(refusal.check(), "limits.rows");
}

#[test]
fn a_writer_that_nobody_waits_for_gives_up_its_place() {
    let store = store();
    insert(&store, (0..3_000).map(quad).collect());
    let endless = Change::Update {
        update: "INSERT { ?a ?b ?i } WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }".to_owned(),
        base: None,
        using: None,
    };
    let budget = || Budget::new(Instant::now() + Duration::from_secs(120), u64::MAX);
    let (first, second) = (budget(), budget());
    let everything = Guard::everything();
    let apply = |change: &Change, budget: &Budget| {
        store.apply(change, Some(&everything), &everything, budget)
    };
    let before = store.snapshot().len();
    let insert = Change::Insert(vec![quad(9_999)]);
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| apply(&endless, &first));
        // Once this one is held up, so is every other.
        while apply(&insert, &short()).is_ok() {}
        let waits = scope.spawn(|| apply(&insert, &second).unwrap_err());
        std::thread::sleep(Duration::from_millis(50));
        let started = Instant::now();
        second.cancel();
        assert_eq!(waits.join().unwrap().code(), Code::Timeout);
        assert!(started.elapsed() < Duration::from_secs(20));
        assert!(!writes.is_finished());
        first.cancel();
        assert_eq!(writes.join().unwrap().unwrap_err().code(), Code::Timeout);
    });
    assert!(store.snapshot().len() <= before + 1);
}

#[test]
fn removing_all_takes_little_memory_and_stops_when_nobody_waits() {
    let store = store();
    let thing = |n| {
        Quad::new(
            iri(&format!("n{n}")),
            iri("p"),
            iri("o"),
            GraphName::DefaultGraph,
        )
    };
    insert(&store, (0..60_000).map(thing).collect());
    let everything = Guard::everything();
    let clear = Change::Update {
        update: "CLEAR ALL".to_owned(),
        base: None,
        using: None,
    };
    let all = store.snapshot().len();
    let apply = |budget: &Budget| store.apply(&clear, Some(&everything), &everything, budget);
    let long = || Budget::new(Instant::now() + Duration::from_secs(60), u64::MAX);
    let few = apply(&long().with_memory(256 << 10)).unwrap_err();
    assert_eq!(few.check(), "limits.memory");
    let cancelled = long();
    cancelled.cancel();
    assert_eq!(apply(&cancelled).unwrap_err().code(), Code::Timeout);
    assert_eq!(store.snapshot().len(), all);
    // Numbers, not texts.
    let removed = apply(&long().with_memory(8 << 20)).unwrap().removed;
    assert_eq!(removed, all as u64);
    assert_eq!(store.snapshot().len(), 0);
}

/// Sorts as much as it may hold.
const HUNGRY: &str = "SELECT * { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f ?a";

#[test]
fn all_together_hold_no_more_than_they_may() {
    let store = store();
    insert(&store, (0..3_000).map(quad).collect());
    let memory = Memory::new(64 << 20);
    let ask = |priority: Priority, query: &str| {
        let budget = Budget::new(Instant::now() + Duration::from_secs(60), u64::MAX);
        let budget = budget.sharing(memory.share(priority));
        let mut rows = Collected::default();
        store.query(
            &parse(query),
            None,
            &Guard::everything(),
            &budget,
            &mut rows,
        )
    };
    std::thread::scope(|scope| {
        let hungry = || ask(Priority::Routine, HUNGRY).unwrap_err();
        let all: Vec<_> = (0..6).map(|_| scope.spawn(hungry)).collect();
        for one in all {
            let refusal = one.join().unwrap();
            assert_eq!(refusal.check(), "limits.memory_total");
            assert!(refusal.retry().is_some());
        }
    });
    assert!(memory.most_reserved() <= memory.limit() * 3 / 4);
    assert_eq!(memory.reserved(), 0);
    // Where routine holds all that it may, only an incident's begin.
    let mut rest = memory.share(Priority::Routine).reserve();
    rest.resize(memory.limit() * 3 / 4).unwrap();
    let few = "SELECT * { ?s ?p ?o } LIMIT 10";
    let refusal = ask(Priority::Routine, few).unwrap_err();
    assert_eq!(refusal.check(), "limits.memory_total");
    assert_eq!(ask(Priority::Incident, few).unwrap().rows, 10);
    drop(rest);
    assert_eq!(ask(Priority::Routine, few).unwrap().rows, 10);
}

use super::*;

const MANIFEST: &str = r#"
@prefix mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#> .
@prefix qt: <http://www.w3.org/2001/sw/DataAccess/tests/test-query#> .
@prefix ut: <http://www.w3.org/2009/sparql/tests/test-update#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
<> mf:entries ( <#good> <#bad> <#ask> <#update> <#order> <#strange> ) .
<#good> a mf:PositiveSyntaxTest11 ; mf:action <good.rq> .
<#bad> a mf:NegativeSyntaxTest11 ; mf:action <bad.rq> .
<#ask> a mf:QueryEvaluationTest ; mf:result <ask.srj> ;
  mf:action [ qt:query <ask.rq> ; qt:data <data.ttl> ; qt:graphData <data.ttl> ] .
<#update> a mf:UpdateEvaluationTest ;
  mf:action [ ut:request <move.ru> ; ut:data <data.ttl> ] ;
  mf:result [ ut:graphData [ ut:graph <data.ttl> ; rdfs:label "http://x/g" ] ] .
<#order> a mf:CSVResultFormatTest ; mf:result <order.csv> ;
  mf:action [ qt:query <order.rq> ] .
<#strange> a mf:StrangeTest ; mf:action <good.rq> .
"#;

const FILES: &[(&str, &str)] = &[
    ("manifest.ttl", MANIFEST),
    ("good.rq", "ASK {}"),
    ("bad.rq", "ASK {"),
    ("ask.rq", "ASK { ?s ?p _:o GRAPH <data.ttl> { ?s ?p ?o } }"),
    ("ask.srj", r#"{"head":{},"boolean":true}"#),
    ("data.ttl", "<http://x/s> <http://x/p> _:b ."),
    ("move.ru", "MOVE DEFAULT TO <http://x/g>"),
    ("order.rq", "SELECT ?x { VALUES ?x { 2 10 1 } } ORDER BY ?x"),
    ("order.csv", "x\r\n1\r\n2\r\n10\r\n"),
];

/// Whether our engine, oxigraph's and one that does everything wrong come to these verdicts.
fn verdicts(files: &[(&str, &str)], engine: &dyn Engine, yardstick: &dyn Engine) -> Vec<Verdict> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let library = Library::new(folder.path());
    let manifest = Manifest::load(&library, &["manifest.ttl"], Take::Entries);
    let manifest = manifest.unwrap().unwrap();
    let judge = |case| {
        let test = Test::read(&library, &manifest, case).unwrap();
        test.judge(engine, yardstick)
    };
    manifest.cases().iter().map(judge).collect()
}

/// Takes every text for valid, and knows nothing.
struct Fool;

impl Engine for Fool {
    fn check_query(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn check_update(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn query(&self, _: &Question) -> Result<Answer, String> {
        Ok(Answer::Boolean(false))
    }

    fn update(&self, _: &str, _: &str, data: &[Quad]) -> Result<Vec<Quad>, String> {
        Ok(data.to_vec())
    }
}

/// Fails every case, by a panic where it can.
struct Wreck;

impl Engine for Wreck {
    fn check_query(&self, _: &str, _: &str) -> Result<(), String> {
        panic!("wreck")
    }

    fn check_update(&self, _: &str, _: &str) -> Result<(), String> {
        panic!("wreck")
    }

    fn query(&self, _: &Question) -> Result<Answer, String> {
        Err("wreck".to_owned())
    }

    fn update(&self, _: &str, _: &str, _: &[Quad]) -> Result<Vec<Quad>, String> {
        Err("wreck".to_owned())
    }
}

#[test]
fn both_engines_pass_what_is_right() {
    for engine in [&Reference as &dyn Engine, &Ours::new().unwrap()] {
        let (strange, others) = {
            let mut verdicts = verdicts(FILES, engine, &Wreck);
            (verdicts.pop().unwrap(), verdicts)
        };
        assert!(others.iter().all(|v| *v == Verdict::Passed), "{others:?}");
        assert!(matches!(strange, Verdict::Skipped(_)));
    }
}

#[test]
fn what_only_ours_fails_is_a_failure() {
    let verdicts = verdicts(FILES, &Fool, &Reference);
    assert_eq!(verdicts[0], Verdict::Passed);
    for verdict in &verdicts[1..5] {
        assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
    }
}

#[test]
fn what_the_yardstick_fails_too_is_skipped_with_its_reason() {
    let verdicts = verdicts(FILES, &Fool, &Wreck);
    for verdict in &verdicts[1..5] {
        let Verdict::Skipped(reason) = verdict else {
            panic!("{verdict:?}");
        };
        assert!(
            reason.starts_with("oxigraph's own engine fails it too: "),
            "{reason}"
        );
    }
}

#[test]
fn a_panic_is_a_failure_of_one_case() {
    let verdicts = verdicts(FILES, &Wreck, &Reference);
    assert_eq!(
        verdicts[0],
        Verdict::Failed("the engine panicked".to_owned())
    );
}

#[test]
fn order_counts_where_the_query_orders() {
    let mut files = FILES.to_vec();
    files.retain(|(name, _)| *name != "order.csv");
    files.push(("order.csv", "x\r\n2\r\n1\r\n10\r\n"));
    let verdicts = verdicts(&files, &Reference, &Wreck);
    assert!(
        matches!(verdicts[4], Verdict::Skipped(_)),
        "{:?}",
        verdicts[4]
    );
}

//! Endpoints that cannot do all, or not now.

use super::*;
use twinlink_federation::Dialect;

const PROBE: &str = "SELECT ?e0 WHERE { BIND(EXISTS { ?v0 <urn:p> ?v1 } AS ?e0) }";

/// Answers ASK and the probe with yes.
fn yes(form: &str) -> Response<Body> {
    if form.contains("ASK") {
        return json(r#"{ "head": {}, "boolean": true }"#);
    }
    json(
        r#"{ "head": { "vars": ["e0"] }, "results": { "bindings": [ { "e0": { "type": "literal", "value": "true", "datatype": "http://www.w3.org/2001/XMLSchema#boolean" } } ] } }"#,
    )
}

#[tokio::test]
async fn what_an_endpoint_cannot_do_is_found_out_by_asking() {
    for (word, values, can_decide) in [
        ("nothing", 500, true),
        ("VALUES", 0, true),
        ("CONTAINS", 500, false),
    ] {
        let (url, seen) = serve(move |_, form| match form.contains(word) {
            true => with(400, "text/plain", "syntax error"),
            false => yes(form),
        })
        .await;
        let foreign = Foreign::new(vec![file(&url, "functions = [\"urn:f\"]")]).unwrap();
        let name = foreign.list().remove(0);
        let ask = || async { foreign.ask(&name, &question(PROBE)).await.unwrap().unwrap() };
        assert_eq!(ask().await.rows.solutions.len(), 1);
        let traits = foreign.traits(&name).unwrap();
        assert_eq!(traits.values, values, "{word}");
        let expected = Dialect::Standard {
            functions: Arc::from([node("urn:f")]),
            conditions: can_decide,
        };
        assert_eq!(traits.dialect, expected, "{word}");
        // It is not asked the same every time.
        let requests = seen.lock().unwrap().len();
        ask().await;
        assert_eq!(seen.lock().unwrap().len(), requests + 1);
    }
}

#[tokio::test]
async fn a_failure_of_a_moment_costs_no_answer() {
    let failures = Arc::new(Mutex::new(1));
    let (url, _) = serve(move |_, form| {
        let mut left = failures.lock().unwrap();
        if form.contains("EXISTS") && *left > 0 {
            *left -= 1;
            return with(500, "text/plain", "out of memory");
        }
        yes(form)
    })
    .await;
    let foreign = Foreign::new(vec![file(&url, "")]).unwrap();
    let name = foreign.list().remove(0);
    foreign.ask(&name, &question(PROBE)).await.unwrap().unwrap();
    let exists = &foreign.find(&name).unwrap().abilities.exists;
    assert!(exists.is_lacking() && exists.is_due(Instant::now() + Duration::from_secs(60)));
}

/// INVARIANT(dataset-or-nothing)
#[tokio::test]
async fn dataset_or_nothing() {
    // Whatever graphs it is asked about, it answers from all that it has.
    let (url, seen) = serve(|_, form| yes(form)).await;
    let why = ask(file(&url, "default_graphs = [\"urn:a\"]"), ROWS).await;
    let why = why.unwrap_err();
    assert!(
        matches!(&why, Unanswered::NotEvaluable { reason } if reason.contains("no heed")),
        "{why}"
    );
    let heeds_default = |form: &str| {
        let is_other = form.contains("GRAPH") || !form.contains(NO_GRAPH);
        json(&format!(r#"{{ "head": {{}}, "boolean": {is_other} }}"#))
    };
    for (query, is_answered) in [
        ("ASK { ?s ?p ?o }", true),
        ("ASK { GRAPH ?g { ?s ?p ?o } }", false),
    ] {
        let (url, _) = serve(move |_, form| heeds_default(form)).await;
        let answer = ask(file(&url, "default_graphs = [\"urn:a\"]"), query).await;
        assert_eq!(answer.is_ok(), is_answered, "{query}: {answer:?}");
    }
    // The question itself did not leave.
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|(_, _, form)| !form.contains("urn:p")));
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_wants_to_be_left_alone_is() {
    let busy = |seconds: &str| {
        let mut response = with(429, "text/plain", "too many requests");
        let value = seconds.parse().unwrap();
        response.headers_mut().insert("retry-after", value);
        response
    };
    let count = Arc::new(Mutex::new(0));
    let (url, seen) = serve(move |_, _| {
        *count.lock().unwrap() += 1;
        match *count.lock().unwrap() {
            1 => busy("0"),
            2 => json(EMPTY),
            _ => busy("600"),
        }
    })
    .await;
    let foreign = Foreign::new(vec![file(&url, "")]).unwrap();
    let name = foreign.list().remove(0);
    let ask = || async { foreign.ask(&name, &question(ROWS)).await.unwrap() };
    // It asked for a moment only.
    ask().await.unwrap();
    let why = ask().await.unwrap_err();
    assert!(
        matches!(&why, Unanswered::Unreachable { reason } if reason.contains("429")),
        "{why}"
    );
    let requests = seen.lock().unwrap().len();
    let why = ask().await.unwrap_err();
    assert!(
        matches!(&why, Unanswered::NotAsked { reason } if reason.contains("600 s") || reason.contains("599 s")),
        "{why}"
    );
    assert_eq!(seen.lock().unwrap().len(), requests);
}

#[tokio::test]
async fn who_gets_no_turn_in_time_is_told_that_nothing_was_asked() {
    let (url, seen) = serve(|_, _| json(EMPTY)).await;
    let foreign = Foreign::new(vec![file(&url, "requests_per_second = 1")]).unwrap();
    let name = foreign.list().remove(0);
    foreign.ask(&name, &question(ROWS)).await.unwrap().unwrap();
    let mut short = question(ROWS);
    short.budget = Budget::new(Instant::now() + Duration::from_millis(200), 100);
    let why = foreign.ask(&name, &short).await.unwrap().unwrap_err();
    assert!(matches!(&why, Unanswered::NotAsked { .. }), "{why}");
    assert_eq!(seen.lock().unwrap().len(), 1);
}

/// INVARIANT(no-secret-in-errors)
#[tokio::test]
async fn no_secret_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "hunter2-and-more").unwrap();
    let login = format!(
        "[auth]\nkind = \"basic\"\nuser = \"twinlink\"\nsecret_file = \"{}\"",
        path.display()
    );
    for (status, words, is_told) in [
        (403, "account locked\u{1b}[31m since May", true),
        (401, "no such account", true),
        (401, "wrong password: hunter2-and-more", false),
        (400, "you sent dHdpbmxpbms6aHVudGVyMi1hbmQtbW9yZQ==", false),
    ] {
        let (url, _) = serve(move |_, _| with(status, "text/plain", words)).await;
        let foreign = Foreign::new(vec![file(&url, &login)]).unwrap();
        let name = foreign.list().remove(0);
        let endpoint = foreign.find(&name).unwrap().endpoint;
        let deadline = Instant::now() + Duration::from_secs(20);
        let asked = endpoint.query(ROWS, None, &ResultForm::Boolean, 1, deadline.into());
        // What is logged.
        let text = asked.await.unwrap_err().to_string();
        assert_eq!(
            text.contains(words.split('\u{1b}').next().unwrap()),
            is_told,
            "{text}"
        );
        assert!(
            !text.contains("hunter2") && !text.contains("dHdpbmxp"),
            "{text}"
        );
        assert!(!text.chars().any(char::is_control), "{text}");
        // What the caller is told: nothing of our account there.
        let why = foreign
            .ask(&name, &question(ROWS))
            .await
            .unwrap()
            .unwrap_err();
        assert!(
            status == 400 || !why.to_string().contains("account"),
            "{why}"
        );
    }
}

//! The claims of a token at their edges, as another implementation judges them: `jsonwebtoken`, told what we expect.

use super::*;

/// Why we refuse what the other takes.
const WHOLE: &str = "seconds are whole numbers";
const CLOCKS: &str = "no honest clock says that";
const BOUNDED: &str = "lists are bounded";
const ONE: &str = "there is one issuer";
const NAMED: &str = "who has no name can do nothing";
const LIFE: &str = "tokens live an hour at most";

/// Whether the other takes it. Its clock is the system's, so that nothing here is within seconds of an edge.
fn is_theirs(case: &Case, token: &str) -> bool {
    let jwk = case.police.identity().key().public().to_jwk();
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_str(&jwk).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation.set_audience(&["https://city.example/"]);
    validation.set_issuer(&["https://police.example/"]);
    validation.validate_nbf = true;
    validation.leeway = 60;
    jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
}

#[test]
fn claims_are_judged_as_another_implementation_does() {
    let case = Case::new();
    let now = case.now.unix_timestamp();
    // Each with whether we take it, and where the other does not do the same, why.
    for (name, value, ours, differs) in [
        ("exp", json!(now + 300), true, None),
        ("exp", json!(now + 1), true, None),
        ("exp", json!(now), true, None),
        ("exp", json!(now - 50), true, None),
        ("exp", json!(now - 70), false, None),
        ("exp", json!(0), false, None),
        ("exp", json!(-1), false, None),
        ("exp", json!(i64::MIN), false, None),
        ("exp", json!("tomorrow"), false, None),
        ("exp", Value::Null, false, None),
        ("exp", json!(now + 86_400), false, Some(LIFE)),
        ("exp", json!(now as f64 + 60.5), false, Some(WHOLE)),
        ("exp", json!(i64::MAX), false, Some(CLOCKS)),
        ("exp", json!(1e18), false, Some(CLOCKS)),
        ("nbf", json!(now - 1000), true, None),
        ("nbf", json!(now), true, None),
        ("nbf", json!(now + 50), true, None),
        ("nbf", json!(now + 80), false, None),
        ("nbf", json!(i64::MAX), false, None),
        ("nbf", json!(-1), false, None),
        ("nbf", json!("yesterday"), false, None),
        ("nbf", json!(now as f64 - 0.5), false, Some(WHOLE)),
        ("aud", json!("https://city.example/"), true, None),
        ("aud", json!(["https://city.example/"]), true, None),
        (
            "aud",
            json!(["https://rescue.example/", "https://city.example/"]),
            true,
            None,
        ),
        ("aud", json!("https://city.example"), false, None),
        ("aud", json!("https://city.example/twin"), false, None),
        ("aud", json!("https://City.example/"), false, None),
        ("aud", json!(["https://rescue.example/"]), false, None),
        ("aud", json!([]), false, None),
        ("aud", json!(""), false, None),
        ("aud", json!(7), false, None),
        ("aud", json!([["https://city.example/"]]), false, None),
        ("aud", Value::Null, false, None),
        (
            "aud",
            json!(vec!["https://city.example/"; 9]),
            false,
            Some(BOUNDED),
        ),
        ("iss", json!("https://police.example/"), true, None),
        ("iss", json!("https://police.example"), false, None),
        ("iss", json!("https://Police.example/"), false, None),
        ("iss", json!("https://rescue.example/"), false, None),
        ("iss", json!(""), false, None),
        ("iss", Value::Null, false, None),
        ("iss", json!(["https://police.example/"]), false, Some(ONE)),
        ("sub", json!("officer-7"), true, None),
        ("sub", Value::Null, false, None),
        ("sub", json!(7), false, None),
        ("sub", json!(""), false, Some(NAMED)),
    ] {
        let mut claims = case.claims();
        let shown = format!("{name} {value}");
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        // Issued before it ends, so that its life is one.
        if name == "exp" {
            claims["iat"] = json!(now - 600);
        }
        let header = case.header().to_string();
        let token = forge(&header, &claims.to_string(), case.police.identity().key());
        assert_eq!(case.check(&token) == "accepted", ours, "{shown}");
        let theirs = is_theirs(&case, &token);
        assert_eq!(theirs != ours, differs.is_some(), "{shown}: {differs:?}");
        assert!(theirs || !ours, "{shown}");
    }
}

/// To the second, which only a clock of our own can tell: <https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4>.
#[test]
fn times_end_where_the_standard_says() {
    let case = Case::new();
    let now = case.now.unix_timestamp();
    for (name, seconds, ours) in [
        ("exp", now - 59, true),
        // On its end it is over: the other implementation takes it for a second more.
        ("exp", now - 60, false),
        ("nbf", now + 60, true),
        ("nbf", now + 61, false),
        ("iat", now + 60, true),
        ("iat", now + 61, false),
    ] {
        let mut claims = case.claims();
        claims[name] = json!(seconds);
        if name == "exp" {
            claims["iat"] = json!(now - 600);
        }
        let header = case.header().to_string();
        let token = forge(&header, &claims.to_string(), case.police.identity().key());
        assert_eq!(
            case.check(&token) == "accepted",
            ours,
            "{name} {}",
            seconds - now
        );
    }
}

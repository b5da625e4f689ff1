mod differential;
mod form;

use super::*;
use crate::testing::{Organisation, forge, iri, now};
use crate::{Trusted, TrustedParty, verify_token};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The police asks the city; the city also trusts the rescue department.
struct Case {
    city: Organisation,
    police: Organisation,
    rescue: Organisation,
    trusted: Trusted,
    now: OffsetDateTime,
}

impl Case {
    fn new() -> Self {
        let city = Organisation::new("https://city.example/");
        let police = Organisation::new("https://police.example/");
        let rescue = Organisation::new("https://rescue.example/");
        let trusted = city.trusting(&[&police, &rescue]);
        Self {
            city,
            police,
            rescue,
            trusted,
            now: now(),
        }
    }

    /// The claims of a good token, to be spoilt.
    fn claims(&self) -> Value {
        let token = self
            .police
            .issuer()
            .issue(&self.police.request(&self.city), self.now)
            .unwrap();
        let payload = token.reveal().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": self.police.identity().key().public().id()})
    }

    fn verify(&self, token: &str) -> Result<VerifiedToken, Refusal> {
        let thumbprint = self.police.identity().thumbprint().to_owned();
        verify_token(&Secret::new(token), &self.trusted, &thumbprint, self.now)
    }

    /// The check that refuses a token, or "accepted".
    fn check(&self, token: &str) -> &'static str {
        match self.verify(token) {
            Ok(_) => "accepted",
            Err(refusal) => {
                assert_eq!(refusal.code(), Code::Unauthenticated);
                assert_eq!(refusal.public(), "authentication failed");
                assert!(refusal.to_string().len() < 500, "{refusal}");
                refusal.check()
            }
        }
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        forge(header, payload, self.police.identity().key())
    }

    fn check_header(&self, header: &str) -> &'static str {
        self.check(&self.sign(header, &self.claims().to_string()))
    }

    fn check_payload(&self, payload: &str) -> &'static str {
        self.check(&self.sign(&self.header().to_string(), payload))
    }

    fn check_claim(&self, name: &str, value: Value) -> &'static str {
        let mut claims = self.claims();
        claims[name] = value;
        self.check_payload(&claims.to_string())
    }
}

#[test]
fn a_good_token_says_who_asks() {
    let case = Case::new();
    let mut request = case.police.request(&case.city);
    request.request = Some(Uuid::now_v7());
    request.agreement = Some(iri("https://city.example/agreements/1"));
    let token = case.police.issuer().issue(&request, case.now).unwrap();
    let verified = case.verify(token.reveal()).unwrap();
    assert_eq!(verified.issuer, case.police.id);
    assert_eq!(verified.subject, "officer-7");
    assert_eq!(verified.roles, request.roles);
    assert_eq!(verified.purpose, request.purpose);
    assert_eq!(verified.agreement, request.agreement);
    assert_eq!(verified.request, request.request);
    Uuid::parse_str(&verified.token_id).unwrap();
    assert_eq!(format!("{token:?}"), "Secret(..)");
}

#[test]
fn attacks_on_time() {
    let case = Case::new();
    let now = case.now.unix_timestamp();
    for claim in ["exp", "iat", "nbf"] {
        let own = match claim {
            "exp" => "token.exp",
            "iat" => "token.iat",
            _ => "token.nbf",
        };
        assert_eq!(case.check_claim(claim, json!(i64::MAX)), own);
        assert_eq!(case.check_claim(claim, json!(i64::MIN)), own);
        assert_eq!(case.check_claim(claim, json!(-1)), own);
        for (text, check) in [
            ("400000000000", own),
            ("9223372036854775807", own),
            ("18446744073709551615", "token.claims"),
            ("1e308", "token.claims"),
            ("1e999", "token.claims"),
            ("1.5", "token.claims"),
            ("\"1\"", "token.claims"),
            ("true", "token.claims"),
            ("[1]", "token.claims"),
            ("{}", "token.claims"),
        ] {
            let mut claims = case.claims();
            claims[claim] = json!("PLACE");
            let payload = claims.to_string().replace("\"PLACE\"", text);
            assert_eq!(case.check_payload(&payload), check, "{claim} {text}");
        }
    }
    for (exp, iat, check) in [
        (now + 300, now, "accepted"),
        (now - 59, now - 300, "accepted"),
        (now - 60, now - 300, "token.exp"),
        (now - 3000, now - 6000, "token.exp"),
        (now + 360, now + 60, "accepted"),
        (now + 361, now + 61, "token.iat"),
        (now + 3600, now, "accepted"),
        (now + 3601, now, "token.exp"),
        (now + 30, now + 30, "token.exp"),
        (now + 30, now + 40, "token.exp"),
        (now + 300, 0, "token.exp"),
    ] {
        let mut claims = case.claims();
        claims["exp"] = json!(exp);
        claims["iat"] = json!(iat);
        assert_eq!(
            case.check_payload(&claims.to_string()),
            check,
            "{} {}",
            exp - now,
            iat - now
        );
    }
    assert_eq!(case.check_claim("nbf", json!(now + 60)), "accepted");
    assert_eq!(case.check_claim("nbf", json!(now + 61)), "token.nbf");
}

#[test]
fn attacks_on_issuer_and_audience() {
    let case = Case::new();
    for iss in [
        "https://police.example",
        "https://police.example//",
        "https://Police.example/",
        "HTTPS://police.example/",
        "https://police.example/ ",
        "https://police.example/#",
        "police",
        "",
        "https://unknown.example/",
    ] {
        assert_eq!(case.check_claim("iss", json!(iss)), "token.iss", "{iss}");
    }
    // In another's name, signed with one's own key; also under one's own kid.
    assert_eq!(
        case.check_claim("iss", json!("https://rescue.example/")),
        "token.kid"
    );
    assert_eq!(
        case.check_claim("iss", json!("https://city.example/")),
        "token.kid"
    );
    for (aud, check) in [
        (json!("https://city.example/"), "accepted"),
        (
            json!(["https://x.example/", "https://city.example/"]),
            "accepted",
        ),
        (json!("https://city.example"), "token.aud"),
        (json!("https://city.example/sub"), "token.aud"),
        (json!("https://rescue.example/"), "token.aud"),
        (json!(["https://rescue.example/"]), "token.aud"),
        (json!([]), "token.aud"),
        (json!(""), "token.aud"),
        (json!(null), "token.aud"),
        (json!(vec!["https://city.example/"; 9]), "token.aud"),
        (json!({"https://city.example/": 1}), "token.claims"),
        (json!([["https://city.example/"]]), "token.claims"),
    ] {
        assert_eq!(case.check_claim("aud", aud.clone()), check, "{aud}");
    }
}

#[test]
fn every_required_claim_is_required() {
    let case = Case::new();
    for claim in ["iss", "aud", "exp", "iat", "sub", "client_id", "jti", "cnf"] {
        let mut claims = case.claims();
        claims.as_object_mut().unwrap().remove(claim);
        let check = case.check_payload(&claims.to_string());
        assert_eq!(check, format!("token.{claim}"));
    }
    for claim in ["sub", "client_id", "jti"] {
        let check = format!("token.{claim}");
        assert_eq!(case.check_claim(claim, json!("")), check);
        assert_eq!(case.check_claim(claim, json!("a".repeat(513))), check);
        assert_eq!(case.check_claim(claim, json!("a\nb")), check);
        assert_eq!(case.check_claim(claim, json!(7)), "token.claims");
    }
    let claims = case.claims().to_string();
    let twice = claims.replacen('{', r#"{"sub":"root","#, 1);
    assert_eq!(case.check_payload(&twice), "token.claims");
    let unknown_twice = claims.replacen('{', r#"{"x":1,"x":2,"#, 1);
    assert_eq!(case.check_payload(&unknown_twice), "token.claims");
    assert_eq!(
        case.check_payload(&claims.replacen('{', r#"{"x":1,"#, 1)),
        "accepted"
    );
    assert_eq!(case.check_payload(&format!("[{claims}]")), "token.claims");
    assert_eq!(case.check_payload("null"), "token.claims");
    assert_eq!(
        case.check_payload(&format!("{claims}{claims}")),
        "token.claims"
    );
}

#[test]
fn bound_token() {
    let case = Case::new();
    let rescue = case.rescue.identity();
    for (cnf, check) in [
        (json!({}), "token.cnf"),
        (json!({"jkt": "AAAA"}), "token.cnf"),
        (json!({"x5t#S256": ""}), "token.cnf"),
        (json!({"x5t#S256": rescue.thumbprint()}), "token.cnf"),
        (
            json!({"x5t#S256": case.police.identity().thumbprint().split_at(42).0}),
            "token.cnf",
        ),
        (json!(null), "token.cnf"),
        (json!({"x5t#S256": 1}), "token.claims"),
    ] {
        assert_eq!(case.check_claim("cnf", cnf.clone()), check, "{cnf}");
    }
    // A good token in the hands of another client with a good certificate of its own.
    let token = case
        .police
        .issuer()
        .issue(&case.police.request(&case.city), case.now)
        .unwrap();
    let stolen = verify_token(&token, &case.trusted, rescue.thumbprint(), case.now);
    assert_eq!(stolen.unwrap_err().check(), "token.cnf");
}

#[test]
fn roles_and_purposes_beyond_what_the_issuer_may_assert_are_refused() {
    let case = Case::new();
    let officer = "https://roles.example/officer";
    for (roles, check) in [
        (json!([]), "accepted"),
        (json!([officer]), "accepted"),
        (
            json!([officer, "https://roles.example/mayor"]),
            "token.roles",
        ),
        (json!(["https://roles.example/Officer"]), "token.roles"),
        (json!(["officer"]), "token.roles"),
        (json!([""]), "token.roles"),
        (json!(vec![officer; 33]), "token.roles"),
        (json!(officer), "token.claims"),
    ] {
        assert_eq!(case.check_claim("roles", roles.clone()), check, "{roles}");
    }
    let purpose = |text| case.check_claim("purpose", text);
    assert_eq!(
        purpose(json!("https://purposes.example/marketing")),
        "token.purpose"
    );
    assert_eq!(purpose(json!("emergency")), "token.purpose");
    assert_eq!(purpose(json!("")), "token.purpose");
    assert_eq!(
        case.check_claim("agreement", json!("not an iri")),
        "token.agreement"
    );
    assert_eq!(
        case.check_claim("request", json!("not a uuid")),
        "token.request"
    );
}

#[test]
fn claims_beyond_what_the_issuer_may_assert_are_refused() {
    let case = Case::new();
    let (basis, law) = ("https://operands.example/basis", "https://laws.example/19");
    let many = (0..17).map(|n| (format!("https://operands.example/{n}"), json!([])));
    for (claims, check) in [
        (json!({}), "accepted"),
        (json!({ basis: [law] }), "accepted"),
        (json!({ basis: [] }), "accepted"),
        (
            json!({ "https://operands.example/clearance": [law] }),
            "token.claims",
        ),
        (
            json!({ basis: [law], "https://operands.example/Basis": [law] }),
            "token.claims",
        ),
        (json!({ basis: ["19"] }), "token.claims"),
        (json!({ basis: [""] }), "token.claims"),
        (json!({ basis: vec![law; 17] }), "token.claims"),
        (json!({ basis: law }), "token.claims"),
        (json!({ "": [law] }), "token.claims"),
        (json!([law]), "token.claims"),
        (many.collect(), "token.claims"),
    ] {
        assert_eq!(
            case.check_claim("claims", claims.clone()),
            check,
            "{claims}"
        );
    }
}

#[test]
fn a_refusal_names_the_issuer_and_never_the_token() {
    let case = Case::new();
    let mut claims = case.claims();
    claims["aud"] = json!("https://rescue.example/");
    let token = case.sign(&case.header().to_string(), &claims.to_string());
    let refusal = case.verify(&token).unwrap_err();
    assert_eq!(refusal.party(), Some("https://police.example/"));
    let shown = format!("{refusal} {refusal:?}");
    assert!(!shown.contains(token.split_at(20).0), "{shown}");
}

#[test]
fn a_key_taken_out_of_the_registry_is_of_no_use_any_more() {
    let case = Case::new();
    let token = case
        .police
        .issuer()
        .issue(&case.police.request(&case.city), case.now)
        .unwrap();
    let peer = TrustedParty {
        token_keys: vec![crate::SigningKey::generate().unwrap().public().to_jwk()],
        ..case.police.peer()
    };
    let trusted = Trusted::new(case.city.party(), vec![peer]).unwrap();
    let thumbprint = case.police.identity().thumbprint().to_owned();
    let refused = verify_token(&token, &trusted, &thumbprint, case.now);
    assert_eq!(refused.unwrap_err().check(), "token.kid");
}

#[test]
fn what_would_be_refused_is_not_issued() {
    let case = Case::new();
    let issuer = case.police.issuer();
    let request = case.police.request(&case.city);
    let spoil = |change: &dyn Fn(&mut TokenRequest)| {
        let mut request = request.clone();
        change(&mut request);
        issuer.issue(&request, case.now).unwrap_err().to_string()
    };
    assert!(spoil(&|r| r.lifetime = Duration::from_secs(3601)).contains("hour"));
    assert!(spoil(&|r| r.lifetime = Duration::ZERO).contains("second"));
    assert!(spoil(&|r| r.subject = String::new()).contains("token.sub"));
    assert!(spoil(&|r| r.roles = vec![iri("https://r.example/"); 33]).contains("token.roles"));
    let long = iri(&format!("https://r.example/{}", "a".repeat(400)));
    assert!(spoil(&|r| r.roles = vec![long.clone(); 32]).contains("8 KiB"));
}

#[test]
fn own_users_only() {
    let case = Case::new();
    let basis = (
        iri("https://operands.example/basis"),
        vec![iri("https://laws.example/19")],
    );
    let mut delegation = Delegation {
        claims: [basis].into(),
        request: Uuid::now_v7(),
        participant: case.police.id.clone(),
        subject: "officer-7".to_owned(),
        actors: vec!["dispatch".to_owned()],
        roles: vec![iri("https://roles.example/officer")],
        purpose: None,
        break_glass: None,
        on_behalf: Vec::new(),
        left_out: Vec::new(),
    };
    let token = case
        .police
        .issuer()
        .delegate(&delegation, &case.city.id, case.now)
        .unwrap();
    let verified = case.verify(token.reveal()).unwrap();
    assert_eq!(verified.subject, "officer-7");
    assert_eq!(verified.request, None);
    assert_eq!(verified.claims, delegation.claims);
    assert_eq!(verified.actors, delegation.actors);
    delegation.participant = case.rescue.id.clone();
    let refused = case
        .police
        .issuer()
        .delegate(&delegation, &case.city.id, case.now);
    let refusal = refused.unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Forbidden, "delegation")
    );
}

fn passed_on(case: &Case, path: &[&NamedNode]) -> Result<Secret, Refusal> {
    let delegation = Delegation {
        claims: std::collections::BTreeMap::new(),
        request: Uuid::now_v7(),
        participant: case.rescue.id.clone(),
        subject: "officer-7".to_owned(),
        actors: Vec::new(),
        roles: vec![iri("https://roles.example/officer")],
        purpose: None,
        break_glass: None,
        on_behalf: path.iter().map(|one| (*one).clone()).collect(),
        left_out: Vec::new(),
    };
    let issuer = case.police.issuer();
    issuer.pass_on(&delegation, &case.city.id, case.now)
}

#[test]
fn brokers_say_so() {
    let mut case = Case::new();
    let token = passed_on(&case, &[]).unwrap();
    // Only from whom the city knows as a broker.
    assert_eq!(case.check(token.reveal()), "token.on_behalf");
    case.trusted = case
        .city
        .trusting(&[&case.police, &case.rescue])
        .with_brokers(std::slice::from_ref(&case.police.id));
    let verified = case.verify(token.reveal()).unwrap();
    assert_eq!(verified.issuer, case.police.id);
    assert_eq!(verified.on_behalf, [case.rescue.id.clone()]);
    // What it asks for its own people is not marked.
    let own = case.police.issuer();
    let own = own.issue(&case.police.request(&case.city), case.now);
    let own = case.verify(own.unwrap().reveal()).unwrap();
    assert!(own.on_behalf.is_empty());
}

#[test]
fn no_loops() {
    let mut case = Case::new();
    let brokers = [case.police.id.clone()];
    case.trusted = case.city.trusting(&[&case.police]).with_brokers(&brokers);
    let back = passed_on(&case, &[&case.city.id]).unwrap();
    assert_eq!(case.check(back.reveal()), "token.on_behalf");
    // Nobody passes on what passed it before.
    assert!(passed_on(&case, &[&case.police.id]).is_err());
    assert!(passed_on(&case, &[&case.rescue.id]).is_err());
}

#[test]
fn bounded_brokers() {
    let case = Case::new();
    let names: Vec<_> = (0..4)
        .map(|n| iri(&format!("https://broker{n}.example/")))
        .collect();
    let names: Vec<_> = names.iter().collect();
    assert!(passed_on(&case, &names[..3]).is_ok());
    let refusal = passed_on(&case, &names).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Forbidden, "delegation")
    );
}

//! The token endpoints.

use super::*;
use twinlink_trust::{EntryKind, list_entries};

#[tokio::test(flavor = "multi_thread")]
async fn clients_get_tokens_that_work_and_can_be_looked_at_and_taken_back() {
    let mut city = city("").await;
    let app = App::new(&city);
    let backend = App::new(&city);
    let clients = city.path("clients");
    fs::create_dir(&clients).unwrap();
    let jwk = |app: &App| app.key.public().to_jwk();
    fs::write(clients.join("app.toml"), format!(
        "id = \"field-app\"\nkeys = ['{}']\nroles = [\"https://roles.example/a\", \"https://roles.example/b\"]\n\
         purposes = [\"https://purposes.example/p\"]\nmay_act = \"backend\"\n", jwk(&app))).unwrap();
    fs::write(
        clients.join("backend.toml"),
        format!(
            "id = \"backend\"\nkeys = ['{}']\nexchange = true\nintrospect = true\n",
            jwk(&backend)
        ),
    )
    .unwrap();
    city.serve().await;
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let first = app.ask(&city, ASK, Shown::Nothing).await;
    let nonce = nonce(&first.headers);
    let mut number = 0;
    let mut ask =
        |path: &'static str, by: &App, name: &'static str, more: Vec<(&'static str, String)>| {
            number += 1;
            let assertion = assertion(&by.key, name, &city, &number.to_string());
            let proof = by.proof(&city, "POST", path, None, &nonce);
            let mut form = vec![
                ("client_assertion", assertion),
                ("client_assertion_type", kind.to_owned()),
            ];
            form.extend(more);
            (path, form, proof)
        };
    let grant = |scope: &str| {
        vec![
            ("grant_type", "client_credentials".to_owned()),
            ("scope", scope.to_owned()),
            ("purpose", "https://purposes.example/p".to_owned()),
        ]
    };
    async fn put(by: &App, at: &Organisation, asked: (&str, Vec<(&str, String)>, String)) -> Page {
        let (path, form, proof) = asked;
        let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
        by.form(at, path, &form, Shown::Proof(&proof)).await
    }
    let asked = ask(TOKEN, &app, "field-app", grant("https://roles.example/a"));
    let replayed = asked.clone();
    let page = put(&app, &city, asked).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert_eq!(page.header("cache-control"), "no-store");
    let got = json(&page);
    assert_eq!(got["token_type"], "DPoP");
    assert_eq!(got["scope"], "https://roles.example/a");
    let token = got["access_token"].as_str().unwrap().to_owned();
    // Neither assertion nor proof works twice.
    let page = put(&app, &city, replayed).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{page:?}");
    assert_eq!(json(&page)["error"], "invalid_client");
    let proof = app.proof(&city, "GET", "/sparql", Some(&token), &nonce);
    assert_eq!(
        said(&app.ask(&city, ASK, Shown::Proven(&token, &proof)).await),
        "ok"
    );
    // What it may not have it does not get.
    for (form, error) in [
        (grant("https://roles.example/mayor"), "invalid_scope"),
        (grant("no role"), "invalid_request"),
        (
            [
                grant("https://roles.example/a"),
                vec![("audience", "https://rescue.example/".to_owned())],
            ]
            .concat(),
            "invalid_target",
        ),
        (
            vec![("grant_type", "password".to_owned())],
            "unsupported_grant_type",
        ),
        (Vec::new(), "invalid_request"),
        (
            [
                grant("https://roles.example/a"),
                grant("https://roles.example/a"),
            ]
            .concat(),
            "invalid_request",
        ),
    ] {
        let asked = ask(TOKEN, &app, "field-app", form);
        let page = put(&app, &city, asked).await;
        assert_eq!(json(&page)["error"], error, "{page:?}");
    }
    let asked = ask(
        TOKEN,
        &backend,
        "field-app",
        grant("https://roles.example/a"),
    );
    assert_eq!(
        json(&put(&backend, &city, asked).await)["error"],
        "invalid_client"
    );
    let (path, form, _) = ask(TOKEN, &app, "field-app", grant("https://roles.example/a"));
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let page = app.form(&city, path, &form, Shown::Nothing).await;
    assert_eq!(json(&page)["error"], "invalid_dpop_proof", "{page:?}");
    // Its backend acts for it, with the token that names the backend.
    let exchange = |token: &str| {
        vec![
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange".to_owned(),
            ),
            ("subject_token", token.to_owned()),
            (
                "subject_token_type",
                "urn:ietf:params:oauth:token-type:access_token".to_owned(),
            ),
        ]
    };
    let asked = ask(TOKEN, &backend, "backend", exchange(&token));
    let page = put(&backend, &city, asked).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let acting = json(&page)["access_token"].as_str().unwrap().to_owned();
    let proof = backend.proof(&city, "GET", "/sparql", Some(&acting), &nonce);
    assert_eq!(
        said(
            &backend
                .ask(&city, ASK, Shown::Proven(&acting, &proof))
                .await
        ),
        "ok"
    );
    let asked = ask(TOKEN, &app, "field-app", exchange(&token));
    assert_eq!(
        json(&put(&app, &city, asked).await)["error"],
        "unauthorized_client"
    );
    // Looked at by whom that is allowed.
    let look = |token: &str| vec![("token", token.to_owned())];
    let asked = ask("/oauth/introspect", &backend, "backend", look(&token));
    let found = json(&put(&backend, &city, asked).await);
    assert_eq!(found["active"], true);
    assert_eq!(found["cnf"]["jkt"], app.key.public().thumbprint());
    let asked = ask("/oauth/introspect", &app, "field-app", look(&token));
    assert_eq!(
        json(&put(&app, &city, asked).await)["error"],
        "unauthorized_client"
    );
    // Taken back, by its own client only; from then on it is refused, after a restart too.
    let asked = ask("/oauth/revoke", &backend, "backend", look(&token));
    assert_eq!(
        json(&put(&backend, &city, asked).await)["error"],
        "unauthorized_client"
    );
    for text in ["no token at all", token.as_str()] {
        let asked = ask("/oauth/revoke", &app, "field-app", look(text));
        assert_eq!(put(&app, &city, asked).await.status, StatusCode::OK);
    }
    let asked = ask("/oauth/introspect", &backend, "backend", look(&token));
    assert_eq!(
        json(&put(&backend, &city, asked).await),
        serde_json::json!({"active": false})
    );
    let proof = app.proof(&city, "GET", "/sparql", Some(&token), &nonce);
    assert_eq!(
        said(&app.ask(&city, ASK, Shown::Proven(&token, &proof)).await),
        "no"
    );
    city.stop().await;
    city.serve().await;
    let fresh = super::nonce(&app.ask(&city, ASK, Shown::Nothing).await.headers);
    let proof = app.proof(&city, "GET", "/sparql", Some(&token), &fresh);
    assert_eq!(
        said(&app.ask(&city, ASK, Shown::Proven(&token, &proof)).await),
        "no"
    );
    let proof = backend.proof(&city, "GET", "/sparql", Some(&acting), &fresh);
    assert_eq!(
        said(
            &backend
                .ask(&city, ASK, Shown::Proven(&acting, &proof))
                .await
        ),
        "ok"
    );
    city.stop().await;
    let refusals = city.refusals();
    for check in [
        "assertion.jti",
        "client.scope",
        "client.audience",
        "assertion.signature",
        "client.exchange",
        "client.introspect",
        "revocation.client",
        "token.revoked",
    ] {
        assert!(
            refusals.iter().any(|one| one == check),
            "{check} in {refusals:?}"
        );
    }
    // Who acted for whom is on record, and in which trace.
    let journal = city.store().journal();
    let entries = list_entries(&journal, 0, 10_000).unwrap();
    let acted = entries.iter().filter_map(|(_, entry)| match &entry.kind {
        EntryKind::Intent { used, trace, .. } if used.actors == ["backend"] => Some((used, trace)),
        _ => None,
    });
    let acted: Vec<_> = acted.collect();
    assert_eq!(acted.len(), 2);
    for (used, trace) in acted {
        assert_eq!(used.subject.as_deref(), Some("field-app"));
        assert_eq!(used.client.as_deref(), Some("backend"));
        assert_eq!(trace.as_deref().map(str::len), Some(32));
    }
    // While somebody has the file open, it is asked of a connector that runs.
    drop(journal);
    let list = city
        .program()
        .args(["audit", "list", "--limit", "10000"])
        .output()
        .unwrap();
    let said = String::from_utf8(list.stderr).unwrap();
    let list = String::from_utf8(list.stdout).unwrap() + &said;
    assert!(list.contains("field-app, for whom backend acts"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_clients_only() {
    let mut city = Organisation::new("city");
    let authority = Authority::load(
        &city.path("identity/authority.pem"),
        &city.path("identity/authority-key.pem"),
    )
    .unwrap();
    let certify = || {
        let subject = Subject {
            participant: city.id.clone(),
            hosts: vec!["app.city.example".to_owned()],
        };
        let issued = authority.issue(&subject, time::Duration::days(1), OffsetDateTime::now_utc());
        CurrentIdentity::new(issued.unwrap().identity().unwrap())
    };
    let (app, other) = (certify(), certify());
    fs::create_dir(city.path("clients")).unwrap();
    fs::write(
        city.path("clients/app.toml"),
        format!(
            "id = \"desk\"\ncertificates = [\"{}\"]\n",
            app.load().thumbprint()
        ),
    )
    .unwrap();
    city.permit("all", Permission::default());
    city.serve().await;
    let caller = |identity: &Arc<CurrentIdentity>| {
        super::super::caller::Caller::new(Arc::clone(identity), city.registry(), &[], None)
    };
    let form = post(TOKEN, &[("grant_type", "client_credentials")]);
    let page = caller(&app).send(&city, form.clone()).await;
    let got = json(&page);
    assert_eq!(got["token_type"], "Bearer", "{page:?}");
    let token = got["access_token"].as_str().unwrap();
    let answer = caller(&app).with_token(token).query(&city, "ASK {}").await;
    assert_eq!(answer.status, StatusCode::OK);
    let stolen = caller(&other)
        .with_token(token)
        .query(&city, "ASK {}")
        .await;
    assert_eq!(stolen.status, StatusCode::UNAUTHORIZED);
    let page = caller(&other).send(&city, form).await;
    assert_eq!(
        (page.status, json(&page)["error"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("invalid_client"))
    );
    // What clients need to know is told to all, and holds no secret.
    let page = caller(&other)
        .send(
            &city,
            Request::get("/.well-known/oauth-authorization-server")
                .header("host", "localhost")
                .body(Full::default())
                .unwrap(),
        )
        .await;
    let metadata = json(&page);
    assert_eq!(metadata["issuer"], city.id.as_str());
    assert_eq!(
        metadata["token_endpoint"],
        format!("{}/oauth/token", city.url())
    );
    assert!(metadata.get("dpop_signing_alg_values_supported").is_none());
    // A new key is announced before it signs.
    let next = SigningKey::generate().unwrap();
    fs::write(city.path("identity/next.jwk"), next.public().to_jwk()).unwrap();
    let path = city.path("twinlink.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace(
            "[identity]\n",
            "[identity]\noverlapping_keys = [\"identity/next.jwk\"]\n",
        ),
    )
    .unwrap();
    city.stop().await;
    city.serve().await;
    let caller = super::super::caller::Caller::new(other, city.registry(), &[], None);
    let page = caller
        .send(
            &city,
            Request::get("/oauth/jwks")
                .header("host", "localhost")
                .body(Full::default())
                .unwrap(),
        )
        .await;
    let keys = json(&page)["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2);
    assert!(
        keys.iter()
            .all(|key| key.get("d").is_none() && key["kty"] == "EC"),
        "{keys:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_for_good() {
    let mut city = Organisation::new("city");
    city.serve().await;
    let steward = city.steward();
    let (token, other) = (steward.token(&city), steward.token(&city));
    let with = |token: &str| steward.clone().with_token(token);
    // Other records come before and after, over several pages of the log.
    for _ in 0..20 {
        assert_eq!(
            with(&other).query(&city, "ASK {}").await.status,
            StatusCode::OK
        );
    }
    assert_eq!(
        with(&token).query(&city, "ASK {}").await.status,
        StatusCode::OK
    );
    let page = steward
        .send(&city, post("/oauth/revoke", &[("token", &token)]))
        .await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    for _ in 0..2 {
        let page = with(&token).query(&city, "ASK {}").await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            with(&other).query(&city, "ASK {}").await.status,
            StatusCode::OK
        );
        city.stop().await;
        city.serve().await;
    }
    let page = with(&token).query(&city, "ASK {}").await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_asks_about_tokens_that_are_for_it_where_it_may() {
    let mut city = Organisation::new("city");
    let (police, rescue) = (Organisation::new("police"), Organisation::new("rescue"));
    city.serve().await;
    for peer in [&police, &rescue] {
        city.introduce(peer, &[], &[]);
        peer.introduce(&city, &[], &[]);
    }
    for entry in fs::read_dir(city.path("peers")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        if text.contains(police.id.as_str()) {
            fs::write(&path, format!("introspect = true\n{text}")).unwrap();
        }
    }
    city.node().reload().unwrap();
    let token_for = |audience: &Organisation| {
        let steward = city.steward();
        steward.issue(&steward.claims(&audience.id), OffsetDateTime::now_utc())
    };
    let (theirs, ours) = (token_for(&police), token_for(&city));
    let inactive = serde_json::json!({"active": false});
    for (who, token, expected) in [
        (&police, &theirs, None),
        (&police, &ours, Some(&inactive)),
        (&police, &"no.token.atall".to_owned(), Some(&inactive)),
    ] {
        let form = post("/oauth/introspect", &[("token", token)]);
        let found = json(&who.caller(&[], None).send(&city, form).await);
        match expected {
            Some(expected) => assert_eq!(&found, expected),
            None => {
                assert_eq!(found["active"], true, "{found}");
                assert_eq!(found["iss"], city.id.as_str());
                assert_eq!(found["aud"][0], police.id.as_str());
            }
        }
    }
    let form = post("/oauth/introspect", &[("token", &theirs)]);
    let page = rescue.caller(&[], None).send(&city, form).await;
    assert_eq!(json(&page)["error"], "unauthorized_client", "{page:?}");
    // No peer gets a token of ours, nor takes one back.
    for (path, form) in [
        (TOKEN, [("grant_type", "client_credentials")]),
        ("/oauth/revoke", [("token", theirs.as_str())]),
    ] {
        let page = police
            .caller(&[], None)
            .send(&city, post(path, &form))
            .await;
        assert_eq!(json(&page)["error"], "unauthorized_client", "{page:?}");
    }
    city.stop().await;
    // Who looked, at what was there to see, and whether it was let.
    let entries = twinlink_trust::list_entries(&city.store().journal(), 0, 1000).unwrap();
    let looks = entries
        .into_iter()
        .filter_map(|(_, entry)| match entry.kind {
            twinlink_trust::EntryKind::Intent {
                used,
                token,
                refused,
                ..
            } if used.action.ends_with("introspectToken") => {
                Some((used.participant?, token.is_some(), refused))
            }
            _ => None,
        });
    let by = |who: &Organisation| who.id.as_str().to_owned();
    let refused = Some("client.introspect".to_owned());
    assert_eq!(
        looks.collect::<Vec<_>>(),
        [
            (by(&police), true, None),
            (by(&police), false, None),
            (by(&police), false, None),
            (by(&rescue), false, refused),
        ]
    );
}

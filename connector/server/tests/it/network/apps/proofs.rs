//! Apps without a certificate at both doors.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn apps_without_a_certificate_prove_their_key_at_both_doors() {
    let mut city = city("").await;
    city.serve().await;
    let app = App::new(&city);
    // Its first token: from the operator, by the key's thumbprint.
    let made = city
        .program()
        .args(["token", "--jkt", &app.key.public().thumbprint()])
        .output()
        .unwrap();
    let token = String::from_utf8(made.stdout).unwrap();
    let token = token.trim();
    let mut proofs = Vec::new();
    for (path, method) in [(ASK, "GET"), (DESCRIBE, "POST")] {
        assert_eq!(
            said(&app.ask(&city, path, Shown::Nothing).await),
            "no",
            "{path}"
        );
        assert_eq!(
            said(&app.ask(&city, path, Shown::Bearer(token)).await),
            "no",
            "{path}"
        );
        let bare = path.split('?').next().unwrap();
        let early = app.proof(&city, method, bare, Some(token), "");
        let page = app.ask(&city, path, Shown::Proven(token, &early)).await;
        assert_eq!(said(&page), "nonce", "{path}");
        let nonce = nonce(&page.headers);
        let proof = app.proof(&city, method, bare, Some(token), &nonce);
        let page = app.ask(&city, path, Shown::Proven(token, &proof)).await;
        assert_eq!(said(&page), "ok", "{path} {page:?}");
        // Once, and for nothing else.
        let again = app.ask(&city, path, Shown::Proven(token, &proof)).await;
        assert_eq!(said(&again), "proof", "{path}");
        for other in [
            app.proof(&city, "PUT", bare, Some(token), &nonce),
            app.proof(&city, method, "/data", Some(token), &nonce),
            app.proof(&city, method, bare, Some("another token"), &nonce),
            app.proof(&city, method, bare, None, &nonce),
        ] {
            let page = app.ask(&city, path, Shown::Proven(token, &other)).await;
            assert_eq!(said(&page), "proof", "{path}");
        }
        let thief = App::new(&city);
        let stolen = thief.proof(&city, method, bare, Some(token), &nonce);
        let page = thief.ask(&city, path, Shown::Proven(token, &stolen)).await;
        assert_eq!(said(&page), "no", "{path}");
        proofs.push(app.proof(&city, method, bare, Some(token), &nonce));
    }
    // A change is decided twice, before its body is read and after: one proof is enough.
    let nonce = super::nonce(&app.ask(&city, ASK, Shown::Nothing).await.headers);
    let proof = app.proof(&city, "POST", "/sparql", Some(token), &nonce);
    let update = || {
        Request::post("/sparql")
            .header("host", "localhost")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", &proof)
            .header("content-type", "application/sparql-update")
            .body(Full::new(Bytes::from_static(
                b"INSERT DATA { <urn:s> <urn:p> 1 }",
            )))
            .unwrap()
    };
    assert_eq!(
        app.send(&city, update()).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(said(&app.send(&city, update()).await), "proof");
    // However many show one proof at a time, at whichever door: one is answered.
    let (app, city_of_all) = (Arc::new(app), Arc::new(city));
    let tries = (0..16).map(|number| {
        let (app, city, token) = (Arc::clone(&app), Arc::clone(&city_of_all), token.to_owned());
        let (path, proof) = [(ASK, &proofs[0]), (DESCRIBE, &proofs[1])][number % 2];
        let proof = proof.clone();
        tokio::spawn(async move {
            let page = app.ask(&city, path, Shown::Proven(&token, &proof)).await;
            (path, said(&page) == "ok")
        })
    });
    let mut answered = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        let (path, is_answered) = one.await.unwrap();
        if is_answered {
            answered.push(path);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [ASK, DESCRIBE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_nobody_connects_without_a_certificate() {
    let mut city = Organisation::new("city");
    city.serve().await;
    let app = App::new(&city);
    let tcp = TcpStream::connect(city.address()).await.unwrap();
    let connector = TlsConnector::from(Arc::new(app.tls.clone()));
    let opened = connector
        .connect("localhost".try_into().unwrap(), tcp)
        .await;
    // With TLS 1.3 the client learns it when it reads.
    if let Ok(stream) = opened {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = Request::get("/health")
            .header("host", "localhost")
            .body(Full::default());
        assert!(sender.send_request(request.unwrap()).await.is_err());
    }
    // Nor does a proof count for who has one.
    let steward = city.steward();
    let mut request = steward.request(&city, Method::GET, ASK, "", "");
    let token = steward.token(&city);
    let proof = app.proof(&city, "GET", "/sparql", Some(&token), "");
    let headers = request.headers_mut();
    headers.insert("authorization", format!("DPoP {token}").parse().unwrap());
    headers.insert("dpop", proof.parse().unwrap());
    assert_eq!(
        steward.send(&city, request).await.status,
        StatusCode::UNAUTHORIZED
    );
}

//! What is wrong is named with what to do, and no secret is told.

use super::{Folder, failed};
use std::fs;
use std::io::Write as _;

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let city = Folder::new("city");
    city.run_bare(&["serve"])
        .badly(1, &["twinlink.toml", "twinlink init", "--config"]);
    city.run_bare(&["nothing"]).badly(2, &["nothing"]);
    let again = city.path("");
    city.run_bare(&[
        "init",
        again.to_str().unwrap(),
        "--participant",
        "https://city.example/",
    ])
    .badly(1, &["is there already", "another folder"]);
    city.run_bare(&["init", "x", "--participant", "city"])
        .badly(1, &["--participant", "IRI"]);

    for (from, to, words) in [
        (
            "version = 1",
            "version = 1\nspeed = 9",
            vec!["twinlink.toml", "line", "speed"],
        ),
        (
            "version = 1",
            "version = 9",
            vec!["`version` is 9", "reads 1"],
        ),
        (
            "listen = \"127.0.0.1:",
            "listen = \"nowhere:",
            vec!["`listen`", "0.0.0.0:7443"],
        ),
        ("identity/key.pem", "identity/none.pem", vec!["none.pem"]),
    ] {
        city.replace("twinlink.toml", from, to);
        for command in [vec!["serve"], vec!["config", "check"]] {
            city.run(&command).badly(1, &words);
        }
        city.replace("twinlink.toml", to, from);
    }

    fs::write(
        city.path("policies/odd.ttl"),
        "<https://city.example/odd> a",
    )
    .unwrap();
    for command in [vec!["serve"], vec!["config", "check"]] {
        city.run(&command).badly(1, &["policies/odd.ttl", "line 1"]);
    }
    let findings = city.run(&["policy", "check"]);
    assert_eq!(findings.code, 1);
    assert!(
        findings.out.contains("policies/odd.ttl"),
        "{}",
        findings.out
    );
    let doctor = city.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1);
    assert_eq!(failed(&doctor.json()), ["policies"]);
    fs::remove_file(city.path("policies/odd.ttl")).unwrap();

    // More memory than there is.
    #[cfg(target_os = "linux")]
    {
        let config = fs::read_to_string(city.path("twinlink.toml")).unwrap();
        let greedy = format!("{config}\n[limits]\nmemory_total_bytes = {}\n", i64::MAX);
        fs::write(city.path("twinlink.toml"), greedy).unwrap();
        let doctor = city.run(&["doctor", "--json"]);
        assert_eq!(failed(&doctor.json()), ["memory"]);
        fs::write(city.path("twinlink.toml"), config).unwrap();
    }

    // An endpoint that `serve` would not take is told by whoever checks, too.
    fs::create_dir(city.path("foreign")).unwrap();
    fs::write(city.path("foreign/odd.toml"), "odd = 1").unwrap();
    for command in [vec!["serve"], vec!["config", "check"]] {
        city.run(&command).badly(1, &["foreign/odd.toml", "odd"]);
    }
    let doctor = city.run(&["doctor", "--json"]);
    assert_eq!(failed(&doctor.json()), ["foreign"]);
    fs::remove_file(city.path("foreign/odd.toml")).unwrap();

    let no_export = city.file("notes.json", "[]");
    city.run(&["audit", "reconcile", &no_export])
        .badly(1, &["notes.json", "audit export"]);

    let broken = city.file(
        "broken.ttl",
        "<https://city.example/a> <https://city.example/b> 1 .\n<https://city.example/a> oops",
    );
    let good = city.file(
        "good.ttl",
        "<https://city.example/a> <https://city.example/b> 1 .",
    );
    city.run(&["import", &good, &broken])
        .badly(1, &["broken.ttl:2:"]);
    city.run(&["import", "nothing.ttl"])
        .badly(1, &["nothing.ttl"]);
    assert_eq!(city.run(&["export"]).well().out, "");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = fs::read_to_string(city.path("twinlink.toml")).unwrap();
    let listen = text
        .lines()
        .find(|line| line.starts_with("listen"))
        .unwrap();
    let elsewhere = format!("listen = \"127.0.0.1:{port}\"");
    city.replace("twinlink.toml", listen, &elsewhere);
    city.run(&["serve"])
        .badly(1, &["cannot listen", &port.to_string()]);
}

#[test]
fn no_program_tells_a_secret() {
    let city = Folder::new("city");
    let token = city.run(&["token", "--lifetime", "60"]).well();
    let (token, hint) = (token.out.trim().to_owned(), token.err);
    assert_eq!(token.split('.').count(), 3);
    assert!(hint.contains("valid 60 s"), "{hint}");
    city.said.borrow_mut().clear();

    let serving = city.serve();
    for command in [
        vec!["config", "check"],
        vec!["doctor"],
        vec!["doctor", "--json"],
        vec!["peer", "list"],
        vec!["query", "ASK {}"],
        vec!["query", "SELECT"],
    ] {
        city.run(&command);
    }
    // A token that is wrong is not repeated in the log either.
    let mut curious = std::net::TcpStream::connect(("127.0.0.1", serving.port)).unwrap();
    curious
        .write_all(format!("GET / HTTP/1.1\r\nauthorization: Bearer {token}\r\n\r\n").as_bytes())
        .unwrap();
    drop(curious);
    drop(serving);
    // Another organisation's key in place of ours: the file is named, not shown.
    let key = fs::read_to_string(Folder::new("other").path("identity/key.pem")).unwrap();
    fs::write(city.path("identity/key.pem"), &key).unwrap();
    let wrong = city.run(&["serve"]);
    wrong.badly(1, &["identity/"]);

    let said = city.said.borrow();
    let log = fs::read_to_string(city.path("serve.log")).unwrap();
    let inner = key.lines().nth(1).unwrap();
    let signature = token.rsplit('.').next().unwrap();
    for text in [said.as_str(), log.as_str()] {
        for secret in ["PRIVATE KEY", inner, signature] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

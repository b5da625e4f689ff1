//! Attacks on who asks: tokens nobody honest makes, and certificates nobody should take, at both doors of a connector.
//!
//! A case passes where the door says "not authenticated" and no more, and the log of use names the check that was meant
//! to refuse it. Certificates are refused before there is a request: there the connection must fail.

mod app;
mod clients;
mod doors;
mod envelopes;
mod forge;
mod lines;
mod possession;
mod replicas;
mod signed;
mod sockets;
mod tokens;
mod withdrawn;

use app::App;
use clients::Clients;
pub(crate) use forge::Forger;

use crate::http::{Remote, Request, SPARQL, Target as _, percent_encoded};
use crate::library::Fault;
use crate::report::{Report, Verdict};
use crate::town::{OFFICER, Organisation, Town, certify};
use sockets::Watch;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokens::{Forged, Tokens};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use twinlink_client::{Client, Error, QueryOptions, Token};
use twinlink_trust::{CurrentIdentity, Entry, EntryKind, write_public};

/// What every case asks for.
const QUERY: &str = "SELECT ?s WHERE { ?s ?p ?o } LIMIT 1";
/// All that a stranger may read.
const GENERAL: &str = "authentication failed";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Certificates that the city's authority has revoked; and apps of its own need none.
const MORE: &str = "revocations = [\"identity/revoked.pem\"]\n[apps]\ndpop = true\n";

/// How a door took a request.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Answered,
    /// Not authenticated, with the text that came along.
    Refused(String),
    /// No connection, or it was closed without an answer.
    Closed(String),
    /// Anything else.
    Otherwise(String),
}

/// Both doors, under one certificate.
struct Doors {
    runtime: Runtime,
    http: Remote,
    grpc: Client,
}

/// A certificate that no connection comes about with.
struct BadCertificate {
    name: &'static str,
    identity: Arc<CurrentIdentity>,
}

pub(crate) fn run(name: &'static str) -> Result<Report, Fault> {
    let trap = TcpListener::bind(("127.0.0.1", 0)).map_err(fault)?;
    let address = trap.local_addr().map_err(fault)?.to_string();
    let mut revoked = None;
    let clients = Clients::new()?;
    let town = Town::start_with(MORE, |home, authority| {
        let identity = certify(authority, "https://city.example/", time::Duration::days(1))?;
        let now = OffsetDateTime::now_utc();
        let facts = [identity.load().facts().clone()];
        let list = authority.revoke(&facts, now, now + time::Duration::days(1));
        let path = home.join("identity/revoked.pem");
        write_public(&path, &list.map_err(fault)?).map_err(fault)?;
        revoked = Some(identity);
        clients.configure(home)
    })?;
    let good = town.police.token(&town.city.id, OFFICER)?;
    let forged = Tokens::of(&town, good.reveal(), address)?;
    let police = Doors::open(&town, &town.police.identity)?;
    let sockets = Watch::begin();
    let mut cases = Vec::new();
    // What the log of use must hold at the end, in this order: the case, and the check.
    let mut expected: Vec<(usize, &'static str)> = Vec::new();
    let mut refuse = |cases: &mut Vec<_>, doors: &Doors, what: &Forged| {
        for (door, taken) in doors.both(Some(&what.token)) {
            expected.push((cases.len(), what.check));
            cases.push((format!("{door}: {}", what.name), refused(taken)));
        }
    };
    cases.extend(police.good(good.reveal(), "a good request before"));
    for what in &forged {
        refuse(&mut cases, &police, what);
    }
    let rescue = Doors::open(&town, &town.rescue.identity)?;
    for what in stolen(&town, good.reveal())? {
        refuse(&mut cases, &rescue, &what);
    }
    // The client of gRPC always sends a token: an empty one here.
    for ((door, taken), check) in police.both(None).into_iter().zip(["token.form", "token"]) {
        expected.push((cases.len(), check));
        cases.push((format!("{door}: no token"), refused(taken)));
    }
    doors::attack(&town, &forged, &mut cases, &mut expected)?;
    let app = App::new(&town)?;
    possession::attack(&town, &app, good.reveal(), &mut cases, &mut expected)?;
    signed::attack(&town, &app, &mut cases, &mut expected)?;
    envelopes::attack(&town, good.reveal(), &mut cases, &mut expected)?;
    replicas::attack(&town, &app, &mut cases, &mut expected)?;
    clients.attack(&town, &app, &rescue.http, &mut cases, &mut expected)?;
    withdrawn::attack(&town, &rescue, &mut cases, &mut expected)?;
    for bad in certificates(&town, revoked)? {
        let doors = Doors::open(&town, &bad.identity)?;
        for (door, taken) in doors.both(Some(good.reveal())) {
            cases.push((format!("{door}: {}", bad.name), closed(taken)));
        }
    }
    cases.extend(police.good(good.reveal(), "a good request after"));
    cases.extend(app.good("a good request of an app after"));
    expected.extend([(usize::MAX, "certificate"); 2]);
    cases.push(("no connection to jku or x5u".to_owned(), untouched(&trap)));
    cases.extend(sockets.end());
    let refusals = expected.len();
    drop((police, rescue, app));
    check_log(&town.stop()?, &expected, &mut cases);
    let lines = lines::judge(&cases);
    cases.extend(lines);
    Ok(Report::of(name, cases).with("refusals in the log of use", refusals))
}

/// Good tokens in the hands of the rescue department, which has a good certificate of its own.
fn stolen(town: &Town, good: &str) -> Result<Vec<Forged>, Fault> {
    let forged = |name: &str, token: String, check| Forged {
        name: name.to_owned(),
        token,
        check,
    };
    let thumbprint = town.rescue.identity.load().thumbprint().to_owned();
    let lent = town.police.token_for(&town.city.id, OFFICER, &thumbprint)?;
    let elsewhere = town.rescue.token(&town.police.id, OFFICER)?;
    Ok(vec![
        forged(
            "another's token over one's own certificate",
            good.to_owned(),
            "token.cnf",
        ),
        forged(
            "another's token, bound to one's own certificate",
            lent.reveal().to_owned(),
            "token.participant",
        ),
        forged(
            "a token for another connector",
            elsewhere.reveal().to_owned(),
            "token.aud",
        ),
    ])
}

fn certificates(
    town: &Town,
    revoked: Option<Arc<CurrentIdentity>>,
) -> Result<Vec<BadCertificate>, Fault> {
    let day = time::Duration::days(1);
    let (police, own) = (&town.police.authority, town.police.id.as_str());
    let stranger = Organisation::new(own)?.identity;
    let unknown = Organisation::new("https://unknown.example/")?.identity;
    let expired = certify(police, own, time::Duration::minutes(-1))?;
    let mut all = vec![
        (
            "a certificate of an authority that is not the police's",
            stranger,
        ),
        (
            "a certificate of an organisation that nobody knows",
            unknown,
        ),
        ("an expired certificate", expired),
        (
            "a certificate of the police's authority for the city",
            certify(police, town.city.id.as_str(), day)?,
        ),
        (
            "a certificate of the police's authority for the rescue department",
            certify(police, town.rescue.id.as_str(), day)?,
        ),
        (
            "a certificate for an id without its slash at the end",
            certify(police, "https://police.example", day)?,
        ),
    ];
    all.extend(revoked.map(|identity| ("a revoked certificate", identity)));
    let bad = |(name, identity)| BadCertificate { name, identity };
    Ok(all.into_iter().map(bad).collect())
}

impl Doors {
    fn open(town: &Town, identity: &Arc<CurrentIdentity>) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(fault)?;
        let config = town.grpc(identity, "")?;
        let inside = runtime.enter();
        let grpc = Client::lazy(&config).map_err(fault)?;
        drop(inside);
        Ok(Self {
            runtime,
            http: town.http(identity)?,
            grpc,
        })
    }

    fn both(&self, token: Option<&str>) -> [(&'static str, Taken); 2] {
        [
            ("gRPC", self.ask_grpc(token)),
            ("HTTP", self.ask_http(token)),
        ]
    }

    fn good(&self, token: &str, name: &str) -> [(String, Verdict); 2] {
        self.both(Some(token)).map(|(door, taken)| {
            let verdict = match taken {
                Taken::Answered => Verdict::Passed,
                other => Verdict::Failed(format!("not answered: {other:?}")),
            };
            (format!("{door}: {name}"), verdict)
        })
    }

    fn ask_grpc(&self, token: Option<&str>) -> Taken {
        let client = self
            .grpc
            .with_tokens(Arc::new(Token::new(token.unwrap_or_default())));
        let asked = self.runtime.block_on(async {
            let options = QueryOptions::new(QUERY, Instant::now() + PATIENCE);
            let answer = client.query(options).await?;
            answer.outcome().await
        });
        match asked {
            Ok(_) => Taken::Answered,
            Err(Error::Unauthenticated(text)) => Taken::Refused(text),
            Err(error @ (Error::Unreachable(_) | Error::Broken(_))) => {
                Taken::Closed(error.to_string())
            }
            Err(error) => Taken::Otherwise(error.to_string()),
        }
    }

    fn ask_http(&self, token: Option<&str>) -> Taken {
        let mut request = Request::get(format!("{SPARQL}?query={}", percent_encoded(QUERY)));
        if let Some(token) = token {
            let value = format!("Bearer {token}");
            request.headers.push(("authorization".to_owned(), value));
        }
        match self.http.send(&request) {
            Ok(response) if response.is_success() => Taken::Answered,
            Ok(response) if response.status == 401 => {
                let challenge = response.header("www-authenticate").unwrap_or_default();
                let body = String::from_utf8_lossy(&response.body).into_owned();
                if challenge.is_empty() {
                    return Taken::Otherwise("401 without a challenge".to_owned());
                }
                Taken::Refused(format!("{challenge} {body}"))
            }
            Ok(response) => Taken::Otherwise(response.summary()),
            Err(error) => Taken::Closed(error.to_string()),
        }
    }
}

/// Passed where the caller was told that it is not authenticated, and nothing of why.
fn refused(taken: Taken) -> Verdict {
    match taken {
        // The names of all checks of tokens and certificates have a dot after these.
        Taken::Refused(text)
            if text.contains(GENERAL)
                && !text.contains("token.")
                && !text.contains("certificate.")
                && !text.contains("envelope.") =>
        {
            Verdict::Passed
        }
        Taken::Refused(text) => Verdict::Failed(format!("refused, but told more: {text}")),
        other => Verdict::Failed(format!("{other:?}")),
    }
}

fn closed(taken: Taken) -> Verdict {
    match taken {
        Taken::Closed(_) => Verdict::Passed,
        other => Verdict::Failed(format!("{other:?}")),
    }
}

/// Whether nobody ever connected.
fn untouched(trap: &TcpListener) -> Verdict {
    if let Err(error) = trap.set_nonblocking(true) {
        return Verdict::Failed(error.to_string());
    }
    match trap.accept() {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Verdict::Passed,
        Err(error) => Verdict::Failed(error.to_string()),
        Ok((_, from)) => Verdict::Failed(format!("{from} connected")),
    }
}

/// Holds each refusal in the log of use to the check that was meant.
fn check_log(
    entries: &[Entry],
    expected: &[(usize, &'static str)],
    cases: &mut Vec<(String, Verdict)>,
) {
    let logged: Vec<&str> = entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Intent { refused, .. } => refused.as_deref(),
            _ => None,
        })
        .collect();
    // Of connections that did not come about a task of its own makes the record, a moment later.
    let (handshakes, logged): (Vec<&str>, Vec<&str>) = logged
        .into_iter()
        .partition(|check| *check == "tls.handshake");
    let verdict = match handshakes.len() {
        0 => Verdict::Failed("none".to_owned()),
        _ => Verdict::Passed,
    };
    cases.push((
        "certificates that do not hold are in the log of use".to_owned(),
        verdict,
    ));
    let verdict = if logged.len() == expected.len() {
        Verdict::Passed
    } else {
        Verdict::Failed(format!("{} of {}", logged.len(), expected.len()))
    };
    cases.push(("every refusal is in the log of use".to_owned(), verdict));
    for ((case, check), logged) in expected.iter().zip(logged) {
        if let Some((_, verdict)) = cases.get_mut(*case)
            && *verdict == Verdict::Passed
            && logged != *check
        {
            *verdict = Verdict::Failed(format!("refused by {logged}, not by {check}"));
        }
    }
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}

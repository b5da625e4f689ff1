//! Certificates, keys, authorities and token keys change while a connector is asked all the time: no request fails.

use crate::embedded::files;
use crate::http::{Remote, RemoteSettings, Request, Target as _};
use crate::library::Fault;
use crate::report::{Report, Verdict};
use crate::town::{OFFICER, Organisation, Town, card, certify};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_client::{Client, QueryOptions};
use twinlink_trust::{
    Authority, CurrentIdentity, Protocol, Subject, Trusted, TrustedParty, write_private,
};

/// How often everything is changed.
const ROUNDS: usize = 3;
/// Who asks all the time: half of them over gRPC, half over HTTP.
const CALLERS: usize = 4;
/// Questions on one connection.
const QUESTIONS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(30);
const QUERY: &str = "ASK {}";

/// What all callers share.
struct Load<'a> {
    town: &'a Town,
    /// What the callers' organisation shows from its next connection on.
    identity: Arc<CurrentIdentity>,
    is_over: AtomicBool,
    asked: AtomicUsize,
    /// Connections of each caller that have ended.
    connections: [AtomicUsize; CALLERS],
    failures: Mutex<Vec<String>>,
}

pub(crate) fn run(name: &'static str) -> Result<Report, Fault> {
    let town = Town::start("")?;
    let load = Load {
        identity: CurrentIdentity::new((*town.police.identity.load()).clone()),
        town: &town,
        is_over: AtomicBool::new(false),
        asked: AtomicUsize::new(0),
        connections: Default::default(),
        failures: Mutex::default(),
    };
    let mut cases = Vec::new();
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let load = &load;
            scope.spawn(move || load.ask(caller));
        }
        let rotated = rotate(&load, &mut cases);
        load.is_over.store(true, Ordering::SeqCst);
        rotated
    })?;
    let connections = load
        .connections
        .iter()
        .map(|one| one.load(Ordering::SeqCst));
    Ok(Report::of(name, cases)
        .with("requests", load.asked.load(Ordering::SeqCst))
        .with("connections", connections.sum()))
}

fn rotate(load: &Load<'_>, cases: &mut Vec<(String, Verdict)>) -> Result<(), Fault> {
    let town = load.town;
    let mut authority: Option<Authority> = None;
    let mut peer: Option<Authority> = None;
    load.overlap()?;
    for round in 1..=ROUNDS {
        let mut step = |what: &str, done: Result<(), Fault>| -> Result<(), Fault> {
            done?;
            load.overlap()?;
            cases.push((format!("{what}, round {round}"), load.verdict()));
            Ok(())
        };
        let old = authority.take();
        let old = old.as_ref().unwrap_or(&town.city.authority);
        step("certificate and key of the connector", renew(town, old))?;
        let next = Authority::create("next", OffsetDateTime::now_utc()).map_err(fault)?;
        let both = format!("{}{}", old.certificate_pem(), next.certificate_pem());
        step("both authorities of the connector", trust(town, &both))?;
        step("certificate of its next authority", renew(town, &next))?;
        step(
            "its next authority alone",
            trust(town, next.certificate_pem()),
        )?;
        authority = Some(next);

        // The key of a peer's certificate is the one that signs its tokens.
        let old = peer.take();
        let old = old.as_ref().unwrap_or(&town.police.authority);
        let next = Authority::create("next", OffsetDateTime::now_utc()).map_err(fault)?;
        let both = format!("{}{}", old.certificate_pem(), next.certificate_pem());
        let now = load.key();
        let renewed = certify(&next, town.police.id.as_str(), time::Duration::days(1))?;
        let renewed = (*renewed.load()).clone();
        let key = renewed.key().public().to_jwk();
        let overlapping = introduce(town, &[&now, &key], &both);
        step(
            "overlapping token keys and authorities of a peer",
            overlapping,
        )?;
        load.identity.replace(renewed).map_err(fault)?;
        step("certificate and token key of a peer", Ok(()))?;
        let alone = introduce(town, &[&key], next.certificate_pem());
        step("the peer's next key and authority alone", alone)?;
        peer = Some(next);
    }
    Ok(())
}

/// A new certificate with a new key for the connector.
fn renew(town: &Town, authority: &Authority) -> Result<(), Fault> {
    let subject = Subject {
        participant: town.city.id.clone(),
        hosts: vec!["localhost".to_owned()],
    };
    let lifetime = time::Duration::days(1);
    let issued = authority.issue(&subject, lifetime, OffsetDateTime::now_utc());
    let issued = issued.map_err(fault)?;
    let [certificate, key, _] = files(town.home());
    // A private file is never written over by mistake.
    fs::remove_file(&key).map_err(fault)?;
    write_private(&key, issued.key_pem.reveal()).map_err(fault)?;
    fs::write(&certificate, &issued.certificate_pem).map_err(fault)?;
    town.reload()
}

/// Other authorities of the connector: for itself, and for those who ask it.
fn trust(town: &Town, authorities: &str) -> Result<(), Fault> {
    let [_, _, authority] = files(town.home());
    fs::write(&authority, authorities).map_err(fault)?;
    town.reload()?;
    let identity = town.city.identity.load();
    let own = TrustedParty::own(&identity, authorities.to_owned());
    let trusted = Trusted::new(own, Vec::new()).map_err(fault)?;
    town.registry.replace(trusted);
    Ok(())
}

/// Other token keys and authorities of the police.
fn introduce(town: &Town, keys: &[&str], authorities: &str) -> Result<(), Fault> {
    let file = town.home().join("peers/police.toml");
    fs::write(file, card(&town.police.id, keys, authorities)).map_err(fault)?;
    town.reload()
}

impl Load<'_> {
    /// Asks until it is over.
    fn ask(&self, caller: usize) {
        while !self.is_over.load(Ordering::SeqCst) {
            // One connection shows one certificate, and its tokens are bound to that.
            let identity = CurrentIdentity::new((*self.identity.load()).clone());
            let result = if caller.is_multiple_of(2) {
                self.ask_grpc(identity)
            } else {
                self.ask_http(identity)
            };
            if let Err(failure) = result {
                self.failures().push(failure.to_string());
            }
            if let Some(connections) = self.connections.get(caller) {
                connections.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn ask_grpc(&self, identity: Arc<CurrentIdentity>) -> Result<(), Fault> {
        let caller = self.caller(identity)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(fault)?;
        runtime.block_on(async {
            let token = caller.token(&self.town.city.id, OFFICER)?;
            let config = self.town.grpc(&caller.identity, token.reveal())?;
            let client = Client::connect(&config).await.map_err(fault)?;
            for _ in 0..QUESTIONS {
                let deadline = tokio::time::Instant::now() + PATIENCE;
                let options = QueryOptions::new(QUERY, deadline);
                let mut answer = client.query(options).await.map_err(fault)?;
                while answer.next().await.map_err(fault)?.is_some() {}
                answer.outcome().await.map_err(fault)?;
                self.asked.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        })
    }

    fn ask_http(&self, identity: Arc<CurrentIdentity>) -> Result<(), Fault> {
        let caller = self.caller(identity)?;
        let tls = self.town.tls(&caller.identity, Protocol::Http1)?;
        let remote = Remote::new(RemoteSettings {
            url: self.town.url(),
            tls: Some(Arc::new(tls)),
            token: Some(caller.token(&self.town.city.id, OFFICER)?),
        })?;
        for _ in 0..QUESTIONS {
            let response = remote.send(&Request::get("/sparql?query=ASK%20%7B%7D"))?;
            if !response.is_success() {
                return Err(fault(response.summary()));
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn caller(&self, identity: Arc<CurrentIdentity>) -> Result<Organisation, Fault> {
        Ok(Organisation {
            id: self.town.police.id.clone(),
            authority: Authority::create("unused", OffsetDateTime::now_utc()).map_err(fault)?,
            identity,
        })
    }

    /// The key that signs the callers' tokens now.
    fn key(&self) -> String {
        self.identity.load().key().public().to_jwk()
    }

    /// Until each caller has opened a connection and closed it: what began before is over then.
    fn overlap(&self) -> Result<(), Fault> {
        let count = |one: &AtomicUsize| one.load(Ordering::SeqCst);
        let before: Vec<usize> = self.connections.iter().map(count).collect();
        let begun = Instant::now();
        while self
            .connections
            .iter()
            .zip(&before)
            .any(|(now, before)| count(now) < before + 2)
        {
            if begun.elapsed() > 2 * PATIENCE {
                return Err(fault("the callers are not answered any more"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What has failed since this was last asked.
    fn verdict(&self) -> Verdict {
        let failures = std::mem::take(&mut *self.failures());
        match failures.first() {
            None => Verdict::Passed,
            Some(first) => Verdict::Failed(format!("{} failed, first: {first}", failures.len())),
        }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}

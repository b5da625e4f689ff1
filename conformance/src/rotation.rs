//! Certificates, keys, authorities, revocation lists and token keys change while a connector is asked all the time, and
//! asks a member: no request fails, but one over a certificate that was revoked.

mod load;
mod member;

use crate::embedded::files;
use crate::library::Fault;
use crate::report::{Report, Verdict};
use crate::town::{Town, card};
use load::{Held, Load};
use member::Member;
use oxrdf::NamedNode;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_trust::{
    Authority, CertificateFacts, Issued, SigningKey, Subject, Trusted, TrustedParty, write_private,
};

/// How often everything is changed: each second time nobody says so, and the files alone tell it.
const ROUNDS: usize = 4;
/// How often the connectors look whether their files have changed.
const LOOK: Duration = Duration::from_millis(50);
/// How long a change of files may take to be taken in.
const PATIENCE: Duration = Duration::from_secs(30);
/// The city's lists of revoked certificates, and keys of its tokens beside that of its certificate.
const MORE: &str =
    "revocations = [\"identity/revoked.pem\"]\noverlapping_keys = [\"identity/beside.jwk\"]\n";

/// What changes, and how far it is.
struct Rotation<'a> {
    load: &'a Load<'a>,
    town: &'a Town,
    member: &'a Member,
    round: usize,
    cases: Vec<(String, Verdict)>,
}

pub(crate) fn run(name: &'static str) -> Result<Report, Fault> {
    let town = Town::start_watched(MORE, LOOK, |home, authority| {
        let beside = SigningKey::generate().map_err(fault)?.public().to_jwk();
        fs::write(home.join("identity/beside.jwk"), beside).map_err(fault)?;
        fs::write(home.join("identity/revoked.pem"), list(authority, &[])?).map_err(fault)
    })?;
    let member = Member::start(&town)?;
    let load = Load::new(&town);
    let cases = load.during(|| {
        let mut rotation = Rotation {
            load: &load,
            town: &town,
            member: &member,
            round: 0,
            cases: Vec::new(),
        };
        rotation.rotate().map(|()| rotation.cases)
    })?;
    let [requests, connections, longest] = load.counts();
    Ok(Report::of(name, cases)
        .with("requests", requests)
        .with("connections", connections)
        .with("most requests on one connection", longest))
}

impl Rotation<'_> {
    fn rotate(&mut self) -> Result<(), Fault> {
        let mut city: Option<Authority> = None;
        let mut police: Option<Authority> = None;
        self.load.overlap()?;
        for round in 1..=ROUNDS {
            self.round = round;
            let old = city.take();
            let next = self.of_the_city(old.as_ref().unwrap_or(&self.town.city.authority))?;
            city = Some(next);
            let old = police.take();
            let next = self.of_a_peer(old.as_ref().unwrap_or(&self.town.police.authority))?;
            police = Some(next);
            let renewed = self.member.renew(self.town, || self.load.overlap());
            self.step("certificate and key of a member", renewed)?;
        }
        Ok(())
    }

    /// The connector's own: gives its next authority.
    fn of_the_city(&mut self, old: &Authority) -> Result<Authority, Fault> {
        let next = Authority::create("next", OffsetDateTime::now_utc()).map_err(fault)?;
        let both = format!("{}{}", old.certificate_pem(), next.certificate_pem());
        let former = self.load.city.load().facts().clone();
        let done = self.renew(old, old.certificate_pem());
        self.step("certificate and key of the connector", done)?;
        // In the first round its own authority issued the one before too.
        let revoked = if self.round == 1 {
            vec![former]
        } else {
            Vec::new()
        };
        let lists = list(old, &revoked)?;
        let done = self.revoke(&lists);
        self.step(
            "a revocation list of the connector, with its former certificate",
            done,
        )?;
        let done = self
            .revoke(&format!("{lists}{}", list(&next, &[])?))
            .and_then(|()| self.trust(&both));
        self.step("both authorities of the connector", done)?;
        let done = self.renew(&next, &both);
        self.step("certificate of its next authority", done)?;
        let done = self.trust(next.certificate_pem());
        let done = done.and_then(|()| self.revoke(&list(&next, &[])?));
        self.step("its next authority and list alone", done)?;
        Ok(next)
    }

    /// A peer's: the key of its certificate is the one that signs its tokens. Gives its next authority.
    fn of_a_peer(&mut self, old: &Authority) -> Result<Authority, Fault> {
        let id = &self.town.police.id;
        let next = Authority::create("next", OffsetDateTime::now_utc()).map_err(fault)?;
        let both = format!("{}{}", old.certificate_pem(), next.certificate_pem());
        let (one, other) = (list(old, &[])?, list(&next, &[])?);
        let now = self.key();
        let renewed = issue(&next, id)?.identity().map_err(fault)?;
        let key = renewed.key().public().to_jwk();
        let done = self.introduce(&[&now, &key], &both, &format!("{one}{other}"));
        self.step(
            "overlapping token keys, authorities and lists of a peer",
            done,
        )?;
        let done = self.load.police.replace(renewed).map_err(fault);
        self.step("certificate and token key of a peer", done)?;
        let alone = next.certificate_pem();
        let done = self.introduce(&[&key], alone, &other);
        self.step("the peer's next key, authority and list alone", done)?;

        // Another one, and the one before is revoked: who still shows that is refused, at once and on its old connection.
        let held = Held::open(self.town, &self.load.police()?)?;
        let former = self.load.police.load().facts().clone();
        let renewed = issue(&next, id)?.identity().map_err(fault)?;
        let keys = [key, renewed.key().public().to_jwk()];
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let done = self.introduce(&keys, alone, &other);
        self.step("a second token key of a peer", done)?;
        let done = self.load.police.replace(renewed).map_err(fault);
        self.step("a second certificate of a peer", done)?;
        let done = self.introduce(&keys, alone, &list(&next, &[former])?);
        self.step(
            "a revocation list of a peer, with its former certificate",
            done,
        )?;
        let name = "a connection whose certificate was revoked is refused";
        self.cases
            .push((format!("{name}, round {}", self.round), held.is_refused()));
        Ok(next)
    }

    fn step(&mut self, what: &str, done: Result<(), Fault>) -> Result<(), Fault> {
        done?;
        self.load.overlap()?;
        let case = format!("{what}, round {}", self.round);
        self.cases.push((case, self.load.verdict()));
        Ok(())
    }

    /// A new certificate with a new key for the connector. Its own people's tokens are signed by the key before, too.
    fn renew(&self, authority: &Authority, authorities: &str) -> Result<(), Fault> {
        let (town, old) = (self.town, self.load.city.load());
        let issued = issue(authority, &town.city.id)?;
        let new = issued.identity().map_err(fault)?;
        let [old, key] = [&*old, &new].map(|one| one.key().public().to_jwk());
        self.member.meet(town, &[&old, &key], authorities)?;
        write(town.home(), &issued)?;
        fs::write(town.home().join("identity/beside.jwk"), old).map_err(fault)?;
        self.take_in()?;
        self.load.city.replace(new).map_err(fault)
    }

    /// Other authorities of the connector: for itself, for those who ask it, and for the member that it asks.
    fn trust(&self, authorities: &str) -> Result<(), Fault> {
        let town = self.town;
        let [_, _, authority] = files(town.home());
        let key = self.load.city.load().key().public().to_jwk();
        self.member.meet(town, &[&key], authorities)?;
        fs::write(&authority, authorities).map_err(fault)?;
        self.take_in()?;
        let own = TrustedParty::own(&self.load.city.load(), authorities.to_owned());
        let trusted = Trusted::new(own, Vec::new()).map_err(fault)?;
        town.registry.replace(trusted);
        Ok(())
    }

    /// Other revocation lists of the connector.
    fn revoke(&self, lists: &str) -> Result<(), Fault> {
        fs::write(self.town.home().join("identity/revoked.pem"), lists).map_err(fault)?;
        self.take_in()
    }

    /// Other token keys, authorities and lists of the police.
    fn introduce(&self, keys: &[&str], authorities: &str, lists: &str) -> Result<(), Fault> {
        let peers = self.town.home().join("peers");
        let card = card(&self.town.police.id, keys, authorities);
        fs::write(peers.join("police.pem"), lists).map_err(fault)?;
        let text = format!("revocations = [\"police.pem\"]\n{card}");
        fs::write(peers.join("police.toml"), text).map_err(fault)?;
        self.take_in()
    }

    /// Until what the files say is in force: by a word of ours, or without.
    fn take_in(&self) -> Result<(), Fault> {
        if !self.round.is_multiple_of(2) {
            return self.town.reload();
        }
        let begun = Instant::now();
        while !self.town.is_current()? {
            if begun.elapsed() > PATIENCE {
                return Err(fault("the files are not taken in"));
            }
            std::thread::sleep(LOOK / 10);
        }
        Ok(())
    }

    /// The key that signs the callers' tokens now.
    fn key(&self) -> String {
        self.load.police.load().key().public().to_jwk()
    }
}

fn issue(authority: &Authority, id: &NamedNode) -> Result<Issued, Fault> {
    let subject = Subject {
        participant: id.clone(),
        hosts: vec!["localhost".to_owned()],
    };
    let issued = authority.issue(&subject, time::Duration::days(1), OffsetDateTime::now_utc());
    issued.map_err(fault)
}

/// A list of revoked certificates for a day.
fn list(authority: &Authority, revoked: &[CertificateFacts]) -> Result<String, Fault> {
    let now = OffsetDateTime::now_utc();
    let list = authority.revoke(revoked, now, now + time::Duration::days(1));
    list.map_err(fault)
}

/// In place of what a connector's folder has.
fn write(home: &Path, issued: &Issued) -> Result<(), Fault> {
    let [certificate, key, _] = files(home);
    // A private file is never written over by mistake.
    fs::remove_file(&key).map_err(fault)?;
    write_private(&key, issued.key_pem.reveal()).map_err(fault)?;
    fs::write(&certificate, &issued.certificate_pem).map_err(fault)
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}

use super::*;
use crate::testing::{Organisation, certify, iri, now};
use crate::tls::tests::shake;
use crate::{
    Authority, ClientCertificates, CurrentIdentity, Protocol, Registry, Subject,
    TokenAuthenticator, TokenIssuer, TokenRequest, TrustedParty, client_config, server_config,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use time::Duration;
use twinlink_core::{Authenticator as _, Credentials};

/// Where the set lies.
#[derive(Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    authorities: PathBuf,
    list: PathBuf,
}

fn files(folder: &Path) -> Files {
    Files {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        authorities: folder.join("authority.pem"),
        list: folder.join("revoked.pem"),
    }
}

/// Writes a whole set; overwrites, as tools of renewal do.
fn write(files: &Files, authority: &Authority, id: &str) {
    let subject = Subject {
        participant: iri(id),
        hosts: Vec::new(),
    };
    let issued = authority.issue(&subject, Duration::days(1), now()).unwrap();
    let list = authority
        .revoke(&[], now(), now() + Duration::days(1))
        .unwrap();
    fs::write(&files.certificate, issued.certificate_pem).unwrap();
    for (path, text) in [
        (&files.authorities, authority.certificate_pem()),
        (&files.list, &list),
    ] {
        fs::write(path, text).unwrap();
    }
    drop(fs::remove_file(&files.key));
    crate::write_private(&files.key, issued.key_pem.reveal()).unwrap();
}

/// Reads and checks a set, as a connector does.
fn load(reading: &Reading, files: &Files) -> Result<Identity, TrustError> {
    let identity = reading.identity(&files.certificate, &files.key)?;
    let mut own = TrustedParty::own(&identity, reading.small(&files.authorities)?);
    own.revocations_pem = Some(reading.small(&files.list)?);
    let trusted = Trusted::new(own, Vec::new())?;
    check_identity(&identity, &trusted, now())?;
    Ok(identity)
}

/// A folder's files, as texts.
fn texts(reading: &Reading, folder: &Path) -> Result<Vec<String>, TrustError> {
    let paths = reading.folder(folder, &["toml"]).unwrap();
    paths.iter().map(|path| reading.small(path)).collect()
}

#[test]
fn files_that_come_and_go_are_changes() {
    let folder = tempfile::tempdir().unwrap();
    let read = |reading: &Reading| texts(reading, folder.path());
    let (peer, other) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
    fs::write(&peer, "a").unwrap();
    let (first, good) = read_set(read).unwrap();
    let mut renewal = Renewal::new(good);
    let mut in_force = first;
    let start = Instant::now();
    let mut poll = |seconds: u64| {
        let now = start + std::time::Duration::from_secs(seconds);
        let put = |new| {
            in_force = new;
            Ok::<_, TrustError>(())
        };
        let is_new = renewal.poll(now, |_| true, read, put).unwrap();
        (is_new, in_force.concat())
    };
    let said = |is_new, text: &str| (is_new, text.to_owned());
    assert_eq!(poll(0), said(false, "a"));
    fs::write(folder.path().join("a.toml~"), "of an editor").unwrap();
    assert_eq!(poll(0), said(false, "a"));
    fs::write(&other, "b").unwrap();
    assert_eq!(poll(0), said(true, "ab"));
    assert_eq!(poll(0), said(false, "ab"));
    // Gone for a moment: somebody saves it. What changes meanwhile waits for it.
    fs::remove_file(&peer).unwrap();
    assert_eq!(poll(1), said(false, "ab"));
    fs::write(&other, "c").unwrap();
    assert_eq!(poll(2), said(false, "ab"));
    fs::write(&peer, "a").unwrap();
    assert_eq!(poll(3), said(true, "ac"));
    // Gone for good.
    fs::remove_file(&peer).unwrap();
    assert_eq!(poll(4), said(false, "ac"));
    assert_eq!(poll(5), said(false, "ac"));
    assert_eq!(poll(9), said(true, "c"));
    assert_eq!(poll(20), said(false, "c"));
}

#[test]
fn whoever_says_so_need_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let peer = folder.path().join("a.toml");
    fs::write(&peer, "a").unwrap();
    let read = |reading: &Reading| texts(reading, folder.path());
    let (_, good) = read_set(read).unwrap();
    let mut renewal = Renewal::new(good);
    fs::remove_file(&peer).unwrap();
    let mut in_force = vec!["a".to_owned()];
    let put = |new| {
        in_force = new;
        Ok(())
    };
    renewal.reload(read, put).unwrap();
    assert_eq!(in_force, Vec::<String>::new());
    let put = |_| panic!("nothing is new");
    let polled: Result<_, TrustError> = renewal.poll(Instant::now(), |_| true, read, put);
    assert!(!polled.unwrap());
}

#[test]
fn last_good_kept() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let authority = Authority::create("city", now()).unwrap();
    write(&files, &authority, "https://city.example/");
    let read = |reading: &Reading| load(reading, &files);
    let (identity, good) = read_set(read).unwrap();
    let current = CurrentIdentity::new(identity);
    let mut renewal = Renewal::new(good);
    let mut poll = || {
        let put = |identity| current.replace(identity);
        renewal
            .poll(Instant::now(), |_| true, read, put)
            .map_err(|error| error.to_string())
    };
    let in_force = || current.load().thumbprint().to_owned();
    let first = in_force();
    assert_eq!(poll(), Ok(false));

    write(&files, &authority, "https://city.example/");
    assert_eq!(poll(), Ok(true));
    let second = in_force();
    assert_ne!(first, second);
    assert_eq!(poll(), Ok(false));

    // Each of these puts nothing in force, is told once, and is made good again.
    let key = fs::read_to_string(&files.key).unwrap();
    let certificate = fs::read_to_string(&files.certificate).unwrap();
    let authorities = fs::read_to_string(&files.authorities).unwrap();
    let list = fs::read_to_string(&files.list).unwrap();
    let stranger = Organisation::new("https://city.example/");
    let half = certificate.get(..certificate.len() / 2).unwrap().to_owned();
    let expired = authority
        .revoke(&[], now(), now() - Duration::minutes(1))
        .unwrap();
    let own = Identity::load(&files.certificate, &files.key).unwrap();
    let revoked = [own.facts().clone()];
    let revoked = authority
        .revoke(&revoked, now(), now() + Duration::days(1))
        .unwrap();
    for (path, bad, good, reason) in [
        (&files.certificate, half, &certificate, "PEM"),
        (&files.certificate, String::new(), &certificate, "PEM"),
        (
            &files.authorities,
            stranger.authority.certificate_pem().to_owned(),
            &authorities,
            "cannot be used",
        ),
        (&files.list, "no list".to_owned(), &list, "PEM"),
        (&files.list, expired, &list, "cannot be used"),
        (&files.list, revoked, &list, "cannot be used"),
    ] {
        fs::write(path, bad).unwrap();
        let error = poll().unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert_eq!(poll(), Ok(false), "told once");
        assert_eq!(in_force(), second);
        fs::write(path, good).unwrap();
        assert_eq!(poll(), Ok(false), "the good one is in force still");
    }
    // A key that is not there yet, then there.
    fs::remove_file(&files.key).unwrap();
    poll().unwrap_err();
    crate::write_private(&files.key, &key).unwrap();
    assert_eq!(poll(), Ok(false));
    // Another participant's set, and one that ended.
    write(&files, &authority, "https://police.example/");
    assert!(poll().is_err());
    assert_eq!(in_force(), second);
    assert!(renewal.is_behind());
}

#[test]
fn one_set() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.toml"), "a").unwrap();
    fs::write(at("b.toml"), "b").unwrap();
    // Away while it is read, and back as it was before anybody looks again: what was read is not what is there.
    let mut reads = 0;
    let (read, _) = read_set(|reading| {
        reads += 1;
        if reads == 1 {
            fs::remove_file(at("b.toml")).unwrap();
        }
        let read = texts(reading, folder.path());
        fs::write(at("b.toml"), "b").unwrap();
        read
    })
    .unwrap();
    assert_eq!((reads, read.concat()), (2, "ab".to_owned()));
    // What was read once is not read again: no two halves of two sets.
    let (read, _) = read_set(|reading| {
        let first = reading.small(&at("a.toml"))?;
        if first == "a" {
            fs::write(at("a.toml"), "new").unwrap();
        }
        let again = reading.small(&at("a.toml"))?;
        assert_eq!(first, again);
        Ok::<_, TrustError>(again)
    })
    .unwrap();
    assert_eq!(read, "new");
    // Faster than anybody reads: nothing is taken in, and that is told where somebody asked for it.
    let mut number = 0;
    let mut restless = |reading: &Reading| {
        let read = texts(reading, folder.path());
        number += 1;
        fs::write(at("a.toml"), number.to_string()).unwrap();
        read
    };
    let error = read_set(&mut restless).unwrap_err();
    assert!(error.to_string().contains("change while they are read"));
    let (_, good) = read_set(|reading| texts(reading, folder.path())).unwrap();
    let mut renewal = Renewal::new(good);
    fs::write(at("b.toml"), "c").unwrap();
    let put = |_| panic!("it was never whole");
    let polled: Result<_, TrustError> = renewal.poll(Instant::now(), |_| true, &mut restless, put);
    assert!(!polled.unwrap());
    assert!(renewal.reload(&mut restless, put).is_err());
}

#[test]
fn a_set_that_is_read_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let authority = Authority::create("city", now()).unwrap();
    write(&files, &authority, "https://city.example/");
    let reading = Reading::default();
    load(&reading, &files).unwrap();
    let shown = format!("{reading:?} {:?}", reading.fingerprint());
    let key = fs::read_to_string(&files.key).unwrap();
    let lines = key.lines().filter(|line| !line.starts_with("---"));
    assert!(shown.contains("key.pem") && lines.into_iter().all(|line| !shown.contains(line)));
}

#[test]
fn expiry_is_told_weeks_ahead() {
    let authority = Authority::create("city", now()).unwrap();
    for (days, urgency) in [
        (60, Urgency::None),
        (20, Urgency::Soon),
        (3, Urgency::Now),
        (-1, Urgency::Over),
    ] {
        let identity = certify(&authority, "https://city.example/", Duration::days(days));
        let at = identity.not_after() - Duration::days(days);
        let expiry = Expiry::of_certificate(identity.facts(), at);
        assert_eq!((expiry.days, expiry.urgency()), (days, urgency));
    }
}

/// An organisation as its peers know it while it rotates: what it has, and what it had.
struct Party {
    id: &'static str,
    authority: Authority,
    current: Arc<CurrentIdentity>,
    keys: Vec<String>,
    authorities: Vec<String>,
    lists: Vec<String>,
}

impl Party {
    fn new(id: &'static str) -> Self {
        let authority = Authority::create(id, now()).unwrap();
        let identity = certify(&authority, id, Duration::days(1));
        let mut party = Self {
            id,
            current: CurrentIdentity::new(identity.clone()),
            authority,
            keys: Vec::new(),
            authorities: Vec::new(),
            lists: Vec::new(),
        };
        party.announce(&identity);
        party
    }

    /// Lets peers know a new key, authority and list beside the old ones.
    fn announce(&mut self, identity: &Identity) {
        self.keys.push(identity.key().public().to_jwk());
        self.authorities
            .push(self.authority.certificate_pem().to_owned());
        let list = self.authority.revoke(&[], now(), now() + Duration::days(1));
        self.lists.push(list.unwrap());
    }

    fn forget_old(&mut self) {
        for list in [&mut self.keys, &mut self.authorities, &mut self.lists] {
            list.drain(..list.len() - 1);
        }
    }

    fn trusted(&self) -> TrustedParty {
        TrustedParty {
            claims: crate::Assertable::Any,
            participant: iri(self.id),
            token_keys: self.keys.clone(),
            authorities_pem: self.authorities.concat(),
            revocations_pem: Some(self.lists.concat()),
            roles: crate::Assertable::Any,
            purposes: crate::Assertable::Any,
        }
    }
}

fn trust(own: &Party, other: &Party) -> Trusted {
    Trusted::new(own.trusted(), vec![other.trusted()]).unwrap()
}

/// What an officer of the police asks the city with.
fn asked(own: &CurrentIdentity) -> TokenRequest {
    TokenRequest {
        claims: std::collections::BTreeMap::new(),
        subject: "officer-7".to_owned(),
        client_id: "https://police.example/".to_owned(),
        audience: iri("https://city.example/"),
        roles: Vec::new(),
        purpose: None,
        thumbprint: own.load().thumbprint().to_owned(),
        lifetime: std::time::Duration::from_secs(60),
        agreement: None,
        request: None,
    }
}

#[test]
fn rotation_under_load_fails_no_request() {
    let (mut city, mut police) = (
        Party::new("https://city.example/"),
        Party::new("https://police.example/"),
    );
    let at_city = Registry::new(trust(&city, &police));
    let at_police = Registry::new(trust(&police, &city));
    let authenticator = TokenAuthenticator::new(Arc::clone(&at_city));
    let (server, client) = (Arc::clone(&city.current), Arc::clone(&police.current));
    // A request as a peer makes it: a connection with the certificate in force, a token bound to it.
    let request = || -> Result<(), String> {
        let own = CurrentIdentity::new((*client.load()).clone());
        let connection = client_config(
            Arc::clone(&own),
            Arc::clone(&at_police),
            iri("https://city.example/"),
            Protocol::Http2,
        );
        let listener = server_config(
            Arc::clone(&server),
            Arc::clone(&at_city),
            ClientCertificates::Required,
        );
        let seen =
            shake(connection.unwrap(), listener.unwrap()).map_err(|error| error.to_string())?;
        let asked = asked(&own);
        let token = TokenIssuer::new(own).issue(&asked, now()).unwrap();
        let credentials = Credentials {
            token: Some(token),
            certificate: seen,
            possession: None,
            envelope: None,
            trace: None,
        };
        let found = authenticator.authenticate(&credentials, now());
        found.map(|_| ()).map_err(|refusal| refusal.to_string())
    };
    const WORKERS: usize = 3;
    let is_over = AtomicBool::new(false);
    let done: [AtomicUsize; WORKERS] = Default::default();
    let failures = std::sync::Mutex::new(Vec::new());
    let mut retired = Vec::new();
    std::thread::scope(|scope| {
        for done in &done {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    if let Err(failure) = request() {
                        failures.lock().unwrap().push(failure);
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // Until every request that began before this call has ended: what an overlap of some minutes is for.
        let overlap = || {
            let before: Vec<usize> = done
                .iter()
                .map(|done| done.load(Ordering::SeqCst))
                .collect();
            while done
                .iter()
                .zip(&before)
                .any(|(done, before)| done.load(Ordering::SeqCst) < before + 2)
            {
                std::thread::yield_now();
            }
        };
        for round in 0..4 {
            for is_city in [true, false] {
                let rotating = if is_city { &mut city } else { &mut police };
                // Every second time a new authority too; always a new key, certificate and list.
                if round % 2 == 1 {
                    rotating.authority = Authority::create(rotating.id, now()).unwrap();
                }
                let renewed = certify(&rotating.authority, rotating.id, Duration::days(1));
                rotating.announce(&renewed);
                let current = Arc::clone(&rotating.current);
                at_city.replace(trust(&city, &police));
                at_police.replace(trust(&police, &city));
                overlap();
                if !is_city {
                    retired.push((*current.load()).clone());
                }
                current.replace(renewed).unwrap();
                overlap();
                let rotating = if is_city { &mut city } else { &mut police };
                rotating.forget_old();
                at_city.replace(trust(&city, &police));
                at_police.replace(trust(&police, &city));
                overlap();
            }
        }
        is_over.store(true, Ordering::SeqCst);
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} failed: {:?}",
        failures.len(),
        failures.first()
    );
    assert!(done.iter().all(|done| done.load(Ordering::SeqCst) >= 24));
    // What the police had in force before is of no use any more, neither its key nor its certificate and list.
    let trusted = at_city.current();
    let keys = trusted.keys(&iri(police.id));
    assert_eq!(keys, [police.current.load().key().public().clone()]);
    assert_eq!(retired.len(), 4);
    for old in retired {
        assert!(!keys.contains(old.key().public()));
        let own = CurrentIdentity::new(old);
        let token = TokenIssuer::new(Arc::clone(&own)).issue(&asked(&own), now());
        let thumbprint = own.load().thumbprint().to_owned();
        let refused = crate::verify_token(&token.unwrap(), &trusted, &thumbprint, now());
        assert_eq!(refused.unwrap_err().check(), "token.kid");
    }
}

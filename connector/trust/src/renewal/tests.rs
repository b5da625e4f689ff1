use super::*;
use crate::testing::{Organisation, certify, iri, now};
use crate::tls::tests::shake;
use crate::{
    Authority, ClientCertificates, CurrentIdentity, Protocol, Registry, SigningKey, Subject,
    TokenAuthenticator, TokenIssuer, TokenRequest, TrustedParty, client_config, server_config,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use time::Duration;
use twinlink_core::{Authenticator as _, Credentials};

fn files(folder: &Path) -> KeyFiles {
    KeyFiles {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        authorities: folder.join("authority.pem"),
        revocations: vec![folder.join("revoked.pem")],
        others: Vec::new(),
    }
}

/// Writes a whole set; overwrites, as tools of renewal do.
fn write(files: &KeyFiles, authority: &Authority, id: &str) {
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
        (&files.revocations[0], &list),
    ] {
        fs::write(path, text).unwrap();
    }
    drop(fs::remove_file(&files.key));
    crate::write_private(&files.key, issued.key_pem.reveal()).unwrap();
}

/// Puts a set in force, as a connector does.
fn take(files: &KeyFiles, current: &CurrentIdentity) -> Result<(), TrustError> {
    let identity = Identity::load(&files.certificate, &files.key)?;
    let authorities = pem::read_file(&files.authorities)?;
    let mut own = TrustedParty::own(&identity, authorities);
    own.revocations_pem = Some(pem::read_file(&files.revocations[0])?);
    let trusted = Trusted::new(own, Vec::new())?;
    check_identity(&identity, &trusted, now())?;
    current.replace(identity)
}

#[test]
fn files_that_come_and_go_are_changes() {
    let folder = tempfile::tempdir().unwrap();
    let first = files(folder.path());
    let authority = Authority::create("city", now()).unwrap();
    write(&first, &authority, "https://city.example/");
    let mut renewal = Renewal::new(first.clone(), first.fingerprint().unwrap());
    let peer = folder.path().join("peer.toml");
    fs::write(&peer, "peer").unwrap();
    let with_peer = KeyFiles {
        others: vec![peer],
        ..first.clone()
    };
    for (files, is_new) in [
        (&first, false),
        (&with_peer, true),
        (&with_peer, false),
        (&first, true),
        (&first, false),
    ] {
        renewal.watch(files.clone());
        let taken: Result<bool, TrustError> = renewal.poll(|| Ok(()));
        assert_eq!(taken.unwrap(), is_new);
    }
}

#[test]
fn last_good_kept() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let authority = Authority::create("city", now()).unwrap();
    write(&files, &authority, "https://city.example/");
    let load = || Identity::load(&files.certificate, &files.key);
    let (identity, good) = files.read(load).unwrap();
    let current = CurrentIdentity::new(identity);
    let mut renewal = Renewal::new(files.clone(), good);
    let mut poll = || {
        renewal
            .poll(|| take(&files, &current))
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
    let list = fs::read_to_string(&files.revocations[0]).unwrap();
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
        (&files.revocations[0], "no list".to_owned(), &list, "PEM"),
        (&files.revocations[0], expired, &list, "cannot be used"),
        (&files.revocations[0], revoked, &list, "cannot be used"),
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
fn a_set_that_changes_while_it_is_read_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let authority = Authority::create("city", now()).unwrap();
    write(&files, &authority, "https://city.example/");
    let mut reads = 0;
    let (last, _) = files
        .read(|| {
            reads += 1;
            if reads == 1 {
                write(&files, &authority, "https://city.example/");
            }
            Ok(reads)
        })
        .unwrap();
    assert_eq!(last, 2);
    let restless = files.read(|| {
        write(&files, &authority, "https://city.example/");
        Ok(())
    });
    assert!(restless.unwrap_err().to_string().contains("changes"));
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
        let asked = TokenRequest {
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
        };
        let token = TokenIssuer::new(own).issue(&asked, now()).unwrap();
        let credentials = Credentials {
            token: Some(token),
            certificate: seen,
            possession: None,
            envelope: None,
        };
        let found = authenticator.authenticate(&credentials, now());
        found.map(|_| ()).map_err(|refusal| refusal.to_string())
    };
    const WORKERS: usize = 3;
    let is_over = AtomicBool::new(false);
    let done: [AtomicUsize; WORKERS] = Default::default();
    let failures = std::sync::Mutex::new(Vec::new());
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
    // An old key is of no use any more.
    let old = SigningKey::generate().unwrap();
    assert!(
        !at_city
            .current()
            .keys(&iri("https://police.example/"))
            .contains(old.public())
    );
}

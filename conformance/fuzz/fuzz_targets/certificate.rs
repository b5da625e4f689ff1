//! Certificates of clients, keys of peers, and the files that an operator is given by a peer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxrdf::NamedNode;
use std::sync::LazyLock;
use time::{Duration, OffsetDateTime};
use twinlink_trust::{
    Assertable, Authority, CertificateFacts, Identity, PublicKey, SigningKey, Subject, Trusted,
    TrustedParty,
};

struct World {
    identity: Identity,
    authority: String,
    key: String,
    now: OffsetDateTime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
    let authority = Authority::create("city", now).unwrap();
    let subject = Subject {
        participant: NamedNode::new_unchecked("https://city.example/"),
        hosts: vec!["localhost".to_owned()],
    };
    let identity = authority
        .issue(&subject, Duration::days(1), now)
        .unwrap()
        .identity()
        .unwrap();
    World {
        authority: authority.certificate_pem().to_owned(),
        key: identity.key().public().to_jwk(),
        identity,
        now,
    }
});

fuzz_target!(|data: &[u8]| {
    let world = &*WORLD;
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    match mode % 6 {
        0 => {
            let _ = CertificateFacts::read(rest);
            let own = TrustedParty::own(&world.identity, world.authority.clone());
            let trusted = Trusted::new(own, Vec::new()).unwrap();
            assert!(trusted.client(rest, world.now).is_err());
        }
        1 => drop(SigningKey::from_pem(&text, "key.pem")),
        2 => drop(PublicKey::from_jwk(&text, "key.jwk")),
        mode => {
            let party = TrustedParty {
                participant: NamedNode::new_unchecked("https://peer.example/"),
                token_keys: vec![if mode == 3 {
                    text.to_string()
                } else {
                    world.key.clone()
                }],
                authorities_pem: if mode == 4 {
                    text.to_string()
                } else {
                    world.authority.clone()
                },
                revocations_pem: (mode == 5).then(|| text.to_string()),
                roles: Assertable::Any,
                purposes: Assertable::Any,
                claims: Assertable::Any,
            };
            drop(Trusted::new(party, Vec::new()));
        }
    }
});

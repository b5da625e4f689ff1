//! Access tokens: any text; and any claims under a good signature, as a peer that was taken over sends them.
#![no_main]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use oxrdf::NamedNode;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use std::sync::LazyLock;
use time::{Duration, OffsetDateTime};
use twinlink_core::Secret;
use twinlink_trust::{Authority, Subject, Trusted, TrustedParty, verify_token};

struct World {
    trusted: Trusted,
    key: EcdsaKeyPair,
    header: String,
    thumbprint: String,
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
    let pem = identity.key().to_pem().unwrap();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.reveal().as_bytes()).unwrap();
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der()).unwrap();
    let party = TrustedParty::own(&identity, authority.certificate_pem().to_owned());
    World {
        header: format!(
            r#"{{"alg":"ES256","typ":"at+jwt","kid":"{}"}}"#,
            identity.key().public().id()
        ),
        trusted: Trusted::new(party, Vec::new()).unwrap(),
        thumbprint: identity.thumbprint().to_owned(),
        key,
        now,
    }
});

fuzz_target!(|data: &[u8]| {
    let world = &*WORLD;
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let text = match mode % 2 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        _ => {
            let signed = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(&world.header),
                URL_SAFE_NO_PAD.encode(rest)
            );
            let signature = world
                .key
                .sign(&SystemRandom::new(), signed.as_bytes())
                .unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    };
    let _ = verify_token(
        &Secret::new(text),
        &world.trusted,
        &world.thumbprint,
        world.now,
    );
});

//! Organisations for the tests: each with an authority, an identity and an issuer of its own.

use crate::{
    Assertable, Authority, CurrentIdentity, Identity, Registry, SigningKey, Subject, TokenIssuer,
    TokenRequest, Trusted, TrustedParty,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

pub(crate) struct Organisation {
    pub(crate) id: NamedNode,
    pub(crate) authority: Authority,
    pub(crate) current: Arc<CurrentIdentity>,
}

pub(crate) fn iri(text: &str) -> NamedNode {
    NamedNode::new_unchecked(text)
}

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

impl Organisation {
    pub(crate) fn new(id: &str) -> Self {
        let authority = Authority::create(id, now()).unwrap();
        let identity = certify(&authority, id, time::Duration::days(1));
        Self {
            id: iri(id),
            authority,
            current: CurrentIdentity::new(identity),
        }
    }

    pub(crate) fn identity(&self) -> Arc<Identity> {
        self.current.load()
    }

    pub(crate) fn issuer(&self) -> TokenIssuer {
        TokenIssuer::new(Arc::clone(&self.current))
    }

    /// How others configure this one.
    pub(crate) fn party(&self) -> TrustedParty {
        TrustedParty::own(
            &self.identity(),
            self.authority.certificate_pem().to_owned(),
        )
    }

    /// As [`Self::party`], with roles and purposes of the tests only.
    pub(crate) fn peer(&self) -> TrustedParty {
        TrustedParty {
            roles: Assertable::Only(vec![iri("https://roles.example/officer")]),
            purposes: Assertable::Only(vec![iri("https://purposes.example/emergency")]),
            claims: Assertable::Only(vec![iri("https://operands.example/basis")]),
            ..self.party()
        }
    }

    pub(crate) fn trusting(&self, peers: &[&Self]) -> Trusted {
        let peers = peers.iter().map(|peer| peer.peer()).collect();
        Trusted::new(self.party(), peers).unwrap()
    }

    pub(crate) fn registry(&self, peers: &[&Self]) -> Arc<Registry> {
        Registry::new(self.trusting(peers))
    }

    /// A good request for a token of this organisation's connector to another's.
    pub(crate) fn request(&self, audience: &Self) -> TokenRequest {
        TokenRequest {
            claims: std::collections::BTreeMap::new(),
            subject: "officer-7".to_owned(),
            client_id: self.id.as_str().to_owned(),
            audience: audience.id.clone(),
            roles: vec![iri("https://roles.example/officer")],
            purpose: Some(iri("https://purposes.example/emergency")),
            thumbprint: self.identity().thumbprint().to_owned(),
            lifetime: Duration::from_secs(300),
            agreement: None,
            request: None,
        }
    }
}

/// An identity with a new key; a negative lifetime makes one that has expired.
pub(crate) fn certify(authority: &Authority, id: &str, lifetime: time::Duration) -> Identity {
    let subject = Subject {
        participant: iri(id),
        hosts: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
    };
    authority
        .issue(&subject, lifetime, now())
        .unwrap()
        .identity()
        .unwrap()
}

/// A compact JWS over any header and payload whatever.
pub(crate) fn forge(header: &str, payload: &str, key: &SigningKey) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = key.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

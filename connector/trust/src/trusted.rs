//! Who is trusted for what: each participant id with the authority and the token keys that may speak for it.

mod list;

use crate::{CertificateFacts, Expiry, Identity, PublicKey, TrustError, pem};
use arc_swap::ArcSwap;
use list::RevocationList;
use oxrdf::NamedNode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, RootCertStore, crypto};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use std::collections::HashMap;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use twinlink_core::{Code, Refusal};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Roles or purposes that a participant may assert in its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assertable {
    /// Whatever it says.
    Any,
    /// These.
    Only(Vec<NamedNode>),
}

/// A participant as configured.
#[derive(Debug, Clone)]
pub struct TrustedParty {
    /// Its participant id.
    pub participant: NamedNode,
    /// The public keys that sign its tokens and receipts: a JWK each, as JSON.
    pub token_keys: Vec<String>,
    /// The certificates, in PEM, of the authorities that issue its certificates directly. Put the issuing
    /// authority itself here, not the root above it.
    pub authorities_pem: String,
    /// Revocation lists of these authorities, in PEM. Where there is one, it must be current.
    pub revocations_pem: Option<String>,
    /// The roles that it may assert.
    pub roles: Assertable,
    /// The purposes that it may assert.
    pub purposes: Assertable,
    /// The left operands of constraints, such as `tl:legalBasis`, that it may assert any value of.
    pub claims: Assertable,
}

/// All that this connector trusts, checked.
#[derive(Debug)]
pub struct Trusted {
    own: NamedNode,
    parties: HashMap<NamedNode, Party>,
}

/// What is trusted now. A change takes effect on the next handshake and the next request.
#[derive(Debug)]
pub struct Registry(ArcSwap<Trusted>);

/// One participant, with verifiers that know its authorities only.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) roles: Assertable,
    pub(crate) purposes: Assertable,
    pub(crate) claims: Assertable,
    /// Whether it may ask for people of other organisations.
    pub(crate) is_broker: bool,
    authorities: Vec<CertificateDer<'static>>,
    vouching: Vouching,
    /// For how long after that they still count.
    staleness: Duration,
}

/// What certificates are verified by.
#[derive(Debug)]
struct Vouching {
    /// One for each authority: two may have one name, as when an authority changes its key.
    current: Vec<Verifiers>,
    /// As if every revocation list were current.
    stale: Vec<Verifiers>,
    lists: Vec<RevocationList>,
    /// When the first of the revocation lists ends.
    lists_end: Option<OffsetDateTime>,
}

#[derive(Debug)]
struct Verifiers {
    clients: Arc<dyn ClientCertVerifier>,
    servers: Arc<WebPkiServerVerifier>,
}

impl Trusted {
    /// Checks and takes in the own organisation and its peers.
    ///
    /// # Errors
    /// [`TrustError::Content`], naming the participant, for a participant or a key that is there twice, and for
    /// keys, certificates and lists that are not what they should be.
    pub fn new(own: TrustedParty, peers: Vec<TrustedParty>) -> Result<Self, TrustError> {
        let own_id = own.participant.clone();
        let mut parties = HashMap::new();
        for given in std::iter::once(own).chain(peers) {
            let party = Party::new(&given)?;
            // A key that speaks for two would let one speak as the other.
            let shared = parties
                .values()
                .any(|other: &Party| other.keys.iter().any(|key| party.keys.contains(key)));
            if shared {
                return Err(TrustError::content(
                    &given.participant,
                    "has a token key that another participant has too",
                ));
            }
            if parties.insert(given.participant.clone(), party).is_some() {
                return Err(TrustError::content(&given.participant, "is there twice"));
            }
        }
        Ok(Self {
            own: own_id,
            parties,
        })
    }

    /// Lets revocation lists count for so long after their end, so that the connector works on while nobody can issue
    /// new ones; then it refuses. Without this they count to their end.
    // INVARIANT(bounded-staleness): a revocation list counts no longer after its end than was allowed.
    #[must_use]
    pub fn tolerating(mut self, staleness: Duration) -> Self {
        for party in self.parties.values_mut() {
            party.staleness = staleness;
        }
        self
    }

    /// Lets these participants ask for people of other organisations too, within what they may assert. Without this each
    /// asks for its own only.
    #[must_use]
    pub fn with_brokers(mut self, brokers: &[NamedNode]) -> Self {
        for (participant, party) in &mut self.parties {
            party.is_broker = brokers.contains(participant);
        }
        self
    }

    /// Keeps each revocation list that is in force where the one that is to come in its place is older: else who was
    /// revoked could be brought back by an old file.
    ///
    /// # Errors
    /// As [`Self::new`].
    // INVARIANT(no-older-list): no revocation list is replaced by one that its authority issued before it.
    pub fn keeping_newer_lists(mut self, in_force: &Self) -> Result<Self, TrustError> {
        for (participant, party) in &mut self.parties {
            let Some(before) = in_force.party(participant) else {
                continue;
            };
            let mut lists = party.vouching.lists.clone();
            let mut is_kept = false;
            for list in &mut lists {
                let mut before = before.vouching.lists.iter();
                if let Some(newer) = before.find(|one| list.is_before(one)) {
                    tracing::warn!(participant = participant.as_str(), in_force = %newer, given = %list,
                        "a revocation list is older than the one in force, which stays: give a newer one");
                    list.clone_from(newer);
                    is_kept = true;
                }
            }
            if is_kept {
                party.vouching = Vouching::new(participant, &party.authorities, lists)?;
            }
        }
        Ok(self)
    }

    /// When the authorities' certificates and the revocation lists end, soonest first.
    pub fn expiries(&self, now: OffsetDateTime) -> Vec<Expiry> {
        let ends = self.parties.iter().flat_map(|(participant, party)| {
            let ends = [
                (
                    "authority",
                    party.authorities.iter().filter_map(end_of).min(),
                ),
                ("revocation list", party.vouching.lists_end),
            ];
            ends.into_iter()
                .filter_map(move |(what, end)| Some(Expiry::new(what, participant, end?, now)))
        });
        let mut ends: Vec<Expiry> = ends.collect();
        ends.sort_by_key(|expiry| expiry.at);
        ends
    }

    /// This connector's own participant id.
    pub fn own(&self) -> &NamedNode {
        &self.own
    }

    /// Whether there is such a participant.
    pub fn knows(&self, participant: &NamedNode) -> bool {
        self.parties.contains_key(participant)
    }

    /// The keys that speak for a participant; none for one that is not trusted.
    pub fn keys(&self, participant: &NamedNode) -> &[PublicKey] {
        self.party(participant).map_or(&[], |party| &party.keys)
    }

    /// The keys of peers that are none of theirs any more in the next set, each with the peer.
    pub fn dropped(&self, next: &Self) -> Vec<(NamedNode, PublicKey)> {
        let mut dropped = Vec::new();
        for (participant, party) in self.parties.iter().filter(|(id, _)| **id != self.own) {
            let left = next.keys(participant);
            let gone = party.keys.iter().filter(|key| !left.contains(key));
            dropped.extend(gone.map(|key| (participant.clone(), key.clone())));
        }
        dropped
    }

    /// Verifies a client's certificate against the authorities pinned to the participant it names.
    ///
    /// Done for each request too, not only in the handshake: a connection may outlive its certificate, its
    /// revocation or its peer's place in the registry.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], check `certificate` or `certificate.participant`.
    // INVARIANT(pinned-participant): a certificate counts for a participant id only if that id's own authority issued it.
    pub fn client(
        &self,
        certificate: &[u8],
        now: OffsetDateTime,
    ) -> Result<CertificateFacts, Refusal> {
        let facts = CertificateFacts::read(certificate)
            .map_err(|reason| refuse("certificate", format_args!("the certificate {reason}")))?;
        let party = self.party(&facts.participant).ok_or_else(|| {
            refuse(
                "certificate.participant",
                "the certificate's participant is not trusted here",
            )
            .at(facts.participant.as_str())
        })?;
        let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        party
            .verify_client(&CertificateDer::from(certificate), now)
            .map_err(|error| refuse("certificate", error).at(facts.participant.as_str()))?;
        Ok(facts)
    }

    pub(crate) fn party(&self, participant: &NamedNode) -> Option<&Party> {
        self.parties.get(participant)
    }
}

impl Registry {
    /// Puts a set in force.
    pub fn new(trusted: Trusted) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(trusted)))
    }

    /// The set in force.
    pub fn current(&self) -> Arc<Trusted> {
        self.0.load_full()
    }

    /// Puts another set in force.
    pub fn replace(&self, trusted: Trusted) {
        self.0.store(Arc::new(trusted));
    }
}

impl TrustedParty {
    /// The own organisation: its identity's key signs its tokens, and it may assert what it likes.
    pub fn own(identity: &Identity, authorities_pem: String) -> Self {
        Self {
            participant: identity.participant().clone(),
            token_keys: vec![identity.key().public().to_jwk()],
            authorities_pem,
            revocations_pem: None,
            roles: Assertable::Any,
            purposes: Assertable::Any,
            claims: Assertable::Any,
        }
    }
}

impl Assertable {
    pub(crate) fn covers(&self, term: &NamedNode) -> bool {
        match self {
            Self::Any => true,
            Self::Only(terms) => terms.contains(term),
        }
    }
}

impl Party {
    /// The issuing authority itself is pinned, so certificates between it and the leaf are not looked at.
    pub(crate) fn verify_client(
        &self,
        certificate: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        self.verify(now, |verifiers| {
            verifiers
                .clients
                .verify_client_cert(certificate, &[], now)
                .map(|_| ())
        })
    }

    pub(crate) fn verify_server(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        self.verify(now, |verifiers| {
            verifiers
                .servers
                .verify_server_cert(certificate, &[], name, &[], now)
                .map(|_| ())
        })
    }

    fn verify(
        &self,
        now: UnixTime,
        by: impl Fn(&Verifiers) -> Result<(), rustls::Error>,
    ) -> Result<(), rustls::Error> {
        let found = any(&self.vouching.current, &by);
        let is_stale = matches!(
            found,
            Err(rustls::Error::InvalidCertificate(
                CertificateError::ExpiredRevocationList
                    | CertificateError::ExpiredRevocationListContext { .. }
            ))
        );
        if is_stale && self.tolerates(now) {
            // Checked again in full: a certificate that a stale list names is revoked.
            return any(&self.vouching.stale, &by);
        }
        found
    }

    fn tolerates(&self, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let staleness = self.staleness.whole_seconds();
        self.vouching
            .lists_end
            .is_some_and(|end| now <= end.unix_timestamp().saturating_add(staleness))
    }

    fn new(given: &TrustedParty) -> Result<Self, TrustError> {
        let keys = PublicKey::set(&given.token_keys, None, &given.participant)?;
        let authorities: Vec<CertificateDer<'static>> =
            pem::objects(&given.authorities_pem, &given.participant, "CERTIFICATE")?;
        let lists: Vec<CertificateRevocationListDer<'static>> = match &given.revocations_pem {
            Some(text) => pem::objects(text, &given.participant, "X509 CRL")?,
            None => Vec::new(),
        };
        let lists: Result<Vec<_>, _> = lists.into_iter().map(RevocationList::read).collect();
        let lists = lists.map_err(|reason| TrustError::content(&given.participant, reason))?;
        Ok(Self {
            keys,
            roles: given.roles.clone(),
            purposes: given.purposes.clone(),
            claims: given.claims.clone(),
            is_broker: false,
            vouching: Vouching::new(&given.participant, &authorities, lists)?,
            authorities,
            staleness: Duration::ZERO,
        })
    }
}

impl Vouching {
    fn new(
        participant: &NamedNode,
        authorities: &[CertificateDer<'static>],
        lists: Vec<RevocationList>,
    ) -> Result<Self, TrustError> {
        let fault = |reason: String| TrustError::content(participant, reason);
        let (mut current, mut stale) = (Vec::new(), Vec::new());
        for authority in authorities {
            let own = lists.iter().filter(|list| list.is_of(authority));
            let mut own: Vec<_> = own.map(|list| list.der.clone()).collect();
            if own.is_empty() {
                // Where there are lists at all, an authority without one vouches for nobody: these say nothing of its
                // certificates, and what nothing is said of is refused.
                own = lists.iter().map(|list| list.der.clone()).collect();
            }
            let roots = Arc::new(root(participant, authority)?);
            let verifiers = |is_enforced| Verifiers::new(&roots, &own, is_enforced);
            current.push(verifiers(true).map_err(fault)?);
            stale.push(verifiers(false).map_err(fault)?);
        }
        Ok(Self {
            current,
            stale,
            lists_end: lists.iter().map(|list| list.ends).min(),
            lists,
        })
    }
}

impl Verifiers {
    fn new(
        roots: &Arc<RootCertStore>,
        lists: &[CertificateRevocationListDer<'static>],
        is_enforced: bool,
    ) -> Result<Self, String> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(&provider))
                .with_crls(lists.iter().cloned());
        let servers = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider)
            .with_crls(lists.iter().cloned());
        let (clients, servers) = match is_enforced {
            true => (
                clients.enforce_revocation_expiration(),
                servers.enforce_revocation_expiration(),
            ),
            false => (clients, servers),
        };
        Ok(Self {
            clients: clients.build().map_err(|error| error.to_string())?,
            servers: servers.build().map_err(|error| error.to_string())?,
        })
    }
}

/// When a certificate ends.
fn end_of(certificate: &CertificateDer<'_>) -> Option<OffsetDateTime> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.to_datetime())
}

/// Whether one accepts. Otherwise why not: of the authority that the certificate is of, if it is of one.
fn any(
    verifiers: &[Verifiers],
    by: impl Fn(&Verifiers) -> Result<(), rustls::Error>,
) -> Result<(), rustls::Error> {
    let mut fault = CertificateError::UnknownIssuer.into();
    for one in verifiers {
        match by(one) {
            Ok(()) => return Ok(()),
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => {}
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

fn root(
    participant: &NamedNode,
    certificate: &CertificateDer<'static>,
) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).map_err(|error| {
        TrustError::content(
            participant,
            format_args!("an authority's certificate cannot be used: {error}"),
        )
    })?;
    Ok(roots)
}

fn refuse(check: &'static str, detail: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}

#[cfg(test)]
mod tests;

//! From what a door was shown to a caller: the one place where a caller comes to be.

mod known;

use crate::receipt::SignedRequests;
use crate::{
    Binding, By, CertificateFacts, Nonces, OnceStore, Proof, ProofOf, Registry, Revoked, Trusted,
    VerifiedToken, verify_bound_token, verify_token,
};
use known::KnownCallers;
use oxrdf::NamedNode;
use std::sync::Arc;
use time::OffsetDateTime;
use twinlink_core::{
    Authenticator, Caller, Code, Credentials, Means, Possession, Refusal, Secret, Signable,
    SignedRequest,
};

/// The most proofs and revoked tokens that are remembered at a time.
const REMEMBERED: usize = 200_000;

/// Makes callers of certificate and token, by what the registry trusts at that moment.
#[derive(Debug, Clone)]
pub struct TokenAuthenticator {
    registry: Arc<Registry>,
    revoked: Arc<Revoked>,
    proofs: Arc<OnceStore>,
    apps: Option<Apps>,
    requests: Arc<SignedRequests>,
    known: Arc<KnownCallers>,
    must_sign: MustSign,
}

/// Whose requests count only if they are signed: by their organisation's connector, or by the app itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MustSign {
    /// Nobody's.
    #[default]
    Nobody,
    /// Who has one of these roles.
    Roles(Vec<NamedNode>),
    /// Everybody's.
    Everybody,
}

impl MustSign {
    fn binds(&self, caller: &Caller) -> bool {
        match self {
            Self::Nobody => false,
            Self::Roles(roles) => caller.roles().iter().any(|role| roles.contains(role)),
            Self::Everybody => true,
        }
    }
}

/// Whose apps may do without a client certificate, and how they show each time that they hold their key.
#[derive(Debug, Clone)]
pub struct Apps {
    /// The nonces that a proof must hold.
    pub nonces: Arc<Nonces>,
    /// Whether a peer's apps may too, with tokens of their organisation.
    pub peers: bool,
}

impl TokenAuthenticator {
    /// Trusts what the registry trusts.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            revoked: Arc::new(Revoked::new(REMEMBERED)),
            proofs: Arc::new(OnceStore::new(REMEMBERED)),
            apps: None,
            requests: Arc::new(SignedRequests::new()),
            known: Arc::default(),
            must_sign: MustSign::default(),
        }
    }

    /// Takes proofs of possession too. Without this, whoever has no certificate is refused.
    #[must_use]
    pub fn with_apps(mut self, apps: Apps) -> Self {
        self.apps = Some(apps);
        self
    }

    /// Refuses requests of these callers that are not signed. Without this, nobody need sign.
    #[must_use]
    pub fn requiring(mut self, must_sign: MustSign) -> Self {
        self.must_sign = must_sign;
        self
    }

    /// The proofs and assertions that were used: one store for all doors.
    pub fn used(&self) -> Arc<OnceStore> {
        Arc::clone(&self.proofs)
    }

    /// The tokens that it refuses though they have not expired: for a revocation endpoint to add to.
    pub fn revoked(&self) -> Arc<Revoked> {
        Arc::clone(&self.revoked)
    }

    /// Makes a caller of a token and the `DPoP` headers of a request, for an app without a client certificate.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], naming the check of the token or of the proof; [`Code::Exhausted`] where too many
    /// proofs are remembered.
    // INVARIANT(one-proof-one-request): a proof makes one caller, at whatever door and however many ask at once.
    pub fn authenticate_proof(
        &self,
        token: &Secret,
        headers: &[&str],
        of: &ProofOf<'_>,
        now: OffsetDateTime,
    ) -> Result<Caller, Refusal> {
        let of = ProofOf {
            token: Some(token),
            ..*of
        };
        let trusted = self.registry.current();
        let token = self.prove(token, headers, (&of, &trusted), now)?.0;
        let is_owner = &token.issuer == trusted.own();
        Ok(caller(token, is_owner))
    }

    /// The token of who proved to hold its key, and the key's thumbprint. The last step takes the proof as used.
    fn prove(
        &self,
        token: &Secret,
        headers: &[&str],
        (of, trusted): (&ProofOf<'_>, &Trusted),
        now: OffsetDateTime,
    ) -> Result<(VerifiedToken, String), Refusal> {
        let proof = Proof::verify(headers, of, now)?;
        let token = self.bound(token, &proof.thumbprint, trusted, now)?;
        let by = By {
            organisation: token.issuer.as_str(),
            client: &token.subject,
        };
        proof.use_once(by, &self.proofs, now)?;
        Ok((token, proof.thumbprint))
    }

    fn bound(
        &self,
        token: &Secret,
        thumbprint: &str,
        trusted: &Trusted,
        now: OffsetDateTime,
    ) -> Result<VerifiedToken, Refusal> {
        let token = verify_bound_token(token, trusted, Binding::Key(thumbprint), now)?;
        self.check_revoked(&token, now)?;
        Ok(token)
    }

    /// Who shows a token with a proof: with a certificate too, or without.
    fn authenticate_possession(
        &self,
        credentials: &Credentials,
        possession: &Possession,
        now: OffsetDateTime,
    ) -> Result<Caller, Refusal> {
        let apps = self
            .apps
            .as_ref()
            .ok_or_else(|| refuse("dpop", "this connector takes no proofs of possession"))?;
        let trusted = self.registry.current();
        let client = match credentials.certificate.as_deref() {
            Some(certificate) => Some(trusted.client(certificate, now)?),
            None => None,
        };
        let token = credentials.token.as_ref().ok_or_else(no_token)?;
        let headers: Vec<&str> = possession.proofs.iter().map(Secret::reveal).collect();
        let of = ProofOf {
            method: &possession.method,
            url: &possession.url,
            token: Some(token),
            nonces: Some(&apps.nonces),
        };
        let token = match possession.proven.get() {
            Some(thumbprint) => self.bound(token, thumbprint, &trusted, now)?,
            None => {
                let (token, thumbprint) = self.prove(token, &headers, (&of, &trusted), now)?;
                possession.proven.get_or_init(|| thumbprint);
                token
            }
        };
        if let Some(client) = client {
            check_participant(&token, &client)?;
        } else if !apps.peers && &token.issuer != trusted.own() {
            let detail = "apps of other organisations need a certificate here";
            return Err(refuse("token.participant", detail).at(token.issuer.as_str()));
        }
        let is_owner = &token.issuer == trusted.own();
        Ok(caller(token, is_owner))
    }

    fn check_revoked(&self, token: &VerifiedToken, now: OffsetDateTime) -> Result<(), Refusal> {
        self.check_not_revoked(&token.issuer, &token.token_id, now)
    }

    fn check_not_revoked(
        &self,
        issuer: &NamedNode,
        token_id: &str,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        match self.revoked.holds(issuer, token_id, now) {
            true => Err(refuse("token.revoked", "the token was revoked").at(issuer.as_str())),
            false => Ok(()),
        }
    }
}

fn caller(token: VerifiedToken, is_owner: bool) -> Caller {
    let means = Means {
        client: (token.client_id != token.issuer.as_str()).then_some(token.client_id),
        actors: token.actors,
        agreement: token.agreement,
    };
    let caller = Caller::assertion(
        token.issuer,
        token.subject,
        token.roles,
        token.purpose,
        token.token_id,
        is_owner,
    )
    .on_behalf_of(token.on_behalf)
    .by(means);
    token
        .claims
        .into_iter()
        .fold(caller, |caller, (operand, values)| {
            caller.with_values(operand, values.into_iter().map(Into::into).collect())
        })
}

impl Authenticator for TokenAuthenticator {
    fn authenticate(
        &self,
        credentials: &Credentials,
        now: OffsetDateTime,
    ) -> Result<Caller, Refusal> {
        // INVARIANT(no-downgrade): who has no certificate shows a proof with each request, whatever else it shows.
        if let Some(possession) = &credentials.possession {
            return self.authenticate_possession(credentials, possession, now);
        }
        let trusted = self.registry.current();
        let certificate = credentials
            .certificate
            .as_deref()
            .ok_or_else(|| refuse("certificate", "the client presented no certificate"))?;
        let shown = credentials
            .token
            .as_ref()
            .map(|token| known::shown(token, certificate));
        let known = shown.and_then(|shown| self.known.find(&shown, &trusted, now));
        if let Some(caller) = known {
            self.check_not_revoked(caller.participant(), caller.token_id(), now)?;
            return Ok(caller);
        }
        let client = trusted.client(certificate, now)?;
        let token = credentials.token.as_ref().ok_or_else(no_token)?;
        let token = verify_token(token, &trusted, &client.thumbprint, now)?;
        check_participant(&token, &client)?;
        self.check_revoked(&token, now)?;
        let is_owner = &token.issuer == trusted.own();
        let ends = token.expires.min(client.not_after);
        let caller = caller(token, is_owner);
        if let Some(shown) = shown {
            self.known.keep(shown, &caller, &trusted, now, ends);
        }
        Ok(caller)
    }

    // INVARIANT(must-sign): what must be signed is answered only if it is, whichever door it came by.
    fn signed_request(
        &self,
        envelope: Option<&str>,
        credentials: &Credentials,
        caller: &Caller,
        signable: &Signable,
        now: OffsetDateTime,
    ) -> Result<Option<SignedRequest>, Refusal> {
        let Some(envelope) = envelope else {
            return match self.must_sign.binds(caller) {
                true => Err(refuse("envelope.missing", "the request must be signed")),
                false => Ok(None),
            };
        };
        let by = (&self.registry.current(), now);
        self.requests
            .verify(envelope, credentials, caller, signable, by)
            .map(Some)
    }
}

// INVARIANT(own-tokens-only): an organisation's token works over that organisation's certificates only.
fn check_participant(token: &VerifiedToken, client: &CertificateFacts) -> Result<(), Refusal> {
    if token.issuer == client.participant {
        return Ok(());
    }
    let detail = "the token's issuer is not the organisation of the client's certificate";
    Err(refuse("token.participant", detail).at(client.participant.as_str()))
}

fn no_token() -> Refusal {
    refuse("token", "the request has no access token")
}

fn refuse(check: &'static str, detail: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}

#[cfg(test)]
mod tests;

//! From what a door was shown to a caller: the one place where a caller comes to be.

use crate::{
    Binding, OnceStore, Proof, ProofOf, Registry, Revoked, VerifiedToken, verify_bound_token,
    verify_token,
};
use std::sync::Arc;
use time::OffsetDateTime;
use twinlink_core::{Authenticator, Caller, Code, Credentials, Refusal, Secret};

/// The most proofs and revoked tokens that are remembered at a time.
const REMEMBERED: usize = 200_000;

/// Makes callers of certificate and token, by what the registry trusts at that moment.
#[derive(Debug, Clone)]
pub struct TokenAuthenticator {
    registry: Arc<Registry>,
    revoked: Arc<Revoked>,
    proofs: Arc<OnceStore>,
}

impl TokenAuthenticator {
    /// Trusts what the registry trusts.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            revoked: Arc::new(Revoked::new(REMEMBERED)),
            proofs: Arc::new(OnceStore::new(REMEMBERED)),
        }
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
        let trusted = self.registry.current();
        let of = ProofOf {
            token: Some(token),
            ..*of
        };
        let proof = Proof::verify(headers, &of, now)?;
        let binding = Binding::Key(&proof.thumbprint);
        let token = verify_bound_token(token, &trusted, binding, now)?;
        self.check_revoked(&token, now)?;
        proof.use_once(&self.proofs, now)?;
        let is_owner = &token.issuer == trusted.own();
        Ok(caller(token, is_owner))
    }

    fn check_revoked(&self, token: &VerifiedToken, now: OffsetDateTime) -> Result<(), Refusal> {
        match self.revoked.holds(&token.issuer, &token.token_id, now) {
            true => Err(refuse("token.revoked", "the token was revoked").at(token.issuer.as_str())),
            false => Ok(()),
        }
    }
}

fn caller(token: VerifiedToken, is_owner: bool) -> Caller {
    let caller = Caller::assertion(
        token.issuer,
        token.subject,
        token.roles,
        token.purpose,
        token.token_id,
        is_owner,
    );
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
        let trusted = self.registry.current();
        let certificate = credentials
            .certificate
            .as_deref()
            .ok_or_else(|| refuse("certificate", "the client presented no certificate"))?;
        let client = trusted.client(certificate, now)?;
        let token = credentials
            .token
            .as_ref()
            .ok_or_else(|| refuse("token", "the request has no access token"))?;
        let token = verify_token(token, &trusted, &client.thumbprint, now)?;
        // INVARIANT(own-tokens-only): an organisation's token works over that organisation's certificates only.
        if token.issuer != client.participant {
            return Err(refuse(
                "token.participant",
                "the token's issuer is not the organisation of the client's certificate",
            )
            .at(client.participant.as_str()));
        }
        self.check_revoked(&token, now)?;
        let is_owner = &token.issuer == trusted.own();
        Ok(caller(token, is_owner))
    }
}

fn refuse(check: &'static str, detail: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}

#[cfg(test)]
mod tests;

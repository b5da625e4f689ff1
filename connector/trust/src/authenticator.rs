//! From what a door was shown to a caller: the one place where a caller comes to be.

use crate::{Registry, verify_token};
use std::sync::Arc;
use time::OffsetDateTime;
use twinlink_core::{Authenticator, Caller, Code, Credentials, Refusal};

/// Makes callers of certificate and token, by what the registry trusts at that moment.
#[derive(Debug, Clone)]
pub struct TokenAuthenticator {
    registry: Arc<Registry>,
}

impl TokenAuthenticator {
    /// Trusts what the registry trusts.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }
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
        let is_owner = &token.issuer == trusted.own();
        Ok(Caller::assertion(
            token.issuer,
            token.subject,
            token.roles,
            token.purpose,
            token.token_id,
            is_owner,
        ))
    }
}

fn refuse(check: &'static str, detail: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}

#[cfg(test)]
mod tests;

//! One token for another, by which somebody acts for the subject: <https://www.rfc-editor.org/rfc/rfc8693>.

use super::claims::ACTORS;
use super::{Binding, IssuedToken, LONGEST, Terms, TokenIssuer, TokenRequest, VerifiedToken};
use oxrdf::NamedNode;
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal};

/// What the new token shall be.
#[derive(Debug, Clone)]
pub struct TokenExchange<'a> {
    /// Who will act for the subject: a program or a connector.
    pub actor: &'a str,
    /// The one connector that it is for.
    pub audience: &'a NamedNode,
    /// What the actor proves to hold.
    pub binding: Binding<'a>,
    /// Fewer roles than the subject's, where given.
    pub roles: Option<&'a [NamedNode]>,
    /// How long it lives: never longer than the subject's token.
    pub lifetime: Duration,
}

impl TokenIssuer {
    /// Exchanges a token of our own organisation for one by which the actor asks another connector for the same subject,
    /// for the same purpose, with no more roles and no longer.
    ///
    /// # Errors
    /// [`Code::Forbidden`], check `exchange.issuer` for another organisation's token, `exchange.may_act` where the subject
    /// named somebody else, `exchange.aud` where its token is neither for our own connector nor for the one that is asked for,
    /// `exchange.roles` for more than it has, `exchange.act` for a chain that is too long or comes
    /// back to an actor; [`Code::Unauthenticated`], check `token.exp`, where nothing of its life is left.
    // INVARIANT(exchange-narrows): an exchanged token permits nothing that the subject's token did not. One for our own
    // connector is for whatever that one may ask in the subject's name; one for others alone stays theirs.
    pub fn exchange(
        &self,
        subject: &VerifiedToken,
        wanted: &TokenExchange<'_>,
        now: OffsetDateTime,
    ) -> Result<IssuedToken, Refusal> {
        let identity = self.identity.load();
        let refuse = |check, reason: &str| Err(Refusal::new(Code::Forbidden, check, reason));
        if &subject.issuer != identity.participant() {
            return refuse("exchange.issuer", "the token is another organisation's");
        }
        if subject
            .may_act
            .as_deref()
            .is_some_and(|one| one != wanted.actor)
        {
            return refuse("exchange.may_act", "the subject named another actor");
        }
        let is_for = |connector: &NamedNode| {
            let mut audiences = subject.audiences.iter();
            audiences.any(|one| one == connector.as_str())
        };
        if !is_for(identity.participant()) && !is_for(wanted.audience) {
            return refuse("exchange.aud", "the token is for other connectors");
        }
        let roles = wanted.roles.unwrap_or(&subject.roles);
        if !roles.iter().all(|role| subject.roles.contains(role)) {
            return refuse("exchange.roles", "more roles than the subject has");
        }
        if subject.actors.len() >= ACTORS || subject.actors.iter().any(|one| one == wanted.actor) {
            return refuse(
                "exchange.act",
                "the chain of actors is too long, or goes in a circle",
            );
        }
        let left = (subject.expires - now).whole_seconds();
        let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
        let lifetime = wanted.lifetime.min(left).min(LONGEST);
        if lifetime < Duration::from_secs(1) {
            let ended = "nothing is left of the subject's token";
            return Err(Refusal::new(Code::Unauthenticated, "token.exp", ended));
        }
        let request = TokenRequest {
            subject: subject.subject.clone(),
            client_id: wanted.actor.to_owned(),
            audience: wanted.audience.clone(),
            roles: roles.to_vec(),
            purpose: subject.purpose.clone(),
            claims: subject.claims.clone(),
            // The binding says it.
            thumbprint: String::new(),
            lifetime,
            agreement: subject.agreement.clone(),
            request: subject.request,
        };
        let mut actors = vec![wanted.actor.to_owned()];
        actors.extend(subject.actors.iter().cloned());
        let terms = Terms {
            binding: wanted.binding,
            actors: &actors,
            may_act: None,
            on_behalf: &[],
        };
        Self::sign(&identity, &request, terms, now)
            .map_err(|error| Refusal::new(Code::Invalid, "exchange", error))
    }
}

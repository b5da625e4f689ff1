//! Access tokens: <https://www.rfc-editor.org/rfc/rfc9068>, bound to the client's certificate by RFC 8705.

mod assertion;
mod claims;
mod exchange;
mod proof;
mod request;
mod service;
mod verify;

use crate::{CurrentIdentity, Identity, TrustError, jws};
use claims::{Actor, Audience, Claims, Confirmation, MayAct};
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Code, Delegation, Refusal, Secret};
use uuid::Uuid;

pub use assertion::{Assertion, AssertionOf, claimed_client, verify_assertion};
pub use exchange::TokenExchange;
pub use proof::{Nonces, Proof, ProofOf};
pub(crate) use request::{AGE, Holder, LEEWAY, verify_request};
pub use request::{HeldRequest, RequestOf, sign_request, verify_held_request};
pub(crate) use service::revokes_until;
pub use service::{Introspection, REVOKE, Revoked};
pub use verify::{Binding, VerifiedToken, verify_bound_token, verify_subject_token, verify_token};

/// <https://www.rfc-editor.org/rfc/rfc9068#section-2.1>
const TYPE: &str = "at+jwt";

/// The longest a token may live.
pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

/// How long a token for sub-requests lives: their start is checked, not their end.
const DELEGATED: Duration = Duration::from_secs(120);

/// Issues tokens in the name of the own organisation.
#[derive(Debug, Clone)]
pub struct TokenIssuer {
    identity: Arc<CurrentIdentity>,
}

/// What a token shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The person or program.
    pub subject: String,
    /// The client that will hold the token, such as a participant id or a program's name.
    pub client_id: String,
    /// The connector that will be asked, by participant id.
    pub audience: NamedNode,
    /// Roles of the subject.
    pub roles: Vec<NamedNode>,
    /// The purpose of the use.
    pub purpose: Option<NamedNode>,
    /// What else to claim: left operands of constraints, such as `tl:legalBasis`, and their values. At most 16 of 16.
    pub claims: BTreeMap<NamedNode, Vec<NamedNode>>,
    /// The `x5t#S256` of the certificate that the client will present: [`crate::thumbprint`].
    pub thumbprint: String,
    /// How long it is valid; at most an hour.
    pub lifetime: Duration,
    /// The agreement under which it is used.
    pub agreement: Option<NamedNode>,
    /// The request it is part of.
    pub request: Option<Uuid>,
}

/// A token that was signed, with what its record must say.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: Secret,
    /// Its `jti`.
    pub id: String,
    /// How long it lives.
    pub lifetime: Duration,
}

/// What a token says besides its request.
#[derive(Debug, Clone, Copy)]
struct Terms<'a> {
    binding: Binding<'a>,
    /// Who acts for the subject, the last one first.
    actors: &'a [String],
    /// Who may come to act for it.
    may_act: Option<&'a str>,
    /// The organisations that the question comes from, by brokers.
    on_behalf: &'a [String],
}

impl TokenIssuer {
    /// Issues with the identity now in force.
    pub fn new(identity: Arc<CurrentIdentity>) -> Self {
        Self { identity }
    }

    /// Issues a token.
    ///
    /// # Errors
    /// [`TrustError::Issue`] for a lifetime over an hour, or what a verifier of ours would refuse.
    pub fn issue(&self, request: &TokenRequest, now: OffsetDateTime) -> Result<Secret, TrustError> {
        self.issue_bound(request, Binding::Certificate(&request.thumbprint), now)
    }

    /// As [`TokenIssuer::issue`], bound to this instead of the request's `thumbprint`: such as the key of an app that has
    /// no certificate.
    ///
    /// # Errors
    /// As [`TokenIssuer::issue`].
    pub fn issue_bound(
        &self,
        request: &TokenRequest,
        binding: Binding<'_>,
        now: OffsetDateTime,
    ) -> Result<Secret, TrustError> {
        let issued = self.issue_to_client(request, binding, None, now)?;
        Ok(issued.token)
    }

    /// As [`TokenIssuer::issue_bound`], where `may_act` names who may exchange the token to act for its subject.
    ///
    /// # Errors
    /// As [`TokenIssuer::issue`].
    pub fn issue_to_client(
        &self,
        request: &TokenRequest,
        binding: Binding<'_>,
        may_act: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<IssuedToken, TrustError> {
        let terms = Terms {
            binding,
            actors: &[],
            may_act,
            on_behalf: &[],
        };
        Self::sign(&self.identity.load(), request, terms, now)
    }

    /// Issues a token by which this connector asks a peer on behalf of a user of its own organisation, bound to this
    /// connector's own certificate.
    ///
    /// # Errors
    /// [`Code::Forbidden`], check `delegation`, for a user of another organisation: only that organisation may vouch
    /// for its users, and it did so to us alone.
    // INVARIANT(own-users-only): a connector asks its peers in the name of its own organisation's users only.
    pub fn delegate(
        &self,
        delegation: &Delegation,
        audience: &NamedNode,
        now: OffsetDateTime,
    ) -> Result<Secret, Refusal> {
        let identity = self.identity.load();
        if &delegation.participant != identity.participant() {
            return Err(Refusal::new(
                Code::Forbidden,
                "delegation",
                "this connector asks its peers for users of its own organisation only",
            )
            .open()
            .at(delegation.participant.as_str()));
        }
        Self::sign_delegated(&identity, delegation, audience, Vec::new(), now)
            .map_err(|error| Refusal::new(Code::Internal, "delegation", error))
    }

    /// Issues a token by which this connector, as a broker, passes on a question of another organisation's user: in its own
    /// name, saying for whom. The peer takes it only from whom it knows as a broker, within what it lets us assert.
    ///
    /// # Errors
    /// [`Code::Forbidden`], check `delegation`, where the question has passed too many brokers, or this one before.
    // INVARIANT(brokers-say-so): a question of another organisation's user is passed on as such, never as one of our own.
    pub fn pass_on(
        &self,
        delegation: &Delegation,
        audience: &NamedNode,
        now: OffsetDateTime,
    ) -> Result<Secret, Refusal> {
        let identity = self.identity.load();
        let path = delegation.on_behalf.iter().chain([&delegation.participant]);
        let path: Vec<String> = path.map(|one| one.as_str().to_owned()).collect();
        Self::sign_delegated(&identity, delegation, audience, path, now).map_err(|error| {
            Refusal::new(Code::Forbidden, "delegation", error).at(delegation.participant.as_str())
        })
    }

    fn sign_delegated(
        identity: &Identity,
        delegation: &Delegation,
        audience: &NamedNode,
        on_behalf: Vec<String>,
        now: OffsetDateTime,
    ) -> Result<Secret, TrustError> {
        let request = TokenRequest {
            subject: delegation.subject.clone(),
            client_id: identity.participant().as_str().to_owned(),
            audience: audience.clone(),
            roles: delegation.roles.clone(),
            purpose: delegation.purpose.clone(),
            claims: delegation.claims.clone(),
            thumbprint: identity.thumbprint().to_owned(),
            lifetime: DELEGATED,
            agreement: None,
            // It serves several requests; each is named by its signed envelope.
            request: None,
        };
        let terms = Terms {
            binding: Binding::Certificate(&request.thumbprint),
            actors: &delegation.actors,
            may_act: None,
            on_behalf: &on_behalf,
        };
        Self::sign(identity, &request, terms, now).map(|issued| issued.token)
    }

    fn sign(
        identity: &Identity,
        request: &TokenRequest,
        terms: Terms<'_>,
        now: OffsetDateTime,
    ) -> Result<IssuedToken, TrustError> {
        if request.lifetime > LONGEST || request.lifetime < Duration::from_secs(1) {
            return Err(TrustError::issue(
                "a token lives at least a second and at most an hour",
            ));
        }
        let seconds = i64::try_from(request.lifetime.as_secs()).unwrap_or(i64::MAX);
        let issued = now.unix_timestamp();
        let id = Uuid::new_v4().to_string();
        let claims = Claims {
            iss: Some(identity.participant().as_str().to_owned()),
            aud: Some(Audience::One(request.audience.as_str().to_owned())),
            exp: Some(issued.saturating_add(seconds)),
            iat: Some(issued),
            nbf: None,
            sub: Some(request.subject.clone()),
            client_id: Some(request.client_id.clone()),
            jti: Some(id.clone()),
            cnf: Some(confirmation(terms.binding)),
            act: Actor::of(terms.actors),
            may_act: terms.may_act.map(|one| MayAct {
                sub: one.to_owned(),
            }),
            on_behalf: terms.on_behalf.to_vec(),
            roles: strings(&request.roles),
            purpose: request.purpose.as_ref().map(|p| p.as_str().to_owned()),
            claims: request
                .claims
                .iter()
                .map(|(operand, values)| (operand.as_str().to_owned(), strings(values)))
                .collect(),
            agreement: request.agreement.as_ref().map(|a| a.as_str().to_owned()),
            request: request.request.map(|id| id.to_string()),
        };
        // What we would not accept we do not issue.
        claims
            .check_form()
            .map_err(|(check, reason)| TrustError::issue(format_args!("{check}: {reason}")))?;
        let payload = serde_json::to_vec(&claims)
            .map_err(|error| TrustError::cryptography("write a token", error))?;
        let token = jws::sign(&payload, TYPE, identity.key())?;
        if token.len() > verify::LENGTH {
            return Err(TrustError::issue("the token would be over 8 KiB"));
        }
        Ok(IssuedToken {
            token: Secret::new(token),
            id,
            lifetime: request.lifetime,
        })
    }
}

fn confirmation(binding: Binding<'_>) -> Confirmation {
    let (thumbprint, key) = match binding {
        Binding::Certificate(thumbprint) => (Some(thumbprint.to_owned()), None),
        Binding::Key(thumbprint) => (None, Some(thumbprint.to_owned())),
    };
    Confirmation { thumbprint, key }
}

fn strings(terms: &[NamedNode]) -> Vec<String> {
    terms.iter().map(|term| term.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests;

//! Whether a token is believed: every check under its own name, in one order.

use super::claims::{Claims, Confirmation};
use super::{LONGEST, TYPE};
use crate::trusted::Party;
use crate::{Trusted, json, jws};
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::fmt;
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal, Secret};
use uuid::Uuid;

/// The longest token, in bytes.
pub(super) const LENGTH: usize = 8 * 1024;

/// <https://www.rfc-editor.org/rfc/rfc9068#section-4>
pub(super) const TYPES: [&str; 2] = [TYPE, "application/at+jwt"];

/// How far two clocks may be apart, in seconds.
const LEEWAY: i64 = 60;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The organisation that issued it: `iss`.
    pub issuer: NamedNode,
    /// The person or program: `sub`.
    pub subject: String,
    /// The client that holds it.
    pub client_id: String,
    /// The connectors that it is for, by participant id: `aud`.
    pub audiences: Vec<String>,
    /// Its id: `jti`.
    pub token_id: String,
    /// Roles, within what the issuer may assert.
    pub roles: Vec<NamedNode>,
    /// The purpose, within what the issuer may assert.
    pub purpose: Option<NamedNode>,
    /// What else it claims, within what the issuer may assert: left operands of constraints, such as `tl:legalBasis`, and
    /// their values.
    pub claims: BTreeMap<NamedNode, Vec<NamedNode>>,
    /// The agreement it is used under.
    pub agreement: Option<NamedNode>,
    /// The request it is part of.
    pub request: Option<Uuid>,
    /// Who acts for the subject now, and who did before.
    pub actors: Vec<String>,
    /// Who may come to act for the subject.
    pub may_act: Option<String>,
    /// The organisations that the question comes from, by brokers: the asker's first, the one before the issuer last.
    /// Empty where the issuer asks for a subject of its own.
    pub on_behalf: Vec<NamedNode>,
    /// When it ends.
    pub expires: OffsetDateTime,
    pub(crate) bound_to: Confirmation,
}

/// What the client proved to hold, which the token must be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding<'a> {
    /// A certificate, by its `x5t#S256`: <https://www.rfc-editor.org/rfc/rfc8705#section-3>.
    Certificate(&'a str),
    /// A key, by its thumbprint: <https://www.rfc-editor.org/rfc/rfc9449#section-6>.
    Key(&'a str),
}

/// A token that is good, whoever it is for and whoever holds it.
pub(super) struct Good<'a> {
    pub(super) claims: Claims,
    pub(super) issuer: NamedNode,
    party: &'a Party,
}

/// Verifies a token that a client presented over a connection with the certificate of this thumbprint.
///
/// # Errors
/// [`Code::Unauthenticated`], naming the check (`token.signature`, `token.exp`, ...) and, where it is one we trust,
/// the issuer.
// INVARIANT(bound-token): a token is accepted only from the holder of the certificate it is bound to.
pub fn verify_token(
    token: &Secret,
    trusted: &Trusted,
    thumbprint: &str,
    now: OffsetDateTime,
) -> Result<VerifiedToken, Refusal> {
    verify_bound_token(token, trusted, Binding::Certificate(thumbprint), now)
}

/// As [`verify_token`], for a client that proved to hold a certificate or a key.
///
/// # Errors
/// As [`verify_token`].
pub fn verify_bound_token(
    token: &Secret,
    trusted: &Trusted,
    binding: Binding<'_>,
    now: OffsetDateTime,
) -> Result<VerifiedToken, Refusal> {
    let good = read(token, trusted, now)?;
    let issuer = good.issuer.clone();
    let believe = || {
        check_recipient(&good.claims, trusted.own())?;
        check_path(&good.claims, trusted.own())?;
        check_binding(&good.claims, binding)?;
        accept(good.claims, &good.issuer, good.party)
    };
    believe().map_err(|refusal| refusal.at(issuer.as_str()))
}

/// Verifies a token that a client shows to act for its subject: whoever holds it, and whichever connector it is for.
/// Whether the client may is asked by [`VerifiedToken::is_bound_to`] and by the token's `may_act`.
///
/// # Errors
/// As [`verify_token`], without the checks of recipient and holder.
pub fn verify_subject_token(
    token: &Secret,
    trusted: &Trusted,
    now: OffsetDateTime,
) -> Result<VerifiedToken, Refusal> {
    let good = read(token, trusted, now)?;
    let issuer = good.issuer;
    accept(good.claims, &issuer, good.party).map_err(|refusal| refusal.at(issuer.as_str()))
}

impl VerifiedToken {
    /// Whether it was made for the holder of this.
    pub fn is_bound_to(&self, binding: Binding<'_>) -> bool {
        is_bound(&self.bound_to, binding)
    }
}

/// All that can be said of a token without knowing who holds it.
pub(super) fn read<'a>(
    token: &Secret,
    trusted: &'a Trusted,
    now: OffsetDateTime,
) -> Result<Good<'a>, Refusal> {
    let unverified = jws::read(token.reveal(), LENGTH, &TYPES).map_err(malformed)?;
    let issuer = claimed_issuer(unverified.peek())?;
    let party = trusted
        .party(&issuer)
        .ok_or_else(|| refuse("token.iss", "the issuer is not trusted here"))?;
    let believe = || {
        let payload = unverified.verify(&party.keys).map_err(malformed)?;
        let claims: Claims =
            json::object(&payload).map_err(|reason| refuse("token.claims", reason))?;
        claims
            .check_form()
            .map_err(|(check, reason)| refuse(check, reason))?;
        check_time(&claims, now.unix_timestamp())?;
        Ok(claims)
    };
    let claims = believe().map_err(|refusal: Refusal| refusal.at(issuer.as_str()))?;
    Ok(Good {
        claims,
        issuer,
        party,
    })
}

/// The issuer that the token claims: looked at before its signature, only to find the keys.
fn claimed_issuer(payload: &[u8]) -> Result<NamedNode, Refusal> {
    #[derive(serde::Deserialize)]
    struct Claimed {
        iss: Option<String>,
    }
    let claimed: Claimed =
        json::object(payload).map_err(|reason| refuse("token.claims", reason))?;
    let iss = claimed
        .iss
        .ok_or_else(|| refuse("token.iss", "is missing"))?;
    NamedNode::new(iss).map_err(|_| refuse("token.iss", "is not an absolute IRI"))
}

/// All sums are of numbers below 2^38: they cannot overflow, since `check_form` came first.
fn check_time(claims: &Claims, now: i64) -> Result<(), Refusal> {
    let (exp, iat) = (
        claims.exp.unwrap_or_default(),
        claims.iat.unwrap_or(i64::MAX - LEEWAY),
    );
    if now >= exp.saturating_add(LEEWAY) {
        return Err(refuse(
            "token.exp",
            format_args!("expired {} s ago", now - exp),
        ));
    }
    if iat > now.saturating_add(LEEWAY) {
        return Err(refuse(
            "token.iat",
            format_args!("issued {} s from now", iat - now),
        ));
    }
    if let Some(nbf) = claims.nbf
        && nbf > now.saturating_add(LEEWAY)
    {
        return Err(refuse(
            "token.nbf",
            format_args!("valid {} s from now", nbf - now),
        ));
    }
    let lifetime = exp.saturating_sub(iat);
    if lifetime <= 0 || lifetime.unsigned_abs() > LONGEST.as_secs() {
        return Err(refuse(
            "token.exp",
            format_args!(
                "a life of {lifetime} s is not within 1 to {} s",
                LONGEST.as_secs()
            ),
        ));
    }
    Ok(())
}

fn check_recipient(claims: &Claims, own: &NamedNode) -> Result<(), Refusal> {
    match &claims.aud {
        Some(aud) if aud.contains(own.as_str()) => Ok(()),
        _ => Err(refuse("token.aud", "the token is for another connector")),
    }
}

/// A question that went out from here, or passed through here, is not asked here again.
// INVARIANT(no-loops): a question that comes back to a connector that it has passed is refused there.
fn check_path(claims: &Claims, own: &NamedNode) -> Result<(), Refusal> {
    if claims.on_behalf.iter().any(|one| one == own.as_str()) {
        return Err(refuse("token.on_behalf", "the question went in a circle"));
    }
    Ok(())
}

fn check_binding(claims: &Claims, binding: Binding<'_>) -> Result<(), Refusal> {
    match &claims.cnf {
        Some(cnf) if is_bound(cnf, binding) => Ok(()),
        _ => Err(refuse(
            "token.cnf",
            "the token is bound to another certificate or key than the client proved to hold",
        )),
    }
}

pub(super) fn is_bound(to: &Confirmation, shown: Binding<'_>) -> bool {
    let (bound, shown) = match shown {
        Binding::Certificate(shown) => (&to.thumbprint, shown),
        Binding::Key(shown) => (&to.key, shown),
    };
    bound
        .as_deref()
        .is_some_and(|bound| same(bound.as_bytes(), shown.as_bytes()))
}

/// Takes as long for a wrong value as for the right one.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |seen, (a, b)| seen | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

fn accept(claims: Claims, issuer: &NamedNode, party: &Party) -> Result<VerifiedToken, Refusal> {
    if !claims.on_behalf.is_empty() && !party.is_broker {
        return Err(refuse(
            "token.on_behalf",
            "the issuer may ask for its own people only",
        ));
    }
    let on_behalf = claims.on_behalf.into_iter();
    let on_behalf = on_behalf
        .map(|one| iri("token.on_behalf", one))
        .collect::<Result<Vec<_>, _>>()?;
    let roles = claims
        .roles
        .into_iter()
        .map(|role| iri("token.roles", role))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(role) = roles.iter().find(|role| !party.roles.covers(role)) {
        return Err(refuse(
            "token.roles",
            format_args!("the issuer may not assert the role {role}"),
        ));
    }
    let purpose = claims
        .purpose
        .map(|purpose| iri("token.purpose", purpose))
        .transpose()?;
    if let Some(purpose) = purpose.as_ref().filter(|p| !party.purposes.covers(p)) {
        return Err(refuse(
            "token.purpose",
            format_args!("the issuer may not assert the purpose {purpose}"),
        ));
    }
    let mut values = BTreeMap::new();
    for (operand, given) in claims.claims {
        let operand = iri("token.claims", operand)?;
        if !party.claims.covers(&operand) {
            return Err(refuse(
                "token.claims",
                format_args!("the issuer may not assert {operand}"),
            ));
        }
        let given = given.into_iter().map(|value| iri("token.claims", value));
        values.insert(operand, given.collect::<Result<Vec<_>, _>>()?);
    }
    let agreement = claims
        .agreement
        .map(|agreement| iri("token.agreement", agreement))
        .transpose()?;
    let request = claims
        .request
        .map(|id| Uuid::parse_str(&id).map_err(|_| refuse("token.request", "is not a UUID")))
        .transpose()?;
    Ok(VerifiedToken {
        issuer: issuer.clone(),
        on_behalf,
        subject: claims.sub.unwrap_or_default(),
        client_id: claims.client_id.unwrap_or_default(),
        audiences: claims.aud.map(|aud| aud.all()).unwrap_or_default(),
        token_id: claims.jti.unwrap_or_default(),
        roles,
        purpose,
        claims: values,
        agreement,
        request,
        actors: claims.act.map(|act| act.names()).unwrap_or_default(),
        may_act: claims.may_act.map(|may_act| may_act.sub),
        // Its range was checked.
        expires: OffsetDateTime::from_unix_timestamp(claims.exp.unwrap_or_default())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH),
        bound_to: claims.cnf.unwrap_or(Confirmation {
            thumbprint: None,
            key: None,
        }),
    })
}

fn iri(check: &'static str, text: String) -> Result<NamedNode, Refusal> {
    NamedNode::new(text).map_err(|_| refuse(check, "is not an absolute IRI"))
}

fn malformed(fault: jws::Fault) -> Refusal {
    let check = match &fault {
        jws::Fault::Length(_) => "token.length",
        jws::Fault::Form(_) => "token.form",
        jws::Fault::Header(_) => "token.header",
        jws::Fault::Type(_) => "token.typ",
        jws::Fault::Algorithm(_) => "token.alg",
        jws::Fault::Key => "token.kid",
        jws::Fault::Signature => "token.signature",
    };
    refuse(check, fault)
}

fn refuse(check: &'static str, detail: impl fmt::Display) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}

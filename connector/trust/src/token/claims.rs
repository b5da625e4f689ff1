//! The claims of a token: <https://www.rfc-editor.org/rfc/rfc9068#section-2.2>.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most roles in one token.
const ROLES: usize = 32;

/// The most left operands that one token claims values of, and the most values of each.
const CLAIMS: usize = 16;

/// The most recipients of one token.
const RECIPIENTS: usize = 8;

/// The most actors in one token.
pub(super) const ACTORS: usize = 4;

/// The most brokers that pass a question on.
const BROKERS: usize = 4;

/// The longest name or IRI, in bytes.
const NAME_LENGTH: usize = 512;

/// The last second of the year 9999: no honest clock says more.
const LAST_SECOND: i64 = 253_402_300_799;

/// Claims as they were signed. All are optional here, so that each missing one is refused under its own name.
///
/// Seconds are integers: RFC 7519 allows fractions, and nobody needs them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: Option<String>,
    pub(super) aud: Option<Audience>,
    pub(super) exp: Option<i64>,
    pub(super) iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<i64>,
    pub(super) sub: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) jti: Option<String>,
    pub(super) cnf: Option<Confirmation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) may_act: Option<MayAct>,
    /// The organisations that a question comes from, by brokers: the asker's first, the one before the issuer last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) on_behalf: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) purpose: Option<String>,
    /// IRIs of left operands of constraints to IRIs of values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) claims: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agreement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<String>,
}

/// <https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3>
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

/// One of both: <https://www.rfc-editor.org/rfc/rfc8705#section-3.1>, <https://www.rfc-editor.org/rfc/rfc9449#section-6.1>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confirmation {
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub(crate) thumbprint: Option<String>,
    #[serde(rename = "jkt", skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

/// Who acts, for whoever acted before: <https://www.rfc-editor.org/rfc/rfc8693#section-4.1>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Actor {
    pub(super) sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<Box<Self>>,
}

/// Who may come to act: <https://www.rfc-editor.org/rfc/rfc8693#section-4.4>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MayAct {
    pub(super) sub: String,
}

impl Actor {
    /// Who acts now first, then who acted before.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut next = Some(self);
        while let Some(actor) = next {
            names.push(actor.sub.clone());
            next = actor.act.as_deref();
        }
        names
    }

    /// Of names in the order of [`Actor::names`].
    pub(super) fn of(names: &[String]) -> Option<Self> {
        let mut inner = None;
        for name in names.iter().rev() {
            inner = Some(Self {
                sub: name.clone(),
                act: inner.map(Box::new),
            });
        }
        inner
    }

    fn check(&self) -> Result<(), Fault> {
        let names = self.names();
        if names.len() > ACTORS {
            return Err(("token.act", "has over 4 actors"));
        }
        for (place, actor) in names.iter().enumerate() {
            name("token.act", Some(actor))?;
            if names.iter().skip(place + 1).any(|other| other == actor) {
                return Err(("token.act", "has an actor twice"));
            }
        }
        Ok(())
    }
}

/// The check that failed, and why.
pub(super) type Fault = (&'static str, &'static str);

impl Claims {
    /// What can be said without knowing the time, the caller or the issuer.
    pub(super) fn check_form(&self) -> Result<(), Fault> {
        name("token.iss", self.iss.as_deref())?;
        name("token.sub", self.sub.as_deref())?;
        name("token.client_id", self.client_id.as_deref())?;
        name("token.jti", self.jti.as_deref())?;
        second("token.exp", self.exp)?;
        second("token.iat", self.iat)?;
        if self.nbf.is_some() {
            second("token.nbf", self.nbf)?;
        }
        match &self.aud {
            None => return Err(("token.aud", "is missing")),
            Some(Audience::One(_)) => {}
            Some(Audience::Several(all)) if all.len() <= RECIPIENTS => {}
            Some(Audience::Several(_)) => return Err(("token.aud", "has over 8 recipients")),
        }
        match self.cnf.as_ref().map(|cnf| (&cnf.thumbprint, &cnf.key)) {
            Some((Some(_), None) | (None, Some(_))) => {}
            Some((Some(_), Some(_))) => {
                return Err(("token.cnf", "binds the token to a certificate and to a key"));
            }
            _ => return Err(("token.cnf", "binds the token to no certificate and no key")),
        }
        self.act.as_ref().map_or(Ok(()), Actor::check)?;
        if let Some(may_act) = &self.may_act {
            name("token.may_act", Some(&may_act.sub))?;
        }
        self.check_on_behalf()?;
        if self.roles.len() > ROLES {
            return Err(("token.roles", "has over 32 roles"));
        }
        self.roles
            .iter()
            .try_for_each(|role| name("token.roles", Some(role)))?;
        if self.claims.len() > CLAIMS || self.claims.values().any(|values| values.len() > CLAIMS) {
            return Err((
                "token.claims",
                "claims over 16 operands, or over 16 values of one",
            ));
        }
        for (operand, values) in &self.claims {
            name("token.claims", Some(operand))?;
            values
                .iter()
                .try_for_each(|value| name("token.claims", Some(value)))?;
        }
        optional("token.purpose", self.purpose.as_deref())?;
        optional("token.agreement", self.agreement.as_deref())?;
        optional("token.request", self.request.as_deref())
    }

    // INVARIANT(bounded-brokers): a question comes by four brokers at most, and by none of them twice.
    fn check_on_behalf(&self) -> Result<(), Fault> {
        const CHECK: &str = "token.on_behalf";
        if self.on_behalf.len() > BROKERS {
            return Err((CHECK, "comes by over 4 brokers"));
        }
        for (place, one) in self.on_behalf.iter().enumerate() {
            name(CHECK, Some(one))?;
            let mut others = self.on_behalf.iter().skip(place + 1).chain(&self.iss);
            if others.any(|other| other == one) {
                return Err((CHECK, "comes by a broker twice"));
            }
        }
        Ok(())
    }
}

impl Audience {
    /// Every recipient.
    pub(super) fn all(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Several(all) => all.clone(),
        }
    }

    /// Whether this recipient, letter by letter, is one.
    pub(super) fn contains(&self, recipient: &str) -> bool {
        match self {
            Self::One(one) => one == recipient,
            Self::Several(all) => all.iter().any(|one| one == recipient),
        }
    }
}

fn name(check: &'static str, value: Option<&str>) -> Result<(), Fault> {
    match value {
        None => Err((check, "is missing")),
        Some("") => Err((check, "is empty")),
        Some(value) if value.len() > NAME_LENGTH => Err((check, "is over 512 bytes")),
        Some(value) if value.chars().any(char::is_control) => {
            Err((check, "has control characters"))
        }
        Some(_) => Ok(()),
    }
}

fn optional(check: &'static str, value: Option<&str>) -> Result<(), Fault> {
    value.map_or(Ok(()), |value| name(check, Some(value)))
}

fn second(check: &'static str, value: Option<i64>) -> Result<(), Fault> {
    match value {
        None => Err((check, "is missing")),
        Some(0..=LAST_SECOND) => Ok(()),
        Some(_) => Err((check, "is out of range")),
    }
}

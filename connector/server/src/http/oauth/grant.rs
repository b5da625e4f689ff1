//! `/oauth/token`: tokens for clients that ask for themselves, and for clients that act for somebody.

use super::clients::{Authenticated, Client, Who};
use super::fault::Fault;
use super::{Asked, AuthorizationServer, Holds, about};
use crate::http::Door;
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::PRAGMA;
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal, Secret, UseRecord};
use twinlink_trust::{Binding, IssuedToken, TokenExchange, TokenRequest, verify_subject_token};

pub(super) const CLIENT_CREDENTIALS: &str = "client_credentials";

/// <https://www.rfc-editor.org/rfc/rfc8693#section-2.1>
pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// <https://www.rfc-editor.org/rfc/rfc8693#section-3>
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// How long the operator's tokens live.
const OPERATOR: Duration = Duration::from_secs(300);

/// What is granted, signed but not given out yet.
struct Granted {
    issued: IssuedToken,
    roles: Vec<NamedNode>,
    is_bound_to_key: bool,
    is_exchanged: bool,
}

/// What every grant needs.
struct Grant<'a> {
    door: &'a Door,
    server: &'a AuthorizationServer,
    asked: &'a Asked,
    client: Authenticated,
    holds: Holds,
    now: OffsetDateTime,
}

/// Grants a token, or says why not. It leaves when its record is on disk.
pub(super) async fn grant(
    door: &Door,
    server: &AuthorizationServer,
    asked: &Asked,
) -> Result<Response, Fault> {
    let now = door.connector.clock.now();
    // What it is called in the record, before anything is known to be right.
    let is_exchange = asked.form.one("grant_type").ok().flatten() == Some(EXCHANGE);
    let action = if is_exchange {
        "exchangeToken"
    } else {
        "issueToken"
    };
    let granted = asked
        .serve(&door.connector, &super::action(action), |record| {
            let client = server.authenticate(door, asked, now)?;
            record.participant = Some(client.participant(&door.connector.participant));
            record.subject = Some(client.id().to_owned());
            let grant_type = asked.required("grant_type")?;
            if ![CLIENT_CREDENTIALS, EXCHANGE].contains(&grant_type) {
                let detail = "client_credentials and token exchange are granted";
                return Err(Refusal::about_input("oauth.grant_type", detail));
            }
            let holds = server.holds(&asked.possession(), &client, now)?;
            let grant = Grant {
                door,
                server,
                asked,
                client,
                holds,
                now,
            };
            let granted = if is_exchange {
                grant.exchange(record)?
            } else {
                grant.credentials(record)?
            };
            record.token_id = Some(granted.issued.id.clone());
            Ok(granted)
        })
        .await?;
    tracing::info!(token = %granted.issued.id, action, "a token was issued");
    Ok(granted.respond())
}

impl Grant<'_> {
    /// <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>
    fn credentials(&self, record: &mut UseRecord) -> Result<Granted, Refusal> {
        let purpose = self.purpose()?;
        record.purpose.clone_from(&purpose);
        let roles = match self.scope()? {
            Some(roles) => roles,
            // All that it may have: <https://www.rfc-editor.org/rfc/rfc6749#section-3.3>.
            None => match &self.client.who {
                Who::Client(client) => roles(client.roles().iter().map(String::as_str))?,
                _ => Vec::new(),
            },
        };
        let request = TokenRequest {
            subject: self.client.id().to_owned(),
            client_id: self.client.id().to_owned(),
            audience: self.audience()?,
            roles: roles.clone(),
            purpose,
            claims: BTreeMap::new(),
            // The binding says it.
            thumbprint: String::new(),
            lifetime: self.lifetime(),
            agreement: None,
            request: None,
        };
        let may_act = self.registered()?.and_then(Client::may_act);
        let issued = self
            .server
            .issuer()
            .issue_to_client(&request, self.binding(), may_act, self.now)
            .map_err(|error| Refusal::new(Code::Invalid, "oauth.token", error))?;
        Ok(self.granted(issued, roles, false))
    }

    /// <https://www.rfc-editor.org/rfc/rfc8693#section-2>: who acts is the client itself.
    fn exchange(&self, record: &mut UseRecord) -> Result<Granted, Refusal> {
        if self
            .registered()?
            .is_some_and(|client| !client.may_exchange())
        {
            let detail = "the client may not exchange tokens";
            return Err(Refusal::new(Code::Forbidden, "client.exchange", detail));
        }
        let asked = self.asked;
        for (name, is_required) in [
            ("subject_token_type", true),
            ("requested_token_type", false),
        ] {
            match asked.optional(name)? {
                Some(ACCESS_TOKEN | JWT) => {}
                None if !is_required => {}
                _ => {
                    return Err(about(format_args!(
                        "`{name}` is not that of an access token"
                    )));
                }
            }
        }
        if asked.optional("actor_token")?.is_some() {
            return Err(about(
                "who acts is the client itself: no `actor_token` is taken",
            ));
        }
        let token = Secret::new(asked.required("subject_token")?);
        let trusted = self.server.registry.current();
        let subject = verify_subject_token(&token, &trusted, self.now)?;
        record.purpose.clone_from(&subject.purpose);
        record.subject = Some(subject.subject.clone());
        let issuer = subject.issuer.as_str();
        if self
            .server
            .revoked
            .holds(&subject.issuer, &subject.token_id, self.now)
        {
            let detail = "the token was revoked";
            return Err(Refusal::new(Code::Unauthenticated, "token.revoked", detail).at(issuer));
        }
        // A token is exchanged by who holds what it is bound to, or by whom it names.
        let is_named = subject.may_act.as_deref() == Some(self.client.id());
        if !is_named && !subject.is_bound_to(self.binding()) {
            let detail = "the token is bound to another client, and names another actor or none";
            return Err(Refusal::new(Code::Forbidden, "exchange.may_act", detail).at(issuer));
        }
        let purpose = asked.iri("purpose")?;
        if purpose.is_some() && purpose != subject.purpose {
            let detail = "an exchanged token is for the same purpose";
            return Err(Refusal::new(Code::Forbidden, "client.purpose", detail));
        }
        let audience = self.audience()?;
        let scope = self.scope()?;
        let wanted = TokenExchange {
            actor: self.client.id(),
            audience: &audience,
            binding: self.binding(),
            roles: scope.as_deref(),
            lifetime: self.lifetime(),
        };
        let issued = self.server.issuer().exchange(&subject, &wanted, self.now)?;
        Ok(self.granted(issued, scope.unwrap_or(subject.roles), true))
    }

    fn granted(&self, issued: IssuedToken, roles: Vec<NamedNode>, is_exchanged: bool) -> Granted {
        Granted {
            issued,
            roles,
            is_bound_to_key: matches!(self.holds, Holds::Key(_)),
            is_exchanged,
        }
    }

    fn binding(&self) -> Binding<'_> {
        match &self.holds {
            Holds::Certificate(thumbprint) => Binding::Certificate(thumbprint),
            Holds::Key(thumbprint) => Binding::Key(thumbprint),
        }
    }

    /// The configured client; none for the operator. A peer gets no token of ours.
    fn registered(&self) -> Result<Option<&Client>, Refusal> {
        match &self.client.who {
            Who::Operator(_) => Ok(None),
            Who::Client(client) => Ok(Some(client)),
            Who::Peer(_) => {
                let detail = "tokens of ours are for clients of ours";
                Err(Refusal::new(Code::Forbidden, "client.participant", detail))
            }
        }
    }

    fn lifetime(&self) -> Duration {
        match &self.client.who {
            Who::Client(client) => client.lifetime(),
            _ => OPERATOR,
        }
    }

    /// The connector that the token is for: `resource` or `audience`, or ours.
    fn audience(&self) -> Result<NamedNode, Refusal> {
        let own = &self.door.connector.participant;
        let audience = match (self.asked.iri("audience")?, self.asked.iri("resource")?) {
            (Some(one), Some(other)) if one != other => {
                return Err(about(
                    "`audience` and `resource` are two: a token is for one",
                ));
            }
            (one, other) => one.or(other).unwrap_or_else(|| own.clone()),
        };
        let may = self
            .registered()?
            .is_none_or(|client| client.may_ask(&audience, own));
        if may && self.server.registry.current().knows(&audience) {
            return Ok(audience);
        }
        let detail = "the client may have no token for this connector";
        Err(Refusal::new(Code::Forbidden, "client.audience", detail))
    }

    /// The roles that it asks for, all of them registered: <https://www.rfc-editor.org/rfc/rfc6749#section-3.3>. For an
    /// exchange they are held against the subject's too.
    fn scope(&self) -> Result<Option<Vec<NamedNode>>, Refusal> {
        let Some(scope) = self.asked.optional("scope")? else {
            return Ok(None);
        };
        let roles = roles(scope.split(' '))?;
        // Who acts for somebody has the subject's roles, not its own.
        let is_exchange = self.asked.optional("grant_type")? == Some(EXCHANGE);
        if let (Some(client), false) = (self.registered()?, is_exchange) {
            let has = |role: &NamedNode| client.roles().iter().any(|one| one == role.as_str());
            if !roles.iter().all(has) {
                let detail = "the client may not have such a role";
                return Err(Refusal::new(Code::Forbidden, "client.scope", detail));
            }
        }
        Ok(Some(roles))
    }

    fn purpose(&self) -> Result<Option<NamedNode>, Refusal> {
        let purpose = self.asked.iri("purpose")?;
        if let (Some(client), Some(purpose)) = (self.registered()?, &purpose)
            && !client.has_purpose(purpose.as_str())
        {
            let detail = "the client may not state this purpose";
            return Err(Refusal::new(Code::Forbidden, "client.purpose", detail));
        }
        Ok(purpose)
    }
}

fn roles<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<NamedNode>, Refusal> {
    texts
        .map(|text| NamedNode::new(text).map_err(|_| about("a scope is the IRI of a role")))
        .collect()
}

impl Granted {
    /// <https://www.rfc-editor.org/rfc/rfc6749#section-5.1>, <https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1>
    fn respond(self) -> Response {
        let scope: Vec<&str> = self.roles.iter().map(NamedNode::as_str).collect();
        let mut said = serde_json::json!({
            "access_token": self.issued.token.reveal(),
            "token_type": if self.is_bound_to_key { "DPoP" } else { "Bearer" },
            "expires_in": self.issued.lifetime.as_secs(),
            "scope": scope.join(" "),
        });
        if let (true, Some(members)) = (self.is_exchanged, said.as_object_mut()) {
            members.insert("issued_token_type".to_owned(), ACCESS_TOKEN.into());
        }
        let mut response = Json(said).into_response();
        // The other header that keeps it out of caches is on all that this door says.
        response
            .headers_mut()
            .insert(PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }
}

//! `/oauth/introspect` and `/oauth/revoke`: whether a token of ours is good, and that it is so no more.

use super::clients::Who;
use super::fault::Fault;
use super::{Asked, AuthorizationServer};
use crate::http::Door;
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use oxrdf::NamedNode;
use twinlink_core::{Code, Refusal, Secret};
use twinlink_trust::{Introspection, REVOKE};

/// What is asked about: `refresh_token` is a hint that finds nothing here.
const HINT: &str = "token_type_hint";

/// Tells peers of tokens that are for them, and own clients that may ask, of any. Each look is on record with who looked,
/// and the token's id where there was one to see: who tries others out is found by that.
pub(super) async fn introspect(
    door: &Door,
    server: &AuthorizationServer,
    asked: &Asked,
) -> Result<Response, Fault> {
    let now = door.connector.clock.now();
    let own = &door.connector.participant;
    let action = super::action("introspectToken");
    let found = asked
        .serve(&door.connector, &action, |record| {
            record.participant = server.known(&asked.head.extensions, now);
            let client = server.authenticate(door, asked, now)?;
            record.participant = Some(client.participant(own));
            record.subject = Some(client.id().to_owned());
            let may = match &client.who {
                Who::Operator(_) => true,
                Who::Client(one) => one.may_introspect(),
                Who::Peer(peer) => server.clients.load().may_inspect(peer),
            };
            if !may {
                let detail = "the client may not ask about tokens";
                let party = client.id().to_owned();
                return Err(Refusal::new(Code::Forbidden, "client.introspect", detail).at(party));
            }
            let token = Secret::new(asked.required("token")?);
            asked.optional(HINT)?;
            let (trusted, asker) = (server.registry.current(), client.participant(own));
            let found = Introspection::of(&token, &asker, (&trusted, &server.revoked), now);
            record.token_id = found.token_id().map(str::to_owned);
            Ok(found)
        })
        .await?;
    Ok(Json(found).into_response())
}

/// Takes a token back: the client's own, and for the operator any of ours. It is refused from then on, and after a
/// restart too: the record says which one it was.
pub(super) async fn revoke(
    door: &Door,
    server: &AuthorizationServer,
    asked: &Asked,
) -> Result<Response, Fault> {
    let now = door.connector.clock.now();
    asked
        .serve(
            &door.connector,
            &NamedNode::new_unchecked(REVOKE),
            |record| {
                let client = server.authenticate(door, asked, now)?;
                record.participant = Some(client.participant(&door.connector.participant));
                record.subject = Some(client.id().to_owned());
                if let Who::Peer(_) = &client.who {
                    let detail = "tokens of ours are taken back by clients of ours";
                    return Err(Refusal::new(Code::Forbidden, "client.participant", detail));
                }
                let token = Secret::new(asked.required("token")?);
                if asked.optional(HINT)?.is_some_and(|hint| hint.len() > 64) {
                    return Err(Refusal::about_input(
                        "oauth.token_type",
                        "there is no such type",
                    ));
                }
                let trusted = server.registry.current();
                record.token_id = server.revoked.revoke(&token, client.id(), &trusted, now)?;
                Ok(())
            },
        )
        .await?;
    Ok(StatusCode::OK.into_response())
}

impl AuthorizationServer {
    /// The organisation of a certificate that holds, for the record of a refusal.
    fn known(&self, extensions: &http::Extensions, now: time::OffsetDateTime) -> Option<NamedNode> {
        let certificate = crate::shown::certificate(extensions)?;
        let facts = self.registry.current().client(&certificate, now).ok()?;
        Some(facts.participant)
    }
}

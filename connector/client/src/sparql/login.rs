//! What an endpoint is shown, and tokens for as long as they are good.

use super::{Login, Shared, encoded, request};
use crate::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(30);

/// A token is used for no longer than this.
const LONGEST: Duration = Duration::from_secs(3600);

/// The token that is good now, where the endpoint wants one that is had elsewhere.
#[derive(Debug, Default)]
pub(super) struct Session {
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone)]
struct Kept {
    value: HeaderValue,
    until: Instant,
}

/// <https://www.rfc-editor.org/rfc/rfc6749#section-5.1>
#[derive(Deserialize)]
struct Issued {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: u64,
}

impl Session {
    /// The value of the `Authorization` field, if there is to be one.
    ///
    /// # Errors
    /// [`Error::Token`] where none can be had.
    pub(super) async fn authorization(
        &self,
        shared: &Shared,
    ) -> Result<Option<HeaderValue>, Error> {
        match &shared.config.login {
            Login::None => Ok(None),
            Login::Basic { user, password } => basic(user.as_str(), password.reveal()).map(Some),
            Login::Bearer(token) => bearer(token.reveal()).map(Some),
            Login::ClientCredentials { .. } => {
                let kept = self.lock().clone();
                if let Some(kept) = kept.filter(|kept| Instant::now() < kept.until) {
                    return Ok(Some(kept.value));
                }
                let issued = issue(shared).await?;
                let kept = Kept {
                    value: bearer(&issued.access_token)?,
                    until: Instant::now()
                        + Duration::from_secs(issued.expires_in)
                            .min(LONGEST)
                            .saturating_sub(MARGIN),
                };
                *self.lock() = Some(kept.clone());
                Ok(Some(kept.value))
            }
        }
    }

    /// What an endpoint was shown, in each form that it could repeat.
    pub(super) fn shown(&self, login: &Login) -> Vec<String> {
        let mut shown: Vec<String> = match login {
            Login::None => Vec::new(),
            Login::Basic { user, password } => vec![
                password.reveal().to_owned(),
                STANDARD.encode(format!("{user}:{}", password.reveal())),
            ],
            Login::Bearer(token) => vec![token.reveal().to_owned()],
            Login::ClientCredentials { secret, .. } => vec![secret.reveal().to_owned()],
        };
        let kept = self.lock();
        let token = kept.as_ref().and_then(|kept| kept.value.to_str().ok());
        shown.extend(
            token
                .and_then(|value| value.strip_prefix("Bearer "))
                .map(str::to_owned),
        );
        shown
    }

    /// Forgets the token; whether there was one.
    pub(super) fn forget(&self) -> bool {
        self.lock().take().is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        // One value: it is whole after every step.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a token issued.
async fn issue(shared: &Shared) -> Result<Issued, Error> {
    let Login::ClientCredentials {
        url,
        client,
        secret,
        scope,
    } = &shared.config.login
    else {
        return Err(Error::Token("none is needed".to_owned()));
    };
    let mut form = "grant_type=client_credentials".to_owned();
    if let Some(scope) = scope {
        form.push_str(&format!("&scope={}", encoded(scope)));
    }
    let mut request = request(url, form.into())?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // <https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1>: both encoded before they are put together.
    let (client, secret) = (
        encoded(client).to_string(),
        encoded(secret.reveal()).to_string(),
    );
    headers.insert(AUTHORIZATION, basic(&client, &secret)?);
    let (head, body) = shared.send(request).await?;
    if !head.status.is_success() {
        // What it says might repeat what it was shown.
        return Err(Error::Token(format!(
            "the authorization server says {}",
            head.status
        )));
    }
    let issued: Issued = serde_json::from_slice(&body)
        .map_err(|_| Error::Token("the authorization server gave no token".to_owned()))?;
    if !issued.token_type.eq_ignore_ascii_case("bearer") {
        return Err(Error::Token("it is no bearer token".to_owned()));
    }
    Ok(issued)
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, Error> {
    field(format!(
        "Basic {}",
        STANDARD.encode(format!("{user}:{password}"))
    ))
}

fn bearer(token: &str) -> Result<HeaderValue, Error> {
    field(format!("Bearer {token}"))
}

fn field(text: String) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::Token("it holds characters that no header has".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

//! Endpoints of others that speak SPARQL 1.1 Protocol: <https://www.w3.org/TR/sparql11-protocol/>.
//!
//! Asks by POST, follows no redirect, reads no more than it was told to, and believes nothing: an answer that is not
//! what was asked for is an error.

mod connection;
mod login;
mod rest;
mod results;

use crate::error::clean;
use crate::{Dataset, Error, Token};
use bytes::Bytes;
use connection::Connector;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT,
};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use login::Session;
use oxrdf::{Term, Triple, Variable};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rest::Rest;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What leaves a form value alone: <https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set>.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'*');

/// The most bytes of what an endpoint says of an error that are read.
const ERROR_BYTES: usize = 2_000;

/// How an endpoint is reached.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Where queries go: `https`, or `http` on this machine.
    pub url: Uri,
    /// Who vouches for its certificate.
    pub tls: Arc<rustls::ClientConfig>,
    /// What it wants to be shown.
    pub login: Login,
    /// The longest that name lookup, TCP and TLS together may take.
    pub connect_timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub most_bytes: usize,
    /// The most requests in a second.
    pub pace: Option<u32>,
}

/// What an endpoint wants to be shown.
#[derive(Debug, Clone)]
pub enum Login {
    /// Nothing.
    None,
    /// <https://www.rfc-editor.org/rfc/rfc7617>
    Basic {
        /// Who.
        user: String,
        /// The password.
        password: Token,
    },
    /// <https://www.rfc-editor.org/rfc/rfc6750>
    Bearer(Token),
    /// <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>, with the client's secret in a Basic header.
    ClientCredentials {
        /// Where tokens are had: `https`, or `http` on this machine.
        url: Uri,
        /// The client's id.
        client: String,
        /// Its secret.
        secret: Token,
        /// What the token is to be good for.
        scope: Option<String>,
    },
}

/// What kind of answer a query has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultForm {
    /// Rows over these variables.
    Solutions(Vec<Variable>),
    /// Triples.
    Graph,
    /// A truth value.
    Boolean,
}

/// What an endpoint answered, in the form that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum EndpointRows {
    /// A value or none for each variable that was asked for.
    Solutions(Vec<Vec<Option<Term>>>),
    /// Triples, some of them perhaps more than once.
    Graph(Vec<Triple>),
    /// A truth value.
    Boolean(bool),
}

/// An answer of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointAnswer {
    /// Its rows.
    pub rows: EndpointRows,
    /// Why it is not the whole answer, where the endpoint says so or there is more than was wanted.
    pub is_cut: Option<String>,
}

/// A SPARQL endpoint. Cheap to clone: clones share connections, tokens and the pace.
#[derive(Debug, Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: EndpointConfig,
    pool: Pool<Connector, Full<Bytes>>,
    session: Session,
    pace: Option<Pace>,
    rest: Rest,
}

impl Endpoint {
    /// An endpoint to which nothing is connected yet.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a URL that will not be asked.
    pub fn new(config: EndpointConfig) -> Result<Self, Error> {
        connection::check(&config.url)?;
        if let Login::ClientCredentials { url, .. } = &config.login {
            connection::check(url)?;
        }
        let connector = Connector::new(Arc::clone(&config.tls), config.connect_timeout);
        let mut pool = Pool::builder(TokioExecutor::new());
        let pool = pool
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(4)
            .build(connector);
        Ok(Self {
            shared: Arc::new(Shared {
                pace: config.pace.map(Pace::new),
                config,
                pool,
                session: Session::default(),
                rest: Rest::default(),
            }),
        })
    }

    /// Asks a query.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Invalid`] and [`Error::Failed`] where the endpoint could not evaluate it.
    pub async fn query(
        &self,
        query: &str,
        dataset: Option<&Dataset>,
        form: &ResultForm,
        most: usize,
        deadline: Instant,
    ) -> Result<EndpointAnswer, Error> {
        crate::client::within(deadline, self.ask(query, dataset, form, most, deadline)).await
    }

    async fn ask(
        &self,
        query: &str,
        dataset: Option<&Dataset>,
        form: &ResultForm,
        most: usize,
        deadline: Instant,
    ) -> Result<EndpointAnswer, Error> {
        let shared = &self.shared;
        let body = body(query, dataset);
        let (mut head, mut bytes) = self.attempt(&body, form, deadline).await?;
        if shared.rest.heed(head.status, &head.headers, Instant::now())
            && shared.rest.wait(deadline).await.is_ok()
        {
            (head, bytes) = self.attempt(&body, form, deadline).await?;
            shared.rest.heed(head.status, &head.headers, Instant::now());
        }
        if !head.status.is_success() {
            return Err(refused(head.status, &shared.said(&bytes)));
        }
        let (rows, is_long) = results::read(&head.headers, &bytes, form, most)?;
        let is_cut = is_long
            .then(|| format!("more than {most} rows"))
            .or_else(|| cut(&head.headers));
        Ok(EndpointAnswer { rows, is_cut })
    }

    /// Sends a query once it may be sent.
    async fn attempt(
        &self,
        body: &Bytes,
        form: &ResultForm,
        deadline: Instant,
    ) -> Result<(Head, Vec<u8>), Error> {
        let shared = &self.shared;
        shared.rest.wait(deadline).await?;
        if let Some(pace) = &shared.pace {
            pace.wait(deadline).await?;
        }
        let mut authorization = shared.session.authorization(shared).await?;
        let mut is_second = false;
        loop {
            let mut request = request(&shared.config.url, body.clone())?;
            let headers = request.headers_mut();
            headers.insert(ACCEPT, results::accept(form));
            if let Some(value) = &authorization {
                headers.insert(AUTHORIZATION, value.clone());
            }
            let (head, bytes) = shared.send(request).await?;
            let is_refused = head.status == StatusCode::UNAUTHORIZED;
            // A token may be called back before its time.
            if is_refused && !is_second && shared.session.forget() {
                is_second = true;
                authorization = shared.session.authorization(shared).await?;
                continue;
            }
            return Ok((head, bytes));
        }
    }
}

impl Shared {
    /// What an endpoint says of an error, fit for a log; nothing where it repeats what it was shown.
    // INVARIANT(no-secret-in-errors): no password and no token of ours stands in what is told of an endpoint.
    fn said(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let is_repeated = self.session.shown(&self.config.login);
        match is_repeated.iter().any(|secret| begins(&text, secret)) {
            true => String::new(),
            false => clean(&text),
        }
    }

    /// Sends a request and reads all of the answer.
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(Head, Vec<u8>), Error> {
        let response = self.pool.request(request).await.map_err(lost)?;
        let (parts, mut body) = response.into_parts();
        let head = Head {
            status: parts.status,
            headers: parts.headers,
        };
        let is_plain = head
            .headers
            .get(CONTENT_ENCODING)
            .is_none_or(|encoding| encoding == "identity");
        if !is_plain {
            return Err(Error::nonsense("an encoding that was not asked for"));
        }
        let most = if head.status.is_success() {
            self.config.most_bytes
        } else {
            ERROR_BYTES
        };
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Error::Broken(clean(&error.to_string())))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > most {
                if head.status.is_success() {
                    return Err(Error::Exhausted(format!(
                        "the answer is larger than {most} bytes"
                    )));
                }
                bytes.extend(data.iter().take(most - bytes.len()));
                break;
            }
            bytes.extend_from_slice(&data);
        }
        Ok((head, bytes))
    }
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

/// At most so many requests in a second, as evenly as that.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.max(1),
            next: Mutex::default(),
        }
    }

    /// When a request that is ready now may go; none, and no turn is taken, where that is after the deadline.
    fn turn(&self, now: Instant, deadline: Instant) -> Option<Instant> {
        // One time: it is whole after every step.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        if turn >= deadline {
            return None;
        }
        *next = Some(turn + self.interval);
        Some(turn)
    }

    async fn wait(&self, deadline: Instant) -> Result<(), Error> {
        let turn = self.turn(Instant::now(), deadline);
        let turn = turn.ok_or_else(|| {
            Error::NotSent("no turn in time: it is asked so many times a second only".to_owned())
        })?;
        tokio::time::sleep_until(turn).await;
        Ok(())
    }
}

/// A form: <https://www.w3.org/TR/sparql11-protocol/#query-via-post-urlencoded>.
fn body(query: &str, dataset: Option<&Dataset>) -> Bytes {
    let mut text = format!("query={}", encoded(query));
    if let Some(dataset) = dataset {
        let named = [
            ("default-graph-uri", &dataset.default_graphs),
            ("named-graph-uri", &dataset.named_graphs),
        ];
        for (name, graphs) in named {
            for graph in graphs {
                text.push_str(&format!("&{name}={}", encoded(graph.as_str())));
            }
        }
    }
    text.into()
}

fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, FORM)
}

fn request(url: &Uri, body: Bytes) -> Result<Request<Full<Bytes>>, Error> {
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    Request::builder()
        .method(Method::POST)
        .uri(url.clone())
        .header(CONTENT_TYPE, form)
        .header(USER_AGENT, HeaderValue::from_static("twinlink"))
        .body(Full::new(body))
        .map_err(|error| Error::Configuration(error.to_string()))
}

/// No answer at all.
fn lost(error: hyper_util::client::legacy::Error) -> Error {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(failure) = inner.downcast_ref::<crate::error::ConnectFailure>() {
            return failure.into();
        }
        cause = inner.source();
    }
    if error.is_connect() {
        Error::Unreachable(clean(&error.to_string()))
    } else {
        Error::Broken("the connection was lost before an answer".to_owned())
    }
}

/// An answer that is none.
// INVARIANT(no-redirect): nothing is sent to where an endpoint points.
fn refused(status: StatusCode, said: &str) -> Error {
    let text = format!("{status}: {}", said.trim());
    match status.as_u16() {
        401 => Error::Unauthenticated(text),
        403 => Error::Denied(text),
        300..=399 => Error::Unreachable(format!("{status}: it points elsewhere")),
        404 | 410 | 502 => Error::Unreachable(status.to_string()),
        408 | 504 => Error::TimedOut,
        413 | 414 => Error::Exhausted(text),
        429 | 503 => Error::Unavailable(text),
        400..=499 => Error::Invalid(text),
        _ => Error::Failed(text),
    }
}

/// Whether the text holds the beginning of a secret: the rest of it may be cut off.
fn begins(text: &str, secret: &str) -> bool {
    let beginning: String = secret.chars().take(8).collect();
    !beginning.is_empty() && text.contains(&beginning)
}

/// What an endpoint says of an answer that it cut: Virtuoso's limits of rows and of time.
fn cut(headers: &HeaderMap) -> Option<String> {
    if let Some(most) = headers.get("x-sparql-maxrows") {
        let most = most.to_str().unwrap_or("so many");
        return Some(format!("it gives {} rows at most", clean(most)));
    }
    let state = headers.get("x-sql-state")?;
    let state = state.to_str().unwrap_or_default();
    (state == "S1TAT").then(|| "it ran out of its own time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_keep_their_pace() {
        let pace = Pace::new(4);
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let step = Duration::from_millis(250);
        assert_eq!(pace.turn(now, later), Some(now));
        assert_eq!(pace.turn(now, later), Some(now + step));
        // Who cannot wait so long takes no turn from others.
        assert_eq!(pace.turn(now, now + step), None);
        assert_eq!(pace.turn(now, later), Some(now + 2 * step));
        let after = now + Duration::from_secs(10);
        assert_eq!(pace.turn(after, later), Some(after));
    }

    #[test]
    fn what_is_cut_is_known() {
        let of = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            cut(&headers)
        };
        assert!(of("x-sparql-maxrows", "10000").unwrap().contains("10000"));
        assert!(of("x-sql-state", "S1TAT").is_some());
        assert!(of("x-sql-state", "00000").is_none());
        assert!(cut(&HeaderMap::new()).is_none());
    }
}

//! A connector under test, as its HTTP door shows it.

mod remote;

pub use remote::{Remote, RemoteSettings, tls};

use crate::library::Fault;

/// What is sent.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The method, upper case.
    pub method: String,
    /// Path and query, from the root of the connector.
    pub path: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// A connector under test.
pub trait Target {
    /// Where it is: scheme and authority, without a slash at the end.
    fn root(&self) -> &str;

    /// Sends a request as it is, with what authenticates us, and waits for the whole response.
    ///
    /// # Errors
    /// [`Fault::Target`] where no response came.
    fn send(&self, request: &Request) -> Result<Response, Fault>;
}

/// The path of the SPARQL endpoint.
pub const SPARQL: &str = "/sparql";
/// The path of the graph store.
pub const DATA: &str = "/data";

impl Request {
    /// A request without a body.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.into(),
            ..Self::default()
        }
    }

    /// A request with a body.
    pub fn with_body(
        method: &str,
        path: impl Into<String>,
        media_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            method: method.to_owned(),
            path: path.into(),
            headers: vec![("content-type".to_owned(), media_type.to_owned())],
            body: body.into(),
        }
    }
}

impl Response {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let field = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }

    /// The media type, with its parameters; empty where there is none.
    pub fn media_type(&self) -> &str {
        self.header("content-type").unwrap_or_default()
    }

    /// Whether the status says success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Status and the start of the body, for the report.
    pub fn summary(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let start: String = body.chars().take(200).collect();
        format!("{} {}", self.status, start.trim())
    }
}

/// Empties the twin.
///
/// # Errors
/// [`Fault::Target`] where the connector does not do it.
pub(crate) fn reset(target: &dyn Target) -> Result<(), Fault> {
    let request = Request::with_body("POST", SPARQL, "application/sparql-update", "DROP ALL");
    succeed(target, &request)
}

/// Sends a request that prepares a case.
///
/// # Errors
/// [`Fault::Target`] where the connector does not do it.
pub(crate) fn succeed(target: &dyn Target, request: &Request) -> Result<(), Fault> {
    let response = target.send(request)?;
    if response.is_success() {
        return Ok(());
    }
    Err(Fault::Target(format!(
        "{} {} to prepare a case: {}",
        request.method,
        request.path,
        response.summary()
    )))
}

/// The text in the form that a query component of a URL can hold.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

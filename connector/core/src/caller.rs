//! Who is asking: what a door was shown, and what trust made of it.

use oxrdf::{NamedNode, Term};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What a door was shown. Nothing here is believed yet.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The access token, from `Authorization: Bearer` or `Authorization: DPoP`.
    pub token: Option<Secret>,
    /// The client's certificate from the TLS handshake, DER; its chain was verified by the acceptor.
    pub certificate: Option<Vec<u8>>,
    /// What shows that the client holds the token's key; with `Authorization: DPoP` only, and then always.
    pub possession: Option<Possession>,
    /// The request as the client signed it, from a header: where the request has no field for it.
    pub envelope: Option<String>,
    /// The trace that the request is a part of: <https://www.w3.org/TR/trace-context/#trace-id>. For the record alone.
    pub trace: Option<String>,
}

/// What a client that proves its key with each request sent along: <https://www.rfc-editor.org/rfc/rfc9449>.
#[derive(Debug, Clone, Default)]
pub struct Possession {
    /// The `DPoP` headers; there should be one.
    pub proofs: Vec<Secret>,
    /// The HTTP method; `POST` for gRPC.
    pub method: String,
    /// The URL that was asked, as others reach us.
    pub url: String,
    /// The thumbprint of the key, once it was proven: a proof counts once, and a request may be looked at more than once.
    pub proven: Arc<OnceLock<String>>,
}

/// A text that neither logs nor errors may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Who asks, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    participant: NamedNode,
    subject: String,
    roles: Vec<NamedNode>,
    purpose: Option<NamedNode>,
    token_id: String,
    is_owner: bool,
    values: BTreeMap<NamedNode, Vec<Term>>,
    on_behalf: Vec<NamedNode>,
    means: Means,
}

/// By whom and under what a subject asks, as its organisation says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Means {
    /// The program that asks; none where it is the organisation itself.
    pub client: Option<String>,
    /// Who acts for the subject now, and who did before: <https://www.rfc-editor.org/rfc/rfc8693#section-4.1>.
    pub actors: Vec<String>,
    /// The agreement under which it asks.
    pub agreement: Option<NamedNode>,
}

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the text out: for the one place that checks or sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Caller {
    /// The one door by which a caller comes to be.
    ///
    /// Whoever calls this asserts that a verified token bound to a verified certificate says so. `twinlink-trust` is
    /// its only caller outside tests (checked by the tidy test).
    // INVARIANT(one-door): `Caller::assertion` is called in twinlink-trust only.
    pub fn assertion(
        participant: NamedNode,
        subject: String,
        roles: Vec<NamedNode>,
        purpose: Option<NamedNode>,
        token_id: String,
        is_owner: bool,
    ) -> Self {
        Self {
            participant,
            subject,
            roles,
            purpose,
            token_id,
            is_owner,
            values: BTreeMap::new(),
            on_behalf: Vec::new(),
            means: Means::default(),
        }
    }

    /// The same caller, asking by these means.
    #[must_use]
    pub fn by(mut self, means: Means) -> Self {
        self.means = means;
        self
    }

    /// By whom and under what it asks.
    pub fn means(&self) -> &Means {
        &self.means
    }

    /// The same caller, that asks for somebody of another organisation: the organisations that the question comes from,
    /// by brokers, the asker's first and the one before this caller's last.
    #[must_use]
    pub fn on_behalf_of(mut self, path: Vec<NamedNode>) -> Self {
        self.on_behalf = path;
        self
    }

    /// The organisations that the question comes from, by brokers. Empty where the caller's own organisation asks.
    pub fn on_behalf(&self) -> &[NamedNode] {
        &self.on_behalf
    }

    /// The same caller, whose verified token says these too: a left operand, such as `tl:legalBasis`, and its values.
    #[must_use]
    pub fn with_values(mut self, left_operand: NamedNode, values: Vec<Term>) -> Self {
        self.values.insert(left_operand, values);
        self
    }

    /// Those values that are IRIs: what a peer is told on its behalf.
    pub(crate) fn claims(&self) -> BTreeMap<NamedNode, Vec<NamedNode>> {
        let iri = |value: &Term| match value {
            Term::NamedNode(iri) => Some(iri.clone()),
            _ => None,
        };
        self.values
            .iter()
            .map(|(operand, values)| (operand.clone(), values.iter().filter_map(iri).collect()))
            .collect()
    }

    /// The organisation, by participant id.
    pub fn participant(&self) -> &NamedNode {
        &self.participant
    }

    /// The person or program, as its organisation names it: the token's `sub`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The roles its organisation vouches for and we accept from it.
    pub fn roles(&self) -> &[NamedNode] {
        &self.roles
    }

    /// The purpose of this use.
    pub fn purpose(&self) -> Option<&NamedNode> {
        self.purpose.as_ref()
    }

    /// The token's `jti`.
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// What else its token says, by left operand.
    pub fn values(&self) -> &BTreeMap<NamedNode, Vec<Term>> {
        &self.values
    }

    /// Whether the caller is of the connector's own organisation.
    pub fn is_owner(&self) -> bool {
        self.is_owner
    }
}

//! The calls of a connector.

use crate::outcome::node;
use crate::proof::Proofs;
use crate::{
    Answer, ClientConfig, Error, Explain, ImportOptions, Imported, MESSAGE_BYTES, ProofSource,
    Token, TokenSource, import,
};
use bytes::Bytes;
use futures::Stream;
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::codec::Streaming;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use twinlink_proto::v1::{
    self, connector_client::ConnectorClient, evidence_client::EvidenceClient,
    stewardship_client::StewardshipClient,
};

/// A connection to one connector. Cheap to clone: clones share the connection.
#[derive(Clone)]
pub struct Client {
    pub(crate) stub: ConnectorClient<Channel>,
    pub(crate) stewardship: StewardshipClient<Channel>,
    pub(crate) evidence: EvidenceClient<Channel>,
    tokens: Arc<dyn TokenSource>,
    proofs: Option<Proofs>,
    trace: fn() -> Option<String>,
}

/// Where calls go that can be made without a certificate.
const QUERY: &str = "/twinlink.v1.Connector/Query";
const IMPORT: &str = "/twinlink.v1.Connector/Import";
const DESCRIBE: &str = "/twinlink.v1.Connector/Describe";

/// What to ask, and until when.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// SPARQL 1.1 Query.
    pub query: String,
    /// Resolves relative IRIs in the query.
    pub base: Option<String>,
    /// Wins over FROM and FROM NAMED.
    pub dataset: Option<Dataset>,
    /// Whether the connector asks its peers too.
    pub federated: bool,
    /// Participants that it does not ask, because they are asked already: for connectors that pass a question on.
    pub left_out: Vec<NamedNode>,
    /// What is required of the sources.
    pub require: Requirement,
    /// Whether to tell how the answer is come by, in place of its rows.
    pub explain: Option<Explain>,
    /// The purpose; the token must carry the same.
    pub purpose: Option<NamedNode>,
    /// The declared incident for which the caller breaks the glass.
    pub break_glass: Option<NamedNode>,
    /// UUID of the request that this is a part of.
    pub request_id: Option<String>,
    /// The request as our organisation signed it, where its connector keeps a record of asking.
    pub envelope: Option<String>,
    /// When the whole answer must be here.
    pub deadline: Instant,
}

/// Which sources must have given all that we may see: else there is [`Error::Insufficient`] and no rows. Nothing by
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirement {
    /// Every source that is asked.
    pub all: bool,
    /// At least so many.
    pub at_least: u32,
    /// These.
    pub participants: Vec<NamedNode>,
    /// No row may be wrong: operators that need every source have them, and no source is stale.
    pub exact: bool,
    /// A source that changed last longer ago, or does not tell when, is stale. None: as the connector is configured.
    pub max_age: Option<Duration>,
}

/// Which graphs make the default graph, and which are the named ones:
/// <https://www.w3.org/TR/sparql11-protocol/#dataset>.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dataset {
    /// Merged into the default graph.
    pub default_graphs: Vec<NamedNode>,
    /// Named graphs.
    pub named_graphs: Vec<NamedNode>,
}

/// What a connector is, and what of its twin we may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Participant id.
    pub participant: NamedNode,
    /// Version of its program.
    pub version: String,
    /// What we were taken for.
    pub caller: String,
    /// Participant ids of its peers.
    pub peers: Vec<NamedNode>,
    /// Named graphs of which we may see a quad.
    pub named_graphs: Vec<NamedNode>,
    /// Classes of which we may see an instance.
    pub classes: Vec<NamedNode>,
    /// Properties of which we may see a use.
    pub properties: Vec<NamedNode>,
    /// Whether a list was cut at the server's limit.
    pub truncated: bool,
    /// Peers whose logs of use contradict what they had shown before; told to our own organisation alone.
    pub contradicted: Vec<NamedNode>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Impostor`], [`Error::Configuration`].
    pub async fn connect(config: &ClientConfig) -> Result<Self, Error> {
        Ok(Self::over(
            config.channel().await?,
            Arc::clone(&config.tokens),
        ))
    }

    /// Connects at the first call, and again whenever the connection was lost. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Configuration`].
    pub fn lazy(config: &ClientConfig) -> Result<Self, Error> {
        Ok(Self::over(
            config.lazy_channel()?,
            Arc::clone(&config.tokens),
        ))
    }

    /// Over a channel that the caller made, and answers for: nothing is checked of whom it leads to.
    pub fn over(channel: Channel, tokens: Arc<dyn TokenSource>) -> Self {
        Self {
            stewardship: StewardshipClient::new(channel.clone())
                .max_decoding_message_size(MESSAGE_BYTES),
            evidence: EvidenceClient::new(channel.clone()),
            stub: ConnectorClient::new(channel)
                .max_decoding_message_size(MESSAGE_BYTES)
                .max_encoding_message_size(MESSAGE_BYTES),
            tokens,
            proofs: None,
            trace: || None,
        }
    }

    /// The same connection, with what tells the `traceparent` of the request that is being worked for:
    /// <https://www.w3.org/TR/trace-context/#traceparent-header>.
    #[must_use]
    pub fn with_trace(mut self, trace: fn() -> Option<String>) -> Self {
        self.trace = trace;
        self
    }

    /// The same connection with other tokens.
    #[must_use]
    pub fn with_tokens(&self, tokens: Arc<dyn TokenSource>) -> Self {
        Self {
            stub: self.stub.clone(),
            stewardship: self.stewardship.clone(),
            evidence: self.evidence.clone(),
            tokens,
            proofs: self.proofs.clone(),
            trace: self.trace,
        }
    }

    /// The same connection for an app without a certificate: its tokens are bound to a key, and each question, import and
    /// description proves it. `url` is how the connector calls itself. Other calls are for clients with a certificate.
    #[must_use]
    pub fn with_proofs(mut self, proofs: Arc<dyn ProofSource>, url: &str) -> Self {
        self.proofs = Some(Proofs::new(proofs, url));
        self
    }

    /// Asks a question. Returns when the head of the answer is known.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn query(&self, options: QueryOptions) -> Result<Answer, Error> {
        let deadline = options.deadline;
        let message = v1::QueryRequest {
            query: options.query,
            base_iri: options.base.unwrap_or_default(),
            dataset: options.dataset.map(|dataset| v1::Dataset {
                default_graph_iris: texts(dataset.default_graphs),
                named_graph_iris: texts(dataset.named_graphs),
            }),
            federated: options.federated,
            left_out: texts(options.left_out),
            purpose: text(options.purpose),
            request_id: options.request_id.unwrap_or_default(),
            break_glass: text(options.break_glass),
            envelope: options.envelope.unwrap_or_default(),
            require: required(options.require),
            explain: options
                .explain
                .map_or(v1::Explain::Unspecified, v1::Explain::from)
                .into(),
        };
        let stream = match &self.proofs {
            None => self.ask(message, deadline).await?,
            Some(proofs) => match self.ask(message.clone(), deadline).await? {
                Err(status) if proofs.learns(&status) => self.ask(message, deadline).await?,
                asked => asked,
            },
        };
        Answer::open(stream?, deadline).await
    }

    async fn ask(
        &self,
        message: v1::QueryRequest,
        deadline: Instant,
    ) -> Result<Result<Streaming<v1::QueryResponse>, Status>, Error> {
        let request = self.proven(QUERY, message, deadline).await?;
        let mut stub = self.stub.clone();
        within(deadline, async {
            Ok(stub.query(request).await.map(Response::into_inner))
        })
        .await
    }

    /// Adds RDF to the twin: all of `chunks`, or nothing where one of them or the call fails.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Source`] where `chunks` fails.
    pub async fn import(
        &self,
        options: ImportOptions,
        chunks: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<Imported, Error> {
        self.import_with(options, chunks, None).await
    }

    /// As [`Client::import`]. `sign` is called when all chunks are on their way, and gives the import as it was signed.
    ///
    /// # Errors
    /// As [`Client::import`]; that of `sign`.
    pub async fn import_signed(
        &self,
        options: ImportOptions,
        chunks: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
        sign: impl FnOnce() -> Result<String, Error> + Send + 'static,
    ) -> Result<Imported, Error> {
        self.import_with(options, chunks, Some(Box::new(sign)))
            .await
    }

    async fn import_with(
        &self,
        options: ImportOptions,
        chunks: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
        sign: Option<import::Sign>,
    ) -> Result<Imported, Error> {
        let deadline = options.deadline;
        if let Some(proofs) = self.proofs.as_ref().filter(|proofs| !proofs.has_nonce()) {
            // What was sent cannot be sent again, so the connector's nonce is asked for before.
            let head = futures::stream::iter([import::head(&options)]);
            let request = self.proven(IMPORT, head, deadline).await?;
            let mut stub = self.stub.clone();
            let asked = within(deadline, async { Ok(stub.import(request).await) }).await?;
            if let Err(status) = asked
                && !proofs.learns(&status)
            {
                return Err(status.into());
            }
        }
        let (messages, failure) = import::messages(options, chunks, sign);
        let request = self.proven(IMPORT, messages, deadline).await?;
        let mut stub = self.stub.clone();
        within(deadline, async {
            tokio::select! {
                response = stub.import(request) => Ok(response?.into_inner().into()),
                // Drops the call before its last message: the server never takes a part for the whole.
                error = failure => Err(Error::Source(error)),
            }
        })
        .await
    }

    /// Asks what the connector is, and what of its twin we may see.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn describe(
        &self,
        purpose: Option<NamedNode>,
        deadline: Instant,
    ) -> Result<Description, Error> {
        self.describe_signed(purpose, String::new(), deadline).await
    }

    /// As [`Client::describe`], with the request as it was signed.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn describe_signed(
        &self,
        purpose: Option<NamedNode>,
        envelope: String,
        deadline: Instant,
    ) -> Result<Description, Error> {
        let message = v1::DescribeRequest {
            purpose: text(purpose),
            envelope,
        };
        let ask = async || {
            let request = self.proven(DESCRIBE, message.clone(), deadline).await?;
            let mut stub = self.stub.clone();
            within(deadline, async { Ok(stub.describe(request).await) }).await
        };
        let described = match (ask().await?, &self.proofs) {
            (Err(status), Some(proofs)) if proofs.learns(&status) => ask().await?,
            (described, _) => described,
        };
        described?.into_inner().try_into()
    }

    /// As [`Client::request`], with a proof of our key where that is how we show who we are.
    async fn proven<T>(
        &self,
        path: &str,
        message: T,
        deadline: Instant,
    ) -> Result<Request<T>, Error> {
        let mut request = self.request(message, deadline).await?;
        if let Some(proofs) = &self.proofs {
            let token = within(deadline, self.tokens.token()).await?;
            let headers = request.metadata_mut();
            headers.insert("dpop", sensitive(&proofs.prove(path, &token)?)?);
            headers.insert("authorization", authorization("DPoP", &token)?);
        }
        Ok(request)
    }

    pub(crate) async fn request<T>(
        &self,
        message: T,
        deadline: Instant,
    ) -> Result<Request<T>, Error> {
        let token = within(deadline, self.tokens.token()).await?;
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", authorization("Bearer", &token)?);
        if let Some(trace) = (self.trace)().and_then(|trace| trace.parse().ok()) {
            request.metadata_mut().insert("traceparent", trace);
        }
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        Ok(request)
    }
}

impl QueryOptions {
    /// A question to this connector alone.
    pub fn new(query: impl Into<String>, deadline: Instant) -> Self {
        Self {
            query: query.into(),
            base: None,
            dataset: None,
            federated: false,
            left_out: Vec::new(),
            require: Requirement::default(),
            explain: None,
            purpose: None,
            break_glass: None,
            request_id: None,
            envelope: None,
            deadline,
        }
    }
}

/// Lets the work run until the deadline.
pub(crate) async fn within<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout_at(deadline, work)
        .await
        .unwrap_or(Err(Error::TimedOut))
}

fn authorization(scheme: &str, token: &Token) -> Result<MetadataValue<Ascii>, Error> {
    sensitive(&format!("{scheme} {}", token.reveal()))
}

fn sensitive(text: &str) -> Result<MetadataValue<Ascii>, Error> {
    let mut value = MetadataValue::try_from(text)
        .map_err(|_| Error::Token("it holds characters that no token has".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn text(node: Option<NamedNode>) -> String {
    node.map(NamedNode::into_string).unwrap_or_default()
}

fn required(require: Requirement) -> Option<v1::Requirement> {
    (require != Requirement::default()).then(|| v1::Requirement {
        all: require.all,
        at_least: require.at_least,
        participants: texts(require.participants),
        exact: require.exact,
        max_age: require.max_age.and_then(|most| most.try_into().ok()),
    })
}

fn texts(nodes: Vec<NamedNode>) -> Vec<String> {
    nodes.into_iter().map(NamedNode::into_string).collect()
}

impl TryFrom<v1::DescribeResponse> for Description {
    type Error = Error;

    fn try_from(response: v1::DescribeResponse) -> Result<Self, Error> {
        let nodes = |iris: Vec<String>| iris.into_iter().map(node).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            participant: node(response.participant)?,
            version: crate::error::clean(&response.version),
            caller: crate::error::clean(&response.caller),
            peers: nodes(response.peers)?,
            named_graphs: nodes(response.named_graphs)?,
            classes: nodes(response.classes)?,
            properties: nodes(response.properties)?,
            truncated: response.truncated,
            contradicted: nodes(response.contradicted)?,
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

//! Endpoints of others that are no connectors, as members of our federated answers.
//!
//! They decide nothing about our callers: who may have one asked, and for what, is in its file. What leaves is the
//! question's own patterns and constants, and values learnt from others only where the file says so.

mod abilities;

use crate::config::{ForeignAuth, ForeignAuthKind, ForeignFile};
use abilities::{Abilities, is_inability};
use arc_swap::ArcSwap;
use http::Uri;
use oxrdf::{Literal, NamedNode, Term};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use twinlink_client::{
    Dataset, Endpoint, EndpointAnswer, EndpointConfig, EndpointRows, Error, Login, ResultForm,
    Token,
};
use twinlink_core::{Head, Solution, SourceState, SourceStatus};
use twinlink_federation::{
    Dialect, PeerTraits, Rows, SubAnswer, SubQuery, SubQueryForm, Unanswered, asks, form,
};
use twinlink_trust::Reading;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// The largest answer that is read where a file says nothing, in bytes.
const ANSWER_BYTES: usize = 64 << 20;

/// The most values sent with one request where a file says nothing: some endpoints take no more.
const VALUES: usize = 500;

/// A name that no graph has.
const NO_GRAPH: &str = "urn:x-twinlink:no-graph";

/// The endpoints. They can be replaced while requests run.
#[derive(Debug, Default)]
pub struct Foreign {
    members: ArcSwap<Vec<Member>>,
}

#[derive(Debug, Clone)]
struct Member {
    file: Arc<ForeignFile>,
    endpoint: Endpoint,
    /// What it evaluates beside SPARQL 1.1.
    functions: Arc<[NamedNode]>,
    abilities: Arc<Abilities>,
}

/// Endpoints that can be put in force.
pub(crate) struct ReadyForeign(Vec<Member>);

/// What is wrong with an endpoint's file.
#[derive(Debug, thiserror::Error)]
#[error("endpoint <{participant}>: {reason}")]
pub struct ForeignError {
    participant: String,
    reason: String,
}

impl Foreign {
    /// The endpoints of these files. Connects to none of them yet.
    ///
    /// # Errors
    /// [`ForeignError`] for a file that cannot work.
    pub fn new(files: Vec<ForeignFile>) -> Result<Self, ForeignError> {
        let foreign = Self::default();
        foreign.replace(Self::ready(files, &Reading::default())?);
        Ok(foreign)
    }

    /// Puts other endpoints in force for all later questions.
    pub(crate) fn replace(&self, ready: ReadyForeign) {
        self.members.store(Arc::new(ready.0));
    }

    /// Whether these files could be put in force.
    ///
    /// # Errors
    /// As [`Foreign::new`].
    pub fn check(files: Vec<ForeignFile>) -> Result<(), ForeignError> {
        Self::ready(files, &Reading::default()).map(drop)
    }

    /// All that could be wrong is found out here.
    pub(crate) fn ready(
        files: Vec<ForeignFile>,
        reading: &Reading,
    ) -> Result<ReadyForeign, ForeignError> {
        let mut members = Vec::new();
        for file in files {
            let endpoint = endpoint(&file, reading).map_err(|reason| ForeignError {
                participant: file.participant.clone(),
                reason,
            })?;
            members.push(Member {
                functions: file.functions().collect(),
                file: Arc::new(file),
                endpoint,
                abilities: Arc::default(),
            });
        }
        members.sort_by(|a, b| a.file.participant.cmp(&b.file.participant));
        Ok(ReadyForeign(members))
    }

    /// What they are called.
    pub(super) fn list(&self) -> Vec<NamedNode> {
        let members = self.members.load();
        members
            .iter()
            .map(|member| member.file.participant())
            .collect()
    }

    fn find(&self, participant: &NamedNode) -> Option<Member> {
        let members = self.members.load();
        let mut members = members.iter();
        members
            .find(|member| member.file.participant == participant.as_str())
            .cloned()
    }

    /// What they are called whose endpoint has this URL.
    pub(super) fn at(&self, url: &NamedNode) -> Option<NamedNode> {
        let members = self.members.load();
        let member = members
            .iter()
            .find(|member| member.file.url == url.as_str());
        member.map(|member| member.file.participant())
    }

    pub(super) fn traits(&self, participant: &NamedNode) -> Option<PeerTraits> {
        let member = self.find(participant)?;
        let file = &member.file;
        Some(PeerTraits {
            takes_bindings: file.bindings,
            values: match member.abilities.values.is_lacking() {
                true => 0,
                false => file.values.unwrap_or(VALUES),
            },
            keeps_labels: file.stable_blank_nodes,
            is_broker: false,
            // It never tells how old it is.
            max_age: None,
            dialect: Dialect::Standard {
                functions: Arc::clone(&member.functions),
                conditions: !member.abilities.conditions.is_lacking(),
            },
        })
    }

    /// Asks one of them, if it is one.
    pub(super) async fn ask(
        &self,
        participant: &NamedNode,
        question: &SubQuery,
    ) -> Option<Result<SubAnswer, Unanswered>> {
        let member = self.find(participant)?;
        Some(member.question(question).await)
    }
}

impl Member {
    // INVARIANT(foreign-by-leave): an endpoint is asked only for those whom its file lets have it asked.
    async fn question(&self, question: &SubQuery) -> Result<SubAnswer, Unanswered> {
        let started = Instant::now();
        let delegation = &question.delegation;
        if !self
            .file
            .permits(&delegation.roles, delegation.purpose.as_ref())
        {
            return Err(Unanswered::Denied {
                reason: "it is not asked for these roles and this purpose".to_owned(),
            });
        }
        let form = form(&question.query).ok_or_else(|| Unanswered::NotEvaluable {
            reason: "the question cannot be put to it".to_owned(),
        })?;
        self.heeds(self.dataset(question).as_ref(), question)
            .await?;
        let asks = asks(&question.query);
        let exists = &self.abilities.exists;
        if let Some(asks) = &asks {
            // More questions come of what it says.
            self.try_out(question).await;
            if exists.is_lacking() && !exists.is_due(started) {
                return self.one_by_one(asks, &form, question, started).await;
            }
        }
        match self.send(&question.query, &form, question).await {
            Ok(answer) => {
                if asks.is_some() {
                    exists.find(true, started);
                }
                self.take(answer, form, question, started)
            }
            // What it cannot do at once it may do one by one.
            Err(error) if is_inability(&error) && asks.is_some() => {
                let asks = asks.unwrap_or_default();
                let answer = self.one_by_one(&asks, &form, question, started).await?;
                exists.find(false, started);
                Ok(answer)
            }
            Err(error) => Err(self.unanswered(error)),
        }
    }

    /// Asks for each pattern whether it matches.
    async fn one_by_one(
        &self,
        asks: &[String],
        form: &SubQueryForm,
        question: &SubQuery,
        started: Instant,
    ) -> Result<SubAnswer, Unanswered> {
        let mut values = Vec::new();
        for ask in asks {
            let answer = self.send(ask, &SubQueryForm::Boolean, question).await;
            let answer = answer.map_err(|error| self.unanswered(error))?;
            let EndpointRows::Boolean(value) = answer.rows else {
                return Err(self.unanswered(Error::Nonsense("no truth value".to_owned())));
            };
            values.push(Some(Term::from(Literal::from(value))));
        }
        let rows = EndpointRows::Solutions(vec![values]);
        let answer = EndpointAnswer { rows, is_cut: None };
        self.take(answer, form.clone(), question, started)
    }

    async fn send(
        &self,
        query: &str,
        form: &SubQueryForm,
        question: &SubQuery,
    ) -> Result<EndpointAnswer, Error> {
        let dataset = self.dataset(question);
        self.send_about(query, dataset.as_ref(), form, question)
            .await
    }

    async fn send_about(
        &self,
        query: &str,
        dataset: Option<&Dataset>,
        form: &SubQueryForm,
        question: &SubQuery,
    ) -> Result<EndpointAnswer, Error> {
        let form = match form {
            SubQueryForm::Solutions(variables) => ResultForm::Solutions(variables.clone()),
            SubQueryForm::Graph => ResultForm::Graph,
            SubQueryForm::Boolean => ResultForm::Boolean,
        };
        let most = usize::try_from(question.budget.rows()).unwrap_or(usize::MAX);
        let deadline = question.budget.deadline().into();
        let answer = self.endpoint.query(query, dataset, &form, most, deadline);
        answer.await
    }

    /// Which of its graphs are asked: those that its file names, or of a dataset that the question chooses those of them.
    fn dataset(&self, question: &SubQuery) -> Option<Dataset> {
        let nodes = |iris: &[String]| -> Vec<NamedNode> {
            let iris = iris.iter();
            iris.map(|iri| NamedNode::new_unchecked(iri.as_str()))
                .collect()
        };
        let default_graphs = nodes(&self.file.default_graphs);
        let named_graphs = nodes(&self.file.named_graphs);
        let is_bounded = !default_graphs.is_empty() || !named_graphs.is_empty();
        let no_graph = || NamedNode::new_unchecked(NO_GRAPH);
        match &question.dataset {
            None if !is_bounded => None,
            None => Some(Dataset {
                // A dataset without a default graph would be another one.
                default_graphs: match default_graphs.is_empty() {
                    true => vec![no_graph()],
                    false => default_graphs,
                },
                named_graphs,
            }),
            Some(choice) => {
                let shown = |graphs: &[NamedNode]| -> Vec<NamedNode> {
                    let graphs = graphs.iter();
                    let graphs = graphs.filter(|name| !is_bounded || named_graphs.contains(name));
                    graphs.cloned().collect()
                };
                let mut chosen = Dataset {
                    default_graphs: shown(&choice.default_graphs),
                    named_graphs: shown(&choice.named_graphs),
                };
                if chosen.default_graphs.is_empty() {
                    chosen.default_graphs.push(no_graph());
                }
                Some(chosen)
            }
        }
    }

    fn take(
        &self,
        answer: EndpointAnswer,
        form: SubQueryForm,
        question: &SubQuery,
        started: Instant,
    ) -> Result<SubAnswer, Unanswered> {
        let sources: Arc<[u16]> = Arc::from([]);
        let mut rows = Rows::default();
        let head = match (answer.rows, form) {
            (EndpointRows::Solutions(values), SubQueryForm::Solutions(variables)) => {
                let values = values.into_iter();
                rows.solutions = values
                    .map(|values| Solution {
                        values,
                        sources: Arc::clone(&sources),
                    })
                    .collect();
                Head::Solutions(variables)
            }
            (EndpointRows::Graph(triples), SubQueryForm::Graph) => {
                rows.triples = triples;
                Head::Graph
            }
            (EndpointRows::Boolean(value), SubQueryForm::Boolean) => Head::Boolean(value),
            _ => return Err(self.unanswered(Error::Nonsense("another form".to_owned()))),
        };
        if let Err(full) = question.room.take(rows.bytes()) {
            return Err(Unanswered::Broken {
                reason: full.to_string(),
                head: Some(head),
                rows: Rows::default(),
            });
        }
        let state = if answer.is_cut.is_some() {
            SourceState::Partial
        } else {
            SourceState::Complete
        };
        Ok(SubAnswer {
            status: SourceStatus {
                participant: self.file.participant(),
                state,
                rows: (rows.solutions.len() + rows.triples.len()) as u64,
                elapsed: started.elapsed(),
                as_of: None,
                policies: Vec::new(),
                not_evaluable: 0,
                reason: answer.is_cut,
                receipt: None,
            },
            head,
            rows,
            beyond: Vec::new(),
        })
    }

    fn unanswered(&self, error: Error) -> Unanswered {
        let peer = self.file.participant.as_str();
        tracing::info!(peer, %error, "an endpoint did not answer");
        let reason = error.to_string();
        match error {
            Error::TimedOut => Unanswered::TimedOut,
            Error::NotSent(reason) => Unanswered::NotAsked { reason },
            // What it says of us is for whoever set it up: it is in the log.
            Error::Denied(_) | Error::Unauthenticated(_) => Unanswered::Denied {
                reason: "it does not let us ask".to_owned(),
            },
            Error::Unreachable(_)
            | Error::Impostor(_)
            | Error::Unavailable(_)
            | Error::Token(_)
            | Error::Broken(_) => Unanswered::Unreachable { reason },
            _ => Unanswered::NotEvaluable { reason },
        }
    }
}

fn endpoint(file: &ForeignFile, reading: &Reading) -> Result<Endpoint, String> {
    let url = |text: &str| -> Result<Uri, String> {
        text.parse()
            .map_err(|error| format!("`{text}` is no URL: {error}"))
    };
    let config = EndpointConfig {
        url: url(&file.url)?,
        tls: Arc::new(tls(file, reading)?),
        login: login(&file.auth, url, reading)?,
        connect_timeout: CONNECT,
        most_bytes: file.answer_bytes.unwrap_or(ANSWER_BYTES),
        pace: file.requests_per_second,
    };
    Endpoint::new(config).map_err(|error| error.to_string())
}

fn login(
    auth: &ForeignAuth,
    url: impl Fn(&str) -> Result<Uri, String>,
    reading: &Reading,
) -> Result<Login, String> {
    Ok(match auth.kind {
        ForeignAuthKind::None => Login::None,
        ForeignAuthKind::Basic => Login::Basic {
            user: auth.user.clone(),
            password: secret(auth, reading)?,
        },
        ForeignAuthKind::Bearer => Login::Bearer(secret(auth, reading)?),
        ForeignAuthKind::ClientCredentials => Login::ClientCredentials {
            url: url(&auth.token_url)?,
            client: auth.client_id.clone(),
            secret: secret(auth, reading)?,
            scope: auth.scope.clone(),
        },
    })
}

/// Reads a secret. What is wrong with it is told without it.
fn secret(auth: &ForeignAuth, reading: &Reading) -> Result<Token, String> {
    let text = match (&auth.secret_file, &auth.secret_env) {
        (Some(path), _) => reading
            .text(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?,
        (None, Some(name)) => std::env::var(name)
            .map_err(|_| format!("the environment has no {name}, or not as text"))?,
        (None, None) => return Err("it has no secret".to_owned()),
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err("its secret is empty".to_owned());
    }
    Ok(Token::new(text))
}

// INVARIANT(vouched-or-not-asked): nothing goes to an endpoint whose certificate the authority of its file does not vouch for.
fn tls(file: &ForeignFile, reading: &Reading) -> Result<rustls::ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match &file.authority {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let pem = reading.text(path).map_err(|error| wrong(&error))?;
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            if roots.is_empty() {
                return Err(wrong(&"it holds no certificate"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests;

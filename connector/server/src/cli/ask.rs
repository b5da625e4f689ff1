//! `twinlink query` and `twinlink token`: asking as a person of this organisation.

mod explanation;
mod result;
mod signed;

use super::partial::Partial;
use super::policy::term;
use super::{Console, Failure, app_key};
use crate::config::{self, Config};
use crate::session::{Person, Session};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;
use twinlink_client::{Error, Explain, QueryOptions, Requirement};
use twinlink_vocab::tl;

/// The exit code of an answer that lacks a source.
const INCOMPLETE: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct QueryArguments {
    /// The SPARQL query. Without it and without --file it is read from standard input.
    query: Option<String>,
    /// A file that holds the query.
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    file: Option<PathBuf>,
    /// Ask the peers too, and answer over all twins together.
    #[arg(long)]
    federated: bool,
    /// Answer only if these sources gave all that you may see: `all`, a number of them, or the participant ids that
    /// must be among them; `exact`: only if no row can be wrong for a source that is missing or stale. May be given more
    /// than once. As soon as that cannot be had any more, the question ends; where enough sources answered, the others are
    /// still waited for, as without it.
    #[arg(long, value_name = "all|exact|N|PARTICIPANT")]
    require: Vec<String>,
    /// Take a source for stale, and say so, if its twin changed last longer ago, or it does not tell when: 300, 300s, 5m,
    /// 12h or 7d. What it gives is still given. Without it, as the peers' files have it (`max_age_seconds`).
    #[arg(long, value_name = "TIME")]
    max_age: Option<String>,
    /// Tell how the question would be answered in place of answering it: which sources are asked and why, for what, in
    /// which order, what they would do themselves, and whose values may go to whom. Sources are asked what they can
    /// contribute; nothing is fetched.
    #[arg(long, conflicts_with = "analyze")]
    explain: bool,
    /// Answer the question and tell how that was done in place of its rows: the same with rows, requests, bytes and time.
    #[arg(long)]
    analyze: bool,
    /// Print as JSON: the answer, as --format json does, or what --explain or --analyze tell.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    person: PersonArguments,
    /// Ask this participant's connector instead of our own.
    #[arg(long, value_name = "IRI")]
    at: Option<String>,
    /// Break the glass for this declared incident, if nothing else permits the question. The owner is told, and reviews
    /// what you did.
    #[arg(long, value_name = "INCIDENT")]
    break_glass: Option<String>,
    /// Ask as an app without a certificate, with the key in this file: see `twinlink app-key`. The question proves the key and
    /// is signed with it; without this, both are done with the connector's own certificate and key.
    #[arg(long, value_name = "FILE")]
    app_key: Option<PathBuf>,
    /// Keep the connector's signed receipt in this file, for `twinlink audit verify --receipt`: who answered what, when, to
    /// whom, by which policies. It is checked against the rows as they come, kept or not. A file that is there is left alone,
    /// and nothing is asked.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["explain", "analyze"])]
    receipt: Option<PathBuf>,
    /// How to print the answer. Rows: table, json, csv, tsv, xml. Graphs: turtle, ntriples, rdfxml, jsonld.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the outcome (sources, states, policies, receipt) to this file as JSON.
    #[arg(long, value_name = "FILE")]
    outcome: Option<PathBuf>,
    /// How long to wait for the whole answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Who asks.
#[derive(Debug, Args)]
pub(super) struct PersonArguments {
    /// The purpose of the use, such as tl:EmergencyResponse: an IRI, or a name that begins with tl:, nl:, odrl:, dpv: or
    /// sector-infra:.
    #[arg(long, value_name = "IRI", value_parser = term)]
    purpose: Option<NamedNode>,
    /// A role of yours, such as tl:RescueOfficer. May be given more than once; without one you ask as a steward of your
    /// organisation.
    #[arg(long = "role", value_name = "IRI", value_parser = term)]
    roles: Vec<NamedNode>,
    /// What else you claim: the left operand of a policy's constraint, such as tl:legalBasis, and a value of it. May be given
    /// more than once.
    #[arg(long = "claim", value_name = "IRI=IRI", value_parser = claim)]
    claims: Vec<(NamedNode, NamedNode)>,
    /// Who you are, for the record of use.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "operator", value_parser = NonEmptyStringValueParser::new())]
    subject: String,
}

#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    #[command(flatten)]
    person: PersonArguments,
    /// For this participant's connector instead of our own.
    #[arg(long, value_name = "IRI")]
    at: Option<String>,
    /// How long the token is valid, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    lifetime: u64,
    /// For an app without a certificate: bind the token to the key in this file (PEM), which is made if it is not there.
    /// Each request then needs a proof of the key: see `twinlink proof`.
    #[arg(long, value_name = "FILE")]
    dpop_key: Option<PathBuf>,
    /// As --dpop-key, by the thumbprint of the app's public key (RFC 7638), so that its private key stays with the app.
    #[arg(
        long,
        allow_hyphen_values = true,
        value_name = "THUMBPRINT",
        conflicts_with = "dpop_key"
    )]
    jkt: Option<String>,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
    Tsv,
    Xml,
    Turtle,
    Ntriples,
    Rdfxml,
    Jsonld,
}

pub(super) fn query(
    file: &Path,
    given: &QueryArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    let text = given.text(console)?;
    let person = given.person.person();
    let at = optional("--at", given.at.as_deref())?;
    let break_glass = optional("--break-glass", given.break_glass.as_deref())?;
    let require = given.require()?;
    let session = Session::open(&config, at.as_ref())?;
    let deadline = Instant::now() + Duration::from_secs(given.timeout);
    let app = given.app_key.as_deref().map(app_key::load).transpose()?;
    // Before anything is asked: a use is on record whether its receipt can be kept or not.
    let mut receipt = given.receipt.as_deref().map(Partial::create).transpose()?;
    let outcome = crate::wire::runtime()?.block_on(async {
        let options = QueryOptions {
            federated: given.federated,
            require: require.clone(),
            explain: given.explanation(),
            purpose: person.purpose.clone(),
            break_glass: break_glass.clone(),
            ..QueryOptions::new(text, deadline)
        };
        let (answer, asked) = signed::ask(&session, &person, app.as_ref(), options).await?;
        if given.explanation().is_some() {
            return explanation::take(answer).await;
        }
        let format = given.json.then_some(Format::Json).or(given.format);
        let came = result::print(signed::Watched::new(answer), format, console).await?;
        asked.check(&came, &session, &config.participant)?;
        if let Some(mut kept) = receipt.take() {
            kept.write(format!("{}\n", came.outcome.receipt).as_bytes())?;
            kept.sync()?;
            kept.keep()?;
        }
        Ok(came.outcome)
    });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(failure) => {
            given.person.hint(&failure, console);
            return insufficient(failure, console);
        }
    };
    if let Some(told) = &outcome.explanation {
        if given.json {
            console.say(explanation::to_json(told));
        } else {
            explanation::print(told, console);
        }
    }
    result::explain(&outcome, console);
    if let Some(path) = &given.outcome {
        keep(path, &result::to_json(&outcome).to_string())?;
    }
    Ok(if outcome.complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INCOMPLETE)
    })
}

pub(super) fn token(
    file: &Path,
    given: &TokenArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    let at = optional("--at", given.at.as_deref())?;
    let session = Session::open(&config, at.as_ref())?;
    let person = given.person.person();
    let lifetime = Duration::from_secs(given.lifetime);
    if let Some(thumbprint) = given.thumbprint()? {
        let token = session.token_for_key(&person, lifetime, &thumbprint)?;
        console.say(token.reveal());
        console.note(format_args!(
            "for <{}> at {}; valid {} s, and only with proofs of the key {thumbprint}",
            session.audience().as_str(),
            session.url(),
            given.lifetime,
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let token = session.token(&person, lifetime)?;
    console.say(token.reveal());
    console.note(format_args!(
        "for <{}> at {}; valid {} s, and only with the certificate {}",
        session.audience().as_str(),
        session.url(),
        given.lifetime,
        config.identity.certificate.display()
    ));
    Ok(ExitCode::SUCCESS)
}

impl TokenArguments {
    /// Of the key that the token shall be bound to.
    fn thumbprint(&self) -> Result<Option<String>, Failure> {
        if let Some(thumbprint) = &self.jkt {
            let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if thumbprint.len() != 43 || !thumbprint.bytes().all(is_base64url) {
                return Err("--jkt is no thumbprint: expected 43 letters of base64url".into());
            }
            return Ok(Some(thumbprint.clone()));
        }
        let Some(path) = &self.dpop_key else {
            return Ok(None);
        };
        let key = app_key::load_or_make(path)?;
        Ok(Some(key.public().thumbprint()))
    }
}

impl QueryArguments {
    fn explanation(&self) -> Option<Explain> {
        match (self.explain, self.analyze) {
            (_, true) => Some(Explain::Analyze),
            (true, false) => Some(Explain::Plan),
            (false, false) => None,
        }
    }

    fn require(&self) -> Result<Requirement, Failure> {
        let mut words = twinlink_core::Requirement::default();
        for word in &self.require {
            words
                .add(word)
                .map_err(|problem| Failure::from(format!("--require {problem}")))?;
        }
        if let Some(word) = &self.max_age {
            words
                .no_older_than(word)
                .map_err(|problem| Failure::from(format!("--max-age {problem}")))?;
        }
        Ok(Requirement {
            all: words.all,
            at_least: u32::try_from(words.at_least).unwrap_or(u32::MAX),
            participants: words.participants,
            exact: words.exact,
            max_age: words.max_age,
        })
    }

    fn text(&self, console: &Console) -> Result<String, Failure> {
        if let Some(query) = &self.query {
            return Ok(query.clone());
        }
        if let Some(path) = &self.file {
            return fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()).into());
        }
        let mut input = std::io::stdin();
        if input.is_terminal() {
            console.note("type the query, and Ctrl-D at its end:");
        }
        let mut text = String::new();
        input
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read the query from standard input: {error}"))?;
        if text.trim().is_empty() {
            return Err("there is no query on standard input: name one, or --file".into());
        }
        Ok(text)
    }
}

fn keep(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, format!("{text}\n"))
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

/// Where a source that is required is missing, says what became of each.
fn insufficient(failure: Failure, console: &Console) -> Result<ExitCode, Failure> {
    let Some(Error::Insufficient { text, sources }) = failure.downcast_ref() else {
        return Err(failure);
    };
    result::explain_sources(sources, console);
    console.note(format_args!("no answer: {text}"));
    Ok(ExitCode::from(INCOMPLETE))
}

impl PersonArguments {
    /// The usual reason to be denied: policies permit nothing to who asks as whom.
    fn hint(&self, failure: &Failure, console: &Console) {
        if !matches!(failure.downcast_ref(), Some(Error::Denied(_))) {
            return;
        }
        let asked = match self.roles.is_empty() {
            true => "without --role you ask as a steward",
            false => "you asked with the roles that you named",
        };
        let purpose = match self.purpose {
            None => " and for no purpose",
            Some(_) => "",
        };
        console.note(format_args!(
            "{asked}{purpose}; `twinlink policy explain` tells what policies make of that"
        ));
    }

    pub(super) fn person(&self) -> Person {
        let mut roles = self.roles.clone();
        if roles.is_empty() {
            roles.push(tl::STEWARD.into_owned());
        }
        let mut claims = BTreeMap::<_, Vec<_>>::new();
        for (operand, value) in &self.claims {
            claims
                .entry(operand.clone())
                .or_default()
                .push(value.clone());
        }
        Person {
            subject: self.subject.clone(),
            roles,
            purpose: self.purpose.clone(),
            claims,
        }
    }
}

fn claim(text: &str) -> Result<(NamedNode, NamedNode), String> {
    // IRIs may hold an equals sign in their query, which the IRIs of left operands do not have.
    let (operand, value) = text
        .split_once('=')
        .ok_or_else(|| format!("is `{text}`, expected OPERAND=VALUE, both IRIs"))?;
    Ok((term(operand)?, term(value)?))
}

/// The usual reason for no connection is that nobody serves.
pub(super) fn no_answer(session: &Session, error: &Failure) -> Failure {
    format!(
        "<{}> at {}: {error}; is it running? `twinlink doctor` tells more",
        session.audience().as_str(),
        session.url()
    )
    .into()
}

fn optional(option: &str, text: Option<&str>) -> Result<Option<NamedNode>, Failure> {
    text.map(|text| config::iri(text).map_err(|problem| format!("{option} {problem}").into()))
        .transpose()
}

//! `twinlink incident`: declare, end and list incidents of a running connector.

use super::ask::{PersonArguments, no_answer};
use super::policy::term;
use super::{Console, Failure};
use crate::config::Config;
use crate::session::Session;
use clap::{Args, Subcommand};
use oxrdf::NamedNode;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;
use twinlink_client::{Client, Incident, NewIncident};

/// How long the connector may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Subcommand)]
#[command(
    after_help = "Rules of crisis wait for a declared incident of a kind; others let the glass be broken for one. Both end with\n\
                  the incident: on the next request, and for answers that are on their way.\n\n\
                  Example: an ammonia leak, for four hours at most\n  \
                  twinlink incident declare --kind tl:Incident --hours 4 \\\n      \
                  --area 'POLYGON((24.9 60.1, 25.0 60.1, 25.0 60.2, 24.9 60.2, 24.9 60.1))'"
)]
pub(super) enum IncidentCommand {
    /// Declare an incident. The connector must run, and you must be one of its stewards.
    Declare(DeclareArguments),
    /// End an incident now.
    End {
        /// Its IRI.
        #[arg(value_parser = term)]
        id: NamedNode,
        #[command(flatten)]
        person: PersonArguments,
        /// As JSON: the incident.
        #[arg(long)]
        json: bool,
    },
    /// List incidents that are kept, the newest first.
    List {
        #[command(flatten)]
        person: PersonArguments,
        /// As JSON: a list of incidents.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct DeclareArguments {
    /// Its IRI, by which callers and policies name it. [default: a new urn:uuid]
    #[arg(long, value_name = "IRI", value_parser = term)]
    id: Option<NamedNode>,
    /// What it is: a class or an event that rules wait for. May be given more than once: name broader kinds too.
    #[arg(long = "kind", value_name = "IRI", value_parser = term, required = true)]
    kinds: Vec<NamedNode>,
    /// Where: a WKT geometry, longitude before latitude. [default: no area]
    #[arg(long, value_name = "WKT")]
    area: Option<String>,
    /// From when, with the time zone. [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    begins: Option<OffsetDateTime>,
    /// Until when at the latest, with the time zone.
    #[arg(long, value_name = "TIME", value_parser = moment, required_unless_present = "hours")]
    ends: Option<OffsetDateTime>,
    /// For how many hours at most, instead of --ends.
    #[arg(long, value_name = "HOURS", conflicts_with = "ends", value_parser = clap::value_parser!(u32).range(1..=8784))]
    hours: Option<u32>,
    #[command(flatten)]
    person: PersonArguments,
    /// As JSON: the incident.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    file: &Path,
    command: IncidentCommand,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let deadline = Instant::now() + PATIENCE;
    match command {
        IncidentCommand::Declare(given) => {
            let begins = given.begins.map(SystemTime::from);
            let ends = match (given.ends, given.hours) {
                (Some(ends), _) => ends.into(),
                (None, hours) => {
                    let from = begins.unwrap_or_else(SystemTime::now);
                    from + Duration::from_secs(u64::from(hours.unwrap_or(1)) * 3600)
                }
            };
            let incident = NewIncident {
                id: given.id,
                kinds: given.kinds,
                area: given.area,
                begins,
                ends,
            };
            let declared = with_steward(file, &given.person, async |client| {
                Ok(client.declare_incident(incident, deadline).await?)
            })?;
            show(&declared, given.json, "declared", console);
        }
        IncidentCommand::End { id, person, json } => {
            let ended = with_steward(file, &person, async |client| {
                Ok(client.end_incident(id, deadline).await?)
            })?;
            show(&ended, json, "ended", console);
        }
        IncidentCommand::List { person, json } => {
            let incidents = with_steward(file, &person, async |client| {
                Ok(client.incidents(deadline).await?)
            })?;
            if json {
                console.say(Value::Array(incidents.iter().map(to_json).collect()));
            } else {
                let rows: Vec<_> = incidents.iter().map(row).collect();
                console.table(
                    &["incident", "state", "kinds", "begins", "ends", "area"],
                    &rows,
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the organisation's own connector, which must run: as the person, who is a steward if nothing else is said.
pub(super) fn with_steward<T>(
    file: &Path,
    person: &PersonArguments,
    ask: impl AsyncFnOnce(Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let config = Config::load(file)?;
    let person = person.person();
    let session = Session::open(&config, None)?;
    crate::wire::runtime()?.block_on(async {
        let client = session
            .connect(person)
            .await
            .map_err(|error| no_answer(&session, &error))?;
        ask(client).await
    })
}

fn show(incident: &Incident, json: bool, word: &str, console: &Console) {
    if json {
        console.say(to_json(incident));
    } else {
        console.say(format_args!(
            "{word} <{}>: from {} to {}",
            incident.id.as_str(),
            stamp(incident.begins),
            stamp(incident.ends)
        ));
    }
}

fn row(incident: &Incident) -> Vec<String> {
    let kinds: Vec<_> = incident.kinds.iter().map(NamedNode::as_str).collect();
    vec![
        incident.id.as_str().to_owned(),
        state(incident).to_owned(),
        kinds.join(" "),
        stamp(incident.begins),
        stamp(incident.ends),
        incident.area.clone().unwrap_or_default(),
    ]
}

fn to_json(incident: &Incident) -> Value {
    json!({
        "id": incident.id.as_str(),
        "state": state(incident),
        "kinds": incident.kinds.iter().map(NamedNode::as_str).collect::<Vec<_>>(),
        "area": incident.area,
        "begins": stamp(incident.begins),
        "ends": stamp(incident.ends),
        "declared_by": incident.declared_by.as_str(),
    })
}

fn state(incident: &Incident) -> &'static str {
    let now = SystemTime::now();
    if incident.ends <= now {
        "over"
    } else if incident.begins > now {
        "to come"
    } else {
        "open"
    }
}

/// A moment as people and programs read it, to the second.
pub(crate) fn stamp(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let whole = time.replace_nanosecond(0).unwrap_or(time);
    whole.format(&Rfc3339).unwrap_or_default()
}

fn moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        format!("is `{text}`, expected a time with its zone, such as 2026-11-20T12:00:00Z")
    })
}

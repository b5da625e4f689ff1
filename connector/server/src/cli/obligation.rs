//! `twinlink obligation`: what is owed for the use of a running connector's twin.

use super::ask::PersonArguments;
use super::incident::{stamp, with_steward};
use super::{Console, Failure};
use clap::Subcommand;
use oxrdf::NamedNode;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;
use twinlink_client::{Obligation, ObligationState};

/// How long the connector may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
#[command(
    after_help = "A duty is owed by whoever used the twin; past its deadline they get no new permit until it is settled. A review\n\
                  is ours: somebody broke the glass for an incident, and one of us must look over what they did.\n\n\
                  Example: what is overdue?\n  \
                  twinlink obligation list --json | jq '.[] | select(.state == \"violated\")'"
)]
pub(super) enum ObligationCommand {
    /// List what is owed, first what is due first.
    List {
        /// List what was fulfilled, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        person: PersonArguments,
        /// As JSON: a list of obligations.
        #[arg(long)]
        json: bool,
    },
    /// Note that obligations were fulfilled, in time or late.
    Fulfil {
        /// Their ids.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<uuid::Uuid>,
        /// What shows that they were, for the record.
        #[arg(long, value_name = "TEXT")]
        evidence: Option<String>,
        #[command(flatten)]
        person: PersonArguments,
        /// As JSON: a list of the obligations.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(
    file: &Path,
    command: ObligationCommand,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let deadline = Instant::now() + PATIENCE;
    let (obligations, json) = match command {
        ObligationCommand::List { all, person, json } => {
            let listed = with_steward(file, &person, async |client| {
                Ok(client.obligations(all, deadline).await?)
            });
            (listed?, json)
        }
        ObligationCommand::Fulfil {
            ids,
            evidence,
            person,
            json,
        } => {
            let settled = with_steward(file, &person, async |client| {
                let mut settled = Vec::new();
                for id in ids {
                    let id = id.to_string();
                    let one = client.fulfil_obligation(id.clone(), evidence.clone(), deadline);
                    settled.push(one.await.map_err(|error| format!("{id}: {error}"))?);
                }
                Ok(settled)
            });
            (settled?, json)
        }
    };
    if json {
        console.say(Value::Array(obligations.iter().map(to_json).collect()));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = obligations.iter().map(row).collect();
    console.table(
        &[
            "id", "state", "kind", "who", "what", "due", "used by", "incident",
        ],
        &rows,
    );
    let overdue = obligations
        .iter()
        .filter(|one| one.state == ObligationState::Violated)
        .count();
    if overdue > 0 {
        console.note(format_args!("{overdue} past their deadline"));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(obligation: &Obligation) -> Vec<String> {
    let (organisation, person) = &obligation.user;
    vec![
        obligation.id.clone(),
        obligation.state.to_string(),
        obligation.kind.clone(),
        obligation.participant.as_str().to_owned(),
        obligation.action.as_str().to_owned(),
        obligation.due.map(stamp).unwrap_or_default(),
        format!("{person} of {}", organisation.as_str()),
        incident(obligation).unwrap_or_default().to_owned(),
    ]
}

fn to_json(obligation: &Obligation) -> Value {
    json!({
        "id": obligation.id,
        "state": obligation.state.to_string(),
        "kind": obligation.kind,
        "participant": obligation.participant.as_str(),
        "action": obligation.action.as_str(),
        "towards": obligation.towards.iter().map(NamedNode::as_str).collect::<Vec<_>>(),
        "consequences": obligation.consequences.iter().map(NamedNode::as_str).collect::<Vec<_>>(),
        "policy": obligation.policy.as_str(),
        "request": obligation.request,
        "user": {
            "participant": obligation.user.0.as_str(),
            "subject": obligation.user.1,
        },
        "incident": incident(obligation),
        "since": stamp(obligation.since),
        "due": obligation.due.map(stamp),
        "fulfilled": obligation.fulfilled.map(stamp),
        "evidence": obligation.evidence,
    })
}

fn incident(obligation: &Obligation) -> Option<&str> {
    obligation.incident.as_ref().map(NamedNode::as_str)
}

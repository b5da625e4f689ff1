//! What a person sees of the play, and the same as data.

use super::organisation::{CONNECTORS, Organisation};
use super::play::{Act, Answered, Asked, Report};
use super::town::Town;
use crate::cli::Console;
use oxrdf::{NamedNode, Term};
use serde_json::{Value, json};
use std::fmt::Display;
use std::path::Path;
use twinlink_client::{Outcome, Row, SourceStatus};
use twinlink_vocab::tl;

/// Rows of a table that are shown.
const ROWS: usize = 12;

/// Where the demo speaks, and how.
#[derive(Debug)]
pub(super) struct Show {
    console: Console,
    json: bool,
}

impl Show {
    pub(super) fn new(console: Console, json: bool) -> Self {
        Self { console, json }
    }

    /// A line for people: on standard error where standard output is for JSON.
    pub(super) fn invite(&self, line: impl Display) {
        if self.json {
            self.console.note(line);
        } else {
            self.console.say(line);
        }
    }

    pub(super) fn opening(&self, folder: &Path) {
        self.say(
            "Friday, 12:05. In a cold store in the middle of Helsinki a tank of ammonia leaks. The wind blows from the south-south-west.\n\
             \n\
             The town is real: facts of OpenStreetMap, © OpenStreetMap contributors, ODbL 1.0. The leak, the residents, the units,\n\
             the closed roads and the notes of the police are a scenario, and the organisations of these names have no part in it.",
        );
        self.say(format_args!(
            "\nMaking the organisations in {} ...",
            folder.display()
        ));
    }

    pub(super) fn town(&self, town: &Town) {
        if self.json {
            return;
        }
        let rows: Vec<Vec<String>> = CONNECTORS
            .into_iter()
            .map(|organisation| {
                let member = town.member(organisation);
                vec![
                    organisation.name().to_owned(),
                    organisation.id().to_owned(),
                    member.config().public_url.clone(),
                    member.facts().to_string(),
                    member
                        .process_id()
                        .map(|id| id.to_string())
                        .unwrap_or_default(),
                ]
            })
            .collect();
        self.console.table(
            &[
                "organisation",
                "participant",
                "connector",
                "facts",
                "process",
            ],
            &rows,
        );
        self.say("\nBelow, city: rescue: police: stand for these participants' addresses, and tl: for Twinlink's own terms.");
    }

    pub(super) fn act(&self, act: &Act) {
        self.say(format_args!("\n\n== {}\n{}", act.title, act.remark));
    }

    /// What came of an event, in words.
    pub(super) fn event(&self, outcome: &str) {
        self.say(format_args!("({outcome})"));
    }

    pub(super) fn scene(&self, asked: &Asked) {
        if self.json {
            return;
        }
        self.say(format_args!("\n{}", asked.question.in_words()));
        let caller = asked.caller;
        let purpose = caller.purpose.map_or_else(
            || "without a purpose".to_owned(),
            |purpose| format!("for {}", short(purpose.as_str())),
        );
        let roles: Vec<String> = caller
            .roles
            .iter()
            .map(|role| short(role.as_str()))
            .collect();
        let roles = if roles.is_empty() {
            "without a role".to_owned()
        } else {
            format!("as {}", roles.join(" and "))
        };
        self.say(format_args!(
            "   {} asks the connector of {}, {roles}, {purpose}  [{}]",
            caller.name,
            caller.at.name(),
            asked.question.name
        ));
        if caller.breaks_glass.is_some() {
            self.say("   and breaks the glass");
        }
        match &asked.result {
            Ok(answer) => self.answer(answer),
            Err(error) => self.say(format_args!("   no answer: {error}")),
        }
        self.verdict(asked);
    }

    pub(super) fn end(&self, report: &Report) {
        if self.json {
            let questions: Vec<Value> = report.asked.iter().map(to_json).collect();
            self.console.say(json!({
                "questions": questions,
                "millis": millis(report.elapsed),
                "as_expected": report.failed().is_empty(),
            }));
            return;
        }
        let failed = report.failed().len();
        let verdict = if failed == 0 {
            "all as expected".to_owned()
        } else {
            format!("{failed} NOT as expected")
        };
        self.say(format_args!(
            "\n\n{} questions in {} ms, {verdict}.",
            report.asked.len(),
            millis(report.elapsed)
        ));
    }

    fn say(&self, line: impl Display) {
        if !self.json {
            self.console.say(line);
        }
    }

    fn answer(&self, answer: &Answered) {
        if !answer.rows.is_empty() {
            let head: Vec<&str> = answer
                .variables
                .iter()
                .map(|variable| variable.as_str())
                .chain(["from"])
                .collect();
            let rows: Vec<Vec<String>> = answer
                .rows
                .iter()
                .take(ROWS)
                .map(|row| {
                    let values = row.values.iter().map(|value| cell(value.as_ref()));
                    values.chain([from(row, &answer.outcome)]).collect()
                })
                .collect();
            self.say("");
            self.console.table(&head, &rows);
        }
        if let Some(more) = answer.rows.len().checked_sub(ROWS).filter(|more| *more > 0) {
            self.say(format_args!("... {more} more"));
        }
        let rows = match answer.rows.len() {
            0 => "no rows".to_owned(),
            1 => "1 row".to_owned(),
            count => format!("{count} rows"),
        };
        let complete = if answer.outcome.complete {
            "complete"
        } else {
            "INCOMPLETE"
        };
        self.say(format_args!("\n   {rows}, {complete}:"));
        for source in &answer.outcome.sources {
            self.say(format_args!("   {}", source_line(source)));
        }
        if !answer.outcome.unsure.is_empty() {
            self.say(format_args!(
                "   ! These rows may be wrong, not only too few: {} needs every source.",
                answer.outcome.unsure.join(", ")
            ));
        }
    }

    fn verdict(&self, asked: &Asked) {
        let millis = millis(asked.elapsed);
        if asked.differences.is_empty() {
            self.say(format_args!("   ✓ as expected, {millis} ms"));
        } else {
            self.say(format_args!(
                "   ✗ NOT as expected, {millis} ms: {}",
                asked.differences.join("; ")
            ));
        }
    }
}

fn source_line(source: &SourceStatus) -> String {
    let mut line = format!(
        "{:<22} {:<12} {:>5} rows {:>5} ms",
        name(&source.participant),
        source.state.as_str(),
        source.rows,
        millis(source.elapsed)
    );
    if !source.policies.is_empty() {
        let policies: Vec<String> = source.policies.iter().map(|p| short(p.as_str())).collect();
        line.push_str(&format!("   by {}", policies.join(" and ")));
    }
    if source.not_evaluable > 0 {
        line.push_str(&format!("   {} not evaluable", source.not_evaluable));
    }
    if let Some(reason) = &source.reason {
        // The line begins with the name already.
        let party = format!("<{}> ", source.participant.as_str());
        line.push_str(&format!(
            "   ({})",
            reason.strip_prefix(&party).unwrap_or(reason)
        ));
    }
    line
}

/// Whose data a row rests on.
fn from(row: &Row, outcome: &Outcome) -> String {
    let names: Vec<&str> = row
        .sources
        .iter()
        .filter_map(|index| outcome.sources.get(usize::from(*index)))
        .map(|source| Organisation::of(&source.participant).map_or("?", Organisation::word))
        .collect();
    names.join(" + ")
}

fn name(participant: &NamedNode) -> &str {
    match Organisation::of(participant) {
        Some(organisation) => organisation.name(),
        None => participant.as_str(),
    }
}

fn cell(term: Option<&Term>) -> String {
    match term {
        None => String::new(),
        Some(Term::NamedNode(node)) => short(node.as_str()),
        Some(Term::BlankNode(node)) => node.to_string(),
        Some(Term::Literal(literal)) => literal.value().to_owned(),
    }
}

/// An IRI of the play as a person wants to read it.
fn short(iri: &str) -> String {
    let shortened = CONNECTORS
        .into_iter()
        .map(|organisation| (organisation.id(), organisation.word()))
        .chain([(tl::NAMESPACE, "tl")])
        .find_map(|(start, word)| Some(format!("{word}:{}", iri.strip_prefix(start)?)));
    shortened.unwrap_or_else(|| iri.to_owned())
}

fn to_json(asked: &Asked) -> Value {
    let caller = asked.caller;
    let roles: Vec<&str> = caller.roles.iter().map(|role| role.as_str()).collect();
    let mut entry = json!({
        "name": asked.question.name,
        "question": asked.question.in_words(),
        "caller": caller.name,
        "participant": caller.organisation.id(),
        "asked": caller.at.id(),
        "roles": roles,
        "purpose": caller.purpose.map(|purpose| purpose.as_str()),
        "breaks_glass": caller.breaks_glass.map(|incident| incident.as_str()),
        "killed": asked.killed.map(Organisation::id),
        "millis": millis(asked.elapsed),
        "differences": asked.differences,
        "rows": 0,
        "complete": false,
        "unsure": [],
        "sources": [],
        "refused": null,
    });
    let more = match &asked.result {
        Err(error) => json!({"refused": error.to_string()}),
        Ok(answer) => json!({
            "rows": answer.outcome.rows,
            "complete": answer.outcome.complete,
            "unsure": answer.outcome.unsure,
            "sources": answer.outcome.sources.iter().map(source_json).collect::<Vec<_>>(),
            "receipt": answer.outcome.receipt,
        }),
    };
    if let (Value::Object(entry), Value::Object(more)) = (&mut entry, more) {
        entry.extend(more);
    }
    entry
}

fn source_json(source: &SourceStatus) -> Value {
    let policies: Vec<&str> = source
        .policies
        .iter()
        .map(|policy| policy.as_str())
        .collect();
    json!({
        "participant": source.participant.as_str(),
        "status": source.state.as_str(),
        "rows": source.rows,
        "millis": millis(source.elapsed),
        // The policies that let the rows through, with a space between them where there are several.
        "policy": (!policies.is_empty()).then(|| policies.join(" ")),
        "not_evaluable": source.not_evaluable,
        "reason": source.reason,
    })
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

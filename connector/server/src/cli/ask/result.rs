//! Answers as a person or a program reads them.

use super::signed::{Came, Watched};
use super::{Console, Failure, Format};
use crate::cli::console::Output;
use oxrdf::{NamedOrBlankNode, Term, Triple, Variable};
use oxrdfio::{JsonLdProfileSet, RdfFormat, RdfSerializer};
use serde_json::{Value, json};
use sparesults::{QueryResultsFormat, QueryResultsSerializer};
use std::io::{self, IsTerminal, Write};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_client::{Head, Outcome, Row, SourceStatus};

/// The most rows of a table; a longer answer wants a format that streams.
const TABLE_ROWS: usize = 10_000;

/// Prints an answer and gives what came of it.
pub(super) async fn print(
    mut answer: Watched,
    format: Option<Format>,
    console: &Console,
) -> Result<Came, Failure> {
    let head = answer.head().clone();
    match (&head, format.unwrap_or_else(|| usual(&head))) {
        (Head::Boolean(value), Format::Table) => console.say(value),
        (Head::Boolean(value), format) => {
            let serializer = QueryResultsSerializer::from_format(results(format)?);
            let mut out = serializer.serialize_boolean_to_writer(Output::new(), *value)?;
            writeln!(out)?;
        }
        (Head::Solutions(variables), Format::Table) => {
            table(&mut answer, variables, console).await?;
        }
        (Head::Solutions(variables), format) => {
            let serializer = QueryResultsSerializer::from_format(results(format)?);
            let mut writer =
                serializer.serialize_solutions_to_writer(Output::new(), variables.clone())?;
            while let Some(rows) = answer.next().await? {
                for row in rows {
                    let bound = variables
                        .iter()
                        .zip(&row.values)
                        .filter_map(|(name, value)| Some((name, value.as_ref()?)));
                    writer.serialize(bound)?;
                }
            }
            writer.finish()?.flush()?;
            if format == Format::Json {
                // The serializer ends without one, and a prompt would follow on the same line.
                console.say("");
            }
        }
        (Head::Graph, format) => {
            let format = graphs(format)?;
            let mut writer = RdfSerializer::from_format(format).for_writer(Output::new());
            while let Some(rows) = answer.next().await? {
                for row in rows {
                    writer.serialize_triple(&triple(row)?)?;
                }
            }
            writer.finish()?.flush()?;
            if matches!(format, RdfFormat::JsonLd { .. }) {
                console.say("");
            }
        }
    }
    Ok(answer.outcome().await?)
}

async fn table(
    answer: &mut Watched,
    variables: &[Variable],
    console: &Console,
) -> Result<(), Failure> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut more = 0;
    while let Some(batch) = answer.next().await? {
        for row in batch {
            if rows.len() < TABLE_ROWS {
                rows.push(row.values.iter().map(|v| plain(v.as_ref())).collect());
            } else {
                more += 1;
            }
        }
    }
    let head: Vec<&str> = variables.iter().map(Variable::as_str).collect();
    console.table(&head, &rows);
    if more > 0 {
        console.note(format_args!(
            "{more} more rows; --format csv prints them all"
        ));
    }
    Ok(())
}

/// Says of each source what became of it.
pub(super) fn explain_sources(sources: &[SourceStatus], console: &Console) {
    for source in sources {
        let mut line = format!(
            "{}: {}, {} {}, {} ms",
            source.participant.as_str(),
            source.state,
            source.rows,
            if source.rows == 1 { "row" } else { "rows" },
            source.elapsed.as_millis()
        );
        if let Some(time) = source.as_of {
            line.push_str(&format!(", as of {}", stamp(time.into())));
        }
        for policy in &source.policies {
            line.push_str(&format!(", by <{}>", policy.as_str()));
        }
        if let Some(reason) = &source.reason {
            line.push_str(&format!(" ({reason})"));
        }
        console.note(line);
    }
}

/// Says how an answer came about.
pub(super) fn explain(outcome: &Outcome, console: &Console) {
    explain_sources(&outcome.sources, console);
    if !outcome.unsure.is_empty() {
        console.note(format_args!(
            "rows may be wrong, not only missing: {} needed a source that is not there",
            outcome.unsure.join(", ")
        ));
    }
}

/// The outcome as data.
pub(crate) fn to_json(outcome: &Outcome) -> Value {
    let sources: Vec<Value> = outcome
        .sources
        .iter()
        .map(|source| {
            json!({
                "participant": source.participant.as_str(),
                "status": source.state.as_str(),
                "rows": source.rows,
                "millis": u64::try_from(source.elapsed.as_millis()).unwrap_or(u64::MAX),
                "as_of": source.as_of.map(|time| stamp(time.into())),
                "policies": source.policies.iter().map(|p| p.as_str()).collect::<Vec<_>>(),
                "not_evaluable": source.not_evaluable,
                "reason": source.reason,
                "receipt": source.receipt,
            })
        })
        .collect();
    json!({
        "rows": outcome.rows,
        "complete": outcome.complete,
        "unsure": outcome.unsure,
        "sources": sources,
        "receipt": outcome.receipt,
    })
}

/// A term as a person reads it: literals bare, IRIs whole.
pub(crate) fn plain(term: Option<&Term>) -> String {
    match term {
        None => String::new(),
        Some(Term::NamedNode(node)) => node.as_str().to_owned(),
        Some(Term::BlankNode(node)) => node.to_string(),
        Some(Term::Literal(literal)) => literal.value().to_owned(),
    }
}

fn stamp(time: OffsetDateTime) -> String {
    let whole = time.replace_nanosecond(0).unwrap_or(time);
    whole.format(&Rfc3339).unwrap_or_default()
}

fn usual(head: &Head) -> Format {
    match head {
        Head::Graph => Format::Turtle,
        Head::Solutions(_) if !io::stdout().is_terminal() => Format::Tsv,
        Head::Solutions(_) | Head::Boolean(_) => Format::Table,
    }
}

fn results(format: Format) -> Result<QueryResultsFormat, Failure> {
    Ok(match format {
        Format::Json => QueryResultsFormat::Json,
        Format::Csv => QueryResultsFormat::Csv,
        Format::Tsv => QueryResultsFormat::Tsv,
        Format::Xml => QueryResultsFormat::Xml,
        _ => return Err("this answer has rows: --format table, json, csv, tsv or xml".into()),
    })
}

fn graphs(format: Format) -> Result<RdfFormat, Failure> {
    Ok(match format {
        Format::Turtle | Format::Table => RdfFormat::Turtle,
        Format::Ntriples => RdfFormat::NTriples,
        Format::Rdfxml | Format::Xml => RdfFormat::RdfXml,
        Format::Jsonld | Format::Json => RdfFormat::JsonLd {
            profile: JsonLdProfileSet::empty(),
        },
        Format::Csv | Format::Tsv => {
            return Err(
                "this answer is a graph: --format turtle, ntriples, rdfxml or jsonld".into(),
            );
        }
    })
}

fn triple(row: Row) -> Result<Triple, Failure> {
    let mut values = row.values.into_iter().flatten();
    let (Some(subject), Some(Term::NamedNode(predicate)), Some(object)) =
        (values.next(), values.next(), values.next())
    else {
        return Err("the connector sent a triple that is none".into());
    };
    let subject: NamedOrBlankNode = match subject {
        Term::NamedNode(node) => node.into(),
        Term::BlankNode(node) => node.into(),
        Term::Literal(_) => return Err("the connector sent a triple that is none".into()),
    };
    Ok(Triple::new(subject, predicate, object))
}

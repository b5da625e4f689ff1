//! How an answer is come by, as a person or a program reads it.

use super::{Console, Failure};
use serde_json::{Value, json};
use std::time::Duration;
use twinlink_client::{Answer, Explanation, Outcome, Step};

/// Reads the explanation that comes in place of rows.
pub(super) async fn take(answer: Answer) -> Result<Outcome, Failure> {
    let outcome = answer.outcome().await?;
    if outcome.explanation.is_none() {
        return Err("the connector does not explain answers".into());
    }
    Ok(outcome)
}

/// Prints it: which sources and why, and what is done, step by step.
pub(super) fn print(explanation: &Explanation, console: &Console) {
    let sources = explanation.choices.iter().map(|choice| {
        let asked = if choice.is_asked { "asked" } else { "left out" };
        let name = choice.participant.as_str().to_owned();
        vec![name, asked.to_owned(), choice.why.clone()]
    });
    console.table(&["source", "", "why"], &sources.collect::<Vec<_>>());
    console.say("");
    let steps = explanation.steps.iter().enumerate().map(|(number, step)| {
        let count = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
        let at: Vec<_> = step.at.iter().map(|name| name.as_str()).collect();
        vec![
            (number + 1).to_string(),
            step.kind.clone(),
            at.join(" "),
            count(step.estimate),
            count(step.rows),
            step.requests.to_string(),
            step.bytes.to_string(),
            millis(step.elapsed),
            step.pushed.clone().unwrap_or_default(),
            step.what.clone(),
            word(step),
        ]
    });
    let head = [
        "", "step", "at", "expected", "rows", "requests", "bytes", "ms", "they do", "what", "",
    ];
    console.table(&head, &steps.collect::<Vec<_>>());
    print_directions(explanation, console);
    if explanation.is_cut {
        console.note("there are more steps than are told");
    }
    let requests: u64 = explanation.steps.iter().map(|step| step.requests).sum();
    let bytes: u64 = explanation.steps.iter().map(|step| step.bytes).sum();
    let verb = if explanation.is_run {
        "took"
    } else {
        "would take, at least,"
    };
    console.note(format_args!(
        "{verb} {requests} requests to other sources, {bytes} bytes of terms"
    ));
}

/// What there is to say of a step.
fn word(step: &Step) -> String {
    match step.is_streamed {
        true => format!("{}; rows leave as they come", step.word),
        false => step.word.clone(),
    }
}

/// Between whom values may go, and between whom they do not.
fn print_directions(explanation: &Explanation, console: &Console) {
    let steps = explanation.steps.iter().enumerate();
    let rows = steps.flat_map(|(number, step)| {
        step.directions.iter().map(move |direction| {
            let may = if direction.is_permitted {
                "where few"
            } else {
                "no: it does not let that be told on"
            };
            vec![
                (number + 1).to_string(),
                direction.from.as_str().to_owned(),
                direction.to.as_str().to_owned(),
                may.to_owned(),
            ]
        })
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        console.say("");
        console.table(&["step", "values of", "go to", ""], &rows);
    }
}

/// As data.
pub(super) fn to_json(explanation: &Explanation) -> Value {
    let choices = explanation.choices.iter().map(|choice| {
        json!({
            "participant": choice.participant.as_str(),
            "is_asked": choice.is_asked,
            "why": choice.why,
        })
    });
    let steps = explanation.steps.iter().map(|step| {
        json!({
            "kind": step.kind,
            "at": step.at.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
            "what": step.what,
            "estimate": step.estimate,
            "rows": step.rows,
            "requests": step.requests,
            "bytes": step.bytes,
            "millis": u64::try_from(step.elapsed.as_millis()).unwrap_or(u64::MAX),
            "pushed": step.pushed,
            "directions": step.directions.iter().map(|direction| json!({
                "from": direction.from.as_str(),
                "to": direction.to.as_str(),
                "is_permitted": direction.is_permitted,
            })).collect::<Vec<_>>(),
            "is_streamed": step.is_streamed,
            "word": step.word,
        })
    });
    json!({
        "is_run": explanation.is_run,
        "choices": choices.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
        "is_cut": explanation.is_cut,
    })
}

fn millis(elapsed: Duration) -> String {
    if elapsed.is_zero() {
        return String::new();
    }
    format!("{:.1}", elapsed.as_secs_f64() * 1_000.0)
}

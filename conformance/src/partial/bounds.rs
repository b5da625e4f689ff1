//! What rows can be said of while a member is missing.

use super::classes::Asked;
use super::parse;
use crate::answer::Answer;
use crate::merged::{Model, lines};

/// No query has as many parts for somebody by name.
const ANSWERS: usize = 4;

/// The answer is that over these data.
pub(super) fn exact(asked: &Asked, model: &Model, actual: &Answer) -> Result<(), String> {
    let expected = evaluate(asked.text, model)?;
    if !asked.is_any {
        return same(&expected, actual);
    }
    let all = evaluate(unlimited(asked.text), model)?;
    let (wanted, got) = (number(&expected), number(actual));
    if wanted != got {
        return Err(format!("expected {wanted} rows, got {got}"));
    }
    subset(actual, &all)
}

/// The answer is one over `all` of which a part is missing, and `certain` is not.
pub(super) fn between(
    asked: &Asked,
    certain: &Model,
    all: &Model,
    actual: &Answer,
) -> Result<(), String> {
    let Some(loose) = asked.loose else {
        return Ok(());
    };
    if asked.is_any {
        let least = number(&evaluate(asked.text, certain)?);
        if number(actual) < least {
            return Err(format!("{least} rows are certain, got {}", number(actual)));
        }
        return subset(actual, &evaluate(unlimited(asked.text), all)?);
    }
    subset(actual, &evaluate(loose, all)?).map_err(|error| format!("above: {error}"))?;
    if asked.keeps {
        let (few, all) = (evaluate(loose, certain)?, evaluate(asked.text, all)?);
        let mut left = texts(actual);
        for row in common(texts(&few), &texts(&all)) {
            let place = left.binary_search(&row);
            let place = place.map_err(|_| format!("{row} is certain, and is not there"))?;
            left.remove(place);
        }
    }
    Ok(())
}

/// The rows of a query over what the members hold, where SERVICE is about the graph of that name.
fn evaluate(text: &str, model: &Model) -> Result<Answer, String> {
    let text = text.replace("SERVICE SILENT ", "GRAPH ");
    model.evaluate(&parse(&text.replace("SERVICE ", "GRAPH "))?)
}

/// The query without its slice.
fn unlimited(text: &str) -> &str {
    [" OFFSET", " LIMIT"].iter().fold(text, |text, word| {
        text.split_once(word).map_or(text, |(before, _)| before)
    })
}

pub(super) fn number(answer: &Answer) -> usize {
    match answer {
        Answer::Boolean(value) => usize::from(*value),
        Answer::Graph(graph) => graph.len(),
        Answer::Table(table) => table.rows.len(),
    }
}

/// The rows as sorted text; of a truth value, that it is true.
fn texts(answer: &Answer) -> Vec<String> {
    let mut texts = plain_texts(answer);
    for text in &mut texts {
        // Blank nodes of SERVICE are named by the answer that they are of, and that may be any.
        for number in 0..ANSWERS {
            *text = text.replace(&format!("_:c{number}x"), "_:cx");
        }
    }
    texts.sort();
    texts
}

fn plain_texts(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Boolean(value) => value.then(|| "true".to_owned()).into_iter().collect(),
        Answer::Table(table) => lines(table),
        Answer::Graph(graph) => {
            let mut lines: Vec<_> = graph.iter().map(|triple| triple.to_string()).collect();
            lines.sort();
            lines
        }
    }
}

/// Those that are in both, as often as in both; both are sorted.
fn common(some: Vec<String>, others: &[String]) -> Vec<String> {
    let mut others = others.iter().peekable();
    let is_there = |row: &String| {
        while others.next_if(|other| *other < row).is_some() {}
        others.next_if(|other| *other == row).is_some()
    };
    some.into_iter().filter(is_there).collect()
}

fn same(expected: &Answer, actual: &Answer) -> Result<(), String> {
    let (expected, actual) = (texts(expected), texts(actual));
    if expected == actual {
        return Ok(());
    }
    Err(format!("expected {expected:?}, got {actual:?}"))
}

/// Each row is one of all, as often as there at most.
pub(super) fn subset(actual: &Answer, all: &Answer) -> Result<(), String> {
    let (actual, all) = (texts(actual), texts(all));
    let mut left = all.clone();
    for row in &actual {
        let Ok(place) = left.binary_search(row) else {
            return Err(format!(
                "{row} is a wrong row of {actual:?}: all are {all:?}"
            ));
        };
        left.remove(place);
    }
    Ok(())
}

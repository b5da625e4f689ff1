//! Whether an answer is the one that is expected, as far as that is determined.

use crate::answer::{Answer, Table};
use crate::canonical::UNDECIDED;
use crate::compare::{same_answer, same_graph};
use crate::noninterference::question::Check;
use oxrdf::{Graph, Term, TermRef, TripleRef};
use std::collections::HashMap;

pub(super) fn is_empty(answer: &Answer) -> bool {
    match answer {
        Answer::Boolean(value) => !value,
        Answer::Graph(graph) => graph.is_empty(),
        Answer::Table(table) => table.rows.is_empty(),
    }
}

/// The difference between two answers, if what of them is determined differs.
pub(super) fn same(expected: Answer, actual: Answer, check: Check) -> Result<(), String> {
    let (mut expected, mut actual) = match (expected, actual) {
        (Answer::Table(expected), Answer::Table(actual)) => (expected, actual),
        (Answer::Graph(expected), Answer::Graph(actual)) => {
            return alike(same_graph(&expected, &actual), &expected, &actual);
        }
        (expected, actual) => return same_answer(&expected, &actual),
    };
    match check {
        Check::Rows => {}
        Check::Ordered => expected.ordered = true,
        Check::Set => {
            for table in [&mut expected, &mut actual] {
                let mut seen = std::collections::HashSet::new();
                table.rows.retain(|row| seen.insert(row.clone()));
            }
        }
        Check::Page { limit, offset } => return same_page(&expected, &actual, limit, offset),
    }
    // Twin and copy call blank nodes the same, so most answers need no search for an isomorphism.
    if expected.variables == actual.variables && count(&expected) == count(&actual) {
        return match expected.ordered && expected.rows != actual.rows {
            true => Err("the same rows in another order".to_owned()),
            false => Ok(()),
        };
    }
    same_answer(&Answer::Table(expected), &Answer::Table(actual))
}

/// Where an isomorphism would take too long to find, for CONSTRUCT made many blank nodes that differ in nothing: whether
/// the graphs have the same triples but for the names of blank nodes.
fn alike(found: Result<(), String>, expected: &Graph, actual: &Graph) -> Result<(), String> {
    let lines = |graph: &Graph| {
        let blank = |term: TermRef<'_>| match term {
            TermRef::BlankNode(_) => "_:".to_owned(),
            term => term.to_string(),
        };
        let line = |t: TripleRef<'_>| {
            [
                blank(t.subject.into()),
                t.predicate.to_string(),
                blank(t.object),
            ]
        };
        let mut lines: Vec<_> = graph.iter().map(line).collect();
        lines.sort();
        lines
    };
    match found {
        Err(error) if error.starts_with(UNDECIDED) => {
            let same = lines(expected) == lines(actual);
            if same { Ok(()) } else { Err(error) }
        }
        found => found,
    }
}

fn count(table: &Table) -> HashMap<&[Option<Term>], usize> {
    let mut counts = HashMap::new();
    for row in &table.rows {
        *counts.entry(row.as_slice()).or_default() += 1;
    }
    counts
}

/// The page has as many rows as it should, its first column is that of the page of all rows in order, and each of its
/// rows is one of all.
fn same_page(all: &Table, page: &Table, limit: usize, offset: usize) -> Result<(), String> {
    let key = |row: &Vec<Option<Term>>| row.first().cloned().flatten();
    let wanted: Vec<_> = all.rows.iter().skip(offset).take(limit).map(key).collect();
    let got: Vec<_> = page.rows.iter().map(key).collect();
    if wanted != got {
        return Err(format!("a page of {wanted:?} is {got:?}"));
    }
    let (all, page) = (count(all), count(page));
    let stray = page
        .iter()
        .find(|(row, times)| all.get(*row).is_none_or(|most| *times > most));
    match stray {
        Some((row, _)) => Err(format!("on the page, and not in the answer: {row:?}")),
        None => Ok(()),
    }
}

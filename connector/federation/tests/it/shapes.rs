//! Queries of every operator, over the vocabulary of the random datasets.

use std::sync::LazyLock;

/// How an answer compares.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// The same rows as often.
    Rows,
    /// As many rows, each of which the query without its LIMIT has.
    Count,
}

pub(crate) const PREFIXES: &str =
    "PREFIX : <urn:> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> ";

pub(crate) static SHAPES: LazyLock<Vec<(&str, By)>> = LazyLock::new(|| {
    include_str!("shapes.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| match line.strip_prefix("count ") {
            Some(query) => (query, By::Count),
            None => (line, By::Rows),
        })
        .collect()
});

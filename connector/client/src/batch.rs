//! Rows on the wire: RDF terms by number, with a dictionary for each batch.
//!
//! Used by both ends. The decoder trusts nothing: every id, count and term is checked before it is used.

use crate::Error;
use oxrdf::{BlankNode, Literal, NamedNode, NamedOrBlankNode, Term, Triple};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use twinlink_proto::v1;

/// The sources of a row: indexes into the sources of the answer's outcome.
pub type Sources = Arc<[u16]>;

/// The most rows of one batch.
pub const BATCH_ROWS: usize = 4096;

/// About how many bytes of terms and ids a batch holds when it is sent.
pub const BATCH_BYTES: usize = 256 * 1024;

/// The largest message that either end takes: one row with very long literals still fits.
pub const MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// The most bytes that the rows of one batch may take once each has its own copy of its terms. One long term in
/// thousands of rows is short on the wire and not in memory.
const UNPACKED_BYTES: usize = 128 * 1024 * 1024;

const RDF_LANG_STRING: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString";

/// One row: a term or none for each variable of the head; three terms for a triple.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// In the order of the head's variables.
    pub values: Vec<Option<Term>>,
    /// Whose data the row rests on. Empty where the server does not tell, as for triples.
    pub sources: Sources,
}

/// Collects rows into a batch.
#[derive(Debug, Default)]
pub struct Encoder {
    terms: FxHashMap<Term, u32>,
    values: Vec<u32>,
    rows: u32,
    bytes: usize,
    unpacked: usize,
    source_sets: FxHashMap<Sources, u32>,
    last_set: Option<(Sources, u32)>,
    row_sources: Vec<u32>,
}

impl Encoder {
    /// Adds a row. Rows of one batch have as many values each, and all have sources or none has.
    pub fn push(
        &mut self,
        values: impl IntoIterator<Item = Option<Term>>,
        sources: Option<&Sources>,
    ) {
        for value in values {
            let id = value.map_or(0, |term| self.term(term));
            self.values.push(id);
            self.bytes += 3;
        }
        if let Some(sources) = sources {
            let set = self.source_set(sources);
            self.row_sources.push(set);
            self.bytes += 1;
        }
        self.rows += 1;
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether the batch should be sent before more is added.
    pub fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES
            || self.rows as usize >= BATCH_ROWS
            || self.unpacked >= UNPACKED_BYTES / 16
    }

    /// Whether a batch that got full by its last row is more than the other end takes.
    pub fn is_too_large(&self) -> bool {
        self.bytes > MESSAGE_BYTES - 1024 || self.unpacked > UNPACKED_BYTES
    }

    /// The batch; the encoder starts over.
    pub fn finish(&mut self) -> v1::Batch {
        let Self {
            terms,
            values,
            rows,
            source_sets,
            mut row_sources,
            ..
        } = std::mem::take(self);
        if source_sets.len() <= 1 {
            row_sources.clear();
        }
        v1::Batch {
            terms: in_order(terms).into_iter().map(encode_term).collect(),
            values,
            rows,
            source_sets: in_order(source_sets)
                .into_iter()
                .map(|set| v1::SourceSet {
                    sources: set.iter().map(|source| u32::from(*source)).collect(),
                })
                .collect(),
            row_sources,
        }
    }

    fn term(&mut self, term: Term) -> u32 {
        let next = u32::try_from(self.terms.len()).unwrap_or(u32::MAX - 1) + 1;
        let size = size(&term);
        self.unpacked += size;
        let id = *self.terms.entry(term).or_insert(next);
        if id == next {
            self.bytes += size;
        }
        id
    }

    fn source_set(&mut self, sources: &Sources) -> u32 {
        // Nearly all rows share the set of the row before.
        if let Some((last, id)) = &self.last_set
            && (Arc::ptr_eq(last, sources) || last == sources)
        {
            return *id;
        }
        let next = u32::try_from(self.source_sets.len()).unwrap_or(u32::MAX);
        let id = *self
            .source_sets
            .entry(Arc::clone(sources))
            .or_insert_with(|| next);
        if id == next {
            self.bytes += 4 + 3 * sources.len();
        }
        self.last_set = Some((Arc::clone(sources), id));
        id
    }
}

/// The rows of a batch, each of `width` values.
///
/// # Errors
/// [`Error::Nonsense`], naming what does not fit.
pub fn decode(batch: v1::Batch, width: usize) -> Result<Vec<Row>, Error> {
    unpack(batch, width).map(|(rows, _)| rows)
}

/// As [`decode`], with about how many bytes the rows take.
pub(crate) fn unpack(batch: v1::Batch, width: usize) -> Result<(Vec<Row>, usize), Error> {
    let rows = batch.rows as usize;
    if rows > BATCH_ROWS {
        return nonsense(format_args!(
            "a batch of {rows} rows, at most {BATCH_ROWS} are allowed"
        ));
    }
    if rows.checked_mul(width) != Some(batch.values.len()) {
        return nonsense(format_args!(
            "{} values for {rows} rows of {width}",
            batch.values.len()
        ));
    }
    let terms = batch
        .terms
        .into_iter()
        .map(decode_term)
        .collect::<Result<Vec<_>, _>>()?;
    let sets = batch
        .source_sets
        .into_iter()
        .map(decode_source_set)
        .collect::<Result<Vec<_>, _>>()?;
    if !batch.row_sources.is_empty() && batch.row_sources.len() != rows {
        return nonsense(format_args!(
            "sources of {} rows, there are {rows}",
            batch.row_sources.len()
        ));
    }
    let mut unpacked = batch.values.len() * size_of::<Option<Term>>();
    for id in &batch.values {
        // An id that is out of range is found below.
        let term = id
            .checked_sub(1)
            .and_then(|index| terms.get(index as usize));
        unpacked += term.map_or(0, size);
    }
    if unpacked > UNPACKED_BYTES + batch.values.len() * size_of::<Option<Term>>() {
        return nonsense(format_args!("a batch that unpacks to {unpacked} bytes"));
    }
    let mut values = batch.values.into_iter();
    let mut row_sources = batch.row_sources.into_iter();
    let none = Sources::default();
    let rows = (0..rows)
        .map(|_| {
            let values = values
                .by_ref()
                .take(width)
                .map(|id| decode_value(id, &terms))
                .collect::<Result<Vec<_>, _>>()?;
            let sources = match row_sources.next() {
                Some(set) => match sets.get(set as usize) {
                    Some(set) => Arc::clone(set),
                    None => {
                        return nonsense(format_args!(
                            "source set {set}, there are {}",
                            sets.len()
                        ));
                    }
                },
                None => sets.first().map_or_else(|| Arc::clone(&none), Arc::clone),
            };
            Ok(Row { values, sources })
        })
        .collect::<Result<_, _>>()?;
    Ok((rows, unpacked))
}

impl Row {
    /// The row as a triple, where its values make one.
    pub fn into_triple(self) -> Option<Triple> {
        let mut values = self.values.into_iter();
        let subject = match values.next()?? {
            Term::NamedNode(node) => NamedOrBlankNode::from(node),
            Term::BlankNode(node) => NamedOrBlankNode::from(node),
            Term::Literal(_) => return None,
        };
        let Term::NamedNode(predicate) = values.next()?? else {
            return None;
        };
        let object = values.next()??;
        values
            .next()
            .is_none()
            .then(|| Triple::new(subject, predicate, object))
    }

    /// Whether [`Row::into_triple`] would give one.
    pub(crate) fn is_triple(&self) -> bool {
        matches!(
            self.values.as_slice(),
            [
                Some(Term::NamedNode(_) | Term::BlankNode(_)),
                Some(Term::NamedNode(_)),
                Some(_)
            ]
        )
    }
}

/// The keys in the order of their numbers.
fn in_order<T>(numbered: FxHashMap<T, u32>) -> Vec<T> {
    let mut list: Vec<_> = numbered.into_iter().collect();
    list.sort_unstable_by_key(|(_, number)| *number);
    list.into_iter().map(|(item, _)| item).collect()
}

fn size(term: &Term) -> usize {
    let text = match term {
        Term::NamedNode(node) => node.as_str().len(),
        Term::BlankNode(node) => node.as_str().len(),
        Term::Literal(literal) => {
            let kind = literal
                .language()
                .map_or_else(|| literal.datatype().as_str().len(), str::len);
            literal.value().len() + kind + 8
        }
    };
    text + 12
}

fn encode_term(term: Term) -> v1::Term {
    let kind = match term {
        Term::NamedNode(node) => v1::term::Kind::Iri(node.into_string()),
        Term::BlankNode(node) => v1::term::Kind::BlankNode(node.into_string()),
        Term::Literal(literal) => {
            let (value, datatype, language) = literal.destruct();
            v1::term::Kind::Literal(v1::Literal {
                value,
                datatype: datatype.map(NamedNode::into_string).unwrap_or_default(),
                language: language.unwrap_or_default(),
            })
        }
    };
    v1::Term { kind: Some(kind) }
}

fn decode_term(term: v1::Term) -> Result<Term, Error> {
    match term.kind {
        Some(v1::term::Kind::Iri(iri)) => Ok(iri_of(iri)?.into()),
        Some(v1::term::Kind::BlankNode(label)) => BlankNode::new(label.as_str())
            .map(Term::from)
            .or_else(|_| nonsense(format_args!("`{label}` as the label of a blank node"))),
        Some(v1::term::Kind::Literal(literal)) => Ok(decode_literal(literal)?.into()),
        None => nonsense("a term without a kind"),
    }
}

fn decode_literal(literal: v1::Literal) -> Result<Literal, Error> {
    let v1::Literal {
        value,
        datatype,
        language,
    } = literal;
    if !language.is_empty() {
        if !datatype.is_empty() && datatype != RDF_LANG_STRING {
            return nonsense(format_args!("a literal with a language and <{datatype}>"));
        }
        return Literal::new_language_tagged_literal(value, language.as_str())
            .or_else(|_| nonsense(format_args!("`{language}` as a language tag")));
    }
    if datatype.is_empty() {
        return Ok(Literal::new_simple_literal(value));
    }
    Ok(Literal::new_typed_literal(value, iri_of(datatype)?))
}

fn decode_value(id: u32, terms: &[Term]) -> Result<Option<Term>, Error> {
    let Some(index) = id.checked_sub(1) else {
        return Ok(None);
    };
    match terms.get(index as usize) {
        Some(term) => Ok(Some(term.clone())),
        None => nonsense(format_args!("term {id}, the batch has {}", terms.len())),
    }
}

fn decode_source_set(set: v1::SourceSet) -> Result<Sources, Error> {
    set.sources
        .into_iter()
        .map(|source| {
            u16::try_from(source).or_else(|_| nonsense(format_args!("source number {source}")))
        })
        .collect()
}

fn iri_of(iri: String) -> Result<NamedNode, Error> {
    NamedNode::new(iri.as_str()).or_else(|_| nonsense(format_args!("`{iri}` as an IRI")))
}

fn nonsense<T>(what: impl std::fmt::Display) -> Result<T, Error> {
    Err(Error::nonsense(what))
}

#[cfg(test)]
mod tests;

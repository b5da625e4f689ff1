//! What a thread holds in memory, counted where it is allocated.
//!
//! The system says how large the process is, not who made it so. The allocator of every program with this crate in it
//! counts, for each thread, what it allocates and frees; it costs an addition each time. Bytes that one thread allocates
//! and another frees are to be told by who hands them over.

use alloc_metrics::MetricAlloc;
use oxrdf::{Term, Triple};
use std::alloc::System;
use twinlink_core::{Piece, Solution};

#[global_allocator]
static COUNTED: MetricAlloc<System> = MetricAlloc::new(System);

/// Bytes that this thread has allocated and not freed. Less than nothing where it frees what others allocated.
pub(crate) fn held() -> isize {
    alloc_metrics::thread_metrics().allocated_bytes
}

/// Bytes of a piece of an answer.
pub(crate) fn of_piece(piece: &Piece) -> usize {
    match piece {
        Piece::Head(_) => 0,
        Piece::Solutions(rows) => {
            rows.capacity() * size_of::<Solution>() + rows.iter().map(of_row).sum::<usize>()
        }
        Piece::Triples(triples) => {
            triples.capacity() * size_of::<Triple>() + triples.iter().map(of_triple).sum::<usize>()
        }
    }
}

fn of_row(row: &Solution) -> usize {
    let values = row.values.iter().flatten().map(of_term);
    row.values.capacity() * size_of::<Option<Term>>() + values.sum::<usize>()
}

fn of_triple(triple: &Triple) -> usize {
    let subject = Term::from(triple.subject.clone());
    of_term(&subject) + triple.predicate.as_str().len() + of_term(&triple.object)
}

fn of_term(term: &Term) -> usize {
    match term {
        Term::NamedNode(node) => node.as_str().len(),
        Term::BlankNode(node) => node.as_str().len(),
        Term::Literal(literal) => {
            let datatype = match literal.language() {
                Some(language) => language.len(),
                None if literal.datatype() == oxrdf::vocab::xsd::STRING => 0,
                None => literal.datatype().as_str().len(),
            };
            literal.value().len() + datatype
        }
        #[allow(
            unreachable_patterns,
            reason = "there are more kinds of terms with features of oxrdf"
        )]
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::{Literal, NamedNode};
    use std::sync::Arc;

    #[test]
    fn what_is_handed_over_is_what_it_took() {
        let sources: twinlink_core::Sources = Arc::new([0]);
        let row = |number: usize| Solution {
            values: vec![
                Some(Literal::from(format!("value {number}")).into()),
                None,
                Some(Literal::from(number as i64).into()),
                Some(NamedNode::new_unchecked(format!("http://e/{number}")).into()),
            ],
            sources: Arc::clone(&sources),
        };
        let before = held();
        let piece = Piece::Solutions((0..1000).map(row).collect());
        let taken = (held() - before) as f64;
        let told = of_piece(&piece) as f64;
        assert!((0.9..1.1).contains(&(told / taken)), "{told} of {taken}");
        drop(piece);
        assert_eq!(held(), before);
    }
}

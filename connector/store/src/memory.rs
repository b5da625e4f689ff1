//! What a thread holds in memory, counted where it is allocated.
//!
//! The system says how large the process is, not who made it so. The allocator of every program with this crate in it
//! counts, for each thread, what it allocates and frees; it costs an addition each time. Bytes that one thread allocates
//! and another frees are to be told by who hands them over.

use alloc_metrics::MetricAlloc;
use std::alloc::System;

#[global_allocator]
static COUNTED: MetricAlloc<System> = MetricAlloc::new(System);

/// Bytes that this thread has allocated and not freed. Less than nothing where it frees what others allocated.
pub(crate) fn held() -> isize {
    alloc_metrics::thread_metrics().allocated_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::{Literal, NamedNode};
    use std::sync::Arc;
    use twinlink_core::{Piece, Solution};

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
        let told = piece.bytes() as f64;
        assert!((0.9..1.1).contains(&(told / taken)), "{told} of {taken}");
        drop(piece);
        assert_eq!(held(), before);
    }
}

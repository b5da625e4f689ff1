//! Summaries as bytes: as small as they may be, as right as they must be, and whatever the bytes.

use crate::fakes::iri;
use crate::summaries::shops;
use oxrdf::{GraphName, Literal, Quad};
use proptest::prelude::*;
use twinlink_federation::{Summary, SummaryError, SummaryLimits, View};

/// Quads that a caller may see.
struct Shows(Vec<Quad>);

impl View for Shows {
    fn graphs(&self) -> Option<Vec<GraphName>> {
        let mut graphs: Vec<_> = Vec::new();
        for quad in &self.0 {
            if quad.graph_name != GraphName::DefaultGraph && !graphs.contains(&quad.graph_name) {
                graphs.push(quad.graph_name.clone());
            }
        }
        Some(graphs)
    }

    fn each(&self, graph: &GraphName, each: &mut dyn FnMut(Quad) -> bool) -> Option<()> {
        let mut of_graph = self.0.iter().filter(|quad| quad.graph_name == *graph);
        of_graph.all(|quad| each(quad.clone()));
        Some(())
    }
}

#[test]
fn a_small_change_is_told_in_few_bytes() {
    let limits = SummaryLimits::default();
    let mut quads: Vec<_> = shops().members.concat();
    for n in 0..2_000 {
        quads.push(Quad::new(
            iri(&format!("urn:thing{n}")),
            iri("urn:is"),
            iri(&format!("urn:kind{}", n % 7)),
            GraphName::DefaultGraph,
        ));
    }
    let old = Summary::of("v".to_owned(), quads.clone(), &limits)
        .unwrap()
        .encode();
    quads.push(Quad::new(
        iri("urn:new"),
        iri("urn:is"),
        iri("urn:kind1"),
        iri("urn:news"),
    ));
    quads.push(Quad::new(
        iri("urn:thing7"),
        iri("urn:note"),
        Literal::from("broken"),
        GraphName::DefaultGraph,
    ));
    let new = Summary::of("w".to_owned(), quads, &limits).unwrap();
    let since = new.encode_since(&old).len();
    assert!(
        since * 4 < new.encode().len(),
        "{since} of {}",
        new.encode().len()
    );
}

#[test]
fn bytes_that_are_no_summary_are_refused() {
    let world = shops();
    let limits = SummaryLimits::default();
    let quads = world.members[1].clone();
    let summary = Summary::of("v".to_owned(), quads.clone(), &limits).unwrap();
    assert_eq!(summary.quads(), quads.len() as u64);
    let bytes = summary.encode();
    for end in 0..bytes.len() {
        assert!(Summary::decode(&bytes[..end], &limits).is_err(), "{end}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(
        Summary::decode(&longer, &limits),
        Err(SummaryError::Content)
    );
    let narrow = SummaryLimits {
        predicates: 2,
        ..limits
    };
    assert_eq!(Summary::decode(&bytes, &narrow), Err(SummaryError::Size));
    assert!(Summary::of("v".to_owned(), quads, &narrow).is_none());
}

proptest! {
    #![proptest_config(crate::equal::config())]

    /// Whatever the bytes, reading them ends, and takes no more memory than they do.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200), place in 0..200_usize, byte: u8) {
        let limits = SummaryLimits::default();
        drop(Summary::decode(&bytes, &limits));
        let held = Summary::of("v".to_owned(), shops().members[1].clone(), &limits).unwrap();
        let mut since = held.encode_since(&held.encode());
        if let Some(at) = since.get_mut(place) {
            *at = byte;
        }
        drop(Summary::read(&since, Some(&held), &limits));
        let mut good = Summary::of("v".to_owned(), shops().members[1].clone(), &limits).unwrap().encode();
        if let Some(at) = good.get_mut(place) {
            *at = byte;
        }
        drop(Summary::decode(&good, &limits));
    }

    /// A summary kept up by the graphs that changed is that which would be made anew, and where graphs are known in
    /// outline only, or share parts, the federated answer is the merged one all the same.
    #[test]
    fn a_summary_after_a_change_is_as_made_anew(held in crate::equal::held(), more in crate::equal::held(), detailed in 0..30_usize) {
        let limits = SummaryLimits { detailed, ..SummaryLimits::default() };
        let mut quads = crate::equal::split(&held).concat();
        let before = Summary::of("v".to_owned(), quads.clone(), &limits).unwrap();
        let more = crate::equal::split(&more).concat();
        // Some are gone, some are new.
        let (gone, new) = more.split_at(more.len() / 2);
        let mut changed: Vec<_> = new.iter().map(|quad| quad.graph_name.clone()).collect();
        changed.extend(gone.iter().chain(quads.iter().take(5)).map(|quad| quad.graph_name.clone()));
        changed.dedup();
        quads = quads.into_iter().skip(5).filter(|quad| !gone.contains(quad)).collect();
        quads.extend(new.iter().cloned());
        let anew = Summary::of("w".to_owned(), quads.clone(), &limits).unwrap();
        let after = before.after("w".to_owned(), &changed, &Shows(quads), &limits);
        prop_assert_eq!(after.unwrap().encode(), anew.encode());
    }

    /// What is new in a summary, with the one that is held, is the summary; with another one it is nothing.
    #[test]
    fn a_difference_leads_to_the_summary(held in crate::equal::held(), more in crate::equal::held()) {
        let limits = SummaryLimits::default();
        let of = |version: &str, held: &[crate::equal::Held]| {
            let quads = crate::equal::split(held).concat();
            Summary::of(version.to_owned(), quads, &limits).unwrap()
        };
        let (old, new) = (of("v", &held), of("w", &[held, more].concat()));
        let since = new.encode_since(&old.encode());
        prop_assert_eq!(Summary::read(&since, Some(&old), &limits), Ok(new.clone()));
        let whole = Summary::read(&new.encode(), Some(&old), &limits);
        prop_assert_eq!(whole, Ok(new.clone()));
        prop_assert!(Summary::read(&since, Some(&new), &limits).is_err());
        prop_assert!(Summary::read(&since, None, &limits).is_err());
        for end in 0..since.len() {
            prop_assert!(Summary::read(&since[..end], Some(&old), &limits).is_err());
        }
    }

    /// A summary in little room is coarser, and as right.
    #[test]
    fn a_coarse_summary_is_right(held in crate::equal::held(), filter_bytes in 0..64_usize, marks in 0..20_usize) {
        let members = crate::equal::split(&held);
        let limits = SummaryLimits { filter_bytes, marks, ..SummaryLimits::default() };
        for quads in &members {
            let summary = Summary::of("v".to_owned(), quads.clone(), &limits).unwrap();
            prop_assert!(summary.bytes() <= 3 * (4 * 128 + 8) + filter_bytes + marks * 4 + 1_000);
            let again = Summary::decode(&summary.encode(), &limits);
            prop_assert_eq!(again.unwrap(), summary.clone());
            // It says nothing but what is shown: not even in which order that was put there.
            let turned = quads.iter().rev().cloned();
            let turned = Summary::of("v".to_owned(), turned, &limits);
            prop_assert_eq!(turned.unwrap(), summary);
        }
    }
}

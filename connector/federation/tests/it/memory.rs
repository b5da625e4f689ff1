//! What members give is held within the memory of the question, and of all.

use crate::fakes::{Kept, PatientClock, World, conditions, delegation, iri, permit};
use futures::executor::block_on;
use oxrdf::{GraphName, Literal, Quad};
use spargebra::SparqlParser;
use std::sync::Arc;
use std::time::Duration;
use twinlink_core::{Budget, Clock, Federation, Memory, Priority, SourceState, SourceStatus};

const EACH: usize = 100;

/// Three members of whom each gives more than 400 kB, all of it once.
fn world() -> World {
    let members = (0..3).map(|member| {
        let quad = |number: usize| {
            let text = format!("{member} {number} {}", "long ".repeat(1_000));
            Quad::new(
                iri(&format!("urn:{member}:{number}")),
                iri("urn:text"),
                Literal::from(text),
                GraphName::DefaultGraph,
            )
        };
        (0..EACH).map(quad).collect()
    });
    World::new(members.collect())
}

/// How many rows there are, what became of each member, and what is reserved while they are held.
fn ask(world: &World, limit: usize, memory: &Arc<Memory>) -> (usize, Vec<SourceStatus>, usize) {
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let query = "SELECT * { ?s <urn:text> ?t }";
    let query = SparqlParser::new().parse_query(query).unwrap();
    let budget = Budget::new(clock.instant() + Duration::from_secs(30), 1_000)
        .with_memory(limit)
        .sharing(memory.share(Priority::Routine));
    let (permit, delegation, conditions) = (permit(), delegation(), conditions(None));
    let gathered = federator.gather(&query, None, &permit, &delegation, &budget, &conditions);
    let harvest = block_on(gathered).unwrap();
    let held = memory.reserved();
    let mut kept = Kept::default();
    harvest.merge.run(&budget, &mut kept).unwrap();
    // The fakes remember what they were asked, and with it the room for it.
    world.asked.lock().unwrap().clear();
    (kept.rows.solutions.len(), harvest.sources, held)
}

fn partial(sources: &[SourceStatus], word: &str) -> usize {
    let partial = sources.iter().filter(|source| {
        let reason = source.reason.as_deref().unwrap_or_default();
        source.state == SourceState::Partial && reason.contains(word)
    });
    partial.count()
}

/// INVARIANT(received-within-memory)
#[test]
fn received_within_memory() {
    let world = world();
    let memory = Memory::new(64 << 20);
    let (rows, sources, held) = ask(&world, 16 << 20, &memory);
    assert_eq!(rows, 3 * EACH);
    assert!(sources.iter().all(|source| source.state.is_settled()));
    assert!(held > 3 * EACH * 5_000, "{held}");
    assert_eq!(memory.reserved(), 0);
    // The question has room for what one of them gives, and a part of another's.
    let (rows, sources, held) = ask(&world, 900 << 10, &memory);
    assert!((EACH..3 * EACH).contains(&rows), "{rows}");
    assert!(
        partial(&sources, "921600 bytes of memory") > 0,
        "{sources:?}"
    );
    assert!(held <= 1 << 20, "{held}");
    assert_eq!(memory.reserved(), 0);
    // Others hold nearly all there is.
    let mut others = memory.share(Priority::Routine).reserve();
    others.resize((48 << 20) - (900 << 10)).unwrap();
    let (rows, sources, _) = ask(&world, 16 << 20, &memory);
    assert!((EACH..3 * EACH).contains(&rows), "{rows}");
    assert!(partial(&sources, "hold together") > 0, "{sources:?}");
    assert!(memory.most_reserved() <= 48 << 20);
    assert_eq!(memory.reserved(), others.bytes());
}

//! Summaries of members as bytes, whole and as what is new in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use std::sync::LazyLock;
use twinlink_federation::{Summary, SummaryLimits};

/// What every delta has before its steps: a byte, two digests and a length of one byte or more.
const DIGEST: usize = 8;

static HELD: LazyLock<Summary> = LazyLock::new(|| {
    let name = |text: &str| NamedNode::new_unchecked(format!("http://e/{text}"));
    let quads = (0..40).map(|n| {
        let graph = match n % 3 {
            0 => GraphName::DefaultGraph,
            n => name(&format!("g{n}")).into(),
        };
        let (subject, predicate) = (name(&format!("s{}", n % 7)), name(&format!("p{}", n % 5)));
        match n % 2 {
            0 => Quad::new(subject, predicate, name(&format!("s{}", n % 6)), graph),
            _ => Quad::new(subject, predicate, Literal::from(n), graph),
        }
    });
    Summary::of("v".to_owned(), quads, &SummaryLimits::default()).unwrap()
});

/// What can be read can be written and read again, and told in short to who holds another.
fn read(bytes: &[u8], held: Option<&Summary>) {
    let limits = SummaryLimits::default();
    let Ok(summary) = Summary::read(bytes, held, &limits) else {
        return;
    };
    assert!(summary.quads() >= 1 || summary.bytes() < bytes.len() + HELD.bytes());
    let again = Summary::read(&summary.encode(), None, &limits);
    assert!(again.as_ref() == Ok(&summary), "read again");
    let since = summary.encode_since(&HELD.encode());
    let since = Summary::read(&since, Some(&HELD), &limits);
    assert!(since.as_ref() == Ok(&summary), "read as a delta");
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    match mode % 4 {
        0 => read(rest, None),
        1 => read(rest, Some(&HELD)),
        // A delta that is of the one that is held, with any steps.
        2 => {
            let mut bytes = HELD.encode_since(&HELD.encode());
            bytes.truncate(1 + DIGEST);
            bytes.extend(rest);
            read(&bytes, Some(&HELD));
        }
        // One byte after another of a good one is changed.
        _ => {
            let mut bytes = HELD.encode();
            for change in rest.chunks_exact(3) {
                let [high, low, byte] = [change[0], change[1], change[2]];
                let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
                bytes[at] = byte;
            }
            read(&bytes, None);
        }
    }
});

use super::*;
use std::collections::BTreeSet;

fn quads(count: u32) -> Vec<IdQuad> {
    // A fixed scramble: enough to mix the orders, the same on every run.
    let quads = (0..count).map(|n| {
        let n = n.wrapping_mul(2_654_435_761);
        [n % 3, 1 + n / 3 % 40, 1 + n / 7 % 5, 1 + n / 11 % 50]
    });
    quads.collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn packing_keeps_the_quad() {
    for order in Order::ALL {
        assert_eq!(
            order.unpack(order.pack([1, 2, 3, u32::MAX])),
            [1, 2, 3, u32::MAX]
        );
    }
}

#[test]
fn every_pattern_finds_its_rows() {
    let quads = quads(5000);
    let level = Level::new(&quads, []);
    for &[g, s, p, o] in quads.iter().step_by(17) {
        for bound in 0..8 {
            let (bs, bp, bo) = (
                (bound & 1 != 0).then_some(s),
                (bound & 2 != 0).then_some(p),
                (bound & 4 != 0).then_some(o),
            );
            let matches = |q: &IdQuad| {
                bs.is_none_or(|s| s == q[1])
                    && bp.is_none_or(|p| p == q[2])
                    && bo.is_none_or(|o| o == q[3])
            };
            let mut ranges = vec![
                (Range::in_graph(g, bs, bp, bo), Some(g)),
                (Range::in_named(bs, bp, bo), None),
            ];
            if bound == 5 {
                ranges.push((Range::from_object(Some(g), s, o), Some(g)));
                ranges.push((Range::from_object(None, s, o), None));
            }
            for (range, graph) in ranges {
                let mut found = level
                    .range(range.order, range.low, range.high)
                    .iter()
                    .filter(|row| **row & range.mask == range.value)
                    .map(|row| range.order.unpack(*row))
                    .collect::<Vec<_>>();
                found.sort_unstable();
                let expected = quads
                    .iter()
                    .filter(|q| matches(q) && graph.map_or(q[0] != DEFAULT_GRAPH, |g| g == q[0]))
                    .copied()
                    .collect::<Vec<_>>();
                assert_eq!(found, expected, "{range:?}");
            }
        }
    }
}

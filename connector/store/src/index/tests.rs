use super::*;
use std::collections::BTreeSet;

/// Numbers that look random and are the same on every run.
fn scramble(n: u32) -> u32 {
    n.wrapping_mul(2_654_435_761)
        .rotate_left(13)
        .wrapping_mul(0x9E37_79B9)
}

#[test]
fn one_level_each_has_the_right_quads_after_changes_of_all_sizes() {
    let mut index = Index::default();
    let mut model = BTreeSet::new();
    let mut n = 0_u32;
    for step in 0..160_u32 {
        let size = match step % 8 {
            7 => 30_000,
            3 => 3_000,
            _ => 40,
        };
        let mut added = BTreeSet::new();
        let mut removed = BTreeSet::new();
        for _ in 0..size {
            n += 1;
            let r = scramble(n);
            let quad = [r % 3, 1 + r / 3 % 300, 1 + r / 7 % 4, 1 + r / 13 % 300];
            if model.contains(&quad) {
                removed.insert(quad);
            } else {
                added.insert(quad);
            }
        }
        for quad in &removed {
            model.remove(quad);
        }
        model.extend(added.iter().copied());
        let added = added.into_iter().collect::<Vec<_>>();
        let removed = removed.into_iter().collect::<Vec<_>>();
        index = index.apply(&added, &removed);
        assert_eq!(index.len(), model.len());
        for quad in added.iter().take(50) {
            assert!(index.contains(*quad));
        }
        for quad in removed.iter().take(50) {
            assert!(!index.contains(*quad));
        }
        if step % 20 == 19 {
            for g in 0..3 {
                let mut found = index
                    .rows(&Range::in_graph(g, None, None, None))
                    .collect::<Vec<_>>();
                found.sort_unstable();
                let expected = model
                    .iter()
                    .filter(|q| q[0] == g)
                    .copied()
                    .collect::<Vec<_>>();
                assert_eq!(found, expected);
                let found = index.rows(&Range::in_graph(g, None, Some(2), None)).count();
                assert_eq!(found, expected.iter().filter(|q| q[2] == 2).count());
            }
            let found = index.rows(&Range::in_named(Some(5), None, None)).count();
            assert_eq!(
                found,
                model.iter().filter(|q| q[0] != 0 && q[1] == 5).count()
            );
            assert_eq!(index.named_graphs(), vec![1, 2]);
        }
    }
}

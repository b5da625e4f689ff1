use super::*;

/// The definition, as it stands in RFC 9162 section 2.1.1.
fn root(leaves: &[Digest256]) -> Digest256 {
    match leaves {
        [] => Digest256::of_nothing(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Digest256::of_pair(root(left), root(right))
        }
    }
}

fn leaves(count: u64) -> Vec<Digest256> {
    (0..count)
        .map(|n| Digest256::of_leaf(&n.to_be_bytes()))
        .collect()
}

fn grown(leaves: &[Digest256], start: usize) -> Growth {
    let mut peaks = Peaks::default();
    leaves[..start].iter().for_each(|leaf| peaks.push(*leaf));
    let mut growth = Growth::from(peaks);
    for leaf in &leaves[start..] {
        growth.push(*leaf);
    }
    growth
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    // The leaves and roots that the implementations of Certificate Transparency test with.
    let leaves: [&[u8]; 8] = [
        &[],
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[
            0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
            0x6e, 0x6f,
        ],
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut peaks = Peaks::default();
    for (size, expected) in roots.iter().enumerate() {
        assert_eq!(peaks.root().to_string(), *expected, "{size} leaves");
        if let Some(leaf) = leaves.get(size) {
            peaks.push(Digest256::of_leaf(leaf));
        }
    }
}

#[test]
fn proofs_are_exact() {
    for size in 0..21_u64 {
        let all = leaves(size);
        let now = root(&all);
        for start in 0..=all.len() {
            let mut growth = grown(&all, start);
            assert_eq!(growth.peaks().root(), now);
            let before = root(&all[..start]);
            let proof = growth.consistency().unwrap();
            let old = start as u64;
            assert!(
                verify_consistency((old, before), (size, now), &proof),
                "{old} {size}"
            );
            for (at, _) in proof.iter().enumerate() {
                let mut bad = proof.clone();
                bad[at] = Digest256::of_leaf(b"other");
                assert!(!verify_consistency((old, before), (size, now), &bad));
                bad.remove(at);
                assert!(!verify_consistency((old, before), (size, now), &bad));
            }
            let longer = [proof.clone(), vec![now]].concat();
            assert!(!verify_consistency((old, before), (size, now), &longer));
            if old != size {
                assert!(!verify_consistency((old, now), (size, now), &proof));
                assert!(!verify_consistency((old + 1, before), (size, now), &proof));
            }
            for index in 0..size + 1 {
                let path = growth.inclusion(index);
                let is_provable = index >= old && index < size;
                assert_eq!(path.is_some(), is_provable);
                let Some(path) = path else { continue };
                let leaf = all[usize::try_from(index).unwrap()];
                assert!(verify_inclusion(leaf, index, size, &path, now));
                assert!(!verify_inclusion(now, index, size, &path, now) || size == 1);
                for other in 0..size {
                    assert_eq!(
                        verify_inclusion(leaf, other, size, &path, now),
                        other == index
                    );
                }
                let longer = [path.clone(), vec![now]].concat();
                assert!(!verify_inclusion(leaf, index, size, &longer, now));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!verify_inclusion(leaf, index, size, shorter, now));
                }
            }
        }
    }
}

#[test]
fn peaks_are_read_back_and_fit_their_size() {
    let growth = grown(&leaves(13), 0);
    let peaks = growth.peaks();
    let again = Peaks::new(13, peaks.digests().to_vec()).unwrap();
    assert_eq!(again, peaks);
    assert!(Peaks::new(12, peaks.digests().to_vec()).is_none());
    assert!(
        verify_inclusion(
            Digest256::of_nothing(),
            u64::MAX,
            u64::MAX,
            &[],
            peaks.root()
        )
        .eq(&false)
    );
    let text = serde_json::to_string(&peaks.digests()[0]).unwrap();
    assert_eq!(
        serde_json::from_str::<Digest256>(&text).unwrap(),
        peaks.digests()[0]
    );
    assert!(serde_json::from_str::<Digest256>("\"AAAA\"").is_err());
}

//! A connector's parts that are replaced while it serves.

use super::*;
use crate::cli::init::Blueprint;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A connector's folder as `init` makes it.
fn made(folder: &Path) -> Config {
    let blueprint = Blueprint {
        participant: NamedNode::new_unchecked("https://city.example/"),
        dataset: NamedNode::new_unchecked("https://city.example/twin"),
        listen: "127.0.0.1:0".to_owned(),
        public_url: "https://localhost:0".to_owned(),
        hosts: vec!["localhost".to_owned()],
    };
    blueprint.write(folder, false).unwrap();
    Config::load(&folder.join("twinlink.toml")).unwrap()
}

#[test]
fn whole_policies_are_in_force_or_stay_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let config = made(folder.path());
    let broken = config.policies.join("second.ttl");
    let runtime = runtime().unwrap();
    let _inside = runtime.enter();
    let node = Node::open(config.clone()).unwrap();
    let before = node.policies.current().version().to_owned();
    fs::write(&broken, "<urn:p> a <http://www.w3.org/ns/odrl/2/Set> ;").unwrap();
    let error = node.reload().unwrap_err().to_string();
    assert!(error.contains("second.ttl"), "{error}");
    assert_eq!(node.policies.current().version(), before);
    // From the start on, it stops the connector: what is not understood might have been a prohibition.
    drop(node);
    let error = Node::open(config).unwrap_err().to_string();
    assert!(error.contains("second.ttl"), "{error}");
}

#[test]
fn a_save_in_two_steps_drops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let config = made(folder.path());
    let other = tempfile::tempdir().unwrap();
    let blueprint = Blueprint {
        participant: NamedNode::new_unchecked("https://police.example/"),
        dataset: NamedNode::new_unchecked("https://police.example/twin"),
        listen: "127.0.0.1:0".to_owned(),
        public_url: "https://localhost:0".to_owned(),
        hosts: vec!["localhost".to_owned()],
    };
    blueprint.write(other.path(), false).unwrap();
    let card = fs::read_to_string(other.path().join("card.toml")).unwrap();
    let file = config.peers.join("police.toml");
    fs::write(&file, &card).unwrap();
    let runtime = runtime().unwrap();
    let _inside = runtime.enter();
    let node = Node::open(config.clone()).unwrap();
    let police = NamedNode::new_unchecked("https://police.example/");
    let knows = || !node.registry.current().keys(&police).is_empty();
    let lists = || node.remote.participants()().contains(&police);
    assert!(knows() && lists());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Saves the file again and again as some editors do: away with it, then anew; now and then half of it.
        scope.spawn(|| {
            let mut round = 0_usize;
            while !is_over.load(Ordering::SeqCst) {
                round += 1;
                fs::remove_file(&file).unwrap();
                if round.is_multiple_of(3) {
                    fs::write(&file, card.split_at(card.len() / 2).0).unwrap();
                }
                fs::write(&file, format!("{card}\n# {round}\n")).unwrap();
            }
        });
        // Two who would take it in at the same time.
        let watch = || {
            let _inside = runtime.enter();
            for _ in 0..150 {
                // What is half written is refused, once.
                let (Ok(_) | Err(_)) = node.renew(Instant::now());
                assert!(knows(), "the peer was dropped");
                assert!(lists(), "the peer is trusted, but not asked");
            }
        };
        let one = scope.spawn(watch);
        let other = scope.spawn(watch);
        let ended = [one.join(), other.join()];
        is_over.store(true, Ordering::SeqCst);
        ended.into_iter().for_each(|ended| ended.unwrap());
    });
    // And what is taken away for good goes, as soon as somebody says so.
    fs::remove_file(&file).unwrap();
    node.reload().unwrap();
    assert!(!knows() && !lists());
}

//! A connector's parts that are replaced while it serves.

use super::*;
use crate::cli::init::Blueprint;
use std::fs;

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

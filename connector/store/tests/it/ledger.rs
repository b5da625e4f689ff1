//! The ledger against a kill: what was counted stays counted.

use futures::executor::block_on;
use oxrdf::NamedNode;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use time::OffsetDateTime;
use twinlink_core::policy::{Ask, Counter, Permit, Policy, PolicySet, RdfFormat, RuleKind, Usage};
use twinlink_core::{Beginning, StateOfWorld};
use twinlink_store::Ledger;

const DIRECTORY: &str = "TWINLINK_KILL_LEDGER_DIRECTORY";

fn fire() -> NamedNode {
    NamedNode::new_unchecked("https://fire.example/")
}

fn counter() -> Counter {
    Counter {
        policy: NamedNode::new_unchecked("https://city.example/policy"),
        kind: RuleKind::Permission,
        rule: 1,
        participant: fire(),
    }
}

fn permit() -> Permit {
    let text = "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
        <https://city.example/policy> a odrl:Set ; odrl:permission [
            odrl:target <https://city.example/twin> ; odrl:action odrl:read ] .";
    let policies = Policy::parse(text, RdfFormat::Turtle, None).unwrap();
    let dataset = NamedNode::new_unchecked("https://city.example/twin");
    let ask = Ask {
        participant: fire(),
        subject: "ada".to_owned(),
        roles: Vec::new(),
        purpose: None,
        action: NamedNode::new_unchecked("http://www.w3.org/ns/odrl/2/read"),
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    };
    let set = PolicySet::compile(dataset, policies).unwrap();
    set.decide(&ask).unwrap()
}

/// Not a test of its own: the process that [`what_was_counted_survives_a_kill`] kills.
#[test]
fn child_that_counts() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let ledger = Ledger::open(directory.as_ref()).unwrap();
    let permit = permit();
    loop {
        let permit = permit.clone();
        let turn = Box::new(|_: &dyn twinlink_core::policy::World| {
            Ok(Beginning {
                permit,
                charges: vec![counter()],
                obligations: Vec::new(),
            })
        });
        let begun = block_on(ledger.begin(OffsetDateTime::now_utc(), turn)).unwrap();
        let count = begun.charged[0].1.count + 1;
        let line = format!("\ncounted {count}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

#[test]
fn what_was_counted_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut counted = 0;
    for kill_after in [1, 17, 40] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["ledger::child_that_counts", "--exact", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let Ok(line) = line else { break };
            let Some(count) = line.strip_prefix("counted ") else {
                continue;
            };
            counted = count.parse::<u64>().unwrap_or(counted);
            seen += 1;
            if seen == kill_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= kill_after, "the child ended by itself");
        let ledger = Ledger::open(directory.path()).unwrap();
        let mut usage = Usage::default();
        ledger.look(&fire(), OffsetDateTime::now_utc(), &mut |world| {
            usage = world.usage(&counter()).unwrap();
        });
        assert!(usage.count >= counted, "{} of {counted}", usage.count);
        assert!(usage.first.is_some());
    }
}

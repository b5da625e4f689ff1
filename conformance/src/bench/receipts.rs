//! What a record of use costs: requests in flight together through the connector's one way, with the log of use on disk
//! and a signed receipt each, beside the same requests with a log that keeps nothing.

use crate::embedded::{files, furnish, token};
use crate::library::Fault;
use futures::future::{BoxFuture, ready};
use oxrdf::NamedNode;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink::config::Config;
use twinlink::wire::{Node, runtime};
use twinlink_core::{
    Connector, Credentials, Intent, Recorded, Refusal, Request, UseLog, UseRecord, answer,
};
use twinlink_trust::{Authority, Identity, Receipts, verify_receipt};
use uuid::Uuid;

/// Requests in flight.
const TOGETHER: usize = 64;
/// How long each is measured.
const ROUND: Duration = Duration::from_secs(5);
/// Turns of each; the medians count.
const ROUNDS: usize = 3;
/// At least so many receipted requests a second.
const RATE: f64 = 3_000.0;
/// What a request may take longer, beside an fsync, in milliseconds.
const MORE_MS: f64 = 2.0;
/// How often an fsync is measured.
const SYNCS: usize = 200;
const QUERY: &str = "ASK { <http://e/s> <http://e/p> <http://e/o> }";

/// A log of use that keeps nothing: what the connector would be without one.
struct Forgetful;

/// Requests a second, and the median of their times in milliseconds.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    median_ms: f64,
}

pub(super) fn run() -> Result<Value, Fault> {
    let folder = tempfile::tempdir().map_err(fault)?;
    let home = folder.path();
    let id = NamedNode::new_unchecked("https://conformance.example/");
    let authority = Authority::create("conformance", OffsetDateTime::now_utc()).map_err(fault)?;
    let dataset = NamedNode::new_unchecked("https://conformance.example/twin");
    furnish(home, &id, &dataset, &authority, "")?;
    let [certificate, key, _] = files(home);
    let identity = Identity::load(&certificate, &key).map_err(fault)?;
    let credentials = Arc::new(Credentials {
        token: Some(token(&certificate, &key)?),
        certificate: Some(identity.certificate().to_vec()),
        possession: None,
        envelope: None,
        trace: None,
    });
    let fsync_ms = fsync(home)?;
    let runtime = runtime().map_err(fault)?;
    let inside = runtime.enter();
    let node = Node::open(Config::load(&home.join("twinlink.toml")).map_err(fault)?);
    let with = node.map_err(fault)?.connector();
    drop(inside);
    let without = Arc::new(forgetful(&with));
    // What is signed must be what the key verifies, or the figures are of something else.
    let receipt = runtime.block_on(once(&with, &credentials))?;
    verify_receipt(&receipt, &id, &[identity.key().public().clone()]).map_err(fault)?;
    let (mut recorded, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(runtime.block_on(measure(&without, &credentials, TOGETHER))?);
        recorded.push(runtime.block_on(measure(&with, &credentials, TOGETHER))?);
    }
    let alone = runtime.block_on(measure(&with, &credentials, 1))?;
    let alone_bare = runtime.block_on(measure(&without, &credentials, 1))?;
    let (recorded, bare) = (median(recorded), median(bare));
    let added_ms = alone.median_ms - alone_bare.median_ms;
    Ok(json!({
        "in_flight": TOGETHER,
        "receipted_per_s": recorded.rate,
        "receipted_per_s_bound": RATE,
        "without_per_s": bare.rate,
        "ratio_to_without": recorded.rate / bare.rate,
        "receipted_median_ms": recorded.median_ms,
        "without_median_ms": bare.median_ms,
        "fsync_median_ms": fsync_ms,
        "alone_median_ms": alone.median_ms,
        "alone_without_median_ms": alone_bare.median_ms,
        "alone_added_ms": added_ms,
        "alone_added_ms_bound": fsync_ms + MORE_MS,
        "alone_added_fsyncs": added_ms / fsync_ms,
        "log_alone_per_s": runtime.block_on(log_alone(home))?,
        "ok": recorded.rate >= RATE && added_ms <= fsync_ms + MORE_MS,
    }))
}

/// The same connector, but for the log.
pub(super) fn forgetful(with: &Connector) -> Connector {
    Connector {
        use_log: Arc::new(Forgetful),
        ..with.clone()
    }
}

async fn measure(
    connector: &Arc<Connector>,
    credentials: &Arc<Credentials>,
    together: usize,
) -> Result<Figures, Fault> {
    let started = Instant::now();
    let done = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..together)
        .map(|_| {
            let (connector, credentials) = (Arc::clone(connector), Arc::clone(credentials));
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let mut times = Vec::new();
                while started.elapsed() < ROUND {
                    let begun = Instant::now();
                    once(&connector, &credentials).await?;
                    times.push(begun.elapsed().as_secs_f64() * 1e3);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, Fault>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.await.map_err(fault)??);
    }
    let rate = done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    Ok(Figures {
        rate,
        median_ms: middle(times),
    })
}

/// A request through the connector's one way; gives its receipt.
async fn once(connector: &Connector, credentials: &Credentials) -> Result<String, Fault> {
    let request = Request::new(QUERY);
    let reply = answer(connector, credentials, request)
        .await
        .map_err(fault)?;
    Ok(reply.finish().await.map_err(fault)?.receipt)
}

/// Uses a second that the log takes when nothing else is done.
async fn log_alone(home: &Path) -> Result<f64, Fault> {
    let store = home.join("log-alone");
    let options = twinlink_store::EvaluationOptions::default();
    let store = twinlink_store::TwinStore::open(&store, options).map_err(fault)?;
    let [certificate, key, _] = files(home);
    let identity = Identity::load(&certificate, &key).map_err(fault)?;
    let identity = twinlink_trust::CurrentIdentity::new(identity);
    let log = Receipts::open(Arc::new(store.journal()), identity, &[]).map_err(fault)?;
    let log = Arc::new(log);
    let started = Instant::now();
    let workers: Vec<_> = (0..TOGETHER)
        .map(|_| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut uses = 0_u32;
                while started.elapsed() < ROUND {
                    let intent = log.intend(record()).await.map_err(fault)?;
                    log.complete(intent, done()).await.map_err(fault)?;
                    uses += 1;
                }
                Ok::<_, Fault>(uses)
            })
        })
        .collect();
    let mut uses = 0;
    for worker in workers {
        uses += worker.await.map_err(fault)??;
    }
    Ok(f64::from(uses) / started.elapsed().as_secs_f64())
}

/// The median of an append of 4 KiB with fsync, in the same folder.
pub(super) fn fsync(home: &Path) -> Result<f64, Fault> {
    let mut file = File::create(home.join("fsync")).map_err(fault)?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.seek(SeekFrom::End(0)).map_err(fault)?;
        file.write_all(&[7; 4096]).map_err(fault)?;
        file.sync_data().map_err(fault)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(middle(times))
}

impl UseLog for Forgetful {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        Box::pin(ready(Ok(Intent {
            record,
            sequence: 0,
        })))
    }

    fn complete<'a>(&'a self, _: Intent, _: Recorded) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(ready(Ok(String::new())))
    }
}

fn record() -> UseRecord {
    let iri = NamedNode::new_unchecked;
    let action = iri("http://www.w3.org/ns/odrl/2/read");
    UseRecord {
        participant: Some(iri("https://police.example/")),
        subject: Some("officer-7".to_owned()),
        purpose: Some(iri("https://purposes.example/emergency")),
        policies: vec![iri("https://conformance.example/policies/1")],
        policy_version: "v1".to_owned(),
        token_id: Some("token".to_owned()),
        request_digest: "ab".repeat(32),
        ..UseRecord::new(Uuid::now_v7(), OffsetDateTime::now_utc(), action)
    }
}

fn done() -> Recorded {
    Recorded {
        rows: 1,
        result_digest: "cd".repeat(32),
        complete: true,
        failed: None,
        changed_to: None,
        time: OffsetDateTime::now_utc(),
    }
}

fn median(mut all: Vec<Figures>) -> Figures {
    all.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let none = Figures {
        rate: f64::NAN,
        median_ms: f64::NAN,
    };
    all.get(all.len() / 2).copied().unwrap_or(none)
}

pub(super) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}

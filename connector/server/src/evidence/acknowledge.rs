//! What was received is acknowledged: in the background, some at a time, to each peer apart, after a restart too.

use super::Due;
use crate::peers::Remote;
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use twinlink_client::Error;
use twinlink_trust::{ACKNOWLEDGED_TOGETHER, Received};

/// The most answers of one peer that wait, and of all peers that are found in the log at the start.
pub(super) const WAITING: usize = 4096;

/// How long the first waits for others to go with it.
const GATHER: Duration = Duration::from_millis(200);

/// How long to wait after each attempt that failed; the last one again and again.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// Runs until nothing can become due any more.
pub(crate) async fn acknowledge(
    left: Vec<Due>,
    mut due: mpsc::Receiver<Due>,
    remote: Weak<Remote>,
) {
    let mut peers: HashMap<NamedNode, mpsc::Sender<Received>> = HashMap::new();
    let mut left = left.into_iter();
    loop {
        let next = match left.next() {
            Some(next) => Some(next),
            None => due.recv().await,
        };
        let Some((peer, received)) = next else { return };
        let queue = peers.entry(peer).or_insert_with_key(|peer| {
            let (sender, receiver) = mpsc::channel(WAITING);
            tokio::spawn(tell(peer.clone(), receiver, Weak::clone(&remote)));
            sender
        });
        if queue.try_send(received).is_err() {
            tracing::warn!(
                "an acknowledgement waits for our next start: its peer has not taken any for long"
            );
        }
    }
}

/// Tells one peer.
async fn tell(peer: NamedNode, mut received: mpsc::Receiver<Received>, remote: Weak<Remote>) {
    let mut together = Vec::new();
    while received.recv_many(&mut together, 1).await > 0 {
        tokio::time::sleep(GATHER).await;
        while together.len() < ACKNOWLEDGED_TOGETHER {
            let Ok(next) = received.try_recv() else { break };
            together.push(next);
        }
        try_to(&peer, std::mem::take(&mut together), &remote).await;
    }
}

/// Tries until the peer takes it or does not want it. What is left when we stop is found in the log again.
async fn try_to(peer: &NamedNode, received: Vec<Received>, remote: &Weak<Remote>) {
    let mut pauses = PAUSES.into_iter();
    let mut pause = Duration::ZERO;
    loop {
        // Not held while it pauses: it holds the store open.
        let Some(remote) = remote.upgrade() else {
            return;
        };
        let told = remote.acknowledge(peer, received.clone()).await;
        let Err(error) = told else {
            let now = OffsetDateTime::now_utc();
            let receipts = remote.evidence().receipts();
            if let Err(refusal) = receipts.delivered(peer, &received, now).await {
                tracing::warn!(peer = peer.as_str(), %refusal, "answers are acknowledged again after a restart");
            }
            return;
        };
        drop(remote);
        let may_pass = matches!(
            error,
            Error::Unreachable(_)
                | Error::Broken(_)
                | Error::TimedOut
                | Error::Unavailable(_)
                | Error::Exhausted(_)
        );
        if !may_pass {
            let count = received.len();
            tracing::warn!(peer = peer.as_str(), %error, count, "answers stay without acknowledgement");
            return;
        }
        pause = pauses.next().unwrap_or(pause);
        tokio::time::sleep(pause).await;
    }
}

//! What was received is acknowledged: in the background, some at a time, to each peer apart, and not for ever.

use super::Due;
use crate::peers::Remote;
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::mpsc;
use twinlink_client::Error;
use twinlink_trust::{ACKNOWLEDGED_TOGETHER, Received};

/// The most answers of one peer that wait: of what is dropped, reconciling tells that it lacks its acknowledgement.
const WAITING: usize = 4096;

/// How long the first waits for others to go with it.
const GATHER: Duration = Duration::from_millis(200);

/// How long to wait after each attempt that failed; after the last one it is given up.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
];

/// Runs until nothing can become due any more.
pub(crate) async fn acknowledge(mut due: mpsc::Receiver<Due>, remote: Weak<Remote>) {
    let mut peers: HashMap<NamedNode, mpsc::Sender<Received>> = HashMap::new();
    while let Some((peer, received)) = due.recv().await {
        let queue = peers.entry(peer).or_insert_with_key(|peer| {
            let (sender, receiver) = mpsc::channel(WAITING);
            tokio::spawn(tell(peer.clone(), receiver, Weak::clone(&remote)));
            sender
        });
        if queue.try_send(received).is_err() {
            tracing::warn!("an acknowledgement is dropped: its peer has not taken any for long");
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

async fn try_to(peer: &NamedNode, received: Vec<Received>, remote: &Weak<Remote>) {
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        // Not held while it pauses: it holds the store open.
        let Some(remote) = remote.upgrade() else {
            return;
        };
        let told = remote.acknowledge(peer, received.clone()).await;
        drop(remote);
        let Err(error) = told else {
            return;
        };
        let may_pass = matches!(
            error,
            Error::Unreachable(_)
                | Error::Broken(_)
                | Error::TimedOut
                | Error::Unavailable(_)
                | Error::Exhausted(_)
        );
        match pause {
            Some(pause) if may_pass => tokio::time::sleep(pause).await,
            _ => {
                let count = received.len();
                tracing::warn!(peer = peer.as_str(), %error, count, "answers stay without acknowledgement");
                return;
            }
        }
    }
}

//! What a connector looks after while it serves: files that are renewed, what is due, and signals.

use super::Node;
use crate::cli::Failure;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};
use twinlink_core::Connector;
use twinlink_trust::{Expiry, Urgency};

/// How often it is looked whether something came to be overdue.
const MINUTE: Duration = Duration::from_secs(60);

/// How often the files are looked at, and how often it is said that something must be renewed.
pub(super) const LOOK: Duration = Duration::from_secs(10);
const WARNING: Duration = Duration::from_secs(12 * 3600);

/// Takes in renewed certificates, keys, authorities, revocation lists and peers, looking so often whether their files
/// changed, and says in time what must be renewed. Never ends.
pub async fn keep_fresh(node: Arc<Node>, every: Duration) {
    let mut warned: Option<tokio::time::Instant> = None;
    loop {
        if warned.is_none_or(|at| at.elapsed() >= WARNING) {
            warn_of_expiry(&node);
            warned = Some(tokio::time::Instant::now());
        }
        let looked = blocking(&node, |node| node.renew(Instant::now())).await;
        match looked {
            Ok(false) => {}
            Ok(true) => tracing::info!("renewed certificates, lists or peers are in force"),
            Err(error) => {
                tracing::error!(%error, "a renewed set is not good: the last one stays in force")
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Resolves at Ctrl-C or SIGTERM; reloads at SIGHUP.
pub(super) fn stop_signal(node: Arc<Node>) -> Result<impl Future<Output = ()>, Failure> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => match blocking(&node, Node::reload).await {
                    Ok(()) => tracing::info!("policies, peers and certificates are read again"),
                    Err(error) => tracing::error!(%error, "nothing was reloaded"),
                },
            }
        }
    })
}

/// Does what reads files, and may wait for another that does, where it may.
async fn blocking<T: Send + 'static>(
    node: &Arc<Node>,
    work: impl FnOnce(&Node) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let node = Arc::clone(node);
    tokio::task::spawn_blocking(move || work(&node)).await?
}

fn warn_of_expiry(node: &Node) {
    let now = OffsetDateTime::now_utc();
    let own = Expiry::of_certificate(node.identity.load().facts(), now);
    for expiry in std::iter::once(own).chain(node.registry.current().expiries(now)) {
        // A list lives for days, not for years: it is late when it is over.
        let is_late = match expiry.what {
            "certificate" | "authority" => expiry.urgency() != Urgency::None,
            _ => expiry.urgency() == Urgency::Over,
        };
        if is_late {
            let participant = expiry.participant.as_str();
            tracing::warn!(
                what = expiry.what,
                participant,
                days = expiry.days,
                "must be renewed"
            );
        }
    }
}

/// Says in the log what came to be overdue, once.
pub(super) async fn warn_of_overdue(connector: Arc<Connector>) {
    let mut last = None;
    let mut minutes = tokio::time::interval(MINUTE);
    loop {
        minutes.tick().await;
        let now = connector.clock.now();
        for one in connector.world.obligations() {
            let is_new = one
                .due
                .is_some_and(|due| due <= now && last.is_none_or(|last| due > last));
            if is_new {
                tracing::warn!(id = %one.id, kind = %one.kind, participant = one.participant.as_str(), "an obligation is overdue");
            }
        }
        last = Some(now);
    }
}

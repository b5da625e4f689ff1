//! Whether the connector can do what a request needs now, check by check.
//!
//! One answer for all who ask: `/ready` at both addresses, the health service of gRPC, metrics and `doctor`. Strangers learn
//! the names of the checks that fail; why one fails is in our own log.

use futures::FutureExt;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use time::OffsetDateTime;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use twinlink_store::{Ledger, StoreError, TwinStore, room};
use twinlink_trust::{CurrentIdentity, Receipts, Registry, check_identity};

/// How often the health service is told.
const LOOK: Duration = Duration::from_secs(1);

/// Neither starting nor stopping.
const SERVING: &str = "serving";
/// The own certificate holds, by authorities and lists that are not too old.
const CERTIFICATE: &str = "certificate";
/// There is room for writes.
const DISK: &str = "disk";
/// The file of changes and of the log of use takes writes.
const LOG: &str = "log";
/// Records of use are signed and handed to it.
const RECEIPTS: &str = "receipts";
/// Uses are counted.
const LEDGER: &str = "ledger";
/// All checks: the health service knows them by these names, beside our services.
pub(crate) const CHECKS: [&str; 6] = [SERVING, CERTIFICATE, DISK, LOG, RECEIPTS, LEDGER];

/// Finds out whether something works, or says why it does not.
type Find = Box<dyn Fn() -> Result<(), String> + Send + Sync>;
/// A check, and why it fails, if it does.
pub(crate) type Found = (&'static str, Result<(), String>);

/// All that a request needs.
pub struct Readiness {
    is_serving: AtomicBool,
    checks: Vec<(&'static str, Find)>,
    health: HealthReporter,
}

impl Default for Readiness {
    /// Ready until it is told otherwise.
    fn default() -> Self {
        let health = HealthReporter::new();
        // At once: nobody else has the reporter yet.
        report(&health, &[(SERVING, Ok(()))]).now_or_never();
        Self {
            is_serving: AtomicBool::new(true),
            checks: Vec::new(),
            health,
        }
    }
}

impl Readiness {
    /// Of a connector made of these, whose store is in a folder.
    pub(crate) fn of(
        folder: PathBuf,
        (store, ledger): (Arc<TwinStore>, Arc<Ledger>),
        receipts: Arc<Receipts>,
        (identity, registry): (Arc<CurrentIdentity>, Arc<Registry>),
    ) -> Self {
        let writes = |fault: Option<StoreError>| match fault {
            Some(fault) => Err(fault.to_string()),
            None => Ok(()),
        };
        Self::default()
            .with(CERTIFICATE, move || {
                let (identity, trusted) = (identity.load(), registry.current());
                check_identity(&identity, &trusted, OffsetDateTime::now_utc())
                    .map_err(|error| error.to_string())
            })
            .with(DISK, move || {
                room(&folder).map_err(|error| error.to_string())
            })
            .with(LOG, move || writes(store.fault()))
            .with(RECEIPTS, move || match receipts.is_alive() {
                true => Ok(()),
                false => Err("the thread that signs has ended: start the program again".to_owned()),
            })
            .with(LEDGER, move || writes(ledger.fault()))
    }

    /// With one check more; its name is one of [`CHECKS`].
    #[must_use]
    pub(crate) fn with(
        mut self,
        name: &'static str,
        find: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push((name, Box::new(find)));
        self
    }

    /// Says no from now on: called before the listener closes.
    pub fn stop(&self) {
        self.is_serving.store(false, Ordering::SeqCst);
    }

    /// Every check with why it fails, if it does. Blocks: a disk may take its time.
    pub(crate) fn look(&self) -> Vec<Found> {
        let serving = match self.is_serving.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err("the connector stops".to_owned()),
        };
        let checks = self.checks.iter().map(|(name, find)| (*name, find()));
        std::iter::once((SERVING, serving)).chain(checks).collect()
    }

    /// Every check with why it fails, if it does.
    pub(crate) async fn found(self: &Arc<Self>) -> Vec<Found> {
        let this = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || this.look()).await;
        looked.unwrap_or_else(|error| vec![(SERVING, Err(error.to_string()))])
    }

    /// The names of the checks that fail: all that strangers may know.
    pub(crate) async fn lacking(self: &Arc<Self>) -> Vec<&'static str> {
        let found = self.found().await;
        names_of_failing(&found)
    }

    /// What the health service reads: kept true by [`Self::keep`].
    pub(crate) fn health(&self) -> HealthReporter {
        self.health.clone()
    }

    /// Keeps the health service true, and says in the log what changed, for as long as anybody has this.
    pub(crate) async fn keep(this: Weak<Self>) {
        let mut known: Vec<&'static str> = Vec::new();
        loop {
            let Some(readiness) = this.upgrade() else {
                return;
            };
            let (found, reporter) = (readiness.found().await, readiness.health());
            drop(readiness);
            for (name, found) in &found {
                match found {
                    Err(reason) if !known.contains(name) => {
                        tracing::warn!(check = name, reason, "the connector is not ready");
                    }
                    Ok(()) if known.contains(name) => {
                        tracing::info!(check = name, "the connector can do this again");
                    }
                    _ => {}
                }
            }
            report(&reporter, &found).await;
            known = names_of_failing(&found);
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn names_of_failing(found: &[Found]) -> Vec<&'static str> {
    let failing = found.iter().filter(|(_, found)| found.is_err());
    failing.map(|(name, _)| *name).collect()
}

/// Tells the health service: each check under its name, all of them together under our services' names and under none.
async fn report(reporter: &HealthReporter, found: &[Found]) {
    let status = |is_well| match is_well {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    };
    for (name, found) in found {
        reporter
            .set_service_status(name, status(found.is_ok()))
            .await;
    }
    let all = status(found.iter().all(|(_, found)| found.is_ok()));
    for service in SERVICES {
        reporter.set_service_status(service, all).await;
    }
}

/// The services that need all; the empty name, which is told last, is the whole server's.
const SERVICES: [&str; 4] = [
    "twinlink.v1.Connector",
    "twinlink.v1.Stewardship",
    "twinlink.v1.Evidence",
    "",
];

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("is_serving", &self.is_serving)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Request;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_server::Health;
    use tonic_health::server::HealthService;

    const PATIENCE: Duration = Duration::from_secs(30);

    async fn serves(reporter: &HealthReporter, service: &str) -> bool {
        let health = HealthService::from_health_reporter(reporter.clone());
        let service = service.to_owned();
        let answer = health.check(Request::new(HealthCheckRequest { service }));
        answer.await.unwrap().get_ref().status == ServingStatus::Serving as i32
    }

    #[tokio::test]
    async fn the_health_service_follows_what_is_there() {
        let is_full = Arc::new(AtomicBool::new(true));
        let full = Arc::clone(&is_full);
        let readiness = Readiness::default()
            .with(LEDGER, || Ok(()))
            .with(DISK, move || match full.load(Ordering::SeqCst) {
                true => Err("/home/city is full".to_owned()),
                false => Ok(()),
            });
        let readiness = Arc::new(readiness);
        assert_eq!(readiness.lacking().await, ["disk"]);
        let reporter = readiness.health();
        assert!(serves(&reporter, "twinlink.v1.Connector").await);
        let keeping = tokio::spawn(Readiness::keep(Arc::downgrade(&readiness)));
        for expected in [false, true] {
            is_full.store(!expected, Ordering::SeqCst);
            let follows = async {
                while serves(&reporter, "").await != expected {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, follows).await.unwrap();
            for service in ["twinlink.v1.Connector", "twinlink.v1.Stewardship", "disk"] {
                assert_eq!(serves(&reporter, service).await, expected, "{service}");
            }
            assert!(serves(&reporter, "ledger").await);
        }
        readiness.stop();
        assert_eq!(readiness.lacking().await, ["serving"]);
        // Nobody has it any more: then nobody keeps it.
        drop(readiness);
        tokio::time::timeout(PATIENCE, keeping)
            .await
            .unwrap()
            .unwrap();
    }
}

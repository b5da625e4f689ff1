//! Whether the connector can do what requests need: its disk, and what it says of itself.

use crate::config::Config;
use crate::readiness::CHECKS;
use crate::session::Session;
use std::net::TcpListener;
use std::time::Duration;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use twinlink_store::room;

/// The room of the disk that the store is on.
pub(super) fn disk(config: &Config) -> Result<String, String> {
    // The store's folder may be still to be made.
    let mut folders = config.store.ancestors();
    let folder = folders.find(|folder| folder.is_dir());
    let folder = folder.ok_or_else(|| format!("there is no {}", config.store.display()))?;
    room(folder).map_err(|error| error.to_string())?;
    Ok("there is room for writes".to_owned())
}

/// What the connector that runs says of itself by the health service.
pub(super) async fn ready(config: &Config, patience: Duration) -> Result<String, String> {
    if TcpListener::bind(config.listen).is_ok() {
        return Ok("the connector does not run".to_owned());
    }
    match timeout(patience, ask(config)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("it does not answer in {patience:?}")),
    }
}

async fn ask(config: &Config) -> Result<String, String> {
    let session = Session::open(config, None).map_err(|error| error.to_string())?;
    let channel = session.channel().map_err(|error| error.to_string())?;
    let mut health = HealthClient::new(channel);
    let mut lacking = Vec::new();
    for check in CHECKS {
        let service = check.to_owned();
        match health.check(HealthCheckRequest { service }).await {
            Ok(answer) if answer.get_ref().status == ServingStatus::Serving as i32 => {}
            Ok(_) => lacking.push(check),
            // A connector of an earlier version does not know it.
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => return Err(format!("it does not say: {}", status.message())),
        }
    }
    match lacking.is_empty() {
        true => Ok("the running connector is ready".to_owned()),
        false => Err(format!(
            "the running connector is not ready: {}; its log says why",
            lacking.join(", ")
        )),
    }
}

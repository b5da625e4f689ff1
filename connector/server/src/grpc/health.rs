//! Health: asked without a token, so what it may take is bounded.
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>

use crate::serve::Closing;
use crate::status::status;
use futures::future::{self, Either, select};
use futures::stream::{BoxStream, StreamExt as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_health::server::{HealthReporter, HealthService};
use twinlink_core::{Code, Refusal};

/// Who watches at a time. Others are told to ask.
const WATCHERS: usize = 64;

/// How long one watches before it has to ask anew.
const WATCH: Duration = Duration::from_secs(600);

/// The longest name of a service that is asked for.
const REQUEST_BYTES: usize = 1024;

/// Health within bounds.
pub(super) struct Bounded {
    health: HealthService,
    watchers: Arc<Semaphore>,
    time: Duration,
}

/// Tells what is reported here.
pub(super) fn server(reporter: HealthReporter) -> HealthServer<Bounded> {
    HealthServer::new(Bounded::new(reporter, WATCHERS, WATCH))
        .max_decoding_message_size(REQUEST_BYTES)
}

impl Bounded {
    fn new(reporter: HealthReporter, watchers: usize, time: Duration) -> Self {
        Self {
            health: HealthService::from_health_reporter(reporter),
            watchers: Arc::new(Semaphore::new(watchers)),
            time,
        }
    }
}

#[tonic::async_trait]
impl Health for Bounded {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.health.check(request).await
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    // INVARIANT(bounded-watching): nobody watches for longer than its time, or while the connection is to end.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let place = Arc::clone(&self.watchers).try_acquire_owned();
        let place = place.map_err(|_| {
            let detail = "too many clients watch already: use Check";
            let refusal = Refusal::new(Code::Exhausted, "limits.watching", detail);
            status(&refusal.open(), None)
        })?;
        let closing = request.extensions().get::<Closing>().cloned();
        let states = self.health.watch(request).await?.into_inner();
        let time = self.time;
        let end = async move {
            let closing = match closing {
                Some(closing) => Either::Left(closing.soon()),
                None => Either::Right(future::pending()),
            };
            select(pin!(closing), pin!(tokio::time::sleep(time))).await;
            drop(place);
        };
        Ok(Response::new(states.take_until(Box::pin(end)).boxed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_health::pb::health_client::HealthClient;

    /// INVARIANT(bounded-watching)
    #[tokio::test]
    async fn bounded_watching() {
        let server = Bounded::new(HealthReporter::new(), 3, Duration::from_millis(300));
        let mut client = HealthClient::new(HealthServer::new(server));
        let all = HealthCheckRequest::default();
        let mut watched = Vec::new();
        for _ in 0..3 {
            let mut states = client.watch(all.clone()).await.unwrap().into_inner();
            assert_eq!(states.message().await.unwrap().unwrap().status, 1);
            watched.push(states);
        }
        let refused = client.watch(all.clone()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        assert!(client.check(all.clone()).await.is_ok());
        for mut states in watched {
            assert!(states.message().await.unwrap().is_none());
        }
        assert!(client.watch(all).await.is_ok());
    }
}

//! Who can be asked: the connectors of others, and endpoints that are none.

use super::Remote;
use super::foreign::Foreign;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::sync::Arc;
use twinlink_federation::{Opened, PeerTraits, Peers, SubAnswer, SubQuery, Unanswered};

/// All members of our federation but ourselves. One that is both is asked as a connector.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) remote: Arc<Remote>,
    pub(crate) foreign: Arc<Foreign>,
}

impl Members {
    async fn ask_foreign(
        &self,
        peer: &NamedNode,
        question: &SubQuery,
    ) -> Result<SubAnswer, Unanswered> {
        let gone = || {
            Err(Unanswered::Unreachable {
                reason: "it is no member any more".to_owned(),
            })
        };
        self.foreign.ask(peer, question).await.unwrap_or_else(gone)
    }
}

impl Peers for Members {
    fn list(&self) -> Vec<NamedNode> {
        let mut all = self.remote.list();
        for name in self.foreign.list() {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    fn traits(&self, peer: &NamedNode) -> PeerTraits {
        let traits = self.foreign.traits(peer);
        traits
            .filter(|_| !self.remote.list().contains(peer))
            .unwrap_or_else(|| self.remote.traits(peer))
    }

    fn at(&self, endpoint: &NamedNode) -> Option<NamedNode> {
        if self.list().contains(endpoint) {
            return Some(endpoint.clone());
        }
        self.remote
            .at(endpoint)
            .or_else(|| self.foreign.at(endpoint))
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        Box::pin(async move {
            if self.remote.list().contains(peer) {
                return self.remote.ask(peer, question).await;
            }
            self.ask_foreign(peer, question).await
        })
    }

    fn open<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<Opened, Unanswered>> {
        Box::pin(async move {
            if self.remote.list().contains(peer) {
                return self.remote.open(peer, question).await;
            }
            // It is read as a whole: its syntax may end anywhere.
            Opened::of(self.ask_foreign(peer, question).await)
        })
    }
}

//! The federation as an engine: the first member holds the data, and each endpoint of a question is another member.

use super::{Engine, Ours, Question};
use crate::answer::Answer;
use crate::members::{Member, RealTime, Town, store};
use futures::future::BoxFuture;
use oxrdf::{NamedNode, Quad};
use std::sync::Arc;
use twinlink_core::{Limits, parse_query};
use twinlink_federation::{FederationLimits, Peers, SubAnswer, SubQuery, Unanswered};

/// Asks a federation whose members each question names.
pub(crate) struct Federated<'a>(pub(crate) &'a Ours);

impl Engine for Federated<'_> {
    fn check_query(&self, text: &str, base: &str) -> Result<(), String> {
        self.0.check_query(text, base)
    }

    fn check_update(&self, text: &str, base: &str) -> Result<(), String> {
        self.0.check_update(text, base)
    }

    fn query(&self, question: &Question) -> Result<Answer, String> {
        let limits = Limits::default();
        let query = parse_query(&question.text, Some(&question.base), &limits);
        let query = query.map_err(|refusal| refusal.to_string())?;
        let member = |quads: &Vec<Quad>| {
            Ok::<_, String>(Member {
                store: store(quads.clone(), self.0.modify())?,
                permit: Some(self.0.read().clone()),
            })
        };
        let mut members = vec![member(&question.data)?];
        let mut names = Vec::new();
        for (name, quads) in &question.services {
            members.push(member(quads)?);
            names.push(name.clone());
        }
        // What they hold is found by SERVICE only: without it the question is about the first.
        let between = |inner| -> Arc<dyn Peers> { Arc::new(Named { inner, names }) };
        let limits = FederationLimits::default();
        let town = Town::over(&members, limits, false, Arc::new(RealTime), between)?;
        town.ask(&query).map(|told| told.answer)
    }

    fn update(&self, text: &str, base: &str, data: &[Quad]) -> Result<Vec<Quad>, String> {
        self.0.update(text, base, data)
    }
}

/// Members by the names of endpoints. They hold nothing but for those who name them.
struct Named {
    inner: Arc<dyn Peers>,
    names: Vec<NamedNode>,
}

impl Peers for Named {
    fn list(&self) -> Vec<NamedNode> {
        self.inner.list()
    }

    fn at(&self, endpoint: &NamedNode) -> Option<NamedNode> {
        let number = self.names.iter().position(|name| name == endpoint)?;
        self.inner.list().get(number).cloned()
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        Box::pin(async move {
            let mut answer = self.inner.ask(peer, question).await?;
            // The question whether it can match anything of the rest.
            if question.query.starts_with("SELECT ?e0 ") {
                for value in answer
                    .rows
                    .solutions
                    .iter_mut()
                    .flat_map(|row| &mut row.values)
                {
                    *value = Some(oxrdf::Literal::from(false).into());
                }
            }
            Ok(answer)
        })
    }
}

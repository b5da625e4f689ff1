//! Members behind a broker: the answer is that over the merge of all, and nobody's word is lost or made up.

use crate::equal::{held, same, split};
use crate::fakes::{Kept, PatientClock, World, conditions, iri, participant, permit};
use crate::shapes::{PREFIXES, SHAPES};
use futures::FutureExt;
use futures::future::BoxFuture;
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use proptest::prelude::*;
use spargebra::SparqlParser;
use std::sync::Arc;
use twinlink_core::{Federation, SourceState, SourceStatus};
use twinlink_federation::{
    FederationLimits, Federator, PeerTraits, Peers, SubAnswer, SubQuery, Unanswered,
};

/// The last of three members, as the only peer of the broker.
struct Behind(Arc<World>);

/// The broker, as the only peer of the first member.
struct Broker {
    federator: Federator,
    /// Whether it speaks of the first member, which asks it.
    lies: bool,
}

impl Peers for Behind {
    fn list(&self) -> Vec<NamedNode> {
        vec![participant(2)]
    }

    fn ask<'a>(
        &'a self,
        _: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        assert_eq!(question.left_out, None);
        self.0.answer_of(2, question).boxed()
    }
}

impl Peers for Broker {
    fn list(&self) -> Vec<NamedNode> {
        vec![participant(1)]
    }

    fn traits(&self, _: &NamedNode) -> PeerTraits {
        PeerTraits {
            is_broker: true,
            ..PeerTraits::default()
        }
    }

    fn ask<'a>(
        &'a self,
        _: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        assert_eq!(question.left_out, Some(vec![participant(0)]));
        async move {
            let query = SparqlParser::new().parse_query(&question.query).unwrap();
            let (permit, dataset) = (permit(), question.dataset.as_ref());
            let (delegation, budget) = (&question.delegation, &question.budget);
            let harvest = self
                .federator
                .gather(
                    &query,
                    dataset,
                    &permit,
                    delegation,
                    budget,
                    &conditions(None),
                )
                .await
                .unwrap();
            let mut kept = Kept::default();
            harvest.merge.run(budget, &mut kept).unwrap();
            let mut beyond = harvest.sources;
            let status = beyond.remove(0);
            if self.lies {
                beyond.push(SourceStatus {
                    participant: participant(0),
                    ..status.clone()
                });
            }
            Ok(SubAnswer {
                head: kept.head.unwrap(),
                rows: kept.rows,
                status,
                beyond,
            })
        }
        .boxed()
    }
}

pub(crate) fn hierarchy(members: Vec<Vec<Quad>>, lies: bool) -> (Federator, Arc<PatientClock>) {
    let world = World {
        limits: FederationLimits {
            bindings: 4,
            ..FederationLimits::default()
        },
        ..World::new(members)
    };
    let (world, clock) = (Arc::new(world), PatientClock::new());
    let behind = Arc::new(Behind(Arc::clone(&world)));
    let broker = Broker {
        federator: world.federator_at(1, behind, &clock),
        lies,
    };
    (world.federator_at(0, Arc::new(broker), &clock), clock)
}

fn is_blank(quad: &Quad) -> bool {
    quad.subject.is_blank_node() || quad.object.is_blank_node()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hierarchy_is_the_merge_of_all(held in held()) {
        // Blank nodes have other labels here than in the model.
        let held: Vec<_> = held.into_iter().filter(|(quad, _)| !is_blank(quad)).collect();
        let members = split(&held);
        let (federator, clock) = hierarchy(members.clone(), false);
        for (query, by) in SHAPES.iter() {
            let query = format!("{PREFIXES} {query}");
            let answer = World::ask_of(&federator, &clock, &query, None).unwrap();
            same(&query, *by, &members, &answer, None);
            for row in &answer.rows.solutions {
                for source in row.sources.iter() {
                    let source = &answer.sources[usize::from(*source)];
                    prop_assert!((0..3).any(|one| participant(one) == source.participant));
                }
            }
        }
    }
}

fn quad(subject: &str, predicate: &str, object: i64) -> Quad {
    let (subject, predicate) = (
        iri(&format!("urn:{subject}")),
        iri(&format!("urn:{predicate}")),
    );
    Quad::new(
        subject,
        predicate,
        Literal::from(object),
        GraphName::DefaultGraph,
    )
}

pub(crate) fn one_each() -> Vec<Vec<Quad>> {
    (0..3)
        .map(|member| {
            vec![
                quad(&format!("s{member}"), "p", 1),
                quad("all", "q", member),
            ]
        })
        .collect()
}

#[test]
fn each_row_rests_on_whose_it_is() {
    let (federator, clock) = hierarchy(one_each(), false);
    let query = "SELECT ?s ?o { ?s <urn:p> ?x . <urn:all> <urn:q> ?o }";
    let answer = World::ask_of(&federator, &clock, query, None).unwrap();
    assert_eq!(answer.rows.solutions.len(), 9);
    for row in &answer.rows.solutions {
        let names: Vec<_> = row
            .sources
            .iter()
            .map(|source| answer.sources[usize::from(*source)].participant.clone())
            .collect();
        let values: Vec<_> = row
            .values
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        for member in 0..3 {
            let is_of = values[0] == format!("<urn:s{member}>")
                || values[1].starts_with(&format!("\"{member}\""));
            assert_eq!(
                names.contains(&participant(member)),
                is_of,
                "{values:?}: {names:?}"
            );
        }
    }
}

#[test]
fn members_speak_for_themselves() {
    let (federator, clock) = hierarchy(one_each(), true);
    let query = "SELECT ?s { ?s <urn:p> ?x }";
    let answer = World::ask_of(&federator, &clock, query, None).unwrap();
    assert_eq!(answer.rows.solutions.len(), 1);
    let states: Vec<_> = answer.sources.iter().map(|source| source.state).collect();
    assert_eq!(
        states[..2],
        [SourceState::Complete, SourceState::NotEvaluable]
    );
}

//! Members in memory: a dataset each, with switches for what can go wrong.

mod clock;
mod kept;
mod peers;

pub(crate) use clock::PatientClock;
pub(crate) use kept::Kept;
use peers::{FakePeers, answer};

use crate::merged::evaluate;
use clock::RightHere;
use oxrdf::{Dataset, NamedNode, Quad};
use oxrdfio::RdfFormat;
use spargebra::{Query, SparqlParser};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::policy::{Ask, Permit, Policy, PolicySet};
use twinlink_core::{
    Age, Applied, Budget, Change, Clock, Code, Conditions, DatasetChoice, Delegation, Evaluated,
    Explain, Explanation, Federation, Harvest, Head, Piece, Refusal, Requirement, Sink,
    SourceStatus, Twin, Workbench, Workers,
};
use twinlink_federation::{
    FederationLimits, Federator, PeerTraits, Peers, Room, Rows, SubAnswer, SubQuery, Summaries,
    Unanswered,
};

/// How a member behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    Well,
    Denies,
    Unreachable,
    Hangs,
    /// Answers the probe and hangs then.
    HangsLater,
    /// Breaks off after the first row of what is not the probe.
    Breaks,
    /// Gives one column too many.
    Lies,
    /// Gives triples that were not asked for.
    Invents,
    Panics,
}

pub(crate) fn iri(text: &str) -> NamedNode {
    NamedNode::new_unchecked(text)
}

pub(crate) fn participant(number: usize) -> NamedNode {
    iri(&format!("https://member{number}.example/"))
}

pub(crate) type Ages = Arc<Mutex<BTreeMap<usize, OffsetDateTime>>>;

/// Everything a federated question needs.
pub(crate) struct World {
    pub(crate) members: Vec<Vec<Quad>>,
    pub(crate) modes: Arc<Mutex<BTreeMap<usize, Mode>>>,
    /// What holds for peers, where they are no connectors.
    pub(crate) traits: BTreeMap<usize, PeerTraits>,
    /// The most requests that peers had at once.
    pub(crate) most: Arc<AtomicUsize>,
    pub(crate) limits: FederationLimits,
    /// When each last changed, where it tells that.
    pub(crate) ages: Ages,
    /// Where what the members show is told in short, if it is.
    pub(crate) summaries: Option<Arc<dyn Summaries>>,
    pub(crate) asked: Arc<Mutex<Vec<(usize, SubQuery)>>>,
}

/// An answer as a reader sees it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) rows: Rows,
    pub(crate) sources: Vec<SourceStatus>,
    pub(crate) unsure: Vec<String>,
    pub(crate) explanation: Option<Explanation>,
}

impl World {
    pub(crate) fn new(members: Vec<Vec<Quad>>) -> Self {
        Self {
            members,
            modes: Arc::default(),
            traits: BTreeMap::new(),
            most: Arc::default(),
            limits: FederationLimits::default(),
            ages: Ages::default(),
            summaries: None,
            asked: Arc::default(),
        }
    }

    pub(crate) fn with(self, member: usize, mode: Mode) -> Self {
        self.modes.lock().unwrap().insert(member, mode);
        self
    }

    pub(crate) fn ask(&self, query: &str) -> Answer {
        self.ask_about(query, None).unwrap()
    }

    pub(crate) fn ask_about(
        &self,
        query: &str,
        dataset: Option<&DatasetChoice>,
    ) -> Result<Answer, Refusal> {
        let clock = PatientClock::new();
        Self::ask_of(&self.federator(&clock), &clock, query, dataset)
    }

    pub(crate) fn federator(&self, clock: &Arc<PatientClock>) -> Federator {
        self.federator_by(Arc::clone(clock) as _, Arc::new(RightHere))
    }

    pub(crate) fn federator_by(
        &self,
        clock: Arc<dyn Clock>,
        workers: Arc<dyn Workers>,
    ) -> Federator {
        let federator = Federator::new(
            participant(0),
            Arc::new(FakeTwin {
                dataset: self.members[0].iter().cloned().collect(),
                modes: Arc::clone(&self.modes),
                ages: Arc::clone(&self.ages),
                asked: Arc::clone(&self.asked),
            }),
            Arc::new(FakeWorkbench),
            workers,
            Arc::new(FakePeers {
                members: self
                    .members
                    .iter()
                    .skip(1)
                    .map(|quads| quads.iter().cloned().collect())
                    .collect(),
                modes: Arc::clone(&self.modes),
                ages: Arc::clone(&self.ages),
                traits: self.traits.clone(),
                now: AtomicUsize::new(0),
                most: Arc::clone(&self.most),
                asked: Arc::clone(&self.asked),
            }),
            clock,
            self.limits,
        );
        match &self.summaries {
            Some(summaries) => federator.with_summaries(Arc::clone(summaries)),
            None => federator,
        }
    }

    /// As [`World::federator`], for another participant of these members that has peers of its own.
    pub(crate) fn federator_at(
        &self,
        member: usize,
        peers: Arc<dyn Peers>,
        clock: &Arc<PatientClock>,
    ) -> Federator {
        Federator::new(
            participant(member),
            Arc::new(FakeTwin {
                dataset: self.members[member].iter().cloned().collect(),
                modes: Arc::clone(&self.modes),
                ages: Arc::clone(&self.ages),
                asked: Arc::clone(&self.asked),
            }),
            Arc::new(FakeWorkbench),
            Arc::new(RightHere),
            peers,
            Arc::clone(clock) as _,
            self.limits,
        )
    }

    /// What a member without peers of its own answers.
    pub(crate) async fn answer_of(
        &self,
        member: usize,
        question: &SubQuery,
    ) -> Result<SubAnswer, Unanswered> {
        let dataset = self.members[member].iter().cloned().collect();
        answer(&dataset, Mode::Well, &participant(member), question).await
    }

    pub(crate) fn ask_of(
        federator: &Federator,
        clock: &Arc<PatientClock>,
        query: &str,
        dataset: Option<&DatasetChoice>,
    ) -> Result<Answer, Refusal> {
        Self::ask_under(federator, clock, query, dataset, &conditions(None))
    }

    /// As [`World::ask_of`], of a caller that requires something.
    pub(crate) fn ask_under(
        federator: &Federator,
        clock: &Arc<PatientClock>,
        query: &str,
        dataset: Option<&DatasetChoice>,
        conditions: &Conditions,
    ) -> Result<Answer, Refusal> {
        let query = SparqlParser::new().parse_query(query).unwrap();
        let budget = Budget::new(clock.instant() + Duration::from_secs(30), 1_000_000);
        let (permit, delegation) = (permit(), delegation());
        let Harvest {
            sources,
            unsure,
            explanation,
            merge,
        } = futures::executor::block_on(federator.gather(
            &query,
            dataset,
            &permit,
            &delegation,
            &budget,
            conditions,
        ))?;
        assert!(
            budget.left(clock.instant()) > Duration::ZERO,
            "gathering took all the time there was"
        );
        let mut sink = Kept::default();
        merge.run(&budget, &mut sink)?;
        Ok(Answer {
            head: sink.head.unwrap(),
            rows: sink.rows,
            sources,
            unsure,
            explanation,
        })
    }

    /// How the answer is come by, with its sources.
    pub(crate) fn explain_of(
        federator: &Federator,
        clock: &Arc<PatientClock>,
        query: &str,
        explain: Explain,
    ) -> Answer {
        let query = SparqlParser::new().parse_query(query).unwrap();
        let budget = Budget::new(clock.instant() + Duration::from_secs(30), 1_000_000);
        let (permit, delegation) = (permit(), delegation());
        let conditions = conditions(Some(explain));
        let gathered = federator.gather(&query, None, &permit, &delegation, &budget, &conditions);
        let harvest = futures::executor::block_on(gathered).unwrap();
        Answer {
            head: Head::Graph,
            rows: Rows::default(),
            sources: harvest.sources,
            unsure: harvest.unsure,
            explanation: harvest.explanation,
        }
    }

    /// As [`World::ask_of`], up to the last step.
    pub(crate) async fn gather_of(
        federator: &Federator,
        clock: &Arc<PatientClock>,
        query: &str,
    ) -> Harvest {
        let query = SparqlParser::new().parse_query(query).unwrap();
        let budget = Budget::new(clock.instant() + Duration::from_secs(30), 1_000_000);
        let (permit, delegation) = (permit(), delegation());
        let conditions = conditions(None);
        let gathered = federator.gather(&query, None, &permit, &delegation, &budget, &conditions);
        gathered.await.unwrap()
    }

    /// How many requests each member got.
    pub(crate) fn requests(&self) -> Vec<usize> {
        let asked = self.asked.lock().unwrap();
        (0..self.members.len())
            .map(|member| asked.iter().filter(|(number, _)| *number == member).count())
            .collect()
    }
}

/// Of a caller that requires nothing.
pub(crate) fn conditions(explain: Option<Explain>) -> Conditions {
    Conditions {
        require: Requirement::default(),
        age: Age::EXACT,
        explain,
    }
}

pub(crate) fn permit() -> Permit {
    let policy = "
        @prefix odrl: <http://www.w3.org/ns/odrl/2/> .
        <https://member0.example/policy/read> a odrl:Set ; odrl:permission [
            odrl:target <https://member0.example/twin> ; odrl:action odrl:read ] .";
    let policies = Policy::parse(policy, RdfFormat::Turtle, None).unwrap();
    PolicySet::compile(iri("https://member0.example/twin"), policies)
        .unwrap()
        .decide(&Ask {
            participant: participant(0),
            subject: "officer".to_owned(),
            roles: Vec::new(),
            purpose: None,
            action: iri("http://www.w3.org/ns/odrl/2/read"),
            now: "2026-11-20T12:00:00Z"
                .parse::<oxsdatatypes::DateTime>()
                .unwrap(),
        })
        .unwrap()
}

pub(crate) fn delegation() -> Delegation {
    Delegation {
        claims: std::collections::BTreeMap::new(),
        request: uuid::Uuid::nil(),
        on_behalf: Vec::new(),
        left_out: Vec::new(),
        participant: participant(0),
        subject: "officer".to_owned(),
        actors: Vec::new(),
        roles: Vec::new(),
        purpose: None,
        break_glass: None,
    }
}

fn pour(
    dataset: &Dataset,
    query: &Query,
    choice: Option<&DatasetChoice>,
    sink: &mut dyn Sink,
) -> Result<Evaluated, Refusal> {
    let (head, rows) = evaluate(dataset, query, choice)
        .map_err(|error| Refusal::about_input("sparql.evaluation", error))?;
    let count = rows.solutions.len() + rows.triples.len();
    sink.put(Piece::Head(head))?;
    for rows in rows.solutions.chunks(7) {
        sink.put(Piece::Solutions(rows.to_vec()))?;
    }
    for triples in rows.triples.chunks(7) {
        sink.put(Piece::Triples(triples.to_vec()))?;
    }
    Ok(Evaluated {
        rows: count as u64,
        ..Evaluated::default()
    })
}

struct FakeTwin {
    dataset: Dataset,
    modes: Arc<Mutex<BTreeMap<usize, Mode>>>,
    ages: Ages,
    asked: Arc<Mutex<Vec<(usize, SubQuery)>>>,
}

impl Twin for FakeTwin {
    fn evaluate(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        _: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        let question = SubQuery {
            query: query.to_string(),
            dataset: dataset.cloned(),
            delegation: delegation(),
            left_out: None,
            budget: budget.clone(),
            room: Room::of(budget),
        };
        self.asked.lock().unwrap().push((0, question));
        if self.modes.lock().unwrap().get(&0) == Some(&Mode::Hangs) {
            return Err(Refusal::new(
                Code::Timeout,
                "deadline",
                "the deadline passed",
            ));
        }
        // Looked up before: others look too while rows are taken.
        let as_of = self.ages.lock().unwrap().get(&0).copied();
        let poured = pour(&self.dataset, query, dataset, sink)?;
        Ok(Evaluated { as_of, ..poured })
    }

    fn change(
        &self,
        _: &Change,
        _: Option<&Permit>,
        _: &Permit,
        _: &Budget,
    ) -> Result<Applied, Refusal> {
        Err(Refusal::new(Code::Internal, "twin", "not asked for"))
    }
}

pub(crate) struct FakeWorkbench;

impl Workbench for FakeWorkbench {
    fn evaluate_over(
        &self,
        quads: Vec<Quad>,
        query: &Query,
        _: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        pour(&quads.into_iter().collect(), query, None, sink)
    }
}

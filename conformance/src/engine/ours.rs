//! The twin store, seen through a permit that shows and lets change everything.

use super::{Endpoint, Engine, Nowhere, Question};
use crate::answer::{Answer, Table};
use oxrdf::{Graph, GraphName, NamedNode, NamedOrBlankNode, Quad, Term, Variable};
use oxsdatatypes::DateTime;
use std::time::{Duration, Instant};
use twinlink_core::policy::{Ask, Permit, Policy, PolicyError, PolicySet, RdfFormat, owner_policy};
use twinlink_core::{
    Budget, Change, Head, Limits, Piece, Refusal, Sink, Solution, Twin as _, parse_query,
    parse_update,
};
use twinlink_store::{EvaluationOptions, TwinStore};
use twinlink_vocab::{odrl, tl};

/// The longest that one case may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks for the whole twin.
const EVERYTHING: &str = "SELECT * { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }";

/// Our engine.
#[derive(Debug)]
pub(crate) struct Ours {
    read: Permit,
    modify: Permit,
}

impl Ours {
    /// Our engine, with permits as a steward has them.
    pub(crate) fn new() -> Result<Self, String> {
        let participant = NamedNode::new_unchecked("https://conformance.example/");
        let dataset = NamedNode::new_unchecked("https://conformance.example/twin");
        let text = owner_policy(&participant, &dataset);
        let told = |errors: Vec<PolicyError>| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            errors.join("; ")
        };
        let policies = Policy::parse(&text, RdfFormat::Turtle, None).map_err(told)?;
        let set = PolicySet::compile(dataset, policies).map_err(told)?;
        let permit = |action: NamedNode| {
            let ask = Ask {
                participant: participant.clone(),
                subject: "conformance".to_owned(),
                roles: vec![tl::STEWARD.into_owned()],
                purpose: None,
                action,
                now: DateTime::now(),
            };
            let permit = set.decide(&ask).map_err(|denied| denied.to_string())?;
            if permit.guard().is_everything() {
                Ok(permit)
            } else {
                Err("the steward's permit does not show everything".to_owned())
            }
        };
        Ok(Self {
            read: permit(odrl::READ.into_owned())?,
            modify: permit(odrl::MODIFY.into_owned())?,
        })
    }

    /// Shows everything.
    pub(crate) fn read(&self) -> &Permit {
        &self.read
    }

    /// Lets everything be changed.
    pub(crate) fn modify(&self) -> &Permit {
        &self.modify
    }

    fn ask(&self, store: &TwinStore, text: &str, base: &str) -> Result<Answer, String> {
        let query = parse_query(text, Some(base), &Limits::default()).map_err(word)?;
        let mut collected = Collector::default();
        store
            .evaluate(&query, None, &self.read, &budget(), &mut collected)
            .map_err(word)?;
        collected.answer()
    }

    fn change(&self, store: &TwinStore, change: &Change) -> Result<(), String> {
        store
            .change(change, Some(&self.read), &self.modify, &budget())
            .map(drop)
            .map_err(word)
    }

    fn load(&self, data: &[Quad], options: EvaluationOptions) -> Result<TwinStore, String> {
        let store = TwinStore::in_memory(options).map_err(|error| error.to_string())?;
        self.change(&store, &Change::Insert(data.to_vec()))?;
        Ok(store)
    }
}

impl Engine for Ours {
    fn check_query(&self, text: &str, base: &str) -> Result<(), String> {
        let parsed = parse_query(text, Some(base), &Limits::default());
        parsed.map(drop).map_err(word)
    }

    fn check_update(&self, text: &str, base: &str) -> Result<(), String> {
        let parsed = parse_update(text, Some(base), &Limits::default());
        parsed.map(drop).map_err(word)
    }

    fn query(&self, question: &Question) -> Result<Answer, String> {
        let mut options = EvaluationOptions::default().with_default_service_handler(Nowhere);
        for (name, endpoint) in Endpoint::all(question)? {
            options = options.with_service_handler(name, endpoint);
        }
        let store = self.load(&question.data, options)?;
        self.ask(&store, &question.text, &question.base)
    }

    fn update(&self, text: &str, base: &str, data: &[Quad]) -> Result<Vec<Quad>, String> {
        let store = self.load(data, EvaluationOptions::default())?;
        let update = Change::Update {
            update: text.to_owned(),
            base: Some(base.to_owned()),
            using: None,
        };
        self.change(&store, &update)?;
        match self.ask(&store, EVERYTHING, base)? {
            Answer::Table(table) => quads(&table),
            _ => Err("a SELECT query gave no rows".to_owned()),
        }
    }
}

/// Takes an answer in.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    head: Option<Head>,
    rows: Vec<Vec<Option<Term>>>,
    triples: Graph,
    put: u64,
}

impl Sink for Collector {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        self.put += match &piece {
            Piece::Head(Head::Boolean(_)) => 1,
            Piece::Head(_) => 0,
            Piece::Solutions(rows) => rows.len() as u64,
            Piece::Triples(triples) => triples.len() as u64,
        };
        match piece {
            Piece::Head(head) => self.head = Some(head),
            Piece::Solutions(rows) => {
                let values = rows.into_iter().map(|Solution { values, .. }| values);
                self.rows.extend(values);
            }
            Piece::Triples(triples) => self.triples.extend(triples.iter().map(|t| t.as_ref())),
        }
        Ok(())
    }
}

impl Collector {
    /// How many rows or triples were put; for ASK one.
    pub(crate) fn rows(&self) -> u64 {
        self.put
    }

    /// The answer that was put.
    pub(crate) fn answer(self) -> Result<Answer, String> {
        match self.head {
            None => Err("an answer without a head".to_owned()),
            Some(Head::Boolean(value)) => Ok(Answer::Boolean(value)),
            Some(Head::Graph) => Ok(Answer::Graph(self.triples)),
            Some(Head::Solutions(variables)) => Ok(Answer::Table(Table {
                variables,
                rows: self.rows,
                ordered: false,
            })),
        }
    }
}

/// The quads that the rows of [`EVERYTHING`] are.
fn quads(table: &Table) -> Result<Vec<Quad>, String> {
    let place = |name: &str| {
        let is_it = |variable: &Variable| variable.as_str() == name;
        table.variables.iter().position(is_it)
    };
    let columns = ["s", "p", "o", "g"].map(place);
    let quad = |row: &Vec<Option<Term>>| {
        let [s, p, o, g] = columns.map(|place| row.get(place?).cloned().flatten());
        let subject = NamedOrBlankNode::try_from(s?).ok()?;
        let predicate = NamedNode::try_from(p?).ok()?;
        let graph = match g {
            None => GraphName::DefaultGraph,
            Some(name) => NamedOrBlankNode::try_from(name).ok()?.into(),
        };
        Some(Quad::new(subject, predicate, o?, graph))
    };
    let quads: Option<Vec<_>> = table.rows.iter().map(quad).collect();
    quads.ok_or_else(|| "a row that is no quad".to_owned())
}

fn budget() -> Budget {
    Budget::new(Instant::now() + PATIENCE, 1_000_000)
}

fn word(refusal: Refusal) -> String {
    refusal.to_string()
}

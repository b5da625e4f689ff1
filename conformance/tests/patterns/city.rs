//! A city to ask: a land register with persons, policies over it, and a world that remembers.

use oxrdf::{NamedNode, Term};
use oxsdatatypes::DateTime;
use spargebra::SparqlParser;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use twinlink_core::policy::{
    Ask, Claims, Counter, Denied, Guard, Incident, Permit, Policy, PolicySet, RdfFormat, Usage,
    World,
};
use twinlink_core::{Budget, Change, Piece, Refusal, Sink};
use twinlink_store::{EvaluationOptions, TwinStore};

const PREFIXES: &str = "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <https://w3id.org/twinlink/ns#> .
    @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
    @prefix : <http://e/> . ";

const DATA: &str = "
    :parcel1 a :Parcel ; :owner :jan ; :size 120 ; :region :north .
    :parcel2 a :Parcel ; :owner :jan ; :size 80 ; :region :south .
    :parcel3 a :Parcel ; :owner :els ; :size 95 ; :region :south .
    :jan a :Person ; :name 'Jan' ; :number '111' ; :district :oost ; :income 20 .
    :els a :Person ; :name 'Els' ; :number '222' ; :district :oost ; :income 30 .
    :ali a :Person ; :name 'Ali' ; :number '333' ; :district :oost ; :income 40 .
    :eva a :Person ; :name 'Eva' ; :number '444' ; :district :west ; :income 50 .
    :tom a :Person ; :name 'Tom' ; :number '555' ; :district :west ; :income 60 .
    :ann a :Person ; :name 'Ann' ; :number '666' ; :district :zuid ; :income 99 .";

/// What the policies decide by beside the request.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) used: Vec<DateTime>,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) performed: BTreeMap<NamedNode, DateTime>,
    pub(crate) has_violations: bool,
    pub(crate) claims: Claims,
}

impl World for State {
    fn usage(&self, _: &Counter) -> Option<Usage> {
        Some(Usage {
            count: self.used.len() as u64,
            first: self.used.first().copied(),
            last: self.used.last().copied(),
            metered: Duration::ZERO,
        })
    }

    fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    fn has_violations(&self, _: &NamedNode) -> bool {
        self.has_violations
    }

    fn performed(&self, _: &NamedNode, action: &NamedNode) -> Option<DateTime> {
        self.performed.get(action).copied()
    }

    fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// The city's twin under these policies.
pub(crate) struct City {
    twin: TwinStore,
    policies: PolicySet,
}

impl City {
    /// Under a set of these rules, in which prohibitions win.
    pub(crate) fn under(rules: &str) -> Self {
        Self::governed_by(&format!(
            ":policy a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:conflict odrl:prohibit ; {rules} ."
        ))
    }

    pub(crate) fn governed_by(text: &str) -> Self {
        let policies = Policy::parse(&format!("{PREFIXES}{text}"), RdfFormat::Turtle, None);
        let policies = policies.unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
        let policies = PolicySet::compile(e("twin"), policies).unwrap();
        let options = EvaluationOptions::default().with_pseudonym_key(&[7; 32]);
        let twin = TwinStore::in_memory(options).unwrap();
        let change = Change::Update {
            update: format!("PREFIX : <http://e/> INSERT DATA {{ {DATA} }}"),
            base: None,
            using: None,
        };
        let everything = Guard::everything();
        twin.apply(&change, Some(&everything), &everything, &budget())
            .unwrap();
        Self { twin, policies }
    }

    pub(crate) fn decide(&self, ask: &Ask, state: &State) -> Result<Permit, Denied> {
        self.policies.decide_in(ask, state)
    }

    /// The rows of the answer, sorted; none where there is no permit.
    pub(crate) fn rows(&self, ask: &Ask, state: &State, query: &str) -> Option<Vec<String>> {
        let permit = self.decide(ask, state).ok()?;
        let query = SparqlParser::new().parse_query(&format!(
            "PREFIX : <http://e/> PREFIX tl: <https://w3id.org/twinlink/ns#> {query}"
        ));
        let mut rows = Rows::default();
        let (query, guard) = (query.unwrap(), permit.guard());
        self.twin
            .query(&query, None, guard, &budget(), &mut rows)
            .unwrap();
        rows.0.sort();
        Some(rows.0)
    }

    /// Whether the caller is told the name of Jan.
    pub(crate) fn tells(&self, ask: &Ask, state: &State) -> bool {
        match self
            .rows(ask, state, "SELECT ?n { :jan :name ?n }")
            .as_deref()
        {
            None | Some([]) => false,
            Some([name]) if name == "\"Jan\"" => true,
            other => panic!("{other:?}"),
        }
    }
}

#[derive(Default)]
struct Rows(Vec<String>);

impl Sink for Rows {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        if let Piece::Solutions(rows) = piece {
            let text = |term: &Option<Term>| match term {
                Some(Term::NamedNode(node)) => node.as_str().replace("http://e/", ":"),
                Some(Term::Literal(literal)) if literal.datatype() != oxrdf::vocab::xsd::STRING => {
                    literal.value().to_owned()
                }
                Some(term) => term.to_string(),
                None => "-".to_owned(),
            };
            let row = |row: twinlink_core::Solution| {
                row.values.iter().map(text).collect::<Vec<_>>().join(" ")
            };
            self.0.extend(rows.into_iter().map(row));
        }
        Ok(())
    }
}

fn budget() -> Budget {
    Budget::new(Instant::now() + Duration::from_secs(120), 100_000)
}

pub(crate) fn e(name: &str) -> NamedNode {
    NamedNode::new(format!("http://e/{name}")).unwrap()
}

pub(crate) fn odrl(name: &str) -> NamedNode {
    NamedNode::new(format!("http://www.w3.org/ns/odrl/2/{name}")).unwrap()
}

/// An hour of 20 November 2026.
pub(crate) fn at(hour: u32) -> DateTime {
    format!("2026-11-20T{hour:02}:00:00Z").parse().unwrap()
}

/// `:fire` asks to read, at noon, with no role and no purpose.
pub(crate) fn ask() -> Ask {
    Ask {
        participant: e("fire"),
        subject: "officer 1".to_owned(),
        roles: Vec::new(),
        purpose: None,
        action: odrl("read"),
        now: at(12),
    }
}

/// A permission to read all, with more to it.
pub(crate) fn permission(more: &str) -> String {
    format!("odrl:permission [ odrl:action odrl:read ; odrl:target :twin ; {more} ]")
}

/// A part of the twin.
pub(crate) fn part(refinements: &[String]) -> String {
    format!(
        "[ a odrl:AssetCollection ; odrl:source :twin ; odrl:refinement {} ]",
        refinements.join(" , ")
    )
}

pub(crate) fn by(left: &str, operator: &str, right: &str) -> String {
    format!(
        "[ odrl:leftOperand {left} ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
    )
}

pub(crate) fn only(left: &str, operator: &str, right: &str) -> String {
    format!("odrl:constraint {}", by(left, operator, right))
}

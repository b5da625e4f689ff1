//! What all tests write and ask.

use oxrdf::{Graph, Triple};
use oxrdfio::{RdfFormat, RdfParser};
use twinlink_policy::report::{Deontic, DutyReading, Evaluator, Request, World};

const PREFIXES: &str = "
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix cr: <https://w3id.org/force/compliance-report#> .
@prefix sotw: <https://w3id.org/force/sotw#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix tl: <https://w3id.org/twinlink/ns#> .
@prefix dpv: <https://w3id.org/dpv#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix ex: <http://example.org/> .
";

/// It is noon of 20 November 2026.
pub(crate) const NOON: &str = "ex:now sotw:currentTime \"2026-11-20T12:00:00Z\"^^xsd:dateTime . ";

/// Alice asks to read x, under circumstances.
pub(crate) fn asking(circumstances: &str) -> String {
    format!(
        "ex:request a odrl:Request ; odrl:permission ex:asked .
         ex:asked odrl:assignee ex:alice ; odrl:action odrl:read ; odrl:target ex:x {circumstances} ."
    )
}

pub(crate) fn graph(text: &str) -> Graph {
    let text = format!("{PREFIXES}{text}");
    let quads = RdfParser::from_format(RdfFormat::Turtle).for_slice(&text);
    quads
        .map(|quad| Triple::from(quad.unwrap_or_else(|error| panic!("{error}\n{text}"))))
        .collect()
}

/// A world in which a request is made.
pub(crate) struct Case {
    evaluator: Evaluator,
    request: Request,
    world: World,
}

pub(crate) fn case(policies: &str, request: &str, state: &str) -> Case {
    let lines = |errors: Vec<twinlink_policy::PolicyError>| -> String {
        errors.iter().map(|error| format!("{error}\n")).collect()
    };
    Case {
        evaluator: Evaluator::read(&graph(policies)).unwrap_or_else(|e| panic!("{}", lines(e))),
        request: Request::read(&graph(request)).unwrap_or_else(|e| panic!("{}", lines(e))),
        world: World::read(&graph(&format!("{NOON}{state}"))),
    }
}

impl Case {
    pub(crate) fn in_the_end(self) -> Self {
        let evaluator = self.evaluator.with_duties(DutyReading::InTheEnd);
        Self { evaluator, ..self }
    }

    pub(crate) fn is_permitted(&self) -> bool {
        self.evaluator
            .evaluate(&self.request, &self.world)
            .is_permitted()
    }

    pub(crate) fn report(&self) -> Graph {
        self.evaluator
            .evaluate(&self.request, &self.world)
            .to_graph()
    }

    /// Whether the rule is active.
    pub(crate) fn is_active(&self, rule: &str) -> bool {
        self.of(rule, |rule| rule.is_active())
    }

    pub(crate) fn deontic(&self, rule: &str) -> Option<Deontic> {
        self.of(rule, |rule| rule.deontic())
    }

    pub(crate) fn has_violation(&self, rule: &str) -> bool {
        self.of(rule, |rule| rule.has_violation())
    }

    fn of<T>(&self, rule: &str, take: fn(&twinlink_policy::report::RuleReport<'_>) -> T) -> T {
        let report = self.evaluator.evaluate(&self.request, &self.world);
        let name = format!("<http://example.org/{rule}>");
        let mut rules = report.policies().iter().flat_map(|policy| policy.rules());
        let rule = rules.find(|report| report.rule().to_string() == name);
        take(rule.unwrap_or_else(|| panic!("no report on {name}")))
    }
}

/// Whether a permission to read x holds under a constraint.
pub(crate) fn holds(constraint: &str, request: &str, state: &str) -> bool {
    let policy = format!(
        "ex:p a odrl:Set ; odrl:permission ex:rule .
         ex:rule odrl:action odrl:read ; odrl:target ex:x ; odrl:constraint [ {constraint} ] ."
    );
    case(&policy, &asking(request), state).is_active("rule")
}

/// Whether a prohibition to read x applies under a constraint.
pub(crate) fn prohibits(constraint: &str, request: &str, state: &str) -> bool {
    let policy = format!(
        "ex:p a odrl:Set ; odrl:prohibition ex:rule .
         ex:rule odrl:action odrl:read ; odrl:target ex:x ; odrl:constraint [ {constraint} ] ."
    );
    case(&policy, &asking(request), state).is_active("rule")
}

pub(crate) fn refused(policies: &str) -> String {
    let Err(errors) = Evaluator::read(&graph(policies)) else {
        panic!("not refused: {policies}");
    };
    errors.iter().map(|error| format!("{error}\n")).collect()
}

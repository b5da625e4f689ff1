//! The three ways in which the suite's authors compare a report with the expected one.

use crate::canonical::canonical;
use crate::compare::same_lines;
use oxrdf::vocab::rdf;
use oxrdf::{
    BlankNode, Graph, GraphName, NamedNode, NamedNodeRef, NamedOrBlankNode, Quad, Term, TermRef,
    Triple,
};
use std::collections::{HashMap, HashSet};
use twinlink_vocab::compliance_report as cr;

/// The classes of reports whose states are compared.
const STATED: [NamedNodeRef<'static>; 4] = [
    cr::TARGET_REPORT,
    cr::ACTION_REPORT,
    cr::PARTY_REPORT,
    cr::CONSTRAINT_REPORT,
];

/// The report that a case expects: what can be reached from it.
#[derive(Debug)]
pub(super) struct Expected {
    graph: Graph,
    /// Premises it names and does not describe.
    missing: usize,
    /// Premises that are described, and which it does not name.
    unnamed: usize,
}

impl Expected {
    pub(super) fn read(graph: &Graph, root: &NamedNode) -> Self {
        let mut reached = Graph::new();
        let mut seen = HashSet::new();
        let mut open = vec![root.clone()];
        while let Some(next) = open.pop() {
            if !seen.insert(next.clone()) {
                continue;
            }
            for triple in graph.triples_for_subject(&next) {
                reached.insert(triple);
                if let TermRef::NamedNode(object) = triple.object {
                    open.push(object.into_owned());
                }
            }
        }
        let premises = reached.triples_for_predicate(cr::PREMISE_REPORT);
        let missing = premises.filter(|triple| match triple.object {
            TermRef::NamedNode(name) => reached.triples_for_subject(name).next().is_none(),
            _ => false,
        });
        let missing = missing.count();
        let reports = |graph: &Graph| states(graph).values().map(Vec::len).sum::<usize>();
        Self {
            missing,
            unnamed: reports(graph) - reports(&reached),
            graph: reached,
        }
    }

    /// Whether each metric holds, or how not.
    pub(super) fn compare(&self, actual: &Graph) -> [Result<(), String>; 3] {
        let activation = self.activation(actual);
        let satisfaction = activation.clone().and_then(|()| self.satisfaction(actual));
        let explained = |outcome: Result<(), String>| outcome.map_err(|why| self.explained(why));
        let isomorphic = self.isomorphic(actual);
        [activation, explained(satisfaction), explained(isomorphic)]
    }

    /// Why no report can be as the expected one, where that is so.
    fn explained(&self, reason: String) -> String {
        match (self.missing, self.unnamed) {
            (0, _) => reason,
            (missing, unnamed) => format!(
                "no report that describes its premises can be as the expected one: that names {missing} that nothing describes, \
                 and beside it {unnamed} are described that nothing names"
            ),
        }
    }

    /// Whether the one rule report is about the same rule and request, and in the same state.
    fn activation(&self, actual: &Graph) -> Result<(), String> {
        let (expected_rule, actual_rule) = (rule_report(&self.graph)?, rule_report(actual)?);
        for property in [
            cr::ACTIVATION_STATE,
            cr::ATTEMPT_STATE,
            cr::RULE_REQUEST,
            cr::RULE,
        ] {
            let expected = one(&self.graph, &expected_rule, property)?;
            let actual = one(actual, &actual_rule, property)?;
            if expected != actual {
                return Err(format!("expected {property} {expected}, got {actual}"));
            }
        }
        Ok(())
    }

    /// Whether there are as many reports on premises and constraints, each in the same state.
    fn satisfaction(&self, actual: &Graph) -> Result<(), String> {
        let (expected, actual) = (states(&self.graph), states(actual));
        let count = |states: &States| states.values().map(Vec::len).sum::<usize>();
        if count(&expected) != count(&actual) {
            let (expected, actual) = (count(&expected), count(&actual));
            return Err(format!("expected {expected} premises, got {actual}"));
        }
        for (key, expected) in &expected {
            if actual.get(key) != Some(expected) {
                let actual = actual.get(key);
                return Err(format!(
                    "expected {key:?} to be {expected:?}, got {actual:?}"
                ));
            }
        }
        Ok(())
    }

    /// Whether the graphs are the same, up to the names of all that is described in them.
    fn isomorphic(&self, actual: &Graph) -> Result<(), String> {
        same_lines(&unnamed(&self.graph)?, &unnamed(actual)?)
    }
}

/// By the class of a report and the constraint it is about: the states.
type States = HashMap<(Term, Option<Term>), Vec<Option<Term>>>;

fn states(graph: &Graph) -> States {
    let mut states = States::new();
    for class in STATED {
        for report in graph.subjects_for_predicate_object(rdf::TYPE, class) {
            let value = |property: NamedNodeRef<'_>| {
                let value = graph.object_for_subject_predicate(report, property);
                value.map(TermRef::into_owned)
            };
            let key = (class.into_owned().into(), value(cr::CONSTRAINT));
            states
                .entry(key)
                .or_default()
                .push(value(cr::SATISFACTION_STATE));
        }
    }
    for found in states.values_mut() {
        found.sort_by_key(|state| state.as_ref().map(ToString::to_string));
    }
    states
}

fn rule_report(graph: &Graph) -> Result<NamedOrBlankNode, String> {
    let mut reports = graph.triples_for_predicate(cr::RULE_REPORT);
    match (reports.next().map(|triple| triple.object), reports.next()) {
        (Some(TermRef::NamedNode(name)), None) => Ok(name.into_owned().into()),
        (Some(TermRef::BlankNode(blank)), None) => Ok(blank.into_owned().into()),
        _ => Err("not one rule report".to_owned()),
    }
}

fn one(graph: &Graph, node: &NamedOrBlankNode, property: NamedNodeRef<'_>) -> Result<Term, String> {
    let mut values = graph.objects_for_subject_predicate(node, property);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.into_owned()),
        _ => Err(format!("not one {property}")),
    }
}

/// The canonical form of the graph in which all subjects are blank nodes.
fn unnamed(graph: &Graph) -> Result<String, String> {
    let mut names: HashMap<NamedOrBlankNode, BlankNode> = HashMap::new();
    for triple in graph {
        names.entry(triple.subject.into_owned()).or_default();
    }
    let name = |term: Term| {
        match &term {
            Term::NamedNode(node) => names.get(&NamedOrBlankNode::from(node.clone())),
            Term::BlankNode(node) => names.get(&NamedOrBlankNode::from(node.clone())),
            Term::Literal(_) => None,
        }
        .map_or(term.clone(), |blank| blank.clone().into())
    };
    let quads = graph.iter().map(|triple| {
        let Triple {
            subject,
            predicate,
            object,
        } = triple.into_owned();
        let subject = names
            .get(&subject)
            .map_or(subject.clone(), |blank| blank.clone().into());
        Quad::new(subject, predicate, name(object), GraphName::DefaultGraph)
    });
    canonical(quads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdfio::{RdfFormat, RdfParser};

    fn graph(text: &str) -> Graph {
        let text = format!(
            "@prefix cr: <https://w3id.org/force/compliance-report#> . @prefix ex: <http://example.org/> . {text}"
        );
        let quads = RdfParser::from_format(RdfFormat::Turtle).for_slice(&text);
        quads.map(|quad| Triple::from(quad.unwrap())).collect()
    }

    fn report(state: &str, satisfied: &str, name: &str) -> Graph {
        graph(&format!(
            "ex:{name} cr:ruleReport ex:{name}r . ex:{name}r cr:rule ex:rule ; cr:ruleRequest ex:ask ;
               cr:attemptState cr:Attempted ; cr:activationState cr:{state} ; cr:premiseReport ex:{name}p .
             ex:{name}p a cr:PartyReport ; cr:satisfactionState cr:{satisfied} ."
        ))
    }

    fn compare(actual: &Graph) -> [bool; 3] {
        let root = NamedNode::new_unchecked("http://example.org/a");
        let expected = Expected::read(&report("Active", "Satisfied", "a"), &root);
        expected.compare(actual).map(|outcome| outcome.is_ok())
    }

    #[test]
    fn names_of_reports_do_not_count() {
        assert_eq!(compare(&report("Active", "Satisfied", "b")), [true; 3]);
    }

    #[test]
    fn states_count() {
        let other = report("Active", "Unsatisfied", "b");
        assert_eq!(compare(&other), [true, false, false]);
        let other = report("Inactive", "Satisfied", "b");
        assert_eq!(compare(&other), [false, false, false]);
    }

    #[test]
    fn a_premise_that_nothing_describes_is_told() {
        let mut file = report("Active", "Satisfied", "a");
        let link = graph("ex:ar cr:premiseReport ex:ap .");
        link.iter().for_each(|triple| {
            file.remove(triple);
        });
        file.extend(&graph("ex:ar cr:premiseReport ex:nowhere ."));
        let root = NamedNode::new_unchecked("http://example.org/a");
        let expected = Expected::read(&file, &root);
        let actual = report("Active", "Satisfied", "b");
        let [activation, satisfaction, isomorphic] = expected.compare(&actual);
        assert!(activation.is_ok());
        for outcome in [satisfaction, isomorphic] {
            let why = outcome.unwrap_err();
            assert!(
                why.contains("names 1 that nothing describes, and beside it 1"),
                "{why}"
            );
        }
    }

    #[test]
    fn a_premise_too_many_counts() {
        let mut other = report("Active", "Satisfied", "b");
        other.extend(&graph(
            "ex:x a cr:TargetReport ; cr:satisfactionState cr:Satisfied .",
        ));
        assert_eq!(compare(&other), [true, false, false]);
    }
}

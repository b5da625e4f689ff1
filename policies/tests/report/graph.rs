//! The report as RDF.

use crate::support::{asking, case, graph};
use oxrdf::graph::CanonicalizationAlgorithm;
use oxrdf::{Graph, TermRef};

fn same(mut one: Graph, mut other: Graph) {
    one.canonicalize(CanonicalizationAlgorithm::Unstable);
    other.canonicalize(CanonicalizationAlgorithm::Unstable);
    let lines = |graph: &Graph| {
        let mut lines: Vec<_> = graph.iter().map(|triple| triple.to_string()).collect();
        lines.sort();
        lines.join("\n")
    };
    assert_eq!(lines(&one), lines(&other));
}

#[test]
fn each_premise_is_told() {
    let policy = "ex:p a odrl:Set ; odrl:permission ex:rule .
        ex:rule odrl:assignee ex:alice ; odrl:target ex:y ; odrl:action
            [ rdf:value odrl:read ; odrl:refinement ex:unknown ] ; odrl:constraint ex:both .
        ex:unknown odrl:leftOperand odrl:language ; odrl:operator odrl:eq ; odrl:rightOperand \"nl\" .
        ex:both odrl:and ex:early, ex:late .
        ex:early odrl:leftOperand odrl:dateTime ; odrl:operator odrl:gt ; odrl:rightOperand \"2026-01-01T00:00:00Z\"^^xsd:dateTime .
        ex:late odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; odrl:rightOperand \"2026-06-01T00:00:00Z\"^^xsd:dateTime .";
    let expected = "[] a cr:PolicyReport ; dcterms:created \"2026-11-20T12:00:00Z\"^^xsd:dateTime ;
        cr:policy ex:p ; cr:policyRequest ex:request ; cr:ruleReport [
          a cr:PermissionReport ; cr:rule ex:rule ; cr:ruleRequest ex:asked ; cr:attemptState cr:Attempted ;
          cr:activationState cr:Inactive ; cr:premiseReport
            [ a cr:PartyReport ; cr:satisfactionState cr:Satisfied ],
            [ a cr:TargetReport ; cr:satisfactionState cr:Unsatisfied ],
            [ a cr:ActionReport ; cr:satisfactionState cr:Unknown ; cr:premiseReport
                [ a cr:ConstraintReport ; cr:constraint ex:unknown ; cr:satisfactionState cr:Unknown ] ],
            [ a cr:ConstraintReport ; cr:constraint ex:both ; cr:constraintLogicalOperand odrl:and ;
              cr:satisfactionState cr:Unsatisfied ; cr:premiseReport
                [ a cr:ConstraintReport ; cr:constraint ex:early ; cr:satisfactionState cr:Satisfied ;
                  cr:constraintLeftOperand \"2026-11-20T12:00:00Z\"^^xsd:dateTime ; cr:constraintOperator odrl:gt ;
                  cr:constraintRightOperand \"2026-01-01T00:00:00Z\"^^xsd:dateTime ],
                [ a cr:ConstraintReport ; cr:constraint ex:late ; cr:satisfactionState cr:Unsatisfied ;
                  cr:constraintLeftOperand \"2026-11-20T12:00:00Z\"^^xsd:dateTime ] ] ] .";
    same(case(policy, &asking(""), "").report(), graph(expected));
}

#[test]
fn conditions_are_told() {
    let policy = "ex:p a odrl:Set ; odrl:permission ex:rule .
        ex:rule odrl:action odrl:read ; odrl:duty ex:duty . ex:duty odrl:action odrl:inform .";
    let expected = |condition: &str| {
        graph(&format!(
            "[] a cr:PolicyReport ; dcterms:created \"2026-11-20T12:00:00Z\"^^xsd:dateTime ;
             cr:policy ex:p ; cr:policyRequest ex:request ; cr:ruleReport [
               a cr:PermissionReport ; cr:rule ex:rule ; cr:ruleRequest ex:asked ; cr:attemptState cr:Attempted ;
               cr:premiseReport [ a cr:ActionReport ; cr:satisfactionState cr:Satisfied ] ; {condition} ] ."
        ))
    };
    let found = expected(
        "cr:activationState cr:Inactive ; cr:conditionReport [ a cr:DutyReport ; cr:rule ex:duty ;
           cr:activationState cr:Active ; cr:performanceState cr:Unknown ; cr:deonticState cr:NonSet ]",
    );
    same(case(policy, &asking(""), "").report(), found);
    let reported = "ex:earlier a cr:DutyReport ; cr:rule ex:duty ; cr:deonticState cr:Fulfilled .";
    let linked = expected("cr:activationState cr:Active ; cr:conditionReport ex:earlier");
    same(case(policy, &asking(""), reported).report(), linked);
}

#[test]
fn each_use_that_is_asked_for_is_told() {
    let policy = "ex:p a odrl:Set ; odrl:permission ex:rule . ex:rule odrl:action odrl:read .";
    let request = "ex:request a odrl:Request ; odrl:permission ex:one, ex:two .
        ex:one odrl:action odrl:read . ex:two odrl:action odrl:sell .";
    let case = case(policy, request, "");
    assert!(!case.is_permitted());
    let report = case.report();
    let active = graph("ex:a ex:b cr:Active .");
    let active = active
        .iter()
        .next()
        .map(|triple| triple.object.into_owned())
        .unwrap();
    let count = report
        .iter()
        .filter(|triple| triple.object == TermRef::from(&active));
    assert_eq!(count.count(), 1);
}

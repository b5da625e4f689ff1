//! SPARQL 1.1 Query over data that three members hold: the federated answer is that of oxigraph's engine over the whole.
//!
//! Quads that share a blank node stay at one member, because a blank node cannot be shared: so nothing needs to be
//! skipped on account of them.

use crate::chance::Chance;
use crate::compare::same_answer;
use crate::engine::{Engine as _, Ours, Question, Reference};
use crate::library::{Fault, Library};
use crate::manifest::{Case, Manifest, Take, mf};
use crate::members::{Member, Told, ask, deep, store, stream};
use crate::order::in_order;
use crate::report::{Report, Verdict};
use crate::sparql;
use oxrdf::{GraphName, NamedOrBlankNode, Quad, Term};
use spargebra::Query;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use twinlink_core::{Limits, parse_query};
use twinlink_federation::FederationLimits;

/// How many members there are.
const MEMBERS: usize = 3;

/// How the quads are dealt out.
#[derive(Debug, Clone, Copy)]
enum Split {
    /// Each to a member by chance.
    Random,
    /// Those of a subject to one member.
    BySubject,
    /// Each to one, two or all members.
    Replicated,
}

const SPLITS: [(Split, &str); 3] = [
    (Split::Random, "random"),
    (Split::BySubject, "by subject"),
    (Split::Replicated, "replicated"),
];

/// Runs all cases about answers of some manifests, each with every split.
pub(crate) fn run(
    suite: &'static str,
    library: &Library,
    manifests: &[&str],
) -> Result<Report, Fault> {
    let Some(manifest) = Manifest::load(library, manifests, Take::Entries)? else {
        return Ok(Report::not_found(suite));
    };
    let steward = Ours::new().map_err(Fault::Target)?;
    let mut cases = Vec::new();
    for case in manifest.cases() {
        if !matches!(
            case.kind.as_str(),
            "QueryEvaluationTest" | "CSVResultFormatTest"
        ) {
            continue;
        }
        let question = question(library, &manifest, case)?;
        let verdicts = deep(|| judge(&question, &case.id, &steward)).map_err(Fault::Target)?;
        for ((_, split), verdict) in SPLITS.iter().zip(verdicts) {
            cases.push((format!("{} ({split})", case.id), verdict));
        }
    }
    Ok(Report::of(suite, cases))
}

fn question(library: &Library, manifest: &Manifest, case: &Case) -> Result<Question, Fault> {
    let action = manifest.start(case).need(&mf("action"))?;
    sparql::question(library, &action)
}

fn judge(question: &Question, id: &str, steward: &Ours) -> Vec<Verdict> {
    let whole = catch_unwind(|| Reference.query(question));
    let whole = match whole.unwrap_or_else(|_| Err("panicked".to_owned())) {
        Ok(whole) => whole,
        Err(reason) => {
            let reason = format!("oxigraph's own engine fails it: {reason}");
            return SPLITS.map(|_| Verdict::Skipped(reason.clone())).into();
        }
    };
    let judged = SPLITS.iter().map(|(split, _)| {
        let mut chance = Chance::new(id.bytes().map(u64::from).sum());
        let held = || {
            let query = parse(question)?;
            let members = members(&question.data, *split, &mut chance, steward)?;
            let limits = FederationLimits::default();
            let asked: [&dyn Fn() -> Result<Told, String>; 3] = [
                &|| ask(&members, &query, limits, false),
                &|| ask(&members, &query, limits, true),
                // Rows may leave as they come.
                &|| Ok(stream(&members, &query, limits)?.0),
            ];
            for ask in asked {
                let told = ask()?;
                if let Some(state) = told.states.iter().find(|state| !state.is_settled()) {
                    return Err(format!("a member is {state}"));
                }
                same_answer(&whole, &told.answer)?;
                in_order(&query, &told.answer)?;
            }
            Ok(())
        };
        match catch_unwind(AssertUnwindSafe(held)) {
            Ok(Ok(())) => Verdict::Passed,
            Ok(Err(reason)) => Verdict::Failed(reason),
            Err(_) => Verdict::Failed("panicked".to_owned()),
        }
    });
    judged.collect()
}

fn parse(question: &Question) -> Result<Query, String> {
    parse_query(&question.text, Some(&question.base), &Limits::default())
        .map_err(|refusal| refusal.to_string())
}

fn members(
    data: &[Quad],
    split: Split,
    chance: &mut Chance,
    steward: &Ours,
) -> Result<Vec<Member>, String> {
    let mut parts = vec![Vec::new(); MEMBERS];
    for bundle in bundles(data, split) {
        let first = chance.below(MEMBERS);
        // A second holder of a blank node would have another one.
        let has_blank = bundle.iter().any(|quad| !blanks(quad).is_empty());
        for (number, part) in parts.iter_mut().enumerate() {
            let again = matches!(split, Split::Replicated) && !has_blank && chance.once_in(2);
            if number == first || again {
                part.extend(bundle.iter().cloned());
            }
        }
    }
    let member = |quads| {
        Ok(Member {
            store: store(quads, steward.modify())?,
            permit: Some(steward.read().clone()),
        })
    };
    parts.into_iter().map(member).collect()
}

/// The quads in groups that stay together.
fn bundles(data: &[Quad], split: Split) -> Vec<Vec<Quad>> {
    let mut bundles: Vec<Vec<Quad>> = Vec::new();
    let mut place_of: HashMap<NamedOrBlankNode, usize> = HashMap::new();
    for quad in data {
        let mut keys = blanks(quad);
        if matches!(split, Split::BySubject) {
            keys.push(quad.subject.clone());
        }
        let mut places: Vec<usize> = keys
            .iter()
            .filter_map(|key| place_of.get(key).copied())
            .collect();
        places.sort_unstable();
        places.dedup();
        let place = places.first().copied().unwrap_or(bundles.len());
        let mut merged: Vec<Quad> = Vec::new();
        for place in &places {
            merged.append(bundles.get_mut(*place).unwrap_or(&mut Vec::new()));
        }
        merged.push(quad.clone());
        for other in place_of.values_mut() {
            if places.contains(other) {
                *other = place;
            }
        }
        place_of.extend(keys.into_iter().map(|key| (key, place)));
        match bundles.get_mut(place) {
            Some(bundle) => *bundle = merged,
            None => bundles.push(merged),
        }
    }
    bundles
}

fn blanks(quad: &Quad) -> Vec<NamedOrBlankNode> {
    let subject = match &quad.subject {
        NamedOrBlankNode::BlankNode(node) => Some(node),
        NamedOrBlankNode::NamedNode(_) => None,
    };
    let object = match &quad.object {
        Term::BlankNode(node) => Some(node),
        _ => None,
    };
    let graph = match &quad.graph_name {
        GraphName::BlankNode(node) => Some(node),
        _ => None,
    };
    let nodes = [subject, object, graph].into_iter().flatten();
    nodes.cloned().map(NamedOrBlankNode::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::{BlankNode, NamedNode};

    const FILES: [(&str, &str); 4] = [
        (
            "manifest.ttl",
            "@prefix mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#> .
             @prefix qt: <http://www.w3.org/2001/sw/DataAccess/tests/test-query#> .
             <> mf:entries ( <#join> <#service> <#syntax> ) .
             <#join> a mf:QueryEvaluationTest ; mf:result <r.srj> ;
               mf:action [ qt:query <join.rq> ; qt:data <data.ttl> ; qt:graphData <data.ttl> ] .
             <#service> a mf:QueryEvaluationTest ; mf:result <r.srj> ; mf:action [ qt:query <service.rq> ] .
             <#syntax> a mf:PositiveSyntaxTest11 ; mf:action <join.rq> .",
        ),
        (
            "join.rq",
            "SELECT ?x ?y ?g { ?x <urn:p> ?z OPTIONAL { GRAPH ?g { ?z <urn:q> ?y } } }",
        ),
        ("service.rq", "SELECT * { SERVICE <urn:nobody> { ?s ?p ?o } }"),
        (
            "data.ttl",
            "<urn:a> <urn:p> <urn:b>, [ <urn:q> 1 ], <urn:c> . <urn:b> <urn:q> 2 , 3 .",
        ),
    ];

    #[test]
    fn cases_are_judged_with_every_split() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let library = Library::new(folder.path());
        let report = run("federated-sparql11", &library, &["manifest.ttl"]).unwrap();
        let verdicts: Vec<_> = report.cases.iter().map(|(_, verdict)| verdict).collect();
        let [a, b, c, skipped @ ..] = verdicts.as_slice() else {
            panic!("{verdicts:?}");
        };
        assert_eq!([*a, *b, *c], [&Verdict::Passed; 3]);
        assert_eq!(skipped.len(), 3);
        for verdict in skipped {
            assert!(
                matches!(verdict, Verdict::Skipped(reason) if reason.contains("urn:nobody")),
                "{verdict:?}"
            );
        }
        let report = run("federated-sparql11", &library, &["nothing.ttl"]).unwrap();
        assert!(report.note.is_some());
    }

    fn quad(subject: impl Into<NamedOrBlankNode>, object: impl Into<Term>) -> Quad {
        let predicate = NamedNode::new_unchecked("urn:p");
        Quad::new(subject, predicate, object, GraphName::DefaultGraph)
    }

    #[test]
    fn quads_that_share_a_blank_node_stay_together() {
        let name = |text: &str| NamedNode::new_unchecked(format!("urn:{text}"));
        let node = |text: &str| BlankNode::new_unchecked(text);
        let data = [
            quad(name("a"), node("x")),
            quad(name("b"), node("y")),
            quad(name("b"), name("a")),
            quad(node("x"), node("y")),
            quad(node("z"), name("a")),
        ];
        let sizes = |split| {
            let mut sizes: Vec<_> = bundles(&data, split).iter().map(Vec::len).collect();
            sizes.retain(|size| *size > 0);
            sizes.sort_unstable();
            sizes
        };
        assert_eq!(sizes(Split::Random), [1, 1, 3]);
        assert_eq!(sizes(Split::BySubject), [1, 4]);
    }
}

//! DESCRIBE: what to describe is found here, its description at every member.
//!
//! A description is the triples of a node, and those of the blank nodes that they lead to. Blank nodes lead to no
//! other member, so a node's description over the merge is the union of those that the members give.

use crate::algebra::pattern;
use crate::collector::Collector;
use crate::fetch::Fetcher;
use crate::members::{Form, Members, Patience};
use crate::merge::in_dataset;
use crate::needs::{Join, everything};
use crate::scratch::{in_graph, owner, triple_apart};
use futures::channel::oneshot;
use futures::future::try_join_all;
use oxrdf::{GraphName, Term, Variable};
use spargebra::Query;
use spargebra::algebra::GraphPattern;
use spargebra::term::GroundTerm;
use std::collections::BTreeSet;
use std::sync::Arc;
use twinlink_core::{Code, Refusal, Workbench};

/// Fetches the descriptions of what the query's pattern finds over what was fetched for it.
///
/// # Errors
/// What the query did wrong, or a limit reached.
pub(crate) async fn describe(
    query: &Query,
    needs: &Join,
    fetcher: &Fetcher<'_>,
    workbench: &Arc<dyn Workbench>,
) -> Result<(), Refusal> {
    let holders = fetcher.contributors(&everything());
    // Names that the query itself gives are no news to anybody.
    let sources = fetcher.snapshot().members();
    let may_tell = |recipient: &usize| {
        let mut sources = sources.iter();
        sources.all(|source| fetcher.may_tell(usize::from(*source), *recipient))
    };
    let may_share = needs.atoms().is_empty() || holders.iter().all(may_tell);
    let found = match found(query, fetcher, workbench).await? {
        Some(found) if may_share => found,
        // Too many to name, or not to be named.
        _ => return fetcher.alone(&everything()).await,
    };
    let blank_holders: BTreeSet<_> = found
        .iter()
        .filter_map(|term| match term {
            Term::BlankNode(blank) => owner(blank),
            _ => None,
        })
        .collect();
    let names: Vec<_> = found
        .into_iter()
        .filter(|term| matches!(term, Term::NamedNode(_)))
        .filter_map(|term| GroundTerm::try_from(term).ok())
        .collect();
    let by_name = describe_by_name(names);
    try_join_all(holders.into_iter().map(|member| {
        let (by_name, blank_holders) = (&by_name, &blank_holders);
        async move {
            if blank_holders.contains(&member) {
                // Its blank nodes cannot be named to it.
                fetcher.everything_of(member).await
            } else {
                describe_at(member, by_name, fetcher).await
            }
        }
    }))
    .await
    .map(drop)
}

/// The distinct terms to describe; none where they are too many.
async fn found(
    query: &Query,
    fetcher: &Fetcher<'_>,
    workbench: &Arc<dyn Workbench>,
) -> Result<Option<Vec<Term>>, Refusal> {
    let members = fetcher.members;
    let select = Query::Select {
        dataset: None,
        pattern: GraphPattern::Distinct {
            inner: Box::new(pattern(query).clone()),
        },
        base_iri: query.base_iri().cloned(),
    };
    let (select, quads) = in_dataset(fetcher.snapshot(), &select, members.dataset.clone());
    let most = members.limits.bindings;
    let sink = here(members, workbench, select, quads, most).await?;
    if sink.is_cut {
        return Ok(None);
    }
    let values = sink.rows.solutions.into_iter().flat_map(|row| row.values);
    let mut terms: Vec<_> = values.flatten().collect();
    terms.sort_by_cached_key(ToString::to_string);
    terms.dedup();
    let bytes: usize = terms.iter().map(|term| term.to_string().len()).sum();
    let fits = terms.len() <= most && bytes <= members.limits.query_bytes;
    Ok(fits.then_some(terms))
}

/// Evaluates over quads on a worker; ends early where there are more than `most` rows.
async fn here(
    members: &Members<'_>,
    workbench: &Arc<dyn Workbench>,
    query: Query,
    quads: Vec<oxrdf::Quad>,
    most: usize,
) -> Result<Collector, Refusal> {
    let (sender, receiver) = oneshot::channel();
    let (workbench, budget) = (Arc::clone(workbench), members.budget.clone());
    members.workers.run(Box::new(move || {
        let mut sink = Collector::new(most);
        let end = workbench.evaluate_over(quads, &query, &budget, &mut sink);
        // The receiver is gone where the question was given up.
        drop(sender.send((end, sink)));
    }))?;
    match receiver.await {
        Ok((Err(refusal), sink)) if !sink.is_cut => Err(refusal),
        Ok((_, sink)) => Ok(sink),
        Err(_) => Err(Refusal::new(
            Code::Internal,
            "federation.describe",
            "the evaluation ended without a result",
        )),
    }
}

fn describe_by_name(names: Vec<GroundTerm>) -> Option<Query> {
    let node = Variable::new_unchecked("node");
    (!names.is_empty()).then(|| Query::Describe {
        dataset: None,
        pattern: GraphPattern::Project {
            inner: Box::new(GraphPattern::Values {
                variables: vec![node.clone()],
                bindings: names.into_iter().map(|name| vec![Some(name)]).collect(),
            }),
            variables: vec![node],
        },
        base_iri: None,
    })
}

async fn describe_at(
    member: usize,
    query: &Option<Query>,
    fetcher: &Fetcher<'_>,
) -> Result<(), Refusal> {
    let (Some(query), Ok(source)) = (query, u16::try_from(member)) else {
        return Ok(());
    };
    let members = fetcher.members;
    let most = members.limits.rows_per_fetch;
    let given = members
        .ask(member, query, &Form::Graph, Patience::Share, most)
        .await?;
    if let Some(given) = given {
        let sources = given.sources.unwrap_or_else(|| [source].into());
        let quads = given.rows.triples.into_iter().map(|triple| {
            let triple = triple_apart(triple, source);
            in_graph(triple, GraphName::DefaultGraph)
        });
        fetcher.keep(member, &sources, quads.collect());
    }
    Ok(())
}

//! Many queries at once that want all the memory there is: together they stay within their limit, and what an incident
//! asks for is evaluated all the same.

use super::{PATIENCE, Scales, TOGETHER, connect, connect_with, fault, queries};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::Town;
use futures::future::join_all;
use oxrdf::NamedNode;
use std::time::SystemTime;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use twinlink_client::{Client, Error, NewIncident, QueryOptions};
use twinlink_vocab::tl;

/// How many ask at a time, and how often.
const AT_ONCE: usize = 12;
const ROUNDS: usize = 4;

/// Of the process beyond what evaluations reserved: what they allocate between two looks, and answers on their way.
const ROOM: usize = 96;

pub(super) struct Fed {
    pub(super) cases: Vec<(String, Verdict)>,
    /// Queries that were refused because others held the memory.
    pub(super) refused: usize,
    /// The most that was reserved at one time, in MiB.
    pub(super) most: usize,
    /// The most that the process grew by, in MiB.
    pub(super) grown: usize,
}

/// Keeps what it sorts: a hundred thousand texts and more, until its deadline or its limit.
fn query(seed: usize) -> String {
    format!(
        "PREFIX : <{}>\nSELECT ?a ?b {{ ?a :name ?x . ?b :name ?y }} ORDER BY (CONCAT(?x, ?y, \"{seed}\")) LIMIT 10",
        queries::BASE
    )
}

/// All at once, round after round, then with an incident beside them.
pub(super) fn feed(town: &Town, runtime: &Runtime, scales: &Scales) -> Result<Fed, Fault> {
    let client = connect(town, &town.city, tl::STEWARD.as_str(), runtime)?;
    let mut cases = Vec::new();
    let mut refused = 0;
    let at_rest = scales.reset();
    for round in 0..ROUNDS {
        let all = (0..AT_ONCE).map(|seed| ask(&client, query(round * AT_ONCE + seed), None));
        for end in runtime.block_on(join_all(all)) {
            match end {
                // Of the two limits of memory, the one for all.
                Err(Error::Exhausted(text)) if text.contains("together") => refused += 1,
                Ok(_) | Err(Error::Exhausted(_) | Error::TimedOut) => {}
                Err(error) => {
                    let verdict = Verdict::Failed(error.to_string());
                    cases.push((format!("round {round}"), verdict));
                }
            }
        }
    }
    let grown = scales.peak().saturating_sub(at_rest);
    let most = town.gauge("twinlink_evaluations_memory_most_bytes")? as usize >> 20;
    let verdict = match (most > TOGETHER >> 20, grown > (TOGETHER >> 20) + ROOM) {
        (true, _) => Verdict::Failed(format!("{most} MiB were reserved")),
        (_, true) => Verdict::Failed(format!("the process grew by {grown} MiB")),
        _ if refused == 0 => Verdict::Failed("nobody was refused: nothing was tried".to_owned()),
        _ => Verdict::Passed,
    };
    cases.push((format!("{AT_ONCE} at once that want all memory"), verdict));
    cases.push(urgent(town, &client, runtime)?);
    Ok(Fed {
        cases,
        refused,
        most,
        grown,
    })
}

/// While as many ask as before, what an incident asks for is answered.
fn urgent(town: &Town, client: &Client, runtime: &Runtime) -> Result<(String, Verdict), Fault> {
    let purpose = tl::EMERGENCY_RESPONSE.into_owned();
    let token = town
        .city
        .token_stating(&town.city.id, tl::STEWARD.as_str(), &purpose)?;
    let officer = connect_with(town, &town.city, &token, runtime)?;
    let incident = NewIncident {
        id: None,
        kinds: vec![purpose.clone()],
        area: None,
        begins: None,
        ends: SystemTime::now() + PATIENCE,
    };
    let answered = runtime.block_on(async {
        let declared = client.declare_incident(incident, Instant::now() + PATIENCE);
        declared.await?;
        let hungry = (0..AT_ONCE).map(|seed| ask(client, query(seed), None));
        let mine = async {
            let mut rows = Vec::new();
            for number in 0..20 {
                let text = format!("SELECT ?o {{ <{}n{number}> ?p ?o }}", queries::BASE);
                rows.push(ask(&officer, text, Some(&purpose)).await?);
            }
            Ok::<_, Error>(rows)
        };
        futures::join!(join_all(hungry), mine).1
    });
    let verdict = match answered.map_err(fault)? {
        rows if rows.iter().all(|rows| *rows > 0) => Verdict::Passed,
        _ => Verdict::Failed("an answer is empty".to_owned()),
    };
    Ok(("what an incident asks for meanwhile".to_owned(), verdict))
}

/// How many rows there are.
async fn ask(client: &Client, text: String, purpose: Option<&NamedNode>) -> Result<u64, Error> {
    let options = QueryOptions {
        purpose: purpose.cloned(),
        ..QueryOptions::new(text, Instant::now() + PATIENCE)
    };
    let mut answer = client.query(options).await?;
    while answer.next().await?.is_some() {}
    Ok(answer.outcome().await?.rows)
}

//! Attacks on what a peer's connector shows of its log with each request: a good certificate and token go with each.

use super::app::Door;
use super::doors::{Ask, Peer};
use super::{Organisation, QUERY, Taken, fault, refused};
use crate::http::{SPARQL, percent_encoded};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::{EMERGENCY, Town};
use oxrdf::NamedNode;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use twinlink_core::request_digest;
use twinlink_proto::{Message as _, v1};
use twinlink_store::{EvaluationOptions, TwinStore};
use twinlink_trust::{Asking, CurrentIdentity, Receipts};
use uuid::Uuid;

type Cases = Vec<(String, Verdict)>;
type Expected = Vec<(usize, &'static str)>;

/// How often one is shown at once.
const TIMES: usize = 8;

/// A consumer's log of use, which signs whatever it is told to.
struct Log {
    receipts: Receipts,
    _folder: tempfile::TempDir,
}

impl Log {
    fn of(identity: &Arc<CurrentIdentity>) -> Result<Self, Fault> {
        let folder = tempfile::tempdir().map_err(fault)?;
        let store = TwinStore::open(folder.path(), EvaluationOptions::default()).map_err(fault)?;
        let receipts = Receipts::open(Arc::new(store.journal()), Arc::clone(identity), &[]);
        Ok(Self {
            receipts: receipts.map_err(fault)?,
            _folder: folder,
        })
    }

    fn envelope(&self, peer: &Peer, asking: &Asking) -> Result<String, Fault> {
        let asked = peer.runtime.block_on(self.receipts.ask(asking));
        Ok(asked.map_err(fault)?.envelope)
    }
}

/// Tries every attack at both doors, and a good request before each lot.
pub(super) fn attack(
    town: &Town,
    token: &str,
    cases: &mut Cases,
    expected: &mut Expected,
) -> Result<(), Fault> {
    let police = Peer::new(town, &town.police.identity)?;
    let own = Log::of(&town.police.identity)?;
    for door in Door::BOTH {
        let name = |what: &str| format!("{}: peer's envelope: {what}", door.name());
        let good = own.envelope(&police, &asking(town, &police, door))?;
        let first = match police.send(door, &ask(door, &good), Some(token)) {
            Taken::Answered => Verdict::Passed,
            other => Verdict::Failed(format!("{other:?}")),
        };
        cases.push((name("a good one, once"), first));
        let mut attacks = forged(town, &police, &own, door)?;
        attacks.push(("a good one, again", good, "envelope.once"));
        for (what, envelope, check) in attacks {
            expected.push((cases.len(), check));
            let taken = police.send(door, &ask(door, &envelope), Some(token));
            cases.push((name(what), refused(taken)));
        }
        let once = own.envelope(&police, &asking(town, &police, door))?;
        let once = ask(door, &once);
        let tries = (0..TIMES).map(|_| police.answer(door, &once, Some(token)));
        let all = police.runtime.block_on(futures::future::join_all(tries));
        let is_answered = |taken: &Result<Taken, Fault>| matches!(taken, Ok(Taken::Answered));
        let verdict = match all.iter().filter(|taken| is_answered(taken)).count() {
            1 => Verdict::Passed,
            other => Verdict::Failed(format!("{other} of {TIMES} were answered")),
        };
        expected.extend([(cases.len(), "envelope.once"); TIMES - 1]);
        cases.push((name("one, several times at once"), verdict));
    }
    Ok(())
}

/// What is shown, and the check that has to refuse it.
fn forged(
    town: &Town,
    police: &Peer,
    own: &Log,
    door: Door,
) -> Result<Vec<(&'static str, String, &'static str)>, Fault> {
    let good = asking(town, police, door);
    let mut made = Vec::new();
    for (what, asking, check) in [
        (
            "for another provider",
            Asking {
                provider: town.rescue.id.clone(),
                ..good.clone()
            },
            "envelope.aud",
        ),
        (
            "of another question",
            Asking {
                request_digest: request_digest("ASK {}", None, None),
                ..good.clone()
            },
            "envelope.digest",
        ),
        (
            "of no question",
            Asking {
                request_digest: String::new(),
                ..good.clone()
            },
            "envelope.digest",
        ),
        (
            "for another person",
            Asking {
                subject: "mayor".to_owned(),
                ..good.clone()
            },
            "envelope.subject",
        ),
        (
            "for another purpose",
            Asking {
                purpose: Some(NamedNode::new_unchecked(EMERGENCY)),
                ..good.clone()
            },
            "envelope.purpose",
        ),
        (
            "of an hour ago",
            Asking {
                time: good.time - Duration::hours(1),
                ..good.clone()
            },
            "envelope.time",
        ),
        (
            "of an hour to come",
            Asking {
                time: good.time + Duration::hours(1),
                ..good.clone()
            },
            "envelope.time",
        ),
    ] {
        made.push((what, own.envelope(police, &asking)?, check));
    }
    // Logs that are not the police's: another organisation's, and one of somebody who says that it is the police.
    let rescue = Log::of(&town.rescue.identity)?.envelope(police, &good)?;
    made.push((
        "of another organisation's log",
        rescue.clone(),
        "envelope.signature",
    ));
    let stranger = Organisation::new(town.police.id.as_str())?;
    let stranger = Log::of(&stranger.identity)?.envelope(police, &good)?;
    made.push((
        "signed by a key that is not the police's",
        stranger,
        "envelope.signature",
    ));
    // A good signature over a log that does not hold the request.
    let mine = own.envelope(police, &good)?;
    let (checkpoint, leaf) = mine.split_once('~').unwrap_or_default();
    let (_, other) = rescue.split_once('~').unwrap_or_default();
    let spliced = format!("{checkpoint}~{other}");
    made.push((
        "of a record that another log holds",
        spliced,
        "envelope.proof",
    ));
    let (place, record) = leaf.rsplit_once('.').unwrap_or_default();
    let half = record.get(..record.len() / 4 * 2).unwrap_or_default();
    let cut = format!("{checkpoint}~{place}.{half}");
    made.push(("of half a record", cut, "envelope.proof"));
    made.push((
        "a checkpoint alone",
        format!("{checkpoint}~"),
        "envelope.form",
    ));
    made.push(("a leaf alone", format!("~{leaf}"), "envelope.signature"));
    Ok(made)
}

/// What an honest police writes into its log before it asks.
fn asking(town: &Town, police: &Peer, door: Door) -> Asking {
    let base = police.endpoint();
    let base = (door == Door::Http).then_some(base.as_str());
    Asking {
        provider: town.city.id.clone(),
        request: Uuid::new_v4(),
        request_digest: request_digest(QUERY, base, None),
        subject: "person-7".to_owned(),
        purpose: None,
        time: OffsetDateTime::now_utc(),
    }
}

fn ask(door: Door, envelope: &str) -> Ask {
    match door {
        Door::Http => {
            let mut ask = Ask::get(format!("{SPARQL}?query={}", percent_encoded(QUERY)));
            ask.headers.push(("twinlink-envelope", envelope.to_owned()));
            ask
        }
        Door::Grpc => {
            let message = v1::QueryRequest {
                query: QUERY.to_owned(),
                envelope: envelope.to_owned(),
                ..v1::QueryRequest::default()
            };
            Ask::call(
                "/twinlink.v1.Connector/Query",
                message.encode_to_vec().into(),
            )
        }
    }
}

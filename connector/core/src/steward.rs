//! What stewards of the connector's own organisation do: declare and end incidents, see to obligations, take copies.
//!
//! Recorded like every other use. No policy decides on it: a policy that could lock out those who end an incident, or
//! let in others, is not worth its risk.

use crate::answer::{authenticate, refuse, use_record};
use crate::ports::{Intent, Recorded, UseRecord};
use crate::{Code, Connector, Credentials, DISK, Obligation, Refusal};
use oxrdf::{NamedNode, NamedNodeRef};
use oxsdatatypes::DateTime;
use std::collections::BTreeSet;
use twinlink_policy::Incident;
use uuid::Uuid;

/// The role of those who may.
const STEWARD: NamedNodeRef<'static> =
    NamedNodeRef::new_unchecked("https://w3id.org/twinlink/ns#Steward");

/// The most obligations in one list.
const MOST: usize = 10_000;

/// An incident, before it is known who declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its IRI.
    pub id: NamedNode,
    /// What it is.
    pub kinds: Vec<NamedNode>,
    /// Where: a WKT geometry in CRS84.
    pub area: Option<String>,
    /// From when. None: from now.
    pub begins: Option<DateTime>,
    /// Until when, at the latest.
    pub ends: DateTime,
}

/// Declares an incident: rules that wait for one of its kinds apply from the next request on.
///
/// # Errors
/// [`Code::Forbidden`], check `steward`, for anybody but a steward of this connector's organisation; as
/// [`crate::StateOfWorld::declare`].
pub async fn declare_incident(
    connector: &Connector,
    credentials: &Credentials,
    declaration: Declaration,
) -> Result<Incident, Refusal> {
    let text = format!("{declaration:?}");
    let now = connector.clock.now();
    record(connector, credentials, "declareIncident", &text, async |caller| {
        let incident = Incident {
            id: declaration.id,
            kinds: kinds(connector, &declaration.kinds),
            area: declaration.area,
            begins: match declaration.begins {
                Some(begins) => begins,
                None => crate::answer::policy_time(now)?,
            },
            ends: declaration.ends,
            declared_by: caller,
        };
        connector.world.declare(incident.clone(), now).await?;
        tracing::warn!(incident = incident.id.as_str(), ends = %incident.ends, "an incident is declared");
        Ok(incident)
    })
    .await
}

/// Ends an incident: what it gave is gone on the next request, and from open streams.
///
/// # Errors
/// As [`declare_incident`] and [`crate::StateOfWorld::end`].
pub async fn end_incident(
    connector: &Connector,
    credentials: &Credentials,
    incident: NamedNode,
) -> Result<Incident, Refusal> {
    let text = incident.to_string();
    let now = connector.clock.now();
    record(connector, credentials, "endIncident", &text, async |_| {
        let ended = connector.world.end(incident, now).await?;
        tracing::warn!(incident = ended.id.as_str(), "an incident is ended");
        Ok(ended)
    })
    .await
}

/// All incidents that are kept, the newest first.
///
/// # Errors
/// As [`declare_incident`].
pub async fn list_incidents(
    connector: &Connector,
    credentials: &Credentials,
) -> Result<Vec<Incident>, Refusal> {
    record(connector, credentials, "listIncidents", "", async |_| {
        Ok(connector.world.incidents())
    })
    .await
}

/// What is owed, first what is due first; with `settled` what was done, too.
///
/// # Errors
/// As [`declare_incident`].
pub async fn list_obligations(
    connector: &Connector,
    credentials: &Credentials,
    settled: bool,
) -> Result<Vec<Obligation>, Refusal> {
    record(connector, credentials, "listObligations", "", async |_| {
        let mut all = connector.world.obligations();
        all.truncate(MOST);
        if settled {
            let world = std::sync::Arc::clone(&connector.world);
            let room = MOST - all.len();
            all.extend(crate::offload(connector, move || world.fulfilled(room)).await?);
        }
        Ok(all)
    })
    .await
}

/// Lets a steward read the log of use from a place on: that is on record before anything is read.
///
/// While the disk takes no records they may read all the same: it is their own organisation's log, and what it says may be
/// what they need then. The process's own log says who did.
///
/// # Errors
/// As [`declare_incident`].
pub async fn admit_log_reader(
    connector: &Connector,
    credentials: &Credentials,
    from: u64,
) -> Result<(), Refusal> {
    let text = format!("from {from}");
    let mut record = use_record(connector, Uuid::now_v7(), twinlink("readLog"), &text);
    let mut is_steward = false;
    let way = async {
        steward(connector, credentials, &mut record)?;
        is_steward = true;
        let intent = connector.use_log.intend(record.clone()).await?;
        let recorded = recorded(connector, None);
        connector.use_log.complete(intent, recorded).await
    };
    match way.await {
        Ok(_) => Ok(()),
        Err(refusal) if is_steward && refusal.check() == DISK => {
            let subject = record.subject.as_deref().unwrap_or_default();
            tracing::warn!(subject, %refusal, "the log of use is read, and that cannot be put on record");
            Ok(())
        }
        Err(refusal) => Err(refuse(connector, record, refusal).await),
    }
}

/// Notes that an obligation was fulfilled.
///
/// # Errors
/// As [`declare_incident`] and [`crate::StateOfWorld::fulfil`].
pub async fn fulfil_obligation(
    connector: &Connector,
    credentials: &Credentials,
    obligation: Uuid,
    evidence: Option<String>,
) -> Result<Obligation, Refusal> {
    let text = format!("{obligation} {}", evidence.as_deref().unwrap_or_default());
    let now = connector.clock.now();
    record(
        connector,
        credentials,
        "fulfilObligation",
        &text,
        async |_| connector.world.fulfil(obligation, evidence, now).await,
    )
    .await
}

/// A copy of the whole store that a steward takes: on record before the first byte of it is read.
#[derive(Debug)]
pub struct BackupUse(Intent);

/// Lets a steward take a copy of the whole store, whatever the policies show to whom.
///
/// # Errors
/// As [`declare_incident`].
pub async fn begin_backup(
    connector: &Connector,
    credentials: &Credentials,
) -> Result<BackupUse, Refusal> {
    let (_, intent) = admit(connector, credentials, "backup", "").await?;
    Ok(BackupUse(intent))
}

impl BackupUse {
    /// Records how the copy ended: with how many entries and which digest, lower-case hex, or why it did not.
    ///
    /// # Errors
    /// [`Code::Unavailable`] where that cannot be recorded.
    pub async fn end(
        self,
        connector: &Connector,
        copied: Result<(u64, &str), &Refusal>,
    ) -> Result<(), Refusal> {
        let (entries, digest) = copied.unwrap_or_default();
        let recorded = Recorded {
            rows: entries,
            result_digest: digest.to_owned(),
            ..recorded(connector, copied.err())
        };
        connector.use_log.complete(self.0, recorded).await?;
        Ok(())
    }
}

/// Lets a steward have records of use forgotten; hands the steward's name to the work.
///
/// # Errors
/// As [`declare_incident`]; those of the work.
pub async fn purge_records<T>(
    connector: &Connector,
    credentials: &Credentials,
    text: &str,
    work: impl AsyncFnOnce(String) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    named(connector, credentials, "purge", text, work).await
}

/// Lets a steward take up a peer's log again that contradicted itself; hands the steward's name to the work.
///
/// # Errors
/// As [`declare_incident`]; those of the work.
pub async fn readmit_peer<T>(
    connector: &Connector,
    credentials: &Credentials,
    text: &str,
    work: impl AsyncFnOnce(String) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    named(connector, credentials, "readmit", text, work).await
}

async fn named<T>(
    connector: &Connector,
    credentials: &Credentials,
    action: &str,
    text: &str,
    work: impl AsyncFnOnce(String) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let (_, intent) = admit(connector, credentials, action, text).await?;
    let subject = intent.record.subject.clone().unwrap_or_default();
    finish(connector, intent, async || work(subject).await).await
}

/// Lets a steward do something, with a record of it before and after. Hands the steward's organisation to the work.
async fn record<T>(
    connector: &Connector,
    credentials: &Credentials,
    action: &str,
    text: &str,
    work: impl AsyncFnOnce(NamedNode) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let (steward, intent) = admit(connector, credentials, action, text).await?;
    finish(connector, intent, async || work(steward).await).await
}

/// Does what was admitted, and records how it ended.
async fn finish<T>(
    connector: &Connector,
    intent: Intent,
    work: impl AsyncFnOnce() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let request = intent.record.clone();
    let done = work().await;
    let recorded = recorded(connector, done.as_ref().err());
    match connector.use_log.complete(intent, recorded).await {
        Ok(_) => done,
        Err(refusal) => Err(refuse(connector, request, refusal).await),
    }
}

/// Records that a steward is about to do something, and says of which organisation they are.
async fn admit(
    connector: &Connector,
    credentials: &Credentials,
    action: &str,
    text: &str,
) -> Result<(NamedNode, Intent), Refusal> {
    let mut record = use_record(connector, Uuid::now_v7(), twinlink(action), text);
    let way = async {
        let organisation = steward(connector, credentials, &mut record)?;
        let intent = connector.use_log.intend(record.clone()).await?;
        Ok((organisation, intent))
    };
    match way.await {
        Ok(admitted) => Ok(admitted),
        Err(refusal) => Err(refuse(connector, record, refusal).await),
    }
}

/// The organisation of who asks, if they are its steward and it is ours.
// INVARIANT(stewards-only): incidents, obligations and copies are in the hands of the owner's stewards.
fn steward(
    connector: &Connector,
    credentials: &Credentials,
    record: &mut UseRecord,
) -> Result<NamedNode, Refusal> {
    let caller = authenticate(connector, credentials, record)?;
    if !caller.is_owner() || !caller.roles().iter().any(|role| *role == STEWARD) {
        let detail = "only a steward of the connector's own organisation may do this";
        return Err(Refusal::new(Code::Forbidden, "steward", detail));
    }
    Ok(caller.participant().clone())
}

fn recorded(connector: &Connector, refusal: Option<&Refusal>) -> Recorded {
    Recorded {
        rows: 0,
        result_digest: String::new(),
        complete: refusal.is_none(),
        failed: refusal.map(|refusal| refusal.check().to_owned()),
        changed_to: None,
        time: connector.clock.now(),
    }
}

/// These kinds and all that are broader, as the policies in force know them.
fn kinds(connector: &Connector, kinds: &[NamedNode]) -> Vec<NamedNode> {
    let policies = connector.policies.current();
    let all: BTreeSet<_> = kinds
        .iter()
        .flat_map(|kind| policies.purposes().kinds(kind))
        .collect();
    all.into_iter().collect()
}

fn twinlink(action: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("https://w3id.org/twinlink/ns#{action}"))
}

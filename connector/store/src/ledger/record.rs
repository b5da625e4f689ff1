//! The ledger's file: tables of JSON records, each under its own key.

use super::ledger_error;
use super::state::{Change, State};
use crate::StoreError;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use redb::{
    Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableError,
};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Obligation, ObligationKind};
use twinlink_policy::{Counter, Incident, RuleKind, Usage};
use uuid::Uuid;

/// The version of the tables and of what is in them.
const VERSION: u64 = 1;
/// `version`.
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The counter as JSON to [`UsageRecord`].
pub(crate) const USAGE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("usage");
/// IRI to [`IncidentRecord`].
pub(crate) const INCIDENTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("incidents");
/// Id to [`ObligationRecord`], of those not fulfilled.
pub(crate) const OPEN: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("open obligations");
/// When it was fulfilled, in nanoseconds since 1970, and id to [`ObligationRecord`].
pub(crate) const SETTLED: TableDefinition<'_, (i128, u128), &[u8]> =
    TableDefinition::new("settled obligations");
/// Participant and action to when it was last done, in nanoseconds since 1970.
pub(crate) const PERFORMED: TableDefinition<'_, (&str, &str), i128> =
    TableDefinition::new("performed");

#[derive(Serialize, Deserialize)]
struct CounterRecord {
    policy: String,
    kind: String,
    rule: usize,
    participant: String,
}

#[derive(Serialize, Deserialize)]
struct UsageRecord {
    count: u64,
    first: Option<String>,
    last: Option<String>,
    metered: Duration,
}

#[derive(Serialize, Deserialize)]
struct IncidentRecord {
    kinds: Vec<String>,
    area: Option<String>,
    begins: String,
    ends: String,
    declared_by: String,
}

#[derive(Serialize, Deserialize)]
struct ObligationRecord {
    kind: String,
    participant: String,
    action: String,
    towards: Vec<String>,
    consequences: Vec<String>,
    policy: String,
    request: String,
    user: (String, String),
    incident: Option<String>,
    since: i128,
    due: Option<i128>,
    fulfilled: Option<i128>,
    evidence: Option<String>,
}

/// Makes the tables of a new file; leaves a file of another version as it is.
pub(super) fn prepare(database: &Database, path: &Path) -> Result<(), StoreError> {
    let transaction = database.begin_read().map_err(ledger_error)?;
    match transaction.open_table(META) {
        Ok(meta) => {
            let version = meta.get("version").map_err(ledger_error)?;
            match version.map(|version| version.value()) {
                Some(VERSION) => Ok(()),
                found => Err(StoreError::Version {
                    path: path.to_owned(),
                    found: found.unwrap_or_default(),
                    known: VERSION,
                }),
            }
        }
        Err(TableError::TableDoesNotExist(_)) => {
            let transaction = database.begin_write().map_err(ledger_error)?;
            {
                let mut meta = transaction.open_table(META).map_err(ledger_error)?;
                meta.insert("version", VERSION).map_err(ledger_error)?;
                transaction.open_table(USAGE).map_err(ledger_error)?;
                transaction.open_table(INCIDENTS).map_err(ledger_error)?;
                transaction.open_table(OPEN).map_err(ledger_error)?;
                transaction.open_table(SETTLED).map_err(ledger_error)?;
                transaction.open_table(PERFORMED).map_err(ledger_error)?;
            }
            transaction.commit().map_err(ledger_error)
        }
        Err(error) => Err(ledger_error(error)),
    }
}

/// Everything but what was settled.
pub(super) fn load(database: &Database) -> Result<State, StoreError> {
    let transaction = database.begin_read().map_err(ledger_error)?;
    let mut state = State::default();
    let usage = transaction.open_table(USAGE).map_err(ledger_error)?;
    for entry in usage.iter().map_err(ledger_error)? {
        let (key, value) = entry.map_err(ledger_error)?;
        state.apply(Change::Use(
            from_json::<CounterRecord>(key.value())?.counter()?,
            from_json::<UsageRecord>(value.value())?.usage()?,
        ));
    }
    let incidents = transaction.open_table(INCIDENTS).map_err(ledger_error)?;
    for entry in incidents.iter().map_err(ledger_error)? {
        let (key, value) = entry.map_err(ledger_error)?;
        let record: IncidentRecord = from_json(value.value())?;
        state.apply(Change::Declare(record.incident(key.value())?));
    }
    let open = transaction.open_table(OPEN).map_err(ledger_error)?;
    for entry in open.iter().map_err(ledger_error)? {
        let (key, value) = entry.map_err(ledger_error)?;
        let record: ObligationRecord = from_json(value.value())?;
        state.apply(Change::Oblige(record.obligation(key.value())?));
    }
    let performed = transaction.open_table(PERFORMED).map_err(ledger_error)?;
    for entry in performed.iter().map_err(ledger_error)? {
        let (key, when) = entry.map_err(ledger_error)?;
        let (participant, action) = key.value();
        state.perform(node(participant)?, node(action)?, time(when.value())?);
    }
    Ok(state)
}

/// Obligations that were fulfilled, the newest first.
pub(super) fn fulfilled(
    transaction: &ReadTransaction,
    most: usize,
) -> Result<Vec<Obligation>, StoreError> {
    let settled = transaction.open_table(SETTLED).map_err(ledger_error)?;
    let newest = settled.iter().map_err(ledger_error)?.rev().take(most);
    newest
        .map(|entry| {
            let (key, value) = entry.map_err(ledger_error)?;
            from_json::<ObligationRecord>(value.value())?.obligation(key.value().1)
        })
        .collect()
}

/// Writes changes in one transaction and syncs.
pub(super) fn write(database: &Database, changes: &[Change]) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(ledger_error)?;
    transaction
        .set_durability(Durability::Immediate)
        .map_err(ledger_error)?;
    {
        let mut uses = transaction.open_table(USAGE).map_err(ledger_error)?;
        let mut incidents = transaction.open_table(INCIDENTS).map_err(ledger_error)?;
        let mut open = transaction.open_table(OPEN).map_err(ledger_error)?;
        let mut settled = transaction.open_table(SETTLED).map_err(ledger_error)?;
        let mut performed = transaction.open_table(PERFORMED).map_err(ledger_error)?;
        for change in changes {
            match change {
                Change::Use(counter, used) => {
                    let (key, value) = usage(counter, used)?;
                    uses.insert(&*key, &*value).map_err(ledger_error)?;
                }
                Change::Oblige(owed) => {
                    let value = obligation(owed)?;
                    open.insert(owed.id.as_u128(), &*value)
                        .map_err(ledger_error)?;
                }
                Change::Fulfil(done) => {
                    let when = done.fulfilled.unwrap_or(done.since);
                    let when = when.unix_timestamp_nanos();
                    let value = obligation(done)?;
                    let id = done.id.as_u128();
                    open.remove(id).map_err(ledger_error)?;
                    settled.insert((when, id), &*value).map_err(ledger_error)?;
                    let (who, what) = (done.participant.as_str(), done.action.as_str());
                    let before = performed.get((who, what)).map_err(ledger_error)?;
                    let before = before.map_or(when, |before| before.value());
                    performed
                        .insert((who, what), when.max(before))
                        .map_err(ledger_error)?;
                }
                Change::Declare(declared) => {
                    let value = incident(declared)?;
                    incidents
                        .insert(declared.id.as_str(), &*value)
                        .map_err(ledger_error)?;
                }
                Change::Forget(id) => drop(incidents.remove(id.as_str()).map_err(ledger_error)?),
            }
        }
    }
    transaction.commit().map_err(ledger_error)
}

/// The record of a use, under its key.
pub(super) fn usage(counter: &Counter, used: &Usage) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let key = to_json(&CounterRecord::of(counter))?;
    Ok((key, to_json(&UsageRecord::of(used))?))
}

/// The record of an incident, beside its name.
pub(super) fn incident(incident: &Incident) -> Result<Vec<u8>, StoreError> {
    to_json(&IncidentRecord::of(incident))
}

/// The record of an obligation, beside its id.
pub(super) fn obligation(obligation: &Obligation) -> Result<Vec<u8>, StoreError> {
    to_json(&ObligationRecord::of(obligation))
}

impl CounterRecord {
    fn of(counter: &Counter) -> Self {
        Self {
            policy: counter.policy.as_str().to_owned(),
            kind: counter.kind.to_string(),
            rule: counter.rule,
            participant: counter.participant.as_str().to_owned(),
        }
    }

    fn counter(self) -> Result<Counter, StoreError> {
        let kinds = [RuleKind::Permission, RuleKind::Prohibition];
        let kind = kinds.into_iter().find(|kind| kind.to_string() == self.kind);
        Ok(Counter {
            policy: node(&self.policy)?,
            kind: kind.ok_or_else(|| ledger_error(format_args!("a {} counts", self.kind)))?,
            rule: self.rule,
            participant: node(&self.participant)?,
        })
    }
}

impl UsageRecord {
    fn of(usage: &Usage) -> Self {
        Self {
            count: usage.count,
            first: usage.first.map(|time| time.to_string()),
            last: usage.last.map(|time| time.to_string()),
            metered: usage.metered,
        }
    }

    fn usage(self) -> Result<Usage, StoreError> {
        let optional = |text: Option<String>| text.as_deref().map(instant).transpose();
        Ok(Usage {
            count: self.count,
            first: optional(self.first)?,
            last: optional(self.last)?,
            metered: self.metered,
        })
    }
}

impl IncidentRecord {
    fn of(incident: &Incident) -> Self {
        let kinds = incident.kinds.iter();
        Self {
            kinds: kinds.map(|kind| kind.as_str().to_owned()).collect(),
            area: incident.area.clone(),
            begins: incident.begins.to_string(),
            ends: incident.ends.to_string(),
            declared_by: incident.declared_by.as_str().to_owned(),
        }
    }

    fn incident(self, id: &str) -> Result<Incident, StoreError> {
        Ok(Incident {
            id: node(id)?,
            kinds: self
                .kinds
                .iter()
                .map(|kind| node(kind))
                .collect::<Result<_, _>>()?,
            area: self.area,
            begins: instant(&self.begins)?,
            ends: instant(&self.ends)?,
            declared_by: node(&self.declared_by)?,
        })
    }
}

impl ObligationRecord {
    fn of(obligation: &Obligation) -> Self {
        let text = |node: &NamedNode| node.as_str().to_owned();
        let texts = |nodes: &[NamedNode]| nodes.iter().map(text).collect();
        Self {
            kind: obligation.kind.as_str().to_owned(),
            participant: text(&obligation.participant),
            action: text(&obligation.action),
            towards: texts(&obligation.towards),
            consequences: texts(&obligation.consequences),
            policy: text(&obligation.policy),
            request: obligation.request.to_string(),
            user: (text(&obligation.user.0), obligation.user.1.clone()),
            incident: obligation.incident.as_ref().map(text),
            since: obligation.since.unix_timestamp_nanos(),
            due: obligation.due.map(OffsetDateTime::unix_timestamp_nanos),
            fulfilled: obligation
                .fulfilled
                .map(OffsetDateTime::unix_timestamp_nanos),
            evidence: obligation.evidence.clone(),
        }
    }

    fn obligation(self, id: u128) -> Result<Obligation, StoreError> {
        let kinds = [ObligationKind::Duty, ObligationKind::Review];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == self.kind);
        let nodes = |texts: &[String]| -> Result<_, StoreError> {
            texts.iter().map(|text| node(text)).collect()
        };
        Ok(Obligation {
            id: Uuid::from_u128(id),
            kind: kind.ok_or_else(|| ledger_error(format_args!("a {} is owed", self.kind)))?,
            participant: node(&self.participant)?,
            action: node(&self.action)?,
            towards: nodes(&self.towards)?,
            consequences: nodes(&self.consequences)?,
            policy: node(&self.policy)?,
            request: self.request.parse().map_err(ledger_error)?,
            user: (node(&self.user.0)?, self.user.1),
            incident: self.incident.as_deref().map(node).transpose()?,
            since: time(self.since)?,
            due: self.due.map(time).transpose()?,
            fulfilled: self.fulfilled.map(time).transpose()?,
            evidence: self.evidence,
        })
    }
}

fn to_json(record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(ledger_error)
}

fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(ledger_error)
}

fn node(text: &str) -> Result<NamedNode, StoreError> {
    NamedNode::new(text).map_err(ledger_error)
}

fn instant(text: &str) -> Result<DateTime, StoreError> {
    text.parse().map_err(ledger_error)
}

fn time(nanoseconds: i128) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).map_err(ledger_error)
}

//! Takes changes back that a failed write may have left in the file: it then holds what everybody was shown.

use super::ledger_error;
use super::record::{INCIDENTS, OPEN, PERFORMED, SETTLED, USAGE, incident, obligation, usage};
use super::state::{Change, State};
use crate::StoreError;
use redb::Database;
use twinlink_policy::Incident;

/// Puts the records that these changes are of back to what the state says.
pub(super) fn undo(
    database: &Database,
    changes: &[Change],
    state: &State,
) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(ledger_error)?;
    {
        let mut uses = transaction.open_table(USAGE).map_err(ledger_error)?;
        let mut incidents = transaction.open_table(INCIDENTS).map_err(ledger_error)?;
        let mut open = transaction.open_table(OPEN).map_err(ledger_error)?;
        let mut settled = transaction.open_table(SETTLED).map_err(ledger_error)?;
        let mut performed = transaction.open_table(PERFORMED).map_err(ledger_error)?;
        for change in changes {
            match change {
                Change::Use(counter, _) => {
                    let (key, value) = usage(counter, &state.usage(counter))?;
                    match state.has_used(counter) {
                        true => drop(uses.insert(&*key, &*value).map_err(ledger_error)?),
                        false => drop(uses.remove(&*key).map_err(ledger_error)?),
                    }
                }
                Change::Declare(Incident { id, .. }) | Change::Forget(id) => {
                    match state.incident(id) {
                        Some(known) => {
                            let value = incident(known)?;
                            incidents
                                .insert(id.as_str(), &*value)
                                .map_err(ledger_error)?;
                        }
                        None => drop(incidents.remove(id.as_str()).map_err(ledger_error)?),
                    }
                }
                Change::Oblige(owed) | Change::Fulfil(owed) => {
                    let id = owed.id.as_u128();
                    match state.obligation(owed.id) {
                        Some(known) => {
                            let value = obligation(known)?;
                            open.insert(id, &*value).map_err(ledger_error)?;
                        }
                        None => drop(open.remove(id).map_err(ledger_error)?),
                    }
                    let Some(when) = owed.fulfilled else { continue };
                    let when = when.unix_timestamp_nanos();
                    settled.remove((when, id)).map_err(ledger_error)?;
                    let key = (owed.participant.as_str(), owed.action.as_str());
                    match state.performed(&owed.participant, &owed.action) {
                        Some(last) => {
                            let last = last.unix_timestamp_nanos();
                            performed.insert(key, last).map_err(ledger_error)?;
                        }
                        None => drop(performed.remove(key).map_err(ledger_error)?),
                    }
                }
            }
        }
    }
    transaction.commit().map_err(ledger_error)
}

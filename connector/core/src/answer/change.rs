//! Changes of the twin: the same way as a question's, with a commit in place of rows.

use super::decide::{self, Granted, Wish, authenticate, same_purpose};
use super::{
    Connector, budget, check_signed, intend, offload, record, refuse, request_digest, within,
};
use crate::ports::{Applied, Intent, Recorded};
use crate::{Change, ChangeRequest, Credentials, Refusal, Signable, syntax};
use oxrdf::NamedNode;
use std::time::Instant;
use uuid::Uuid;

/// A change that is on disk, and on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The request's id.
    pub request: Uuid,
    /// What was done, as far as the caller sees it.
    pub applied: Applied,
    /// The signed receipt.
    pub receipt: String,
}

/// Changes the twin, if the caller may.
///
/// # Errors
/// As [`super::answer()`]. After an error nothing has changed; only where the deadline passed while the change was on its
/// way to the disk, or its record is refused by the disk, it may have.
pub async fn change(
    connector: &Connector,
    credentials: &Credentials,
    request: ChangeRequest,
) -> Result<Changed, Refusal> {
    let id = request.id;
    let budget = budget(connector, request.patience, connector.clock.instant());
    let _abandoned = budget.cancel_on_drop();
    let mut record = record(connector, id, "modify", &request.digest);
    let way = async {
        let caller = authenticate(connector, credentials, &mut record)?;
        same_purpose(&caller, request.purpose.as_ref())?;
        let signable = Signable::new(&request.digest);
        let shown = (credentials, request.envelope.as_deref());
        check_signed(connector, shown, &caller, &signable, &mut record)?;
        let read = decide::uncounted(connector, Wish::new(&caller, "read", None));
        let decision =
            decide::consider(connector, Wish::new(&caller, "modify", None), &mut record)?;
        let seat = decide::admit(connector, &caller, &decision).await?;
        let change = check(connector, request.change).await?;
        let (granted, intent) = intend(connector, decision, &mut record).await?;
        let sees_all = read
            .as_ref()
            .is_some_and(|read| read.guard().is_everything());
        let (held, modify) = (seat.budget(&budget), granted.permit());
        let committing = Committing {
            connector: connector.clone(),
            granted,
            intent,
            started: connector.clock.instant(),
        };
        let (mut applied, receipt) = offload(connector, move || {
            let twin = &committing.connector.twin;
            let applied = twin.change(&change, read.as_deref(), &modify, &held)?;
            let done = futures::executor::block_on(committing.complete(&applied));
            // Kept for as long as the thread works, also where nobody waits for it any more.
            drop(seat);
            Ok((applied, done?))
        })
        .await?;
        if !sees_all {
            // Both tell of the changes of what the caller may not see too.
            applied.sequence = 0;
            applied.version = None;
        }
        Ok(Changed {
            request: id,
            applied,
            receipt,
        })
    };
    match within(connector, &budget, way).await {
        Ok(changed) => Ok(changed),
        Err(refusal) => Err(refuse(connector, record, refusal).await),
    }
}

/// What the thread that commits needs to complete the record: whoever asked may have left by then.
// INVARIANT(committed-is-completed): whoever commits a change completes its record, whether its caller waits or not.
struct Committing {
    connector: Connector,
    granted: Granted,
    intent: Intent,
    started: Instant,
}

impl Committing {
    async fn complete(mut self, applied: &Applied) -> Result<String, Refusal> {
        let connector = &self.connector;
        let metered = self.granted.meter(connector, self.started).await;
        let done = Recorded {
            rows: applied.inserted + applied.removed,
            result_digest: String::new(),
            complete: true,
            failed: None,
            changed_to: applied.version.clone(),
            time: connector.clock.now(),
        };
        let receipt = connector.use_log.complete(self.intent, done).await?;
        metered.map(|()| receipt)
    }
}

/// Whether the caller may change anything at all: for doors, before they take in a large body.
///
/// # Errors
/// As [`super::answer()`].
pub async fn admit_change(
    connector: &Connector,
    credentials: &Credentials,
    purpose: Option<&NamedNode>,
) -> Result<(), Refusal> {
    let nothing = request_digest("", None, None);
    let mut record = record(connector, Uuid::now_v7(), "modify", &nothing);
    let permit = authenticate(connector, credentials, &mut record).and_then(|caller| {
        same_purpose(&caller, purpose)?;
        decide::consider(connector, Wish::new(&caller, "modify", None), &mut record)
    });
    match permit {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refuse(connector, record, refusal).await),
    }
}

/// A change with a fault in its text is refused before its intent is recorded.
async fn check(connector: &Connector, change: Change) -> Result<Change, Refusal> {
    let limits = connector.limits;
    offload(connector, move || {
        syntax::check_change(&change, &limits)?;
        Ok(change)
    })
    .await
}

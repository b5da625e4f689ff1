//! What a connector does for a client that is no use of its twin, such as issuing a token: on record like a use.

use crate::answer::{refuse, use_record};
use crate::{Connector, Recorded, Refusal, UseRecord};
use oxrdf::NamedNode;
use uuid::Uuid;

/// Does something that takes no time, and records it: the work says in the record who it is done for. `text` is what was
/// asked; its digest is recorded.
///
/// What the work made must not leave before this returns: by then the record is on disk.
///
/// # Errors
/// The work's own, which is in the log of use before it is returned; [`crate::Code::Unavailable`] where the record cannot
/// be written.
// INVARIANT(no-record-no-service): what was made for a client is not handed out where its record cannot be written.
pub async fn serve<T>(
    connector: &Connector,
    action: &NamedNode,
    text: &str,
    work: impl FnOnce(&mut UseRecord) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut record = use_record(connector, Uuid::now_v7(), action.clone(), text);
    let done = match work(&mut record) {
        Ok(done) => done,
        Err(refusal) => return Err(refuse(connector, record, refusal).await),
    };
    let intent = connector.use_log.intend(record).await?;
    let recorded = Recorded {
        rows: 0,
        result_digest: String::new(),
        complete: true,
        failed: None,
        changed_to: None,
        time: connector.clock.now(),
    };
    connector.use_log.complete(intent, recorded).await?;
    Ok(done)
}

//! A receipt once more: for a client that could not read it where it came, at the end of an answer.

use crate::answer::{authenticate, offload};
use crate::{Code, Connector, Credentials, Refusal, UseRecord};
use oxrdf::NamedNode;
use std::sync::Arc;
use uuid::Uuid;

/// The receipt of a request that ended, for whoever made it. It is out of the log of use, and no use itself.
///
/// # Errors
/// [`Code::NotFound`] where there is none, or where it is not the caller's: which of both is not told.
pub async fn receipt(
    connector: &Connector,
    credentials: &Credentials,
    request: Uuid,
) -> Result<String, Refusal> {
    let action = NamedNode::new_unchecked("http://www.w3.org/ns/odrl/2/read");
    // Nothing is recorded: it says how such a use would name its caller.
    let mut record = UseRecord::new(request, connector.clock.now(), action);
    let caller = authenticate(connector, credentials, &mut record)?;
    let use_log = Arc::clone(&connector.use_log);
    let participant = caller.participant().clone();
    let subject = record.subject.unwrap_or_default();
    let found = offload(connector, move || {
        use_log.receipt(request, (&participant, &subject))
    });
    found.await?.ok_or_else(|| {
        let detail = "no receipt of such a request is at hand for this caller";
        Refusal::new(Code::NotFound, "receipt", detail)
    })
}

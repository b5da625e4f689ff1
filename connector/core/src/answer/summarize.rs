//! What of this twin a caller may see, in short, for a peer that plans a question of its own.

use super::decide::{self, Wish, authenticate, same_purpose};
use super::gather::ourselves;
use super::{Connector, budget, check_signed, record, refuse, within};
use crate::digest::summary_digest;
use crate::ports::{Overview, Recorded, UseRecord};
use crate::{
    Age, Budget, Caller, Credentials, Delegation, Outcome, Refusal, SourceStatus, SummaryRequest,
};
use twinlink_policy::Permit;

/// The text of a request for a summary, as its digest is recorded on both sides.
pub const SUMMARY: &str = "summary";

/// Tells in short what the caller may see of this twin. None where there is no summary: then there is only asking.
///
/// It is a use like every other, and goes the same way. To confirm what the caller was told before tells nothing more of the
/// twin than that: no record is made of it, and no receipt; of a refusal there is one.
/// Where policies count uses, ask for duties or have the glass broken, there is no summary: it would be one more use, owed
/// for, of a question that was not even asked yet, and it would tell all that an emergency opens to who asks for a part.
///
/// # Errors
/// As [`super::answer()`].
pub async fn summarize(
    connector: &Connector,
    credentials: &Credentials,
    request: SummaryRequest,
) -> Result<(Option<Overview>, Outcome), Refusal> {
    let started = connector.clock.instant();
    let budget = budget(connector, request.patience, started);
    let _abandoned = budget.cancel_on_drop();
    let signable = request.signable();
    let mut record = record(connector, request.id, "read", &signable.digest);
    let way = async {
        if request.confirm {
            return confirm(connector, credentials, &request, &budget, &mut record).await;
        }
        let caller = authenticate(connector, credentials, &mut record)?;
        same_purpose(&caller, request.purpose.as_ref())?;
        let envelope = request.envelope.as_deref();
        let shown = (credentials, envelope);
        check_signed(connector, shown, &caller, &signable, &mut record)?;
        let wish = Wish::new(&caller, "read", request.break_glass.as_ref());
        let decision = decide::consider(connector, wish, &mut record)?;
        let seat = decide::admit(connector, &caller, &decision).await?;
        let budget = seat.budget(&budget);
        let is_counted = decision.is_counted;
        let mut granted = decision.granted;
        record.dataset_version = connector.twin.version();
        let intent = connector.use_log.intend(record.clone()).await?;
        let delegation = delegation(&caller, &request);
        let permit = granted.permit();
        let held = request.held.as_deref();
        // INVARIANT(no-overview-behind-glass): what only a counted use shows, such as by broken glass, is not told in short.
        let overview = match is_counted {
            true => None,
            false => {
                connector
                    .federation
                    .summarize(&permit, &delegation, held, &budget)
                    .await
            }
        };
        // Nothing is shown where the use would have to be counted first.
        let checked = match is_counted {
            true => Ok(()),
            false => granted.check(connector),
        };
        let bytes = overview.as_ref().and_then(|one| one.bytes.as_ref());
        let complete = checked.is_ok() && overview.is_some();
        let done = Recorded {
            rows: 0,
            result_digest: bytes.map_or(String::new(), |bytes| summary_digest(bytes)),
            complete,
            failed: checked.as_ref().err().map(|r| r.check().to_owned()),
            changed_to: None,
            time: connector.clock.now(),
        };
        let receipt = connector.use_log.complete(intent, done).await?;
        checked?;
        let status = SourceStatus {
            elapsed: connector.clock.instant().saturating_duration_since(started),
            ..status(connector, &permit, overview.as_ref())
        };
        let outcome = Outcome {
            sources: vec![status],
            rows: 0,
            complete,
            unsure: Vec::new(),
            explanation: None,
            receipt,
        };
        Ok((overview, outcome))
    };
    match within(connector, &budget, way).await {
        Ok(overview) => Ok(overview),
        Err(refusal) => Err(refuse(connector, record, refusal).await),
    }
}

/// Whether what the caller holds is as it would be made now: an overview without bytes, or none.
// INVARIANT(confirmed-tells-nothing): without record, nothing is told but that what was told on record still stands.
async fn confirm(
    connector: &Connector,
    credentials: &Credentials,
    request: &SummaryRequest,
    budget: &Budget,
    record: &mut UseRecord,
) -> Result<(Option<Overview>, Outcome), Refusal> {
    let caller = authenticate(connector, credentials, record)?;
    same_purpose(&caller, request.purpose.as_ref())?;
    let wish = Wish::new(&caller, "read", request.break_glass.as_ref());
    let decision = decide::consider(connector, wish, record)?;
    let seat = decide::admit(connector, &caller, &decision).await?;
    let budget = &seat.budget(budget);
    let mut granted = decision.granted;
    let permit = granted.permit();
    let held = request.held.as_deref();
    let overview = match held {
        Some(_) if !decision.is_counted => {
            let delegation = delegation(&caller, request);
            let federation = &connector.federation;
            federation
                .summarize(&permit, &delegation, held, budget)
                .await
        }
        _ => None,
    };
    let overview = overview.filter(|overview| overview.bytes.is_none());
    granted.check(connector)?;
    let outcome = Outcome {
        sources: vec![status(connector, &permit, overview.as_ref())],
        rows: 0,
        complete: overview.is_some(),
        unsure: Vec::new(),
        explanation: None,
        receipt: String::new(),
    };
    Ok((overview, outcome))
}

fn delegation(caller: &Caller, request: &SummaryRequest) -> Delegation {
    Delegation {
        request: request.id,
        participant: caller.participant().clone(),
        subject: caller.subject().to_owned(),
        actors: caller.means().actors.clone(),
        roles: caller.roles().to_vec(),
        claims: caller.claims(),
        purpose: caller.purpose().cloned(),
        break_glass: request.break_glass.clone(),
        on_behalf: caller.on_behalf().to_vec(),
        left_out: Vec::new(),
    }
}

fn status(connector: &Connector, permit: &Permit, overview: Option<&Overview>) -> SourceStatus {
    let as_of = overview.and_then(|overview| overview.as_of);
    SourceStatus {
        as_of: Age::of(connector, permit).told(as_of),
        ..ourselves(connector, permit)
    }
}

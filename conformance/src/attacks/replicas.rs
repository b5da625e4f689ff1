//! One proof at two replicas: processes of one organisation behind one URL, each with a twin of its own.
//!
//! They share no store of what was shown. A proof counts once all the same, because it holds a nonce, and each process
//! knows only those that it gave out itself. What holds no nonce - a signed request, a client's assertion - counts once
//! for each process: it is bound to token, connector and time, and its use is on record wherever it was.

use super::app::{self, App, Door, Shown};
use super::{Taken, fault, refused};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::{Replica, Town};
use twinlink_trust::EntryKind;

type Cases = Vec<(String, Verdict)>;
type Expected = Vec<(usize, &'static str)>;

/// Shows proofs to both, one after the other and at once.
pub(super) fn attack(
    town: &Town,
    app: &App,
    cases: &mut Cases,
    expected: &mut Expected,
) -> Result<(), Fault> {
    let replica = town.replica()?;
    let port = replica.port();
    let theirs = nonce(app, port)?;
    let ours = app.nonce()?;
    expected.push((usize::MAX, "certificate"));
    let mut refused_there = 0;
    for door in Door::BOTH {
        let name = |what: &str| format!("{}: DPoP at two replicas: {what}", door.name());
        let show = |nonce: &str| -> Result<Shown, Fault> {
            let proof = app.proof(&app.header(), &app.claims(door, nonce))?;
            Ok(app.proven(proof))
        };
        let answered = |taken: &Taken| match taken {
            Taken::Answered => Verdict::Passed,
            other => Verdict::Failed(format!("{other:?}")),
        };
        let shown = show(&ours)?;
        let taken = ask(app, app.port, door, &shown);
        cases.push((name("a proof where its nonce is from"), answered(&taken)));
        let taken = ask(app, port, door, &shown);
        cases.push((name("a proof, again at the other one"), refused(taken)));
        let shown = show(&theirs)?;
        expected.push((cases.len(), "dpop.nonce"));
        let taken = ask(app, app.port, door, &shown);
        cases.push((name("a proof for the other one"), refused(taken)));
        let taken = ask(app, port, door, &shown);
        cases.push((name("the same there"), answered(&taken)));
        let shown = show(&ours)?;
        let both = app.runtime.block_on(futures::future::join(
            app.answer_at(app.port, door, &shown),
            app.answer_at(port, door, &shown),
        ));
        let both = [both.0, both.1].map(|answer| answer.map(|answer| app::taken(door, answer)));
        let verdict = match both {
            [Ok(Taken::Answered), Ok(Taken::Refused(_))] => Verdict::Passed,
            other => Verdict::Failed(format!("{other:?}")),
        };
        cases.push((name("a proof, at both at once"), verdict));
        refused_there += 2;
    }
    let found = refusals(replica)?;
    let verdict = match found.iter().filter(|check| *check == "dpop.nonce").count() {
        found if found == refused_there => Verdict::Passed,
        found => Verdict::Failed(format!("{found} of {refused_there}")),
    };
    cases.push((
        "the other replica has each refusal in its log".to_owned(),
        verdict,
    ));
    Ok(())
}

fn ask(app: &App, port: u16, door: Door, shown: &Shown) -> Taken {
    match app.runtime.block_on(app.answer_at(port, door, shown)) {
        Ok(answer) => app::taken(door, answer),
        Err(error) => Taken::Closed(error.to_string()),
    }
}

/// A nonce that the other one gave out.
fn nonce(app: &App, port: u16) -> Result<String, Fault> {
    let nothing = app.nothing();
    let asked = app.answer_at(port, Door::Http, &nothing);
    let (_, headers, _) = app.runtime.block_on(asked)?;
    let nonce = headers
        .get("dpop-nonce")
        .and_then(|nonce| nonce.to_str().ok());
    nonce
        .map(str::to_owned)
        .ok_or_else(|| fault("no nonce was given out"))
}

fn refusals(replica: Replica) -> Result<Vec<String>, Fault> {
    let entries = replica.stop()?.into_iter();
    let refused = entries.filter_map(|entry| match entry.kind {
        EntryKind::Intent { refused, .. } => refused,
        _ => None,
    });
    Ok(refused.collect())
}

//! Withheld looks like absent: what is told of members, of operators and of how the answer is come by is the same over
//! twins from which all that is withheld was taken away. Who is denied all is told so, whatever there is.

use super::classes::Class;
use super::parse;
use crate::chance::Chance;
use crate::engine::Ours;
use crate::members::{Member, Town, store};
use crate::merged::{Caller, World};
use std::sync::Arc;
use std::time::{Duration, Instant};
use twinlink_core::policy::Permit;
use twinlink_core::{Budget, Explain, Explanation, Harvest, SourceStatus};
use twinlink_federation::FederationLimits;
use twinlink_store::TwinStore;

/// Whether the same is told of twins that withhold and of twins that have not; inside, whether anything was withheld.
///
/// # Errors
/// The difference, in words.
pub(super) fn hold(chance: &mut Chance, class: &Class, steward: &Ours) -> Result<bool, String> {
    let world = World::new(chance);
    let caller = Caller::new(chance);
    let (mut guarded, mut bare) = (Vec::new(), Vec::new());
    let mut is_withheld = false;
    for (number, quads) in world.members.iter().enumerate() {
        let permit = caller.permit(chance, number, number == 0)?;
        let whole = store(quads.clone(), steward.modify())?;
        let shown = match &permit {
            Some(permit) => shown(&whole, permit)?,
            None => Vec::new(),
        };
        let all: std::collections::BTreeSet<_> = quads.iter().map(ToString::to_string).collect();
        is_withheld |= shown.len() < all.len();
        bare.push(Member {
            store: store(shown, steward.modify())?,
            permit: permit.is_some().then(|| steward.read().clone()),
        });
        guarded.push(Member {
            store: whole,
            permit,
        });
    }
    let asked = chance.one(class.queries);
    let query = parse(asked.map(|asked| asked.text).unwrap_or_default())?;
    let limits = FederationLimits {
        bindings: chance.one(&[0, 2, 1_000]).copied().unwrap_or_default(),
        ..FederationLimits::default()
    };
    let is_summarised = chance.once_in(2);
    for explain in [Explain::Plan, Explain::Analyze] {
        let told = |members: &[Member]| -> Result<_, String> {
            let town = Town::new(members, limits, is_summarised)?;
            Ok(words(town.explain(&query, explain)?))
        };
        let (guarded, bare) = (told(&guarded)?, told(&bare)?);
        if guarded != bare {
            return Err(format!("{explain:?}: told {guarded:#?}, without {bare:#?}"));
        }
    }
    Ok(is_withheld)
}

fn shown(whole: &Arc<TwinStore>, permit: &Permit) -> Result<Vec<oxrdf::Quad>, String> {
    let budget = Budget::new(Instant::now() + Duration::from_secs(60), 1_000_000);
    let snapshot = whole.snapshot();
    let quads = snapshot.quads(permit.guard(), &budget);
    Ok(quads.map_err(|refusal| refusal.to_string())?.collect())
}

/// What is told, without times and without policies, which are the caller's to know.
fn words(harvest: Harvest) -> (Vec<SourceStatus>, Vec<String>, Explanation) {
    let sources = harvest.sources.into_iter().map(|source| SourceStatus {
        elapsed: Duration::ZERO,
        as_of: None,
        policies: Vec::new(),
        ..source
    });
    let mut told = harvest.explanation.unwrap_or_default();
    for step in &mut told.steps {
        step.elapsed = Duration::ZERO;
    }
    // Terms come in no order, and so do the values that are sent along; how many there are is told in rows and bytes.
    for step in &mut told.steps {
        if let Some((before, _)) = step.what.split_once("VALUES") {
            step.what = before.to_owned();
        }
    }
    (sources.collect(), harvest.unsure, told)
}

//! Twins with policies of every kind as members of a federation, each with the copy that its policies leave.

use super::generate;
use super::model::materialise;
use super::odrl;
use super::random::Random;
use super::scene::{Action, KEY};
use super::subject::Engine;
use super::world::{compile, load, permit};
use oxrdf::Quad;
use std::collections::HashSet;
use std::sync::Arc;
use twinlink_core::policy::Permit;
use twinlink_store::TwinStore;
use twinlink_vocab::odrl as vocabulary;

/// A member.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) store: Arc<TwinStore>,
    /// What it shows; none where it denies.
    pub(crate) permit: Option<Permit>,
    /// The copy without what it withholds.
    pub(crate) visible: Vec<Quad>,
    /// Whether something is not shown, or not as it is.
    pub(crate) is_withheld: bool,
}

/// So many members before one caller, of whom the first denies nothing. None where what one shows hangs on what it is
/// asked: a federation asks other things than its caller does.
pub(crate) fn members(seed: u64, count: usize) -> Result<Option<Vec<Made>>, String> {
    let mut random = Random::new(seed, 0);
    let mut caller = None;
    let mut members = Vec::new();
    for _ in 0..count {
        let mut scene = generate::published(&mut random);
        scene.caller = caller.get_or_insert(scene.caller).clone();
        let right = odrl::guard(&scene, Action::Read);
        if right.selectors().any(|selector| selector.named.is_some()) {
            return Ok(None);
        }
        let visible = materialise(&scene.quads, &right, &HashSet::new(), KEY)?;
        let set = compile(&Engine, &scene)?;
        let permit = permit(&set, &scene, vocabulary::READ.into_owned())?.ok();
        if permit.is_none() && (members.is_empty() || !visible.is_empty()) {
            return match visible.is_empty() {
                true => Ok(None),
                false => Err("denied, although something is visible".to_owned()),
            };
        }
        let is_shown = |quad| visible.contains(quad);
        members.push(Made {
            store: Arc::new(load(&scene.quads)?),
            permit,
            is_withheld: !scene.quads.iter().all(is_shown),
            visible,
        });
    }
    Ok(Some(members))
}

//! Summaries that come late, broken, not at all, or of how a member was before.

use super::peers::{Later, lock};
use crate::chance::Chance;
use crate::members::participant;
use crate::merged::MEMBERS;
use oxrdf::{Dataset, NamedNode, Quad, QuadRef};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use twinlink_core::SourceState;
use twinlink_federation::{
    Summaries, Summarized, Summary, SummaryLimits, SummaryQuestion, SummaryReply, Unanswered,
};

/// What is wrong with a peer's summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Nothing.
    Nothing,
    /// There is none.
    Missing,
    /// The member cannot be reached for it.
    Refuses,
    /// It never comes.
    Hangs,
    /// What comes is none, or the beginning of one.
    Garbage,
    /// It says what is new since another version than the one that is held.
    OtherBase,
    /// It says that what is held is so still, whatever is held.
    Replays,
    /// Making it fails in a way that nobody thought of.
    Panics,
}

impl Wrong {
    /// What the member is, whose summary is all that is wrong: it is not asked anything else.
    pub(super) fn state(self) -> Option<SourceState> {
        match self {
            Self::Refuses => Some(SourceState::Unreachable),
            Self::Hangs => Some(SourceState::TimedOut),
            _ => None,
        }
    }
}

pub(super) const WRONGS: &[Wrong] = &[
    Wrong::Nothing,
    Wrong::Missing,
    Wrong::Refuses,
    Wrong::Hangs,
    Wrong::Garbage,
    Wrong::OtherBase,
    Wrong::Replays,
    Wrong::Panics,
];

/// How a peer was when it was first asked.
#[derive(Debug, Clone)]
pub(super) struct Former {
    pub(super) summary: Arc<Summary>,
    /// Whether it held less than it does now.
    pub(super) is_short: bool,
}

impl Former {
    /// What a peer that holds these now may have held before: some of them, or some more.
    pub(super) fn new(quads: &[Quad], others: &[Quad], chance: &mut Chance) -> Option<Self> {
        let is_short = chance.once_in(2);
        let held: Vec<_> = if is_short {
            let some = quads.iter().filter(|_| chance.once_in(2));
            some.cloned().collect()
        } else {
            let more = others.iter().filter(|_| chance.once_in(3));
            quads.iter().chain(more).cloned().collect()
        };
        let summary = summary("before".to_owned(), held)?;
        Some(Self {
            summary: Arc::new(summary),
            is_short,
        })
    }
}

fn summary(version: String, quads: impl IntoIterator<Item = Quad>) -> Option<Summary> {
    let quads: Dataset = quads.into_iter().collect();
    let quads = quads.iter().map(QuadRef::into_owned);
    let everyone = (0..MEMBERS).map(participant).collect();
    let limits = SummaryLimits::default();
    Some(Summary::of(version, quads, &limits)?.with_recipients(everyone))
}

/// Summaries of which some are wrong. Before, all peers are as they were when they were first asked.
pub(super) struct Unsound {
    pub(super) inner: Arc<dyn Summaries>,
    pub(super) former: BTreeMap<NamedNode, Former>,
    pub(super) wrongs: BTreeMap<NamedNode, Wrong>,
    pub(super) seed: usize,
    pub(super) is_on: Arc<AtomicBool>,
    /// Those that were believed to be as they were.
    pub(super) replayed: Arc<Mutex<BTreeSet<NamedNode>>>,
}

impl Unsound {
    async fn reply(
        &self,
        member: &NamedNode,
        question: &SummaryQuestion<'_>,
    ) -> Result<Option<Summarized>, Unanswered> {
        let former = self.former.get(member);
        if !self.is_on.load(Ordering::SeqCst) {
            return match former {
                Some(former) => Ok(Some(
                    SummaryReply::Other(Arc::clone(&former.summary)).into(),
                )),
                None => self.inner.summary(member, question).await,
            };
        }
        let wrong = self.wrongs.get(member).copied();
        let mut chance = Chance::new(self.seed as u64);
        match wrong.unwrap_or(Wrong::Nothing) {
            Wrong::Missing => return Ok(None),
            Wrong::Refuses => {
                return Err(Unanswered::Unreachable {
                    reason: "as told".to_owned(),
                });
            }
            Wrong::Hangs => return std::future::pending().await,
            Wrong::Panics => std::panic::resume_unwind(Box::new("as told")),
            Wrong::Replays => {
                if question.held.is_some() && former.is_some() {
                    lock(&self.replayed).insert(member.clone());
                }
                let told = self.inner.summary(member, question).await?;
                return Ok(told.map(|told| Summarized {
                    reply: SummaryReply::Held,
                    ..told
                }));
            }
            Wrong::Nothing | Wrong::Garbage | Wrong::OtherBase => {}
        }
        let Some(told) = self.inner.summary(member, question).await? else {
            return Ok(None);
        };
        let SummaryReply::Other(now) = &told.reply else {
            return Ok(Some(told));
        };
        let (bytes, base) = match (wrong, question.base) {
            (Some(Wrong::Garbage), _) => (garbage(&now.encode(), &mut chance), question.base),
            (Some(Wrong::OtherBase), _) => (now.encode_since(b"another"), question.base),
            // What travels is bytes, as on the wire: what is new, where something is held.
            (_, Some(base)) => (now.encode_since(&base.encode()), Some(base)),
            (_, None) => (now.encode(), None),
        };
        let read = Summary::read(&bytes, base, &SummaryLimits::default());
        // As where it is read off the wire: what is no summary is none.
        Ok(read.ok().map(|summary| Summarized {
            reply: SummaryReply::Other(Arc::new(summary)),
            ..told
        }))
    }
}

/// Bytes of which no summary is to be read: cut short, of another format, or nothing at all.
fn garbage(good: &[u8], chance: &mut Chance) -> Vec<u8> {
    match chance.below(3) {
        0 => Vec::new(),
        1 => good.iter().map(|byte| !byte).collect(),
        _ => good
            .iter()
            .take(chance.below(good.len()))
            .copied()
            .collect(),
    }
}

impl Summaries for Unsound {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> Later<'a, Result<Option<Summarized>, Unanswered>> {
        Box::pin(self.reply(member, question))
    }
}

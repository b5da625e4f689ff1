//! One question to members of which some fail, and what must hold of its answer.

use super::bounds;
use super::classes::Asked;
use super::clock::IdleClock;
use super::faults::{FAULTS, Fault, Had, MAX_AGE, OWN};
use super::overviews::{Former, Unsound, WRONGS, Wrong};
use super::parse;
use super::peers::{Faulty, Log, dated, foreign, lock};
use super::twin::FaultyTwin;
use crate::chance::Chance;
use crate::members::{Member, Parts, Threads, Told, Town, participant};
use crate::merged::{Model, World};
use crate::order::in_order;
use oxrdf::NamedNode;
use spargebra::Query;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use twinlink_core::{Refusal, Requirement, SourceState};
use twinlink_federation::{FederationLimits, PeerTraits};

/// A question, the members, and what is wrong with each.
pub(super) struct Case<'a> {
    world: &'a World,
    members: &'a [Member],
    asked: Asked,
    query: Query,
    faults: Vec<Fault>,
    traits: Vec<PeerTraits>,
    /// Whether it is asked as one asks who requires nothing.
    pub(super) is_streamed: bool,
    require: Requirement,
    limits: FederationLimits,
    is_summarised: bool,
    /// How peers were when they were first asked, where they were.
    former: BTreeMap<NamedNode, Former>,
    wrongs: BTreeMap<NamedNode, Wrong>,
    seed: usize,
}

/// An answer that holds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) told: Told,
    pub(super) is_streamed: bool,
    pub(super) is_missing: bool,
    /// Whether it is known exactly what it has to be.
    pub(super) is_exact: bool,
    pub(super) log: Log,
}

/// What holds.
#[derive(Debug)]
pub(super) enum Held {
    Answer(Box<Found>),
    /// No answer, as rows left that were not to be believed.
    Unbelieved,
    /// No answer, as an endpoint failed.
    NoService,
}

/// A federation that is asked, and what is seen of it.
struct Scene {
    town: Town,
    log: Arc<Mutex<Log>>,
    replayed: Arc<Mutex<BTreeSet<NamedNode>>>,
}

impl<'a> Case<'a> {
    /// At least one of the peers has the fault that is asked for.
    pub(super) fn new(
        chance: &mut Chance,
        world: &'a World,
        members: &'a [Member],
        asked: Asked,
        fault: Fault,
    ) -> Result<Self, String> {
        let count = members.len();
        let faults = faults(chance, count, fault);
        let (is_streamed, is_dated) = (!chance.once_in(3), chance.once_in(2));
        let traits = (0..count).map(|_| {
            let traits = if chance.once_in(8) {
                foreign()
            } else {
                PeerTraits::default()
            };
            // Who requires nothing of how old they are may have been told so for each.
            match is_streamed && is_dated {
                true => dated(traits),
                false => traits,
            }
        });
        let traits = traits.collect();
        let mut former = BTreeMap::new();
        let mut wrongs = BTreeMap::new();
        let was_asked = chance.once_in(2);
        for (number, quads) in world.members.iter().enumerate().skip(1) {
            if was_asked && let Some(before) = Former::new(quads, &everything(world), chance) {
                former.insert(participant(number), before);
            }
            if chance.once_in(2) {
                let wrong = chance.one(WRONGS).copied().unwrap_or(Wrong::Nothing);
                wrongs.insert(participant(number), wrong);
            }
            // Who denies or cannot be reached gives no summary either, mostly.
            let is_out = matches!(faults.get(number), Some(Fault::Denies | Fault::Refuses));
            if is_out && !chance.once_in(4) {
                wrongs.insert(participant(number), Wrong::Missing);
            }
        }
        Ok(Self {
            world,
            members,
            query: parse(asked.text)?,
            asked,
            faults,
            traits,
            is_streamed,
            require: Requirement {
                max_age: (is_dated && !is_streamed).then_some(MAX_AGE),
                ..Requirement::default()
            },
            limits: FederationLimits {
                share_bindings: !chance.once_in(4),
                bindings: chance.one(&[0, 2, 1_000]).copied().unwrap_or_default(),
                ..FederationLimits::default()
            },
            is_summarised: !chance.once_in(3),
            former,
            wrongs,
            seed: chance.below(usize::MAX),
        })
    }

    /// Asks, and looks at what comes.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub(super) fn hold(&self, chance: &mut Chance) -> Result<Held, String> {
        let scene = self.scene()?;
        let answered = if self.is_streamed {
            scene.town.stream(&self.query)
        } else {
            let told = scene.town.ask_requiring(&self.query, self.require.clone());
            told.map(|told| (told, false))
        };
        let log = lock(&scene.log).clone();
        let (told, is_streamed) = match answered {
            Ok(answered) => answered,
            Err(refusal) => {
                return self.refused(&refusal, &log, &scene);
            }
        };
        if is_streamed && !log.soured.is_empty() {
            return Err(format!("rows left of {:?}, which lied", log.soured));
        }
        self.states(&log, &told)?;
        let is_settled = told.states.iter().all(|state| state.is_settled());
        self.required(&told, is_settled)?;
        if !self.is_streamed && !self.required_early(&told, chance)? {
            return Err("what is required is not what is required at the end".to_owned());
        }
        self.flags(&told, is_settled)?;
        let replayed = lock(&scene.replayed).clone();
        in_order(&self.query, &told.answer)?;
        let is_exact = self.rows(&told, &replayed)?;
        Ok(Held::Answer(Box::new(Found {
            told,
            is_streamed,
            is_missing: !is_settled,
            is_exact,
            log,
        })))
    }

    fn scene(&self) -> Result<Scene, String> {
        let threads = Arc::new(Threads::default());
        let clock = IdleClock::new(Arc::clone(&threads));
        let (is_on, log) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let replayed = Arc::default();
        let by_name = |number| participant(number);
        let town = Town::of_parts(
            self.members,
            self.limits,
            Arc::clone(&clock) as _,
            threads,
            |parts| Parts {
                twin: Arc::new(FaultyTwin {
                    inner: parts.twin,
                    fault: self.fault(0),
                    rows: self.seed % 4,
                    is_on: Arc::clone(&is_on),
                }),
                peers: Arc::new(Faulty {
                    inner: parts.peers,
                    faults: (0..self.members.len())
                        .map(|number| (by_name(number), self.fault(number)))
                        .collect(),
                    traits: self
                        .traits
                        .iter()
                        .enumerate()
                        .map(|(n, t)| (by_name(n), t.clone()))
                        .collect(),
                    seed: self.seed,
                    clock,
                    log: Arc::clone(&log),
                    is_on: Arc::clone(&is_on),
                }),
                summaries: parts.summaries.filter(|_| self.is_summarised).map(|inner| {
                    Arc::new(Unsound {
                        inner,
                        former: self.former.clone(),
                        wrongs: self.wrongs.clone(),
                        seed: self.seed,
                        is_on: Arc::clone(&is_on),
                        replayed: Arc::clone(&replayed),
                    }) as _
                }),
            },
        )?;
        if self.is_summarised && !self.former.is_empty() {
            // By what it then knew, its answer may have been anything.
            town.ask(&self.query)?;
        }
        is_on.store(true, Ordering::SeqCst);
        Ok(Scene {
            town,
            log,
            replayed,
        })
    }

    fn fault(&self, member: usize) -> Fault {
        self.faults.get(member).copied().unwrap_or(Fault::None)
    }

    fn is_foreign(&self, member: usize) -> bool {
        let traits = self.traits.get(member).filter(|_| member > 0);
        traits.is_some_and(|traits| !traits.keeps_labels)
    }

    /// What a member is that is not there for its summary.
    fn missed(&self, member: usize) -> Option<SourceState> {
        let wrong = self.wrongs.get(&participant(member));
        wrong.filter(|_| self.is_summarised)?.state()
    }

    fn is_dated(&self, member: usize) -> bool {
        let traits = self.traits.get(member).filter(|_| member > 0);
        self.require.max_age.is_some() || traits.is_some_and(|traits| traits.max_age.is_some())
    }

    /// Whether the question names the member by SERVICE.
    fn is_named(&self, member: usize) -> bool {
        let name = participant(member);
        self.asked.text.contains(&name.to_string())
    }

    /// No answer at all: rows left that were not to be believed, or an endpoint failed.
    fn refused(&self, refusal: &Refusal, log: &Log, scene: &Scene) -> Result<Held, String> {
        let mut named = (0..self.members.len()).filter(|member| self.is_named(*member));
        match refusal.check() {
            "federation.belief" if self.is_streamed && !log.soured.is_empty() => {
                // From now on nothing of it leaves before it is known.
                let again = scene.town.stream(&self.query);
                let (told, _) = again.map_err(|refusal| format!("asked again: {refusal}"))?;
                let is_told = |peer: &NamedNode| {
                    let mut sources = told.sources.iter();
                    sources.any(|source| {
                        source.participant == *peer && source.state == SourceState::NotEvaluable
                    })
                };
                match log.soured.iter().all(is_told) {
                    true => Ok(Held::Unbelieved),
                    false => Err(format!("asked again: {:?}", told.states)),
                }
            }
            "service"
                if named.any(|member| {
                    let is_faulty = !self.fault(member).states(true).is_empty();
                    is_faulty || self.missed(member).is_some()
                }) =>
            {
                Ok(Held::NoService)
            }
            check => Err(format!("{check}: {refusal}")),
        }
    }

    /// Each member has a state that its fault explains, and a reason with its name and that fault.
    fn states(&self, log: &Log, told: &Told) -> Result<(), String> {
        for (number, state) in told.states.iter().copied().enumerate() {
            let (fault, is_dated) = (self.fault(number), self.is_dated(number));
            let name = participant(number);
            let store = self.members.get(number).map(|member| &member.store);
            let is_ageless = store.is_some_and(|store| store.snapshot().time().is_none());
            let source = told.sources.get(number);
            let reason = source.and_then(|source| source.reason.as_deref());
            let is_enough = reason.is_some_and(|reason| reason.ends_with("there were enough rows"));
            let is_explained = match state {
                SourceState::Stale if is_dated && is_ageless => true,
                SourceState::Partial if self.is_foreign(number) => true,
                _ if fault.states(is_dated).contains(&state) => true,
                _ if self.missed(number) == Some(state) => true,
                _ => {
                    let shows = log.asked.contains_key(&name) && fault.shows_at_once(is_dated);
                    state.is_settled() && (!shows || is_enough)
                }
            };
            let has_reason = match reason {
                None => state.is_settled(),
                Some(_) if state.is_settled() => is_enough,
                Some(text) => text.contains(name.as_str()) && text.contains(fault.word(state)),
            };
            if !is_explained || !has_reason {
                return Err(format!(
                    "member {number} is {state}, for {fault:?}: {source:?}"
                ));
            }
        }
        Ok(())
    }

    /// What is flagged is what the operators are of which a wrong row may come.
    fn flags(&self, told: &Told, is_settled: bool) -> Result<(), String> {
        let mut unsure: Vec<_> = told.unsure.iter().map(String::as_str).collect();
        let is_silent = unsure.last() == Some(&"SERVICE SILENT");
        if is_silent {
            unsure.pop();
        }
        let may_be_silent = self.asked.text.contains("SILENT") && !is_settled;
        let must_be_silent = may_be_silent
            && (0..self.members.len()).any(|member| {
                let state = told.states.get(member);
                let is_out = state.is_some_and(|state| !state.is_settled());
                is_out && self.is_named(member) && self.had(member, told) == Had::Nothing
            });
        let expected = if is_settled { &[] } else { self.asked.flags };
        if unsure != expected || is_silent && !may_be_silent || must_be_silent && !is_silent {
            return Err(format!(
                "flagged are {:?}, for {:?}",
                told.unsure, told.states
            ));
        }
        Ok(())
    }

    fn had(&self, member: usize, told: &Told) -> Had {
        let state = told.states.get(member).copied();
        let state = state.unwrap_or(SourceState::Unreachable);
        let had = self.fault(member).had(state, self.is_streamed);
        // Rows with labels of one answer are left out.
        match had {
            Had::All if self.is_foreign(member) && !state.is_settled() => Had::Some,
            // What it was asked by name came before.
            Had::Nothing if self.missed(member) == Some(state) => Had::Some,
            had => had,
        }
    }

    /// The rows are those over what was had; where that is known in part, they are between what they can be. Whether it is
    /// known.
    fn rows(&self, told: &Told, replayed: &BTreeSet<NamedNode>) -> Result<bool, String> {
        let had: Vec<_> = (0..self.members.len())
            .map(|member| {
                let name = participant(member);
                let former = self.former.get(&name).filter(|_| replayed.contains(&name));
                match self.had(member, told) {
                    // It said that it holds no more than before: its word on its own twin.
                    Had::All if former.is_some_and(|former| former.is_short) => Had::Some,
                    had => had,
                }
            })
            .collect();
        let over = |is_in: &dyn Fn(Had) -> bool| {
            let members = self.members.iter().zip(&had);
            let members: Vec<_> = members
                .map(|(member, had)| Member {
                    store: Arc::clone(&member.store),
                    permit: member.permit.clone().filter(|_| is_in(*had)),
                })
                .collect();
            if self.asked.text.contains("SERVICE") {
                Model::with_endpoints(self.world, &members)
            } else {
                Model::new(self.world, &members)
            }
        };
        let all = over(&|had| had != Had::Nothing);
        // Silence stands for a solution then.
        let is_silent = told.unsure.iter().any(|flag| flag == "SERVICE SILENT");
        let context = |error: String| {
            let (text, faults) = (self.asked.text, &self.faults);
            format!("{text}: {faults:?}, {had:?}: {error}")
        };
        if had.contains(&Had::Some) || is_silent {
            let certain = over(&|had| had == Had::All);
            bounds::between(&self.asked, &certain, &all, &told.answer).map_err(context)?;
            return Ok(false);
        }
        // Where the one member that could add up is missing, nobody does.
        let is_none = self.asked.loose.is_none() && had.contains(&Had::Nothing);
        if is_none && bounds::number(&told.answer) == 0 {
            return Ok(false);
        }
        bounds::exact(&self.asked, &all, &told.answer).map_err(context)?;
        Ok(true)
    }

    /// Whether the same question, of one that requires something, is refused where it would be at the end, and only there.
    fn required_early(&self, told: &Told, chance: &mut Chance) -> Result<bool, String> {
        let named = participant(chance.below(self.members.len()));
        let quorum = (1 + chance.below(self.members.len())).to_string();
        let words = ["all", "exact", &quorum, named.as_str()];
        let mut require = self.require.clone();
        require.add(chance.one(&words).copied().unwrap_or_default())?;
        let holds = require.check(&told.sources, &told.unsure).is_ok();
        let early = self
            .scene()?
            .town
            .ask_requiring(&self.query, require.clone());
        Ok(match early {
            Ok(again) => require.check(&again.sources, &again.unsure).is_ok() == holds,
            Err(_) => !holds,
        })
    }

    /// What the caller requires is kept to.
    fn required(&self, told: &Told, is_settled: bool) -> Result<(), String> {
        let holds = |words: &[&str]| {
            let mut requirement = Requirement::default();
            for word in words {
                requirement.add(word)?;
            }
            Ok::<_, String>(requirement.check(&told.sources, &told.unsure).is_ok())
        };
        let settled = told.states.iter().filter(|state| state.is_settled());
        let count = settled.count();
        let mut wrong = holds(&["all"])? != is_settled;
        let is_stale = told.states.contains(&SourceState::Stale);
        wrong |= holds(&["exact"])? != (told.unsure.is_empty() && !is_stale);
        for quorum in 1..=told.states.len() {
            wrong |= holds(&[&quorum.to_string()])? != (count >= quorum);
        }
        for (number, state) in told.states.iter().enumerate() {
            wrong |= holds(&[participant(number).as_str()])? != state.is_settled();
        }
        match wrong {
            true => Err(format!(
                "a requirement is not kept to with {:?}",
                told.states
            )),
            false => Ok(()),
        }
    }
}

/// Which member has which fault.
fn faults(chance: &mut Chance, members: usize, fault: Fault) -> Vec<Fault> {
    let first = 1 + chance.below(members - 1);
    (0..members)
        .map(|member| {
            let (of, once) = match member {
                0 => (OWN, 6),
                _ => (FAULTS, 4),
            };
            if member == first {
                fault
            } else if chance.once_in(once) {
                chance.one(of).copied().unwrap_or(Fault::None)
            } else {
                Fault::None
            }
        })
        .collect()
}

fn everything(world: &World) -> Vec<oxrdf::Quad> {
    world.members.iter().flatten().cloned().collect()
}

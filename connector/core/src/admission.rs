//! Who is worked for now, who waits, and who is sent away: no caller keeps the others from their answers.

use crate::{Budget, Caller, Code, Memory, Refusal};
use futures::channel::oneshot;
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Urgent requests that may pass routine ones in a row, before one of those has its turn.
const IN_A_ROW: u32 = 3;
/// The longest that anybody is advised to wait before trying again.
const LONGEST_ADVICE: u64 = 30;

/// How many requests are worked on at once, and how many wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Worked on at once.
    pub together: usize,
    /// Of these, for one organisation.
    pub organisation: usize,
    /// Of these, for one person or program of it.
    pub caller: usize,
    /// Waiting.
    pub waiting: usize,
    /// Of these, for one person or program.
    pub waiting_caller: usize,
    /// The purposes that pass others while an incident goes on.
    pub urgent_purposes: Vec<NamedNode>,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// What is asked every day.
    Routine,
    /// What is asked because of an incident that goes on.
    Incident,
}

/// Gives seats to requests: a request is worked on while it has one.
///
/// Who waits is seated in this order: what an incident asks for before routine, but every fourth seat that both wait for
/// is routine's; then who has the fewest seats, by organisation and by caller; then who came first. Nobody has more seats
/// than its share, whatever the priority.
// INVARIANT(bounded-waiting): no more requests wait than the limits say; others are refused at once, with advice when to
// come again.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    /// Of all seats, those that routine requests leave free.
    reserved: usize,
    memory: Arc<Memory>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seated: usize,
    organisations: HashMap<NamedNode, usize>,
    callers: HashMap<Who, usize>,
    waiting: Vec<Waiter>,
    tickets: u64,
    /// Urgent requests seated since a routine one was, while routine ones waited.
    in_a_row: u32,
}

/// An organisation and a person or program of it.
type Who = (NamedNode, String);

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    who: Who,
    priority: Priority,
    call: oneshot::Sender<Result<Seat, Refusal>>,
}

/// A place among those that are worked for. Given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    admission: Arc<Admission>,
    who: Who,
    priority: Priority,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self::of(64)
    }
}

impl AdmissionLimits {
    /// As many requests at once, and what goes with that: three quarters for one organisation, a quarter for one caller,
    /// four times as many waiting.
    pub fn of(together: usize) -> Self {
        let waiting = together.saturating_mul(4);
        Self {
            together,
            organisation: (together * 3 / 4).max(1),
            caller: (together / 4).max(1),
            waiting,
            waiting_caller: waiting / 4,
            urgent_purposes: Vec::new(),
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::new(AdmissionLimits::default())
    }
}

impl Admission {
    /// Seats within these limits, and as much memory as there may be.
    pub fn new(limits: AdmissionLimits) -> Self {
        Self {
            limits,
            reserved: 0,
            memory: Memory::new(usize::MAX),
            state: Mutex::default(),
        }
    }

    /// The same, with this memory for all that have seats.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<Memory>) -> Self {
        self.memory = memory;
        self
    }

    /// The same, where routine requests leave so many seats to what an incident asks for.
    #[must_use]
    pub fn reserving(mut self, seats: usize) -> Self {
        self.reserved = seats;
        self
    }

    /// The memory of all that have seats.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// How many requests are worked on, and how many wait.
    pub fn load(&self) -> (usize, usize) {
        let state = self.state();
        (state.seated, state.waiting.len())
    }

    /// Whether requests for this purpose pass others while an incident goes on.
    pub(crate) fn is_urgent(&self, purpose: Option<&NamedNode>) -> bool {
        purpose.is_some_and(|purpose| self.limits.urgent_purposes.contains(purpose))
    }

    /// Takes a seat, at once or after others.
    ///
    /// # Errors
    /// [`Code::Exhausted`] where the caller has too many requests open, [`Code::Unavailable`] where too many others wait;
    /// both say when to come again.
    pub async fn enter(
        self: &Arc<Self>,
        caller: &Caller,
        priority: Priority,
    ) -> Result<Seat, Refusal> {
        self.admit(caller.participant(), caller.subject(), priority)
            .await
    }

    /// As [`Admission::enter`], for a person or program of an organisation.
    ///
    /// # Errors
    /// As [`Admission::enter`].
    pub async fn admit(
        self: &Arc<Self>,
        participant: &NamedNode,
        subject: &str,
        priority: Priority,
    ) -> Result<Seat, Refusal> {
        let who = (participant.clone(), subject.to_owned());
        if let Some(seat) = self.seat(&who, priority) {
            return Ok(seat);
        }
        let place = self.wait(who, priority)?;
        place.seat().await
    }

    /// A seat, if there is one now. Who waits already waits because of its own share, or because there is none.
    fn seat(self: &Arc<Self>, who: &Who, priority: Priority) -> Option<Seat> {
        let mut state = self.state();
        if state.seated >= self.most(priority) || !state.has_room_for(who, &self.limits) {
            return None;
        }
        state.sit(who);
        Some(Seat {
            admission: Arc::clone(self),
            who: who.clone(),
            priority,
        })
    }

    /// How many may be seated for one more of this priority to follow.
    fn most(&self, priority: Priority) -> usize {
        match priority {
            Priority::Incident => self.limits.together,
            Priority::Routine => self.limits.together.saturating_sub(self.reserved),
        }
    }

    fn wait(self: &Arc<Self>, who: Who, priority: Priority) -> Result<Place, Refusal> {
        let (call, called) = oneshot::channel();
        let mut state = self.state();
        let own = state.waiting.iter().filter(|one| one.who == who).count();
        if own >= self.limits.waiting_caller {
            let advice = self.advice(&state);
            let text = "too many requests of yours are open: wait for their answers";
            return Err(Refusal::new(Code::Exhausted, "limits.caller", text)
                .open()
                .retry_after(advice));
        }
        let mut shed = None;
        if state.waiting.len() >= self.limits.waiting {
            let advice = self.advice(&state);
            // The routine request that came last makes room for an urgent one.
            let last = state
                .waiting
                .iter()
                .rposition(|one| one.priority < priority);
            let Some(last) = last else {
                return Err(overloaded(advice));
            };
            shed = Some((state.waiting.remove(last), advice));
        }
        state.tickets += 1;
        let ticket = state.tickets;
        state.waiting.push(Waiter {
            ticket,
            who,
            priority,
            call,
        });
        drop(state);
        if let Some((waiter, advice)) = shed {
            drop(waiter.call.send(Err(overloaded(advice))));
        }
        // A seat may have become free since we looked.
        self.call();
        Ok(Place {
            admission: Arc::clone(self),
            ticket,
            called,
        })
    }

    /// Seats those whose turn it is.
    fn call(self: &Arc<Self>) {
        loop {
            let mut state = self.state();
            let Some(next) = state.next(self) else {
                return;
            };
            state.sit(&next.who);
            drop(state);
            let seat = Seat {
                admission: Arc::clone(self),
                who: next.who,
                priority: next.priority,
            };
            // Who went away meanwhile gives it back by dropping it, which calls the next.
            drop(next.call.send(Ok(seat)));
        }
    }

    /// About how long until those that wait are through, if each takes a second.
    fn advice(&self, state: &State) -> Duration {
        let rounds = state.waiting.len() / self.limits.together.max(1);
        let rounds = u64::try_from(rounds).unwrap_or(u64::MAX);
        Duration::from_secs(rounds.saturating_add(1).min(LONGEST_ADVICE))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overloaded(advice: Duration) -> Refusal {
    let text = "too many requests are open";
    Refusal::new(Code::Unavailable, "limits.waiting", text).retry_after(advice)
}

impl State {
    fn has_room_for(&self, who: &Who, limits: &AdmissionLimits) -> bool {
        self.of_organisation(who) < limits.organisation && self.of_caller(who) < limits.caller
    }

    fn of_organisation(&self, who: &Who) -> usize {
        self.organisations.get(&who.0).copied().unwrap_or(0)
    }

    fn of_caller(&self, who: &Who) -> usize {
        self.callers.get(who).copied().unwrap_or(0)
    }

    fn sit(&mut self, who: &Who) {
        self.seated += 1;
        *self.organisations.entry(who.0.clone()).or_default() += 1;
        *self.callers.entry(who.clone()).or_default() += 1;
    }

    fn rise(&mut self, who: &Who) {
        self.seated -= 1;
        if let Some(count) = self.organisations.get_mut(&who.0) {
            *count -= 1;
        }
        if let Some(count) = self.callers.get_mut(who) {
            *count -= 1;
        }
        // Who was here once is not remembered.
        self.organisations.retain(|_, count| *count > 0);
        self.callers.retain(|_, count| *count > 0);
    }

    /// Whose turn it is, taken out of the queue.
    fn next(&mut self, admission: &Admission) -> Option<Waiter> {
        let limits = &admission.limits;
        let of = |wanted: Priority| {
            let is_free = self.seated < admission.most(wanted);
            let waiting = self.waiting.iter().enumerate().filter(|_| is_free);
            waiting
                .filter(|(_, one)| one.priority == wanted && self.has_room_for(&one.who, limits))
                .min_by_key(|(_, one)| {
                    let organisation = self.of_organisation(&one.who);
                    (organisation, self.of_caller(&one.who), one.ticket)
                })
                .map(|(place, _)| place)
        };
        let (urgent, routine) = (of(Priority::Incident), of(Priority::Routine));
        let place = match (urgent, routine) {
            (Some(_), Some(routine)) if self.in_a_row >= IN_A_ROW => routine,
            (Some(urgent), _) => urgent,
            (None, routine) => routine?,
        };
        self.in_a_row = if urgent == Some(place) && routine.is_some() {
            self.in_a_row + 1
        } else {
            0
        };
        Some(self.waiting.remove(place))
    }
}

/// A place in the queue. Who drops it has gone.
struct Place {
    admission: Arc<Admission>,
    ticket: u64,
    called: oneshot::Receiver<Result<Seat, Refusal>>,
}

impl Place {
    async fn seat(mut self) -> Result<Seat, Refusal> {
        let called = (&mut self.called).await;
        called.unwrap_or_else(|_| Err(Refusal::new(Code::Internal, "admission", "nobody calls")))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        state.waiting.retain(|one| one.ticket != self.ticket);
    }
}

impl Seat {
    /// The request's budget, with a share of the memory of all that is for its priority.
    pub(crate) fn budget(&self, budget: &Budget) -> Budget {
        let share = self.admission.memory.share(self.priority);
        budget.clone().sharing(share)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.admission.state().rise(&self.who);
        self.admission.call();
    }
}

#[cfg(test)]
mod tests;

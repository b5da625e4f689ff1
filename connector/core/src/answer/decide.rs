//! May they: the decision, what it counts and imposes, and whether it still stands while the answer leaves.

mod debts;

use super::Connector;
use super::instant::policy_time;
use super::permits::Kept;
use crate::ports::UseRecord;
use crate::world::{Beginning, Begun};
use crate::{Caller, Code, Credentials, Priority, Refusal, Seat};
use debts::Debts;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use std::sync::Arc;
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_policy::{
    Ask, Basis, Charge, Claimed, Claims, Counter, Denied, Permit, PolicyKind, PolicySet, Usage,
    World,
};

pub(crate) fn authenticate(
    connector: &Connector,
    credentials: &Credentials,
    record: &mut UseRecord,
) -> Result<Caller, Refusal> {
    record.trace.clone_from(&credentials.trace);
    let caller = connector
        .authenticator
        .authenticate(credentials, connector.clock.now())?;
    record.participant = Some(caller.participant().clone());
    record.subject = Some(match caller.on_behalf().first() {
        None => caller.subject().to_owned(),
        Some(first) => format!("{} of <{}>", caller.subject(), first.as_str()),
    });
    record.purpose = caller.purpose().cloned();
    record.means = caller.means().clone();
    record.token_id = Some(caller.token_id().to_owned());
    Ok(caller)
}

/// A request may repeat its token's purpose, not widen it.
pub(super) fn same_purpose(caller: &Caller, stated: Option<&NamedNode>) -> Result<(), Refusal> {
    match stated {
        Some(stated) if caller.purpose() != Some(stated) => Err(Refusal::new(
            Code::Forbidden,
            "purpose",
            format_args!(
                "the request states <{}>, the token does not",
                stated.as_str()
            ),
        )),
        _ => Ok(()),
    }
}

/// What a caller wants to do.
pub(super) struct Wish<'a> {
    caller: &'a Caller,
    action: &'static str,
    break_glass: Option<&'a NamedNode>,
}

/// What is permitted, before it is counted.
pub(super) struct Decision {
    pub(super) granted: Granted,
    /// Whether the use is counted or brings duties: then it begins in a turn of the ledger.
    pub(super) is_counted: bool,
}

/// A permit in force, and what it rests on.
#[derive(Debug)]
pub(super) struct Granted {
    permit: Arc<Permit>,
    ask: Ask,
    claims: Claims,
    policies: Arc<PolicySet>,
    /// The version of the world that decided. None: nobody has looked since the use was counted.
    world: Option<u64>,
    /// The first moment at which it does not hold any longer.
    until: Option<DateTime>,
    /// The rules that counted this use, each with the use before it.
    charged: Vec<(Counter, Usage)>,
}

impl<'a> Wish<'a> {
    pub(super) fn new(
        caller: &'a Caller,
        action: &'static str,
        break_glass: Option<&'a NamedNode>,
    ) -> Self {
        Self {
            caller,
            action,
            break_glass,
        }
    }

    fn claims(&self) -> Claims {
        Claims {
            breaks_glass: self.break_glass.cloned(),
            values: self.caller.values().clone(),
        }
    }

    fn ask(&self, now: OffsetDateTime) -> Result<Ask, Refusal> {
        Ok(Ask {
            participant: self.caller.participant().clone(),
            subject: self.caller.subject().to_owned(),
            roles: self.caller.roles().to_vec(),
            purpose: self.caller.purpose().cloned(),
            action: odrl(self.action),
            now: policy_time(now)?,
        })
    }
}

/// Decides, or finds what was decided a moment ago. Counts nothing yet.
pub(super) fn consider(
    connector: &Connector,
    wish: Wish<'_>,
    record: &mut UseRecord,
) -> Result<Decision, Refusal> {
    let now = connector.clock.now();
    let (ask, claims) = (wish.ask(now)?, wish.claims());
    let policies = connector.policies.current();
    let version = connector.world.version(&ask.participant);
    let kept = connector
        .permits
        .get(&ask, &claims, policies.version(), version);
    if let Some(kept) = kept {
        note(&kept.permit, &policies, record);
        return Ok(Decision {
            granted: Granted {
                permit: kept.permit,
                ask,
                claims,
                policies,
                world: Some(version),
                until: kept.until,
                charged: Vec::new(),
            },
            is_counted: false,
        });
    }
    let (permit, world, until) = decide(connector, &policies, &ask, &claims, now, &[])?;
    let permit = Arc::new(permit);
    note(&permit, &policies, record);
    let is_counted = !is_free(&permit);
    if !is_counted {
        let kept = Kept {
            permit: Arc::clone(&permit),
            world,
            from: ask.now,
            until,
        };
        connector.permits.put(&ask, &claims, kept);
    }
    Ok(Decision {
        granted: Granted {
            permit,
            ask,
            claims,
            policies,
            world: Some(world),
            until,
            charged: Vec::new(),
        },
        is_counted,
    })
}

/// Waits for the caller's turn.
///
/// What breaks the glass is urgent, and what is asked for an urgent purpose while an incident goes on.
pub(super) async fn admit(
    connector: &Connector,
    caller: &Caller,
    decision: &Decision,
) -> Result<Seat, Refusal> {
    let breaks_glass = *decision.granted.permit.basis() != Basis::Ordinary;
    let is_urgent = connector.admission.is_urgent(caller.purpose());
    let goes_on = || {
        let now = decision.granted.ask.now;
        let incidents = connector.world.incidents();
        let mut incidents = incidents.iter();
        incidents.any(|incident| incident.begins <= now && now < incident.ends)
    };
    let priority = match breaks_glass || (is_urgent && goes_on()) {
        true => Priority::Incident,
        false => Priority::Routine,
    };
    connector.admission.enter(caller, priority).await
}

/// The permit for something that goes with another use, if it needs no counting of its own.
pub(super) fn uncounted(connector: &Connector, wish: Wish<'_>) -> Option<Arc<Permit>> {
    let now = connector.clock.now();
    let ask = wish.ask(now).ok()?;
    let policies = connector.policies.current();
    let decided = decide(connector, &policies, &ask, &wish.claims(), now, &[]);
    let (permit, ..) = decided.ok()?;
    is_free(&permit).then(|| Arc::new(permit))
}

/// Whether a permit may be used without a turn of the ledger.
fn is_free(permit: &Permit) -> bool {
    permit.charges().is_empty()
        && permit.obligations().is_empty()
        && *permit.basis() == Basis::Ordinary
}

/// Counts the use and puts its obligations on record, durably, where it has any; otherwise does nothing.
pub(super) async fn begin(
    connector: &Connector,
    decision: Decision,
    record: &mut UseRecord,
) -> Result<Granted, Refusal> {
    let Decision {
        mut granted,
        is_counted,
    } = decision;
    if !is_counted {
        return Ok(granted);
    }
    let now = connector.clock.now();
    granted.ask.now = policy_time(now)?;
    let policies = Arc::clone(&granted.policies);
    let (ask, claims) = (granted.ask.clone(), granted.claims.clone());
    let debts = Debts {
        owner: connector.participant.clone(),
        request: record.request,
        now,
        review: now + connector.review,
    };
    let considered = Arc::clone(&granted.permit);
    let turn = move |world: &dyn World| {
        let world = Claimed::new(world, &claims);
        let permit = policies.decide_in(&ask, &world).map_err(denied)?;
        // By these it is on record: by others it is another use.
        if permit.policies() != considered.policies() || permit.basis() != considered.basis() {
            let detail = "others made their use first, and it would be permitted by other policies: try again";
            return Err(Refusal::new(Code::Unavailable, "policy.turn", detail));
        }
        let charges = permit.charges().iter();
        Ok(Beginning {
            charges: charges.map(|charge| charge.counter.clone()).collect(),
            obligations: debts.of(&permit, &ask)?,
            permit,
        })
    };
    let begun = connector.world.begin(now, Box::new(turn)).await?;
    check_limits(&begun)?;
    note(&begun.permit, &granted.policies, record);
    if let Basis::BreakGlass(incident) = begun.permit.basis() {
        tracing::warn!(
            request = %record.request,
            participant = granted.ask.participant.as_str(),
            subject = granted.ask.subject,
            incident = incident.as_str(),
            "the glass is broken: review what is done"
        );
    }
    granted.permit = Arc::new(begun.permit);
    granted.charged = begun.charged;
    // Others may have had their turns meanwhile: the first look decides again.
    granted.world = None;
    Ok(granted)
}

/// The decision has looked at the limits, on the very state that counted: a permit beyond one would be a fault of ours.
fn check_limits(begun: &Begun) -> Result<(), Refusal> {
    for charge in begun.permit.charges() {
        let mut charged = begun.charged.iter();
        let before = charged.find(|(counter, _)| *counter == charge.counter);
        let is_within = before.is_some_and(|(_, before)| {
            let limit = charge.limit;
            limit.is_none_or(|limit| before.count < limit)
        });
        if !is_within {
            let detail = "a use was counted beyond its limit";
            return Err(Refusal::new(Code::Internal, "ledger.limit", detail));
        }
    }
    Ok(())
}

impl Granted {
    pub(super) fn permit(&self) -> Arc<Permit> {
        Arc::clone(&self.permit)
    }

    /// Whether what was permitted is permitted still, and shows the same: asked before each part of an answer leaves.
    /// Where policies, world and time are as they were, that is known without deciding again.
    ///
    /// # Errors
    /// [`Code::Forbidden`], check `policy`.
    // INVARIANT(no-longer-than-permitted): no part of an answer leaves after its permit has ended or become another.
    pub(super) fn check(&mut self, connector: &Connector) -> Result<(), Refusal> {
        let policies = connector.policies.current();
        let version = connector.world.version(&self.ask.participant);
        let now = connector.clock.now();
        let same = Arc::ptr_eq(&policies, &self.policies) && self.world == Some(version);
        if same && self.until.is_none() {
            return Ok(());
        }
        let moment = policy_time(now)?;
        if same && self.until.is_some_and(|until| moment < until) {
            return Ok(());
        }
        self.ask.now = moment;
        let (permit, world, until) = decide(
            connector,
            &policies,
            &self.ask,
            &self.claims,
            now,
            &self.charged,
        )?;
        let is_known = |charge: &Charge| {
            let mut charged = self.charged.iter();
            charged.any(|(known, _)| *known == charge.counter)
        };
        if permit.guard() != self.permit.guard() || !permit.charges().iter().all(is_known) {
            return Err(Refusal::new(
                Code::Forbidden,
                "policy",
                "what is permitted has changed while the answer was on its way",
            ));
        }
        self.policies = policies;
        self.world = Some(world);
        self.until = until;
        Ok(())
    }

    /// Adds the time since `started` to the rules that counted this use, once.
    pub(super) fn meter(
        &mut self,
        connector: &Connector,
        started: Instant,
    ) -> impl Future<Output = Result<(), Refusal>> + use<> {
        let charged = std::mem::take(&mut self.charged);
        let counters: Vec<_> = charged.into_iter().map(|(counter, _)| counter).collect();
        let spent = connector.clock.instant().saturating_duration_since(started);
        let metered = (!counters.is_empty()).then(|| connector.world.meter(counters, spent));
        async move {
            match metered {
                Some(metered) => metered.await,
                None => Ok(()),
            }
        }
    }
}

/// The decision, the version of the world it rests on, and until when it holds.
fn decide(
    connector: &Connector,
    policies: &PolicySet,
    ask: &Ask,
    claims: &Claims,
    now: OffsetDateTime,
    charged: &[(Counter, Usage)],
) -> Result<(Permit, u64, Option<DateTime>), Refusal> {
    let mut decided = None;
    let seen = connector
        .world
        .look(&ask.participant, now, &mut |world: &dyn World| {
            let before = Before { world, charged };
            decided = Some(policies.decide_in(ask, &Claimed::new(&before, claims)));
        });
    let permit = decided
        .ok_or_else(|| Refusal::new(Code::Internal, "ledger", "nothing was shown"))?
        .map_err(denied)?;
    let deadline = seen.until.map(policy_time).transpose()?;
    let until = match (permit.valid_until(), deadline) {
        (Some(one), Some(other)) => Some(if one < other { one } else { other }),
        (one, other) => one.or(other),
    };
    Ok((permit, seen.version, until))
}

/// The world as it was before a use that has begun: a use does not count against itself. Its clock has started, though.
struct Before<'a> {
    world: &'a dyn World,
    charged: &'a [(Counter, Usage)],
}

impl World for Before<'_> {
    fn usage(&self, counter: &Counter) -> Option<Usage> {
        let usage = self.world.usage(counter)?;
        let charged = self.charged.iter().find(|(known, _)| known == counter);
        Some(match charged {
            Some((_, before)) => Usage {
                count: before.count,
                last: before.last,
                ..usage
            },
            None => usage,
        })
    }

    fn incidents(&self) -> &[twinlink_policy::Incident] {
        self.world.incidents()
    }

    fn has_violations(&self, participant: &NamedNode) -> bool {
        self.world.has_violations(participant)
    }

    fn performed(&self, participant: &NamedNode, action: &NamedNode) -> Option<DateTime> {
        self.world.performed(participant, action)
    }
}

/// For the record: by which policies, and which agreement in which version.
fn note(permit: &Permit, policies: &PolicySet, record: &mut UseRecord) {
    record.policies = permit.policies().to_vec();
    record.policy_version = permit.version().to_owned();
    record.break_glass = match permit.basis() {
        Basis::BreakGlass(incident) => Some(incident.clone()),
        Basis::Ordinary => None,
    };
    let all = policies.policies();
    let hash = |uid: &NamedNode| {
        let mut found = all.iter().filter(|policy| policy.uid() == uid);
        found.next().map_or("", |policy| policy.hash()).to_owned()
    };
    record.policy_hashes = record.policies.iter().map(hash).collect();
    record.agreements = all
        .iter()
        .filter(|policy| policy.kind() == PolicyKind::Agreement)
        .filter(|policy| permit.policies().contains(policy.uid()))
        .map(|policy| (policy.uid().clone(), policy.hash().to_owned()))
        .collect();
}

/// What those whom a policy lets break the glass may know: that they may, and for which incident.
fn denied(denied: Denied) -> Refusal {
    match denied.outlook.break_glass.first() {
        None => Refusal::new(Code::Forbidden, "policy", denied),
        Some(glass) => Refusal::new(
            Code::Forbidden,
            "policy",
            format_args!(
                "not permitted, unless you break the glass for {}: the owner is told, and reviews what you do",
                glass.incident
            ),
        )
        .open(),
    }
}

pub(super) fn odrl(action: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://www.w3.org/ns/odrl/2/{action}"))
}

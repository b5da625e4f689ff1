//! Until when a decision holds by time alone.

use super::evaluate::Asked;
use crate::model::operand::{Clock, Period};
use crate::model::{Constraint, Moment, Policy, Rule};
use oxrdf::NamedNode;
use oxsdatatypes::{DateTime, DayTimeDuration};

/// The next moment at which a comparison can come out differently.
// INVARIANT(never-valid-too-long): before the horizon, the same question in the same world gets the same answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Horizon {
    now: DateTime,
    next: Option<DateTime>,
    depends_on_world: bool,
}

impl Horizon {
    pub(super) fn new(now: DateTime) -> Self {
        Self {
            now,
            next: None,
            depends_on_world: false,
        }
    }

    pub(super) fn next(&self) -> Option<DateTime> {
        self.next
    }

    pub(super) fn depends_on_world(&self) -> bool {
        self.depends_on_world
    }

    /// Something changes then, unless it is past.
    pub(super) fn at(&mut self, moment: DateTime) {
        // Of what has no time zone nothing is known, now or later.
        if moment.timezone_offset().is_some()
            && moment >= self.now
            && self.next.is_none_or(|next| moment < next)
        {
            self.next = Some(moment);
        }
    }

    /// It changes with what happens.
    pub(super) fn world(&mut self) {
        self.depends_on_world = true;
    }

    /// All that can change how the rule comes out.
    pub(super) fn rule(&mut self, policy: &Policy, rule: &Rule, asked: &Asked<'_>) {
        for condition in rule.conditions() {
            condition.each(&mut |one| self.constraint(one, policy, rule, asked));
        }
        for duty in &rule.duties {
            self.duty(&duty.constraints, policy, rule, asked);
            for consequence in &duty.consequences {
                self.duty(&consequence.constraints, policy, rule, asked);
            }
        }
        if rule.treatment.delay.is_some() {
            // What is shown late is shown as of whole seconds.
            self.after(self.now, DayTimeDuration::new(1));
        }
    }

    pub(super) fn duty(
        &mut self,
        constraints: &[Constraint],
        policy: &Policy,
        rule: &Rule,
        asked: &Asked<'_>,
    ) {
        self.world();
        for condition in constraints {
            condition.each(&mut |one| self.constraint(one, policy, rule, asked));
        }
    }

    fn constraint(
        &mut self,
        condition: &Constraint,
        policy: &Policy,
        rule: &Rule,
        asked: &Asked<'_>,
    ) {
        match condition {
            Constraint::DateTime(_, moment) => self.moment(*moment),
            Constraint::Event(_, events) => self.incidents(events, asked),
            Constraint::Count(..) => self.world(),
            Constraint::Period(period) => self.period(period, policy, rule, asked),
            _ => {}
        }
    }

    pub(super) fn moment(&mut self, moment: Moment) {
        match moment {
            Moment::Instant(instant) => self.at(instant),
            Moment::Day(day) => {
                if let Ok(begin) = DateTime::try_from(day) {
                    self.at(begin);
                    self.after(begin, DayTimeDuration::new(86_400));
                }
            }
        }
    }

    /// Incidents of these kinds begin and end.
    pub(super) fn incidents(&mut self, events: &[NamedNode], asked: &Asked<'_>) {
        self.world();
        for incident in asked.world.incidents() {
            if incident.is_one_of(events) {
                self.at(incident.begins);
                self.at(incident.ends);
            }
        }
    }

    fn after(&mut self, start: DateTime, length: DayTimeDuration) {
        if let Some(moment) = start.checked_add_day_time_duration(length) {
            self.at(moment);
        }
    }

    fn period(&mut self, period: &Period, policy: &Policy, rule: &Rule, asked: &Asked<'_>) {
        let length = period.length;
        match &period.clock {
            Clock::SinceInstant(start) => {
                self.at(*start);
                self.after(*start, length);
            }
            Clock::SinceEvent(event) => {
                self.world();
                for incident in asked.incidents(std::slice::from_ref(event), rule) {
                    self.at(incident.begins);
                    self.after(incident.begins, length);
                }
            }
            clock => {
                self.world();
                let Some(usage) = asked.usage(policy, rule) else {
                    return;
                };
                match clock {
                    // If this is the first use, it is from now on that time elapses.
                    Clock::SinceFirst => self.after(usage.first.unwrap_or(self.now), length),
                    Clock::SinceLast => {
                        if let Some(last) = usage.last {
                            self.after(last, length);
                        }
                    }
                    // This use itself takes time.
                    _ => {
                        let metered = DayTimeDuration::try_from(usage.metered).ok();
                        if let Some(left) = metered.and_then(|metered| length.checked_sub(metered))
                        {
                            self.after(self.now, left);
                        }
                    }
                }
            }
        }
    }
}

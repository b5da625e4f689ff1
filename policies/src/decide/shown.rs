//! Puts together what active rules leave visible.

use super::simplify::simplify;
use crate::Ask;
use crate::action;
use crate::guard::{Function, Guard, Recorded, Selector, Statistic, Step, Transformed};
use crate::model::treatment::{Change, Delay, Figures, Treatment};
use crate::model::{Policy, Rule, RuleKind, Target};
use oxrdf::NamedNode;
use oxsdatatypes::{DateTime, DayTimeDuration};
use twinlink_vocab::odrl;

/// What active rules show to one request, and what they withhold.
pub(super) struct Shown<'a> {
    ask: &'a Ask,
    permits: Vec<Selector>,
    prohibitions: Vec<Selector>,
    transformed: Vec<Transformed>,
    statistics: Vec<Statistic>,
    /// What must not be put into numbers, though it may be read.
    uncounted: Vec<Selector>,
}

/// Whether the rule matters to a request for data because of statistics: who asks to read is told them too.
pub(super) fn concerns_statistics(rule: &Rule, ask: &Ask) -> bool {
    let aggregate = odrl::AGGREGATE.into_owned();
    ask.action == odrl::READ
        && rule.actions.iter().any(|action| match rule.kind {
            RuleKind::Permission => *action == aggregate && rule.has_figures(),
            RuleKind::Prohibition => action::overlap(action, &aggregate),
        })
}

impl<'a> Shown<'a> {
    pub(super) fn new(ask: &'a Ask) -> Self {
        Self {
            ask,
            permits: Vec::new(),
            prohibitions: Vec::new(),
            transformed: Vec::new(),
            statistics: Vec::new(),
            uncounted: Vec::new(),
        }
    }

    /// Adds what an active rule shows or withholds.
    pub(super) fn add(&mut self, policy: &Policy, rule: &Rule) {
        let action = &self.ask.action;
        match rule.kind {
            RuleKind::Permission => {
                for target in &rule.targets {
                    self.permit(policy, rule, target);
                }
            }
            RuleKind::Prohibition => {
                let withholds = rule.actions.iter().any(|its| action::overlap(its, action));
                let selectors = rule.targets.iter().flat_map(|target| &target.selectors);
                match withholds {
                    true => self.prohibitions.extend(selectors.cloned()),
                    false => self.uncounted.extend(selectors.cloned()),
                }
            }
        }
    }

    /// The guard of all that was added.
    pub(super) fn guard(self) -> Guard {
        let mut statistics = self.statistics;
        statistics.retain(|statistic| {
            let mut uncounted = self.uncounted.iter();
            uncounted.all(|selector| selector.is_disjoint(&statistic.selector))
        });
        let guard = Guard::new(self.permits, self.prohibitions)
            .with_transformed(self.transformed)
            .with_statistics(statistics);
        simplify(&guard)
    }

    fn permit(&mut self, policy: &Policy, rule: &Rule, target: &Target) {
        let action = &self.ask.action;
        if let Some(figures) = &target.figures {
            let selectors = target.selectors.iter();
            let name = figures.name.clone().or_else(|| default_name(policy, rule));
            let statistics = selectors.zip(name).map(|(selector, name)| {
                let Figures {
                    dimensions,
                    measure,
                    minimum,
                    ..
                } = figures.clone();
                Statistic {
                    name,
                    selector: selector.clone(),
                    dimensions,
                    measure,
                    minimum,
                }
            });
            self.statistics.extend(statistics);
            return;
        }
        if !rule.actions.iter().any(|its| action::includes(its, action)) {
            return;
        }
        let Some(selectors) = delayed(&target.selectors, &rule.treatment, self.ask.now) else {
            return;
        };
        if rule.treatment.steps.is_empty() {
            self.permits.extend(selectors);
            return;
        }
        let steps = self.steps(&rule.treatment);
        let transformed = selectors.into_iter().map(|selector| Transformed {
            selector,
            steps: steps.clone(),
        });
        self.transformed.extend(transformed);
    }

    fn steps(&self, treatment: &Treatment) -> Vec<Step> {
        let function = |change: &Change| match change {
            Change::Fixed(function) => function.clone(),
            Change::Pseudonymise => Function::Pseudonymise {
                recipient: self.ask.participant.clone(),
                purpose: self.ask.purpose.clone(),
            },
        };
        let steps = treatment.steps.iter().map(|step| Step {
            part: step.part.clone(),
            function: function(&step.change),
        });
        steps.collect()
    }
}

/// The names of observations are made of a statistic's name and a fragment, so it has none itself.
fn default_name(policy: &Policy, rule: &Rule) -> Option<NamedNode> {
    let uid = policy.uid.as_str();
    let name = format!("{uid}/statistic-{}", rule.number);
    let is_free = !uid.contains('#');
    is_free.then(|| NamedNode::new(name).ok()).flatten()
}

/// The selectors as of a moment; none where that lies outside all times.
fn delayed(selectors: &[Selector], treatment: &Treatment, now: DateTime) -> Option<Vec<Selector>> {
    let Some(Delay { property, period }) = &treatment.delay else {
        return Some(selectors.to_vec());
    };
    let second = now.second();
    let part = second.checked_sub(second.checked_floor()?)?;
    let whole = now.checked_sub_day_time_duration(DayTimeDuration::new(part))?;
    let recorded = Recorded {
        property: property.clone(),
        until: whole.checked_sub_day_time_duration(*period)?,
    };
    let delayed = selectors.iter().map(|selector| Selector {
        recorded: Some(recorded.clone()),
        ..selector.clone()
    });
    Some(delayed.collect())
}

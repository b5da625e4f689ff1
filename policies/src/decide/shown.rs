//! Puts together what active rules leave visible.

use super::simplify::simplify;
use crate::Ask;
use crate::action;
use crate::guard::{Function, Guard, Recorded, Selector, Statistic, Step, Transformed};
use crate::model::treatment::{Change, Delay, Figures, Treatment};
use crate::model::{Conflict, Policy, Rule, RuleKind, Target};
use oxrdf::NamedNode;
use oxsdatatypes::{DateTime, DayTimeDuration};
use std::collections::BTreeMap;
use twinlink_vocab::odrl;

/// What active rules show to one request, and what they withhold.
pub(super) struct Shown<'a> {
    ask: &'a Ask,
    granted: Vec<Granted>,
    withheld: Vec<Withheld>,
}

/// What permissions show from which the same is withheld.
#[derive(Default)]
struct Guarded {
    permits: Vec<Selector>,
    transformed: Vec<Transformed>,
    statistics: Vec<Statistic>,
}

/// A part that a permission shows.
struct Granted {
    holder: usize,
    is_glass: bool,
    part: Shape,
}

#[derive(Clone)]
enum Shape {
    Plain(Selector),
    Transformed(Transformed),
    Statistic(Statistic),
}

/// A part that a prohibition withholds.
struct Withheld {
    holder: usize,
    selector: Selector,
    /// Its policy lets permissions win over it.
    yields: bool,
    never_overridden: bool,
    /// What it is about must not be put into numbers, though it may be read.
    counts_only: bool,
}

impl Granted {
    fn selector(&self) -> &Selector {
        match &self.part {
            Shape::Plain(selector) => selector,
            Shape::Transformed(transformed) => &transformed.selector,
            Shape::Statistic(statistic) => &statistic.selector,
        }
    }
}

impl Withheld {
    /// Whether it does not withhold what this permission shows: one of its own policy, where those win, or one for which the
    /// glass was broken.
    fn spares(&self, granted: &Granted) -> bool {
        (self.yields && granted.holder == self.holder)
            || (granted.is_glass && !self.never_overridden)
    }

    /// Whether it is to be taken off what this permission shows. Where the two are apart it makes no difference, and is, so
    /// that fewer layers are needed.
    fn applies_to(&self, granted: &Granted) -> bool {
        let is_concerned = !self.counts_only || matches!(granted.part, Shape::Statistic(_));
        is_concerned && (!self.spares(granted) || granted.selector().is_disjoint(&self.selector))
    }
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
            granted: Vec::new(),
            withheld: Vec::new(),
        }
    }

    /// Adds what an active rule shows or withholds: one of the policy `origin`, which the policy `holder` has too.
    pub(super) fn add(&mut self, (number, holder): (usize, &Policy), origin: &Policy, rule: &Rule) {
        let action = &self.ask.action;
        match rule.kind {
            RuleKind::Permission => {
                for target in &rule.targets {
                    let parts = self.parts(origin, rule, target);
                    self.granted.extend(parts.into_iter().map(|part| Granted {
                        holder: number,
                        is_glass: rule.break_glass.is_some(),
                        part,
                    }));
                }
            }
            RuleKind::Prohibition => {
                let aggregate = odrl::AGGREGATE.into_owned();
                let counts_only = *action == odrl::READ
                    && !rule.actions.iter().any(|its| action::overlap(its, action))
                    && rule
                        .actions
                        .iter()
                        .any(|its| action::overlap(its, &aggregate));
                let selectors = rule.targets.iter().flat_map(|target| &target.selectors);
                self.withheld.extend(selectors.map(|selector| Withheld {
                    holder: number,
                    selector: selector.clone(),
                    yields: holder.conflict == Conflict::Permit,
                    never_overridden: rule.never_overridden,
                    counts_only,
                }));
            }
        }
    }

    /// Whether a prohibition withholds nothing of what was shown by breaking the glass.
    pub(super) fn is_overridden(&self, rule: &Rule) -> bool {
        let selectors = rule.targets.iter().flat_map(|target| &target.selectors);
        let mut glass = self.granted.iter().filter(|granted| granted.is_glass);
        let selectors: Vec<_> = selectors.collect();
        !rule.never_overridden
            && glass.any(|granted| {
                let mut withheld = selectors.iter();
                withheld.any(|selector| !selector.is_disjoint(granted.selector()))
            })
    }

    /// The guard of all that was added: what each permission shows less what is withheld from it.
    ///
    /// Permissions from which the same is withheld share a layer.
    // INVARIANT(exceptions-are-exact): a part is shown if and only if some permission shows it and no prohibition that does
    // not spare this permission selects it.
    pub(super) fn guard(self) -> Guard {
        let mut layers: BTreeMap<Vec<usize>, Guarded> = BTreeMap::new();
        for granted in &self.granted {
            let withheld = self.withheld.iter().enumerate();
            let from_it = withheld.filter(|(_, withheld)| withheld.applies_to(granted));
            let layer = layers.entry(from_it.map(|(place, _)| place).collect());
            let layer = layer.or_default();
            match granted.part.clone() {
                Shape::Plain(selector) => layer.permits.push(selector),
                Shape::Transformed(one) => layer.transformed.push(one),
                Shape::Statistic(one) => layer.statistics.push(one),
            }
        }
        let layers = layers.into_iter().map(|(withheld, layer)| {
            let withheld = withheld.into_iter();
            let withheld = withheld.filter_map(|place| self.withheld.get(place));
            let prohibitions = withheld.map(|one| one.selector.clone()).collect();
            Guard::new(layer.permits, prohibitions)
                .with_transformed(layer.transformed)
                .with_statistics(layer.statistics)
        });
        simplify(&Guard::union(layers))
    }

    fn parts(&self, policy: &Policy, rule: &Rule, target: &Target) -> Vec<Shape> {
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
                Shape::Statistic(Statistic {
                    name,
                    selector: selector.clone(),
                    dimensions,
                    measure,
                    minimum,
                })
            });
            return statistics.collect();
        }
        if concerns_statistics(rule, self.ask)
            && !rule
                .actions
                .iter()
                .any(|its| action::includes(its, &self.ask.action))
        {
            return Vec::new();
        }
        let Some(selectors) = delayed(&target.selectors, &rule.treatment, self.ask.now) else {
            return Vec::new();
        };
        if rule.treatment.steps.is_empty() {
            return selectors.into_iter().map(Shape::Plain).collect();
        }
        let steps = self.steps(&rule.treatment);
        let transformed = selectors.into_iter().map(|selector| {
            Shape::Transformed(Transformed {
                selector,
                steps: steps.clone(),
            })
        });
        transformed.collect()
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

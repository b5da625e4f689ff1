//! The rules the engine enforces as formulas: when exactly a rule is active, and what exactly is visible then.
//!
//! One request is one assignment of the axes, and so is one statement of the dataset: who asks, for what, when, and of
//! which graph, property and classes the statement is.

use super::formula::{Axis, Formula, Scale, Set};
use super::interval::{End, Intervals};
use super::value::seconds;
use crate::guard::{GraphNameKey, Recorded, Selector};
use crate::model::duty::Phase;
use crate::model::treatment::Treatment;
use crate::model::{Constraint, Membership, Moment, Rule, RuleKind, Target};
use crate::{PurposeHierarchy, Truth, action};
use oxrdf::NamedNode;
use oxsdatatypes::{DateTime, Decimal};
use std::collections::BTreeSet;
use std::rc::Rc;

pub(super) const PARTICIPANT: &str = "participant";
pub(super) const ACTION: &str = "action";
pub(super) const PURPOSE: &str = "purpose";
pub(super) const NOW: &str = "now";
pub(super) const GRAPH: &str = "graph";
pub(super) const PROPERTY: &str = "property";
/// A role by its IRI follows; nothing follows for all roles that no policy names.
pub(super) const ROLE: &str = "role ";
/// A class by its IRI follows.
pub(super) const CLASS: &str = "class ";
/// The text of a condition follows of which nothing is known but whether it is the same as another: it may hold for all
/// statements or for none. What follows whether it holds or not is sure, and an example in which it does may not exist.
pub(super) const OPAQUE: &str = "opaque ";
/// The value of roles and classes that one has, and of conditions that hold.
pub(super) const YES: &str = "yes";
/// No purpose, or the default graph.
pub(super) const NONE: &str = "";

/// What rules are read by.
pub(super) struct Reading<'a> {
    purposes: &'a PurposeHierarchy,
    /// The caller has some role.
    has_role: Formula,
    /// The roles that matter.
    roles: BTreeSet<NamedNode>,
}

/// When a constraint is true, and when it is false. Otherwise it is unknown.
struct Truths {
    holds: Formula,
    fails: Formula,
}

impl<'a> Reading<'a> {
    /// For all rules that are compared with each other.
    pub(super) fn new<'r>(
        purposes: &'a PurposeHierarchy,
        rules: impl IntoIterator<Item = &'r Rule>,
    ) -> Self {
        let (mut roles, mut kinds) = (BTreeSet::new(), BTreeSet::new());
        for rule in rules {
            for constraint in rule.conditions() {
                collect_roles(constraint, &mut roles, &mut kinds);
            }
        }
        let mut roles: BTreeSet<NamedNode> = roles.into_iter().cloned().collect();
        // Of all other roles that are known, those matter that are of a kind which is asked for, and one that is of none.
        let known: BTreeSet<&NamedNode> = purposes
            .statements()
            .flat_map(|(narrow, broad)| [narrow, broad])
            .collect();
        let is_kind =
            |role: &NamedNode| Truth::any(kinds.iter().map(|kind| purposes.is_a(role, kind)));
        if !kinds.is_empty() {
            let of_kind = known.iter().filter(|role| is_kind(role) == Truth::True);
            let other = known.iter().find(|role| is_kind(role) == Truth::False);
            roles.extend(of_kind.chain(other).map(|role| (*role).clone()));
            roles.extend(kinds.iter().map(|kind| (*kind).clone()));
        }
        let names = roles.iter().map(|role| role.as_str());
        let has_role = Formula::any(names.chain([NONE]).map(has(ROLE)).collect::<Vec<_>>());
        Self {
            purposes,
            has_role,
            roles,
        }
    }

    /// The requests, and the statements, for which the rule is active.
    pub(super) fn active(&self, rule: &Rule) -> Formula {
        let mut parts = Vec::new();
        if !rule.assignees.is_empty() {
            let assignees = rule.assignees.iter().map(|party| {
                let members = party.members().iter().map(NamedNode::as_str);
                let refinements = party.refinements().iter();
                let refinements = refinements.map(|one| self.holds(one, rule.kind));
                let named = Formula::named(PARTICIPANT, members, true);
                Formula::all(refinements.chain([named]))
            });
            parts.push(Formula::any(assignees.collect::<Vec<_>>()));
        }
        let actions = rule.actions.iter().flat_map(|action| match rule.kind {
            RuleKind::Permission => action::within(action),
            RuleKind::Prohibition => action::overlapping(action),
        });
        parts.push(Formula::named(ACTION, actions, true));
        parts.push(Formula::any(rule.targets.iter().map(targeted)));
        parts.extend(treated(&rule.treatment));
        let constraints = rule.constraints.iter();
        parts.extend(constraints.map(|constraint| self.holds(constraint, rule.kind)));
        // What was done, and whether the glass is broken, no request alone tells.
        let waits = rule.break_glass.is_some()
            || (rule.kind == RuleKind::Permission
                && rule.duties.iter().any(|duty| duty.phase == Phase::Before));
        if waits {
            parts.push(Formula::unknown("what was done before"));
        }
        Formula::all(parts)
    }

    fn holds(&self, constraint: &Constraint, kind: RuleKind) -> Formula {
        let truths = self.truths(constraint);
        match kind {
            RuleKind::Permission => truths.holds,
            RuleKind::Prohibition => Formula::not(truths.fails),
        }
    }

    fn truths(&self, constraint: &Constraint) -> Truths {
        let each = |parts: &[Constraint]| -> (Vec<Formula>, Vec<Formula>) {
            let truths = parts.iter().map(|part| self.truths(part));
            truths.map(|truths| (truths.holds, truths.fails)).unzip()
        };
        match constraint {
            Constraint::Purpose(membership, values) => self.purpose(*membership, values),
            Constraint::Role(membership, values) => self.role(*membership, values),
            Constraint::DateTime(comparison, moment) => {
                let Some((low, high)) = span(*moment) else {
                    return Truths::unknown();
                };
                let points = Intervals::of_span(*comparison, low, high);
                let scale = Scale::Instant { is_zoned: true };
                let holds = Formula::literal(Axis::of(NOW), scale, Set::Points(points));
                Truths::decided(holds)
            }
            // It may hold, and it may not: the world, or a claim, decides.
            Constraint::Claim(_)
            | Constraint::Event(..)
            | Constraint::Count(..)
            | Constraint::Period(_) => {
                let opaque = Formula::unknown(&constraint.to_string());
                Truths {
                    holds: opaque.clone(),
                    fails: opaque,
                }
            }
            Constraint::Sequence(parts) => {
                let (hold, fail) = each(parts);
                let mut fails = Formula::Never;
                for (holds, own) in hold.iter().zip(fail).rev() {
                    fails = Formula::any([own, Formula::all([holds.clone(), fails])]);
                }
                Truths {
                    holds: Formula::all(hold),
                    fails,
                }
            }
            Constraint::And(parts) => {
                let (hold, fail) = each(parts);
                Truths {
                    holds: Formula::all(hold),
                    fails: Formula::any(fail),
                }
            }
            Constraint::Or(parts) => {
                let (hold, fail) = each(parts);
                Truths {
                    holds: Formula::any(hold),
                    fails: Formula::all(fail),
                }
            }
            Constraint::Xone(parts) => {
                let (hold, fail) = each(parts);
                let hold: Rc<[Formula]> = hold.into();
                let known = hold.iter().zip(&fail);
                let known =
                    known.map(|(holds, fails)| Formula::any([holds.clone(), fails.clone()]));
                let one = Formula::One(hold.clone());
                let several = Formula::all([Formula::not(one.clone()), Formula::Any(hold.clone())]);
                Truths {
                    holds: Formula::all(known.chain([one])),
                    fails: Formula::any([Formula::all(fail.iter().cloned()), several]),
                }
            }
        }
    }

    fn purpose(&self, membership: Membership, values: &[NamedNode]) -> Truths {
        let names = || values.iter().map(NamedNode::as_str);
        let among = Formula::named(PURPOSE, names(), true);
        let besides = Formula::named(PURPOSE, names().chain([NONE]), false);
        match membership {
            Membership::AnyOf => Truths {
                holds: among,
                fails: besides,
            },
            Membership::NoneOf => Truths {
                holds: besides,
                fails: among,
            },
            Membership::IsA => {
                let known: BTreeSet<&NamedNode> = self
                    .purposes
                    .statements()
                    .flat_map(|(narrow, broad)| [narrow, broad])
                    .chain(values)
                    .collect();
                let with = |truth: Truth| {
                    let is_so = move |purpose: &&NamedNode| {
                        let kinds = values.iter().map(|kind| self.purposes.is_a(purpose, kind));
                        Truth::any(kinds) == truth
                    };
                    let named = known.iter().copied().filter(is_so);
                    Formula::named(PURPOSE, named.map(NamedNode::as_str), true)
                };
                Truths {
                    holds: with(Truth::True),
                    fails: with(Truth::False),
                }
            }
        }
    }

    fn role(&self, membership: Membership, values: &[NamedNode]) -> Truths {
        let has_one = Formula::any(values.iter().map(NamedNode::as_str).map(has(ROLE)));
        let has_none = Formula::all([Formula::not(has_one.clone()), self.has_role.clone()]);
        match membership {
            Membership::AnyOf => Truths {
                holds: has_one,
                fails: has_none,
            },
            Membership::NoneOf => Truths {
                holds: has_none,
                fails: has_one,
            },
            Membership::IsA => {
                let has_any = |is_so: &dyn Fn(Truth) -> bool| {
                    let of_kind = self.roles.iter().filter(|role| {
                        let kinds = values.iter().map(|kind| self.purposes.is_a(role, kind));
                        is_so(Truth::any(kinds))
                    });
                    let names = of_kind.map(|role| role.as_str());
                    Formula::any(names.map(has(ROLE)).collect::<Vec<_>>())
                };
                // Of a role that nobody names it is not known what it is a kind of.
                let may_be = has_any(&|truth| truth != Truth::False);
                let may_be = Formula::any([may_be, has(ROLE)(NONE)]);
                Truths {
                    holds: has_any(&|truth| truth == Truth::True),
                    fails: Formula::all([Formula::not(may_be), self.has_role.clone()]),
                }
            }
        }
    }
}

impl Truths {
    fn unknown() -> Self {
        Self {
            holds: Formula::Never,
            fails: Formula::Never,
        }
    }

    fn decided(holds: Formula) -> Self {
        Self {
            fails: Formula::not(holds.clone()),
            holds,
        }
    }
}

/// The statements of a target. Of which only numbers are told, that is something else to see than the statements.
fn targeted(target: &Target) -> Formula {
    let selectors = Formula::any(target.selectors.iter().map(selected));
    let figures = target.figures.as_ref();
    let told = figures.map(|figures| has(OPAQUE)(&format!("statistic {figures:?}")));
    Formula::all(std::iter::once(selectors).chain(told))
}

/// What is shown changed or late is less than what is shown as it is, and cannot be compared but with the same.
fn treated(treatment: &Treatment) -> impl Iterator<Item = Formula> {
    let steps = (!treatment.steps.is_empty()).then(|| format!("changed {:?}", treatment.steps));
    let delay = treatment
        .delay
        .as_ref()
        .map(|delay| format!("late {delay:?}"));
    steps
        .into_iter()
        .chain(delay)
        .map(|text| has(OPAQUE)(&text))
}

/// The statements that a selector selects.
pub(super) fn selected(selector: &Selector) -> Formula {
    let graph = selector.graph.as_ref().map(|graph| {
        let name = match graph {
            GraphNameKey::Default => NONE,
            GraphNameKey::Named(name) => name.as_str(),
        };
        Formula::named(GRAPH, [name], true)
    });
    let property = selector.property.as_ref();
    let property = property.map(|name| Formula::named(PROPERTY, [name.as_str()], true));
    let class = selector
        .class
        .as_ref()
        .map(|class| has(CLASS)(class.as_str()));
    let nodes = selector.nodes.as_ref();
    let nodes = nodes.map(|nodes| has(OPAQUE)(&format!("nodes {}", nodes.text())));
    let named = selector.named.map(|named| {
        let is_named = has(OPAQUE)(&format!("named {:?}", named.end));
        match named.is_negated {
            true => Formula::not(is_named),
            false => is_named,
        }
    });
    let recorded = selector.recorded.as_ref();
    let recorded = recorded.map(|recorded| {
        let Recorded { property, until } = recorded;
        has(OPAQUE)(&format!("recorded {property} {until}"))
    });
    let parts = [graph, property, class, nodes, named, recorded];
    Formula::all(parts.into_iter().flatten())
}

fn has(what: &'static str) -> impl Fn(&str) -> Formula {
    move |iri| Formula::named(format!("{what}{iri}"), [YES], true)
}

/// None where it has no time zone, or lies outside all dates: then it cannot be compared.
fn span(moment: Moment) -> Option<(End, End)> {
    match moment {
        Moment::Instant(instant) => {
            instant.timezone_offset()?;
            let point = seconds(instant)?;
            Some((End::Closed(point), End::Closed(point)))
        }
        Moment::Day(day) => {
            day.timezone_offset()?;
            let begin = seconds(DateTime::try_from(day).ok()?)?;
            let end = begin.checked_add(Decimal::from(86_400))?;
            Some((End::Closed(begin), End::Open(end)))
        }
    }
}

fn collect_roles<'r>(
    constraint: &'r Constraint,
    roles: &mut BTreeSet<&'r NamedNode>,
    kinds: &mut BTreeSet<&'r NamedNode>,
) {
    constraint.each(&mut |one| match one {
        Constraint::Role(Membership::IsA, values) => kinds.extend(values),
        Constraint::Role(_, values) => roles.extend(values),
        _ => {}
    });
}

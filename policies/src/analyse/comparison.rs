//! Sets of policies that the engine enforces, compared exactly: what each lets anyone do with any statement.

use super::formula::Formula;
use super::rules::{
    ACTION, CLASS, GRAPH, NONE, NOW, OPAQUE, PARTICIPANT, PROPERTY, PURPOSE, ROLE, Reading, YES,
    selected,
};
use super::solve::solve;
use super::value::Value;
use super::{Example, Verdict, Vocabulary};
use crate::guard::{GraphNameKey, Guard, Selector};
use crate::model::sentence::short;
use crate::model::{Conflict, Policy, PolicyKind, Rule, RuleKind};
use crate::{Ask, PolicySet, action};
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use std::collections::HashMap;
use std::fmt;

/// A request, and a statement of the dataset that it is about: the smallest case in which policies can differ.
///
/// What does not matter is filled in: with names under `https://example.org/`, and with noon of 1 January 2000.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Who asks, for what, when.
    pub ask: Ask,
    /// The graph the statement is in.
    pub graph: GraphNameKey,
    /// Its predicate.
    pub property: NamedNode,
    /// The classes of its subject, of those that policies name.
    pub classes: Vec<NamedNode>,
}

/// What came out of a question about all requests and all statements.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It holds for all.
    Yes,
    /// It does not hold, as this shows.
    No(Box<Access>),
    /// The policies are too large to tell, or it depends on what a shape, a pattern, an area, a transform or a statistic
    /// comes to.
    Unknown,
}

/// What changes for a rule when one set of policies takes the place of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Whether somebody gains by it, or loses.
    pub is_gain: bool,
    /// The policy whose permission grants it: a new one where somebody gains, an old one where somebody loses.
    pub policy: NamedNode,
    /// The permission's number in it, from 1.
    pub number: usize,
    /// The permission in a sentence.
    pub rule: String,
    /// Somebody, with something that is visible before or after only; none where that is too large to tell.
    pub example: Option<Access>,
}

/// How much of something is visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    All,
    /// Some statements may be, others may not.
    Part,
    /// None of it.
    Nothing,
}

/// Whether every request is permitted to do everything with every statement.
pub fn always_allows(set: &PolicySet) -> Answer {
    let reading = reading(&[set]);
    answer(&[(&Compared::new(set, &reading, true).visible(), false)])
}

/// Whether no request is permitted anything.
pub fn always_denies(set: &PolicySet) -> Answer {
    let reading = reading(&[set]);
    let set = Compared::new(set, &reading, true);
    all(set.apart(&set))
}

/// Whether all that the one permits, the other permits too, as an agreement should be within its offer. Offers count as
/// if they were agreed on; the hierarchy of purposes is that of the first.
pub fn within(inner: &PolicySet, outer: &PolicySet) -> Answer {
    let reading = reading(&[inner, outer]);
    let of = |set| Compared::new(set, &reading, false);
    all(of(inner).beyond(&of(outer)).map(|(_, _, answer)| answer))
}

/// Whether both permit the same, as [`within`] in both directions.
pub fn equivalent(left: &PolicySet, right: &PolicySet) -> Answer {
    match within(left, right) {
        Answer::Yes => within(right, left),
        other => other,
    }
}

/// Whether nothing is permitted by both. Offers count as if they were agreed on.
pub fn disjoint(left: &PolicySet, right: &PolicySet) -> Answer {
    let reading = reading(&[left, right]);
    let of = |set| Compared::new(set, &reading, false);
    all(of(left).apart(&of(right)))
}

/// Whether no permission of either is met by a prohibition of the other: [`Answer::No`] shows where they conflict.
/// Offers count as if they were agreed on.
pub fn agree(left: &PolicySet, right: &PolicySet) -> Answer {
    let reading = reading(&[left, right]);
    let of = |set: &PolicySet, kind| {
        let rules = rules(set, false).filter(|(_, _, rule)| rule.kind == kind);
        Formula::any(
            rules
                .map(|(_, _, rule)| reading.active(rule))
                .collect::<Vec<_>>(),
        )
    };
    for (granting, withholding) in [(left, right), (right, left)] {
        let granted = of(granting, RuleKind::Permission);
        let withheld = of(withholding, RuleKind::Prohibition);
        match answer(&[(&granted, true), (&withheld, true)]) {
            Answer::Yes => {}
            other => return other,
        }
    }
    Answer::Yes
}

/// Who gains and who loses when one set takes the place of the other: for each permission by which somebody does, one
/// example. First the gains, then the losses, by policy and number.
pub fn changes(old: &PolicySet, new: &PolicySet) -> Vec<Change> {
    let reading = reading(&[old, new]);
    let of = |set| Compared::new(set, &reading, true);
    let (old, new) = (of(old), of(new));
    let mut changes = Vec::new();
    for (is_gain, with, without) in [(true, &new, &old), (false, &old, &new)] {
        for (policy, rule, answer) in with.beyond(without) {
            let example = match answer {
                Answer::Yes => continue,
                Answer::No(access) => Some(*access),
                Answer::Unknown => None,
            };
            changes.push(Change {
                is_gain,
                policy: policy.uid.clone(),
                number: rule.number,
                rule: rule.to_string(),
                example,
            });
        }
    }
    changes
}

/// The rules of one side, as formulas.
struct Compared<'a> {
    permissions: Vec<(&'a Policy, &'a Rule, Formula)>,
    prohibitions: Vec<Formula>,
}

impl<'a> Compared<'a> {
    fn new(set: &'a PolicySet, reading: &Reading<'_>, in_force: bool) -> Self {
        let (mut permissions, mut prohibitions) = (Vec::new(), Vec::new());
        let mut winning: HashMap<usize, Vec<Formula>> = HashMap::new();
        for ((number, holder), policy, rule) in rules(set, in_force) {
            let active = reading.active(rule);
            match rule.kind {
                RuleKind::Permission => {
                    if holder.conflict == Conflict::Permit {
                        winning.entry(number).or_default().push(active.clone());
                    }
                    permissions.push((policy, rule, active));
                }
                RuleKind::Prohibition => prohibitions.push((number, active)),
            }
        }
        // Where permissions win, a prohibition of the same policy leaves them alone.
        let prohibitions =
            prohibitions
                .into_iter()
                .map(|(number, active)| match winning.get(&number) {
                    Some(permitted) => {
                        let permitted = Formula::any(permitted.iter().cloned());
                        Formula::all([active, Formula::not(permitted)])
                    }
                    None => active,
                });
        Self {
            prohibitions: prohibitions.collect(),
            permissions,
        }
    }

    /// What some active permission selects and no active prohibition does.
    fn visible(&self) -> Formula {
        let permissions = self.permissions.iter();
        Formula::all([
            Formula::any(permissions.map(|(_, _, active)| active.clone())),
            Formula::not(Formula::any(self.prohibitions.iter().cloned())),
        ])
    }

    /// For each permission whether all that it lets see can be seen by the other side too. One small question each:
    /// with the permission given, few of all other rules matter.
    fn beyond(&self, other: &Self) -> impl Iterator<Item = (&'a Policy, &'a Rule, Answer)> {
        let withheld = Formula::any(self.prohibitions.iter().cloned());
        // What both withhold makes no difference where this side does not withhold it.
        let more = other.prohibitions.iter();
        let more = more.filter(|formula| !self.prohibitions.contains(formula));
        let more = Formula::any(more.cloned());
        let permissions = other.permissions.iter();
        let permitted = Formula::any(permissions.map(|(_, _, active)| active.clone()));
        let missing = Formula::any([Formula::not(permitted), more.clone()]);
        self.permissions.iter().map(move |(policy, rule, active)| {
            let mut others = other.permissions.iter();
            let missing = match others.any(|(_, _, formula)| formula == active) {
                true => &more,
                false => &missing,
            };
            let answer = answer(&[(active, true), (&withheld, false), (missing, true)]);
            (*policy, *rule, answer)
        })
    }

    /// For each permission whether nothing that it lets see can be seen by the other side.
    fn apart(&self, other: &Self) -> impl Iterator<Item = Answer> {
        let withheld = Formula::any(self.prohibitions.iter().cloned());
        let visible = other.visible();
        self.permissions.iter().map(move |(_, _, active)| {
            answer(&[(active, true), (&withheld, false), (&visible, true)])
        })
    }
}

/// The first that does not hold; failing that, whether any is not known.
fn all(answers: impl IntoIterator<Item = Answer>) -> Answer {
    let mut all = Answer::Yes;
    for answer in answers {
        match answer {
            Answer::Yes => {}
            Answer::No(access) => return Answer::No(access),
            Answer::Unknown => all = Answer::Unknown,
        }
    }
    all
}

/// How much of what a selector selects a guard shows, whatever the dataset holds. What is shown changed, or told in
/// numbers only, is a part.
pub fn extent(guard: &Guard, selector: &Selector) -> Extent {
    let any = |selectors: &[Selector]| Formula::any(selectors.iter().map(selected));
    let layers = guard.layers().map(|layer| {
        let unless_withheld =
            |shown| Formula::all([shown, Formula::not(any(layer.prohibitions()))]);
        let transformed = layer.transformed().iter().map(|one| &one.selector);
        let statistics = layer.statistics().iter().map(|one| &one.selector);
        let changed = Formula::any(transformed.chain(statistics).map(selected));
        let raw = unless_withheld(any(layer.permits()));
        let something = unless_withheld(Formula::any([any(layer.permits()), changed]));
        (raw, something)
    });
    let (raw, something): (Vec<_>, Vec<_>) = layers.unzip();
    let (raw, something) = (Formula::any(raw), Formula::any(something));
    let selected = selected(selector);
    let is_possible =
        |shown: &Formula, is_so| answer(&[(&selected, true), (shown, is_so)]) != Answer::Yes;
    match (is_possible(&something, true), is_possible(&raw, false)) {
        (false, _) => Extent::Nothing,
        (true, false) => Extent::All,
        (true, true) => Extent::Part,
    }
}

fn rules(
    set: &PolicySet,
    in_force: bool,
) -> impl Iterator<Item = ((usize, &Policy), &Policy, &Rule)> {
    let all = set.all_rules();
    all.filter(move |((_, holder), _, _)| !in_force || holder.kind != PolicyKind::Offer)
}

fn reading<'a>(sets: &[&'a PolicySet]) -> Reading<'a> {
    static STANDARD: std::sync::LazyLock<crate::PurposeHierarchy> =
        std::sync::LazyLock::new(crate::PurposeHierarchy::standard);
    let purposes = sets.first().map_or(&*STANDARD, |set| set.purposes());
    let all = sets.iter().flat_map(|set| rules(set, false));
    Reading::new(purposes, all.map(|(_, _, rule)| rule))
}

/// Whether no request and no statement fulfil all goals.
fn answer(goals: &[(&Formula, bool)]) -> Answer {
    let actions = Formula::named(ACTION, action::all(), true);
    let mut goals = goals.to_vec();
    goals.push((&actions, true));
    let outcome = solve(&goals, &Vocabulary::default());
    match outcome.verdict {
        Verdict::Conflict => Answer::Yes,
        Verdict::Unknown => Answer::Unknown,
        Verdict::Compatible => match outcome.example.as_ref().and_then(Access::of) {
            Some(access) => Answer::No(Box::new(access)),
            None => Answer::Unknown,
        },
    }
}

impl Access {
    /// None where the example may not exist.
    fn of(example: &Example) -> Option<Self> {
        let mut values = example.values.iter();
        if values.any(|(axis, _)| axis.operand.starts_with(OPAQUE)) {
            return None;
        }
        let named = |operand: &str, otherwise: &'static str| {
            let name = example.value(operand).and_then(Value::name);
            name.unwrap_or(otherwise).to_owned()
        };
        let iri = |text: String| (text != NONE).then(|| NamedNode::new_unchecked(text));
        let held = |prefix: &str| -> Vec<NamedNode> {
            let values = example.values.iter();
            let held = values.filter(|(_, value)| value.name() == Some(YES));
            held.filter_map(|(axis, _)| axis.operand.strip_prefix(prefix))
                .map(|name| match name {
                    NONE => NamedNode::new_unchecked("https://example.org/role"),
                    name => NamedNode::new_unchecked(name),
                })
                .collect()
        };
        let now = match example.value(NOW) {
            Some(Value::Instant(instant)) => *instant,
            _ => "2000-01-01T12:00:00Z".parse::<DateTime>().ok()?,
        };
        Some(Self {
            ask: Ask {
                participant: iri(named(PARTICIPANT, "https://example.org/anyone"))?,
                subject: "somebody".to_owned(),
                roles: held(ROLE),
                purpose: iri(named(PURPOSE, NONE)),
                action: iri(named(ACTION, "http://www.w3.org/ns/odrl/2/read"))?,
                now,
            },
            graph: iri(named(GRAPH, NONE)).map_or(GraphNameKey::Default, GraphNameKey::Named),
            property: iri(named(PROPERTY, "https://example.org/property"))?,
            classes: held(CLASS),
        })
    }

    /// Whether the policies permit it: what [`PolicySet::decide`] says, and whether its guard surely shows the statement, as
    /// it is.
    pub fn is_permitted(&self, set: &PolicySet) -> bool {
        let Ok(permit) = set.decide(&self.ask) else {
            return false;
        };
        let is_known = |selector: &Selector| {
            selector.nodes.is_none() && selector.named.is_none() && selector.recorded.is_none()
        };
        let selects = |selector: &Selector| {
            selector
                .graph
                .as_ref()
                .is_none_or(|graph| *graph == self.graph)
                && selector
                    .property
                    .as_ref()
                    .is_none_or(|property| *property == self.property)
                && selector
                    .class
                    .as_ref()
                    .is_none_or(|class| self.classes.contains(class))
        };
        let mut layers = permit.guard().layers();
        layers.any(|layer| {
            let mut permits = layer.permits().iter().filter(|one| is_known(one));
            permits.any(selects) && !layer.prohibitions().iter().any(selects)
        })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |names: &[NamedNode]| {
            let names: Vec<_> = names.iter().map(short).collect();
            names.join(" and ")
        };
        let Ask {
            participant,
            roles,
            purpose,
            action,
            now,
            ..
        } = &self.ask;
        write!(f, "{} ", short(participant))?;
        match roles.as_slice() {
            [] => write!(f, "without role ")?,
            roles => write!(f, "as {} ", joined(roles))?,
        }
        match purpose {
            Some(purpose) => write!(f, "for {}", short(purpose))?,
            None => write!(f, "without purpose")?,
        }
        write!(
            f,
            ", to {} at {now} a statement with {}",
            short(action),
            short(&self.property)
        )?;
        if !self.classes.is_empty() {
            write!(f, " about an instance of {}", joined(&self.classes))?;
        }
        match &self.graph {
            GraphNameKey::Default => write!(f, " in the default graph"),
            GraphNameKey::Named(graph) => write!(f, " in graph {}", short(graph)),
        }
    }
}

//! Reads duties that say how a permission shows what it selects: the transforms of the profile.
//!
//! A transform is a duty whose action is one of the profile's, with its parameters as refinements of the action, and the
//! terms it is about as its `odrl:target`: the values of properties, the instances of a class, the nodes of a shape, pattern
//! or area; without target, all values.
//!
//! Several are done in the order of their `tl:step`. Where none has one, first comes what drops or changes single values:
//! `tl:suppress`, `tl:truncate`, `tl:round`, `tl:generalise`, `tl:mask`, `tl:pseudonymise`; and last
//! `tl:suppressSmallGroups`, which then counts what would be shown.

use super::pattern::polarity::Side;
use super::reader::Reader;
use super::refinement::Refinement;
use super::target::{is_dataset, node_patterns};
use crate::guard::{Function, Part, TimeUnit};
use crate::model::treatment::{Change, Delay, Transform, Treatment};
use crate::model::{RuleKind, Target};
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use oxsdatatypes::{DayTimeDuration, Duration};
use std::collections::{BTreeMap, BTreeSet};
use twinlink_vocab::{odrl, time, tl};

/// The transforms, in the order in which they are done where no other is given.
const TRANSFORMS: &[NamedNodeRef<'static>] = &[
    tl::SUPPRESS,
    tl::TRUNCATE,
    tl::ROUND,
    tl::GENERALISE,
    tl::MASK,
    tl::PSEUDONYMISE,
    tl::SUPPRESS_SMALL_GROUPS,
    tl::DELAY,
];
/// The most transforms of one rule.
const MOST_STEPS: usize = 32;
/// The longest replacement, in bytes.
const MOST_REPLACEMENT: usize = 256;
/// What `tl:mask` writes where nothing else is said.
const MASK: &str = "***";

/// Whether a duty is a transform: its action is one of this profile's.
pub(super) fn is_transform(reader: &Reader<'_>, duty: &Term) -> bool {
    let node = match duty {
        Term::NamedNode(name) => name.clone().into(),
        Term::BlankNode(blank) => blank.clone().into(),
        _ => return false,
    };
    let mut actions = reader.values(&node, odrl::ACTION).iter();
    actions.any(|action| action_of(reader, action).is_some_and(|action| place(&action).is_some()))
}

/// All transforms among the duties of a rule.
pub(super) fn treatment(
    reader: &mut Reader<'_>,
    rule: &NamedOrBlankNode,
    kind: RuleKind,
    actions: &[NamedNode],
    targets: &[Target],
) -> Treatment {
    let duties: Vec<_> = reader
        .values(rule, odrl::DUTY)
        .iter()
        .filter(|duty| is_transform(reader, duty))
        .cloned()
        .collect();
    if targets.iter().any(|target| target.figures.is_some()) {
        check_figures(reader, actions, targets, !duties.is_empty());
    }
    if duties.is_empty() {
        return Treatment::default();
    }
    if kind == RuleKind::Prohibition {
        reader.malformed("a transform is a duty of a permission");
        return Treatment::default();
    }
    check_actions(reader, actions);
    if duties.len() > MOST_STEPS {
        reader.too_many("transforms of one rule", MOST_STEPS);
        return Treatment::default();
    }
    let mut steps = Vec::new();
    let mut delays = Vec::new();
    for duty in &duties {
        match one(reader, duty, targets) {
            Some(Done::Step(step)) => steps.push(step),
            Some(Done::Delay(found)) => delays.push(found),
            None => {}
        }
    }
    if delays.len() > 1 {
        reader.malformed("a rule has one tl:delay");
    }
    Treatment {
        steps: ordered(reader, steps),
        delay: delays.pop(),
    }
}

/// What is changed cannot be written back, and what is shown late can be changed only by who knows it.
fn check_actions(reader: &mut Reader<'_>, actions: &[NamedNode]) {
    let writing = [odrl::USE, odrl::MODIFY, odrl::DELETE];
    for action in actions
        .iter()
        .filter(|action| writing.contains(&action.as_ref()))
    {
        reader.unsupported(
            action,
            "a permission with a transform is to read, not to change: name odrl:read",
        );
    }
    if actions.iter().any(|action| *action == odrl::AGGREGATE) {
        reader.malformed("a transform changes what is shown, and odrl:aggregate shows no data");
    }
}

/// A rule that tells numbers tells nothing else.
fn check_figures(
    reader: &mut Reader<'_>,
    actions: &[NamedNode],
    targets: &[Target],
    has_duties: bool,
) {
    if actions != [odrl::AGGREGATE.into_owned()] {
        reader.malformed(format_args!(
            "a rule whose target has {} permits odrl:aggregate, and no other action",
            tl::MINIMUM_GROUP_SIZE
        ));
    }
    if targets.len() > 1 {
        reader.malformed(
            "a rule tells one statistic: of two about the same data one could be taken from the other",
        );
    }
    if has_duties {
        reader.malformed("a rule that tells a statistic has no transforms");
    }
}

/// A transform, read.
enum Done {
    Step(Step),
    Delay(Delay),
}

struct Step {
    /// As `tl:step` says.
    number: Option<u32>,
    /// Among [`TRANSFORMS`].
    place: usize,
    transform: Transform,
}

fn one(reader: &mut Reader<'_>, duty: &Term, targets: &[Target]) -> Option<Done> {
    let node = reader.node(duty, "odrl:duty")?;
    reader.understand(&node, &[rdf::TYPE, odrl::UID, odrl::ACTION, odrl::TARGET]);
    reader.check_types(&node, &[odrl::DUTY_CLASS, odrl::RULE]);
    let action = reader.exactly_one(&node, odrl::ACTION)?;
    let name = action_of(reader, &action)?;
    let place = place(&name)?;
    reader.needs_profile(&name);
    let mut parameters = parameters(reader, &action, &name)?;
    let number = match parameters.remove(&tl::STEP.into_owned()) {
        Some(step) => Some(step.whole(reader, odrl::EQ.into_owned(), 1)?),
        None => None,
    };
    if name == tl::DELAY {
        if number.is_some() || !reader.values(&node, odrl::TARGET).is_empty() {
            reader.malformed(
                "tl:delay is about all that the rule permits: it has no target and no step",
            );
            return None;
        }
        return delay(reader, &parameters).map(Done::Delay);
    }
    let change = change(reader, &name, &parameters)?;
    let (part, about) = match reader.at_most_one(&node, odrl::TARGET) {
        Some(target) => part(reader, &target, targets)?,
        None => (Part::Values(Vec::new()), None),
    };
    Some(Done::Step(Step {
        number,
        place,
        transform: Transform {
            part,
            about,
            change,
        },
    }))
}

/// An action's IRI, or the `rdf:value` of a refined one: <https://www.w3.org/TR/odrl-model/#action>.
fn action_of(reader: &Reader<'_>, term: &Term) -> Option<NamedNode> {
    match term {
        Term::NamedNode(action) => Some(action.clone()),
        Term::BlankNode(blank) => match reader.values(&blank.clone().into(), rdf::VALUE) {
            [Term::NamedNode(action)] => Some(action.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn place(action: &NamedNode) -> Option<usize> {
    TRANSFORMS.iter().position(|one| one == action)
}

/// The refinements of an action, by left operand.
fn parameters(
    reader: &mut Reader<'_>,
    action: &Term,
    name: &NamedNode,
) -> Option<BTreeMap<NamedNode, Refinement>> {
    let mut parameters = BTreeMap::new();
    let Term::BlankNode(node) = action else {
        return Some(parameters);
    };
    let node = node.clone().into();
    reader.understand(&node, &[rdf::TYPE, rdf::VALUE, odrl::REFINEMENT]);
    reader.check_types(&node, &[odrl::ACTION_CLASS]);
    let own: &[NamedNodeRef<'_>] = match name.as_ref() {
        tl::MASK => &[tl::REPLACEMENT],
        tl::ROUND => &[tl::MULTIPLE],
        tl::TRUNCATE => &[tl::TIME_UNIT],
        tl::GENERALISE => &[tl::CELL_SIZE],
        tl::SUPPRESS_SMALL_GROUPS => &[tl::MINIMUM_GROUP_SIZE],
        tl::DELAY => &[odrl::DELAY_PERIOD, tl::RECORDED_BY],
        _ => &[],
    };
    for term in reader.values_or_list(&node, odrl::REFINEMENT) {
        let refinement = Refinement::read(reader, &term)?;
        let left = refinement.left.clone();
        if left != tl::STEP && !own.iter().any(|known| *known == left) {
            let known: Vec<_> = own.iter().map(ToString::to_string).collect();
            let known = known.join(", ");
            reader.unsupported(&left, format_args!("{name} is refined by: tl:step {known}"));
            return None;
        }
        if parameters.insert(left.clone(), refinement).is_some() {
            reader.malformed(format_args!("{name} is refined twice by {left}"));
            return None;
        }
    }
    Some(parameters)
}

fn needed<'p>(
    reader: &mut Reader<'_>,
    parameters: &'p BTreeMap<NamedNode, Refinement>,
    left: NamedNodeRef<'_>,
) -> Option<&'p Refinement> {
    let found = parameters.get(&left.into_owned());
    if found.is_none() {
        reader.malformed(format_args!("the transform needs a refinement by {left}"));
    }
    found
}

fn change(
    reader: &mut Reader<'_>,
    name: &NamedNode,
    parameters: &BTreeMap<NamedNode, Refinement>,
) -> Option<Change> {
    let function = match name.as_ref() {
        tl::SUPPRESS => Function::Suppress,
        tl::TRUNCATE => {
            let unit = needed(reader, parameters, tl::TIME_UNIT)?;
            let name = unit.iri(reader)?;
            Function::Truncate(match name.as_ref() {
                time::UNIT_YEAR => TimeUnit::Year,
                time::UNIT_MONTH => TimeUnit::Month,
                time::UNIT_DAY => TimeUnit::Day,
                time::UNIT_HOUR => TimeUnit::Hour,
                _ => {
                    let units = "time:unitYear, time:unitMonth, time:unitDay or time:unitHour";
                    return unit.not(reader, units);
                }
            })
        }
        tl::ROUND => Function::Round(needed(reader, parameters, tl::MULTIPLE)?.positive(reader)?),
        tl::GENERALISE => {
            Function::Generalise(needed(reader, parameters, tl::CELL_SIZE)?.positive(reader)?)
        }
        tl::MASK => {
            let text = match parameters.get(&tl::REPLACEMENT.into_owned()) {
                Some(replacement) => replacement.text(reader)?,
                None => MASK.to_owned(),
            };
            if text.len() > MOST_REPLACEMENT {
                reader.too_many("bytes of a tl:replacement", MOST_REPLACEMENT);
                return None;
            }
            Function::Mask(text)
        }
        tl::SUPPRESS_SMALL_GROUPS => {
            let minimum = needed(reader, parameters, tl::MINIMUM_GROUP_SIZE)?;
            Function::SuppressBelow(minimum.whole(reader, odrl::GTEQ.into_owned(), 2)?)
        }
        _ => return Some(Change::Pseudonymise),
    };
    Some(Change::Fixed(function))
}

fn delay(reader: &mut Reader<'_>, parameters: &BTreeMap<NamedNode, Refinement>) -> Option<Delay> {
    let property = needed(reader, parameters, tl::RECORDED_BY)?.iri(reader)?;
    let period = needed(reader, parameters, odrl::DELAY_PERIOD)?;
    let term = period.one(reader, odrl::EQ.into_owned())?;
    let length = match term {
        Term::Literal(literal) if literal.datatype() == xsd::DAY_TIME_DURATION => {
            literal.value().parse::<DayTimeDuration>().ok()
        }
        // Months are longer or shorter: what has some is no period of a known length.
        Term::Literal(literal) if literal.datatype() == xsd::DURATION => {
            let duration = literal.value().parse::<Duration>().ok();
            duration.and_then(|duration| DayTimeDuration::try_from(duration).ok())
        }
        _ => None,
    };
    let length = length.filter(|length| *length >= DayTimeDuration::default());
    let Some(period) = length else {
        return period.not(
            reader,
            "an xsd:duration without years and months, not below zero",
        );
    };
    Some(Delay { property, period })
}

/// The terms that a transform is about; nodes in words too.
fn part(
    reader: &mut Reader<'_>,
    term: &Term,
    targets: &[Target],
) -> Option<(Part, Option<String>)> {
    let node = reader.node(term, "odrl:target of a transform")?;
    let check_source = |reader: &mut Reader<'_>, dataset: &NamedNode| {
        let is_same = targets.iter().all(|target| target.dataset == *dataset);
        if !is_same {
            reader.malformed(format_args!(
                "a transform is about the dataset of its rule, not about {dataset}"
            ));
        }
        is_same.then_some(())
    };
    if is_dataset(reader, &node) {
        let dataset = reader.iri(term, "odrl:target of a transform")?;
        check_source(reader, &dataset)?;
        return Some((Part::Values(Vec::new()), None));
    }
    reader.understand(
        &node,
        &[rdf::TYPE, odrl::UID, odrl::SOURCE, odrl::REFINEMENT],
    );
    reader.check_types(&node, &[odrl::ASSET_COLLECTION, odrl::ASSET]);
    let source = reader.exactly_one(&node, odrl::SOURCE)?;
    let dataset = reader.iri(&source, "odrl:source")?;
    check_source(reader, &dataset)?;
    let refinement = reader.exactly_one(&node, odrl::REFINEMENT)?;
    let refinement = Refinement::read(reader, &refinement)?;
    reader.needs_profile(&refinement.left);
    match refinement.left.as_ref() {
        tl::PROPERTY => {
            let values = refinement.any_of(reader)?;
            let mut properties = reader.iris(values, tl::PROPERTY)?;
            properties.sort();
            properties.dedup();
            Some((Part::Values(properties), None))
        }
        tl::CLASS => Some((Part::Instances(refinement.iri(reader)?), None)),
        tl::SHAPE | tl::PATTERN | tl::AREA => {
            // What may be among them is changed: as for a prohibition, errors must not show more.
            let mut nodes = node_patterns(reader, &refinement, Side::Over)?;
            if nodes.len() != 1 {
                return refinement.not(reader, "one right operand here");
            }
            Some((Part::Nodes(nodes.pop()?), refinement.words()))
        }
        _ => {
            reader.unsupported(
                &refinement.left,
                "a transform is about tl:property, tl:class, tl:shape, tl:pattern or tl:area",
            );
            None
        }
    }
}

fn ordered(reader: &mut Reader<'_>, mut steps: Vec<Step>) -> Vec<Transform> {
    let numbers: BTreeSet<_> = steps.iter().filter_map(|step| step.number).collect();
    match numbers.len() {
        0 => {
            let clash = steps.iter().enumerate().any(|(at, one)| {
                let others = steps.iter().skip(at + 1);
                others
                    .filter(|other| other.place == one.place)
                    .any(|other| !is_apart(&one.transform.part, &other.transform.part))
            });
            if clash {
                reader.malformed(
                    "two transforms of one kind may meet in one term: give every transform a tl:step",
                );
            }
            // Those of one kind do not meet: their order makes no difference, and is always the same.
            let part = |step: &Step| step.transform.part.clone();
            steps.sort_by_key(|step| (step.place, part(step)));
        }
        known if known == steps.len() => steps.sort_by_key(|step| step.number),
        _ => reader.malformed("each transform of a rule has a tl:step of its own, or none has one"),
    }
    steps.into_iter().map(|step| step.transform).collect()
}

fn is_apart(left: &Part, right: &Part) -> bool {
    match (left, right) {
        (Part::Values(left), Part::Values(right)) => {
            !left.is_empty()
                && !right.is_empty()
                && !left.iter().any(|property| right.contains(property))
        }
        _ => false,
    }
}

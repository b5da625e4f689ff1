//! Makes up data, policies and callers: few terms, so that everything meets everything.

mod guard;
mod value;

use super::model::materialise;
use super::odrl;
use super::random::Random;
use super::scene::{
    Action, Caller, Comparison, Constraint, KEY, Kind, Membership, Moment, Place, Policy, Rule,
    Scene, Target, When, iri,
};
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{BlankNode, GraphName, Literal, NamedNode, NamedOrBlankNode, Quad, Term};
use std::collections::HashSet;
use twinlink_core::policy::End;

/// Predicates `p0` and on; some are subjects and objects too.
pub(super) const PROPERTIES: usize = 9;
/// Those that say where, when, how much and in which district a subject is, mostly: the others say anything.
pub(super) const PLACE: usize = 5;
pub(super) const TIME: usize = 6;
pub(super) const SIZE: usize = 7;
pub(super) const DISTRICT: usize = 8;
/// Classes `C0` and on.
pub(super) const CLASSES: usize = 4;
/// Named graphs `g0` and on; some are subjects and objects too.
pub(super) const GRAPHS: usize = 4;

/// A scene.
pub(super) fn scene(random: &mut Random) -> Scene {
    made(random, true)
}

/// A scene of which policies say everything.
pub(super) fn published(random: &mut Random) -> Scene {
    made(random, false)
}

fn made(random: &mut Random, may_be_guards: bool) -> Scene {
    let size = match random.below(10) {
        0 => random.between(0, 4),
        1 => random.between(90, 320),
        _ => random.between(6, 45),
    };
    let nodes = if size > 60 { 24 } else { 7 };
    let mut quads: Vec<_> = (0..size).map(|_| quad(random, nodes)).collect();
    if random.chance(50) {
        quads.extend(value::town(random, nodes));
    }
    // Some statements are made in two graphs.
    for place in 0..size / 8 {
        let graph = iri(format_args!("g{}", random.below(GRAPHS - 1)));
        if let Some(quad) = quads.get(place).cloned() {
            let graph_name = graph.into();
            quads.push(Quad { graph_name, ..quad });
        }
    }
    let mut seen = HashSet::new();
    quads.retain(|quad| seen.insert(quad.clone()));
    let count = random.between(1, 3);
    let mut policies: Vec<_> = (0..count).map(|n| policy(random, n)).collect();
    if random.chance(75) {
        policies.push(open_policy(random));
    }
    let is_guarded = may_be_guards && random.chance(60);
    let guards = is_guarded.then(|| guard::guards(random));
    if guards.is_some() {
        policies.clear();
    }
    let mut scene = Scene {
        policies,
        caller: caller(random),
        guards,
        about: quads.clone(),
        quads,
    };
    let read = match &scene.guards {
        Some(guards) => guards.read.clone(),
        None => odrl::guard(&scene, Action::Read),
    };
    // Without names; a pattern that fails is found out when the case is run.
    let shown = materialise(&scene.quads, &read, &HashSet::new(), KEY).unwrap_or_default();
    let known: HashSet<_> = scene.quads.iter().collect();
    let mut made: Vec<_> = shown.into_iter().filter(|q| !known.contains(q)).collect();
    made.sort_by_cached_key(ToString::to_string);
    scene.about.extend(made);
    scene
}

/// A statement of a small world.
pub(super) fn quad(random: &mut Random, nodes: usize) -> Quad {
    let graph: GraphName = match random.below(6) {
        0..3 => GraphName::DefaultGraph,
        3 if random.chance(10) => BlankNode::new_unchecked("g").into(),
        _ => iri(format_args!("g{}", random.below(GRAPHS - 1))).into(),
    };
    let subject: NamedOrBlankNode = match random.below(12) {
        0 | 1 => BlankNode::new_unchecked(format!("b{}", random.below(3))).into(),
        2 => graph_or_property(random).into(),
        _ => iri(format_args!("s{}", random.below(nodes))).into(),
    };
    if random.chance(22) {
        let class = iri(format_args!("C{}", random.below(CLASSES)));
        return Quad::new(subject, rdf::TYPE, class, graph);
    }
    let property = random.below(PROPERTIES);
    let object = if property < PLACE || random.chance(15) {
        object(random, nodes)
    } else {
        value::of(random, property)
    };
    Quad::new(subject, iri(format_args!("p{property}")), object, graph)
}

fn graph_or_property(random: &mut Random) -> NamedNode {
    if random.chance(50) {
        iri(format_args!("g{}", random.below(GRAPHS)))
    } else {
        iri(format_args!("p{}", random.below(PROPERTIES)))
    }
}

fn object(random: &mut Random, nodes: usize) -> Term {
    match random.below(16) {
        0 => BlankNode::new_unchecked(format!("b{}", random.below(3))).into(),
        1 => graph_or_property(random).into(),
        2 => iri(format_args!("C{}", random.below(CLASSES))).into(),
        3..9 => iri(format_args!("s{}", random.below(nodes))).into(),
        _ => literal(random).into(),
    }
}

/// Numbers of different types are never equal: which of two equal ones an answer shows is up to the engine. All are in
/// canonical form, in which oxigraph gives them back.
pub(super) fn literal(random: &mut Random) -> Literal {
    let number = random.below(7);
    match random.below(10) {
        9 => value::literal(random),
        0..3 => Literal::new_typed_literal(number.to_string(), xsd::INTEGER),
        3 => Literal::new_typed_literal(format!("{number}.5"), xsd::DECIMAL),
        4 => Literal::new_typed_literal(format!("{number}.25"), xsd::DOUBLE),
        5 => Literal::new_simple_literal(format!("word {number}")),
        6 => {
            let language = *random.pick(&["en", "nl"]);
            Literal::new_language_tagged_literal_unchecked(format!("word {number}"), language)
        }
        7 => {
            let text = format!("2026-11-{:02}T08:00:00Z", number + 1);
            Literal::new_typed_literal(text, xsd::DATE_TIME)
        }
        _ if number > 3 => Literal::from(number > 5),
        _ => Literal::new_typed_literal(format!("x{number}"), iri("datatype")),
    }
}

fn caller(random: &mut Random) -> Caller {
    let participants = [iri("fire"), iri("police")];
    let purpose = random.chance(75).then(|| random.pick(&purposes()).clone());
    let ahead = [Some(0), Some(0), Some(120), None];
    Caller {
        participant: random.pick(&participants).clone(),
        roles: random.some(&roles(), 0, 2),
        purpose,
        now: Moment {
            ahead: *random.pick(&ahead),
            ..moment(random)
        },
    }
}

/// Lets everyone use a large part, but for a graph perhaps: where too little is visible, little can go wrong.
fn open_policy(random: &mut Random) -> Policy {
    let targets = if random.chance(50) {
        vec![Target::default()]
    } else {
        (0..3).map(|_| target(random, true)).collect()
    };
    let rule = |permits: bool, targets: Vec<Target>| Rule {
        permits,
        assignees: Vec::new(),
        actions: vec![Action::Use],
        targets,
        constraints: Vec::new(),
        transforms: Vec::new(),
        delay: None,
        figures: None,
    };
    let mut rules = vec![rule(true, targets)];
    if random.chance(30) {
        let graph = Place::Named(iri(format_args!("g{}", random.below(GRAPHS - 1))));
        let target = Target {
            graphs: vec![graph],
            ..Target::default()
        };
        rules.push(rule(false, vec![target]));
    }
    Policy {
        uid: iri("open"),
        kind: Kind::Set,
        permissions_win: random.chance(30),
        rules,
    }
}

fn policy(random: &mut Random, number: usize) -> Policy {
    let kind = *random.pick(&[
        Kind::Set,
        Kind::Set,
        Kind::Set,
        Kind::Set,
        Kind::Agreement,
        Kind::Offer,
    ]);
    let count = random.between(1, 4);
    Policy {
        uid: iri(format_args!("policy{number}")),
        kind,
        permissions_win: random.chance(35),
        rules: (0..count).map(|_| rule(random, kind)).collect(),
    }
}

fn rule(random: &mut Random, kind: Kind) -> Rule {
    let participants = [iri("fire"), iri("police")];
    let least = usize::from(kind == Kind::Agreement);
    let assignees = if least == 1 || random.chance(25) {
        random.some(&participants, least, 2)
    } else {
        Vec::new()
    };
    let permits = random.chance(50);
    let actions = match random.below(10) {
        0..5 => vec![Action::Use],
        5..8 => vec![Action::Read],
        8 => vec![Action::Read, Action::Modify],
        _ => random.some(
            &[Action::Modify, Action::Distribute, Action::Transfer],
            1,
            2,
        ),
    };
    let mut targets: Vec<_> = (0..random.between(1, 2))
        .map(|_| target(random, permits))
        .collect();
    let constraints = match random.below(10) {
        0..6 => 0,
        6..9 => 1,
        _ => 2,
    };
    let constraints = (0..constraints).map(|_| constraint(random, 2)).collect();
    // What is changed, or shown late, is for reading only.
    let is_to_read = permits && random.chance(40);
    let actions = if is_to_read {
        vec![Action::Read]
    } else if !permits && random.chance(10) {
        vec![Action::Aggregate]
    } else {
        actions
    };
    let transforms = if is_to_read && random.chance(80) {
        guard::steps(random)
    } else {
        Vec::new()
    };
    // Back to the first days of the month, at which most times are.
    let minutes = i64::try_from(random.between(14 * 24, 17 * 24) * 60).unwrap_or(0);
    let delay = (is_to_read && random.chance(20)).then(|| (iri(format_args!("p{TIME}")), minutes));
    let is_statistic = permits && !is_to_read && random.chance(25);
    let (mut actions, mut figures) = (actions, None);
    if is_statistic {
        targets.truncate(1);
        targets.iter_mut().for_each(Target::narrow);
        actions = vec![Action::Aggregate];
        figures = Some(guard::figures(random));
    }
    Rule {
        permits,
        assignees,
        actions,
        targets,
        constraints,
        transforms,
        delay,
        figures,
    }
}

fn target(random: &mut Random, permits: bool) -> Target {
    let mut target = Target::default();
    if random.chance(if permits { 45 } else { 5 }) {
        return target;
    }
    if random.chance(15) {
        target.nodes = Some(guard::nodes(random));
    }
    if random.chance(8) {
        target.named = Some(*random.pick(&[End::Subject, End::Object]));
    }
    // One refinement mostly, sometimes two or three.
    let first = random.below(3);
    for dimension in 0..3 {
        if dimension != first && !random.chance(25) {
            continue;
        }
        let most = if random.chance(40) { 3 } else { 1 };
        match dimension {
            0 => {
                let mut places: Vec<_> = (0..GRAPHS)
                    .map(|n| Place::Named(iri(format_args!("g{n}"))))
                    .collect();
                places.extend([Place::Default, Place::Default]);
                target.graphs = random.some(&places, 1, most);
                target.graphs.dedup();
            }
            1 => {
                let mut names = names("p", PROPERTIES + 1);
                names.push(rdf::TYPE.into_owned());
                target.properties = random.some(&names, 1, most);
            }
            _ => target.classes = random.some(&names("C", CLASSES + 1), 1, most),
        }
    }
    target
}

fn constraint(random: &mut Random, depth: usize) -> Constraint {
    let logical = depth > 0 && random.chance(30);
    if logical {
        let count = random.between(1, 3);
        let parts = (0..count).map(|_| constraint(random, depth - 1)).collect();
        return match random.below(3) {
            0 => Constraint::And(parts),
            1 => Constraint::Or(parts),
            _ => Constraint::Xone(parts),
        };
    }
    match random.below(4) {
        0 | 1 => {
            let (operator, values) = membership(random, &purposes(), true);
            Constraint::Purpose(operator, values)
        }
        2 => {
            let (operator, values) = membership(random, &roles(), false);
            Constraint::Role(operator, values)
        }
        _ => {
            let operator = *random.pick(&[
                Comparison::Eq,
                Comparison::Neq,
                Comparison::Lt,
                Comparison::Lteq,
                Comparison::Gt,
                Comparison::Gteq,
            ]);
            let moment = moment(random);
            let when = if random.chance(50) {
                When::Day(moment)
            } else {
                When::Instant(moment)
            };
            Constraint::DateTime(operator, when)
        }
    }
}

fn membership(
    random: &mut Random,
    values: &[NamedNode],
    has_hierarchy: bool,
) -> (Membership, Vec<NamedNode>) {
    let operator = *random.pick(&[
        Membership::Eq,
        Membership::Neq,
        Membership::IsAnyOf,
        Membership::IsNoneOf,
        Membership::IsA,
        Membership::IsA,
    ]);
    let operator = match operator {
        Membership::IsA if !has_hierarchy => Membership::IsAnyOf,
        operator => operator,
    };
    let most = match operator {
        Membership::IsAnyOf | Membership::IsNoneOf => 3,
        _ => 1,
    };
    (operator, random.some(values, 1, most))
}

fn moment(random: &mut Random) -> Moment {
    Moment {
        day: i64::try_from(random.between(18, 21)).unwrap_or(20),
        minute: i64::try_from(random.below(8) * 180).unwrap_or(0),
        ahead: *random.pick(&[Some(0), Some(120), Some(-300), None]),
    }
}

fn purposes() -> Vec<NamedNode> {
    [
        "https://w3id.org/twinlink/ns#EmergencyResponse",
        "https://w3id.org/twinlink/ns#UrbanPlanning",
        "https://w3id.org/dpv/sector/infra#CriticalInfrastructureManagement",
        "https://w3id.org/dpv#Purpose",
        "http://e/marketing",
    ]
    .map(NamedNode::new_unchecked)
    .to_vec()
}

fn roles() -> Vec<NamedNode> {
    names("role", 3)
}

fn names(prefix: &str, count: usize) -> Vec<NamedNode> {
    (0..count)
        .map(|n| iri(format_args!("{prefix}{n}")))
        .collect()
}

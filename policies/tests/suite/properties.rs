//! Laws that hold for every policy and every request, against a model that looks at one quad at a time.

use crate::support::{PREFIXES, dataset, ex, odrl};
use proptest::prelude::*;
use twinlink_policy::{Ask, GraphNameKey, Guard, Policy, PolicySet, RdfFormat, Selector};

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    permission: bool,
    action: usize,
    assignee: Option<usize>,
    /// Graph (0 is the default graph), property, class.
    part: [Option<usize>; 3],
    constraints: Vec<Condition>,
}

#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Purpose(bool, Vec<usize>),
    Role(bool, Vec<usize>),
    /// Before, or at or after, this hour; or at no known zone.
    Hour(bool, Option<u8>),
    Logical(usize, Vec<Self>),
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    party: usize,
    action: usize,
    purpose: Option<usize>,
    roles: Vec<usize>,
    hour: u8,
}

const ACTIONS: [&str; 4] = ["use", "read", "modify", "index"];

/// A quad of the small world: graph, property, and which of the two classes its subject is of.
pub(crate) type Quad = (usize, usize, [bool; 2]);

pub(crate) fn world() -> Vec<Quad> {
    let classes = [[false, false], [true, false], [false, true], [true, true]];
    (0..3)
        .flat_map(|graph| (0..2).map(move |property| (graph, property)))
        .flat_map(|(graph, property)| classes.map(|class| (graph, property, class)))
        .collect()
}

// The model, in Option<bool> for Kleene's truth values.

fn holds(condition: &Condition, ask: &Request) -> Option<bool> {
    match condition {
        Condition::Purpose(any, values) => ask.purpose.map(|p| values.contains(&p) == *any),
        Condition::Role(any, values) => (!ask.roles.is_empty())
            .then(|| ask.roles.iter().any(|role| values.contains(role)) == *any),
        Condition::Hour(before, hour) => hour.map(|hour| (ask.hour < hour) == *before),
        Condition::Logical(kind, parts) => {
            let parts: Vec<_> = parts.iter().map(|part| holds(part, ask)).collect();
            // Try all ways of filling in what is unknown: known is what comes out the same in all.
            let unknown = parts.iter().filter(|part| part.is_none()).count();
            let outcomes: Vec<bool> = (0..1_u32 << unknown)
                .map(|fill| {
                    let mut bit = 0;
                    let held = parts
                        .iter()
                        .filter(|part| {
                            part.unwrap_or_else(|| {
                                bit += 1;
                                fill >> (bit - 1) & 1 == 1
                            })
                        })
                        .count();
                    match kind {
                        0 => held == parts.len(),
                        1 => held > 0,
                        _ => held == 1,
                    }
                })
                .collect();
            let first = outcomes[0];
            outcomes
                .iter()
                .all(|outcome| *outcome == first)
                .then_some(first)
        }
    }
}

fn active(rule: &Rule, ask: &Request) -> bool {
    let same = rule.action == ask.action;
    let about = same || rule.action == 0 || (!rule.permission && ask.action == 0);
    let theirs = rule.assignee.is_none_or(|party| party == ask.party);
    let truths: Vec<_> = rule.constraints.iter().map(|c| holds(c, ask)).collect();
    about
        && theirs
        && if rule.permission {
            truths.iter().all(|truth| *truth == Some(true))
        } else {
            truths.iter().all(|truth| *truth != Some(false))
        }
}

fn selects(part: &[Option<usize>; 3], quad: &Quad) -> bool {
    part[0].is_none_or(|graph| graph == quad.0)
        && part[1].is_none_or(|property| property == quad.1)
        && part[2].is_none_or(|class| quad.2[class])
}

fn model(rules: &[Rule], ask: &Request) -> Vec<Quad> {
    let covered = |quad: &Quad, permission: bool| {
        rules.iter().any(|rule| {
            rule.permission == permission && active(rule, ask) && selects(&rule.part, quad)
        })
    };
    world()
        .into_iter()
        .filter(|quad| covered(quad, true) && !covered(quad, false))
        .collect()
}

// The engine.

pub(crate) fn matches(selector: &Selector, quad: &Quad) -> bool {
    let graph = match quad.0 {
        0 => GraphNameKey::Default,
        graph => GraphNameKey::Named(ex(&format!("g{graph}"))),
    };
    selector.graph.as_ref().is_none_or(|g| *g == graph)
        && selector
            .property
            .as_ref()
            .is_none_or(|p| *p == ex(&format!("p{}", quad.1)))
        && selector
            .class
            .as_ref()
            .is_none_or(|c| (0..2).any(|class| quad.2[class] && *c == ex(&format!("C{class}"))))
}

fn visible(guard: &Guard, quad: &Quad) -> bool {
    guard.layers().any(|layer| {
        layer.permits().iter().any(|s| matches(s, quad))
            && !layer.prohibitions().iter().any(|s| matches(s, quad))
    })
}

pub(crate) fn engine(set: &PolicySet, ask: &Request) -> Vec<Quad> {
    let guard = set
        .decide(&asked(ask))
        .map_or_else(|_| Guard::nothing(), |permit| permit.guard().clone());
    world()
        .into_iter()
        .filter(|quad| visible(&guard, quad))
        .collect()
}

fn asked(ask: &Request) -> Ask {
    Ask {
        participant: ex(&format!("party{}", ask.party)),
        subject: "someone".to_owned(),
        roles: ask
            .roles
            .iter()
            .map(|role| ex(&format!("role{role}")))
            .collect(),
        purpose: ask.purpose.map(|purpose| ex(&format!("purpose{purpose}"))),
        action: odrl(ACTIONS[ask.action]),
        now: format!("2026-11-20T{:02}:00:00Z", ask.hour)
            .parse()
            .unwrap(),
    }
}

pub(crate) fn compiled(rules: &[Rule]) -> PolicySet {
    PolicySet::compile(dataset(), parsed(rules)).unwrap()
}

/// Each rule a policy of its own.
fn parsed(rules: &[Rule]) -> Vec<Policy> {
    let mut text = PREFIXES.to_owned();
    for (index, rule) in rules.iter().enumerate() {
        text += &written(index, rule);
    }
    if rules.is_empty() {
        return Vec::new();
    }
    Policy::parse(&text, RdfFormat::Turtle, None).unwrap_or_else(|e| panic!("{text}\n{e:#?}"))
}

fn written(index: usize, rule: &Rule) -> String {
    let refinement = |left: &str, name: String| {
        format!(
            "odrl:refinement [ odrl:leftOperand tl:{left} ; odrl:operator odrl:eq ; odrl:rightOperand {name} ] ;"
        )
    };
    let graph = rule.part[0].map(|g| {
        let name = if g == 0 {
            "tl:DefaultGraph".to_owned()
        } else {
            format!("ex:g{g}")
        };
        refinement("graph", name)
    });
    let property = rule.part[1].map(|p| refinement("property", format!("ex:p{p}")));
    let class = rule.part[2].map(|c| refinement("class", format!("ex:C{c}")));
    let refinements = [graph, property, class]
        .into_iter()
        .flatten()
        .collect::<String>();
    let assignee = rule
        .assignee
        .map(|party| format!("odrl:assignee ex:party{party} ;"));
    let constraints: String = rule
        .constraints
        .iter()
        .map(|c| format!("odrl:constraint {} ;", condition(c)))
        .collect();
    format!(
        "ex:policy{index} a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:{} [
            odrl:target [ odrl:source ex:twin ; {refinements} ] ; odrl:action odrl:{} ; {} {constraints} ] .\n",
        if rule.permission { "permission" } else { "prohibition" },
        ACTIONS[rule.action],
        assignee.unwrap_or_default(),
    )
}

fn condition(condition: &Condition) -> String {
    let membership = |left: &str, any: bool, name: &str, values: &[usize]| {
        let operator = if any { "isAnyOf" } else { "isNoneOf" };
        let values: Vec<_> = values
            .iter()
            .map(|value| format!("ex:{name}{value}"))
            .collect();
        format!(
            "[ odrl:leftOperand {left} ; odrl:operator odrl:{operator} ; odrl:rightOperand ({}) ]",
            values.join(" ")
        )
    };
    match condition {
        Condition::Purpose(any, values) => membership("odrl:purpose", *any, "purpose", values),
        Condition::Role(any, values) => membership("tl:role", *any, "role", values),
        Condition::Hour(before, hour) => {
            let operator = if *before { "lt" } else { "gteq" };
            let (hour, zone) = hour.map_or((0, ""), |hour| (hour, "Z"));
            format!(
                "[ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:{operator} ;
                   odrl:rightOperand \"2026-11-20T{hour:02}:00:00{zone}\"^^xsd:dateTime ]"
            )
        }
        Condition::Logical(kind, parts) => {
            let parts: Vec<_> = parts.iter().map(self::condition).collect();
            format!(
                "[ odrl:{} ({}) ]",
                ["and", "or", "xone"][*kind],
                parts.join(" ")
            )
        }
    }
}

// Strategies.

fn conditions() -> impl Strategy<Value = Condition> {
    let values = || prop::collection::vec(0..3_usize, 1..3);
    let leaf = prop_oneof![
        (any::<bool>(), values()).prop_map(|(any, values)| Condition::Purpose(any, values)),
        (any::<bool>(), values()).prop_map(|(any, values)| Condition::Role(any, values)),
        (any::<bool>(), prop::option::of(0..24_u8)).prop_map(|(b, hour)| Condition::Hour(b, hour)),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        (0..3_usize, prop::collection::vec(inner, 1..4))
            .prop_map(|(kind, parts)| Condition::Logical(kind, parts))
    })
}

fn rules_of(permission: impl Strategy<Value = bool>) -> impl Strategy<Value = Rule> {
    let part = (
        prop::option::of(0..3_usize),
        prop::option::of(0..2_usize),
        prop::option::of(0..2_usize),
    );
    (
        permission,
        0..4_usize,
        prop::option::weighted(0.3, 0..2_usize),
        part,
        prop::collection::vec(conditions(), 0..3),
    )
        .prop_map(|(permission, action, assignee, part, constraints)| Rule {
            permission,
            action,
            assignee,
            part: part.into(),
            constraints,
        })
}

pub(crate) fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(rules_of(prop::bool::weighted(0.6)), 0..6)
}

pub(crate) fn requests() -> impl Strategy<Value = Request> {
    (
        0..2_usize,
        0..4_usize,
        prop::option::of(0..3_usize),
        prop::collection::vec(0..3_usize, 0..3),
        0..24_u8,
    )
        .prop_map(|(party, action, purpose, roles, hour)| Request {
            party,
            action,
            purpose,
            roles,
            hour,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn simplify_shows_the_same(rules in rules(), ask in requests()) {
        prop_assert_eq!(engine(&compiled(&rules), &ask), model(&rules, &ask));
    }

    #[test]
    fn adding_a_prohibition_never_widens(rules in rules(), added in rules_of(Just(false)), ask in requests()) {
        let before = engine(&compiled(&rules), &ask);
        let with = [rules, vec![added]].concat();
        let after = engine(&compiled(&with), &ask);
        prop_assert!(after.iter().all(|quad| before.contains(quad)));
    }

    #[test]
    fn adding_a_permission_never_narrows(rules in rules(), added in rules_of(Just(true)), ask in requests()) {
        let before = engine(&compiled(&rules), &ask);
        let with = [rules, vec![added]].concat();
        let after = engine(&compiled(&with), &ask);
        prop_assert!(before.iter().all(|quad| after.contains(quad)));
    }

    #[test]
    fn unknown_never_grants(rules in rules(), ask in requests(), purpose in 0..3_usize, role in 0..3_usize) {
        let set = compiled(&rules);
        let silent = Request { purpose: None, roles: Vec::new(), ..ask };
        let shown = engine(&set, &silent);
        for (purpose, roles) in [(Some(purpose), Vec::new()), (None, vec![role]), (Some(purpose), vec![role])] {
            let told = engine(&set, &Request { purpose, roles, ..silent.clone() });
            prop_assert!(shown.iter().all(|quad| told.contains(quad)));
        }
    }

    #[test]
    fn the_order_of_policies_makes_no_difference(rules in rules(), ask in requests()) {
        let one = parsed(&rules);
        let mut other = one.clone();
        other.reverse();
        let (one, other) = (
            PolicySet::compile(dataset(), one).unwrap(),
            PolicySet::compile(dataset(), other).unwrap(),
        );
        prop_assert_eq!(one.version(), other.version());
        prop_assert_eq!(one.decide(&asked(&ask)), other.decide(&asked(&ask)));
    }

    #[test]
    fn damaged_documents_are_refused_or_understood(
        rules in rules(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]();,.<>\"a-z:^@ ]"), 1..4),
    ) {
        let mut text: Vec<char> = PREFIXES.chars().collect();
        for (index, rule) in rules.iter().enumerate() {
            text.extend(written(index, rule).chars());
        }
        for (place, with) in damage {
            let place = place.index(text.len());
            text[place] = with.chars().next().unwrap();
        }
        let text: String = text.into_iter().collect();
        // Neither panics nor hangs; what it makes of it is its business.
        let _ = Policy::parse(&text, RdfFormat::Turtle, None);
    }
}

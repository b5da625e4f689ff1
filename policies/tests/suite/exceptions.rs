//! What prohibitions leave of permissions, by the words of ODRL: each permission shows its target less what applies to it.

use crate::properties::{Quad, matches, world};
use crate::support::{PREFIXES, PROFILE, ask, dataset, ex};
use crate::world::{State, incident};
use proptest::prelude::*;
use std::fmt::Write as _;
use twinlink_policy::{Guard, Policy, PolicySet, RdfFormat};

/// A policy with the conflict strategy `perm`, or else `prohibit`.
#[derive(Debug, Clone)]
struct Document {
    permissions_win: bool,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    kind: Kind,
    /// Graph (0 is the default graph), property, class.
    part: [Option<usize>; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Permits,
    /// Only who breaks the glass.
    PermitsByGlass,
    Prohibits,
    /// Also who breaks the glass.
    ProhibitsAlways,
}

/// <https://www.w3.org/TR/odrl-model/#conflict>: with `perm` the permissions of a policy override its prohibitions, with
/// `prohibit` the other way round. Nothing is said of two policies: there prohibitions win.
fn model(documents: &[Document], breaks_glass: bool, quad: &Quad) -> bool {
    let rules = documents.iter().enumerate();
    let rules = rules.flat_map(|(number, one)| one.rules.iter().map(move |rule| (number, rule)));
    let about = |rule: &Rule| {
        rule.part[0].is_none_or(|graph| graph == quad.0)
            && rule.part[1].is_none_or(|property| property == quad.1)
            && rule.part[2].is_none_or(|class| quad.2[class])
    };
    rules.clone().any(|(policy, permission)| {
        let is_active = match permission.kind {
            Kind::Permits => true,
            Kind::PermitsByGlass => breaks_glass,
            Kind::Prohibits | Kind::ProhibitsAlways => false,
        };
        let overrides = |(number, prohibition): (usize, &Rule)| {
            (policy == number && documents[number].permissions_win)
                || (permission.kind == Kind::PermitsByGlass && prohibition.kind == Kind::Prohibits)
        };
        let is_prohibited = rules.clone().any(|(number, rule)| {
            matches!(rule.kind, Kind::Prohibits | Kind::ProhibitsAlways)
                && about(rule)
                && !overrides((number, rule))
        });
        is_active && about(permission) && !is_prohibited
    })
}

const GLASS: &str = "tl:breakGlass true ; tl:breakGlassFor \"PT2H\"^^xsd:dayTimeDuration ;
    odrl:constraint [ odrl:leftOperand odrl:event ; odrl:operator odrl:eq ; odrl:rightOperand ex:Grip3 ] ;
    odrl:duty [ odrl:action tl:review ; odrl:constraint [ odrl:leftOperand odrl:elapsedTime ; odrl:operator odrl:lteq ;
      odrl:rightOperand \"P7D\"^^xsd:duration ] ] ;";

fn compiled(documents: &[Document]) -> PolicySet {
    let mut text = PREFIXES.to_owned();
    for (number, document) in documents.iter().enumerate() {
        let strategy = match document.permissions_win {
            true => "perm",
            false => "prohibit",
        };
        let _ = write!(
            text,
            "ex:policy{number} a odrl:Set ; {PROFILE} ; odrl:conflict odrl:{strategy}"
        );
        for rule in &document.rules {
            let (kind, more) = match rule.kind {
                Kind::Permits => ("permission", ""),
                Kind::PermitsByGlass => ("permission", GLASS),
                Kind::Prohibits => ("prohibition", ""),
                Kind::ProhibitsAlways => ("prohibition", "tl:neverOverridden true ;"),
            };
            let _ = write!(
                text,
                " ; odrl:{kind} [ {more} odrl:action odrl:read ; odrl:target [ odrl:source ex:twin"
            );
            let names = [("graph", "g"), ("property", "p"), ("class", "C")];
            for ((left, name), value) in names.iter().zip(rule.part) {
                let Some(value) = value else { continue };
                let value = match (*left, value) {
                    ("graph", 0) => "tl:DefaultGraph".to_owned(),
                    _ => format!("ex:{name}{value}"),
                };
                let _ = write!(
                    text,
                    " ; odrl:refinement [ odrl:leftOperand tl:{left} ; odrl:operator odrl:eq ; odrl:rightOperand {value} ]"
                );
            }
            text += " ] ]";
        }
        text += " .\n";
    }
    let policies = Policy::parse(&text, RdfFormat::Turtle, None);
    let policies = policies.unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
    PolicySet::compile(dataset(), policies).unwrap()
}

fn shown(set: &PolicySet, state: &State) -> Guard {
    let permit = set.decide_in(&ask(), state);
    permit.map_or_else(|_| Guard::nothing(), |permit| permit.guard().clone())
}

fn shows(guard: &Guard, quad: &Quad) -> bool {
    guard.layers().any(|layer| {
        layer.permits().iter().any(|one| matches(one, quad))
            && !layer.prohibitions().iter().any(|one| matches(one, quad))
    })
}

fn documents() -> impl Strategy<Value = Vec<Document>> {
    let part = (
        prop::option::weighted(0.4, 0..3_usize),
        prop::option::weighted(0.4, 0..2_usize),
        prop::option::weighted(0.4, 0..2_usize),
    );
    let kind = prop_oneof![
        4 => Just(Kind::Permits),
        1 => Just(Kind::PermitsByGlass),
        3 => Just(Kind::Prohibits),
        1 => Just(Kind::ProhibitsAlways),
    ];
    let rule = (kind, part).prop_map(|(kind, part)| Rule {
        kind,
        part: part.into(),
    });
    let document = (any::<bool>(), prop::collection::vec(rule, 1..5));
    let document = document.prop_map(|(permissions_win, rules)| Document {
        permissions_win,
        rules,
    });
    prop::collection::vec(document, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn exceptions_are_exact(documents in documents(), breaks_glass in any::<bool>()) {
        let set = compiled(&documents);
        let state = match breaks_glass {
            true => incident(11, 13).breaking(),
            false => State::default(),
        };
        let guard = shown(&set, &state);
        for quad in world() {
            let (ours, theirs) = (shows(&guard, &quad), model(&documents, breaks_glass, &quad));
            prop_assert_eq!(ours, theirs, "{:?}", quad);
        }
    }
}

fn part(left: &str, name: &str) -> String {
    format!(
        "[ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:{left} ; odrl:operator odrl:eq ; odrl:rightOperand ex:{name} ] ]"
    )
}

/// A policy in which permissions win shows names of persons, though it prohibits all of persons; another one shows all.
#[test]
fn one_permission_is_spared_and_another_is_not() {
    let text = format!(
        "{PREFIXES} ex:a a odrl:Set ; {PROFILE} ; odrl:conflict odrl:perm ;
            odrl:permission [ odrl:action odrl:read ; odrl:target {} ] ;
            odrl:prohibition [ odrl:action odrl:read ; odrl:target {} ] .
         ex:b a odrl:Set ; odrl:permission [ odrl:action odrl:read ; odrl:target ex:twin ] .",
        part("property", "p1"),
        part("class", "C1"),
    );
    let policies = Policy::parse(&text, RdfFormat::Turtle, None).unwrap();
    let set = PolicySet::compile(dataset(), policies).unwrap();
    let guard = shown(&set, &State::default());
    assert_eq!(guard.layers().count(), 2);
    for (quad, is_shown) in [
        ((0, 1, [false, true]), true),
        ((0, 0, [false, true]), false),
        ((0, 0, [true, false]), true),
    ] {
        assert_eq!(shows(&guard, &quad), is_shown, "{quad:?}");
    }
}

/// Numbers are told of what must not be aggregated no less exactly: of the rest.
#[test]
fn a_prohibition_to_aggregate_is_taken_off_the_numbers_only() {
    let text = format!(
        "{PREFIXES} ex:a a odrl:Set ; {PROFILE} ; odrl:conflict odrl:prohibit ;
            odrl:permission [ odrl:action odrl:read ; odrl:target {} ] ,
              [ odrl:action odrl:aggregate ; odrl:target [ odrl:uid ex:numbers ; odrl:source ex:twin ;
                odrl:refinement [ odrl:leftOperand tl:dimension ; odrl:operator odrl:eq ; odrl:rightOperand ex:p1 ] ,
                  [ odrl:leftOperand tl:minimumGroupSize ; odrl:operator odrl:gteq ; odrl:rightOperand 5 ] ] ] ;
            odrl:prohibition [ odrl:action odrl:aggregate ; odrl:target {} ] .",
        part("property", "p0"),
        part("class", "C1"),
    );
    let policies = Policy::parse(&text, RdfFormat::Turtle, None).unwrap();
    let set = PolicySet::compile(dataset(), policies).unwrap();
    let guard = shown(&set, &State::default());
    let told: Vec<_> = guard
        .layers()
        .filter(|layer| !layer.statistics().is_empty())
        .collect();
    let [told] = told.as_slice() else {
        panic!("{guard:?}");
    };
    assert_eq!(told.prohibitions()[0].class, Some(ex("C1")));
    assert!(shows(&guard, &(0, 0, [false, true])), "{guard:?}");
}

//! What analysis says of policies, against what the engine does with requests, and of terms that the engine does not know.

use crate::properties::{Quad, Request, compiled, engine, requests, rules, world};
use crate::support::{PREFIXES, ex, set};
use proptest::prelude::*;
use twinlink_policy::analyse::comparison::{
    Access, Answer, agree, always_allows, always_denies, changes, disjoint, equivalent, within,
};
use twinlink_policy::analyse::{Outcome, Silence, Terms, Verdict, Vocabulary};
use twinlink_policy::{PolicySet, RdfFormat};

fn example(answer: Answer) -> Access {
    match answer {
        Answer::No(access) => *access,
        other => panic!("{other:?} has no example"),
    }
}

const OFFICERS: &str = "ex:officers a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
    odrl:permission [ odrl:target ex:twin ; odrl:assignee ex:police ; odrl:action odrl:read ;
        odrl:constraint [ odrl:leftOperand tl:role ; odrl:operator odrl:eq ; odrl:rightOperand tl:PoliceOfficer ] ] .";

#[test]
fn the_example_names_who_gains_and_what() {
    let old = set(OFFICERS);
    let new = set(&format!(
        "{OFFICERS} ex:fire a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
         odrl:permission [ odrl:assignee ex:rescue ; odrl:action odrl:use ;
           odrl:target [ odrl:source ex:twin ; odrl:refinement
             [ odrl:leftOperand tl:property ; odrl:operator odrl:eq ; odrl:rightOperand ex:position ] ] ;
           odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
             odrl:rightOperand \"2027-01-01T00:00:00Z\"^^xsd:dateTime ] ] ."
    ));
    let found = changes(&old, &new);
    let [gain] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(gain.is_gain);
    assert_eq!((&gain.policy, gain.number), (&ex("fire"), 1));
    let access = gain.example.as_ref().unwrap();
    assert_eq!(access.ask.participant, ex("rescue"));
    assert_eq!(access.property, ex("position"));
    assert!(access.is_permitted(&new) && !access.is_permitted(&old));
    let back = changes(&new, &old);
    assert_eq!(back.len(), 1);
    assert!(!back[0].is_gain);
    assert_eq!(within(&old, &new), Answer::Yes);
    assert_eq!(disjoint(&old, &PolicySet::default()), Answer::Yes);
    assert_eq!(always_denies(&PolicySet::default()), Answer::Yes);
}

#[test]
fn a_prohibition_takes_away_and_its_end_gives_back() {
    let open =
        "ex:open a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .";
    let closed = format!(
        "{open} ex:closed a odrl:Set ; odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:use ;
           odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand dpv:Marketing ] ] ."
    );
    let (open, closed) = (set(open), set(&closed));
    let found = changes(&open, &closed);
    assert_eq!(found.len(), 1);
    let access = found[0].example.as_ref().unwrap();
    // Who states no purpose loses too: a prohibition fires on what is not known.
    let purpose = access.ask.purpose.as_ref().map(|purpose| purpose.as_str());
    assert!(matches!(
        purpose,
        None | Some("https://w3id.org/dpv#Marketing")
    ));
    assert!(!agree_with_itself(&closed));
    assert!(agree_with_itself(&open));
    assert!(matches!(always_allows(&open), Answer::No(_)));
}

fn agree_with_itself(set: &PolicySet) -> bool {
    agree(set, set) == Answer::Yes
}

#[test]
fn an_offer_is_compared_as_if_it_were_agreed_on() {
    let rule = |kind: &str, action: &str| {
        format!(
            "ex:{kind} a odrl:{kind} ; odrl:assigner ex:city ; odrl:permission [ odrl:target ex:twin ;
             odrl:assignee ex:fire ; odrl:action odrl:{action} ] ."
        )
    };
    let offer = set(&rule("Offer", "use"));
    let agreement = set(&rule("Agreement", "read"));
    assert_eq!(within(&agreement, &offer), Answer::Yes);
    let beyond = example(within(&offer, &agreement));
    assert_ne!(
        beyond.ask.action.as_str(),
        "http://www.w3.org/ns/odrl/2/read"
    );
    // In force, the offer gives nobody anything.
    assert_eq!(always_denies(&offer), Answer::Yes);
    assert_eq!(changes(&offer, &agreement).len(), 1);
}

fn shown(set: &PolicySet, ask: &Request) -> Vec<Quad> {
    engine(set, ask)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Each answer is right: its example is one, by the engine; and where there is none, no request contradicts it.
    #[test]
    fn analysis_agrees_with_the_engine(
        left in rules(),
        right in rules(),
        asks in prop::collection::vec(requests(), 64),
    ) {
        let (left, right) = (compiled(&left), compiled(&right));
        let seen: Vec<_> = asks.iter().map(|ask| (shown(&left, ask), shown(&right, ask))).collect();
        match within(&left, &right) {
            Answer::Yes => for (left, right) in &seen {
                prop_assert!(left.iter().all(|quad| right.contains(quad)));
            },
            Answer::No(access) => {
                prop_assert!(access.is_permitted(&left) && !access.is_permitted(&right), "{access}");
            }
            Answer::Unknown => prop_assert!(false, "too large"),
        }
        match disjoint(&left, &right) {
            Answer::Yes => for (left, right) in &seen {
                prop_assert!(!left.iter().any(|quad| right.contains(quad)));
            },
            Answer::No(access) => {
                prop_assert!(access.is_permitted(&left) && access.is_permitted(&right), "{access}");
            }
            Answer::Unknown => prop_assert!(false, "too large"),
        }
        match equivalent(&left, &right) {
            Answer::Yes => for (left, right) in &seen {
                prop_assert_eq!(left, right);
            },
            Answer::No(access) => {
                prop_assert_ne!(access.is_permitted(&left), access.is_permitted(&right), "{}", access);
            }
            Answer::Unknown => prop_assert!(false, "too large"),
        }
        match always_denies(&left) {
            Answer::Yes => prop_assert!(seen.iter().all(|(left, _)| left.is_empty())),
            Answer::No(access) => prop_assert!(access.is_permitted(&left), "{access}"),
            Answer::Unknown => prop_assert!(false, "too large"),
        }
        match always_allows(&left) {
            Answer::Yes => prop_assert!(seen.iter().all(|(left, _)| left.len() == world().len())),
            Answer::No(access) => prop_assert!(!access.is_permitted(&left), "{access}"),
            Answer::Unknown => prop_assert!(false, "too large"),
        }
    }

    /// Who gains or loses is found, and nobody else.
    #[test]
    fn changes_are_all_and_only_the_changes(
        old in rules(),
        new in rules(),
        asks in prop::collection::vec(requests(), 64),
    ) {
        let (old, new) = (compiled(&old), compiled(&new));
        let found = changes(&old, &new);
        for change in &found {
            let access = change.example.as_ref().unwrap();
            prop_assert_eq!(access.is_permitted(&new), change.is_gain, "{}", access);
            prop_assert_eq!(access.is_permitted(&old), !change.is_gain, "{}", access);
        }
        for ask in &asks {
            let (before, after) = (shown(&old, ask), shown(&new, ask));
            if after.iter().any(|quad| !before.contains(quad)) {
                prop_assert!(found.iter().any(|change| change.is_gain));
            }
            if before.iter().any(|quad| !after.contains(quad)) {
                prop_assert!(found.iter().any(|change| !change.is_gain));
            }
        }
    }
}

// Terms.

fn terms(left: &str, right: &str, vocabulary: &Vocabulary) -> (Terms, Terms) {
    let text = format!(
        "{PREFIXES} @prefix drk: <http://w3id.org/drk/ontology/> .
         ex:a a odrl:Set ; odrl:permission [ odrl:action odrl:use ; {left} ] .
         ex:b a odrl:Set ; odrl:permission [ odrl:action odrl:use ; {right} ] ."
    );
    let mut found = Terms::parse(&text, RdfFormat::Turtle, None, vocabulary).unwrap();
    let right = found.pop().unwrap();
    (found.pop().unwrap(), right)
}

fn c(operand: &str, operator: &str, value: &str) -> String {
    format!(
        "[ odrl:leftOperand odrl:{operand} ; odrl:operator odrl:{operator} ; odrl:rightOperand {value} ]"
    )
}

fn conflict(left: &str, right: &str, silence: Silence) -> Outcome {
    let vocabulary = Vocabulary::default();
    let constraint = |inside: &str| match inside {
        "" => String::new(),
        inside => format!("odrl:constraint {inside}"),
    };
    let (left, right) = terms(&constraint(left), &constraint(right), &vocabulary);
    left.conflict(&right, &vocabulary, silence)
}

const DAYS: fn(u32) -> String = |days| format!("\"P{days}D\"^^xsd:duration");

#[test]
fn verdicts_on_times() {
    use Silence::{Anything, Unknown};
    let recurring = |from: &str, days: u32| {
        format!(
            "[ odrl:leftOperand odrl:timeInterval ; odrl:operator odrl:eq ; odrl:rightOperand {} ;
               drk:anchor \"{from}\"^^xsd:date ]",
            DAYS(days)
        )
    };
    let january = |from: u32, to: u32| {
        let day = |day| format!("\"2026-01-{day:02}\"^^xsd:date");
        format!(
            "{} , {}",
            c("dateTime", "gteq", &day(from)),
            c("dateTime", "lteq", &day(to))
        )
    };
    let all =
        |parts: &[String]| format!("[ odrl:and ( {} ) ]", parts.join(" ").replace(" , ", " "));
    let sequence = |days: &[u32]| {
        let steps: Vec<_> = days
            .iter()
            .map(|d| c("delayPeriod", "gteq", &DAYS(*d)))
            .collect();
        format!("[ odrl:andSequence ( {} ) ]", steps.join(" "))
    };
    let metered = |days| c("meteredTime", "eq", &DAYS(days));
    let elapsed = |days| c("elapsedTime", "lteq", &DAYS(days));
    for (left, right, silence, verdict) in [
        (metered(20), elapsed(10), Anything, Verdict::Conflict),
        (metered(10), elapsed(10), Anything, Verdict::Compatible),
        (metered(5), elapsed(10), Unknown, Verdict::Unknown),
        (
            sequence(&[5, 5]),
            elapsed(12),
            Anything,
            Verdict::Compatible,
        ),
        (sequence(&[5, 5]), elapsed(8), Anything, Verdict::Conflict),
        (
            recurring("2026-01-01", 30),
            recurring("2026-01-02", 45),
            Anything,
            Verdict::Conflict,
        ),
        (
            recurring("2026-01-01", 30),
            recurring("2026-03-02", 30),
            Anything,
            Verdict::Compatible,
        ),
        (
            all(&[january(1, 6), recurring("2026-01-01", 30)]),
            all(&[january(4, 28), recurring("2026-01-01", 30)]),
            Anything,
            Verdict::Conflict,
        ),
        (january(1, 6), january(6, 9), Anything, Verdict::Compatible),
        (january(1, 6), january(7, 9), Anything, Verdict::Conflict),
        // One side has a time zone, the other has not: up to fourteen hours apart.
        (
            c("dateTime", "lt", "\"2026-01-01T00:00:00Z\"^^xsd:dateTime"),
            c("dateTime", "gt", "\"2026-01-01T00:00:00\"^^xsd:dateTime"),
            Anything,
            Verdict::Unknown,
        ),
        // A month is of no fixed length.
        (
            c("elapsedTime", "lt", "\"P1M\"^^xsd:duration"),
            c("elapsedTime", "gt", &DAYS(30)),
            Anything,
            Verdict::Unknown,
        ),
        (String::new(), String::new(), Unknown, Verdict::Unknown),
        (String::new(), String::new(), Anything, Verdict::Compatible),
    ] {
        let outcome = conflict(&left, &right, silence);
        assert_eq!(
            outcome.verdict, verdict,
            "{left}\n{right}\n{:?}",
            outcome.example
        );
    }
}

#[test]
fn numbers_in_different_units_are_not_compared() {
    let size = |operator: &str, value: u32, unit: &str| {
        format!(
            "[ odrl:leftOperand odrl:absoluteSize ; odrl:operator odrl:{operator} ; odrl:rightOperand {value} ;
               odrl:unit ex:{unit} ]"
        )
    };
    let verdict =
        |unit| conflict(&size("lt", 5, "m"), &size("gt", 9, unit), Silence::Anything).verdict;
    assert_eq!(verdict("m"), Verdict::Conflict);
    assert_eq!(verdict("ft"), Verdict::Unknown);
}

#[test]
fn what_one_prohibits_the_other_must_not_permit() {
    let vocabulary = Vocabulary::default();
    let text = |rule: &str, count: u32| {
        format!(
            "ex:{rule} a odrl:Set ; odrl:{rule} [ odrl:action odrl:read ; odrl:constraint {} ] .",
            c(
                "count",
                if rule == "permission" { "lteq" } else { "gt" },
                &count.to_string()
            )
        )
    };
    let verdict = |permitted: u32, prohibited: u32| {
        let both = format!(
            "{PREFIXES}{}{}",
            text("permission", permitted),
            text("prohibition", prohibited)
        );
        let found = Terms::parse(&both, RdfFormat::Turtle, None, &vocabulary).unwrap();
        found[0].conflict(&found[1], &vocabulary, Silence::Anything)
    };
    assert_eq!(verdict(5, 5).verdict, Verdict::Compatible);
    let outcome = verdict(6, 5);
    assert_eq!(outcome.verdict, Verdict::Conflict);
    let values: Vec<_> = outcome.example.unwrap().values().collect();
    assert!(
        values.contains(&(
            "http://www.w3.org/ns/odrl/2/count".to_owned(),
            "6".to_owned()
        )),
        "{values:?}"
    );
}

#[test]
fn the_counterexample_of_within_lies_inside_and_not_within() {
    let vocabulary = Vocabulary::default();
    let xone = format!(
        "odrl:constraint [ odrl:xone ( {} {} ) ]",
        c("count", "lteq", "5"),
        c("count", "gteq", "3")
    );
    let below = format!("odrl:constraint {}", c("count", "lt", "3"));
    let (exactly_one, below) = terms(&xone, &below, &vocabulary);
    assert_eq!(
        below
            .within(&exactly_one, &vocabulary, Silence::Anything)
            .verdict,
        Verdict::Compatible
    );
    let escape = exactly_one.within(&below, &vocabulary, Silence::Anything);
    assert_eq!(escape.verdict, Verdict::Conflict);
    let count: Vec<_> = escape
        .example
        .unwrap()
        .values()
        .filter(|(name, _)| name.ends_with("count"))
        .collect();
    let count: f64 = count[0].1.parse().unwrap();
    assert!(count > 5.0, "{count}");
}
#[test]
fn many_rules_are_compared() {
    let policies = |count: usize, skip: usize| {
        let rules: String = (0..count)
            .filter(|n| *n != skip)
            .map(|n| {
                format!(
                    "odrl:permission [ odrl:action odrl:read ; odrl:assignee ex:party{} ;
                       odrl:target [ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:graph ;
                         odrl:operator odrl:eq ; odrl:rightOperand ex:g{n} ] ] ;
                       odrl:constraint [ odrl:leftOperand tl:role ; odrl:operator odrl:isAnyOf ;
                         odrl:rightOperand ex:role{}, ex:role{} ] ,
                       [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:isA ; odrl:rightOperand tl:EmergencyResponse ] ] ;
                     odrl:prohibition [ odrl:action odrl:read ;
                       odrl:target [ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:property ;
                         odrl:operator odrl:eq ; odrl:rightOperand ex:p{n} ] ] ;
                       odrl:constraint [ odrl:leftOperand tl:role ; odrl:operator odrl:isNoneOf ; odrl:rightOperand ex:role{} ] ] ;",
                    n % 7, n % 13, n % 17, n % 5
                )
            })
            .collect();
        set(&format!(
            "ex:p a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:conflict odrl:prohibit ; {rules} ."
        ))
    };
    let (old, new) = (policies(60, 0), policies(60, 30));
    let found = changes(&old, &new);
    assert!(matches!(within(&old, &new), Answer::No(_)));
    assert_eq!(equivalent(&old, &old), Answer::Yes);
    assert!(matches!(disjoint(&old, &new), Answer::No(_)));
    for change in &found {
        let access = change.example.as_ref().unwrap();
        assert_eq!(access.is_permitted(&new), change.is_gain);
        assert_eq!(access.is_permitted(&old), !change.is_gain);
    }
    assert!(
        found.iter().any(|change| change.is_gain) && found.iter().any(|change| !change.is_gain)
    );
}

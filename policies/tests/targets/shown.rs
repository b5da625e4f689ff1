//! What decisions make of targets, transforms and statistics.

use crate::support::{PROFILE, ask, ex, odrl, set};
use oxrdf::NamedNode;
use oxsdatatypes::Decimal;
use std::collections::BTreeSet;
use twinlink_policy::{
    Ask, End, Function, Guard, Measure, MeasureKind, Named, Part, PolicySet, Recorded, Selector,
    Statistic, Step, TimeUnit, Transformed,
};

const MORE: &str = "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix time: <http://www.w3.org/2006/time#> . ";

fn by(operand: &str, operator: &str, value: &str) -> String {
    let prefix = if operand.contains(':') { "" } else { "tl:" };
    format!(
        "[ odrl:leftOperand {prefix}{operand} ; odrl:operator odrl:{operator} ; odrl:rightOperand {value} ]"
    )
}

fn policy(rules: &str) -> PolicySet {
    set(&format!(
        "{MORE} ex:p a odrl:Set ; {PROFILE} ; odrl:conflict odrl:prohibit ; {rules} ."
    ))
}

fn read(inside: &str) -> String {
    format!("odrl:permission [ odrl:action odrl:read ; odrl:target ex:twin ; {inside} ]")
}

fn duty(name: &str, refinements: &str, about: &str) -> String {
    let target = match about {
        "" => String::new(),
        about => format!("odrl:target [ odrl:source ex:twin ; odrl:refinement {about} ]"),
    };
    format!(
        "odrl:duty [ odrl:action [ rdf:value tl:{name} ; odrl:refinement {refinements} ] ; {target} ]"
    )
}

fn plain(name: &str, about: &str) -> String {
    let target = format!("odrl:target [ odrl:source ex:twin ; odrl:refinement {about} ]");
    format!("odrl:duty [ odrl:action tl:{name} ; {target} ]")
}

fn guard(set: &PolicySet, ask: &Ask) -> Guard {
    set.decide(ask).unwrap().guard().clone()
}

fn values(properties: &[&str]) -> Part {
    Part::Values(properties.iter().map(|name| ex(name)).collect())
}

fn statistic(more: &str) -> String {
    format!(
        "odrl:permission [ odrl:action odrl:aggregate ; odrl:target [ {more} odrl:source ex:twin ; odrl:refinement {} , {} , {} , {} , {} ] ]",
        by("class", "eq", "ex:House"),
        by("dimension", "isAllOf", "ex:street , ex:block"),
        by("measure", "eq", "ex:residents"),
        by("measureKind", "eq", "tl:sum"),
        by("minimumGroupSize", "gteq", "10"),
    )
}

#[test]
fn transforms_become_steps_in_the_documented_order() {
    let about = |name: &str| by("property", "eq", &format!("ex:{name}"));
    let duties = [
        duty(
            "suppressSmallGroups",
            &by("minimumGroupSize", "gteq", "5"),
            &about("a"),
        ),
        plain("pseudonymise", &by("class", "eq", "ex:Person")),
        duty("mask", &by("replacement", "eq", "'gone'"), &about("b")),
        duty("generalise", &by("cellSize", "eq", "0.01"), ""),
        duty(
            "round",
            &by("multiple", "eq", "10"),
            &by("property", "isAnyOf", "ex:d , ex:c"),
        ),
        duty(
            "truncate",
            &by("timeUnit", "eq", "time:unitDay"),
            &about("t"),
        ),
        plain("suppress", &about("s")),
    ];
    let step = |part, function| Step { part, function };
    let expected = vec![
        step(values(&["s"]), Function::Suppress),
        step(values(&["t"]), Function::Truncate(TimeUnit::Day)),
        step(values(&["c", "d"]), Function::Round(Decimal::from(10))),
        step(values(&[]), Function::Generalise("0.01".parse().unwrap())),
        step(values(&["b"]), Function::Mask("gone".to_owned())),
        step(
            Part::Instances(ex("Person")),
            Function::Pseudonymise {
                recipient: ex("fire"),
                purpose: Some(ex("purpose")),
            },
        ),
        step(values(&["a"]), Function::SuppressBelow(5)),
    ];
    let ask = Ask {
        purpose: Some(ex("purpose")),
        ..ask()
    };
    let mut reversed = duties.clone();
    reversed.reverse();
    for duties in [duties, reversed] {
        let set = policy(&read(&duties.join(" ; ")));
        let guard = guard(&set, &ask);
        assert!(guard.permits().is_empty());
        let selector = Selector::default();
        assert_eq!(
            guard.transformed(),
            [Transformed {
                selector,
                steps: expected.clone()
            }]
        );
        // What is changed is shown to those who read, and lets nobody write.
        assert!(
            set.decide(&Ask {
                action: odrl("modify"),
                ..ask.clone()
            })
            .is_err()
        );
    }
}

#[test]
fn steps_are_done_in_the_order_that_is_given() {
    let set = policy(&read(&format!(
        "{} ; {}",
        duty(
            "round",
            &format!("{} , {}", by("multiple", "eq", "3"), by("step", "eq", "2")),
            ""
        ),
        duty(
            "round",
            &format!("{} , {}", by("step", "eq", "1"), by("multiple", "eq", "10")),
            ""
        ),
    )));
    let guard = guard(&set, &ask());
    let functions: Vec<_> = guard.transformed()[0]
        .steps
        .iter()
        .map(|step| step.function.clone())
        .collect();
    assert_eq!(
        functions,
        [
            Function::Round(Decimal::from(10)),
            Function::Round(Decimal::from(3))
        ]
    );
}

#[test]
fn a_delay_is_counted_back_from_the_request_in_whole_seconds() {
    for (period, until) in [
        ("'PT15M'^^xsd:dayTimeDuration", "2026-11-20T11:45:00Z"),
        ("'P1DT0.5S'^^xsd:duration", "2026-11-19T11:59:59.5Z"),
    ] {
        let set = policy(&read(&duty(
            "delay",
            &format!(
                "{} , {}",
                by("odrl:delayPeriod", "eq", period),
                by("recordedBy", "eq", "ex:time")
            ),
            "",
        )));
        let mut ask = ask();
        ask.now = "2026-11-20T12:00:00.75Z".parse().unwrap();
        let guard = guard(&set, &ask);
        let recorded = Recorded {
            property: ex("time"),
            until: until.parse().unwrap(),
        };
        let recorded = Some(recorded);
        assert_eq!(
            guard.permits(),
            [Selector {
                recorded,
                ..Selector::default()
            }]
        );
    }
}

#[test]
fn who_may_aggregate_is_told_statistics_and_no_data() {
    let set = policy(&statistic("odrl:uid ex:residents ;"));
    let expected = Statistic {
        name: ex("residents"),
        selector: Selector {
            class: Some(ex("House")),
            ..Selector::default()
        },
        dimensions: vec![ex("block"), ex("street")],
        measure: Some(Measure {
            property: ex("residents"),
            kind: MeasureKind::Sum,
        }),
        minimum: 10,
    };
    for action in ["read", "aggregate"] {
        let guard = guard(
            &set,
            &Ask {
                action: odrl(action),
                ..ask()
            },
        );
        assert!(guard.permits().is_empty() && guard.transformed().is_empty());
        assert_eq!(guard.statistics(), std::slice::from_ref(&expected));
    }
    for action in ["use", "modify", "index"] {
        assert!(
            set.decide(&Ask {
                action: odrl(action),
                ..ask()
            })
            .is_err(),
            "{action}"
        );
    }
    let unnamed = guard(&policy(&statistic("")), &ask());
    let name = NamedNode::new("http://example.org/p/statistic-1").unwrap();
    assert_eq!(unnamed.statistics()[0].name, name);
}

#[test]
fn who_must_not_aggregate_is_told_no_statistics() {
    let with = |action: &str, target: &str| {
        policy(&format!(
            "{} ; {} ; odrl:prohibition [ odrl:action odrl:{action} ; odrl:target [ odrl:source ex:twin ; odrl:refinement {target} ] ]",
            read(""),
            statistic("")
        ))
    };
    let house = by("class", "eq", "ex:House");
    // It may read, so the prohibition to aggregate takes away the numbers alone.
    let shown = guard(&with("aggregate", &house), &ask());
    assert!(shown.is_everything(), "{shown:?}");
    // A prohibition to read takes both away.
    let shown = guard(&with("read", &house), &ask());
    assert!(
        shown.statistics().is_empty() && shown.prohibitions().len() == 1,
        "{shown:?}"
    );
    // One of something else, neither.
    let elsewhere = by("property", "eq", "ex:name");
    let shown = guard(&with("modify", &elsewhere), &ask());
    assert_eq!(shown.statistics().len(), 1);
}

#[test]
fn statistics_that_share_a_name_and_differ_are_not_told() {
    let other = statistic("odrl:uid ex:residents ;").replace("ex:block", "ex:door");
    let set = policy(&format!(
        "{} ; {other}",
        statistic("odrl:uid ex:residents ;")
    ));
    assert!(set.decide(&ask()).is_err());
}

#[test]
fn directions() {
    let set = policy(&format!(
        "odrl:permission [ odrl:action odrl:read ; odrl:target [ odrl:source ex:twin ; odrl:refinement {} , {} ] ] ;
         odrl:prohibition [ odrl:action odrl:read ; odrl:target [ odrl:source ex:twin ; odrl:refinement {} ] ]",
        by("property", "eq", "ex:owner"),
        by("named", "eq", "tl:Subject"),
        by("named", "neq", "tl:Object"),
    ));
    let guard = guard(&set, &ask());
    let named = |end, is_negated| Some(Named { end, is_negated });
    let property = Some(ex("owner"));
    assert_eq!(
        guard.permits(),
        [Selector {
            property,
            named: named(End::Subject, false),
            ..Selector::default()
        }]
    );
    assert_eq!(
        guard.prohibitions(),
        [Selector {
            named: named(End::Object, true),
            ..Selector::default()
        }]
    );
}

#[test]
fn what_makes_no_difference_is_dropped() {
    let mask = |about: &str| {
        format!(
            "odrl:permission [ odrl:action odrl:read ; odrl:target {about} ; odrl:duty [ odrl:action tl:mask ] ]"
        )
    };
    let part = |property: &str| {
        format!(
            "[ odrl:source ex:twin ; odrl:refinement {} ]",
            by("property", "eq", property)
        )
    };
    let prohibit =
        |about: &str| format!("odrl:prohibition [ odrl:action odrl:read ; odrl:target {about} ]");
    // Inside a wider part that goes through the same steps; a prohibition apart from all that is shown.
    let set = policy(&[mask("ex:twin"), mask(&part("ex:a"))].join(" ; "));
    assert_eq!(guard(&set, &ask()).transformed().len(), 1);
    let set = policy(&[mask(&part("ex:a")), prohibit(&part("ex:b"))].join(" ; "));
    assert_eq!(guard(&set, &ask()).prohibitions(), []);
    // A prohibition of a part of what is shown changed stays.
    let set = policy(&[mask("ex:twin"), prohibit(&part("ex:b"))].join(" ; "));
    assert_eq!(guard(&set, &ask()).prohibitions().len(), 1);
    // All of it prohibited: nothing is left.
    let set = policy(&[mask(&part("ex:a")), prohibit(&part("ex:a"))].join(" ; "));
    assert!(set.decide(&ask()).is_err());
}

#[test]
fn rules_say_what_they_select_and_how_they_show_it() {
    let sentences = |rules: &str| -> BTreeSet<String> {
        let set = policy(rules);
        let rules = set.policies()[0].rules().iter();
        rules.map(ToString::to_string).collect()
    };
    let to_read = |refinement: &str, more: &str| {
        format!(
            "odrl:permission [ odrl:action odrl:read ; odrl:target [ odrl:source ex:twin ; odrl:refinement {refinement} ] ; {more} ]"
        )
    };
    let twin = "<http://example.org/twin>";
    for (rules, expected) in [
        (
            to_read(&by("pattern", "eq", "'{ ?this   ?p ?o }'"), ""),
            format!(
                "anyone may odrl:read the statements about nodes of the pattern {{ ?this ?p ?o }} of {twin}"
            ),
        ),
        (
            to_read(
                &by("shape", "eq", "[ <http://www.w3.org/ns/shacl#class> ex:C ]"),
                "",
            ),
            format!(
                "anyone may odrl:read the statements about nodes of shape that the policy describes of {twin}"
            ),
        ),
        (
            to_read(&by("named", "eq", "tl:Object"), ""),
            format!(
                "anyone may odrl:read the statements whose object the question names of {twin}"
            ),
        ),
        (
            read(&format!(
                "{} ; {}",
                duty(
                    "round",
                    &by("multiple", "eq", "10"),
                    &by("property", "eq", "ex:a")
                ),
                duty(
                    "delay",
                    &format!(
                        "{} , {}",
                        by("odrl:delayPeriod", "eq", "'PT15M'^^xsd:duration"),
                        by("recordedBy", "eq", "ex:t")
                    ),
                    ""
                )
            )),
            format!(
                "anyone may odrl:read all of {twin}, PT15M after it is recorded by <http://example.org/t>, \
                 with values of <http://example.org/a> rounded to multiples of 10"
            ),
        ),
        (
            statistic(""),
            format!(
                "anyone may odrl:aggregate numbers and sums of <http://example.org/residents> for groups of at least 10 \
                 by <http://example.org/block> and <http://example.org/street> from the statements about instances of \
                 <http://example.org/House> of {twin}"
            ),
        ),
    ] {
        assert_eq!(sentences(&rules), BTreeSet::from([expected]));
    }
}

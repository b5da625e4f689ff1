//! Several statistics of one population: nothing that can be calculated from what is told is about a few.

use crate::support::{budget, insert, iri, property, store};
use oxrdf::vocab::xsd;
use oxrdf::{GraphName, Literal, NamedNode, Quad, Term};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use twinlink_core::policy::{Guard, Measure, MeasureKind, Selector, Statistic};

/// A person: district, age, income, and whether the person is also in the named graph.
type Person = (Option<u8>, Option<u8>, Option<i32>, bool);

const GRAPH: &str = "register";

fn population(people: &[Person]) -> Vec<Quad> {
    let mut quads = Vec::new();
    for (number, (district, age, income, registered)) in people.iter().enumerate() {
        let person = iri(&format!("person{number}"));
        let mut say = |property: &str, value: Term, graph: GraphName| {
            quads.push(Quad::new(person.clone(), iri(property), value, graph));
        };
        let graphs = match registered {
            true => vec![GraphName::DefaultGraph, iri(GRAPH).into()],
            false => vec![GraphName::DefaultGraph],
        };
        for graph in graphs {
            say("exists", Literal::from(true).into(), graph.clone());
            for (property, value) in [("district", district), ("age", age)] {
                if let Some(value) = value {
                    say(
                        property,
                        iri(&format!("{property}{value}")).into(),
                        graph.clone(),
                    );
                }
            }
            if let Some(income) = income {
                let income = Literal::new_typed_literal(income.to_string(), xsd::INTEGER);
                say("income", income.into(), graph);
            }
        }
    }
    quads
}

fn by(name: &str, dimensions: &[&str], minimum: u32, selector: Selector) -> Statistic {
    Statistic {
        name: iri(name),
        selector,
        dimensions: dimensions.iter().map(|one| iri(one)).collect(),
        measure: None,
        minimum,
    }
}

fn of_income(mut statistic: Statistic, kind: MeasureKind) -> Statistic {
    let property = iri("income");
    statistic.measure = Some(Measure { property, kind });
    statistic
}

fn registered() -> Selector {
    Selector {
        graph: Some(twinlink_core::policy::GraphNameKey::Named(iri(GRAPH))),
        ..Selector::default()
    }
}

/// A cell that is told: its statistic, its values of the dimensions, whether its measure is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    statistic: NamedNode,
    values: BTreeMap<String, String>,
    has_measure: bool,
}

fn told(people: &[Person], guard: &Guard) -> BTreeSet<Told> {
    let twin = store();
    insert(&twin, population(people));
    let mut observations: BTreeMap<String, Vec<Quad>> = BTreeMap::new();
    for quad in twin.snapshot().quads(guard, &budget()).unwrap() {
        if quad.subject.to_string().contains('#') {
            observations
                .entry(quad.subject.to_string())
                .or_default()
                .push(quad);
        }
    }
    let observations = observations.into_values().map(|quads| {
        let mut told = Told {
            statistic: iri("none"),
            values: BTreeMap::new(),
            has_measure: false,
        };
        for quad in quads {
            match (
                quad.predicate.as_str().rsplit(['#', '/']).next().unwrap(),
                quad.object,
            ) {
                ("dataSet", Term::NamedNode(name)) => told.statistic = name,
                (name @ ("district" | "age"), value) => {
                    told.values.insert(name.to_owned(), value.to_string());
                }
                ("sum" | "average", _) => told.has_measure = true,
                _ => {}
            }
        }
        told
    });
    observations.collect()
}

/// Who is in a cell, and is not seen besides.
fn members(
    people: &[Person],
    statistic: &Statistic,
    told: &Told,
    measured: bool,
    seen: &dyn Fn(usize, bool) -> bool,
) -> BTreeSet<usize> {
    let people = people.iter().enumerate();
    let members = people.filter(|(number, (district, age, income, in_register))| {
        let value = |name: &str| {
            let value = if name == "district" { district } else { age };
            value.map(|value| iri(&format!("{name}{value}")).to_string())
        };
        let dimensions = statistic.dimensions.iter();
        let mut dimensions = dimensions.map(|one| one.as_str().rsplit('/').next().unwrap());
        (statistic.selector.graph.is_none() || *in_register)
            && dimensions.all(|name| value(name).as_ref() == told.values.get(name))
            && (!measured || income.is_some())
            && !seen(*number, measured)
    });
    members.map(|(number, _)| number).collect()
}

/// Whatever is added, once or twice, and taken away, the people it is about are none or at least the minimum.
fn check(
    people: &[Person],
    statistics: &[Statistic],
    cells: &BTreeSet<Told>,
    seen: &dyn Fn(usize, bool) -> bool,
) -> Result<(), TestCaseError> {
    let minimum = statistics.iter().map(|one| one.minimum).max().unwrap() as usize;
    for measured in [false, true] {
        let cells = cells.iter().filter(|cell| !measured || cell.has_measure);
        let members: Vec<_> = cells
            .map(|cell| {
                let statistic = statistics
                    .iter()
                    .find(|one| one.name == cell.statistic)
                    .unwrap();
                members(people, statistic, cell, measured, seen)
            })
            .collect();
        // All ways for few cells; pairs and unions within a cell for many.
        if members.len() <= 8 {
            for number in 0..3_usize.pow(u32::try_from(members.len()).unwrap()) {
                let mut sums = vec![0_i32; people.len()];
                for (place, members) in members.iter().enumerate() {
                    let times = [0, 1, -1][number / 3_usize.pow(u32::try_from(place).unwrap()) % 3];
                    members.iter().for_each(|one| sums[*one] += times);
                }
                let about = sums.iter().filter(|sum| **sum != 0).count();
                prop_assert!(
                    about == 0 || about >= minimum,
                    "{measured} {number} {about}"
                );
            }
        }
        for one in &members {
            let mut rest = one.clone();
            for other in &members {
                let differ = one.symmetric_difference(other).count();
                prop_assert!(differ == 0 || differ >= minimum, "{one:?} {other:?}");
                if other.is_subset(one) && other != one && other.is_subset(&rest) {
                    rest = rest.difference(other).copied().collect();
                    prop_assert!(rest.is_empty() || rest.len() >= minimum, "{one:?} {rest:?}");
                }
            }
        }
    }
    Ok(())
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    let person = (
        prop::option::weighted(0.95, 0..3_u8),
        prop::option::weighted(0.95, 0..3_u8),
        prop::option::weighted(0.9, 10..90_i32),
        prop::bool::weighted(0.9),
    );
    prop::collection::vec(person, 5..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_small_difference_of_statistics(people in people(), minimum in 2..5_u32, which in 1..16_usize, visible in 0..4_usize) {
        let sum = |one| of_income(one, MeasureKind::Sum);
        let all = [
            sum(by("a", &["district"], minimum, Selector::default())),
            sum(by("b", &["age"], minimum, Selector::default())),
            of_income(by("c", &[], 2, Selector::default()), MeasureKind::Average),
            sum(by("d", &["district"], minimum, registered())),
        ];
        let statistics = all.into_iter().enumerate();
        let statistics: Vec<_> = statistics.filter(|(at, _)| which >> at & 1 == 1).map(|(_, one)| one).collect();
        // Rows of the register are shown too: all, or where people live and how old they are, or where they live.
        let shown: &[&str] = [&[][..], &["exists", "district", "age", "income"], &["district", "age"], &["district"]][visible];
        let permits = shown.iter().map(|name| Selector { graph: registered().graph, ..property(name) });
        let guard = Guard::new(permits.collect(), Vec::new()).with_statistics(statistics.clone());
        let cells = told(&people, &guard);
        let minimums = statistics.iter().map(|one| one.minimum).max().unwrap();
        let statistics: Vec<_> = statistics.into_iter().map(|one| Statistic { minimum: minimums, ..one }).collect();
        let seen = |number: usize, measured: bool| {
            let (district, age, _, in_register) = people[number];
            // Whose every value is missing has no row that could be seen.
            let has_row = district.is_some() || age.is_some();
            in_register && match visible { 1 => true, 2 => has_row && !measured, _ => false }
        };
        check(&people, &statistics, &cells, &|_, _| false)?;
        check(&people, &statistics, &cells, &seen)?;
    }
}

/// 30 people in each of 6 places of 2 districts and 3 ages.
fn town() -> Vec<Person> {
    (0..180_u8)
        .map(|number| {
            (
                Some(number % 2),
                Some(number % 3),
                Some(i32::from(number)),
                true,
            )
        })
        .collect()
}

fn names(cells: &BTreeSet<Told>) -> Vec<String> {
    let names = cells.iter().map(|cell| {
        let name = cell.statistic.as_str().rsplit('/').next().unwrap();
        let measured = if cell.has_measure { "+" } else { "" };
        format!("{name}{measured}{}", cell.values.len())
    });
    names.collect()
}

#[test]
fn partitions_that_have_enough_in_common_are_all_told() {
    let statistics = || {
        vec![
            by("a", &["district"], 5, Selector::default()),
            of_income(by("b", &["age"], 5, Selector::default()), MeasureKind::Sum),
            of_income(by("c", &[], 5, Selector::default()), MeasureKind::Sum),
        ]
    };
    let guard = Guard::default().with_statistics(statistics());
    assert_eq!(
        names(&told(&town(), &guard)),
        ["a1", "a1", "b+1", "b+1", "b+1", "c+0"]
    );
    // In layers of their own it is the same: one caller is told both.
    let layers = statistics()
        .into_iter()
        .map(|one| Guard::default().with_statistics(vec![one]));
    assert_eq!(told(&town(), &Guard::union(layers)), told(&town(), &guard));
}

#[test]
fn a_total_that_tells_of_a_few_is_not_told() {
    // Three whose age nobody knows: the total less all ages would tell of them.
    let mut people = town();
    people.extend([(Some(0), None, Some(99), true); 3]);
    let statistics = vec![
        by("a", &["age"], 5, Selector::default()),
        by("b", &[], 5, Selector::default()),
    ];
    let guard = |statistics| Guard::default().with_statistics(statistics);
    assert_eq!(
        names(&told(&people, &guard(statistics.clone()))),
        ["a1", "a1", "a1"]
    );
    assert_eq!(
        names(&told(&people, &guard(statistics[1..].to_vec()))),
        ["b0"]
    );
    // Of five it may tell.
    people.extend([(Some(0), None, Some(99), true); 2]);
    assert_eq!(told(&people, &guard(statistics)).len(), 4);
}

#[test]
fn a_wider_filter_that_adds_a_few_is_not_told() {
    let mut people = town();
    people.extend([(Some(0), Some(0), None, false); 2]);
    let guard = Guard::default().with_statistics(vec![
        by("a", &["district"], 5, registered()),
        by("b", &["district"], 5, Selector::default()),
    ]);
    // The district in which nobody is unregistered is told twice, as it is the same.
    assert_eq!(names(&told(&people, &guard)), ["a1", "a1", "b1"]);
}

#[test]
fn a_measure_is_hidden_where_the_few_that_have_it_would_be_told() {
    // Ten more in district 0 without an age; two of them have an income.
    let mut people = town();
    people.extend([(Some(0), None, None, true); 8]);
    people.extend([(Some(0), None, Some(1_000), true); 2]);
    let statistics = [
        by("a", &["age"], 5, Selector::default()),
        by("b", &[], 5, Selector::default()),
    ];
    let sums = statistics.map(|one| of_income(one, MeasureKind::Sum));
    let guard = Guard::default().with_statistics(sums.to_vec());
    assert_eq!(names(&told(&people, &guard)), ["a+1", "a+1", "a+1", "b0"]);
}

#[test]
fn rows_that_are_shown_do_not_tell_of_the_rest() {
    // All of the register are shown, and three are not in it.
    let mut people = town();
    people.extend([(Some(0), Some(0), Some(7), false); 3]);
    let statistics = vec![by("a", &["district"], 5, Selector::default())];
    let register = Guard::new(vec![registered()], Vec::new());
    let guard = register.with_statistics(statistics.clone());
    assert_eq!(names(&told(&people, &guard)), ["a1"]);
    // Nothing is known by what is shown of something else.
    let other = Guard::new(vec![property("exists")], Vec::new());
    assert_eq!(told(&people, &other.with_statistics(statistics)).len(), 2);
}

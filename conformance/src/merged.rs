//! Federated is merged: for twins, policies, callers and queries by chance, the federated answer is that over the RDF
//! merge of what each member shows this caller.

mod bindings;
mod model;
mod world;

use crate::answer::Answer;
use crate::chance::Chance;
use crate::compare::same_answer;
use crate::engine::Ours;
use crate::library::Fault;
use crate::members::{Member, Told, Town, deep, participant, store};
use crate::noninterference::{self, Made};
use crate::order::in_order;
use crate::report::{Report, Verdict};
use bindings::Recipients;
use model::count_only;
pub(crate) use model::{Model, lines};
use spargebra::{Query, SparqlParser};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;
use twinlink_core::SourceState;
use twinlink_federation::FederationLimits;
use twinlink_store::TwinStore;
pub(crate) use world::{Caller, MEMBERS, World};

/// Queries of every operator, shared with the federation's own tests.
const SHAPES: &str = include_str!("../../connector/federation/tests/it/shapes.txt");

const PREFIXES: &str = "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> ";

/// Cases over the same twins, each with its own policies, caller and query.
const CASES_PER_WORLD: usize = 10;

/// How often twins with policies of every kind are made up, until none hangs on what is asked.
const TRIES: usize = 20;

/// Runs so many cases of a seed; of one by the time of day where there is none.
pub(crate) fn run(suite: &'static str, count: usize, seed: Option<u64>) -> Result<Report, Fault> {
    let seed = seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(1, |now| now.as_secs())
    });
    let steward = Ours::new().map_err(Fault::Target)?;
    let shapes: Vec<_> = SHAPES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let mut met = Met::default();
    let cases = deep(|| {
        let mut cases = Vec::with_capacity(count);
        let mut number = 0_u64;
        while cases.len() < count {
            // Each world has chances of its own, so that one that fails can be seen again without those before.
            let mut chance = Chance::new(seed.wrapping_add(number));
            let most = CASES_PER_WORLD.min(count - cases.len());
            run_world(
                &mut chance,
                &steward,
                &shapes,
                most,
                &mut met,
                |shape, verdict| {
                    let place = cases.len();
                    cases.push((format!("case {place}, seed {seed}: {shape}"), verdict));
                },
            )?;
            number += 1;
        }
        Ok(cases)
    });
    let cases = cases.and_then(|cases| cases).map_err(Fault::Target)?;
    let report = Report::of(suite, cases)
        .with("cases with rows", met.rows)
        .with("cases in which something is withheld", met.withheld)
        .with("cases in which a member denies", met.denied)
        .with("cases whose rows left as they came", met.streamed)
        .with("cases whose rows are in order", met.ordered)
        .with("cases with policies of every kind", met.made)
        .with("questions that told a peer what others show", met.told);
    Ok(report.with("seed", usize::try_from(seed).unwrap_or_default()))
}

/// How many cases were of use: equal answers say little where there is nothing.
#[derive(Debug, Default)]
struct Met {
    rows: usize,
    withheld: usize,
    denied: usize,
    streamed: usize,
    ordered: usize,
    told: usize,
    made: usize,
}

/// What cases are about.
enum Scene {
    /// Twins whose policies and caller are others in each case, of graphs, properties and classes.
    Changing(World, Vec<Arc<TwinStore>>),
    /// Twins whose policies are of every kind.
    Made(Vec<Made>),
}

impl Scene {
    fn new(chance: &mut Chance, steward: &Ours) -> Result<Self, String> {
        if chance.once_in(3) {
            for _ in 0..TRIES {
                let made = noninterference::members(chance.below(usize::MAX) as u64, MEMBERS)?;
                if let Some(made) = made {
                    return Ok(Self::Made(made));
                }
            }
        }
        let world = World::new(chance);
        let stores = world.members.iter();
        let stores = stores.map(|quads| store(quads.clone(), steward.modify()));
        let stores = stores.collect::<Result<_, _>>()?;
        Ok(Self::Changing(world, stores))
    }

    /// What policies show a caller.
    fn members(&self, chance: &mut Chance) -> Result<Vec<Member>, String> {
        match self {
            Self::Made(made) => Ok(made
                .iter()
                .map(|made| Member {
                    store: Arc::clone(&made.store),
                    permit: made.permit.clone(),
                })
                .collect()),
            Self::Changing(_, stores) => {
                let caller = Caller::new(chance);
                let stores = stores.iter().enumerate();
                let members = stores.map(|(number, store)| {
                    Ok(Member {
                        store: Arc::clone(store),
                        // One who may not ask the first member is refused before the others are asked.
                        permit: caller.permit(chance, number, number == 0)?,
                    })
                });
                members.collect()
            }
        }
    }

    /// What those of the members show that permit anything.
    fn model(&self, members: &[Member]) -> Model {
        match self {
            Self::Changing(world, _) => Model::new(world, members),
            Self::Made(made) => {
                let visible = made
                    .iter()
                    .zip(members)
                    .map(|(made, member)| match member.permit {
                        Some(_) => made.visible.clone(),
                        None => Vec::new(),
                    });
                let visible: Vec<_> = visible.collect();
                let withheld = made.iter().filter(|made| made.is_withheld).count();
                Model::of(&visible, withheld)
            }
        }
    }

    fn parse(&self, text: &str) -> Result<Query, String> {
        let prefix = match self {
            Self::Changing(..) => "PREFIX : <urn:> ",
            Self::Made(_) => "PREFIX : <http://e/> ",
        };
        SparqlParser::new()
            .parse_query(&format!("{prefix}{PREFIXES}{text}"))
            .map_err(|error| error.to_string())
    }
}

fn run_world<'a>(
    chance: &mut Chance,
    steward: &Ours,
    shapes: &[&'a str],
    most: usize,
    met: &mut Met,
    mut put: impl FnMut(&'a str, Verdict),
) -> Result<(), String> {
    let scene = Scene::new(chance, steward)?;
    for _ in 0..most {
        let shape = chance.one(shapes).copied().unwrap_or_default();
        let held = || hold(chance, &scene, shape, met);
        let verdict = match catch_unwind(AssertUnwindSafe(held)) {
            Ok(Ok(())) => Verdict::Passed,
            Ok(Err(reason)) => Verdict::Failed(reason),
            Err(_) => Verdict::Failed("panicked".to_owned()),
        };
        put(shape, verdict);
    }
    Ok(())
}

fn hold(chance: &mut Chance, scene: &Scene, shape: &str, met: &mut Met) -> Result<(), String> {
    let (text, is_count) = match shape.strip_prefix("count ") {
        Some(text) => (text, true),
        None => (shape, false),
    };
    let query = scene.parse(text)?;
    let members = scene.members(chance)?;
    let limits = FederationLimits {
        share_bindings: !chance.once_in(4),
        bindings: chance.one(&[0, 2, 1_000]).copied().unwrap_or_default(),
        request_rows: chance.one(&[0, 1, 100]).copied().unwrap_or_default(),
        ..FederationLimits::default()
    };
    let model = scene.model(&members);
    let (may_stream, is_summarised) = (chance.once_in(2), !chance.once_in(3));
    let town = match may_stream {
        // As one asks who requires nothing of sources: rows may leave as they come.
        true => Town::streaming(&members, limits)?,
        false => Town::new(&members, limits, is_summarised)?,
    };
    let recipients = recipients(chance, members.len());
    let town = town.telling(recipients.clone());
    let (told, is_streamed) = match may_stream {
        true => town.stream(&query).map_err(|refusal| refusal.to_string())?,
        false => (town.ask(&query)?, false),
    };
    met.streamed += usize::from(is_streamed);
    settled(&members, &told)?;
    let shown = bindings::shown(&members, |members| scene.model(members));
    let may_know = match limits.share_bindings {
        true => recipients,
        false => Recipients::new(),
    };
    met.told += bindings::check(&query, &town.asked(), &shown, &may_know)?;
    met.ordered += usize::from(in_order(&query, &told.answer)?);
    let expected = model.evaluate(&query)?;
    met.rows += usize::from(has_rows(&expected));
    met.withheld += usize::from(model.withheld > 0);
    met.made += usize::from(matches!(scene, Scene::Made(_)));
    met.denied += usize::from(members.iter().any(|member| member.permit.is_none()));
    if is_count {
        let unlimited = [" OFFSET", " LIMIT"].iter().fold(text, |text, word| {
            text.split_once(word).map_or(text, |(before, _)| before)
        });
        // A limit in a sub-select cannot be taken away like this.
        let unlimited = scene.parse(unlimited).ok();
        let all = unlimited.map(|query| model.evaluate(&query)).transpose()?;
        return count_only(&expected, all.as_ref(), &told.answer);
    }
    same(&expected, &told.answer)
}

/// To whom what each shows may be told: often to everyone, else to some.
fn recipients(chance: &mut Chance, members: usize) -> Recipients {
    let of = |chance: &mut Chance| {
        let is_open = chance.once_in(2);
        let all = (0..members).filter(|_| is_open || chance.once_in(2));
        all.map(participant).collect()
    };
    (0..members).map(|_| of(chance)).collect()
}

fn has_rows(answer: &Answer) -> bool {
    match answer {
        Answer::Boolean(value) => *value,
        Answer::Graph(graph) => !graph.is_empty(),
        Answer::Table(table) => !table.rows.is_empty(),
    }
}

/// Every member answers or denies, and no row rests on one that denies.
fn settled(members: &[Member], told: &Told) -> Result<(), String> {
    for (number, (member, state)) in members.iter().zip(&told.states).enumerate() {
        let is_right = match member.permit {
            None => *state == SourceState::Denied,
            Some(_) => state.is_settled(),
        };
        // Where no data is asked for, nobody is.
        if !is_right && *state != SourceState::Empty {
            return Err(format!("member {number} is {state}"));
        }
    }
    let denies = |number: &usize| members.get(*number).is_none_or(|m| m.permit.is_none());
    if told.row_sources.iter().flatten().any(denies) {
        return Err("a row rests on a member that denies".to_owned());
    }
    Ok(())
}

/// Compares term by term where no blank node is in the way, and else up to their names.
fn same(expected: &Answer, actual: &Answer) -> Result<(), String> {
    let is_same = match (expected, actual) {
        (Answer::Table(expected), Answer::Table(actual)) => {
            expected.variables == actual.variables && model::lines(expected) == model::lines(actual)
        }
        (Answer::Boolean(expected), Answer::Boolean(actual)) => expected == actual,
        _ => false,
    };
    if is_same {
        return Ok(());
    }
    let has_blanks = |answer: &Answer| match answer {
        Answer::Table(table) => model::lines(table).iter().any(|line| line.contains("_:")),
        Answer::Graph(_) => true,
        Answer::Boolean(_) => false,
    };
    same_answer(expected, actual)?;
    if has_blanks(expected) {
        return Ok(());
    }
    Err("terms are equal in value but not the same".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Table;
    use oxrdf::vocab::xsd;
    use oxrdf::{BlankNode, Literal, Term, Variable};

    fn table(rows: &[Term]) -> Answer {
        Answer::Table(Table {
            variables: vec![Variable::new_unchecked("x")],
            rows: rows.iter().map(|term| vec![Some(term.clone())]).collect(),
            ordered: false,
        })
    }

    #[test]
    fn answers_are_compared_as_multisets_of_terms() {
        let one: Term = Literal::from(1).into();
        let other: Term = Literal::new_typed_literal("01", xsd::INTEGER).into();
        let node = || Term::from(BlankNode::default());
        assert!(
            same(
                &table(&[one.clone(), other.clone()]),
                &table(&[other.clone(), one.clone()])
            )
            .is_ok()
        );
        assert!(
            same(
                &table(std::slice::from_ref(&one)),
                &table(&[one.clone(), one.clone()])
            )
            .is_err()
        );
        assert!(same(&table(std::slice::from_ref(&one)), &table(&[other])).is_err());
        assert!(
            same(
                &table(&[one.clone(), node()]),
                &table(&[node(), one.clone()])
            )
            .is_ok()
        );
        assert!(same(&table(&[node()]), &table(&[one])).is_err());
    }

    #[test]
    fn a_limit_is_compared_by_number_and_by_what_there_is() {
        let terms: Vec<Term> = (0..3).map(|n| Literal::from(n).into()).collect();
        let (all, some) = (table(&terms), |n: &[usize]| {
            table(&n.iter().map(|n| terms[*n].clone()).collect::<Vec<_>>())
        });
        assert!(count_only(&some(&[0, 1]), Some(&all), &some(&[1, 2])).is_ok());
        assert!(count_only(&some(&[0, 1]), Some(&all), &some(&[1, 1])).is_err());
        assert!(count_only(&some(&[0, 1]), Some(&all), &some(&[1])).is_err());
    }

    #[test]
    fn every_shape_is_a_query() {
        for shape in SHAPES.lines().filter(|line| !line.starts_with('#')) {
            let text = shape.strip_prefix("count ").unwrap_or(shape);
            let text = format!("PREFIX : <urn:> {PREFIXES}{text}");
            assert!(SparqlParser::new().parse_query(&text).is_ok(), "{shape}");
        }
    }

    #[test]
    fn cases_hold_and_are_of_use() {
        let report = run("federated-equals-merged", 60, Some(1)).unwrap();
        assert_eq!(report.failures().collect::<Vec<_>>(), []);
        assert_eq!(report.passed(), 60);
        let again = run("federated-equals-merged", 60, Some(1)).unwrap();
        assert_eq!(report.cases, again.cases);
    }
}

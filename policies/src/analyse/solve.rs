//! Looks for values of all axes that fulfil a formula: a tableau, depth first, that stops at the first that surely does.

use super::cell::{Cell, Sample};
use super::formula::{Axis, Formula, Literal};
use super::timing;
use super::vocabulary::Vocabulary;
use super::{Example, Outcome, Verdict};
use crate::truth::Truth;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// How many formulas are looked at before the answer is that it is not known.
const MOST_STEPS: usize = 1_000_000;

/// What is possible under the conditions taken so far.
pub(super) type State = BTreeMap<Axis, Cell>;

/// A formula, and whether it must hold or must not.
type Goal<'a> = (&'a Formula, bool);

struct Node<'a> {
    state: State,
    /// To be taken at once.
    goals: Vec<Goal<'a>>,
    /// Those that can be met in more than one way.
    choices: Vec<Goal<'a>>,
    is_unknown: bool,
}

struct Solver<'a> {
    vocabulary: &'a Vocabulary,
    steps: usize,
}

/// Whether some request meets all goals: [`Verdict::Compatible`] with such a request, [`Verdict::Conflict`] where surely
/// none does.
pub(super) fn solve(goals: &[Goal<'_>], vocabulary: &Vocabulary) -> Outcome {
    let mut solver = Solver {
        vocabulary,
        steps: 0,
    };
    let mut best = Outcome {
        verdict: Verdict::Conflict,
        example: None,
    };
    let mut open = vec![Node {
        state: State::new(),
        goals: goals.to_vec(),
        choices: Vec::new(),
        is_unknown: false,
    }];
    while let Some(mut node) = open.pop() {
        if solver.steps > MOST_STEPS {
            best.verdict = best.verdict.max(Verdict::Unknown);
            break;
        }
        if !solver.settle(&mut node) {
            continue;
        }
        if let Some(outcome) = solver.sample(&node) {
            return outcome;
        }
        let Some(options) = solver.branch(&mut node) else {
            let outcome = solver.leaf(&node);
            if outcome.verdict > best.verdict {
                best = outcome;
            }
            if best.verdict == Verdict::Compatible {
                break;
            }
            continue;
        };
        for goals in options.into_iter().rev() {
            open.push(Node {
                state: node.state.clone(),
                goals,
                choices: node.choices.clone(),
                is_unknown: node.is_unknown,
            });
        }
    }
    best
}

impl<'a> Solver<'_> {
    /// Takes all that leaves no choice. False where nothing is left.
    fn settle(&mut self, node: &mut Node<'a>) -> bool {
        loop {
            while let Some((formula, is_wanted)) = node.goals.pop() {
                self.steps += 1;
                match (formula, is_wanted) {
                    (Formula::Always, true) | (Formula::Never, false) => {}
                    (Formula::Always, false) | (Formula::Never, true) => return false,
                    (Formula::Literal(literal), _) => {
                        if !self.narrow(&mut node.state, literal, is_wanted) {
                            return false;
                        }
                    }
                    (Formula::Not(inner), _) => node.goals.push((inner, !is_wanted)),
                    (Formula::All(parts) | Formula::Sequence(parts), true)
                    | (Formula::Any(parts), false) => {
                        let parts = parts.iter().map(|part| (part, is_wanted));
                        node.goals.extend(parts);
                    }
                    // That a sequence is not kept can lie in the order of its steps, which we do not follow.
                    (Formula::Sequence(_), false) => node.is_unknown = true,
                    (Formula::Any(_) | Formula::One(_), true)
                    | (Formula::All(_) | Formula::One(_), false) => {
                        node.choices.push((formula, is_wanted));
                    }
                }
            }
            let mut kept = Vec::with_capacity(node.choices.len());
            for goal in std::mem::take(&mut node.choices) {
                match self.foresee(&node.state, goal) {
                    Truth::True => {}
                    Truth::False => return false,
                    Truth::Unknown => {
                        let mut options = self.options(&node.state, goal);
                        match (options.pop(), options.is_empty()) {
                            (None, _) => return false,
                            (Some(only), true) => node.goals.extend(only),
                            _ => kept.push(goal),
                        }
                    }
                }
            }
            node.choices = kept;
            if node.goals.is_empty() {
                return true;
            }
        }
    }

    /// The ways to meet one of the choices, the one with fewest; none where no choice is left.
    fn branch(&mut self, node: &mut Node<'a>) -> Option<Vec<Vec<Goal<'a>>>> {
        let fewest = node
            .choices
            .iter()
            .enumerate()
            .map(|(index, goal)| (index, self.options(&node.state, *goal)))
            .min_by_key(|(_, options)| options.len());
        let (index, options) = fewest?;
        node.choices.swap_remove(index);
        Some(options)
    }

    /// The ways to meet a choice that are not ruled out at once.
    fn options(&mut self, state: &State, (formula, is_wanted): Goal<'a>) -> Vec<Vec<Goal<'a>>> {
        let mut options: Vec<Vec<Goal<'a>>> = Vec::new();
        match (formula, is_wanted) {
            (Formula::Any(parts) | Formula::All(parts), _) => {
                options.extend(parts.iter().map(|part| vec![(part, is_wanted)]));
            }
            (Formula::One(parts), true) => {
                let but_for = |chosen: usize| {
                    let parts = parts.iter().enumerate();
                    parts.map(|(index, part)| (part, index == chosen)).collect()
                };
                options.extend((0..parts.len()).map(but_for));
            }
            (Formula::One(parts), false) => {
                options.push(parts.iter().map(|part| (part, false)).collect());
                for (index, left) in parts.iter().enumerate() {
                    let rest = parts.iter().skip(index + 1);
                    options.extend(rest.map(|right| vec![(left, true), (right, true)]));
                }
            }
            _ => options.push(vec![(formula, is_wanted)]),
        }
        options.retain(|goals| {
            goals
                .iter()
                .all(|goal| self.foresee(state, *goal) != Truth::False)
        });
        options
    }

    /// Whether a goal is met by all that is left, or by nothing of it.
    fn foresee(&mut self, state: &State, (formula, is_wanted): Goal<'a>) -> Truth {
        self.steps += 1;
        let mut each = |parts: &'a [Formula]| -> Vec<Truth> {
            let parts = parts.iter();
            parts
                .map(|part| self.foresee(state, (part, true)))
                .collect()
        };
        let truth = match formula {
            Formula::Always => Truth::True,
            Formula::Never => Truth::False,
            Formula::Literal(literal) => match state.get(&literal.axis) {
                Some(cell) => cell.fulfils(literal, self.vocabulary),
                None => Cell::new(&literal.axis, &literal.scale, self.vocabulary)
                    .fulfils(literal, self.vocabulary),
            },
            Formula::All(parts) => Truth::all(each(parts)),
            Formula::Any(parts) => Truth::any(each(parts)),
            Formula::One(parts) => Truth::exactly_one(each(parts)),
            Formula::Not(inner) => !self.foresee(state, (inner, true)),
            Formula::Sequence(parts) => match Truth::all(each(parts)) {
                Truth::False => Truth::False,
                _ => Truth::Unknown,
            },
        };
        if is_wanted { truth } else { !truth }
    }

    fn narrow(&self, state: &mut State, literal: &Literal, is_wanted: bool) -> bool {
        state
            .entry(literal.axis.clone())
            .or_insert_with(|| Cell::new(&literal.axis, &literal.scale, self.vocabulary))
            .narrow(literal, is_wanted, self.vocabulary)
    }

    /// Tries one value of each axis: often it meets all that is open, and there is nothing to search.
    fn sample<'n>(&mut self, node: &'n Node<'_>) -> Option<Outcome> {
        if node.is_unknown {
            return None;
        }
        let mut samples: BTreeMap<&'n Axis, Sample> = BTreeMap::new();
        for (axis, cell) in &node.state {
            samples.insert(axis, cell.sample()?);
        }
        for (formula, is_wanted) in &node.choices {
            if self.holds(formula, &mut samples)? != *is_wanted {
                return None;
            }
        }
        let values: Option<Vec<_>> = samples
            .into_iter()
            .map(|(axis, sample)| Some((axis.clone(), sample.value()?)))
            .collect();
        Some(Outcome {
            verdict: Verdict::Compatible,
            example: Some(Example::new(values?)),
        })
    }

    /// Whether a formula holds for the samples, to which it adds what they lack; none where that is not so simple.
    fn holds<'f>(
        &mut self,
        formula: &'f Formula,
        samples: &mut BTreeMap<&'f Axis, Sample>,
    ) -> Option<bool> {
        self.steps += 1;
        match formula {
            Formula::Always => Some(true),
            Formula::Never => Some(false),
            Formula::Literal(literal) => {
                let sample = match samples.entry(&literal.axis) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(Sample::any(&literal.scale)?),
                };
                sample.meets(literal)
            }
            Formula::All(parts) => self.count(parts, samples, 1, false).map(|held| held == 0),
            Formula::Any(parts) => self.count(parts, samples, 1, true).map(|held| held > 0),
            Formula::One(parts) => self.count(parts, samples, 2, true).map(|held| held == 1),
            Formula::Not(inner) => self.holds(inner, samples).map(|holds| !holds),
            Formula::Sequence(_) => None,
        }
    }

    /// How many of the parts come out so, counted up to a number.
    fn count<'f>(
        &mut self,
        parts: &'f [Formula],
        samples: &mut BTreeMap<&'f Axis, Sample>,
        most: usize,
        is_wanted: bool,
    ) -> Option<usize> {
        let mut count = 0;
        for part in parts {
            if count == most {
                break;
            }
            count += usize::from(self.holds(part, samples)? == is_wanted);
        }
        Some(count)
    }

    /// The worst that any axis says, with values where all have one.
    fn leaf(&self, node: &Node<'_>) -> Outcome {
        let mut verdict = match node.is_unknown {
            true => Verdict::Unknown,
            false => Verdict::Compatible,
        };
        let mut values = BTreeMap::new();
        for (axis, cell) in &node.state {
            let (one, value) = cell.verdict(self.vocabulary);
            verdict = verdict.min(one);
            values.insert(axis.clone(), value);
        }
        verdict = verdict.min(timing::check(&node.state, &mut values));
        let complete: Option<Vec<_>> = values
            .into_iter()
            .map(|(axis, value)| Some((axis, value?)))
            .collect();
        Outcome {
            verdict,
            example: complete
                .filter(|_| verdict == Verdict::Compatible)
                .map(Example::new),
        }
    }
}

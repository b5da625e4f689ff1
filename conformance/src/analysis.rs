//! The ODRL conflict benchmark: pairs of policies, and whether they conflict, for provers and for us.
//!
//! A problem is a file for provers with a verdict in its header, and the policies that it formalises as Turtle. We read
//! the policies and the question, never the answer: whether they can be met together, or one is within the other, and what
//! it means that one of them is silent. What a problem assumes beyond its policies is taken from its formulas: an order
//! between instants and durations, a value observed at run time. Taxonomies are those that come with the problems.
//!
//! Where a proven conjecture itself states a verdict, that is what is expected: one header contradicts its own theorem.

use crate::library::{Fault, Library};
use crate::report::{Report, Verdict as Outcome};
use oxrdf::Literal;
use oxrdf::vocab::xsd;
use std::collections::BTreeSet;
use twinlink_policy::RdfFormat;
use twinlink_policy::analyse::{Silence, Terms, Verdict, Vocabulary};

const ROOT: &str = "odrl-analysis";
const DATE_TIME: &str = "http://www.w3.org/ns/odrl/2/dateTime";
const ELAPSED_TIME: &str = "http://www.w3.org/ns/odrl/2/elapsedTime";

/// One problem.
struct Problem {
    verdict: Option<String>,
    is_theorem: bool,
    relation: Option<String>,
    conjecture: String,
    axioms: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Conflict,
    Within,
}

/// Runs all problems; those that are no pair of policies, or ask for something else than a verdict on it, are skipped.
pub(crate) fn run(suite: &'static str, library: &Library) -> Result<Report, Fault> {
    if !library.has(&format!("{ROOT}/NOTICE")) {
        return Ok(Report::not_found(suite));
    }
    let mut cases = Vec::new();
    let mut contradicted = 0;
    for family in library.folders(ROOT)? {
        let mut vocabulary = Vocabulary::default();
        for path in library.files(&format!("{family}/Resources"), "ttl")? {
            vocabulary
                .taxonomy
                .read(&library.graph(&library.iri(&path))?);
        }
        for folder in library.folders(&family)? {
            for path in library.files(&folder, "p")? {
                let name = path.strip_prefix(ROOT).unwrap_or(&path);
                let name = name.trim_start_matches('/').to_owned();
                let text = library.text(&library.iri(&path))?;
                let problem = Problem::read(&text);
                let outcome = case(library, &family, &text, &problem, &vocabulary)?;
                let is_judged = !matches!(outcome, Outcome::Skipped(_));
                contradicted += usize::from(is_judged && problem.contradicts_its_header());
                cases.push((name, outcome));
            }
        }
    }
    Ok(Report::of(suite, cases).with("headers contradicted by their own theorem", contradicted))
}

fn case(
    library: &Library,
    family: &str,
    text: &str,
    problem: &Problem,
    vocabulary: &Vocabulary,
) -> Result<Outcome, Fault> {
    let Some(expected) = problem.proven().or(problem.stated()) else {
        let asks = problem.verdict.as_deref().unwrap_or("no verdict");
        return Ok(skip(format!("asks for something else: {asks}")));
    };
    let Some(source) = word_ending(text, ".ttl") else {
        return Ok(skip(
            "not a pair of policies: it names no policies".to_owned(),
        ));
    };
    let source = library.iri(&format!("{family}/{source}"));
    let mut vocabulary = vocabulary.clone();
    if problem.orders_instants_and_durations() {
        vocabulary.join(&[DATE_TIME, ELAPSED_TIME]);
    }
    let policies = Terms::parse(
        &library.text(&source)?,
        RdfFormat::Turtle,
        None,
        &vocabulary,
    );
    let policies = policies.map_err(|error| Fault::content(&source, error))?;
    let [left, right] = policies.as_slice() else {
        let count = policies.len();
        return Ok(skip(format!("not a pair of policies: it has {count}")));
    };
    let Some((question, silence)) = problem.question() else {
        let relation = problem.relation.as_deref().unwrap_or_default();
        return Ok(skip(format!("asks for an unknown relation: {relation}")));
    };
    let observed = problem.observed(left, right);
    let given = |terms: &Terms| match &observed {
        Some((operand, value)) => terms.clone().given(operand, value, &vocabulary),
        None => terms.clone(),
    };
    let (left, right) = (given(left), given(right));
    let outcome = match question {
        Question::Conflict => left.conflict(&right, &vocabulary, silence),
        Question::Within => left.within(&right, &vocabulary, silence),
    };
    if outcome.verdict == expected {
        return Ok(Outcome::Passed);
    }
    let example = outcome.example.map(|example| {
        let values: Vec<_> = example
            .values()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        values.join(", ")
    });
    Ok(Outcome::Failed(format!(
        "{question:?}: {}, not {expected}; example: {}",
        outcome.verdict,
        example.unwrap_or_else(|| "none".to_owned())
    )))
}

impl Problem {
    fn read(text: &str) -> Self {
        let formulas: Vec<&str> = text.lines().filter(|line| !line.starts_with('%')).collect();
        let formulas = formulas.join("\n");
        let (axioms, conjecture) = match formulas.find("conjecture,") {
            Some(at) => formulas.split_at(at),
            None => (formulas.as_str(), ""),
        };
        Self {
            verdict: header(text, "Verdict"),
            is_theorem: header(text, "Status").as_deref() == Some("Theorem"),
            relation: header(text, "Relation"),
            conjecture: conjecture.split_whitespace().collect::<Vec<_>>().join(" "),
            axioms: axioms.to_owned(),
        }
    }

    fn question(&self) -> Option<(Question, Silence)> {
        let asks_within = self.conjecture.contains("subs_verdict");
        match self.relation.as_deref() {
            None | Some("conflict" | "compatible" | "runtime" | "sort-ablation") => {
                Some((Question::Conflict, Silence::Anything))
            }
            Some("subsumption") => Some((Question::Within, Silence::Anything)),
            Some("verdict" | "verdict_algebra") if asks_within => {
                Some((Question::Within, Silence::Unknown))
            }
            Some("verdict" | "verdict_algebra") => Some((Question::Conflict, Silence::Unknown)),
            Some(_) => None,
        }
    }

    /// Whether an axiom puts an instant and a duration in one order, as if they were numbers of one kind.
    fn orders_instants_and_durations(&self) -> bool {
        arguments(&self.axioms, "less(").any(|(left, right)| {
            let kinds = [left, right].map(|name| name.trim_end_matches(|c: char| c.is_numeric()));
            BTreeSet::from(kinds) == BTreeSet::from(["dur", "inst"])
        })
    }

    /// The value, in days, that a conjecture without variables compares with the bounds of both policies, for the one
    /// operand that they constrain.
    fn observed(&self, left: &Terms, right: &Terms) -> Option<(String, Literal)> {
        if self.relation.as_deref() != Some("runtime") {
            return None;
        }
        let values: BTreeSet<i64> = arguments(&self.conjecture, "$lesseq(")
            .map(|(value, bound)| bound.parse::<i64>().and(value.parse()))
            .collect::<Result<_, _>>()
            .ok()?;
        let operands: BTreeSet<&str> = left.operands().union(&right.operands()).copied().collect();
        let (Some(days), 1, Some(operand), 1) = (
            values.first(),
            values.len(),
            operands.first(),
            operands.len(),
        ) else {
            return None;
        };
        let value = Literal::new_typed_literal(format!("P{days}D"), xsd::DURATION);
        Some(((*operand).to_owned(), value))
    }

    /// The verdict of the header, where that is what it asks for.
    fn stated(&self) -> Option<Verdict> {
        self.verdict.as_deref().and_then(verdict)
    }

    fn contradicts_its_header(&self) -> bool {
        let proven = self.proven();
        proven.is_some() && self.stated().is_some() && proven != self.stated()
    }

    /// The verdict that a term of the verdict algebra is proven to have, where that is the conjecture.
    fn proven(&self) -> Option<Verdict> {
        if !self.is_theorem {
            return None;
        }
        let (_, verdict_and_rest) = self.conjecture.rsplit_once("= ")?;
        verdict_and_rest.strip_suffix(").").and_then(verdict)
    }
}

fn verdict(word: &str) -> Option<Verdict> {
    let all = [Verdict::Conflict, Verdict::Unknown, Verdict::Compatible];
    all.into_iter()
        .find(|verdict| verdict.to_string().eq_ignore_ascii_case(word))
}

/// What is between the parentheses, where it is two words.
fn arguments<'a>(text: &'a str, opening: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.split(opening).skip(1).filter_map(|rest| {
        let (inside, _) = rest.split_once(')')?;
        let (left, right) = inside.split_once(',')?;
        Some((left.trim(), right.trim()))
    })
}

fn header(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.strip_prefix('%')?.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn word_ending<'a>(text: &'a str, ending: &str) -> Option<&'a str> {
    text.split_whitespace().find(|word| word.ends_with(ending))
}

fn skip(reason: String) -> Outcome {
    Outcome::Skipped(reason)
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::library::Library;
    use crate::report::Verdict;
    use std::fs;

    const POLICIES: &str = "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
        <urn:a> odrl:permission [ odrl:constraint [ odrl:leftOperand odrl:count ; odrl:operator odrl:lteq ; odrl:rightOperand 5 ] ] .
        <urn:b> odrl:permission [ odrl:constraint [ odrl:leftOperand odrl:count ; odrl:operator odrl:gteq ; odrl:rightOperand 9 ] ] .";

    fn problem(verdict: &str, relation: &str, conjecture: &str) -> String {
        format!(
            "% Status   : Theorem\n% Verdict  : {verdict}\n% Relation : {relation}\n\
             % Policy source: Policies/one-policy.ttl\nfof(one, conjecture,\n    {conjecture}).\n"
        )
    }

    #[test]
    fn problems_are_judged_by_what_they_ask() {
        let folder = tempfile::tempdir().unwrap();
        let family = folder.path().join("odrl-analysis/Family");
        fs::create_dir_all(family.join("Policies")).unwrap();
        fs::create_dir_all(family.join("Group")).unwrap();
        fs::write(folder.path().join("odrl-analysis/NOTICE"), "").unwrap();
        fs::write(family.join("Policies/one-policy.ttl"), POLICIES).unwrap();
        for (name, text) in [
            ("a", problem("Conflict", "conflict", "p")),
            ("b", problem("Compatible", "conflict", "p")),
            ("c", problem("Conflict", "subsumption", "p")),
            ("d", problem("Permit", "runtime", "p")),
            (
                "e",
                problem(
                    "Compatible",
                    "verdict",
                    "box_verdict(conflict, unknown) = conflict",
                ),
            ),
            ("f", problem("Conflict", "somehow", "p")),
        ] {
            fs::write(family.join(format!("Group/{name}.p")), text).unwrap();
        }
        let report = run("s", &Library::new(folder.path())).unwrap();
        let words: String = report
            .cases
            .iter()
            .map(|(_, verdict)| match verdict {
                Verdict::Passed => 'p',
                Verdict::Failed(_) => 'f',
                Verdict::Skipped(_) => 's',
            })
            .collect();
        assert_eq!(words, "pfpsps", "{:?}", report.cases);
        let empty = tempfile::tempdir().unwrap();
        assert!(
            run("s", &Library::new(empty.path()))
                .unwrap()
                .note
                .is_some()
        );
    }
}

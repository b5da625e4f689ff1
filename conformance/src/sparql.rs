//! SPARQL 1.1 Query, Update and Federated Query: <https://www.w3.org/2009/sparql/docs/tests/>.
//!
//! A case that our engine fails is a failure only where oxigraph's own engine passes it: which cases those are is found
//! out in the same run, not written down.

use crate::answer::Answer;
use crate::compare::{same_answer, same_quads};
use crate::engine::{Engine, Federated, Ours, Question, Reference};
use crate::library::{Fault, Library};
use crate::manifest::{Case, Manifest, Node, Take, mf, qt, ut};
use crate::report::{Report, Verdict};
use oxrdf::vocab::rdfs;
use oxrdf::{GraphName, NamedNode, Quad};
use spargebra::algebra::{GraphPattern, QueryDataset};
use spargebra::{Query, SparqlParser};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs all cases of some manifests.
pub(crate) fn run(
    suite: &'static str,
    library: &Library,
    manifests: &[&str],
) -> Result<Report, Fault> {
    let Some(manifest) = Manifest::load(library, manifests, Take::Entries)? else {
        return Ok(Report::not_found(suite));
    };
    let ours = Ours::new().map_err(Fault::Target)?;
    let mut cases = Vec::new();
    for case in manifest.cases() {
        let test = Test::read(library, &manifest, case)?;
        cases.push((case.id.clone(), test.judge(&ours, &Reference)));
    }
    Ok(Report::of(suite, cases))
}

/// Runs all cases of some manifests on the store by itself, and again as a federation whose members are the endpoints
/// that questions name.
pub(crate) fn run_federated(
    suite: &'static str,
    library: &Library,
    manifests: &[&str],
) -> Result<Report, Fault> {
    let Some(manifest) = Manifest::load(library, manifests, Take::Entries)? else {
        return Ok(Report::not_found(suite));
    };
    let ours = Ours::new().map_err(Fault::Target)?;
    let federated = Federated(&ours);
    let mut cases = Vec::new();
    for case in manifest.cases() {
        let test = Test::read(library, &manifest, case)?;
        cases.push((case.id.clone(), test.judge(&ours, &Reference)));
        let verdict = match test.attempt(&federated) {
            Ok(()) => Verdict::Passed,
            Err(reason) => Verdict::Failed(reason),
        };
        cases.push((format!("{}, over members", case.id), verdict));
    }
    Ok(Report::of(suite, cases))
}

/// One case, read.
#[derive(Debug)]
enum Test {
    Syntax {
        text: String,
        base: String,
        is_update: bool,
        is_valid: bool,
    },
    Query {
        question: Box<Question>,
        expected: Answer,
        through_csv: bool,
    },
    Update {
        text: String,
        base: String,
        data: Vec<Quad>,
        expected: Vec<Quad>,
    },
    Unknown(String),
}

impl Test {
    fn read(library: &Library, manifest: &Manifest, case: &Case) -> Result<Self, Fault> {
        let start = manifest.start(case);
        let action = start.need(&mf("action"))?;
        let kind = case.kind.as_str();
        match kind {
            "PositiveSyntaxTest11"
            | "NegativeSyntaxTest11"
            | "PositiveUpdateSyntaxTest11"
            | "NegativeUpdateSyntaxTest11" => {
                let file = action.need_iri()?;
                Ok(Self::Syntax {
                    text: library.text(&file)?,
                    base: file.into_string(),
                    is_update: kind.contains("Update"),
                    is_valid: kind.starts_with("Positive"),
                })
            }
            "QueryEvaluationTest" | "CSVResultFormatTest" => {
                let result = start.need(&mf("result"))?.need_iri()?;
                let question = question(library, &action)?;
                let mut expected = Answer::expected(library, &result)?;
                if let Answer::Table(table) = &mut expected {
                    table.ordered |= is_ordered(&question);
                }
                Ok(Self::Query {
                    question: Box::new(question),
                    expected,
                    through_csv: kind == "CSVResultFormatTest",
                })
            }
            "UpdateEvaluationTest" => {
                let file = action.need(&ut("request"))?.need_iri()?;
                let result = start.need(&mf("result"))?;
                Ok(Self::Update {
                    text: library.text(&file)?,
                    base: file.into_string(),
                    data: dataset(library, &action, ut)?,
                    expected: dataset(library, &result, ut)?,
                })
            }
            _ => Ok(Self::Unknown(case.kind.clone())),
        }
    }

    /// Judges an engine by a case, and the case by a yardstick.
    fn judge(&self, engine: &dyn Engine, yardstick: &dyn Engine) -> Verdict {
        if let Self::Unknown(kind) = self {
            return Verdict::Skipped(format!("no runner for tests of the kind {kind}"));
        }
        let Err(reason) = self.attempt(engine) else {
            return Verdict::Passed;
        };
        match self.attempt(yardstick) {
            Ok(()) => Verdict::Failed(reason),
            Err(theirs) => {
                Verdict::Skipped(format!("oxigraph's own engine fails it too: {theirs}"))
            }
        }
    }

    fn attempt(&self, engine: &dyn Engine) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(|| self.hold(engine)))
            .unwrap_or_else(|_| Err("the engine panicked".to_owned()))
    }

    fn hold(&self, engine: &dyn Engine) -> Result<(), String> {
        match self {
            Self::Syntax {
                text,
                base,
                is_update,
                is_valid,
            } => {
                let checked = if *is_update {
                    engine.check_update(text, base)
                } else {
                    engine.check_query(text, base)
                };
                match (checked, is_valid) {
                    (Err(error), true) => Err(error),
                    (Ok(()), false) => Err("accepted, though it is no valid text".to_owned()),
                    _ => Ok(()),
                }
            }
            Self::Query {
                question,
                expected,
                through_csv,
            } => match engine.query(question)? {
                Answer::Table(table) if *through_csv => {
                    same_answer(expected, &Answer::Table(table.through_csv()))
                }
                actual => same_answer(expected, &actual),
            },
            Self::Update {
                text,
                base,
                data,
                expected,
            } => same_quads(expected.clone(), engine.update(text, base, data)?),
            Self::Unknown(kind) => Err(format!("no runner for {kind}")),
        }
    }
}

/// What the action of a query test asks, and over what.
pub(crate) fn question(library: &Library, action: &Node<'_>) -> Result<Question, Fault> {
    let file = action.need(&qt("query"))?.need_iri()?;
    let text = library.text(&file)?;
    let mut data = dataset(library, action, qt)?;
    let parsed = parse(&text, &file);
    // What FROM and FROM NAMED name must be there to be found.
    for name in parsed.as_ref().map(named).unwrap_or_default() {
        let is_there = data
            .iter()
            .any(|quad| quad.graph_name == name.clone().into());
        if !is_there && library.knows(&name) {
            data.extend(library.quads(&name, name.clone().into())?);
        }
    }
    let mut services = Vec::new();
    for service in action.all(&qt("serviceData")) {
        let endpoint = service.need(&qt("endpoint"))?.need_iri()?;
        services.push((endpoint, dataset(library, &service, qt)?));
    }
    Ok(Question {
        text,
        base: file.into_string(),
        data,
        services,
    })
}

/// The quads that an action or a result describes, in the words of query or of update tests.
fn dataset(
    library: &Library,
    node: &Node<'_>,
    word: fn(&str) -> NamedNode,
) -> Result<Vec<Quad>, Fault> {
    let mut quads = Vec::new();
    for data in node.all(&word("data")) {
        quads.extend(library.quads(&data.need_iri()?, GraphName::DefaultGraph)?);
    }
    for data in node.all(&word("graphData")) {
        let (file, name) = match data.iri() {
            Some(file) => (file.clone(), file),
            None => labelled(&data, word)?,
        };
        quads.extend(library.quads(&file, name.into())?);
    }
    Ok(quads)
}

/// The file of a graph, and the graph's name.
pub(crate) fn labelled(
    data: &Node<'_>,
    word: fn(&str) -> NamedNode,
) -> Result<(NamedNode, NamedNode), Fault> {
    let file = data.need(&word("graph"))?.need_iri()?;
    let label = data.need(&rdfs::LABEL.into_owned())?.text();
    let name = NamedNode::new(label.unwrap_or_default());
    let name = name.map_err(|error| Fault::content(data.term(), error))?;
    Ok((file, name))
}

fn parse(text: &str, base: &NamedNode) -> Option<Query> {
    let parser = SparqlParser::new().with_base_iri(base.as_str()).ok()?;
    parser.parse_query(text).ok()
}

fn named(query: &Query) -> Vec<NamedNode> {
    let Some(QueryDataset { default, named }) = query.dataset() else {
        return Vec::new();
    };
    let named = named.iter().flatten();
    default.iter().chain(named).cloned().collect()
}

/// Whether the query orders its rows.
fn is_ordered(question: &Question) -> bool {
    let base = NamedNode::new_unchecked(question.base.as_str());
    let Some(Query::Select { pattern, .. }) = parse(&question.text, &base) else {
        return false;
    };
    let mut pattern = &pattern;
    loop {
        match pattern {
            GraphPattern::OrderBy { .. } => return true,
            GraphPattern::Project { inner, .. }
            | GraphPattern::Distinct { inner }
            | GraphPattern::Reduced { inner }
            | GraphPattern::Slice { inner, .. } => pattern = inner,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;

//! Cases of the evaluation of ODRL policies: a policy, a request, a state of the world, and the report that is expected:
//! <https://github.com/SolidLabResearch/ODRL-Test-Suite>.

mod metric;

use crate::library::{Fault, Library};
use crate::report::{Report, Verdict};
use metric::Expected;
use oxrdf::{Graph, NamedNode, TermRef};
use twinlink_policy::PolicyError;
use twinlink_policy::report::{DutyReading, Evaluator, Request, World};

const FOLDER: &str = "odrl-evaluation";
/// The namespace in which cases are described.
const CASES: &str = "http://example.org/";
/// The metrics that the suite's authors publish. The second counts a case only if the first holds.
const METRICS: [&str; 3] = ["activation", "constraint_satisfaction", "isomorphic"];

/// One case, read.
#[derive(Debug)]
pub(crate) struct Case {
    /// The name of its file.
    pub(crate) id: String,
    pub(crate) policy_file: NamedNode,
    pub(crate) policies: Graph,
    pub(crate) request: Graph,
    pub(crate) state: Graph,
    expected: Expected,
}

/// Runs all cases. One passes if all three metrics hold; the report says of each how many cases it holds for.
pub(crate) fn run(name: &'static str, library: &Library) -> Result<Report, Fault> {
    let cases = cases(library)?;
    if cases.is_empty() {
        return Ok(Report::not_found(name));
    }
    let mut verdicts = Vec::new();
    let mut counts = [0_usize; METRICS.len()];
    for case in cases {
        let outcomes = match evaluate(&case) {
            Ok(report) => case.expected.compare(&report),
            Err(reason) => METRICS.map(|_| Err(reason.clone())),
        };
        for (count, outcome) in counts.iter_mut().zip(&outcomes) {
            *count += usize::from(outcome.is_ok());
        }
        let failed = METRICS.iter().zip(&outcomes);
        let failed: Vec<_> = failed
            .filter_map(|(metric, outcome)| Some(format!("{metric}: {}", outcome.as_ref().err()?)))
            .collect();
        verdicts.push((
            case.id,
            if failed.is_empty() {
                Verdict::Passed
            } else {
                Verdict::Failed(failed.join("; "))
            },
        ));
    }
    let mut report = Report::of(name, verdicts);
    for (metric, count) in METRICS.iter().zip(counts) {
        report = report.with(metric, count);
    }
    Ok(report)
}

/// All cases, in the order of their files.
pub(crate) fn cases(library: &Library) -> Result<Vec<Case>, Fault> {
    let read = |folder: &str| -> Result<Vec<(NamedNode, Graph)>, Fault> {
        let files = library.files(&format!("{FOLDER}/{folder}"), "ttl")?;
        let files = files.iter().map(|file| library.iri(file));
        files
            .map(|file| Ok((file.clone(), library.graph(&file)?)))
            .collect()
    };
    let (policies, requests, states) = (read("policies")?, read("requests")?, read("sotw")?);
    let mut cases = Vec::new();
    for file in library.files(&format!("{FOLDER}/test_cases"), "ttl")? {
        let iri = library.iri(&file);
        let graph = library.graph(&iri)?;
        let value = |property: &str| {
            let property = NamedNode::new_unchecked(format!("{CASES}{property}"));
            let mut triples = graph.triples_for_predicate(&property);
            match (triples.next().map(|triple| triple.object), triples.next()) {
                (Some(TermRef::NamedNode(name)), None) => Ok(name.into_owned()),
                _ => Err(Fault::content(&iri, format_args!("lacks one {property}"))),
            }
        };
        let about = |files: &[(NamedNode, Graph)], node: &NamedNode| {
            let mut files = files.iter();
            let found = files.find(|(_, graph)| graph.triples_for_subject(node).next().is_some());
            found
                .cloned()
                .ok_or_else(|| Fault::content(&iri, format_args!("{node} is not there")))
        };
        let (policy_file, policies) = about(&policies, &value("policy")?)?;
        let id = file.rsplit('/').next().unwrap_or_default();
        cases.push(Case {
            id: id.trim_end_matches(".ttl").to_owned(),
            policy_file,
            policies,
            request: about(&requests, &value("request")?)?.1,
            state: about(&states, &value("sotw")?)?.1,
            expected: Expected::read(&graph, &value("expectedReport")?),
        });
    }
    Ok(cases)
}

impl Case {
    /// The parts as the evaluator takes them. The cases let a permission hold while its duty may yet be fulfilled: "given
    /// that eventually the duty is fulfilled".
    pub(crate) fn prepare(&self) -> Result<(Evaluator, Request, World), Vec<PolicyError>> {
        let evaluator = Evaluator::read(&self.policies)?.with_duties(DutyReading::InTheEnd);
        Ok((
            evaluator,
            Request::read(&self.request)?,
            World::read(&self.state),
        ))
    }
}

fn evaluate(case: &Case) -> Result<Graph, String> {
    let (evaluator, request, world) = case.prepare().map_err(|errors| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        errors.join("; ")
    })?;
    Ok(evaluator.evaluate(&request, &world).to_graph())
}

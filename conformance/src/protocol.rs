//! SPARQL 1.1 Protocol and Graph Store HTTP Protocol: <https://www.w3.org/TR/sparql11-protocol/>,
//! <https://www.w3.org/TR/sparql11-http-rdf-update/>.

use crate::exchange::{Step, play, steps};
use crate::http::{DATA, Request, Target, percent_encoded, reset, succeed};
use crate::library::{Fault, Library};
use crate::manifest::{Case, Manifest, Take, ut};
use crate::report::{Report, Verdict};
use crate::sparql::labelled;

/// Runs all cases of a manifest, each on an empty twin.
pub(crate) fn run(
    suite: &'static str,
    library: &Library,
    path: &str,
    target: &dyn Fn() -> Result<Box<dyn Target>, Fault>,
) -> Result<Report, Fault> {
    // One test of the graph store is described, but missing in the list: it is as good as the others.
    let Some(manifest) = Manifest::load(library, &[path], Take::All)? else {
        return Ok(Report::not_found(suite));
    };
    let target = target()?;
    let mut cases = Vec::new();
    for case in manifest.cases() {
        let verdict = judge(library, &manifest, case, target.as_ref())?;
        cases.push((case.id.clone(), verdict));
    }
    Ok(Report::of(suite, cases))
}

fn judge(
    library: &Library,
    manifest: &Manifest,
    case: &Case,
    target: &dyn Target,
) -> Result<Verdict, Fault> {
    if !matches!(
        case.kind.as_str(),
        "ProtocolTest" | "GraphStoreProtocolTest"
    ) {
        let reason = format!("no runner for tests of the kind {}", case.kind);
        return Ok(Verdict::Skipped(reason));
    }
    let start = manifest.start(case);
    let steps: Vec<Step> = steps(&start)?;
    reset(target)?;
    for data in start.all(&ut("graphData")) {
        let (file, name) = labelled(&data, ut)?;
        let path = format!("{DATA}?graph={}", percent_encoded(name.as_str()));
        let body = library.bytes(&file)?;
        // Turtle contains N-Triples.
        succeed(
            target,
            &Request::with_body("PUT", path, "text/turtle", body),
        )?;
    }
    Ok(match play(target, &steps)? {
        Ok(()) => Verdict::Passed,
        Err(reason) => Verdict::Failed(reason),
    })
}

//! All suites, by name.

use crate::http::Target;
use crate::library::Library;
use crate::report::Report;
use crate::{
    analysis, attacks, crash, description, evaluation, federated, hostile, jose, merged,
    noninterference, partial, protocol, rotation, sparql, tamper,
};

pub use crate::library::Fault;

/// A named set of cases, run on the connector or on a part of it.
#[derive(Debug)]
pub struct Suite {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    run: fn(&'static str, &Setting<'_>) -> Result<Report, Fault>,
}

/// Makes the connector whose HTTP door is tested.
pub type Connect<'a> = Box<dyn Fn() -> Result<Box<dyn Target>, Fault> + 'a>;

/// Where suites lie, and what they are run against.
pub struct Setting<'a> {
    /// The folder of suites.
    pub library: Library,
    /// Makes the connector whose HTTP door is tested.
    pub target: Connect<'a>,
    /// How many cases are made, where they are made by chance; a suite's own number where nobody says.
    pub cases: Option<usize>,
    /// What chance starts from; the time of day where there is none.
    pub seed: Option<u64>,
}

/// The suites, in the order in which `all` runs them.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "sparql11-query",
        about: "SPARQL 1.1 Query: syntax, evaluation and result formats, on the twin store",
        run: |name, setting| {
            let manifests = [
                "sparql11/manifest-sparql11-query.ttl",
                "sparql11/manifest-sparql11-results.ttl",
            ];
            sparql::run(name, &setting.library, &manifests)
        },
    },
    Suite {
        name: "sparql11-update",
        about: "SPARQL 1.1 Update: syntax and evaluation, on the twin store",
        run: |name, setting| {
            let manifests = ["sparql11/manifest-sparql11-update.ttl"];
            sparql::run(name, &setting.library, &manifests)
        },
    },
    Suite {
        name: "sparql11-federated",
        about: "SPARQL 1.1 Federated Query: SERVICE, on the twin store and over members",
        run: |name, setting| {
            let manifests = ["sparql11/manifest-sparql11-fed.ttl"];
            sparql::run_federated(name, &setting.library, &manifests)
        },
    },
    Suite {
        name: "federated-sparql11",
        about: "SPARQL 1.1 Query over data split over three members, against the whole in one store",
        run: |name, setting| {
            let manifests = ["sparql11/manifest-sparql11-query.ttl"];
            federated::run(name, &setting.library, &manifests)
        },
    },
    Suite {
        name: "federated-equals-merged",
        about: "Generated twins, policies, callers and queries: federated is the merge of what members show",
        run: |name, setting| merged::run(name, setting.cases.unwrap_or(500), setting.seed),
    },
    Suite {
        name: "partial",
        about: "Members that fail in every way, under every operator: the answer is right or says what is missing",
        run: |name, setting| {
            partial::run(name, setting.cases.unwrap_or(partial::CASES), setting.seed)
        },
    },
    Suite {
        name: "noninterference",
        about: "Generated twins, policies, callers, queries and updates: guarded is a copy without what is withheld",
        run: |name, setting| {
            let cases = setting.cases.unwrap_or(noninterference::CASES);
            Ok(noninterference::run(name, cases, setting.seed))
        },
    },
    Suite {
        name: "noninterference-mutations",
        about: "The same over engines with a fault each: which case catches it",
        run: |name, setting| {
            let cases = setting.cases.unwrap_or(noninterference::MUTATION_CASES);
            Ok(noninterference::run_mutations(name, cases, setting.seed))
        },
    },
    Suite {
        name: "sparql11-protocol",
        about: "SPARQL 1.1 Protocol, over HTTP with certificates and tokens",
        run: |name, setting| {
            let path = "sparql11/protocol/manifest.ttl";
            protocol::run(name, &setting.library, path, &setting.target)
        },
    },
    Suite {
        name: "graph-store-protocol",
        about: "SPARQL 1.1 Graph Store HTTP Protocol, over HTTP with certificates and tokens",
        run: |name, setting| {
            let path = "sparql11/graph-store-protocol/manifest.ttl";
            protocol::run(name, &setting.library, path, &setting.target)
        },
    },
    Suite {
        name: "service-description",
        about: "SPARQL 1.1 Service Description, over HTTP with certificates and tokens",
        run: |name, setting| description::run(name, &setting.library, &setting.target),
    },
    Suite {
        name: "crash",
        about: "The program killed in the middle of writes, again and again: what it acknowledged is there, and so is its record",
        run: |name, setting| crash::run(name, setting.cases.unwrap_or(crash::ROUNDS), setting.seed),
    },
    Suite {
        name: "jose",
        about: "Project Wycheproof's JWS and JWK: keys as configured, texts as verified",
        run: |name, setting| jose::run(name, &setting.library),
    },
    Suite {
        name: "attacks",
        about: "Forged tokens and false certificates, over gRPC and HTTP: each refused, each in the log of use",
        run: |name, _| attacks::run(name),
    },
    Suite {
        name: "tamper",
        about: "Logs of use that somebody changed: found alone, and with what the other side holds",
        run: |name, setting| {
            let cases = setting.cases.unwrap_or(tamper::CASES);
            tamper::run(name, cases, setting.seed)
        },
    },
    Suite {
        name: "rotation",
        about: "Certificates, keys, authorities and token keys that change under load: no request fails",
        run: |name, _| rotation::run(name),
    },
    Suite {
        name: "hostile-queries",
        about: "Queries made to bring a connector down: each ends in time, and others are answered meanwhile",
        run: |name, _| hostile::run(name),
    },
    Suite {
        name: "odrl-evaluation",
        about: "ODRL test suite: evaluation reports by the three published metrics",
        run: |name, setting| evaluation::run(name, &setting.library),
    },
    Suite {
        name: "odrl-analysis",
        about: "ODRL conflict benchmark: do two policies conflict, decided without data",
        run: |name, setting| analysis::run(name, &setting.library),
    },
];

impl Suite {
    /// The suite of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.name == name)
    }

    /// Runs all cases.
    ///
    /// # Errors
    /// A [`Fault`] where the suite cannot be run to its end: a broken file, a connector that does not start. A case that
    /// fails is no error, and neither is a folder that is not there.
    pub fn run(&self, setting: &Setting<'_>) -> Result<Report, Fault> {
        (self.run)(self.name, setting)
    }
}

impl std::fmt::Debug for Setting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting")
            .field("library", &self.library)
            .finish_non_exhaustive()
    }
}

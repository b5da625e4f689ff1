//! Every member as a connector in a process of its own: mutual TLS, delegated tokens, policies, receipts on disk.
//!
//! Requests are counted where they arrive: in the members' own logs of use, read when the members have stopped.

use super::{Case, Figures, Measured, RATIO, count, fault, files, name_of, unlimited};
use crate::answer::{Answer, Table};
use crate::library::Fault;
use crate::program::{Home, Program, Running};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_client::{Client, ClientConfig, Head, QueryOptions, Token};
use twinlink_store::{EvaluationOptions, TwinStore};
use twinlink_trust::{
    CurrentIdentity, EntryKind, Identity, Protocol, Registry, TokenIssuer, TokenRequest, Trusted,
    TrustedParty, client_config, list_entries, read_file,
};
use uuid::Uuid;

/// The role that the members permit to read, and that the asking organisation may assert.
const ROLE: &str = "https://roles.example/buyer";
/// Who asks.
const ASKING: &str = "https://market.example/";
/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// Longer than the whole run.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// What a request for a summary has for its text in the log of use.
const SUMMARY: &str = "summary";

/// What was measured of connectors in processes.
pub(super) struct Apart {
    pub(super) measured: Measured,
    members: usize,
    exchange_requests: usize,
    exchange_milliseconds: f64,
    asking_megabytes: f64,
    members_megabytes: f64,
}

/// Connectors that run.
struct Network {
    runtime: tokio::runtime::Runtime,
    client: Client,
    asking: Running,
    members: Vec<(Home, Running)>,
    _asking_home: Home,
}

/// An answer, as the client had it.
struct Heard {
    answer: Answer,
    milliseconds: f64,
    first_row: Option<f64>,
    /// The participants that rows rest on.
    sources: BTreeSet<String>,
}

/// How many requests of one question reached the members.
#[derive(Default, Clone, Copy)]
struct Arrived {
    data: usize,
    summaries: usize,
}

/// Asks each question as often as told; the medians count.
pub(super) fn measure(folder: &Path, cases: &[Case], rounds: usize) -> Result<Apart, Fault> {
    let network = Network::start(folder)?;
    let first = Uuid::now_v7();
    let exchange = network.ask(super::NOTHING, first)?.milliseconds;
    let mut asked: Vec<Vec<(Uuid, Heard)>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds.max(1) {
        for (case, asked) in cases.iter().zip(&mut asked) {
            let id = Uuid::now_v7();
            asked.push((id, network.ask(&case.text, id)?));
        }
    }
    let mut floors = Vec::new();
    for case in cases {
        let all = unlimited(case.query.clone()).to_string();
        floors.push(network.ask(&all, Uuid::now_v7())?.sources.len().max(1));
    }
    let asking_megabytes = network.asking.megabytes()?;
    let members = network.members.iter().map(|(_, one)| one.megabytes());
    let members_megabytes = members.collect::<Result<Vec<_>, _>>()?.iter().sum();
    let number = network.members.len();
    let arrived = network.stop()?;
    let of = |id: &Uuid| arrived.get(&id.to_string()).copied().unwrap_or_default();
    let figures = cases.iter().zip(asked).zip(floors);
    let figures = figures.map(|((case, asked), floor)| {
        let rounds = count(asked.len());
        let (ids, heard): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let data: usize = ids.iter().map(|id| of(id).data).sum();
        let others: usize = ids.iter().map(|id| of(id).summaries).sum();
        let firsts: Vec<_> = heard.iter().filter_map(|heard| heard.first_row).collect();
        Figures {
            name: case.name.clone(),
            why: heard
                .iter()
                .find_map(|heard| case.compare(&heard.answer).err()),
            requests: count(data) / rounds,
            floor,
            others: count(others) / rounds,
            milliseconds: super::median(heard.iter().map(|heard| heard.milliseconds).collect()),
            first_row: (!firsts.is_empty()).then(|| super::median(firsts)),
        }
    });
    Ok(Apart {
        measured: Measured(figures.collect()),
        members: number,
        exchange_requests: of(&first).summaries,
        exchange_milliseconds: exchange,
        asking_megabytes,
        members_megabytes,
    })
}

impl Apart {
    pub(super) fn to_json(&self, summary_bytes: usize) -> Value {
        let measured = &self.measured;
        let firsts = measured.0.iter().filter_map(|one| one.first_row);
        json!({
            "members": self.members,
            "processes": self.members + 1,
            "rounds": super::ROUNDS,
            "right": measured.right(),
            "exchange": {
                "requests": self.exchange_requests,
                "bytes": summary_bytes,
                "milliseconds": self.exchange_milliseconds,
            },
            "queries": measured.queries(),
            "requests_to_floor": measured.ratio(),
            "requests_to_floor_bound": RATIO,
            "geometric_mean_milliseconds": measured.geometric_mean(),
            "geometric_mean_first_row_milliseconds": super::geometric_mean(firsts),
            "asking_megabytes": self.asking_megabytes,
            "members_megabytes": self.members_megabytes,
        })
    }
}

impl Network {
    /// Makes the connectors, gives the members their data, and starts all.
    fn start(folder: &Path) -> Result<Self, Fault> {
        let program = Program::find()?;
        let asking = program.init_for(ASKING)?;
        permit(&asking, ASKING)?;
        let mut members = Vec::new();
        for path in files(&folder.join("members"))? {
            let participant = format!("https://{}.example/", name_of(&path));
            let home = program.init_for(&participant)?;
            permit(&home, &participant)?;
            acquaint(&program, &home, &asking, &["--role", ROLE, "--asks-only"])?;
            program.run(&home, &[OsStr::new("import"), path.as_os_str()])?;
            let running = program.serve(&home)?;
            // Which port it took is known only now.
            let card = home.path().join("card.toml");
            let text = fs::read_to_string(&card).map_err(fault)?;
            let place = format!("https://localhost:{}", running.port);
            fs::write(&card, text.replace("https://localhost:0", &place)).map_err(fault)?;
            acquaint(&program, &asking, &home, &[])?;
            members.push((home, running));
        }
        let running = program.serve(&asking)?;
        let runtime = twinlink::wire::runtime().map_err(fault)?;
        let config = config(&asking, running.port)?;
        let client = runtime.block_on(Client::connect(&config)).map_err(fault)?;
        Ok(Self {
            runtime,
            client,
            asking: running,
            members,
            _asking_home: asking,
        })
    }

    /// Asks the connector that asks the others.
    fn ask(&self, query: &str, id: Uuid) -> Result<Heard, Fault> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let options = QueryOptions {
            federated: true,
            request_id: Some(id.to_string()),
            ..QueryOptions::new(query, deadline)
        };
        self.runtime.block_on(async {
            let started = Instant::now();
            let milliseconds = || started.elapsed().as_secs_f64() * 1000.0;
            let mut answer = self.client.query(options).await.map_err(fault)?;
            let head = answer.head().clone();
            let (mut rows, mut first_row) = (Vec::new(), None);
            while let Some(batch) = answer.next().await.map_err(fault)? {
                if first_row.is_none() && !batch.is_empty() {
                    first_row = Some(milliseconds());
                }
                rows.extend(batch);
            }
            let outcome = answer.outcome().await.map_err(fault)?;
            let milliseconds = milliseconds();
            if !outcome.complete {
                let states = outcome.sources.iter().filter(|one| !one.state.is_settled());
                let states: Vec<_> = states
                    .map(|one| format!("<{}> {}", one.participant.as_str(), one.state))
                    .collect();
                let states = states.join(", ");
                return Err(Fault::Measure(format!("an answer lacks sources: {states}")));
            }
            let sources = rows.iter().flat_map(|row| row.sources.iter());
            let sources = sources.filter_map(|source| outcome.sources.get(usize::from(*source)));
            Ok(Heard {
                sources: sources
                    .map(|source| source.participant.as_str().to_owned())
                    .collect(),
                answer: match head {
                    Head::Boolean(value) => Answer::Boolean(value),
                    Head::Graph => return Err(Fault::Measure("a graph".to_owned())),
                    Head::Solutions(variables) => Answer::Table(Table {
                        variables,
                        rows: rows.into_iter().map(|row| row.values).collect(),
                        ordered: false,
                    }),
                },
                milliseconds,
                first_row,
            })
        })
    }

    /// Stops all, and reads of every request how often the members were asked for it.
    fn stop(self) -> Result<BTreeMap<String, Arrived>, Fault> {
        drop(self.client);
        self.asking.stop()?;
        let mut arrived = BTreeMap::new();
        for (home, running) in self.members {
            running.stop()?;
            read(&home, &mut arrived)?;
        }
        Ok(arrived)
    }
}

/// Adds what a member's log of use says.
fn read(home: &Home, arrived: &mut BTreeMap<String, Arrived>) -> Result<(), Fault> {
    let summary = Sha256::digest(SUMMARY)
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let store = TwinStore::open(&home.path().join("twin"), EvaluationOptions::default());
    let journal = store.map_err(fault)?.journal();
    for (_, entry) in list_entries(&journal, 0, usize::MAX).map_err(fault)? {
        if let EntryKind::Intent { used, .. } = entry.kind {
            let arrived: &mut Arrived = arrived.entry(used.request).or_default();
            if used.request_digest == summary {
                arrived.summaries += 1;
            } else {
                arrived.data += 1;
            }
        }
    }
    Ok(())
}

/// Adds a policy that lets whoever has the role read all, if the asking organisation says so of its people.
fn permit(home: &Home, participant: &str) -> Result<(), Fault> {
    let policy = format!(
        "@prefix odrl: <{}> .\n@prefix tl: <{}> .\n\
         <{participant}policy/buyers> a odrl:Set ; odrl:profile {} ;\n\
         odrl:permission [ odrl:target <{participant}twin> ; odrl:assignee <{ASKING}> ; odrl:action odrl:read ;\n\
         odrl:constraint [ odrl:leftOperand tl:role ; odrl:operator odrl:eq ; odrl:rightOperand <{ROLE}> ] ] .\n",
        twinlink_vocab::odrl::NAMESPACE,
        twinlink_vocab::tl::NAMESPACE,
        twinlink_vocab::tl::PROFILE,
    );
    fs::write(home.path().join("policies/buyers.ttl"), policy).map_err(fault)
}

/// Tells a connector of another.
fn acquaint(program: &Program, home: &Home, other: &Home, how: &[&str]) -> Result<(), Fault> {
    let card = other.path().join("card.toml");
    let mut arguments = vec![OsStr::new("peer"), OsStr::new("add"), card.as_os_str()];
    arguments.extend(how.iter().map(OsStr::new));
    program.run(home, &arguments).map(drop)
}

/// How a buyer of the asking organisation reaches its connector.
fn config(home: &Home, port: u16) -> Result<ClientConfig, Fault> {
    let [certificate, key, authority] = crate::embedded::files(home.path());
    let identity = Identity::load(&certificate, &key).map_err(fault)?;
    let authority = read_file(&authority).map_err(fault)?;
    let id = identity.participant().clone();
    let own = TrustedParty::own(&identity, authority);
    let registry = Registry::new(Trusted::new(own, Vec::new()).map_err(fault)?);
    let thumbprint = identity.thumbprint().to_owned();
    let identity = CurrentIdentity::new(identity);
    let request = TokenRequest {
        claims: BTreeMap::new(),
        subject: "buyer-7".to_owned(),
        client_id: id.as_str().to_owned(),
        audience: id.clone(),
        roles: vec![oxrdf::NamedNode::new_unchecked(ROLE)],
        purpose: None,
        thumbprint,
        lifetime: LIFETIME,
        agreement: None,
        request: None,
    };
    let token = TokenIssuer::new(Arc::clone(&identity)).issue(&request, OffsetDateTime::now_utc());
    let tls = client_config(identity, registry, id, Protocol::Http2).map_err(fault)?;
    Ok(ClientConfig {
        endpoint: format!("https://localhost:{port}").parse().map_err(fault)?,
        tls: Arc::new(tls),
        // The TLS configuration pins the participant already.
        verify_peer: Arc::new(|_| Ok(())),
        tokens: Arc::new(Token::new(token.map_err(fault)?.reveal())),
        connect_timeout: CONNECT,
    })
}

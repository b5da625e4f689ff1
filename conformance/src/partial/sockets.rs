//! The same over real sockets: two connectors with certificates, tokens and receipts, and between them a network that fails,
//! or behind the keys of one of them a program that forges.

mod forger;
mod proxy;

use super::bounds;
use super::classes::{Asked, CLASSES, Class};
use super::peers::lock;
use crate::answer::{Answer, Table};
use crate::chance::Chance;
use crate::embedded::{Running, files, furnish};
use crate::engine::Ours;
use crate::http::{Remote, RemoteSettings, Request, Target as _};
use crate::library::Fault;
use crate::members::{Member, participant, store};
use crate::merged::{Model, World};
use crate::report::Verdict;
use crate::town::{OFFICER, Organisation, card};
use forger::{Forgery, Orders};
use oxrdf::{NamedNode, Quad, Term};
use proxy::{Network, Proxy};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_client::{Client, ClientConfig, Head, Outcome, QueryOptions, SourceState, Token};
use twinlink_trust::{
    Authority, CurrentIdentity, Identity, Protocol, Registry, Trusted, TrustedParty, client_config,
};
use twinlink_vocab::tl;

/// The longest that an answer may take where nobody hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same where somebody does.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked until all is well again.
const TRIES: usize = 200;

/// Classes at one pair, where each takes long.
const FEW: usize = 5;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Network(Network),
    Forged(Forgery),
}

/// All of it.
const WRONGS: &[Wrong] = &[
    Wrong::Network(Network::Good),
    Wrong::Network(Network::Refuses),
    Wrong::Network(Network::Resets),
    Wrong::Network(Network::Ends),
    Wrong::Network(Network::Slow),
    Wrong::Network(Network::Flips),
    Wrong::Network(Network::Stalls),
    Wrong::Forged(Forgery::Status(3)),
    Wrong::Forged(Forgery::Status(7)),
    Wrong::Forged(Forgery::Status(8)),
    Wrong::Forged(Forgery::Status(13)),
    Wrong::Forged(Forgery::Status(14)),
    Wrong::Forged(Forgery::Status(16)),
    Wrong::Forged(Forgery::Page),
    Wrong::Forged(Forgery::NoOutcome),
    Wrong::Forged(Forgery::Breaks),
    Wrong::Forged(Forgery::Hangs),
    Wrong::Forged(Forgery::Garbage),
    Wrong::Forged(Forgery::Huge),
    Wrong::Forged(Forgery::Wide),
    Wrong::Forged(Forgery::Twice),
    Wrong::Forged(Forgery::Fewer),
    Wrong::Forged(Forgery::Altered),
    Wrong::Forged(Forgery::Receipt),
    Wrong::Forged(Forgery::NoReceipt),
    Wrong::Forged(Forgery::Impostor),
    Wrong::Forged(Forgery::Heads),
    Wrong::Forged(Forgery::Summary),
    Wrong::Forged(Forgery::SummaryReceipt),
];

impl Wrong {
    /// What the peer may be, where it is not settled.
    fn states(self) -> &'static [SourceState] {
        use SourceState::{Denied, NotEvaluable, Partial, TimedOut, Unreachable};
        match self {
            Self::Network(Network::Good | Network::Slow) => &[],
            Self::Network(Network::Refuses) => &[Unreachable],
            Self::Network(Network::Resets | Network::Ends | Network::Flips) => {
                &[Unreachable, Partial, NotEvaluable]
            }
            Self::Network(Network::Stalls) => &[TimedOut, Unreachable],
            Self::Forged(forgery) => match forgery {
                Forgery::None | Forgery::Summary | Forgery::SummaryReceipt => &[],
                Forgery::Status(7 | 16) => &[Denied],
                Forgery::Status(14) => &[Unreachable],
                // What is no gRPC is as good as nobody, or as nonsense.
                Forgery::Page => &[Unreachable, NotEvaluable],
                Forgery::NoOutcome | Forgery::Breaks => &[Partial, NotEvaluable, Unreachable],
                Forgery::Hangs => &[TimedOut],
                _ => &[NotEvaluable],
            },
        }
    }

    /// Whether it shows in every answer that it touches.
    fn always_shows(self) -> bool {
        matches!(self, Self::Forged(_)) && !self.states().is_empty()
    }

    /// Whether rows may leave before it shows, and the answer is none then.
    fn may_be_unbelieved(self) -> bool {
        self.states() == [SourceState::NotEvaluable]
    }

    /// Whether the peer is taken for down by it.
    fn is_slow(self) -> bool {
        matches!(self, Self::Network(_)) || self.hangs()
    }

    fn hangs(self) -> bool {
        matches!(
            self,
            Self::Network(Network::Stalls) | Self::Forged(Forgery::Hangs)
        )
    }
}

/// Every operator once under everything that can be wrong, each of those at a pair of connectors of its own.
pub(super) fn run(seed: u64, steward: &Ours) -> Result<Vec<(String, Verdict)>, Fault> {
    let lanes: Vec<_> = std::thread::scope(|scope| {
        // Whoever was silent is left alone for a while after: such cases take longest.
        let lanes = WRONGS.iter().flat_map(|wrong| {
            let size = if wrong.is_slow() { FEW } else { CLASSES.len() };
            CLASSES.chunks(size).map(move |classes| {
                let wrong = *wrong;
                scope.spawn(move || lane(seed, wrong, classes, steward))
            })
        });
        let lanes: Vec<_> = lanes.collect();
        let join = |lane: std::thread::ScopedJoinHandle<'_, _>| {
            lane.join().unwrap_or_else(|_| Err(fault("panicked")))
        };
        lanes.into_iter().map(join).collect()
    });
    let lanes: Result<Vec<_>, _> = lanes.into_iter().collect();
    Ok(lanes?.into_iter().flatten().collect())
}

fn lane(
    seed: u64,
    wrong: Wrong,
    classes: &[Class],
    steward: &Ours,
) -> Result<Vec<(String, Verdict)>, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(fault)?;
    let number = WRONGS.iter().position(|one| *one == wrong);
    let seed = seed.wrapping_add(number.unwrap_or_default() as u64);
    let mut chance = Chance::new(seed);
    let pair = Pair::new(&mut chance, steward)?;
    runtime.block_on(async {
        let mut cases = Vec::new();
        for class in classes {
            // There is no third.
            let queries = class.queries.iter();
            let queries: Vec<_> = queries
                .filter(|asked| !asked.text.contains("member2"))
                .collect();
            let Some(asked) = chance.one(&queries) else {
                continue;
            };
            let held = pair.hold(asked, wrong).await;
            let verdict = held.map_or_else(Verdict::Failed, |()| Verdict::Passed);
            let name = format!("over sockets, seed {seed}: {wrong:?}, {}", class.name);
            cases.push((name, verdict));
        }
        Ok(cases)
    })
}

/// A connector that asks, one that it asks, and what is between them.
struct Pair {
    world: World,
    members: Vec<Member>,
    proxy: Proxy,
    orders: Arc<Mutex<Orders>>,
    config: ClientConfig,
    /// Stopped before their folders are deleted.
    _running: [Running; 2],
    _folders: [tempfile::TempDir; 2],
}

/// An answer as a person gets it.
struct Told {
    answer: Answer,
    outcome: Outcome,
}

impl Pair {
    fn new(chance: &mut Chance, steward: &Ours) -> Result<Self, Fault> {
        let mut world = match chance.once_in(2) {
            true => World::apart(chance),
            false => World::new(chance),
        };
        for quads in &mut world.members {
            quads.retain(|quad| !is_blank(quad));
        }
        let folders = [
            tempfile::tempdir().map_err(fault)?,
            tempfile::tempdir().map_err(fault)?,
        ];
        let mut organisations = Vec::new();
        for (number, folder) in folders.iter().enumerate() {
            organisations.push(settle(folder.path(), &participant(number))?);
        }
        let [ours, theirs] = organisations.as_slice() else {
            return Err(fault("not two organisations"));
        };
        let (say, heard) = mpsc::channel();
        let proxy = Proxy::start(move || heard.recv().unwrap_or_default())?;
        let introduce = |at: usize, whom: &Organisation, more: &str| {
            let key = whom.identity.load().key().public().to_jwk();
            let text = card(&whom.id, &[&key], whom.authority.certificate_pem()) + more;
            let folder = folders.get(at).ok_or_else(|| fault("no such folder"))?;
            fs::write(folder.path().join("peers/other.toml"), text).map_err(fault)
        };
        introduce(
            0,
            theirs,
            &format!("url = \"https://localhost:{}\"\n", proxy.port),
        )?;
        introduce(1, ours, "")?;
        let orders = forger::orders();
        let forged = Arc::clone(&orders);
        let [own, other] = &folders;
        let peer = Running::start_behind(other.path(), |service| forger::before(service, forged))?;
        let us = Running::start(own.path())?;
        say.send(peer.port()).map_err(fault)?;
        for (number, (running, organisation)) in [(&us, ours), (&peer, theirs)].iter().enumerate() {
            let quads = world.members.get(number).cloned().unwrap_or_default();
            fill(running, organisation, &quads)?;
        }
        let config = ClientConfig {
            endpoint: us.url().parse().map_err(fault)?,
            tls: Arc::new(tls(ours, Protocol::Http2)?),
            // The TLS configuration pins the participant already.
            verify_peer: Arc::new(|_| Ok(())),
            tokens: Arc::new(Token::new(ours.token(&ours.id, OFFICER)?.reveal())),
            connect_timeout: PATIENCE,
        };
        let members = world.members.iter().enumerate().map(|(number, quads)| {
            Ok(Member {
                store: store(quads.clone(), steward.modify())?,
                permit: (number < 2).then(|| steward.read().clone()),
            })
        });
        let members: Result<_, String> = members.collect();
        Ok(Self {
            members: members.map_err(Fault::Target)?,
            world,
            proxy,
            orders,
            config,
            _running: [us, peer],
            _folders: folders,
        })
    }

    async fn ask(&self, text: &str, patience: Duration) -> Result<Told, String> {
        let client = Client::connect(&self.config).await.map_err(text_of)?;
        let deadline = tokio::time::Instant::now() + patience;
        let mut options = QueryOptions::new(format!("{}{text}", super::PREFIXES), deadline);
        options.federated = true;
        let mut answer = client.query(options).await.map_err(text_of)?;
        let head = answer.head().clone();
        let (mut rows, mut triples) = (Vec::new(), Vec::new());
        while let Some(batch) = answer.next().await.map_err(text_of)? {
            for row in batch {
                match head {
                    Head::Graph => triples.extend(row.into_triple()),
                    Head::Solutions(_) | Head::Boolean(_) => rows.push(row.values),
                }
            }
        }
        let outcome = answer.outcome().await.map_err(text_of)?;
        let answer = match head {
            Head::Boolean(value) => Answer::Boolean(value),
            Head::Graph => Answer::Graph(triples.iter().collect()),
            Head::Solutions(variables) => Answer::Table(Table {
                variables,
                rows,
                ordered: false,
            }),
        };
        Ok(Told { answer, outcome })
    }

    /// Makes it wrong, asks, and makes it good again.
    async fn hold(&self, asked: &Asked, wrong: Wrong) -> Result<(), String> {
        lock(&self.orders).changed = 0;
        match wrong {
            Wrong::Network(network) => self.proxy.set(network),
            Wrong::Forged(forgery) => lock(&self.orders).forgery = forgery,
        }
        let patience = if wrong.hangs() { IMPATIENCE } else { PATIENCE };
        let told = self.ask(asked.text, patience).await;
        let is_changed = lock(&self.orders).changed > 0;
        self.proxy.set(Network::Good);
        lock(&self.orders).forgery = Forgery::None;
        let checked = match told {
            Ok(told) => self.check(asked, wrong, &told, is_changed),
            Err(text) => {
                let is_service = asked.text.contains("SERVICE ") && text.contains("SERVICE: ");
                let is_belief = wrong.may_be_unbelieved() && text.contains("not to be believed");
                // All the time went by.
                let is_late = wrong.hangs() && text == "timed out";
                let is_right = is_service || is_belief || is_late;
                match is_right && !wrong.states().is_empty() {
                    true => Ok(()),
                    false => Err(text),
                }
            }
        };
        checked?;
        self.heal().await
    }

    /// Whatever was wrong, soon after it is not any more.
    async fn heal(&self) -> Result<(), String> {
        for _ in 0..TRIES {
            let told = self.ask("SELECT * { ?s ?p ?o }", PATIENCE).await?;
            if told.outcome.complete {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the peer is not asked any more".to_owned())
    }

    fn check(
        &self,
        asked: &Asked,
        wrong: Wrong,
        told: &Told,
        is_changed: bool,
    ) -> Result<(), String> {
        let sources = &told.outcome.sources;
        let said = || format!("{sources:?}");
        let [own, peer] = sources.as_slice() else {
            return Err(said());
        };
        let is_settled = peer.state.is_settled();
        let is_right = own.state.is_settled()
            && (is_settled || wrong.states().contains(&peer.state))
            && !(is_settled && is_changed && wrong.always_shows());
        let has_name = |text: &String| text.contains(participant(1).as_str());
        let has_reason = peer.reason.as_ref().is_some_and(has_name);
        if !is_right || !is_settled && !has_reason || told.outcome.complete != is_settled {
            return Err(said());
        }
        let mut unsure: Vec<_> = told.outcome.unsure.iter().map(String::as_str).collect();
        unsure.retain(|flag| *flag != "SERVICE SILENT");
        let flags = if is_settled { &[] } else { asked.flags };
        if unsure != flags {
            return Err(format!("flagged are {unsure:?}: {}", said()));
        }
        let over = |has_peer: bool| {
            let members = self
                .members
                .iter()
                .enumerate()
                .map(|(number, member)| Member {
                    store: Arc::clone(&member.store),
                    permit: member.permit.clone().filter(|_| number == 0 || has_peer),
                });
            let members: Vec<_> = members.collect();
            match asked.text.contains("SERVICE") {
                true => Model::with_endpoints(&self.world, &members),
                false => Model::new(&self.world, &members),
            }
        };
        let rows = if is_settled {
            bounds::exact(asked, &over(true), &told.answer)
        } else {
            bounds::between(asked, &over(false), &over(true), &told.answer)
        };
        rows.map_err(|error| format!("{error}: {}", said()))
    }
}

/// Keys, policy and configuration of an organisation in its folder.
fn settle(home: &Path, id: &NamedNode) -> Result<Organisation, Fault> {
    let authority = Authority::create(id.as_str(), OffsetDateTime::now_utc()).map_err(fault)?;
    let dataset = NamedNode::new_unchecked(format!("{}twin", id.as_str()));
    furnish(home, id, &dataset, &authority, "")?;
    let policy = format!(
        "@prefix odrl: <{}> .\n<{}#read> a odrl:Set ; odrl:profile {} ;\n\
         odrl:permission [ odrl:target <{}> ; odrl:assignee <{}> ; odrl:action odrl:read ] .\n",
        twinlink_vocab::odrl::NAMESPACE,
        dataset.as_str(),
        tl::PROFILE,
        dataset.as_str(),
        participant(0).as_str(),
    );
    fs::write(home.join("policies/read.ttl"), policy).map_err(fault)?;
    let [certificate, key, _] = files(home);
    let identity = Identity::load(&certificate, &key).map_err(fault)?;
    Ok(Organisation {
        id: id.clone(),
        authority,
        identity: CurrentIdentity::new(identity),
    })
}

/// As its own steward puts data into its twin.
fn fill(running: &Running, organisation: &Organisation, quads: &[Quad]) -> Result<(), Fault> {
    let role = tl::STEWARD.into_owned();
    let remote = Remote::new(RemoteSettings {
        url: running.url(),
        tls: Some(Arc::new(tls(organisation, Protocol::Http1)?)),
        token: Some(organisation.token(&organisation.id, role.as_str())?),
    })?;
    let quads = quads.iter().map(|quad| match &quad.graph_name {
        oxrdf::GraphName::DefaultGraph => {
            format!("{} {} {} .", quad.subject, quad.predicate, quad.object)
        }
        graph => format!(
            "GRAPH {graph} {{ {} {} {} }}",
            quad.subject, quad.predicate, quad.object
        ),
    });
    let update = format!("INSERT DATA {{ {} }}", quads.collect::<Vec<_>>().join("\n"));
    let media_type = "application/sparql-update";
    let request = Request::with_body("POST", "/sparql", media_type, update.into_bytes());
    let response = remote.send(&request)?;
    match response.is_success() {
        true => Ok(()),
        false => Err(fault(response.summary())),
    }
}

/// How an organisation's people show themselves to their own connector.
fn tls(
    organisation: &Organisation,
    protocol: Protocol,
) -> Result<tokio_rustls::rustls::ClientConfig, Fault> {
    let identity = &organisation.identity;
    let own = TrustedParty::own(
        &identity.load(),
        organisation.authority.certificate_pem().to_owned(),
    );
    let registry = Registry::new(Trusted::new(own, Vec::new()).map_err(fault)?);
    let id = organisation.id.clone();
    client_config(Arc::clone(identity), registry, id, protocol).map_err(fault)
}

fn is_blank(quad: &Quad) -> bool {
    quad.subject.is_blank_node() || matches!(quad.object, Term::BlankNode(_))
}

fn text_of(error: twinlink_client::Error) -> String {
    error.to_string()
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}

//! Connectors in processes of their own: mutual TLS, delegated tokens, policies, receipts on disk.

use super::{NOTHING, Source, fault};
use crate::library::Fault;
use crate::program::{Home, Program, Running, processor_seconds};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use twinlink_client::{Client, ClientConfig, Token};
use twinlink_core::Secret;
use twinlink_trust::{
    CurrentIdentity, Identity, Protocol, Registry, TokenIssuer, TokenRequest, Trusted,
    TrustedParty, client_config, read_file,
};
use uuid::Uuid;

/// The role that the members permit to read, and that the asking organisation may assert.
const ROLE: &str = "https://roles.example/buyer";
/// Who asks.
pub(super) const ASKING: &str = "https://market.example/";
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// Longer than the whole run.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// Who had no summary for the asking connector is asked for one again after a minute.
const AGAIN: Duration = Duration::from_secs(61);
/// By then all members have made theirs.
const PATIENCE: Duration = Duration::from_secs(600);
/// So many are made at once.
const TOGETHER: usize = 4;

/// Connectors that run: members, and one that asks them.
pub(super) struct Network {
    program: Program,
    runtime: Runtime,
    home: Home,
    asking: Option<(Running, Client)>,
    members: Vec<(Home, Running)>,
}

impl Network {
    /// One that asks, and nobody to be asked.
    pub(super) fn new() -> Result<Self, Fault> {
        let program = Program::find()?;
        let home = program.init_for(ASKING)?;
        permit(&home, ASKING)?;
        Ok(Self {
            program,
            runtime: twinlink::wire::runtime().map_err(fault)?,
            home,
            asking: None,
            members: Vec::new(),
        })
    }

    /// Makes connectors of these members and starts them. The one that asks starts anew, and asks them too.
    pub(super) fn join(
        &mut self,
        sources: &[Source],
        told: &(dyn Fn(usize) + Sync),
    ) -> Result<(), Fault> {
        if let Some((running, client)) = self.asking.take() {
            drop(client);
            running.stop()?;
        }
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let some = || {
            let mut made = Vec::new();
            while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
                made.push(member(&self.program, &self.home, source)?);
                told(self.members.len() + done.fetch_add(1, Ordering::Relaxed) + 1);
            }
            Ok::<_, Fault>(made)
        };
        let made = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(some)).collect();
            let made = threads.into_iter().map(|thread| {
                let ended = thread.join();
                ended.unwrap_or_else(|_| Err(fault("a thread panicked")))
            });
            made.collect::<Result<Vec<_>, _>>()
        })?;
        for (home, running) in made.into_iter().flatten() {
            acquaint(&self.program, &self.home, &home, &[])?;
            self.members.push((home, running));
        }
        let running = self.program.serve(&self.home)?;
        let config = config(&self.home, running.port)?;
        let client = self.runtime.block_on(Client::connect(&config));
        self.asking = Some((running, client.map_err(fault)?));
        Ok(())
    }

    /// The connector that asks the others, for a question to it.
    pub(super) fn asking(&self) -> Result<(&Runtime, &Client), Fault> {
        let (_, client) = self.asking.as_ref().ok_or_else(|| fault("nobody asks"))?;
        Ok((&self.runtime, client))
    }

    /// The process of the connector that asks the others.
    pub(super) fn process(&self) -> Result<&Running, Fault> {
        let (running, _) = self.asking.as_ref().ok_or_else(|| fault("nobody asks"))?;
        Ok(running)
    }

    /// What each member holds in memory.
    pub(super) fn megabytes(&self) -> Result<Vec<f64>, Fault> {
        let members = self.members.iter();
        members.map(|(_, running)| running.megabytes()).collect()
    }

    /// The processor time that the one that asks took so far, and the members together, in seconds.
    pub(super) fn processor(&self) -> Result<(f64, f64), Fault> {
        let members = self.members.iter();
        let members = members.map(|(_, running)| processor_seconds(running.id()));
        let members: f64 = members.sum::<Result<f64, Fault>>()?;
        Ok((processor_seconds(self.process()?.id())?, members))
    }

    /// Has the summaries exchanged; gives the request's id, and what it took in milliseconds.
    ///
    /// Members that are slow to make theirs go on with it meanwhile, and are asked again until each has given one.
    pub(super) fn exchange(&self) -> Result<(Uuid, f64), Fault> {
        let (runtime, client) = self.asking()?;
        let id = Uuid::now_v7();
        let (started, mut first) = (Instant::now(), None);
        loop {
            let told =
                super::asking::analyze(client, NOTHING, first.map_or(id, |_| Uuid::now_v7()));
            let told = runtime.block_on(told)?;
            let milliseconds = *first.get_or_insert(told.milliseconds);
            let given = told.steps.iter();
            let given = given.filter(|step| step.kind == "summary" && step.requests > 0);
            let missing = self.members.len().saturating_sub(given.count());
            if missing == 0 {
                return Ok((id, milliseconds));
            }
            if started.elapsed() > PATIENCE {
                return Err(fault(format_args!("{missing} members give no summary")));
            }
            std::thread::sleep(AGAIN);
        }
    }

    /// Stops all. What is left of them is their folders: of the one that asks, and of the members.
    pub(super) fn stop(self) -> Result<(Home, Vec<Home>), Fault> {
        if let Some((running, client)) = self.asking {
            drop(client);
            running.stop()?;
        }
        let members = self.members.into_iter().map(|(home, running)| {
            running.stop()?;
            Ok(home)
        });
        let members = members.collect::<Result<Vec<_>, Fault>>()?;
        Ok((self.home, members))
    }
}

/// Makes a member's connector, gives it its data, and starts it.
fn member(program: &Program, asking: &Home, source: &Source) -> Result<(Home, Running), Fault> {
    let participant = source.participant();
    let home = program.init_for(&participant)?;
    permit(&home, &participant)?;
    acquaint(program, &home, asking, &["--role", ROLE, "--asks-only"])?;
    program.run(&home, &[OsStr::new("import"), source.path.as_os_str()])?;
    let running = program.serve(&home)?;
    // Which port it took is known only now.
    let card = home.path().join("card.toml");
    let text = fs::read_to_string(&card).map_err(fault)?;
    let place = format!("https://localhost:{}", running.port);
    fs::write(&card, text.replace("https://localhost:0", &place)).map_err(fault)?;
    Ok((home, running))
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

/// A token of a buyer of the asking organisation, for its connector.
pub(super) fn token(identity: &Arc<CurrentIdentity>) -> Result<Secret, Fault> {
    let now = identity.load();
    let request = TokenRequest {
        claims: BTreeMap::new(),
        subject: "buyer-7".to_owned(),
        client_id: now.participant().as_str().to_owned(),
        audience: now.participant().clone(),
        roles: vec![oxrdf::NamedNode::new_unchecked(ROLE)],
        purpose: None,
        thumbprint: now.thumbprint().to_owned(),
        lifetime: LIFETIME,
        agreement: None,
        request: None,
    };
    let issuer = TokenIssuer::new(Arc::clone(identity));
    issuer
        .issue(&request, OffsetDateTime::now_utc())
        .map_err(fault)
}

/// How a buyer of the asking organisation reaches its connector.
fn config(home: &Home, port: u16) -> Result<ClientConfig, Fault> {
    let [certificate, key, authority] = crate::embedded::files(home.path());
    let identity = Identity::load(&certificate, &key).map_err(fault)?;
    let authority = read_file(&authority).map_err(fault)?;
    let id = identity.participant().clone();
    let own = TrustedParty::own(&identity, authority);
    let registry = Registry::new(Trusted::new(own, Vec::new()).map_err(fault)?);
    let identity = CurrentIdentity::new(identity);
    let token = token(&identity)?;
    let tls = client_config(identity, registry, id, Protocol::Http2).map_err(fault)?;
    Ok(ClientConfig {
        endpoint: format!("https://localhost:{port}").parse().map_err(fault)?,
        tls: Arc::new(tls),
        // The TLS configuration pins the participant already.
        verify_peer: Arc::new(|_| Ok(())),
        tokens: Arc::new(Token::new(token.reveal())),
        connect_timeout: CONNECT,
    })
}

//! The town: organisations in their folders, with keys, policies, facts and each other's cards, and their connectors.

use super::organisation::{CONNECTORS, Organisation};
use super::process::Process;
use crate::cli::init::Blueprint;
use crate::cli::{Failure, load, network};
use crate::config::{Config, PeerFile};
use oxrdf::{GraphName, NamedNodeRef, Quad};
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use twinlink_ingest::{Kind, ReadOptions};
use twinlink_store::{EvaluationOptions, TwinStore};

/// How often other ports are tried when somebody takes one between our look and our use.
const ATTEMPTS: usize = 3;

/// Bytes of one embedded file after decompression: far more than any has.
const LARGEST: u64 = 1 << 30;

/// All organisations, three of them with a running connector.
#[derive(Debug)]
pub(super) struct Town {
    folder: PathBuf,
    city: Member,
    rescue: Member,
    police: Member,
    courier: Member,
}

/// One organisation.
#[derive(Debug)]
pub(super) struct Member {
    organisation: Organisation,
    config: Config,
    facts: u64,
    process: Option<Process>,
}

impl Town {
    /// Makes all organisations in a folder and starts their connectors.
    ///
    /// # Errors
    /// What could not be made, or which connector did not start, with the end of its log.
    pub(super) async fn start(folder: &Path) -> Result<Self, Failure> {
        for _ in 1..ATTEMPTS {
            let mut town = Self::make(folder)?;
            match town.serve().await {
                Ok(()) => return Ok(town),
                Err(_) if town.lost_a_port() => {
                    drop(town);
                    clear(folder)?;
                }
                Err(error) => return Err(error),
            }
        }
        let mut town = Self::make(folder)?;
        town.serve().await?;
        Ok(town)
    }

    /// The folder of all.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// An organisation.
    pub(super) fn member(&self, organisation: Organisation) -> &Member {
        match organisation {
            Organisation::City => &self.city,
            Organisation::Rescue => &self.rescue,
            Organisation::Police => &self.police,
            Organisation::Courier => &self.courier,
        }
    }

    /// Kills a connector as a power cut would: it gets no chance to say goodbye.
    pub(super) fn kill(&mut self, organisation: Organisation) {
        self.member_mut(organisation).process = None;
    }

    /// Starts a connector that was killed.
    ///
    /// # Errors
    /// It does not start; with the end of its log.
    pub(super) async fn restart(&mut self, organisation: Organisation) -> Result<(), Failure> {
        let member = self.member_mut(organisation);
        let process = member.spawn()?;
        member.process.insert(process).ready().await
    }

    fn make(folder: &Path) -> Result<Self, Failure> {
        let [city, rescue, police, courier] = free_ports()?;
        let town = Self {
            folder: folder.to_owned(),
            city: Member::make(Organisation::City, folder, city)?,
            rescue: Member::make(Organisation::Rescue, folder, rescue)?,
            police: Member::make(Organisation::Police, folder, police)?,
            courier: Member::make(Organisation::Courier, folder, courier)?,
        };
        for knower in CONNECTORS {
            for known in [
                Organisation::City,
                Organisation::Rescue,
                Organisation::Police,
                Organisation::Courier,
            ] {
                if known != knower {
                    town.introduce(known, knower)?;
                }
            }
        }
        town.introduce(Organisation::City, Organisation::Courier)?;
        Ok(town)
    }

    /// Gives one organisation the card of another, as `twinlink peer add` would.
    fn introduce(&self, known: Organisation, knower: Organisation) -> Result<(), Failure> {
        let mut card = PeerFile::load(&self.member(known).home().join("card.toml"))?;
        let (roles, purposes) = known.may_assert();
        card.roles = iris(roles);
        card.purposes = iris(purposes);
        if !CONNECTORS.contains(&known) {
            card.url = None;
        }
        network::save(&self.member(knower).config, &card)?;
        Ok(())
    }

    async fn serve(&mut self) -> Result<(), Failure> {
        for organisation in CONNECTORS {
            let member = self.member_mut(organisation);
            member.process = Some(member.spawn()?);
        }
        for organisation in CONNECTORS {
            if let Some(process) = &mut self.member_mut(organisation).process {
                process.ready().await?;
            }
        }
        Ok(())
    }

    /// Whether a connector could not start because its port was taken. Ends all of them to find out.
    fn lost_a_port(&mut self) -> bool {
        for organisation in CONNECTORS {
            self.kill(organisation);
        }
        CONNECTORS.into_iter().any(|organisation| {
            TcpListener::bind(self.member(organisation).config.listen)
                .is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
        })
    }

    fn member_mut(&mut self, organisation: Organisation) -> &mut Member {
        match organisation {
            Organisation::City => &mut self.city,
            Organisation::Rescue => &mut self.rescue,
            Organisation::Police => &mut self.police,
            Organisation::Courier => &mut self.courier,
        }
    }
}

impl Member {
    /// Its configuration.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// How many quads its twin holds.
    pub(super) fn facts(&self) -> u64 {
        self.facts
    }

    /// The process id of its connector, while it runs.
    pub(super) fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Its folder.
    pub(super) fn home(&self) -> &Path {
        self.config.file.parent().unwrap_or(Path::new(""))
    }

    fn make(organisation: Organisation, folder: &Path, port: u16) -> Result<Self, Failure> {
        let home = folder.join(organisation.word());
        let blueprint = Blueprint {
            participant: organisation.participant(),
            dataset: organisation.dataset(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string(),
            public_url: format!("https://localhost:{port}"),
            hosts: vec!["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()],
        };
        blueprint.write(&home, false)?;
        if let Some(policies) = organisation.policies() {
            let path = home.join("policies/helsinki.ttl");
            fs::write(&path, policies)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        let config = Config::load(&home.join("twinlink.toml"))?;
        let mut facts = 0;
        if !organisation.facts().is_empty() {
            let store = TwinStore::open(&config.store, EvaluationOptions::default())?;
            facts = load::insert(&config, &store, read(organisation)?)?;
        }
        Ok(Self {
            organisation,
            config,
            facts,
            process: None,
        })
    }

    fn spawn(&self) -> Result<Process, Failure> {
        Process::spawn(&self.config.file, &self.home().join("serve.log"))
            .map_err(|error| format!("{}: {error}", self.organisation.name()).into())
    }
}

fn read(organisation: Organisation) -> Result<Vec<Quad>, Failure> {
    let mut quads = Vec::new();
    for (name, bytes) in organisation.facts() {
        let Kind::Rdf(syntax) = Kind::from_file_name(name)? else {
            return Err(format!("{name} is no RDF").into());
        };
        let options = ReadOptions {
            name: (*name).to_owned(),
            syntax,
            base: None,
            graph: GraphName::DefaultGraph,
            named_graphs: true,
            limit: LARGEST,
        };
        quads.extend(twinlink_ingest::read(*bytes, &options)?);
    }
    Ok(quads)
}

/// Ports that nobody listens on now. All are held at once, so that no two are the same.
fn free_ports() -> Result<[u16; 4], Failure> {
    let hold = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held = [hold()?, hold()?, hold()?, hold()?];
    let [a, b, c, d] = held.each_ref().map(TcpListener::local_addr);
    Ok([a?.port(), b?.port(), c?.port(), d?.port()])
}

fn clear(folder: &Path) -> Result<(), Failure> {
    for organisation in CONNECTORS.into_iter().chain([Organisation::Courier]) {
        let home = folder.join(organisation.word());
        fs::remove_dir_all(&home)
            .map_err(|error| format!("cannot remove {}: {error}", home.display()))?;
    }
    Ok(())
}

fn iris(terms: &[NamedNodeRef<'_>]) -> Vec<String> {
    terms.iter().map(|term| term.as_str().to_owned()).collect()
}

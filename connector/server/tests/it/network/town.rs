//! Organisations with folders made by the program, served in this process on ports of the system's choice.

use super::caller::{Caller, PATIENCE};
use oxrdf::{NamedNode, NamedNodeRef};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use twinlink::config::{Config, PeerFile};
use twinlink::http::HttpSettings;
use twinlink::wire::Node;
use twinlink_store::{EvaluationOptions, StoreError, TwinStore};
use twinlink_trust::{
    Assertable, CurrentIdentity, EntryKind, Identity, PublicKey, Registry, Trusted, TrustedParty,
    list_entries,
};
use twinlink_vocab::tl;

/// One organisation: its folder, and its connector while it serves.
pub(crate) struct Organisation {
    pub(crate) id: NamedNode,
    folder: TempDir,
    port: u16,
    serving: Option<Serving>,
}

struct Serving {
    node: Arc<Node>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// A permission, by default for everyone to read.
#[derive(Clone, Copy)]
pub(crate) struct Permission<'a> {
    /// Names of graphs; none means all of the twin.
    pub(crate) graphs: &'a [&'a str],
    pub(crate) to: Option<&'a Organisation>,
    pub(crate) role: Option<NamedNodeRef<'a>>,
    pub(crate) purpose: Option<NamedNodeRef<'a>>,
    pub(crate) action: &'a str,
}

impl Default for Permission<'_> {
    fn default() -> Self {
        Self {
            graphs: &[],
            to: None,
            role: None,
            purpose: None,
            action: "read",
        }
    }
}

/// City, rescue department and police, as most tests want them; serving, with data and policies.
pub(crate) struct Town {
    pub(crate) city: Organisation,
    pub(crate) rescue: Organisation,
    pub(crate) police: Organisation,
}

impl Town {
    pub(crate) async fn new() -> Self {
        let mut town = Self {
            city: Organisation::new("city"),
            rescue: Organisation::new("rescue"),
            police: Organisation::new("police"),
        };
        town.write();
        for organisation in [&mut town.city, &mut town.rescue, &mut town.police] {
            organisation.serve().await;
        }
        let officers: &[_] = &[tl::RESCUE_OFFICER];
        let emergency: &[_] = &[tl::EMERGENCY_RESPONSE, tl::URBAN_PLANNING];
        let (city, rescue, police) = (&town.city, &town.rescue, &town.police);
        city.introduce(rescue, officers, emergency);
        police.introduce(rescue, officers, emergency);
        rescue.introduce(city, &[tl::CITY_PLANNER], &[]);
        rescue.introduce(police, &[], &[]);
        police.introduce(city, &[], &[]);
        city.introduce(police, &[], &[]);
        for organisation in [city, rescue, police] {
            organisation.node().reload().unwrap();
        }
        town
    }

    fn write(&self) {
        let Self {
            city,
            rescue,
            police,
        } = self;
        city.import(
            "<https://city.example/school> a tl:School .",
            Some("schools"),
        );
        city.import(
            "<https://city.example/school> tl:residents 312 .",
            Some("residents"),
        );
        rescue.import(
            "<https://rescue.example/hydrant> a tl:Hydrant .",
            Some("hydrants"),
        );
        police.import(
            "<https://police.example/cordon> a tl:Cordon .",
            Some("cordons"),
        );
        police.import(
            "<https://police.example/note> a tl:IncidentNote ; tl:personName 'Secret Person' .",
            Some("notes"),
        );
        let officer = Permission {
            to: Some(rescue),
            role: Some(tl::RESCUE_OFFICER),
            ..Permission::default()
        };
        let emergency = Permission {
            purpose: Some(tl::EMERGENCY_RESPONSE),
            ..officer
        };
        city.permit(
            "schools",
            Permission {
                graphs: &["schools"],
                ..Permission::default()
            },
        );
        city.permit(
            "residents",
            Permission {
                graphs: &["residents"],
                ..emergency
            },
        );
        police.permit(
            "cordons",
            Permission {
                graphs: &["cordons"],
                ..emergency
            },
        );
        rescue.permit("officers", officer);
    }
}

impl Organisation {
    /// Makes the folder, as a person would.
    pub(crate) fn new(name: &str) -> Self {
        let id = format!("https://{name}.example/");
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("connector");
        run(Command::new(env!("CARGO_BIN_EXE_twinlink"))
            .arg("init")
            .arg(&at)
            .args(["--participant", &id, "--listen", "127.0.0.1:0"])
            .args(["--public-url", "https://localhost:0"]));
        Self {
            id: NamedNode::new(id).unwrap(),
            folder,
            port: 0,
            serving: None,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("connector").join(name)
    }

    pub(crate) fn config(&self) -> Config {
        Config::load(&self.path("twinlink.toml")).unwrap()
    }

    /// The name of one of its graphs.
    pub(crate) fn graph(&self, name: &str) -> String {
        format!("{}graph/{name}", self.id.as_str())
    }

    pub(crate) fn program(&self) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_twinlink"));
        program.arg("--config").arg(self.path("twinlink.toml"));
        program
    }

    /// Imports Turtle into a graph, or into the default graph.
    pub(crate) fn import(&self, turtle: &str, graph: Option<&str>) {
        let file = self.folder.path().join("data.ttl");
        fs::write(
            &file,
            format!("@prefix tl: <{}> .\n{turtle}", tl::NAMESPACE),
        )
        .unwrap();
        let mut program = self.program();
        program.arg("import").arg(&file);
        if let Some(graph) = graph {
            program.args(["--graph", &self.graph(graph)]);
        }
        run(&mut program);
    }

    /// Adds a triple to a graph of the twin while it serves.
    pub(crate) async fn insert(&self, graph: &str, triple: &str) {
        let graph = self.graph(graph);
        let update = format!(
            "PREFIX tl: <{}> INSERT DATA {{ GRAPH <{graph}> {{ {triple} }} }}",
            tl::NAMESPACE
        );
        let page = self.steward().update(self, &update).await;
        assert_eq!(page.status, http::StatusCode::NO_CONTENT, "{}", page.text);
    }

    /// Publishes a policy of one permission in a file of its own.
    pub(crate) fn permit(&self, name: &str, permission: Permission<'_>) {
        let text = self.policy(name, permission);
        fs::write(self.path(&format!("policies/{name}.ttl")), text).unwrap();
    }

    fn policy(&self, name: &str, permission: Permission<'_>) -> String {
        let id = self.id.as_str();
        let graphs: Vec<String> = permission
            .graphs
            .iter()
            .map(|graph| format!("<{}>", self.graph(graph)))
            .collect();
        let target = if graphs.is_empty() {
            format!("<{id}twin>")
        } else {
            format!(
                "[ a odrl:AssetCollection ; odrl:source <{id}twin> ; odrl:refinement \
                 [ odrl:leftOperand tl:graph ; odrl:operator odrl:isAnyOf ; odrl:rightOperand {} ] ]",
                graphs.join(", ")
            )
        };
        let constraint = |left: &str, right: Option<NamedNodeRef<'_>>| {
            right.map_or(String::new(), |right| {
                format!(
                    " ; odrl:constraint [ odrl:leftOperand {left} ; odrl:operator odrl:eq ; odrl:rightOperand {right} ]"
                )
            })
        };
        let assignee = permission.to.map_or(String::new(), |to| {
            format!(" ; odrl:assignee <{}>", to.id.as_str())
        });
        format!(
            "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .\n@prefix tl: <{}> .\n\
             <{id}policy/{name}> a odrl:Set ; odrl:profile {} ; odrl:permission [\n\
             odrl:target {target} ; odrl:action odrl:{}{assignee}{}{} ] .\n",
            tl::NAMESPACE,
            tl::PROFILE,
            permission.action,
            constraint("tl:role", permission.role),
            constraint("odrl:purpose", permission.purpose),
        )
    }

    /// Adds a key to the end of the configuration.
    pub(crate) fn configure(&self, lines: &str) {
        let path = self.path("twinlink.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}\n{lines}\n")).unwrap();
    }

    /// Serves until it is stopped or dropped.
    pub(crate) async fn serve(&mut self) {
        let node = Arc::new(Node::open(self.config()).unwrap());
        let listener = node.listen().await.unwrap();
        self.port = listener.address().unwrap().port();
        let service = node.service(HttpSettings::new(self.url()));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(listener.serve(service, async move {
            drop(stopped.await);
        }));
        self.serving = Some(Serving { node, stop, task });
    }

    /// Stops serving and gives the twin back.
    pub(crate) async fn stop(&mut self) {
        let Serving { node, stop, task } = self.serving.take().unwrap();
        drop(stop);
        task.await.unwrap();
        drop(node);
        // Threads of the last requests and of the log of use may still hold it.
        let is_free = async {
            while let Err(StoreError::InUse(_)) = self.open() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, is_free).await.unwrap();
    }

    fn open(&self) -> Result<TwinStore, StoreError> {
        TwinStore::open(&self.config().store, EvaluationOptions::default())
    }

    pub(crate) fn node(&self) -> &Node {
        &self.serving.as_ref().unwrap().node
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub(crate) fn address(&self) -> (&'static str, u16) {
        ("localhost", self.port)
    }

    /// What it gives to those who want to know it.
    pub(crate) fn card(&self) -> PeerFile {
        let mut card = PeerFile::load(&self.path("card.toml")).unwrap();
        card.url = Some(self.url());
        card
    }

    /// Lets it know a peer that may assert these roles and purposes. Takes effect when the node reloads.
    pub(crate) fn introduce(
        &self,
        peer: &Self,
        roles: &[NamedNodeRef<'_>],
        purposes: &[NamedNodeRef<'_>],
    ) {
        self.introduce_card(&peer.card(), roles, purposes);
    }

    /// As [`Organisation::introduce`], by a card.
    pub(crate) fn introduce_card(
        &self,
        card: &PeerFile,
        roles: &[NamedNodeRef<'_>],
        purposes: &[NamedNodeRef<'_>],
    ) {
        self.introduce_as(card, roles, purposes, &[]);
    }

    /// As [`Organisation::introduce_card`], with more options of `twinlink peer add`.
    pub(crate) fn introduce_as(
        &self,
        card: &PeerFile,
        roles: &[NamedNodeRef<'_>],
        purposes: &[NamedNodeRef<'_>],
        options: &[&str],
    ) {
        let file = self.folder.path().join("card-of-peer.toml");
        fs::write(&file, toml::to_string(card).unwrap()).unwrap();
        let mut program = self.program();
        program.args(["peer", "add"]).arg(&file).args(options);
        for role in roles {
            program.args(["--role", role.as_str()]);
        }
        for purpose in purposes {
            program.args(["--purpose", purpose.as_str()]);
        }
        run(&mut program);
    }

    /// A person or program of it.
    pub(crate) fn caller(
        &self,
        roles: &[NamedNodeRef<'_>],
        purpose: Option<NamedNodeRef<'_>>,
    ) -> Caller {
        Caller::new(self.identity(), self.registry(), roles, purpose)
    }

    /// Who may read and change all.
    pub(crate) fn steward(&self) -> Caller {
        self.caller(&[tl::STEWARD], None)
    }

    pub(crate) fn identity(&self) -> Arc<CurrentIdentity> {
        let config = self.config();
        CurrentIdentity::new(
            Identity::load(&config.identity.certificate, &config.identity.key).unwrap(),
        )
    }

    /// Whom it trusts, as its files say now.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        let config = self.config();
        let authority = fs::read_to_string(&config.identity.authority).unwrap();
        let own = TrustedParty::own(&self.identity().load(), authority);
        let peers = config
            .peers()
            .unwrap()
            .into_iter()
            .map(|peer| TrustedParty {
                claims: twinlink_trust::Assertable::Any,
                participant: peer.participant(),
                token_keys: peer.token_keys,
                authorities_pem: peer.authority,
                revocations_pem: None,
                roles: Assertable::Any,
                purposes: Assertable::Any,
            });
        Registry::new(Trusted::new(own, peers.collect()).unwrap())
    }

    /// The keys that sign its receipts.
    pub(crate) fn keys(&self) -> Vec<PublicKey> {
        vec![self.identity().load().key().public().clone()]
    }

    /// Its twin and its log of use, once it does not serve.
    pub(crate) fn store(&self) -> TwinStore {
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            match self.open() {
                // A program that another test starts holds every open file for a moment, between fork and exec.
                Err(StoreError::InUse(_)) if std::time::Instant::now() < until => {
                    std::thread::yield_now();
                }
                opened => return opened.unwrap(),
            }
        }
    }

    /// The checks that refused something, in the order of its log of use, once it does not serve.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let journal = self.store().journal();
        twinlink_trust::audit(&journal).unwrap();
        list_entries(&journal, 0, 10_000)
            .unwrap()
            .into_iter()
            .filter_map(|(_, entry)| match entry.kind {
                EntryKind::Intent { refused, .. } => refused,
                _ => None,
            })
            .collect()
    }
}

/// Runs a program that must do well.
pub(crate) fn run(program: &mut Command) {
    let output = program.output().unwrap();
    assert!(
        output.status.success(),
        "{program:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

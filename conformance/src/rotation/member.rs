//! The rescue department's own connector, which the city's asks while both of them change.

use super::{LOOK, fault, issue, write};
use crate::embedded::{Running, files, furnish};
use crate::http::{Remote, RemoteSettings, Request, tls};
use crate::library::Fault;
use crate::town::{DATASET, Organisation, Town, card, policy};
use oxrdf::NamedNode;
use std::fs;
use time::OffsetDateTime;
use twinlink_trust::{Authority, CurrentIdentity, Identity};
use twinlink_vocab::tl;

/// What the member alone can answer.
pub(super) const QUESTION: &str =
    "SELECT ?o { <https://rescue.example/s> <https://rescue.example/p> ?o }";
const ANSWER: &str = "<https://rescue.example/s> <https://rescue.example/p> \"o\" .";

pub(super) struct Member {
    running: Running,
    folder: tempfile::TempDir,
}

impl Member {
    /// Starts it with one triple, and makes it a member of the city's answers.
    pub(super) fn start(town: &Town) -> Result<Self, Fault> {
        let folder = tempfile::tempdir().map_err(fault)?;
        let home = folder.path();
        let (rescue, dataset) = (&town.rescue, NamedNode::new_unchecked(DATASET));
        furnish(home, &rescue.id, &dataset, &rescue.authority, "")?;
        fs::write(home.join("policies/peers.ttl"), policy(&[&town.city])).map_err(fault)?;
        let key = town.city.identity.load().key().public().to_jwk();
        let authority = town.city.authority.certificate_pem();
        fs::write(
            home.join("peers/city.toml"),
            card(&town.city.id, &[&key], authority),
        )
        .map_err(fault)?;
        let member = Self {
            running: Running::start_watched(home, LOOK)?,
            folder,
        };
        member.fill(town)?;
        let identity = member.identity()?;
        member.introduce(town, &[&identity])?;
        town.permit(&[&town.police, &town.rescue, &town.city])?;
        Ok(member)
    }

    fn fill(&self, town: &Town) -> Result<(), Fault> {
        let [certificate, key, authority] = files(self.folder.path());
        let steward = Organisation {
            id: town.rescue.id.clone(),
            authority: Authority::create("unused", OffsetDateTime::now_utc()).map_err(fault)?,
            identity: CurrentIdentity::new(self.identity()?),
        };
        let remote = Remote::new(RemoteSettings {
            url: self.running.url(),
            tls: Some(tls(&certificate, &key, &authority)?),
            token: Some(steward.token(&steward.id, tl::STEWARD.as_str())?),
        })?;
        let put = Request::with_body("PUT", "/data?default", "text/turtle", ANSWER);
        crate::http::succeed(&remote, &put)
    }

    /// What it shows now.
    pub(super) fn identity(&self) -> Result<Identity, Fault> {
        let [certificate, key, _] = files(self.folder.path());
        Identity::load(&certificate, &key).map_err(fault)
    }

    /// Lets the city know it by these keys, beside that of the department's people.
    pub(super) fn introduce(&self, town: &Town, identities: &[&Identity]) -> Result<(), Fault> {
        let people = town.rescue.identity.load().key().public().to_jwk();
        let own = identities.iter().map(|one| one.key().public().to_jwk());
        let keys: Vec<String> = std::iter::once(people).chain(own).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let authority = town.rescue.authority.certificate_pem();
        let card = card(&town.rescue.id, &keys, authority);
        let text = format!("url = \"{}\"\n{card}", self.running.url());
        fs::write(town.home().join("peers/rescue.toml"), text).map_err(fault)?;
        town.reload()
    }

    /// Lets it know the city by these keys and authorities.
    pub(super) fn meet(&self, town: &Town, keys: &[&str], authorities: &str) -> Result<(), Fault> {
        let file = self.folder.path().join("peers/city.toml");
        fs::write(file, card(&town.city.id, keys, authorities)).map_err(fault)?;
        self.running.reload()
    }

    /// A certificate with a new key: the city knows both while they change.
    pub(super) fn renew(
        &self,
        town: &Town,
        overlap: impl Fn() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let old = self.identity()?;
        let issued = issue(&town.rescue.authority, &town.rescue.id)?;
        let new = issued.identity().map_err(fault)?;
        self.introduce(town, &[&old, &new])?;
        overlap()?;
        write(self.folder.path(), &issued)?;
        self.running.reload()?;
        overlap()?;
        self.introduce(town, &[&new])
    }
}

//! What happens between the acts of the play.

use super::organisation::Organisation;
use super::town::Town;
use crate::cli::Failure;
use crate::cli::incident::stamp;
use crate::session::{Person, Session};
use oxrdf::{NamedNode, NamedNodeRef};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use twinlink_client::{Client, NewIncident};
use twinlink_vocab::tl;

/// The incident that the police declare.
pub(super) const INCIDENT: NamedNodeRef<'static> =
    NamedNodeRef::new_unchecked("https://police.helsinki.example/incident/kluuvi");
/// What it is, as their policy has it.
pub(super) const MAJOR_INCIDENT: NamedNodeRef<'static> =
    NamedNodeRef::new_unchecked("https://police.helsinki.example/event/major-incident");
/// For how long at most: until the roads are to be open again.
const LENGTH: Duration = Duration::from_secs(6 * 3600);
/// How long a connector may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// The process of this organisation's connector is killed.
    Killed(Organisation),
    /// The police declare [`INCIDENT`].
    Declared,
    /// They end it.
    Ended,
}

impl Event {
    /// Makes it happen, and tells what came of it, in words.
    ///
    /// # Errors
    /// The police's connector takes no word from its steward, or nobody owes a review after the glass was broken.
    pub(super) async fn happen(self, town: &mut Town) -> Result<String, Failure> {
        match self {
            Self::Killed(organisation) => {
                let process = town.member(organisation).process_id();
                town.kill(organisation);
                let id = process.map_or_else(|| "?".to_owned(), |id| id.to_string());
                Ok(format!("process {id} is no more"))
            }
            Self::Declared => {
                let incident = NewIncident {
                    id: Some(INCIDENT.into_owned()),
                    kinds: vec![MAJOR_INCIDENT.into_owned()],
                    area: None,
                    begins: None,
                    ends: SystemTime::now() + LENGTH,
                };
                let police = steward(town).await?;
                let declared = police.declare_incident(incident, deadline()).await?;
                let (id, ends) = (declared.id.as_str(), stamp(declared.ends));
                Ok(format!("{id}, until {ends} at the latest"))
            }
            Self::Ended => {
                let police = steward(town).await?;
                let owed = police.obligations(false, deadline()).await?;
                let mut reviews = owed.iter().filter(|one| one.kind == "review");
                let Some(review) = reviews.next() else {
                    return Err(
                        "the glass was broken, and no review of it is on the police's list".into(),
                    );
                };
                let user = &review.user.1;
                let due = review.due.map(stamp).unwrap_or_default();
                police
                    .end_incident(INCIDENT.into_owned(), deadline())
                    .await?;
                Ok(format!(
                    "on the list of the police: review what the {user} did, by {due}"
                ))
            }
        }
    }
}

/// Connects to the police's connector as a steward of theirs.
async fn steward(town: &Town) -> Result<Client, Failure> {
    let session = Session::open(town.member(Organisation::Police).config(), None)?;
    let person = Person {
        claims: BTreeMap::new(),
        subject: "steward".to_owned(),
        roles: vec![NamedNode::from(tl::STEWARD)],
        purpose: None,
    };
    let connected = session.connect(person).await;
    connected.map_err(|error| format!("cannot connect to the police: {error}").into())
}

fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

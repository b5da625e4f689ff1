//! What stewards of an organisation ask of its own connector: incidents and obligations.

use crate::client::{text, within};
use crate::error::clean;
use crate::outcome::{node, present, time};
use crate::{Client, Error};
use oxrdf::NamedNode;
use std::fmt;
use std::time::SystemTime;
use tokio::time::Instant;
use twinlink_proto::v1;

/// A declared incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its IRI.
    pub id: NamedNode,
    /// What it is.
    pub kinds: Vec<NamedNode>,
    /// Where: WKT in CRS84.
    pub area: Option<String>,
    /// From when.
    pub begins: SystemTime,
    /// Until when, at the latest.
    pub ends: SystemTime,
    /// The participant that declared it.
    pub declared_by: NamedNode,
}

/// An incident to be declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIncident {
    /// Its IRI. None: the connector makes one.
    pub id: Option<NamedNode>,
    /// What it is; at least one.
    pub kinds: Vec<NamedNode>,
    /// Where: WKT in CRS84.
    pub area: Option<String>,
    /// From when. None: from now.
    pub begins: Option<SystemTime>,
    /// Until when, at the latest.
    pub ends: SystemTime,
}

/// Something owed for a use of the twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obligation {
    /// Its id, a UUID.
    pub id: String,
    /// `duty` or `review`.
    pub kind: String,
    /// Who owes it.
    pub participant: NamedNode,
    /// What has to be done.
    pub action: NamedNode,
    /// Whom to tell, pay or ask.
    pub towards: Vec<NamedNode>,
    /// What has to be done besides, once it is late.
    pub consequences: Vec<NamedNode>,
    /// The policy that asks for it.
    pub policy: NamedNode,
    /// The request that was permitted, a UUID.
    pub request: String,
    /// The organisation that used the twin, and the person or program.
    pub user: (NamedNode, String),
    /// The incident for which glass was broken.
    pub incident: Option<NamedNode>,
    /// Since when it is owed.
    pub since: SystemTime,
    /// Until when it has to be done.
    pub due: Option<SystemTime>,
    /// When it was done.
    pub fulfilled: Option<SystemTime>,
    /// What was said for proof.
    pub evidence: Option<String>,
    /// How it stands.
    pub state: ObligationState,
}

/// How an obligation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObligationState {
    /// It may still be done in time.
    Pending,
    /// It was done.
    Fulfilled,
    /// It was not done in time, and is not done yet.
    Violated,
}

impl Client {
    /// Declares an incident.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Conflict`] where there is one of this name.
    pub async fn declare_incident(
        &self,
        incident: NewIncident,
        deadline: Instant,
    ) -> Result<Incident, Error> {
        let message = v1::DeclareIncidentRequest {
            id: text(incident.id),
            kinds: incident
                .kinds
                .into_iter()
                .map(NamedNode::into_string)
                .collect(),
            area: incident.area.unwrap_or_default(),
            begins: incident.begins.map(Into::into),
            ends: Some(incident.ends.into()),
        };
        let request = self.request(message, deadline).await?;
        let mut stub = self.stewardship.clone();
        let call = async { Ok(stub.declare_incident(request).await?) };
        within(deadline, call).await?.into_inner().try_into()
    }

    /// Ends an incident now.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::NotFound`] where there is none of this name.
    pub async fn end_incident(
        &self,
        incident: NamedNode,
        deadline: Instant,
    ) -> Result<Incident, Error> {
        let id = incident.into_string();
        let request = self
            .request(v1::EndIncidentRequest { id }, deadline)
            .await?;
        let mut stub = self.stewardship.clone();
        let call = async { Ok(stub.end_incident(request).await?) };
        within(deadline, call).await?.into_inner().try_into()
    }

    /// The incidents that the connector keeps, the newest first.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn incidents(&self, deadline: Instant) -> Result<Vec<Incident>, Error> {
        let request = self.request(v1::ListIncidentsRequest {}, deadline).await?;
        let mut stub = self.stewardship.clone();
        let call = async { Ok(stub.list_incidents(request).await?) };
        let response = within(deadline, call).await?.into_inner();
        response
            .incidents
            .into_iter()
            .map(TryInto::try_into)
            .collect()
    }

    /// What is owed for the use of the twin, first what is due first; with `fulfilled` what was done, too.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn obligations(
        &self,
        fulfilled: bool,
        deadline: Instant,
    ) -> Result<Vec<Obligation>, Error> {
        let message = v1::ListObligationsRequest { fulfilled };
        let request = self.request(message, deadline).await?;
        let mut stub = self.stewardship.clone();
        let call = async { Ok(stub.list_obligations(request).await?) };
        let response = within(deadline, call).await?.into_inner();
        response
            .obligations
            .into_iter()
            .map(TryInto::try_into)
            .collect()
    }

    /// Notes that an obligation was fulfilled.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::NotFound`] where none of this id is open.
    pub async fn fulfil_obligation(
        &self,
        id: String,
        evidence: Option<String>,
        deadline: Instant,
    ) -> Result<Obligation, Error> {
        let evidence = evidence.unwrap_or_default();
        let message = v1::FulfilObligationRequest { id, evidence };
        let request = self.request(message, deadline).await?;
        let mut stub = self.stewardship.clone();
        let call = async { Ok(stub.fulfil_obligation(request).await?) };
        within(deadline, call).await?.into_inner().try_into()
    }
}

impl TryFrom<v1::Incident> for Incident {
    type Error = Error;

    fn try_from(incident: v1::Incident) -> Result<Self, Error> {
        Ok(Self {
            id: node(incident.id)?,
            kinds: nodes(incident.kinds)?,
            area: present(incident.area).map(|area| clean(&area)),
            begins: moment(incident.begins)?,
            ends: moment(incident.ends)?,
            declared_by: node(incident.declared_by)?,
        })
    }
}

impl TryFrom<v1::Obligation> for Obligation {
    type Error = Error;

    fn try_from(obligation: v1::Obligation) -> Result<Self, Error> {
        let state = match obligation.state() {
            v1::ObligationState::Pending => ObligationState::Pending,
            v1::ObligationState::Fulfilled => ObligationState::Fulfilled,
            v1::ObligationState::Violated => ObligationState::Violated,
            v1::ObligationState::Unspecified => {
                return Err(Error::nonsense("an obligation without a known state"));
            }
        };
        let optional = |stamp: Option<_>| stamp.map(|stamp| moment(Some(stamp))).transpose();
        Ok(Self {
            id: clean(&obligation.id),
            kind: clean(&obligation.kind),
            participant: node(obligation.participant)?,
            action: node(obligation.action)?,
            towards: nodes(obligation.towards)?,
            consequences: nodes(obligation.consequences)?,
            policy: node(obligation.policy)?,
            request: clean(&obligation.request),
            user: (
                node(obligation.user_participant)?,
                clean(&obligation.user_subject),
            ),
            incident: present(obligation.incident).map(node).transpose()?,
            since: moment(obligation.since)?,
            due: optional(obligation.due)?,
            fulfilled: optional(obligation.fulfilled)?,
            evidence: present(obligation.evidence).map(|text| clean(&text)),
            state,
        })
    }
}

impl fmt::Display for ObligationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Fulfilled => "fulfilled",
            Self::Violated => "violated",
        })
    }
}

fn nodes(iris: Vec<String>) -> Result<Vec<NamedNode>, Error> {
    iris.into_iter().map(node).collect()
}

fn moment(stamp: Option<prost_types::Timestamp>) -> Result<SystemTime, Error> {
    stamp
        .and_then(|stamp| time(stamp).ok())
        .ok_or_else(|| Error::nonsense("a time that is missing or out of range"))
}

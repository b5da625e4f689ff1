//! `Stewardship`: incidents, obligations and copies, for stewards of the connector's own organisation.

use super::{Door, backup, credentials, iri, some};
use crate::status::status;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use std::time::SystemTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic::{Request, Response, Status};
use twinlink_core::policy::Incident;
use twinlink_core::{
    Code, Connector, Credentials, Declaration, Obligation, ObligationState, Refusal,
    declare_incident, end_incident, fulfil_obligation, list_incidents, list_obligations,
};
use twinlink_proto::v1;
use uuid::Uuid;

#[tonic::async_trait]
impl v1::stewardship_server::Stewardship for Door {
    type BackupStream = backup::Copies;

    async fn backup(
        &self,
        request: Request<v1::BackupRequest>,
    ) -> Result<Response<backup::Copies>, Status> {
        backup::backup(self, request)
            .await
            .map_err(|refusal| status(&refusal, None))
    }

    async fn purge(
        &self,
        request: Request<v1::PurgeRequest>,
    ) -> Result<Response<v1::PurgeResponse>, Status> {
        respond(super::purge::purge(self, request)).await
    }

    async fn readmit(
        &self,
        request: Request<v1::ReadmitRequest>,
    ) -> Result<Response<v1::ReadmitResponse>, Status> {
        respond(super::readmit::readmit(self, request)).await
    }

    async fn declare_incident(
        &self,
        request: Request<v1::DeclareIncidentRequest>,
    ) -> Result<Response<v1::Incident>, Status> {
        respond(async {
            let credentials = credentials(&request)?;
            let declaration = declaration(request.into_inner())?;
            let incident = declare_incident(&self.connector, &credentials, declaration).await?;
            message(&incident)
        })
        .await
    }

    async fn end_incident(
        &self,
        request: Request<v1::EndIncidentRequest>,
    ) -> Result<Response<v1::Incident>, Status> {
        respond(async {
            let credentials = credentials(&request)?;
            let id = iri("grpc.incident", "id", &request.get_ref().id)?
                .ok_or_else(|| Refusal::about_input("grpc.incident", "id is empty"))?;
            message(&end_incident(&self.connector, &credentials, id).await?)
        })
        .await
    }

    async fn list_incidents(
        &self,
        request: Request<v1::ListIncidentsRequest>,
    ) -> Result<Response<v1::ListIncidentsResponse>, Status> {
        respond(async {
            let credentials = credentials(&request)?;
            let incidents = list_incidents(&self.connector, &credentials).await?;
            Ok(v1::ListIncidentsResponse {
                incidents: incidents.iter().map(message).collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    async fn list_obligations(
        &self,
        request: Request<v1::ListObligationsRequest>,
    ) -> Result<Response<v1::ListObligationsResponse>, Status> {
        respond(async {
            let credentials = credentials(&request)?;
            let settled = request.get_ref().fulfilled;
            let obligations = list_obligations(&self.connector, &credentials, settled).await?;
            let now = self.connector.clock.now();
            Ok(v1::ListObligationsResponse {
                obligations: obligations.into_iter().map(|one| owed(one, now)).collect(),
            })
        })
        .await
    }

    async fn fulfil_obligation(
        &self,
        request: Request<v1::FulfilObligationRequest>,
    ) -> Result<Response<v1::Obligation>, Status> {
        respond(fulfil(
            &self.connector,
            credentials(&request),
            request.into_inner(),
        ))
        .await
    }

    type ReadLogStream = super::log::Pages;

    async fn read_log(
        &self,
        request: Request<v1::ReadLogRequest>,
    ) -> Result<Response<super::log::Pages>, Status> {
        let read = super::log::read_log(self, request).await;
        read.map_err(|refusal| status(&refusal, None))
    }
}

async fn fulfil(
    connector: &Connector,
    credentials: Result<Credentials, Refusal>,
    request: v1::FulfilObligationRequest,
) -> Result<v1::Obligation, Refusal> {
    let id = Uuid::try_parse(&request.id)
        .map_err(|_| Refusal::about_input("grpc.obligation", "id is not a UUID"))?;
    let settled = fulfil_obligation(connector, &credentials?, id, some(request.evidence)).await?;
    Ok(owed(settled, connector.clock.now()))
}

async fn respond<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<Response<T>, Status> {
    work.await
        .map(Response::new)
        .map_err(|refusal| status(&refusal, None))
}

fn declaration(request: v1::DeclareIncidentRequest) -> Result<Declaration, Refusal> {
    let fault = |what: &str| Refusal::about_input("grpc.incident", what);
    let made = || format!("urn:uuid:{}", Uuid::now_v7());
    let id = some(request.id).unwrap_or_else(made);
    let kinds = request.kinds.iter().map(|kind| {
        iri("grpc.incident", "kinds", kind)?.ok_or_else(|| fault("one of kinds is empty"))
    });
    Ok(Declaration {
        id: iri("grpc.incident", "id", &id)?.ok_or_else(|| fault("id is empty"))?,
        kinds: kinds.collect::<Result<_, _>>()?,
        area: some(request.area),
        begins: request.begins.map(instant).transpose()?,
        ends: instant(request.ends.ok_or_else(|| fault("ends is missing"))?)?,
    })
}

fn instant(stamp: prost_types::Timestamp) -> Result<DateTime, Refusal> {
    let fault = || Refusal::about_input("grpc.incident", "a time is out of range");
    // The range that the message's definition has.
    if !(-62_135_596_800..=253_402_300_799).contains(&stamp.seconds) {
        return Err(fault());
    }
    let nanoseconds = i128::from(stamp.seconds) * 1_000_000_000 + i128::from(stamp.nanos);
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).map_err(|_| fault())?;
    let text = time.format(&Rfc3339).map_err(|_| fault())?;
    text.parse().map_err(|_| fault())
}

fn stamp(instant: DateTime) -> Result<prost_types::Timestamp, Refusal> {
    let fault = |error: time::error::Parse| Refusal::new(Code::Internal, "incident.time", error);
    let time = OffsetDateTime::parse(&instant.to_string(), &Rfc3339).map_err(fault)?;
    Ok(SystemTime::from(time).into())
}

fn message(incident: &Incident) -> Result<v1::Incident, Refusal> {
    Ok(v1::Incident {
        id: incident.id.as_str().to_owned(),
        kinds: incident
            .kinds
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect(),
        area: incident.area.clone().unwrap_or_default(),
        begins: Some(stamp(incident.begins)?),
        ends: Some(stamp(incident.ends)?),
        declared_by: incident.declared_by.as_str().to_owned(),
    })
}

fn texts(nodes: Vec<NamedNode>) -> Vec<String> {
    nodes.into_iter().map(NamedNode::into_string).collect()
}

fn owed(obligation: Obligation, now: OffsetDateTime) -> v1::Obligation {
    let stamp = |time: OffsetDateTime| SystemTime::from(time).into();
    let state = match obligation.state(now) {
        ObligationState::Pending => v1::ObligationState::Pending,
        ObligationState::Fulfilled => v1::ObligationState::Fulfilled,
        ObligationState::Violated => v1::ObligationState::Violated,
    };
    v1::Obligation {
        id: obligation.id.to_string(),
        kind: obligation.kind.to_string(),
        participant: obligation.participant.into_string(),
        action: obligation.action.into_string(),
        policy: obligation.policy.into_string(),
        request: obligation.request.to_string(),
        user_participant: obligation.user.0.into_string(),
        user_subject: obligation.user.1,
        incident: obligation
            .incident
            .map(NamedNode::into_string)
            .unwrap_or_default(),
        since: Some(stamp(obligation.since)),
        due: obligation.due.map(stamp),
        fulfilled: obligation.fulfilled.map(stamp),
        evidence: obligation.evidence.unwrap_or_default(),
        state: state.into(),
        towards: texts(obligation.towards),
        consequences: texts(obligation.consequences),
    }
}

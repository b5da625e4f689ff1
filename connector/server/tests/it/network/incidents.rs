//! Incidents, broken glass and obligations over real connections.

use super::caller::PATIENCE;
use super::town::{Organisation, Permission};
use oxrdf::NamedNode;
use std::fs;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use twinlink_client::{Error, NewIncident, ObligationState, QueryOptions};
use twinlink_vocab::tl;

const ALL: &str = "SELECT * WHERE { ?s ?p ?o }";
/// Far more rows than wait anywhere between evaluation and client.
const MANY: &str = "SELECT * WHERE { ?a ?p ?b . ?c ?q ?d }";
const KIND: &str = "https://rescue.example/Leak";

fn until() -> Instant {
    Instant::now() + PATIENCE
}

fn leak() -> NewIncident {
    NewIncident {
        id: Some(NamedNode::new_unchecked("https://rescue.example/leak-1")),
        kinds: vec![NamedNode::new_unchecked(KIND)],
        area: Some("POINT(24.9 60.1)".to_owned()),
        begins: None,
        ends: SystemTime::now() + Duration::from_secs(3600),
    }
}

/// A rescue department with many statements, which a policy shows during a leak only.
async fn rescue(more: &str) -> Organisation {
    let mut rescue = Organisation::new("rescue");
    let turtle: String = (0..500)
        .map(|number| format!("<https://rescue.example/hydrant/{number}> a tl:Hydrant .\n"))
        .collect();
    rescue.import(&turtle, None);
    let policy = format!(
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <{}> .
         @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
         <https://rescue.example/policy/crisis> a odrl:Set ; odrl:profile {} ; odrl:permission [
           odrl:target <https://rescue.example/twin> ; odrl:action odrl:read ; {more}
           odrl:constraint [ odrl:leftOperand odrl:event ; odrl:operator odrl:eq ; odrl:rightOperand <{KIND}> ] ] .",
        tl::NAMESPACE,
        tl::PROFILE,
    );
    fs::write(rescue.path("policies/crisis.ttl"), policy).unwrap();
    rescue.serve().await;
    rescue
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_incident_opens_closes_with_it_in_the_middle_of_an_answer() {
    let rescue = rescue("").await;
    let anyone = rescue.caller(&[], None);
    let steward = rescue.steward().client(&rescue).await.unwrap();
    assert!(matches!(
        anyone.ask(&rescue, ALL).await,
        Err(Error::Denied(_))
    ));
    // Only stewards may say what goes on.
    let client = anyone.client(&rescue).await.unwrap();
    let refused = client.declare_incident(leak(), until()).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    let declared = steward.declare_incident(leak(), until()).await.unwrap();
    assert_eq!(
        steward.incidents(until()).await.unwrap(),
        vec![declared.clone()]
    );

    assert_eq!(anyone.ask(&rescue, ALL).await.unwrap().rows.len(), 500);
    let mut answer = client
        .query(QueryOptions::new(MANY, until()))
        .await
        .unwrap();
    assert!(answer.next().await.unwrap().is_some());
    steward.end_incident(declared.id, until()).await.unwrap();
    let end = loop {
        match answer.next().await {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(matches!(end, Some(Error::Denied(_))), "{end:?}");
    assert!(matches!(
        anyone.ask(&rescue, ALL).await,
        Err(Error::Denied(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_glass_is_told_to_the_owner_and_reviewed() {
    let mut rescue = rescue(
        "tl:breakGlass true ; tl:breakGlassFor \"PT1H\"^^xsd:dayTimeDuration ;
         odrl:duty [ odrl:action tl:review ; odrl:constraint [ odrl:leftOperand odrl:elapsedTime ;
           odrl:operator odrl:lteq ; odrl:rightOperand \"P7D\"^^xsd:dayTimeDuration ] ] ;",
    )
    .await;
    let anyone = rescue.caller(&[], None).client(&rescue).await.unwrap();
    let steward = rescue.steward().client(&rescue).await.unwrap();
    let incident = steward.declare_incident(leak(), until()).await.unwrap();
    let hint = anyone
        .query(QueryOptions::new(ALL, until()))
        .await
        .unwrap_err();
    assert!(hint.to_string().contains("break the glass"), "{hint}");
    let breaking = QueryOptions {
        break_glass: Some(incident.id.clone()),
        ..QueryOptions::new(ALL, until())
    };
    let mut answer = anyone.query(breaking).await.unwrap();
    while answer.next().await.unwrap().is_some() {}
    assert_eq!(answer.outcome().await.unwrap().rows, 500);

    assert!(anyone.obligations(true, until()).await.is_err());
    let owed = steward.obligations(false, until()).await.unwrap();
    assert_eq!(owed.len(), 1, "{owed:?}");
    assert_eq!(
        (owed[0].kind.as_str(), owed[0].state),
        ("review", ObligationState::Pending)
    );
    assert_eq!(
        (&owed[0].participant, &owed[0].incident),
        (&rescue.id, &Some(incident.id))
    );
    assert_eq!(owed[0].user.1, "ada");
    drop((anyone, steward));

    // It outlives the process.
    rescue.stop().await;
    rescue.serve().await;
    let steward = rescue.steward().client(&rescue).await.unwrap();
    let evidence = Some("looked at".to_owned());
    let id = owed[0].id.clone();
    let done = steward
        .fulfil_obligation(id, evidence, until())
        .await
        .unwrap();
    assert_eq!(done.state, ObligationState::Fulfilled);
    assert!(
        steward
            .obligations(false, until())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        steward.obligations(true, until()).await.unwrap(),
        vec![done]
    );
    assert_eq!(steward.incidents(until()).await.unwrap().len(), 1);
}

/// INVARIANT(own-agreements)
#[tokio::test(flavor = "multi_thread")]
async fn own_agreements() {
    let rescue = rescue("").await;
    let agreement = |assigner: &str| {
        format!(
            "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
             <https://rescue.example/agreement> a odrl:Agreement ; odrl:assigner <{assigner}> ;
               odrl:assignee <https://city.example/> ; odrl:permission [
                 odrl:target <https://rescue.example/twin> ; odrl:action odrl:read ] ."
        )
    };
    let path = rescue.path("policies/agreement.ttl");
    fs::write(&path, agreement("https://city.example/")).unwrap();
    let error = rescue.node().reload().unwrap_err().to_string();
    assert!(error.contains("assigner"), "{error}");
    fs::write(&path, agreement(rescue.id.as_str())).unwrap();
    rescue.node().reload().unwrap();
    rescue.permit("all", Permission::default());
    rescue.node().reload().unwrap();
}

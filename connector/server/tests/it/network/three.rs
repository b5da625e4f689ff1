//! One question over three organisations, and what each caller gets of it.

use super::caller::{Answered, Caller, PATIENCE, value};
use super::town::{Organisation, Town};
use std::collections::BTreeSet;
use twinlink_client::{Error, SourceState, SourceState::*};
use twinlink_trust::verify_receipt;
use twinlink_vocab::tl;

/// Names its graphs: only then is each row told from the data of other members.
const ALL: &str = "SELECT ?thing ?class FROM <https://city.example/graph/schools>
    FROM <https://police.example/graph/cordons> FROM <https://rescue.example/graph/hydrants>
    WHERE { ?thing a ?class }";
const CORDON: &str = "https://police.example/cordon";
const HYDRANT: &str = "https://rescue.example/hydrant";
const SCHOOL: &str = "https://city.example/school";

/// Things with the participants whose data they rest on.
fn things(answered: &Answered) -> BTreeSet<(String, Vec<&str>)> {
    let sources = &answered.outcome.sources;
    let rows = answered.rows.iter().map(|row| {
        let names = row
            .sources
            .iter()
            .map(|source| sources[usize::from(*source)].participant.as_str());
        (value(row, 0), names.collect())
    });
    rows.collect()
}

fn states(answered: &Answered) -> Vec<(&str, SourceState)> {
    let sources = answered.outcome.sources.iter();
    sources
        .map(|source| (source.participant.as_str(), source.state))
        .collect()
}

async fn ask(caller: &Caller, at: &Organisation) -> Answered {
    caller.ask_all(at, ALL, PATIENCE).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_gets_what_policies_permit_and_hears_of_every_source() {
    let town = Town::new().await;
    let (city, rescue, police) = (&town.city, &town.rescue, &town.police);
    let [c, r, p] = [city, rescue, police].map(|one| one.id.as_str());
    let emergency = Some(tl::EMERGENCY_RESPONSE);
    for (who, caller, at, expected, said) in [
        (
            "officer in an emergency",
            rescue.caller(&[tl::RESCUE_OFFICER], emergency),
            rescue,
            vec![(SCHOOL, c), (CORDON, p), (HYDRANT, r)],
            [(r, Complete), (c, Complete), (p, Complete)],
        ),
        (
            "officer without a purpose",
            rescue.caller(&[tl::RESCUE_OFFICER], None),
            rescue,
            vec![(SCHOOL, c), (HYDRANT, r)],
            [(r, Complete), (c, Complete), (p, Denied)],
        ),
        (
            "officer for another purpose",
            rescue.caller(&[tl::RESCUE_OFFICER], Some(tl::URBAN_PLANNING)),
            rescue,
            vec![(SCHOOL, c), (HYDRANT, r)],
            [(r, Complete), (c, Complete), (p, Denied)],
        ),
        (
            "steward, a role that counts at home only",
            rescue.steward(),
            rescue,
            vec![(HYDRANT, r)],
            [(r, Complete), (c, Denied), (p, Denied)],
        ),
        (
            "planner of the city",
            city.caller(&[tl::CITY_PLANNER], None),
            city,
            vec![(SCHOOL, c)],
            [(c, Complete), (p, Denied), (r, Denied)],
        ),
        (
            "officer at another organisation's connector, which does not vouch for him",
            rescue.caller(&[tl::RESCUE_OFFICER], emergency),
            city,
            vec![(SCHOOL, c)],
            [(c, Complete), (p, Denied), (r, Denied)],
        ),
    ] {
        let answered = ask(&caller, at).await;
        let expected = expected
            .into_iter()
            .map(|(thing, source)| (thing.to_owned(), vec![source]));
        assert_eq!(things(&answered), expected.collect(), "{who}");
        assert_eq!(states(&answered), said, "{who}");
        let is_whole = said.iter().all(|(_, state)| *state == Complete);
        assert_eq!(answered.outcome.complete, is_whole, "{who}");
        assert_eq!(answered.outcome.rows, answered.rows.len() as u64);
        for source in &answered.outcome.sources {
            let has_reason = source.reason.is_some();
            assert_eq!(has_reason, !source.state.is_settled(), "{who}: {source:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_nothing_gets_nothing() {
    let town = Town::new().await;
    for (caller, at) in [
        (town.rescue.caller(&[], None), &town.rescue),
        (town.rescue.caller(&[], None), &town.police),
        (town.city.caller(&[], None), &town.police),
        (
            town.police.caller(&[], Some(tl::EMERGENCY_RESPONSE)),
            &town.rescue,
        ),
    ] {
        let denied = caller.ask_all(at, ALL, PATIENCE).await;
        // A purpose that the peer may not assert makes the whole token worthless.
        let is_denied = matches!(denied, Err(Error::Denied(_) | Error::Unauthenticated(_)));
        assert!(is_denied, "{denied:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_join_twins_rest_on_both() {
    let town = Town::new().await;
    let concerns = format!("<{CORDON}> tl:concerns <{SCHOOL}>");
    town.police.insert("cordons", &concerns).await;
    let officer = town
        .rescue
        .caller(&[tl::RESCUE_OFFICER], Some(tl::EMERGENCY_RESPONSE));
    let query = "PREFIX tl: <https://w3id.org/twinlink/ns#> SELECT ?cordon ?residents
        FROM <https://police.example/graph/cordons> FROM <https://city.example/graph/residents>
        FROM <https://rescue.example/graph/hydrants>
        WHERE { ?cordon tl:concerns ?school . ?school tl:residents ?residents }";
    let answered = officer
        .ask_all(&town.rescue, query, PATIENCE)
        .await
        .unwrap();
    let [row] = answered.rows.as_slice() else {
        panic!("{answered:?}");
    };
    assert_eq!(
        (value(row, 0), value(row, 1)),
        (CORDON.into(), "312".into())
    );
    let both = vec![town.city.id.as_str(), town.police.id.as_str()];
    assert_eq!(things(&answered), [(CORDON.to_owned(), both)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_keep_a_signed_record() {
    let mut town = Town::new().await;
    let officer = town
        .rescue
        .caller(&[tl::RESCUE_OFFICER], Some(tl::EMERGENCY_RESPONSE));
    let answered = ask(&officer, &town.rescue).await;
    let [rescue, city, police] = answered.outcome.sources.as_slice() else {
        panic!("{answered:?}");
    };

    let ours = verify_receipt(
        &answered.outcome.receipt,
        &town.rescue.id,
        &town.rescue.keys(),
    )
    .unwrap();
    assert_eq!(ours.rows, 3);
    assert!(ours.complete);
    assert_eq!(ours.used.subject.as_deref(), Some("ada"));
    assert_eq!(
        ours.used.purpose.as_deref(),
        Some(tl::EMERGENCY_RESPONSE.as_str())
    );
    assert_eq!(
        ours.used.policies,
        ["https://rescue.example/policy/officers"]
    );
    assert_eq!(rescue.policies[0].as_str(), ours.used.policies[0]);

    let city_policies: BTreeSet<_> = city.policies.iter().map(|p| p.as_str()).collect();
    let expected = [
        "https://city.example/policy/residents",
        "https://city.example/policy/schools",
    ];
    assert_eq!(city_policies, BTreeSet::from(expected));

    let police_receipt = police.receipt.as_deref().unwrap();
    let theirs = verify_receipt(police_receipt, &town.police.id, &town.police.keys()).unwrap();
    assert_eq!(theirs.used.request, ours.used.request);
    assert_eq!(
        theirs.used.participant.as_deref(),
        Some(town.rescue.id.as_str())
    );
    assert_eq!(theirs.used.subject.as_deref(), Some("ada"));
    // A receipt is of its signer only.
    assert!(verify_receipt(police_receipt, &town.police.id, &town.city.keys()).is_err());
    assert!(verify_receipt(police_receipt, &town.city.id, &town.police.keys()).is_err());

    for (organisation, claims) in [(&mut town.rescue, ours), (&mut town.police, theirs)] {
        organisation.stop().await;
        let journal = organisation.store().journal();
        claims.check_against(&journal).unwrap();
        twinlink_trust::audit(&journal).unwrap();
    }
}

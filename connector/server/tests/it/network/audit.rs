//! The log of use, looked at by the command line while the connector does not run.

use super::caller::PATIENCE;
use super::town::Town;
use serde_json::Value;
use std::fs;
use std::process::Output;
use twinlink_vocab::tl;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_listed_verified_compared_and_exported_offline() {
    let mut town = Town::new().await;
    let officer = town
        .rescue
        .caller(&[tl::RESCUE_OFFICER], Some(tl::EMERGENCY_RESPONSE));
    let question = "SELECT ?thing ?class WHERE { ?thing a ?class }";
    let answered = officer
        .ask_all(&town.rescue, question, PATIENCE)
        .await
        .unwrap();
    let receipt = town.police.path("receipt");
    let of_police = answered
        .outcome
        .sources
        .iter()
        .find(|source| source.participant == town.police.id);
    fs::write(&receipt, of_police.unwrap().receipt.as_deref().unwrap()).unwrap();
    town.police.stop().await;

    let audit = |arguments: &[&str]| -> Output {
        town.police
            .program()
            .arg("audit")
            .args(arguments)
            .output()
            .unwrap()
    };
    let lines = |output: &Output| -> Vec<Value> {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let listed = audit(&["list", "--json"]);
    let records = lines(&listed);
    let intent = records
        .iter()
        .find(|line| line["record"]["kind"] == "intent")
        .unwrap();
    assert_eq!(intent["record"]["participant"], town.rescue.id.as_str());
    assert_eq!(intent["record"]["subject"], "ada");
    let table = audit(&["list"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains(town.rescue.id.as_str()));

    let request = intent["record"]["request"].as_str().unwrap();
    let shown = lines(&audit(&["show", request]));
    assert!(shown.len() >= 2, "{shown:?}");
    assert!(!audit(&["show", "nothing"]).status.success());

    let verified = audit(&["verify", "--receipt", receipt.to_str().unwrap()]);
    assert!(verified.status.success(), "{verified:?}");
    let found = &lines(&verified)[0];
    assert_eq!(found["receipts"], 1);
    assert_eq!(found["without_checkpoint"], 0);
    // A receipt of somebody else is none of ours.
    fs::write(&receipt, &answered.outcome.receipt).unwrap();
    assert!(
        !audit(&["verify", "--receipt", receipt.to_str().unwrap()])
            .status
            .success()
    );

    let rescue = town.rescue.id.clone();
    let rescue = rescue.as_str();
    let exported = audit(&[
        "export",
        "--peer-id",
        &format!("{rescue}=00000001"),
        "--service",
        "police",
    ]);
    let document = &lines(&exported)[0];
    let record = &document["records"][0];
    assert_eq!(record["direction"], "DIRECTION_INCOMING");
    assert_eq!(record["source"]["outway_peer_id"], "00000001");
    assert_eq!(record["service_name"], "police");
    // By which text of a policy, as both sides' logs have it.
    let grant = record["grant_hash"].as_str().unwrap().to_owned();
    let digest = grant.strip_prefix("sha256:");
    assert_eq!(digest.map(str::len), Some(64), "{grant}");
    let transaction = record["transaction_id"].clone();
    town.rescue.stop().await;
    let exported = town.rescue.program().args(["audit", "export"]).output();
    let document = &lines(&exported.unwrap())[0];
    let mut records = document["records"].as_array().unwrap().iter();
    let ours = records.find(|record| record["transaction_id"] == transaction);
    assert_eq!(ours.unwrap()["direction"], "DIRECTION_OUTGOING");
    assert_eq!(ours.unwrap()["grant_hash"], grant.as_str());

    // What the other side says is compared by ids and digests: here it says nothing at all.
    let own = town.police.id.as_str();
    let theirs = town.police.path("theirs.json");
    let nothing =
        format!(r#"{{"participant":"{rescue}","with":"{own}","provided":[],"consumed":[]}}"#);
    fs::write(&theirs, nothing).unwrap();
    let compared = audit(&["reconcile", theirs.to_str().unwrap()]);
    assert!(!compared.status.success());
    assert!(
        lines(&compared)
            .iter()
            .all(|line| line["agreement"] == "only-here")
    );
    assert!(!lines(&compared).is_empty());

    // To look leaves the file as it was. Where it is gone, nothing is whole, and who looks makes no other.
    let file = town.police.config().store.join("twin.redb");
    let whole = fs::read(&file).unwrap();
    assert!(audit(&["verify"]).status.success());
    assert_eq!(fs::read(&file).unwrap(), whole);
    fs::remove_file(&file).unwrap();
    for arguments in [
        &["verify"][..],
        &["list"],
        &["export", "--format", "records"],
    ] {
        let refused = audit(arguments);
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("restore a backup"), "{said}");
    }
    let doctor = town.police.program().arg("doctor").output().unwrap();
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("has lost its log"));
    assert!(!file.exists());
}

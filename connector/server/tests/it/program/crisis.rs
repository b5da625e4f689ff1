//! Incidents, broken glass and what is owed for it, from the command line.

use super::Folder;
use serde_json::Value;
use std::fs;

const LEAK: &str = "https://rescue.example/incident/leak";
const QUERY: &str = "SELECT * { ?s ?p ?o }";
const OFFICER: [&str; 2] = ["--role", "https://w3id.org/twinlink/ns#RescueOfficer"];
const POLICY: &str = "
    @prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <https://w3id.org/twinlink/ns#> .
    @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
    <https://rescue.example/policy/crisis> a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
      odrl:permission [
        odrl:target <https://rescue.example/twin> ; odrl:action odrl:read ;
        odrl:constraint [ odrl:leftOperand odrl:event ; odrl:operator odrl:eq ; odrl:rightOperand tl:Incident ] ,
          [ odrl:leftOperand tl:role ; odrl:operator odrl:eq ; odrl:rightOperand tl:RescueOfficer ] ;
        tl:breakGlass true ; tl:breakGlassFor \"PT1H\"^^xsd:dayTimeDuration ;
        odrl:duty [ odrl:action tl:review ; odrl:constraint [ odrl:leftOperand odrl:elapsedTime ;
          odrl:operator odrl:lteq ; odrl:rightOperand \"P7D\"^^xsd:dayTimeDuration ] ] ] .";

fn rescue() -> Folder {
    let rescue = Folder::new("rescue");
    fs::write(rescue.path("policies/crisis.ttl"), POLICY).unwrap();
    let data = rescue.file(
        "units.ttl",
        "<https://rescue.example/unit> <https://rescue.example/crew> 6 .",
    );
    rescue.run(&["import", &data]).well();
    rescue
}

fn list(folder: &Folder, arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["--json"]].concat();
    let Value::Array(list) = folder.run(&arguments).well().json() else {
        panic!("{arguments:?} gave no list");
    };
    list
}

#[test]
fn an_incident_from_its_declaration_to_the_review_of_what_was_done() {
    let rescue = rescue();
    let serving = rescue.serve();
    let ask = [&["query", QUERY, "--format", "csv"], &OFFICER[..]].concat();
    let breaking = [&ask[..], &["--break-glass", LEAK]].concat();
    rescue.run(&ask).badly(1, &["denied"]);
    rescue.run(&breaking).badly(1, &["denied"]);

    let kind = "https://w3id.org/twinlink/ns#Incident";
    let area = "POLYGON((24.9 60.1, 25.0 60.1, 25.0 60.2, 24.9 60.2, 24.9 60.1))";
    let declare = [
        "incident", "declare", "--id", LEAK, "--kind", kind, "--hours", "4", "--area", area,
        "--json",
    ];
    let declared = rescue.run(&declare).well().json();
    assert_eq!(
        (&declared["id"], &declared["state"]),
        (&LEAK.into(), &"open".into())
    );
    assert_eq!(list(&rescue, &["incident", "list"]), [declared]);

    // Who may break the glass is told so, and is not taken to have done it.
    rescue.run(&ask).badly(1, &["break the glass"]);
    assert_eq!(list(&rescue, &["obligation", "list"]), [Value::Null; 0]);
    let told = rescue.run(&breaking).well();
    assert_eq!(told.out.lines().count(), 2);
    let owed = list(&rescue, &["obligation", "list"]);
    let [review] = &owed[..] else {
        panic!("{owed:?}");
    };
    assert_eq!(review["state"], "pending");
    assert_eq!(review["kind"], "review");
    assert_eq!(review["incident"], LEAK);

    let id = review["id"].as_str().unwrap();
    let fulfil = ["obligation", "fulfil", id, "--evidence", "looked at"];
    assert!(rescue.run(&fulfil).well().out.contains("fulfilled"));
    assert_eq!(list(&rescue, &["obligation", "list"]), [Value::Null; 0]);
    let all = list(&rescue, &["obligation", "list", "--all"]);
    assert_eq!(all[0]["evidence"], "looked at");

    let ended = rescue.run(&["incident", "end", LEAK]).well();
    assert!(ended.out.starts_with("ended"), "{}", ended.out);
    rescue.run(&breaking).badly(1, &["denied"]);
    assert_eq!(list(&rescue, &["incident", "list"])[0]["state"], "over");
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_do() {
    let rescue = rescue();
    let kind = ["--kind", "https://w3id.org/twinlink/ns#Incident"];
    let declare = |more: &[&str]| rescue.run(&[&["incident", "declare"], &kind[..], more].concat());
    declare(&["--hours", "4"]).badly(1, &["is it running?", "twinlink doctor"]);
    declare(&["--hours", "0"]).badly(2, &["--hours"]);
    declare(&[]).badly(2, &["--ends"]);
    declare(&["--ends", "tomorrow"]).badly(2, &["2026-11-20T12:00:00Z"]);

    let serving = rescue.serve();
    declare(&["--ends", "2020-01-01T00:00:00Z"]).badly(1, &["end"]);
    declare(&["--hours", "4", "--area", "POLYGON((24.9 60.1"]).badly(1, &["area", "POLYGON"]);
    declare(&["--hours", "4", OFFICER[0], OFFICER[1]]).badly(1, &["denied"]);
    rescue.run(&["incident", "end", LEAK]).badly(1, &[LEAK]);
    let unknown = "2f1d3c1e-8a3b-4a58-9a3f-0d6b1c2e4f50";
    rescue
        .run(&["obligation", "fulfil", unknown])
        .badly(1, &[unknown]);
    rescue.run(&["obligation", "fulfil", "7"]).badly(2, &["7"]);
    assert_eq!(list(&rescue, &["incident", "list"]), [Value::Null; 0]);
    assert_eq!(serving.stop(), Some(0));
}

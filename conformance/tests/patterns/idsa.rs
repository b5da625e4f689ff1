//! The classes in the order of the list.

use crate::city::{City, State, ask, at, by, e, odrl, only, part, permission};
use oxrdf::{NamedNode, Term};
use std::collections::BTreeMap;
use twinlink_core::policy::{Ask, Claims, Debtor, Incident, Permit};

/// What a token states of a left operand.
fn stating(left: &str, value: NamedNode) -> State {
    let values = BTreeMap::from([(odrl(left), vec![Term::from(value)])]);
    let claims = Claims {
        values,
        ..Claims::default()
    };
    State {
        claims,
        ..State::default()
    }
}

fn done(action: &str, hour: u32) -> State {
    let performed = BTreeMap::from([(odrl(action), at(hour))]);
    State {
        performed,
        ..State::default()
    }
}

fn at_hour(hour: u32) -> Ask {
    Ask {
        now: at(hour),
        ..ask()
    }
}

/// What the permit obliges the caller to, with the deadline.
fn owed(permit: &Permit) -> Vec<(NamedNode, Option<oxsdatatypes::DateTime>)> {
    let owed = permit.obligations().iter();
    owed.filter(|one| one.debtor == Debtor::Caller)
        .map(|one| (one.action.clone(), one.due))
        .collect()
}

/// With a duty left undone past its deadline nothing more is told.
fn blocks_when_left_undone(city: &City) {
    let state = State {
        has_violations: true,
        ..State::default()
    };
    let denied = city.decide(&ask(), &state).unwrap_err();
    assert!(denied.outlook.has_violations);
}

#[test]
fn idsa_01_allow() {
    assert!(City::under(&permission("")).tells(&ask(), &State::default()));
    let other = City::under("odrl:permission [ odrl:action odrl:modify ; odrl:target :twin ]");
    assert!(!other.tells(&ask(), &State::default()));
}

#[test]
fn idsa_02_connector() {
    let city = City::under(&permission("odrl:assignee :fire"));
    assert!(city.tells(&ask(), &State::default()));
    let police = Ask {
        participant: e("police"),
        ..ask()
    };
    assert!(!city.tells(&police, &State::default()));
}

#[test]
fn idsa_03_application() {
    let city = City::under(&permission(&only("odrl:system", "eq", ":planner")));
    assert!(city.tells(&ask(), &stating("system", e("planner"))));
    assert!(!city.tells(&ask(), &stating("system", e("browser"))));
    assert!(!city.tells(&ask(), &State::default()));
}

#[test]
fn idsa_04_interval() {
    let city = City::under(&permission(&format!(
        "{} ; {}",
        only(
            "odrl:dateTime",
            "gteq",
            "\"2026-11-20T09:00:00Z\"^^xsd:dateTime"
        ),
        only(
            "odrl:dateTime",
            "lt",
            "\"2026-11-20T17:00:00Z\"^^xsd:dateTime"
        )
    )));
    for (hour, expected) in [(8, false), (9, true), (16, true), (17, false)] {
        assert_eq!(
            city.tells(&at_hour(hour), &State::default()),
            expected,
            "{hour}"
        );
    }
}

#[test]
fn idsa_05_duration() {
    let city = City::under(&permission(&only(
        "odrl:elapsedTime",
        "lteq",
        "\"PT2H\"^^xsd:dayTimeDuration",
    )));
    let since_ten = State {
        used: vec![at(10)],
        ..State::default()
    };
    assert!(city.tells(&ask(), &State::default()));
    assert!(city.tells(&ask(), &since_ten));
    assert!(!city.tells(&at_hour(13), &since_ten));
    let permit = city.decide(&at_hour(11), &since_ten).unwrap();
    assert_eq!(permit.valid_until(), Some(at(12)));
}

#[test]
fn idsa_06_location() {
    let city = City::governed_by(&format!(
        ":policy a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; {} . :harbour odrl:partOf :city .",
        permission(&only("odrl:spatial", "isPartOf", ":city"))
    ));
    assert!(city.tells(&ask(), &stating("spatial", e("harbour"))));
    assert!(!city.tells(&ask(), &stating("spatial", e("abroad"))));
    assert!(!city.tells(&ask(), &State::default()));
}

#[test]
fn idsa_07_perpetual_sale() {
    let city = City::under(&permission("odrl:duty [ odrl:action odrl:compensate ]"));
    assert!(!city.tells(&ask(), &State::default()));
    // Paid once, for ever.
    assert!(city.tells(&ask(), &done("compensate", 11)));
    assert!(city.tells(&at_hour(23), &done("compensate", 11)));
}

#[test]
fn idsa_08_rental() {
    let city = City::under(&permission(&format!(
        "odrl:duty [ odrl:action odrl:compensate ] ; {}",
        only(
            "odrl:dateTime",
            "lt",
            "\"2026-11-20T17:00:00Z\"^^xsd:dateTime"
        )
    )));
    assert!(!city.tells(&ask(), &State::default()));
    assert!(city.tells(&ask(), &done("compensate", 11)));
    assert!(!city.tells(&at_hour(17), &done("compensate", 11)));
}

#[test]
fn idsa_09_role() {
    let city = City::under(&permission(&only("tl:role", "eq", ":officer")));
    let officer = Ask {
        roles: vec![e("officer"), e("driver")],
        ..ask()
    };
    let driver = Ask {
        roles: vec![e("driver")],
        ..ask()
    };
    assert!(city.tells(&officer, &State::default()));
    assert!(!city.tells(&driver, &State::default()));
    assert!(!city.tells(&ask(), &State::default()));
}

#[test]
fn idsa_10_purpose() {
    let city = City::under(&permission(&only(
        "odrl:purpose",
        "isA",
        "tl:EmergencyResponse",
    )));
    let tl = |name: &str| NamedNode::new(format!("https://w3id.org/twinlink/ns#{name}")).unwrap();
    let with = |purpose: NamedNode| Ask {
        purpose: Some(purpose),
        ..ask()
    };
    assert!(city.tells(&with(tl("EmergencyResponse")), &State::default()));
    assert!(!city.tells(&with(tl("UrbanPlanning")), &State::default()));
    assert!(!city.tells(&ask(), &State::default()));
}

fn incident(kind: &str, begins: u32, ends: u32) -> State {
    let incident = Incident {
        id: e("leak"),
        kinds: vec![e(kind)],
        area: None,
        begins: at(begins),
        ends: at(ends),
        declared_by: e("city"),
    };
    State {
        incidents: vec![incident],
        ..State::default()
    }
}

#[test]
fn idsa_11_event() {
    let city = City::under(&permission(&only("odrl:event", "eq", ":leak")));
    assert!(city.tells(&ask(), &incident("Leak", 11, 13)));
    assert!(!city.tells(&ask(), &incident("Leak", 9, 11)));
    assert!(!city.tells(&ask(), &State::default()));
}

#[test]
fn idsa_12_count() {
    let city = City::under(&permission(&only("odrl:count", "lteq", "3")));
    let mut state = State::default();
    for _ in 0..3 {
        let permit = city.decide(&ask(), &state).unwrap();
        assert_eq!(permit.charges().len(), 1);
        assert!(city.tells(&ask(), &state));
        state.used.push(at(12));
    }
    assert!(!city.tells(&ask(), &state));
}

/// A system's certificate says which level it has; the policy, which levels there are.
#[test]
fn idsa_13_security_level() {
    let city = City::governed_by(&format!(
        ":policy a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; {} .
         :trustPlus odrl:partOf :trust . :trust odrl:partOf :base .",
        permission(&only("odrl:system", "isPartOf", ":trust"))
    ));
    assert!(city.tells(&ask(), &stating("system", e("trust"))));
    assert!(city.tells(&ask(), &stating("system", e("trustPlus"))));
    assert!(!city.tells(&ask(), &stating("system", e("base"))));
    assert!(!city.tells(&ask(), &State::default()));
}

#[test]
fn idsa_14_delete_after_use() {
    let within = by("odrl:elapsedTime", "lteq", "\"PT3H\"^^xsd:duration");
    let city = City::under(&permission(&format!(
        "odrl:duty [ odrl:action [ rdf:value odrl:delete ; odrl:refinement {within} ] ]"
    )));
    assert!(city.tells(&ask(), &State::default()));
    let permit = city.decide(&ask(), &State::default()).unwrap();
    assert_eq!(owed(&permit), [(odrl("delete"), Some(at(15)))]);
    blocks_when_left_undone(&city);
}

#[test]
fn idsa_15_modify_in_transit() {
    let of = |property: &str| {
        let part = part(&[by("tl:property", "eq", property)]);
        format!("odrl:target {part}")
    };
    let tens = by("tl:multiple", "eq", "50");
    let city = City::under(&permission(&format!(
        "odrl:duty [ odrl:action tl:mask ; {} ] , [ odrl:action [ rdf:value tl:round ; odrl:refinement {tens} ] ; {} ] ,
         [ odrl:action tl:pseudonymise ; {} ]",
        of(":number"),
        of(":income"),
        of(":name")
    )));
    let rows = |query: &str| city.rows(&ask(), &State::default(), query).unwrap();
    assert_eq!(rows("SELECT DISTINCT ?n { ?p :number ?n }"), ["\"***\""]);
    assert!(rows("SELECT * { ?p :number '111' }").is_empty());
    assert_eq!(rows("SELECT ?i { :jan :income ?i }"), ["0"]);
    assert_eq!(rows("SELECT ?p { ?p :income 100 }"), [":ann"]);
    let names = rows("SELECT ?n { :jan :name ?n }");
    assert!(
        names
            .iter()
            .all(|name| name.len() == 34 && !name.contains("Jan")),
        "{names:?}"
    );
    let police = Ask {
        participant: e("police"),
        ..ask()
    };
    let others = city.rows(&police, &State::default(), "SELECT ?n { :jan :name ?n }");
    assert_ne!(Some(names), others);
}

#[test]
fn idsa_16_modify_at_rest() {
    let within = by("odrl:elapsedTime", "lteq", "\"PT1H\"^^xsd:duration");
    let city = City::under(&permission(&format!(
        "odrl:duty [ odrl:action [ rdf:value odrl:anonymize ; odrl:refinement {within} ] ]"
    )));
    let permit = city.decide(&ask(), &State::default()).unwrap();
    assert_eq!(owed(&permit), [(odrl("anonymize"), Some(at(13)))]);
    blocks_when_left_undone(&city);
}

/// The receiver's own log: it reports what it did. Ours has each use before the answer leaves, whatever a policy says.
#[test]
fn idsa_17_local_logging() {
    let city = City::under(&permission("odrl:duty [ odrl:action tl:reportUse ]"));
    let permit = city.decide(&ask(), &State::default()).unwrap();
    let report = NamedNode::new("https://w3id.org/twinlink/ns#reportUse").unwrap();
    assert_eq!(owed(&permit), [(report, None)]);
    blocks_when_left_undone(&city);
}

#[test]
fn idsa_18_remote_notification() {
    let city = City::under(&permission(
        "odrl:duty [ odrl:action odrl:inform ; odrl:informedParty :owner ]",
    ));
    let permit = city.decide(&ask(), &State::default()).unwrap();
    assert_eq!(owed(&permit), [(odrl("inform"), None)]);
    let towards = permit.obligations().iter().flat_map(|one| &one.towards);
    assert_eq!(towards.collect::<Vec<_>>(), [&e("owner")]);
    blocks_when_left_undone(&city);
}

fn distribute() -> Ask {
    Ask {
        action: odrl("distribute"),
        ..ask()
    }
}

/// Who may read may not pass on; who may pass on owes that the policy goes along.
#[test]
fn idsa_19_attach_policy() {
    let city = City::under(&format!(
        "{} ; odrl:permission [ odrl:action odrl:distribute ; odrl:target :twin ; odrl:assignee :fire ;
            odrl:duty [ odrl:action odrl:nextPolicy ] ]",
        permission("")
    ));
    let permit = city.decide(&distribute(), &State::default()).unwrap();
    assert_eq!(owed(&permit), [(odrl("nextPolicy"), None)]);
    let police = Ask {
        participant: e("police"),
        ..distribute()
    };
    assert!(!city.tells(&police, &State::default()));
    blocks_when_left_undone(&city);
}

#[test]
fn idsa_20_distribute_encrypted() {
    let city = City::under(&format!(
        "odrl:permission [ odrl:action odrl:distribute ; odrl:target :twin ; {} ]",
        only("odrl:deliveryChannel", "eq", ":encrypted")
    ));
    assert!(city.tells(&distribute(), &stating("deliveryChannel", e("encrypted"))));
    assert!(!city.tells(&distribute(), &stating("deliveryChannel", e("open"))));
    assert!(!city.tells(&distribute(), &State::default()));
}

/// The state of the city: a level of coordination that is in force or not.
#[test]
fn idsa_21_state() {
    let city = City::under(&format!(
        "{} ; odrl:prohibition [ odrl:action odrl:read ; odrl:target :twin ; {} ]",
        permission(&only("odrl:event", "eq", ":Grip3")),
        only("odrl:event", "eq", ":Lockdown")
    ));
    assert!(city.tells(&ask(), &incident("Grip3", 11, 13)));
    assert!(!city.tells(&ask(), &incident("Grip1", 11, 13)));
    assert!(!city.tells(&ask(), &State::default()));
    let mut both = incident("Grip3", 11, 13);
    both.incidents
        .extend(incident("Lockdown", 10, 14).incidents);
    assert!(!city.tells(&ask(), &both));
}

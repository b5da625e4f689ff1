//! Breaking the glass, and until when a decision holds.

use crate::support::{PROFILE, ask, ex, odrl, permission, prohibition, refused, rule, set, tl};
use crate::world::{State, at, incident, used};
use twinlink_policy::{Ask, Basis, Debtor, PolicySet};

const GLASS: &str = "tl:breakGlass true ; tl:breakGlassFor \"PT2H\"^^xsd:dayTimeDuration ;
    odrl:constraint [ odrl:leftOperand odrl:event ; odrl:operator odrl:eq ; odrl:rightOperand ex:Grip3 ] ;
    odrl:duty [ odrl:action tl:review ; odrl:constraint [ odrl:leftOperand odrl:elapsedTime ; odrl:operator odrl:lteq ;
      odrl:rightOperand \"P7D\"^^xsd:duration ] ]";

fn glass(prohibition: &str) -> PolicySet {
    set(&format!(
        "ex:p a odrl:Set ; {PROFILE} ;
           odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:assignee ex:fire ; {GLASS} ] ;
           odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:read ; {prohibition}
             odrl:remedy [ odrl:action odrl:inform ; odrl:informedParty ex:owner ] ] ."
    ))
}

#[test]
fn the_glass_can_be_broken() {
    let set = glass("");
    let denied = set.decide_in(&ask(), &incident(11, 13)).unwrap_err();
    let [way] = denied.outlook.break_glass.as_slice() else {
        panic!("{denied:?}");
    };
    assert_eq!((&way.incident, way.until), (&ex("leak"), at(13)));
    let permit = set.decide_in(&ask(), &incident(11, 13).breaking()).unwrap();
    assert_eq!(*permit.basis(), Basis::BreakGlass(ex("leak")));
    assert!(permit.guard().is_everything());
    assert_eq!(permit.obligations(), way.obligations);
    let review = &permit.obligations()[0];
    assert_eq!(
        (&review.action, review.debtor),
        (&tl("review"), Debtor::Owner)
    );
    assert_eq!(review.due, Some("2026-11-27T12:00:00Z".parse().unwrap()));
    // Who overrides a prohibition owes its remedy.
    assert_eq!(permit.obligations()[1].action, odrl("inform"));
    // Until the box ends, or the incident.
    assert_eq!(permit.valid_until(), Some(at(13)));
    let long = set.decide_in(&ask(), &incident(11, 20).breaking()).unwrap();
    assert_eq!(long.valid_until(), Some(at(14)));
    // Not before it, not after it, not by others, not for another incident.
    for state in [
        incident(13, 15).breaking(),
        incident(9, 12).breaking(),
        State::default().breaking(),
    ] {
        assert!(set.decide_in(&ask(), &state).is_err());
    }
    let police = Ask {
        participant: ex("police"),
        ..ask()
    };
    assert!(
        set.decide_in(&police, &incident(11, 13).breaking())
            .is_err()
    );
    let mut other = incident(11, 13).breaking();
    other.claims.breaks_glass = Some(ex("fire"));
    assert!(set.decide_in(&ask(), &other).is_err());
}

#[test]
fn some_rules_are_never_overridden() {
    let set = glass("tl:neverOverridden true ;");
    let denied = set.decide_in(&ask(), &incident(11, 13)).unwrap_err();
    assert!(denied.outlook.break_glass.is_empty());
    assert!(set.decide_in(&ask(), &incident(11, 13).breaking()).is_err());
}

#[test]
fn breaking_the_glass_opens_nothing_but_what_it_is_for() {
    let target = |name: &str| {
        format!(
            "[ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:property ; odrl:operator odrl:eq ; odrl:rightOperand ex:{name} ] ]"
        )
    };
    let set = set(&format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:conflict odrl:prohibit ;
           odrl:permission [ odrl:target {} ; odrl:action odrl:read ; {GLASS} ] , [ odrl:target ex:twin ; odrl:action odrl:read ] ;
           odrl:prohibition [ odrl:target {} ; odrl:action odrl:read ] .",
        target("name"),
        target("birthDate"),
    ));
    let permit = set.decide_in(&ask(), &incident(11, 13).breaking()).unwrap();
    assert_eq!(permit.guard().prohibitions().len(), 1);
    refused(&rule("tl:breakGlass true"), &["needs tl:breakGlassFor"]);
    refused(
        &rule("tl:breakGlass true ; tl:breakGlassFor \"PT2H\"^^xsd:dayTimeDuration"),
        &["constraint on odrl:event", "tl:review with a deadline"],
    );
}

#[test]
fn never_valid_too_long() {
    let constraint = |left: &str, operator: &str, right: &str| {
        format!(
            "odrl:constraint [ odrl:leftOperand {left} ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
        )
    };
    let mut constraints = Vec::new();
    for operator in ["eq", "neq", "lt", "lteq", "gt", "gteq"] {
        let noon = "\"2026-11-20T12:00:00Z\"^^xsd:dateTime";
        constraints.push(constraint("odrl:dateTime", operator, noon));
        constraints.push(constraint(
            "odrl:dateTime",
            operator,
            "\"2026-11-20Z\"^^xsd:date",
        ));
        constraints.push(constraint("odrl:event", operator, "ex:leak"));
    }
    for operator in ["lt", "lteq", "gt", "gteq"] {
        for left in ["odrl:elapsedTime", "odrl:timeInterval"] {
            constraints.push(constraint(left, operator, "\"PT2H\"^^xsd:duration"));
        }
    }
    let mut state = used(1, Some(10), Some(11));
    state.incidents = incident(11, 14).incidents;
    let mut changed = 0;
    for constraint in &constraints {
        for set in [permission(constraint), prohibition(constraint), glass("")] {
            for start in 0..24 {
                let decide = |now| {
                    let decision = set.decide_in(&Ask { now, ..ask() }, &state);
                    let until = match &decision {
                        Ok(permit) => permit.valid_until(),
                        Err(denied) => denied.outlook.valid_until,
                    };
                    (decision.is_ok(), until)
                };
                let (first, until) = decide(at(start));
                for hour in start + 1..24 {
                    let (later, _) = decide(at(hour));
                    let holds = until.is_none_or(|until| at(hour) < until);
                    assert!(
                        !holds || later == first,
                        "{constraint} {start} {hour} {until:?}"
                    );
                    changed += usize::from(later != first);
                }
            }
        }
    }
    assert!(changed > 0, "nothing ever changed");
}

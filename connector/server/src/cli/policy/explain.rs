//! `twinlink policy explain`: one caller, and what the policies make of them.

use super::count::{Count, count};
use super::{compiled, instant, term};
use crate::cli::{Console, Failure};
use crate::config::Config;
use clap::Args;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_policy::{Ask, Explanation, Guard, PolicySet, RuleExplanation, Selector};
use twinlink_vocab::odrl;

#[derive(Debug, Args)]
#[command(
    after_help = "Names of terms may be IRIs, or begin with tl:, odrl:, dpv: or sector-infra:.\n\n\
                  Example: what may an officer of the rescue department read during an incident?\n  \
                  twinlink policy explain --participant https://rescue.example/ \\\n      \
                  --role tl:RescueOfficer --purpose tl:EmergencyResponse\n\n\
                  A permission counts only if each of its conditions is true. A prohibition counts unless one of its\n\
                  conditions is false: what the caller does not say does not let them through."
)]
pub(in crate::cli) struct ExplainArguments {
    /// Policy files or folders. [default: those of the configuration]
    files: Vec<PathBuf>,
    /// The organisation that asks.
    #[arg(long, value_name = "IRI", value_parser = term)]
    participant: NamedNode,
    /// A role that the caller's token carries. May be given more than once.
    #[arg(long = "role", value_name = "IRI", value_parser = term)]
    roles: Vec<NamedNode>,
    /// The purpose that the caller's token carries.
    #[arg(long, value_name = "IRI", value_parser = term)]
    purpose: Option<NamedNode>,
    /// What the caller wants to do. [default: odrl:read]
    #[arg(long, value_name = "IRI", value_parser = term)]
    action: Option<NamedNode>,
    /// When, with the time zone. [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<DateTime>,
    /// Count the statements shown, beside those that a steward sees. The connector must not run.
    #[arg(long)]
    count: bool,
    /// Count the rows that this SPARQL query finds, too.
    #[arg(long, value_name = "SPARQL")]
    query: Option<String>,
    /// As JSON: permitted, shown, withheld, counts, rules.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    file: &Path,
    given: &ExplainArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let set = in_force(file, &given.files)?;
    let explanation = set.explain(&Ask {
        participant: given.participant.clone(),
        subject: "somebody".to_owned(),
        roles: given.roles.clone(),
        purpose: given.purpose.clone(),
        action: given.action.clone().unwrap_or(odrl::READ.into_owned()),
        now: given.at.unwrap_or_else(DateTime::now),
    });
    let counts = if given.count || given.query.is_some() {
        let guard = match &explanation.decision {
            Ok(permit) => permit.guard().clone(),
            Err(_) => Guard::nothing(),
        };
        count(&Config::load(file)?, &guard, given.query.as_deref())?
    } else {
        Vec::new()
    };
    if given.json {
        console.say(to_json(&explanation, &counts));
        return Ok(ExitCode::SUCCESS);
    }
    match &explanation.decision {
        Ok(permit) => {
            console.say("permitted");
            for (word, selectors) in visible(permit.guard()) {
                for selector in selectors {
                    console.say(format_args!("  {word} {}", in_words(selector)));
                }
            }
        }
        Err(denied) => console.say(format_args!("denied: {denied}")),
    }
    for count in &counts {
        console.say(format_args!("  {count}"));
    }
    for rule in &explanation.rules {
        console.say(format_args!(
            "{} {} of <{}>: {}\n  {}",
            rule.kind,
            rule.number,
            rule.policy.as_str(),
            reason(rule),
            rule.rule
        ));
        for (condition, holds) in rule.constraints.iter().filter(|_| rule.concerns) {
            console.say(format_args!("    {holds}: {condition}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The policies of the files; without files, those of the configuration.
fn in_force(file: &Path, files: &[PathBuf]) -> Result<PolicySet, Failure> {
    let config = Config::load(file);
    if files.is_empty() {
        return crate::wire::policies(&config?);
    }
    compiled(files, config.ok().as_ref().map(|config| &config.dataset))
}

/// Why a rule had its part in the decision, or none.
pub(super) fn reason(rule: &RuleExplanation) -> &'static str {
    use twinlink_policy::{RuleKind, Truth};
    match (rule.active, rule.concerns, rule.kind, rule.holds) {
        (true, _, RuleKind::Permission, _) => "grants",
        (true, _, RuleKind::Prohibition, Truth::Unknown) => {
            "withholds, as the request does not say enough to rule it out"
        }
        (true, _, RuleKind::Prohibition, _) => "withholds",
        (false, false, ..) => "is about another action or participant",
        (false, true, _, Truth::Unknown) => {
            "does not count, as the request does not say enough to meet it"
        }
        (false, true, ..) => "does not count, as a condition is not met",
    }
}

fn visible(guard: &Guard) -> [(&'static str, &[Selector]); 2] {
    [
        ("shows   ", guard.permits()),
        ("withholds", guard.prohibitions()),
    ]
}

fn in_words(selector: &Selector) -> String {
    if *selector == Selector::default() {
        "everything".to_owned()
    } else {
        selector.to_string()
    }
}

fn to_json(explanation: &Explanation, counts: &[Count]) -> Value {
    let words =
        |selectors: &[Selector]| -> Vec<String> { selectors.iter().map(in_words).collect() };
    let rules: Vec<Value> = explanation
        .rules
        .iter()
        .map(|rule| {
            let conditions: Vec<Value> = rule
                .constraints
                .iter()
                .map(|(condition, holds)| json!({"condition": condition, "holds": holds.to_string()}))
                .collect();
            json!({
                "policy": rule.policy.as_str(),
                "kind": rule.kind.to_string(),
                "number": rule.number,
                "rule": rule.rule,
                "concerns": rule.concerns,
                "active": rule.active,
                "reason": reason(rule),
                "conditions": conditions,
            })
        })
        .collect();
    let (shown, withheld) = match &explanation.decision {
        Ok(permit) => (
            words(permit.guard().permits()),
            words(permit.guard().prohibitions()),
        ),
        Err(_) => (Vec::new(), Vec::new()),
    };
    json!({
        "permitted": explanation.decision.is_ok(),
        "shown": shown,
        "withheld": withheld,
        "counts": counts.iter().map(Count::to_json).collect::<Vec<_>>(),
        "rules": rules,
    })
}

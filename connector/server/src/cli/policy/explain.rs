//! `twinlink policy explain`: one caller, and what the policies make of them.

use super::count::{Count, count};
use super::suppose::{Supposed, claim};
use super::{compiled, instant, term};
use crate::cli::{Console, Failure};
use crate::config::Config;
use clap::Args;
use oxrdf::{NamedNode, Term};
use oxsdatatypes::DateTime;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_policy::{
    Ask, Basis, Debtor, Explanation, Guard, Obligation, Permit, PolicySet, RuleExplanation,
    Selector,
};
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
    /// A kind of incident that goes on, as far as this question goes. May be given more than once.
    #[arg(long = "incident", value_name = "IRI", value_parser = term)]
    incidents: Vec<NamedNode>,
    /// Where it goes on: WKT, longitude before latitude.
    #[arg(long, value_name = "WKT", requires = "incidents")]
    area: Option<String>,
    /// The caller breaks the glass for that incident.
    #[arg(long, requires = "incidents")]
    break_glass: bool,
    /// What else the caller's token says, such as tl:legalBasis=IRI. May be given more than once.
    #[arg(long = "claim", value_name = "OPERAND=VALUE", value_parser = claim)]
    claims: Vec<(NamedNode, Term)>,
    /// Count the statements shown, beside those that a steward sees. The connector must not run.
    #[arg(long)]
    count: bool,
    /// Count the rows that this SPARQL query finds, too.
    #[arg(long, value_name = "SPARQL")]
    query: Option<String>,
    /// As JSON: permitted, terms, glass_to_break, shown, withheld, layers (what is shown, changed and counted, each with what
    /// is withheld from it), counts, rules.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    file: &Path,
    given: &ExplainArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let set = in_force(file, &given.files)?;
    let now = given.at.unwrap_or_else(DateTime::now);
    let world = Supposed::default()
        .during(&given.incidents, given.area.clone(), now, set.purposes())
        .breaking_glass(given.break_glass)
        .claiming(given.claims());
    let explanation = set.explain_in(&given.ask(now), &world);
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
    } else {
        tell(&explanation, &counts, console);
    }
    Ok(ExitCode::SUCCESS)
}

impl ExplainArguments {
    fn ask(&self, now: DateTime) -> Ask {
        Ask {
            participant: self.participant.clone(),
            subject: "somebody".to_owned(),
            roles: self.roles.clone(),
            purpose: self.purpose.clone(),
            action: self.action.clone().unwrap_or(odrl::READ.into_owned()),
            now,
        }
    }

    fn claims(&self) -> BTreeMap<NamedNode, Vec<Term>> {
        let mut claims: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (operand, value) in &self.claims {
            claims
                .entry(operand.clone())
                .or_default()
                .push(value.clone());
        }
        claims
    }
}

/// In words: the decision, what is counted, and each rule with its conditions.
fn tell(explanation: &Explanation, counts: &[Count], console: &Console) {
    match &explanation.decision {
        Ok(permit) => {
            console.say(match permit.basis() {
                Basis::Ordinary => "permitted",
                Basis::BreakGlass(_) => "permitted by breaking the glass",
            });
            for line in visible(permit.guard()).into_iter().chain(terms(permit)) {
                console.say(format_args!("  {line}"));
            }
        }
        Err(denied) => {
            console.say(format_args!("denied: {denied}"));
            for glass in &denied.outlook.break_glass {
                let (incident, until) = (&glass.incident, glass.until);
                console.say(format_args!(
                    "  glass to break for {incident}, until {until}"
                ));
                for obligation in &glass.obligations {
                    console.say(format_args!("    then {}", owed(obligation)));
                }
            }
        }
    }
    for count in counts {
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

/// What is shown as it is, changed, and in numbers only, each with what is withheld from it.
fn visible(guard: &Guard) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, layer) in guard.layers().enumerate() {
        if number > 0 {
            lines.push("and beside that".to_owned());
        }
        let (permits, prohibitions) = (layer.permits().iter(), layer.prohibitions().iter());
        lines.extend(permits.map(|one| format!("shows     {}", in_words(one))));
        let changed = layer.transformed().iter();
        lines.extend(changed.map(|one| format!("changes   {one}")));
        let counted = layer.statistics().iter();
        lines.extend(counted.map(|one| format!("counts    {one}")));
        lines.extend(prohibitions.map(|one| format!("withholds {}", in_words(one))));
    }
    lines
}

/// The same, as data.
fn layer_to_json(layer: &Guard) -> Value {
    let changed = layer.transformed().iter().map(ToString::to_string);
    let counted = layer.statistics().iter().map(ToString::to_string);
    json!({
        "shown": words(layer.permits().iter()),
        "changed": changed.collect::<Vec<_>>(),
        "counted": counted.collect::<Vec<_>>(),
        "withheld": words(layer.prohibitions().iter()),
    })
}

/// On what terms it is permitted.
fn terms(permit: &Permit) -> impl Iterator<Item = String> {
    let charges = permit.charges().iter().map(|charge| {
        let counter = &charge.counter;
        let limit = charge
            .limit
            .map_or(String::new(), |limit| format!(" of {limit}"));
        format!(
            "is one use{limit} by {} {} of {}",
            counter.kind, counter.rule, counter.policy
        )
    });
    let obligations = permit
        .obligations()
        .iter()
        .map(|one| format!("then {}", owed(one)));
    let until = permit.valid_until();
    let until = until.map(|until| format!("holds until {until}, as far as time goes"));
    let all: Vec<_> = charges.chain(obligations).chain(until).collect();
    all.into_iter()
}

fn owed(obligation: &Obligation) -> String {
    let who = match obligation.debtor {
        Debtor::Caller => "the caller",
        Debtor::Owner => "the owner",
    };
    let due = obligation
        .due
        .map_or(String::new(), |due| format!(" until {due}"));
    format!(
        "{who} owes {}{due}, by {}",
        obligation.action, obligation.policy
    )
}

fn obligation_to_json(obligation: &Obligation) -> Value {
    json!({
        "action": obligation.action.as_str(),
        "policy": obligation.policy.as_str(),
        "debtor": match obligation.debtor {
            Debtor::Caller => "caller",
            Debtor::Owner => "owner",
        },
        "due": obligation.due.map(|due| due.to_string()),
    })
}

fn terms_to_json(permit: &Permit) -> Value {
    let charges: Vec<Value> = permit
        .charges()
        .iter()
        .map(|charge| {
            json!({
                "policy": charge.counter.policy.as_str(),
                "kind": charge.counter.kind.to_string(),
                "number": charge.counter.rule,
                "limit": charge.limit,
            })
        })
        .collect();
    let obligations = permit.obligations().iter();
    json!({
        "basis": match permit.basis() {
            Basis::Ordinary => "ordinary",
            Basis::BreakGlass(_) => "break-glass",
        },
        "valid_until": permit.valid_until().map(|until| until.to_string()),
        "charges": charges,
        "obligations": obligations.map(obligation_to_json).collect::<Vec<_>>(),
    })
}

fn words<'a>(selectors: impl Iterator<Item = &'a Selector>) -> Vec<String> {
    selectors.map(in_words).collect()
}

fn in_words(selector: &Selector) -> String {
    if *selector == Selector::default() {
        "everything".to_owned()
    } else {
        selector.to_string()
    }
}

fn to_json(explanation: &Explanation, counts: &[Count]) -> Value {
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
    let permit = explanation.decision.as_ref().ok();
    let layers: Vec<&Guard> = permit.iter().flat_map(|one| one.guard().layers()).collect();
    let shown = layers.iter().flat_map(|layer| layer.permits());
    let withheld = layers.iter().flat_map(|layer| layer.prohibitions());
    let (terms, glass) = match &explanation.decision {
        Ok(permit) => (terms_to_json(permit), false),
        Err(denied) => (Value::Null, !denied.outlook.break_glass.is_empty()),
    };
    json!({
        "permitted": explanation.decision.is_ok(),
        "terms": terms,
        "glass_to_break": glass,
        "shown": words(shown),
        "withheld": words(withheld),
        "layers": layers.iter().map(|layer| layer_to_json(layer)).collect::<Vec<_>>(),
        "counts": counts.iter().map(Count::to_json).collect::<Vec<_>>(),
        "rules": rules,
    })
}

//! `twinlink policy test`: what policies should do, written down next to them.

use super::suppose::{Supposed, value};
use super::{compiled, explain, instant, term};
use crate::cli::{Console, Failure};
use crate::config::{self, Config};
use clap::Args;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_policy::analyse::comparison::{Extent, extent};
use twinlink_policy::{
    Ask, Explanation, GraphNameKey, Guard, PolicySet, RuleExplanation, RuleKind, Selector,
};
use twinlink_vocab::{odrl, tl};

#[derive(Debug, Args)]
#[command(
    after_help = "A file of expectations is TOML, and lies next to the policies it is about:\n\n  \
                  policies = [\"police.ttl\"]          # relative to this file; without it, those of the configuration\n\n  \
                  [[expect]]\n  \
                  name = \"rescue officers see cordons, but nobody's name\"\n  \
                  participant = \"https://rescue.example/\"\n  \
                  roles = [\"tl:RescueOfficer\"]\n  \
                  purpose = \"tl:EmergencyResponse\"\n  \
                  action = \"odrl:read\"               # the default\n  \
                  at = \"2026-11-20T12:00:00Z\"        # default: now\n  \
                  incidents = [\"tl:Incident\"]        # kinds of an incident that goes on; default: none\n  \
                  break_glass = true                 # for that incident; default: false\n  \
                  claims = { \"tl:legalBasis\" = [\"https://example.org/basis\"] }\n  \
                  decision = \"permitted\"             # or \"denied\", or \"glass\": denied, but by breaking the glass\n  \
                  sees = [{ graph = \"https://police.example/graph/cordons\", property = \"tl:polygon\" }]\n  \
                  withholds = [{ property = \"tl:personName\" }]\n  \
                  limits = [{ property = \"tl:personBirthDate\" }]\n\n\
                  What the caller `sees` must be visible to the last statement, of what it `withholds` none may be. What it\n\
                  `limits` is visible in part, changed, or told in numbers only.\n\
                  A part of the dataset is named by graph (tl:DefaultGraph for the unnamed one), property and class, or\n\
                  by none of them for all. Exit code 1 where an expectation is not met; the rule at fault is named."
)]
pub(in crate::cli) struct TestArguments {
    /// Files of expectations.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// As JSON: a list of expectations with file, name, met and detail.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectations {
    policies: Option<Vec<PathBuf>>,
    expect: Vec<Expectation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    name: String,
    participant: String,
    #[serde(default)]
    roles: Vec<String>,
    purpose: Option<String>,
    action: Option<String>,
    at: Option<String>,
    #[serde(default)]
    incidents: Vec<String>,
    area: Option<String>,
    #[serde(default)]
    break_glass: bool,
    #[serde(default)]
    claims: BTreeMap<String, Vec<String>>,
    decision: Decision,
    #[serde(default)]
    sees: Vec<Part>,
    #[serde(default)]
    withholds: Vec<Part>,
    #[serde(default)]
    limits: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Permitted,
    Denied,
    /// Denied, unless the caller breaks the glass.
    Glass,
}

/// A part of the dataset.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    graph: Option<String>,
    property: Option<String>,
    class: Option<String>,
}

/// One expectation, judged: empty where it is met, otherwise all that is wrong.
struct Judged {
    file: String,
    name: String,
    wrong: Vec<String>,
}

pub(super) fn run(
    file: &Path,
    given: &TestArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let mut judged = Vec::new();
    for path in &given.files {
        judged.extend(judge(file, path)?);
    }
    let failed = judged.iter().filter(|one| !one.wrong.is_empty()).count();
    if given.json {
        let list: Vec<Value> = judged.iter().map(Judged::to_json).collect();
        console.say(Value::Array(list));
    } else {
        for one in &judged {
            let word = if one.wrong.is_empty() { "ok  " } else { "FAIL" };
            console.say(format_args!("{word} {}: {}", one.file, one.name));
            for line in &one.wrong {
                console.say(format_args!("     {line}"));
            }
        }
    }
    if failed > 0 {
        let total = judged.len();
        return Err(format!("{failed} of {total} expectations are not met").into());
    }
    Ok(ExitCode::SUCCESS)
}

fn judge(config: &Path, path: &Path) -> Result<Vec<Judged>, Failure> {
    let text = super::read(path)?;
    let expectations: Expectations = toml::from_str(&text).map_err(|error| {
        format!(
            "{}: {}",
            path.display(),
            config::place_and_fault(&text, &error)
        )
    })?;
    let config = Config::load(config);
    let set = match &expectations.policies {
        None => crate::wire::policies(&config?)?,
        Some(files) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            let files: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
            compiled(&files, config.ok().as_ref().map(|config| &config.dataset))?
        }
    };
    let expectations = expectations.expect.iter();
    expectations
        .map(|one| {
            let wrong = one
                .wrong(&set)
                .map_err(|problem| format!("{}: `{}` {problem}", path.display(), one.name))?;
            Ok(Judged {
                file: path.display().to_string(),
                name: one.name.clone(),
                wrong,
            })
        })
        .collect()
}

impl Expectation {
    /// All in which the policies do not do as expected.
    fn wrong(&self, set: &PolicySet) -> Result<Vec<String>, String> {
        let ask = self.ask()?;
        let world = self.world(set, ask.now)?;
        let explanation = set.explain_in(&ask, &world);
        let mut wrong = self.wrongly_decided(&explanation);
        let guard = match (&explanation.decision, self.decision) {
            (Ok(permit), _) => permit.guard().clone(),
            // What should be seen is not, for this reason alone.
            (Err(_), Decision::Permitted) => return Ok(wrong),
            (Err(_), Decision::Denied | Decision::Glass) => Guard::nothing(),
        };
        for (parts, wanted, word) in [
            (&self.sees, Extent::All, "is not shown"),
            (&self.withholds, Extent::Nothing, "is not withheld"),
            (
                &self.limits,
                Extent::Part,
                "is shown to the last statement, or not at all",
            ),
        ] {
            for part in parts {
                let selector = part.selector()?;
                let shown = extent(&guard, &selector);
                if shown != wanted {
                    wrong.push(format!("{} {word}", in_words(&selector, shown)));
                    wrong.extend(at_fault(&explanation, wanted));
                }
            }
        }
        Ok(wrong)
    }

    fn wrongly_decided(&self, explanation: &Explanation) -> Vec<String> {
        let mut wrong = Vec::new();
        match (&explanation.decision, self.decision) {
            (Ok(_), Decision::Permitted) => {}
            (Ok(_), Decision::Denied | Decision::Glass) => {
                wrong.push("is permitted, should be denied".to_owned());
                wrong.extend(named(explanation, |rule| {
                    rule.active && rule.kind == RuleKind::Permission
                }));
            }
            (Err(_), Decision::Permitted) => {
                wrong.push("is denied, should be permitted".to_owned());
                let before = wrong.len();
                wrong.extend(named(explanation, |rule| rule.concerns));
                if wrong.len() == before {
                    wrong.push("no rule is about this action and this participant".to_owned());
                }
            }
            (Err(denied), Decision::Glass) if denied.outlook.break_glass.is_empty() => {
                wrong.push("is denied, and there is no glass to break".to_owned());
            }
            (Err(denied), Decision::Denied) if !denied.outlook.break_glass.is_empty() => {
                wrong.push("is denied, but the glass can be broken".to_owned());
            }
            (Err(_), Decision::Denied | Decision::Glass) => {}
        }
        wrong
    }

    fn world(&self, set: &PolicySet, now: DateTime) -> Result<Supposed, String> {
        let kinds = self.incidents.iter().map(|kind| term(kind));
        let kinds: Vec<_> = kinds.collect::<Result<_, _>>()?;
        let claims = self.claims.iter().map(|(operand, values)| {
            let values = values.iter().map(|text| value(text));
            Ok((term(operand)?, values.collect()))
        });
        Ok(Supposed::default()
            .during(&kinds, self.area.clone(), now, set.purposes())
            .breaking_glass(self.break_glass)
            .claiming(claims.collect::<Result<_, String>>()?))
    }

    fn ask(&self) -> Result<Ask, String> {
        let optional = |text: &Option<String>| text.as_deref().map(term).transpose();
        Ok(Ask {
            participant: term(&self.participant)?,
            subject: "somebody".to_owned(),
            roles: self
                .roles
                .iter()
                .map(|role| term(role))
                .collect::<Result<_, _>>()?,
            purpose: optional(&self.purpose)?,
            action: optional(&self.action)?.unwrap_or(odrl::READ.into_owned()),
            now: match &self.at {
                Some(text) => instant(text)?,
                None => DateTime::now(),
            },
        })
    }
}

impl Part {
    fn selector(&self) -> Result<Selector, String> {
        let optional = |text: &Option<String>| -> Result<Option<NamedNode>, String> {
            text.as_deref().map(term).transpose()
        };
        let graph = optional(&self.graph)?.map(|graph| match graph == tl::DEFAULT_GRAPH {
            true => GraphNameKey::Default,
            false => GraphNameKey::Named(graph),
        });
        Ok(Selector {
            graph,
            property: optional(&self.property)?,
            class: optional(&self.class)?,
            ..Selector::default()
        })
    }
}

/// The rules at fault, each with why it counts or not.
/// What was looked at, and whether only a part of it is shown.
fn in_words(selector: &Selector, shown: Extent) -> String {
    let extent = match shown {
        Extent::Part => "a part of ",
        Extent::All | Extent::Nothing => "",
    };
    let what = match *selector == Selector::default() {
        true => "everything".to_owned(),
        false => selector.to_string(),
    };
    format!("{extent}{what}")
}

/// The active rules of the kind that can be why it is not as wanted; all active ones where there are none of it.
fn at_fault(explanation: &Explanation, wanted: Extent) -> Vec<String> {
    let kind = match wanted {
        Extent::Nothing => RuleKind::Permission,
        _ => RuleKind::Prohibition,
    };
    let of_kind = named(explanation, |rule| rule.active && rule.kind == kind);
    match of_kind.is_empty() {
        true => named(explanation, |rule| rule.active),
        false => of_kind,
    }
}

fn named(explanation: &Explanation, is_at_fault: impl Fn(&RuleExplanation) -> bool) -> Vec<String> {
    let rules = explanation.rules.iter().filter(|rule| is_at_fault(rule));
    rules
        .map(|rule| {
            format!(
                "{} {} of <{}> {}: {}",
                rule.kind,
                rule.number,
                rule.policy.as_str(),
                explain::reason(rule),
                rule.rule
            )
        })
        .collect()
}

impl Judged {
    fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "name": self.name,
            "met": self.wrong.is_empty(),
            "detail": self.wrong,
        })
    }
}

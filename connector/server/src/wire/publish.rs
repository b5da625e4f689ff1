//! Published policies: read from their folder, checked, compiled; all of them or none.

use crate::cli::Failure;
use crate::config::Config;
use oxrdf::vocab::rdfs;
use oxrdf::{NamedNodeRef, NamedOrBlankNode, Term};
use oxrdfio::{JsonLdProfileSet, RdfFormat, RdfParser};
use oxsdatatypes::DateTime;
use std::path::Path;
use twinlink_policy::{
    Ask, Permit, Policy, PolicyError, PolicyKind, PolicySet, PurposeHierarchy, PurposeRules,
};
use twinlink_trust::Reading;
use twinlink_vocab::{skos, tl};

/// All published policies, compiled. One that is not understood stops the connector: it might have been a prohibition.
// INVARIANT(whole-policies): a policy file with an error puts no policy in force, and none out of force.
pub(crate) fn policies(config: &Config) -> Result<PolicySet, Failure> {
    policies_from(&Reading::default(), config)
}

pub(super) fn policies_from(reading: &Reading, config: &Config) -> Result<PolicySet, Failure> {
    let mut all = Vec::new();
    for path in config.policy_files_from(reading)? {
        let text = reading
            .text(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let parsed = Policy::parse(&text, policy_format(&path), Some(config.dataset.as_str()))
            .map_err(|errors| in_words(&path, &errors))?;
        all.extend(parsed);
    }
    if let Some(foreign) = all.iter().find(|policy| !is_ours(config, policy)) {
        return Err(format!(
            "{}: the agreement {} names another assigner than {}: nobody else gives our data away",
            config.policies.display(),
            foreign.uid(),
            config.participant
        )
        .into());
    }
    let (hierarchy, rules) = profiles(reading, config)?;
    let failed = |errors: Vec<PolicyError>| in_words(&config.policies, &errors);
    let set = PolicySet::compile_with(config.dataset.clone(), all, hierarchy).map_err(failed)?;
    let set = set.with_purpose_rules(rules);
    match config.policy.legal_bases {
        true => set.with_legal_bases().map_err(failed),
        false => Ok(set),
    }
}

/// Whether an agreement is one that this organisation made. Other policies need no assigner.
// INVARIANT(own-agreements): an agreement has effect only if its assigner is the connector's participant.
fn is_ours(config: &Config, policy: &Policy) -> bool {
    policy.kind() != PolicyKind::Agreement
        || policy.assigners() == std::slice::from_ref(&config.participant)
}

/// Which concepts are kinds of which, and who may state which purpose: what is built in, and what the files add.
fn profiles(
    reading: &Reading,
    config: &Config,
) -> Result<(PurposeHierarchy, PurposeRules), Failure> {
    let mut hierarchy = PurposeHierarchy::standard();
    let mut rules = PurposeRules::default();
    for path in &config.policy.profiles {
        let text = reading
            .text(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let read = PurposeRules::parse(&text).map_err(|error| in_words(path, &[error]))?;
        rules = rules.and(read);
        for quad in RdfParser::from_format(RdfFormat::Turtle).for_slice(&text) {
            let quad = quad.map_err(|error| format!("{}: {error}", path.display()))?;
            let is_broader = [skos::BROADER, skos::BROAD_MATCH, rdfs::SUB_CLASS_OF]
                .contains(&quad.predicate.as_ref());
            if let (true, NamedOrBlankNode::NamedNode(narrow), Term::NamedNode(broad)) =
                (is_broader, quad.subject, quad.object)
            {
                hierarchy.add(narrow, broad);
            }
        }
    }
    Ok((hierarchy, rules))
}

/// What the organisation's own steward may do with its twin while no connector runs: by the same policies.
pub(crate) fn steward(config: &Config, action: NamedNodeRef<'_>) -> Result<Permit, Failure> {
    let ask = Ask {
        participant: config.participant.clone(),
        subject: "steward".to_owned(),
        roles: vec![tl::STEWARD.into_owned()],
        purpose: None,
        action: action.into_owned(),
        now: DateTime::now(),
    };
    policies(config)?.decide(&ask).map_err(|denied| {
        format!(
            "{denied}, also with role <{}>: see `twinlink policy check`",
            tl::STEWARD.as_str()
        )
        .into()
    })
}

/// The syntax of a policy file, by its ending.
pub(crate) fn policy_format(path: &Path) -> RdfFormat {
    if path.extension().is_some_and(|ending| ending == "jsonld") {
        RdfFormat::JsonLd {
            profile: JsonLdProfileSet::empty(),
        }
    } else {
        RdfFormat::Turtle
    }
}

fn in_words(path: &Path, errors: &[PolicyError]) -> Failure {
    let lines: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {error}", path.display()))
        .collect();
    lines.join("\n").into()
}

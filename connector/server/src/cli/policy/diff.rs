//! `twinlink policy diff`: who gains and who loses.

use super::{access_to_json, compiled};
use crate::cli::{Console, Failure};
use crate::config::Config;
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_policy::analyse::comparison::{Change, changes};

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is asked of any data: the conditions of all rules are compared, over every caller, action, time\n\
                  and part of the dataset. For each permission by which somebody gains or loses, one example is given;\n\
                  what does not matter in it is filled in with names under https://example.org/ and with the year 2000.\n\n\
                  Example: twinlink policy diff policies/ review/policies/"
)]
pub(in crate::cli) struct DiffArguments {
    /// The policies that are in force: a file or a folder.
    old: PathBuf,
    /// Those that would take their place: a file or a folder.
    new: PathBuf,
    /// As JSON: gains and losses.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    file: &Path,
    given: &DiffArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file).ok();
    let dataset = config.as_ref().map(|config| &config.dataset);
    let set = |path: &PathBuf| compiled(std::slice::from_ref(path), dataset);
    let found = changes(&set(&given.old)?, &set(&given.new)?);
    if given.json {
        let of = |is_gain| -> Vec<Value> {
            let changes = found.iter().filter(|change| change.is_gain == is_gain);
            changes.map(to_json).collect()
        };
        console.say(json!({"gains": of(true), "losses": of(false)}));
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        console.say("nobody gains, nobody loses");
    }
    for change in &found {
        let (word, set) = match change.is_gain {
            true => ("gain", "new"),
            false => ("loss", "old"),
        };
        console.say(format_args!(
            "{word} by {set} permission {} of <{}>: {}",
            change.number,
            change.policy.as_str(),
            change.rule
        ));
        match &change.example {
            Some(access) => console.say(format_args!("  for example: {access}")),
            None => console.say("  perhaps: the policies are too large to tell"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(change: &Change) -> Value {
    json!({
        "policy": change.policy.as_str(),
        "permission": change.number,
        "rule": change.rule,
        "example": change.example.as_ref().map(access_to_json),
    })
}

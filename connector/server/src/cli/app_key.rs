//! `twinlink app-key`: the key of an app without a certificate.

use super::{Console, Failure};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_trust::{SigningKey, write_private};

#[derive(Debug, Args)]
#[command(
    after_help = "The app keeps the file; nobody else needs it. The connector takes such apps where its configuration says\n\
                  `[apps] dpop = true`: their tokens are bound to the key, and each question proves and is signed with it.\n\n\
                  Example: an app of this organisation asks, and keeps what it was promised\n  \
                  twinlink app-key field-app.key\n  \
                  twinlink query --app-key field-app.key --receipt answer.receipt 'SELECT * { ?s ?p ?o } LIMIT 5'\n  \
                  twinlink audit verify --receipt answer.receipt\n\n\
                  The public key (a JWK) is what `keys` in clients/*.toml takes, so that the app gets its tokens itself, and the\n\
                  thumbprint what `twinlink token --jkt` takes."
)]
pub(super) struct AppKeyArguments {
    /// The key's file (PEM). It is made, for your eyes only, if it is not there.
    file: PathBuf,
    /// As JSON: the thumbprint, and the public key as a JWK.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(given: &AppKeyArguments, console: &Console) -> Result<ExitCode, Failure> {
    let is_new = !given.file.exists();
    let key = load_or_make(&given.file)?;
    let jwk = key.public().to_jwk();
    if given.json {
        let jwk: Value = serde_json::from_str(&jwk)?;
        console.say(json!({"thumbprint": key.public().thumbprint(), "jwk": jwk}));
    } else {
        console.say(format_args!("thumbprint  {}", key.public().thumbprint()));
        console.say(format_args!("public key  {jwk}"));
    }
    if is_new {
        console.note(format_args!("wrote {}", given.file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The key in this file, which is made if it is not there.
pub(super) fn load_or_make(path: &Path) -> Result<SigningKey, Failure> {
    if !path.exists() {
        write_private(path, SigningKey::generate()?.to_pem()?.reveal())?;
    }
    Ok(SigningKey::load(path)?)
}

/// The key in this file.
pub(super) fn load(path: &Path) -> Result<SigningKey, Failure> {
    match path.exists() {
        true => Ok(SigningKey::load(path)?),
        false => Err(format!(
            "there is no {0}: `twinlink app-key {0}` makes one",
            path.display()
        )
        .into()),
    }
}

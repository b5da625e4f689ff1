//! `twinlink proof`: what an app without a certificate shows with each request, for who tries it by hand.

use super::{Console, Failure};
use clap::Args;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use time::OffsetDateTime;
use twinlink_core::Secret;
use twinlink_trust::{Proof, ProofOf, SigningKey};

#[derive(Debug, Args)]
pub(super) struct ProofArguments {
    /// The method of the request; POST for gRPC.
    method: String,
    /// Its URL, as the connector calls itself.
    url: String,
    /// The key that the token is bound to: PEM, as `twinlink token --dpop-key` makes it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The nonce of the connector's last answer: its header DPoP-Nonce.
    #[arg(long, value_name = "NONCE")]
    nonce: Option<String>,
    /// Without the token, as for a request of a token. Otherwise the token is read from standard input.
    #[arg(long)]
    no_token: bool,
}

pub(super) fn run(given: &ProofArguments, console: &Console) -> Result<ExitCode, Failure> {
    let key = SigningKey::load(&given.key)?;
    let mut text = String::new();
    if !given.no_token {
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read the token from standard input: {error}"))?;
    }
    let token = Secret::new(text.trim());
    let of = ProofOf {
        method: &given.method,
        url: &given.url,
        token: (!given.no_token).then_some(&token),
        nonces: None,
    };
    let proof = Proof::make(&key, &of, given.nonce.as_deref(), OffsetDateTime::now_utc())?;
    console.say(proof.reveal());
    Ok(ExitCode::SUCCESS)
}

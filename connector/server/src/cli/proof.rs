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
    #[arg(value_parser = method)]
    method: String,
    /// Its URL, as the connector calls itself.
    #[arg(value_parser = url)]
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
    if !given.no_token && text.trim().is_empty() {
        return Err("there is no token on standard input: pipe it in, or say --no-token".into());
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

/// A proof is for one method as it stands in the request, so a mistake here would be told only as a proof that is wrong.
fn method(text: &str) -> Result<String, String> {
    match http::Method::from_bytes(text.as_bytes()) {
        Ok(_) if text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(text.to_owned()),
        _ => Err("expected a method such as GET or POST, in capital letters".to_owned()),
    }
}

fn url(text: &str) -> Result<String, String> {
    let url: Option<http::Uri> = text.parse().ok();
    let is_whole = url.is_some_and(|url| url.scheme_str() == Some("https") && url.host().is_some());
    match is_whole {
        true => Ok(text.to_owned()),
        false => Err("expected a URL such as https://city.example:7443/sparql".to_owned()),
    }
}

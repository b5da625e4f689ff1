//! An import that a running connector takes: signed as it is sent, and held against its receipt.

use super::PATIENCE;
use crate::cli::Failure;
use crate::cli::ask::no_answer;
use crate::cli::partial::Partial;
use crate::config::Config;
use crate::session::{Person, Session};
use crate::wire;
use oxrdf::{NamedNode, Quad};
use sha2::{Digest as _, Sha256};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use twinlink_client::{Error, ImportOptions, Imported};
use twinlink_core::{Operation, Signable, operation_digest};
use twinlink_ingest::Syntax;
use twinlink_trust::{Arrived, SigningKey, verify_receipt};
use uuid::Uuid;

/// Quads in one piece of text.
const CHUNK: usize = 256 * 1024;

/// How long the token for an import lives: it is looked at before the first byte and after the last.
const TOKEN: Duration = PATIENCE;

/// What was signed: its id here, and its digest.
type Signed = Arc<OnceLock<(String, String)>>;

/// The connector runs and owns its store: it takes the quads over gRPC, as a steward's import, all or none.
pub(super) fn send(
    config: &Config,
    person: &Person,
    app: Option<&SigningKey>,
    quads: Vec<Quad>,
    receipt: Option<Partial>,
) -> Result<u64, Failure> {
    let session = Session::open(config, None)?;
    let (imported, signed) = wire::runtime()?.block_on(async {
        let signing = session
            .connect_signing(person, app, TOKEN)
            .await
            .map_err(|error| no_answer(&session, &error))?;
        let client = signing.client.clone();
        let options = ImportOptions {
            media_type: Syntax::NQuads.media_type().to_owned(),
            base: None,
            graph: None,
            gzip: false,
            replace: false,
            purpose: person.purpose.clone(),
            deadline: Instant::now() + PATIENCE,
        };
        let sent = Arc::new(Mutex::new(Sha256::new()));
        let chunks = Chunks {
            quads: quads.into_iter(),
            sent: Arc::clone(&sent),
        };
        let signed = Signed::default();
        let to_check = Arc::clone(&signed);
        let sign = move || {
            let sent = sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let signable = Signable::new(operation_digest(&Operation {
                kind: "insert",
                media_type: Syntax::NQuads.media_type(),
                body: &format!("{:x}", sent.finalize()),
                ..Operation::default()
            }));
            let (id, envelope) = signing
                .sign(&signable)
                .map_err(|error| Error::Token(error.to_string()))?;
            signed.get_or_init(|| (id, signable.digest));
            Ok(envelope)
        };
        let chunks = futures::stream::iter(chunks);
        let imported = client.import_signed(options, chunks, sign).await?;
        Ok::<_, Failure>((imported, to_check))
    })?;
    // A connector of an earlier version gives none.
    if !imported.receipt.is_empty() || receipt.is_some() {
        check(&session, &config.participant, &signed, &imported)?;
    }
    if let Some(mut kept) = receipt {
        kept.write(format!("{}\n", imported.receipt).as_bytes())?;
        kept.sync()?;
        kept.keep()?;
    }
    Ok(imported.inserted)
}

/// Checks that the receipt is the connector's, of these bytes and of what it says that it did.
fn check(
    session: &Session,
    own: &NamedNode,
    signed: &Signed,
    imported: &Imported,
) -> Result<(), Failure> {
    let (provider, trusted) = (session.audience(), session.trusted());
    let (transaction, digest) = signed.get().ok_or("the import was not signed")?;
    let arrived = Arrived {
        provider,
        request: Uuid::nil(),
        transaction,
        request_digest: digest,
        result_digest: "",
        rows: imported.inserted + imported.removed,
        receipt: &imported.receipt,
    };
    verify_receipt(&imported.receipt, provider, trusted.keys(provider))
        .and_then(|claims| claims.check_arrived(&arrived, own))
        .map_err(|refusal| {
            format!("the quads were taken, but the receipt is not of them: {refusal}").into()
        })
}

/// N-Quads text in pieces, made and digested as they are sent.
struct Chunks {
    quads: std::vec::IntoIter<Quad>,
    sent: Arc<Mutex<Sha256>>,
}

impl Iterator for Chunks {
    type Item = io::Result<bytes::Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut text = String::with_capacity(CHUNK);
        while text.len() < CHUNK
            && let Some(quad) = self.quads.next()
        {
            text.push_str(&quad.to_string());
            text.push_str(" .\n");
        }
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.update(&text);
        (!text.is_empty()).then(|| Ok(text.into()))
    }
}

//! Who is asking, and what was answered: keys, certificates, tokens, receipts.
//!
//! Owns: private keys, certificates and TLS, access tokens, who is trusted for what, the signed log of use.
//! Never: sockets, an async runtime, policies, a clock of its own. Enter at: [`Trusted`] and [`TokenAuthenticator`].

mod authenticator;
mod authority;
mod certificate;
mod error;
mod identity;
mod json;
mod jws;
mod key;
mod manifest;
mod merkle;
mod once;
mod pem;
mod receipt;
mod renewal;
#[cfg(test)]
mod testing;
mod tls;
mod token;
mod trusted;

pub use authenticator::{Apps, MustSign, TokenAuthenticator};
pub use authority::{Authority, Issued, Subject, request_certificate};
pub use certificate::{CertificateFacts, thumbprint};
pub use error::TrustError;
pub use identity::{CurrentIdentity, Identity};
pub use jws::verify_jws;
pub use key::{Algorithm, PublicKey, SigningKey};
pub use manifest::{sign_manifest, verify_manifest};
pub use merkle::{Digest256, Growth, Peaks, verify_consistency, verify_inclusion};
pub use once::{By, NotOnce, OnceStore};
pub use pem::{read_file, write_private, write_public};
pub use receipt::{
    ACKNOWLEDGED_TOGETHER, Acknowledgement, Agreement, Answered, Arrived, Asking, Audit,
    Checkpoint, Entry, EntryKind, EnvelopeClaims, Exchange, Expected, Purged, Readmission,
    ReceiptClaims, Receipts, Received, Sealed, Shown, Statements, TransactionRecord, Used, Witness,
    Witnessed, audit, check_end, claimed_signer, consumed, dataset_versions, export_transactions,
    find_purgeable, list_entries, own_keys, peers_keys, prove_consistency, provided, reconcile,
    show_entries, tombstone, unrecorded_purges, unsigned, verify_checkpoint, verify_cosignature,
    verify_envelope, verify_log, verify_receipt, verify_statements, witnessed,
};
pub use renewal::{Expiry, Fingerprint, Reading, Renewal, Urgency, check_identity, read_set};
pub use tls::{
    ClientCertificates, Protocol, Watcher, app_config, client_config, server_config,
    server_config_watched,
};
pub use token::{
    Assertion, AssertionOf, Binding, HeldRequest, Introspection, IssuedToken, Nonces, Proof,
    ProofOf, REVOKE, RequestOf, Revoked, TokenExchange, TokenIssuer, TokenRequest, VerifiedToken,
    claimed_client, sign_request, verify_assertion, verify_bound_token, verify_held_request,
    verify_subject_token, verify_token,
};
pub use trusted::{Assertable, Registry, Trusted, TrustedParty};

//! Certificates that a token brings along: <https://www.rfc-editor.org/rfc/rfc7515#section-4.1.6>.

use super::{Tokens, fault, with};
use crate::attacks::forge::Forger;
use crate::library::Fault;
use crate::town::{Organisation, certify};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

impl Tokens<'_> {
    /// Each signed with the key of the certificate that it shows.
    pub(super) fn chains(&mut self) -> Result<(), Fault> {
        let (police, id) = (&self.town.police, self.town.police.id.as_str());
        let stranger = Organisation::new(id)?;
        let root = stranger.authority.certificate_pem().as_bytes();
        let root = CertificateDer::from_pem_slice(root).map_err(fault)?;
        let own = stranger.identity.load();
        let expired = certify(&police.authority, id, time::Duration::minutes(-1))?.load();
        let leaf = |certificate: &[u8]| STANDARD.encode(certificate);
        for (name, identity, chain) in [
            ("self-signed", &own, vec![leaf(&root)]),
            (
                "of another authority",
                &own,
                vec![leaf(own.certificate()), leaf(&root)],
            ),
            ("expired", &expired, vec![leaf(expired.certificate())]),
        ] {
            let header = with(&self.header, "x5c", json!(chain)).to_string();
            let token = Forger::new(identity)?.sign(&header, &self.claims.to_string())?;
            self.add(format!("header x5c, {name}"), token, "token.header");
        }
        Ok(())
    }
}

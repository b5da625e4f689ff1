//! Proofs of possession, for a client without a certificate: <https://www.rfc-editor.org/rfc/rfc9449>.

use crate::{Error, Token};
use std::sync::{Arc, Mutex, PoisonError};
use tonic::{Code, Status};

/// Proves that the client holds the key that its tokens are bound to. Asked anew for every call.
pub trait ProofSource: Send + Sync {
    /// The `DPoP` header of a call of this URL with this token; `nonce` is the last one that the connector gave.
    ///
    /// # Errors
    /// [`Error::Token`] where there is none.
    fn proof(&self, url: &str, token: &str, nonce: Option<&str>) -> Result<String, Error>;
}

/// Who proves, and the connector's nonce: <https://www.rfc-editor.org/rfc/rfc9449#section-8>.
#[derive(Clone)]
pub(crate) struct Proofs {
    source: Arc<dyn ProofSource>,
    /// The connector's URL, without a slash at its end.
    url: String,
    nonce: Arc<Mutex<Option<String>>>,
}

impl Proofs {
    pub(crate) fn new(source: Arc<dyn ProofSource>, url: &str) -> Self {
        Self {
            source,
            url: url.trim_end_matches('/').to_owned(),
            nonce: Arc::default(),
        }
    }

    pub(crate) fn prove(&self, path: &str, token: &Token) -> Result<String, Error> {
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner);
        let url = format!("{}{path}", self.url);
        self.source.proof(&url, token.reveal(), nonce.as_deref())
    }

    pub(crate) fn has_nonce(&self) -> bool {
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner);
        nonce.is_some()
    }

    /// Whether the call was refused for want of this nonce: then it may be made again, with it.
    pub(crate) fn learns(&self, status: &Status) -> bool {
        let header = |name| {
            status
                .metadata()
                .get(name)
                .and_then(|one| one.to_str().ok())
        };
        let is_wanted = status.code() == Code::Unauthenticated
            && header("www-authenticate").is_some_and(|text| text.contains("use_dpop_nonce"));
        let Some(nonce) = header("dpop-nonce").filter(|_| is_wanted) else {
            return false;
        };
        let mut known = self.nonce.lock().unwrap_or_else(PoisonError::into_inner);
        known.replace(nonce.to_owned()).as_deref() != Some(nonce)
    }
}

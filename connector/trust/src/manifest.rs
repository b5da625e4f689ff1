//! What a connector says of a copy of its store, signed: whoever keeps the copy cannot change it unseen.

use crate::{Identity, PublicKey, TrustError, jws};
use twinlink_core::{Code, Refusal};

/// No other JWS of ours has this type.
const MANIFEST: &str = "twinlink-backup+jwt";
/// The longest, in bytes.
const LENGTH: usize = 16 * 1024;

/// Signs what is said, as a compact JWS.
///
/// # Errors
/// [`TrustError`] where it cannot be signed.
pub fn sign_manifest(said: &[u8], identity: &Identity) -> Result<String, TrustError> {
    jws::sign(said, MANIFEST, identity.key())
}

/// What was said, if one of these keys signed it.
///
/// # Errors
/// [`Code::Invalid`], check `backup.signature`.
pub fn verify_manifest(text: &str, keys: &[PublicKey]) -> Result<Vec<u8>, Refusal> {
    jws::read(text, LENGTH, &[MANIFEST])
        .and_then(|unverified| unverified.verify(keys))
        .map_err(|fault| Refusal::new(Code::Invalid, "backup.signature", fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Organisation;

    #[test]
    fn only_the_signers_manifest_is_believed() {
        let [ours, theirs] = ["https://a.example/", "https://b.example/"].map(Organisation::new);
        let identity = ours.identity();
        let text = sign_manifest(b"{}", &identity).unwrap();
        let key = identity.key().public().clone();
        assert_eq!(verify_manifest(&text, &[key]).unwrap(), b"{}");
        let other = theirs.identity().key().public().clone();
        let refusal = verify_manifest(&text, &[other]).unwrap_err();
        assert_eq!(refusal.check(), "backup.signature");
    }
}

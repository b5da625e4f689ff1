//! The signature algorithms of JWS that a party's keys may be for: <https://www.rfc-editor.org/rfc/rfc7518#section-3.1>.

use josekit::jwk::Jwk;
use josekit::jws::{
    ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, JwsVerifier, PS256, PS384, PS512, RS256,
    RS384, RS512,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An algorithm. Each key has exactly one: what a text says of itself never chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 7518 and RFC 8037")]
pub enum Algorithm {
    ES256,
    ES384,
    ES512,
    EdDSA,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    HS256,
    HS384,
    HS512,
}

impl Algorithm {
    const ALL: [Self; 13] = [
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::HS256,
        Self::HS384,
        Self::HS512,
    ];

    /// The names of all that prove who signed: what servers that take them announce.
    pub fn asymmetric() -> Vec<&'static str> {
        let all = Self::ALL.into_iter().filter(|one| !one.is_symmetric());
        all.map(Self::name).collect()
    }

    /// By its name in `alg`, letter by letter.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// As `alg` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
        }
    }

    /// Whether whoever verifies can sign too: such a key proves nothing about who signed.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// The `kty` and `crv` of its keys.
    pub(super) fn kind(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::ES256 => ("EC", Some("P-256")),
            Self::ES384 => ("EC", Some("P-384")),
            Self::ES512 => ("EC", Some("P-521")),
            Self::EdDSA => ("OKP", Some("Ed25519")),
            Self::HS256 | Self::HS384 | Self::HS512 => ("oct", None),
            _ => ("RSA", None),
        }
    }

    /// The length of a coordinate, of a curve's key, or of the shortest secret, in bytes.
    pub(super) fn width(self) -> usize {
        match self {
            Self::ES256 | Self::EdDSA | Self::HS256 => 32,
            Self::ES384 | Self::HS384 => 48,
            Self::ES512 => 66,
            Self::HS512 => 64,
            _ => 0,
        }
    }

    /// Whether a signature is a pair of numbers: <https://www.rfc-editor.org/rfc/rfc7518#section-3.4>.
    pub(super) fn is_pair(self) -> bool {
        matches!(self, Self::ES256 | Self::ES384 | Self::ES512)
    }

    /// josekit's verifier for a key; none where the key is no such key. Whether a point is on its curve, OpenSSL checks.
    pub(super) fn verifier(self, jwk: &Jwk) -> Option<Box<dyn JwsVerifier>> {
        fn boxed<V: JwsVerifier + 'static, E>(made: Result<V, E>) -> Option<Box<dyn JwsVerifier>> {
            made.ok().map(|verifier| Box::new(verifier) as _)
        }
        let make = || match self {
            Self::ES256 => boxed(ES256.verifier_from_jwk(jwk)),
            Self::ES384 => boxed(ES384.verifier_from_jwk(jwk)),
            Self::ES512 => boxed(ES512.verifier_from_jwk(jwk)),
            Self::EdDSA => boxed(EdDSA.verifier_from_jwk(jwk)),
            Self::RS256 => boxed(RS256.verifier_from_jwk(jwk)),
            Self::RS384 => boxed(RS384.verifier_from_jwk(jwk)),
            Self::RS512 => boxed(RS512.verifier_from_jwk(jwk)),
            Self::PS256 => boxed(PS256.verifier_from_jwk(jwk)),
            Self::PS384 => boxed(PS384.verifier_from_jwk(jwk)),
            Self::PS512 => boxed(PS512.verifier_from_jwk(jwk)),
            Self::HS256 => boxed(HS256.verifier_from_jwk(jwk)),
            Self::HS384 => boxed(HS384.verifier_from_jwk(jwk)),
            Self::HS512 => boxed(HS512.verifier_from_jwk(jwk)),
        };
        catch_unwind(AssertUnwindSafe(make)).ok().flatten()
    }
}

//! The members of a JWK, linted: <https://www.rfc-editor.org/rfc/rfc7517#section-4>.

use super::{Algorithm, modulus};
use crate::json;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The longest `kid` that is accepted, in bytes.
const ID_LENGTH: usize = 128;

/// The members that make a key, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Members {
    algorithm: Algorithm,
    id: Option<String>,
    /// Those of RFC 7638, in its order.
    members: BTreeMap<&'static str, String>,
}

/// A JWK as it was given. Members beyond these are refused: none of them may change what a key is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    k: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    // The private parts of all kinds of keys, named to be refused with a word that helps.
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
}

impl Given {
    fn is_private(&self) -> bool {
        let parts = [
            &self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth,
        ];
        parts.into_iter().any(Option::is_some)
    }

    /// What `alg` says; without it, what the curve says. It must be what was pinned, if something was.
    fn algorithm(&self, pinned: Option<Algorithm>) -> Result<Algorithm, String> {
        let curve = self.crv.as_deref();
        let algorithm = match (self.alg.as_deref(), self.kty.as_str(), curve) {
            (Some(name), _, _) => Algorithm::from_name(name)
                .ok_or_else(|| format!("alg {} is none that we verify", json::clip(name)))?,
            (None, "EC", Some("P-256")) => Algorithm::ES256,
            (None, "EC", Some("P-384")) => Algorithm::ES384,
            (None, "EC", Some("P-521")) => Algorithm::ES512,
            (None, "OKP", Some("Ed25519")) => Algorithm::EdDSA,
            _ => return Err("alg is missing, and the kind of key leaves it open".to_owned()),
        };
        if pinned.is_some_and(|pinned| pinned != algorithm) {
            return Err(format!("alg is {}, not what was pinned", algorithm.name()));
        }
        if algorithm.is_symmetric() && pinned.is_none() {
            return Err(
                "is a symmetric key: whoever verifies with it could sign with it".to_owned(),
            );
        }
        if (self.kty.as_str(), curve) != algorithm.kind() {
            let (kind, curve) = algorithm.kind();
            return Err(format!(
                "kty and crv are not those of {}: {kind} {}",
                algorithm.name(),
                curve.unwrap_or_default()
            ));
        }
        Ok(algorithm)
    }
}

impl Members {
    /// Of a point on P-256.
    pub(super) fn new(x: String, y: String) -> Self {
        let members = [
            ("crv", "P-256".to_owned()),
            ("kty", "EC".to_owned()),
            ("x", x),
            ("y", y),
        ];
        Self {
            algorithm: Algorithm::ES256,
            id: None,
            members: members.into(),
        }
    }

    /// A party's public key, or a secret where a symmetric algorithm was pinned.
    pub(super) fn read(text: &str, pinned: Option<Algorithm>) -> Result<Self, String> {
        let given: Given = json::object(text.as_bytes())?;
        if given.is_private() || (given.k.is_some() && given.kty != "oct") {
            return Err("holds a private key: give the public part only".to_owned());
        }
        let algorithm = given.algorithm(pinned)?;
        if given.usage.as_ref().is_some_and(|usage| usage != "sig") {
            return Err("use is not sig".to_owned());
        }
        if given.key_ops.as_ref().is_some_and(|ops| ops != &["verify"]) {
            return Err("key_ops is not [\"verify\"]".to_owned());
        }
        if let Some(id) = &given.kid
            && (id.is_empty() || id.len() > ID_LENGTH || !id.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err("kid is not 1 to 128 visible ASCII characters".to_owned());
        }
        let all = [
            ("x", given.x),
            ("y", given.y),
            ("n", given.n),
            ("e", given.e),
            ("k", given.k),
        ];
        let wanted: &[&str] = match algorithm.kind().0 {
            "EC" => &["x", "y"],
            "OKP" => &["x"],
            "RSA" => &["n", "e"],
            _ => &["k"],
        };
        let mut members = BTreeMap::from([("kty", given.kty)]);
        members.extend(given.crv.map(|curve| ("crv", curve)));
        for (name, value) in all {
            match (wanted.contains(&name), value) {
                (true, Some(value)) => drop(members.insert(name, value)),
                (true, None) => return Err(format!("{name} is missing")),
                (false, Some(_)) => return Err(format!("{name} is not for such a key")),
                (false, None) => {}
            }
        }
        let members = Self {
            algorithm,
            id: given.kid,
            members,
        };
        members.check()?;
        Ok(members)
    }

    /// The numbers.
    fn check(&self) -> Result<(), String> {
        let number = |name: &str| {
            let text = self.members.get(name).map(String::as_str);
            URL_SAFE_NO_PAD
                .decode(text.unwrap_or_default())
                .map_err(|_| format!("{name} is not base64url"))
        };
        let width = self.algorithm.width();
        match self.algorithm.kind().0 {
            "RSA" => modulus::lint(&number("n")?, &number("e")?),
            "oct" if number("k")?.len() < width => Err(format!("k is under {width} bytes")),
            "oct" => Ok(()),
            "EC" if number("y")?.len() != width => {
                Err(format!("y is not {width} bytes in base64url"))
            }
            _ if number("x")?.len() != width => Err(format!("x is not {width} bytes in base64url")),
            _ => Ok(()),
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// As a JWK; without `kid` where the id is empty.
    pub(super) fn write(&self, id: &str) -> String {
        let more = [("kid", id), ("alg", self.algorithm.name())];
        self.json(more.into_iter().filter(|(_, value)| !value.is_empty()))
    }

    pub(super) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.json([])))
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether it is the same key, whatever it is called.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.members == other.members
    }

    /// The point on the curve, uncompressed; nothing of the kind for other keys.
    pub(super) fn point(&self) -> Vec<u8> {
        let coordinate = |name| {
            let text = self.members.get(name).map(String::as_str);
            URL_SAFE_NO_PAD
                .decode(text.unwrap_or_default())
                .unwrap_or_default()
        };
        [vec![4], coordinate("x"), coordinate("y")].concat()
    }

    /// JSON without spaces, its members in this order: that is what a thumbprint is of.
    fn json<'a>(&'a self, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let own = self
            .members
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let members = own.chain(more).map(|(name, value)| {
            // A string always serialises.
            format!(
                "\"{name}\":{}",
                serde_json::to_string(value).unwrap_or_default()
            )
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use crate::{PublicKey, SigningKey};
    use serde_json::{Value, json};

    fn jwk() -> Value {
        serde_json::from_str(&SigningKey::generate().unwrap().public().to_jwk()).unwrap()
    }

    fn refused(jwk: &Value) -> String {
        PublicKey::from_jwk(&jwk.to_string(), "peer")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_jwk_goes_out_and_comes_back() {
        let key = SigningKey::generate().unwrap();
        let again = PublicKey::from_jwk(&key.public().to_jwk(), "peer").unwrap();
        assert_eq!(&again, key.public());
        assert_eq!(again.id(), key.public().thumbprint());
        assert!(!key.public().to_jwk().contains("\"d\""));
    }

    #[test]
    fn keys_that_are_not_for_us_are_refused_with_a_reason() {
        for (name, value, reason) in [
            ("kty", json!("RSA"), "P-256"),
            ("crv", json!("P-384"), "P-256"),
            ("alg", json!("HS256"), "symmetric"),
            ("alg", json!("none"), "alg"),
            ("alg", json!("ES384"), "P-384"),
            ("use", json!("enc"), "use"),
            ("key_ops", json!(["sign"]), "key_ops"),
            ("d", json!("AAAA"), "private"),
            ("k", json!("AAAA"), "private"),
            ("x", json!("AAAA"), "32 bytes"),
            ("x", json!("A".repeat(43)), "curve"),
            ("kid", json!("a\u{0}b"), "kid"),
            ("kid", json!("a".repeat(129)), "kid"),
            ("x5u", json!("http://127.0.0.1/"), "x5u"),
        ] {
            let mut jwk = jwk();
            jwk[name] = value;
            let error = refused(&jwk);
            assert!(
                error.starts_with("peer: ") && error.contains(reason),
                "{name}: {error}"
            );
        }
        let mut jwk = jwk();
        jwk.as_object_mut().unwrap().remove("y");
        assert!(refused(&jwk).contains("missing"));
    }

    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        // Any P-256 key: the members in the order crv, kty, x, y, and nothing else.
        let key = SigningKey::generate().unwrap();
        let jwk: Value = serde_json::from_str(&key.public().to_jwk()).unwrap();
        let canonical = format!(
            r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
            jwk["x"], jwk["y"]
        );
        use base64::Engine;
        use sha2::Digest;
        let expected = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(sha2::Sha256::digest(canonical));
        assert_eq!(key.public().thumbprint(), expected);
    }
}

//! The members of a JWK, linted: <https://www.rfc-editor.org/rfc/rfc7517#section-4>.

use crate::json;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The longest `kid` that is accepted, in bytes.
const ID_LENGTH: usize = 128;

/// The public members of a key on P-256. The order of x and y and the names are those of RFC 7638.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Members {
    x: String,
    y: String,
    id: Option<String>,
}

/// A JWK as it was given. Members beyond these are refused: none of them may change what a key is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    // The private parts of all kinds of keys, named to be refused with a word that helps.
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize)]
struct Written<'a> {
    crv: &'a str,
    kty: &'a str,
    x: &'a str,
    y: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    kid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'a str>,
}

impl Members {
    pub(super) fn new(x: String, y: String) -> Self {
        Self { x, y, id: None }
    }

    pub(super) fn read(text: &str) -> Result<Self, String> {
        let given: Given = json::object(text.as_bytes())?;
        if given.d.is_some() || given.k.is_some() {
            return Err("holds a private key: give the public part only".to_owned());
        }
        if given.kty != "EC" || given.crv.as_deref() != Some("P-256") {
            return Err("is not a key on the curve P-256 (kty EC, crv P-256)".to_owned());
        }
        if given.alg.is_some_and(|alg| alg != "ES256") {
            return Err("alg is not ES256".to_owned());
        }
        if given.usage.is_some_and(|usage| usage != "sig") {
            return Err("use is not sig".to_owned());
        }
        if given.key_ops.is_some_and(|ops| ops != ["verify"]) {
            return Err("key_ops is not [\"verify\"]".to_owned());
        }
        if let Some(id) = &given.kid
            && (id.is_empty() || id.len() > ID_LENGTH || !id.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err("kid is not 1 to 128 visible ASCII characters".to_owned());
        }
        let (Some(x), Some(y)) = (given.x, given.y) else {
            return Err("x or y is missing".to_owned());
        };
        let coordinate = |text: &str| URL_SAFE_NO_PAD.decode(text).is_ok_and(|b| b.len() == 32);
        if !coordinate(&x) || !coordinate(&y) {
            return Err("x or y is not 32 bytes in base64url".to_owned());
        }
        Ok(Self {
            x,
            y,
            id: given.kid,
        })
    }

    /// As a JWK; without `kid` where the id is empty.
    pub(super) fn write(&self, id: &str) -> String {
        self.json(id, Some("ES256"))
    }

    pub(super) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.json("", None)))
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn point(&self) -> Vec<u8> {
        let coordinate = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        [vec![4], coordinate(&self.x), coordinate(&self.y)].concat()
    }

    fn json(&self, kid: &str, alg: Option<&str>) -> String {
        let written = Written {
            crv: "P-256",
            kty: "EC",
            x: &self.x,
            y: &self.y,
            kid,
            alg,
        };
        // A struct of strings always serialises.
        serde_json::to_string(&written).unwrap_or_default()
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
            ("alg", json!("HS256"), "alg"),
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

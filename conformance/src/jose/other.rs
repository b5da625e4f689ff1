//! Another implementation on the same vectors: `jsonwebtoken`, over aws-lc. It reads headers and checks signatures; its
//! decoder of tokens would not do, since most payloads here are no claims.

use super::{Group, Vector, keys};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, crypto, decode_header};
use serde_json::Value;

/// Whether one of the keys signed the text, with the algorithm that this key is for.
pub(super) fn believe(group: &Group, vector: &Vector) -> Result<(), String> {
    let text = vector.text();
    let header = decode_header(&text).map_err(|error| error.to_string())?;
    let (signed, signature) = text.rsplit_once('.').ok_or("it has no signature")?;
    let mut reason = "there is no key".to_owned();
    for key in keys(group) {
        match verify(&key, header.alg, signed, signature) {
            Ok(()) => return Ok(()),
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

fn verify(key: &Value, named: Algorithm, signed: &str, signature: &str) -> Result<(), String> {
    let algorithm = key.get("alg").and_then(Value::as_str).unwrap_or_default();
    let algorithm: Algorithm = algorithm
        .parse()
        .map_err(|_| "the key is for no algorithm")?;
    if algorithm != named {
        return Err("the text is of another algorithm than the key".to_owned());
    }
    let told = |error: &dyn ToString| error.to_string();
    let jwk: Jwk = serde_json::from_value(key.clone()).map_err(|error| told(&error))?;
    let key = DecodingKey::from_jwk(&jwk).map_err(|error| told(&error))?;
    match crypto::verify(signature, signed.as_bytes(), &key, algorithm) {
        Ok(true) => Ok(()),
        Ok(false) => Err("the signature is wrong".to_owned()),
        Err(error) => Err(told(&error)),
    }
}

use super::*;

#[test]
fn a_signed_text_is_read_and_verified() {
    let key = SigningKey::generate().unwrap();
    let text = sign(b"{}", "test+jwt", &key).unwrap();
    let read = read(&text, 1000, &["test+jwt"]).unwrap();
    assert_eq!(read.verify(&[key.public().clone()]).unwrap(), b"{}");
}

#[test]
fn any_type_is_verified_where_nobody_asks_for_one() {
    let key = SigningKey::generate().unwrap();
    let other = SigningKey::generate().unwrap();
    let text = sign(b"{}", "test+jwt", &key).unwrap();
    assert_eq!(
        verify_jws(&text, &[key.public().clone()]).unwrap(),
        b"{}".to_vec()
    );
    let refusal = verify_jws(&text, &[other.public().clone()]).unwrap_err();
    assert_eq!((refusal.code(), refusal.check()), (Code::Invalid, "jws"));
    assert!(read(&text, LENGTH, &["other+jwt"]).is_err());
}

#[test]
fn pinned_algorithm() {
    let key = SigningKey::generate().unwrap();
    for alg in ["none", "HS256", "RS256", "ES384", "EdDSA", "es256"] {
        let header = format!(r#"{{"alg":"{alg}","typ":"test+jwt"}}"#);
        let text = crate::testing::forge(&header, "{}", &key);
        let refusal = verify_jws(&text, &[key.public().clone()]).unwrap_err();
        assert!(refusal.to_string().contains("alg is"), "{refusal}");
    }
}

#[test]
fn every_other_spelling_of_a_signature_is_refused() {
    let key = SigningKey::generate().unwrap();
    let text = sign(b"{}", "test+jwt", &key).unwrap();
    let (rest, last) = text.split_at(text.len() - 1);
    let mut accepted = 0;
    for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=? \n\0".chars() {
        let text = format!("{rest}{c}");
        if read(&text, 1000, &["test+jwt"])
            .and_then(|read| read.verify(&[key.public().clone()]))
            .is_ok()
        {
            assert!(last.starts_with(c));
            accepted += 1;
        }
    }
    assert_eq!(accepted, 1);
}

/// Another implementation, with other cryptography, on the same texts.
fn other_accepts(text: &str, key: &PublicKey) -> bool {
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_str(&key.to_jwk()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<serde_json::Value>(text, &key, &validation).is_ok()
}

#[test]
fn what_is_accepted_another_implementation_accepts() {
    let key = SigningKey::generate().unwrap();
    let keys = [key.public().clone()];
    let text = sign(br#"{"sub":"officer-7"}"#, "test+jwt", &key).unwrap();
    assert!(verify_jws(&text, &keys).is_ok() && other_accepts(&text, &keys[0]));
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.";
    let (mut seed, mut both, mut ours_only) = (0x2545_f491_4f6c_dd1d_u64, 0, Vec::new());
    let mut chance = |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % bound as u64).unwrap()
    };
    for _ in 0..600 {
        let mut bytes = text.clone().into_bytes();
        let at = chance(bytes.len());
        let byte = alphabet[chance(alphabet.len())];
        match chance(4) {
            0 => bytes.insert(at, byte),
            1 => drop(bytes.remove(at)),
            2 => bytes.swap(at, (at + 1) % text.len()),
            _ => bytes[at] = byte,
        }
        let bent = String::from_utf8(bytes).unwrap();
        match (
            verify_jws(&bent, &keys).is_ok(),
            other_accepts(&bent, &keys[0]),
        ) {
            (true, true) => both += 1,
            (true, false) => ours_only.push(bent),
            // A text that they both refuse, or that we are stricter with.
            (false, _) => assert_ne!(bent, text),
        }
    }
    assert!(ours_only.is_empty(), "{ours_only:?}");
    // Now and then nothing changes.
    assert!(both < 60, "{both}");
    // Headers that the other takes and we do not: each is a reason for a reader of our own.
    for header in [
        r#"{"alg":"ES256","crit":["exp"]}"#,
        r#"{"alg":"ES256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"ES256","jku":"https://127.0.0.1/"}"#,
        r#"{"alg":"ES256","kid":"another"}"#,
    ] {
        let text = crate::testing::forge(header, "{}", &key);
        assert!(verify_jws(&text, &keys).is_err(), "{header}");
    }
}

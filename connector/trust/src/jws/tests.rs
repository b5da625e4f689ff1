mod differential;

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

//! Attacks on what surrounds the claims: three parts, header, signature.

use super::Case;
use crate::testing::forge;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

#[test]
fn attacks_on_the_form() {
    let case = Case::new();
    let good = case.sign(&case.header().to_string(), &case.claims().to_string());
    assert_eq!(case.check(&good), "accepted");
    let parts: Vec<&str> = good.split('.').collect();
    for (bad, check) in [
        (String::new(), "token.form"),
        ("a".repeat(9000), "token.length"),
        ("..".to_owned(), "token.header"),
        (format!("{}.{}", parts[0], parts[1]), "token.form"),
        (format!("{good}.e30"), "token.form"),
        (format!("{good}="), "token.form"),
        (format!(" {good}"), "token.form"),
        (good.replace('.', ".\n"), "token.form"),
        (format!("{}.{}.", parts[0], parts[1]), "token.signature"),
        (
            format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
            "token.signature",
        ),
        (
            format!("{}.{}e.{}", parts[0], parts[1], parts[2]),
            "token.form",
        ),
        // Five parts: encrypted. Braces: JSON serialisation.
        ("e30.e30.e30.e30.e30".to_owned(), "token.form"),
        (
            json!({"payload": parts[1], "protected": parts[0], "signature": parts[2]}).to_string(),
            "token.form",
        ),
    ] {
        assert_eq!(case.check(&bad), check, "{bad}");
    }
}

#[test]
fn attacks_on_the_header() {
    let case = Case::new();
    let kid = case.police.identity().key().public().id().to_owned();
    let jwk: Value = serde_json::from_str(&case.rescue.identity().key().public().to_jwk()).unwrap();
    for (member, value) in [
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://169.254.169.254/latest")),
        ("jwk", jwk),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!("exp")),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
    ] {
        let mut header = case.header();
        header[member] = value;
        assert_eq!(
            case.check_header(&header.to_string()),
            "token.header",
            "{member}"
        );
    }
    for alg in [
        "none", "None", "nOnE", "NONE", "", "es256", "HS256", "RS256", "ES384", "ES256K", "EdDSA",
    ] {
        let mut header = case.header();
        header["alg"] = json!(alg);
        assert_eq!(case.check_header(&header.to_string()), "token.alg", "{alg}");
    }
    for typ in [
        "JWT",
        "jwt",
        "AT+JWT",
        "dpop+jwt",
        "logout+jwt",
        "twinlink-receipt+jwt",
        "application/jwt",
        "",
    ] {
        let mut header = case.header();
        header["typ"] = json!(typ);
        assert_eq!(case.check_header(&header.to_string()), "token.typ", "{typ}");
    }
    let rescue = case.rescue.identity().key().public().id().to_owned();
    for id in [
        rescue.as_str(),
        "",
        "../../dev/null",
        "' OR 1=1 --",
        "\u{0}",
        &"k".repeat(5000),
    ] {
        let mut header = case.header();
        header["kid"] = json!(id);
        assert_eq!(case.check_header(&header.to_string()), "token.kid", "{id}");
    }
    for (header, check) in [
        (
            format!(r#"{{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#),
            "token.header",
        ),
        (
            format!(r#"{{"alg":"ES256","typ":"JWT","typ":"at+jwt","kid":"{kid}"}}"#),
            "token.header",
        ),
        (format!(r#"["ES256","at+jwt","{kid}"]"#), "token.header"),
        (
            r#"{"alg":["ES256"],"typ":"at+jwt"}"#.to_owned(),
            "token.header",
        ),
        (r#"{"alg":"ES256"}"#.to_owned(), "token.typ"),
        (r#"{"typ":"at+jwt"}"#.to_owned(), "token.header"),
        ("\"ES256\"".to_owned(), "token.header"),
        ("\u{feff}{}".to_owned(), "token.header"),
        ("{".to_owned(), "token.header"),
        (format!("{{\"alg\":{}", "[".repeat(3000)), "token.header"),
        (r#"{"alg":"ES256","typ":"at+jwt"}"#.to_owned(), "accepted"),
        (
            r#"{"alg":"ES256","typ":"application/at+jwt"}"#.to_owned(),
            "accepted",
        ),
    ] {
        assert_eq!(case.check_header(&header), check, "{header}");
    }
}

#[test]
fn attacks_on_the_signature() {
    let case = Case::new();
    let claims = case.claims().to_string();
    // alg none, with and without its empty signature.
    let none = forge(
        r#"{"alg":"none","typ":"at+jwt"}"#,
        &claims,
        case.police.identity().key(),
    );
    let unsigned = none.split_inclusive('.').take(2).collect::<String>();
    assert_eq!(case.check(&none), "token.alg");
    assert_eq!(case.check(&unsigned), "token.alg");
    // HS256 with the public key as the secret, in each of its public spellings.
    let public = case.police.identity().key().public().clone();
    for secret in [public.to_jwk(), public.thumbprint()] {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"at+jwt"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(&claims));
        let signer = josekit::jws::HS256
            .signer_from_bytes(secret.as_bytes())
            .unwrap();
        let mac = josekit::jws::JwsSigner::sign(&signer, signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
        assert_eq!(case.check(&token), "token.alg");
    }
    // Numbers that are none, and a signature in DER.
    let good = case.sign(&case.header().to_string(), &claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let integer = |half: &[u8]| [&[2, 33, 0][..], half].concat();
    let body = [integer(&raw[..32]), integer(&raw[32..])].concat();
    let der = [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat();
    for bad in [
        vec![0; 64],
        vec![0xff; 64],
        der,
        raw[..63].to_vec(),
        [raw.clone(), vec![0]].concat(),
    ] {
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bad));
        assert_eq!(case.check(&token), "token.signature");
    }
    // Another's key under the issuer's kid, and under no kid.
    let rescue = case.rescue.identity();
    for header in [
        case.header().to_string(),
        r#"{"alg":"ES256","typ":"at+jwt"}"#.to_owned(),
    ] {
        assert_eq!(
            case.check(&forge(&header, &claims, rescue.key())),
            "token.signature"
        );
    }
    // One flipped bit anywhere.
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= 1;
        let text = String::from_utf8(bytes).unwrap();
        assert_ne!(case.check(&text), "accepted", "{text}");
    }
}

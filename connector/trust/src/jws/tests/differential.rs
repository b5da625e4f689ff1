//! Another implementation, with other cryptography, on the same texts: `jsonwebtoken`, over aws-lc.

use super::*;
use crate::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.";
/// Texts that differ from a good one by a step, of each algorithm.
const STEPS: usize = 600;
const PAYLOAD: &str = r#"{"sub":"officer-7"}"#;

/// A key of somebody, and how it signs.
struct Signer {
    algorithm: Algorithm,
    public: PublicKey,
    signer: Box<dyn jws::JwsSigner>,
}

impl Signer {
    fn new(algorithm: Algorithm, key: &Jwk) -> Self {
        fn boxed<S: jws::JwsSigner + 'static, E: std::fmt::Debug>(
            made: Result<S, E>,
        ) -> Box<dyn jws::JwsSigner> {
            Box::new(made.unwrap())
        }
        let signer = match algorithm {
            Algorithm::ES256 => boxed(jws::ES256.signer_from_jwk(key)),
            Algorithm::ES384 => boxed(jws::ES384.signer_from_jwk(key)),
            Algorithm::EdDSA => boxed(jws::EdDSA.signer_from_jwk(key)),
            Algorithm::RS256 => boxed(jws::RS256.signer_from_jwk(key)),
            Algorithm::RS384 => boxed(jws::RS384.signer_from_jwk(key)),
            Algorithm::RS512 => boxed(jws::RS512.signer_from_jwk(key)),
            Algorithm::PS256 => boxed(jws::PS256.signer_from_jwk(key)),
            Algorithm::PS384 => boxed(jws::PS384.signer_from_jwk(key)),
            Algorithm::PS512 => boxed(jws::PS512.signer_from_jwk(key)),
            other => panic!("{} has no other implementation here", other.name()),
        };
        let mut public = key.to_public_key().unwrap();
        public.set_algorithm(algorithm.name());
        Self {
            algorithm,
            public: PublicKey::from_jwk(&public.to_string(), "test").unwrap(),
            signer,
        }
    }

    /// All whose keys a party may have, but ES512, which the other implementation does not know.
    fn all() -> Vec<Self> {
        let rsa = Jwk::generate_rsa_key(2048).unwrap();
        let of = |algorithm, key: Jwk| Self::new(algorithm, &key);
        let mut all = vec![
            of(
                Algorithm::ES256,
                Jwk::generate_ec_key(EcCurve::P256).unwrap(),
            ),
            of(
                Algorithm::ES384,
                Jwk::generate_ec_key(EcCurve::P384).unwrap(),
            ),
            of(
                Algorithm::EdDSA,
                Jwk::generate_ed_key(EdCurve::Ed25519).unwrap(),
            ),
        ];
        for algorithm in [
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ] {
            all.push(Self::new(algorithm, &rsa));
        }
        let known: Vec<_> = all.iter().map(|one| one.algorithm.name()).collect();
        let accepted = Algorithm::asymmetric();
        assert!(
            accepted
                .iter()
                .all(|name| known.contains(name) || *name == "ES512")
        );
        all
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.signer.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn good(&self) -> String {
        let header = format!(r#"{{"alg":"{}","typ":"test+jwt"}}"#, self.algorithm.name());
        self.sign(&header, PAYLOAD)
    }

    fn is_ours(&self, text: &str) -> bool {
        verify_jws(text, std::slice::from_ref(&self.public)).is_ok()
    }

    fn is_theirs(&self, text: &str) -> bool {
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_str(&self.public.to_jwk()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let algorithm = self.algorithm.name().parse().unwrap();
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        jsonwebtoken::decode::<serde_json::Value>(text, &key, &validation).is_ok()
    }
}

#[test]
fn what_is_accepted_another_implementation_accepts() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut chance = |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % bound as u64).unwrap()
    };
    for signer in Signer::all() {
        let (name, text) = (signer.algorithm.name(), signer.good());
        assert!(signer.is_ours(&text) && signer.is_theirs(&text), "{name}");
        let (mut both, mut apart) = (0, Vec::new());
        for _ in 0..STEPS {
            let mut bytes = text.clone().into_bytes();
            let at = chance(bytes.len());
            let byte = ALPHABET[chance(ALPHABET.len())];
            match chance(4) {
                0 => bytes.insert(at, byte),
                1 => drop(bytes.remove(at)),
                2 => bytes.swap(at, (at + 1) % text.len()),
                _ => bytes[at] = byte,
            }
            let bent = String::from_utf8(bytes).unwrap();
            match (signer.is_ours(&bent), signer.is_theirs(&bent)) {
                (true, true) => {
                    // Now and then nothing changes.
                    assert_eq!(bent, text, "{name}");
                    both += 1;
                }
                (false, false) => {}
                (ours, _) => apart.push((ours, bent)),
            }
        }
        assert!(apart.is_empty(), "{name}: {apart:?}");
        assert!(both < STEPS / 10, "{name}: {both}");
    }
}

/// Who signed with one algorithm is not believed under another, by neither.
#[test]
fn an_algorithm_is_that_of_the_key_for_both() {
    let all = Signer::all();
    for signer in &all {
        for other in &all {
            let text = other.good();
            let is_own = signer.algorithm == other.algorithm;
            let (one, two) = (signer.algorithm.name(), other.algorithm.name());
            assert_eq!(signer.is_ours(&text), is_own, "{one} {two}");
            assert_eq!(signer.is_theirs(&text), is_own, "{one} {two}");
        }
    }
}

/// Headers that the other takes and we do not: each is a reason for a reader of our own.
#[test]
fn we_are_stricter_with_headers() {
    for signer in Signer::all() {
        let name = signer.algorithm.name();
        for (more, reason) in [
            (
                r#""crit":["exp"]"#,
                "nobody here understands what is critical",
            ),
            (
                r#""crit":["b64"],"b64":false"#,
                "the payload would be another one",
            ),
            (
                r#""jku":"https://127.0.0.1/""#,
                "keys are configured, not fetched",
            ),
            (r#""kid":"another""#, "no key of the party has this id"),
        ] {
            let text = signer.sign(&format!(r#"{{"alg":"{name}",{more}}}"#), "{}");
            assert!(
                !signer.is_ours(&text) && signer.is_theirs(&text),
                "{name}: {reason}"
            );
        }
    }
}

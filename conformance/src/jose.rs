//! The JOSE vectors of Project Wycheproof: keys as a party's configuration brings them, and texts signed with them.
//!
//! The connector offers ES256 alone. A vector of another algorithm is no case for it; but neither that vector's key nor
//! its text may be taken, which is looked at before it is skipped.

use crate::library::{Fault, Library};
use crate::report::{Report, Verdict};
use oxrdf::NamedNode;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use twinlink_trust::{
    Assertable, Authority, PublicKey, SigningKey, Trusted, TrustedParty, verify_jws,
};

/// The vectors' files, with what their cases are called after.
const FILES: [(&str, &str); 2] = [
    ("jws", "jose/json_web_signature_test.json"),
    ("jwk", "jose/json_web_key_test.json"),
];

/// Whose keys they are said to be.
const SIGNER: &str = "https://signer.example/";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    comment: String,
    /// A JWK, or a set of them.
    public: Option<Value>,
    /// Holds the secret of a symmetric key too: then there is no public part.
    private: Option<Value>,
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    tc_id: usize,
    comment: String,
    /// Compact, or an object where it is serialised as JSON.
    jws: Value,
    result: String,
}

/// What takes in keys and verifies.
struct Verifier {
    authority: String,
    /// A key of the algorithm on offer that signed none of the vectors.
    stranger: PublicKey,
}

pub(crate) fn run(name: &'static str, library: &Library) -> Result<Report, Fault> {
    if FILES.iter().any(|(_, path)| !library.has(path)) {
        return Ok(Report::not_found(name));
    }
    let verifier = Verifier::new()?;
    let (mut accepted, mut refused, mut not_offered) = (0, 0, 0);
    let mut cases = Vec::new();
    for (kind, path) in FILES {
        let text = library.text(&library.iri(path))?;
        let vectors: Vectors =
            serde_json::from_str(&text).map_err(|error| Fault::content(path, error))?;
        let before = cases.len();
        for group in &vectors.test_groups {
            for vector in &group.tests {
                let verdict = verifier.judge(group, vector);
                match (&verdict, vector.result.as_str()) {
                    (Verdict::Passed, "valid") => accepted += 1,
                    (Verdict::Passed, _) => refused += 1,
                    (Verdict::Skipped(_), _) => not_offered += 1,
                    (Verdict::Failed(_), _) => {}
                }
                let case = format!(
                    "{kind} {} {} {}",
                    vector.tc_id, group.comment, vector.comment
                );
                cases.push((case, verdict));
            }
        }
        if cases.len() - before != vectors.number_of_tests {
            return Err(Fault::content(path, "has not as many tests as it says"));
        }
    }
    Ok(Report::of(name, cases)
        .with("accepted rightly", accepted)
        .with("refused rightly", refused)
        .with("refused, algorithm not offered", not_offered))
}

impl Verifier {
    fn new() -> Result<Self, Fault> {
        let fault = |error: &dyn ToString| Fault::Target(error.to_string());
        let authority = Authority::create("conformance", OffsetDateTime::now_utc());
        let authority = authority.map_err(|error| fault(&error))?;
        let stranger = SigningKey::generate().map_err(|error| fault(&error))?;
        Ok(Self {
            authority: authority.certificate_pem().to_owned(),
            stranger: stranger.public().clone(),
        })
    }

    fn judge(&self, group: &Group, vector: &Vector) -> Verdict {
        let keys = keys(group);
        let text = match &vector.jws {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let believed = self
            .take_in(&keys)
            .and_then(|keys| verify_jws(&text, &keys).map_err(|refusal| refusal.to_string()));
        if !keys.iter().any(is_offered) {
            let by_stranger = verify_jws(&text, std::slice::from_ref(&self.stranger));
            return if believed.is_ok() || by_stranger.is_ok() {
                Verdict::Failed("accepted, though its algorithm is not offered".to_owned())
            } else {
                Verdict::Skipped("algorithm not offered".to_owned())
            };
        }
        match (vector.result.as_str(), believed) {
            ("valid", Ok(_)) | ("invalid", Err(_)) => Verdict::Passed,
            ("valid", Err(reason)) => Verdict::Failed(format!("refused: {reason}")),
            ("invalid", Ok(_)) => Verdict::Failed("accepted".to_owned()),
            (other, _) => Verdict::Failed(format!("the vector expects `{other}`")),
        }
    }

    /// The keys of a party configured with these.
    fn take_in(&self, keys: &[Value]) -> Result<Vec<PublicKey>, String> {
        let participant = NamedNode::new_unchecked(SIGNER);
        let party = TrustedParty {
            participant: participant.clone(),
            token_keys: keys.iter().map(Value::to_string).collect(),
            authorities_pem: self.authority.clone(),
            revocations_pem: None,
            roles: Assertable::Any,
            purposes: Assertable::Any,
        };
        let trusted = Trusted::new(party, Vec::new()).map_err(|error| error.to_string())?;
        Ok(trusted.keys(&participant).to_vec())
    }
}

fn keys(group: &Group) -> Vec<Value> {
    let given = group.public.as_ref().or(group.private.as_ref());
    match given.and_then(|given| given.get("keys")) {
        Some(Value::Array(keys)) => keys.clone(),
        _ => given.cloned().into_iter().collect(),
    }
}

/// Whether a key is, or says that it is, of the one algorithm on offer.
fn is_offered(key: &Value) -> bool {
    key.get("alg").is_some_and(|alg| alg == "ES256")
        || key.get("crv").is_some_and(|curve| curve == "P-256")
}

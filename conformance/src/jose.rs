//! The JOSE vectors of Project Wycheproof: keys as a party's configuration brings them, and texts signed with them.
//!
//! A group's key is for the algorithm that its `alg` says, and is taken in as a party's key is. Symmetric keys, which no
//! configuration takes, are pinned by hand: the verifier behind is the same.

mod other;

use crate::library::{Fault, Library};
use crate::report::{Report, Verdict};
use oxrdf::NamedNode;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use twinlink_trust::{
    Algorithm, Assertable, Authority, PublicKey, Trusted, TrustedParty, verify_jws,
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

/// Vectors that we answer differently, each with its reason.
const QUIRKS: &[(usize, &str)] = &[
    (
        346,
        "the key says PS256, the text PS384: a key is for one algorithm",
    ),
    (
        347,
        "the key says PS256, the text PS384: a key is for one algorithm",
    ),
    (350, "the key's alg ES521 is no algorithm of JWS"),
    (351, "the key's alg ES521 is no algorithm of JWS"),
    (367, "byte for byte the same as 357, which is valid"),
    (370, "byte for byte the same as 357, which is valid"),
    (
        372,
        "has a character that is not of base64url: a text has one spelling",
    ),
    (
        373,
        "has a character that is not of base64url: a text has one spelling",
    ),
];

/// Vectors that the other implementation answers differently from us, each with its reason.
const OTHERS: &[(usize, &str)] = &[
    (368, BEFORE_DECODING),
    (369, BEFORE_DECODING),
    (371, BEFORE_DECODING),
    (375, BEFORE_DECODING),
];
const BEFORE_DECODING: &str =
    "the payload is no base64url: the other checks the signature over it as it is spelt";

/// What takes in keys.
struct Verifier {
    authority: String,
}

pub(crate) fn run(name: &'static str, library: &Library) -> Result<Report, Fault> {
    if FILES.iter().any(|(_, path)| !library.has(path)) {
        return Ok(Report::not_found(name));
    }
    let verifier = Verifier::new()?;
    let (mut accepted, mut refused) = (0, 0);
    let (mut alike, mut cases) = (0, Vec::new());
    for (kind, path) in FILES {
        let text = library.text(&library.iri(path))?;
        let vectors: Vectors =
            serde_json::from_str(&text).map_err(|error| Fault::content(path, error))?;
        let (mut read, is_text) = (0, kind == "jws");
        for group in &vectors.test_groups {
            for vector in &group.tests {
                read += 1;
                let believed = verifier.believe(group, vector);
                if is_text {
                    let theirs = other::believe(group, vector);
                    let verdict = compare(vector, &believed, &theirs);
                    alike += usize::from(verdict == Verdict::Passed);
                    let case = format!(
                        "{kind} {} {}: another verifier",
                        vector.tc_id, group.comment
                    );
                    cases.push((case, verdict));
                }
                let verdict = excuse(kind, vector, judge(vector, believed));
                match (&verdict, vector.result.as_str()) {
                    (Verdict::Passed, "valid") => accepted += 1,
                    (Verdict::Passed, _) => refused += 1,
                    _ => {}
                }
                let case = format!(
                    "{kind} {} {} {}",
                    vector.tc_id, group.comment, vector.comment
                );
                cases.push((case, verdict));
            }
        }
        if read != vectors.number_of_tests {
            return Err(Fault::content(path, "has not as many tests as it says"));
        }
    }
    Ok(Report::of(name, cases)
        .with("accepted rightly", accepted)
        .with("refused rightly", refused)
        .with("quirks of the vectors", QUIRKS.len())
        .with("judged alike by another verifier", alike))
}

/// A failure that is a vector's own is skipped with its reason; one that is none any more must leave the list.
fn excuse(kind: &str, vector: &Vector, verdict: Verdict) -> Verdict {
    let quirk = QUIRKS
        .iter()
        .find(|(id, _)| kind == "jws" && *id == vector.tc_id);
    match (quirk, verdict) {
        (Some((_, reason)), Verdict::Failed(_)) => Verdict::Skipped((*reason).to_owned()),
        (Some(_), verdict) => Verdict::Failed(format!("is in the list of quirks, but {verdict:?}")),
        (None, verdict) => verdict,
    }
}

fn judge(vector: &Vector, believed: Result<(), String>) -> Verdict {
    match (vector.result.as_str(), believed) {
        ("valid", Ok(())) | ("invalid", Err(_)) => Verdict::Passed,
        ("valid", Err(reason)) => Verdict::Failed(format!("refused: {reason}")),
        ("invalid", Ok(())) => Verdict::Failed("accepted".to_owned()),
        (other, _) => Verdict::Failed(format!("the vector expects `{other}`")),
    }
}

/// A difference is skipped with its reason; one that is none any more must leave the list.
fn compare(vector: &Vector, ours: &Result<(), String>, theirs: &Result<(), String>) -> Verdict {
    let known = OTHERS.iter().find(|(id, _)| *id == vector.tc_id);
    match (ours.is_ok() == theirs.is_ok(), known) {
        (true, None) => Verdict::Passed,
        (true, Some(_)) => Verdict::Failed("is in the list of differences, but is none".to_owned()),
        (false, Some((_, reason))) => Verdict::Skipped((*reason).to_owned()),
        (false, None) => Verdict::Failed(format!("we say {ours:?}, the other {theirs:?}")),
    }
}

impl Vector {
    fn text(&self) -> String {
        match &self.jws {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl Verifier {
    fn new() -> Result<Self, Fault> {
        let fault = |error: &dyn ToString| Fault::Target(error.to_string());
        let authority = Authority::create("conformance", OffsetDateTime::now_utc());
        let authority = authority.map_err(|error| fault(&error))?;
        Ok(Self {
            authority: authority.certificate_pem().to_owned(),
        })
    }

    fn believe(&self, group: &Group, vector: &Vector) -> Result<(), String> {
        let keys = self.take_in(&keys(group))?;
        let verified = verify_jws(&vector.text(), &keys);
        verified.map(drop).map_err(|refusal| refusal.to_string())
    }

    /// The keys of a party configured with these.
    fn take_in(&self, keys: &[Value]) -> Result<Vec<PublicKey>, String> {
        let texts: Vec<_> = keys.iter().map(Value::to_string).collect();
        let participant = NamedNode::new_unchecked(SIGNER);
        let party = TrustedParty {
            claims: twinlink_trust::Assertable::Any,
            participant: participant.clone(),
            token_keys: texts.clone(),
            authorities_pem: self.authority.clone(),
            revocations_pem: None,
            roles: Assertable::Any,
            purposes: Assertable::Any,
        };
        let trusted = Trusted::new(party, Vec::new()).map_err(|error| error.to_string());
        let Some(symmetric) = symmetric(keys) else {
            return Ok(trusted?.keys(&participant).to_vec());
        };
        if trusted.is_ok() {
            return Err("a party was configured with a symmetric key".to_owned());
        }
        PublicKey::set(&texts, Some(symmetric), SIGNER).map_err(|error| error.to_string())
    }
}

/// The symmetric algorithm that the first key says it is for.
fn symmetric(keys: &[Value]) -> Option<Algorithm> {
    let name = keys.first()?.get("alg")?.as_str()?;
    Algorithm::from_name(name).filter(|algorithm| algorithm.is_symmetric())
}

fn keys(group: &Group) -> Vec<Value> {
    let given = group.public.as_ref().or(group.private.as_ref());
    match given.and_then(|given| given.get("keys")) {
        Some(Value::Array(keys)) => keys.clone(),
        _ => given.cloned().into_iter().collect(),
    }
}

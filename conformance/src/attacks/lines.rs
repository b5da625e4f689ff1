//! The list of attacks that this suite answers for, a line each, and the cases that try it.

use crate::report::Verdict;

/// An attack, and how the names of its cases begin after the door's: each must be tried at each of the doors.
struct Line {
    attack: &'static str,
    doors: &'static [&'static str],
    cases: &'static [&'static str],
}

const BOTH: &[&str] = &["gRPC: ", "HTTP: "];
/// Where a client speaks for itself: there alone must `sub` be `client_id`.
/// <https://www.rfc-editor.org/rfc/rfc7523#section-3>
const CLIENTS: &[&str] = &["/oauth/token: "];
/// What is seen from outside, whichever door it was.
const OUTSIDE: &[&str] = &[""];

const fn line(attack: &'static str, cases: &'static [&'static str]) -> Line {
    Line {
        attack,
        doors: BOTH,
        cases,
    }
}

const LINES: &[Line] = &[
    line("none, None, nOnE", &["alg none", "alg None", "alg nOnE"]),
    line(
        "HS256 with a public key of EC as PEM, DER, JWK",
        &[
            "key confusion: HS256 with the public key as PEM",
            "key confusion: HS256 with the public key as DER",
            "key confusion: HS256 with the public key as JWK",
        ],
    ),
    line(
        "HS256 with a public key of RSA as PEM, DER, JWK",
        &[
            "key confusion: HS256 with the public RSA key as PEM",
            "key confusion: HS256 with the public RSA key as DER",
            "key confusion: HS256 with the public RSA key as JWK",
        ],
    ),
    line("ES256 with r = s = 0", &["signature r = s = 0"]),
    line(
        "ES256 with r or s of n and more",
        &[
            "signature r = n",
            "signature r = 1, s = n",
            "signature r = s = 2^256 - 1",
        ],
    ),
    line("a signature in DER", &["signature in DER"]),
    line(
        "kid: path, SQL, NUL, very long",
        &[
            "kid that climbs",
            "kid of SQL",
            "kid with a NUL",
            "kid of 4,000 characters",
        ],
    ),
    line("kid of another issuer", &["kid of another issuer's key"]),
    line(
        "jku and x5u to loopback",
        &[
            "header jku \"http://127.0.0.1",
            "header x5u \"https://127.0.0.1",
        ],
    ),
    line(
        "jku and x5u to the address of metadata",
        &[
            "header jku \"http://169.254.169.254",
            "header x5u \"http://169.254.169.254",
        ],
    ),
    Line {
        attack: "jku and x5u: not one socket",
        doors: OUTSIDE,
        cases: &[
            "no connection to jku or x5u",
            "no socket to the address of metadata",
        ],
    },
    line("jwk in the header", &["header jwk"]),
    line(
        "x5c self-signed, of another authority, expired",
        &[
            "header x5c, self-signed",
            "header x5c, of another authority",
            "header x5c, expired",
        ],
    ),
    line(
        "crit unknown, empty, no list, twice",
        &[
            "header crit [\"unknown\"]",
            "header crit []",
            "header crit \"exp\"",
            "header crit [\"exp\",\"exp\"]",
        ],
    ),
    line(
        "b64 false",
        &["header b64 false", "header b64 named in crit"],
    ),
    line("zip", &["header zip"]),
    line(
        "JWE in place of JWS, and nested",
        &["JWE in five parts", "JWE header in three parts", "nested"],
    ),
    line(
        "JSON serialisation",
        &[
            "JSON serialisation, flattened",
            "JSON serialisation, general",
        ],
    ),
    line(
        "members twice",
        &[
            "alg twice in the header",
            "kid twice in the header",
            "sub twice in the claims",
            "an unknown claim twice",
        ],
    ),
    line(
        "typ of an id token, a proof, a logout token, another signed text of ours",
        &[
            "typ `id+jwt`",
            "typ `dpop+jwt`",
            "typ `logout+jwt`",
            "typ `twinlink-receipt+jwt`",
            "an acknowledgement as a token",
        ],
    ),
    line(
        "aud missing, a list, another, a prefix",
        &[
            "aud left out",
            "aud [\"https://rescue.example/\"]",
            "aud \"https://rescue.example/\"",
            "aud \"https://city.example\"",
        ],
    ),
    line(
        "iss without its slash, in other case",
        &[
            "iss \"https://police.example\"",
            "iss \"https://Police.example/\"",
        ],
    ),
    line(
        "extremes of exp, nbf, iat",
        &[
            "exp 9223372036854775807",
            "exp 18446744073709551615",
            "exp 1e308",
            "nbf 9223372036854775807",
            "nbf 400000000000",
            "iat 400000000000",
            "iat -9223372036854775808",
        ],
    ),
    Line {
        attack: "sub that is not client_id",
        doors: CLIENTS,
        cases: &[
            "an assertion whose subject is another client",
            "an assertion whose subject is a person",
            "an assertion by another issuer",
            "another client's name",
        ],
    },
    line(
        "cnf missing, wrong, of both kinds",
        &["cnf left out", "cnf {\"x5t#S256\":", "cnf {\"jkt\":"],
    ),
    line(
        "another's token over one's own certificate",
        &["another's token over one's own certificate"],
    ),
    line(
        "a proof again",
        &["DPoP: a proof, again", "DPoP: a proof, 12 times at once"],
    ),
    line(
        "a proof at two replicas",
        &[
            "DPoP at two replicas: a proof, again at the other one",
            "DPoP at two replicas: a proof, at both at once",
        ],
    ),
    line(
        "act too deep, in a circle",
        &[
            "act {\"sub\":\"a\",\"act\":{\"sub\":\"b\",\"act\":{\"sub\":\"c\"",
            "act {\"sub\":\"a\",\"act\":{\"sub\":\"b\",\"act\":{\"sub\":\"a\"",
        ],
    ),
    line("a revoked agreement", &["an agreement that was revoked"]),
    line("a key taken out of the set", &["a key that was taken out"]),
    line(
        "clocks that are apart",
        &["a clock five minutes behind", "a clock ten minutes ahead"],
    ),
    line(
        "signed requests of peers: replay, another log, provider, question, signer",
        &[
            "peer's envelope: a good one, again",
            "peer's envelope: one, several times at once",
            "peer's envelope: of another organisation's log",
            "peer's envelope: of a record that another log holds",
            "peer's envelope: for another provider",
            "peer's envelope: of another question",
            "peer's envelope: signed by a key that is not the police's",
        ],
    ),
    Line {
        attack: "every door",
        doors: OUTSIDE,
        cases: &["every door is attacked"],
    },
];

impl Line {
    /// How the names of its cases begin.
    fn starts(&self) -> impl Iterator<Item = String> {
        let cases = self.cases;
        let doors = self.doors.iter();
        doors.flat_map(move |door| cases.iter().map(move |case| format!("{door}{case}")))
    }

    /// Those that no case begins with.
    fn missing(&self, cases: &[(String, Verdict)]) -> Vec<String> {
        let is_missing = |start: &String| !cases.iter().any(|(name, _)| name.starts_with(start));
        self.starts().filter(is_missing).collect()
    }
}

/// A case for each line: whether it has all of its own.
// INVARIANT(no-line-without-a-case): what the list names is tried at each of its doors, or the suite fails.
pub(super) fn judge(cases: &[(String, Verdict)]) -> Vec<(String, Verdict)> {
    let judged = LINES.iter().map(|line| {
        let missing = line.missing(cases);
        let verdict = match missing.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Failed(format!("no case {}", missing.join(", "))),
        };
        (format!("line: {}", line.attack), verdict)
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_without_a_case() {
        let report = super::super::run("attacks").unwrap();
        let failures: Vec<_> = report.failures().collect();
        assert!(failures.is_empty(), "{failures:#?}");
        // And that a line whose cases are gone is seen.
        for line in LINES {
            for start in line.starts() {
                let mut cases = report.cases.clone();
                cases.retain(|(name, _)| !name.starts_with(&start));
                assert!(line.missing(&cases).contains(&start), "{start}");
            }
        }
    }
}

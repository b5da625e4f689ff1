//! What requests and answers are named by in records: digests that both sides of the wire compute for themselves.

use crate::{DatasetChoice, Head, Solution};
use oxrdf::{NamedNode, Triple};
use sha2::{Digest, Sha256};

/// SHA-256 over an answer's rows, in the order in which they leave or arrive.
///
/// A truth value is `true` or `false`. Of a row each value is in the syntax of N-Triples, or nothing where it is unbound,
/// and a tabulator after each; a triple is as in N-Triples without its dot. After each stands a line feed.
#[derive(Debug, Clone, Default)]
pub struct ResultDigest {
    hasher: Sha256,
    rows: u64,
}

impl ResultDigest {
    /// Begins with what the head says already: a truth value is an answer of one row.
    pub fn head(&mut self, head: &Head) {
        if let Head::Boolean(value) = head {
            self.rows = 1;
            self.hasher.update(format!("{value}\n"));
        }
    }

    /// Adds rows.
    pub fn solutions(&mut self, rows: &[Solution]) {
        self.rows += rows.len() as u64;
        for row in rows {
            for value in &row.values {
                if let Some(value) = value {
                    self.hasher.update(value.to_string());
                }
                self.hasher.update("\t");
            }
            self.hasher.update("\n");
        }
    }

    /// Adds triples.
    pub fn triples(&mut self, triples: &[Triple]) {
        self.rows += triples.len() as u64;
        for triple in triples {
            self.hasher.update(triple.to_string());
            self.hasher.update("\n");
        }
    }

    /// How many rows or triples there were so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The digest, lower-case hex; begins anew.
    pub fn finish(&mut self) -> String {
        self.rows = 0;
        hex(&self.hasher.finalize_reset())
    }
}

/// SHA-256 of a request, lower-case hex: of its text alone, where that is all there is of it.
///
/// Where a base or a dataset goes with the text, of a zero byte and then all parts, each after its length: the text, the
/// base, and for both kinds of graphs their number and their IRIs. No text begins with a zero byte.
pub fn request_digest(text: &str, base: Option<&str>, dataset: Option<&DatasetChoice>) -> String {
    if base.is_none() && dataset.is_none() {
        return hex(&Sha256::digest(text));
    }
    let mut hasher = Sha256::new().chain_update([0]);
    part(&mut hasher, text);
    part(&mut hasher, base.unwrap_or_default());
    for graphs in dataset.map_or([&[][..]; 2], both) {
        hasher.update((graphs.len() as u64).to_be_bytes());
        graphs
            .iter()
            .for_each(|graph| part(&mut hasher, graph.as_str()));
    }
    hex(&hasher.finalize())
}

/// A request that is no text of SPARQL, as its digest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operation<'a> {
    /// What it does: `insert`, `replace`, `clear`, `create` or `describe`.
    pub kind: &'a str,
    /// IRI of the graph; empty for the default graph, for what names its own, and for one without a name yet.
    pub graph: &'a str,
    /// Media type of the body, in lower case and without parameters; of `multipart/form-data` all of it, as it was sent.
    pub media_type: &'a str,
    /// What resolves relative IRIs, where the caller says so.
    pub base: &'a str,
    /// SHA-256 of the body as it was sent, packed or not, lower-case hex.
    pub body: &'a str,
}

/// SHA-256 of such a request, lower-case hex: of the bytes 0 and 255, and then all members in their order, each after its
/// length in 8 bytes, the highest first. No text's digest is of these bytes.
pub fn operation_digest(of: &Operation<'_>) -> String {
    let mut hasher = Sha256::new().chain_update([0, 255]);
    for member in [of.kind, of.graph, of.media_type, of.base, of.body] {
        part(&mut hasher, member);
    }
    hex(&hasher.finalize())
}

/// SHA-256 of bytes, lower-case hex.
pub fn content_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 over a summary as it travels, lower-case hex.
pub fn summary_digest(bytes: &[u8]) -> String {
    content_digest(bytes)
}

fn both(dataset: &DatasetChoice) -> [&[NamedNode]; 2] {
    [&dataset.default_graphs, &dataset.named_graphs]
}

fn part(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_be_bytes());
    hasher.update(text);
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| char::from(DIGITS.get(usize::from(four)).copied().unwrap_or(b'0'));
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_differ_in_anything_have_other_digests() {
        let graph = |iri: &str| vec![NamedNode::new_unchecked(iri)];
        let choice = |default: &[NamedNode], named: &[NamedNode]| DatasetChoice {
            default_graphs: default.to_vec(),
            named_graphs: named.to_vec(),
        };
        let (a, b) = (graph("urn:a"), graph("urn:b"));
        let both = [a.clone(), b.clone()].concat();
        let digests = [
            request_digest("ASK {}", None, None),
            request_digest("ASK { }", None, None),
            request_digest("ASK {}", Some("urn:a"), None),
            request_digest("ASK {}", None, Some(&choice(&[], &[]))),
            request_digest("ASK {}", None, Some(&choice(&a, &[]))),
            request_digest("ASK {}", None, Some(&choice(&[], &a))),
            request_digest("ASK {}", None, Some(&choice(&a, &b))),
            request_digest("ASK {}", None, Some(&choice(&both, &[]))),
            request_digest("ASK {}urn:a", None, Some(&choice(&[], &[]))),
        ];
        for (at, digest) in digests.iter().enumerate() {
            assert_eq!(digest.len(), 64);
            assert!(!digests[..at].contains(digest), "{at}");
        }
        assert_eq!(
            request_digest("abc", None, None),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn operations_that_differ_in_anything_have_other_digests() {
        let plain = Operation::default();
        let mut digests = vec![request_digest("", Some(""), None)];
        let of = "a";
        for operation in [
            plain,
            Operation { kind: of, ..plain },
            Operation { graph: of, ..plain },
            Operation {
                media_type: of,
                ..plain
            },
            Operation { base: of, ..plain },
            Operation { body: of, ..plain },
            Operation {
                kind: of,
                graph: of,
                ..plain
            },
        ] {
            let digest = operation_digest(&operation);
            assert!(!digests.contains(&digest), "{operation:?}");
            digests.push(digest);
        }
    }

    #[test]
    fn an_answer_is_named_by_its_rows_however_they_arrive() {
        let row = |value: &str| Solution {
            values: vec![Some(oxrdf::Literal::from(value).into()), None],
            sources: std::sync::Arc::from([]),
        };
        let rows = [row("a"), row("b")];
        let mut whole = ResultDigest::default();
        whole.solutions(&rows);
        assert_eq!(whole.rows(), 2);
        let mut parts = ResultDigest::default();
        parts.solutions(&rows[..1]);
        parts.solutions(&rows[1..]);
        let digest = whole.finish();
        assert_eq!(digest, parts.finish());
        let mut turned = ResultDigest::default();
        turned.solutions(&[row("b"), row("a")]);
        assert_ne!(digest, turned.finish());
        let mut yes = ResultDigest::default();
        yes.head(&Head::Boolean(true));
        assert_eq!(yes.rows(), 1);
        assert_eq!(yes.finish(), hex(&Sha256::digest("true\n")));
    }
}

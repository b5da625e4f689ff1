//! Names that stand for a term towards one recipient and one purpose.

use hmac::{Hmac, Mac};
use oxrdf::{Literal, NamedNode, Term};
use sha2::Sha256;
use std::fmt::{Debug, Formatter, Write};

/// Bytes of the authentication code that are shown.
const SHOWN: usize = 16;

/// The connector's secret for pseudonyms: whoever has it can find out who is meant by trying.
#[derive(Clone)]
pub(crate) struct PseudonymKey(Hmac<Sha256>);

impl PseudonymKey {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        // RFC 2104: a key is padded with zeros to a block, which is 64 bytes.
        let mut block = [0; 64];
        block
            .iter_mut()
            .zip(secret)
            .for_each(|(byte, secret)| *byte = *secret);
        Self(Hmac::new(&block.into()))
    }

    /// The term's pseudonym: see [`twinlink_policy::Function::Pseudonymise`].
    pub(crate) fn pseudonym(
        &self,
        recipient: &NamedNode,
        purpose: Option<&NamedNode>,
        term: &Term,
    ) -> Term {
        let mut code = self.0.clone();
        let purpose = purpose.map(ToString::to_string).unwrap_or_default();
        code.update(format!("{recipient}\n{purpose}\n{term}\n").as_bytes());
        let code = code.finalize().into_bytes();
        let digits = hex(code.get(..SHOWN).unwrap_or_default());
        match term {
            Term::Literal(_) => Literal::new_simple_literal(digits).into(),
            _ => NamedNode::new_unchecked(format!("urn:pseudonym:{digits}")).into(),
        }
    }
}

impl Debug for PseudonymKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PseudonymKey").finish_non_exhaustive()
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 4231, test case 2, whose key is shorter: padded with zeros it is the same key.
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(b"Jefe");
        let mut code = PseudonymKey::new(&secret).0;
        code.update(b"what do ya want for nothing?");
        assert_eq!(
            hex(&code.finalize().into_bytes()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn recipients_and_purposes_see_different_names_and_literals_stay_literals() {
        let key = PseudonymKey::new(&[7; 32]);
        let iri = |name: &str| NamedNode::new_unchecked(format!("http://e/{name}"));
        let term = Term::from(iri("a"));
        let mut seen = Vec::new();
        for recipient in [iri("r1"), iri("r2")] {
            for purpose in [None, Some(iri("p1")), Some(iri("p2"))] {
                seen.push(key.pseudonym(&recipient, purpose.as_ref(), &term));
            }
        }
        seen.push(PseudonymKey::new(&[8; 32]).pseudonym(&iri("r1"), None, &term));
        for (place, one) in seen.iter().enumerate() {
            let text = one.to_string();
            assert!(
                text.starts_with("<urn:pseudonym:") && text.len() == 15 + 32 + 1,
                "{text}"
            );
            assert!(!seen[..place].contains(one));
        }
        let literal = key.pseudonym(&iri("r1"), None, &Literal::from("a").into());
        assert!(matches!(literal, Term::Literal(literal) if literal.value().len() == 32));
        assert_eq!(format!("{key:?}"), "PseudonymKey { .. }");
    }
}

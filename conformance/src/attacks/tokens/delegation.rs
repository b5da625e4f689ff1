//! Tokens that say who acts for whom, and signed texts of ours that are no tokens.

use super::{Tokens, fault, with, without};
use crate::library::Fault;
use serde_json::{Value, json};
use time::OffsetDateTime;
use twinlink_trust::Acknowledgement;

impl Tokens<'_> {
    /// Chains of actors, and claims that look like rights: <https://www.rfc-editor.org/rfc/rfc8693#section-4>.
    pub(super) fn delegation(&mut self) -> Result<(), Fault> {
        for (act, check) in [
            (chain(&["a", "b", "c", "d", "e"]), "token.act"),
            (chain(&["a"; 60]), "token.act"),
            (chain(&["a", "b", "a"]), "token.act"),
            (chain(&[""]), "token.act"),
            (chain(&["a\nb"]), "token.act"),
            (json!({"act": {"sub": "a"}}), "token.claims"),
            (json!("a"), "token.claims"),
            (json!([{"sub": "a"}]), "token.claims"),
        ] {
            self.claim("act", act, check)?;
        }
        self.claim("may_act", json!({"sub": ""}), "token.may_act")?;
        self.claim("may_act", json!("a"), "token.claims")?;
        self.claim("agreement", json!("no iri"), "token.agreement")
    }

    /// What the police signs for other ends with the same key.
    pub(super) fn other_texts(&mut self) -> Result<(), Fault> {
        for typ in [
            "twinlink-acknowledgement+jwt",
            "twinlink-checkpoint+jwt",
            "twinlink-cosignature+jwt",
            "id+jwt",
            "secevent+jwt",
            "at+jwt ",
            "application/jwt",
        ] {
            let header = with(&self.header, "typ", json!(typ)).to_string();
            self.header(format!("typ `{typ}`"), &header, "token.typ")?;
        }
        let (police, city) = (self.town.police.identity.load(), &self.town.city.id);
        let now = OffsetDateTime::now_utc();
        let said = Acknowledgement::new(&police, city, Vec::new(), now);
        let said = said.sign(&police).map_err(fault)?;
        self.add("an acknowledgement as a token", said, "token.typ");
        // A proof of possession brings its own key, and nothing that it says is anybody's word.
        let own: Value = serde_json::from_str(&self.police.jwk).map_err(fault)?;
        let proof = with(&with(&self.header, "jwk", own), "typ", json!("dpop+jwt"));
        let proof = without(&proof, "kid").to_string();
        self.header("a proof of possession as a token", &proof, "token.header")?;
        // Keys that never were there.
        for kid in ["other", "0", "null"] {
            let header = with(&self.header, "kid", json!(kid)).to_string();
            self.header(
                format!("kid `{kid}`, which the issuer has not"),
                &header,
                "token.kid",
            )?;
        }
        Ok(())
    }

    /// Clocks that are apart: a minute is forgiven, more is not.
    pub(super) fn clocks(&mut self) -> Result<(), Fault> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        for (name, exp, iat, check) in [
            (
                "a clock five minutes behind",
                now - 90,
                now - 390,
                "token.exp",
            ),
            (
                "a clock ten minutes ahead",
                now + 900,
                now + 600,
                "token.iat",
            ),
            ("no life at all", now + 30, now + 30, "token.exp"),
        ] {
            let claims = with(&with(&self.claims, "exp", json!(exp)), "iat", json!(iat));
            self.payload(name, &claims.to_string(), check)?;
        }
        Ok(())
    }
}

fn chain(names: &[&str]) -> Value {
    let nest = |inner: Value, name: &&str| match inner {
        Value::Null => json!({"sub": name}),
        inner => json!({"sub": name, "act": inner}),
    };
    names.iter().rev().fold(Value::Null, nest)
}

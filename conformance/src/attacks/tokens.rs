//! Tokens that an attacker shows: each with the check that has to refuse it.

mod chains;
mod delegation;

use super::forge::{Forger, hmac, join, signed};
use crate::library::Fault;
use crate::town::Town;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// A token, and what refuses it.
#[derive(Debug)]
pub(super) struct Forged {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) check: &'static str,
}

/// Order of the curve P-256: <https://www.rfc-editor.org/rfc/rfc5903#section-3.1>.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// All tokens that the police, or somebody with its certificate, may try.
pub(super) struct Tokens<'a> {
    town: &'a Town,
    police: Forger,
    rescue: Forger,
    claims: Value,
    header: Value,
    /// An address that nobody may connect to.
    trap: String,
    made: Vec<Forged>,
}

impl<'a> Tokens<'a> {
    /// From a good token, to be spoilt.
    pub(super) fn of(town: &'a Town, good: &str, trap: String) -> Result<Vec<Forged>, Fault> {
        let mut tokens = Self {
            town,
            police: Forger::new(&town.police.identity.load())?,
            rescue: Forger::new(&town.rescue.identity.load())?,
            header: part(good, 0)?,
            claims: part(good, 1)?,
            trap,
            made: Vec::new(),
        };
        tokens.algorithms()?;
        tokens.signatures()?;
        tokens.headers()?;
        tokens.forms(good)?;
        tokens.times()?;
        tokens.parties()?;
        tokens.bindings()?;
        tokens.rights()?;
        tokens.delegation()?;
        tokens.other_texts()?;
        tokens.clocks()?;
        tokens.chains()?;
        Ok(tokens.made)
    }

    fn algorithms(&mut self) -> Result<(), Fault> {
        let claims = self.claims.to_string();
        for alg in ["none", "None", "nOnE", "NONE"] {
            let header = with(&self.header, "alg", json!(alg)).to_string();
            let text = signed(&header, &claims);
            self.add(
                format!("alg {alg} without signature"),
                join(&text, &[]),
                "token.alg",
            );
            let token = self.police.sign(&header, &claims)?;
            self.add(format!("alg {alg} with a signature"), token, "token.alg");
        }
        let text = signed(
            &with(&self.header, "alg", json!("HS256")).to_string(),
            &claims,
        );
        for (spelling, secret) in self.police.public_spellings() {
            let token = join(&text, &hmac(&secret, text.as_bytes()));
            let name = format!("key confusion: HS256 with the public key as {spelling}");
            self.add(name, token, "token.alg");
        }
        // The same, with the algorithm that is on offer over the tag: 32 bytes are no signature.
        let text = signed(&self.header.to_string(), &claims);
        let tag = hmac(self.police.jwk.as_bytes(), text.as_bytes());
        self.add(
            "key confusion: ES256 with a tag",
            join(&text, &tag),
            "token.signature",
        );
        for alg in [
            "HS512", "RS256", "PS256", "ES384", "ES256K", "EdDSA", "es256", "ES256 ", "",
        ] {
            let header = with(&self.header, "alg", json!(alg)).to_string();
            let token = self.police.sign(&header, &claims)?;
            self.add(format!("alg `{alg}`"), token, "token.alg");
        }
        Ok(())
    }

    fn signatures(&mut self) -> Result<(), Fault> {
        let text = signed(&self.header.to_string(), &self.claims.to_string());
        let number = |last: u8| {
            let mut number = [0; 32];
            if let Some(byte) = number.last_mut() {
                *byte = last;
            }
            number
        };
        let (zero, one, most) = (number(0), number(1), [0xff; 32]);
        for (name, r, s) in [
            ("r = s = 0", zero, zero),
            ("r = 0, s = 1", zero, one),
            ("r = 1, s = 0", one, zero),
            ("r = s = 1", one, one),
            ("r = s = n", ORDER, ORDER),
            ("r = n, s = 1", ORDER, one),
            ("r = 1, s = n", one, ORDER),
            ("r = s = 2^256 - 1", most, most),
        ] {
            let token = join(&text, &[r, s].concat());
            self.add(format!("signature {name}"), token, "token.signature");
        }
        let der = self.police.der_signature(&text)?;
        self.add("signature in DER", join(&text, &der), "token.signature");
        self.add("signature left out", join(&text, &[]), "token.signature");
        let by_other = self
            .rescue
            .sign(&self.header.to_string(), &self.claims.to_string())?;
        self.add(
            "signature of another party's key",
            by_other,
            "token.signature",
        );
        let mut good = self
            .police
            .sign(&self.header.to_string(), &self.claims.to_string())?;
        let other = with(&self.claims, "sub", json!("mayor"));
        if let Some((_, signature)) = good.rsplit_once('.') {
            good = format!(
                "{}.{signature}",
                signed(&self.header.to_string(), &other.to_string())
            );
        }
        self.add("signature of another payload", good, "token.signature");
        Ok(())
    }

    fn headers(&mut self) -> Result<(), Fault> {
        let rescue: Value = serde_json::from_str(&self.rescue.jwk).map_err(fault)?;
        let own: Value = serde_json::from_str(&self.police.jwk).map_err(fault)?;
        let leaf =
            |certificate: &[u8]| base64::engine::general_purpose::STANDARD.encode(certificate);
        let x5c = leaf(self.town.rescue.identity.load().certificate());
        let trap = self.trap.clone();
        for (name, value) in [
            ("jku", json!(format!("https://{trap}/keys"))),
            ("jku", json!(format!("http://{trap}/keys"))),
            ("x5u", json!(format!("https://{trap}/chain"))),
            ("jku", json!("http://169.254.169.254/latest")),
            ("x5u", json!("http://169.254.169.254/latest")),
            ("jwk", rescue),
            ("jwk", own),
            ("x5c", json!([x5c])),
            ("x5c", json!(["MIIB"])),
            ("x5t#S256", json!("AAAA")),
            ("crit", json!(["exp"])),
            ("crit", json!(["unknown"])),
            ("crit", json!([])),
            ("crit", json!("exp")),
            ("crit", json!(["exp", "exp"])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("enc", json!("A256GCM")),
            ("cty", json!("JWT")),
        ] {
            let shown: String = value.to_string().chars().take(40).collect();
            let header = with(&self.header, name, value);
            self.header(
                format!("header {name} {shown}"),
                &header.to_string(),
                "token.header",
            )?;
        }
        let unencoded = with(
            &with(&self.header, "b64", json!(false)),
            "crit",
            json!(["b64"]),
        );
        self.header(
            "header b64 named in crit",
            &unencoded.to_string(),
            "token.header",
        )?;
        let rescue = self.town.rescue.identity.load();
        for (name, kid) in [
            (
                "that climbs out of a folder",
                "../../../../dev/null".to_owned(),
            ),
            ("with a NUL", "key\u{0}.pem".to_owned()),
            ("of 4,000 characters", "k".repeat(4000)),
            ("of SQL", "' OR '1'='1".to_owned()),
            ("that is empty", String::new()),
            (
                "of another issuer's key",
                rescue.key().public().id().to_owned(),
            ),
        ] {
            let header = with(&self.header, "kid", json!(kid)).to_string();
            self.header(format!("kid {name}"), &header, "token.kid")?;
        }
        for typ in [
            "JWT",
            "dpop+jwt",
            "logout+jwt",
            "twinlink-receipt+jwt",
            "AT+JWT",
            "",
        ] {
            let header = with(&self.header, "typ", json!(typ)).to_string();
            self.header(format!("typ `{typ}`"), &header, "token.typ")?;
        }
        let header = without(&self.header, "typ").to_string();
        self.header("typ left out", &header, "token.typ")?;
        let header = self
            .header
            .to_string()
            .replacen('{', r#"{"alg":"none","#, 1);
        self.header("alg twice in the header", &header, "token.header")?;
        let header = self
            .header
            .to_string()
            .replacen('{', r#"{"kid":"other","#, 1);
        self.header("kid twice in the header", &header, "token.header")?;
        let deep = format!("{{\"alg\":{}", "[".repeat(3000));
        self.header("header of 3,000 open brackets", &deep, "token.header")
    }

    fn forms(&mut self, good: &str) -> Result<(), Fault> {
        let mut parts = good.split('.').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (header, payload, signature) = (next(), next(), next());
        let flat = json!({"payload": payload, "protected": header, "signature": signature});
        let general = json!({"payload": payload, "signatures": [
            {"protected": header, "signature": signature}]});
        let claims = self.claims.to_string();
        let nested = self.police.sign(&self.header.to_string(), good)?;
        for (name, token, check) in [
            (
                "JSON serialisation, flattened",
                flat.to_string(),
                "token.form",
            ),
            (
                "JSON serialisation, general",
                general.to_string(),
                "token.form",
            ),
            (
                "JWE in five parts",
                "e30.e30.e30.e30.e30".to_owned(),
                "token.form",
            ),
            (
                "JWE header in three parts",
                join(
                    &signed(r#"{"alg":"dir","enc":"A256GCM"}"#, &claims),
                    &[0; 64],
                ),
                "token.header",
            ),
            (
                "nested: a good token as the payload",
                nested,
                "token.claims",
            ),
            ("two parts", format!("{header}.{payload}"), "token.form"),
            ("four parts", format!("{good}.e30"), "token.form"),
            ("padding", format!("{good}=="), "token.form"),
            ("over 8 KiB", "a".repeat(9000), "token.length"),
            ("no JWS at all", "secret".to_owned(), "token.form"),
        ] {
            self.add(name, token, check);
        }
        for (name, payload) in [
            (
                "sub twice in the claims",
                claims.replacen('{', r#"{"sub":"mayor","#, 1),
            ),
            (
                "an unknown claim twice",
                claims.replacen('{', r#"{"x":1,"x":2,"#, 1),
            ),
            ("claims in a list", format!("[{claims}]")),
            ("claims null", "null".to_owned()),
            ("claims and claims", format!("{claims}{claims}")),
        ] {
            self.payload(name, &payload, "token.claims")?;
        }
        Ok(())
    }

    fn times(&mut self) -> Result<(), Fault> {
        for (claim, own) in [
            ("exp", "token.exp"),
            ("iat", "token.iat"),
            ("nbf", "token.nbf"),
        ] {
            for (number, check) in [
                ("-1", own),
                ("-9223372036854775808", own),
                ("400000000000", own),
                ("9223372036854775807", own),
                ("18446744073709551615", "token.claims"),
                ("1e308", "token.claims"),
                ("1e999", "token.claims"),
                ("\"1\"", "token.claims"),
            ] {
                let payload = with(&self.claims, claim, json!("PLACE")).to_string();
                let payload = payload.replace("\"PLACE\"", number);
                self.payload(format!("{claim} {number}"), &payload, check)?;
            }
        }
        let now = OffsetDateTime::now_utc().unix_timestamp();
        for (name, exp, iat, check) in [
            ("expired two minutes ago", now - 120, now - 300, "token.exp"),
            (
                "issued five minutes from now",
                now + 900,
                now + 300,
                "token.iat",
            ),
            ("valid for a day", now + 86_400, now, "token.exp"),
            ("ends before it begins", now + 20, now + 40, "token.exp"),
        ] {
            let claims = with(&with(&self.claims, "exp", json!(exp)), "iat", json!(iat));
            self.payload(name, &claims.to_string(), check)?;
        }
        self.claim("nbf", json!(now + 300), "token.nbf")
    }

    fn parties(&mut self) -> Result<(), Fault> {
        for claim in ["iss", "aud", "exp", "iat", "sub", "client_id", "jti", "cnf"] {
            let check = match claim {
                "iss" => "token.iss",
                "aud" => "token.aud",
                "exp" => "token.exp",
                "iat" => "token.iat",
                "sub" => "token.sub",
                "client_id" => "token.client_id",
                "jti" => "token.jti",
                _ => "token.cnf",
            };
            let payload = without(&self.claims, claim).to_string();
            self.payload(format!("{claim} left out"), &payload, check)?;
        }
        for iss in [
            "https://police.example",
            "https://police.example//",
            "https://Police.example/",
            "HTTPS://police.example/",
            "https://unknown.example/",
            "police",
        ] {
            self.claim("iss", json!(iss), "token.iss")?;
        }
        // In another's name with one's own key.
        self.claim("iss", json!("https://rescue.example/"), "token.kid")?;
        self.claim("iss", json!("https://city.example/"), "token.kid")?;
        for aud in [
            json!("https://city.example"),
            json!("https://city.example/twin"),
            json!("https://City.example/"),
            json!("https://rescue.example/"),
            json!(["https://rescue.example/"]),
            json!([]),
            json!(""),
            Value::Null,
            json!(vec!["https://city.example/"; 9]),
        ] {
            self.claim("aud", aud, "token.aud")?;
        }
        self.claim("aud", json!([["https://city.example/"]]), "token.claims")?;
        for sub in [json!(""), json!("a\nb"), json!("a".repeat(513))] {
            self.claim("sub", sub, "token.sub")?;
        }
        Ok(())
    }

    fn bindings(&mut self) -> Result<(), Fault> {
        let own = self.town.police.identity.load().thumbprint().to_owned();
        let other = self.town.rescue.identity.load().thumbprint().to_owned();
        let start: String = own.chars().take(42).collect();
        for (cnf, check) in [
            (json!({}), "token.cnf"),
            (Value::Null, "token.cnf"),
            (json!({"jkt": own}), "token.cnf"),
            (json!({"jkt": own, "x5t#S256": other}), "token.cnf"),
            (json!({"x5t#S256": other}), "token.cnf"),
            (json!({"x5t#S256": ""}), "token.cnf"),
            (json!({"x5t#S256": start}), "token.cnf"),
            (json!({"x5t#S256": [own]}), "token.claims"),
        ] {
            self.claim("cnf", cnf, check)?;
        }
        Ok(())
    }

    fn rights(&mut self) -> Result<(), Fault> {
        let officer = crate::town::OFFICER;
        for (roles, check) in [
            (
                json!([officer, "https://roles.example/mayor"]),
                "token.roles",
            ),
            (json!([twinlink_vocab::tl::STEWARD.as_str()]), "token.roles"),
            (json!(["officer"]), "token.roles"),
            (json!(vec![officer; 33]), "token.roles"),
            (json!(officer), "token.claims"),
        ] {
            self.claim("roles", roles, check)?;
        }
        for purpose in ["https://purposes.example/marketing", "emergency", ""] {
            self.claim("purpose", json!(purpose), "token.purpose")?;
        }
        self.claim("request", json!("no uuid"), "token.request")
    }

    fn claim(&mut self, name: &str, value: Value, check: &'static str) -> Result<(), Fault> {
        let shown: String = value.to_string().chars().take(60).collect();
        let payload = with(&self.claims, name, value).to_string();
        self.payload(format!("{name} {shown}"), &payload, check)
    }

    fn payload(
        &mut self,
        name: impl Into<String>,
        payload: &str,
        check: &'static str,
    ) -> Result<(), Fault> {
        let token = self.police.sign(&self.header.to_string(), payload)?;
        self.add(name, token, check);
        Ok(())
    }

    fn header(
        &mut self,
        name: impl Into<String>,
        header: &str,
        check: &'static str,
    ) -> Result<(), Fault> {
        let token = self.police.sign(header, &self.claims.to_string())?;
        self.add(name, token, check);
        Ok(())
    }

    fn add(&mut self, name: impl Into<String>, token: String, check: &'static str) {
        let name = name.into();
        self.made.push(Forged { name, token, check });
    }
}

/// A part of a token that was made well: its header, or its claims.
pub(super) fn part(token: &str, number: usize) -> Result<Value, Fault> {
    let text = token.split('.').nth(number).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(fault)?;
    serde_json::from_slice(&bytes).map_err(fault)
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.remove(name);
    }
    object
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}

//! SPARQL endpoints of others that are members of our federated answers.

use super::{ConfigError, files_from, iri, read_toml};
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use twinlink_trust::Reading;

/// Stands for any role or purpose.
const ANY: &str = "any";

/// The most functions that a file may declare.
const FUNCTIONS: usize = 1_000;

/// An endpoint as its file has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignFile {
    /// What it is called in answers: an IRI.
    pub participant: String,
    /// Where queries go: `https`, or `http` on this machine.
    pub url: String,
    /// Roles of those who may have it asked, or `any`. None given: nobody.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Purposes for which it may be asked, or `any`. None given: none.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// What it wants to be shown.
    #[serde(default)]
    pub auth: ForeignAuth,
    /// The authority of its certificate, PEM. None: the authorities that browsers trust.
    pub authority: Option<PathBuf>,
    /// The graphs of it that make its default graph here, and those that are its named graphs. None of either: its own.
    #[serde(default)]
    pub default_graphs: Vec<String>,
    /// See `default_graphs`.
    #[serde(default)]
    pub named_graphs: Vec<String>,
    /// The most requests in a second. None: no limit.
    pub requests_per_second: Option<u32>,
    /// Whether values that were learnt from other members may be sent to it. They tell it what others show this caller.
    #[serde(default)]
    pub bindings: bool,
    /// The most values that it takes with one request.
    pub values: Option<usize>,
    /// Functions that it evaluates beside those of SPARQL 1.1, by their IRIs: those of GeoSPARQL, for one. Conditions with
    /// others are not sent to it: it would drop rows where it does not know a function.
    #[serde(default)]
    pub functions: Vec<String>,
    /// Whether a blank node has the same label in all its answers. Where not, rows with one are left out of answers that
    /// rest on others too.
    #[serde(default)]
    pub stable_blank_nodes: bool,
    /// The largest answer that is read, in bytes.
    pub answer_bytes: Option<usize>,
}

/// What an endpoint wants to be shown. Secrets are in files of their own or in the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForeignAuth {
    /// How it wants to be shown something.
    pub kind: ForeignAuthKind,
    /// For `basic`: the name.
    pub user: String,
    /// For `client-credentials`: where tokens are had.
    pub token_url: String,
    /// For `client-credentials`: the client's id.
    pub client_id: String,
    /// For `client-credentials`: what the token is to be good for.
    pub scope: Option<String>,
    /// A file that holds the password, token or secret, and nothing else.
    pub secret_file: Option<PathBuf>,
    /// A variable of the environment that holds it.
    pub secret_env: Option<String>,
}

/// How an endpoint wants to be shown who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignAuthKind {
    /// Not at all.
    #[default]
    None,
    /// Name and password: <https://www.rfc-editor.org/rfc/rfc7617>.
    Basic,
    /// A token: <https://www.rfc-editor.org/rfc/rfc6750>.
    Bearer,
    /// A token that is had with the client's own credentials: <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>.
    ClientCredentials,
}

impl ForeignAuth {
    fn validate(&self) -> Result<(), &'static str> {
        let is = |text: &str| !text.is_empty();
        let (basic, credentials) = match self.kind {
            ForeignAuthKind::Basic => (true, false),
            ForeignAuthKind::ClientCredentials => (false, true),
            ForeignAuthKind::None | ForeignAuthKind::Bearer => (false, false),
        };
        let secrets =
            usize::from(self.secret_file.is_some()) + usize::from(self.secret_env.is_some());
        if secrets != usize::from(self.kind != ForeignAuthKind::None) {
            return Err("needs either `secret_file` or `secret_env`, and none for kind `none`");
        }
        if is(&self.user) != basic {
            return Err("needs `user` for kind `basic`, and for no other");
        }
        if is(&self.token_url) != credentials || is(&self.client_id) != credentials {
            return Err(
                "needs `token_url` and `client_id` for kind `client-credentials`, and for no other",
            );
        }
        Ok(())
    }
}

impl ForeignFile {
    /// What it is called. Valid once the file is loaded.
    pub fn participant(&self) -> NamedNode {
        NamedNode::new_unchecked(self.participant.clone())
    }

    /// The functions that it declares.
    pub fn functions(&self) -> impl Iterator<Item = NamedNode> {
        let names = self.functions.iter();
        names.map(|name| NamedNode::new_unchecked(name.as_str()))
    }

    /// Whether it may be asked for one with these roles and this purpose.
    pub fn permits(&self, roles: &[NamedNode], purpose: Option<&NamedNode>) -> bool {
        let is_in = |list: &[String], name: &NamedNode| list.iter().any(|one| one == name.as_str());
        let any = |list: &[String]| list.iter().any(|one| one == ANY);
        let has_role = any(&self.roles) || roles.iter().any(|role| is_in(&self.roles, role));
        let has_purpose =
            any(&self.purposes) || purpose.is_some_and(|purpose| is_in(&self.purposes, purpose));
        has_role && has_purpose
    }

    fn validate(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |key: &'static str, problem: String| ConfigError::Value {
            path: path.to_owned(),
            key,
            problem,
        };
        iri(&self.participant).map_err(|problem| wrong("participant", problem))?;
        for (key, iris) in [
            ("roles", &self.roles),
            ("purposes", &self.purposes),
            ("default_graphs", &self.default_graphs),
            ("named_graphs", &self.named_graphs),
            ("functions", &self.functions),
        ] {
            let is_list = matches!(key, "roles" | "purposes");
            for text in iris.iter().filter(|text| !is_list || *text != ANY) {
                iri(text).map_err(|problem| wrong(key, problem))?;
            }
        }
        if let Err(problem) = self.auth.validate() {
            return Err(wrong("auth", problem.to_owned()));
        }
        for (key, is_wrong) in [
            ("functions", self.functions.len() > FUNCTIONS),
            (
                "requests_per_second",
                self.requests_per_second
                    .is_some_and(|n| n == 0 || n > 1_000),
            ),
            ("values", self.values.is_some_and(|n| n > 100_000)),
            (
                "answer_bytes",
                self.answer_bytes.is_some_and(|n| n == 0 || n > 1 << 30),
            ),
        ] {
            if is_wrong {
                return Err(wrong(key, "is out of range".to_owned()));
            }
        }
        Ok(())
    }
}

/// The files of a folder, in the order of their names; paths in them start there.
pub(super) fn load(reading: &Reading, folder: &Path) -> Result<Vec<ForeignFile>, ConfigError> {
    let mut all: Vec<ForeignFile> = Vec::new();
    for path in files_from(reading, folder, &["toml"])? {
        let mut file: ForeignFile = read_toml(reading, &path)?;
        file.validate(&path)?;
        if all.iter().any(|one| one.participant == file.participant) {
            return Err(ConfigError::Value {
                path,
                key: "participant",
                problem: "is that of another file too".to_owned(),
            });
        }
        file.authority = file.authority.map(|path| folder.join(path));
        let secret = &mut file.auth.secret_file;
        *secret = secret.take().map(|path| folder.join(path));
        all.push(file);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        participant = "https://data.example/"
        url = "https://data.example/sparql"
        roles = ["https://a.example/role"]
        purposes = ["any"]
        requests_per_second = 5
        [auth]
        kind = "client-credentials"
        token_url = "https://login.example/token"
        client_id = "twinlink"
        secret_file = "data.secret"
    "#;

    fn loaded(text: &str) -> Result<Vec<ForeignFile>, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data.toml"), text).unwrap();
        load(&Reading::default(), folder.path())
    }

    #[test]
    fn a_file_says_who_may_ask_and_how() {
        let files = loaded(FILE).unwrap();
        let node = |iri: &str| NamedNode::new_unchecked(iri);
        let role = [node("https://a.example/role")];
        assert!(files[0].permits(&role, None));
        assert!(!files[0].permits(&[], None));
        let auth = &files[0].auth;
        assert_eq!(auth.kind, ForeignAuthKind::ClientCredentials);
        assert!(auth.secret_file.as_ref().unwrap().is_absolute());
        // Without lists nobody may, for nothing.
        let bare = "participant = \"urn:x\"\nurl = \"https://x.example/\"";
        assert!(!loaded(bare).unwrap()[0].permits(&role, Some(&role[0])));
        let purposes = format!("{bare}\nroles = [\"any\"]\npurposes = [\"urn:p\"]");
        let file = &loaded(&purposes).unwrap()[0];
        assert!(file.permits(&[], Some(&node("urn:p"))));
        assert!(!file.permits(&[], Some(&node("urn:q"))));
        assert!(!file.permits(&[], None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, named) in [
            ("https://data.example/\"", "data\"", "participant"),
            ("secret_file = \"data.secret\"", "", "auth"),
            ("kind = \"client-credentials\"", "kind = \"bearer\"", "auth"),
            ("https://a.example/role", "role", "roles"),
            ("= 5", "= 0", "requests_per_second"),
            ("[auth]", "functions = [\"sfWithin\"]\n[auth]", "functions"),
        ] {
            let error = loaded(&FILE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        assert!(loaded(&format!("password = \"x\"\n{FILE}")).is_err());
    }
}

//! The program as a person runs it: exit codes, messages that say what to do, and no secret in any of them.

mod backup;
mod crisis;
mod data;
mod evidence;
mod messages;
mod purge;
mod restored;
mod serving;
mod signed;
mod telemetry;

use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// An organisation's folder, and all that its programs printed.
struct Folder {
    home: TempDir,
    said: std::cell::RefCell<String>,
}

/// What a program did.
struct Done {
    code: i32,
    out: String,
    err: String,
}

/// A connector that serves; killed when dropped.
struct Serving {
    child: Child,
    port: u16,
}

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Self {
            home: tempfile::tempdir().unwrap(),
            said: String::new().into(),
        };
        let port = free_port();
        let at = folder.path("");
        let done = folder.run_bare(&[
            "init",
            at.to_str().unwrap(),
            "--participant",
            &format!("https://{name}.example/"),
            "--listen",
            &format!("127.0.0.1:{port}"),
        ]);
        assert_eq!(done.code, 0, "{}", done.err);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("connector").join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twinlink"));
        command
            .env_remove("TWINLINK_CONFIG")
            .env_remove("TWINLINK_LOG");
        command
    }

    /// Runs without a configuration.
    fn run_bare(&self, arguments: &[&str]) -> Done {
        self.finish(self.command().current_dir(self.home.path()).args(arguments))
    }

    fn run(&self, arguments: &[&str]) -> Done {
        let mut command = self.command();
        command.arg("--config").arg(self.path("twinlink.toml"));
        self.finish(command.args(arguments))
    }

    fn finish(&self, command: &mut Command) -> Done {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let done = Done {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        let mut said = self.said.borrow_mut();
        said.push_str(&done.out);
        said.push_str(&done.err);
        done
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let path = self.path(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Adds to a file.
    fn append(&self, name: &str, more: &str) {
        let path = self.path(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}\n{more}")).unwrap();
    }

    /// Lets it log all that it can, as JSON.
    fn log_everything(&self) {
        self.append("twinlink.toml", "[telemetry]\nlog = \"json\"\n");
        fs::write(self.path("log-everything"), "").unwrap();
    }

    /// Serves; returns once it says that it is ready.
    fn serve(&self) -> Serving {
        let level = match self.path("log-everything").exists() {
            true => "trace",
            false => "info",
        };
        self.serve_with("TWINLINK_LOG", level)
    }

    /// As [`Self::serve`], with a variable in its environment.
    fn serve_with(&self, name: &str, value: &str) -> Serving {
        let mut child = self
            .command()
            .env(name, value)
            .arg("--config")
            .arg(self.path("twinlink.toml"))
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.path("serve.log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let mut serving = Serving { child, port: 0 };
        assert!(line.starts_with("ready <https://"), "{line}");
        let port = line.trim().rsplit(':').next().unwrap();
        serving.port = port.parse().unwrap();
        serving
    }
}

impl Serving {
    /// Asks it to stop and waits until it did.
    fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Done {
    #[track_caller]
    fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// Failed with one line that holds all of these.
    #[track_caller]
    fn badly(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The names of the checks that failed.
fn failed(findings: &Value) -> Vec<&str> {
    let findings = findings.as_array().unwrap().iter();
    findings
        .filter(|finding| {
            assert!(
                finding["party"].is_string() && finding["detail"].is_string(),
                "{finding}"
            );
            finding["ok"] == false
        })
        .map(|finding| finding["check"].as_str().unwrap())
        .collect()
}

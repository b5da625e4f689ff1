//! The real `twinlink` program, as people run it.

use crate::http::{Remote, RemoteSettings, Request, Target};
use crate::library::Fault;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use twinlink_core::Secret;

/// The longest that a connector may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program's file.
#[derive(Debug, Clone)]
pub(crate) struct Program(PathBuf);

/// A folder that `twinlink init` made.
#[derive(Debug)]
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

/// A connector that runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// What it says after its first line.
    out: Option<BufReader<ChildStdout>>,
    /// Where it listens.
    pub(crate) port: u16,
    /// From the start of the program to its first answer.
    pub(crate) ready_after: Duration,
}

impl Program {
    /// The program beside our own; where it is not there, cargo builds it first.
    pub(crate) fn find() -> Result<Self, Fault> {
        let ours = std::env::current_exe().map_err(|error| Fault::Measure(error.to_string()))?;
        let beside = ours.with_file_name(format!("twinlink{}", std::env::consts::EXE_SUFFIX));
        if !beside.is_file() {
            build()?;
        }
        if beside.is_file() {
            return Ok(Self(beside));
        }
        let place = beside.display();
        Err(Fault::Measure(format!(
            "{place} is not there: build it with `cargo build --release -p twinlink`"
        )))
    }

    /// A command that runs it.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// Makes a connector with an empty twin.
    pub(crate) fn init(&self) -> Result<Home, Fault> {
        self.init_for("https://conformance.example/")
    }

    /// Makes a connector with an empty twin for a participant.
    pub(crate) fn init_for(&self, participant: &str) -> Result<Home, Fault> {
        let folder = tempfile::tempdir().map_err(|error| Fault::Measure(error.to_string()))?;
        let home = Home { folder };
        let mut init = self.command();
        init.arg("init").arg(home.path());
        init.args(["--participant", participant]);
        init.args(["--listen", "127.0.0.1:0"]);
        output("init", &mut init)?;
        Ok(home)
    }

    /// Runs one of its commands with a connector's configuration, and gives what it wrote to standard output.
    pub(crate) fn run(&self, home: &Home, arguments: &[&OsStr]) -> Result<String, Fault> {
        self.run_with(&home.path().join("twinlink.toml"), arguments)
    }

    /// As [`Self::run`], with a configuration file.
    pub(crate) fn run_with(&self, config: &Path, arguments: &[&OsStr]) -> Result<String, Fault> {
        let mut command = self.command();
        command.arg("--config").arg(config);
        let name = arguments.first().copied().unwrap_or_default();
        output(&name.to_string_lossy(), command.args(arguments))
    }

    /// A token of the connector's own steward, for an hour.
    pub(crate) fn token(&self, home: &Home) -> Result<Secret, Fault> {
        let token = self.run(home, &["token", "--lifetime", "3600"].map(OsStr::new))?;
        Ok(Secret::new(token.trim()))
    }

    /// Starts a connector and waits for its first answer.
    pub(crate) fn serve(&self, home: &Home) -> Result<Running, Fault> {
        let started = Instant::now();
        let mut serve = self.command();
        serve
            .arg("--config")
            .arg(home.path().join("twinlink.toml"))
            .arg("serve")
            // Nobody reads what it logs before it ends: little enough for a pipe.
            .env("TWINLINK_LOG", "warn")
            .stdin(Stdio::null());
        let mut running = Running::start(&mut serve)?;
        let remote = home.remote(running.port, None)?;
        let answer = remote.send(&Request::get("/ready"))?;
        running.ready_after = started.elapsed();
        if answer.is_success() {
            Ok(running)
        } else {
            Err(Fault::Target(format!("not ready: {}", answer.summary())))
        }
    }
}

impl Home {
    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A configuration that names the port of the connector that runs: the system gave it, so its own does not.
    pub(crate) fn config_for(&self, port: u16) -> Result<PathBuf, Fault> {
        let fault = |error: std::io::Error| Fault::Measure(error.to_string());
        let text = std::fs::read_to_string(self.path().join("twinlink.toml")).map_err(fault)?;
        let config = self.path().join("running.toml");
        let text = text.replace("localhost:0", &format!("localhost:{port}"));
        std::fs::write(&config, text).map_err(fault)?;
        Ok(config)
    }

    /// A way to ask the connector as its own organisation.
    pub(crate) fn remote(&self, port: u16, token: Option<Secret>) -> Result<Remote, Fault> {
        let identity = self.path().join("identity");
        let tls = crate::http::tls(
            &identity.join("certificate.pem"),
            &identity.join("key.pem"),
            &identity.join("authority.pem"),
        )?;
        Remote::new(RemoteSettings {
            url: format!("https://localhost:{port}"),
            tls: Some(tls),
            token,
        })
    }
}

impl Running {
    /// Starts a program that says in its first line at which port it listens.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Fault> {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Fault::Measure(error.to_string()))?;
        let mut running = Self {
            child,
            out: None,
            port: 0,
            ready_after: Duration::ZERO,
        };
        running.port = running.read_port()?;
        Ok(running)
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads what it logs until it ends, for a program that logs more than a pipe holds.
    pub(crate) fn listen(&mut self) -> JoinHandle<String> {
        let error = self.child.stderr.take();
        std::thread::spawn(move || {
            let mut said = String::new();
            if let Some(mut error) = error {
                drop(error.read_to_string(&mut said));
            }
            said
        })
    }

    /// What the process holds in memory.
    pub(crate) fn megabytes(&self) -> Result<f64, Fault> {
        megabytes(self.id())
    }

    /// The port that the line names with which it says that it is ready.
    fn read_port(&mut self) -> Result<u16, Fault> {
        let out = self.child.stdout.take();
        let (say, heard) = mpsc::channel();
        // A thread of its own, because reading a pipe has no end of patience.
        std::thread::spawn(move || {
            let mut line = String::new();
            let mut out = out.map(BufReader::new);
            if let Some(out) = &mut out {
                // What cannot be read is an empty line.
                drop(out.read_line(&mut line));
            }
            drop(say.send((line, out)));
        });
        let (line, out) = heard.recv_timeout(PATIENCE).unwrap_or_default();
        self.out = out;
        let port = line.trim().rsplit(':').next();
        port.and_then(|port| port.parse().ok())
            .ok_or_else(|| Fault::Target(format!("not ready: {}", self.complaint(&line))))
    }

    /// What it said instead of being ready.
    fn complaint(&mut self, line: &str) -> String {
        drop(self.child.kill());
        let mut said = line.to_owned();
        if let Some(mut error) = self.child.stderr.take() {
            drop(error.read_to_string(&mut said));
        }
        said
    }
}

impl Running {
    /// Kills it as it is, as `kill -9` does.
    pub(crate) fn kill(mut self) -> Result<(), Fault> {
        let fault = |error: std::io::Error| Fault::Measure(error.to_string());
        self.child.kill().map_err(fault)?;
        self.child.wait().map_err(fault)?;
        Ok(())
    }

    /// Closes its standard input, for a program that ends with that, and gives what it says at last.
    pub(crate) fn end(mut self) -> Result<String, Fault> {
        let fault = |error: std::io::Error| Fault::Measure(error.to_string());
        drop(self.child.stdin.take());
        let mut said = String::new();
        if let Some(out) = &mut self.out {
            out.read_to_string(&mut said).map_err(fault)?;
        }
        self.child.wait().map_err(fault)?;
        Ok(said)
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), Fault> {
        // The standard library can only kill.
        let mut signal = Command::new("kill");
        let asked = signal.args(["-TERM", &self.id().to_string()]).status();
        asked.map_err(|error| Fault::Measure(format!("kill: {error}")))?;
        let ended = self.child.wait();
        let ended = ended.map_err(|error| Fault::Measure(error.to_string()))?;
        if ended.success() {
            Ok(())
        } else {
            Err(Fault::Target(format!("twinlink serve: {ended}")))
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; nothing hangs on it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a process holds in memory, from <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>.
pub(crate) fn megabytes(process: u32) -> Result<f64, Fault> {
    status(process, "VmRSS:")
}

/// The most that it held since it began, or since [`forget_peak`].
pub(crate) fn peak_megabytes(process: u32) -> Result<f64, Fault> {
    status(process, "VmHWM:")
}

/// Begins its peak anew: <https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html>.
pub(crate) fn forget_peak(process: u32) -> Result<(), Fault> {
    let path = format!("/proc/{process}/clear_refs");
    let written = std::fs::write(&path, "5");
    written.map_err(|error| Fault::Measure(format!("{path}: {error}")))
}

/// The processor time that a process took so far, in seconds, to the hundredth:
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
pub(crate) fn processor_seconds(process: u32) -> Result<f64, Fault> {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| Fault::Measure(format!("{path}: {error}")))?;
    // The name of the program, in brackets, may hold anything; user and system time are the 12th and 13th after it.
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let times = after.split_whitespace().skip(11).take(2);
    Ok(times
        .filter_map(|time| time.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0)
}

/// How many sockets a process has open.
pub(crate) fn sockets(process: u32) -> Result<usize, Fault> {
    let path = format!("/proc/{process}/fd");
    let open = std::fs::read_dir(&path);
    let open = open.map_err(|error| Fault::Measure(format!("{path}: {error}")))?;
    let places = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    Ok(places
        .filter(|place| place.to_string_lossy().starts_with("socket:"))
        .count())
}

/// A line of a process's status, in megabytes.
fn status(process: u32, name: &str) -> Result<f64, Fault> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| Fault::Measure(format!("{path}: {error}")))?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<f64>().ok());
    let kilobytes = kilobytes.ok_or_else(|| Fault::Measure(format!("{path}: no {name}")))?;
    Ok(kilobytes / 1024.0)
}

/// Runs a command to its end.
fn output(name: &str, command: &mut Command) -> Result<String, Fault> {
    let output = command.output();
    let output = output.map_err(|error| Fault::Measure(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Fault::Measure(format!("twinlink {name}: {error}")))
}

/// Builds the program with the cargo that runs us, if one does, in the profile that we are in.
fn build() -> Result<(), Fault> {
    let Some(cargo) = std::env::var_os("CARGO") else {
        return Ok(());
    };
    let mut build = Command::new(cargo);
    build.args(["build", "--package", "twinlink", "--bin", "twinlink"]);
    build.args([
        "--manifest-path",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let status = build.status();
    let status = status.map_err(|error| Fault::Measure(error.to_string()))?;
    if status.success() {
        Ok(())
    } else {
        Err(Fault::Measure("twinlink does not build".to_owned()))
    }
}

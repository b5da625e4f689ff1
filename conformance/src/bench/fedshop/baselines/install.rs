//! Installing other engines, each with the ordinary client of its registry, into a folder beside what cargo builds.

use super::fault;
use crate::library::Fault;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The versions that are compared with.
const COMUNICA: &str = "5.4.1";
const NODE: &str = "22";
const FEDX: &str = "5.1.2";
const PYOXIGRAPH: &str = "0.5.13";

/// Another engine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Engine {
    Comunica,
    FedX,
}

/// An engine that can be run.
pub(super) struct Installed {
    pub(super) version: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// Where they are installed.
pub(super) struct Tools {
    cache: PathBuf,
    programs: PathBuf,
}

impl Engine {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Comunica => "Comunica",
            Self::FedX => "RDF4J FedX",
        }
    }
}

impl Tools {
    pub(super) fn new(programs: &Path) -> Result<Self, Fault> {
        let ours = std::env::current_exe().map_err(fault)?;
        let target = ours
            .parent()
            .and_then(Path::parent)
            .unwrap_or(Path::new("target"));
        let cache = target.join("peers");
        fs::create_dir_all(&cache).map_err(fault)?;
        Ok(Self {
            cache,
            // Processes run in other folders.
            programs: programs.canonicalize().map_err(fault)?,
        })
    }

    /// A Python with the store behind the plain endpoints.
    pub(super) fn python(&self) -> Result<PathBuf, String> {
        let home = self.cache.join("python");
        let python = home.join("bin/python");
        let mut check = Command::new(&python);
        if run(check.args(["-c", "import pyoxigraph"])).is_err() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
            let package = format!("pyoxigraph=={PYOXIGRAPH}");
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
        }
        Ok(python)
    }

    /// The engine, installed where it is not yet.
    pub(super) fn install(&self, engine: Engine) -> Result<Installed, String> {
        match engine {
            Engine::Comunica => self.comunica(),
            Engine::FedX => self.fedx(),
        }
    }

    fn comunica(&self) -> Result<Installed, String> {
        let home = self.cache.join("comunica");
        let modules = home.join("node_modules");
        let node = modules.join(".bin/node");
        if !node.is_file() || !modules.join("@comunica/query-sparql").is_dir() {
            fs::create_dir_all(&home).map_err(word)?;
            fs::write(home.join("package.json"), "{\"private\":true}\n").map_err(word)?;
            let mut install = Command::new("npm");
            install.args(["install", "--no-audit", "--no-fund"]);
            install.args([
                format!("@comunica/query-sparql@{COMUNICA}"),
                format!("node@{NODE}"),
            ]);
            run(install.current_dir(&home))?;
        }
        // The program looks for the engine beside the place that it is run by: a link, so that it stays where it is.
        let link = home.join("comunica.mjs");
        drop(fs::remove_file(&link));
        std::os::unix::fs::symlink(self.programs.join("comunica.mjs"), &link).map_err(word)?;
        let mut arguments = vec![
            "--preserve-symlinks".into(),
            "--preserve-symlinks-main".into(),
        ];
        arguments.push(link.into());
        Ok(Installed {
            version: COMUNICA,
            program: node,
            arguments,
        })
    }

    fn fedx(&self) -> Result<Installed, String> {
        let home = self.cache.join("fedx");
        let libraries = home.join("libraries");
        let library = libraries.join(format!("rdf4j-tools-federation-{FEDX}.jar"));
        let classes = home.join("classes");
        if !library.is_file() || !classes.join("twinlink/FedX.class").is_file() {
            let mut build = Command::new("mvn");
            build.args(["--quiet", "--batch-mode", "process-classes", "--file"]);
            build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/fedx/pom.xml"));
            build.arg(format!("-Drdf4j.version={FEDX}"));
            build.arg(format!("-Dinto={}", home.display()));
            build.arg(format!(
                "-Dmaven.repo.local={}",
                self.cache.join("maven").display()
            ));
            run(&mut build)?;
        }
        let path = format!("{}:{}/*", classes.display(), libraries.display());
        Ok(Installed {
            version: FEDX,
            program: "java".into(),
            arguments: ["-cp", &path, "twinlink.FedX"].map(Into::into).to_vec(),
        })
    }
}

impl Installed {
    /// A command that runs it, but for the arguments of the run.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

/// Runs a command to its end; where it fails, the end of what it said.
fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(format!("{name}: {}", last.unwrap_or("failed")))
}

fn word(error: std::io::Error) -> String {
    error.to_string()
}

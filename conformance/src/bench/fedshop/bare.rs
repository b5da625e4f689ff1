//! The same members as processes without trust: this program, run again as [`crate::plain`] connectors.

use super::{Source, fault};
use crate::library::Fault;
use crate::plain;
use crate::program::{Running, processor_seconds};
use std::fs;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use twinlink_client::Client;

/// Processes that run: members, and one that asks them.
pub(super) struct Bare {
    runtime: Runtime,
    client: Client,
    asking: Running,
    members: Vec<Running>,
    _folder: TempDir,
}

impl Bare {
    /// Starts members, and then the one that asks them.
    pub(super) fn start(sources: &[Source]) -> Result<Self, Fault> {
        let runtime = twinlink::wire::runtime().map_err(fault)?;
        let folder = tempfile::tempdir().map_err(fault)?;
        let mut members = Vec::new();
        let mut peers = String::new();
        for source in sources {
            let participant = source.participant();
            let mut command = program(&participant)?;
            let member = command.arg("--quads").arg(&source.path);
            let member = Running::start(member.stdin(Stdio::piped()))?;
            peers.push_str(&format!("{participant} http://127.0.0.1:{}\n", member.port));
            members.push(member);
        }
        let file = folder.path().join("peers");
        fs::write(&file, peers).map_err(fault)?;
        let mut command = program(super::network::ASKING)?;
        let asking = command.arg("--peers").arg(&file).stdin(Stdio::piped());
        let asking = Running::start(asking)?;
        let client = {
            let _inside = runtime.enter();
            plain::client(&format!("http://127.0.0.1:{}", asking.port))?
        };
        Ok(Self {
            runtime,
            client,
            asking,
            members,
            _folder: folder,
        })
    }

    /// The one that asks the others, for a question to it.
    pub(super) fn asking(&self) -> (&Runtime, &Client) {
        (&self.runtime, &self.client)
    }

    /// As [`super::network::Network::processor`].
    pub(super) fn processor(&self) -> Result<(f64, f64), Fault> {
        let members = self.members.iter().map(|one| processor_seconds(one.id()));
        let members: f64 = members.sum::<Result<f64, Fault>>()?;
        Ok((processor_seconds(self.asking.id())?, members))
    }

    /// Stops all; gives how often members were asked for data.
    pub(super) fn stop(self) -> Result<usize, Fault> {
        drop(self.client);
        self.asking.end()?;
        let mut asked = 0;
        for member in self.members {
            let said = member.end()?;
            let number = said.trim().strip_prefix("asked ");
            let number = number.and_then(|number| number.parse::<usize>().ok());
            asked += number.ok_or_else(|| fault(format!("a member said `{said}`")))?;
        }
        Ok(asked)
    }
}

/// This program, as a connector without trust.
fn program(participant: &str) -> Result<Command, Fault> {
    let mut command = Command::new(std::env::current_exe().map_err(fault)?);
    command.args(["plain", "--participant", participant]);
    Ok(command)
}

//! Whether this process opens a socket to where a token points: it is looked at all the time while tokens are shown.
//!
//! Linux lists all sockets, those that only try to connect among them:
//! <https://man7.org/linux/man-pages/man5/proc_pid_net.5.html>.

use crate::report::Verdict;
use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where machines in clouds find secrets of their own, and as Linux writes it.
const METADATA: &str = "169.254.169.254:80";
const WRITTEN: &str = "FEA9FEA9:0050";
const TABLES: [&str; 4] = ["tcp", "tcp6", "udp", "udp6"];
/// Shorter than the shortest wait for an answer that does not come.
const PAUSE: Duration = Duration::from_millis(1);

/// Looks until it is stopped.
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    looks: JoinHandle<bool>,
}

impl Watch {
    pub(super) fn begin() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let looks = std::thread::spawn(move || {
            let mut seen = false;
            while !over.load(Ordering::SeqCst) {
                seen |= is_open();
                std::thread::park_timeout(PAUSE);
            }
            seen
        });
        Self { is_over, looks }
    }

    /// Whether there never was a socket; and whether one would have been seen.
    pub(super) fn end(self) -> [(String, Verdict); 2] {
        self.is_over.store(true, Ordering::SeqCst);
        let seen = self.looks.join().unwrap_or(true);
        let control = control();
        let never = match (&control, seen) {
            (Verdict::Skipped(why), _) => Verdict::Skipped(why.clone()),
            (_, true) => Verdict::Failed(format!("a socket to {METADATA} was opened")),
            (_, false) => Verdict::Passed,
        };
        [
            ("no socket to the address of metadata".to_owned(), never),
            ("such a socket would have been seen".to_owned(), control),
        ]
    }
}

/// Opens one that sends nothing, and looks.
fn control() -> Verdict {
    let opened = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(METADATA)?;
        Ok(socket)
    });
    match opened {
        Err(error) => Verdict::Skipped(format!("no way to {METADATA} from here: {error}")),
        Ok(_) if fs::metadata("/proc/self/net/tcp").is_err() => {
            Verdict::Skipped("this system does not list its sockets".to_owned())
        }
        Ok(_socket) => match is_open() {
            true => Verdict::Passed,
            false => Verdict::Failed("it was not seen".to_owned()),
        },
    }
}

/// Whether a socket of ours leads there now.
fn is_open() -> bool {
    TABLES.iter().any(|table| {
        let text = fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
        let mut lines = text.lines().filter(|line| line.contains(WRITTEN));
        // Whose it is says the number of its file; others on this machine may do as they like.
        lines.any(|line| line.split_whitespace().nth(9).is_some_and(is_ours))
    })
}

fn is_ours(inode: &str) -> bool {
    let name = format!("socket:[{inode}]");
    let files = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    files
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| target.to_string_lossy() == name)
}

//! A disk that fills up under a connector that serves: a small tmpfs, where this machine lets us mount one.
//!
//! Somebody else fills it; then its end comes nearer and goes again while clients write, so that some writes that had
//! room when they began meet it in the middle. Then there is room again, nobody does anything, and it goes on.

use super::{PATIENCE, Promises, Told, check, insertion};
use crate::http::{Remote, Request, SPARQL, Target as _};
use crate::library::Fault;
use crate::program::{Home, Program};
use crate::report::Verdict;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// The name of the case.
pub(super) const CASE: &str = "the disk fills up and has room again";
/// The size of the disk: a little more than what a connector wants to find free.
const SIZE: u64 = 96 << 20;
/// How often that is, and after how many of these something must have been taken.
const TIMES: usize = 300;
const TAKEN: usize = 20;
/// What the connector logs of a write that met the end.
const CUT_OFF: &str = "nothing more is written until the disk can be written again";
/// Clients that change the twin meanwhile.
const WRITERS: usize = 2;

/// A file system of its own at a folder, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// Why not, where it cannot be.
    fn at(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        let size = format!("size={SIZE}");
        mount
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder);
        let output = mount.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(Self(folder.to_owned())),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }

    /// Brings its end near, and takes it away again.
    fn squeeze(&self) -> Result<(), Fault> {
        let mut stat = Command::new("stat");
        stat.args(["-f", "-c", "%b %f %S"]).arg(&self.0);
        let told = stat.output().map_err(measure)?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let numbers: Vec<u64> = told.split_whitespace().flat_map(str::parse).collect();
        let [blocks, free, size] = numbers.as_slice() else {
            return Err(measure(format_args!("stat says `{told}`")));
        };
        let used = blocks.saturating_sub(*free) * size;
        // Refused where more is used by now: that is a time without.
        self.resize(used)?;
        self.resize(SIZE)
    }

    fn resize(&self, size: u64) -> Result<(), Fault> {
        let mut mount = Command::new("mount");
        mount.arg("-o").arg(format!("remount,size={size}"));
        mount.arg(&self.0).output().map(drop).map_err(measure)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What cannot be taken away is told by the folder that stays.
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

/// What was acknowledged, and how many writes met the end of the disk.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) changes: usize,
    pub(super) receipts: usize,
    pub(super) cut_off: usize,
}

/// What takes the disk's room.
struct Filler(PathBuf);

impl Filler {
    /// Takes all that is left.
    fn fill(&self) -> std::io::Result<()> {
        let mut file = File::create(&self.0)?;
        let piece = vec![1; 1 << 20];
        while file.write_all(&piece).is_ok() {}
        // And the rest, byte by byte.
        while file.write_all(&[1; 512]).is_ok() {}
        Ok(())
    }

    fn free(&self) -> std::io::Result<()> {
        fs::remove_file(&self.0)
    }
}

/// Fills the disk up under a connector.
pub(super) fn run(program: &Program) -> Result<(Verdict, Counts), Fault> {
    let home = program.init()?;
    let folder = home.path().join("twin");
    let mounted = match Mounted::at(&folder) {
        Ok(mounted) => mounted,
        Err(reason) => {
            let reason = format!(
                "no small disk can be mounted here ({reason}): the tests `log::faults` of twinlink-store inject a full one"
            );
            return Ok((Verdict::Skipped(reason), Counts::default()));
        }
    };
    let mut promises = Promises::default();
    let played = play(program, &home, &mounted, &mut promises);
    let mut counts = Counts::default();
    let verdict = match played {
        Ok(cut_off) => {
            counts.cut_off = cut_off;
            check(&home, &promises).map_or_else(Verdict::Failed, |()| Verdict::Passed)
        }
        Err(Fault::Target(reason)) => Verdict::Failed(reason),
        Err(fault) => return Err(fault),
    };
    drop(mounted);
    counts.changes = promises.changes.len();
    counts.receipts = promises.receipts.len();
    Ok((verdict, counts))
}

fn play(
    program: &Program,
    home: &Home,
    mounted: &Mounted,
    promises: &mut Promises,
) -> Result<usize, Fault> {
    let token = program.token(home)?;
    let mut running = program.serve(home)?;
    let log = running.listen();
    let remote = home.remote(running.port, Some(token.clone()))?;
    let filler = Filler(mounted.0.join("filler"));

    let tag = format!("{}/full", running.id());
    change(&remote, &tag, 1, promises)?;
    ask(&remote, promises)?;

    // Full: refused with advice; the log is read; the process lives.
    filler.fill().map_err(measure)?;
    for refused in [change(&remote, &tag, 2, promises), ask(&remote, promises)] {
        match refused {
            Err(Fault::Target(told)) if told.starts_with("503 with advice") => {}
            other => return Err(Fault::Target(format!("a full disk, and {other:?}"))),
        }
    }
    let ready = remote.send(&Request::get("/ready"))?;
    if ready.status != 503 {
        let told = ready.summary();
        return Err(Fault::Target(format!("a full disk, and ready: {told}")));
    }
    expect(&remote, "/health")?;
    let config = home.config_for(running.port)?;
    let read = program.run_with(&config, &["audit", "list", "--json"].map(OsStr::new))?;
    if !read.contains("\"sequence\":1") {
        return Err(Fault::Target(format!("the log is not read: {read}")));
    }

    filler.free().map_err(measure)?;
    recover(&remote, &tag, 3, promises)?;

    // Full in the middle of writes.
    let over = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let clients: Vec<_> = (0..WRITERS)
        .map(|number| {
            let remote = home.remote(running.port, Some(token.clone()))?;
            let (tell, over) = (tell.clone(), Arc::clone(&over));
            let tag = format!("{}/full/{number}", running.id());
            Ok(std::thread::spawn(move || {
                for number in 1_u32.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    // Large ones: small ones lie where others were before.
                    let (request, told) = insertion(&tag, number * 10);
                    if remote
                        .send(&request)
                        .is_ok_and(|answer| answer.is_success())
                    {
                        drop(tell.send(told));
                    }
                }
            }))
        })
        .collect::<Result<_, Fault>>()?;
    drop(tell);
    let mut squeezed = Ok(());
    for time in 0..TIMES {
        squeezed = squeezed.and_then(|()| mounted.squeeze());
        // Something between, or the disk would seem full all the time.
        if time % TAKEN == 0 {
            match told.recv_timeout(PATIENCE) {
                Ok(told) => promises.add(told),
                Err(_) => {
                    squeezed = Err(Fault::Target("nothing is taken any more".to_owned()));
                    break;
                }
            }
        }
    }
    over.store(true, Ordering::SeqCst);
    for client in clients {
        drop(client.join());
    }
    squeezed?;
    told.into_iter().for_each(|told| promises.add(told));
    recover(&remote, &tag, 4, promises)?;
    expect(&remote, "/ready")?;
    running.kill()?;
    let logged = log.join().unwrap_or_default();
    Ok(logged.matches(CUT_OFF).count())
}

/// One change. A refusal is told with its status and whether it says when to come again.
fn change(remote: &Remote, tag: &str, number: u32, promises: &mut Promises) -> Result<(), Fault> {
    let (request, told) = insertion(tag, number);
    accepted(&remote.send(&request)?)?;
    promises.add(told);
    Ok(())
}

/// One question.
fn ask(remote: &Remote, promises: &mut Promises) -> Result<(), Fault> {
    let request = Request::get(format!("{SPARQL}?query=ASK%7B%3Fs%20%3Fp%201%7D"));
    let answer = remote.send(&request)?;
    accepted(&answer)?;
    let receipt = answer.header("twinlink-receipt").map(ToOwned::to_owned);
    let receipt = receipt.ok_or_else(|| Fault::Target("an answer without a receipt".to_owned()))?;
    promises.add(Told::Answered { receipt });
    Ok(())
}

fn accepted(answer: &crate::http::Response) -> Result<(), Fault> {
    if answer.is_success() {
        return Ok(());
    }
    let advice = match answer.header("retry-after") {
        Some(_) => "with advice",
        None => "without advice",
    };
    let told = answer.summary();
    Err(Fault::Target(format!("{} {advice}: {told}", answer.status)))
}

/// Changes and asks again until both are taken.
fn recover(remote: &Remote, tag: &str, number: u32, promises: &mut Promises) -> Result<(), Fault> {
    let until = Instant::now() + PATIENCE;
    loop {
        let done = change(remote, tag, number, promises).and_then(|()| ask(remote, promises));
        match done {
            Err(Fault::Target(_)) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50));
            }
            done => return done,
        }
    }
}

fn expect(remote: &Remote, path: &str) -> Result<(), Fault> {
    let answer = remote.send(&Request::get(path))?;
    match answer.is_success() {
        true => Ok(()),
        false => Err(Fault::Target(format!("{path}: {}", answer.summary()))),
    }
}

fn measure(error: impl std::fmt::Display) -> Fault {
    Fault::Measure(error.to_string())
}

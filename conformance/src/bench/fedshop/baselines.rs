//! Other engines over the same data in the same run: Comunica and RDF4J FedX, over plain SPARQL endpoints on loopback that
//! ask for no certificate and no token, and write nothing down.
//!
//! They are installed beside what cargo builds, and only when asked for. One that cannot be is reported so.

mod install;

use super::{Case, FedShop, count, fault, files, geometric_mean, name_of};
use crate::library::Fault;
use install::{Engine, Installed, Tools};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The longest that a question may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long an engine may take to start, or to notice that it is late.
const GRACE: Duration = Duration::from_secs(30);

/// How the other engines did.
pub(super) struct Compared {
    pub(super) figures: Vec<Value>,
    /// The better geometric mean, in milliseconds.
    pub(super) best: Option<f64>,
}

/// Endpoints that run, until they are dropped.
struct Endpoints {
    server: Killed,
    port: u16,
}

/// A process that does not outlive its place here.
struct Killed(Child);

/// What an engine said of a question.
#[derive(Clone)]
struct Line {
    query: String,
    status: String,
    rows: usize,
    first_row: Option<f64>,
    milliseconds: f64,
}

/// Installs the engines where they are not yet, and asks each all questions once.
pub(super) fn measure(given: &FedShop, cases: &[Case]) -> Result<Compared, Fault> {
    let tools = Tools::new(&given.programs)?;
    let python = match tools.python() {
        Ok(python) => python,
        Err(why) => {
            let figures = vec![json!({ "endpoints": format!("cannot be installed: {why}") })];
            return Ok(Compared {
                figures,
                best: None,
            });
        }
    };
    let endpoints = Endpoints::start(&python, &given.programs, &given.folder)?;
    let folder = tempfile::tempdir().map_err(fault)?;
    let list = folder.path().join("endpoints");
    fs::write(&list, endpoints.urls(&given.folder)?).map_err(fault)?;
    let (mut figures, mut best) = (Vec::new(), None::<f64>);
    for engine in [Engine::Comunica, Engine::FedX] {
        match tools.install(engine) {
            Err(why) => figures.push(json!({
                "engine": engine.name(),
                "skipped": format!("cannot be installed: {why}"),
            })),
            Ok(installed) => {
                endpoints.get("/_reset")?;
                let lines = ask(&installed, cases, &list, folder.path())?;
                let stats = endpoints.get("/_stats")?;
                let mean = geometric_mean(lines.iter().map(|line| line.milliseconds));
                best = Some(best.map_or(mean, |best| best.min(mean)));
                figures.push(describe(engine, installed.version, &lines, cases, &stats));
            }
        }
    }
    Ok(Compared { figures, best })
}

/// Asks all questions; those after one that took too long are asked by a new process.
fn ask(
    installed: &Installed,
    cases: &[Case],
    list: &Path,
    folder: &Path,
) -> Result<Vec<Line>, Fault> {
    let mut lines: Vec<Line> = Vec::new();
    while let Some(rest) = cases.get(lines.len()..)
        && !rest.is_empty()
    {
        let queries = folder.join("queries");
        drop(fs::remove_dir_all(&queries));
        fs::create_dir(&queries).map_err(fault)?;
        for case in rest {
            fs::write(queries.join(format!("{}.rq", case.name)), &case.text).map_err(fault)?;
        }
        let child = installed
            .command()
            .args([queries.as_os_str(), list.as_os_str()])
            .arg(TIMEOUT.as_millis().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = Killed(child.map_err(fault)?);
        let said = child.lines();
        let before = lines.len();
        loop {
            match said.recv_timeout(TIMEOUT + GRACE) {
                Ok(line) => lines.extend(Line::read(&line)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        drop(child);
        // It died, or went on without noticing that it is late: it had its turn.
        if lines.len() == before
            && let Some(case) = rest.first()
        {
            lines.push(Line {
                query: case.name.clone(),
                status: "no answer".to_owned(),
                rows: 0,
                first_row: None,
                milliseconds: TIMEOUT.as_secs_f64() * 1000.0,
            });
        }
    }
    Ok(lines)
}

fn describe(engine: Engine, version: &str, lines: &[Line], cases: &[Case], stats: &str) -> Value {
    let is_right = |line: &Line| {
        let case = cases.iter().find(|case| case.name == line.query);
        line.status == "ok" && case.is_some_and(|case| case.rows() == line.rows)
    };
    let with = |status: &str| lines.iter().filter(|l| l.status == status).count();
    let (ok, late) = (with("ok"), with("timeout") + with("no answer"));
    let stats: Value = serde_json::from_str(stats).unwrap_or_default();
    let queries = lines.iter().map(|line| {
        json!({
            "query": line.query,
            "status": line.status,
            "rows": line.rows,
            "as_many_rows_as_expected": is_right(line),
            "first_row_milliseconds": line.first_row,
            "milliseconds": line.milliseconds,
        })
    });
    json!({
        "engine": engine.name(),
        "version": version,
        "ended": ok,
        "timed_out": late,
        "failed": lines.len() - ok - late,
        "as_many_rows_as_expected": lines.iter().filter(|line| is_right(line)).count(),
        "requests": stats.get("req"),
        "requests_per_query": stats.get("req").and_then(Value::as_f64).map(|all| all / count(lines.len().max(1))),
        "timeout_milliseconds": TIMEOUT.as_millis() as u64,
        "geometric_mean_milliseconds": geometric_mean(lines.iter().map(|line| line.milliseconds)),
        "queries": queries.collect::<Vec<_>>(),
    })
}

impl Line {
    /// Query, status, rows, milliseconds to the first row, milliseconds in all. A question that did not end in time, or
    /// failed, counts as if it had taken all the time there is.
    fn read(line: &str) -> Option<Self> {
        let mut columns = line.split('\t');
        let query = columns.next()?.strip_suffix(".rq")?.to_owned();
        let status = columns.next()?.to_owned();
        let rows = columns.next()?.parse().ok()?;
        let first: Option<f64> = columns.next()?.parse().ok();
        let all: f64 = columns.next()?.parse().ok()?;
        let limit = TIMEOUT.as_secs_f64() * 1000.0;
        Some(Self {
            milliseconds: if status == "ok" { all } else { limit },
            query,
            status,
            rows,
            first_row: first.filter(|first| first.is_finite()),
        })
    }
}

impl Endpoints {
    fn start(python: &Path, programs: &Path, folder: &Path) -> Result<Self, Fault> {
        // Free a moment ago; nobody else asks for ports by number here.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.map_err(fault)?.port();
        let server = Command::new(python)
            .arg(programs.join("members_server.py"))
            .arg(folder)
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut endpoints = Self {
            server: Killed(server.map_err(fault)?),
            port,
        };
        let started = Instant::now();
        while endpoints.get("/_stats").is_err() {
            let ended = endpoints.server.0.try_wait().map_err(fault)?;
            if ended.is_some() || started.elapsed() > TIMEOUT + GRACE {
                return Err(Fault::Measure(
                    "the plain endpoints do not start".to_owned(),
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(endpoints)
    }

    /// The endpoint of each member, a line each.
    fn urls(&self, folder: &Path) -> Result<String, Fault> {
        let files = files(&folder.join("members"))?;
        let url = |path| format!("http://127.0.0.1:{}/{}/sparql\n", self.port, name_of(path));
        Ok(files.iter().map(|path| url(path)).collect())
    }

    fn get(&self, path: &str) -> Result<String, Fault> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(fault)?;
        stream.set_read_timeout(Some(GRACE)).map_err(fault)?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(fault)?;
        let mut response = String::new();
        stream.read_to_string(&mut response).map_err(fault)?;
        let body = response.split_once("\r\n\r\n").map(|(_, body)| body);
        Ok(body.unwrap_or_default().to_owned())
    }
}

impl Killed {
    /// What it says, line by line.
    fn lines(&mut self) -> Receiver<String> {
        let (say, heard) = mpsc::channel();
        if let Some(out) = self.0.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    // Nobody may listen any more.
                    drop(say.send(line));
                }
            });
        }
        heard
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already; nothing hangs on it.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn what_does_not_end_takes_all_the_time_there_is() {
        let line = Line::read("q01-0.rq\tok\t3\t12\t34.5").unwrap();
        assert_eq!(
            (line.rows, line.first_row, line.milliseconds),
            (3, Some(12.0), 34.5)
        );
        for status in ["timeout", "error: no"] {
            let line = Line::read(&format!("q01-0.rq\t{status}\t0\tNaN\t17")).unwrap();
            assert_eq!((line.first_row, line.milliseconds), (None, 60_000.0));
        }
        assert!(Line::read("some other line").is_none());
    }
}

//! Queries made to bring a connector down: each ends in time and in memory, and others are answered meanwhile.

mod crowd;
mod hungry;
mod leaving;
mod other;
mod queries;

use crate::http::Request;
use crate::library::Fault;
use crate::report::{Report, Verdict};
use crate::town::{Organisation, Town};
use other::{Other, Sample};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use twinlink_client::{Client, Error, QueryOptions};
use twinlink_core::Secret;
use twinlink_vocab::tl;

/// The connector's limit of time for one request.
const DEADLINE: Duration = Duration::from_secs(1);
const LIMITS: &str =
    "[limits]\ndeadline_seconds = 1\nmemory_bytes = 134217728\nmemory_total_bytes = 268435456\n";
/// The connector's limit of memory for all evaluations together.
const TOGETHER: usize = 256 << 20;
/// How long after it an answer may end.
const LEEWAY: Duration = Duration::from_millis(200);
/// When we give a connector up: far beyond its own limit.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most that the process may grow by while a query runs, in MiB: what an evaluation may hold, and room for what is on
/// its way at both ends of the connection.
const GROWTH: usize = 128 + 64;
/// How long the other caller asks at a time, alone or after cancels. A 95th percentile is the word of one in twenty: of two
/// seconds it is that of some thirty answers, and moved by half from one run to the next.
const SAMPLE: Duration = Duration::from_secs(5);
/// Answers that are dropped in a row, how often that is done, and how long each is waited for.
const CANCELS: usize = 1000;
const STORMS: usize = 2;
const GLANCE: Duration = Duration::from_millis(20);
/// <https://man7.org/linux/man-pages/man7/sched.7.html>, "The nice value".
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;
/// Things of the twin that are loaded by one request: few enough to be done within its deadline.
const PART: usize = 250;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    Stopped,
    Refused,
}

/// Looks at how much memory the process has, all the time.
struct Scales {
    stop: Arc<AtomicBool>,
    peak: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

pub(crate) fn run(name: &'static str) -> Result<Report, Fault> {
    let town = Town::start(LIMITS)?;
    load(&town)?;
    let (mut cases, mut ends) = (Vec::new(), Vec::new());
    let (mut overrun, mut growth) = (Duration::ZERO, 0);
    let mut alone = Sample::default();
    alone.add(Other::ask_for(&town, SAMPLE));
    let scales = Scales::start();
    let meanwhile = Other::during(&town, || {
        hostile(|runtime| {
            let client = connect(&town, &town.city, tl::STEWARD.as_str(), runtime)?;
            for (what, query) in queries::all() {
                let (started, at_rest) = (Instant::now(), scales.reset());
                let end = runtime.block_on(ask(&client, &query));
                let over = started.elapsed().saturating_sub(DEADLINE);
                overrun = overrun.max(over);
                let grown = scales.peak().saturating_sub(at_rest);
                growth = growth.max(grown);
                let verdict = match end {
                    Ok(_) if over > LEEWAY => {
                        Verdict::Failed(format!("{} ms late", over.as_millis()))
                    }
                    Ok(_) if grown > GROWTH => {
                        Verdict::Failed(format!("{grown} MiB more in memory"))
                    }
                    Ok(end) => {
                        ends.push(end);
                        Verdict::Passed
                    }
                    Err(error) => Verdict::Failed(error),
                };
                cases.push((what.to_owned(), verdict));
            }
            Ok(())
        })
    })?;
    // Each storm has a sample right before and one right after it, so that what else goes on here meets both alike.
    let mut after = Sample::default();
    for _ in 0..STORMS {
        alone.add(Other::ask_for(&town, SAMPLE));
        hostile(|runtime| {
            let client = connect(&town, &town.city, tl::STEWARD.as_str(), runtime)?;
            runtime.block_on(cancel(&client));
            Ok(())
        })?;
        after.add(Other::ask_for(&town, SAMPLE));
        cases.push(idle(&town, "cancels")?);
    }
    let crowd = crowd::gather(&town, &mut alone)?;
    let (left, fed) = hostile(|runtime| {
        let left = leaving::leave(&town, runtime)?;
        Ok((left, hungry::feed(&town, runtime, &scales)?))
    })?;
    scales.stop();
    for (what, sample) in [
        ("simple queries meanwhile".to_owned(), &meanwhile),
        (format!("simple queries after {CANCELS} cancels"), &after),
        (
            format!("simple queries beside {} hostile ones", crowd::AT_ONCE),
            &crowd.beside,
        ),
    ] {
        cases.push((what, sample.compared(&alone)));
    }
    let (freed, freed_at_most) = (left.at(95), left.at(100));
    cases.extend(crowd.cases);
    cases.extend(left.cases);
    cases.extend(fed.cases);
    let count = |end| ends.iter().filter(|its| **its == end).count();
    Ok(Report::of(name, cases)
        .with("answered in time", count(End::Answered))
        .with("stopped in time", count(End::Stopped))
        .with("refused in time", count(End::Refused))
        .with("most late, ms", whole(overrun) / 1000)
        .with("most memory of a query, MiB", growth)
        .with("simple queries alone", alone.len())
        .with("p95 of simple queries alone, us", alone.at(95))
        .with("p95 meanwhile, us", meanwhile.at(95))
        .with("p95 after cancels, us", after.at(95))
        .with("p95 beside a crowd, us", crowd.beside.at(95))
        .with("hostile requests of the crowd", crowd.asked)
        .with("p95 from leaving to a free thread, ms", freed)
        .with("most from leaving to a free thread, ms", freed_at_most)
        .with("changes left whole", left.made)
        .with("changes left without a trace", left.unmade)
        .with("refused for the memory of all", fed.refused)
        .with("most memory reserved by all, MiB", fed.most)
        .with("most growth meanwhile, MiB", fed.grown))
}

/// Does what a hostile caller does. On a machine of its own it would take nothing from ours, so here it gets what is left
/// over; whoever is measured is on another thread, which does not.
fn hostile<T: Send>(work: impl FnOnce(&Runtime) -> Result<T, Fault> + Send) -> Result<T, Fault> {
    let lowered = move || {
        #[cfg(target_os = "linux")]
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), LOWEST)
            .map_err(fault)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(fault)?;
        work(&runtime)
    };
    let done = std::thread::scope(|scope| scope.spawn(lowered).join());
    done.unwrap_or_else(|_| Err(fault("the hostile caller panicked")))
}

/// Whether nothing of what was cancelled is evaluated any more, by the connector's own gauge.
fn idle(town: &Town, after: &str) -> Result<(String, Verdict), Fault> {
    let running = town.gauge("twinlink_evaluations_running")?;
    let verdict = match running > 0.0 {
        false => Verdict::Passed,
        true => Verdict::Failed(format!("{running} evaluations")),
    };
    Ok((format!("nothing runs after {after}"), verdict))
}

fn load(town: &Town) -> Result<(), Fault> {
    let token = town.city.token(&town.city.id, tl::STEWARD.as_str())?;
    let remote = town.http(&town.city.identity)?;
    for part in queries::twin(PART) {
        let path = format!("{}?default", crate::http::DATA);
        let mut request = Request::with_body("POST", path, "application/n-triples", part);
        let value = format!("Bearer {}", token.reveal());
        request.headers.push(("authorization".to_owned(), value));
        crate::http::succeed(&remote, &request)?;
    }
    Ok(())
}

fn connect(
    town: &Town,
    organisation: &Organisation,
    role: &str,
    runtime: &Runtime,
) -> Result<Client, Fault> {
    let token = organisation.token(&town.city.id, role)?;
    connect_with(town, organisation, &token, runtime)
}

fn connect_with(
    town: &Town,
    organisation: &Organisation,
    token: &Secret,
    runtime: &Runtime,
) -> Result<Client, Fault> {
    let config = town.grpc(&organisation.identity, token.reveal())?;
    runtime.block_on(Client::connect(&config)).map_err(fault)
}

/// Asks, reads all that comes, and says how it ended.
async fn ask(client: &Client, query: &str) -> Result<End, String> {
    let answered = async {
        let options = QueryOptions::new(query, tokio::time::Instant::now() + PATIENCE);
        let mut answer = client.query(options).await?;
        while answer.next().await?.is_some() {}
        answer.outcome().await
    };
    match answered.await {
        Ok(_) => Ok(End::Answered),
        Err(Error::TimedOut) => Ok(End::Stopped),
        Err(Error::Exhausted(_)) => Ok(End::Refused),
        // For its size. A slip of ours in the query is no attack.
        Err(Error::Invalid(text)) if text.contains("the limit is") => Ok(End::Refused),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks for endless work, and goes away before it is done.
async fn cancel(client: &Client) {
    let all = queries::all();
    for (_, query) in all.iter().cycle().take(CANCELS) {
        // However it ended: what counts is what others see afterwards.
        drop(tokio::time::timeout(GLANCE, ask(client, query)).await);
    }
    // That it went away leaves with whatever it sends next: nobody drives the connection after this.
    drop(ask(client, "ASK {}").await);
}

impl Scales {
    fn start() -> Self {
        let (stop, peak) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (stopped, highest) = (Arc::clone(&stop), Arc::clone(&peak));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                highest.fetch_max(resident().unwrap_or_default(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { stop, peak, thread }
    }

    /// Forgets what was seen; gives what the process has now.
    fn reset(&self) -> usize {
        let now = resident().unwrap_or_default();
        self.peak.store(now, Ordering::Relaxed);
        now
    }

    fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.join());
    }
}

fn whole(time: Duration) -> usize {
    usize::try_from(time.as_micros()).unwrap_or(usize::MAX)
}

/// What the process has in memory, in MiB: <https://www.kernel.org/doc/html/latest/filesystems/proc.html>.
fn resident() -> Result<usize, Fault> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(fault)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: usize = number.unwrap_or_default().parse().map_err(fault)?;
    Ok(kibibytes / 1024)
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_is_as_large_as_it_says() {
        let lines: usize = queries::twin(PART)
            .iter()
            .map(|part| part.lines().count())
            .sum();
        assert_eq!(lines, 50_000);
        assert!(queries::all().len() >= 30);
    }
}

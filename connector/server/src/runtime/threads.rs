//! Threads for work that blocks: with a deep stack, bounded in number, the long ones behind the short.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use twinlink_core::{Code, Refusal, Workers};

/// Enough for the deepest query that `Limits::nesting` lets in. Reserved, not used, until it is needed.
const STACK: usize = 64 * 1024 * 1024;
/// Threads that wait for the next job. More than these would keep more of their stacks in memory than they save.
const IDLE: usize = 8;
/// How long they wait.
const WAIT: Duration = Duration::from_secs(10);
/// A job that runs for longer is a long one: nearly all questions are answered well within this.
const SHORT: Duration = Duration::from_millis(20);
/// How often it is looked for long ones.
const TICK: Duration = Duration::from_millis(5);
/// Ticks without any job until nobody looks any more.
const QUIET: u32 = 200;

type Job = Box<dyn FnOnce() + Send>;

/// One thread a job, with a deep stack, at most so many at once.
///
/// Evaluation recurses as deep as a query nests, and blocks on slow readers: a thread of its own keeps both away from
/// the runtime's threads. A job that turns out to be long gets what the others leave over of the processors, where the
/// system can do that (Linux), so that a short one need not wait for it.
#[derive(Debug, Clone)]
pub struct Threads {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    state: Mutex<State>,
    handed: Condvar,
}

#[derive(Default)]
struct State {
    /// Jobs that run or are handed to a thread.
    busy: usize,
    /// Threads that wait for a job, beside those that one of `handed` is for.
    idle: usize,
    handed: VecDeque<Job>,
    /// What runs now, by thread.
    running: HashMap<Thread, Run>,
    /// Whether somebody looks for long jobs.
    is_watched: bool,
    /// Jobs begun so far.
    begun: u64,
}

/// The system's name of a thread.
type Thread = i32;

#[derive(Debug, Clone, Copy)]
struct Run {
    since: Instant,
    is_lowered: bool,
}

impl Threads {
    /// At most `most` jobs at once.
    pub fn new(most: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                most,
                state: Mutex::default(),
                handed: Condvar::new(),
            }),
        }
    }

    /// How many jobs run now.
    pub fn busy(&self) -> usize {
        self.shared.state().busy
    }
}

impl Workers for Threads {
    fn run(&self, job: Job) -> Result<(), Refusal> {
        let mut state = self.shared.state();
        if state.busy >= self.shared.most {
            return Err(Refusal::new(
                Code::Exhausted,
                "limits.concurrency",
                format_args!("{} requests are being evaluated", self.shared.most),
            ));
        }
        state.busy += 1;
        if state.idle > 0 {
            state.idle -= 1;
            state.handed.push_back(job);
            drop(state);
            self.shared.handed.notify_one();
            return Ok(());
        }
        drop(state);
        let seat = Seat(Arc::clone(&self.shared));
        std::thread::Builder::new()
            .name("evaluation".to_owned())
            .stack_size(STACK)
            .spawn(move || work(seat, job))
            .map(drop)
            .map_err(|error| Refusal::new(Code::Exhausted, "threads", error))
    }
}

/// A thread's life: the first job, and those that are handed to it while it waits.
fn work(seat: Seat, job: Job) {
    let shared = Arc::clone(&seat.0);
    let mut next = Some((seat, job));
    while let Some((seat, job)) = next {
        let turn = Turn::begin(seat);
        job();
        if turn.end() {
            // What was lowered cannot be raised again without a privilege.
            return;
        }
        next = shared.next();
    }
}

/// A place among the busy threads; given back when dropped, also by a panic.
#[derive(Debug)]
struct Seat(Arc<Shared>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.state().busy -= 1;
    }
}

/// A job on its thread.
struct Turn {
    seat: Seat,
    thread: Option<Thread>,
}

impl Turn {
    fn begin(seat: Seat) -> Self {
        let thread = priority::this_thread();
        if let Some(thread) = thread {
            let mut state = seat.0.state();
            state.begun += 1;
            let run = Run {
                since: Instant::now(),
                is_lowered: false,
            };
            state.running.insert(thread, run);
            if !state.is_watched {
                let shared = Arc::downgrade(&seat.0);
                let watch = std::thread::Builder::new().name("priorities".to_owned());
                // Without it, long jobs are as important as short ones: all else is as it should be.
                state.is_watched = watch.spawn(move || look_for_long(&shared)).is_ok();
            }
        }
        Self { seat, thread }
    }

    /// Whether the thread was lowered meanwhile.
    fn end(mut self) -> bool {
        self.leave()
    }

    fn leave(&mut self) -> bool {
        let run = self
            .thread
            .take()
            .and_then(|thread| self.seat.0.state().running.remove(&thread));
        run.is_some_and(|run| run.is_lowered)
    }
}

/// Also by a panic: from here on the system may give the thread's name to another.
impl Drop for Turn {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job for a while.
    fn next(self: &Arc<Self>) -> Option<(Seat, Job)> {
        let mut state = self.state();
        if state.idle >= IDLE {
            return None;
        }
        state.idle += 1;
        let waited = self
            .handed
            .wait_timeout_while(state, WAIT, |state| state.handed.is_empty());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.handed.pop_front() {
            Some(job) => Some((Seat(Arc::clone(self)), job)),
            None => {
                state.idle -= 1;
                None
            }
        }
    }

    /// Lowers the jobs that have come to be long.
    fn lower_long(&self, now: Instant) {
        for (thread, run) in &mut self.state().running {
            let is_long = now.saturating_duration_since(run.since) >= SHORT;
            if is_long && !run.is_lowered {
                // The thread cannot end meanwhile: it leaves the table first.
                priority::lower(*thread);
                run.is_lowered = true;
            }
        }
    }

    /// Whether nothing has run since so many jobs had begun; then nobody looks any more.
    fn rests(&self, begun: &mut u64, quiet: &mut u32) -> bool {
        let mut state = self.state();
        let is_quiet = state.running.is_empty() && state.begun == *begun;
        *quiet = if is_quiet { *quiet + 1 } else { 0 };
        *begun = state.begun;
        let rests = *quiet > QUIET;
        if rests {
            state.is_watched = false;
        }
        rests
    }
}

fn look_for_long(shared: &Weak<Shared>) {
    let (mut begun, mut quiet) = (0, 0);
    loop {
        std::thread::sleep(TICK);
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.lower_long(Instant::now());
        if shared.rests(&mut begun, &mut quiet) {
            return;
        }
    }
}

/// Priorities of single threads: <https://man7.org/linux/man-pages/man2/setpriority.2.html>, "C library/kernel differences".
#[cfg(target_os = "linux")]
mod priority {
    use super::Thread;
    use rustix::process::{Pid, getpriority_process, setpriority_process};

    /// How many steps down: it then gets about a ninth of what a thread beside it gets that was not lowered. With less, it
    /// would take too long to notice that it is to stop, and to let go of what others wait for.
    const STEPS: i32 = 10;
    /// The lowest there is.
    const LOWEST: i32 = 19;

    pub(super) fn this_thread() -> Option<Thread> {
        Some(rustix::thread::gettid().as_raw_nonzero().get())
    }

    pub(super) fn lower(thread: Thread) {
        let thread = Pid::from_raw(thread);
        let lowered = getpriority_process(thread)
            .and_then(|now| setpriority_process(thread, LOWEST.min(now + STEPS)));
        if let Err(error) = lowered {
            tracing::debug!(%error, "a long job is as important as a short one");
        }
    }
}

/// Elsewhere a priority is that of the whole process.
#[cfg(not(target_os = "linux"))]
mod priority {
    use super::Thread;

    pub(super) fn this_thread() -> Option<Thread> {
        None
    }

    pub(super) fn lower(_: Thread) {}
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("busy", &self.busy)
            .field("idle", &self.idle)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_over_the_limit_are_refused_and_seats_come_back() {
        let threads = Threads::new(1);
        let (release, wait) = channel::<()>();
        let (done_in, done) = channel();
        threads
            .run(Box::new(move || {
                wait.recv().unwrap();
                done_in.send(()).unwrap();
            }))
            .unwrap();
        let refused = threads.run(Box::new(|| {})).unwrap_err();
        assert_eq!(refused.code(), Code::Exhausted);
        release.send(()).unwrap();
        done.recv().unwrap();
        while threads.run(Box::new(|| {})).is_err() {
            std::thread::yield_now();
        }
    }

    /// Runs a job that tells its thread, and waits for it.
    fn once(threads: &Threads) -> std::thread::ThreadId {
        let (done_in, done) = channel();
        let job = Box::new(move || done_in.send(std::thread::current().id()).unwrap());
        threads.run(job).unwrap();
        done.recv().unwrap()
    }

    fn wait_for_idle(threads: &Threads, idle: usize) {
        while threads.shared.state().idle != idle {
            std::thread::yield_now();
        }
    }

    #[test]
    fn short_jobs_share_a_thread_and_a_panic_costs_no_seat() {
        let threads = Threads::new(1);
        let first = once(&threads);
        wait_for_idle(&threads, 1);
        assert_eq!(once(&threads), first);
        wait_for_idle(&threads, 1);
        threads
            .run(Box::new(|| std::panic::resume_unwind(Box::new(()))))
            .unwrap();
        while threads.busy() > 0 {
            std::thread::yield_now();
        }
        assert!(threads.shared.state().running.is_empty());
        assert_ne!(once(&threads), first);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn long_jobs_are_lowered_and_their_threads_do_not_come_back() {
        let threads = Threads::new(2);
        let (told_in, told) = channel();
        let job = move || {
            let priority = || rustix::process::getpriority_process(None).unwrap();
            let before = priority();
            while priority() == before {
                std::thread::yield_now();
            }
            told_in.send(std::thread::current().id()).unwrap();
        };
        threads.run(Box::new(job)).unwrap();
        let long = told.recv().unwrap();
        while threads.busy() > 0 {
            std::thread::yield_now();
        }
        assert_ne!(once(&threads), long);
        wait_for_idle(&threads, 1);
    }
}

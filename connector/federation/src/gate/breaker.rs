//! A circuit breaker: a peer that failed several times in a row is left alone for a while, and then tried once.

use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// Whether one peer is asked.
#[derive(Debug)]
pub(super) struct Breaker {
    /// So many failures in a row open it.
    most: u32,
    /// For how long it is open the first time; each failed trial doubles that.
    pause: Duration,
    longest: Duration,
    state: State,
    /// The trial that counts has this number.
    trials: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        since: OffsetDateTime,
        until: Instant,
        pause: Duration,
    },
    /// One request is under way to see.
    Trying {
        since: OffsetDateTime,
        until: Instant,
        pause: Duration,
    },
}

/// Leave for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Usual,
    Trial(u64),
}

impl Breaker {
    pub(super) fn new(most: u32, pause: Duration, longest: Duration) -> Self {
        Self {
            most: most.max(1),
            pause,
            longest: longest.max(pause),
            state: State::Closed { failures: 0 },
            trials: 0,
        }
    }

    /// Leave for a request; else since when there is none.
    pub(super) fn pass(&mut self, now: Instant) -> Result<Pass, OffsetDateTime> {
        match self.state {
            State::Closed { .. } => Ok(Pass::Usual),
            State::Open {
                since,
                until,
                pause,
            } if now >= until => {
                self.trials += 1;
                self.state = State::Trying {
                    since,
                    until,
                    pause,
                };
                Ok(Pass::Trial(self.trials))
            }
            State::Open { since, .. } | State::Trying { since, .. } => Err(since),
        }
    }

    /// The peer is there.
    pub(super) fn answered(&mut self, pass: Pass) {
        let counts = match self.state {
            State::Closed { .. } => true,
            // Of a request from before: the next trial will see.
            State::Open { .. } => false,
            State::Trying { .. } => self.is_current(pass),
        };
        if counts {
            self.state = State::Closed { failures: 0 };
        }
    }

    /// The peer is not there.
    pub(super) fn failed(&mut self, pass: Pass, now: Instant, time: OffsetDateTime) {
        match self.state {
            State::Closed { failures } if failures + 1 < self.most => {
                self.state = State::Closed {
                    failures: failures + 1,
                };
            }
            State::Closed { .. } => {
                self.state = State::Open {
                    since: time,
                    until: now + self.pause,
                    pause: self.pause,
                };
            }
            State::Trying { since, pause, .. } if self.is_current(pass) => {
                let pause = pause.saturating_mul(2).min(self.longest);
                self.state = State::Open {
                    since,
                    until: now + pause,
                    pause,
                };
            }
            State::Open { .. } | State::Trying { .. } => {}
        }
    }

    /// The peer is not there, and whoever asks next would wait as long to find out.
    pub(super) fn silent(&mut self, pass: Pass, now: Instant, time: OffsetDateTime) {
        if let State::Closed { failures } = &mut self.state {
            *failures = self.most - 1;
        }
        self.failed(pass, now, time);
    }

    /// The request ended. A trial that ended without a word leaves the next request to try.
    pub(super) fn left(&mut self, pass: Pass) {
        if let State::Trying {
            since,
            until,
            pause,
        } = self.state
            && self.is_current(pass)
        {
            self.state = State::Open {
                since,
                until,
                pause,
            };
        }
    }

    fn is_current(&self, pass: Pass) -> bool {
        pass == Pass::Trial(self.trials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    impl Breaker {
        fn lets_through(&self, now: Instant) -> bool {
            match self.state {
                State::Closed { .. } => true,
                State::Open { until, .. } => now >= until,
                State::Trying { .. } => false,
            }
        }
    }

    fn breaker() -> (Breaker, Instant) {
        let breaker = Breaker::new(3, SECOND, 5 * SECOND);
        (breaker, Instant::now())
    }

    fn fail(breaker: &mut Breaker, now: Instant) {
        let pass = breaker.pass(now).unwrap();
        breaker.failed(pass, now, OffsetDateTime::UNIX_EPOCH);
        breaker.left(pass);
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let (mut breaker, now) = breaker();
        for _ in 0..10 {
            fail(&mut breaker, now);
            fail(&mut breaker, now);
            let pass = breaker.pass(now).unwrap();
            breaker.answered(pass);
        }
        for _ in 0..3 {
            fail(&mut breaker, now);
        }
        assert_eq!(breaker.pass(now), Err(OffsetDateTime::UNIX_EPOCH));
        assert!(!breaker.lets_through(now));
    }

    #[test]
    fn silence_opens_it_at_once() {
        let (mut breaker, now) = breaker();
        let pass = breaker.pass(now).unwrap();
        breaker.silent(pass, now, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(breaker.pass(now), Err(OffsetDateTime::UNIX_EPOCH));
        // A trial that is met with silence makes the pause longer, as any other.
        let trial = breaker.pass(now + SECOND).unwrap();
        breaker.silent(trial, now + SECOND, OffsetDateTime::UNIX_EPOCH);
        assert!(breaker.pass(now + 2 * SECOND).is_err());
        assert!(breaker.pass(now + 3 * SECOND).is_ok());
    }

    #[test]
    fn one_request_tries_at_a_time_and_pauses_grow_to_a_bound() {
        let (mut breaker, mut now) = breaker();
        for _ in 0..3 {
            fail(&mut breaker, now);
        }
        for pause in [1, 2, 4, 5, 5] {
            let pause = pause * SECOND;
            assert!(breaker.pass(now + pause - SECOND / 10).is_err());
            now += pause;
            let trial = breaker.pass(now).unwrap();
            // Nobody else meanwhile, for as long as it takes.
            assert!(breaker.pass(now + 60 * SECOND).is_err());
            breaker.failed(trial, now, OffsetDateTime::now_utc());
            breaker.left(trial);
        }
        now += 5 * SECOND;
        let trial = breaker.pass(now).unwrap();
        breaker.answered(trial);
        breaker.left(trial);
        assert!(breaker.lets_through(now));
        // It takes three again.
        fail(&mut breaker, now);
        assert!(breaker.lets_through(now));
    }

    #[test]
    fn a_trial_that_was_given_up_leaves_the_next_to_try() {
        let (mut breaker, now) = breaker();
        let before = breaker.pass(now).unwrap();
        for _ in 0..3 {
            fail(&mut breaker, now);
        }
        let later = now + SECOND;
        let trial = breaker.pass(later).unwrap();
        // What was asked before it opened does not decide.
        breaker.answered(before);
        breaker.failed(before, later, OffsetDateTime::UNIX_EPOCH);
        breaker.left(before);
        assert!(breaker.pass(later).is_err());
        breaker.left(trial);
        let second = breaker.pass(later).unwrap();
        assert_ne!(trial, second);
        // Nor does the first trial any more.
        breaker.answered(trial);
        assert!(breaker.pass(later).is_err());
        breaker.answered(second);
        assert!(breaker.lets_through(later));
    }
}

//! One question, several replicas of one provider: another is asked when one fails, or takes long.

use crate::peers::Unanswered;
use futures::future::{BoxFuture, Either, select};
use futures::stream::{FuturesUnordered, StreamExt as _};
use std::time::Duration;
use twinlink_core::Clock;

/// Asks the replicas, by number from `first` on, until one of them answers.
///
/// The next is asked at once where one cannot be reached, and beside the one before where that has not answered after
/// `delay`; no more than two are asked at the same time. An answer of any kind, a denial too, ends it: they are replicas. The
/// caller sees to it that they are all of one provider.
///
/// # Errors
/// The last reason where none answered.
pub async fn hedged<'a, T>(
    replicas: usize,
    first: usize,
    ask: impl Fn(usize) -> BoxFuture<'a, Result<T, Unanswered>>,
    delay: Duration,
    clock: &dyn Clock,
) -> Result<T, Unanswered> {
    let mut next = 0;
    let mut begin = || {
        let number = (next < replicas).then(|| (first + next) % replicas)?;
        next += 1;
        Some(ask(number))
    };
    let mut asked: FuturesUnordered<_> = begin().into_iter().collect();
    let mut why = Unanswered::Unreachable {
        reason: "it has no address".to_owned(),
    };
    loop {
        let answered = if asked.len() == 1 {
            let deadline = clock.sleep_until(clock.instant() + delay);
            match select(asked.next(), deadline).await {
                Either::Left((answered, _)) => answered,
                Either::Right(_) => {
                    match begin() {
                        Some(another) => asked.push(another),
                        // There is nobody else: it may take all the time there is.
                        None => match asked.next().await {
                            Some(answer) => return answer,
                            None => return Err(why),
                        },
                    }
                    continue;
                }
            }
        } else {
            asked.next().await
        };
        match answered {
            Some(Err(error @ Unanswered::Unreachable { .. })) => {
                why = error;
                asked.extend(begin());
            }
            Some(answer) => return answer,
            None => return Err(why),
        }
    }
}

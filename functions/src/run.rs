//! From Lambda's Runtime API to a handler and back.

use std::future::Future;
use std::time::Duration;

use edge::SystemClock;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use model::Clock as _;

use crate::answer::Answer;
use crate::event::Event;

/// To write an answer and hand it over, so that it comes before Lambda ends the function.
pub const RESERVE: Duration = Duration::from_millis(500);

/// What is known about the call of a function besides its event.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    deadline_ms: i64,
}

impl Invocation {
    /// How long until Lambda ends the function, in milliseconds; 0 if it is due. A deadline of long ago is none: emulators
    /// have such.
    pub fn left_ms(&self) -> i64 {
        /// Before any deadline that is meant.
        const YEAR_2020_MS: i64 = 1_577_836_800_000;
        /// What Lambda allows at most.
        const LONGEST_MS: i64 = 15 * 60_000;
        if self.deadline_ms < YEAR_2020_MS {
            return LONGEST_MS;
        }
        self.deadline_ms.saturating_sub(SystemClock.now_ms()).clamp(0, LONGEST_MS)
    }

    /// The same without so much of it, for what is to be done before.
    pub fn left(&self, reserve: Duration) -> Duration {
        Duration::from_millis(self.left_ms().unsigned_abs()).saturating_sub(reserve)
    }

    /// One that ends in so long.
    #[cfg(test)]
    pub(crate) fn lasting(left_ms: i64) -> Self {
        Self { deadline_ms: SystemClock.now_ms() + left_ms }
    }
}

/// Why there is no answer: the event's source decides what becomes of that.
struct Failure(anyhow::Error);

/// What is logged.
impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl From<Failure> for Diagnostic {
    fn from(Failure(error): Failure) -> Self {
        Self { error_type: "Mayfly".to_owned(), error_message: format!("{error:#}") }
    }
}

/// Answers events until Lambda ends the process.
///
/// # Errors
/// If the Runtime API cannot be reached.
pub async fn run<H, F>(handler: H) -> anyhow::Result<()>
where
    H: Fn(Event, Invocation) -> F,
    F: Future<Output = anyhow::Result<Answer>>,
{
    let ran = lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| {
        let LambdaEvent { payload, context } = event;
        let deadline_ms = i64::try_from(context.deadline).unwrap_or(i64::MAX);
        let answered = handler(payload, Invocation { deadline_ms });
        // the runtime logs it
        async move { answered.await.map_err(Failure) }
    }));
    ran.await.map_err(|error| anyhow::anyhow!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines() {
        assert!((9_000..=10_000).contains(&Invocation::lasting(10_000).left_ms()));
        assert_eq!(Invocation::lasting(-5).left_ms(), 0);
        assert_eq!(Invocation { deadline_ms: 600_000 }.left_ms(), 900_000);
        assert_eq!(Invocation { deadline_ms: i64::MAX }.left_ms(), 900_000);
    }
}

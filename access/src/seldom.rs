//! What would be told a thousand times a second, told once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often something is told at most.
const EVERY: Duration = Duration::from_secs(1);

/// Says when to log what comes of many requests at once, such as that there is no room for them. Each of them is answered and
/// counted anyway; a log that is full of one line hides the others.
#[derive(Debug)]
pub struct Seldom(Mutex<State>);

#[derive(Debug)]
struct State {
    told: Option<Instant>,
    left_out: u64,
}

impl Default for Seldom {
    fn default() -> Self {
        Self::new()
    }
}

impl Seldom {
    /// Nothing was told yet.
    pub const fn new() -> Self {
        Self(Mutex::new(State { told: None, left_out: 0 }))
    }

    /// How many were left out since it was told last, if it is to be told now: at most once a second.
    pub fn due(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.told.is_some_and(|told| told.elapsed() < EVERY) {
            state.left_out += 1;
            return None;
        }
        state.told = Some(Instant::now());
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_of_a_second_is_told_and_the_next_tells_how_many_were_not() {
        let seldom = Seldom::new();
        assert_eq!([seldom.due(), seldom.due(), seldom.due()], [Some(0), None, None]);
        tokio::time::advance(EVERY).await;
        assert_eq!([seldom.due(), seldom.due()], [Some(2), None]);
        tokio::time::advance(3 * EVERY).await;
        assert_eq!(seldom.due(), Some(1));
    }
}

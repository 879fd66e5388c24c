//! The shell around the step: loads state, evaluates what is due, writes state, sends.
//!
//! The order of a tick is what keeps notifications from getting lost or doubled:
//!
//! 1. load the state, with its version;
//! 2. evaluate the slots that are due; samples go to the sink here, where a repetition does no harm;
//! 3. swap the state, which now holds the alerts to send in its **outbox**, claimed by this tick for a while. Of two
//!    ticks that evaluated the same slots one wins here; the other one forgets what it did and sends nothing;
//! 4. send;
//! 5. swap the state again, without what receivers have taken.
//!
//! A tick that dies before 3 has done nothing, and its slots are still due. One that dies after 3 leaves its outbox: the
//! first tick after the claim has run out sends it, so that at worst a receiver hears of an alert twice. What a
//! receiver did not take stays in the outbox for the next tick.

mod deliver;
mod evaluator;
mod group;
mod outbox;
mod progress;
mod remembered;

#[cfg(test)]
mod killed;
#[cfg(test)]
mod tests;

pub use evaluator::{Components, Evaluator, Settings};
pub(crate) use group::Evaluation;
pub use outbox::{CLAIM_MS, DELIVERIES_MAX, DELIVERY_ALERTS_MAX};
pub use progress::{Progress, TickError, TickErrorKind};

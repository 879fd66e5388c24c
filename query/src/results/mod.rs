//! Results of range queries, kept for those who ask for the same again a little later: a dashboard that is refreshed asks for steps
//! most of which it has asked for before.
//!
//! In the order of the work:
//!
//! 1. `session`: one query on its way. It looks up what is kept, says from which step on the query must be evaluated, joins the two
//!    and keeps the result.
//! 2. `stretch`: the steps that are kept of a query, and which of them are still true.
//! 3. `taken`: what the evaluation of steps took and rested on, so that the limits of the query hold for the whole of it, and that
//!    nothing is joined that would be otherwise in the last bit if it had been evaluated at once.
//! 4. `memory`: all that is kept, bounded in bytes.
//!
//! An answer is that of an evaluation without any of this, to the byte, or there is none from here and the query is evaluated.

mod memory;
mod session;
mod stretch;
mod taken;

pub use memory::{Results, ResultsStats};
pub(crate) use session::{Asked, Session};
pub(crate) use taken::Read;

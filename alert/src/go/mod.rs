//! Texts as Go prints them, because users compare ours with those of Prometheus.

mod calendar;
mod number;
mod printf;
mod quote;
mod time;
mod zone;

pub(crate) use model::quote::quoted as quote;
pub(crate) use number::{fixed, scientific, significant};
pub(crate) use printf::{Operand, sprintf};
pub(crate) use quote::{query_escape, query_unescape};
pub(crate) use time::{Instant, format_duration_ns, rfc3339_millis, rfc3339_nano};
pub(crate) use zone::{Offset, Zone};

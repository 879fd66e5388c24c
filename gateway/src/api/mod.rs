//! The JSON API of the Pushgateway, below `/api/v1`.

mod groups;
mod status;

#[cfg(test)]
mod tests;

pub(crate) use groups::{groups, last_push_succeeded};
pub(crate) use status::status;

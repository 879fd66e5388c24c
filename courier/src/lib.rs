//! Brings notifications to receivers, without an Alertmanager: what [`notify`] decides is stored, sent and settled here.
//!
//! In the order in which data flows: a [`BookSource`] reads an `alertmanager.yml` with its templates, which become a [`Book`]. The
//! [`Courier`] takes alerts into its inbox – it is an [`alert::Notifier`] – and a tick moves them into the state, which holds
//! what is to be sent before anybody sends it. The tick gives a [`Round`], which brings all of it to its receivers at once, each by
//! itself, and writes down what they have taken. [`router`] shows and changes all of that as Alertmanager's API does.

mod api;
mod book;
mod content;
mod courier;
mod go_json;
mod inbox;
mod receivers;
mod source;
mod state;

#[cfg(test)]
mod killed;
#[cfg(test)]
mod tests;

pub use api::{API_PATHS, router};
pub use book::{Book, BookError};
pub use courier::{Courier, CourierError, Delivered, KindCounts, NOTIFIER, Round, SEND_TIME_MAX};
pub use source::{BookFiles, BookSource, SourceError};

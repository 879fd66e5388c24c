//! Tests on an S3 server in this process.

mod backend;
mod lost_answers;
mod refusals;
mod server;

pub(crate) use backend::Action;
pub(crate) use server::Server;

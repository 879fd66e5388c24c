//! Tests of what only a folder can get wrong.

mod crash;
mod faults;
mod forgetful;
mod processes;

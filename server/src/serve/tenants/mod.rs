//! The tenants beside `default`: each is opened at the first request for it, and closed again when nobody has asked for it for
//! long.
//!
//! In the order in which they come: `registry` knows which are open and opens each once, however many ask at the same time;
//! `roles` is what is of one tenant; `opening` makes that with what all tenants have in common; `keeping` closes those that are
//! idle and opens those of whom a log has something left.

mod keeping;
mod opening;
mod registry;
mod roles;

#[cfg(test)]
pub(super) mod tests;

pub(super) use keeping::keep;
pub(super) use opening::RolesOpener;
#[cfg(test)]
use registry::TenantCounts;
pub(super) use registry::{NotOpen, Opened, Opener, Tenants};
pub(super) use roles::{Common, Roles};

//! Who may do what.
//!
//! In the order in which a request is looked at: [`presented()`] takes a token from its header, [`Tokens`] knows by the hash of it
//! what it may do, and that is a [`Grant`]: [`Scopes`], [`Bounds`] on the labels of series, and perhaps a tenant. The edge asks for
//! the scope of a route; who works on the request asks about its series, and whether the [`Quota`] of its tenant has
//! room for them. Before that its body is received into a [`Room`] that all requests share.

mod presented;

mod hash;
mod tokens;

mod bounds;
mod grant;
mod scope;

mod quota;
mod room;
mod seldom;

pub use bounds::Bounds;
pub use grant::{Grant, Refused};
pub use hash::{Hash, NotAHash, token};
pub use presented::{Credentials, presented};
pub use quota::{BURST_S, Quota, QuotaError, QuotaSettings, Wanted};
pub use room::{NoRoom, Place, ROOM_BYTES_MAX, Room, Unreceived};
pub use scope::{Scope, Scopes};
pub use seldom::Seldom;
pub use tokens::{NotAdmitted, TOKENS_BYTES_MAX, Token, Tokens, TokensError, TokensMistake};

//! Fields that Prometheus has and Mayfly does not: told apart from those that nobody knows.

use model::quote::quoted;
use yaml::{Key, Reader};

/// Notes a field that is none of `known`.
pub(crate) fn refuse(
    reader: &mut Reader,
    key: &Key,
    what: &str,
    known: &[&str],
    unsupported: &[(&str, &str)],
) {
    match unsupported.iter().find(|(name, _)| **name == *key.0) {
        Some((_, why)) => {
            reader.complain(key.1, format!("field {} in {what} is not supported: {why}", quoted(&key.0)));
        }
        None => reader.unknown(key, what, known),
    }
}

pub(crate) const NO_SCRAPE: &str =
    "what is scraped stands in a file of its own, --scrape-config of mayfly serve";
pub(crate) const NO_DISCOVERY: &str = "Alertmanagers are found by static_configs alone";
pub(crate) const NO_HTTP: &str =
    "requests go straight to the Alertmanager, over HTTP/1.1, and are not redirected";

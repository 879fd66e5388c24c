//! The Pushgateway's API over the store.

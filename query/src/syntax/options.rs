//! Which experimental parts of the language are switched on.

use serde::Deserialize;

/// What the parser accepts beyond the stable language. Prometheus has the same switches as feature flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Experimental functions and aggregations: `limitk`, `info`, `sort_by_label` and so on.
    pub experimental_functions: bool,
    /// `anchored` and `smoothed` behind selectors.
    pub extended_range_selectors: bool,
    /// `fill`, `fill_left` and `fill_right` in binary operations.
    pub fill_modifiers: bool,
}

impl Options {
    /// The stable language.
    pub fn stable() -> Self {
        Self { experimental_functions: false, extended_range_selectors: false, fill_modifiers: false }
    }

    /// Everything there is.
    pub fn all() -> Self {
        Self { experimental_functions: true, extended_range_selectors: true, fill_modifiers: true }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::stable()
    }
}

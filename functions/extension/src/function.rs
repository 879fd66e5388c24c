//! The function that is measured.

use model::Labels;

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// `$LATEST` or a number.
    pub(crate) version: String,
    pub(crate) region: String,
}

impl Function {
    /// What every metric gets that does not have it.
    pub(crate) fn labels(&self) -> Labels {
        let Self { name, version, region } = self;
        Labels::from_pairs([
            ("function_name", name.as_str()),
            ("function_version", version.as_str()),
            ("region", region.as_str()),
        ])
    }
}

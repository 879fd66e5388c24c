//! How OTLP is made into series, as far as that can be chosen: what the section `otlp` of Prometheus' configuration says.

/// What is done with names that Prometheus did not have before UTF-8 was allowed: `translation_strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// What is no letter, digit or underscore becomes an underscore; units and types become suffixes.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// The same without suffixes.
    UnderscoreEscapingWithoutSuffixes,
    /// Names stay as they are, with suffixes.
    NoUtf8EscapingWithSuffixes,
    /// Names stay as they are.
    NoTranslation,
}

impl Strategy {
    /// All of them, by their names in the configuration.
    pub const ALL: [(&str, Self); 4] = [
        ("UnderscoreEscapingWithSuffixes", Self::UnderscoreEscapingWithSuffixes),
        ("UnderscoreEscapingWithoutSuffixes", Self::UnderscoreEscapingWithoutSuffixes),
        ("NoUTF8EscapingWithSuffixes", Self::NoUtf8EscapingWithSuffixes),
        ("NoTranslation", Self::NoTranslation),
    ];

    pub(super) fn escapes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes)
    }
}

/// Attributes of a resource that become labels of all its series, where a data point has none of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promoted {
    /// These: `promote_resource_attributes`.
    These(Vec<String>),
    /// All others: `promote_all_resource_attributes` and `ignore_resource_attributes`.
    AllBut(Vec<String>),
}

impl Default for Promoted {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Promoted {
    pub(super) fn has(&self, key: &str) -> bool {
        match self {
            Self::These(keys) => keys.iter().any(|known| known == key),
            Self::AllBut(keys) => keys.iter().all(|known| known != key),
        }
    }
}

/// All that can be chosen; what is usual by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// Names of metrics and labels.
    pub strategy: Strategy,
    /// Which attributes of resources become labels of series.
    pub promoted: Promoted,
    /// Whether `target_info` has those attributes too that become `job` and `instance`.
    pub keeps_identifying: bool,
    /// Whether histograms with explicit bounds become native ones with custom bounds.
    pub native_histograms: bool,
    /// Whether name, version, schema and attributes of scopes become labels.
    pub scopes: bool,
}

//! The formats that targets are asked for.

/// A format that a target may answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScrapeProtocol {
    /// Delimited protobuf, the only one with native histograms.
    PrometheusProto,
    /// The text format 0.0.4.
    PrometheusText004,
    /// The text format 1.0.0: 0.0.4 with UTF-8 names.
    PrometheusText100,
    /// OpenMetrics 0.0.1.
    OpenMetricsText001,
    /// OpenMetrics 1.0.0.
    OpenMetricsText100,
}

const NAMES: [(&str, ScrapeProtocol); 5] = [
    ("OpenMetricsText0.0.1", ScrapeProtocol::OpenMetricsText001),
    ("OpenMetricsText1.0.0", ScrapeProtocol::OpenMetricsText100),
    ("PrometheusProto", ScrapeProtocol::PrometheusProto),
    ("PrometheusText0.0.4", ScrapeProtocol::PrometheusText004),
    ("PrometheusText1.0.0", ScrapeProtocol::PrometheusText100),
];

impl ScrapeProtocol {
    /// What targets are asked for if nothing else is said.
    pub const DEFAULT: [Self; 4] = [
        Self::OpenMetricsText100,
        Self::OpenMetricsText001,
        Self::PrometheusText100,
        Self::PrometheusText004,
    ];

    /// The format of a name.
    ///
    /// # Errors
    /// In the words of Prometheus.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(known, _)| *known == name).map(|(_, protocol)| *protocol);
        found.ok_or_else(|| {
            let known = NAMES.map(|(known, _)| known).join(" ");
            format!("unknown scrape protocol {name}, supported: [{known}]")
        })
    }

    /// As it is written in files.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, protocol)| *protocol == self).map_or("", |(name, _)| name)
    }
}

//! `--limits.file`: what a request, and a tenant, may ask for.

use std::path::{Path, PathBuf};

use access::QuotaSettings;
use anyhow::{Context, anyhow};
use store::Tenant;
use yaml::{Node, Reader};

use crate::cli::bytes;

/// The limits of every tenant, as the file says them that was read at the start.
#[derive(Debug, Default)]
pub(super) struct TenantLimits {
    usual: Limits,
    /// What it is called, and what it says.
    file: Option<(PathBuf, String)>,
}

impl TenantLimits {
    /// Takes what a file says in the place of what is usual.
    ///
    /// # Errors
    /// If it cannot be read, or something in it makes no sense, of whichever tenant.
    pub(super) fn open(usual: Limits, file: Option<&Path>) -> anyhow::Result<Self> {
        let read = |path: &Path| std::fs::read_to_string(path).with_context(|| told(path));
        let file = file.map(|path| Ok::<_, anyhow::Error>((path.to_owned(), read(path)?))).transpose()?;
        let limits = Self { usual, file };
        // all of it is checked, whoever it is about
        limits.of(&Tenant::default())?;
        Ok(limits)
    }

    /// Those of one tenant.
    pub(super) fn of(&self, tenant: &Tenant) -> anyhow::Result<Limits> {
        match &self.file {
            Some((path, text)) => self.usual.clone().with(text, tenant).with_context(|| told(path)),
            None => Ok(self.usual.clone()),
        }
    }
}

fn told(file: &Path) -> String {
    format!("--limits.file {}", file.display())
}

/// All that such a file may change.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    pub(super) gateway: gateway::Settings,
    pub(super) ingest: ingest::Settings,
    pub(super) quota: QuotaSettings,
    pub(super) queries: query::Settings,
    /// What is received by all tenants together.
    pub(super) received_bytes_max: Option<usize>,
}

/// A limit: its name in the file, in errors and in metrics, and what it sets. Those that all ways in know have one name.
type Field = (&'static str, fn(&mut Limits, usize));

const FIELDS: [Field; 26] = [
    ("active_series_max", |all, value| all.quota.active_series_max = Some(value)),
    ("active_series_window_ms", |all, value| all.quota.active_series_window_ms = signed(value)),
    ("body_bytes_max", |all, value| {
        (all.gateway.body_bytes_max, all.ingest.body_bytes_max) = (value, value);
    }),
    ("body_timeout_ms", |all, value| {
        (all.gateway.body_timeout_ms, all.ingest.body_timeout_ms) = (value as u64, value as u64);
    }),
    ("concurrent_queries_max", |all, value| all.queries.tenant_queries_max = Some(value)),
    ("help_bytes_max", |all, value| all.gateway.help_bytes_max = value),
    ("idempotency_key_bytes_max", |all, value| all.gateway.idempotency_key_bytes_max = value),
    ("inflated_body_bytes_max", |all, value| {
        (all.gateway.inflated_body_bytes_max, all.ingest.inflated_body_bytes_max) = (value, value);
    }),
    ("known_labels_bytes_max", |all, value| all.ingest.known_labels_bytes_max = value),
    ("label_name_bytes_max", |all, value| {
        (all.gateway.label_name_bytes_max, all.ingest.label_name_bytes_max) = (value, value);
    }),
    ("label_value_bytes_max", |all, value| {
        (all.gateway.label_value_bytes_max, all.ingest.label_value_bytes_max) = (value, value);
    }),
    ("labels_per_series_max", |all, value| {
        (all.gateway.labels_per_series_max, all.ingest.labels_per_series_max) = (value, value);
    }),
    ("metric_name_bytes_max", |all, value| {
        (all.gateway.metric_name_bytes_max, all.ingest.metric_name_bytes_max) = (value, value);
    }),
    ("otlp_json_bytes_max", |all, value| all.ingest.otlp_json_bytes_max = value),
    ("pushes_in_flight_max", |all, value| all.gateway.pushes_in_flight_max = value),
    ("queued_queries_max", |all, value| all.queries.queued_queries_max = value),
    ("received_bytes_max", |all, value| all.received_bytes_max = Some(value)),
    ("requests_per_batch_max", |all, value| all.gateway.requests_per_batch_max = value),
    ("samples_age_max_ms", |all, value| all.ingest.samples_age_max_ms = Some(signed(value))),
    ("samples_ahead_max_ms", |all, value| {
        (all.gateway.samples_ahead_max_ms, all.ingest.samples_ahead_max_ms) = (signed(value), signed(value));
    }),
    ("samples_per_request_max", |all, value| all.ingest.samples_per_request_max = value),
    ("samples_per_second_max", |all, value| all.quota.samples_per_second_max = Some(value as u64)),
    ("scrapes_at_once_max", |all, value| all.gateway.scrapes_at_once_max = value),
    ("series_per_push_max", |all, value| all.gateway.series_per_push_max = value),
    ("series_per_scrape_max", |all, value| all.gateway.series_per_scrape_max = value),
    ("writes_in_flight_max", |all, value| all.ingest.writes_in_flight_max = value),
];

fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Beside the limits a file may have this, a mapping from tenants to limits.
const TENANTS: &str = "tenants";

impl Limits {
    /// Takes what a text says of a tenant in the place of what stands here.
    fn with(mut self, text: &str, tenant: &Tenant) -> anyhow::Result<Self> {
        let document = yaml::parse(text)?;
        let Some(root) = document.root else { return Ok(self) };
        let mut reader = Reader::new();
        let mut tenants = None;
        for (key, value) in reader.entries(&root, "the limits") {
            match &*key.0 {
                TENANTS => tenants = Some(value),
                name => match field(name) {
                    Some(field) => self.set(&mut reader, field, &value),
                    None => reader.unknown(&key, "the limits", &known(Some(TENANTS))),
                },
            }
        }
        for (name, limits) in
            tenants.iter().flat_map(|tenants| reader.entries(tenants, TENANTS)).collect::<Vec<_>>()
        {
            let is_it = Tenant::new(&name.0).map(|named| named == *tenant);
            let is_it = is_it.unwrap_or_else(|error| {
                reader.complain(name.1, error.to_string());
                false
            });
            for (key, value) in reader.entries(&limits, "the limits of a tenant") {
                match field(&key.0) {
                    Some(field) if is_it => self.set(&mut reader, field, &value),
                    // what is said of others is only checked
                    Some(field) => Self::default().set(&mut reader, field, &value),
                    None => reader.unknown(&key, "the limits of a tenant", &known(None)),
                }
            }
        }
        reader.finish().map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            anyhow!(lines.join("\n"))
        })?;
        Ok(self)
    }

    fn set(&mut self, reader: &mut Reader, (name, set): &Field, value: &Node) {
        let parsed = if name.ends_with("_bytes_max") {
            reader.parsed(value, bytes)
        } else {
            let expected = |text: &str| format!("{text:?} is no number above 0, which {name} has to be");
            reader.parsed(value, |text| {
                text.parse().ok().filter(|number| *number > 0).ok_or_else(|| expected(text))
            })
        };
        if let Some(parsed) = parsed {
            set(self, parsed);
        }
    }
}

fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|(known, _)| *known == name)
}

/// The names that there are, for whoever misspells one.
fn known(other: Option<&'static str>) -> Vec<&'static str> {
    FIELDS.iter().map(|(name, _)| *name).chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, tenant: &str) -> Result<Limits, String> {
        let tenant = Tenant::new(tenant).expect("is a name");
        Limits::default().with(text, &tenant).map_err(|error| error.to_string())
    }

    #[test]
    fn a_tenant_has_the_limits_of_all_and_its_own() {
        let text = "body_bytes_max: 1MiB\nseries_per_push_max: 500\ntenants:\n  a: {series_per_push_max: 7, active_series_max: 100}\n";
        let (a, b) = (read(text, "a").expect("reads"), read(text, "b").expect("reads"));
        assert_eq!((a.gateway.body_bytes_max, a.ingest.body_bytes_max), (1 << 20, 1 << 20));
        assert_eq!((a.gateway.series_per_push_max, b.gateway.series_per_push_max), (7, 500));
        assert_eq!((a.quota.active_series_max, b.quota.active_series_max), (Some(100), None));
        let usual = Limits::default();
        assert_eq!(
            b.gateway,
            gateway::Settings { body_bytes_max: 1 << 20, series_per_push_max: 500, ..usual.gateway }
        );
    }

    #[test]
    fn mistakes_have_their_place() {
        let text = "body_bytes: 7\nhelp_bytes_max: 0\ntenants:\n  b:\n    samples_per_second_max: many\n  ../x: {}\n";
        let told = read(text, "a").expect_err("is refused");
        for part in [
            "1:1: unknown field \"body_bytes\" in the limits; there are active_series_max, ",
            "2:17: \"0\" is no size above 0",
            "5:29: \"many\" is no number above 0, which samples_per_second_max has to be",
            "6:3: ",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
        assert!(read("", "a").is_ok() && read("tenants:\n", "a").is_ok());
    }

    #[test]
    fn every_limit_is_known_once_and_sets_something() {
        for (index, (name, _)) in FIELDS.iter().enumerate() {
            assert!(FIELDS[..index].iter().all(|(before, _)| before < name), "{name} is out of order");
            let set = read(&format!("{name}: 12345\n"), "a").expect("reads");
            assert!(format!("{set:?}").contains("12345"), "{name} sets nothing");
        }
    }
}

//! 10,000 alert rules over 100,000 series, which `bench-alert` and `bench-ticks` have in common.

use std::fmt::Write as _;
use std::time::Duration;

/// How many groups there are.
pub const GROUPS: usize = 100;
/// How many rules are in them: one for each service.
pub const RULES: usize = 10_000;
/// How many series a service has, which its rule looks at.
pub const INSTANCES: usize = 10;
/// How often each rule is evaluated.
pub const INTERVAL: Duration = Duration::from_secs(30);
const METRICS: usize = 10;
/// Every hundredth rule has something to tell.
const QUIET: usize = 100;

/// The rule file.
pub fn rule_file() -> String {
    let mut text = String::from("groups:\n");
    for group in 0..GROUPS {
        // writing to a string cannot fail
        let _ = writeln!(text, "- name: g{group}\n  interval: {}s\n  rules:", INTERVAL.as_secs());
        for service in (group..RULES).step_by(GROUPS) {
            let metric = service % METRICS;
            let _ = writeln!(
                text,
                "  - alert: Load{service}\n    expr: avg by (service) (load_{metric}{{service=\"s{service}\"}}) > 90\n    \
                 labels: {{severity: page}}\n    annotations: {{summary: '{{{{ $labels.service }}}} is at {{{{ $value | humanize }}}}'}}"
            );
        }
    }
    text
}

/// Labels, by name, and value.
pub type Sample = ([(&'static str, String); 4], f64);

/// A sample of every series, those of so many services together.
pub fn samples(services_at_once: usize) -> impl Iterator<Item = Vec<Sample>> {
    (0..RULES).step_by(services_at_once).map(move |first| {
        let services = first..RULES.min(first + services_at_once);
        services.flat_map(|service| (0..INSTANCES).map(move |instance| sample(service, instance))).collect()
    })
}

fn sample(service: usize, instance: usize) -> Sample {
    let value = if service.is_multiple_of(QUIET) { 95.0 } else { (service % 80) as f64 };
    let labels = [
        ("__name__", format!("load_{}", service % METRICS)),
        ("instance", format!("i{instance}")),
        ("job", "bench".to_owned()),
        ("service", format!("s{service}")),
    ];
    (labels, value)
}

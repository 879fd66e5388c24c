//! Damaged paths: none may panic, lead in circles, or make labels that there are not.

use http::Method;
use model::name::is_legacy_label_name;
use testkit::Mutator;

use super::*;
use crate::settings::Web;

const PATHS: &[&[u8]] = &[
    b"/metrics/job/j/instance/i",
    b"/metrics/job@base64/Zm9v/x@base64/L3Zhci90bXA=",
    b"/metrics/job/a%2Fb/%20x/y+z",
    b"/api/v1/admin/wipe/",
    b"/-/ready",
    b"/METRICS/JOB/x//y/../z",
];
const TOKENS: &[&[u8]] = &[
    b"/",
    b"//",
    b"%",
    b"%2F",
    b"%2e",
    b"..",
    b"@base64",
    b"=",
    b"job",
    b"/metrics",
    b"U__",
    b"__",
    b"\xc3\xa9",
    b"\xff",
    b"-",
];

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment how long to go on")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn paths() {
    let rounds = number("FUZZ_ROUNDS").unwrap_or(30_000);
    let mut mutator = Mutator::new(number("FUZZ_SEED").unwrap_or(1), PATHS, TOKENS);
    let sites = ["", "/pre/fix"].map(|prefix| {
        Routes::of(&Web { route_prefix: prefix.to_owned(), admin_api: true, ..Web::default() })
    });
    let mut groups = 0;
    for _ in 0..rounds {
        let input = mutator.input();
        let path = format!("/{}", String::from_utf8_lossy(&input));
        let method = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS]
            [mutator.below(5)]
        .clone();
        for routes in &sites {
            groups += u64::from(follow(routes, &method, &path));
        }
        // whatever a request line may not hold
        if let Some(group) = GroupPath::of(&input) {
            for utf8_names in [false, true] {
                let _ = grouping_labels(&group, utf8_names);
            }
        }
    }
    assert!(groups > rounds / 20, "only {groups} of {rounds} paths were those of groups");
}

/// Goes where a request goes; whether it ends at a group.
fn follow(routes: &Routes, method: &Method, path: &str) -> bool {
    let mut path = path.to_owned();
    for _ in 0..4 {
        match routes.destination(method, &path) {
            Destination::Redirect { location, .. } => {
                assert!(
                    location.is_ascii() && location.starts_with('/') && location != path,
                    "{path}: {location}"
                );
                path = location;
            }
            Destination::Resource(Resource::Group(group)) => {
                let group = GroupPath::of(&group).expect("a group's path");
                if let Ok(labels) = grouping_labels(&group, false) {
                    assert!(labels.get("job").is_some(), "{path}");
                    for label in &labels {
                        assert!(
                            is_legacy_label_name(&label.name) && !label.value.is_empty(),
                            "{path}: {labels}"
                        );
                    }
                }
                return true;
            }
            _ => return false,
        }
    }
    panic!("{path} leads in circles");
}

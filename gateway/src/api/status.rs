//! `/api/v1/status`

use std::collections::BTreeMap;

use serde::Serialize;

use crate::about::About;
use crate::time::rfc3339;

#[derive(Debug, Serialize)]
pub(crate) struct Status<'a> {
    build_information: BTreeMap<&'static str, &'a str>,
    flags: &'a BTreeMap<String, String>,
    start_time: String,
}

/// What the process is, under the names that the Pushgateway has for it.
pub(crate) fn status(about: &About) -> Status<'_> {
    Status {
        build_information: BTreeMap::from([
            ("branch", &*about.branch),
            ("buildDate", &*about.build_date),
            ("buildUser", &*about.build_user),
            ("goVersion", &*about.compiler),
            ("revision", &*about.revision),
            ("version", &*about.version),
        ]),
        flags: &about.flags,
        start_time: rfc3339(about.started_us),
    }
}

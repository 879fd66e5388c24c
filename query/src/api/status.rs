//! What is running.

use std::sync::Arc;

use axum::extract::State;

use super::Api;
use super::answer::Success;
use super::json;

/// What was built, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// The version of the program.
    pub version: String,
    /// The commit that it was built from.
    pub revision: String,
    /// The branch that it was built from.
    pub branch: String,
    /// Who built it.
    pub build_user: String,
    /// When it was built.
    pub build_date: String,
}

pub(super) async fn build_info(State(api): State<Arc<Api>>) -> Success {
    let BuildInfo { version, revision, branch, build_user, build_date } = &api.build;
    let fields = [
        ("version", version.as_str()),
        ("revision", revision),
        ("branch", branch),
        ("buildUser", build_user),
        ("buildDate", build_date),
        // clients expect it to be there
        ("goVersion", ""),
    ];
    let mut data = String::from("{");
    for (index, (name, value)) in fields.into_iter().enumerate() {
        if index > 0 {
            data.push(',');
        }
        json::string(&mut data, name);
        data.push(':');
        json::string(&mut data, value);
    }
    data.push('}');
    Success::of(data)
}

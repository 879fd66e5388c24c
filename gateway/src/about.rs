//! What a process says about itself at `/api/v1/status` and on the web page.

use std::collections::BTreeMap;

/// The program that runs a gateway. Only its edge knows these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The version of the program.
    pub version: String,
    /// The commit that it was built from.
    pub revision: String,
    /// The branch of that commit.
    pub branch: String,
    /// Who built it.
    pub build_user: String,
    /// When it was built.
    pub build_date: String,
    /// With what it was built.
    pub compiler: String,
    /// The flags by name, with the values that hold.
    pub flags: BTreeMap<String, String>,
    /// When it was started, in µs.
    pub started_us: i64,
}

impl About {
    /// The same for those who are not to know how it was started.
    #[must_use]
    pub fn without_flags(&self) -> Self {
        Self { flags: BTreeMap::new(), ..self.clone() }
    }
}

//! Time zones by name.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Instant;

/// A time zone of the IANA data base.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

/// How far clocks somewhere are ahead of UTC at a time, and what that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    pub(crate) seconds: i32,
    /// As `CET`.
    pub(crate) name: Cow<'static, str>,
}

impl Offset {
    pub(crate) const UTC: Self = Self { seconds: 0, name: Cow::Borrowed("UTC") };
}

impl Zone {
    pub(crate) const UTC: Self = Self(TimeZone::UTC);

    /// The name by which it is found again.
    pub(crate) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// By a name like `Europe/Paris`. `UTC` and no name mean the same, and so does `Local`, since what functions and
    /// containers call their local time is UTC.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self::UTC);
        }
        TimeZone::get(name).ok().map(Self)
    }

    pub(crate) fn offset_at(&self, at: Instant) -> Offset {
        let at = Timestamp::from_second(at.seconds()).unwrap_or(Timestamp::UNIX_EPOCH);
        let found = self.0.to_offset_info(at);
        Offset { seconds: found.offset().seconds(), name: Cow::Owned(found.abbreviation().to_owned()) }
    }
}

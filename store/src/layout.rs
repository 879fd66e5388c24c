//! What objects are called. Nothing outside this module puts an object name together or takes one apart.
//!
//! ```text
//! {prefix}/{tenant}/{stream}/hot/{minute}/{writer}{number}-{from}-{to}-{rows}-{checksum}.parquet
//! {prefix}/{tenant}/{stream}/manifest.json
//! {prefix}/{tenant}/{stream}/data/{day}/{level}-{from minute}-{to minute}-{epoch}-{inputs}-{part}.parquet, ….keys, ….ids
//! {prefix}/{tenant}/{stream}/frames/{minute}-{full or delta}-{epoch}-{inputs}-{part}.parquet
//! ```
//!
//! `stream` is `pushes`, `samples` or `exemplars`. `minute` is that of the first stamp, `20261122T2346`, so that names sort by time;
//! `writer` is 16 hex digits, `number` 8, counted by the writer, so that no two segments ever have the same name; `from`
//! and `to` are the first and last time of a row in microseconds (for pushes that is the stamp); `rows` counts all rows; `checksum` is the XXH3-64 of the object, 16 hex digits, so that a damaged
//! one is never decoded.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::confined::Confined;

/// Whose data it is. A name of 1 to 63 characters `a-z`, `0-9`, `-`, `_`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant(String);

/// A name that the layout does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// No tenant can be called that.
    #[error(
        "tenant {0:?} is not allowed: a tenant is 1 to 63 characters a-z, 0-9, '-', '_', beginning with a letter or digit"
    )]
    Tenant(String),
    /// An object that no version of Mayfly has named.
    #[error("object {0} is not called as a segment is")]
    Segment(Path),
}

impl Tenant {
    /// # Errors
    /// If the name is not allowed.
    pub fn new(name: &str) -> Result<Self, LayoutError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if first && name.len() <= 63 && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(LayoutError::Tenant(name.to_owned()))
        }
    }

    /// The folder of everything that is the tenant's, under a prefix of the object store.
    pub fn root(&self, prefix: &Path) -> Path {
        prefix.clone().join(self.0.as_str())
    }
}

/// Segments are filed by the minute.
pub(crate) const MINUTE_US: i64 = 60_000_000;

/// A minute, counted from 1970, as names write it: `20261122T2346`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Minute(i64);

impl Minute {
    /// The minute in which a time in µs lies.
    pub(crate) fn of(at_us: i64) -> Self {
        Self(at_us.div_euclid(MINUTE_US))
    }

    /// Its first µs.
    pub(crate) fn start_us(self) -> i64 {
        self.0.saturating_mul(MINUTE_US)
    }

    /// The minute so many minutes later.
    #[must_use]
    pub(crate) fn plus(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes))
    }

    /// The first minute of its hour.
    pub(crate) fn hour(self) -> Self {
        Self(self.0.div_euclid(60) * 60)
    }

    /// The UTC day in which it lies.
    pub(crate) fn day(self) -> Day {
        Day(self.0.div_euclid(MINUTES_PER_DAY))
    }
}

impl std::fmt::Display for Minute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&minute(self.start_us()))
    }
}

impl From<Minute> for String {
    fn from(minute: Minute) -> Self {
        minute.to_string()
    }
}

impl TryFrom<String> for Minute {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let expected = || format!("{name:?} is no minute: expected one like \"20261122T2346\"");
        parse_minute(&name).map(Self::of).ok_or_else(expected)
    }
}

const MINUTES_PER_DAY: i64 = 1_440;

/// A UTC day, counted from 1970, as names write it: `20261122`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Day(i64);

impl Day {
    /// The day in which a time in µs lies.
    pub(crate) fn of(at_us: i64) -> Self {
        Minute::of(at_us).day()
    }

    /// Its first minute.
    pub(crate) fn start(self) -> Minute {
        Minute(self.0.saturating_mul(MINUTES_PER_DAY))
    }

    /// The day after it.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = civil(self.0);
        write!(f, "{year:04}{month:02}{day:02}")
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let expected = || format!("{name:?} is no day: expected one like \"20261122\"");
        parse_minute(&format!("{name}T0000")).map(Self::of).ok_or_else(expected)
    }
}

/// The tenant of those who have no tenants.
impl Default for Tenant {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl std::fmt::Display for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the pushes or the samples of one tenant lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Of the tenant; everything that is read or written for it lies below.
    tenant_root: Path,
    root: Path,
}

impl Stream {
    /// The pushes of a tenant under a prefix of the object store.
    pub fn pushes(prefix: &Path, tenant: &Tenant) -> Self {
        Self::of(prefix, tenant, "pushes")
    }

    /// The samples of a tenant under a prefix of the object store.
    pub fn samples(prefix: &Path, tenant: &Tenant) -> Self {
        Self::of(prefix, tenant, "samples")
    }

    /// The exemplars of a tenant under a prefix of the object store. To whoever compacts, deletes and looks after it, it is a stream
    /// of samples.
    pub fn exemplars(prefix: &Path, tenant: &Tenant) -> Self {
        Self::of(prefix, tenant, "exemplars")
    }

    fn of(prefix: &Path, tenant: &Tenant, name: &str) -> Self {
        let tenant_root = tenant.root(prefix);
        Self { root: tenant_root.clone().join(name), tenant_root }
    }

    /// The part of a store that the tenant owns.
    pub(crate) fn confine(&self, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(Confined::new(store, self.tenant_root.clone()))
    }

    /// Whether an object is one of the tenant's.
    pub(crate) fn is_of_tenant(&self, object: &Path) -> bool {
        object.prefix_matches(&self.tenant_root)
    }

    /// The folder of segments that no compaction has taken yet.
    pub fn hot(&self) -> Path {
        self.root.clone().join("hot")
    }

    /// What compaction has made of the stream.
    pub(crate) fn manifest(&self) -> Path {
        self.root.clone().join("manifest.json")
    }

    /// An object that a manifest names.
    pub(crate) fn below(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.root))
    }

    /// The folders of what compaction writes: runs, and frames.
    pub(crate) fn merged(&self) -> [Path; 2] {
        ["data", "frames"].map(|folder| self.root.clone().join(folder))
    }

    /// The name of an object below the stream; `None` if it is not below it.
    pub(crate) fn name_of(&self, object: &Path) -> Option<String> {
        object.as_ref().strip_prefix(self.root.as_ref())?.strip_prefix('/').map(str::to_owned)
    }

    /// The folder of the segments of one minute: listed names at or after it are of that minute or later.
    pub(crate) fn hot_from(&self, minute: Minute) -> Path {
        self.hot().join(minute.to_string())
    }

    /// An object that is never there: asking for it tells the store's time.
    pub(crate) fn time_probe(&self) -> Path {
        self.root.clone().join("time")
    }

    /// The object of a segment.
    pub(crate) fn segment(&self, name: &SegmentName) -> Path {
        let again = name.again_since.map_or_else(String::new, |since| format!("{AGAIN}-{since}"));
        let file = format!(
            "{:016x}{:08x}-{}-{}-{}-{:016x}{again}.parquet",
            name.writer, name.number, name.from_us, name.to_us, name.rows, name.checksum
        );
        self.hot().join(minute(name.stamped_us)).join(file)
    }
}

/// What the objects of a run or a frame are called: by what they are made of, so that who makes them again finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MergedName {
    /// The day under which it is filed.
    pub(crate) day: Day,
    /// `tick`, `hour`, `day`; `spill`: rows on their way into a run.
    pub(crate) level: &'static str,
    /// The first minute that is in it, and the first after it that is not.
    pub(crate) minutes: (Minute, Minute),
    /// That of the manifest on which it was planned: what an earlier one has left is not found again.
    pub(crate) epoch: u64,
    /// XXH3-64 of the names of all that it is made of, in order.
    pub(crate) inputs: u64,
}

impl MergedName {
    fn stem(&self) -> String {
        let (from, to) = self.minutes;
        format!("data/{}/{}-{from}-{to}-{}-{:016x}", self.day, self.level, self.epoch, self.inputs)
    }

    /// One of its Parquet files, counted from 0.
    pub(crate) fn part(&self, part: usize) -> String {
        format!("{}-{part:04}.parquet", self.stem())
    }

    /// Its retry keys.
    pub(crate) fn keys(&self) -> String {
        format!("{}.keys", self.stem())
    }

    /// The ids of the segments that are in it.
    pub(crate) fn ids(&self) -> String {
        format!("{}.ids", self.stem())
    }
}

/// One of the files of the frame at `at`.
pub(crate) fn frame_name(at: Minute, is_full: bool, epoch: u64, inputs: u64, part: usize) -> String {
    let kind = if is_full { "full" } else { "delta" };
    format!("frames/{at}-{kind}-{epoch}-{inputs:016x}-{part:04}.parquet")
}

/// The epoch in the name of an object of a run or a frame.
pub(crate) fn epoch_of(object: &Path) -> Option<u64> {
    let file = object.filename()?;
    let mut parts = file.split('-');
    let epoch = match parts.next()? {
        "tick" | "hour" | "day" | "spill" => parts.nth(2)?,
        _ => matches!(parts.next()?, "full" | "delta").then(|| parts.next())??,
    };
    epoch.parse().ok()
}

/// In the name of a segment that was put before under an earlier minute; behind it comes the first of them.
const AGAIN: &str = "-again";

/// What the name of a segment tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentName {
    /// The first stamp. The name tells only its minute.
    pub(crate) stamped_us: i64,
    pub(crate) writer: u64,
    pub(crate) number: u32,
    pub(crate) from_us: i64,
    pub(crate) to_us: i64,
    pub(crate) rows: u64,
    pub(crate) checksum: u64,
    /// It was put before, and may be there too: under this minute or a later one.
    pub(crate) again_since: Option<Minute>,
}

impl SegmentName {
    /// Whether it was put before, and under minutes of which it is known no more what is in runs: nobody can tell whether it is
    /// there already, and what it says is older than anything that is kept.
    pub(crate) fn is_too_late(&self, kept_from: Option<Minute>) -> bool {
        self.again_since < kept_from && self.again_since.is_some()
    }

    pub(crate) fn parse(path: &Path) -> Result<Self, LayoutError> {
        Self::try_parse(path).ok_or_else(|| LayoutError::Segment(path.clone()))
    }

    fn try_parse(path: &Path) -> Option<Self> {
        let mut from_the_end = path.as_ref().rsplit('/');
        let (file, minute) = (from_the_end.next()?, from_the_end.next()?);
        let stem = file.strip_suffix(".parquet")?;
        let (once, again) = stem.split_once(AGAIN).map_or((stem, None), |(once, again)| (once, Some(again)));
        let mut parts = once.split('-');
        let id = parts.next().filter(|id| id.len() == 24)?;
        let stamped_us = parse_minute(minute)?;
        let again_since = match again {
            // of an earlier version, which did not tell
            Some("") => Some(Minute::of(stamped_us)),
            Some(since) => Some(Minute::of(parse_minute(since.strip_prefix('-')?)?)),
            None => None,
        };
        let name = Self {
            stamped_us,
            writer: u64::from_str_radix(id.get(..16)?, 16).ok()?,
            number: u32::from_str_radix(id.get(16..)?, 16).ok()?,
            from_us: parts.next()?.parse().ok()?,
            to_us: parts.next()?.parse().ok()?,
            rows: parts.next()?.parse().ok()?,
            checksum: u64::from_str_radix(parts.next().filter(|sum| sum.len() == 16)?, 16).ok()?,
            again_since,
        };
        (parts.next().is_none() && name.from_us <= name.to_us).then_some(name)
    }
}

/// `20261122T2346` of a time in microseconds since the Unix epoch.
fn minute(at_us: i64) -> String {
    let minutes = at_us.div_euclid(MINUTE_US);
    let (year, month, day) = civil(minutes.div_euclid(1_440));
    let of_day = minutes.rem_euclid(1_440);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}", of_day / 60, of_day % 60)
}

fn parse_minute(name: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| name.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hours, minutes) = (number(9..11)?, number(11..13)?);
    let at_us = (days(year, month, day) * 1_440 + hours * 60 + minutes) * MINUTE_US;
    // whatever does not come out again as it went in is no minute
    (minute(at_us) == name).then_some(at_us)
}

/// The inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let march_month = (month + 9) % 12;
    let of_year = (153 * march_month + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

const DAYS_PER_ERA: i64 = 146_097;

/// The Gregorian date of a day counted from 1970-01-01, by the era method: years begin in March, so that the leap day
/// comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_PER_ERA);
    let of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_those_of_the_calendar() {
        let check = |at_s: i64, expect: &str| {
            assert_eq!(minute(at_s * 1_000_000), expect);
            assert_eq!(parse_minute(expect), Some(at_s.div_euclid(60) * 60_000_000));
        };
        check(0, "19700101T0000");
        check(951_782_399, "20000228T2359");
        check(951_782_400, "20000229T0000");
        check(1_795_391_160, "20261122T2346");
        check(4_107_542_399, "21000228T2359");
        check(4_107_542_400, "21000301T0000");
        for name in ["20260229T0000", "20261301T0000", "20261122T2460", "20261122X2346", "20261122T234", ""] {
            assert_eq!(parse_minute(name), None, "{name}");
        }
    }

    #[test]
    fn minutes_and_days_are_written_as_names() {
        let at = Minute::of(1_795_391_160_000_001);
        assert_eq!(at.to_string(), "20261122T2346");
        assert_eq!(
            (at.hour().to_string(), at.day().to_string()),
            ("20261122T2300".into(), "20261122".into())
        );
        assert_eq!(at.day().next().start().to_string(), "20261123T0000");
        assert_eq!(Minute::try_from(at.to_string()), Ok(at));
        assert_eq!(Day::try_from(at.day().to_string()), Ok(at.day()));
        assert!(Minute::try_from("20261122".to_owned()).is_err());
        assert!(Day::try_from("20260230".to_owned()).is_err());
    }

    #[test]
    fn merged_objects_are_named_by_their_inputs() {
        let from = Minute::of(1_795_391_160_000_000);
        let name = MergedName {
            day: from.day(),
            level: "tick",
            minutes: (from, from.plus(5)),
            epoch: 3,
            inputs: 0xabc,
        };
        let stem = "data/20261122/tick-20261122T2346-20261122T2351-3-0000000000000abc";
        assert_eq!(name.part(2), format!("{stem}-0002.parquet"));
        assert_eq!((name.keys(), name.ids()), (format!("{stem}.keys"), format!("{stem}.ids")));
        let frame = frame_name(from, false, 4, 1, 0);
        assert_eq!(frame, "frames/20261122T2346-delta-4-0000000000000001-0000.parquet");
        for (file, epoch) in [(name.part(0), 3), (name.keys(), 3), (name.ids(), 3), (frame, 4)] {
            assert_eq!(epoch_of(&Path::from(file.as_str())), Some(epoch), "{file}");
        }
        assert_eq!(epoch_of(&Path::from("data/20261122/x.parquet")), None);
        let stream = Stream::pushes(&Path::from("a"), &Tenant::default());
        let object = stream.below(&name.part(2));
        assert_eq!(object.as_ref(), format!("a/default/pushes/{stem}-0002.parquet"));
        assert_eq!(stream.name_of(&object), Some(name.part(2)));
        assert_eq!(stream.name_of(&Path::from("a/default/pushesx/y")), None);
    }

    #[test]
    fn names_survive_the_way_there_and_back() {
        let name = SegmentName {
            stamped_us: 1_795_391_160_000_000,
            writer: 0xabc,
            number: 7,
            from_us: 1_795_391_160_000_001,
            to_us: 1_795_391_161_000_000,
            rows: 12,
            checksum: 0xdef,
            again_since: None,
        };
        let path = Stream::pushes(&Path::from("a/b"), &Tenant::default()).segment(&name);
        assert_eq!(
            path.as_ref(),
            "a/b/default/pushes/hot/20261122T2346/0000000000000abc00000007-1795391160000001-1795391161000000-12-0000000000000def.parquet"
        );
        assert_eq!(SegmentName::parse(&path).as_ref(), Ok(&name));
        let since = Minute::of(1_795_305_600_000_000);
        let again = SegmentName { again_since: Some(since), ..name };
        let path = Stream::pushes(&Path::from("a/b"), &Tenant::default()).segment(&again);
        assert!(path.as_ref().ends_with("-12-0000000000000def-again-20261122T0000.parquet"), "{path}");
        assert_eq!(SegmentName::parse(&path).as_ref(), Ok(&again));
        assert!(
            again.is_too_late(Some(since.plus(1)))
                && !again.is_too_late(Some(since))
                && !again.is_too_late(None)
        );
        let untold = Path::from(path.as_ref().replace("-20261122T0000.parquet", ".parquet"));
        let untold = SegmentName::parse(&untold).expect("a name of an earlier version");
        assert_eq!(untold.again_since, Some(Minute::of(again.stamped_us)));
    }

    #[test]
    fn other_names_are_refused() {
        for file in [
            "x.parquet",
            "20261122T2346/x.parquet",
            "0000000000000abc00000007-1-2-3-0000000000000def.parquet",
            "20261122T2346/0000000000000abc00000007-2-1-1-0000000000000def.parquet",
            "20261122T2346/0000000000000abc00000007-1-2-3.parquet",
            "20261122T2346/0000000000000abc00000007-1-2-3-0000000000000def-4.parquet",
        ] {
            assert!(SegmentName::parse(&Path::from(file)).is_err(), "{file}");
        }
        for tenant in ["", "A", "-a", "a/b", "..", "é", &"a".repeat(64)] {
            assert!(Tenant::new(tenant).is_err(), "{tenant}");
        }
        assert!(Tenant::new("team-1_x").is_ok());
    }
}

//! What a request says about a push besides what is pushed: by its method, its path and its headers.

use http::header::{HeaderMap, HeaderName};
use http::{HeaderValue, Method};
use model::{Change, GroupKey, RetryKey, duration};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use crate::intake::Body;
use crate::settings::Settings;

/// How long the group lives if nobody pushes to it again.
const TTL: HeaderName = HeaderName::from_static("x-mayfly-ttl");
/// How gauges are aggregated.
const GAUGE_MERGE: HeaderName = HeaderName::from_static("x-mayfly-gauge-merge");
/// What a retry has in common with the request that it repeats.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The terms that headers of a batch set for all of its requests that do not say otherwise.
pub(crate) const INHERITED: [HeaderName; 3] = [TTL, GAUGE_MERGE, IDEMPOTENCY_KEY];

/// The terms of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) change: Change,
    /// What becomes of gauges in a push that is aggregated.
    pub(crate) gauges: Gauges,
    pub(crate) ttl_us: Option<u64>,
    idempotency_key: Option<HeaderValue>,
}

/// What becomes of gauges in a push that is aggregated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Gauges {
    /// The last value counts.
    #[default]
    Last,
    /// They are added up.
    Sum,
    /// The least value counts.
    Min,
    /// The largest value counts.
    Max,
}

/// A request whose headers make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The TTL is no duration.
    #[error(
        "{TTL} is {0:?}: expected a duration like 90s, 1h30m or 7d, or 0 for a group that does not expire"
    )]
    Ttl(String),
    /// Nobody knows how to merge gauges like that.
    #[error("{GAUGE_MERGE} is {0:?}: expected replace, last, sum, min or max")]
    GaugeMerge(String),
    /// Gauges are merged only where pushes are aggregated.
    #[error("{GAUGE_MERGE} has a meaning only below /aggregate/metrics/job/…, where pushes are aggregated")]
    NotAggregated,
    /// The key is empty.
    #[error(
        "{IDEMPOTENCY_KEY} is empty: expected a text that is the same for a request and its retries, and for no other"
    )]
    NoKey,
    /// The key is too long.
    #[error("{IDEMPOTENCY_KEY} has {bytes} bytes, which exceeds idempotency_key_bytes_max = {max}")]
    LongKey {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The key was used for something else.
    #[error(
        "{IDEMPOTENCY_KEY} was used for another request to this group within the last {RETRY_WINDOW_HOURS} hours: \
         a key belongs to one request and its retries"
    )]
    KeyReused,
}

/// Keys are remembered for as long.
const RETRY_WINDOW_HOURS: i64 = model::RETRY_WINDOW_US / 3_600_000_000;

impl Terms {
    /// The terms of a request with this method to a group's path.
    pub(crate) fn of(
        method: &Method,
        is_aggregated: bool,
        headers: &HeaderMap,
        settings: &Settings,
    ) -> Result<Self, TermsError> {
        let change = match *method {
            Method::DELETE => Change::Delete,
            _ if is_aggregated => Change::Merge,
            Method::PUT => Change::ReplaceGroup,
            _ => Change::ReplaceFamilies,
        };
        let ttl_us = match headers.get(TTL) {
            Some(value) => ttl_us(value).ok_or_else(|| TermsError::Ttl(shown(value)))?,
            None => settings.push_ttl_ms.unwrap_or(0).saturating_mul(1_000),
        };
        let gauges = match headers.get(GAUGE_MERGE) {
            Some(_) if !is_aggregated => return Err(TermsError::NotAggregated),
            Some(value) => gauges(value).ok_or_else(|| TermsError::GaugeMerge(shown(value)))?,
            None => Gauges::default(),
        };
        let idempotency_key = headers.get(IDEMPOTENCY_KEY).cloned();
        let (bytes, max) =
            (idempotency_key.as_ref().map(HeaderValue::len), settings.idempotency_key_bytes_max);
        match bytes {
            Some(0) => return Err(TermsError::NoKey),
            Some(bytes) if bytes > max => return Err(TermsError::LongKey { bytes, max }),
            _ => {}
        }
        Ok(Self { change, gauges, ttl_us: Some(ttl_us).filter(|ttl_us| *ttl_us > 0), idempotency_key })
    }

    /// The retry key of this push to a group, if the client gave one.
    pub(crate) fn retry_key(&self, group: GroupKey, body: Option<&Body>) -> Option<RetryKey> {
        let idempotency_key = self.idempotency_key.as_ref()?;
        let key = xxh3_128(&[&group.0.to_be_bytes(), idempotency_key.as_bytes()].concat());
        let mut asked = Xxh3Default::new();
        // these numbers are in files
        asked.update(&[
            match self.change {
                Change::ReplaceGroup => 1,
                Change::ReplaceFamilies => 2,
                Change::Delete => 3,
                Change::Merge => 4,
                Change::Wipe => 5,
            },
            match self.gauges {
                Gauges::Last => 0,
                Gauges::Sum => 1,
                Gauges::Min => 2,
                Gauges::Max => 3,
            },
        ]);
        asked.update(&self.ttl_us.unwrap_or(0).to_le_bytes());
        asked.update(body.map_or(&[][..], |body| &body.bytes));
        Some(RetryKey { key, body: asked.digest() })
    }
}

fn ttl_us(value: &HeaderValue) -> Option<u64> {
    let ms = duration::parse(value.to_str().ok()?.trim()).ok()?;
    Some(u64::try_from(ms).ok()?.saturating_mul(1_000))
}

fn gauges(value: &HeaderValue) -> Option<Gauges> {
    Some(match value.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
        "replace" | "last" => Gauges::Last,
        "sum" => Gauges::Sum,
        "min" => Gauges::Min,
        "max" => Gauges::Max,
        _ => return None,
    })
}

fn shown(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wire::BodyFormat;
    use wire::encoding::Encoding;

    use super::*;

    fn terms(method: &Method, is_aggregated: bool, headers: &[(&str, &str)]) -> Result<Terms, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_str(value).expect("a value"),
            );
        }
        let settings = Settings { push_ttl_ms: Some(5_000), ..Settings::default() };
        Terms::of(method, is_aggregated, &map, &settings).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_request_does_follows_from_method_and_path() {
        let change =
            |method: Method, is_aggregated| terms(&method, is_aggregated, &[]).expect("terms").change;
        assert_eq!(change(Method::PUT, false), Change::ReplaceGroup);
        assert_eq!(change(Method::POST, false), Change::ReplaceFamilies);
        assert_eq!(change(Method::DELETE, false), Change::Delete);
        assert_eq!(change(Method::PUT, true), Change::Merge);
        assert_eq!(change(Method::POST, true), Change::Merge);
        assert_eq!(change(Method::DELETE, true), Change::Delete);
    }

    #[test]
    fn the_ttl_of_a_request_counts_before_that_of_the_settings() {
        let ttl = |headers: &[(&str, &str)]| terms(&Method::PUT, false, headers).map(|terms| terms.ttl_us);
        assert_eq!(ttl(&[]), Ok(Some(5_000_000)));
        assert_eq!(ttl(&[("X-Mayfly-TTL", " 1h30m ")]), Ok(Some(5_400_000_000)));
        assert_eq!(ttl(&[("X-Mayfly-TTL", "0")]), Ok(None));
        for wrong in ["", "soon", "-1s", "1.5h", "90", "300y"] {
            let error = ttl(&[("X-Mayfly-TTL", wrong)]).expect_err("refused");
            assert!(error.starts_with(&format!("x-mayfly-ttl is {wrong:?}: expected a duration")), "{error}");
        }
    }

    #[test]
    fn gauges_are_merged_as_the_request_says() {
        let gauges = |is_aggregated, how| {
            terms(&Method::POST, is_aggregated, &[("X-Mayfly-Gauge-Merge", how)]).map(|terms| terms.gauges)
        };
        assert_eq!(gauges(true, "sum"), Ok(Gauges::Sum));
        assert_eq!(gauges(true, "MIN"), Ok(Gauges::Min));
        assert_eq!(gauges(true, "last"), Ok(Gauges::Last));
        assert!(gauges(true, "avg").is_err_and(|e| e.contains("expected replace, last, sum, min or max")));
        assert!(gauges(false, "sum").is_err_and(|e| e.contains("only below /aggregate/")));
    }

    #[test]
    fn a_retry_has_the_key_and_the_body_of_what_it_repeats() {
        let body = |text: &'static str| Body {
            format: BodyFormat::Text,
            encoding: Encoding::Identity,
            bytes: Bytes::from_static(text.as_bytes()),
            place: access::Room::new(1).place(),
        };
        let of = |method: &Method, key: &str, group: u128, text| {
            let terms = terms(method, false, &[("Idempotency-Key", key)]).expect("terms");
            terms.retry_key(GroupKey(group), Some(&body(text))).expect("a key")
        };
        let first = of(&Method::PUT, "k", 1, "a 1\n");
        assert_eq!(first, of(&Method::PUT, "k", 1, "a 1\n"));
        assert_ne!(first.key, of(&Method::PUT, "l", 1, "a 1\n").key);
        assert_ne!(first.key, of(&Method::PUT, "k", 2, "a 1\n").key);
        for other in [of(&Method::PUT, "k", 1, "a 2\n"), of(&Method::POST, "k", 1, "a 1\n")] {
            assert_eq!(first.key, other.key);
            assert_ne!(first.body, other.body);
        }
        let refused =
            |key: &str| terms(&Method::PUT, false, &[("Idempotency-Key", key)]).expect_err("refused");
        assert!(refused("").contains("is empty"));
        assert!(
            refused(&"k".repeat(256)).contains("256 bytes, which exceeds idempotency_key_bytes_max = 255")
        );
    }
}

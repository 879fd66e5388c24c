//! What this process has told of metric families already: senders repeat it with every request, and it is stored once in a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Metadata, Teller};
use xxhash_rust::xxh3::xxh3_128;

/// What is known of metric families, by their names.
pub(crate) type Families = Vec<(Arc<str>, Metadata)>;

/// The same is stored again after so long, in microseconds: readers look back for a week.
const TOLD_AGAIN_US: i64 = 3_600 * 1_000_000;

/// So many families are remembered. With more, all are forgotten, and stored again.
const TOLD_MAX: usize = 1 << 16;

/// When what was stored last, by a hash of all of it.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<u128, i64>>);

/// What is being stored.
#[derive(Debug)]
pub(crate) struct News {
    told: Vec<u128>,
    at_us: i64,
}

impl Told {
    /// Leaves of some families those of which something is to be stored.
    pub(crate) fn news(&self, families: &mut Families, told_by: Option<Teller>, now_us: i64) -> News {
        let mut news = News { told: Vec::new(), at_us: now_us };
        if families.is_empty() {
            return news;
        }
        let told = self.lock();
        families.retain(|(family, metadata)| {
            let key = key(family, metadata, told_by);
            let is_new = told.get(&key).is_none_or(|at_us| now_us.saturating_sub(*at_us) >= TOLD_AGAIN_US);
            if is_new {
                news.told.push(key);
            }
            is_new
        });
        news
    }

    /// It is durable.
    pub(crate) fn stored(&self, news: News) {
        if news.told.is_empty() {
            return;
        }
        let mut told = self.lock();
        if told.len() + news.told.len() > TOLD_MAX {
            told.clear();
        }
        told.extend(news.told.into_iter().take(TOLD_MAX).map(|key| (key, news.at_us)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u128, i64>> {
        // nothing in here panics between two changes that belong together
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(family: &str, metadata: &Metadata, told_by: Option<Teller>) -> u128 {
    let Metadata { r#type, help, unit } = metadata;
    let mut bytes = Vec::new();
    for text in [family, r#type.as_str(), help, unit] {
        bytes.extend_from_slice(&text.len().to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend(told_by.into_iter().flat_map(|teller| teller.0.to_le_bytes()));
    xxh3_128(&bytes)
}

#[cfg(test)]
mod tests {
    use model::MetricType;

    use super::*;

    fn families(helps: &[&str]) -> Families {
        let metadata =
            |help: &&str| Metadata { r#type: MetricType::Gauge, help: (*help).into(), unit: "".into() };
        helps.iter().map(|help| ("m".into(), metadata(help))).collect()
    }

    #[test]
    fn what_was_stored_is_stored_again_after_a_while() {
        let told = Told::default();
        let check = |helps: &[&str], now_us: i64, expect: &[&str]| {
            let mut left = families(helps);
            let news = told.news(&mut left, None, now_us);
            assert_eq!(left, families(expect), "{now_us}");
            news
        };
        // what did not become durable is news as before
        drop(check(&["a"], 0, &["a"]));
        told.stored(check(&["a"], 0, &["a"]));
        told.stored(check(&["a", "b"], 1, &["b"]));
        drop(check(&["a", "b"], TOLD_AGAIN_US - 1, &[]));
        drop(check(&["b", "a"], TOLD_AGAIN_US, &["a"]));
        // what another tells is news
        let mut left = families(&["b"]);
        drop(told.news(&mut left, Some(Teller::of("me")), 1));
        assert_eq!(left, families(&["b"]));
    }

    #[test]
    fn no_more_is_remembered_than_allowed() {
        let told = Told::default();
        for round in 0..3 {
            let helps: Vec<String> = (0..TOLD_MAX).map(|help| format!("{round} {help}")).collect();
            let mut many = families(&helps.iter().map(String::as_str).collect::<Vec<_>>());
            told.stored(told.news(&mut many, None, 0));
            assert_eq!((many.len(), told.lock().len()), (TOLD_MAX, TOLD_MAX));
        }
    }
}

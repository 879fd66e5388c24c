//! Which pushes repeat another.

use std::collections::HashSet;

use model::{RETRY_WINDOW_US, RetryKey, Stamp};

use super::ends::Pushed;

/// The pushes that do not count: of those with the same key, all within the window after one that counts. It makes no
/// difference whether their bodies are the same, so everybody who reads the same events drops the same ones.
/// `counted` are keyed pushes before these that counted.
pub(super) fn repeated(pushes: &[Pushed], counted: &[(u128, Stamp)]) -> HashSet<Stamp> {
    let keyed = |pushed: &Pushed| pushed.retry_key.map(|RetryKey { key, .. }| (key, pushed.stamp));
    let mut keyed: Vec<(u128, Stamp)> = pushes.iter().filter_map(keyed).collect();
    if keyed.is_empty() {
        return HashSet::new();
    }
    keyed.extend(counted);
    keyed.sort_unstable();
    let mut repeated = HashSet::new();
    for of_key in keyed.chunk_by(|a, b| a.0 == b.0) {
        let mut counted = of_key[0].1;
        for (_, stamp) in &of_key[1..] {
            if stamp.at_us.saturating_sub(counted.at_us) >= RETRY_WINDOW_US {
                counted = *stamp;
            } else if *stamp != counted {
                repeated.insert(*stamp);
            }
        }
    }
    repeated
}

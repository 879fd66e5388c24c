//! Numbers in an order in which NaN has a place.

use std::cmp::Ordering;

/// Ascending; NaN before all others.
pub(crate) fn nan_first(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

/// Ascending; NaN behind all others.
pub(super) fn nan_last(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

/// The φ-quantile of some values, which are put in order: linear between two ranks; -Inf below 0, +Inf above 1.
pub(crate) fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| nan_first(*a, *b));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    {
        let rank = phi * (values.len() - 1) as f64;
        let lower = rank.floor() as usize;
        let upper = (lower + 1).min(values.len() - 1);
        let weight = rank - rank.floor();
        values[lower] * (1.0 - weight) + values[upper] * weight
    }
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles() {
        let check = |phi: f64, values: &[f64], expect: f64| {
            let found = quantile(phi, &mut values.to_vec());
            assert!(found == expect || found.is_nan() && expect.is_nan(), "{phi} of {values:?}: {found}");
        };
        check(0.5, &[3.0, 1.0, 2.0], 2.0);
        check(0.5, &[1.0, 2.0], 1.5);
        check(0.0, &[3.0, 1.0], 1.0);
        check(1.0, &[3.0, 1.0], 3.0);
        check(-0.1, &[1.0], f64::NEG_INFINITY);
        check(1.1, &[1.0], f64::INFINITY);
        check(f64::NAN, &[1.0], f64::NAN);
        check(0.0, &[1.0, f64::NAN], f64::NAN);
        check(1.0, &[1.0, f64::NAN], 1.0);
        check(0.5, &[], f64::NAN);
    }
}

//! Bounds of exponential buckets, to the bit those of Prometheus.
//!
//! Upstream has a table of them that was once computed with Go's `math.Exp2`, whose last digit is not always right. So it
//! is computed here in the same steps.

use std::sync::OnceLock;

/// The finest schema there is.
const SCHEMA_MAX: u32 = 8;

/// The upper bound of an exponential bucket.
pub(super) fn exponential_bound(index: i32, schema: i8) -> f64 {
    let Some(schema) = u32::try_from(schema).ok().filter(|schema| *schema > 0) else {
        let exponent = i64::from(index) << schema.unsigned_abs().min(31);
        return finite_before_infinity(1.0, exponent, 1_024);
    };
    let fractions = &fractions()[schema.min(SCHEMA_MAX) as usize];
    let within = fractions.len() - 1;
    #[expect(
        clippy::cast_sign_loss,
        reason = "the lower bits are the place in the table, of negative indices too"
    )]
    let fraction = fractions[index as usize & within];
    finite_before_infinity(fraction, i64::from(index >> schema) + 1, 1_025)
}

/// `fraction · 2^exponent`. The last bucket before the one for infinite observations ends with the largest float.
fn finite_before_infinity(fraction: f64, exponent: i64, first_infinite: i64) -> f64 {
    #[expect(clippy::float_cmp, reason = "a power of two is exact")]
    if exponent == first_infinite && (fraction == 1.0 || fraction == 0.5) {
        return f64::MAX;
    }
    let exponent = i32::try_from(exponent.clamp(-5_000, 5_000)).unwrap_or(0);
    // in two steps, since 2^1025 is no float although a half of it is
    let half = exponent / 2;
    fraction * f64::from(half).exp2() * f64::from(exponent - half).exp2()
}

/// For each schema the bounds between 0.5 and 1, 0.5 among them.
fn fractions() -> &'static [Vec<f64>] {
    static FRACTIONS: OnceLock<Vec<Vec<f64>>> = OnceLock::new();
    FRACTIONS.get_or_init(|| {
        let mut all: Vec<Vec<f64>> = Vec::new();
        for schema in 0..=SCHEMA_MAX {
            let factor = go_exp2(go_exp2(-f64::from(schema)));
            let mut bounds = vec![0.5];
            for place in 1..1_usize << schema {
                // every second one is known from the coarser schema
                let bound = match all.last() {
                    Some(coarser) if place.is_multiple_of(2) => coarser[place / 2],
                    _ => bounds[place - 1] * factor,
                };
                bounds.push(bound);
            }
            all.push(bounds);
        }
        all
    })
}

/// `math.Exp2` of Go's library where it has no assembly: a polynomial about the nearest whole number.
fn go_exp2(x: f64) -> f64 {
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const POLYNOMIAL: [f64; 5] = [
        1.666_666_666_666_666_6e-1,
        -2.777_777_777_701_559_3e-3,
        6.613_756_321_437_934e-5,
        -1.653_390_220_546_525_2e-6,
        4.138_136_797_057_238_5e-8,
    ];
    let nearest = x.round();
    let rest = x - nearest;
    let (high, low) = (rest * LN2_HIGH, -rest * LN2_LOW);
    let r = high - low;
    let square = r * r;
    let series = POLYNOMIAL.iter().rev().fold(0.0, |sum, factor| factor + square * sum);
    let c = r - square * series;
    let y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
    y * nearest.exp2()
}

#[cfg(test)]
mod tests {
    use super::exponential_bound;

    #[test]
    #[expect(clippy::float_cmp, reason = "to the bit")]
    fn bounds_are_those_that_a_real_prometheus_shows() {
        let check = |index: i32, schema: i8, expect: f64| {
            assert_eq!(exponential_bound(index, schema), expect, "{index} of schema {schema}");
        };
        check(1, 1, 2.0 * 0.707_106_781_186_547_5);
        check(-1, 1, 0.707_106_781_186_547_5);
        check(1, 2, 1.189_207_115_002_721);
        check(3, 3, 1.296_839_554_651_009_6);
        check(-1, 3, 0.917_004_043_204_671_1);
        check(-2, 3, 0.840_896_415_253_714_4);
        check(-3, 3, 0.771_105_412_703_970_4);
        check(0, 3, 1.0);
        check(3, 0, 8.0);
        check(-3, -1, 0.015_625);
        check(1_024, 0, f64::MAX);
        check(1_025, 0, f64::INFINITY);
        check(256, -2, f64::MAX);
        check(8 * 1_024, 3, f64::MAX);
        check(8 * 1_024 + 1, 3, f64::INFINITY);
        check(8 * 1_024 - 8, 3, 1_023_f64.exp2());
        check(-8 * 1_074, 3, f64::from_bits(1));
        check(i32::MAX, -4, f64::INFINITY);
        check(i32::MIN, 8, 0.0);
    }
}

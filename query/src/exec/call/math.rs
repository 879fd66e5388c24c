//! Functions of one number.

use crate::syntax::Function;

/// The function, if it computes each value from one value.
pub(super) fn of_one(function: Function) -> Option<fn(f64) -> f64> {
    Some(match function {
        Function::Abs => f64::abs,
        Function::Acos => f64::acos,
        Function::Acosh => f64::acosh,
        Function::Asin => f64::asin,
        Function::Asinh => asinh,
        Function::Atan => f64::atan,
        Function::Atanh => f64::atanh,
        Function::Ceil => f64::ceil,
        Function::Cos => f64::cos,
        Function::Cosh => f64::cosh,
        Function::Deg => |value| value * 180.0 / std::f64::consts::PI,
        Function::Exp => f64::exp,
        Function::Floor => f64::floor,
        Function::Ln => f64::ln,
        Function::Log10 => f64::log10,
        Function::Log2 => f64::log2,
        Function::Rad => |value| value * std::f64::consts::PI / 180.0,
        Function::Sgn => sign,
        Function::Sin => f64::sin,
        Function::Sinh => f64::sinh,
        Function::Sqrt => f64::sqrt,
        Function::Tan => f64::tan,
        Function::Tanh => f64::tanh,
        _ => return None,
    })
}

/// -1, 1, or the value itself where it is 0 or NaN.
fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The inverse hyperbolic sine, in the steps of Go's `math.Asinh`. That of the standard library needs a `hypot` that no C library of before
/// 2022 has, which is what functions run on.
fn asinh(x: f64) -> f64 {
    const LARGE: f64 = (1_u64 << 28) as f64;
    let size = x.abs();
    let result = if size > LARGE {
        size.ln() + std::f64::consts::LN_2
    } else if size > 2.0 {
        (2.0 * size + 1.0 / ((size * size + 1.0).sqrt() + size)).ln()
    } else if size < 1.0 / LARGE {
        size
    } else {
        (size + size * size / (1.0 + (1.0 + size * size).sqrt())).ln_1p()
    };
    result.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asinh_is_that_of_go() {
        for (x, expected) in [
            (4.979_011_924_883_673_5, 2.308_313_912_492_352_4),
            (7.738_872_474_578_105, 2.743_551_594_301_594),
            (-0.276_880_057_192_001_6, -0.273_459_085_348_800_9),
            (-5.010_603_618_271_075, -2.314_515_764_471_834),
            (1.825_308_091_680_855, 1.362_665_808_371_482_7),
            (1e300, 691.468_675_078_773_7),
            (-1e-10, -1e-10),
            (f64::INFINITY, f64::INFINITY),
            (f64::NEG_INFINITY, f64::NEG_INFINITY),
        ] {
            let found = asinh(x);
            assert!(found == expected || (found / expected - 1.0).abs() < 3e-16, "asinh({x}) is {found:e}");
        }
        assert!(asinh(f64::NAN).is_nan());
        assert_eq!(asinh(-0.0).to_bits(), (-0.0_f64).to_bits());
    }
}

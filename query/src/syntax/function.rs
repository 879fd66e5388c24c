//! The functions of the language and what they take.

use super::ast::ValueType;
use ValueType::{Matrix, Scalar, String, Vector};

/// What a function takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Which function.
    pub function: Function,
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments. The last may be left out or repeated, as `variadic` says.
    pub arguments: &'static [ValueType],
    /// How often the last argument may stand.
    pub variadic: Variadic,
    /// What it yields.
    pub returns: ValueType,
    /// Whether it must be switched on.
    pub experimental: bool,
}

/// How often the last argument of a function may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variadic {
    /// Exactly once.
    No,
    /// From never to so many times.
    UpTo(usize),
    /// Any number of times.
    Any,
}

impl Signature {
    /// The function with this name; names are case-sensitive.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        SIGNATURES.binary_search_by(|signature| signature.name.cmp(name)).ok().map(|index| &SIGNATURES[index])
    }

    /// All functions, by name.
    pub fn all() -> &'static [Self] {
        &SIGNATURES
    }
}

impl Function {
    /// As PromQL writes it.
    pub fn name(self) -> &'static str {
        Signature::all()
            .iter()
            .find(|signature| signature.function == self)
            .map_or("?", |signature| signature.name)
    }
}

macro_rules! functions {
    ($count:literal: $($name:literal $function:ident $arguments:expr, $variadic:expr, $returns:expr, $experimental:expr;)*) => {
        /// A function of the language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Function {
            $(
                #[doc = concat!("`", $name, "`")]
                $function,
            )*
        }

        static SIGNATURES: [Signature; $count] = [
            $(Signature {
                function: Function::$function,
                name: $name,
                arguments: &$arguments,
                variadic: $variadic,
                returns: $returns,
                experimental: $experimental,
            },)*
        ];
    };
}

const STABLE: bool = false;
const EXPERIMENTAL: bool = true;
const NO: Variadic = Variadic::No;
const OPTIONAL: Variadic = Variadic::UpTo(1);

functions! { 90:
    "abs" Abs [Vector], NO, Vector, STABLE;
    "absent" Absent [Vector], NO, Vector, STABLE;
    "absent_over_time" AbsentOverTime [Matrix], NO, Vector, STABLE;
    "acos" Acos [Vector], NO, Vector, STABLE;
    "acosh" Acosh [Vector], NO, Vector, STABLE;
    "asin" Asin [Vector], NO, Vector, STABLE;
    "asinh" Asinh [Vector], NO, Vector, STABLE;
    "atan" Atan [Vector], NO, Vector, STABLE;
    "atanh" Atanh [Vector], NO, Vector, STABLE;
    "avg_over_time" AvgOverTime [Matrix], NO, Vector, STABLE;
    "ceil" Ceil [Vector], NO, Vector, STABLE;
    "changes" Changes [Matrix], NO, Vector, STABLE;
    "clamp" Clamp [Vector, Scalar, Scalar], NO, Vector, STABLE;
    "clamp_max" ClampMax [Vector, Scalar], NO, Vector, STABLE;
    "clamp_min" ClampMin [Vector, Scalar], NO, Vector, STABLE;
    "cos" Cos [Vector], NO, Vector, STABLE;
    "cosh" Cosh [Vector], NO, Vector, STABLE;
    "count_over_time" CountOverTime [Matrix], NO, Vector, STABLE;
    "day_of_month" DayOfMonth [Vector], OPTIONAL, Vector, STABLE;
    "day_of_week" DayOfWeek [Vector], OPTIONAL, Vector, STABLE;
    "day_of_year" DayOfYear [Vector], OPTIONAL, Vector, STABLE;
    "days_in_month" DaysInMonth [Vector], OPTIONAL, Vector, STABLE;
    "deg" Deg [Vector], NO, Vector, STABLE;
    "delta" Delta [Matrix], NO, Vector, STABLE;
    "deriv" Deriv [Matrix], NO, Vector, STABLE;
    "double_exponential_smoothing" DoubleExponentialSmoothing [Matrix, Scalar, Scalar], NO, Vector, EXPERIMENTAL;
    "end" End [], NO, Scalar, EXPERIMENTAL;
    "exp" Exp [Vector], NO, Vector, STABLE;
    "first_over_time" FirstOverTime [Matrix], NO, Vector, STABLE;
    "floor" Floor [Vector], NO, Vector, STABLE;
    "histogram_avg" HistogramAvg [Vector], NO, Vector, STABLE;
    "histogram_count" HistogramCount [Vector], NO, Vector, STABLE;
    "histogram_fraction" HistogramFraction [Scalar, Scalar, Vector], NO, Vector, STABLE;
    "histogram_quantile" HistogramQuantile [Scalar, Vector], NO, Vector, STABLE;
    "histogram_quantiles" HistogramQuantiles [Vector, String, Scalar], Variadic::UpTo(10), Vector, EXPERIMENTAL;
    "histogram_stddev" HistogramStddev [Vector], NO, Vector, STABLE;
    "histogram_stdvar" HistogramStdvar [Vector], NO, Vector, STABLE;
    "histogram_sum" HistogramSum [Vector], NO, Vector, STABLE;
    "hour" Hour [Vector], OPTIONAL, Vector, STABLE;
    "idelta" Idelta [Matrix], NO, Vector, STABLE;
    "increase" Increase [Matrix], NO, Vector, STABLE;
    "info" Info [Vector, Vector], OPTIONAL, Vector, EXPERIMENTAL;
    "irate" Irate [Matrix], NO, Vector, STABLE;
    "label_join" LabelJoin [Vector, String, String, String], Variadic::Any, Vector, STABLE;
    "label_replace" LabelReplace [Vector, String, String, String, String], NO, Vector, STABLE;
    "last_over_time" LastOverTime [Matrix], NO, Vector, STABLE;
    "ln" Ln [Vector], NO, Vector, STABLE;
    "log10" Log10 [Vector], NO, Vector, STABLE;
    "log2" Log2 [Vector], NO, Vector, STABLE;
    "mad_over_time" MadOverTime [Matrix], NO, Vector, EXPERIMENTAL;
    "max_of" MaxOf [Scalar, Scalar], NO, Scalar, EXPERIMENTAL;
    "max_over_time" MaxOverTime [Matrix], NO, Vector, STABLE;
    "min_of" MinOf [Scalar, Scalar], NO, Scalar, EXPERIMENTAL;
    "min_over_time" MinOverTime [Matrix], NO, Vector, STABLE;
    "minute" Minute [Vector], OPTIONAL, Vector, STABLE;
    "month" Month [Vector], OPTIONAL, Vector, STABLE;
    "pi" Pi [], NO, Scalar, STABLE;
    "predict_linear" PredictLinear [Matrix, Scalar], NO, Vector, STABLE;
    "present_over_time" PresentOverTime [Matrix], NO, Vector, STABLE;
    "quantile_over_time" QuantileOverTime [Scalar, Matrix], NO, Vector, STABLE;
    "rad" Rad [Vector], NO, Vector, STABLE;
    "range" Range [], NO, Scalar, EXPERIMENTAL;
    "rate" Rate [Matrix], NO, Vector, STABLE;
    "resets" Resets [Matrix], NO, Vector, STABLE;
    "round" Round [Vector, Scalar], OPTIONAL, Vector, STABLE;
    "scalar" Scalar [Vector], NO, Scalar, STABLE;
    "sgn" Sgn [Vector], NO, Vector, STABLE;
    "sin" Sin [Vector], NO, Vector, STABLE;
    "sinh" Sinh [Vector], NO, Vector, STABLE;
    "sort" Sort [Vector], NO, Vector, STABLE;
    "sort_by_label" SortByLabel [Vector, String], Variadic::Any, Vector, EXPERIMENTAL;
    "sort_by_label_desc" SortByLabelDesc [Vector, String], Variadic::Any, Vector, EXPERIMENTAL;
    "sort_desc" SortDesc [Vector], NO, Vector, STABLE;
    "sqrt" Sqrt [Vector], NO, Vector, STABLE;
    "start" Start [], NO, Scalar, EXPERIMENTAL;
    "start_timestamp" StartTimestamp [Vector], NO, Vector, EXPERIMENTAL;
    "stddev_over_time" StddevOverTime [Matrix], NO, Vector, STABLE;
    "stdvar_over_time" StdvarOverTime [Matrix], NO, Vector, STABLE;
    "step" Step [], NO, Scalar, EXPERIMENTAL;
    "sum_over_time" SumOverTime [Matrix], NO, Vector, STABLE;
    "tan" Tan [Vector], NO, Vector, STABLE;
    "tanh" Tanh [Vector], NO, Vector, STABLE;
    "time" Time [], NO, Scalar, STABLE;
    "timestamp" Timestamp [Vector], NO, Vector, STABLE;
    "ts_of_first_over_time" TsOfFirstOverTime [Matrix], NO, Vector, EXPERIMENTAL;
    "ts_of_last_over_time" TsOfLastOverTime [Matrix], NO, Vector, EXPERIMENTAL;
    "ts_of_max_over_time" TsOfMaxOverTime [Matrix], NO, Vector, EXPERIMENTAL;
    "ts_of_min_over_time" TsOfMinOverTime [Matrix], NO, Vector, EXPERIMENTAL;
    "vector" Vector [Scalar], NO, Vector, STABLE;
    "year" Year [Vector], OPTIONAL, Vector, STABLE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_function_is_found() {
        for signature in Signature::all() {
            assert_eq!(Signature::by_name(signature.name), Some(signature));
        }
        assert_eq!(Signature::by_name("Rate"), None);
        assert_eq!(Signature::all().iter().filter(|signature| signature.experimental).count(), 17);
    }
}

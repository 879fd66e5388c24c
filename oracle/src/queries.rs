//! Queries at random, most of which make sense.
//!
//! What jumps where numbers differ in their last bits – comparisons, rounding, division by a difference, ranks – is only
//! applied to operands that are exact: sums, differences and choices of the numbers in the data, which are sixteenths.

use fastrand::Rng;

/// Which part of the language queries may use, and over which data.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Functions that are experimental in Prometheus 3.5 too.
    pub experimental: bool,
    /// `anchored`, `smoothed`, `fill`, `info`, `histogram_fraction`, `histogram_quantiles`, and `limitk` and `limit_ratio`, whose choice depends on
    /// the order in which a storage has its series, or on its hash.
    pub extended: bool,
    /// The pushed series `p` and `p_total`.
    pub pushed: bool,
    /// Native histograms, what is computed of them, and names of metrics that are looked at late.
    pub native: bool,
    /// Where the data begin, for `@`.
    pub start_ms: i64,
    /// How long they are.
    pub length_ms: i64,
}

/// Gives one query after the other.
#[derive(Debug)]
pub struct Queries {
    rng: Rng,
    dialect: Dialect,
}

const RANGES: [&str; 7] = ["15s", "1m", "90s", "5m", "7m", "10m", "37s"];
const GROUPINGS: [&str; 9] = [
    "by (job)",
    "by (instance)",
    "by (job, instance)",
    "by ()",
    "without (instance)",
    "without (mode, le)",
    "without ()",
    "by (mode, job)",
    "by (nothing)",
];
/// Jump nowhere, and need no exact operand.
const SMOOTH: [&str; 6] = ["abs", "atan", "tanh", "deg", "rad", "asinh"];
const ROUGH: [&str; 18] = [
    "ceil", "floor", "sgn", "sqrt", "ln", "log2", "log10", "sin", "cos", "acos", "asin", "acosh", "atanh",
    "round", "exp", "sinh", "cosh", "tan",
];
const DATES: [&str; 8] =
    ["minute", "hour", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "month", "year"];
/// Functions over windows whose results are as exact as their samples.
const EXACT_WINDOWS: [&str; 10] = [
    "min_over_time",
    "max_over_time",
    "last_over_time",
    "sum_over_time",
    "count_over_time",
    "present_over_time",
    "changes",
    "resets",
    "idelta",
    "absent_over_time",
];
const WINDOWS: [&str; 5] = ["rate", "increase", "delta", "irate", "avg_over_time"];
/// Those that square: not for numbers as large as times.
const SQUARING: [&str; 3] = ["stddev_over_time", "stdvar_over_time", "deriv"];
const EXPERIMENTAL_WINDOWS: [&str; 5] =
    ["mad_over_time", "ts_of_min_over_time", "ts_of_max_over_time", "ts_of_last_over_time", "mad_over_time"];

impl Queries {
    /// The queries of a seed.
    pub fn new(seed: u64, dialect: Dialect) -> Self {
        Self { rng: Rng::with_seed(seed), dialect }
    }

    /// The next query: a vector or, now and then, a scalar.
    pub fn query(&mut self) -> String {
        let depth = self.rng.u8(0..4);
        match self.rng.u8(..12) {
            0 => self.scalar(depth),
            1 => self.set_operation(depth),
            _ => self.vector(depth),
        }
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.rng.usize(..of.len())]
    }

    fn number(&mut self) -> String {
        self.one(&["0", "1", "2", "-1", "0.5", "3.25", "1e3", "-7", "10"]).to_owned()
    }

    fn matchers(&mut self) -> &'static str {
        const ALL: [&str; 12] = [
            "",
            "",
            "",
            "{job=\"a\"}",
            "{job!=\"a\"}",
            "{instance=~\"0|1\"}",
            "{instance!~\"[01]\"}",
            "{instance=~\"2?\"}",
            "{job=~\"a|x\",instance=\"1\"}",
            "{nothing=\"\"}",
            "{job=~\".+\"}",
            "{instance=~\"0.*\"}",
        ];
        ALL[self.rng.usize(..ALL.len())]
    }

    /// Now and then one of native histograms, where there are some.
    fn metric(&mut self) -> &'static str {
        match self.dialect.native && self.rng.u8(..4) == 0 {
            true => self.native_metric(),
            false => self.float_metric(),
        }
    }

    fn native_metric(&mut self) -> &'static str {
        const ALL: [&str; 7] = ["n", "n", "n", "nhcb", "nhcb", "n_gauge", "mixed"];
        ALL[self.rng.usize(..ALL.len())]
    }

    fn float_metric(&mut self) -> &'static str {
        let pushed = self.dialect.pushed;
        match self.rng.u8(..if pushed { 16 } else { 10 }) {
            0..3 => "g",
            3 => "g2",
            4..7 => "c_total",
            7 => "h_bucket",
            8 => "h_count",
            9 if self.rng.u8(..4) == 0 => "no_such_metric",
            9 => "h_sum",
            10..13 => "p",
            _ => "p_total",
        }
    }

    fn selector(&mut self) -> String {
        if self.rng.u8(..40) == 0 {
            return "{__name__=~\"g2?\",job=\"a\"}".to_owned();
        }
        format!("{}{}", self.metric(), self.matchers())
    }

    fn float_selector(&mut self) -> String {
        format!("{}{}", self.float_metric(), self.matchers())
    }

    /// `@` and `offset`, in either order; mostly neither.
    fn shift(&mut self) -> String {
        let at_s = (self.dialect.start_ms + self.rng.i64(0..self.dialect.length_ms)) / 1_000;
        let at = match self.rng.u8(..16) {
            0 => format!(" @ {at_s}"),
            1 => " @ start()".to_owned(),
            2 => " @ end()".to_owned(),
            _ => String::new(),
        };
        let offset = match self.rng.u8(..8) {
            0 => format!(" offset {}", self.one(&["1m", "5m", "-1m", "2m37s", "15s"])),
            _ => String::new(),
        };
        if self.rng.bool() { format!("{at}{offset}") } else { format!("{offset}{at}") }
    }

    fn matrix(&mut self, depth: u8, exact: bool) -> String {
        let (range, shift) = (self.one(&RANGES), self.shift());
        if depth == 0 || self.rng.u8(..4) > 0 {
            return format!("{}[{range}]{shift}", self.selector());
        }
        let inner = if exact { self.exact(depth - 1) } else { self.vector(depth - 1) };
        let step = self.one(&["", "30s", "1m", "17s"]);
        format!("({inner})[{range}:{step}]{shift}")
    }

    /// A vector of sixteenths.
    fn exact(&mut self, depth: u8) -> String {
        if depth == 0 {
            return format!("{}{}", self.selector(), self.shift());
        }
        let next = depth - 1;
        match self.rng.u8(..9) {
            0 => format!("-({})", self.exact(next)),
            1 => format!("({}) {} {}", self.exact(next), self.one(&["+", "-"]), self.number()),
            2 => format!("{} + on (job, instance, mode, le) {}", self.plain(), self.plain()),
            3 => {
                let (op, grouping) =
                    (self.one(&["sum", "min", "max", "count", "group"]), self.one(&GROUPINGS));
                format!("{op} {grouping} ({})", self.exact(next))
            }
            4 => format!("timestamp({}{})", self.selector(), self.shift()),
            5 => format!("clamp_max({}, {})", self.exact(next), self.number()),
            _ => format!("{}({})", self.one(&EXACT_WINDOWS), self.matrix(next, true)),
        }
    }

    /// A selector of one name.
    fn plain(&mut self) -> String {
        format!("{}{}", self.metric(), self.matchers())
    }

    fn vector(&mut self, depth: u8) -> String {
        if depth == 0 {
            return match self.rng.u8(..8) {
                0 => format!("vector({})", self.number()),
                1 if self.dialect.extended => format!("{} smoothed{}", self.float_selector(), self.shift()),
                _ => self.exact(0),
            };
        }
        let next = depth - 1;
        if self.dialect.native && self.rng.u8(..6) == 0 {
            return self.of_native(next);
        }
        match self.rng.u8(..24) {
            0..7 => self.window(next),
            7 => format!("{}({})", self.one(&SMOOTH), self.vector(next)),
            8 => format!("{}({})", self.one(&ROUGH), self.exact(next)),
            9..12 => {
                let (op, grouping) =
                    (self.one(&["sum", "avg", "min", "max", "count", "group"]), self.one(&GROUPINGS));
                format!("{op} {grouping} ({})", self.vector(next))
            }
            12 => {
                let (op, grouping) = (self.one(&["stddev", "stdvar"]), self.one(&GROUPINGS));
                format!("{op} {grouping} ({})", self.exact(0))
            }
            13 => self.parameter_aggregation(next),
            14 => format!("({}) {} {}", self.vector(next), self.one(&["+", "-", "*"]), self.scalar(next)),
            15 => format!("{} / ({})", self.scalar(next), self.exact(next)),
            16 => self.comparison(next),
            17..20 => self.join(),
            20 => self.labels(next),
            21 => {
                let phi = self.one(&["0.37", "0.9", "0.99", "0.11", "-1", "2"]);
                let buckets = self.one(&[
                    "h_bucket",
                    "sum by (le) (h_bucket)",
                    "rate(h_bucket[5m])",
                    "sum by (le, job) (rate(h_bucket[7m]))",
                    "increase(h_bucket{job=\"a\"}[90s])",
                ]);
                match self.dialect.extended && self.rng.u8(..3) == 0 {
                    true => {
                        let lower = self.one(&["-Inf", "-1", "0", "0.1", "0.3", "2"]);
                        let upper = self.one(&["0.05", "0.5", "0.7", "3", "7", "+Inf", "NaN"]);
                        format!("histogram_fraction({lower}, {upper}, {buckets})")
                    }
                    false => format!("histogram_quantile({phi}, {buckets})"),
                }
            }
            22 if self.dialect.extended && self.rng.u8(..3) == 0 => self.extended(),
            22 => self.other(next),
            _ => self.set_operation(next),
        }
    }

    fn window(&mut self, depth: u8) -> String {
        match self.rng.u8(..10) {
            0..4 => format!("{}({})", self.one(&WINDOWS), self.matrix(depth, true)),
            4 => format!("{}({})", self.one(&SQUARING), self.matrix(0, true)),
            5 => format!(
                "quantile_over_time({}, {})",
                self.one(&["0.3", "0.5", "1", "-1"]),
                self.matrix(depth, false)
            ),
            6 => {
                format!("predict_linear({}, {})", self.matrix(0, true), self.one(&["60", "-30", "3600"]))
            }
            8 if self.dialect.extended => {
                let (selector, range, shift) = (self.float_selector(), self.one(&RANGES), self.shift());
                match self.rng.bool() {
                    true => {
                        let function = self.one(&["rate", "increase", "delta", "changes", "resets"]);
                        format!("{function}({selector}[{range}] anchored{shift})")
                    }
                    false => {
                        let function = self.one(&["rate", "increase", "delta"]);
                        format!("{function}({selector}[{range}] smoothed{shift})")
                    }
                }
            }
            7 if self.dialect.experimental => match self.rng.u8(..3) {
                0 => format!("double_exponential_smoothing({}, 0.3, 0.6)", self.matrix(depth, false)),
                _ => format!("{}({})", self.one(&EXPERIMENTAL_WINDOWS), self.matrix(depth, true)),
            },
            _ => format!("{}({})", self.one(&EXACT_WINDOWS), self.matrix(depth, true)),
        }
    }

    fn parameter_aggregation(&mut self, depth: u8) -> String {
        let grouping = self.one(&GROUPINGS);
        match self.rng.u8(..4) {
            0 => {
                format!("quantile {grouping} ({}, {})", self.one(&["0.3", "0.5", "0.9"]), self.vector(depth))
            }
            // the text of a histogram is no matter of its meaning
            1 if self.dialect.native => {
                format!("count_values {grouping} (\"value\", {})", self.float_selector())
            }
            1 => format!("count_values {grouping} (\"value\", {})", self.exact(depth)),
            2 if self.dialect.extended && self.rng.bool() => {
                let share = self.one(&["0.3", "0.5", "-0.7", "1", "-2", "0", "0 / 0"]);
                format!("limit_ratio {grouping} ({share}, {})", self.vector(depth))
            }
            2 if self.dialect.extended => {
                format!("limitk {grouping} ({}, {})", self.one(&["1", "2", "3", "0"]), self.plain())
            }
            _ => {
                // ranks of equal values are those of the storage, which only selectors keep
                let operand = self.plain();
                format!(
                    "{} {grouping} ({}, {operand})",
                    self.one(&["topk", "bottomk"]),
                    self.one(&["1", "2", "3", "0"])
                )
            }
        }
    }

    fn comparison(&mut self, depth: u8) -> String {
        let op = self.one(&["==", "!=", ">", "<", ">=", "<=", "> bool", "<= bool", "== bool"]);
        match self.rng.u8(..3) {
            0 => format!("({}) {op} {}", self.exact(depth), self.number()),
            1 => format!("{} {op} ({})", self.number(), self.exact(depth)),
            _ => format!("{} {op} on (job, instance, mode, le) {}", self.plain(), self.plain()),
        }
    }

    fn join(&mut self) -> String {
        let op = self.one(&["+", "-", "*", "/", ">", "== bool", "atan2", "%"]);
        match self.rng.u8(..9) {
            0 => format!("g {op} g2{}", self.matchers()),
            1 => format!("c_total{{mode=\"read\"}} {op} ignoring (mode) c_total{{mode=\"write\"}}"),
            2 => format!("c_total {op} ignoring (mode) group_left g{}", self.matchers()),
            3 => format!("g {op} on (job, instance) group_right c_total{}", self.matchers()),
            4 => format!("rate(c_total[5m]) {op} on (job) group_left sum by (job) (g)"),
            5 => format!("c_total {op} on (job) group_left (instance) max by (job) (h_count)"),
            6 => format!("sum by (job, mode) (c_total) {op} on (mode) group_left () sum by (mode) (c_total)"),
            // several partners: mostly an error
            7 => format!("{} {op} on (job) {}", self.plain(), self.plain()),
            _ => format!("{} {op} {}", self.plain(), self.plain()),
        }
    }

    /// Native histograms, mostly.
    fn native(&mut self, depth: u8) -> String {
        let selector = format!("{}{}", self.native_metric(), self.matchers());
        if depth == 0 {
            return format!("{selector}{}", self.shift());
        }
        let next = depth - 1;
        match self.rng.u8(..9) {
            0..3 => {
                let function = self.one(&[
                    "rate",
                    "increase",
                    "delta",
                    "irate",
                    "idelta",
                    "avg_over_time",
                    "sum_over_time",
                ]);
                match self.rng.u8(..4) {
                    0 => format!(
                        "{function}(({selector})[{}:{}])",
                        self.one(&RANGES),
                        self.one(&["30s", "17s"])
                    ),
                    _ => format!("{function}({selector}[{}]{})", self.one(&RANGES), self.shift()),
                }
            }
            3 => format!("{} {} ({})", self.one(&["sum", "avg"]), self.one(&GROUPINGS), self.native(next)),
            4 => format!("({}) {} {}", self.native(next), self.one(&["*", "/", "*"]), self.number()),
            5 => {
                let at = self.one(&["0", "0.3", "1", "-0.7", "2", "0.0005", "7", "+Inf", "-Inf"]);
                // of differences nothing may be left but the last digits
                let (function, sign) =
                    (self.one(&["rate", "increase", "sum_over_time"]), self.one(&["", "", "-"]));
                let histograms = match self.rng.bool() {
                    true => format!("{sign}{function}({selector}[{}]{})", self.one(&RANGES), self.shift()),
                    false => format!("{sign}{selector}{}", self.shift()),
                };
                format!("({histograms}) {} {at}", self.one(&["</", ">/"]))
            }
            6 => {
                let matching = self.one(&["on (job, instance)", "ignoring (mode)", ""]);
                let other = format!("{}{}", self.native_metric(), self.matchers());
                format!(
                    "{selector} {} {matching} {other}",
                    self.one(&["+", "-", "==", "!=", "and", "or", ">", "+ "])
                )
            }
            7 => format!("-({})", self.native(next)),
            _ => format!("{selector}{}", self.shift()),
        }
    }

    /// What functions make of native histograms.
    fn of_native(&mut self, depth: u8) -> String {
        let histograms = self.native(depth.min(2));
        match self.rng.u8(..8) {
            0 | 1 => {
                // not where ranks meet bounds of buckets, between which empty ones may lie
                let phi = self.one(&["0.371", "0.9113", "0.123", "0.687", "0", "1", "-1", "2"]);
                format!("histogram_quantile({phi}, {histograms})")
            }
            2 => {
                let lower = self.one(&["-Inf", "-1", "0", "0.1", "0.3", "2"]);
                let upper = self.one(&["0.05", "0.5", "0.7", "3", "7", "+Inf", "NaN"]);
                format!("histogram_fraction({lower}, {upper}, {histograms})")
            }
            3 | 4 => {
                let function = self.one(&[
                    "histogram_count",
                    "histogram_sum",
                    "histogram_avg",
                    "histogram_stddev",
                    "histogram_stdvar",
                ]);
                format!("{function}({histograms})")
            }
            5 => format!("label_replace({histograms}, \"was\", \"$1\", \"__name__\", \"(.*)\")"),
            _ => histograms,
        }
    }

    fn extended(&mut self) -> String {
        match self.rng.u8(..8) {
            0..3 => {
                let op = self.one(&["+", "-", "*", ">", "== bool", "atan2"]);
                let matching =
                    self.one(&["", "on (job, instance)", "on (job, instance, mode, le)", "ignoring (mode)"]);
                let fill =
                    self.one(&["fill(0)", "fill_left(1)", "fill_right(-2)", "fill_left(3) fill_right(4)"]);
                format!("{} {op} {matching} {fill} {}", self.plain(), self.plain())
            }
            3 => {
                let fill = self.one(&["fill(0)", "fill_left(1)", "fill_right(-2)"]);
                format!("c_total + ignoring (mode) group_left {fill} g{}", self.matchers())
            }
            4 => format!("info(rate(c_total{}[5m]))", self.matchers()),
            5 | 6 => {
                let about = self.one(&[
                    "{version=\"1\"}",
                    "{version=~\".+\"}",
                    "{version=~\".*\"}",
                    "{zone!=\"y\"}",
                    "{__name__=\"build_info\"}",
                    "{__name__=~\"(target|build)_info\"}",
                    "{__name__=~\"(target|build)_info\", version=~\"1|2\"}",
                    "{mode=\"info\"}",
                ]);
                format!("info({}{}, {about})", self.plain(), self.shift())
            }
            _ => format!(
                "histogram_quantiles(sum by (job, le) (h_bucket), \"share\", 0.25, {})",
                self.one(&["0.9", "-1", "2"])
            ),
        }
    }

    fn set_operation(&mut self, depth: u8) -> String {
        let op = self.one(&["and", "or", "unless"]);
        let matching = self.one(&["", "on (job)", "ignoring (instance)", "on ()", "on (job, instance)"]);
        format!("({}) {op} {matching} ({})", self.vector(depth), self.vector(depth))
    }

    fn labels(&mut self, depth: u8) -> String {
        let inner = self.vector(depth);
        // names that go away late are still there
        match self.rng.u8(..if self.dialect.native { 6 } else { 4 }) {
            4 => return format!("label_replace({inner}, \"was\", \"$1\", \"__name__\", \"(.*)\")"),
            5 => return format!("count by (__name__, job) ({inner})"),
            _ => {}
        }
        match self.rng.u8(..4) {
            0 => format!("label_replace({inner}, \"to\", \"x-$1\", \"instance\", \"(.)\")"),
            1 => format!("label_replace({inner}, \"job\", \"\", \"mode\", \"r.*\")"),
            2 => format!("label_replace({inner}, \"__name__\", \"named\", \"job\", \"a\")"),
            _ => format!("label_join({inner}, \"to\", \"/\", \"job\", \"instance\", \"nothing\")"),
        }
    }

    fn other(&mut self, depth: u8) -> String {
        match self.rng.u8(..8) {
            0 => format!("absent({})", self.exact(depth)),
            1 => format!("-{}", self.plain()),
            2 => format!("clamp({}, {}, {})", self.vector(depth), self.number(), self.number()),
            3 => format!("clamp_min({}, {})", self.vector(depth), self.number()),
            4 => format!("round({}, {})", self.exact(depth), self.one(&["0.25", "5", "0.1"])),
            5 => format!("timestamp({})", self.vector(depth)),
            6 => format!("{}()", self.one(&DATES)),
            _ => format!("{}(timestamp({}))", self.one(&DATES), self.plain()),
        }
    }

    fn scalar(&mut self, depth: u8) -> String {
        match self.rng.u8(..8) {
            0 if depth > 0 => format!("scalar({})", self.vector(depth - 1)),
            1 => "time()".to_owned(),
            2 => "pi()".to_owned(),
            3 => format!(
                "({} {} {})",
                self.number(),
                self.one(&["+", "*", "-", "^", "%", "> bool"]),
                self.number()
            ),
            4 => format!("-{}", self.one(&["1", "2.5"])),
            _ => self.number(),
        }
    }
}

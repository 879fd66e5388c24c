//! Histograms as Prometheus writes them: `{count:3, sum:5, (1,2]:3}`.

use std::fmt;

use super::Histogram;
use crate::float::shortest;

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", shortest(self.count), shortest(self.sum))?;
        for bucket in self.buckets() {
            let open = if bucket.lower_inclusive { '[' } else { '(' };
            let close = if bucket.upper_inclusive { ']' } else { ')' };
            let (lower, upper) = (shortest(bucket.lower), shortest(bucket.upper));
            write!(f, ", {open}{lower},{upper}{close}:{}", shortest(bucket.count))?;
        }
        f.write_str("}")
    }
}

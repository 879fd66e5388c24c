//! Parts of dates, in UTC.

use model::Labels;

use crate::calendar::{DAY_S, Date, days_before};
use crate::exec::points::{Line, Points};
use crate::exec::scalar::seconds;
use crate::exec::{Executor, Result, Sink};
use crate::plan::Node;
use crate::syntax::Function;

/// The function, if it takes a part of a date in seconds since the epoch.
pub(super) fn part(function: Function) -> Option<fn(i64) -> i64> {
    Some(match function {
        Function::Minute => |at| at.rem_euclid(3_600) / 60,
        Function::Hour => |at| at.rem_euclid(DAY_S) / 3_600,
        // 1970-01-01 was a Thursday
        Function::DayOfWeek => |at| (at.div_euclid(DAY_S) + 4).rem_euclid(7),
        Function::DayOfMonth => |at| Date::of(at).day,
        Function::DayOfYear => |at| {
            let date = Date::of(at);
            at.div_euclid(DAY_S) - days_before(date.year, 1) + 1
        },
        Function::DaysInMonth => |at| {
            let Date { year, month, .. } = Date::of(at);
            days_in_month(year, month)
        },
        Function::Month => |at| Date::of(at).month,
        Function::Year => |at| Date::of(at).year,
        _ => return None,
    })
}

impl Executor<'_> {
    pub(super) fn date(
        &self,
        arguments: &[Node],
        node: &Node,
        part: fn(i64) -> i64,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as Go converts")]
        let compute = move |value: f64| part((value as i64).clamp(-LIMIT_S, LIMIT_S)) as f64;
        match arguments {
            [operand] => self.each_float(operand, sink, |_, value| Some(compute(value))),
            _ => {
                let points =
                    Points::of_floats(node.grid.count, |index| Some(compute(seconds(node.grid.at(index)))));
                sink(Line { labels: Labels::empty(), drop_name: false, points })
            }
        }
    }
}

/// About 285 billion years: further away there are no dates.
const LIMIT_S: i64 = 9_000_000_000_000_000_000;

fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_before(next_year, next) - days_before(year, month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let check = |at: i64, expect: [i64; 8]| {
            let functions = [
                Function::Year,
                Function::Month,
                Function::DayOfMonth,
                Function::DayOfYear,
                Function::DayOfWeek,
                Function::DaysInMonth,
                Function::Hour,
                Function::Minute,
            ];
            let found = functions.map(|function| part(function).expect("a part of a date")(at));
            assert_eq!(found, expect, "{at}");
        };
        check(0, [1970, 1, 1, 1, 4, 31, 0, 0]);
        check(1_136_239_445, [2006, 1, 2, 2, 1, 31, 22, 4]);
        check(951_827_696, [2000, 2, 29, 60, 2, 29, 12, 34]);
        check(-1, [1969, 12, 31, 365, 3, 31, 23, 59]);
        check(1_709_251_199, [2024, 2, 29, 60, 4, 29, 23, 59]);
        check(1_735_689_599, [2024, 12, 31, 366, 2, 31, 23, 59]);
        check(-2_203_891_200, [1900, 3, 1, 60, 4, 31, 0, 0]);
    }
}

//! Parts of dates, in UTC.

use model::Labels;

use crate::exec::points::{Line, Points};
use crate::exec::scalar::seconds;
use crate::exec::{Executor, Result, Sink};
use crate::plan::Node;
use crate::syntax::Function;

const DAY_S: i64 = 86_400;

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

/// About 30 million years: further away there are no dates.
const LIMIT_S: i64 = 1_000_000_000_000_000;

struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// The date in the Gregorian calendar. Years are counted from March, so that leap days come last.
    fn of(at_s: i64) -> Self {
        let days = at_s.div_euclid(DAY_S) + DAYS_TO_1970;
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { year, month, day }
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// 400 years.
const DAYS_PER_ERA: i64 = 146_097;

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5;
    era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - DAYS_TO_1970
}

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

//! Days and dates of the Gregorian calendar, without time zones.

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: u8,
    /// 1 to 31.
    pub(super) day: u8,
    /// 1 to 366.
    pub(super) day_of_year: u16,
    /// 0 is Sunday.
    pub(super) weekday: u8,
}

const DAYS_OF_ERA: i64 = 146_097;

/// The date `days` days after 1970-01-01, by counting years that begin in March, in eras of 400 of them.
pub(super) fn date_of(days: i64) -> Date {
    let since_march_0000 = days + 719_468;
    let era = since_march_0000.div_euclid(DAYS_OF_ERA);
    let day_of_era = since_march_0000.rem_euclid(DAYS_OF_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_march_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_march_year + 2) / 153;
    let day = day_of_march_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][small(month - 1)];
    let day_of_year = before_month + day + i64::from(leap && month > 2);
    Date {
        year,
        month: u8::try_from(month).unwrap_or(1),
        day: u8::try_from(day).unwrap_or(1),
        day_of_year: u16::try_from(day_of_year).unwrap_or(1),
        weekday: u8::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
    }
}

fn small(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let check = |days: i64, expect: (i64, u8, u8, u16, u8)| {
            let d = date_of(days);
            assert_eq!((d.year, d.month, d.day, d.day_of_year, d.weekday), expect, "{days}");
        };
        check(0, (1970, 1, 1, 1, 4));
        check(-1, (1969, 12, 31, 365, 3));
        check(11_016, (2000, 2, 29, 60, 2));
        check(11_017, (2000, 3, 1, 61, 3));
        check(20_454, (2026, 1, 1, 1, 4));
        check(-719_162, (1, 1, 1, 1, 1));
    }
}

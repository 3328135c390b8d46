//! Dates and times of the proleptic Gregorian calendar: numbers, parts, text.
//!
//! Days and civil dates convert as in Howard Hinnant's `days_from_civil` and `civil_from_days`,
//! over the whole range of an Arrow date, which is wider than that of `chrono`.

use arrow_schema::TimeUnit;

use crate::syntax::DatePart;

pub(crate) const NANOS_PER_DAY: i128 = 86_400_000_000_000;

/// Nanoseconds of one tick.
pub(crate) fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// Ticks of one day.
pub(crate) fn ticks_per_day(unit: TimeUnit) -> i64 {
    86_400 * (1_000_000_000 / nanos(unit))
}

/// A date; `year` is astronomical, so year 0 is 1 BC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

/// The date that is `days` after 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Civil { year, month, day }
}

/// Days from 1970-01-01 to a date, which must exist.
pub(crate) fn days_from_civil(civil: Civil) -> i64 {
    let year = civil.year - i64::from(civil.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = if civil.month > 2 {
        civil.month - 3
    } else {
        civil.month + 9
    };
    let day_of_year = (153 * month + 2) / 5 + civil.day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0
            && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) =>
        {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// A part of a date, from days since 1970-01-01. Parts of the time of day are 0.
pub(crate) fn part_of_days(part: DatePart, days: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    let day_of_week = (days + 4).rem_euclid(7);
    match part {
        DatePart::Year => civil_from_days(days).year,
        DatePart::Quarter => (civil_from_days(days).month + 2) / 3,
        DatePart::Month => civil_from_days(days).month,
        DatePart::Day => civil_from_days(days).day,
        DatePart::DayOfWeek => day_of_week,
        DatePart::IsoDayOfWeek => (day_of_week + 6) % 7 + 1,
        DatePart::DayOfYear => day_of_year(days),
        DatePart::Week => {
            // An ISO week belongs to the year of its Thursday.
            let thursday = days + 3 - (day_of_week + 6) % 7;
            (day_of_year(thursday) - 1) / 7 + 1
        }
        DatePart::Hour | DatePart::Minute | DatePart::Second | DatePart::Epoch => 0,
    }
}

/// A part of a timestamp in ticks of `unit` since 1970-01-01.
pub(crate) fn part_of_ticks(part: DatePart, ticks: i64, unit: TimeUnit) -> i64 {
    let day = ticks_per_day(unit);
    let second = ticks.rem_euclid(day) / (1_000_000_000 / nanos(unit));
    match part {
        DatePart::Hour => second / 3_600,
        DatePart::Minute => second / 60 % 60,
        DatePart::Second => second % 60,
        other => part_of_days(other, ticks.div_euclid(day)),
    }
}

fn day_of_year(days: i64) -> i64 {
    let first = Civil {
        year: civil_from_days(days).year,
        month: 1,
        day: 1,
    };
    days - days_from_civil(first) + 1
}

/// Reads `YYYY-MM-DD` (or with slashes), spaces around it allowed, a time of day after it ignored.
/// Gives days since 1970-01-01.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let (days, rest) = date_prefix(text.trim_matches(' '))?;
    if !rest.is_empty() {
        after_separator(rest).and_then(time_of_day)?;
    }
    i32::try_from(days).ok()
}

/// Reads `YYYY-MM-DD[( |T)HH:MM[:SS[.fraction]][Z|±HH[:MM]]]`, spaces before it and after a time allowed.
///
/// Gives ticks since 1970-01-01. An offset counts only with `instants`; without one the text is in
/// UTC. The fraction is cut off after 6 digits, 9 for nanoseconds; in a unit coarser than
/// microseconds it then rounds, half away from zero.
pub(crate) fn parse_timestamp(text: &str, unit: TimeUnit, instants: bool) -> Option<i64> {
    let (days, rest) = date_prefix(text.trim_start_matches(' '))?;
    let (time, offset) = match rest {
        "" => (0, 0),
        rest => after_separator(rest).and_then(time_of_day)?,
    };
    let mut nanoseconds = i128::from(days) * NANOS_PER_DAY + i128::from(time);
    if instants {
        nanoseconds -= i128::from(offset) * 1_000_000_000;
    }
    if unit != TimeUnit::Nanosecond {
        nanoseconds = nanoseconds.div_euclid(1_000) * 1_000;
    }
    rescale(nanoseconds, TimeUnit::Nanosecond, unit)
}

/// Ticks of one unit as ticks of another, rounded half away from zero; `None` if there are too many.
pub(crate) fn rescale(ticks: i128, from: TimeUnit, to: TimeUnit) -> Option<i64> {
    let (nanoseconds, tick) = (ticks * i128::from(nanos(from)), i128::from(nanos(to)));
    let half = if nanoseconds < 0 {
        -(tick / 2)
    } else {
        tick / 2
    };
    i64::try_from((nanoseconds + half) / tick).ok()
}

fn after_separator(text: &str) -> Option<&str> {
    match text.strip_prefix('T') {
        Some(rest) => Some(rest),
        None => Some(text.strip_prefix(' ')?.trim_start_matches(' ')),
    }
}

fn date_prefix(text: &str) -> Option<(i64, &str)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (year, rest) = number(text, 1, 7)?;
    let separator = if rest.starts_with('/') { '/' } else { '-' };
    let (month, rest) = number(rest.strip_prefix(separator)?, 1, 2)?;
    let (day, rest) = number(rest.strip_prefix(separator)?, 1, 2)?;
    let year = if negative { -year } else { year };
    let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    exists.then(|| (days_from_civil(Civil { year, month, day }), rest))
}

/// Nanoseconds since midnight, and the offset from UTC in seconds.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let (hour, rest) = number(text, 1, 2)?;
    let (minute, mut rest) = number(rest.strip_prefix(':')?, 1, 2)?;
    let mut second = 0;
    let mut fraction = 0;
    if let Some(seconds) = rest.strip_prefix(':') {
        (second, rest) = number(seconds, 1, 2)?;
        if let Some(digits) = rest.strip_prefix('.') {
            let end = digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len());
            let (digits, after) = digits.split_at(end);
            rest = after;
            let places = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
            fraction = places.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        }
    }
    // Midnight at the end of a day is the next day's start.
    let valid = (hour <= 23 && minute <= 59 && second <= 59)
        || (hour == 24 && minute == 0 && second == 0 && fraction == 0);
    if !valid {
        return None;
    }
    let offset = offset_seconds(rest.trim_matches(' '))?;
    Some((
        (hour * 3_600 + minute * 60 + second) * 1_000_000_000 + fraction,
        offset,
    ))
}

fn offset_seconds(text: &str) -> Option<i64> {
    let (sign, rest) = match text {
        "" | "Z" | "z" | "UTC" => return Some(0),
        text => match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, rest),
            (_, Some(rest)) => (-1, rest),
            _ => return None,
        },
    };
    let (hours, rest) = number(rest, 2, 2)?;
    let minutes = match rest {
        "" => 0,
        rest => match number(rest.strip_prefix(':').unwrap_or(rest), 2, 2)? {
            (minutes, "") => minutes,
            _ => return None,
        },
    };
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// The digits at the start of `text`, at least `least` and at most `most`, and what follows.
fn number(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(least..=most).contains(&end) {
        return None;
    }
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// `YYYY-MM-DD`, years before 1 as `YYYY-MM-DD (BC)`.
pub(crate) fn format_date(days: i64) -> String {
    let (date, era) = date_and_era(days);
    format!("{date}{era}")
}

/// `YYYY-MM-DD HH:MM:SS[.fraction]`, the fraction without trailing zeros, `+00` after it if in UTC.
pub(crate) fn format_timestamp(ticks: i64, unit: TimeUnit, utc: bool) -> String {
    let day = ticks_per_day(unit);
    let (date, era) = date_and_era(ticks.div_euclid(day));
    let per_second = 1_000_000_000 / nanos(unit);
    let (second, fraction) = (
        ticks.rem_euclid(day) / per_second,
        ticks.rem_euclid(per_second),
    );
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let fraction = match fraction * nanos(unit) {
        0 => String::new(),
        nanoseconds => format!(".{nanoseconds:09}")
            .trim_end_matches('0')
            .to_owned(),
    };
    let zone = if utc { "+00" } else { "" };
    format!("{date}{era} {hour:02}:{minute:02}:{second:02}{fraction}{zone}")
}

fn date_and_era(days: i64) -> (String, &'static str) {
    let Civil { year, month, day } = civil_from_days(days);
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " (BC)")
    };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (-800_000..800_000)
            .step_by(37)
            .chain([i64::from(i32::MIN), i64::from(i32::MAX)])
        {
            let civil = civil_from_days(days);
            assert_eq!(days_from_civil(civil), days);
            assert!((1..=days_in_month(civil.year, civil.month)).contains(&civil.day));
        }
        assert_eq!(
            civil_from_days(15_979),
            Civil {
                year: 2013,
                month: 10,
                day: 1
            }
        );
    }

    #[test]
    fn iso_weeks_belong_to_the_year_of_their_thursday() {
        let week = |text| part_of_days(DatePart::Week, i64::from(parse_date(text).unwrap()));
        assert_eq!(week("2012-01-01"), 52);
        assert_eq!(week("2013-01-01"), 1);
        assert_eq!(week("2020-12-31"), 53);
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for text in [
            "2013-02-29",
            "2013-13-01",
            "2013-00-01",
            "2013-1",
            "20130101",
            "2013-01-01x",
            "",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!(parse_date(" 2012/2/29 "), Some(15_399));
    }

    #[test]
    fn offsets_are_taken_off() {
        let parse = |text| parse_timestamp(text, TimeUnit::Second, true);
        assert_eq!(parse("1970-01-01 01:00:00+01"), Some(0));
        assert_eq!(parse("1970-01-01T00:00Z"), Some(0));
        assert_eq!(parse("1969-12-31 18:30:00 -05:30"), Some(0));
        assert_eq!(parse("1969-12-31 23:59:59.4"), Some(-1));
        assert_eq!(parse("1970-01-01 00"), None);
    }

    #[test]
    fn text_is_read_back() {
        let ticks = -1_234_567_890_123_456;
        let text = format_timestamp(ticks, TimeUnit::Microsecond, true);
        assert_eq!(text, "1930-11-18 00:28:29.876544+00");
        assert_eq!(
            parse_timestamp(&text, TimeUnit::Microsecond, true),
            Some(ticks)
        );
    }
}

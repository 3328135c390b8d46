//! Dates and times as text.

use chrono::{DateTime, NaiveDate, NaiveTime};

use crate::{DAY, Kind};

/// A date, or a date and time, that somebody wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds from 1970-01-01 00:00 to what is written, taken as it stands; subtract the offset for UTC.
    pub nanoseconds: i128,
    /// Nanoseconds that the zone is ahead of UTC, if an offset is written. `Z` is 0.
    pub offset: Option<i128>,
}

impl Moment {
    /// Nanoseconds since 1970-01-01 00:00 UTC. Without an offset the text is taken as UTC.
    #[must_use]
    pub fn utc(self) -> i128 {
        self.nanoseconds - self.offset.unwrap_or_default()
    }
}

/// A date or date-time of RFC 3339. The offset and the seconds may be left out, and a space may stand
/// for the `T`. A date is its midnight.
///
/// ```
/// use pinion_values::parse_moment;
///
/// let midnight = parse_moment("2013-10-01").unwrap();
/// assert_eq!(midnight, parse_moment("2013-10-01 00:00").unwrap());
/// assert_eq!(midnight.utc(), parse_moment("2013-10-01T02:00:00+02:00").unwrap().utc());
/// ```
#[must_use]
pub fn parse_moment(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let days = i128::from(date.signed_duration_since(NaiveDate::default()).num_days());
    if rest.is_empty() {
        return Some(Moment {
            nanoseconds: days * DAY,
            offset: None,
        });
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(end) => (&rest[..end], Some(parse_offset(&rest[end..])?)),
        None => (rest, None),
    };
    let format = if time.len() == 5 {
        "%H:%M"
    } else {
        "%H:%M:%S%.f"
    };
    let time = NaiveTime::parse_from_str(time, format).ok()?;
    let since_midnight = time
        .signed_duration_since(NaiveTime::MIN)
        .num_nanoseconds()?;
    Some(Moment {
        nanoseconds: days * DAY + i128::from(since_midnight),
        offset,
    })
}

/// Nanoseconds of `Z`, or of an offset such as `+02:00`.
fn parse_offset(text: &str) -> Option<i128> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let two = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i128::from(tens - b'0') * 10 + i128::from(ones - b'0'))
    };
    let &[sign, a, b, b':', c, d] = text.as_bytes() else {
        return None;
    };
    let (hours, minutes) = (two(a, b)?, two(c, d)?);
    let ahead = (hours * 60 + minutes) * 60_000_000_000;
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -ahead } else { ahead })
}

/// Nanoseconds since 1970-01-01 00:00 as a value of `kind`, as [`parse_moment`] reads it.
pub(crate) fn show(kind: Kind, nanoseconds: i128) -> String {
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok();
    let moment = seconds.and_then(|seconds| {
        DateTime::from_timestamp(
            seconds,
            u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).ok()?,
        )
    });
    match moment.map(|moment| moment.naive_utc()) {
        None => format!("{nanoseconds} ns since 1970-01-01"),
        Some(moment) if kind == Kind::Date && nanoseconds % DAY == 0 => {
            format!("{:?}", moment.date())
        }
        Some(moment) if kind == Kind::Instant => format!("{moment:?}Z"),
        Some(moment) => format!("{moment:?}"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for text in [
            "1969-12-31T23:59:59.999999999",
            "2013-10-01T00:00:00",
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59.5",
        ] {
            let moment = parse_moment(text).unwrap();
            assert_eq!(
                parse_moment(&show(Kind::Timestamp, moment.nanoseconds)),
                Some(moment),
                "{text}"
            );
        }
        assert_eq!(
            show(Kind::Date, parse_moment("2000-02-29").unwrap().nanoseconds),
            "2000-02-29"
        );
        assert_eq!(
            show(Kind::Instant, 1_500_000_000),
            "1970-01-01T00:00:01.500Z"
        );
        assert_eq!(
            show(Kind::Date, i128::from(i32::MAX) * DAY),
            "185542587100800000000000 ns since 1970-01-01"
        );
    }

    #[test]
    fn offsets_are_subtracted() {
        assert_eq!(parse_moment("1970-01-01T01:30:00+01:30").unwrap().utc(), 0);
        assert_eq!(
            parse_moment("1969-12-31t19:00:00.25-05:00").unwrap().utc(),
            250_000_000
        );
        assert_eq!(parse_moment("1970-01-01T00:00Z").unwrap().offset, Some(0));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let texts = [
            "",
            "2013",
            "2013-10",
            "2013-13-01",
            "2013-02-29",
            "2013-1-1",
            "01.10.2013",
            "2013-10-01T",
            "2013-10-01T24:00",
            "2013-10-01T12",
            "2013-10-01T12:00+1:00",
            "2013-10-01T12:00+24:00",
            "2013-10-01T12:00:00 UTC",
            "2013-10-0é",
            "2013-10-01x12:00",
            "2013-10-01T12:00:00.",
            "2013-10-01T1 :00",
        ];
        for text in texts {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }
}

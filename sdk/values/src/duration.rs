//! Lengths of time as text.

/// Nanoseconds of a length of time that somebody wrote: a whole number above 0, then one of `ms`, `s`, `min`, `h`
/// and `d`, which is 24 hours, with or without space between.
///
/// ```
/// use pinion_values::parse_duration;
///
/// assert_eq!(parse_duration("90 min"), Some(5_400_000_000_000));
/// assert_eq!(parse_duration("1 month"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<i128> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit: i128 = match unit.trim_start() {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    (number > 0).then(|| i128::from(number) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_and_units() {
        assert_eq!(parse_duration("1 ms"), Some(1_000_000));
        assert_eq!(parse_duration("90 s"), Some(90_000_000_000));
        assert_eq!(parse_duration("6 h"), Some(6 * 3_600_000_000_000));
        assert_eq!(parse_duration("7d"), Some(7 * 86_400_000_000_000));
        for none in [
            "",
            "7",
            "d",
            "0 s",
            "-1 s",
            "1.5 h",
            "1 year",
            "99999999999 s",
        ] {
            assert_eq!(parse_duration(none), None, "{none}");
        }
    }
}

//! Decimals as integers, in units of their last digit.

/// `text`, such as `-12.5`, in units of 10 to the power of `-scale`. None if it is not a decimal, or
/// cannot be written exactly with that scale and 38 digits.
///
/// ```
/// use pinion_values::parse_decimal;
///
/// assert_eq!(parse_decimal("-12.5", 2), Some(-1250));
/// assert_eq!(parse_decimal("0.125", 2), None);
/// ```
#[must_use]
pub fn parse_decimal(text: &str, scale: i8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = i32::from(scale) - i32::try_from(fraction.len()).ok()?;
    let power = 10i128.checked_pow(shift.unsigned_abs())?;
    let units = match shift {
        0.. => unscaled.checked_mul(power)?,
        _ => (unscaled % power == 0).then_some(unscaled / power)?,
    };
    Some(if negative { -units } else { units })
}

/// The decimal that is `units` of 10 to the power of `-scale`, with `scale` digits after the point.
pub(crate) fn show(units: i128, scale: i8) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = units.unsigned_abs().to_string();
    match usize::from(scale.unsigned_abs()) {
        0 => format!("{sign}{digits}"),
        zeros if scale < 0 => format!("{sign}{digits}{}", "0".repeat(zeros)),
        places => {
            let digits = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            format!("{sign}{whole}.{fraction}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        assert_eq!(parse_decimal("5", 2), Some(500));
        assert_eq!(parse_decimal("-0.05", 2), Some(-5));
        assert_eq!(parse_decimal("1.500", 1), Some(15));
        assert_eq!(parse_decimal("1500", -2), Some(15));
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "1e3",
            "+1",
            "0.005",
            "1 ",
            "99999999999999999999999999999999999999999",
        ] {
            assert_eq!(parse_decimal(text, 2), None, "{text}");
        }
        assert_eq!(parse_decimal("150", -2), None);
    }

    #[test]
    fn decimals_are_shown_with_their_scale() {
        assert_eq!(show(-5, 2), "-0.05");
        assert_eq!(show(1200, 2), "12.00");
        assert_eq!(show(7, 0), "7");
        assert_eq!(show(15, -2), "1500");
    }
}

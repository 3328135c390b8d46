//! Numbers: into each other, from text and into text.

/// Any number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wide {
    Integer(i128),
    Float(f64),
}

/// A number of one type.
pub(super) trait Number: Sized {
    fn widen(self) -> Wide;
    /// The number nearest to `wide`: floats to integers round half to even. `None` if out of range.
    fn from_number(wide: Wide) -> Option<Self>;
    /// Reads text, spaces around it allowed. For integers a fraction rounds half away from zero.
    fn parse(text: &str) -> Option<Self>;
    /// The shortest text that reads back as the number.
    fn format(self) -> String;
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn widen(self) -> Wide {
                Wide::Integer(self.into())
            }
            fn from_number(wide: Wide) -> Option<Self> {
                match wide {
                    Wide::Integer(value) => value.try_into().ok(),
                    // All 64-bit integers lie within, and NaN does not.
                    Wide::Float(value) if value.abs() < 1e30 => (value.round_ties_even() as i128).try_into().ok(),
                    Wide::Float(_) => None,
                }
            }
            fn parse(text: &str) -> Option<Self> {
                parse_integer(text)?.try_into().ok()
            }
            fn format(self) -> String {
                self.to_string()
            }
        }
    )*};
}

integer!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Number for f64 {
    fn widen(self) -> Wide {
        Wide::Float(self)
    }

    fn from_number(wide: Wide) -> Option<Self> {
        Some(match wide {
            Wide::Integer(value) => value as f64,
            // What a conversion leaves of another NaN's bits is the machine's.
            Wide::Float(value) if value.is_nan() => f64::NAN,
            Wide::Float(value) => value,
        })
    }

    fn parse(text: &str) -> Option<Self> {
        float_text(text)?.parse().ok()
    }

    fn format(self) -> String {
        format_float(self.is_nan(), &format!("{self:e}"))
    }
}

impl Number for f32 {
    fn widen(self) -> Wide {
        Wide::Float(self.into())
    }

    fn from_number(wide: Wide) -> Option<Self> {
        match wide {
            Wide::Integer(value) => Some(value as f32),
            Wide::Float(value) if value.is_nan() => Some(f32::NAN),
            Wide::Float(value) => {
                let narrowed = value as f32;
                (narrowed.is_finite() || !value.is_finite()).then_some(narrowed)
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        float_text(text)?.parse().ok()
    }

    fn format(self) -> String {
        format_float(self.is_nan(), &format!("{self:e}"))
    }
}

/// Reads `[+-]digits[.digits][e[+-]digits]`, or `0x` and hexadecimal, `0b` and binary digits.
fn parse_integer(text: &str) -> Option<i128> {
    let text = text.trim_matches(is_space);
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            // Rust's own reading would take a sign.
            let unsigned = !digits.starts_with(['+', '-']);
            return i128::from_str_radix(digits, radix)
                .ok()
                .filter(|_| unsigned);
        }
    }
    let text = without_separators(text)?;
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits before the decimal point once the exponent has moved it.
    let places = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let mut value: i128 = 0;
    if digits().all(|digit| digit == b'0') {
        return Some(0);
    }
    let mut digits = digits();
    // Ends early however large the exponent is: a digit that is not zero overflows soon.
    for _ in 0..places {
        let digit = digits.next().unwrap_or(b'0') - b'0';
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    // The first digit after the point decides; none of them does if there are zeros before it.
    if places >= 0 && digits.next().is_some_and(|digit| digit >= b'5') {
        value += 1;
    }
    Some(if negative { -value } else { value })
}

/// Text of a float without what `f64::from_str` does not know.
fn float_text(text: &str) -> Option<String> {
    without_separators(text.trim_matches(is_space))
}

/// Takes out `_` between digits; `None` if there is one elsewhere.
fn without_separators(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let misplaced = |index: usize| index == 0 || !is_digit(index - 1) || !is_digit(index + 1);
    let stray = text.match_indices('_').any(|(index, _)| misplaced(index));
    (!stray).then(|| text.replace('_', ""))
}

/// What SQL skips around a number.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// DuckDB's text of a float, from Rust's shortest `d.ddde±x`: plain from 1e-4 up to 1e16, and with a
/// decimal point always.
fn format_float(is_nan: bool, scientific: &str) -> String {
    if is_nan {
        return "nan".to_owned();
    }
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.to_owned();
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return scientific.to_owned();
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    if !(-4..16).contains(&exponent) {
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!(
            "{sign}{mantissa}e{exponent_sign}{:02}",
            exponent.unsigned_abs()
        );
    }
    let digits = mantissa.replace('.', "");
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent.unsigned_abs() as usize + 1;
    let padded = format!("{digits:0<whole$}");
    let (whole, fraction) = padded.split_at(whole);
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_an_integer_rounded_half_away_from_zero() {
        for (text, expected) in [
            (" 12 ", Some(12)),
            ("2.5", Some(3)),
            ("-2.5", Some(-3)),
            ("2.4999", Some(2)),
            ("1e3", Some(1_000)),
            ("1.25e1", Some(13)),
            ("15e-1", Some(2)),
            ("5e-2", Some(0)),
            ("0e999999999", Some(0)),
            ("1e999999999", None),
            ("1_000", Some(1_000)),
            ("_1", None),
            ("5.", Some(5)),
            (".5", Some(1)),
            (".", None),
            ("", None),
            ("-", None),
            ("0x10", Some(16)),
            ("0x-1", None),
            ("1 2", None),
        ] {
            assert_eq!(parse_integer(text), expected, "{text:?}");
        }
    }

    #[test]
    fn floats_become_text_as_in_duckdb() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (100_000.0, "100000.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.234_567_890_123_456_8e17, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (1e-5, "1e-05"),
            (1.5, "1.5"),
            (123.456, "123.456"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(value.format(), expected);
        }
    }

    #[test]
    fn floats_round_half_to_even() {
        let round = |value: f64| i8::from_number(Wide::Float(value));
        assert_eq!(
            [round(0.5), round(1.5), round(-2.5)],
            [Some(0), Some(2), Some(-2)]
        );
        assert_eq!(
            [round(127.5), round(f64::NAN), round(f64::INFINITY)],
            [None; 3]
        );
    }
}

//! JSON in one canonical form, for keys and for what components are given.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// The canonical text of a value: the same for equal values, and different for different ones.
///
/// - No white space. Keys of objects in the order of their UTF-8 bytes.
/// - Text is escaped as RFC 8785 has it: `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, other control
///   characters as `\u00` and two lower-case hex digits, nothing else.
/// - Integers are in decimal, exact over the range of `i64` and `u64`.
/// - Floats have the fewest digits that give back the same bits, always a `.` or an `e`, so that `1.0`
///   stays a float: positional from 10⁻⁶ up to below 10²¹ (`0.000001`, `15.0`), otherwise as
///   `1.5e+21` and `1e-7`, as ECMAScript lays them out. Negative zero is `-0.0`.
///
/// It differs from RFC 8785 in the order of keys beyond the basic multilingual plane, in exact large
/// integers, and in the `.0` of whole floats.
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_number(text, number),
        Value::String(string) => write_string(text, string),
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(text, value);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            // A map of serde_json is sorted or not, depending on features of other crates.
            let mut entries: Vec<(&String, &Value)> = entries.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(text, key);
                text.push(':');
                write_value(text, value);
            }
            text.push('}');
        }
    }
}

fn write_number(text: &mut String, number: &Number) {
    match number.as_f64() {
        Some(float) if number.is_f64() => write_float(text, float),
        _ => {
            let _ = write!(text, "{number}");
        }
    }
}

/// Lays out the shortest digits, which `{:e}` gives as `d.ddde±n`.
fn write_float(text: &mut String, float: f64) {
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-6..21).contains(&exponent) {
        // `{}` has the same digits and never an exponent.
        let positional = format!("{float}");
        text.push_str(&positional);
        if !positional.contains('.') {
            text.push_str(".0");
        }
    } else {
        let _ = write!(text, "{mantissa}e{exponent:+}");
    }
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_and_white_space_is_dropped() {
        let value: Value =
            serde_json::from_str(r#" { "b" : [1, 2.0, null], "a": { "é": true, "z": "" } } "#)
                .unwrap();
        assert_eq!(
            canonical_json(&value),
            r#"{"a":{"z":"","é":true},"b":[1,2.0,null]}"#
        );
    }

    #[test]
    fn numbers_keep_their_kind() {
        let cases = [
            (json!(0), "0"),
            (json!(-0.0), "-0.0"),
            (json!(15.0), "15.0"),
            (json!(0.1), "0.1"),
            (json!(1e-6), "0.000001"),
            (json!(1e-7), "1e-7"),
            (json!(1.5e20), "150000000000000000000.0"),
            (json!(1e21), "1e+21"),
            (json!(-1.5e300), "-1.5e+300"),
            (json!(5e-324), "5e-324"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(i64::MIN), "-9223372036854775808"),
        ];
        for (value, text) in cases {
            assert_eq!(canonical_json(&value), text);
        }
    }

    #[test]
    fn text_is_escaped_where_json_asks_for_it() {
        let text = "\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f}é𝄞";
        assert_eq!(
            canonical_json(&json!(text)),
            "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\u{7f}é𝄞\""
        );
    }

    proptest! {
        #[test]
        fn floats_come_back_bit_for_bit(bits: u64) {
            let float = f64::from_bits(bits);
            prop_assume!(float.is_finite());
            let text = canonical_json(&json!(float));
            let back: Value = serde_json::from_str(&text).unwrap();
            prop_assert!(back.is_f64());
            prop_assert_eq!(back.as_f64().unwrap().to_bits(), bits);
        }

        #[test]
        fn text_comes_back(string: String) {
            let text = canonical_json(&json!(string));
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!(string));
        }
    }
}

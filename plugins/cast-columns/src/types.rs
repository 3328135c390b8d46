//! Types by the names that people write.

use arrow_schema::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, TimeUnit};

/// What names look like, for messages.
pub(crate) const EXPECTED: &str = "such as `int64`, `float64`, `boolean`, `utf8`, `date32`, `timestamp[us]`, \
                                   `timestamp[us, UTC]` or `decimal128(10, 2)`";

/// The type called `name`: an Arrow type in lower case. `bool` and `string` are understood as well. The
/// zone of a timestamp is `UTC` or an offset such as `+02:00`: the rules of places change over the
/// years, and would have to be part of the step.
pub(crate) fn parse(name: &str) -> Option<DataType> {
    let (word, arguments) = match name.find(['[', '(']) {
        Some(at) => (&name[..at], &name[at..]),
        None => (name, ""),
    };
    let squared = arguments
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let rounded = arguments
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    Some(match (word, squared, rounded) {
        ("timestamp", Some(arguments), _) => match arguments.split_once(',') {
            None => DataType::Timestamp(unit(arguments)?, None),
            Some((unit_name, zone)) => {
                let zone = zone.trim();
                let known = zone == "UTC" || is_offset(zone.as_bytes());
                known.then_some(DataType::Timestamp(unit(unit_name)?, Some(zone.into())))?
            }
        },
        ("time32", Some("s"), _) => DataType::Time32(TimeUnit::Second),
        ("time32", Some("ms"), _) => DataType::Time32(TimeUnit::Millisecond),
        ("time64", Some("us"), _) => DataType::Time64(TimeUnit::Microsecond),
        ("time64", Some("ns"), _) => DataType::Time64(TimeUnit::Nanosecond),
        ("duration", Some(name), _) => DataType::Duration(unit(name)?),
        ("decimal128", _, Some(arguments)) => {
            let (precision, scale) = decimal(arguments, DECIMAL128_MAX_PRECISION)?;
            DataType::Decimal128(precision, scale)
        }
        ("decimal256", _, Some(arguments)) => {
            let (precision, scale) = decimal(arguments, DECIMAL256_MAX_PRECISION)?;
            DataType::Decimal256(precision, scale)
        }
        (_, None, None) if arguments.is_empty() => plain(word)?,
        _ => return None,
    })
}

fn plain(word: &str) -> Option<DataType> {
    Some(match word {
        "boolean" | "bool" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float16" => DataType::Float16,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "utf8" | "string" => DataType::Utf8,
        "large_utf8" => DataType::LargeUtf8,
        "binary" => DataType::Binary,
        "large_binary" => DataType::LargeBinary,
        "date32" => DataType::Date32,
        "date64" => DataType::Date64,
        _ => return None,
    })
}

fn unit(name: &str) -> Option<TimeUnit> {
    Some(match name.trim() {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        _ => return None,
    })
}

/// A precision of 1 to `max` and a scale of 0 to the precision.
fn decimal(arguments: &str, max: u8) -> Option<(u8, i8)> {
    let (precision, scale) = arguments.split_once(',')?;
    let (precision, scale) = (
        precision.trim().parse::<u8>().ok()?,
        scale.trim().parse::<u8>().ok()?,
    );
    let fits = (1..=max).contains(&precision) && scale <= precision;
    fits.then_some((precision, i8::try_from(scale).ok()?))
}

fn is_offset(zone: &[u8]) -> bool {
    matches!(
        zone,
        [
            b'+' | b'-',
            b'0'..=b'2',
            b'0'..=b'9',
            b':',
            b'0'..=b'5',
            b'0'..=b'9'
        ]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        assert_eq!(parse("string"), Some(DataType::Utf8));
        assert_eq!(
            parse("timestamp[us]"),
            Some(DataType::Timestamp(TimeUnit::Microsecond, None))
        );
        assert_eq!(
            parse("timestamp[ns, UTC]"),
            Some(DataType::Timestamp(
                TimeUnit::Nanosecond,
                Some("UTC".into())
            ))
        );
        assert_eq!(
            parse("timestamp[s,-03:30]"),
            Some(DataType::Timestamp(TimeUnit::Second, Some("-03:30".into())))
        );
        assert_eq!(
            parse("time64[us]"),
            Some(DataType::Time64(TimeUnit::Microsecond))
        );
        assert_eq!(
            parse("duration[ms]"),
            Some(DataType::Duration(TimeUnit::Millisecond))
        );
        assert_eq!(
            parse("decimal128(38, 38)"),
            Some(DataType::Decimal128(38, 38))
        );
        assert_eq!(
            parse("decimal256(76, 0)"),
            Some(DataType::Decimal256(76, 0))
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let names = [
            "",
            "Int64",
            "int",
            "int64[us]",
            "timestamp",
            "timestamp[]",
            "timestamp[min]",
            "timestamp[us, Mars]",
            "timestamp[us",
            "timestamp(us)",
            "time32[us]",
            "decimal128",
            "decimal128(39, 0)",
            "decimal128(3, 4)",
            "decimal128(3, -1)",
            "decimal128[3, 1]",
            "int64()",
            "(",
            "é[",
        ];
        for name in names {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}

//! Arrow C Data Interface format strings of single types.

use std::fmt::Write as _;

use arrow_schema::{
    DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION,
    DECIMAL256_MAX_PRECISION, DataType, IntervalUnit, TimeUnit, UnionMode,
};

/// The format string of a type; of a dictionary, that of its keys.
pub(crate) fn format_of(data_type: &DataType) -> String {
    let plain = match data_type {
        DataType::Null => "n",
        DataType::Boolean => "b",
        DataType::Int8 => "c",
        DataType::UInt8 => "C",
        DataType::Int16 => "s",
        DataType::UInt16 => "S",
        DataType::Int32 => "i",
        DataType::UInt32 => "I",
        DataType::Int64 => "l",
        DataType::UInt64 => "L",
        DataType::Float16 => "e",
        DataType::Float32 => "f",
        DataType::Float64 => "g",
        DataType::Binary => "z",
        DataType::LargeBinary => "Z",
        DataType::BinaryView => "vz",
        DataType::Utf8 => "u",
        DataType::LargeUtf8 => "U",
        DataType::Utf8View => "vu",
        DataType::Date32 => "tdD",
        DataType::Date64 => "tdm",
        DataType::Interval(IntervalUnit::YearMonth) => "tiM",
        DataType::Interval(IntervalUnit::DayTime) => "tiD",
        DataType::Interval(IntervalUnit::MonthDayNano) => "tin",
        DataType::List(_) => "+l",
        DataType::LargeList(_) => "+L",
        DataType::ListView(_) => "+vl",
        DataType::LargeListView(_) => "+vL",
        DataType::Struct(_) => "+s",
        DataType::Map(_, _) => "+m",
        DataType::RunEndEncoded(_, _) => "+r",
        DataType::Decimal32(precision, scale) => return format!("d:{precision},{scale},32"),
        DataType::Decimal64(precision, scale) => return format!("d:{precision},{scale},64"),
        DataType::Decimal128(precision, scale) => return format!("d:{precision},{scale}"),
        DataType::Decimal256(precision, scale) => return format!("d:{precision},{scale},256"),
        DataType::FixedSizeBinary(width) => return format!("w:{width}"),
        DataType::FixedSizeList(_, size) => return format!("+w:{size}"),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            return format!("tt{}", unit_letter(*unit));
        }
        DataType::Timestamp(unit, timezone) => {
            return format!(
                "ts{}:{}",
                unit_letter(*unit),
                timezone.as_deref().unwrap_or_default()
            );
        }
        DataType::Duration(unit) => return format!("tD{}", unit_letter(*unit)),
        DataType::Union(fields, mode) => {
            let mut text = match mode {
                UnionMode::Dense => String::from("+ud:"),
                UnionMode::Sparse => String::from("+us:"),
            };
            for (at, (id, _)) in fields.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                // Writing to a string cannot fail.
                let _ = write!(text, "{comma}{id}");
            }
            return text;
        }
        DataType::Dictionary(key, _) => return format_of(key),
    };
    plain.to_owned()
}

/// The type without children that a format string names.
pub(crate) fn flat(format: &str) -> Option<DataType> {
    Some(match format {
        "n" => DataType::Null,
        "b" => DataType::Boolean,
        "c" => DataType::Int8,
        "C" => DataType::UInt8,
        "s" => DataType::Int16,
        "S" => DataType::UInt16,
        "i" => DataType::Int32,
        "I" => DataType::UInt32,
        "l" => DataType::Int64,
        "L" => DataType::UInt64,
        "e" => DataType::Float16,
        "f" => DataType::Float32,
        "g" => DataType::Float64,
        "z" => DataType::Binary,
        "Z" => DataType::LargeBinary,
        "vz" => DataType::BinaryView,
        "u" => DataType::Utf8,
        "U" => DataType::LargeUtf8,
        "vu" => DataType::Utf8View,
        "tdD" => DataType::Date32,
        "tdm" => DataType::Date64,
        "tts" => DataType::Time32(TimeUnit::Second),
        "ttm" => DataType::Time32(TimeUnit::Millisecond),
        "ttu" => DataType::Time64(TimeUnit::Microsecond),
        "ttn" => DataType::Time64(TimeUnit::Nanosecond),
        "tiM" => DataType::Interval(IntervalUnit::YearMonth),
        "tiD" => DataType::Interval(IntervalUnit::DayTime),
        "tin" => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => {
            if let Some(letter) = format.strip_prefix("tD") {
                DataType::Duration(unit(letter)?)
            } else if let Some(rest) = format.strip_prefix("ts") {
                let (letter, timezone) = rest.split_once(':')?;
                let timezone = (!timezone.is_empty()).then(|| timezone.into());
                DataType::Timestamp(unit(letter)?, timezone)
            } else if let Some(width) = format.strip_prefix("w:") {
                DataType::FixedSizeBinary(positive(width)?)
            } else {
                decimal(format.strip_prefix("d:")?)?
            }
        }
    })
}

/// Reads `precision,scale` with an optional bit width, 128 if absent.
fn decimal(numbers: &str) -> Option<DataType> {
    let mut numbers = numbers.split(',');
    let precision: u8 = numbers.next()?.parse().ok()?;
    let scale: i8 = numbers.next()?.parse().ok()?;
    let bits = numbers.next().unwrap_or("128");
    let (decimal, max_precision): (fn(u8, i8) -> DataType, u8) = match bits {
        "32" => (DataType::Decimal32, DECIMAL32_MAX_PRECISION),
        "64" => (DataType::Decimal64, DECIMAL64_MAX_PRECISION),
        "128" => (DataType::Decimal128, DECIMAL128_MAX_PRECISION),
        "256" => (DataType::Decimal256, DECIMAL256_MAX_PRECISION),
        _ => return None,
    };
    let fits = (1..=max_precision).contains(&precision)
        && scale.unsigned_abs() <= max_precision
        && i16::from(scale) <= i16::from(precision);
    (fits && numbers.next().is_none()).then(|| decimal(precision, scale))
}

/// A number of at least one.
pub(crate) fn positive(digits: &str) -> Option<i32> {
    digits.parse().ok().filter(|size| *size > 0)
}

fn unit_letter(unit: TimeUnit) -> char {
    match unit {
        TimeUnit::Second => 's',
        TimeUnit::Millisecond => 'm',
        TimeUnit::Microsecond => 'u',
        TimeUnit::Nanosecond => 'n',
    }
}

fn unit(letter: &str) -> Option<TimeUnit> {
    Some(match letter {
        "s" => TimeUnit::Second,
        "m" => TimeUnit::Millisecond,
        "u" => TimeUnit::Microsecond,
        "n" => TimeUnit::Nanosecond,
        _ => return None,
    })
}

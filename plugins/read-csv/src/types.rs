//! Names of column types, as written in params and in the hints of ranges.

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};

/// Types without parts, by name. The first name of a type is the one that is written.
const PLAIN: [(&str, DataType); 20] = [
    ("boolean", DataType::Boolean),
    ("bool", DataType::Boolean),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("uint8", DataType::UInt8),
    ("uint16", DataType::UInt16),
    ("uint32", DataType::UInt32),
    ("uint64", DataType::UInt64),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("utf8", DataType::Utf8),
    ("string", DataType::Utf8),
    ("date32", DataType::Date32),
    ("date64", DataType::Date64),
    ("time32[s]", DataType::Time32(TimeUnit::Second)),
    ("time32[ms]", DataType::Time32(TimeUnit::Millisecond)),
    ("time64[us]", DataType::Time64(TimeUnit::Microsecond)),
    ("time64[ns]", DataType::Time64(TimeUnit::Nanosecond)),
];

const UNITS: [(&str, TimeUnit); 4] = [
    ("s", TimeUnit::Second),
    ("ms", TimeUnit::Millisecond),
    ("us", TimeUnit::Microsecond),
    ("ns", TimeUnit::Nanosecond),
];

/// The type called `name`: one of [`PLAIN`], `timestamp[<unit>]`, `timestamp[<unit>, <zone>]` or
/// `decimal128(<precision>, <scale>)`. A zone is `UTC` or an offset such as `+01:00`: the rules of places
/// change, and would have to be in this component.
pub(crate) fn parse(name: &str) -> Option<DataType> {
    if let Some((_, data_type)) = PLAIN.iter().find(|(known, _)| *known == name) {
        return Some(data_type.clone());
    }
    if let Some(parts) = inside(name, "timestamp[", "]") {
        let (unit, zone) = parts
            .split_once(',')
            .map_or((parts, None), |(unit, zone)| (unit, Some(zone)));
        let (_, unit) = UNITS.iter().find(|(known, _)| *known == unit.trim())?;
        let zone = zone.map(str::trim);
        let known = zone.is_none_or(|zone| zone == "UTC" || is_offset(zone));
        return known.then(|| DataType::Timestamp(*unit, zone.map(Arc::from)));
    }
    let (precision, scale) = inside(name, "decimal128(", ")")?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    let sound = (1..=38).contains(&precision) && (0..=precision as i8).contains(&scale);
    sound.then_some(DataType::Decimal128(precision, scale))
}

/// The name of a type that [`parse`] can give.
pub(crate) fn name(data_type: &DataType) -> String {
    if let Some((name, _)) = PLAIN.iter().find(|(_, known)| known == data_type) {
        return (*name).to_owned();
    }
    match data_type {
        DataType::Timestamp(unit, zone) => {
            let unit = UNITS
                .iter()
                .find(|(_, known)| known == unit)
                .map_or("", |(name, _)| *name);
            match zone {
                Some(zone) => format!("timestamp[{unit}, {zone}]"),
                None => format!("timestamp[{unit}]"),
            }
        }
        DataType::Decimal128(precision, scale) => format!("decimal128({precision}, {scale})"),
        other => other.to_string(),
    }
}

/// The type to decode a column of `data_type` as. The decoder knows UTC only as an offset.
pub(crate) fn decoded(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => {
            DataType::Timestamp(*unit, Some(Arc::from("+00:00")))
        }
        other => other.clone(),
    }
}

/// Whether `zone` is like `+01:00`.
fn is_offset(zone: &str) -> bool {
    let digits = |a: u8, b: u8| a.is_ascii_digit() && b.is_ascii_digit();
    matches!(zone.as_bytes(), [b'+' | b'-', a, b, b':', c, d] if digits(*a, *b) && digits(*c, *d))
}

fn inside<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        let names = [
            "int64",
            "utf8",
            "timestamp[us]",
            "timestamp[ns, UTC]",
            "timestamp[s, -03:30]",
            "decimal128(10, 2)",
        ];
        for written in names {
            assert_eq!(name(&parse(written).unwrap()), written);
        }
        assert_eq!(parse("bool"), Some(DataType::Boolean));
        for unknown in [
            "",
            "int",
            "Int64",
            "timestamp",
            "timestamp[m]",
            "timestamp[s, Mars]",
            "decimal128(39, 0)",
            "decimal128(3, 4)",
        ] {
            assert_eq!(parse(unknown), None, "{unknown}");
        }
    }
}

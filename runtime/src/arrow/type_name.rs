//! What types are called by people: one spelling, that of params and of the standard steps.

use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};

/// The name of a type: `utf8`, `float64`, `timestamp[us, UTC]`, `list<int64>`.
pub fn type_name(data_type: &DataType) -> String {
    let plain = match data_type {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::UInt8 => "uint8",
        DataType::UInt16 => "uint16",
        DataType::UInt32 => "uint32",
        DataType::UInt64 => "uint64",
        DataType::Float16 => "float16",
        DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Utf8 => "utf8",
        DataType::LargeUtf8 => "large-utf8",
        DataType::Utf8View => "utf8-view",
        DataType::Binary => "binary",
        DataType::LargeBinary => "large-binary",
        DataType::BinaryView => "binary-view",
        DataType::Date32 => "date32",
        DataType::Date64 => "date64",
        DataType::Interval(IntervalUnit::YearMonth) => "interval[year-month]",
        DataType::Interval(IntervalUnit::DayTime) => "interval[day-time]",
        DataType::Interval(IntervalUnit::MonthDayNano) => "interval[month-day-nano]",
        DataType::Union(..) => "union",
        DataType::RunEndEncoded(..) => "run-end-encoded",
        DataType::FixedSizeBinary(width) => return format!("fixed-size-binary[{width}]"),
        DataType::Time32(unit) => return format!("time32[{}]", unit_name(*unit)),
        DataType::Time64(unit) => return format!("time64[{}]", unit_name(*unit)),
        DataType::Duration(unit) => return format!("duration[{}]", unit_name(*unit)),
        DataType::Timestamp(unit, None) => return format!("timestamp[{}]", unit_name(*unit)),
        DataType::Timestamp(unit, Some(zone)) => {
            return format!("timestamp[{}, {zone}]", unit_name(*unit));
        }
        DataType::Decimal32(precision, scale) => return format!("decimal32({precision}, {scale})"),
        DataType::Decimal64(precision, scale) => return format!("decimal64({precision}, {scale})"),
        DataType::Decimal128(precision, scale) => {
            return format!("decimal128({precision}, {scale})");
        }
        DataType::Decimal256(precision, scale) => {
            return format!("decimal256({precision}, {scale})");
        }
        DataType::List(item) => return format!("list<{}>", child(item)),
        DataType::LargeList(item) => return format!("large-list<{}>", child(item)),
        DataType::ListView(item) => return format!("list-view<{}>", child(item)),
        DataType::LargeListView(item) => return format!("large-list-view<{}>", child(item)),
        DataType::FixedSizeList(item, size) => {
            return format!("fixed-size-list<{}>[{size}]", child(item));
        }
        DataType::Struct(fields) => return format!("struct<{}>", members(fields)),
        DataType::Map(entries, _) => {
            return match entries.data_type() {
                DataType::Struct(pair) => format!("map<{}>", members(pair)),
                other => format!("map<{}>", type_name(other)),
            };
        }
        DataType::Dictionary(key, value) => {
            return format!("dictionary<{}, {}>", type_name(key), type_name(value));
        }
    };
    plain.to_owned()
}

fn child(field: &Field) -> String {
    type_name(field.data_type())
}

fn members<'a>(fields: impl IntoIterator<Item = &'a std::sync::Arc<Field>>) -> String {
    let members = fields
        .into_iter()
        .map(|field| format!("{}: {}", field.name(), child(field)));
    members.collect::<Vec<_>>().join(", ")
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn names_are_those_that_params_use() {
        let item = Arc::new(Field::new("item", DataType::Int64, true));
        let named = [
            (DataType::Utf8, "utf8"),
            (DataType::Float64, "float64"),
            (
                DataType::Timestamp(TimeUnit::Microsecond, None),
                "timestamp[us]",
            ),
            (
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
                "timestamp[ns, UTC]",
            ),
            (DataType::Decimal128(10, 2), "decimal128(10, 2)"),
            (DataType::List(Arc::clone(&item)), "list<int64>"),
            (
                DataType::Struct(vec![Arc::clone(&item)].into()),
                "struct<item: int64>",
            ),
            (
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
                "dictionary<int32, utf8>",
            ),
        ];
        for (data_type, name) in named {
            assert_eq!(type_name(&data_type), name);
        }
    }
}

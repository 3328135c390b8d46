//! Single values, to be compared and shown.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DecimalType, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use serde::{Serialize, Serializer};

/// A single value.
///
/// Floats are equal if their bits are.
#[derive(Clone, Debug)]
pub enum Cell {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// An integer of any width.
    Integer(i128),
    /// A float of 32 bits, or of 16.
    Float32(f32),
    /// A float of 64 bits.
    Float64(f64),
    /// Text; also a date, a point in time, or a decimal as it is written.
    Text(String),
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.sort_key() == other.sort_key()
    }
}

impl Cell {
    /// What tells two values apart.
    pub(crate) fn sort_key(&self) -> (u8, i128, &str) {
        match self {
            Self::Null => (0, 0, ""),
            Self::Boolean(value) => (1, i128::from(*value), ""),
            Self::Integer(value) => (2, *value, ""),
            Self::Float32(value) => (3, i128::from(value.to_bits()), ""),
            Self::Float64(value) => (4, i128::from(value.to_bits()), ""),
            Self::Text(text) => (5, 0, text),
        }
    }
}

/// Floats in the shortest form that reads back to the same bits.
impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float32(value) => write!(f, "{value:?}"),
            Self::Float64(value) => write!(f, "{value:?}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// As in JSON; floats that are no numbers as text, since JSON has none.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i128(*value),
            Self::Float32(value) if value.is_finite() => serializer.serialize_f32(*value),
            Self::Float64(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Float32(_) | Self::Float64(_) => serializer.collect_str(self),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// The values of an array; none if its type is nested, or one whose values have no form for people here.
pub(crate) fn cells(array: &ArrayRef) -> Option<Vec<Cell>> {
    fn integers<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &ArrayRef) -> Vec<Cell> {
        of::<T>(array, |value| Cell::Integer(value.into()))
    }

    fn of<T: ArrowPrimitiveType>(array: &ArrayRef, cell: fn(T::Native) -> Cell) -> Vec<Cell> {
        let values = array.as_primitive::<T>().iter();
        values.map(|value| value.map_or(Cell::Null, cell)).collect()
    }

    /// Text that arrow-rs makes of each value.
    fn texts(array: &ArrayRef, text: impl Fn(usize) -> Option<String>) -> Vec<Cell> {
        let cell = |row| match array.is_null(row) {
            true => Cell::Null,
            false => text(row).map_or(Cell::Null, Cell::Text),
        };
        (0..array.len()).map(cell).collect()
    }

    fn times<T>(array: &ArrayRef, zoned: bool) -> Vec<Cell>
    where
        T: arrow_array::types::ArrowTemporalType,
        i64: From<T::Native>,
    {
        // Points in time in UTC, as everywhere.
        let zone = if zoned { "Z" } else { "" };
        texts(array, |row| {
            let time = array.as_primitive::<T>().value_as_datetime(row)?;
            Some(format!("{time:?}{zone}"))
        })
    }

    fn clocks<T>(array: &ArrayRef) -> Vec<Cell>
    where
        T: arrow_array::types::ArrowTemporalType,
        i64: From<T::Native>,
    {
        texts(array, |row| {
            let time = array.as_primitive::<T>().value_as_time(row)?;
            Some(time.to_string())
        })
    }

    fn durations<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, unit: &str) -> Vec<Cell> {
        texts(array, |row| {
            Some(format!("{} {unit}", array.as_primitive::<T>().value(row)))
        })
    }

    fn decimals<T: DecimalType>(array: &ArrayRef) -> Vec<Cell> {
        texts(array, |row| {
            Some(array.as_primitive::<T>().value_as_string(row))
        })
    }

    Some(match array.data_type() {
        DataType::Null => vec![Cell::Null; array.len()],
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            values
                .map(|value| value.map_or(Cell::Null, Cell::Boolean))
                .collect()
        }
        DataType::Int8 => integers::<Int8Type>(array),
        DataType::Int16 => integers::<Int16Type>(array),
        DataType::Int32 => integers::<Int32Type>(array),
        DataType::Int64 => integers::<Int64Type>(array),
        DataType::UInt8 => integers::<UInt8Type>(array),
        DataType::UInt16 => integers::<UInt16Type>(array),
        DataType::UInt32 => integers::<UInt32Type>(array),
        DataType::UInt64 => integers::<UInt64Type>(array),
        DataType::Float16 => of::<Float16Type>(array, |value| Cell::Float32(value.into())),
        DataType::Float32 => of::<Float32Type>(array, Cell::Float32),
        DataType::Float64 => of::<Float64Type>(array, Cell::Float64),
        DataType::Utf8 => texts(array, |row| {
            Some(array.as_string::<i32>().value(row).to_owned())
        }),
        DataType::LargeUtf8 => texts(array, |row| {
            Some(array.as_string::<i64>().value(row).to_owned())
        }),
        DataType::Date32 => texts(array, |row| {
            let date = array.as_primitive::<Date32Type>().value_as_date(row)?;
            Some(date.to_string())
        }),
        DataType::Date64 => texts(array, |row| {
            let date = array.as_primitive::<Date64Type>().value_as_date(row)?;
            Some(date.to_string())
        }),
        DataType::Timestamp(unit, zone) => {
            let zoned = zone.is_some();
            match unit {
                TimeUnit::Second => times::<TimestampSecondType>(array, zoned),
                TimeUnit::Millisecond => times::<TimestampMillisecondType>(array, zoned),
                TimeUnit::Microsecond => times::<TimestampMicrosecondType>(array, zoned),
                TimeUnit::Nanosecond => times::<TimestampNanosecondType>(array, zoned),
            }
        }
        DataType::Time32(TimeUnit::Second) => clocks::<Time32SecondType>(array),
        DataType::Time32(_) => clocks::<Time32MillisecondType>(array),
        DataType::Time64(TimeUnit::Microsecond) => clocks::<Time64MicrosecondType>(array),
        DataType::Time64(_) => clocks::<Time64NanosecondType>(array),
        DataType::Duration(unit) => match unit {
            TimeUnit::Second => durations::<DurationSecondType>(array, "s"),
            TimeUnit::Millisecond => durations::<DurationMillisecondType>(array, "ms"),
            TimeUnit::Microsecond => durations::<DurationMicrosecondType>(array, "us"),
            TimeUnit::Nanosecond => durations::<DurationNanosecondType>(array, "ns"),
        },
        DataType::Decimal32(..) => decimals::<Decimal32Type>(array),
        DataType::Decimal64(..) => decimals::<Decimal64Type>(array),
        DataType::Decimal128(..) => decimals::<Decimal128Type>(array),
        DataType::Decimal256(..) => decimals::<Decimal256Type>(array),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = cells(dictionary.values())?;
            if values.is_empty() {
                return Some(vec![Cell::Null; array.len()]);
            }
            let keys = dictionary.normalized_keys().into_iter().enumerate();
            keys.map(|(row, key)| match array.is_null(row) {
                true => Some(Cell::Null),
                false => values.get(key).cloned(),
            })
            .collect::<Option<_>>()?
        }
        _ => return None,
    })
}

/// A value of any type for people: nested ones with all that they hold, bytes in hexadecimal.
pub(crate) fn show(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    let all = |items: &ArrayRef| {
        let items: Vec<_> = (0..items.len()).map(|item| show(items, item)).collect();
        items.join(", ")
    };
    let one = array.slice(row, 1);
    match one.data_type() {
        DataType::List(_) => format!("[{}]", all(&one.as_list::<i32>().value(0))),
        DataType::LargeList(_) => format!("[{}]", all(&one.as_list::<i64>().value(0))),
        DataType::FixedSizeList(..) => format!("[{}]", all(&one.as_fixed_size_list().value(0))),
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(one.as_struct().columns());
            let named =
                columns.map(|(field, column)| format!("{}: {}", field.name(), show(column, 0)));
            format!("{{{}}}", named.collect::<Vec<_>>().join(", "))
        }
        DataType::Map(..) => {
            let entries = one.as_map().value(0);
            let (keys, values) = (entries.column(0), entries.column(1));
            let pairs =
                (0..entries.len()).map(|at| format!("{}: {}", show(keys, at), show(values, at)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        DataType::Binary => hexadecimal(one.as_binary::<i32>().value(0)),
        DataType::LargeBinary => hexadecimal(one.as_binary::<i64>().value(0)),
        _ => match cells(&one).as_deref() {
            Some([cell]) => cell.to_string(),
            // What is left has values of a fixed width.
            _ => {
                let data = one.to_data();
                let width = data.data_type().primitive_width();
                let width = width.unwrap_or(match data.data_type() {
                    DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or_default(),
                    _ => 0,
                });
                let start = data.offset() * width;
                let bytes = data.buffers().first().map(arrow_buffer::Buffer::as_slice);
                hexadecimal(
                    bytes
                        .and_then(|bytes| bytes.get(start..start + width))
                        .unwrap_or_default(),
                )
            }
        },
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{}", digits.concat())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
        ListArray, TimestampMicrosecondArray, UInt64Array,
    };

    use super::*;

    fn shown(array: ArrayRef) -> Vec<String> {
        let cells = cells(&array).unwrap();
        cells.iter().map(Cell::to_string).collect()
    }

    #[test]
    fn values_are_shown_as_they_are_stored() {
        let floats = [0.1, 1.0 / 3.0, -0.0, 1e300, 5e-324, f64::NAN];
        assert_eq!(
            shown(Arc::new(Float64Array::from(floats.to_vec()))),
            [
                "0.1",
                "0.3333333333333333",
                "-0.0",
                "1e300",
                "5e-324",
                "NaN"
            ]
        );
        assert_eq!(
            shown(Arc::new(Float32Array::from(vec![0.1, 16_777_216.0]))),
            ["0.1", "16777216.0"]
        );
        assert_eq!(
            shown(Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
            ["18446744073709551615", "null"]
        );
        assert_eq!(
            shown(Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ["true", "null"]
        );
        assert_eq!(
            shown(Arc::new(Date32Array::from(vec![19_723]))),
            ["2024-01-01"]
        );
        let time = || TimestampMicrosecondArray::from(vec![1_380_600_000_000_000, 1]);
        assert_eq!(
            shown(Arc::new(time())),
            ["2013-10-01T04:00:00", "1970-01-01T00:00:00.000001"]
        );
        assert_eq!(
            shown(Arc::new(time().with_timezone("America/New_York"))),
            ["2013-10-01T04:00:00Z", "1970-01-01T00:00:00.000001Z"]
        );
        let decimals = Decimal128Array::from(vec![12_345]);
        let decimals = decimals.with_precision_and_scale(10, 2).unwrap();
        assert_eq!(shown(Arc::new(decimals)), ["123.45"]);
        let words: DictionaryArray<Int32Type> =
            vec![Some("b"), None, Some("b")].into_iter().collect();
        assert_eq!(shown(Arc::new(words)), ["b", "null", "b"]);
        let nothing: DictionaryArray<Int32Type> = vec![None::<&str>].into_iter().collect();
        assert_eq!(shown(Arc::new(nothing)), ["null"]);
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
        assert!(cells(&(Arc::new(list) as ArrayRef)).is_none());
    }

    #[test]
    fn floats_are_equal_if_their_bits_are() {
        assert_eq!(Cell::Float64(f64::NAN), Cell::Float64(f64::NAN));
        assert_ne!(Cell::Float64(0.0), Cell::Float64(-0.0));
        assert_ne!(Cell::Float64(1.0), Cell::Integer(1));
        assert_ne!(Cell::Null, Cell::Text(String::new()));
    }

    #[test]
    fn json_has_every_value() {
        let cells = [
            Cell::Null,
            Cell::Boolean(true),
            Cell::Integer(u64::MAX.into()),
            Cell::Float32(0.1),
            Cell::Float64(1e300),
            Cell::Float64(f64::NEG_INFINITY),
            Cell::Text("a".to_owned()),
        ];
        assert_eq!(
            serde_json::to_string(&cells).unwrap(),
            r#"[null,true,18446744073709551615,0.1,1e+300,"-inf","a"]"#
        );
    }

    #[test]
    fn nested_values_and_bytes_are_shown_in_full() {
        use arrow_array::{
            BinaryArray, DurationSecondArray, FixedSizeBinaryArray, IntervalYearMonthArray,
            StructArray, Time64NanosecondArray,
        };
        use arrow_schema::Field;

        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            None,
            Some(vec![Some(1), None]),
        ]);
        let list: ArrayRef = Arc::new(list);
        assert_eq!(
            (show(&list, 0), show(&list, 1)),
            ("null".to_owned(), "[1, null]".to_owned())
        );
        let field = |name: &str, array: &ArrayRef| {
            Arc::new(Field::new(name, array.data_type().clone(), true))
        };
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b""]));
        let parts = StructArray::from(vec![
            (field("list", &list), Arc::clone(&list)),
            (field("bytes", &bytes), bytes),
        ]);
        assert_eq!(
            show(&(Arc::new(parts) as ArrayRef), 0),
            "{list: null, bytes: 0x00ff}"
        );
        let durations: ArrayRef = Arc::new(DurationSecondArray::from(vec![7, 258]));
        assert_eq!(show(&durations, 1), "258 s");
        let times: ArrayRef = Arc::new(Time64NanosecondArray::from(vec![3_600_000_000_001]));
        assert_eq!(show(&times, 0), "01:00:00.000000001");
        // What has no form for people is shown by its bytes.
        let months: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![7, 258]));
        assert_eq!(show(&months, 1), "0x02010000");
        let fixed = FixedSizeBinaryArray::try_from_iter([[0xabu8, 0xcd], [1, 2]].iter());
        assert_eq!(show(&(Arc::new(fixed.unwrap()) as ArrayRef), 1), "0x0102");
    }
}

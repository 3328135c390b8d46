//! Single values of columns, as what they mean rather than how they are stored.
//!
//! For steps that join, compare or show values of many types and must stay small: `int8` and `uint64`
//! hold the same integers, a timestamp in seconds and one in nanoseconds the same moments. Deterministic.

mod decimal;
mod duration;
mod moment;

use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use pinion_sdk::{Error, Result};

pub use decimal::parse_decimal;
pub use duration::parse_duration;
pub use moment::{Moment, parse_moment};

/// Nanoseconds of one day.
const DAY: i128 = 86_400_000_000_000;

/// Characters of a text that are shown at most.
const SHOWN_CHARS: usize = 80;

/// What a column's values mean. Values of two columns can be compared if their kinds are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// Integers of any width and sign.
    Integer,
    /// Floats of any width.
    Float,
    /// Decimals of up to 38 digits, this many of them after the point.
    Decimal(i8),
    /// Text.
    Text,
    /// Days of the calendar.
    Date,
    /// Dates and times of day without a zone.
    Timestamp,
    /// Moments: timestamps with a zone, whatever the zone.
    Instant,
}

impl Kind {
    /// What a column of `data_type` holds; none for types of other kinds. A dictionary is its values.
    #[must_use]
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Decimal128(_, scale) => Self::Decimal(*scale),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::Instant,
            DataType::Dictionary(_, values) => Self::of(values)?,
            data_type if data_type.is_integer() => Self::Integer,
            _ => return None,
        })
    }

    /// `value`, which is of this kind, for people. Long text is cut.
    #[must_use]
    pub fn show(self, value: Value<'_>) -> String {
        match (self, value) {
            (Self::Decimal(scale), Value::Integer(units)) => decimal::show(units, scale),
            (Self::Date | Self::Timestamp | Self::Instant, Value::Integer(nanoseconds)) => {
                moment::show(self, nanoseconds)
            }
            (_, Value::Boolean(value)) => value.to_string(),
            (_, Value::Integer(value)) => value.to_string(),
            (_, Value::Float(value)) => value.to_string(),
            (_, Value::Text(text)) => match text.char_indices().nth(SHOWN_CHARS) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text.to_owned(),
            },
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "booleans",
            Self::Integer => "integers",
            Self::Float => "floats",
            Self::Decimal(scale) => return write!(f, "decimals of scale {scale}"),
            Self::Text => "text",
            Self::Date => "dates",
            Self::Timestamp => "timestamps without a zone",
            Self::Instant => "timestamps with a zone",
        })
    }
}

/// One value that is not null.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Value<'a> {
    /// Of [`Kind::Boolean`].
    Boolean(bool),
    /// Of [`Kind::Integer`]; of [`Kind::Decimal`], in units of its last digit; of the kinds of time,
    /// nanoseconds since 1970-01-01 00:00, of UTC if there is a zone.
    Integer(i128),
    /// Of [`Kind::Float`].
    Float(f64),
    /// Of [`Kind::Text`].
    Text(&'a str),
}

impl Value<'_> {
    /// Appends bytes that are equal for equal values of one kind and never a prefix of those of another
    /// value. The zeros are equal to each other, and so are the NaNs.
    pub fn encode(self, to: &mut Vec<u8>) {
        match self {
            Self::Boolean(value) => to.push(u8::from(value)),
            Self::Integer(value) => to.extend(value.to_le_bytes()),
            Self::Float(value) => {
                let value = if value.is_nan() {
                    f64::NAN
                } else {
                    value + 0.0
                };
                to.extend(value.to_bits().to_le_bytes());
            }
            Self::Text(text) => {
                to.extend((text.len() as u64).to_le_bytes());
                to.extend(text.as_bytes());
            }
        }
    }
}

/// The values of an array.
pub struct Column<'a> {
    kind: Kind,
    read: Read<'a>,
}

type Read<'a> = Box<dyn Fn(usize) -> Option<Value<'a>> + 'a>;

impl<'a> Column<'a> {
    /// The values of the column `name`.
    ///
    /// # Errors
    /// `wrong-type` if the type is of no [`Kind`].
    pub fn new(name: &str, array: &'a dyn Array) -> Result<Self> {
        let kind = kind(name, array.data_type())?;
        let read = read(array).ok_or_else(|| wrong_type(name, array.data_type()))?;
        Ok(Self { kind, read })
    }

    /// What the values mean.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The value in `row`, none if it is null.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn value(&self, row: usize) -> Option<Value<'a>> {
        (self.read)(row)
    }

    /// The value in `row` for people.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn show(&self, row: usize) -> String {
        self.value(row)
            .map_or_else(|| "null".to_owned(), |value| self.kind.show(value))
    }
}

/// The [`Kind`] of the column `name`.
///
/// # Errors
/// `wrong-type` if there is none for `data_type`.
pub fn kind(name: &str, data_type: &DataType) -> Result<Kind> {
    Kind::of(data_type).ok_or_else(|| wrong_type(name, data_type))
}

/// Writes the key that `columns` make in `row` to `to`, in place of what it holds. Equal keys are equal
/// bytes. False, and an unfinished key, if a part is null.
///
/// # Panics
/// If there is no such row.
pub fn write_key(columns: &[Column<'_>], row: usize, to: &mut Vec<u8>) -> bool {
    to.clear();
    columns.iter().all(|column| {
        column
            .value(row)
            .inspect(|value| value.encode(to))
            .is_some()
    })
}

fn wrong_type(name: &str, found: &DataType) -> Error {
    Error::wrong_type(name, "booleans, numbers, text, dates or timestamps", found)
}

fn read(array: &dyn Array) -> Option<Read<'_>> {
    Some(match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean();
            Box::new(move |row| {
                array
                    .is_valid(row)
                    .then(|| Value::Boolean(array.value(row)))
            })
        }
        DataType::Int8 => integers::<Int8Type>(array, 1),
        DataType::Int16 => integers::<Int16Type>(array, 1),
        DataType::Int32 => integers::<Int32Type>(array, 1),
        DataType::Int64 => integers::<Int64Type>(array, 1),
        DataType::UInt8 => integers::<UInt8Type>(array, 1),
        DataType::UInt16 => integers::<UInt16Type>(array, 1),
        DataType::UInt32 => integers::<UInt32Type>(array, 1),
        DataType::UInt64 => integers::<UInt64Type>(array, 1),
        DataType::Decimal128(_, _) => integers::<Decimal128Type>(array, 1),
        DataType::Date32 => integers::<Date32Type>(array, DAY),
        DataType::Date64 => integers::<Date64Type>(array, 1_000_000),
        DataType::Timestamp(TimeUnit::Second, _) => {
            integers::<TimestampSecondType>(array, 1_000_000_000)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            integers::<TimestampMillisecondType>(array, 1_000_000)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            integers::<TimestampMicrosecondType>(array, 1_000)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            integers::<TimestampNanosecondType>(array, 1)
        }
        DataType::Float16 => floats::<Float16Type>(array, |value| value.to_f64()),
        DataType::Float32 => floats::<Float32Type>(array, f64::from),
        DataType::Float64 => floats::<Float64Type>(array, |value| value),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Box::new(move |row| array.is_valid(row).then(|| Value::Text(array.value(row))))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Box::new(move |row| array.is_valid(row).then(|| Value::Text(array.value(row))))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Box::new(move |row| array.is_valid(row).then(|| Value::Text(array.value(row))))
        }
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            if dictionary.values().is_empty() {
                return Some(Box::new(|_| None));
            }
            let (keys, values) = (dictionary.normalized_keys(), read(dictionary.values())?);
            Box::new(move |row| array.is_valid(row).then(|| values(keys[row])).flatten())
        }
        _ => return None,
    })
}

fn integers<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &dyn Array, scale: i128) -> Read<'_> {
    let array = array.as_primitive::<T>();
    Box::new(move |row| {
        array
            .is_valid(row)
            .then(|| Value::Integer(array.value(row).into() * scale))
    })
}

fn floats<T: ArrowPrimitiveType>(array: &dyn Array, widen: fn(T::Native) -> f64) -> Read<'_> {
    let array = array.as_primitive::<T>();
    Box::new(move |row| {
        array
            .is_valid(row)
            .then(|| Value::Float(widen(array.value(row))))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::types::Int8Type;
    use arrow_array::{
        Date32Array, Date64Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
        Int8Array, LargeStringArray, NullArray, StringArray, TimestampNanosecondArray,
        TimestampSecondArray, UInt64Array,
    };

    use super::*;

    fn shown(array: &dyn Array) -> Vec<String> {
        let column = Column::new("x", array).unwrap();
        (0..array.len()).map(|row| column.show(row)).collect()
    }

    fn key(array: &dyn Array, row: usize) -> Option<Vec<u8>> {
        let mut key = vec![7];
        write_key(&[Column::new("x", array).unwrap()], row, &mut key).then_some(key)
    }

    #[test]
    fn equal_values_of_other_widths_make_equal_keys() {
        assert_eq!(
            key(&Int8Array::from(vec![3]), 0),
            key(&UInt64Array::from(vec![3]), 0)
        );
        assert_eq!(
            key(&Date32Array::from(vec![1]), 0),
            key(&Date64Array::from(vec![86_400_000]), 0)
        );
        let (seconds, nanoseconds) = (
            TimestampSecondArray::from(vec![-2]),
            TimestampNanosecondArray::from(vec![-2_000_000_000]),
        );
        assert_eq!(key(&seconds, 0), key(&nanoseconds, 0));
        assert_eq!(
            key(&StringArray::from(vec!["a"]), 0),
            key(&LargeStringArray::from(vec!["a"]), 0)
        );
        assert_eq!(
            key(&Float32Array::from(vec![-0.0]), 0),
            key(&Float64Array::from(vec![0.0]), 0)
        );
        assert_ne!(
            key(&Int8Array::from(vec![3, 4]), 0),
            key(&Int8Array::from(vec![3, 4]), 1)
        );
        assert_eq!(key(&Int8Array::from(vec![None]), 0), None);
    }

    #[test]
    fn text_of_one_column_does_not_run_into_the_next() {
        let (first, second) = (
            StringArray::from(vec!["a", "ab"]),
            StringArray::from(vec!["bc", "c"]),
        );
        let columns = [
            Column::new("x", &first).unwrap(),
            Column::new("y", &second).unwrap(),
        ];
        let (mut one, mut other) = (Vec::new(), Vec::new());
        assert!(write_key(&columns, 0, &mut one) && write_key(&columns, 1, &mut other));
        assert_ne!(one, other);
    }

    #[test]
    fn dictionaries_are_their_values() {
        let array: DictionaryArray<Int8Type> = [Some("a"), None, Some("b"), Some("a")]
            .into_iter()
            .collect();
        assert_eq!(shown(&array), ["a", "null", "b", "a"]);
        assert_eq!(key(&array, 3), key(&StringArray::from(vec!["a"]), 0));
        let empty: DictionaryArray<Int8Type> = [None::<&str>].into_iter().collect();
        assert_eq!(shown(&empty), ["null"]);
    }

    #[test]
    fn values_are_shown_as_written() {
        assert_eq!(
            shown(&Date32Array::from(vec![0, -1])),
            ["1970-01-01", "1969-12-31"]
        );
        let timestamps = TimestampSecondArray::from(vec![-1]);
        assert_eq!(shown(&timestamps), ["1969-12-31T23:59:59"]);
        assert_eq!(
            shown(&timestamps.with_timezone("+02:00")),
            ["1969-12-31T23:59:59Z"]
        );
        let decimals = Decimal128Array::from(vec![-5, 1234])
            .with_precision_and_scale(10, 2)
            .unwrap();
        assert_eq!(shown(&decimals), ["-0.05", "12.34"]);
        assert_eq!(
            shown(&StringArray::from(vec!["é".repeat(81)])),
            [format!("{}…", "é".repeat(80))]
        );
    }

    #[test]
    fn other_types_are_refused() {
        assert_eq!(
            Column::new("x", &NullArray::new(1)).err().unwrap().code,
            "wrong-type"
        );
    }
}

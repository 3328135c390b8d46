//! SQL's names for Arrow types, and the type in which two of them meet.

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};

/// The only time zone there is: a timestamp with a zone is an instant, shown in UTC.
pub(crate) const UTC: &str = "UTC";

/// `DECIMAL(38, 0)`, in which `UBIGINT` is compared with signed integers. Never a result.
pub(crate) const WIDE_INTEGER: DataType = DataType::Decimal128(38, 0);

/// The type's name in DuckDB's SQL, for messages; Arrow's own name for types that expressions do not have.
pub(crate) fn sql_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Null => "NULL",
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "UTINYINT",
        DataType::UInt16 => "USMALLINT",
        DataType::UInt32 => "UINTEGER",
        DataType::UInt64 => "UBIGINT",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 => "VARCHAR",
        DataType::Date32 => "DATE",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP_S",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP_MS",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// The type that a column of `data_type` has inside expressions, if it can be used in one.
///
/// Text in any layout, also dictionary-encoded, is `utf8`. Decimals and half floats become floats.
/// Time zones that mean UTC become one.
pub(crate) fn column_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Date32
        | DataType::Timestamp(_, None) => data_type.clone(),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal128(..) => DataType::Float64,
        DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Timestamp(unit, Some(zone)) => match zone.as_ref() {
            "UTC" | "Etc/UTC" | "Z" | "+00:00" | "+00" => {
                DataType::Timestamp(*unit, Some(Arc::from(UTC)))
            }
            _ => return None,
        },
        DataType::Dictionary(_, values) => column_type(values)?,
        _ => return None,
    })
}

/// The type in which values of both types can be compared or stand in one column.
///
/// Integers of different signs meet in the next wider signed type, `None` if there is none. Of
/// numbers the floating-point type wins, of a boolean and a number the number, of a date and a
/// timestamp the timestamp, of two timestamps the finer unit, in UTC if one of them is.
pub(crate) fn common(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType::{Boolean, Date32, Float32, Float64, Null, Timestamp};
    Some(match (left, right) {
        (left, right) if left == right => left.clone(),
        (Null, other) | (other, Null) => other.clone(),
        (Boolean, other) | (other, Boolean) if is_number(other) => other.clone(),
        (Float64, other) | (other, Float64) if is_number(other) => Float64,
        (Float32, other) | (other, Float32) if is_number(other) => Float32,
        (Date32, stamp @ Timestamp(..)) | (stamp @ Timestamp(..), Date32) => stamp.clone(),
        (Timestamp(left, left_zone), Timestamp(right, right_zone)) => Timestamp(
            *left.max(right),
            left_zone.clone().or_else(|| right_zone.clone()),
        ),
        (left, right) => {
            let ((left_bits, left_signed), (right_bits, right_signed)) =
                (integer(left)?, integer(right)?);
            if left_signed == right_signed {
                return integer_type(left_bits.max(right_bits), left_signed);
            }
            let (signed, unsigned) = if left_signed {
                (left_bits, right_bits)
            } else {
                (right_bits, left_bits)
            };
            return integer_type(
                if signed > unsigned {
                    signed
                } else {
                    unsigned * 2
                },
                true,
            );
        }
    })
}

/// The type in which two numbers are added, subtracted, multiplied or divided as integers.
///
/// As [`common`], but integers of which neither type holds the other meet in `BIGINT`, as in DuckDB.
pub(crate) fn arithmetic(left: &DataType, right: &DataType) -> Option<DataType> {
    if !is_number_or_null(left) || !is_number_or_null(right) {
        return None;
    }
    let met = common(left, right)?;
    let widened = is_integer(&met) && met != *left && met != *right;
    Some(if widened { DataType::Int64 } else { met })
}

pub(crate) fn is_integer(data_type: &DataType) -> bool {
    integer(data_type).is_some()
}

pub(crate) fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

pub(crate) fn is_number(data_type: &DataType) -> bool {
    is_integer(data_type) || is_float(data_type)
}

fn is_number_or_null(data_type: &DataType) -> bool {
    is_number(data_type) || *data_type == DataType::Null
}

/// The range of an integer type.
pub(crate) fn integer_range(data_type: &DataType) -> Option<(i128, i128)> {
    let (bits, signed) = integer(data_type)?;
    Some(if signed {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    } else {
        (0, (1_i128 << bits) - 1)
    })
}

/// Bits, and whether it is signed.
fn integer(data_type: &DataType) -> Option<(u32, bool)> {
    Some(match data_type {
        DataType::Int8 => (8, true),
        DataType::Int16 => (16, true),
        DataType::Int32 => (32, true),
        DataType::Int64 => (64, true),
        DataType::UInt8 => (8, false),
        DataType::UInt16 => (16, false),
        DataType::UInt32 => (32, false),
        DataType::UInt64 => (64, false),
        _ => return None,
    })
}

fn integer_type(bits: u32, signed: bool) -> Option<DataType> {
    Some(match (bits, signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_different_signs_meet_in_a_wider_signed_type() {
        assert_eq!(
            common(&DataType::UInt8, &DataType::Int8),
            Some(DataType::Int16)
        );
        assert_eq!(
            common(&DataType::UInt8, &DataType::Int16),
            Some(DataType::Int16)
        );
        assert_eq!(
            common(&DataType::Int64, &DataType::UInt32),
            Some(DataType::Int64)
        );
        assert_eq!(common(&DataType::Int8, &DataType::UInt64), None);
        assert_eq!(
            arithmetic(&DataType::UInt8, &DataType::Int8),
            Some(DataType::Int64)
        );
        assert_eq!(
            arithmetic(&DataType::UInt8, &DataType::Int16),
            Some(DataType::Int16)
        );
    }

    #[test]
    fn text_meets_nothing_but_text() {
        assert_eq!(common(&DataType::Utf8, &DataType::Int32), None);
        assert_eq!(
            common(&DataType::Utf8, &DataType::Null),
            Some(DataType::Utf8)
        );
        assert_eq!(arithmetic(&DataType::Boolean, &DataType::Int32), None);
    }

    #[test]
    fn timestamps_meet_in_the_finer_unit() {
        let seconds = DataType::Timestamp(TimeUnit::Second, Some(UTC.into()));
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let both = DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into()));
        assert_eq!(common(&seconds, &nanos), Some(both));
    }
}

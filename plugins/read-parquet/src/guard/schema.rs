//! The Arrow schema that a file carries.

use arrow_ipc::{
    DateUnit, Endianness, Field, IntervalUnit, Precision, TimeUnit, Type, root_as_message,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Whether the Arrow schema that a file carries, in base64, can be converted.
pub(crate) fn embedded_schema(encoded: &str) -> bool {
    let Ok(bytes) = BASE64_STANDARD.decode(encoded) else {
        return false;
    };
    // Newer writers put a marker and a length before the message, older ones only the length.
    let message = match bytes.as_slice() {
        [0xff, 0xff, 0xff, 0xff, _, _, _, _, message @ ..] => message,
        message => message,
    };
    root_as_message(message)
        .ok()
        .and_then(|message| message.header_as_schema())
        .filter(|schema| schema.endianness() == Endianness::Little)
        .and_then(|schema| schema.fields())
        .is_some_and(|fields| fields.iter().all(field))
}

fn field(node: Field<'_>) -> bool {
    let int = |int: arrow_ipc::Int<'_>| matches!(int.bitWidth(), 8 | 16 | 32 | 64);
    let unit = |unit: TimeUnit| unit.variant_name().is_some();
    let children = || node.children().map_or(0, |children| children.len());
    let type_ = match node.type_type() {
        Type::Null | Type::Bool | Type::Struct_ | Type::Binary | Type::Utf8 => true,
        Type::LargeBinary | Type::LargeUtf8 | Type::BinaryView | Type::Utf8View => true,
        Type::Int => node.type_as_int().is_some_and(int),
        Type::FloatingPoint => node.type_as_floating_point().is_some_and(|float| {
            matches!(
                float.precision(),
                Precision::HALF | Precision::SINGLE | Precision::DOUBLE
            )
        }),
        Type::FixedSizeBinary => node
            .type_as_fixed_size_binary()
            .is_some_and(|binary| binary.byteWidth() >= 0),
        Type::Date => node
            .type_as_date()
            .is_some_and(|date| matches!(date.unit(), DateUnit::DAY | DateUnit::MILLISECOND)),
        Type::Time => node.type_as_time().is_some_and(|time| {
            matches!(
                (time.bitWidth(), time.unit()),
                (32, TimeUnit::SECOND | TimeUnit::MILLISECOND)
                    | (64, TimeUnit::MICROSECOND | TimeUnit::NANOSECOND)
            )
        }),
        Type::Timestamp => node
            .type_as_timestamp()
            .is_some_and(|stamp| unit(stamp.unit())),
        Type::Duration => node
            .type_as_duration()
            .is_some_and(|duration| unit(duration.unit())),
        Type::Interval => node.type_as_interval().is_some_and(|interval| {
            matches!(
                interval.unit(),
                IntervalUnit::YEAR_MONTH | IntervalUnit::DAY_TIME | IntervalUnit::MONTH_DAY_NANO
            )
        }),
        Type::Decimal => node.type_as_decimal().is_some_and(|decimal| {
            matches!(decimal.bitWidth(), 32 | 64 | 128 | 256)
                && u8::try_from(decimal.precision()).is_ok()
                && i8::try_from(decimal.scale()).is_ok()
        }),
        Type::List | Type::LargeList | Type::ListView | Type::LargeListView | Type::Map => {
            children() == 1
        }
        Type::FixedSizeList => {
            children() == 1
                && node
                    .type_as_fixed_size_list()
                    .is_some_and(|list| list.listSize() >= 0)
        }
        Type::RunEndEncoded => children() == 2,
        _ => false,
    };
    type_
        && node.name().is_some()
        && node
            .dictionary()
            .is_none_or(|dictionary| dictionary.indexType().is_some_and(int))
        && node
            .children()
            .is_none_or(|children| children.iter().all(field))
}

//! Fields of an Arrow IPC schema, read from a flatbuffer that nobody vouches for.
//!
//! arrow-ipc's own conversion panics on types it does not expect, so the schema goes through the same
//! door as a guest's: flat fields with format strings, which [`crate::arrow::format`] checks.

use arrow_ipc::{DateUnit, IntervalUnit, Precision, TimeUnit, Type};

use crate::arrow::format::{DICTIONARY, MAX_DEPTH, WireField};

/// Appends a field with its children in pre-order, and the ids of its dictionaries in the same order.
///
/// None if the field is nested too deep or of a type that the host does not take.
pub(crate) fn push_field(
    field: &arrow_ipc::Field<'_>,
    depth: usize,
    wire: &mut Vec<WireField>,
    dictionaries: &mut Vec<i64>,
) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut metadata = Vec::new();
    for pair in field.custom_metadata().into_iter().flatten() {
        metadata.push((
            pair.key()?.to_owned(),
            pair.value().unwrap_or_default().to_owned(),
        ));
    }
    metadata.sort();
    let name = field.name().unwrap_or_default().to_owned();
    let nullable = field.nullable();
    let format = format(field)?;

    if let Some(dictionary) = field.dictionary() {
        dictionaries.push(dictionary.id());
        let index = dictionary.indexType()?;
        let index = int_format(index.bitWidth(), index.is_signed())?.to_owned();
        wire.push(WireField {
            name,
            format: index,
            nullable,
            children: 1,
            metadata,
        });
        // Values of dictionaries are flat; children, if any, are caught as left over.
        let (name, metadata) = (DICTIONARY.to_owned(), Vec::new());
        wire.push(WireField {
            name,
            format,
            nullable: true,
            children: 0,
            metadata,
        });
        return Some(());
    }

    let children = field.children();
    let count = children.map_or(0, |children| children.len());
    wire.push(WireField {
        name,
        format,
        nullable,
        children: u32::try_from(count).ok()?,
        metadata,
    });
    for child in children.into_iter().flatten() {
        push_field(&child, depth + 1, wire, dictionaries)?;
    }
    Some(())
}

fn format(field: &arrow_ipc::Field<'_>) -> Option<String> {
    let plain = match field.type_type() {
        Type::Null => "n",
        Type::Bool => "b",
        Type::Int => {
            let int = field.type_as_int()?;
            int_format(int.bitWidth(), int.is_signed())?
        }
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            Precision::HALF => "e",
            Precision::SINGLE => "f",
            Precision::DOUBLE => "g",
            _ => return None,
        },
        Type::Binary => "z",
        Type::LargeBinary => "Z",
        Type::Utf8 => "u",
        Type::LargeUtf8 => "U",
        Type::List => "+l",
        Type::LargeList => "+L",
        Type::Struct_ => "+s",
        Type::Map => "+m",
        Type::Date => match field.type_as_date()?.unit() {
            DateUnit::DAY => "tdD",
            DateUnit::MILLISECOND => "tdm",
            _ => return None,
        },
        Type::Interval => match field.type_as_interval()?.unit() {
            IntervalUnit::YEAR_MONTH => "tiM",
            IntervalUnit::DAY_TIME => "tiD",
            IntervalUnit::MONTH_DAY_NANO => "tin",
            _ => return None,
        },
        Type::Time => return Some(format!("tt{}", unit_letter(field.type_as_time()?.unit())?)),
        Type::Duration => {
            return Some(format!(
                "tD{}",
                unit_letter(field.type_as_duration()?.unit())?
            ));
        }
        Type::Timestamp => {
            let timestamp = field.type_as_timestamp()?;
            let timezone = timestamp.timezone().unwrap_or_default();
            return Some(format!("ts{}:{timezone}", unit_letter(timestamp.unit())?));
        }
        Type::Decimal => {
            let decimal = field.type_as_decimal()?;
            let (precision, scale, bits) =
                (decimal.precision(), decimal.scale(), decimal.bitWidth());
            return Some(format!("d:{precision},{scale},{bits}"));
        }
        Type::FixedSizeBinary => {
            return Some(format!(
                "w:{}",
                field.type_as_fixed_size_binary()?.byteWidth()
            ));
        }
        Type::FixedSizeList => {
            return Some(format!(
                "+w:{}",
                field.type_as_fixed_size_list()?.listSize()
            ));
        }
        _ => return None,
    };
    Some(plain.to_owned())
}

fn int_format(bits: i32, signed: bool) -> Option<&'static str> {
    Some(match (bits, signed) {
        (8, true) => "c",
        (8, false) => "C",
        (16, true) => "s",
        (16, false) => "S",
        (32, true) => "i",
        (32, false) => "I",
        (64, true) => "l",
        (64, false) => "L",
        _ => return None,
    })
}

fn unit_letter(unit: TimeUnit) -> Option<char> {
    Some(match unit {
        TimeUnit::SECOND => 's',
        TimeUnit::MILLISECOND => 'm',
        TimeUnit::MICROSECOND => 'u',
        TimeUnit::NANOSECOND => 'n',
        _ => return None,
    })
}

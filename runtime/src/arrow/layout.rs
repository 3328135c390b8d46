//! How the buffers of a type lie in memory: the one place that sorts Arrow's types into few layouts.

use arrow_schema::{DataType, FieldRef, Fields, TimeUnit};

/// What the buffers of an array hold, the validity bitmap aside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout<'a> {
    /// No buffers at all, not even validity.
    Null,
    /// One bit a value.
    Boolean,
    /// A fixed number of bytes a value.
    Fixed(usize),
    /// Offsets, then bytes.
    Bytes(OffsetWidth),
    /// 16-byte views, then any number of data buffers.
    View,
    /// Offsets into one child. Maps too.
    List(OffsetWidth, &'a FieldRef),
    /// A fixed number of values of one child to a row.
    FixedList(usize, &'a FieldRef),
    /// One child a field.
    Struct(&'a Fields),
    /// Keys of some bytes each into the values.
    Dictionary(usize, &'a DataType),
}

/// Bytes in one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetWidth {
    Four,
    Eight,
}

impl OffsetWidth {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// The layout of a type, or none if the host does not take the type.
pub(crate) fn layout(data_type: &DataType) -> Option<Layout<'_>> {
    use OffsetWidth::{Eight, Four};
    Some(match data_type {
        DataType::Null => Layout::Null,
        DataType::Boolean => Layout::Boolean,
        // Of values without anything in them arrow-rs loses count.
        DataType::FixedSizeBinary(..=0) | DataType::FixedSizeList(_, ..=0) => return None,
        DataType::FixedSizeBinary(width) => Layout::Fixed(usize::try_from(*width).ok()?),
        DataType::Utf8 | DataType::Binary => Layout::Bytes(Four),
        DataType::LargeUtf8 | DataType::LargeBinary => Layout::Bytes(Eight),
        DataType::Utf8View | DataType::BinaryView => Layout::View,
        DataType::List(item) | DataType::Map(item, _) => Layout::List(Four, item),
        DataType::LargeList(item) => Layout::List(Eight, item),
        DataType::FixedSizeList(item, size) => {
            Layout::FixedList(usize::try_from(*size).ok()?, item)
        }
        DataType::Struct(fields) => Layout::Struct(fields),
        DataType::Dictionary(key, value) if key.is_dictionary_key_type() => match layout(value)? {
            Layout::Boolean | Layout::Fixed(_) | Layout::Bytes(_) | Layout::View => {
                Layout::Dictionary(key.primitive_width()?, value)
            }
            _ => return None,
        },
        DataType::Time32(TimeUnit::Microsecond | TimeUnit::Nanosecond)
        | DataType::Time64(TimeUnit::Second | TimeUnit::Millisecond) => return None,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Duration(_)
        | DataType::Interval(_) => Layout::Fixed(data_type.primitive_width()?),
        DataType::Dictionary(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Union(..)
        | DataType::RunEndEncoded(..) => return None,
    })
}

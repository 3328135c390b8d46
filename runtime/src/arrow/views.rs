//! Views written out: `utf8view` and `binaryview` become `utf8` and `binary`.

use std::sync::Arc;

use arrow_array::builder::GenericByteBuilder;
use arrow_array::types::{
    BinaryType, BinaryViewType, ByteArrayType, ByteViewType, StringViewType, Utf8Type,
};
use arrow_array::{Array, ArrayRef, GenericByteViewArray, cast::AsArray as _};
use arrow_schema::DataType;

/// The array without views, if it was one of views; shared if it was not.
///
/// # Errors
/// The number of bytes that the values have if that is more than `max_bytes`, which may be no more than
/// 32-bit offsets reach.
pub(crate) fn unpack_views(array: &ArrayRef, max_bytes: u64) -> Result<ArrayRef, u64> {
    match array.data_type() {
        DataType::Utf8View => unpack::<StringViewType, Utf8Type>(array.as_byte_view(), max_bytes),
        DataType::BinaryView => {
            unpack::<BinaryViewType, BinaryType>(array.as_byte_view(), max_bytes)
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// Bytes of all values of an array of views; none of any other array.
pub(crate) fn views_bytes(array: &ArrayRef) -> u64 {
    match array.data_type() {
        DataType::Utf8View => value_bytes::<StringViewType>(array.as_byte_view()),
        DataType::BinaryView => value_bytes::<BinaryViewType>(array.as_byte_view()),
        _ => 0,
    }
}

fn value_bytes<V: ByteViewType>(views: &GenericByteViewArray<V>) -> u64 {
    // A view's first four bytes are its length.
    let valid = (0..views.len()).filter(|row| views.is_valid(*row));
    valid.map(|row| u64::from(views.views()[row] as u32)).sum()
}

fn unpack<V, B>(views: &GenericByteViewArray<V>, max_bytes: u64) -> Result<ArrayRef, u64>
where
    V: ByteViewType,
    B: ByteArrayType<Native = V::Native>,
{
    let bytes = value_bytes(views);
    let capacity = usize::try_from(bytes).map_err(|_| bytes)?;
    if bytes > max_bytes {
        return Err(bytes);
    }
    let mut builder = GenericByteBuilder::<B>::with_capacity(views.len(), capacity);
    for value in views {
        builder.append_option(value);
    }
    Ok(Arc::new(builder.finish()))
}

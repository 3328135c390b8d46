//! Three-valued logic.

use arrow_array::{Array, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

/// False if one side is, else null if one side is.
pub(crate) fn and(left: &BooleanArray, right: &BooleanArray) -> BooleanArray {
    let (is_true, is_false) = (
        &is_value(left, true) & &is_value(right, true),
        &is_value(left, false) | &is_value(right, false),
    );
    known(is_true, &is_false)
}

/// True if one side is, else null if one side is.
pub(crate) fn or(left: &BooleanArray, right: &BooleanArray) -> BooleanArray {
    let (is_true, is_false) = (
        &is_value(left, true) | &is_value(right, true),
        &is_value(left, false) & &is_value(right, false),
    );
    known(is_true, &is_false)
}

/// The other value; null stays null.
pub(crate) fn not(operand: &BooleanArray) -> BooleanArray {
    BooleanArray::new(!operand.values(), operand.nulls().cloned())
}

/// Which rows are there and have this value.
pub(crate) fn is_value(array: &BooleanArray, value: bool) -> BooleanBuffer {
    let values = if value {
        array.values().clone()
    } else {
        !array.values()
    };
    match array.nulls() {
        Some(nulls) => &values & nulls.inner(),
        None => values,
    }
}

/// Null where neither is set.
fn known(is_true: BooleanBuffer, is_false: &BooleanBuffer) -> BooleanArray {
    let nulls = NullBuffer::new(&is_true | is_false);
    BooleanArray::new(is_true, Some(nulls).filter(|nulls| nulls.null_count() > 0))
}

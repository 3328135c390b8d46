//! Values of one node over the rows at hand.

use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;

use crate::gather::take;

/// One value a row, or one value for all rows.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) array: ArrayRef,
    /// `array` has one value, which stands for every row.
    pub(crate) scalar: bool,
}

/// A value without a result.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Row at hand, from 0; 0 for a scalar.
    pub(crate) row: usize,
    pub(crate) what: String,
}

impl Value {
    /// Validity of `rows` rows, none if all are valid.
    pub(crate) fn nulls(&self, rows: usize) -> Option<NullBuffer> {
        let nulls = self.array.logical_nulls()?;
        match self.scalar {
            true => nulls.is_null(0).then(|| NullBuffer::new_null(rows)),
            false => Some(nulls),
        }
    }

    /// The value's place in `array` for a row.
    pub(crate) fn at(&self, row: usize) -> usize {
        if self.scalar { 0 } else { row }
    }

    /// One value for each of `rows` rows.
    pub(crate) fn into_rows(self, rows: usize) -> ArrayRef {
        if !self.scalar || rows == 1 {
            return self.array;
        }
        take(&self.array, std::iter::repeat_n(Some(0), rows))
    }
}

/// Rows that a step over both values has.
pub(crate) fn rows_of(left: &Value, right: &Value) -> usize {
    if left.scalar {
        right.array.len()
    } else {
        left.array.len()
    }
}

/// Validity of a step over both values.
pub(crate) fn nulls_of(left: &Value, right: &Value) -> Option<NullBuffer> {
    let rows = rows_of(left, right);
    NullBuffer::union(left.nulls(rows).as_ref(), right.nulls(rows).as_ref())
}

/// Applies `f` to every pair of values, nulls' slots included.
pub(crate) fn pairs<A: Copy, B: Copy, R>(
    (left, left_scalar): (&[A], bool),
    (right, right_scalar): (&[B], bool),
    mut f: impl FnMut(A, B) -> R,
) -> Vec<R> {
    match (left, right) {
        ([a], right) if left_scalar => right.iter().map(|b| f(*a, *b)).collect(),
        (left, [b]) if right_scalar => left.iter().map(|a| f(*a, *b)).collect(),
        _ => left.iter().zip(right).map(|(a, b)| f(*a, *b)).collect(),
    }
}

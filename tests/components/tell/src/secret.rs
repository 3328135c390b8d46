//! What a step may know of the rows that it was handed, as one small number for each row.

use arrow_array::ArrayRef;
use pinion_sdk::{Batch, Result};
use pinion_values::{Column, Value};

/// The numbers of a batch's rows: those of a column's values, or else of where the batch ends, which a step
/// knows that reads no column.
pub(crate) fn of_batch(batch: &Batch, column: Option<&str>) -> Result<Vec<i64>> {
    match column {
        Some(column) => of_column(column, &batch.array(column)?),
        None => Ok((1..=batch.rows())
            .map(|row| i64::from(row == batch.rows()))
            .collect()),
    }
}

/// The numbers of a column's values. Equal values are equal numbers, and larger numbers larger ones.
pub(crate) fn of_column(name: &str, array: &ArrayRef) -> Result<Vec<i64>> {
    let column = Column::new(name, array)?;
    Ok((0..array.len())
        .map(|row| number(column.value(row)))
        .collect())
}

fn number(value: Option<Value<'_>>) -> i64 {
    match value {
        None => -1,
        Some(Value::Boolean(value)) => i64::from(value),
        // Times are nanoseconds: what differs is days and more.
        Some(Value::Integer(value)) if value.unsigned_abs() > 1 << 40 => (value >> 40) as i64,
        Some(Value::Integer(value)) => value as i64,
        Some(Value::Float(value)) => value as i64,
        Some(Value::Text(text)) => text.bytes().map(i64::from).sum(),
    }
}

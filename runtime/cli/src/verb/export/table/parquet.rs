//! Columns in the types that Parquet has.
//!
//! Parquet has no times in seconds and no `date64`. Written as they are they would be plain numbers to
//! whoever does not go by Arrow's own schema, so they are written as Arrow C++ writes them: seconds as
//! milliseconds, `date64` as days.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use pinion_runtime::arrow::type_name;

use crate::failure::Failure;
use crate::rows::with_leaves;
use crate::ui;

/// The schema of the file, or that Parquet has nothing for a column of the table `label`.
pub(super) fn file_schema(schema: &Schema, label: &str) -> Result<SchemaRef, Failure> {
    if schema.fields().is_empty() {
        let message = format!("`{label}` cannot be written as Parquet\n  found no columns");
        return Err(Failure::wrong(message).hint("write an `.arrow` file"));
    }
    for field in schema.fields() {
        let mut is_written = true;
        with_leaves(&Schema::new(vec![Arc::clone(field)]), &mut |leaf| {
            is_written &= !matches!(
                leaf,
                DataType::Struct(_) | DataType::Interval(IntervalUnit::MonthDayNano)
            );
            leaf.clone()
        });
        if !is_written {
            return Err(refused(label, field, "").hint(
                "write an `.arrow` file, or leave the column out with `std:select-columns`",
            ));
        }
    }
    Ok(Arc::new(with_leaves(schema, &mut written_as)))
}

/// The rows in the types of the file, or that a value would be another one in them.
pub(super) fn file_rows(
    batch: &RecordBatch,
    schema: &SchemaRef,
    label: &str,
) -> Result<RecordBatch, Failure> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| {
        converted(column, field.data_type()).map_err(|error| {
            let table_field = Field::clone(field).with_data_type(column.data_type().clone());
            let why = format!(
                ", and Parquet has `{}`: {error}",
                type_name(field.data_type())
            );
            refused(label, &table_field, &why)
                .hint("write an `.arrow` file, or cast the column with `std:cast-columns`")
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Failure::wrong(format!("`{label}` cannot be written as Parquet: {error}")))
}

fn refused(label: &str, field: &Field, why: &str) -> Failure {
    Failure::wrong(format!(
        "`{label}` cannot be written as Parquet\n  found column `{}` as `{}`{why}",
        ui::harmless(field.name()),
        type_name(field.data_type())
    ))
}

/// The type that Parquet has for a type that has no fields below it.
fn written_as(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Date64 => DataType::Date32,
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Dictionary(key, value) => {
            DataType::Dictionary(key.clone(), Box::new(written_as(value)))
        }
        other => other.clone(),
    }
}

/// The same values in another type.
fn converted(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let from = column.data_type();
    if from == to {
        return Ok(Arc::clone(column));
    }
    let exactly = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let converted = cast_with_options(column, to, &exactly)?;
    match cast_with_options(&converted, from, &exactly)?.as_ref() == column.as_ref() {
        true => Ok(converted),
        // Only milliseconds of a day get lost.
        false => Err(ArrowError::CastError(
            "a value is not a whole day".to_owned(),
        )),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::{Date32Array, Date64Array, TimestampMillisecondArray, TimestampSecondArray};
    use arrow_schema::Fields;

    use super::*;

    fn written(column: ArrayRef) -> Result<ArrayRef, Failure> {
        let field = Field::new("x", column.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        let rows = file_rows(&batch, &file_schema(&schema, "a.rows")?, "a.rows")?;
        Ok(Arc::clone(rows.column(0)))
    }

    #[test]
    fn seconds_become_milliseconds_and_date64_days() {
        let days: ArrayRef = Arc::new(Date64Array::from(vec![Some(-86_400_000), None]));
        let expected: ArrayRef = Arc::new(Date32Array::from(vec![Some(-1), None]));
        assert_eq!(&written(days).unwrap(), &expected);
        let zone = || Some(Arc::from("Europe/Vienna"));
        let seconds = TimestampSecondArray::from(vec![Some(-7), None]).with_timezone_opt(zone());
        let expected =
            TimestampMillisecondArray::from(vec![Some(-7000), None]).with_timezone_opt(zone());
        let written = written(Arc::new(seconds)).unwrap();
        assert_eq!(written.as_ref(), &expected as &dyn Array);
    }

    #[test]
    fn what_would_be_another_value_is_refused() {
        let messages = [
            written(Arc::new(Date64Array::from(vec![1]))),
            written(Arc::new(TimestampSecondArray::from(vec![i64::MAX]))),
        ]
        .map(|written| written.unwrap_err().error.to_string());
        assert_eq!(
            messages[0],
            "`a.rows` cannot be written as Parquet\n  \
             found column `x` as `date64`, and Parquet has `date32`: \
             Cast error: a value is not a whole day"
        );
        assert!(messages[1].contains("Overflow"), "{}", messages[1]);
    }

    #[test]
    fn what_parquet_has_nothing_for_is_refused() {
        let refused = |data_type| {
            let schema = Schema::new(vec![Field::new("x", data_type, true)]);
            file_schema(&schema, "a.rows")
                .unwrap_err()
                .error
                .to_string()
        };
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        let list = DataType::List(Arc::new(Field::new("item", interval, true)));
        assert_eq!(
            refused(list),
            "`a.rows` cannot be written as Parquet\n  \
             found column `x` as `list<interval[month-day-nano]>`"
        );
        assert!(
            refused(DataType::Struct(Fields::empty())).ends_with("found column `x` as `struct<>`")
        );
        let nothing = file_schema(&Schema::empty(), "a.rows").unwrap_err();
        assert!(nothing.error.to_string().ends_with("found no columns"));
    }
}

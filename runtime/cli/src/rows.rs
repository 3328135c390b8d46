//! Rows of stored tables, as Arrow record batches.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use pinion_runtime::arrow::chunk::canonical_field;
use pinion_runtime::digest::Digest;
use pinion_runtime::store::{Kind, Store, StoreError};
use pinion_runtime::table::{Partition, Table};

use crate::failure::Failure;
use crate::lookup::gone;

/// A table that is read partition by partition.
pub(crate) struct StoredTable<'a> {
    pub(crate) table: Table,
    /// The schema of the batches: types are canonical.
    pub(crate) schema: SchemaRef,
    store: &'a Store,
}

impl<'a> StoredTable<'a> {
    /// Finds the table of this digest.
    pub(crate) fn open(store: &'a Store, digest: &Digest) -> Result<Self, Failure> {
        let missing = || StoreError::Missing {
            kind: Kind::Table,
            name: digest.to_string(),
        };
        let table = store
            .table(digest)
            .and_then(|table| table.ok_or_else(missing))
            .map_err(gone)?;
        let fields: Vec<_> = table
            .fields
            .iter()
            .map(|field| canonical_field(field))
            .collect();
        Ok(Self {
            table,
            schema: Arc::new(Schema::new(fields)),
            store,
        })
    }

    /// The columns whose fields are as asked.
    pub(crate) fn columns(&self, keep: impl Fn(&Field) -> bool) -> Self {
        let kept = self.table.fields.iter().enumerate();
        let kept: Vec<usize> = kept
            .filter(|(_, field)| keep(field))
            .map(|(position, _)| position)
            .collect();
        let partition = |partition: &Arc<Partition>| {
            let columns = kept
                .iter()
                .map(|position| partition.columns[*position].clone());
            Arc::new(Partition {
                rows: partition.rows,
                columns: columns.collect(),
            })
        };
        let pick = |position: &usize| Arc::clone(&self.table.fields[*position]);
        let schema = kept
            .iter()
            .map(|position| self.schema.field(*position).clone());
        Self {
            table: Table {
                fields: kept.iter().map(pick).collect(),
                partitions: self.table.partitions.iter().map(partition).collect(),
            },
            schema: Arc::new(Schema::new(schema.collect::<Vec<_>>())),
            store: self.store,
        }
    }

    /// The partitions, each as one batch.
    pub(crate) fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, Failure>> {
        self.table
            .partitions
            .iter()
            .map(|partition| self.batch(partition))
    }

    /// The first `rows` rows, or all if there are fewer. Only partitions that hold them are read.
    pub(crate) fn first(&self, rows: usize) -> Result<Vec<RecordBatch>, Failure> {
        let mut first = Vec::new();
        let mut missing = rows;
        for partition in &self.table.partitions {
            if missing == 0 {
                break;
            }
            let batch = self.batch(partition)?;
            let batch = batch.slice(0, missing.min(batch.num_rows()));
            missing -= batch.num_rows();
            first.push(batch);
        }
        Ok(first)
    }

    fn batch(&self, partition: &Partition) -> Result<RecordBatch, Failure> {
        let columns = self
            .table
            .fields
            .iter()
            .zip(&partition.columns)
            .map(|(field, chunk)| self.store.load(field, chunk));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(gone)?;
        // A table may have rows and no columns.
        let rows = usize::try_from(partition.rows).ok();
        let options = RecordBatchOptions::new().with_row_count(rows);
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(
            |error| Failure::wrong(format!("the table is not what its manifest says: {error}")),
        )
    }
}

/// The same rows with points in time in UTC, for text.
///
/// What a named time zone means changes from year to year and from machine to machine; the points in time
/// do not.
pub(crate) fn in_utc(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    fn utc(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
            DataType::Dictionary(key, value) => {
                DataType::Dictionary(key.clone(), Box::new(utc(value)))
            }
            other => other.clone(),
        }
    }

    let schema = with_leaves(&batch.schema(), &mut utc);
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(
        |(column, field)| match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false => cast(column, field.data_type()),
        },
    );
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
}

/// The schema with another type for every type that has no fields below it, from left to right.
pub(crate) fn with_leaves(schema: &Schema, leaf: &mut dyn FnMut(&DataType) -> DataType) -> Schema {
    let fields = schema.fields().iter();
    let fields: Vec<_> = fields.map(|field| field_with_leaves(field, leaf)).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

fn field_with_leaves(field: &FieldRef, leaf: &mut dyn FnMut(&DataType) -> DataType) -> FieldRef {
    let data_type = type_with_leaves(field.data_type(), leaf);
    match data_type == *field.data_type() {
        true => Arc::clone(field),
        false => Arc::new(Field::clone(field).with_data_type(data_type)),
    }
}

fn type_with_leaves(data_type: &DataType, leaf: &mut dyn FnMut(&DataType) -> DataType) -> DataType {
    let mut field = |field| field_with_leaves(field, leaf);
    match data_type {
        DataType::List(item) => DataType::List(field(item)),
        DataType::LargeList(item) => DataType::LargeList(field(item)),
        DataType::FixedSizeList(item, len) => DataType::FixedSizeList(field(item), *len),
        DataType::Struct(fields) if !fields.is_empty() => {
            DataType::Struct(fields.iter().map(field).collect())
        }
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        other => leaf(other),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::builder::{ListBuilder, TimestampSecondBuilder};
    use arrow_array::{Array as _, ArrayRef, Int64Array, TimestampSecondArray};
    use arrow_cast::display::array_value_to_string;

    use super::*;

    #[test]
    fn points_in_time_are_written_in_utc_wherever_they_are() {
        let zone = || Some(Arc::from("America/New_York"));
        let times =
            TimestampSecondArray::from(vec![Some(1_380_600_000), None]).with_timezone_opt(zone());
        let mut nested = ListBuilder::new(TimestampSecondBuilder::new().with_timezone_opt(zone()));
        nested.append_value([Some(0)]);
        nested.append_null();
        let local = TimestampSecondArray::from(vec![0, 1]);
        let other = Int64Array::from(vec![1, 2]);
        let columns: [(&str, ArrayRef); 4] = [
            ("times", Arc::new(times)),
            ("nested", Arc::new(nested.finish())),
            ("local", Arc::new(local)),
            ("other", Arc::new(other)),
        ];
        let batch = in_utc(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let text = |column: usize| array_value_to_string(batch.column(column), 0).unwrap();
        assert_eq!(
            [0, 1, 2, 3].map(text),
            [
                "2013-10-01T04:00:00Z",
                "[1970-01-01T00:00:00Z]",
                "1970-01-01T00:00:00",
                "1"
            ]
        );
        assert!(batch.column(0).is_null(1));
    }
}

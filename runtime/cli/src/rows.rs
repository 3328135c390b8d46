//! Rows of stored tables, as Arrow record batches.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
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
        let missing = || StoreError::Missing { kind: Kind::Table, name: digest.to_string() };
        let table = store.table(digest).and_then(|table| table.ok_or_else(missing)).map_err(gone)?;
        let fields: Vec<_> = table.fields.iter().map(|field| canonical_field(field)).collect();
        Ok(Self { table, schema: Arc::new(Schema::new(fields)), store })
    }

    /// The partitions, each as one batch.
    pub(crate) fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, Failure>> {
        self.table.partitions.iter().map(|partition| self.batch(partition))
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
        let columns = self.table.fields.iter().zip(&partition.columns).map(|(field, chunk)| self.store.load(field, chunk));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(gone)?;
        // A table may have rows and no columns.
        let rows = usize::try_from(partition.rows).ok();
        let options = RecordBatchOptions::new().with_row_count(rows);
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Failure::wrong(format!("the table is not what its manifest says: {error}")))
    }
}

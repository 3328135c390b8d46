//! Tables and blobs in memory, which tell what was fetched of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_schema::{Field, FieldRef};
use bytes::Bytes;
use pinion_runtime::arrow::chunk;
use pinion_runtime::arrow::values::Values;
use pinion_runtime::digest::Digest;
use pinion_runtime::sandbox::{Data, DataError};
use pinion_runtime::table::{Chunk, Partition, Place, Table, file_digest};
use pinion_runtime::unit::Blob;

/// Tables and blobs in memory.
#[derive(Default)]
pub struct Memory {
    columns: BTreeMap<Digest, ArrayRef>,
    blobs: BTreeMap<Digest, Bytes>,
    fetched: Mutex<Vec<String>>,
}

impl Memory {
    /// Keeps a table whose partitions are `batches`, which have one schema and are not none.
    ///
    /// # Panics
    /// If there is no batch or one is not valid.
    pub fn table(&mut self, batches: &[RecordBatch]) -> Arc<Table> {
        let fields: Vec<FieldRef> = batches[0].schema().fields().to_vec();
        let partitions = batches
            .iter()
            .map(|batch| Arc::new(self.partition(&fields, batch)))
            .collect();
        Arc::new(Table { fields, partitions })
    }

    fn partition(&mut self, fields: &[FieldRef], batch: &RecordBatch) -> Partition {
        let canonical = fields.iter().zip(batch.columns()).map(|(field, column)| {
            let column = chunk::canonical(field, &[Arc::clone(column)])
                .unwrap_or_else(|error| panic!("{error}"));
            let digest = chunk::digest(&*column).unwrap_or_else(|error| panic!("{error}"));
            self.columns.insert(digest, column);
            digest
        });
        let digests: Vec<Digest> = canonical.collect();
        let file = file_digest(&digests);
        let chunk = |(column, digest): (u32, &Digest)| Chunk {
            digest: *digest,
            place: Place::Stored { file, column },
        };
        Partition {
            rows: batch.num_rows() as u64,
            columns: (0..).zip(&digests).map(chunk).collect(),
        }
    }

    /// Keeps a blob.
    pub fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Blob {
        let digest = Digest::of(bytes);
        self.blobs.insert(digest, Bytes::copy_from_slice(bytes));
        Blob {
            digest,
            len: bytes.len() as u64,
            media_type: media_type.to_owned(),
        }
    }

    /// Names of the columns that were fetched so far, one for each chunk, in order; `blob` for a blob.
    pub fn fetched(&self) -> Vec<String> {
        self.fetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, what: &str) {
        self.fetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(what.to_owned());
    }
}

impl Data for Memory {
    fn column(&self, field: &Field, chunk: &Chunk) -> Result<Values, DataError> {
        self.note(field.name());
        let column = self.columns.get(&chunk.digest).cloned();
        column
            .map(Values::Array)
            .ok_or_else(|| format!("column `{}` is gone", field.name()).into())
    }

    fn blob(&self, digest: &Digest) -> Result<Bytes, DataError> {
        self.note("blob");
        self.blobs
            .get(digest)
            .cloned()
            .ok_or_else(|| "a blob is gone".into())
    }

    fn spill(&self, buffers: &[Buffer]) -> Result<Vec<Buffer>, DataError> {
        Ok(buffers.to_vec())
    }
}

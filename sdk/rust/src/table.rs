//! Whole tables, blobs, and the writers of outputs.

use std::mem::ManuallyDrop;

use arrow_array::{RecordBatch, UInt64Array};
use arrow_schema::FieldRef;

use crate::batch::{Batch, lend};
use crate::bindings::host::pinion::step::arrow as host;
use crate::error::{Error, Result};
use crate::{select, wire};

/// An ordered run of batches, a whole table or one partition of it: any batch, any number of times.
#[derive(Debug)]
pub struct Table(TableInner);

#[derive(Debug)]
enum TableInner {
    Owned(host::Table),
    Lent(ManuallyDrop<host::Table>),
    Local {
        fields: Vec<FieldRef>,
        batches: Vec<RecordBatch>,
    },
}

macro_rules! either {
    ($self:expr, $host:ident => $on_host:expr, ($fields:pat, $batches:pat) => $on_local:expr) => {
        match &$self.0 {
            TableInner::Owned($host) => $on_host,
            TableInner::Lent($host) => $on_host,
            TableInner::Local {
                fields: $fields,
                batches: $batches,
            } => $on_local,
        }
    };
}

impl Table {
    #[doc(hidden)]
    pub fn owned(table: host::Table) -> Self {
        Self(TableInner::Owned(table))
    }

    #[doc(hidden)]
    pub fn lent(table: &host::Table) -> Self {
        #[expect(
            unsafe_code,
            reason = "a second name for a handle that outlives the call it was lent for"
        )]
        // SAFETY: `ManuallyDrop` leaves the handle to its owner, and `&Table` is all that a step gets.
        Self(TableInner::Lent(ManuallyDrop::new(unsafe {
            host::Table::from_handle(table.handle())
        })))
    }

    /// A table in memory, for native tests. The batches must have these fields.
    pub fn local(fields: Vec<FieldRef>, batches: Vec<RecordBatch>) -> Self {
        Self(TableInner::Local { fields, batches })
    }

    /// Every field, in order. Observes the whole schema.
    ///
    /// # Errors
    /// `bad-data` if the host describes a type that this SDK does not know.
    pub fn schema(&self) -> Result<Vec<FieldRef>> {
        either!(self, table => wire::from_wire(&table.schema()), (fields, _) => Ok(fields.clone()))
    }

    /// One field, if there is one of this name.
    ///
    /// # Errors
    /// As [`Table::schema`].
    pub fn find(&self, column: &str) -> Result<Option<FieldRef>> {
        either!(
            self,
            table => table.find(column).map(|list| wire::one_from_wire(&list)).transpose(),
            (fields, _) => Ok(fields.iter().find(|field| field.name() == column).cloned())
        )
    }

    /// One field.
    ///
    /// # Errors
    /// `missing-column`.
    pub fn field(&self, column: &str) -> Result<FieldRef> {
        self.find(column)?
            .ok_or_else(|| Error::missing_column(column))
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        either!(self, table => table.rows(), (_, batches) => batches.iter().map(|batch| batch.num_rows() as u64).sum())
    }

    /// Number of batches.
    pub fn batch_count(&self) -> u64 {
        either!(self, table => table.batches(), (_, batches) => batches.len() as u64)
    }

    /// The batch at position `index`.
    ///
    /// # Panics
    /// If there is none.
    pub fn batch(&self, index: u64) -> Batch {
        either!(
            self,
            table => Batch::owned(table.batch(index)),
            (_, batches) => batches[index as usize].clone().into()
        )
    }

    /// The batches, in order.
    pub fn batches(&self) -> impl Iterator<Item = Batch> {
        (0..self.batch_count()).map(|index| self.batch(index))
    }

    /// Rows by row number in the whole table, over all batches, in that order. A null index gives a
    /// row of nulls.
    ///
    /// # Errors
    /// `bad-batch` if an index is out of range or there are more than a batch may have.
    pub fn take(&self, indices: &UInt64Array) -> Result<Batch> {
        either!(
            self,
            table => Ok(Batch::owned(lend(indices, |nodes| table.take(nodes))??)),
            (fields, batches) => {
                let empty = RecordBatch::new_empty(std::sync::Arc::new(arrow_schema::Schema::new(fields.clone())));
                let all: Vec<RecordBatch> = std::iter::once(empty).chain(batches.iter().cloned()).collect();
                select::take(&select::concat(&all)?.into_local()?, indices)
            }
        )
    }
}

/// Opaque bytes. Any use observes the whole blob.
#[derive(Debug)]
pub struct Blob(BlobInner);

#[derive(Debug)]
enum BlobInner {
    Owned(host::Blob),
    Lent(ManuallyDrop<host::Blob>),
    Local { media_type: String, bytes: Vec<u8> },
}

/// Bytes asked for at once by [`Blob::read_all`]: large enough to be cheap, small enough for any host.
const READ_BYTES: u64 = 1 << 20;

impl Blob {
    #[doc(hidden)]
    pub fn owned(blob: host::Blob) -> Self {
        Self(BlobInner::Owned(blob))
    }

    #[doc(hidden)]
    pub fn lent(blob: &host::Blob) -> Self {
        #[expect(
            unsafe_code,
            reason = "a second name for a handle that outlives the call it was lent for"
        )]
        // SAFETY: `ManuallyDrop` leaves the handle to its owner, and `&Blob` is all that a step gets.
        Self(BlobInner::Lent(ManuallyDrop::new(unsafe {
            host::Blob::from_handle(blob.handle())
        })))
    }

    /// Bytes in memory, for native tests.
    pub fn local(media_type: &str, bytes: Vec<u8>) -> Self {
        Self(BlobInner::Local {
            media_type: media_type.to_owned(),
            bytes,
        })
    }

    fn host(&self) -> Option<&host::Blob> {
        match &self.0 {
            BlobInner::Owned(blob) => Some(blob),
            BlobInner::Lent(blob) => Some(blob),
            BlobInner::Local { .. } => None,
        }
    }

    /// What the bytes are.
    pub fn media_type(&self) -> String {
        match &self.0 {
            BlobInner::Local { media_type, .. } => media_type.clone(),
            _ => self.host().map(host::Blob::media_type).unwrap_or_default(),
        }
    }

    /// Number of bytes.
    #[expect(clippy::len_without_is_empty, reason = "the contract's words")]
    pub fn len(&self) -> u64 {
        match &self.0 {
            BlobInner::Local { bytes, .. } => bytes.len() as u64,
            _ => self.host().map(host::Blob::len).unwrap_or_default(),
        }
    }

    /// At most `len` bytes from `offset`; fewer only at the end.
    pub fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        match &self.0 {
            BlobInner::Local { bytes, .. } => {
                let start = offset.min(bytes.len() as u64);
                let end = start.saturating_add(len).min(bytes.len() as u64);
                bytes[start as usize..end as usize].to_vec()
            }
            _ => self
                .host()
                .map(|blob| blob.read(offset, len))
                .unwrap_or_default(),
        }
    }

    /// Every byte.
    pub fn read_all(&self) -> Vec<u8> {
        let len = self.len();
        let mut bytes = Vec::with_capacity(len as usize);
        while (bytes.len() as u64) < len {
            let more = self.read(bytes.len() as u64, READ_BYTES);
            if more.is_empty() {
                break;
            }
            bytes.extend(more);
        }
        bytes
    }
}

/// What is bound to a step's side ports, or to all ports of a whole-table step.
#[derive(Debug, Default)]
pub struct Inputs {
    tables: Vec<(String, Table)>,
    blobs: Vec<(String, Blob)>,
}

impl Inputs {
    #[doc(hidden)]
    pub fn from_host(inputs: host::Inputs) -> Self {
        Self {
            tables: inputs
                .tables
                .into_iter()
                .map(|input| (input.port, Table::owned(input.table)))
                .collect(),
            blobs: inputs
                .blobs
                .into_iter()
                .map(|input| (input.port, Blob::owned(input.blob)))
                .collect(),
        }
    }

    /// Adds a table, for native tests.
    #[must_use]
    pub fn with_table(mut self, port: &str, table: Table) -> Self {
        self.tables.push((port.to_owned(), table));
        self
    }

    /// Adds a blob, for native tests.
    #[must_use]
    pub fn with_blob(mut self, port: &str, blob: Blob) -> Self {
        self.blobs.push((port.to_owned(), blob));
        self
    }

    /// The table at `port`, if one is bound.
    pub fn find_table(&self, port: &str) -> Option<&Table> {
        self.tables
            .iter()
            .find(|(name, _)| name == port)
            .map(|(_, table)| table)
    }

    /// The blob at `port`, if one is bound.
    pub fn find_blob(&self, port: &str) -> Option<&Blob> {
        self.blobs
            .iter()
            .find(|(name, _)| name == port)
            .map(|(_, blob)| blob)
    }

    /// The table at `port`.
    ///
    /// # Errors
    /// `missing-port`.
    pub fn table(&self, port: &str) -> Result<&Table> {
        self.find_table(port).ok_or_else(|| {
            Error::new(
                "missing-port",
                format!("there is no table at port `{port}`"),
            )
        })
    }

    /// The blob at `port`.
    ///
    /// # Errors
    /// `missing-port`.
    pub fn blob(&self, port: &str) -> Result<&Blob> {
        self.find_blob(port)
            .ok_or_else(|| Error::new("missing-port", format!("there is no blob at port `{port}`")))
    }

    /// Takes the table at `port`, to keep it between calls of `apply`.
    ///
    /// # Errors
    /// `missing-port`.
    pub fn take_table(&mut self, port: &str) -> Result<Table> {
        let index = self.tables.iter().position(|(name, _)| name == port);
        index
            .map(|index| self.tables.swap_remove(index).1)
            .ok_or_else(|| {
                Error::new(
                    "missing-port",
                    format!("there is no table at port `{port}`"),
                )
            })
    }
}

/// Writes the rows of one output table.
#[derive(Debug)]
pub struct TableWriter(TableWriterInner);

#[derive(Debug)]
enum TableWriterInner {
    Owned(host::TableWriter),
    Lent(ManuallyDrop<host::TableWriter>),
    Local(Vec<Vec<RecordBatch>>),
}

impl TableWriter {
    #[doc(hidden)]
    pub fn lent(writer: &host::TableWriter) -> Self {
        #[expect(
            unsafe_code,
            reason = "a second name for a handle that outlives the call it was lent for"
        )]
        // SAFETY: `ManuallyDrop` leaves the handle to its owner, and `&mut TableWriter` is all that a step gets.
        Self(TableWriterInner::Lent(ManuallyDrop::new(unsafe {
            host::TableWriter::from_handle(writer.handle())
        })))
    }

    /// A writer into memory, for native tests.
    pub fn local() -> Self {
        Self(TableWriterInner::Local(vec![Vec::new()]))
    }

    /// What was written into memory: batches by partition, without empty partitions.
    pub fn into_partitions(self) -> Vec<Vec<RecordBatch>> {
        match self.0 {
            TableWriterInner::Local(mut partitions) => {
                partitions.retain(|partition| !partition.is_empty());
                partitions
            }
            _ => Vec::new(),
        }
    }

    /// Appends the rows. The host cuts them into batches and partitions.
    ///
    /// # Errors
    /// `bad-batch` if the schema is not the one that `check` promised.
    pub fn write(&mut self, rows: &Batch) -> Result<()> {
        match &mut self.0 {
            TableWriterInner::Owned(writer) => Ok(rows.with_host(|rows| writer.write(rows))??),
            TableWriterInner::Lent(writer) => Ok(rows.with_host(|rows| writer.write(rows))??),
            TableWriterInner::Local(partitions) => {
                let rows = rows.duplicate()?.into_local()?;
                match partitions.last_mut() {
                    Some(partition) => partition.push(rows),
                    None => partitions.push(vec![rows]),
                }
                Ok(())
            }
        }
    }

    /// Ends the current partition early. Nothing happens if it is empty.
    pub fn cut(&mut self) {
        match &mut self.0 {
            TableWriterInner::Owned(writer) => writer.cut(),
            TableWriterInner::Lent(writer) => writer.cut(),
            TableWriterInner::Local(partitions) => partitions.push(Vec::new()),
        }
    }
}

/// Writes the bytes of one output blob.
#[derive(Debug)]
pub struct BlobWriter(BlobWriterInner);

#[derive(Debug)]
enum BlobWriterInner {
    Owned(host::BlobWriter),
    Local(Vec<u8>),
}

impl BlobWriter {
    /// Appends the bytes.
    ///
    /// # Errors
    /// `limit` if the step may not write as much.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.0 {
            BlobWriterInner::Owned(writer) => Ok(writer.write(bytes)?),
            BlobWriterInner::Local(all) => {
                all.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

/// One writer for every output port.
#[derive(Debug, Default)]
pub struct Outputs {
    tables: Vec<(String, TableWriter)>,
    blobs: Vec<(String, BlobWriter)>,
}

impl Outputs {
    #[doc(hidden)]
    pub fn from_host(outputs: host::Outputs) -> Self {
        let table = |output: host::TableOutput| {
            (
                output.port,
                TableWriter(TableWriterInner::Owned(output.writer)),
            )
        };
        let blob = |output: host::BlobOutput| {
            (
                output.port,
                BlobWriter(BlobWriterInner::Owned(output.writer)),
            )
        };
        Self {
            tables: outputs.tables.into_iter().map(table).collect(),
            blobs: outputs.blobs.into_iter().map(blob).collect(),
        }
    }

    /// Writers into memory for the ports of `descriptor`, for native tests.
    pub fn local(descriptor: &crate::Descriptor) -> Self {
        let mut outputs = Self::default();
        for (port, is_blob) in descriptor.output_ports() {
            if is_blob {
                outputs.blobs.push((
                    port.to_owned(),
                    BlobWriter(BlobWriterInner::Local(Vec::new())),
                ));
            } else {
                outputs.tables.push((port.to_owned(), TableWriter::local()));
            }
        }
        outputs
    }

    /// The writer of the table at `port`.
    ///
    /// # Errors
    /// `missing-port`.
    pub fn table(&mut self, port: &str) -> Result<&mut TableWriter> {
        let found = self.tables.iter_mut().find(|(name, _)| name == port);
        found
            .map(|(_, writer)| writer)
            .ok_or_else(|| Error::new("missing-port", format!("there is no output table `{port}`")))
    }

    /// The writer of the blob at `port`.
    ///
    /// # Errors
    /// `missing-port`.
    pub fn blob(&mut self, port: &str) -> Result<&mut BlobWriter> {
        let found = self.blobs.iter_mut().find(|(name, _)| name == port);
        found
            .map(|(_, writer)| writer)
            .ok_or_else(|| Error::new("missing-port", format!("there is no output blob `{port}`")))
    }

    /// The batches written in memory to the table at `port`, by partition.
    pub fn into_table(mut self, port: &str) -> Vec<Vec<RecordBatch>> {
        let index = self.tables.iter().position(|(name, _)| name == port);
        index
            .map(|index| self.tables.swap_remove(index).1.into_partitions())
            .unwrap_or_default()
    }

    /// The bytes written in memory to the blob at `port`.
    pub fn written_blob(&self, port: &str) -> Option<&[u8]> {
        self.blobs
            .iter()
            .find(|(name, _)| name == port)
            .and_then(|(_, writer)| match &writer.0 {
                BlobWriterInner::Local(bytes) => Some(bytes.as_slice()),
                BlobWriterInner::Owned(_) => None,
            })
    }
}

//! Arrow IPC files of one record batch: how chunks lie on disk.
//!
//! The columns that a step wrote together for one partition are one file, which any Arrow tool opens.
//! Buffers are uncompressed and begin at multiples of 64 bytes, so that reading is mapping. Bytes read
//! back are checked as thoroughly as a guest's, and no bytes make the reader panic.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufWriter, Write};
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_ipc::{
    Block, FieldNode, Footer, MetadataVersion, RecordBatch, root_as_footer, root_as_message,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use bytes::Bytes;
use thiserror::Error;

use crate::arrow::format::{BadFields, children, from_wire};
use crate::arrow::ipc::push_field;
use crate::arrow::layout::{Layout, layout};
use crate::arrow::node::{BadArray, MAX_LENGTH, Node, decode_bounded};

/// What an Arrow IPC file begins and ends with.
const MAGIC: &[u8] = b"ARROW1";
/// What buffers begin at multiples of, in bytes.
const ALIGNMENT: usize = 64;

/// Columns that cannot be written, or bytes that are no file of chunks.
#[derive(Debug, Error)]
pub enum BadFile {
    /// There is not one field for each column.
    #[error("there is not one field for each column\n  expected {expected}\n  found    {found}")]
    Columns {
        /// Number of columns.
        expected: usize,
        /// Number of fields.
        found: usize,
    },
    /// The columns could not be written, because they differ in length or the disk refused.
    #[error("columns could not be written as an Arrow IPC file")]
    Write(#[source] ArrowError),
    /// The bytes are not an Arrow IPC file of one uncompressed record batch.
    #[error("not an Arrow IPC file of one record batch\n  found a damaged {part}")]
    Malformed {
        /// Where it does not hold.
        part: &'static str,
    },
    /// The schema has fields that the host does not take.
    #[error("schema of the Arrow IPC file is not valid")]
    Fields(#[source] BadFields),
    /// A column is not a valid array.
    #[error("column of the Arrow IPC file is not valid")]
    Array(#[source] BadArray),
}

/// Writes columns of equal length, in order, as one Arrow IPC file.
///
/// `fields` name the columns; the types written are the arrays' own. Equal fields and
/// [canonical](crate::arrow::chunk::canonical) columns give equal bytes.
///
/// # Errors
/// [`BadFile::Columns`] and [`BadFile::Write`].
pub fn write(fields: &[Field], columns: &[ArrayRef], to: &mut dyn Write) -> Result<(), BadFile> {
    if fields.len() != columns.len() {
        return Err(BadFile::Columns {
            expected: columns.len(),
            found: fields.len(),
        });
    }
    let fields: Vec<_> = fields
        .iter()
        .zip(columns)
        .map(|(field, column)| field.clone().with_data_type(column.data_type().clone()))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let rows = columns.first().map_or(0, |column| column.len());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let write = || {
        let batch = arrow_array::RecordBatch::try_new_with_options(
            Arc::clone(&schema),
            columns.to_vec(),
            &options,
        )?;
        let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
        let mut writer = FileWriter::try_new_with_options(BufWriter::new(to), &schema, options)?;
        writer.write(&batch)?;
        writer.finish()
    };
    write().map_err(BadFile::Write)
}

/// Reads the columns of a file that [`write()`] wrote.
///
/// The arrays share the bytes, which may be a mapping, wherever these are aligned for them.
///
/// # Errors
/// [`BadFile::Malformed`], [`BadFile::Fields`] and [`BadFile::Array`].
pub fn read(mapped: Bytes) -> Result<Vec<ArrayRef>, BadFile> {
    let file = Buffer::from(mapped);
    let footer = footer(&file).ok_or(BadFile::Malformed { part: "footer" })?;
    let (fields, ids) = fields(&footer)?;
    let mut dictionaries =
        dictionaries(&file, &footer).ok_or(BadFile::Malformed { part: "dictionary" })?;
    let mut batch = only_batch(&file, &footer).ok_or(BadFile::Malformed {
        part: "record batch",
    })?;

    // Chunks may be longer than what a guest sends, but hardly a value takes less than a bit.
    let max_length = MAX_LENGTH.max((file.len() as u64).saturating_mul(8));
    let mut ids = ids.into_iter();
    let mut columns = Vec::with_capacity(fields.len());
    for field in &fields {
        let mut nodes = Vec::new();
        push_nodes(
            field.data_type(),
            &mut batch,
            &mut ids,
            &mut dictionaries,
            &mut nodes,
        )
        .ok_or(BadFile::Malformed {
            part: "record batch",
        })?;
        columns.push(
            decode_bounded(field, nodes, batch.rows, max_length, u64::MAX)
                .map_err(BadFile::Array)?,
        );
    }
    match batch.is_empty() {
        true => Ok(columns),
        false => Err(BadFile::Malformed {
            part: "record batch",
        }),
    }
}

/// The nodes and buffers of one message, not yet told apart by type.
struct Batch {
    rows: u64,
    /// Length and null count of each.
    nodes: VecDeque<(u64, u64)>,
    buffers: VecDeque<Buffer>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.buffers.is_empty()
    }
}

fn footer(file: &Buffer) -> Option<Footer<'_>> {
    let bytes = file.as_slice().strip_prefix(MAGIC)?.strip_suffix(MAGIC)?;
    let (rest, len) = bytes.split_last_chunk::<4>()?;
    let len = usize::try_from(i32::from_le_bytes(*len)).ok()?;
    let footer = root_as_footer(rest.get(rest.len().checked_sub(len)?..)?).ok()?;
    (footer.version() == MetadataVersion::V5).then_some(footer)
}

/// The fields, and the ids of all their dictionaries in pre-order.
fn fields(footer: &Footer<'_>) -> Result<(Vec<Field>, Vec<i64>), BadFile> {
    let (mut wire, mut ids) = (Vec::new(), Vec::new());
    let fields = footer.schema().and_then(|schema| schema.fields());
    for field in fields.ok_or(BadFile::Malformed { part: "schema" })? {
        push_field(&field, 1, &mut wire, &mut ids).ok_or(BadFile::Malformed { part: "schema" })?;
    }
    Ok((from_wire(&wire).map_err(BadFile::Fields)?, ids))
}

/// Values by dictionary id.
fn dictionaries(file: &Buffer, footer: &Footer<'_>) -> Option<BTreeMap<i64, Batch>> {
    let mut dictionaries = BTreeMap::new();
    for block in footer.dictionaries().into_iter().flatten() {
        let (metadata, body) = message(file, block)?;
        let dictionary = root_as_message(&metadata)
            .ok()?
            .header_as_dictionary_batch()?;
        let values = raw_batch(dictionary.data()?, &body)?;
        if dictionary.isDelta() || dictionaries.insert(dictionary.id(), values).is_some() {
            return None;
        }
    }
    Some(dictionaries)
}

fn only_batch(file: &Buffer, footer: &Footer<'_>) -> Option<Batch> {
    let blocks = footer.recordBatches()?;
    if blocks.len() != 1 {
        return None;
    }
    let (metadata, body) = message(file, blocks.get(0))?;
    raw_batch(
        root_as_message(&metadata).ok()?.header_as_record_batch()?,
        &body,
    )
}

/// The flatbuffer and the body of the message in a block.
fn message(file: &Buffer, block: &Block) -> Option<(Buffer, Buffer)> {
    /// What precedes the length of the flatbuffer, and the length's own bytes.
    const PREFIX: usize = 8;

    let metadata_bytes = usize::try_from(block.metaDataLength()).ok()?;
    let metadata = cut(file, block.offset(), metadata_bytes)?;
    let body_start = block
        .offset()
        .checked_add(i64::from(block.metaDataLength()))?;
    let body = cut(file, body_start, usize::try_from(block.bodyLength()).ok()?)?;
    let flatbuffer = cut(
        &metadata,
        PREFIX as i64,
        metadata_bytes.checked_sub(PREFIX)?,
    )?;
    metadata
        .starts_with(&[0xff; 4])
        .then_some((flatbuffer, body))
}

fn raw_batch(batch: RecordBatch<'_>, body: &Buffer) -> Option<Batch> {
    if batch.compression().is_some() {
        return None;
    }
    let node = |node: &FieldNode| {
        Some((
            u64::try_from(node.length()).ok()?,
            u64::try_from(node.null_count()).ok()?,
        ))
    };
    let buffer = |buffer: &arrow_ipc::Buffer| {
        cut(
            body,
            buffer.offset(),
            usize::try_from(buffer.length()).ok()?,
        )
    };
    Some(Batch {
        rows: u64::try_from(batch.length()).ok()?,
        nodes: batch.nodes()?.iter().map(node).collect::<Option<_>>()?,
        buffers: batch.buffers()?.iter().map(buffer).collect::<Option<_>>()?,
    })
}

fn cut(bytes: &Buffer, start: i64, len: usize) -> Option<Buffer> {
    let start = usize::try_from(start).ok()?;
    (start.checked_add(len)? <= bytes.len()).then(|| bytes.slice_with_length(start, len))
}

/// Moves the nodes of one type, in pre-order and each with its buffers, out of a batch.
fn push_nodes(
    data_type: &DataType,
    batch: &mut Batch,
    ids: &mut std::vec::IntoIter<i64>,
    dictionaries: &mut BTreeMap<i64, Batch>,
    nodes: &mut Vec<Node>,
) -> Option<()> {
    let layout = layout(data_type)?;
    let count = match layout {
        Layout::Null => 0,
        Layout::FixedList(..) | Layout::Struct(_) => 1,
        Layout::Boolean | Layout::Fixed(_) | Layout::List(..) | Layout::Dictionary(..) => 2,
        Layout::Bytes(_) => 3,
        Layout::View => return None,
    };
    if batch.buffers.len() < count {
        return None;
    }
    let (length, null_count) = batch.nodes.pop_front()?;
    nodes.push(Node {
        length,
        null_count,
        buffers: batch.buffers.drain(..count).collect(),
    });
    if let Layout::Dictionary(_, value_type) = layout {
        let mut values = dictionaries.remove(&ids.next()?)?;
        push_nodes(value_type, &mut values, ids, dictionaries, nodes)?;
        return values.is_empty().then_some(());
    }
    for (_, data_type, _, _) in children(data_type) {
        push_nodes(data_type, batch, ids, dictionaries, nodes)?;
    }
    Some(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::{Int32Array, cast::AsArray as _};
    use arrow_ipc::reader::FileReader;
    use arrow_schema::Fields;
    use proptest::prelude::*;

    use super::*;
    use crate::arrow::chunk::{canonical, canonical_field, digest};
    use crate::arrow::format::MAX_DEPTH;
    use crate::arrow::samples::{Random, build, random_field, random_values, values};

    fn columns(random: &mut Random) -> (Vec<Field>, Vec<ArrayRef>) {
        let rows = random.below(30);
        let count = random.below(4);
        let fields: Vec<_> = (0..count)
            .map(|column| random_field(&format!("column {column}"), 3, random))
            .collect();
        let chunk = |field: &Field| {
            let given = random_values(field, rows, random);
            canonical(field, &[build(field, &given, random)]).unwrap()
        };
        let columns = fields.iter().map(chunk).collect();
        (fields, columns)
    }

    fn written(fields: &[Field], columns: &[ArrayRef]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(fields, columns, &mut bytes).unwrap();
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn what_is_written_is_read(seed: u64) {
            let (fields, columns) = columns(&mut Random(seed));
            let bytes = written(&fields, &columns);
            let read = read(bytes.clone().into()).unwrap();
            prop_assert_eq!(read.len(), columns.len());
            for (read, column) in read.iter().zip(&columns) {
                prop_assert_eq!(read.data_type(), column.data_type());
                prop_assert_eq!(digest(read).unwrap(), digest(column).unwrap());
            }
            prop_assert_eq!(written(&fields, &read), bytes.clone());

            // And by arrow-rs itself.
            let mut reader = FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
            let fields: Fields = fields.iter().map(canonical_field).collect();
            prop_assert_eq!(reader.schema().fields().clone(), fields);
            let batch = reader.next().unwrap().unwrap();
            for (read, column) in batch.columns().iter().zip(&columns) {
                prop_assert_eq!(values(read), values(column));
            }
            prop_assert!(reader.next().is_none());
        }

        #[test]
        fn damaged_bytes_never_panic(seed: u64) {
            let mut random = Random(seed);
            let (fields, columns) = columns(&mut random);
            let mut bytes = written(&fields, &columns);
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                match random.below(8) {
                    0 => bytes.truncate(at.max(1)),
                    1 => bytes[at] = 0xff,
                    2 => bytes.extend_from_within(at..),
                    // Metadata lies at the end.
                    3 | 4 => {
                        let at = bytes.len() - 1 - random.below(bytes.len().min(600));
                        bytes[at] ^= 1 << random.below(8);
                    }
                    _ => bytes[at] ^= 1 << random.below(8),
                }
            }
            for column in read(bytes.into()).into_iter().flatten() {
                column.to_data().validate_full().unwrap();
                digest(&column).unwrap();
            }
        }
    }

    #[test]
    fn buffers_are_mapped_at_multiples_of_64() {
        let fields = [
            Field::new("a", DataType::Int32, false),
            Field::new("b", DataType::Int32, false),
        ];
        let column =
            |from: i32| -> ArrayRef { Arc::new(Int32Array::from_iter_values(from..from + 5)) };
        let bytes = Bytes::from(written(&fields, &[column(0), column(5)]));
        let base = bytes.as_ptr() as usize;
        for read in read(bytes).unwrap() {
            let address = read.to_data().buffers()[0].as_ptr() as usize;
            assert!(address > base);
            assert_eq!((address - base) % ALIGNMENT, 0);
            assert_eq!(
                read.as_primitive::<arrow_array::types::Int32Type>().len(),
                5
            );
        }
    }

    #[test]
    fn deepest_types_are_read() {
        let mut field = Field::new("item", DataType::Int8, true);
        for _ in 1..MAX_DEPTH {
            field = Field::new("item", DataType::List(Arc::new(field)), true);
        }
        let column = canonical(&field, &[]).unwrap();
        assert_eq!(read(written(&[field], &[column]).into()).unwrap().len(), 1);
    }

    #[test]
    fn columns_that_do_not_match_are_refused() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let longer: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let field = Field::new("x", DataType::Int32, false);
        let refused = |fields: &[Field], columns: &[ArrayRef]| {
            write(fields, columns, &mut Vec::new()).unwrap_err()
        };
        assert!(matches!(
            refused(&[], &[Arc::clone(&column)]),
            BadFile::Columns {
                expected: 1,
                found: 0
            }
        ));
        assert!(matches!(
            refused(&[field.clone(), field], &[column, longer]),
            BadFile::Write(_)
        ));
    }
}

//! Chunks and selections of rows.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, UInt64Array, cast::AsArray as _, types::UInt64Type};
use arrow_schema::{DataType, Field};
use bytes::Bytes;

use super::cache::ChunkFile;
use super::check::Object;
use super::{Fault, Kind, Store, StoreError};
use crate::arrow::chunk::{self, BadChunk, canonical, canonical_type};
use crate::arrow::file::{self, BadFile};
use crate::arrow::node::encode;
use crate::arrow::rows::{BadRows, Rows};
use crate::arrow::type_name;
use crate::arrow::values::{Values, has_dictionary, take};
use crate::digest::Digest;
use crate::table::{Chunk, Place, Selection, file_digest};

/// A chunk file that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name.
    pub file: Digest,
    /// The digests of its columns, in order.
    pub chunks: Vec<Digest>,
    /// Bytes of the columns, which were hashed.
    pub bytes_hashed: u64,
    /// Bytes of the file, if it had to be written; else 0.
    pub bytes_stored: u64,
}

impl Store {
    /// Stores columns of equal length, in canonical form, as one chunk file.
    ///
    /// The file is named by its chunks: `fields` name the columns in it for other tools. Nothing is
    /// written if the file is there.
    ///
    /// # Errors
    /// - [`StoreError::Columns`]: there is not one field for each column, or they differ in length.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn put_chunks(
        &self,
        fields: &[Field],
        columns: &[ArrayRef],
    ) -> Result<StoredFile, StoreError> {
        let chunks = digests(columns).map_err(StoreError::Columns)?;
        let file = file_digest(&chunks);
        let bytes_hashed = columns.iter().map(buffer_bytes).sum();
        let mut stored = StoredFile {
            file,
            chunks,
            bytes_hashed,
            bytes_stored: 0,
        };
        match self.chunk_file(&file) {
            Ok(_) => return Ok(stored),
            Err(error) if error.is_miss() => {}
            Err(error) => return Err(error),
        }
        let mut temporary = self.files.temporary()?;
        file::write(fields, columns, &mut temporary).map_err(StoreError::Columns)?;
        stored.bytes_stored = temporary.put(&chunk_path(&file))?;
        self.checked()
            .chunks
            .insert(file, stored.chunks.as_slice().into());
        Ok(stored)
    }

    /// The columns of a chunk file. They share a mapping of it.
    ///
    /// # Errors
    /// - [`StoreError::Missing`]: it is not there.
    /// - [`StoreError::Damaged`]: it was not what it should be, and was moved away.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn read_chunks(&self, file: &Digest) -> Result<Arc<[ArrayRef]>, StoreError> {
        Ok(self.chunk_file(file)?.columns)
    }

    /// The values of a chunk, in canonical form.
    ///
    /// `field` has the chunk's type.
    ///
    /// # Errors
    /// As [`Store::values`].
    pub fn load(&self, field: &Field, chunk: &Chunk) -> Result<ArrayRef, StoreError> {
        match self.values(field, chunk)? {
            Values::Array(array) => Ok(array),
            selected @ Values::Selected { .. } => moved(field, &selected),
        }
    }

    /// The values of a chunk as they lie: a selection is not moved. Whoever moves some of its rows brings
    /// them into [canonical form](chunk), and has what the same rows of the chunk would be.
    ///
    /// # Errors
    /// - [`StoreError::Missing`], [`StoreError::Damaged`]: a file it lies in is gone or damaged.
    /// - [`StoreError::OtherChunk`]: the file has other columns than its place says.
    /// - [`StoreError::Rows`], [`StoreError::Chunk`]: the rows do not exist, or the type is not the field's.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn values(&self, field: &Field, chunk: &Chunk) -> Result<Values, StoreError> {
        match &chunk.place {
            Place::Empty => canonical(field, &[])
                .map(Values::Array)
                .map_err(StoreError::Chunk),
            Place::Stored { file, column } => {
                let read = self.chunk_file(file)?;
                let other = StoreError::OtherChunk {
                    expected: chunk.digest,
                    file: *file,
                    column: *column,
                };
                let position = *column as usize;
                let (Some(digest), Some(array)) =
                    (read.digests.get(position), read.columns.get(position))
                else {
                    return Err(other);
                };
                if *digest != chunk.digest {
                    return Err(other);
                }
                check_type(field, array)?;
                Ok(Values::Array(Arc::clone(array)))
            }
            Place::Selected { of, rows } => {
                let mut pieces: Vec<Values> = of
                    .iter()
                    .map(|chunk| self.values(field, chunk))
                    .collect::<Result<_, _>>()?;
                let count = pieces.iter().map(Values::len).sum();
                if pieces.is_empty() {
                    let none = canonical(field, &[]).map_err(StoreError::Chunk)?;
                    pieces.push(Values::Array(none));
                }
                let selected = Values::Selected {
                    of: pieces.into(),
                    rows: self.load_selection(rows, count)?,
                };
                // The values of a dictionary are those of the whole chunk, in order of first use.
                match has_dictionary(field.data_type()) {
                    true => moved(field, &selected).map(Values::Array),
                    false => Ok(selected),
                }
            }
        }
    }

    /// Stores which rows are selected of a table of `of` rows.
    ///
    /// Equal rows give an equal selection, and only row numbers that are no run are written.
    ///
    /// # Errors
    /// - [`StoreError::Rows`]: the table does not have the rows.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn put_selection(&self, rows: &Rows, of: u64) -> Result<Selection, StoreError> {
        rows.check(of).map_err(StoreError::Rows)?;
        match rows.canonical(of) {
            Rows::All(_) => Ok(Selection::All),
            Rows::Range { start, len } => Ok(Selection::Range { start, len }),
            Rows::Indices(indices) => {
                let len = indices.len() as u64;
                let field = Field::new("row", DataType::UInt64, true);
                let column = canonical(&field, &[Arc::new(indices)]).map_err(StoreError::Chunk)?;
                let stored = self.put_chunks(&[field], &[column])?;
                Ok(Selection::Indices {
                    file: stored.file,
                    len,
                })
            }
        }
    }

    /// The rows that are selected of a table of `of` rows.
    ///
    /// # Errors
    /// - [`StoreError::Missing`], [`StoreError::Damaged`]: the file of row numbers is gone or damaged.
    /// - [`StoreError::Rows`]: the table does not have the rows, or the file has no row numbers.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn load_selection(&self, selection: &Selection, of: u64) -> Result<Rows, StoreError> {
        let rows = match selection {
            Selection::All => Rows::All(of),
            Selection::Range { start, len } => Rows::Range {
                start: *start,
                len: *len,
            },
            Selection::Indices { file, len } => {
                let columns = self.read_chunks(file)?;
                Rows::Indices(row_numbers(&columns, *len).map_err(StoreError::Rows)?)
            }
        };
        rows.check(of).map_err(StoreError::Rows)?;
        Ok(rows)
    }

    /// Whether a chunk file is there. It is not read, so it may be damaged.
    pub fn has_chunks(&self, file: &Digest) -> bool {
        // A power cut can leave files empty.
        let len = self.files.len(&chunk_path(file)).ok().flatten();
        len.is_some_and(|len| len > 0)
    }

    fn chunk_file(&self, name: &Digest) -> Result<ChunkFile, StoreError> {
        if let Some(file) = self.cache().get(name) {
            return Ok(file);
        }
        let object = Object {
            kind: Kind::ChunkFile,
            name: name.to_string(),
            path: chunk_path(name),
        };
        let bytes = self
            .files
            .map(&object.path)?
            .ok_or_else(|| object.missing())?;
        let checked = self.checked().chunks.get(name).cloned();
        let file = match checked {
            Some(digests) => file::read(bytes)
                .map(|columns| ChunkFile {
                    digests,
                    columns: columns.into(),
                })
                .map_err(Fault::File),
            None => parse(bytes, name),
        };
        match file {
            Ok(file) => {
                self.checked()
                    .chunks
                    .insert(*name, Arc::clone(&file.digests));
                self.cache().insert(*name, file.clone());
                Ok(file)
            }
            Err(fault) => Err(self.damaged(&object, fault)),
        }
    }
}

/// All values of a chunk, moved and in canonical form.
fn moved(field: &Field, values: &Values) -> Result<ArrayRef, StoreError> {
    let all = Rows::All(values.len());
    let taken = take(std::slice::from_ref(values), &all).map_err(StoreError::Rows)?;
    canonical(field, &[taken]).map_err(StoreError::Chunk)
}

/// Where the chunk file of this name is.
pub(super) fn chunk_path(name: &Digest) -> String {
    let hex = name.hex();
    format!("chunks/{hex:.2}/{hex}.arrow")
}

/// Reads a chunk file and checks that it is the one of this name.
pub(super) fn parse(bytes: Bytes, name: &Digest) -> Result<ChunkFile, Fault> {
    let columns = file::read(bytes).map_err(Fault::File)?;
    let digests = digests(&columns).map_err(Fault::File)?;
    let found = file_digest(&digests);
    match found == *name {
        true => Ok(ChunkFile {
            digests: digests.into(),
            columns: columns.into(),
        }),
        false => Err(Fault::Digest {
            expected: name.to_string(),
            found: found.to_string(),
        }),
    }
}

pub(super) fn digests(columns: &[ArrayRef]) -> Result<Vec<Digest>, BadFile> {
    columns
        .iter()
        .map(|column| chunk::digest(column).map_err(BadFile::Array))
        .collect()
}

/// Bytes of all buffers of a canonical column.
fn buffer_bytes(column: &ArrayRef) -> u64 {
    let nodes = encode(column).unwrap_or_default();
    nodes
        .iter()
        .flat_map(|node| &node.buffers)
        .map(|buffer| buffer.len() as u64)
        .sum()
}

fn check_type(field: &Field, array: &ArrayRef) -> Result<(), StoreError> {
    let expected = canonical_type(field.data_type());
    match *array.data_type() == expected {
        true => Ok(()),
        false => Err(StoreError::Chunk(BadChunk::Type {
            column: field.name().clone(),
            expected: type_name(&expected),
            found: type_name(array.data_type()),
        })),
    }
}

fn row_numbers(columns: &[ArrayRef], len: u64) -> Result<UInt64Array, BadRows> {
    let wrong = |found: String| BadRows::Type { found };
    match columns {
        [column] if column.len() as u64 == len => {
            let numbers = column.as_primitive_opt::<UInt64Type>();
            numbers
                .cloned()
                .ok_or_else(|| wrong(type_name(column.data_type())))
        }
        [column] => Err(wrong(format!(
            "{} row numbers instead of {len}",
            column.len()
        ))),
        _ => Err(wrong(format!("{} columns", columns.len()))),
    }
}

//! Record batches of a few rows, gathered: each batch that is written costs, however small it is.

use arrow_array::make_array;
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::{ArrowError, Field};
use pinion_sdk::{Batch, Result, TableWriter};

/// Rows that are written at once, unless they are larger than that.
const ROWS: usize = 16_384;
const BYTES: u64 = 2 * 1024 * 1024;

/// Rows that are not yet written.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Of every column, the arrays in turn.
    columns: Vec<(Field, Vec<ArrayData>)>,
    rows: usize,
    /// Bytes of their record batches in the file.
    bytes: u64,
    /// How many dictionaries had been read; batches with other dictionaries are written apart.
    dictionaries: usize,
}

impl Gathered {
    /// Adds rows of one record batch, which takes `bytes` in the file and has values of the first so many
    /// `dictionaries`, and writes what is enough.
    ///
    /// # Errors
    /// If rows cannot be written.
    pub(crate) fn add(
        &mut self,
        columns: Vec<(Field, ArrayData)>,
        (rows, bytes): (usize, u64),
        dictionaries: usize,
        writer: &mut TableWriter,
    ) -> Result<()> {
        let large = rows >= ROWS || bytes >= BYTES;
        if large || self.dictionaries != dictionaries {
            self.flush(writer)?;
        }
        self.dictionaries = dictionaries;
        if self.rows == 0 {
            let columns = columns.into_iter();
            self.columns = columns.map(|(field, array)| (field, vec![array])).collect();
        } else {
            for ((_, arrays), (_, array)) in self.columns.iter_mut().zip(columns) {
                arrays.push(array);
            }
        }
        self.rows += rows;
        self.bytes += bytes;
        match self.rows >= ROWS || self.bytes >= BYTES {
            true => self.flush(writer),
            false => Ok(()),
        }
    }

    /// Writes all rows.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn flush(&mut self, writer: &mut TableWriter) -> Result<()> {
        let Self { columns, rows, .. } = std::mem::take(self);
        if rows == 0 {
            return Ok(());
        }
        let columns = columns.into_iter();
        let columns = columns.map(|(field, arrays)| Ok((field, make_array(together(arrays)?))));
        let columns = columns.collect::<Result<_, ArrowError>>()?;
        writer.write(&Batch::new(rows, columns)?)
    }
}

/// The values of all `arrays`, one after the other.
pub(crate) fn together(mut arrays: Vec<ArrayData>) -> Result<ArrayData, ArrowError> {
    if arrays.len() == 1
        && let Some(only) = arrays.pop()
    {
        return Ok(only);
    }
    let capacity = arrays.iter().map(ArrayData::len).sum();
    let mut all = MutableArrayData::new(arrays.iter().collect(), false, capacity);
    for (at, array) in arrays.iter().enumerate() {
        all.try_extend(at, 0, array.len())?;
    }
    Ok(all.freeze())
}

//! Arrays of some of the rows of a record batch.
//!
//! Of buffers that are not compressed, nothing but the bytes of those rows is fetched, and what is fetched is
//! what the array is made of.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_data::ArrayData;

use crate::Damage;
use crate::codec::{self, Codec};
use crate::message::{Message, Parts, Stored};
use crate::schema::{Column, Layout, Offsets};
use crate::views;
use crate::window::Window;

/// Reads the arrays of one message in the order of its schema.
pub(crate) struct Arrays<'a> {
    bytes: &'a Window<'a>,
    codec: Option<Codec>,
    parts: Parts<'a>,
    /// Values of dictionaries, by id.
    dictionaries: &'a BTreeMap<i64, ArrayData>,
}

impl<'a> Arrays<'a> {
    pub(crate) fn new(
        bytes: &'a Window<'a>,
        message: &'a Message,
        dictionaries: &'a BTreeMap<i64, ArrayData>,
    ) -> Self {
        Self {
            bytes,
            codec: message.codec,
            parts: Parts::new(message),
            dictionaries,
        }
    }

    /// Passes over a column.
    ///
    /// # Errors
    /// [`Damage::Few`].
    pub(crate) fn skip(&mut self, column: &Column) -> Result<(), Damage> {
        self.parts.node()?;
        self.skip_buffers(column)
    }

    fn skip_buffers(&mut self, column: &Column) -> Result<(), Damage> {
        let buffers = match &column.layout {
            Layout::Null => 0,
            Layout::FixedList(..) | Layout::Struct(_) => 1,
            Layout::Boolean
            | Layout::Fixed(_)
            | Layout::View
            | Layout::List(..)
            | Layout::Dictionary { .. } => 2,
            Layout::Bytes(_) => 3,
        };
        for _ in 0..buffers {
            self.parts.buffer()?;
        }
        match &column.layout {
            Layout::View => self.parts.view_buffers().map(drop),
            Layout::List(_, child) | Layout::FixedList(_, child) => self.skip(child),
            Layout::Struct(children) => children.iter().try_for_each(|child| self.skip(child)),
            _ => Ok(()),
        }
    }

    /// Reads the values `rows` of a column, which has `length` of them if that is known.
    ///
    /// # Errors
    /// If what the message says of the column does not fit the file, or the values are not of its type.
    pub(crate) fn read(
        &mut self,
        column: &Column,
        rows: &Range<u64>,
        length: Option<u64>,
    ) -> Result<ArrayData, Damage> {
        let (found, null_count) = self.parts.node()?;
        let expected = length.unwrap_or(rows.end);
        if found < rows.end || length.is_some_and(|length| found != length) {
            return Err(Damage::Length { expected, found });
        }
        if rows.is_empty() {
            self.skip_buffers(column)?;
            return Ok(ArrayData::new_empty(column.data_type()));
        }
        let count = rows.end - rows.start;
        let len = usize::try_from(count).map_err(|_| Damage::TooMany)?;
        let builder = ArrayData::builder(column.data_type().clone())
            .len(len)
            .align_buffers(true);
        if let Layout::Null = column.layout {
            return Ok(builder.build()?);
        }
        let nulls = self.nulls(rows, found, null_count)?;
        let builder = builder.nulls(nulls.clone());
        let builder = match &column.layout {
            Layout::Null => builder,
            Layout::Boolean => {
                let buffer = self.parts.buffer()?;
                builder.add_buffer(self.bits(buffer, rows)?.sliced())
            }
            Layout::Fixed(width) => builder.add_buffer(self.fixed(rows, *width)?),
            Layout::Bytes(offsets) => {
                let (offsets, values) = self.offsets(rows, *offsets)?;
                let buffer = self.parts.buffer()?;
                let values = self.fetch(buffer, values.start, values.end - values.start)?;
                builder.add_buffer(offsets).add_buffer(values)
            }
            Layout::View => {
                let views = self.fixed(rows, views::WIDTH)?;
                let data = self.parts.view_buffers()?;
                let fetch = |buffer: &Stored, start, len| self.fetch(*buffer, start, len);
                let data = views::plain(&views, nulls.as_ref(), data, fetch)?;
                builder.add_buffers(data)
            }
            Layout::List(offsets, item) => {
                let (offsets, values) = self.offsets(rows, *offsets)?;
                let items = self.read(item, &values, None)?;
                builder.add_buffer(offsets).add_child_data(items)
            }
            Layout::FixedList(size, item) => {
                let at = |row: u64| row.checked_mul(*size).ok_or(Damage::TooMany);
                let items = self.read(item, &(at(rows.start)?..at(rows.end)?), None)?;
                builder.add_child_data(items)
            }
            Layout::Struct(children) => {
                let mut builder = builder;
                for child in children {
                    builder = builder.add_child_data(self.read(child, rows, None)?);
                }
                builder
            }
            Layout::Dictionary { id, width, values } => {
                let keys = self.fixed(rows, *width)?;
                // Without values all keys are null, or refused.
                let values = match self.dictionaries.get(id) {
                    Some(values) => values.clone(),
                    None => ArrayData::new_empty(values.data_type()),
                };
                builder.add_buffer(keys).add_child_data(values)
            }
        };
        Ok(builder.build()?)
    }

    fn nulls(
        &mut self,
        rows: &Range<u64>,
        length: u64,
        null_count: u64,
    ) -> Result<Option<NullBuffer>, Damage> {
        let buffer = self.parts.buffer()?;
        if null_count == 0 {
            return Ok(None);
        }
        let nulls = NullBuffer::new(self.bits(buffer, rows)?);
        let found = nulls.null_count() as u64;
        let whole = rows.end - rows.start == length;
        if found > null_count || (whole && found != null_count) {
            return Err(Damage::NullCount {
                expected: null_count,
                found,
            });
        }
        Ok(Some(nulls).filter(|_| found > 0))
    }

    fn bits(&self, buffer: Stored, rows: &Range<u64>) -> Result<BooleanBuffer, Damage> {
        let first = rows.start / 8;
        let bits = self.fetch(buffer, first, rows.end.div_ceil(8) - first)?;
        let (skip, len) = (rows.start % 8, rows.end - rows.start);
        // As many bits as there are bytes for, in memory by now.
        Ok(BooleanBuffer::new(bits, skip as usize, len as usize))
    }

    fn fixed(&mut self, rows: &Range<u64>, width: u64) -> Result<Buffer, Damage> {
        let buffer = self.parts.buffer()?;
        let at = |row: u64| row.checked_mul(width).ok_or(Damage::TooMany);
        let (start, end) = (at(rows.start)?, at(rows.end)?);
        self.fetch(buffer, start, end - start)
    }

    /// The offsets of `rows`, from 0, and which values lie between the first and the last of them.
    fn offsets(
        &mut self,
        rows: &Range<u64>,
        width: Offsets,
    ) -> Result<(Buffer, Range<u64>), Damage> {
        let rows = rows.start..rows.end.checked_add(1).ok_or(Damage::TooMany)?;
        let offsets = self.fixed(&rows, width.bytes())?;
        let (offsets, first, last) = match width {
            Offsets::Four => from_zero(
                offsets,
                |bytes| i32::from_le_bytes(bytes).into(),
                |offset| (offset as i32).to_le_bytes(),
            ),
            Offsets::Eight => from_zero(offsets, i64::from_le_bytes, i64::to_le_bytes),
        };
        let first = u64::try_from(first).map_err(|_| Damage::Offsets)?;
        let last = u64::try_from(last).map_err(|_| Damage::Offsets)?;
        match first <= last {
            true => Ok((offsets, first..last)),
            false => Err(Damage::Offsets),
        }
    }

    fn fetch(&self, buffer: Stored, start: u64, len: u64) -> Result<Buffer, Damage> {
        codec::read(self.bytes, self.codec, buffer, start, len)
    }
}

/// Subtracts the first offset from all. Gives the first and the last as they were.
///
/// Offsets between them may be anything, and are looked at when the array is built.
fn from_zero<const N: usize>(
    buffer: Buffer,
    number: impl Fn([u8; N]) -> i64,
    bytes: impl Fn(i64) -> [u8; N],
) -> (Buffer, i64, i64) {
    let (offsets, _) = buffer.as_chunks::<N>();
    let first = offsets.first().map_or(0, |first| number(*first));
    let last = offsets.last().map_or(0, |last| number(*last));
    if first == 0 {
        return (buffer, first, last);
    }
    let from_zero = |offset: &[u8; N]| bytes(number(*offset).wrapping_sub(first));
    let offsets: Vec<[u8; N]> = offsets.iter().map(from_zero).collect();
    (Buffer::from_vec(offsets.into_flattened()), first, last)
}

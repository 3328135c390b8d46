//! Merging arrays of one type into a single canonical one, type by type.

mod dictionary;

use std::sync::Arc;

use arrow_array::types::{BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, GenericByteArray, GenericListArray,
    MapArray, NullArray, OffsetSizeTrait, StructArray, cast::AsArray as _, downcast_integer,
    make_array,
};
use arrow_buffer::{
    ArrowNativeType as _, BooleanBufferBuilder, Buffer, MutableBuffer, NullBuffer, OffsetBuffer,
    ScalarBuffer,
};
use arrow_data::ArrayData;
use arrow_schema::{DataType, FieldRef};
use arrow_select::filter::filter;

use crate::arrow::chunk::BadChunk;
use crate::arrow::layout::{Layout, layout};
use crate::arrow::merge::dictionary::merge_dictionaries;
use crate::arrow::type_name;
use crate::arrow::views::unpack_views;

/// An array with those of its values null whose parents are null.
pub(crate) struct Piece {
    array: ArrayRef,
    /// The array's own nulls and the inherited ones; none if there are none.
    nulls: Option<NullBuffer>,
    /// Number of inherited nulls.
    inherited: usize,
}

impl Piece {
    pub(crate) fn new(array: ArrayRef) -> Self {
        Self::under(array, None)
    }

    /// The child of a parent whose nulls, in the child's rows, are `inherited`.
    fn under(array: ArrayRef, inherited: Option<&NullBuffer>) -> Self {
        let nulls =
            NullBuffer::union(array.nulls(), inherited).filter(|nulls| nulls.null_count() > 0);
        Self {
            array,
            nulls,
            inherited: inherited.map_or(0, NullBuffer::null_count),
        }
    }

    fn null_count(&self) -> usize {
        self.nulls.as_ref().map_or(0, NullBuffer::null_count)
    }

    /// Maximal runs of values that are not null, as start and end.
    fn valid_runs(&self) -> Box<dyn Iterator<Item = (usize, usize)> + '_> {
        match &self.nulls {
            None => Box::new(std::iter::once((0, self.array.len()))),
            Some(nulls) => Box::new(nulls.valid_slices()),
        }
    }
}

/// Merges arrays of a canonical type, up to the names of children and views, into canonical form.
pub(crate) fn merge(
    data_type: &DataType,
    nullable: bool,
    pieces: &[Piece],
) -> Result<ArrayRef, BadChunk> {
    let unsupported = || BadChunk::Unsupported {
        found: type_name(data_type),
    };
    check_nulls(
        data_type,
        nullable,
        pieces,
        pieces.iter().map(Piece::null_count).sum(),
    )?;
    let length = pieces.iter().map(|piece| piece.array.len()).sum();
    Ok(match layout(data_type).ok_or_else(unsupported)? {
        Layout::Null => Arc::new(NullArray::new(length)),
        Layout::Boolean => merge_booleans(length, pieces),
        Layout::Fixed(width) => merge_fixed(data_type, width, length, pieces)?,
        Layout::Bytes(_) => match data_type {
            DataType::Utf8 => merge_bytes::<Utf8Type>(data_type, length, pieces)?,
            DataType::Binary => merge_bytes::<BinaryType>(data_type, length, pieces)?,
            DataType::LargeUtf8 => merge_bytes::<LargeUtf8Type>(data_type, length, pieces)?,
            _ => merge_bytes::<LargeBinaryType>(data_type, length, pieces)?,
        },
        Layout::List(_, entries) if matches!(data_type, DataType::Map(..)) => {
            let lists = pieces.iter().map(|piece| {
                let map = piece.array.as_map();
                (map.offsets(), Arc::new(map.entries().clone()) as ArrayRef)
            });
            let (offsets, child) =
                merge_lists(data_type, entries, length, pieces, lists.collect())?;
            let nulls = merge_nulls(length, pieces);
            let map = MapArray::try_new(
                Arc::clone(entries),
                offsets,
                child.as_struct().clone(),
                nulls,
                false,
            );
            Arc::new(map.map_err(BadChunk::Arrow)?)
        }
        Layout::List(_, item) => match data_type {
            DataType::List(_) => merge_list_arrays::<i32>(data_type, item, length, pieces)?,
            _ => merge_list_arrays::<i64>(data_type, item, length, pieces)?,
        },
        Layout::FixedList(size, item) => merge_fixed_lists(size, item, length, pieces)?,
        Layout::Struct(fields) => {
            let mut columns = Vec::with_capacity(fields.len());
            for (at, field) in fields.iter().enumerate() {
                let children: Vec<_> = pieces
                    .iter()
                    .map(|piece| {
                        let child = Arc::clone(piece.array.as_struct().column(at));
                        Piece::under(child, piece.nulls.as_ref())
                    })
                    .collect();
                columns.push(merge(field.data_type(), field.is_nullable(), &children)?);
            }
            let nulls = merge_nulls(length, pieces);
            let rows = StructArray::try_new_with_length(fields.clone(), columns, nulls, length);
            Arc::new(rows.map_err(BadChunk::Arrow)?)
        }
        Layout::Dictionary(_, value) => {
            macro_rules! dictionaries {
                ($key:ty) => {
                    merge_dictionaries::<$key>(data_type, value, nullable, length, pieces)?
                };
            }
            let DataType::Dictionary(key, _) = data_type else {
                return Err(unsupported());
            };
            downcast_integer! {
                key.as_ref() => (dictionaries),
                _ => return Err(unsupported())
            }
        }
        Layout::View => return Err(unsupported()),
    })
}

fn check_nulls(
    data_type: &DataType,
    nullable: bool,
    pieces: &[Piece],
    found: usize,
) -> Result<(), BadChunk> {
    let expected = pieces.iter().map(|piece| piece.inherited).sum();
    // Null arrays have no validity that could inherit, so they may have fewer.
    if nullable || found <= expected {
        return Ok(());
    }
    Err(BadChunk::Nulls {
        data_type: type_name(data_type),
        expected,
        found,
    })
}

fn merge_nulls(length: usize, pieces: &[Piece]) -> Option<NullBuffer> {
    if pieces.iter().all(|piece| piece.nulls.is_none()) {
        return None;
    }
    let mut bits = BooleanBufferBuilder::new(length);
    for piece in pieces {
        match &piece.nulls {
            None => bits.append_n(piece.array.len(), true),
            Some(nulls) => bits.append_buffer(nulls.inner()),
        }
    }
    Some(NullBuffer::new(bits.finish()))
}

fn merge_booleans(length: usize, pieces: &[Piece]) -> ArrayRef {
    let nulls = merge_nulls(length, pieces);
    let mut bits = BooleanBufferBuilder::new(length);
    for piece in pieces {
        bits.append_buffer(piece.array.as_boolean().values());
    }
    let mut values = bits.finish();
    if let Some(nulls) = &nulls {
        values = &values & nulls.inner();
    }
    Arc::new(BooleanArray::new(values, nulls))
}

fn merge_fixed(
    data_type: &DataType,
    width: usize,
    length: usize,
    pieces: &[Piece],
) -> Result<ArrayRef, BadChunk> {
    fn bytes(piece: &Piece, width: usize) -> Buffer {
        let data = piece.array.to_data();
        data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width)
    }

    let nulls = merge_nulls(length, pieces);
    let values = match pieces {
        [piece] if nulls.is_none() => bytes(piece, width),
        _ => {
            let mut values = MutableBuffer::with_capacity(length * width);
            for piece in pieces {
                let bytes = bytes(piece, width);
                let mut filled = 0;
                for (start, end) in piece.valid_runs() {
                    values.extend_zeros((start - filled) * width);
                    values.extend_from_slice(&bytes[start * width..end * width]);
                    filled = end;
                }
                values.extend_zeros((piece.array.len() - filled) * width);
            }
            values.into()
        }
    };
    let data = ArrayData::builder(data_type.clone())
        .len(length)
        .nulls(nulls)
        .add_buffer(values);
    Ok(make_array(
        data.align_buffers(true).build().map_err(BadChunk::Arrow)?,
    ))
}

fn merge_bytes<T: ByteArrayType>(
    data_type: &DataType,
    length: usize,
    pieces: &[Piece],
) -> Result<ArrayRef, BadChunk> {
    let too_large = |found| BadChunk::TooLarge {
        data_type: type_name(data_type),
        found,
    };
    let mut arrays = Vec::with_capacity(pieces.len());
    for piece in pieces {
        arrays.push(unpack_views(&piece.array, i32::MAX as u64).map_err(too_large)?);
    }
    if let ([piece], [array]) = (pieces, arrays.as_slice())
        && piece.nulls.is_none()
        && array.as_bytes::<T>().offsets()[0] == T::Offset::default()
    {
        return Ok(Arc::clone(array));
    }
    let offsets = arrays.iter().map(|array| array.as_bytes::<T>().offsets());
    let offsets = merge_offsets(data_type, length, pieces, offsets)?;
    let mut values = Vec::with_capacity(offsets.last().map_or(0, |last| last.as_usize()));
    for (piece, array) in pieces.iter().zip(&arrays) {
        let array = array.as_bytes::<T>();
        for (start, end) in piece.valid_runs() {
            let run = array.offsets()[start].as_usize()..array.offsets()[end].as_usize();
            values.extend_from_slice(&array.value_data()[run]);
        }
    }
    let nulls = merge_nulls(length, pieces);
    let array = GenericByteArray::<T>::try_new(offsets, Buffer::from_vec(values), nulls);
    Ok(Arc::new(array.map_err(BadChunk::Arrow)?))
}

/// Offsets from zero for the values of all pieces in turn, without the values of nulls.
fn merge_offsets<'a, O: OffsetSizeTrait>(
    data_type: &DataType,
    length: usize,
    pieces: &[Piece],
    offsets: impl Iterator<Item = &'a OffsetBuffer<O>>,
) -> Result<OffsetBuffer<O>, BadChunk> {
    let mut merged: Vec<O> = Vec::with_capacity(length + 1);
    let mut end_of_values: u64 = 0;
    let mut rows_before = 0;
    merged.push(O::zero());
    for (piece, offsets) in pieces.iter().zip(offsets) {
        for (start, end) in piece.valid_runs() {
            let last = merged[merged.len() - 1];
            merged.resize(rows_before + start + 1, last);
            let shift = last - offsets[start];
            end_of_values += (offsets[end] - offsets[start]).as_usize() as u64;
            if O::from_usize(end_of_values as usize).is_none() {
                return Err(BadChunk::TooLarge {
                    data_type: type_name(data_type),
                    found: end_of_values,
                });
            }
            merged.extend(
                offsets[start + 1..=end]
                    .iter()
                    .map(|offset| *offset + shift),
            );
        }
        rows_before += piece.array.len();
        let last = merged[merged.len() - 1];
        merged.resize(rows_before + 1, last);
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(merged)))
}

fn merge_list_arrays<O: OffsetSizeTrait>(
    data_type: &DataType,
    item: &FieldRef,
    length: usize,
    pieces: &[Piece],
) -> Result<ArrayRef, BadChunk> {
    let lists = pieces.iter().map(|piece| {
        let list = piece.array.as_list::<O>();
        (list.offsets(), Arc::clone(list.values()))
    });
    let (offsets, child) = merge_lists(data_type, item, length, pieces, lists.collect())?;
    let nulls = merge_nulls(length, pieces);
    let list = GenericListArray::<O>::try_new(Arc::clone(item), offsets, child, nulls);
    Ok(Arc::new(list.map_err(BadChunk::Arrow)?))
}

/// The offsets and the child of lists; `lists` holds offsets and values of each piece.
fn merge_lists<O: OffsetSizeTrait>(
    data_type: &DataType,
    item: &FieldRef,
    length: usize,
    pieces: &[Piece],
    lists: Vec<(&OffsetBuffer<O>, ArrayRef)>,
) -> Result<(OffsetBuffer<O>, ArrayRef), BadChunk> {
    let offsets = lists.iter().map(|(offsets, _)| *offsets);
    let merged = merge_offsets(data_type, length, pieces, offsets)?;
    let mut children = Vec::with_capacity(pieces.len());
    for (piece, (offsets, values)) in pieces.iter().zip(lists) {
        let at = |row: usize| offsets[row].as_usize();
        let (first, last) = (at(0), at(piece.array.len()));
        let values = values.slice(first, last - first);
        let kept: usize = piece
            .valid_runs()
            .map(|(start, end)| at(end) - at(start))
            .sum();
        if kept == values.len() {
            children.push(Piece::new(values));
            continue;
        }
        let mut mask = BooleanBufferBuilder::new(values.len());
        for (start, end) in piece.valid_runs() {
            mask.append_n(at(start) - first - mask.len(), false);
            mask.append_n(at(end) - at(start), true);
        }
        mask.append_n(values.len() - mask.len(), false);
        let mask = BooleanArray::new(mask.finish(), None);
        children.push(Piece::new(filter(&values, &mask).map_err(BadChunk::Arrow)?));
    }
    Ok((
        merged,
        merge(item.data_type(), item.is_nullable(), &children)?,
    ))
}

fn merge_fixed_lists(
    size: usize,
    item: &FieldRef,
    length: usize,
    pieces: &[Piece],
) -> Result<ArrayRef, BadChunk> {
    let mut children = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let values = piece.array.as_fixed_size_list().values();
        let values = values.slice(0, piece.array.len() * size);
        let inherited = piece
            .nulls
            .as_ref()
            .filter(|_| size > 0)
            .map(|nulls| nulls.expand(size));
        children.push(Piece::under(values, inherited.as_ref()));
    }
    let child = merge(item.data_type(), item.is_nullable(), &children)?;
    let nulls = merge_nulls(length, pieces);
    // A size that came out of the type as an `i32` goes back into one.
    let list = FixedSizeListArray::try_new_with_length(
        Arc::clone(item),
        size as i32,
        child,
        nulls,
        length,
    );
    Ok(Arc::new(list.map_err(BadChunk::Arrow)?))
}

//! Dictionaries over one common dictionary.

use std::sync::Arc;

use arrow_array::types::ArrowDictionaryKeyType;
use arrow_array::{Array as _, ArrayRef, DictionaryArray, PrimitiveArray, cast::AsArray as _};
use arrow_buffer::{ArrowNativeType as _, NullBuffer, NullBufferBuilder, ScalarBuffer};
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType;
use indexmap::IndexMap;

use crate::arrow::chunk::BadChunk;
use crate::arrow::merge::{Piece, check_nulls, merge};
use crate::arrow::type_name;

/// Rebuilds dictionaries over one common dictionary: each value once, in order of first use.
pub(crate) fn merge_dictionaries<K: ArrowDictionaryKeyType>(
    data_type: &DataType,
    value_type: &DataType,
    nullable: bool,
    length: usize,
    pieces: &[Piece],
) -> Result<ArrayRef, BadChunk> {
    // Values are compared in arrow-row's form, which is equal exactly if their bits are.
    let converter = RowConverter::new(vec![SortField::new(value_type.clone())]);
    let converter = converter.map_err(BadChunk::Arrow)?;
    let mut values = converter.empty_rows(0, 0);
    // Of each piece, where its values begin among all values.
    let mut starts: Vec<usize> = Vec::with_capacity(pieces.len());
    let mut valid: Vec<bool> = Vec::new();
    let mut before: Option<&ArrayRef> = None;
    for piece in pieces {
        let own = piece.array.as_dictionary::<K>().values();
        match (before, starts.last()) {
            (Some(before), Some(start)) if Arc::ptr_eq(before, own) => starts.push(*start),
            _ => {
                starts.push(valid.len());
                let plain = merge(value_type, true, &[Piece::new(Arc::clone(own))])?;
                converter
                    .append(&mut values, &[Arc::clone(&plain)])
                    .map_err(BadChunk::Arrow)?;
                valid.extend((0..plain.len()).map(|value| plain.is_valid(value)));
            }
        }
        before = Some(own);
    }

    let mut keys: Vec<K::Native> = Vec::with_capacity(length);
    let mut nulls = NullBufferBuilder::new(length);
    // By value, its new key; and the same by the old position, which saves most look-ups.
    let mut used = IndexMap::new();
    let mut new_keys: Vec<Option<K::Native>> = vec![None; valid.len()];
    for (piece, start) in pieces.iter().zip(starts) {
        let old_keys = piece.array.as_dictionary::<K>().keys().values();
        for (row, old_key) in old_keys.iter().enumerate() {
            let is_valid = piece.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let at = if is_valid {
                start + old_key.as_usize()
            } else {
                0
            };
            if !is_valid || !valid[at] {
                keys.push(K::Native::default());
                nulls.append_null();
                continue;
            }
            let key = match new_keys[at] {
                Some(key) => key,
                None => {
                    let next = used.len();
                    let key = *used.entry(values.row(at)).or_insert(next);
                    K::Native::from_usize(key).ok_or_else(|| BadChunk::Keys {
                        key_type: type_name(&K::DATA_TYPE),
                        found: key + 1,
                    })?
                }
            };
            new_keys[at] = Some(key);
            keys.push(key);
            nulls.append_non_null();
        }
    }
    let nulls = nulls.finish().filter(|nulls| nulls.null_count() > 0);
    check_nulls(
        data_type,
        nullable,
        pieces,
        nulls.as_ref().map_or(0, NullBuffer::null_count),
    )?;

    let distinct = converter
        .convert_rows(used.into_keys())
        .map_err(BadChunk::Arrow)?;
    let distinct: Vec<_> = distinct.into_iter().map(Piece::new).collect();
    let distinct = merge(value_type, true, &distinct)?;
    let keys = PrimitiveArray::<K>::try_new(ScalarBuffer::from(keys), nulls);
    let array = DictionaryArray::try_new(keys.map_err(BadChunk::Arrow)?, distinct);
    Ok(Arc::new(array.map_err(BadChunk::Arrow)?))
}

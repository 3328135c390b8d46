//! Chunks: one column of one partition in canonical form, and its digest.
//!
//! Equal data has an equal chunk, however the guest built it: whatever the batches, slices, views or
//! dictionaries, whatever lies in null slots and beyond the ends of buffers. In canonical form
//!
//! - offsets start at zero, there are no slices, and buffers are exactly as long as their values need,
//! - there is no validity bitmap when there are no nulls, and bits beyond the last are zero,
//! - null slots are zero; null strings, binaries, lists and maps have length zero and no child values,
//! - the children of a null struct or a null fixed-size list are null themselves, nullable or not,
//! - floats keep their bits, NaNs and negative zero included,
//! - views are plain, and dictionaries hold each value once, in order of first use, and no nulls: a null
//!   value is a null key, and a null key is zero,
//! - the child of a list is named `item`, those of a map `entries`, `key` and `value`, and children have
//!   no metadata; an empty time zone is none, and whether the keys of a map are sorted is not said.
//!
//! The rules hold for children as for columns. Of a list or a map, the child has the values of the rows that are
//! not null, end to end; of a struct or a fixed-size list, also those of null rows, as nulls. First use in a
//! dictionary goes by the rows of the array of keys, null ones left out, and values are the same if they are to
//! the bit.
//!
//! What the buffers of an array of n values are, little-endian and in this order:
//!
//! | type | buffers |
//! |---|---|
//! | null | none |
//! | boolean | validity, values |
//! | integers, floats, decimals, dates, times, timestamps, durations, intervals, fixed-size binary | validity, values |
//! | utf8, binary, and the large ones | validity, offsets, bytes |
//! | list, large list, map | validity, offsets |
//! | fixed-size list, struct | validity |
//! | dictionary | validity of the keys, keys |
//!
//! Validity and booleans are ⌈n / 8⌉ bytes, least significant bit first, and a bit of the validity is one where
//! the value is not null. Offsets are n + 1 integers, of 64 bits in the large types and of 32 in all others; when
//! n is zero, too. An absent validity is a buffer of no bytes.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use thiserror::Error;

use crate::arrow::format::children;
use crate::arrow::format::strings::format_of;
use crate::arrow::merge::{Piece, merge};
use crate::arrow::node::{BadArray, Node, encode};
use crate::arrow::type_name;
use crate::digest::{Digest, StructuredHasher};

/// Arrays that have no canonical form together.
#[derive(Debug, Error)]
pub enum BadChunk {
    /// The host does not take this type.
    #[error("type is not supported\n  found {found}")]
    Unsupported {
        /// The Arrow type.
        found: String,
    },
    /// An array is not of the column's type.
    #[error(
        "array is not of the type of column `{column}`\n  expected {expected}\n  found    {found}"
    )]
    Type {
        /// The column's name.
        column: String,
        /// Its canonical Arrow type.
        expected: String,
        /// The array's canonical Arrow type.
        found: String,
    },
    /// There are nulls where the field is not nullable.
    #[error(
        "array of {data_type} has nulls but is not nullable\n  expected {expected}\n  found    {found}"
    )]
    Nulls {
        /// The Arrow type of the array, the column itself or a child.
        data_type: String,
        /// Nulls that follow from null parents.
        expected: usize,
        /// Nulls there are.
        found: usize,
    },
    /// The values together are more than 32-bit offsets reach.
    #[error(
        "array of {data_type} is too large\n  expected at most {} bytes or child values\n  found    {found}",
        i32::MAX
    )]
    TooLarge {
        /// The Arrow type of the array, the column itself or a child.
        data_type: String,
        /// Bytes or child values.
        found: u64,
    },
    /// There are more different values than the keys of a dictionary can count.
    #[error("dictionary with keys of {key_type} has too many different values\n  found {found}")]
    Keys {
        /// The Arrow type of the keys.
        key_type: String,
        /// Different values found until there were too many.
        found: usize,
    },
    /// An arrow-rs kernel refused.
    #[error("array could not be built")]
    Arrow(#[source] ArrowError),
}

/// The type that the canonical form of an array of this type has.
///
/// Views become plain, children of lists and maps get their canonical names, metadata of children and
/// the sortedness of map keys go, and an empty time zone is none. Unsupported types are left alone.
pub fn canonical_type(data_type: &DataType) -> DataType {
    fn child(name: &str, field: &FieldRef) -> FieldRef {
        Arc::new(Field::new(
            name,
            canonical_type(field.data_type()),
            field.is_nullable(),
        ))
    }

    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(unit, Some(timezone)) if timezone.is_empty() => {
            DataType::Timestamp(*unit, None)
        }
        DataType::List(item) => DataType::List(child("item", item)),
        DataType::LargeList(item) => DataType::LargeList(child("item", item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(child("item", item), *size),
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| child(field.name(), field))
                .collect(),
        ),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let pair = vec![child("key", &pair[0]), child("value", &pair[1])];
                let entries = Field::new(
                    "entries",
                    DataType::Struct(pair.into()),
                    entries.is_nullable(),
                );
                DataType::Map(Arc::new(entries), false)
            }
            _ => data_type.clone(),
        },
        DataType::Dictionary(key, value) => {
            DataType::Dictionary(key.clone(), Box::new(canonical_type(value)))
        }
        _ => data_type.clone(),
    }
}

/// The field with the [`canonical_type`] of its own; name, nullability and metadata stay.
pub fn canonical_field(field: &Field) -> Field {
    field
        .clone()
        .with_data_type(canonical_type(field.data_type()))
}

/// Concatenates the batches of one column of one partition into canonical form.
///
/// `pieces` are in order, any number, of the field's type up to [`canonical_type`]; the chunk is of
/// exactly that type. Buffers are shared with the only piece where its bytes are canonical already.
///
/// # Errors
/// [`BadChunk`], if the pieces are of another type, have nulls that the field does not allow, or are
/// more than the type can hold.
pub fn canonical(field: &Field, pieces: &[ArrayRef]) -> Result<ArrayRef, BadChunk> {
    let data_type = canonical_type(field.data_type());
    for piece in pieces {
        if *piece.data_type() == data_type {
            continue;
        }
        let found = canonical_type(piece.data_type());
        if found != data_type {
            return Err(BadChunk::Type {
                column: field.name().clone(),
                expected: type_name(&data_type),
                found: type_name(&found),
            });
        }
    }
    let pieces: Vec<_> = pieces
        .iter()
        .map(|array| Piece::new(Arc::clone(array)))
        .collect();
    merge(&data_type, field.is_nullable(), &pieces)
}

/// The digest of a chunk.
///
/// It covers the type with the names and nullability of children, and every value; not the column's
/// own name, nullability and metadata. Chunks of equal digest have equal types and equal buffers. Where the
/// values lie, and whether they were selected of others, is not in it.
///
/// [Structured](crate::digest): text `pinion chunk 1`, then for each node, in pre-order (the column, then its
/// first child with all that is below it, and so on),
///
/// 1. text: the Arrow C Data Interface format string, see [`format`](crate::arrow::format),
/// 2. of children only: text name and option tag nullable (a dictionary's values are a child of name
///    `dictionary`, nullable),
/// 3. list: number of child nodes,
/// 4. u64: number of values,
/// 5. u64: number of nulls (of a null array, its length),
/// 6. list: number of buffers,
/// 7. bytes: each buffer, as the [module](self) lists them.
///
/// # Errors
/// [`BadArray::Unsupported`] if `chunk` is not of a type that [`canonical`] gives.
pub fn digest(chunk: &dyn Array) -> Result<Digest, BadArray> {
    let mut hasher = StructuredHasher::new("pinion chunk 1");
    let mut nodes = encode(chunk)?.into_iter();
    hash_nodes(None, chunk.data_type(), &mut nodes, &mut hasher);
    Ok(hasher.finish())
}

fn hash_nodes(
    child: Option<(&str, bool)>,
    data_type: &DataType,
    nodes: &mut std::vec::IntoIter<Node>,
    hasher: &mut StructuredHasher,
) {
    let Some(node) = nodes.next() else { return };
    let children = children(data_type);
    hasher.text(&format_of(data_type));
    if let Some((name, nullable)) = child {
        hasher.text(name).option_tag(nullable);
    }
    hasher
        .list(children.len())
        .u64(node.length)
        .u64(node.null_count);
    hasher.list(node.buffers.len());
    for buffer in &node.buffers {
        hasher.bytes(buffer);
    }
    for (name, data_type, nullable, _) in children {
        hash_nodes(Some((name, nullable)), data_type, nodes, hasher);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{
        BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
        StringArray,
    };
    use arrow_buffer::NullBuffer;
    use proptest::prelude::*;

    use super::*;
    use crate::arrow::samples::{Random, build, random_field, random_values, values};

    fn chunk(field: &Field, pieces: &[ArrayRef]) -> ArrayRef {
        let chunk = canonical(field, pieces).unwrap();
        assert_eq!(*chunk.data_type(), canonical_type(field.data_type()));
        chunk.to_data().validate_full().unwrap();
        // What arrow itself expects of a column.
        let schema = arrow_schema::Schema::new(vec![canonical_field(field)]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::clone(&chunk)]).unwrap();
        chunk
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn equal_values_have_an_equal_digest(seed: u64, rows in 0_usize..40, cut in 0_usize..40) {
            let mut random = Random(seed);
            let field = random_field("x", 3, &mut random);
            let given = random_values(&field, rows, &mut random);
            let whole = chunk(&field, &[build(&field, &given, &mut random)]);
            prop_assert_eq!(values(&whole), given.clone());

            let (left, right) = given.split_at(cut.min(rows));
            let pieces = [
                build(&field, left, &mut random),
                build(&field, &[], &mut random),
                build(&field, right, &mut random),
            ];
            let joined = chunk(&field, &pieces);
            prop_assert_eq!(digest(&whole).unwrap(), digest(&joined).unwrap());
            prop_assert_eq!(whole.to_data(), joined.to_data());

            let again = chunk(&field, &[Arc::clone(&joined)]);
            prop_assert_eq!(digest(&again).unwrap(), digest(&joined).unwrap());
        }

        #[test]
        fn other_values_have_another_digest(seed: u64, rows in 1_usize..20) {
            let mut random = Random(seed);
            let field = random_field("x", 2, &mut random);
            let one = random_values(&field, rows, &mut random);
            let other = random_values(&field, rows, &mut random);
            let digest_of = |given| digest(&chunk(&field, &[build(&field, given, &mut Random(1))])).unwrap();
            prop_assert_eq!(one == other, digest_of(&one) == digest_of(&other));
        }
    }

    /// Computed by hand from the documented bytes.
    #[test]
    fn known_digest() {
        let array: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(-1)]));
        let mut bytes = Vec::new();
        let mut text = |text: &str| {
            bytes.push(b't');
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        text("pinion chunk 1");
        text("i");
        for (tag, number) in [(b'l', 0_u64), (b'u', 3), (b'u', 1), (b'l', 2), (b'b', 1)] {
            bytes.push(tag);
            bytes.extend(number.to_le_bytes());
        }
        bytes.push(0b101);
        bytes.extend(b"b\x0c\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xff\xff\xff\xff");
        let chunk = chunk(&Field::new("x", DataType::Int32, true), &[array]);
        assert_eq!(digest(&chunk).unwrap(), Digest::of(&bytes));
    }

    #[test]
    fn plain_columns_are_shared() {
        let array: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, -0.0]));
        let chunk = chunk(
            &Field::new("x", DataType::Float64, false),
            &[Arc::clone(&array)],
        );
        assert_eq!(
            chunk.to_data().buffers()[0].as_ptr(),
            array.to_data().buffers()[0].as_ptr()
        );
    }

    #[test]
    fn floats_keep_their_bits() {
        let field = Field::new("x", DataType::Float64, false);
        let digest_of = |value: f64| {
            digest(&chunk(&field, &[Arc::new(Float64Array::from(vec![value]))])).unwrap()
        };
        assert_ne!(digest_of(0.0), digest_of(-0.0));
        assert_ne!(
            digest_of(f64::NAN),
            digest_of(f64::from_bits(f64::NAN.to_bits() + 1))
        );
    }

    #[test]
    fn bitmap_of_no_nulls_goes() {
        let field = Field::new("x", DataType::Boolean, true);
        let array = BooleanArray::new(vec![true, false].into(), Some(NullBuffer::new_valid(2)));
        assert!(chunk(&field, &[Arc::new(array)]).nulls().is_none());
    }

    #[test]
    fn other_types_and_nulls_are_refused() {
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let field = Field::new("x", DataType::Int32, true);
        assert!(matches!(
            canonical(&field, &[Arc::clone(&ints)]),
            Err(BadChunk::Type { .. })
        ));
        let field = Field::new("x", DataType::Int64, false);
        assert!(matches!(
            canonical(&field, &[ints]),
            Err(BadChunk::Nulls {
                expected: 0,
                found: 1,
                ..
            })
        ));
    }

    #[test]
    fn full_dictionaries_are_refused() {
        let piece = |from: i32| -> ArrayRef {
            let words: Vec<String> = (from..from + 100).map(|word| word.to_string()).collect();
            let keys = (0..100_i8).collect::<Vec<_>>().into();
            Arc::new(DictionaryArray::<Int8Type>::new(
                keys,
                Arc::new(StringArray::from(words)),
            ))
        };
        let data_type = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        let field = Field::new("x", data_type, false);
        assert!(canonical(&field, &[piece(0), piece(0)]).is_ok());
        assert!(matches!(
            canonical(&field, &[piece(0), piece(100)]),
            Err(BadChunk::Keys { found: 129, .. })
        ));
    }
}

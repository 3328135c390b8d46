//! The boundary: arrays as guests send and receive them.
//!
//! A column crosses the wall as a list of nodes, in the pre-order of its fields, each with its buffers in
//! Arrow C Data Interface order: little-endian, from offset 0, an empty list for absent validity. What
//! comes from a guest is checked to the last value before it becomes an array; nothing a guest sends
//! makes the host panic or allocate more than a fixed multiple of what was sent.

mod decoder;

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_data::ArrayData;
use arrow_schema::Field;
use thiserror::Error;

use crate::arrow::format::{MAX_DEPTH, path_text};
use crate::arrow::layout::{Layout, OffsetWidth, layout};
use crate::arrow::node::decoder::Decoder;
use crate::arrow::type_name;

/// Most values in one array that a guest sends, children included.
pub const MAX_LENGTH: u64 = i32::MAX as u64;

/// One array node as it crosses the wall.
#[derive(Clone, Debug)]
pub struct Node {
    /// Number of values.
    pub length: u64,
    /// Number of nulls. Of a null array, its length.
    pub null_count: u64,
    /// In C Data Interface order; an empty buffer stands for an absent validity bitmap.
    pub buffers: Vec<Buffer>,
}

/// Nodes that are not a valid array of the type they are said to have.
///
/// Paths are the names of fields from the column down, joined by dots.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadArray {
    /// The host does not take this type.
    #[error("array `{path}` has a type that is not supported\n  found {found}")]
    Unsupported {
        /// Which array.
        path: String,
        /// Its Arrow type.
        found: String,
    },
    /// The type is nested too deep.
    #[error("array `{path}` is nested too deep\n  expected at most {MAX_DEPTH} levels")]
    TooDeep {
        /// Which array.
        path: String,
    },
    /// There are fewer or more nodes than the type has.
    #[error(
        "column `{path}` does not have one node for each of its fields\n  expected {expected}\n  found    {found}"
    )]
    Nodes {
        /// Which column.
        path: String,
        /// Nodes the type has, as far as they were counted.
        expected: usize,
        /// Nodes there are.
        found: usize,
    },
    /// The length is not the one that follows from the parent or the batch, or is too large.
    #[error("array `{path}` has the wrong length\n  expected {expected}\n  found    {found}")]
    Length {
        /// Which array.
        path: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: u64,
    },
    /// The number of buffers is not the one of the type.
    #[error(
        "array `{path}` has the wrong number of buffers\n  expected {expected}\n  found    {found}"
    )]
    Buffers {
        /// Which array.
        path: String,
        /// Buffers the type has; for views, the fewest.
        expected: usize,
        /// Buffers there are.
        found: usize,
    },
    /// A buffer is too short for the length.
    #[error(
        "the {buffer} buffer of array `{path}` is too short\n  expected {expected} bytes\n  found    {found}"
    )]
    Size {
        /// Which array.
        path: String,
        /// Which buffer.
        buffer: &'static str,
        /// Bytes it must have.
        expected: u128,
        /// Bytes it has.
        found: usize,
    },
    /// The null count is not that of the validity bitmap.
    #[error("array `{path}` has the wrong null count\n  expected {expected}\n  found    {found}")]
    NullCount {
        /// Which array.
        path: String,
        /// Nulls in the bitmap.
        expected: u64,
        /// Nulls the node claims.
        found: u64,
    },
    /// A field that is not nullable has nulls.
    #[error("array `{path}` has nulls but is not nullable\n  expected 0\n  found    {found}")]
    Nulls {
        /// Which array.
        path: String,
        /// How many.
        found: usize,
    },
    /// Views refer to the same bytes so often that the plain form would be unreasonably large.
    #[error(
        "the views of array `{path}` are too large when written out\n  expected at most {expected} bytes\n  found    {found}"
    )]
    Views {
        /// Which array.
        path: String,
        /// The bound, in bytes.
        expected: u64,
        /// Bytes the plain form would have.
        found: u64,
    },
    /// What is made of it would take more memory than there may be.
    #[error("the array takes more memory than there may be\n  found at least {wanted} bytes")]
    Room {
        /// Bytes of the part for which there is no room.
        wanted: u64,
    },
    /// Offsets, UTF-8, dictionary indices or decimals are not valid.
    #[error("array `{path}` has values that are not valid\n  found {reason}")]
    Values {
        /// Which array.
        path: String,
        /// Where and what, in the words of arrow-rs.
        reason: String,
    },
}

/// Takes an array apart into nodes.
///
/// Offsets start at zero and slices are normalised; buffers are shared with the array wherever their
/// bytes need no change. Every buffer is exactly as long as its values need.
///
/// # Errors
/// [`BadArray::Unsupported`] if the type is none that [`decode`] gives.
pub fn encode(array: &dyn Array) -> Result<Vec<Node>, BadArray> {
    let mut nodes = Vec::with_capacity(1);
    push_nodes(&array.to_data(), &mut nodes)?;
    Ok(nodes)
}

/// Builds the array of `rows` values that a guest's nodes describe.
///
/// The array has the type [`canonical_type`](crate::arrow::chunk::canonical_type) of the field's: views become plain here. Its values are
/// otherwise as sent, so it is valid but not yet in [canonical form](crate::arrow::chunk). Buffers are
/// moved, and copied only if they are not aligned for their type. Bytes beyond what the length needs are
/// ignored.
///
/// # Errors
/// [`BadArray`] says which array, by its path, and what is wrong with it.
pub fn decode(field: &Field, nodes: Vec<Node>, rows: u64) -> Result<ArrayRef, BadArray> {
    decode_within(field, nodes, rows, u64::MAX)
}

/// [`decode`] of what may take no more than `room` bytes besides those that were sent.
///
/// # Errors
/// As [`decode`]; [`BadArray::Room`] if that is too little.
pub fn decode_within(
    field: &Field,
    nodes: Vec<Node>,
    rows: u64,
    room: u64,
) -> Result<ArrayRef, BadArray> {
    decode_bounded(field, nodes, rows, MAX_LENGTH, room)
}

/// [`decode`] with another bound than [`MAX_LENGTH`], for the host's own files.
pub(crate) fn decode_bounded(
    field: &Field,
    nodes: Vec<Node>,
    rows: u64,
    max_length: u64,
    room: u64,
) -> Result<ArrayRef, BadArray> {
    let found = nodes.len();
    let mut decoder = Decoder {
        max_length,
        room,
        found,
        nodes: nodes.into_iter(),
        path: Vec::new(),
    };
    let data = decoder.array(field.name(), field.data_type(), Some(rows))?;
    if decoder.nodes.len() > 0 {
        let path = path_text(&[field.name()]);
        return Err(BadArray::Nodes {
            path,
            expected: found - decoder.nodes.len(),
            found,
        });
    }
    if !field.is_nullable() && data.null_count() > 0 {
        return Err(BadArray::Nulls {
            path: path_text(&[field.name()]),
            found: data.null_count(),
        });
    }
    Ok(make_array(data))
}

fn push_nodes(data: &ArrayData, nodes: &mut Vec<Node>) -> Result<(), BadArray> {
    let unsupported = || BadArray::Unsupported {
        path: String::new(),
        found: type_name(data.data_type()),
    };
    let (start, length) = (data.offset(), data.len());
    let layout = layout(data.data_type()).ok_or_else(unsupported)?;
    if let Layout::Null = layout {
        let length = length as u64;
        nodes.push(Node {
            length,
            null_count: length,
            buffers: Vec::new(),
        });
        return Ok(());
    }

    let validity = match data.nulls() {
        Some(nulls) if nulls.null_count() > 0 => bitmap(nulls.inner()),
        _ => Buffer::default(),
    };
    let at = nodes.len();
    nodes.push(Node {
        length: length as u64,
        null_count: data.null_count() as u64,
        buffers: vec![validity],
    });
    let mut own = Vec::new();
    match layout {
        Layout::Null | Layout::View => return Err(unsupported()),
        Layout::Boolean => {
            own.push(bitmap(&BooleanBuffer::new(
                data.buffers()[0].clone(),
                start,
                length,
            )));
        }
        Layout::Fixed(width) | Layout::Dictionary(width, _) => {
            own.push(data.buffers()[0].slice_with_length(start * width, length * width));
            if let Layout::Dictionary(..) = layout {
                push_nodes(&data.child_data()[0], nodes)?;
            }
        }
        Layout::Bytes(width) => {
            let (offsets, first, last) = rebase(data, width);
            own.push(offsets);
            own.push(data.buffers()[1].slice_with_length(first, last - first));
        }
        Layout::List(width, _) => {
            let (offsets, first, last) = rebase(data, width);
            own.push(offsets);
            push_nodes(&data.child_data()[0].slice(first, last - first), nodes)?;
        }
        Layout::FixedList(size, _) => {
            push_nodes(
                &data.child_data()[0].slice(start * size, length * size),
                nodes,
            )?;
        }
        Layout::Struct(_) => {
            // `ArrayData::slice` cuts the children of a struct along with it.
            for child in data.child_data() {
                push_nodes(child, nodes)?;
            }
        }
    }
    nodes[at].buffers.extend(own);
    Ok(())
}

/// The bits from bit 0 on, with zeros after the last: a guest must not see what lies beyond its rows.
fn bitmap(bits: &BooleanBuffer) -> Buffer {
    let bytes = bits.sliced();
    let used = bits.len() % 8;
    match bytes.last() {
        Some(last) if used > 0 && last >> used != 0 => {
            let mut bytes = bytes.to_vec();
            if let Some(last) = bytes.last_mut() {
                *last &= (1 << used) - 1;
            }
            bytes.into()
        }
        _ => bytes,
    }
}

/// The offsets of a valid array from zero on, and the first and the last as they were.
fn rebase(data: &ArrayData, width: OffsetWidth) -> (Buffer, usize, usize) {
    let bytes = (data.len() + 1) * width.bytes();
    let buffer = &data.buffers()[0];
    if data.is_empty() {
        return (Buffer::from(vec![0_u8; bytes]), 0, 0);
    }
    let offsets = buffer.slice_with_length(data.offset() * width.bytes(), bytes);
    match width {
        OffsetWidth::Four => {
            let values = offsets.typed_data::<i32>();
            let (first, last) = (values[0], values[data.len()]);
            let rebased = match first {
                0 => offsets,
                _ => values.iter().map(|offset| offset - first).collect(),
            };
            (rebased, first as usize, last as usize)
        }
        OffsetWidth::Eight => {
            let values = offsets.typed_data::<i64>();
            let (first, last) = (values[0], values[data.len()]);
            let rebased = match first {
                0 => offsets,
                _ => values.iter().map(|offset| offset - first).collect(),
            };
            (rebased, first as usize, last as usize)
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, NullArray, StringArray, cast::AsArray as _};
    use arrow_schema::{DataType, Fields};
    use proptest::prelude::*;

    use super::*;
    use crate::arrow::chunk::{canonical, canonical_field, canonical_type, digest};
    use crate::arrow::file;
    use crate::arrow::rows::{self, Rows};
    use crate::arrow::samples::{Random, build, random_field, random_values, values};

    fn node(length: u64, null_count: u64, buffers: &[&[u8]]) -> Node {
        let buffers = buffers
            .iter()
            .map(|buffer| Buffer::from(buffer.to_vec()))
            .collect();
        Node {
            length,
            null_count,
            buffers,
        }
    }

    fn field(data_type: DataType) -> Field {
        Field::new("x", data_type, true)
    }

    /// Canonical, so without views, but then cut again.
    fn slice(field: &Field, random: &mut Random) -> ArrayRef {
        let rows = random.below(30);
        let given = random_values(field, rows, random);
        let chunk = canonical(field, &[build(field, &given, random)]).unwrap();
        let start = random.below(rows + 1);
        chunk.slice(start, random.below(rows - start + 1))
    }

    /// Damages nodes as a hostile or broken guest would.
    fn damage(nodes: &mut Vec<Node>, random: &mut Random) {
        let numbers = [
            0,
            1,
            2,
            7,
            8,
            9,
            255,
            i32::MAX as u64,
            u64::from(u32::MAX),
            1 << 40,
            u64::MAX,
        ];
        for _ in 0..=random.below(3) {
            if nodes.is_empty() {
                return;
            }
            let at = random.below(nodes.len());
            let number = numbers[random.below(numbers.len())];
            match random.below(9) {
                0 => nodes[at].length = number,
                1 => nodes[at].null_count = number,
                2 => drop(nodes.remove(at)),
                3 => nodes.insert(at, nodes[at].clone()),
                4 => drop(nodes[at].buffers.pop()),
                5 => nodes[at].buffers.push(Buffer::from(vec![1_u8; 9])),
                kind => {
                    let count = nodes[at].buffers.len();
                    if count == 0 {
                        continue;
                    }
                    let buffer = &mut nodes[at].buffers[random.below(count)];
                    let mut bytes = buffer.to_vec();
                    let place = random.below(bytes.len() + 1);
                    match kind {
                        6 => bytes.truncate(place),
                        7 => bytes.extend(number.to_le_bytes()),
                        _ if place < bytes.len() => bytes[place] = number as u8,
                        _ => {}
                    }
                    *buffer = bytes.into();
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_encoded_is_decoded(seed: u64) {
            let mut random = Random(seed);
            let field = canonical_field(&random_field("x", 3, &mut random));
            let array = slice(&field, &mut random);
            let nodes = encode(&array).unwrap();
            for node in nodes.iter().filter(|node| node.null_count == 0) {
                prop_assert!(node.buffers.first().is_none_or(Buffer::is_empty));
            }
            let decoded = decode(&field, nodes, array.len() as u64).unwrap();
            prop_assert_eq!(decoded.data_type().clone(), canonical_type(field.data_type()));
            prop_assert_eq!(values(&decoded), values(&array));
        }

        /// Either an error, or an array that everything else takes.
        #[test]
        fn damaged_nodes_never_panic(seed: u64) {
            let mut random = Random(seed);
            let field = canonical_field(&random_field("x", 3, &mut random));
            let array = slice(&field, &mut random);
            let mut nodes = encode(&array).unwrap();
            damage(&mut nodes, &mut random);
            let Ok(array) = decode(&field, nodes, array.len() as u64) else { return Ok(()) };
            array.to_data().validate_full().unwrap();
            encode(&array).unwrap();
            let reversed: Vec<_> = (0..array.len() as u64).rev().collect();
            rows::take(&[Arc::clone(&array)], &Rows::Indices(reversed.into())).unwrap();
            if let Ok(chunk) = canonical(&field, &[array]) {
                digest(&chunk).unwrap();
                file::write(&[field], &[chunk], &mut Vec::new()).unwrap();
            }
        }
    }

    #[test]
    fn buffers_are_moved() {
        let values = Buffer::from(vec![1_i32, 2, 3]);
        let pointer = values.as_ptr();
        let nodes = vec![Node {
            length: 3,
            null_count: 0,
            buffers: vec![Buffer::default(), values],
        }];
        let array = decode(&field(DataType::Int32), nodes, 3).unwrap();
        assert_eq!(array.to_data().buffers()[0].as_ptr(), pointer);
        let encoded = encode(&array).unwrap();
        assert_eq!(encoded[0].buffers[1].as_ptr(), pointer);
    }

    #[test]
    fn slices_show_nothing_around_them() {
        let strings = StringArray::from(vec![Some("secret"), Some("b"), None, Some("secret")]);
        let nodes = encode(&strings.slice(1, 2)).unwrap();
        let buffers: Vec<_> = nodes[0].buffers.iter().map(Buffer::as_slice).collect();
        assert_eq!(
            buffers,
            [&[0b01][..], &[0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], b"b"]
        );
        let nodes = encode(&Int32Array::from(vec![1, 2, 3]).slice(2, 1)).unwrap();
        assert_eq!(nodes[0].buffers[1].as_slice(), [3, 0, 0, 0]);
        assert_eq!(encode(&NullArray::new(3)).unwrap()[0].null_count, 3);
    }

    #[test]
    fn views_become_plain() {
        let long = b"more than twelve bytes";
        let mut views = vec![3, 0, 0, 0, b'a', b'b', b'c', 0, 0, 0, 0, 0, 0, 0, 0, 0];
        views.extend([
            long.len() as u8,
            0,
            0,
            0,
            b'm',
            b'o',
            b'r',
            b'e',
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        let sizes = (long.len() as u64).to_le_bytes();
        let nodes = vec![node(2, 0, &[&[], &views, long, &sizes])];
        let array = decode(&field(DataType::Utf8View), nodes, 2).unwrap();
        assert_eq!(
            array.as_string::<i32>(),
            &StringArray::from(vec!["abc", "more than twelve bytes"])
        );

        // A thousand views of the same bytes.
        let block = vec![b'x'; 100_000];
        let view = [
            160, 134, 1, 0, b'x', b'x', b'x', b'x', 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let sizes = (block.len() as u64).to_le_bytes();
        let nodes = vec![node(1000, 0, &[&[], &view.repeat(1000), &block, &sizes])];
        let error = decode(&field(DataType::Utf8View), nodes, 1000).unwrap_err();
        assert!(
            matches!(
                error,
                BadArray::Views {
                    found: 100_000_000,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn errors_name_the_path_and_what_is_wrong() {
        let item = Field::new("item", DataType::Utf8, false);
        let list = DataType::List(Arc::new(item));
        let nested = DataType::Struct(Fields::from(vec![Field::new("tags", list, false)]));
        let nodes = |text: Node| {
            vec![
                node(1, 0, &[&[]]),
                node(1, 0, &[&[], &[0, 0, 0, 0, 1, 0, 0, 0]]),
                text,
            ]
        };
        let error = |nodes| {
            decode(&field(nested.clone()), nodes, 1)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(nodes(node(1, 0, &[&[], &[0, 0, 0, 0]]))),
            "array `x.tags.item` has the wrong number of buffers\n  expected 3\n  found    2"
        );
        assert_eq!(
            error(nodes(node(1, 0, &[&[], &[0, 0, 0, 0], b""]))),
            "the offsets buffer of array `x.tags.item` is too short\n  expected 8 bytes\n  found    4"
        );
        assert_eq!(
            error(nodes(node(1, 0, &[&[0], &[0, 0, 0, 0, 0, 0, 0, 0], b""]))),
            "array `x.tags.item` has the wrong null count\n  expected 1\n  found    0"
        );
        assert!(
            error(nodes(node(
                1,
                0,
                &[&[], &[0, 0, 0, 0, 1, 0, 0, 0], b"\xff"]
            )))
            .starts_with("array `x.tags.item` has values that are not valid\n  found Invalid UTF8")
        );
    }

    #[test]
    fn bombs_are_refused() {
        let huge = node(1 << 40, 0, &[]);
        assert!(matches!(
            decode(&field(DataType::Null), vec![huge], 1 << 40),
            Err(BadArray::Length { .. })
        ));

        let item = Arc::new(Field::new("item", DataType::Null, true));
        let nodes = vec![node(1 << 20, 0, &[&[]]), node(1 << 51, 0, &[])];
        let squared = decode(
            &field(DataType::FixedSizeList(item, i32::MAX)),
            nodes,
            1 << 20,
        );
        assert!(matches!(squared, Err(BadArray::Length { .. })));

        let mut deep = DataType::Int8;
        for _ in 0..MAX_DEPTH {
            deep = DataType::List(Arc::new(Field::new("item", deep, true)));
        }
        let nodes = vec![node(0, 0, &[&[], &[]]); MAX_DEPTH + 1];
        assert!(matches!(
            decode(&field(deep), nodes, 0),
            Err(BadArray::TooDeep { .. })
        ));
    }

    #[test]
    fn decimals_fit_their_precision() {
        let decimal = field(DataType::Decimal32(2, 0));
        let nodes = |value: i32| vec![node(1, 0, &[&[], &value.to_le_bytes()])];
        assert!(decode(&decimal, nodes(-99), 1).is_ok());
        assert!(matches!(
            decode(&decimal, nodes(100), 1),
            Err(BadArray::Values { .. })
        ));
    }

    #[test]
    fn nulls_need_a_nullable_field() {
        let required = Field::new("x", DataType::Int8, false);
        let error = decode(&required, vec![node(2, 1, &[&[1], &[0, 0]])], 2).unwrap_err();
        assert_eq!(
            error,
            BadArray::Nulls {
                path: "x".to_owned(),
                found: 1
            }
        );
    }
}

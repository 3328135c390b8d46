//! Types, values and arrays for tests: every type of the support table, and the same values in ever
//! different bytes.
//!
//! Tests of the whole use this file too, by its path: so it names what is beside it as `super`.

#[path = "samples/sweep.rs"]
pub(crate) mod sweep;
#[path = "samples/types.rs"]
pub(crate) mod types;

use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, GenericByteBuilder, StringViewBuilder};
use arrow_array::types::{BinaryType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, GenericListArray, MapArray, NullArray,
    OffsetSizeTrait, StructArray, cast::AsArray as _, make_array, new_empty_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, i256};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, FieldRef};

use types::supported;

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % bound as u64) as usize
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

/// One value, free of any encoding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Bytes of fixed-width values, of strings and of binaries.
    Bytes(Vec<u8>),
    /// Items of a list, entries of a map, children of a struct.
    Items(Vec<Value>),
}

/// How nulls are spread over the values of a column and all below it, where fields are nullable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    None,
    Some,
    /// Every value that is not nested.
    All,
}

/// A column of some type that is nested at most `depth` times.
pub(crate) fn random_field(name: &str, depth: usize, random: &mut Random) -> Field {
    let item = (depth > 0 && random.below(5) < 2).then(|| random_field("item", depth - 1, random));
    let kinds = supported(item.as_ref());
    let types = &kinds[random.below(kinds.len())];
    let data_type = types[random.below(types.len())].clone();
    // A null array can hardly be anything but nullable.
    let nullable = data_type == DataType::Null || random.coin();
    Field::new(name, data_type, nullable)
}

/// Values that a field may have.
pub(crate) fn random_values(field: &Field, count: usize, random: &mut Random) -> Vec<Value> {
    let nulls = match random.below(3) {
        0 => Nulls::None,
        _ => Nulls::Some,
    };
    values_with(field, count, nulls, random)
}

/// Values that a field may have, with nulls as asked.
pub(crate) fn values_with(
    field: &Field,
    count: usize,
    nulls: Nulls,
    random: &mut Random,
) -> Vec<Value> {
    (0..count)
        .map(|_| random_value(field, nulls, random))
        .collect()
}

fn random_value(field: &Field, nulls: Nulls, random: &mut Random) -> Value {
    let null = match nulls {
        Nulls::None => false,
        Nulls::Some => random.below(4) == 0,
        Nulls::All => !field.data_type().is_nested(),
    };
    if *field.data_type() == DataType::Null || null && field.is_nullable() {
        return Value::Null;
    }
    match field.data_type() {
        DataType::Boolean => Value::Bool(random.coin()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let words = [
                "",
                "a",
                "ß",
                "zebra",
                "exactly 12 b",
                "long enough to leave the twelve bytes of a view",
                "日本",
            ];
            Value::Bytes(words[random.below(words.len())].as_bytes().to_vec())
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let len = random.below(20);
            Value::Bytes(random.bytes(len))
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            Value::Bytes(random_float(width(field.data_type()), random))
        }
        DataType::Decimal32(precision, _)
        | DataType::Decimal64(precision, _)
        | DataType::Decimal128(precision, _)
        | DataType::Decimal256(precision, _) => {
            let largest = (0..*precision)
                .fold(i256::ONE, |power, _| {
                    power.wrapping_mul(i256::from_i128(10))
                })
                .wrapping_sub(i256::ONE);
            let value = match random.below(6) {
                0 => i256::ZERO,
                1 => largest,
                2 => largest.wrapping_neg(),
                3 => i256::MINUS_ONE,
                _ => i256::from_i128(random.below(10) as i128),
            };
            Value::Bytes(value.to_le_bytes()[..width(field.data_type())].to_vec())
        }
        DataType::Dictionary(_, value) => {
            // Few values, so that they come again and fit the smallest keys.
            let mut few = Random(random.below(5) as u64);
            let field = Field::new("", (**value).clone(), false);
            random_value(&field, Nulls::None, &mut few)
        }
        DataType::FixedSizeList(item, size) => {
            let size = *size as usize;
            Value::Items(values_with(item, size, nulls, random))
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
            let len = random.below(4);
            Value::Items(values_with(item, len, nulls, random))
        }
        DataType::Struct(fields) => Value::Items(
            fields
                .iter()
                .map(|field| random_value(field, nulls, random))
                .collect(),
        ),
        data_type => {
            let width = width(data_type);
            Value::Bytes(match random.below(4) {
                0 => vec![0; width],
                1 => vec![0xff; width],
                _ => random.bytes(width),
            })
        }
    }
}

/// Numbers of any kind: finite ones, zeros, infinities, subnormals, NaNs that are quiet and such that are not.
fn random_float(width: usize, random: &mut Random) -> Vec<u8> {
    let (bits, mantissa) = match width {
        2 => (16, 10),
        4 => (32, 23),
        _ => (64, 52),
    };
    let any = u64::from_le_bytes(std::array::from_fn(|_| random.below(256) as u8));
    let exponent = (1_u64 << (bits - 1)) - (1 << mantissa);
    let quiet = 1_u64 << (mantissa - 1);
    let payload = any & (quiet - 1);
    let magnitude = match random.below(7) {
        0 => 0,
        1 => exponent,
        2 => exponent | quiet | payload,
        3 => exponent | payload.max(1),
        4 => payload.max(1),
        _ => any & !(1 << (bits - 1)),
    };
    let sign = u64::from(random.coin()) << (bits - 1);
    (magnitude | sign).to_le_bytes()[..width].to_vec()
}

/// Bytes in a value.
fn width(data_type: &DataType) -> usize {
    match data_type {
        DataType::FixedSizeBinary(width) => *width as usize,
        other => other.primitive_width().unwrap(),
    }
}

/// An array of the values, in arbitrarily chosen bytes: slices, views, junk under nulls and around.
pub(crate) fn build(field: &Field, values: &[Value], random: &mut Random) -> ArrayRef {
    let (before, after) = (random.below(10), random.below(3));
    build_within(field, values, (before, after), random)
}

/// As [`build()`], cut out of an array with so many more values before and after.
pub(crate) fn build_within(
    field: &Field,
    values: &[Value],
    (before, after): (usize, usize),
    random: &mut Random,
) -> ArrayRef {
    let mut all = random_values(field, before, random);
    all.extend_from_slice(values);
    all.extend(random_values(field, after, random));
    build_unsliced(field, &all, random).slice(before, values.len())
}

fn build_unsliced(field: &Field, values: &[Value], random: &mut Random) -> ArrayRef {
    let valid: Vec<bool> = values.iter().map(|value| *value != Value::Null).collect();
    let nulls = match valid.contains(&false) || random.coin() {
        true => Some(NullBuffer::from(valid)),
        false => None,
    };
    // What stands in slots of nulls, instead of nothing.
    let junk = |random: &mut Random| {
        random_value(&field.clone().with_nullable(false), Nulls::Some, random)
    };
    let filled: Vec<Value> = values
        .iter()
        .map(|value| {
            if *value == Value::Null {
                junk(random)
            } else {
                value.clone()
            }
        })
        .collect();
    match field.data_type() {
        DataType::Null => Arc::new(NullArray::new(values.len())),
        DataType::Boolean => {
            let bits: Vec<bool> = filled
                .iter()
                .map(|value| *value == Value::Bool(true))
                .collect();
            Arc::new(BooleanArray::new(BooleanBuffer::from(bits), nulls))
        }
        DataType::Utf8 | DataType::Utf8View
            if *field.data_type() == DataType::Utf8View || random.coin() =>
        {
            let mut builder = StringViewBuilder::new().with_fixed_block_size(64);
            values
                .iter()
                .for_each(|value| builder.append_option(text(value)));
            Arc::new(builder.finish())
        }
        DataType::Binary | DataType::BinaryView
            if *field.data_type() == DataType::BinaryView || random.coin() =>
        {
            let mut builder = BinaryViewBuilder::new();
            values
                .iter()
                .for_each(|value| builder.append_option(bytes(value)));
            Arc::new(builder.finish())
        }
        DataType::Utf8 => with_nulls(&byte_array::<Utf8Type>(&filled, text), nulls),
        DataType::LargeUtf8 => with_nulls(&byte_array::<LargeUtf8Type>(&filled, text), nulls),
        DataType::Binary => with_nulls(&byte_array::<BinaryType>(&filled, bytes), nulls),
        DataType::LargeBinary => with_nulls(&byte_array::<LargeBinaryType>(&filled, bytes), nulls),
        DataType::List(item) => list::<i32>(item, &filled, nulls, random),
        DataType::LargeList(item) => list::<i64>(item, &filled, nulls, random),
        DataType::Map(entries, sorted) => {
            let (offsets, child) = list_parts::<i32>(entries, &filled, random);
            let DataType::Struct(pair) = child.data_type() else {
                unreachable!()
            };
            let entries = Field::new("odd", DataType::Struct(pair.clone()), false);
            Arc::new(MapArray::new(
                Arc::new(entries),
                offsets,
                child.as_struct().clone(),
                nulls,
                *sorted,
            ))
        }
        DataType::FixedSizeList(item, size) => {
            let items: Vec<Value> = filled.iter().flat_map(items).cloned().collect();
            let child = build(item, &items, random);
            let item = Arc::new(
                item.as_ref()
                    .clone()
                    .with_name("odd")
                    .with_data_type(child.data_type().clone()),
            );
            Arc::new(
                FixedSizeListArray::try_new_with_length(item, *size, child, nulls, values.len())
                    .unwrap(),
            )
        }
        DataType::Struct(fields) => {
            let columns: Vec<_> = (0..fields.len())
                .map(|at| {
                    let column: Vec<Value> = filled
                        .iter()
                        .map(|value| items(value)[at].clone())
                        .collect();
                    build(&fields[at], &column, random)
                })
                .collect();
            let fields = fields
                .iter()
                .zip(&columns)
                .map(|(field, column)| {
                    field
                        .as_ref()
                        .clone()
                        .with_data_type(column.data_type().clone())
                })
                .collect();
            Arc::new(
                StructArray::try_new_with_length(fields, columns, nulls, values.len()).unwrap(),
            )
        }
        DataType::Dictionary(key, value) => {
            dictionary(key, value, values, field.is_nullable(), random)
        }
        data_type => {
            let joined: Vec<u8> = filled
                .iter()
                .flat_map(|value| bytes(value).unwrap().to_vec())
                .collect();
            let data = ArrayData::builder(data_type.clone())
                .len(values.len())
                .nulls(nulls);
            make_array(
                data.add_buffer(Buffer::from(joined))
                    .align_buffers(true)
                    .build()
                    .unwrap(),
            )
        }
    }
}

fn byte_array<T: arrow_array::types::ByteArrayType>(
    values: &[Value],
    native: impl Fn(&Value) -> Option<&T::Native>,
) -> ArrayRef {
    let mut builder = GenericByteBuilder::<T>::new();
    values
        .iter()
        .for_each(|value| builder.append_value(native(value).unwrap()));
    Arc::new(builder.finish())
}

fn with_nulls(array: &ArrayRef, nulls: Option<NullBuffer>) -> ArrayRef {
    make_array(array.to_data().into_builder().nulls(nulls).build().unwrap())
}

fn list<O: OffsetSizeTrait>(
    item: &FieldRef,
    filled: &[Value],
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let (offsets, child) = list_parts::<O>(item, filled, random);
    let item = item
        .as_ref()
        .clone()
        .with_name("odd")
        .with_data_type(child.data_type().clone());
    Arc::new(GenericListArray::<O>::new(
        Arc::new(item),
        offsets,
        child,
        nulls,
    ))
}

/// Offsets that need not begin at zero, and a child with more values than they use.
fn list_parts<O: OffsetSizeTrait>(
    item: &FieldRef,
    filled: &[Value],
    random: &mut Random,
) -> (OffsetBuffer<O>, ArrayRef) {
    let mut children = random_values(item, random.below(3), random);
    let mut offsets = vec![O::usize_as(children.len())];
    for value in filled {
        children.extend_from_slice(items(value));
        offsets.push(O::usize_as(children.len()));
    }
    children.extend(random_values(item, random.below(3), random));
    (
        OffsetBuffer::new(offsets.into()),
        build(item, &children, random),
    )
}

/// A dictionary in any order, with values twice, values that nobody uses, and nulls.
fn dictionary(
    key: &DataType,
    value: &DataType,
    values: &[Value],
    nullable: bool,
    random: &mut Random,
) -> ArrayRef {
    let mut distinct: Vec<Value> = values
        .iter()
        .filter(|value| **value != Value::Null)
        .cloned()
        .collect();
    distinct.sort();
    distinct.dedup();
    distinct.extend(distinct.clone());
    if nullable {
        distinct.insert(0, Value::Null);
    }
    let turn = random.below(distinct.len().max(1));
    distinct.rotate_left(turn);
    let mut keys = Vec::new();
    let mut valid = Vec::new();
    for value in values {
        let places: Vec<_> = (0..distinct.len())
            .filter(|at| distinct[*at] == *value)
            .collect();
        valid.push(*value != Value::Null || random.coin());
        keys.push(places[random.below(places.len())] as u8);
    }
    let width = key.primitive_width().unwrap();
    let bytes = keys
        .iter()
        .flat_map(|key| (0..width).map(move |at| if at == 0 { *key } else { 0 }));
    let plain = Field::new("", value.clone(), true);
    let values = match distinct.is_empty() {
        true => new_empty_array(value),
        false => build(&plain, &distinct, random),
    };
    let data_type =
        DataType::Dictionary(Box::new(key.clone()), Box::new(values.data_type().clone()));
    let data = ArrayData::builder(data_type)
        .len(keys.len())
        .nulls(valid.contains(&false).then(|| NullBuffer::from(valid)))
        .add_buffer(Buffer::from(bytes.collect::<Vec<u8>>()))
        .add_child_data(values.to_data());
    make_array(data.align_buffers(true).build().unwrap())
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    bytes(value).map(|bytes| std::str::from_utf8(bytes).unwrap())
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Items(items) => items,
        _ => &[],
    }
}

/// Reads an array back, whatever its encoding.
pub(crate) fn values(array: &dyn Array) -> Vec<Value> {
    (0..array.len()).map(|row| value(array, row)).collect()
}

fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Value::Bytes(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Value::Bytes(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Value::Bytes(array.as_string_view().value(row).into()),
        DataType::Binary => Value::Bytes(array.as_binary::<i32>().value(row).into()),
        DataType::LargeBinary => Value::Bytes(array.as_binary::<i64>().value(row).into()),
        DataType::BinaryView => Value::Bytes(array.as_binary_view().value(row).into()),
        DataType::List(_) => Value::Items(values(&array.as_list::<i32>().value(row))),
        DataType::LargeList(_) => Value::Items(values(&array.as_list::<i64>().value(row))),
        DataType::FixedSizeList(..) => Value::Items(values(&array.as_fixed_size_list().value(row))),
        DataType::Map(..) => Value::Items(values(&array.as_map().value(row))),
        DataType::Struct(_) => Value::Items(
            array
                .as_struct()
                .columns()
                .iter()
                .map(|column| value(column, row))
                .collect(),
        ),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            value(dictionary.values(), dictionary.normalized_keys()[row])
        }
        data_type => {
            let width = width(data_type);
            let data = array.to_data();
            let start = (data.offset() + row) * width;
            Value::Bytes(data.buffers()[0][start..start + width].to_vec())
        }
    }
}

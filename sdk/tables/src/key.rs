//! Keys of rows, in a form in which they are compared as they are.
//!
//! A single column of numbers, booleans, dates or times becomes one word for each row, everything else
//! the bytes of the [row format](arrow_row). Both are in the order of the values: false before true,
//! text by its UTF-8 bytes; the zeros of floats are equal, and so are the NaNs, which are greater than
//! every number.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BinaryArray, UInt64Array};
use arrow_buffer::{ArrowNativeType, NullBuffer, ScalarBuffer};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, Field, SortOptions};
use foldhash::quality::FixedState;
use pinion_sdk::{Error, Result};

/// The order of one column. Ascending with nulls last unless told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Whether the largest value comes first.
    pub descending: bool,
    /// Whether nulls come before all values, in either direction.
    pub nulls_first: bool,
}

/// Makes keys of columns.
pub struct Encoder(Form);

enum Form {
    Words { descending: bool },
    Bytes(RowConverter),
}

/// The key of every row of a batch. A key sorts by its value, and where it is null by `nulls`.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The keys. Of words those in `nulls` mean nothing, of bytes they are in order as well.
    pub values: KeyValues,
    /// The rows with no null in any column; all if there is none.
    pub nulls: Option<NullBuffer>,
}

/// Keys without regard to nulls.
#[derive(Clone, Debug)]
pub enum KeyValues {
    /// Of one column of fixed width.
    Words(ScalarBuffer<u64>),
    /// Of anything else.
    Bytes(BinaryArray),
}

impl Encoder {
    /// Makes keys of columns with these fields, compared in turn.
    ///
    /// # Errors
    /// `wrong-type` for a type without an order: nested ones and intervals.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a Field, Order)>) -> Result<Self> {
        let mut parts = Vec::new();
        for (field, order) in columns {
            check(field)?;
            parts.push((field.data_type().clone(), order));
        }
        Ok(Self(match parts.as_slice() {
            [(data_type, order)] if is_word(data_type) => Form::Words {
                descending: order.descending,
            },
            _ => {
                let parts = parts.into_iter().map(|(data_type, order)| {
                    let options = SortOptions::new(order.descending, order.nulls_first);
                    SortField::new_with_options(data_type, options)
                });
                Form::Bytes(RowConverter::new(parts.collect())?)
            }
        }))
    }

    /// Whether keys are words.
    #[must_use]
    pub fn makes_words(&self) -> bool {
        matches!(self.0, Form::Words { .. })
    }

    /// The keys of the rows of `columns`, which have the types that the encoder was made for.
    ///
    /// # Errors
    /// `bad-data` if they have others, or the keys of one batch are more than 2 GiB.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Keys> {
        let mut nulls = None;
        for column in columns {
            let more = column
                .logical_nulls()
                .filter(|nulls| nulls.null_count() > 0);
            nulls = NullBuffer::union(nulls.as_ref(), more.as_ref());
        }
        let values = match (&self.0, columns) {
            (Form::Words { descending }, [column]) => {
                let mut words = words(column)?;
                if *descending {
                    words.iter_mut().for_each(|word| *word = !*word);
                }
                KeyValues::Words(words.into())
            }
            (Form::Words { .. }, _) => return Err(Error::bad_data("a key of one column has more")),
            (Form::Bytes(rows), _) => {
                let columns: Vec<ArrayRef> = columns.iter().map(with_one_zero).collect();
                KeyValues::Bytes(rows.convert_columns(&columns)?.try_into_binary()?)
            }
        };
        Ok(Keys { values, nulls })
    }
}

impl Keys {
    /// Number of rows.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        match &self.values {
            KeyValues::Words(words) => words.len(),
            KeyValues::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether a part of the key of `row` is null.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// A hash of the key of `row`.
    #[must_use]
    pub fn hash(&self, row: usize) -> u64 {
        match &self.values {
            KeyValues::Words(words) => hash_word(words[row]),
            KeyValues::Bytes(bytes) => hash_bytes(bytes.value(row)),
        }
    }

    /// The keys in a column of them, none of which is null.
    ///
    /// # Errors
    /// `bad-data` if they are something else.
    pub fn from_array(array: &dyn Array) -> Result<Self> {
        let values = if let Some(words) = array.as_any().downcast_ref::<UInt64Array>() {
            KeyValues::Words(words.values().clone())
        } else if let Some(bytes) = array.as_binary_opt::<i32>() {
            KeyValues::Bytes(bytes.clone())
        } else {
            return Err(Error::bad_data("a column holds no keys"));
        };
        let nulls = None;
        Ok(Self { values, nulls })
    }
}

/// Refuses a column without an order.
///
/// # Errors
/// `wrong-type`.
pub fn check(field: &Field) -> Result<()> {
    let flat = match field.data_type() {
        DataType::Dictionary(_, values) => values,
        flat => flat,
    };
    if flat.is_nested() || matches!(flat, DataType::Interval(_)) {
        let expected = "booleans, numbers, text, bytes, dates, times or durations";
        return Err(Error::wrong_type(field.name(), expected, field.data_type()));
    }
    Ok(())
}

/// A hash of a word that spreads every bit over all others: the finalizer of MurmurHash3.
pub(crate) fn hash_word(mut word: u64) -> u64 {
    word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

/// A hash of bytes.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    FixedState::with_seed(0).hash_one(bytes)
}

fn is_word(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Boolean)
        || data_type.primitive_width().is_some_and(|width| width <= 8)
}

/// One word for each value, in their order.
fn words(array: &dyn Array) -> Result<Vec<u64>> {
    const SIGN: u64 = 1 << 63;
    fn of<T: ArrowNativeType>(array: &dyn Array, word: impl Fn(T) -> u64) -> Vec<u64> {
        let data = array.to_data();
        data.buffer::<T>(0)[..array.len()]
            .iter()
            .map(|value| word(*value))
            .collect()
    }
    fn of_floats<T: ArrowPrimitiveType>(
        array: &dyn Array,
        widen: impl Fn(T::Native) -> f64,
    ) -> Vec<u64> {
        of(array, |value| {
            let bits = one_zero(widen(value)).to_bits();
            if bits & SIGN == 0 { bits | SIGN } else { !bits }
        })
    }
    let signed = |value: i64| value as u64 ^ SIGN;
    Ok(match array.data_type() {
        DataType::Boolean => array.as_boolean().values().iter().map(u64::from).collect(),
        DataType::UInt8 => of(array, |value: u8| value.into()),
        DataType::UInt16 => of(array, |value: u16| value.into()),
        DataType::UInt32 => of(array, |value: u32| value.into()),
        DataType::UInt64 => of(array, |value: u64| value),
        DataType::Float16 => of_floats::<Float16Type>(array, |value| value.to_f64()),
        DataType::Float32 => of_floats::<Float32Type>(array, f64::from),
        DataType::Float64 => of_floats::<Float64Type>(array, |value| value),
        signed_type => match signed_type.primitive_width() {
            Some(1) => of(array, |value: i8| signed(value.into())),
            Some(2) => of(array, |value: i16| signed(value.into())),
            Some(4) => of(array, |value: i32| signed(value.into())),
            Some(8) => of(array, signed),
            _ => return Err(Error::bad_data("a column is no longer of fixed width")),
        },
    })
}

/// The value with one zero and one NaN, the positive ones.
fn one_zero(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0
    }
}

/// The column with one zero and one NaN, if it holds floats.
fn with_one_zero(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float16 => {
            let half = |value: <Float16Type as ArrowPrimitiveType>::Native| {
                let zero = <Float16Type as ArrowPrimitiveType>::Native::default();
                match value {
                    value if value.is_nan() => <Float16Type as ArrowPrimitiveType>::Native::NAN,
                    value if value == zero => zero,
                    value => value,
                }
            };
            Arc::new(
                column
                    .as_primitive::<Float16Type>()
                    .unary::<_, Float16Type>(half),
            )
        }
        DataType::Float32 => {
            let single = |value: f32| {
                if value.is_nan() {
                    f32::NAN
                } else {
                    value + 0.0
                }
            };
            Arc::new(
                column
                    .as_primitive::<Float32Type>()
                    .unary::<_, Float32Type>(single),
            )
        }
        DataType::Float64 => Arc::new(
            column
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(one_zero),
        ),
        DataType::Dictionary(_, values) if values.is_floating() => {
            let dictionary = column.as_any_dictionary();
            dictionary.with_values(with_one_zero(dictionary.values()))
        }
        _ => Arc::clone(column),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::types::Int8Type;
    use arrow_array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
        Int8Array, Int64Array, LargeStringArray, NullArray, StringArray, UInt64Array,
    };

    use super::*;

    /// Asserts that keys of `values`, which ascend, ascend as words or bytes, and descend if told.
    fn ascends(values: ArrayRef) {
        for (descending, alone) in [(false, true), (false, false), (true, true), (true, false)] {
            let order = Order {
                descending,
                nulls_first: false,
            };
            let field = Field::new("x", values.data_type().clone(), true);
            // A second column makes bytes of what would be words.
            let count = if alone { 1 } else { 2 };
            let encoder = Encoder::new(std::iter::repeat_n((&field, order), count)).unwrap();
            let keys = encoder.encode(&vec![Arc::clone(&values); count]).unwrap();
            let less = |left: usize, right: usize| match &keys.values {
                KeyValues::Words(words) => words[left] < words[right],
                KeyValues::Bytes(bytes) => bytes.value(left) < bytes.value(right),
            };
            for row in 1..values.len() {
                let (first, second) = if descending {
                    (row, row - 1)
                } else {
                    (row - 1, row)
                };
                assert!(less(first, second), "{values:?} {row} {descending} {alone}");
            }
        }
    }

    #[test]
    fn keys_are_in_the_order_of_the_values() {
        ascends(Arc::new(Int8Array::from(vec![-128, -1, 0, 1, 127])));
        ascends(Arc::new(Int64Array::from(vec![i64::MIN, -1, 0, i64::MAX])));
        ascends(Arc::new(UInt64Array::from(vec![0, 1, 1 << 63, u64::MAX])));
        ascends(Arc::new(BooleanArray::from(vec![false, true])));
        ascends(Arc::new(Date32Array::from(vec![-5, 0, 20_000])));
        ascends(Arc::new(Decimal128Array::from(vec![
            -(1 << 70),
            0,
            1 << 70,
        ])));
        ascends(Arc::new(StringArray::from(vec![
            "", "a", "a\0", "ab", "b", "é",
        ])));
        ascends(Arc::new(LargeStringArray::from(vec!["a", "b"])));
        let inf = f64::INFINITY;
        ascends(Arc::new(Float64Array::from(vec![
            -inf,
            -1.0,
            0.0,
            1e-300,
            1.0,
            inf,
            f64::NAN,
        ])));
        ascends(Arc::new(Float32Array::from(vec![-1.0, 0.0, 1.0, f32::NAN])));
        let dictionary: DictionaryArray<Int8Type> = vec!["b", "a"].into_iter().collect();
        ascends(Arc::new(
            dictionary.with_values(Arc::new(StringArray::from(vec!["a", "b"]))),
        ));
    }

    #[test]
    fn zeros_are_equal_and_so_are_nans() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN]));
        let field = Field::new("x", DataType::Float64, true);
        for count in [1, 2] {
            let encoder = Encoder::new(vec![(&field, Order::default()); count]).unwrap();
            let keys = encoder.encode(&vec![Arc::clone(&values); count]).unwrap();
            let is_equal = |left, right| match &keys.values {
                KeyValues::Words(words) => words[left] == words[right],
                KeyValues::Bytes(bytes) => bytes.value(left) == bytes.value(right),
            };
            assert!(is_equal(0, 1) && is_equal(2, 3) && !is_equal(1, 2));
        }
    }

    #[test]
    fn nulls_of_any_part_are_known() {
        let fields = [
            Field::new("x", DataType::Int64, true),
            Field::new("y", DataType::Null, true),
        ];
        let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let nulls: ArrayRef = Arc::new(NullArray::new(2));
        let encoder = Encoder::new(fields.iter().map(|field| (field, Order::default()))).unwrap();
        let keys = encoder.encode(&[Arc::clone(&values), nulls]).unwrap();
        assert!(keys.is_null(0) && keys.is_null(1));
        let encoder = Encoder::new([(&fields[0], Order::default())]).unwrap();
        let keys = encoder.encode(&[values]).unwrap();
        assert!(!keys.is_null(0) && keys.is_null(1));
    }

    #[test]
    fn what_has_no_order_is_refused() {
        let item = Arc::new(Field::new("item", DataType::Int8, true));
        let field = Field::new("x", DataType::List(item), true);
        assert_eq!(check(&field).unwrap_err().code, "wrong-type");
    }
}

//! One dictionary for each column of a file, where every partition of a table has its own.
//!
//! In an Arrow IPC file a dictionary holds for all record batches. It could be extended from batch to batch,
//! but not every reader knows how. So all values are brought together before the first batch is written.

use std::slice::IterMut;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, RecordBatch, RecordBatchOptions, UInt64Array, make_array,
};
use arrow_cast::cast;
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use pinion_runtime::arrow::chunk::canonical;

use crate::failure::Failure;
use crate::rows::{StoredTable, with_leaves};

/// The dictionaries of a file.
pub(super) struct Dictionaries {
    /// Of the file: that of the table, with larger keys where they are needed.
    pub(super) schema: SchemaRef,
    /// Every dictionary there is in a column, also within lists and structs, from left to right.
    merged: Vec<Merged>,
}

/// What is in a dictionary of any partition.
struct Merged {
    /// The type of the keys: the table's own, or the next that can count so many values.
    key: DataType,
    /// Each value once.
    values: ArrayData,
    /// For each partition, and for each value of its own dictionary, the place among these; null for a null.
    places: Vec<UInt64Array>,
}

impl Dictionaries {
    /// Brings together what the dictionaries of all partitions hold. Reads no column without one.
    pub(super) fn of(stored: &StoredTable<'_>) -> Result<Self, Failure> {
        let found = dictionaries(&stored.schema);
        let mut pieces = vec![Vec::new(); found.len()];
        let concerned = stored.columns(|field| !dictionaries_of(field).is_empty());
        for batch in concerned.batches().take_while(|_| !found.is_empty()) {
            let mut next = pieces.iter_mut();
            for column in batch?.columns() {
                push_values(&column.to_data(), &mut next);
            }
        }
        let merged = found.iter().zip(pieces);
        let merged = merged.map(|((key, value), pieces)| Merged::of(key, value, pieces));
        let merged = merged.collect::<Result<Vec<_>, _>>()?;
        let mut keys = merged.iter().map(|merged| &merged.key);
        let schema = with_leaves(&stored.schema, &mut |leaf| with_key(leaf, &mut keys));
        Ok(Self {
            schema: Arc::new(schema),
            merged,
        })
    }

    /// The rows of the partition at `position`, with keys into what is in the file.
    pub(super) fn apply(
        &self,
        batch: &RecordBatch,
        position: usize,
    ) -> Result<RecordBatch, ArrowError> {
        let mut next = self.merged.iter();
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| match dictionaries_of(field).is_empty() {
            true => Ok(Arc::clone(column)),
            false => rewritten(column.to_data(), position, &mut next).map(make_array),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

impl Merged {
    fn of(key: &DataType, value: &DataType, pieces: Vec<ArrayData>) -> Result<Self, Failure> {
        let data_type = DataType::Dictionary(Box::new(DataType::UInt64), Box::new(value.clone()));
        let lengths: Vec<usize> = pieces.iter().map(ArrayData::len).collect();
        let numbered = pieces.into_iter().map(|values| {
            let keys = (0..values.len() as u64).collect::<UInt64Array>();
            let dictionary = DictionaryArray::try_new(keys, make_array(values));
            dictionary.map(|dictionary| Arc::new(dictionary) as ArrayRef)
        });
        let numbered = numbered.collect::<Result<Vec<_>, _>>();
        let failed = |error: &dyn std::error::Error| {
            Failure::wrong(format!("dictionaries cannot be brought together: {error}"))
        };
        let numbered = numbered.map_err(|error| failed(&error))?;
        // The host's own way to make one of many: values that come again are found, and the keys follow.
        let merged = canonical(&Field::new("", data_type, true), &numbered);
        let merged = merged.map_err(|error| failed(&error))?;
        let merged = merged.as_dictionary::<UInt64Type>();
        let mut start = 0;
        let places = lengths.into_iter().map(|len| {
            start += len;
            merged.keys().slice(start - len, len)
        });
        Ok(Self {
            places: places.collect(),
            key: wide_enough(key, merged.values().len()),
            values: merged.values().to_data(),
        })
    }
}

/// Types of keys and values of every dictionary in a schema, from left to right.
fn dictionaries(schema: &Schema) -> Vec<(DataType, DataType)> {
    let mut found = Vec::new();
    with_leaves(schema, &mut |leaf| {
        if let DataType::Dictionary(key, value) = leaf {
            found.push((DataType::clone(key), DataType::clone(value)));
        }
        leaf.clone()
    });
    found
}

fn dictionaries_of(field: &Field) -> Vec<(DataType, DataType)> {
    dictionaries(&Schema::new(vec![field.clone()]))
}

/// The type with the next of the keys, if it is a dictionary.
fn with_key<'a>(data_type: &DataType, keys: &mut impl Iterator<Item = &'a DataType>) -> DataType {
    if let DataType::Dictionary(_, value) = data_type
        && let Some(key) = keys.next()
    {
        return DataType::Dictionary(Box::new(key.clone()), value.clone());
    }
    data_type.clone()
}

/// A type of key that can count so many values: the one given, or the next larger of its kind.
fn wide_enough(key: &DataType, values: usize) -> DataType {
    let signed = [
        (DataType::Int8, i8::MAX as u64),
        (DataType::Int16, i16::MAX as u64),
        (DataType::Int32, i32::MAX as u64),
        (DataType::Int64, i64::MAX as u64),
    ];
    let unsigned = [
        (DataType::UInt8, u64::from(u8::MAX)),
        (DataType::UInt16, u64::from(u16::MAX)),
        (DataType::UInt32, u64::from(u32::MAX)),
        (DataType::UInt64, u64::MAX),
    ];
    let from = |keys: &[(DataType, u64)]| {
        let keys = keys.iter().skip_while(|(data_type, _)| data_type != key);
        keys.clone()
            .find(|(_, last)| values as u64 <= last.saturating_add(1))
            .map(|(data_type, _)| data_type.clone())
    };
    from(&signed)
        .or_else(|| from(&unsigned))
        .unwrap_or_else(|| key.clone())
}

/// Adds the values of every dictionary in an array to the next of the pieces.
fn push_values(data: &ArrayData, next: &mut IterMut<'_, Vec<ArrayData>>) {
    if let DataType::Dictionary(..) = data.data_type() {
        if let Some(pieces) = next.next() {
            pieces.extend(data.child_data().iter().cloned());
        }
        return;
    }
    for child in data.child_data() {
        push_values(child, next);
    }
}

/// The array with every dictionary replaced by the next of those of the file.
fn rewritten<'a>(
    data: ArrayData,
    position: usize,
    next: &mut (impl Iterator<Item = &'a Merged> + Clone),
) -> Result<ArrayData, ArrowError> {
    if let DataType::Dictionary(..) = data.data_type() {
        let Some(merged) = next.next() else {
            return Ok(data);
        };
        let data_type = with_key(data.data_type(), &mut [&merged.key].into_iter());
        let array = make_array(data);
        let keys = cast(array.as_any_dictionary().keys(), &DataType::UInt64)?;
        let places = &merged.places[position];
        let place = |key: u64| {
            let key = usize::try_from(key)
                .ok()
                .filter(|key| *key < places.len())?;
            places.is_valid(key).then(|| places.value(key))
        };
        let keys = keys.as_primitive::<UInt64Type>().iter();
        let keys: UInt64Array = keys.map(|key| key.and_then(place)).collect();
        let keys = cast(&keys, &merged.key)?.to_data();
        let keys = keys.into_builder().data_type(data_type);
        return keys.add_child_data(merged.values.clone()).build();
    }
    let mut keys = next.clone().map(|merged| &merged.key);
    let children = data.child_data().iter().cloned();
    let children = children.map(|child| rewritten(child, position, next));
    let children = children.collect::<Result<_, _>>()?;
    let schema = Schema::new(vec![Field::new("", data.data_type().clone(), true)]);
    let schema = with_leaves(&schema, &mut |leaf| with_key(leaf, &mut keys));
    let builder = data
        .into_builder()
        .data_type(schema.field(0).data_type().clone());
    builder.child_data(children).build()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Cursor;

    use arrow_array::types::{Int8Type, UInt8Type};
    use arrow_array::{ListArray, StringArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_ipc::reader::FileReader;

    use super::*;
    use crate::verb::export::table::Format;
    use crate::verb::export::table::tests::exported;

    /// The batches of the Arrow file.
    fn written(fields: &[Field], partitions: &[Vec<ArrayRef>]) -> Vec<RecordBatch> {
        let file = exported(fields, partitions, Format::Arrow);
        let reader = FileReader::try_new(Cursor::new(file), None).unwrap();
        reader.collect::<Result<_, _>>().unwrap()
    }

    fn words(array: &dyn Array) -> Vec<Option<String>> {
        let words = cast(array, &DataType::Utf8).unwrap();
        let words = words.as_string::<i32>().iter();
        words.map(|word| word.map(ToOwned::to_owned)).collect()
    }

    #[test]
    fn partitions_with_other_words_are_one_file() {
        let first: DictionaryArray<Int8Type> = [Some("b"), None, Some("a")].into_iter().collect();
        let second: DictionaryArray<Int8Type> = [Some("c"), Some("a")].into_iter().collect();
        let nothing: DictionaryArray<Int8Type> = [None::<&str>; 2].into_iter().collect();
        let list = |words: &DictionaryArray<Int8Type>, lengths: &[usize]| -> ArrayRef {
            let item = Arc::new(Field::new("item", words.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
            Arc::new(ListArray::new(item, offsets, Arc::new(words.clone()), None))
        };
        let partitions = [
            vec![
                Arc::new(first.clone()) as ArrayRef,
                list(&second, &[1, 0, 1]),
            ],
            vec![Arc::new(nothing) as ArrayRef, list(&first, &[0, 3])],
            vec![Arc::new(second.clone()) as ArrayRef, list(&first, &[2, 1])],
        ];
        let data_types = partitions[0].iter().map(|column| column.data_type());
        let fields: Vec<_> = data_types
            .map(|data_type| Field::new(data_type.to_string(), data_type.clone(), true))
            .collect();
        let found = written(&fields, &partitions);
        assert_eq!(found.len(), 3);
        for (found, expected) in found.iter().zip(&partitions) {
            assert_eq!(
                found.schema().fields().iter().cloned().collect::<Vec<_>>(),
                fields.iter().cloned().map(Arc::new).collect::<Vec<_>>()
            );
            assert_eq!(words(found.column(0)), words(&expected[0]));
            let lists = [found.column(1), &expected[1]].map(|column| column.as_list::<i32>());
            assert_eq!(lists[0].offsets(), lists[1].offsets());
            assert_eq!(words(lists[0].values()), words(lists[1].values()));
        }
        let dictionary = found[2].column(0).as_dictionary::<Int8Type>().values();
        assert_eq!(
            dictionary.as_ref(),
            &StringArray::from(vec!["b", "a", "c"]) as &dyn Array
        );
    }

    #[test]
    fn keys_grow_with_the_words() {
        let piece = |from: i32| -> Vec<ArrayRef> {
            let words: Vec<_> = (from..from + 100).map(|word| word.to_string()).collect();
            let words = words.iter().map(|word| Some(word.as_str()));
            vec![Arc::new(words.collect::<DictionaryArray<UInt8Type>>())]
        };
        let key_of = |pieces: &[Vec<ArrayRef>]| {
            let field = Field::new("x", pieces[0][0].data_type().clone(), true);
            let found = written(&[field], pieces);
            for (found, expected) in found.iter().zip(pieces) {
                assert_eq!(words(found.column(0)), words(&expected[0]));
            }
            dictionaries(&found[0].schema())[0].0.clone()
        };
        assert_eq!(key_of(&[piece(0), piece(156)]), DataType::UInt8);
        assert_eq!(
            key_of(&[piece(0), piece(100), piece(200)]),
            DataType::UInt16
        );
        assert_eq!(wide_enough(&DataType::Int8, 128), DataType::Int8);
        assert_eq!(wide_enough(&DataType::Int8, 129), DataType::Int16);
        assert_eq!(wide_enough(&DataType::Int16, 40_000), DataType::Int32);
    }
}

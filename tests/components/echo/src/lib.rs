//! A row-map that hands back what it was given, in other bytes: values are read and made anew in the guest.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, Float32Array, Float64Array, StringArray,
    StringViewArray, UInt64Array, make_array, new_null_array,
};
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::bindings::host::pinion::step::arrow::{FieldParam, NodeParam, make_batch};
use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// How the rows come back.
    how: How,
}

#[derive(Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// Taken by the host in reverse order, twice.
    Turned,
    /// Every value copied.
    Rebuilt,
    /// Every value copied, behind some that are not sent.
    Sliced,
    /// Strings and bytes as views, at any depth. The SDK writes them out.
    Views,
    /// Strings and bytes as views, as a guest sends them that does not write them out; no other columns.
    SentViews,
    /// With a column `x` of a type that no table has.
    RunEnd,
    /// The same.
    Union,
    /// The same.
    ListView,
}

struct Echo(How);

impl RowMap for Echo {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Hands back what it was given.")
            .input("rows", "Any table.")
            .output("rows", "The same table.")
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        Ok(Self(params.how))
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let rows = match self.0 {
            How::Turned => {
                let reversed: UInt64Array = (0..rows.rows()).rev().collect();
                rows.take(&reversed)?.take(&reversed)?
            }
            How::Rebuilt => each(rows, |array| copied(array, 0))?,
            How::Sliced => each(rows, |array| {
                let first = array.len().min(3);
                Ok(copied(array, first)?.slice(first, array.len()))
            })?,
            How::Views => each(rows, |array| Ok(make_array(with_views(array.to_data())?)))?,
            How::SentViews => sent_views(rows)?,
            How::RunEnd | How::Union | How::ListView => {
                let data_type = unsupported(self.0);
                rows.with("x", new_null_array(&data_type, rows.rows() as usize))?
            }
        };
        Ok(vec![Output::new("rows", rows)])
    }
}

/// A batch of new columns.
fn each(rows: &Batch, change: impl Fn(&ArrayRef) -> Result<ArrayRef>) -> Result<Batch> {
    let column = |field: &FieldRef| {
        let array = change(&rows.array(field.name())?)?;
        let field = Field::clone(field).with_data_type(array.data_type().clone());
        Ok((field, array))
    };
    let columns = rows.schema()?.iter().map(column).collect::<Result<_>>()?;
    Batch::new(rows.rows() as usize, columns)
}

/// The first `first` values, then all, one by one.
fn copied(array: &ArrayRef, first: usize) -> Result<ArrayRef> {
    let rows = || (0..first).chain(0..array.len());
    match array.data_type() {
        // As the numbers that they are: no bit of a NaN may get lost on the way.
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            let value = |row| values.is_valid(row).then(|| values.value(row));
            return Ok(Arc::new(rows().map(value).collect::<Float32Array>()));
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            let value = |row| values.is_valid(row).then(|| values.value(row));
            return Ok(Arc::new(rows().map(value).collect::<Float64Array>()));
        }
        _ => {}
    }
    let data = array.to_data();
    let mut copy = MutableArrayData::new(vec![&data], false, first + data.len());
    for row in rows() {
        copy.try_extend(0, row, row + 1)?;
    }
    Ok(make_array(copy.freeze()))
}

fn with_views(data: ArrayData) -> Result<ArrayData> {
    match data.data_type() {
        DataType::Utf8 => return Ok(StringViewArray::from(&StringArray::from(data)).into_data()),
        DataType::Binary => return Ok(BinaryViewArray::from(&BinaryArray::from(data)).into_data()),
        _ => {}
    }
    let children = data.child_data().iter().cloned().map(with_views);
    let children = children.collect::<Result<Vec<_>>>()?;
    let child = |position: usize, field: &FieldRef| {
        let data_type = children[position].data_type().clone();
        Arc::new(Field::clone(field).with_data_type(data_type))
    };
    let data_type = match data.data_type() {
        DataType::List(item) => DataType::List(child(0, item)),
        DataType::LargeList(item) => DataType::LargeList(child(0, item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(child(0, item), *size),
        DataType::Map(entries, sorted) => DataType::Map(child(0, entries), *sorted),
        DataType::Struct(fields) => {
            let fields = fields.iter().enumerate();
            DataType::Struct(
                fields
                    .map(|(position, field)| child(position, field))
                    .collect(),
            )
        }
        DataType::Dictionary(key, _) => {
            DataType::Dictionary(key.clone(), Box::new(children[0].data_type().clone()))
        }
        other => other.clone(),
    };
    let builder = data.into_builder().data_type(data_type);
    Ok(builder.child_data(children).build()?)
}

/// Columns of strings and bytes, sent as views by the contract alone.
fn sent_views(rows: &Batch) -> Result<Batch> {
    let mut columns = Vec::new();
    for field in rows.schema()? {
        let data = with_views(rows.array(field.name())?.to_data())?;
        let format = match data.data_type() {
            DataType::Utf8View => "vu",
            _ => "vz",
        };
        columns.push((field, format, data));
    }
    let fields: Vec<_> = columns
        .iter()
        .map(|(field, format, _)| FieldParam {
            name: field.name(),
            format,
            nullable: field.is_nullable(),
            children: 0,
            metadata: &[],
        })
        .collect();
    let sizes: Vec<Vec<u8>> = columns
        .iter()
        .map(|(_, _, data)| {
            let sizes = data.buffers()[1..].iter();
            sizes
                .flat_map(|data| (data.len() as u64).to_le_bytes())
                .collect()
        })
        .collect();
    let buffers: Vec<Vec<&[u8]>> = columns
        .iter()
        .zip(&sizes)
        .map(|((_, _, data), sizes)| {
            let validity = data.nulls().map_or(&[][..], |nulls| nulls.validity());
            let own = data.buffers().iter().map(|buffer| buffer.as_slice());
            [validity]
                .into_iter()
                .chain(own)
                .chain([&sizes[..]])
                .collect()
        })
        .collect();
    let nodes: Vec<[NodeParam<'_>; 1]> = columns
        .iter()
        .zip(&buffers)
        .map(|((_, _, data), buffers)| {
            [NodeParam {
                length: data.len() as u64,
                null_count: data.null_count() as u64,
                buffers,
            }]
        })
        .collect();
    let nodes: Vec<&[NodeParam<'_>]> = nodes.iter().map(<[_; 1]>::as_slice).collect();
    let sent = make_batch(rows.rows(), &fields, &nodes)?;
    Batch::lent(&sent).duplicate()
}

fn unsupported(how: How) -> DataType {
    let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, name == "values"));
    match how {
        How::RunEnd => DataType::RunEndEncoded(
            field("run_ends", DataType::Int32),
            field("values", DataType::Utf8),
        ),
        How::Union => {
            let fields = [(0, field("values", DataType::Int32))]
                .into_iter()
                .collect();
            DataType::Union(fields, arrow_schema::UnionMode::Sparse)
        }
        _ => DataType::ListView(field("values", DataType::Int64)),
    }
}

pinion_sdk::export!(Echo: RowMap);

//! Fields and arrays in the form in which they cross the wall, both ways.
//!
//! A schema is a list of fields in pre-order; a column is a list of nodes in the same order. Received
//! buffers are used where they lie; buffers to send are lent, not copied.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, StringArray, StringViewArray, make_array,
};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::ffi::{FFI_ArrowSchema, Flags};
use arrow_schema::{DataType, Field, FieldRef};

use crate::bindings::host::pinion::step::arrow::{FieldParam, FieldResult, NodeParam, NodeResult};
use crate::error::{Error, Result};

/// A field in pre-order form, owned.
pub(crate) struct WireField {
    name: String,
    format: String,
    nullable: bool,
    children: u32,
    metadata: Vec<(String, String)>,
}

impl WireField {
    pub(crate) fn lend(&self) -> WireFieldLent<'_> {
        WireFieldLent {
            field: self,
            metadata: self
                .metadata
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
        }
    }

    pub(crate) fn into_result(self) -> FieldResult {
        FieldResult {
            name: self.name,
            format: self.format,
            nullable: self.nullable,
            children: self.children,
            metadata: self.metadata,
        }
    }
}

/// A field whose metadata is lent; exists because the bindings want a slice of pairs of `&str`.
pub(crate) struct WireFieldLent<'a> {
    field: &'a WireField,
    metadata: Vec<(&'a str, &'a str)>,
}

impl WireFieldLent<'_> {
    pub(crate) fn param(&self) -> FieldParam<'_> {
        FieldParam {
            name: &self.field.name,
            format: &self.field.format,
            nullable: self.field.nullable,
            children: self.field.children,
            metadata: &self.metadata,
        }
    }
}

/// The pre-order list of `fields` and everything below them. Views are plain strings or bytes.
pub(crate) fn to_wire<'a>(
    fields: impl IntoIterator<Item = &'a FieldRef>,
) -> Result<Vec<WireField>> {
    fn push(
        schema: &FFI_ArrowSchema,
        metadata: &HashMap<String, String>,
        name: &str,
        out: &mut Vec<WireField>,
    ) -> Result<()> {
        let dictionary = schema.dictionary();
        let children: Vec<&FFI_ArrowSchema> = schema.children().chain(dictionary).collect();
        out.push(WireField {
            name: name.to_owned(),
            // As `nodes` sends them.
            format: match schema.format() {
                "vu" => "u",
                "vz" => "z",
                other => other,
            }
            .to_owned(),
            nullable: schema.nullable(),
            children: u32::try_from(children.len()).unwrap_or(u32::MAX),
            metadata: metadata
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        });
        for child in schema.children() {
            push(
                child,
                &child.metadata()?,
                child.name().unwrap_or_default(),
                out,
            )?;
        }
        if let Some(dictionary) = dictionary {
            push(dictionary, &HashMap::new(), "dictionary", out)?;
        }
        Ok(())
    }
    let mut out = Vec::new();
    for field in fields {
        let schema = FFI_ArrowSchema::try_from(field.as_ref())?;
        push(&schema, field.metadata(), field.name(), &mut out)?;
    }
    Ok(out)
}

/// The fields that a pre-order list describes.
pub(crate) fn from_wire(list: &[FieldResult]) -> Result<Vec<FieldRef>> {
    fn pull(list: &mut std::slice::Iter<'_, FieldResult>) -> Result<FFI_ArrowSchema> {
        let field = list
            .next()
            .ok_or_else(|| Error::bad_data("a schema ends in the middle of a field"))?;
        let mut children = Vec::new();
        let mut dictionary = None;
        for _ in 0..field.children {
            let is_dictionary = field.children == 1
                && list
                    .as_slice()
                    .first()
                    .is_some_and(|child| child.name == "dictionary")
                && !field.format.starts_with('+');
            let child = pull(list)?;
            if is_dictionary {
                dictionary = Some(child)
            } else {
                children.push(child)
            }
        }
        let flags = if field.nullable {
            Flags::NULLABLE
        } else {
            Flags::empty()
        };
        Ok(
            FFI_ArrowSchema::try_new(&field.format, children, dictionary)?
                .with_name(&field.name)?
                .with_flags(flags)?
                .with_metadata(field.metadata.iter().map(|(key, value)| (key, value)))?,
        )
    }
    let mut iter = list.iter();
    let mut out = Vec::new();
    while !iter.as_slice().is_empty() {
        out.push(Arc::new(Field::try_from(&pull(&mut iter)?)?));
    }
    Ok(out)
}

/// One field as it is, where the list must describe exactly one.
pub(crate) fn one_from_wire(list: &[FieldResult]) -> Result<FieldRef> {
    from_wire(list)?
        .pop()
        .ok_or_else(|| Error::bad_data("a field without a description"))
}

/// An array node to be sent; the buffers are shared with the array it came from.
pub(crate) struct Node {
    length: u64,
    null_count: u64,
    buffers: Vec<Buffer>,
}

/// A column to be sent, with its buffers lent.
pub(crate) struct Lent<'a> {
    nodes: Vec<(&'a Node, Vec<&'a [u8]>)>,
}

impl<'a> Lent<'a> {
    pub(crate) fn new(nodes: &'a [Node]) -> Self {
        Self {
            nodes: nodes
                .iter()
                .map(|node| (node, node.buffers.iter().map(Buffer::as_slice).collect()))
                .collect(),
        }
    }

    pub(crate) fn params(&self) -> Vec<NodeParam<'_>> {
        self.nodes
            .iter()
            .map(|(node, buffers)| NodeParam {
                length: node.length,
                null_count: node.null_count,
                buffers,
            })
            .collect()
    }
}

/// The pre-order nodes of an array. Slices are brought to offset 0; views become plain strings or bytes.
pub(crate) fn nodes(array: &dyn Array) -> Result<Vec<Node>> {
    let mut out = Vec::new();
    push_nodes(&array.to_data(), &mut out)?;
    Ok(out)
}

fn push_nodes(data: &ArrayData, out: &mut Vec<Node>) -> Result<()> {
    match data.data_type() {
        DataType::Utf8View => {
            let views = StringViewArray::from(data.clone());
            return push_nodes(&views.iter().collect::<StringArray>().to_data(), out);
        }
        DataType::BinaryView => {
            let views = BinaryViewArray::from(data.clone());
            return push_nodes(&views.iter().collect::<BinaryArray>().to_data(), out);
        }
        _ => {}
    }
    if !starts_at_zero(data) {
        let mut copy = MutableArrayData::new(vec![data], false, data.len());
        copy.try_extend(0, 0, data.len())?;
        return push_nodes(&copy.freeze(), out);
    }
    let mut buffers = Vec::with_capacity(data.buffers().len() + 1);
    if !matches!(data.data_type(), DataType::Null) {
        buffers.push(match data.nulls() {
            Some(nulls) if nulls.null_count() > 0 => nulls.inner().sliced(),
            _ => Buffer::default(),
        });
    }
    buffers.extend(data.buffers().iter().cloned());
    let null_count = if matches!(data.data_type(), DataType::Null) {
        data.len()
    } else {
        data.null_count()
    };
    out.push(Node {
        length: data.len() as u64,
        null_count: null_count as u64,
        buffers,
    });
    for child in data.child_data() {
        push_nodes(child, out)?;
    }
    Ok(())
}

/// Whether the buffers can be lent as they are.
fn starts_at_zero(data: &ArrayData) -> bool {
    let first_offset_is_zero = match data.data_type() {
        DataType::Utf8 | DataType::Binary | DataType::List(_) | DataType::Map(_, _) => data
            .buffers()[0]
            .typed_data::<i32>()
            .first()
            .is_none_or(|first| *first == 0),
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::LargeList(_) => data.buffers()[0]
            .typed_data::<i64>()
            .first()
            .is_none_or(|first| *first == 0),
        _ => true,
    };
    data.offset() == 0 && first_offset_is_zero
}

/// The array that received nodes make. Buffers are used in place unless they are misaligned.
pub(crate) fn array(field: &Field, nodes: Vec<NodeResult>) -> Result<ArrayRef> {
    let mut nodes = nodes.into_iter();
    Ok(make_array(pull_data(field.data_type(), &mut nodes)?))
}

fn pull_data(
    data_type: &DataType,
    nodes: &mut std::vec::IntoIter<NodeResult>,
) -> Result<ArrayData> {
    let node = nodes
        .next()
        .ok_or_else(|| Error::bad_data("a column ends in the middle of an array"))?;
    let mut buffers = node.buffers.into_iter().map(Buffer::from_vec);
    let mut builder = ArrayData::builder(data_type.clone()).len(node.length as usize);
    if !matches!(data_type, DataType::Null) {
        let validity = buffers.next().unwrap_or_default();
        if node.null_count > 0 {
            builder = builder
                .null_bit_buffer(Some(validity))
                .null_count(node.null_count as usize);
        }
    }
    builder = builder.buffers(buffers.collect());
    let children: Vec<&DataType> = match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => {
            vec![item.data_type()]
        }
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::Dictionary(_, values) => vec![values.as_ref()],
        _ => Vec::new(),
    };
    for child in children {
        builder = builder.add_child_data(pull_data(child, nodes)?);
    }
    #[expect(
        unsafe_code,
        reason = "the host checked every array before it was stored, and is trusted by the guest"
    )]
    // SAFETY: see the reason; `align_buffers` copies what `list<u8>` brought to an odd address.
    let data = unsafe { builder.align_buffers(true).build_unchecked() };
    Ok(data)
}

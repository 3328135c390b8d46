//! Maps, decoded as the lists of pairs that they are.
//!
//! The decoder of maps unwraps what the decoder of lists refuses, as when keys and values are not equally many.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, make_array};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields};
use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::errors::Result;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

/// The fields with lists of structs for maps.
pub(crate) fn fields_without_maps(fields: &Fields) -> Fields {
    fields.iter().map(field_without_maps).collect()
}

fn field_without_maps(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Map(item, _) | DataType::List(item) => DataType::List(field_without_maps(item)),
        DataType::LargeList(item) => DataType::LargeList(field_without_maps(item)),
        DataType::FixedSizeList(item, length) => {
            DataType::FixedSizeList(field_without_maps(item), *length)
        }
        DataType::Struct(fields) => DataType::Struct(fields_without_maps(fields)),
        _ => return Arc::clone(field),
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}

/// The Parquet schema with groups of lists for those of maps. Columns stay where they are.
///
/// # Errors
/// If the `parquet` crate cannot build what it could parse.
pub(crate) fn schema_without_maps(schema: &SchemaDescriptor) -> Result<SchemaDescriptor> {
    let root = schema.root_schema();
    let fields = root.get_fields().iter().map(type_without_maps);
    let root = Type::group_type_builder(root.name())
        .with_fields(fields.collect::<Result<_>>()?)
        .build()?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

fn type_without_maps(node: &TypePtr) -> Result<TypePtr> {
    if node.is_primitive() {
        return Ok(Arc::clone(node));
    }
    let info = node.get_basic_info();
    let annotated = matches!(
        info.converted_type(),
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE
    );
    // Of one without values, the `parquet` crate makes a list by itself.
    let is_map = annotated
        && matches!(node.get_fields(), [pairs] if pairs.is_group() && pairs.get_fields().len() == 2);
    let (converted, logical) = match is_map {
        true => (ConvertedType::LIST, Some(LogicalType::List)),
        false => (info.converted_type(), info.logical_type_ref().cloned()),
    };
    let fields = node.get_fields().iter().map(|child| {
        let child = type_without_maps(child)?;
        match is_map {
            true => group(
                &child,
                ConvertedType::NONE,
                None,
                child.get_fields().to_vec(),
            ),
            false => Ok(child),
        }
    });
    let fields = fields.collect::<Result<_>>()?;
    group(node, converted, logical, fields)
}

/// A group like `node`, with another annotation and other fields.
fn group(
    node: &Type,
    converted: ConvertedType,
    logical: Option<LogicalType>,
    fields: Vec<TypePtr>,
) -> Result<TypePtr> {
    let info = node.get_basic_info();
    let repetition = match info.has_repetition() {
        true => info.repetition(),
        false => Repetition::REQUIRED,
    };
    let group = Type::group_type_builder(node.name())
        .with_repetition(repetition)
        .with_converted_type(converted)
        .with_logical_type(logical)
        .with_fields(fields)
        .with_id(info.has_id().then(|| info.id()))
        .build()?;
    Ok(Arc::new(group))
}

/// Values that were decoded without maps, as a column of `data_type`.
///
/// # Errors
/// If a key is null.
pub(crate) fn restored(values: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    match has_map(data_type) {
        true => with_maps(values.to_data(), data_type).map(make_array),
        false => Ok(Arc::clone(values)),
    }
}

/// Whether a value of this type is a map or has one in it.
fn has_map(data_type: &DataType) -> bool {
    match data_type {
        DataType::Map(..) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            has_map(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| has_map(field.data_type())),
        _ => false,
    }
}

fn with_maps(data: ArrayData, data_type: &DataType) -> Result<ArrayData, ArrowError> {
    if !has_map(data_type) {
        return Ok(data);
    }
    let types: Vec<_> = match data_type {
        DataType::Map(item, _)
        | DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _) => vec![item.data_type()],
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        _ => Vec::new(),
    };
    let children = data.child_data().iter().zip(types);
    let children = children
        .map(|(child, data_type)| with_maps(child.clone(), data_type))
        .collect::<Result<_, _>>()?;
    data.into_builder()
        .data_type(data_type.clone())
        .child_data(children)
        .build()
}

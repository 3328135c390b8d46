use std::fmt::Write as _;

use arrow_array::{Array as _, ArrayRef, make_array, new_empty_array};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::{DataType, Field};

use super::*;
use crate::arrow::chunk::{BadChunk, canonical, canonical_field, canonical_type, digest};
use crate::arrow::file;
use crate::arrow::format::{BadFields, from_wire, to_wire};
use crate::arrow::layout::layout;
use crate::arrow::node::{BadArray, Node, decode, encode};
use crate::arrow::samples::sweep::sweep;
use crate::arrow::samples::types::types;
use crate::arrow::samples::{Random, build, values};

/// Types of a kind, with and without an integer in them.
fn some_types(kind: Kind) -> Vec<DataType> {
    let item = Field::new("item", DataType::Int64, true);
    [types(kind, None), types(kind, Some(&item))].concat()
}

#[test]
fn the_documentation_has_this_list() {
    let mut table = String::from("| Arrow | in Pinion | kept | |\n|---|---|---|---|\n");
    for kind in Kind::ALL {
        let kept = match kind.kept() {
            Kept::AsIs => "as is".to_owned(),
            Kept::Rebuilt => "rebuilt".to_owned(),
            Kept::As(kind) => format!("as {}", kind.names()),
            Kept::Refused => "refused".to_owned(),
        };
        let (names, note) = (kind.names(), kind.note());
        writeln!(table, "| {kind:?} | {names} | {kept} | {note} |").unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/types.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    assert!(
        documentation.contains(&table),
        "docs/types.md lacks\n{table}"
    );
}

#[test]
fn every_kind_is_generated_and_treated_as_the_list_says() {
    for kind in Kind::ALL {
        let types = some_types(*kind);
        assert!(!types.is_empty(), "no type of kind {kind:?} is generated");
        for data_type in types {
            assert_eq!(Kind::of(&data_type), *kind);
            let expected = match kind.kept() {
                Kept::AsIs | Kept::Rebuilt => *kind,
                Kept::As(other) => other,
                Kept::Refused => {
                    assert_refused(&data_type);
                    continue;
                }
            };
            assert!(layout(&data_type).is_some(), "{data_type}");
            assert_eq!(Kind::of(&canonical_type(&data_type)), expected);
        }
    }
}

/// By a guest's fields, by its nodes, and as a chunk; alone and in a list.
fn assert_refused(data_type: &DataType) {
    let list = DataType::List(Field::new("item", data_type.clone(), true).into());
    for data_type in [data_type, &list] {
        assert!(Kind::of(data_type) == Kind::List || layout(data_type).is_none());
        let field = Field::new("x", data_type.clone(), true);
        let refused = from_wire(&to_wire(&field));
        assert!(
            matches!(refused, Err(BadFields::Unsupported { .. })),
            "{refused:?}"
        );
        let empty = new_empty_array(data_type);
        let refused = encode(&empty);
        assert!(
            matches!(refused, Err(BadArray::Unsupported { .. })),
            "{refused:?}"
        );
        let refused = decode(&field, vec![], 0);
        assert!(refused.is_err(), "{refused:?}");
        let refused = canonical(&field, &[empty]);
        assert!(
            matches!(refused, Err(BadChunk::Unsupported { .. })),
            "{refused:?}"
        );
    }
}

/// An array as a guest sends it that knows of views: from offset 0, sizes of buffers behind views.
fn guest_nodes(data: &ArrayData, nodes: &mut Vec<Node>) {
    let mut whole = MutableArrayData::new(vec![data], false, data.len());
    whole.try_extend(0, 0, data.len()).unwrap();
    let data = whole.freeze();
    let mut buffers = Vec::new();
    if *data.data_type() != DataType::Null {
        let validity = data.nulls().filter(|nulls| nulls.null_count() > 0);
        buffers.push(validity.map_or_else(Buffer::default, |nulls| nulls.inner().sliced()));
    }
    buffers.extend(data.buffers().iter().cloned());
    if let DataType::Utf8View | DataType::BinaryView = data.data_type() {
        let sizes = data.buffers()[1..].iter().map(|buffer| buffer.len() as i64);
        buffers.push(sizes.collect());
    }
    nodes.push(Node {
        length: data.len() as u64,
        null_count: match data.data_type() {
            DataType::Null => data.len() as u64,
            _ => data.null_count() as u64,
        },
        buffers,
    });
    for child in data.child_data() {
        guest_nodes(child, nodes);
    }
}

/// Every type in every form of nesting, with nulls in every way, through all that happens to a column.
#[test]
fn every_type_is_the_same_to_the_bit() {
    for table in sweep() {
        let mut chunks: Vec<ArrayRef> = Vec::new();
        for ((field, given), column) in table.fields.iter().zip(&table.values).zip(&table.columns) {
            let context = || format!("{}, {}", table.name, field.name());
            assert_eq!(values(column), *given, "generated: {}", context());
            let chunk = canonical(field, std::slice::from_ref(column)).unwrap();
            assert_eq!(values(&chunk), *given, "canonical: {}", context());
            assert_eq!(*chunk.data_type(), canonical_type(field.data_type()));

            // Other arrays of the same values.
            let mut random = Random(1);
            let (left, right) = given.split_at(given.len() / 3);
            let pieces = [left, &[], right].map(|part| build(field, part, &mut random));
            let other = canonical(field, &pieces).unwrap();
            let expected = digest(&chunk).unwrap();
            assert_eq!(digest(&other).unwrap(), expected, "digest: {}", context());

            // In by the wall, as it was generated, and out and in, as it is kept.
            let mut nodes = Vec::new();
            guest_nodes(&column.to_data(), &mut nodes);
            let sent = field.clone().with_data_type(column.data_type().clone());
            let sent = from_wire(&to_wire(&sent)).unwrap();
            let arrived = decode(&sent[0], nodes, given.len() as u64).unwrap();
            assert_eq!(values(&arrived), *given, "sent: {}", context());
            let again = canonical(field, &[arrived]).unwrap();
            assert_eq!(digest(&again).unwrap(), expected, "sent: {}", context());
            for start in 0..=given.len().min(9) {
                let part = chunk.slice(start, given.len() - start);
                let nodes = encode(&part).unwrap();
                let part = decode(&canonical_field(field), nodes, part.len() as u64).unwrap();
                assert_eq!(values(&part), given[start..], "lent: {}", context());
            }
            chunks.push(chunk);
        }
        let mut bytes = Vec::new();
        file::write(&table.fields, &chunks, &mut bytes).unwrap();
        let read = file::read(bytes.into()).unwrap();
        assert_eq!(read.len(), chunks.len());
        for (read, chunk) in read.iter().zip(&chunks) {
            assert_eq!(read.to_data(), chunk.to_data(), "stored: {}", table.name);
            assert_eq!(digest(read).unwrap(), digest(chunk).unwrap());
            make_array(read.to_data())
                .to_data()
                .validate_full()
                .unwrap();
        }
    }
}

//! Columns from guests, checked.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, UInt64Array};
use arrow_schema::{DataType, Field};

use super::super::batch::{BadBatch, fields};
use super::super::ledger::Held;
use super::super::state::Session;
use super::super::wire;
use crate::arrow::chunk::canonical_field;
use crate::arrow::node::{self, BadArray};

/// A column, with what it takes.
pub(super) fn decode(
    session: &mut Session,
    field: &Field,
    nodes: Vec<wire::Node>,
    rows: u64,
) -> wasmtime::Result<Result<(ArrayRef, Held), wire::Error>> {
    session.look()?;
    let bytes = nodes.iter().map(wire::Node::bytes).sum();
    session.copied_bytes += bytes;
    let held = session.hold(bytes)?;
    let nodes = nodes.into_iter().map(node::Node::from).collect();
    let array = match node::decode_within(field, nodes, rows, session.ledger.room()) {
        Ok(array) => array,
        Err(BadArray::Room { wanted }) => {
            session.afford(wanted)?;
            // It was not the first part that was made.
            return Err(wasmtime::Error::new(session.ledger.reached(None)));
        }
        Err(error) => return Ok(Err(wire::Error::new("bad-batch", error))),
    };
    // What was sent as views is larger now.
    let own = array.get_buffer_memory_size() as u64;
    match own > bytes {
        true => Ok(Ok((array, session.hold(own)?))),
        false => Ok(Ok((array, held))),
    }
}

/// Columns of a batch.
pub(super) struct Decoded {
    pub(super) fields: Vec<Field>,
    pub(super) arrays: Vec<ArrayRef>,
    pub(super) held: Vec<Held>,
}

pub(super) fn decode_all(
    session: &mut Session,
    list: Vec<wire::Field>,
    columns: Vec<Vec<wire::Node>>,
    rows: u64,
) -> wasmtime::Result<Result<Decoded, wire::Error>> {
    let size = list.iter().map(wire::Field::size).sum();
    session.afford(wire::DECODED * size)?;
    session.charge(size)?;
    let fields = match fields(list) {
        Ok(fields) => fields,
        Err(error) => {
            let error = BadBatch::from(error);
            return Ok(Err(wire::Error::new(error.code(), error)));
        }
    };
    if fields.len() != columns.len() {
        let error = BadBatch::Count {
            fields: fields.len(),
            columns: columns.len(),
        };
        return Ok(Err(wire::Error::new(error.code(), error)));
    }
    let (mut arrays, mut held) = (Vec::with_capacity(columns.len()), Vec::new());
    for (field, nodes) in fields.iter().zip(columns) {
        match decode(session, field, nodes, rows)? {
            Ok((array, bytes)) => {
                arrays.push(array);
                held.push(bytes);
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    // What was sent as views is plain by now.
    let fields = fields.iter().map(canonical_field).collect();
    Ok(Ok(Decoded {
        fields,
        arrays,
        held,
    }))
}

/// Row numbers, a `uint32` or `uint64` column of any length, and what they take. The width shows in the size of the
/// values.
pub(super) fn indices(
    session: &mut Session,
    nodes: Vec<wire::Node>,
) -> wasmtime::Result<Result<(UInt64Array, Held), wire::Error>> {
    let rows = nodes.first().map_or(0, wire::Node::length);
    if nodes.first().is_some_and(wire::Node::is_narrow) {
        let field = Field::new("indices", DataType::UInt32, true);
        let (narrow, held) = match decode(session, &field, nodes, rows)? {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Err(error)),
        };
        let wide = session.hold(narrow.len() as u64 * 9)?;
        drop(held);
        let narrow = narrow.as_primitive::<arrow_array::types::UInt32Type>();
        return Ok(Ok((narrow.unary(u64::from), wide)));
    }
    let field = Field::new("indices", DataType::UInt64, true);
    let decoded = decode(session, &field, nodes, rows)?;
    Ok(decoded.map(|(array, held)| (array.as_primitive().clone(), held)))
}

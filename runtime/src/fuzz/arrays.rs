//! The boundary: fields and nodes as a guest may send them.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef};
use arrow_buffer::Buffer;
use arrow_schema::Field;

use super::told;
use crate::arrow::cell;
use crate::arrow::chunk::{canonical, canonical_field, canonical_type, digest};
use crate::arrow::compare::first_row;
use crate::arrow::format::{WireField, from_wire, schema_digest, to_wire};
use crate::arrow::node::{Node, decode, encode};
use crate::arrow::rows::{Rows, take};

/// Tables of more rows are not looked at row by row.
const SHOWN_ROWS: usize = 64;

/// Columns as [`Sent`] reads them from the bytes. Whatever is accepted is valid to the last value, has a
/// canonical form that is its own canonical form, and goes through every operation of the host.
pub fn arrays(bytes: &[u8]) -> bool {
    let sent = Sent::read(bytes);
    let fields = match from_wire(&sent.fields) {
        Ok(fields) => fields,
        Err(error) => {
            told(&error);
            return false;
        }
    };
    schema_digest(&fields);
    let written: Vec<_> = fields.iter().flat_map(to_wire).collect();
    assert_eq!(from_wire(&written), Ok(fields.clone()));
    let columns = fields.iter().zip(sent.columns);
    let accepted = columns.map(|(field, nodes)| match decode(field, nodes, sent.rows) {
        Ok(array) => {
            assert_eq!(array.len() as u64, sent.rows);
            assert_eq!(*array.data_type(), canonical_type(field.data_type()));
            column(field, &array);
            true
        }
        Err(error) => {
            told(&error);
            false
        }
    });
    // All of them are looked at.
    accepted.fold(true, |all, one| all & one)
}

/// Everything that the host does with a column that it has accepted.
pub(crate) fn column(field: &Field, array: &ArrayRef) {
    array.to_data().validate_full().unwrap();
    let rows = array.len();
    let nodes = encode(array).unwrap();
    // Views are plain by now.
    let again = decode(&canonical_field(field), nodes, rows as u64).unwrap();
    assert_eq!(again.data_type(), array.data_type());
    for row in 0..rows.min(SHOWN_ROWS) {
        assert_eq!(cell::show(array, row), cell::show(&again, row));
    }
    cell::cells(&array.slice(0, rows.min(SHOWN_ROWS)));
    if rows <= SHOWN_ROWS {
        let backwards = (0..rows as u64).rev().map(Some).collect();
        taken(array, &Rows::Indices(backwards));
        taken(
            array,
            &Rows::Indices(
                (0..rows as u64)
                    .map(|row| (row % 2 > 0).then_some(row))
                    .collect(),
            ),
        );
    }
    let (start, len) = (rows as u64 / 3, rows as u64 / 2);
    taken(array, &Rows::Range { start, len });
    match canonical(field, std::slice::from_ref(array)) {
        Ok(chunk) => {
            chunk.to_data().validate_full().unwrap();
            assert_eq!(chunk.len(), rows);
            let once = digest(&chunk).unwrap();
            let halves = [
                array.slice(0, rows / 2),
                array.slice(rows / 2, rows - rows / 2),
            ];
            for pieces in [vec![Arc::clone(&chunk)], vec![again], halves.into()] {
                let other = canonical(field, &pieces).unwrap();
                assert_eq!(digest(&other).unwrap(), once);
                assert_eq!(first_row(&chunk, &other), None);
            }
        }
        Err(error) => {
            told(&error);
        }
    }
}

fn taken(array: &ArrayRef, rows: &Rows) {
    match take(std::slice::from_ref(array), rows) {
        Ok(taken) => {
            taken.to_data().validate_full().unwrap();
            assert_eq!(taken.len() as u64, rows.len());
        }
        Err(error) => {
            told(&error);
        }
    }
}

/// What a guest sends: fields, a number of rows, and nodes for each column. Any bytes are some.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) fields: Vec<WireField>,
    pub(crate) rows: u64,
    pub(crate) columns: Vec<Vec<Node>>,
}

impl Sent {
    /// Counts are single bytes, other integers four, little-endian. Where the bytes end there are zeros.
    ///
    /// Fields: their number, and of each name and format (each a length and the bytes), nullability, the
    /// number of children, and a number of pairs of metadata. Then the rows, and of each column the number
    /// of nodes, with length, number of nulls and a number of buffers, each a length and the bytes.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        let fields: Vec<_> = reader.many(|reader| WireField {
            name: reader.text(),
            format: reader.text(),
            nullable: reader.count() % 2 > 0,
            children: reader.count() as u32,
            metadata: reader.many(|reader| (reader.text(), reader.text())),
        });
        let rows = reader.integer();
        let columns = reader.many(|reader| {
            reader.many(|reader| Node {
                length: reader.integer(),
                null_count: reader.integer(),
                buffers: reader.many(|reader| {
                    let len = reader.integer();
                    Buffer::from(reader.bytes(usize::try_from(len).unwrap_or(usize::MAX)))
                }),
            })
        });
        Self {
            fields,
            rows,
            columns,
        }
    }

    /// The bytes that are read as this.
    #[cfg(test)]
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = vec![self.fields.len() as u8];
        let text = |bytes: &mut Vec<u8>, text: &str| {
            bytes.push(text.len() as u8);
            bytes.extend_from_slice(text.as_bytes());
        };
        for field in &self.fields {
            text(&mut bytes, &field.name);
            text(&mut bytes, &field.format);
            bytes.extend([
                u8::from(field.nullable),
                field.children as u8,
                field.metadata.len() as u8,
            ]);
            for (key, value) in &field.metadata {
                text(&mut bytes, key);
                text(&mut bytes, value);
            }
        }
        bytes.extend((self.rows as u32).to_le_bytes());
        bytes.push(self.columns.len() as u8);
        for nodes in &self.columns {
            bytes.push(nodes.len() as u8);
            for node in nodes {
                bytes.extend((node.length as u32).to_le_bytes());
                bytes.extend((node.null_count as u32).to_le_bytes());
                bytes.push(node.buffers.len() as u8);
                for buffer in &node.buffers {
                    bytes.extend((buffer.len() as u32).to_le_bytes());
                    bytes.extend_from_slice(buffer);
                }
            }
        }
        bytes
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    fn count(&mut self) -> usize {
        self.bytes(1).first().copied().unwrap_or_default().into()
    }

    fn integer(&mut self) -> u64 {
        let mut bytes = self.bytes(4);
        bytes.resize(4, 0);
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn text(&mut self) -> String {
        let len = self.count();
        String::from_utf8_lossy(&self.bytes(len)).into_owned()
    }

    fn many<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.count()).map(|_| one(self)).collect()
    }
}

//! What came out of a unit, checked against what its `check` promised.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{Field, FieldRef};
use bytes::Bytes;

use super::Line;
use super::batch::{Batch, row_numbers, spilled_rows};
use super::imports::flatten;
use super::spill::{Kept, Spillable};
use super::state::{MERGED, Session, Written, broken, misuse};
use crate::arrow::chunk;
use crate::arrow::rows::{self, Chosen, Rows};
use crate::arrow::type_name;
use crate::arrow::values::has_dictionary;
use crate::expression::{Column, Expression, Source};
use crate::promise::{BrokenPromise, Promise};
use crate::unit::{InputContent, Observation, Shape, Unit, Usage};

/// A unit that did its work.
#[derive(Debug)]
pub struct Done {
    /// One for each output port, in port order; empty for a call that only returns bytes.
    pub outputs: Vec<Made>,
    /// Bytes that a reduce call returned.
    pub returned: Returned,
    /// What the guest asked, in order, with the answers.
    pub observations: Vec<Observation>,
    /// What it used.
    pub usage: Usage,
    /// What it said.
    pub log: Vec<Line>,
    /// Bytes fetched for the guest's questions.
    pub read_bytes: u64,
    /// Bytes that crossed the wall, both ways.
    pub copied_bytes: u64,
}

/// Bytes that a reduce call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// Nothing.
    Nothing,
    /// The state of round 0, or a merged partial.
    Bytes(Bytes),
    /// A partial and what comes back to the same partition.
    Share {
        /// The partition's share of the round.
        partial: Bytes,
        /// For the next round.
        carry: Bytes,
    },
    /// State for the next round.
    Next(Bytes),
    /// State for `finish`.
    Done(Bytes),
}

/// What came out of one port.
#[derive(Debug)]
pub enum Made {
    /// Partitions, in order.
    Table(Vec<MadePartition>),
    /// A blob.
    Blob(Vec<u8>),
}

/// One partition that came out of a port.
#[derive(Clone, Debug)]
pub struct MadePartition {
    /// Number of rows.
    pub rows: u64,
    /// How the columns came together; none for a partition without rows.
    pub expression: Option<Expression>,
    /// For every input in the expression, in reading order, its rows.
    pub inputs: Vec<Rows>,
    /// For every made column, in reading order, its canonical values; none if it was dropped later.
    pub made: Vec<Option<(FieldRef, ArrayRef)>>,
}

impl MadePartition {
    pub(super) fn empty() -> Self {
        Self {
            rows: 0,
            expression: None,
            inputs: Vec::new(),
            made: Vec::new(),
        }
    }

    /// Bytes of its values and row numbers.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.arrays().into_iter();
        let bytes = bytes.map(|array| rows::own_bytes(&array));
        bytes.fold(0, u64::saturating_add)
    }
}

/// Everything that was written, in port order.
pub(super) fn outputs(session: &mut Session, unit: &Unit) -> wasmtime::Result<Vec<Made>> {
    (0..unit.outputs.len())
        .map(|port| {
            session.end_table(port)?;
            Ok(match std::mem::take(&mut session.written[port]) {
                Written::Table(rowset) => Made::Table(rowset.ended.iter().map(Kept::get).collect()),
                Written::Blob(pieces) => Made::Blob(pieces.into_bytes()),
            })
        })
        .collect()
}

impl Spillable for MadePartition {
    fn arrays(&self) -> Vec<ArrayRef> {
        let rows = self.inputs.iter().filter_map(row_numbers);
        let made = self.made.iter().flatten();
        rows.chain(made.map(|(_, array)| Arc::clone(array)))
            .collect()
    }

    fn replace(&mut self, arrays: &mut dyn Iterator<Item = ArrayRef>) {
        for rows in &mut self.inputs {
            if let Rows::Indices(_) = rows {
                *rows = spilled_rows(rows, arrays);
            }
        }
        for (_, made) in self.made.iter_mut().flatten() {
            if let Some(array) = arrays.next() {
                *made = array;
            }
        }
    }
}

/// What one output partition is held to.
pub(super) struct Held<'a> {
    promise: &'a Promise,
    /// The first row of the promised input, and how many there are to be.
    rows: Option<(&'a str, u64, u64)>,
}

impl<'a> Held<'a> {
    /// What `shape` promises of a partition that is to have `len` rows from `start`, as the unit sees the input.
    pub(super) fn of(shape: &'a Shape, start: u64, len: u64) -> Option<Self> {
        let promise = shape.promise.as_ref()?;
        let port = promise.promised.rows();
        Some(Self {
            promise,
            rows: port.map(|port| (&**port, start, len)),
        })
    }

    /// Holds columns of which the rows are those of `inputs`, in reading order, to it.
    fn check(
        &self,
        batch: &Batch,
        inputs: &[Rows],
        rows: u64,
        unit: &Unit,
    ) -> wasmtime::Result<()> {
        self.check_columns(&batch.columns)?;
        let Some((port, start, len)) = self.rows else {
            return Ok(());
        };
        self.check_count(rows)?;
        let of = unit.table(port).map_or(0, |table| table.rows());
        let expected = Rows::Range { start, len }.canonical(of);
        for (at, column) in batch.columns.iter().enumerate() {
            let Source::Passed {
                input, port: from, ..
            } = &column.source
            else {
                continue;
            };
            let same = **from == *port && inputs.get(*input) == Some(&expected);
            if !same && !self.promise.is_looked_up(at) {
                return Err(broken(BrokenPromise::Rows {
                    port: port.to_owned(),
                    expected: format!(
                        "rows {start} to {} in column `{}`",
                        start + len,
                        column.field.name()
                    ),
                    found: "others, or in another order".to_owned(),
                }));
            }
        }
        Ok(())
    }

    fn check_columns(&self, columns: &[Column]) -> wasmtime::Result<()> {
        self.promise.check_columns(columns).map_err(broken)
    }

    fn check_count(&self, rows: u64) -> wasmtime::Result<()> {
        match self.rows {
            Some((port, _, len)) if rows != len => Err(broken(BrokenPromise::Rows {
                port: port.to_owned(),
                expected: format!("{len} rows"),
                found: rows.to_string(),
            })),
            _ => Ok(()),
        }
    }
}

/// One output partition, checked against the fields that `check` promised, and what the port promises.
pub(super) fn partition(
    session: &mut Session,
    unit: &Unit,
    fields: &[FieldRef],
    held: Option<&Held<'_>>,
    batches: Vec<Batch>,
) -> wasmtime::Result<MadePartition> {
    for batch in &batches {
        session.look()?;
        check_schema(fields, &batch.columns)?;
        if let Some(held) = held {
            held.check_columns(&batch.columns)?;
        }
    }
    if batches.iter().all(|batch| batch.rows == 0) {
        if let Some(held) = held {
            held.check_count(0)?;
        }
        return Ok(MadePartition::empty());
    }
    let alike = batches.windows(2).all(|pair| pair[0].is_like(&pair[1]));
    let batches = if alike {
        batches
    } else {
        batches
            .iter()
            .map(|batch| flatten(session, batch))
            .collect::<wasmtime::Result<Vec<_>>>()?
    };
    let first = &batches[0];
    let rows = batches.iter().map(|batch| batch.rows).sum();
    session.afford(rows_bytes(rows, first.inputs.len()))?;
    let inputs = (0..first.inputs.len()).map(|input| {
        let parts: Vec<Rows> = batches
            .iter()
            .map(|batch| (*batch.inputs[input]).clone())
            .collect();
        Rows::concat(&parts).canonical(input_rows(unit, first, input))
    });
    let inputs: Vec<Rows> = inputs.collect();
    if let Some(held) = held {
        held.check(first, &inputs, rows, unit)?;
    }
    let (expression, columns) = (Arc::clone(&first.expression), first.columns.clone());
    // Pieces are let go as soon as they are merged, so that what a unit made is in memory once.
    let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::with_capacity(batches.len()); first.made.len()];
    for batch in batches {
        for (pieces, piece) in pieces.iter_mut().zip(batch.made) {
            pieces.push(piece);
        }
    }
    let mut made: Vec<Option<(FieldRef, ArrayRef)>> = vec![None; pieces.len()];
    for (field, column) in fields.iter().zip(columns.iter()) {
        session.look()?;
        match &column.source {
            Source::Made(number) => {
                let pieces = std::mem::take(&mut pieces[*number]);
                session.afford(merged_bytes(&pieces))?;
                let chunk =
                    chunk::canonical(field, &pieces).map_err(|error| misuse(error.to_string()))?;
                made[*number] = Some((Arc::clone(field), chunk));
            }
            Source::Passed { input, .. } => {
                let nulls = match &inputs[*input] {
                    Rows::Indices(indices) => indices.null_count() > 0,
                    _ => false,
                };
                if !field.is_nullable() && (nulls || column.field.is_nullable()) {
                    return Err(misuse(format!(
                        "column `{}` is promised without nulls, and may have some",
                        field.name()
                    )));
                }
            }
        }
    }
    Ok(MadePartition {
        rows,
        expression: Some((*expression).clone()),
        inputs,
        made,
    })
}

/// Bytes that the row numbers of so many inputs take at most.
fn rows_bytes(rows: u64, inputs: usize) -> u64 {
    rows.saturating_mul(9).saturating_mul(inputs as u64)
}

/// Bytes that it takes at most to bring pieces of a column into canonical form.
fn merged_bytes(pieces: &[ArrayRef]) -> u64 {
    let bytes = pieces.iter().map(|piece| {
        let bytes = rows::taken_bytes(piece, &Chosen::all(piece.len()));
        match has_dictionary(piece.data_type()) {
            true => bytes.saturating_mul(MERGED),
            false => bytes,
        }
    });
    bytes.fold(0, u64::saturating_add)
}

/// Rows of the input that the batch's input of this number takes from.
fn input_rows(unit: &Unit, batch: &Batch, input: usize) -> u64 {
    let ports = batch.expression.ports();
    let table = ports
        .get(input)
        .and_then(|port| unit.inputs.iter().find(|input| *input.port == **port));
    match table.map(|input| &input.content) {
        Some(InputContent::Table(table)) => table.rows(),
        _ => 0,
    }
}

/// Names and types must be those promised, in the promised order. Nullability is looked at by value.
fn check_schema(promised: &[FieldRef], columns: &[Column]) -> wasmtime::Result<()> {
    let found: Vec<&Field> = columns.iter().map(|column| column.field.as_ref()).collect();
    let fits = |promised: &FieldRef, found: &Field| {
        promised.name() == found.name() && promised.data_type().equals_datatype(found.data_type())
    };
    if promised.len() == found.len()
        && promised
            .iter()
            .zip(&found)
            .all(|(promised, found)| fits(promised, found))
    {
        return Ok(());
    }
    let at = promised
        .iter()
        .zip(&found)
        .position(|(promised, found)| !fits(promised, found));
    Err(misuse(match at {
        Some(at) => format!(
            "its output differs from what `check` promised\n  expected column {} to be {}\n  found    {}",
            at + 1,
            describe(&promised[at]),
            describe(found[at])
        ),
        None => format!(
            "its output differs from what `check` promised\n  expected {} columns\n  found    {}",
            promised.len(),
            found.len()
        ),
    }))
}

fn describe(field: &Field) -> String {
    format!("`{}` as {}", field.name(), type_name(field.data_type()))
}

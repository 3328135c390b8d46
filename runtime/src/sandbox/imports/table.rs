//! `arrow.table`.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::super::batch::{BadBatch, Batch};
use super::super::state::{Session, State, Table, misuse};
use super::super::wire;
use super::batch::concat;
use super::decode::indices;
use super::{Interface, answer, answer_copied, find, observe_schema, push_batch, wire_fields};
use crate::arrow::rows::Rows;
use crate::unit::{InputContent, Question};

pub(super) fn define(arrow: &mut Interface<'_>) -> wasmtime::Result<()> {
    arrow.resource::<Table>("table")?;
    arrow.func(
        "[method]table.schema",
        |State {
             resources, session, ..
         },
         (this,): (Resource<Table>,)| {
            let columns = columns(session, resources.get(&this)?)?;
            observe_schema(session, &columns)?;
            let fields = columns.columns.iter().map(|column| column.field.as_ref());
            Ok((wire_fields(session, fields)?,))
        },
    )?;
    arrow.func(
        "[method]table.find",
        |State {
             resources, session, ..
         },
         (this, name): (Resource<Table>, String)| {
            let columns = columns(session, resources.get(&this)?)?;
            Ok((find(session, &columns, &name)?,))
        },
    )?;
    arrow.func(
        "[method]table.rows",
        |State {
             resources, session, ..
         },
         (this,): (Resource<Table>,)| {
            Ok((match resources.get(&this)? {
                Table::Input { port, rows, .. } => {
                    session.observe(Question::Rows {
                        port: port.to_string(),
                    })?;
                    *rows
                }
                Table::Scratch(sealed) => sealed.rows,
            },))
        },
    )?;
    arrow.func(
        "[method]table.batches",
        |State {
             resources, session, ..
         },
         (this,): (Resource<Table>,)| {
            Ok((match resources.get(&this)? {
                Table::Input { port, cuts, .. } => {
                    session.observe(Question::Layout {
                        port: port.to_string(),
                    })?;
                    session.observe(Question::BatchRows)?;
                    cuts.len() as u64
                }
                Table::Scratch(sealed) => sealed.len() as u64,
            },))
        },
    )?;
    arrow.func(
        "[method]table.batch",
        |state, (this, index): (Resource<Table>, u64)| {
            let State {
                resources, session, ..
            } = state;
            let missing = || misuse(format!("there is no batch {index}"));
            let position = usize::try_from(index).map_err(|_| missing())?;
            let batch = match resources.get(&this)? {
                Table::Input {
                    port,
                    columns,
                    cuts,
                    ..
                } => {
                    session.observe(Question::Layout {
                        port: port.to_string(),
                    })?;
                    session.observe(Question::BatchRows)?;
                    let rows = cuts.get(position).ok_or_else(missing)?.clone();
                    columns.with_rows(rows)
                }
                Table::Scratch(sealed) => {
                    let mut batch = sealed.get(position).ok_or_else(missing)?;
                    // If all else is moved out of memory one day, what there is a handle to stays.
                    if !batch.spilled {
                        batch.held.push(session.hold(batch.content_bytes())?);
                    }
                    batch
                }
            };
            Ok((push_batch(state, batch)?,))
        },
    )?;
    arrow.func(
        "[method]table.take",
        |state, (this, nodes): (Resource<Table>, Vec<wire::Node>)| {
            let (indices, _held) = match indices(&mut state.session, nodes)? {
                Ok(indices) => indices,
                Err(error) => return Ok((Err(error),)),
            };
            let most = state.session.unit()?.batch_rows;
            if indices.len() as u64 > u64::from(most) {
                let error = format!(
                    "{} rows are asked for at once, and a batch has {most}",
                    indices.len()
                );
                return Ok((Err(wire::Error::new("bad-batch", error)),));
            }
            let State {
                resources, session, ..
            } = state;
            let whole = match resources.get(&this)? {
                Table::Input {
                    port,
                    columns,
                    rows,
                    ..
                } => {
                    session.observe(Question::Rows {
                        port: port.to_string(),
                    })?;
                    session.observe(Question::BatchRows)?;
                    columns.with_rows(Rows::All(*rows))
                }
                Table::Scratch(sealed) if sealed.alike => {
                    if let Err(error) = Rows::Indices(indices.clone()).check(sealed.rows) {
                        return answer(state, Err(error.into()));
                    }
                    let (mut batches, indices) = sealed.narrow(&indices);
                    if batches.is_empty() {
                        batches.extend(sealed.columns.clone());
                    }
                    session.charge_rows(&batches[0], indices.len() as u64);
                    session.afford(Batch::taken_bytes_of(&batches, &indices))?;
                    let taken = Batch::take_of(&batches, &indices);
                    return answer_copied(state, taken);
                }
                // They came together in different ways: then every value is looked at.
                Table::Scratch(sealed) => {
                    let batches: Vec<Batch> = sealed.all().collect();
                    match concat(session, &batches.iter().collect::<Vec<_>>())? {
                        Ok(whole) => whole,
                        Err(error) => return answer(state, Err(error)),
                    }
                }
            };
            session.charge_rows(&whole, indices.len() as u64);
            session.afford(whole.taken_bytes(&indices))?;
            answer_copied(state, whole.take(indices))
        },
    )
}

/// The columns of a table, with any rows.
fn columns(session: &Session, table: &Table) -> wasmtime::Result<Batch> {
    session.look()?;
    match table {
        Table::Input { columns, .. } => Ok(columns.clone()),
        // What came together in different ways has no schema yet.
        Table::Scratch(sealed) => match &sealed.columns {
            Some(columns) if sealed.alike => Ok(columns.clone()),
            Some(_) => Err(misuse(BadBatch::Schema.to_string())),
            None => Err(misuse(BadBatch::None.to_string())),
        },
    }
}

/// Rows of an input.
pub(crate) fn input_batch(
    session: &Session,
    port: &Arc<str>,
    input: usize,
    rows: Rows,
) -> wasmtime::Result<Batch> {
    match session
        .unit()?
        .inputs
        .get(input)
        .map(|input| &input.content)
    {
        Some(InputContent::Table(table)) => Ok(Batch::input(&table.fields, port, rows)),
        _ => Err(misuse(format!("input `{port}` is no table"))),
    }
}

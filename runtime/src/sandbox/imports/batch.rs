//! `arrow.batch` and `arrow.make-batch`.

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field};
use wasmtime::component::Resource;

use super::super::batch::{BadBatch, Batch};
use super::super::state::{Session, State, misuse};
use super::super::{tariff, wire, words};
use super::decode::{decode, decode_all, indices};
use super::{
    Interface, answer, answer_columns, answer_copied, find, is_name, observe_schema, wire_fields,
};
use crate::arrow::format::MAX_FIELDS;
use crate::arrow::node;
use crate::arrow::rows;
use crate::expression::{BadExpression, Source};

pub(super) fn define(arrow: &mut Interface<'_>) -> wasmtime::Result<()> {
    arrow.resource::<Batch>("batch")?;
    arrow.func(
        "[method]batch.rows",
        |state, (this,): (Resource<Batch>,)| {
            // The rows of every unit's inputs are observed when it starts.
            Ok((state.resources.get(&this)?.rows,))
        },
    )?;
    arrow.func(
        "[method]batch.schema",
        |State {
             resources, session, ..
         },
         (this,): (Resource<Batch>,)| {
            let batch = resources.get(&this)?;
            observe_schema(session, batch)?;
            let fields = batch.columns.iter().map(|column| column.field.as_ref());
            Ok((wire_fields(session, fields)?,))
        },
    )?;
    arrow.func(
        "[method]batch.find",
        |State {
             resources, session, ..
         },
         (this, name): (Resource<Batch>, String)| {
            Ok((find(session, resources.get(&this)?, &name)?,))
        },
    )?;
    arrow.func(
        "[method]batch.column",
        |State {
             resources, session, ..
         },
         (this, name): (Resource<Batch>, String)| {
            let batch = resources.get(&this)?;
            let position = batch.columns.position(&name);
            let position = position
                .ok_or_else(|| misuse(format!("there is no column `{}`", words::name(&name))))?;
            let values = session.values(batch, position)?;
            // Offsets and bitmaps of a slice are moved; all else is lent as it lies.
            if rows::is_loose(&values) {
                session.afford(rows::own_bytes(&values))?;
            }
            let nodes = node::encode(&*values).map_err(|error| misuse(error.to_string()))?;
            let nodes: Vec<wire::Node> = nodes.into_iter().map(wire::Node::from).collect();
            session.copied_bytes += nodes.iter().map(wire::Node::bytes).sum::<u64>();
            Ok((nodes,))
        },
    )?;
    arrow.func(
        "[method]batch.select",
        |state, (this, names): (Resource<Batch>, Vec<String>)| {
            let batch = state.resources.get(&this)?;
            state.session.afford(names_bytes(&names))?;
            let selected = select(&mut state.session, batch, names)?;
            answer_columns(state, selected)
        },
    )?;
    arrow.func(
        "[method]batch.with-columns",
        |state,
         (this, list, columns): (Resource<Batch>, Vec<wire::Field>, Vec<Vec<wire::Node>>)| {
            let rows = state.resources.get(&this)?.rows;
            match decode_all(&mut state.session, list, columns, rows)? {
                Ok(columns) => {
                    let batch = state.resources.get(&this)?;
                    state.session.afford(batch.columns_bytes())?;
                    let mut with = batch.with_columns(columns.fields, columns.arrays);
                    if let Ok(with) = &mut with {
                        with.held.extend(columns.held);
                    }
                    answer_columns(state, with)
                }
                Err(error) => Ok((Err(error),)),
            }
        },
    )?;
    arrow.func(
        "[method]batch.rename",
        |state, (this, name, to): (Resource<Batch>, String, String)| {
            let State {
                resources, session, ..
            } = state;
            let batch = resources.get(&this)?;
            session.afford(batch.columns_bytes())?;
            let renamed = match is_name(&name) && is_name(&to) {
                true => {
                    session.observe_columns(batch, vec![name.clone()])?;
                    session.observe_columns(batch, vec![to.clone()])?;
                    batch.rename(name, to)
                }
                // No column has such a name, whatever the inputs.
                false => batch.rename(words::name(&name), to),
            };
            answer_columns(state, renamed)
        },
    )?;
    rows_of(arrow)?;
    several(arrow)
}

/// Functions that select rows.
fn rows_of(arrow: &mut Interface<'_>) -> wasmtime::Result<()> {
    arrow.func(
        "[method]batch.filter",
        |state, (this, mask): (Resource<Batch>, Vec<wire::Node>)| {
            let rows = state.resources.get(&this)?.rows;
            let field = Field::new("mask", DataType::Boolean, true);
            match decode(&mut state.session, &field, mask, rows)? {
                Ok((mask, _held)) => {
                    let mask: &BooleanArray = mask.as_boolean();
                    let batch = state.resources.get(&this)?;
                    state.session.charge_rows(batch, rows);
                    state.session.afford(batch.filtered_bytes(mask))?;
                    let filtered = batch.filter(mask);
                    answer_copied(state, filtered)
                }
                Err(error) => Ok((Err(error),)),
            }
        },
    )?;
    arrow.func(
        "[method]batch.take",
        |state, (this, nodes): (Resource<Batch>, Vec<wire::Node>)| match indices(
            &mut state.session,
            nodes,
        )? {
            Ok((indices, _held)) => {
                let batch = state.resources.get(&this)?;
                state.session.charge_rows(batch, indices.len() as u64);
                state.session.afford(batch.taken_bytes(&indices))?;
                let taken = batch.take(indices);
                answer_copied(state, taken)
            }
            Err(error) => Ok((Err(error),)),
        },
    )?;
    arrow.func(
        "[method]batch.slice",
        |state, (this, start, length): (Resource<Batch>, u64, u64)| {
            let batch = state.resources.get(&this)?;
            state.session.charge_rows(batch, 0);
            let sliced = batch.slice(start, length);
            answer(state, sliced)
        },
    )
}

/// Functions that make one batch of others, or of nothing.
fn several(arrow: &mut Interface<'_>) -> wasmtime::Result<()> {
    arrow.func(
        "[method]batch.zip",
        |state, (this, right): (Resource<Batch>, Resource<Batch>)| {
            let State {
                resources, session, ..
            } = state;
            let (left, right) = (resources.get(&this)?, resources.get(&right)?);
            session.afford(left.columns_bytes() + right.columns_bytes())?;
            let zipped = left.zip(right);
            match &zipped {
                Ok(batch) => session.observe_made(batch)?,
                Err(_) => {
                    observe_schema(session, left)?;
                    observe_schema(session, right)?;
                }
            }
            answer_columns(state, zipped)
        },
    )?;
    arrow.func(
        "[static]batch.concat",
        |state, (batches,): (Vec<Resource<Batch>>,)| {
            let State {
                resources, session, ..
            } = state;
            let mut all = Vec::with_capacity(batches.len());
            for (at, batch) in batches.iter().enumerate() {
                session.pass(at)?;
                all.push(resources.get(batch)?);
            }
            let joined = concat(session, &all)?;
            answer_copied(state, joined)
        },
    )?;
    arrow.func(
        "make-batch",
        |state, (rows, list, columns): (u64, Vec<wire::Field>, Vec<Vec<wire::Node>>)| {
            if rows > node::MAX_LENGTH {
                return Ok((Err(wire::Error::new(
                    "bad-batch",
                    format!("a batch of {rows} rows is too long"),
                )),));
            }
            match decode_all(&mut state.session, list, columns, rows)? {
                Ok(columns) => {
                    let mut batch = Batch::made(rows, columns.fields, columns.arrays);
                    batch.held = columns.held;
                    answer_columns(state, Ok(batch))
                }
                Err(error) => Ok((Err(error),)),
            }
        },
    )
}

/// Bytes of names that are looked through, and kept with what they select.
fn names_bytes(names: &[String]) -> u64 {
    /// What a name takes in a set and in a list, besides its bytes.
    const NAME: usize = 128;
    let names = names.iter().map(|name| (NAME + 2 * name.len()) as u64);
    names.sum()
}

/// The columns named. That they are there is one observation, whatever their number.
fn select(
    session: &mut Session,
    batch: &Batch,
    names: Vec<String>,
) -> wasmtime::Result<Result<Batch, BadBatch>> {
    let mut passed = Vec::new();
    let mut missing = None;
    for (at, name) in names.iter().enumerate().take(MAX_FIELDS + 1) {
        session.pass(at)?;
        match batch.find(name) {
            Some(column) if matches!(column.source, Source::Made(_)) => {}
            Some(_) => passed.push(name.clone()),
            None => {
                missing = Some(name);
                break;
            }
        }
    }
    if !passed.is_empty() {
        session.observe_columns(batch, passed)?;
    }
    let Some(name) = missing else {
        return Ok(batch.select(names));
    };
    let mut name = name.clone();
    match is_name(&name) {
        true => session.observe_columns(batch, vec![name.clone()])?,
        false => name = words::name(&name),
    }
    // A name that stands twice before it is what the guest is told of.
    let before = names
        .into_iter()
        .take_while(|other| batch.find(other).is_some());
    if let Err(error) = batch.select(before.collect()) {
        return Ok(Err(error));
    }
    Ok(Err(BadExpression::Missing { name }.into()))
}

/// The rows of batches that may have come together in different ways. Where they have, every column
/// becomes a made one, so its values and the schemas are observed.
pub(super) fn concat(
    session: &mut Session,
    batches: &[&Batch],
) -> wasmtime::Result<Result<Batch, BadBatch>> {
    session.debt.add(tariff::ITEM * batches.len() as u64);
    if let Some(first) = batches.first()
        && batches.iter().all(|batch| batch.is_like(first))
    {
        return join(session, batches);
    }
    for (at, batch) in batches.iter().enumerate() {
        session.pass(at)?;
        observe_schema(session, batch)?;
    }
    let flat = batches
        .iter()
        .map(|batch| flatten(session, batch))
        .collect::<wasmtime::Result<Vec<_>>>()?;
    join(session, &flat.iter().collect::<Vec<_>>())
}

fn join(session: &mut Session, batches: &[&Batch]) -> wasmtime::Result<Result<Batch, BadBatch>> {
    session.look()?;
    if let Some(first) = batches.first() {
        let rows = batches.iter().map(|batch| batch.rows);
        session.charge_rows(first, rows.fold(0, u64::saturating_add));
    }
    session.afford(Batch::joined_bytes(batches))?;
    Ok(Batch::concat(batches))
}

/// The same rows with every column made. Observes every value.
pub(crate) fn flatten(session: &mut Session, batch: &Batch) -> wasmtime::Result<Batch> {
    observe_schema(session, batch)?;
    let mut held = batch.held.clone();
    let mut made = Vec::with_capacity(batch.columns.len());
    for (position, column) in batch.columns.iter().enumerate() {
        session.look()?;
        let values = session.values(batch, position)?;
        if matches!(column.source, Source::Passed { .. }) {
            held.push(session.hold(rows::own_bytes(&values))?);
        }
        made.push(values);
    }
    session.debt.add(tariff::COLUMN * made.len() as u64);
    session.charge_rows(batch, batch.rows);
    // Nullable throughout: whether nulls may be there is settled against the checked schema at the end.
    let fields = batch
        .columns
        .iter()
        .map(|column| column.field.as_ref().clone().with_nullable(true))
        .collect();
    let mut flat = Batch::made(batch.rows, fields, made);
    flat.handle = Some(session.hold(flat.handle_bytes())?);
    flat.held = held;
    Ok(flat)
}

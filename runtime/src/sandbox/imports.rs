//! What a guest may call: the `arrow` and `context` interfaces of the contract.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray, UInt64Array};
use arrow_schema::{DataType, Field};
use bytes::Bytes;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType};

use super::batch::{BadBatch, Batch, fields};
use super::held::Held;
use super::spill::Kept;
use super::state::{
    Blob, BlobWriter, LimitReached, Scratch, Session, State, Table, TableWriter, Written, misuse,
};
use super::wire;
use crate::arrow::chunk::canonical_field;
use crate::arrow::format::to_wire;
use crate::arrow::node;
use crate::arrow::rows::Rows;
use crate::expression::Source;
use crate::unit::Question;

type Store<'a> = StoreContextMut<'a, State>;
type Guest<T> = wasmtime::Result<(Result<T, wire::Error>,)>;

/// The interfaces that are defined here, without their version.
pub(super) const INTERFACES: [&str; 2] = ["pinion:step/arrow", "pinion:step/context"];

/// Defines both interfaces.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut arrow = linker.instance("pinion:step/arrow@0.1.0")?;
    batch(&mut arrow)?;
    table(&mut arrow)?;
    blob(&mut arrow)?;
    writers(&mut arrow)?;
    scratch(&mut arrow)?;
    let mut context = linker.instance("pinion:step/context@0.1.0")?;
    context.func_wrap(
        "log",
        |mut store: Store<'_>, (level, message): (String, String)| {
            store.data_mut().session.log(&level, &message);
            Ok(())
        },
    )?;
    context.func_wrap("seed", |mut store: Store<'_>, (substream,): (u64,)| {
        let session = &mut store.data_mut().session;
        session.observe(Question::Seed { substream })?;
        Ok((session.unit()?.seed_bits(substream),))
    })?;
    context.func_wrap("batch-rows", |mut store: Store<'_>, (): ()| {
        let session = &mut store.data_mut().session;
        session.observe(Question::BatchRows)?;
        Ok((session.unit()?.batch_rows,))
    })
}

/// Declares a resource whose host side lives in the instance's table.
fn resource<T: Send + 'static>(
    linker: &mut LinkerInstance<'_, State>,
    name: &str,
) -> wasmtime::Result<()> {
    linker.resource(name, ResourceType::host::<T>(), |mut store, rep| {
        store
            .data_mut()
            .resources
            .delete(Resource::<T>::new_own(rep))?;
        Ok(())
    })
}

/// Puts a batch into the instance's table.
pub(super) fn push_batch(state: &mut State, batch: Batch) -> wasmtime::Result<Resource<Batch>> {
    state.session.occupy(batch.handle_bytes())?;
    let limit = state.resources.max_capacity() as u64;
    state.resources.push(batch).map_err(|_| {
        wasmtime::Error::new(LimitReached {
            what: "handles",
            limit,
            wanted: None,
        })
    })
}

/// What the guest is told of a batch that could not be made.
fn answer(state: &mut State, batch: Result<Batch, BadBatch>) -> Guest<Resource<Batch>> {
    match batch {
        Ok(batch) => Ok((Ok(push_batch(state, batch)?),)),
        Err(error) => Ok((Err(wire::Error::new(error.code(), error)),)),
    }
}

/// As [`answer`], for a batch whose values and row numbers are its own.
fn answer_copied(state: &mut State, mut batch: Result<Batch, BadBatch>) -> Guest<Resource<Batch>> {
    if let Ok(batch) = &mut batch {
        batch.held.push(state.session.hold(batch.content_bytes())?);
    }
    answer(state, batch)
}

fn wire_fields<'a>(fields: impl Iterator<Item = &'a Field>) -> Vec<wire::Field> {
    fields.flat_map(to_wire).map(wire::Field::from).collect()
}

/// Observes what one column of a batch is, and gives its field.
fn find(
    session: &mut Session,
    batch: &Batch,
    name: &str,
) -> wasmtime::Result<Option<Vec<wire::Field>>> {
    let Some(column) = batch.find(name) else {
        session.observe(batch.has(name))?;
        return Ok(None);
    };
    if let Source::Passed { port, name, .. } = &column.source {
        session.observe(Question::Field {
            port: port.to_string(),
            name: name.to_string(),
        })?;
    }
    Ok(Some(wire_fields(std::iter::once(column.field.as_ref()))))
}

/// Observes the schema of every input that a batch came from.
fn observe_schema(session: &mut Session, batch: &Batch) -> wasmtime::Result<()> {
    for port in batch.expression.ports() {
        session.observe(Question::Schema {
            port: port.to_owned(),
        })?;
    }
    Ok(())
}

/// A column from a guest, checked, with what it takes.
fn decode(
    session: &mut Session,
    field: &Field,
    nodes: Vec<wire::Node>,
    rows: u64,
) -> wasmtime::Result<Result<(ArrayRef, Held), wire::Error>> {
    let bytes = nodes.iter().map(wire::Node::bytes).sum();
    session.copied_bytes += bytes;
    let held = session.hold(bytes)?;
    let nodes = nodes.into_iter().map(node::Node::from).collect();
    let array = node::decode(field, nodes, rows);
    Ok(match array {
        Ok(array) => Ok((array, held)),
        Err(error) => Err(wire::Error::new("bad-batch", error)),
    })
}

/// Columns from a guest, checked.
struct Decoded {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
    held: Vec<Held>,
}

fn decode_all(
    session: &mut Session,
    list: Vec<wire::Field>,
    columns: Vec<Vec<wire::Node>>,
    rows: u64,
) -> wasmtime::Result<Result<Decoded, wire::Error>> {
    session.charge(list.iter().map(wire::Field::bytes).sum())?;
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

/// Row numbers from a guest, a `uint32` or `uint64` column of any length.
fn indices(
    session: &mut Session,
    nodes: Vec<wire::Node>,
    data_type: DataType,
) -> wasmtime::Result<Result<UInt64Array, wire::Error>> {
    let rows = nodes.first().map_or(0, wire::Node::length);
    let wide = Field::new("indices", data_type, true);
    Ok(decode(session, &wide, nodes, rows)?.map(|(array, _)| array.as_primitive().clone()))
}

/// Row numbers of either width: the width shows in the size of the values.
fn any_indices(
    session: &mut Session,
    nodes: Vec<wire::Node>,
) -> wasmtime::Result<Result<UInt64Array, wire::Error>> {
    if nodes.first().is_some_and(wire::Node::is_narrow) {
        let rows = nodes.first().map_or(0, wire::Node::length);
        let narrow = Field::new("indices", DataType::UInt32, true);
        return Ok(decode(session, &narrow, nodes, rows)?.map(|(array, _)| {
            let array = array.as_primitive::<arrow_array::types::UInt32Type>();
            array.unary(u64::from)
        }));
    }
    indices(session, nodes, DataType::UInt64)
}

fn batch(arrow: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    resource::<Batch>(arrow, "batch")?;
    arrow.func_wrap(
        "[method]batch.rows",
        |store: Store<'_>, (this,): (Resource<Batch>,)| {
            // The rows of every unit's inputs are observed when it starts.
            Ok((store.data().resources.get(&this)?.rows,))
        },
    )?;
    arrow.func_wrap(
        "[method]batch.schema",
        |mut store: Store<'_>, (this,): (Resource<Batch>,)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            let batch = resources.get(&this)?;
            observe_schema(session, batch)?;
            Ok((wire_fields(
                batch.columns.iter().map(|column| column.field.as_ref()),
            ),))
        },
    )?;
    arrow.func_wrap(
        "[method]batch.find",
        |mut store: Store<'_>, (this, name): (Resource<Batch>, String)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            Ok((find(session, resources.get(&this)?, &name)?,))
        },
    )?;
    arrow.func_wrap(
        "[method]batch.column",
        |mut store: Store<'_>, (this, name): (Resource<Batch>, String)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            let batch = resources.get(&this)?;
            let position = batch
                .columns
                .iter()
                .position(|column| *column.field.name() == name);
            let position =
                position.ok_or_else(|| misuse(format!("there is no column `{name}`")))?;
            let values = session.values(batch, position)?;
            let nodes = node::encode(&*values).map_err(|error| misuse(error.to_string()))?;
            let nodes: Vec<wire::Node> = nodes.into_iter().map(wire::Node::from).collect();
            session.copied_bytes += nodes.iter().map(wire::Node::bytes).sum::<u64>();
            Ok((nodes,))
        },
    )?;
    arrow.func_wrap(
        "[method]batch.select",
        |mut store: Store<'_>, (this, names): (Resource<Batch>, Vec<String>)| {
            let state = store.data_mut();
            let batch = state.resources.get(&this)?;
            for name in &names {
                if batch
                    .find(name)
                    .is_none_or(|column| matches!(column.source, Source::Passed { .. }))
                {
                    state.session.observe(batch.has(name))?;
                }
            }
            let selected = batch.select(names);
            answer(state, selected)
        },
    )?;
    arrow.func_wrap(
        "[method]batch.with-columns",
        |mut store: Store<'_>,
         (this, list, columns): (Resource<Batch>, Vec<wire::Field>, Vec<Vec<wire::Node>>)| {
            let state = store.data_mut();
            let rows = state.resources.get(&this)?.rows;
            match decode_all(&mut state.session, list, columns, rows)? {
                Ok(columns) => {
                    let batch = state.resources.get(&this)?;
                    let mut with = batch.with_columns(columns.fields, columns.arrays);
                    if let Ok(with) = &mut with {
                        with.held.extend(columns.held);
                    }
                    answer(state, with)
                }
                Err(error) => Ok((Err(error),)),
            }
        },
    )?;
    arrow.func_wrap(
        "[method]batch.rename",
        |mut store: Store<'_>, (this, name, to): (Resource<Batch>, String, String)| {
            let state = store.data_mut();
            let batch = state.resources.get(&this)?;
            state.session.observe(batch.has(&name))?;
            state.session.observe(batch.has(&to))?;
            let renamed = batch.rename(name, to);
            answer(state, renamed)
        },
    )?;
    arrow.func_wrap(
        "[method]batch.filter",
        |mut store: Store<'_>, (this, mask): (Resource<Batch>, Vec<wire::Node>)| {
            let state = store.data_mut();
            let rows = state.resources.get(&this)?.rows;
            let field = Field::new("mask", DataType::Boolean, true);
            match decode(&mut state.session, &field, mask, rows)? {
                Ok((mask, _held)) => {
                    let mask: &BooleanArray = mask.as_boolean();
                    let filtered = state.resources.get(&this)?.filter(mask);
                    answer_copied(state, filtered)
                }
                Err(error) => Ok((Err(error),)),
            }
        },
    )?;
    arrow.func_wrap(
        "[method]batch.take",
        |mut store: Store<'_>, (this, nodes): (Resource<Batch>, Vec<wire::Node>)| {
            let state = store.data_mut();
            match any_indices(&mut state.session, nodes)? {
                Ok(indices) => {
                    let batch = state.resources.get(&this)?;
                    state.session.afford(batch.taken_bytes(&indices))?;
                    let taken = batch.take(indices);
                    answer_copied(state, taken)
                }
                Err(error) => Ok((Err(error),)),
            }
        },
    )?;
    arrow.func_wrap(
        "[method]batch.slice",
        |mut store: Store<'_>, (this, start, length): (Resource<Batch>, u64, u64)| {
            let state = store.data_mut();
            let sliced = state.resources.get(&this)?.slice(start, length);
            answer(state, sliced)
        },
    )?;
    arrow.func_wrap(
        "[method]batch.zip",
        |mut store: Store<'_>, (this, right): (Resource<Batch>, Resource<Batch>)| {
            let state = store.data_mut();
            let (left, right) = (state.resources.get(&this)?, state.resources.get(&right)?);
            let zipped = left.zip(right);
            match &zipped {
                Ok(batch) => {
                    let expression = (*batch.expression).clone();
                    state.session.observe(Question::Valid { expression })?;
                }
                Err(_) => {
                    observe_schema(&mut state.session, left)?;
                    observe_schema(&mut state.session, right)?;
                }
            }
            answer(state, zipped)
        },
    )?;
    arrow.func_wrap(
        "[static]batch.concat",
        |mut store: Store<'_>, (batches,): (Vec<Resource<Batch>>,)| {
            let state = store.data_mut();
            let batches = batches
                .iter()
                .map(|batch| Ok(state.resources.get(batch)?.clone()))
                .collect::<wasmtime::Result<Vec<_>>>()?;
            let all = concat(&mut state.session, &batches)?;
            answer_copied(state, all)
        },
    )?;
    arrow.func_wrap(
        "make-batch",
        |mut store: Store<'_>,
         (rows, list, columns): (u64, Vec<wire::Field>, Vec<Vec<wire::Node>>)| {
            let state = store.data_mut();
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
                    answer(state, Ok(batch))
                }
                Err(error) => Ok((Err(error),)),
            }
        },
    )
}

/// The rows of batches that may have come together in different ways. Where they have, every column
/// becomes a made one, so its values and the schemas are observed.
pub(super) fn concat(
    session: &mut Session,
    batches: &[Batch],
) -> wasmtime::Result<Result<Batch, BadBatch>> {
    let alike: Vec<&Batch> = batches.iter().collect();
    match Batch::concat(&alike) {
        Err(BadBatch::Schema) => {}
        done => return Ok(done),
    }
    for batch in batches {
        observe_schema(session, batch)?;
    }
    let flat = batches
        .iter()
        .map(|batch| flatten(session, batch))
        .collect::<wasmtime::Result<Vec<_>>>()?;
    Ok(Batch::concat(&flat.iter().collect::<Vec<_>>()))
}

/// The same rows with every column made. Observes every value.
pub(super) fn flatten(session: &mut Session, batch: &Batch) -> wasmtime::Result<Batch> {
    observe_schema(session, batch)?;
    let made = (0..batch.columns.len())
        .map(|column| session.values(batch, column))
        .collect::<wasmtime::Result<Vec<_>>>()?;
    // Nullable throughout: whether nulls may be there is settled against the checked schema at the end.
    let fields = batch
        .columns
        .iter()
        .map(|column| column.field.as_ref().clone().with_nullable(true))
        .collect();
    Ok(Batch::made(batch.rows, fields, made))
}

fn table(arrow: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    resource::<Table>(arrow, "table")?;
    arrow.func_wrap(
        "[method]table.schema",
        |mut store: Store<'_>, (this,): (Resource<Table>,)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            let whole = whole(session, resources.get(&this)?)?;
            observe_schema(session, &whole)?;
            Ok((wire_fields(
                whole.columns.iter().map(|column| column.field.as_ref()),
            ),))
        },
    )?;
    arrow.func_wrap(
        "[method]table.find",
        |mut store: Store<'_>, (this, name): (Resource<Table>, String)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            let whole = whole(session, resources.get(&this)?)?;
            Ok((find(session, &whole, &name)?,))
        },
    )?;
    arrow.func_wrap(
        "[method]table.rows",
        |mut store: Store<'_>, (this,): (Resource<Table>,)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            Ok((match resources.get(&this)? {
                Table::Input { port, cuts, .. } => {
                    session.observe(Question::Rows {
                        port: port.to_string(),
                    })?;
                    cuts.iter().map(Rows::len).sum::<u64>()
                }
                Table::Scratch(batches) => batches.iter().map(|batch| batch.get().rows).sum(),
            },))
        },
    )?;
    arrow.func_wrap(
        "[method]table.batches",
        |mut store: Store<'_>, (this,): (Resource<Table>,)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            Ok((match resources.get(&this)? {
                Table::Input { port, cuts, .. } => {
                    session.observe(Question::Layout {
                        port: port.to_string(),
                    })?;
                    session.observe(Question::BatchRows)?;
                    cuts.len() as u64
                }
                Table::Scratch(batches) => batches.len() as u64,
            },))
        },
    )?;
    arrow.func_wrap(
        "[method]table.batch",
        |mut store: Store<'_>, (this, index): (Resource<Table>, u64)| {
            let state = store.data_mut();
            let missing = || misuse(format!("there is no batch {index}"));
            let position = usize::try_from(index).map_err(|_| missing())?;
            let batch = match state.resources.get(&this)? {
                Table::Input { port, input, cuts } => {
                    state.session.observe(Question::Layout {
                        port: port.to_string(),
                    })?;
                    state.session.observe(Question::BatchRows)?;
                    let rows = cuts.get(position).ok_or_else(missing)?.clone();
                    input_batch(&state.session, port, *input, rows)?
                }
                Table::Scratch(batches) => batches.get(position).ok_or_else(missing)?.get(),
            };
            Ok((push_batch(state, batch)?,))
        },
    )?;
    arrow.func_wrap(
        "[method]table.take",
        |mut store: Store<'_>, (this, nodes): (Resource<Table>, Vec<wire::Node>)| {
            let state = store.data_mut();
            let indices = match any_indices(&mut state.session, nodes)? {
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
            let whole = match state.resources.get(&this)? {
                table @ Table::Input { port, .. } => {
                    state.session.observe(Question::Rows {
                        port: port.to_string(),
                    })?;
                    state.session.observe(Question::BatchRows)?;
                    whole(&state.session, table)?
                }
                Table::Scratch(batches) => {
                    let batches: Vec<Batch> = batches.iter().map(Kept::get).collect();
                    state
                        .session
                        .afford(Batch::taken_bytes_of(&batches, &indices))?;
                    match Batch::take_of(&batches, &indices) {
                        // They came together in different ways: then every value is looked at.
                        Err(BadBatch::Schema) => match concat(&mut state.session, &batches)? {
                            Ok(whole) => whole,
                            Err(error) => return answer(state, Err(error)),
                        },
                        taken => return answer_copied(state, taken),
                    }
                }
            };
            state.session.afford(whole.taken_bytes(&indices))?;
            answer_copied(state, whole.take(indices))
        },
    )
}

/// A table as one batch: all rows of an input, and of scratch its columns alone.
fn whole(session: &Session, table: &Table) -> wasmtime::Result<Batch> {
    match table {
        Table::Input { port, input, cuts } => {
            let rows = Rows::All(cuts.iter().map(Rows::len).sum());
            input_batch(session, port, *input, rows)
        }
        Table::Scratch(batches) => {
            // What came together in different ways has no schema yet.
            let batches: Vec<Batch> = batches.iter().map(Kept::get).collect();
            let none = UInt64Array::from(Vec::<u64>::new());
            Batch::take_of(&batches, &none).map_err(|error| misuse(error.to_string()))
        }
    }
}

/// Rows of an input.
pub(super) fn input_batch(
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
        Some(crate::unit::InputContent::Table(table)) => {
            Ok(Batch::input(&table.fields, port, rows))
        }
        _ => Err(misuse(format!("input `{port}` is no table"))),
    }
}

fn blob(arrow: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    resource::<Blob>(arrow, "blob")?;
    arrow.func_wrap(
        "[method]blob.media-type",
        |mut store: Store<'_>, (this,): (Resource<Blob>,)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            let (_, media_type) = blob_input(session, resources.get(&this)?)?;
            Ok((media_type,))
        },
    )?;
    arrow.func_wrap(
        "[method]blob.len",
        |mut store: Store<'_>, (this,): (Resource<Blob>,)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            let (bytes, _) = blob_input(session, resources.get(&this)?)?;
            Ok((bytes.len() as u64,))
        },
    )?;
    arrow.func_wrap(
        "[method]blob.read",
        |mut store: Store<'_>, (this, offset, len): (Resource<Blob>, u64, u64)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            let (bytes, _) = blob_input(session, resources.get(&this)?)?;
            let start = offset.min(bytes.len() as u64);
            let end = start.saturating_add(len).min(bytes.len() as u64);
            session.read_bytes += end - start;
            session.copied_bytes += end - start;
            Ok((bytes.slice(start as usize..end as usize),))
        },
    )
}

fn blob_input(session: &mut Session, blob: &Blob) -> wasmtime::Result<(Bytes, String)> {
    let unit = Arc::clone(session.unit()?);
    let Some(input) = unit.inputs.get(blob.0) else {
        return Err(misuse("a blob that is not there"));
    };
    session.observe(Question::Blob {
        port: input.port.to_string(),
    })?;
    let media_type = match &input.content {
        crate::unit::InputContent::Blob(blob) => blob.media_type.clone(),
        crate::unit::InputContent::Table(_) => return Err(misuse("a table is no blob")),
    };
    Ok((session.blob(blob.0)?, media_type))
}

fn writers(arrow: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    resource::<TableWriter>(arrow, "table-writer")?;
    resource::<BlobWriter>(arrow, "blob-writer")?;
    arrow.func_wrap(
        "[method]table-writer.write",
        |mut store: Store<'_>, (this, rows): (Resource<TableWriter>, Resource<Batch>)| {
            let state = store.data_mut();
            let mut batch = state.resources.get(&rows)?.clone();
            // However often the same rows are written, they are kept as often.
            state
                .session
                .occupy(batch.handle_bytes() + batch.content_bytes())?;
            batch.held.clear();
            let port = state.resources.get(&this)?.0;
            let written = state.session.write(port, &batch)?;
            Ok((written.map_err(|error| wire::Error::new(error.code(), error)),))
        },
    )?;
    arrow.func_wrap(
        "[method]table-writer.cut",
        |mut store: Store<'_>, (this,): (Resource<TableWriter>,)| {
            let State {
                resources, session, ..
            } = store.data_mut();
            let port = resources.get(&this)?.0;
            if session.rowset(port)?.can_cut() {
                session.end_partition(port)?;
            }
            Ok(())
        },
    )?;
    arrow.func_wrap(
        "[method]blob-writer.write",
        |mut store: Store<'_>, (this, bytes): (Resource<BlobWriter>, Bytes)| {
            let state = store.data_mut();
            state.session.charge(bytes.len() as u64)?;
            let port = state.resources.get(&this)?.0;
            match state.session.written.get_mut(port) {
                Some(Written::Blob(all)) => all.extend_from_slice(&bytes),
                _ => return Err(misuse("an output blob that is not there")),
            }
            Ok((Ok::<(), wire::Error>(()),))
        },
    )
}

fn scratch(arrow: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    resource::<Scratch>(arrow, "scratch")?;
    arrow.func_wrap("[constructor]scratch", |mut store: Store<'_>, (): ()| {
        let state = store.data_mut();
        state.session.unit()?;
        Ok((state.resources.push(Scratch(Vec::new()))?,))
    })?;
    arrow.func_wrap(
        "[method]scratch.write",
        |mut store: Store<'_>, (this, rows): (Resource<Scratch>, Resource<Batch>)| {
            let state = store.data_mut();
            let batch = state.resources.get(&rows)?.clone();
            let kept = state.session.lay_aside(batch)?;
            state.resources.get_mut(&this)?.0.push(kept);
            Ok((Ok::<(), wire::Error>(()),))
        },
    )?;
    arrow.func_wrap(
        "[static]scratch.seal",
        |mut store: Store<'_>, (this,): (Resource<Scratch>,)| {
            let state = store.data_mut();
            let Scratch(batches) = state.resources.delete(this)?;
            Ok((state.resources.push(Table::Scratch(batches.into()))?,))
        },
    )
}

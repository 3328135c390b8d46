//! What a guest may call: the `arrow` and `context` interfaces of the contract.
//!
//! Every function is defined through [`Interface::func`], which takes the fuel for what crosses.

mod batch;
mod blob;
mod decode;
mod table;
mod writers;

use arrow_schema::Field;
use wasmtime::component::{
    ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType,
};

use super::batch::{BadBatch, Batch};
use super::state::{LimitReached, Session, State};
use super::tariff::{self, Crossing};
use super::wire;
use crate::arrow::format::{MAX_TEXT_BYTES, to_wire};
use crate::expression::Source;
use crate::unit::Question;

pub(super) use batch::flatten;
pub(super) use table::input_batch;

type Guest<T> = wasmtime::Result<(Result<T, wire::Error>,)>;

/// The interfaces that are defined here, without their version.
pub(super) const INTERFACES: [&str; 2] = ["pinion:step/arrow", "pinion:step/context"];

/// Defines both interfaces.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut arrow = Interface(linker.instance("pinion:step/arrow@0.1.0")?);
    batch::define(&mut arrow)?;
    table::define(&mut arrow)?;
    blob::define(&mut arrow)?;
    writers::define(&mut arrow)?;
    let mut context = Interface(linker.instance("pinion:step/context@0.1.0")?);
    context.func("log", |state, (level, message): (String, String)| {
        state.session.log(&level, &message)
    })?;
    context.func("seed", |State { session, .. }, (substream,): (u64,)| {
        session.observe(Question::Seed { substream })?;
        Ok((session.unit()?.seed_bits(substream),))
    })?;
    context.func("batch-rows", |State { session, .. }, (): ()| {
        session.observe(Question::BatchRows)?;
        Ok((session.unit()?.batch_rows,))
    })
}

/// An interface as it is being defined.
struct Interface<'a>(LinkerInstance<'a, State>);

impl Interface<'_> {
    /// Defines a function.
    fn func<P, R>(
        &mut self,
        name: &str,
        func: impl Fn(&mut State, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Crossing + 'static,
        R: ComponentNamedList + Lower + Crossing + Send + Sync + 'static,
    {
        self.0.func_wrap(name, move |mut store, params: P| {
            let state = store.data_mut();
            state.session.debt.add(tariff::CALL + params.fuel());
            let result = func(state, params)?;
            state.session.debt.add(result.fuel());
            Ok(result)
        })
    }

    /// Declares a resource whose host side lives in the instance's table.
    fn resource<T: Send + 'static>(&mut self, name: &str) -> wasmtime::Result<()> {
        self.0
            .resource(name, ResourceType::host::<T>(), |mut store, rep| {
                let state = store.data_mut();
                state.session.debt.add(tariff::ITEM);
                state.resources.delete(Resource::<T>::new_own(rep))?;
                Ok(())
            })
    }
}

/// Puts what a handle stands for into the instance's table.
fn push<T: Send + 'static>(state: &mut State, value: T) -> wasmtime::Result<Resource<T>> {
    let limit = state.resources.max_capacity() as u64;
    state.resources.push(value).map_err(|_| {
        wasmtime::Error::new(LimitReached {
            what: "handles",
            limit,
            wanted: None,
        })
    })
}

/// Puts a batch into the instance's table.
pub(super) fn push_batch(state: &mut State, mut batch: Batch) -> wasmtime::Result<Resource<Batch>> {
    batch.handle = Some(state.session.hold(batch.handle_bytes())?);
    push(state, batch)
}

/// What the guest is told of a batch that could not be made.
fn answer(state: &mut State, batch: Result<Batch, BadBatch>) -> Guest<Resource<Batch>> {
    match batch {
        Ok(batch) => Ok((Ok(push_batch(state, batch)?),)),
        Err(error) => Ok((Err(wire::Error::new(error.code(), error)),)),
    }
}

/// As [`answer`], for a batch that an operation on columns made.
fn answer_columns(state: &mut State, batch: Result<Batch, BadBatch>) -> Guest<Resource<Batch>> {
    let columns = batch.as_ref().map_or(0, |batch| batch.made.len());
    state.session.debt.add(tariff::COLUMN * columns as u64);
    answer(state, batch)
}

/// As [`answer`], for a batch whose values and row numbers are its own.
fn answer_copied(state: &mut State, batch: Result<Batch, BadBatch>) -> Guest<Resource<Batch>> {
    let mut batch = match batch {
        Ok(batch) => batch,
        failed => return answer(state, failed),
    };
    // All rows of a batch, or of the only one of several, are that batch.
    if batch.held.is_empty() {
        if let Err(error) = state.session.compact(&mut batch)? {
            return answer(state, Err(error));
        }
        batch.held.push(state.session.hold(batch.content_bytes())?);
    }
    answer(state, Ok(batch))
}

/// Fields for the guest.
fn wire_fields<'a>(
    session: &Session,
    fields: impl Iterator<Item = &'a Field>,
) -> wasmtime::Result<Vec<wire::Field>> {
    let mut sent: Vec<wire::Field> = Vec::new();
    let mut bytes: u64 = 0;
    for (at, field) in fields.enumerate() {
        session.pass(at)?;
        let next: Vec<_> = to_wire(field).into_iter().map(wire::Field::from).collect();
        bytes = next
            .iter()
            .fold(bytes, |bytes, field| bytes.saturating_add(field.size()));
        session.afford(bytes)?;
        sent.extend(next);
    }
    Ok(sent)
}

/// A name that a column can have. No other is worth asking for, or keeping.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_TEXT_BYTES
}

/// Observes what one column of a batch is, and gives its field.
fn find(
    session: &mut Session,
    batch: &Batch,
    name: &str,
) -> wasmtime::Result<Option<Vec<wire::Field>>> {
    if !is_name(name) {
        return Ok(None);
    }
    let Some(column) = batch.find(name) else {
        session.observe_columns(batch, vec![name.to_owned()])?;
        return Ok(None);
    };
    if let Source::Passed { port, name, .. } = &column.source {
        session.observe(Question::Field {
            port: port.to_string(),
            name: name.to_string(),
        })?;
    }
    wire_fields(session, std::iter::once(column.field.as_ref())).map(Some)
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

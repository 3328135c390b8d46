//! Calls on a component: `describe`, `check`, what a source tells of its bytes, and every unit.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow_buffer::Buffer;
use arrow_schema::{Field, FieldRef};
use bytes::Bytes;
use wasmtime::component::{
    ComponentNamedList, Instance, Lift, Lower, Resource, ResourceTable, TypedFunc,
};
use wasmtime::{Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::cli::WasiCliCtx;
use wasmtime_wasi::filesystem::WasiFilesystemCtx;

use super::batch::Batch;
use super::blob::Pieces;
use super::console::Console;
use super::outcome::{self, Done, Made, Returned};
use super::random::Random;
use super::state::{
    Blob, BlobWriter, LimitReached, Memory, Misuse, Rowset, Session, State, Table, TableWriter,
    Unavailable, Unkept, Written, cuts,
};
use super::tariff::{self, Crossing};
use super::watch::{Stopped, Watch};
use super::{
    Cancel, Data, DataError, Descriptor, Kind, Port, Program, Sandbox, StepError, imports,
    pure_limits, wire, words,
};
use crate::arrow::chunk::canonical_field;
use crate::arrow::format::to_wire;
use crate::arrow::rows::Rows;
use crate::arrow::type_name;
use crate::arrow::values::Values;
use crate::digest::Digest;
use crate::promise::{self, PassedColumn, Promise, Promised, without_mark};
use crate::table::Chunk;
use crate::unit::{
    Call, Input, InputContent, Limits, Question, Range, Shape, ShapeContent, Unit, Usage,
};

/// Fuel between two looks at whether to go on.
const YIELD_FUEL: u64 = 20_000_000;

/// What the engine says of a call that brings more bytes than it may.
const TOO_MANY_BYTES: &str = "fuel allocated for hostcalls has been exhausted";

/// Handles that a guest may hold at once.
const MAX_HANDLES: usize = 65_536;

/// Ranges that a source may cut one file into.
const MAX_RANGES: usize = 1 << 16;

/// Ports that a step may have, on either side.
const MAX_PORTS: usize = 1024;

/// Bytes that the schema of a step's params may have.
const MAX_SCHEMA_BYTES: usize = 1 << 20;

/// The main input: its position, its port and its batches.
type Main = (usize, Arc<str>, Arc<[Rows]>);

/// `row-map.apply`.
type Apply = TypedFunc<(Resource<Batch>,), (Result<Vec<wire::OutputBatch>, wire::Error>,)>;

/// An instance and how to call it.
struct Guest {
    store: Store<State>,
    instance: Instance,
    watch: Watch,
    limits: Limits,
}

impl Sandbox {
    /// What a step tells of itself.
    ///
    /// # Errors
    /// [`StepError`]; [`StepError::BadOutput`] if it contradicts itself or what it exports.
    pub fn describe(
        &self,
        program: &Program,
        cancel: &'static dyn Cancel,
    ) -> Result<Descriptor, StepError> {
        let mut guest = self.guest(program, None, Arc::new(NoData), pure_limits(), "", cancel)?;
        let (descriptor,): (wire::Descriptor,) =
            guest.call("pinion:step/step@0.1.0", "describe", ())?;
        checked_descriptor(program.kind, descriptor)
    }

    /// The shapes of every output port for canonical `params` and the shapes of every bound input port,
    /// both in port order.
    ///
    /// # Errors
    /// [`StepError`]; [`StepError::Refused`] if the step refuses the params or the shapes.
    pub fn check(
        &self,
        program: &Program,
        descriptor: &Descriptor,
        params: &str,
        inputs: &[Shape],
        cancel: &'static dyn Cancel,
    ) -> Result<Vec<Shape>, StepError> {
        let mut guest = self.guest(
            program,
            None,
            Arc::new(NoData),
            pure_limits(),
            params,
            cancel,
        )?;
        let given = inputs;
        let inputs: Vec<wire::PortShape> = given.iter().map(wire_shape).collect();
        let (shapes,): (Result<Vec<wire::PortShape>, wire::Error>,) = guest.call(
            "pinion:step/step@0.1.0",
            "check",
            (params.to_owned(), inputs),
        )?;
        let shapes = shapes.map_err(refused)?;
        guest.afford_fields(shapes.iter().flat_map(|shape| &shape.fields))?;
        checked_shapes(descriptor, given, shapes)
    }

    /// The schema of a source's bytes, which are the only input of `unit`.
    ///
    /// # Errors
    /// [`StepError`].
    pub fn probe(
        &self,
        program: &Program,
        unit: Arc<Unit>,
        data: Arc<dyn Data>,
        cancel: &'static dyn Cancel,
    ) -> Result<Vec<FieldRef>, StepError> {
        let params = unit.params.to_string();
        let limits = unit.limits;
        let mut guest = self.guest(program, Some(unit), data, limits, &params, cancel)?;
        let bytes = guest.push(Blob(0))?;
        let (fields,): (Result<Vec<wire::Field>, wire::Error>,) =
            guest.call("pinion:step/source@0.1.0", "probe", (params, bytes))?;
        let fields = fields.map_err(refused)?;
        guest.afford_fields(fields.iter())?;
        let fields = super::batch::fields(fields);
        let fields = fields.map_err(|error| {
            StepError::BadOutput(format!("the probed schema is not valid: {error}"))
        })?;
        Ok(fields
            .iter()
            .map(|field| Arc::new(canonical_field(field)))
            .collect())
    }

    /// The ranges of about `rows` rows of a source's bytes, which are the only input of `unit`.
    ///
    /// # Errors
    /// [`StepError`]; [`StepError::BadOutput`] if ranges overlap, run backwards or beyond the bytes.
    pub fn partition(
        &self,
        program: &Program,
        unit: Arc<Unit>,
        data: Arc<dyn Data>,
        rows: u64,
        cancel: &'static dyn Cancel,
    ) -> Result<Vec<Range>, StepError> {
        let params = unit.params.to_string();
        let limits = unit.limits;
        let len = unit.inputs.first().map_or(0, |input| match &input.content {
            InputContent::Blob(blob) => blob.len,
            InputContent::Table(_) => 0,
        });
        let mut guest = self.guest(program, Some(unit), data, limits, &params, cancel)?;
        let bytes = guest.push(Blob(0))?;
        let (ranges,): (Result<Vec<wire::Range>, wire::Error>,) = guest.call(
            "pinion:step/source@0.1.0",
            "partition",
            (params, bytes, rows),
        )?;
        let ranges = ranges.map_err(refused)?.into_iter().map(|range| Range {
            offset: range.offset,
            len: range.len,
            hint: range.hint,
        });
        let ranges = ranges.collect::<Vec<_>>();
        check_ranges(&ranges, len)?;
        Ok(ranges)
    }

    /// Runs one unit in a fresh instance and checks what came out.
    ///
    /// Given equal units and data, equal outputs, observations and usage come out on every machine.
    ///
    /// # Errors
    /// [`StepError`].
    pub fn execute(
        &self,
        program: &Program,
        unit: &Arc<Unit>,
        data: Arc<dyn Data>,
        cancel: &'static dyn Cancel,
    ) -> Result<Done, StepError> {
        let done = self.execute_once(program, unit, Arc::clone(&data), cancel)?;
        if let Some(second) = &self.second {
            second.check(unit, &done, data, cancel)?;
        }
        Ok(done)
    }

    pub(super) fn execute_once(
        &self,
        program: &Program,
        unit: &Arc<Unit>,
        data: Arc<dyn Data>,
        cancel: &'static dyn Cancel,
    ) -> Result<Done, StepError> {
        let params = unit.params.to_string();
        let mut guest = self.guest(
            program,
            Some(Arc::clone(unit)),
            data,
            unit.limits,
            &params,
            cancel,
        )?;
        let (outputs, returned) = match &unit.call {
            Call::Read(range) => (guest.read(unit, params, range)?, Returned::Nothing),
            Call::RowMap => (guest.row_map(unit, params)?, Returned::Nothing),
            Call::Init => (Vec::new(), guest.init(unit, params)?),
            Call::Partial {
                round,
                state,
                carry,
            } => (
                Vec::new(),
                guest.partial(unit, params, *round, state, carry)?,
            ),
            Call::Merge { left, right } => (Vec::new(), guest.merge(params, left, right)?),
            Call::Update {
                round,
                state,
                merged,
            } => (
                Vec::new(),
                guest.update(params, *round, state, merged.as_ref())?,
            ),
            Call::Finish { state } => (guest.finish(unit, params, state)?, Returned::Nothing),
            Call::Run => (guest.run(unit, params)?, Returned::Nothing),
            Call::Reduce => {
                return Err(StepError::Host(
                    "a reduce step is executed call by call".to_owned(),
                ));
            }
        };
        guest.done(outputs, returned)
    }

    fn guest(
        &self,
        program: &Program,
        unit: Option<Arc<Unit>>,
        data: Arc<dyn Data>,
        limits: Limits,
        params: &str,
        cancel: &'static dyn Cancel,
    ) -> Result<Guest, StepError> {
        let host = |error: wasmtime::Error| StepError::Host(format!("{error:#}"));
        let limits = self.caps.lower(limits);
        let watch = Watch::new(&self.clock, &limits, cancel);
        let session = Session::new(unit, data, limits, watch.clone());
        let debt = &session.debt;
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(MAX_HANDLES);
        let state = State {
            cli: WasiCliCtx::default(),
            filesystem: WasiFilesystemCtx::default(),
            random: Random::new(&program.digest, params, debt.clone(), watch.clone()),
            resources,
            memory: Memory {
                limit: limits.memory_bytes,
                peak: 0,
            },
            stdout: Console::new(debt.clone()),
            stderr: Console::new(debt.clone()),
            session,
        };
        let mut store = Store::new(program.pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_fuel(limits.fuel).map_err(host)?;
        store
            .fuel_async_yield_interval(Some(YIELD_FUEL))
            .map_err(host)?;
        store.set_hostcall_fuel(tariff::call_bytes(store.data()));
        store.call_hook(tariff::settle);
        let made = wait(program.pre.instantiate_async(&mut store), &watch)?;
        let instance = made.map_err(|error| match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => StepError::LimitReached(LimitReached {
                what: "fuel",
                limit: limits.fuel,
                wanted: None,
            }),
            _ => failure(error, Vec::new()),
        })?;
        Ok(Guest {
            store,
            instance,
            watch,
            limits,
        })
    }
}

impl Guest {
    fn call<P, R>(&mut self, interface: &str, name: &str, params: P) -> Result<R, StepError>
    where
        P: ComponentNamedList + Lower + Crossing + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Crossing + Send + Sync + 'static,
    {
        let function = self.function(interface, name)?;
        self.call_function(&function, params)
    }

    /// Finds an export, which takes longer than a call.
    fn function<P, R>(&mut self, interface: &str, name: &str) -> Result<TypedFunc<P, R>, StepError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let missing = || StepError::BadOutput(format!("it does not export `{interface}#{name}`"));
        let at = self
            .instance
            .get_export_index(&mut self.store, None, interface)
            .ok_or_else(missing)?;
        let at = self
            .instance
            .get_export_index(&mut self.store, Some(&at), name)
            .ok_or_else(missing)?;
        self.instance
            .get_typed_func::<P, R>(&mut self.store, at)
            .map_err(|error| {
                StepError::BadOutput(format!(
                    "its `{name}` is not that of the contract: {error:#}"
                ))
            })
    }

    fn call_function<P, R>(&mut self, function: &TypedFunc<P, R>, params: P) -> Result<R, StepError>
    where
        P: ComponentNamedList + Lower + Crossing + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Crossing + Send + Sync + 'static,
    {
        self.pay(tariff::CALL + params.fuel())?;
        let call = function.call_async(&mut self.store, params);
        let value: R = match wait(call, &self.watch)? {
            Ok(value) => value,
            Err(error) => return Err(self.failure(error)),
        };
        self.pay(value.fuel())?;
        Ok(value)
    }

    /// Takes fuel for what the host does between two calls, and all that is still owed.
    fn pay(&mut self, fuel: u64) -> Result<(), StepError> {
        let host = |error: wasmtime::Error| StepError::Host(format!("{error:#}"));
        self.watch.look().map_err(Stopped::error)?;
        let owed = self.store.data().session.debt.take().saturating_add(fuel);
        let left = self.store.get_fuel().map_err(host)?.saturating_sub(owed);
        self.store.set_fuel(left).map_err(host)?;
        let bytes = tariff::call_bytes(self.store.data());
        self.store.set_hostcall_fuel(bytes);
        match left {
            0 => Err(self.out_of_fuel()),
            _ => Ok(()),
        }
    }

    /// Refuses fields that there is no room for to understand them.
    fn afford_fields<'a>(
        &self,
        fields: impl Iterator<Item = &'a wire::Field>,
    ) -> Result<(), StepError> {
        let size: u64 = fields.map(wire::Field::size).sum();
        let ledger = &self.store.data().session.ledger;
        let afforded = ledger.afford(size.saturating_mul(wire::DECODED));
        afforded.map_err(StepError::LimitReached)
    }

    fn out_of_fuel(&self) -> StepError {
        StepError::LimitReached(LimitReached {
            what: "fuel",
            limit: self.limits.fuel,
            wanted: None,
        })
    }

    fn failure(&mut self, error: wasmtime::Error) -> StepError {
        if error.downcast_ref::<Trap>() == Some(&Trap::OutOfFuel) {
            return self.out_of_fuel();
        }
        // The engine has no type for it that we could know it by.
        if error.root_cause().to_string().contains(TOO_MANY_BYTES) {
            let ledger = &self.store.data().session.ledger;
            return StepError::LimitReached(ledger.reached(None));
        }
        failure(error, last_lines(&self.store.data().stderr.contents()))
    }

    fn push<T: Send + 'static>(&mut self, value: T) -> Result<Resource<T>, StepError> {
        self.store
            .data_mut()
            .resources
            .push(value)
            .map_err(|error| StepError::Host(error.to_string()))
    }

    fn observe(&mut self, question: Question) -> Result<(), StepError> {
        self.store
            .data_mut()
            .session
            .observe(question)
            .map_err(|error| failure(error, Vec::new()))
    }

    /// Handles for every input but the main one, in port order.
    fn inputs<'a>(
        &mut self,
        unit: &Unit,
        chosen: impl Iterator<Item = (usize, &'a Input)>,
    ) -> Result<wire::Inputs, StepError> {
        let mut inputs = wire::Inputs {
            tables: Vec::new(),
            blobs: Vec::new(),
        };
        for (at, input) in chosen {
            let port = input.port.to_string();
            match &input.content {
                InputContent::Table(_) => {
                    let table = self.table(unit, at)?;
                    inputs.tables.push(wire::TableInput { port, table });
                }
                InputContent::Blob(_) => {
                    let blob = self.push(Blob(at))?;
                    inputs.blobs.push(wire::BlobInput { port, blob });
                }
            }
        }
        Ok(inputs)
    }

    fn side_inputs(&mut self, unit: &Unit) -> Result<wire::Inputs, StepError> {
        self.inputs(
            unit,
            unit.inputs
                .iter()
                .enumerate()
                .filter(|(_, input)| !input.main),
        )
    }

    fn table(&mut self, unit: &Unit, input: usize) -> Result<Resource<Table>, StepError> {
        let Some(Input {
            port,
            content: InputContent::Table(table),
            ..
        }) = unit.inputs.get(input)
        else {
            return Err(StepError::Host("an input is no table".to_owned()));
        };
        let cuts = cuts(
            table.partitions.iter().map(|partition| partition.rows),
            unit.batch_rows,
        );
        let rows = table.rows();
        self.push(Table::Input {
            port: Arc::clone(port),
            columns: Batch::input(&table.fields, port, Rows::All(rows)),
            cuts,
            rows,
        })
    }

    /// The main input: its position and its batches.
    fn main(&self, unit: &Unit) -> Result<Main, StepError> {
        for (at, input) in unit.inputs.iter().enumerate() {
            if let (true, InputContent::Table(table)) = (input.main, &input.content) {
                let rows = table.partitions.iter().map(|partition| partition.rows);
                return Ok((at, Arc::clone(&input.port), cuts(rows, unit.batch_rows)));
            }
        }
        Err(StepError::Host("there is no main table".to_owned()))
    }

    /// Writers for every output port, in port order.
    fn writers(&mut self, unit: &Unit) -> Result<wire::Outputs, StepError> {
        let mut outputs = wire::Outputs {
            tables: Vec::new(),
            blobs: Vec::new(),
        };
        for (at, shape) in unit.outputs.iter().enumerate() {
            let port = shape.port.to_string();
            match &shape.content {
                ShapeContent::Table(_) => {
                    let writer = self.push(TableWriter(at))?;
                    outputs.tables.push(wire::TableOutput { port, writer });
                }
                ShapeContent::Blob(_) => {
                    let writer = self.push(BlobWriter(at))?;
                    outputs.blobs.push(wire::BlobOutput { port, writer });
                }
            }
        }
        let rows = u64::from(unit.batch_rows) * u64::from(unit.partition_batches);
        let mut written = Vec::with_capacity(unit.outputs.len());
        for shape in &unit.outputs {
            let promised = shape.promise.as_ref().and_then(|it| it.promised.rows());
            written.push(match (&shape.content, promised) {
                (ShapeContent::Blob(_), _) => Written::Blob(Pieces::default()),
                (ShapeContent::Table(_), None) => Written::Table(Rowset::new(rows)),
                (ShapeContent::Table(_), Some(port)) => {
                    // Whatever the guest asks for, its output depends on how the input is cut.
                    self.observe(Question::Layout {
                        port: port.to_string(),
                    })?;
                    let table = unit.table(port);
                    let partitions = table.iter().flat_map(|table| &table.partitions);
                    let rows = partitions.map(|partition| partition.rows).collect();
                    Written::Table(Rowset::of(Arc::clone(port), rows))
                }
            });
        }
        self.store.data_mut().session.written = written;
        Ok(outputs)
    }

    fn outputs(&mut self, unit: &Unit) -> Result<Vec<Made>, StepError> {
        let made = outcome::outputs(&mut self.store.data_mut().session, unit);
        made.map_err(|error| failure(error, Vec::new()))
    }

    fn read(&mut self, unit: &Unit, params: String, range: &Range) -> Result<Vec<Made>, StepError> {
        let mut writers = self.writers(unit)?;
        let (
            Some(writer),
            Some(Shape {
                content: ShapeContent::Table(fields),
                ..
            }),
        ) = (writers.tables.pop(), unit.outputs.first())
        else {
            return Err(StepError::Host(
                "a source must have one output table".to_owned(),
            ));
        };
        let columns: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let bytes = self.push(Blob(0))?;
        let range = wire::Range {
            offset: range.offset,
            len: range.len,
            hint: range.hint.clone(),
        };
        let (read,): (Result<(), wire::Error>,) = self.call(
            "pinion:step/source@0.1.0",
            "read",
            (
                params,
                bytes,
                range,
                columns,
                Resource::<TableWriter>::new_borrow(writer.writer.rep()),
            ),
        )?;
        read.map_err(refused)?;
        self.outputs(unit)
    }

    fn row_map(&mut self, unit: &Unit, params: String) -> Result<Vec<Made>, StepError> {
        let (input, port, cuts) = self.main(unit)?;
        // How often `apply` is called is something a guest can count.
        self.observe(Question::Rows {
            port: port.to_string(),
        })?;
        self.observe(Question::BatchRows)?;
        let side = self.side_inputs(unit)?;
        let (open,): (Result<(), wire::Error>,) =
            self.call("pinion:step/row-map@0.1.0", "open", (params, side))?;
        open.map_err(refused)?;
        let apply: Apply = self.function("pinion:step/row-map@0.1.0", "apply")?;
        let mut made: Vec<Vec<Batch>> = unit.outputs.iter().map(|_| Vec::new()).collect();
        let session = &self.store.data().session;
        let all = imports::input_batch(session, &port, input, Rows::All(0));
        let all = all.map_err(|error| failure(error, Vec::new()))?;
        for rows in cuts.iter() {
            let state = self.store.data_mut();
            let batch = imports::push_batch(state, all.with_rows(rows.clone()))
                .map_err(|error| failure(error, Vec::new()))?;
            let rep = batch.rep();
            let (outputs,) = self.call_function(&apply, (Resource::<Batch>::new_borrow(rep),))?;
            self.collect(unit, outputs.map_err(refused)?, &mut made)?;
            let resources = &mut self.store.data_mut().resources;
            resources
                .delete(Resource::<Batch>::new_own(rep))
                .map_err(|error| StepError::Host(error.to_string()))?;
        }
        let session = &mut self.store.data_mut().session;
        unit.outputs
            .iter()
            .zip(made)
            .map(|(shape, batches)| match &shape.content {
                ShapeContent::Table(fields) => {
                    let rows = unit.table(&port).map_or(0, |table| table.rows());
                    let promised = outcome::Held::of(shape, 0, rows);
                    let partition =
                        outcome::partition(session, unit, fields, promised.as_ref(), batches);
                    // What it was made of is let go, and it stays.
                    let kept = partition.and_then(|partition| {
                        session.occupy(partition.bytes())?;
                        Ok(partition)
                    });
                    let partition = kept.map_err(|error| failure(error, Vec::new()))?;
                    Ok(Made::Table(vec![partition]))
                }
                ShapeContent::Blob(_) => Err(StepError::BadOutput(
                    "a row-map cannot make a blob".to_owned(),
                )),
            })
            .collect()
    }

    fn collect(
        &mut self,
        unit: &Unit,
        outputs: Vec<wire::OutputBatch>,
        made: &mut [Vec<Batch>],
    ) -> Result<(), StepError> {
        let mut seen = vec![false; made.len()];
        for output in outputs {
            let at = unit
                .outputs
                .iter()
                .position(|shape| *shape.port == *output.port)
                .ok_or_else(|| {
                    StepError::BadOutput(format!(
                        "it returned rows for port `{}`, which it did not describe",
                        output.port
                    ))
                })?;
            if std::mem::replace(&mut seen[at], true) {
                return Err(StepError::BadOutput(format!(
                    "it returned two batches for port `{}` at once",
                    output.port
                )));
            }
            let batch = self.store.data_mut().resources.delete(output.rows);
            made[at].push(batch.map_err(|error| StepError::BadOutput(error.to_string()))?);
        }
        Ok(())
    }

    fn init(&mut self, unit: &Unit, params: String) -> Result<Returned, StepError> {
        let side = self.side_inputs(unit)?;
        let (state,): (Result<Bytes, wire::Error>,) =
            self.call("pinion:step/reduce@0.1.0", "init", (params, side))?;
        let state = state.map_err(refused)?;
        self.charge(&state)?;
        Ok(Returned::Bytes(state))
    }

    fn partial(
        &mut self,
        unit: &Unit,
        params: String,
        round: u32,
        state: &Arc<[u8]>,
        carry: &Arc<[u8]>,
    ) -> Result<Returned, StepError> {
        let (input, port, _) = self.main(unit)?;
        self.observe(Question::Rows {
            port: port.to_string(),
        })?;
        let table = self.table(unit, input)?;
        let borrowed = Resource::<Table>::new_borrow(table.rep());
        let params = (params, round, lend(state), lend(carry), borrowed);
        let (share,): (Result<wire::Share, wire::Error>,) =
            self.call("pinion:step/reduce@0.1.0", "partial", params)?;
        let wire::Share { partial, carry } = share.map_err(refused)?;
        self.charge(&partial)?;
        self.charge(&carry)?;
        Ok(Returned::Share { partial, carry })
    }

    fn merge(
        &mut self,
        params: String,
        left: &Arc<[u8]>,
        right: &Arc<[u8]>,
    ) -> Result<Returned, StepError> {
        let (merged,): (Result<Bytes, wire::Error>,) = self.call(
            "pinion:step/reduce@0.1.0",
            "merge",
            (params, lend(left), lend(right)),
        )?;
        let merged = merged.map_err(refused)?;
        self.charge(&merged)?;
        Ok(Returned::Bytes(merged))
    }

    fn update(
        &mut self,
        params: String,
        round: u32,
        state: &Arc<[u8]>,
        merged: Option<&Arc<[u8]>>,
    ) -> Result<Returned, StepError> {
        let (end,): (Result<wire::Round, wire::Error>,) = self.call(
            "pinion:step/reduce@0.1.0",
            "update",
            (params, round, lend(state), merged.map(lend)),
        )?;
        Ok(match end.map_err(refused)? {
            wire::Round::Next(state) => {
                self.charge(&state)?;
                Returned::Next(state)
            }
            wire::Round::Done(state) => {
                self.charge(&state)?;
                Returned::Done(state)
            }
        })
    }

    fn finish(
        &mut self,
        unit: &Unit,
        params: String,
        state: &Arc<[u8]>,
    ) -> Result<Vec<Made>, StepError> {
        let writers = self.writers(unit)?;
        let (done,): (Result<(), wire::Error>,) = self.call(
            "pinion:step/reduce@0.1.0",
            "finish",
            (params, lend(state), writers),
        )?;
        done.map_err(refused)?;
        self.outputs(unit)
    }

    fn run(&mut self, unit: &Unit, params: String) -> Result<Vec<Made>, StepError> {
        let given = self.inputs(unit, unit.inputs.iter().enumerate())?;
        let writers = self.writers(unit)?;
        let (done,): (Result<(), wire::Error>,) = self.call(
            "pinion:step/whole-table@0.1.0",
            "run",
            (params, given, writers),
        )?;
        done.map_err(refused)?;
        self.outputs(unit)
    }

    fn charge(&mut self, bytes: &Bytes) -> Result<(), StepError> {
        let charged = self.store.data_mut().session.charge(bytes.len() as u64);
        charged.map_err(|error| failure(error, Vec::new()))
    }

    fn done(mut self, outputs: Vec<Made>, returned: Returned) -> Result<Done, StepError> {
        // The engine looks at the fuel now and then: a guest may end a little beyond the limit.
        self.pay(0)?;
        let left = self.store.get_fuel().unwrap_or_default();
        let fuel = self.limits.fuel - left.min(self.limits.fuel);
        let state = self.store.data_mut();
        for (level, pipe) in [("info", &state.stdout), ("warn", &state.stderr)] {
            for line in String::from_utf8_lossy(&pipe.contents()).lines() {
                state.session.keep_line(level, line);
            }
        }
        let State {
            session, memory, ..
        } = self.store.into_data();
        let usage = Usage {
            fuel,
            peak_fuel: fuel,
            memory_bytes: memory.peak,
            output_bytes: session.ledger.peak(),
            scratch_bytes: session.scratch_bytes,
            log_bytes: session.log_bytes,
        };
        Ok(Done {
            outputs,
            returned,
            observations: session.observations,
            usage,
            log: session.log,
            read_bytes: session.read_bytes,
            copied_bytes: session.copied_bytes,
        })
    }
}

/// Waits for a guest, looking every now and then whether to go on. A guest is pending only where its fuel
/// makes it yield: nothing it can call waits.
fn wait<F: Future>(future: F, watch: &Watch) -> Result<F::Output, StepError> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        watch.look().map_err(Stopped::error)?;
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Ok(value);
        }
    }
}

fn lend(bytes: &Arc<[u8]>) -> Bytes {
    Bytes::from_owner(Arc::clone(bytes))
}

fn refused(error: wire::Error) -> StepError {
    words::refusal(error.code, &error.message, error.details)
}

/// What went wrong, from the error that wasmtime handed through.
pub(super) fn failure(error: wasmtime::Error, stderr: Vec<String>) -> StepError {
    let error = match error.downcast::<Unavailable>() {
        Ok(Unavailable(source)) => return StepError::Data(source),
        Err(error) => error,
    };
    if let Some(limit) = error.downcast_ref::<LimitReached>() {
        return StepError::LimitReached(*limit);
    }
    if let Some(stopped) = error.downcast_ref::<Stopped>() {
        return stopped.error();
    }
    if let Some(Misuse(message)) = error.downcast_ref::<Misuse>() {
        return StepError::BadOutput(words::message(message));
    }
    if let Some(Unkept(source)) = error.downcast_ref::<Unkept>() {
        return StepError::Host(format!("what it keeps aside has no room: {source}"));
    }
    let message = match error.downcast_ref::<Trap>() {
        // How deep a guest may call is the machine's to say, so it is no result of the step.
        Some(Trap::StackOverflow) => {
            return StepError::Host(format!(
                "its calls are nested deeper than {} bytes of stack",
                super::STACK_BYTES
            ));
        }
        Some(trap) => trap
            .to_string()
            .trim_start_matches("wasm trap: ")
            .to_owned(),
        None if error.downcast_ref::<I32Exit>().is_some() => "it called `exit`".to_owned(),
        None => words::message(&error.root_cause().to_string()),
    };
    StepError::Trapped {
        message,
        stderr,
        frames: frames(&error),
    }
}

/// The calls that a guest was in, innermost first.
fn frames(error: &wasmtime::Error) -> Vec<usize> {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let frames = backtrace.map(WasmBacktrace::frames).unwrap_or_default();
    frames
        .iter()
        .filter_map(wasmtime::FrameInfo::module_offset)
        .collect()
}

/// Lines of standard error that a message shows: where a panic says what happened.
const STDERR_LINES: usize = 12;

fn last_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    // A step has no environment that it could be told to say more in.
    let advice = |line: &&str| line.starts_with("note: run with `RUST_BACKTRACE=1`");
    let lines: Vec<&str> = text.lines().filter(|line| !advice(line)).collect();
    let clean = |line: &&str| {
        line.chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect()
    };
    lines[lines.len().saturating_sub(STDERR_LINES)..]
        .iter()
        .map(clean)
        .collect()
}

fn wire_shape(shape: &Shape) -> wire::PortShape {
    let (kind, fields, media_type) = match &shape.content {
        ShapeContent::Table(fields) => (
            "table",
            // What a file says of its fields must not pass for what `check` says.
            fields
                .iter()
                .flat_map(|field| to_wire(&without_mark(field.as_ref().clone())))
                .collect(),
            String::new(),
        ),
        ShapeContent::Blob(media_type) => ("blob", Vec::new(), media_type.clone()),
    };
    wire::PortShape {
        port: shape.port.to_string(),
        kind: kind.to_owned(),
        fields: fields.into_iter().map(wire::Field::from).collect(),
        media_type,
    }
}

fn checked_shapes(
    descriptor: &Descriptor,
    inputs: &[Shape],
    shapes: Vec<wire::PortShape>,
) -> Result<Vec<Shape>, StepError> {
    let names: Vec<&str> = shapes.iter().map(|shape| shape.port.as_str()).collect();
    let expected: Vec<&str> = descriptor
        .outputs
        .iter()
        .map(|port| port.name.as_str())
        .collect();
    if names != expected {
        return Err(StepError::BadOutput(format!(
            "`check` gave shapes for other ports than it describes\n  expected {}\n  found    {}",
            expected.join(", "),
            words::name(&names.join(", "))
        )));
    }
    let shape = |(port, shape): (&Port, wire::PortShape)| {
        let mut promise = None;
        let content = match (shape.kind.as_str(), port.blob) {
            ("table", false) => {
                let fields = super::batch::fields(shape.fields).map_err(|error| {
                    StepError::BadOutput(format!(
                        "the schema of port `{}` is not valid: {error}",
                        port.name
                    ))
                })?;
                if let Some(promised) = &port.promised {
                    promise = Some(checked_promise(port, promised, inputs, &fields)?);
                }
                ShapeContent::Table(
                    fields
                        .iter()
                        .map(|field| Arc::new(without_mark(canonical_field(field))))
                        .collect(),
                )
            }
            ("blob", true) => ShapeContent::Blob(words::media_type(shape.media_type)?),
            (kind, _) => {
                return Err(StepError::BadOutput(format!(
                    "`check` says that port `{}` carries a `{}`",
                    port.name,
                    words::name(kind)
                )));
            }
        };
        Ok(Shape {
            port: port.name.as_str().into(),
            content,
            promise,
        })
    };
    descriptor.outputs.iter().zip(shapes).map(shape).collect()
}

/// What `check` says that a port passes on, which must be there.
fn checked_promise(
    port: &Port,
    promised: &Promised,
    inputs: &[Shape],
    fields: &[Field],
) -> Result<Promise, StepError> {
    let bad = |field: &Field, found: String| {
        StepError::BadOutput(format!(
            "`check` says that column `{}` of port `{}` is passed on\n  expected a column of an input, of the same type\n  found    {}",
            words::name(field.name()),
            port.name,
            words::name(&found)
        ))
    };
    let passed = fields.iter().map(|field| {
        let Some(of) = PassedColumn::of(field) else {
            return Ok(None);
        };
        let table = inputs.iter().find_map(|input| match &input.content {
            ShapeContent::Table(fields) if input.port == of.port => Some(fields),
            _ => None,
        });
        let found = table
            .into_iter()
            .flatten()
            .find(|input| **input.name() == *of.column);
        let found =
            found.ok_or_else(|| bad(field, format!("no column {} at {}", of.column, of.port)))?;
        if !found.data_type().equals_datatype(field.data_type()) {
            return Err(bad(field, type_name(found.data_type())));
        }
        Ok(Some(of))
    });
    Ok(Promise {
        promised: promised.clone(),
        passed: passed.collect::<Result<_, StepError>>()?,
    })
}

/// Makes sure that a source may have cut a file of `len` bytes into these ranges.
///
/// # Errors
/// [`StepError::BadOutput`] if there are too many, or they overlap, run backwards or beyond the file.
pub(crate) fn check_ranges(ranges: &[Range], len: u64) -> Result<(), StepError> {
    if ranges.len() > MAX_RANGES {
        return Err(StepError::BadOutput(format!(
            "it cut a file into {} ranges, and {MAX_RANGES} are enough",
            ranges.len()
        )));
    }
    let mut start = 0;
    for range in ranges {
        let end = range
            .offset
            .checked_add(range.len)
            .filter(|end| *end <= len);
        let Some(end) = end.filter(|_| range.offset >= start) else {
            return Err(StepError::BadOutput(format!(
                "its ranges overlap, run backwards or run beyond the file\n  found {} bytes from {}\n  in    a file of {len} bytes",
                range.len, range.offset
            )));
        };
        // Ranges that share bytes but not rows, as row groups split by rows, are told apart by their hints.
        start = if range.hint.is_empty() {
            end
        } else {
            range.offset
        };
    }
    Ok(())
}

fn checked_descriptor(kind: Kind, descriptor: wire::Descriptor) -> Result<Descriptor, StepError> {
    let bad = |message: String| Err(StepError::BadOutput(message));
    if descriptor.kind != kind.name() {
        return bad(format!(
            "it describes itself as `{}` and exports `{}`",
            words::name(&descriptor.kind),
            kind.name()
        ));
    }
    if descriptor.params_schema.len() > MAX_SCHEMA_BYTES {
        return bad(format!(
            "the schema of its params is too long\n  expected at most {MAX_SCHEMA_BYTES} bytes\n  found    {}",
            descriptor.params_schema.len()
        ));
    }
    let most = descriptor.inputs.len().max(descriptor.outputs.len());
    if most > MAX_PORTS {
        return bad(format!(
            "it describes too many ports\n  expected at most {MAX_PORTS}\n  found    {most}"
        ));
    }
    let port = |port: wire::Port| {
        let accepts = port.accepts.into_iter().map(words::media_type);
        let mut annotations = port.annotations.iter();
        let promised = annotations.find(|(key, _)| key == promise::ANNOTATION);
        let promised = promised.map(|(_, value)| {
            Promised::parse(value).ok_or_else(|| {
                StepError::BadOutput(format!(
                    "its port promises what this version does not know\n  expected `columns`, `only-rows:PORT` or `rows:PORT`\n  found    `{}`",
                    words::name(value)
                ))
            })
        });
        Ok(Port {
            promised: promised.transpose()?,
            main: port.role == "main",
            blob: port.kind == "blob",
            name: port.name,
            optional: port.optional,
            accepts: accepts.collect::<Result<_, StepError>>()?,
            doc: words::sentence(&port.doc),
        })
    };
    let ports = |ports: Vec<wire::Port>| ports.into_iter().map(port).collect();
    let (inputs, outputs): (Result<Vec<Port>, _>, Result<Vec<Port>, _>) =
        (ports(descriptor.inputs), ports(descriptor.outputs));
    let (inputs, outputs) = (inputs?, outputs?);
    for ports in [&inputs, &outputs] {
        for (at, port) in ports.iter().enumerate() {
            let plain = !port.name.is_empty()
                && port.name.len() <= 64
                && port.name.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
                });
            if !plain || ports[..at].iter().any(|other| other.name == port.name) {
                return bad(format!(
                    "its port name `{}` is not plain or stands twice",
                    words::name(&port.name)
                ));
            }
        }
    }
    let mains = inputs.iter().filter(|port| port.main && !port.blob).count();
    match kind {
        Kind::RowMap | Kind::Reduce if mains != 1 => {
            return bad(format!(
                "a {} has exactly one main table, and it describes {mains}",
                kind.name()
            ));
        }
        Kind::Source
            if inputs.len() != 1 || outputs.len() != 1 || outputs.iter().any(|port| port.blob) =>
        {
            return bad("a source has one input and one output table".to_owned());
        }
        _ => {}
    }
    check_promised(kind, &inputs, &outputs)?;
    Ok(Descriptor {
        kind,
        summary: words::sentence(&descriptor.summary),
        inputs,
        outputs,
        params_schema: descriptor.params_schema,
    })
}

/// Only what passes rows on can promise anything of them, and of rows only those that a unit sees as they are cut.
fn check_promised(kind: Kind, inputs: &[Port], outputs: &[Port]) -> Result<(), StepError> {
    let bad = |port: &Port, problem: &str| {
        Err(StepError::BadOutput(format!(
            "its port `{}` promises what it cannot: {problem}",
            port.name
        )))
    };
    if let Some(port) = inputs.iter().find(|port| port.promised.is_some()) {
        return bad(port, "it is no output");
    }
    for output in outputs {
        let Some(promised) = &output.promised else {
            continue;
        };
        if output.blob || !matches!(kind, Kind::RowMap | Kind::WholeTable) {
            return bad(output, "it passes on no rows");
        }
        if let Some(rows) = promised.rows() {
            let of = inputs.iter().find(|input| *input.name == **rows);
            match of.filter(|of| !of.blob && !of.optional) {
                None => return bad(output, "it names no input that is always a table"),
                Some(of) if kind == Kind::RowMap && !of.main => {
                    return bad(output, "its units see the partitions of the main table");
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// `describe` and `check` see no data.
struct NoData;

impl Data for NoData {
    fn column(&self, _field: &arrow_schema::Field, _chunk: &Chunk) -> Result<Values, DataError> {
        Err("there is no data".into())
    }

    fn blob(&self, _digest: &Digest) -> Result<Bytes, DataError> {
        Err("there is no data".into())
    }

    fn spill(&self, _buffers: &[Buffer]) -> Result<Vec<Buffer>, DataError> {
        Err("there is no data".into())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_schema::DataType;

    use super::*;
    use crate::promise::PASSED;

    fn port(name: &str, promised: Option<Promised>) -> Port {
        Port {
            name: name.to_owned(),
            main: name == "main",
            blob: false,
            optional: false,
            accepts: Vec::new(),
            promised,
            doc: String::new(),
        }
    }

    #[test]
    fn only_tables_that_are_always_there_and_seen_whole_are_promised() {
        let rows = |port: &str| Some(Promised::Rows(port.into()));
        let (main, side) = (port("main", None), port("side", None));
        let optional = Port {
            optional: true,
            ..port("side", None)
        };
        let blob = Port {
            blob: true,
            ..port("out", Some(Promised::Columns))
        };
        let inputs = [main.clone(), side.clone()];
        let cases = [
            (Kind::RowMap, &inputs[..], port("out", rows("main")), true),
            (Kind::RowMap, &inputs, port("out", rows("side")), false),
            (Kind::RowMap, &inputs, port("out", rows("other")), false),
            (Kind::WholeTable, &inputs, port("out", rows("side")), true),
            (
                Kind::WholeTable,
                &[optional],
                port("out", rows("side")),
                false,
            ),
            (Kind::Source, &inputs, port("out", rows("main")), false),
            (Kind::Reduce, &inputs, port("out", rows("main")), false),
            (
                Kind::Reduce,
                &inputs,
                port("out", Some(Promised::Columns)),
                false,
            ),
            (Kind::WholeTable, &inputs, blob, false),
        ];
        for (kind, inputs, output, expected) in cases {
            let checked = check_promised(kind, inputs, std::slice::from_ref(&output));
            assert_eq!(checked.is_ok(), expected, "{kind:?}: {output:?}");
        }
        let promising = port("main", Some(Promised::Columns));
        assert!(check_promised(Kind::RowMap, &[promising], &[]).is_err());
    }

    #[test]
    fn a_column_is_passed_on_as_it_is_there() {
        let table = |fields: Vec<Field>| {
            let fields = fields.into_iter().map(Arc::new).collect();
            Shape::new("main".into(), ShapeContent::Table(fields))
        };
        let inputs = [table(vec![Field::new("a", DataType::Int64, true)])];
        let check = |data_type: DataType, of: &str| {
            let metadata = [(PASSED.to_owned(), of.to_owned())];
            let field = Field::new("y", data_type, true).with_metadata(metadata.into());
            checked_promise(&port("out", None), &Promised::Columns, &inputs, &[field])
        };
        let promise = check(DataType::Int64, "main/a").unwrap();
        assert_eq!(&*promise.passed[0].as_ref().unwrap().column, "a");
        for (data_type, of) in [
            (DataType::Int32, "main/a"),
            (DataType::Int64, "main/b"),
            (DataType::Int64, "other/a"),
        ] {
            let refused = check(data_type, of).unwrap_err();
            assert_eq!(refused.code(), "bad-output", "{of}: {refused}");
        }
    }
}

//! Fixtures as steps: described, checked and run on data in memory.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{FieldRef, Schema};
use pinion_runtime::arrow::rows::{Rows, take};
use pinion_runtime::arrow::values;
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::expression::Source;
use pinion_runtime::sandbox::{
    Clock, Data, Descriptor, Done, Made, MadePartition, Program, Sandbox, StepError,
};
use pinion_runtime::table::Table;
use pinion_runtime::unit::{Blob, Call, Input, InputContent, Limits, Shape, ShapeContent, Unit};

use crate::fixtures;
use crate::memory::Memory;

/// Nobody loses interest.
pub static NEVER: AtomicBool = AtomicBool::new(false);

/// The sandbox of all tests of a process.
///
/// # Panics
/// If the machine cannot make one.
pub fn sandbox() -> &'static Sandbox {
    static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| sandbox_with(16, Arc::new(|| 0)));
    &SANDBOX
}

/// A sandbox of its own, with a clock of its own.
///
/// # Panics
/// If the machine cannot make one.
pub fn sandbox_with(threads: usize, clock: Clock) -> Sandbox {
    Sandbox::new(threads, None, clock).unwrap_or_else(|error| panic!("{error}"))
}

/// A compiled component.
///
/// # Errors
/// [`StepError::BadComponent`].
pub fn program(bytes: &[u8]) -> Result<Arc<Program>, StepError> {
    sandbox().program(ComponentDigest::of(bytes), &|| Ok(bytes.to_vec()))
}

/// A fixture with params.
pub struct Step {
    /// The compiled component.
    pub program: Arc<Program>,
    /// What it tells of itself.
    pub descriptor: Descriptor,
    /// Canonical JSON.
    pub params: Arc<str>,
    /// What units may use.
    pub limits: Limits,
    /// Rows of a full batch.
    pub batch_rows: u32,
}

impl Step {
    /// Compiles and describes a fixture.
    ///
    /// # Panics
    /// If it cannot.
    pub fn new(fixture: &str, params: &str) -> Self {
        Self::of(fixtures::component(fixture), params)
    }

    /// Compiles and describes a component.
    ///
    /// # Panics
    /// If it cannot.
    pub fn of(component: &[u8], params: &str) -> Self {
        let program = program(component).unwrap_or_else(|error| panic!("{}", chain(&error)));
        let descriptor = sandbox()
            .describe(&program, &NEVER)
            .unwrap_or_else(|error| panic!("{}", chain(&error)));
        // What runs away must be stopped soon.
        let limits = Limits {
            fuel: 2_000_000_000,
            memory_bytes: 64 << 20,
            output_bytes: 64 << 20,
            scratch_bytes: 64 << 20,
            log_bytes: 4096,
            ..Limits::default()
        };
        Self {
            program,
            descriptor,
            params: params.into(),
            limits,
            batch_rows: 4,
        }
    }

    /// The shapes of the outputs for these inputs.
    ///
    /// # Errors
    /// [`StepError`].
    pub fn check(&self, inputs: &[Shape]) -> Result<Vec<Shape>, StepError> {
        sandbox().check(
            &self.program,
            &self.descriptor,
            &self.params,
            inputs,
            &NEVER,
        )
    }

    /// Binds inputs to ports.
    ///
    /// # Panics
    /// If there is no such port.
    pub fn bind(&self, inputs: &[(&str, InputContent)]) -> Vec<Input> {
        let bind = |(port, content): &(&str, InputContent)| {
            let described = self
                .descriptor
                .inputs
                .iter()
                .find(|described| described.name == *port);
            let described = described.unwrap_or_else(|| panic!("there is no port `{port}`"));
            Input {
                port: (*port).into(),
                main: described.main,
                content: content.clone(),
            }
        };
        inputs.iter().map(bind).collect()
    }

    /// A unit, whose outputs are as checked.
    ///
    /// # Errors
    /// [`StepError`] of `check`.
    pub fn unit(
        &self,
        call: Call,
        inputs: &[(&str, InputContent)],
    ) -> Result<Arc<Unit>, StepError> {
        let inputs = self.bind(inputs);
        let shapes: Vec<Shape> = inputs.iter().map(shape).collect();
        let outputs = self.check(&shapes)?;
        Ok(Arc::new(self.unchecked(call, inputs, outputs)))
    }

    /// A unit with outputs as given.
    pub fn unchecked(&self, call: Call, inputs: Vec<Input>, outputs: Vec<Shape>) -> Unit {
        Unit {
            component: self.program.digest(),
            call,
            params: Arc::clone(&self.params),
            seed: 42,
            position: None,
            batch_rows: self.batch_rows,
            partition_batches: 2,
            inputs,
            outputs,
            limits: self.limits,
        }
    }

    /// Runs a unit.
    ///
    /// # Errors
    /// [`StepError`].
    pub fn execute(&self, unit: &Arc<Unit>, data: &Arc<Memory>) -> Result<Done, StepError> {
        let data: Arc<dyn Data> = Arc::clone(data) as _;
        sandbox().execute(&self.program, unit, data, &NEVER)
    }
}

/// A table as an input.
pub fn table(table: &Arc<Table>) -> InputContent {
    InputContent::Table(Arc::clone(table))
}

/// A blob as an input.
pub fn blob(blob: &Blob) -> InputContent {
    InputContent::Blob(blob.clone())
}

/// What is known of an input before any data.
pub fn shape(input: &Input) -> Shape {
    let content = match &input.content {
        InputContent::Table(table) => ShapeContent::Table(table.fields.clone()),
        InputContent::Blob(blob) => ShapeContent::Blob(blob.media_type.clone()),
    };
    Shape::new(Arc::clone(&input.port), content)
}

/// An error and what caused it, as people are shown.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\ncaused by: {error}"));
        cause = error.source();
    }
    text
}

/// The rows that came out of a port, by partition: recipes brought together with the inputs.
///
/// # Panics
/// If the port has a blob or a recipe does not fit.
pub fn rows(done: &Done, unit: &Unit, port: usize, data: &Memory) -> Vec<RecordBatch> {
    let (Made::Table(partitions), ShapeContent::Table(fields)) =
        (&done.outputs[port], &unit.outputs[port].content)
    else {
        panic!("port {port} has a blob");
    };
    partitions
        .iter()
        .map(|made| partition(made, unit, fields, data))
        .collect()
}

fn partition(made: &MadePartition, unit: &Unit, fields: &[FieldRef], data: &Memory) -> RecordBatch {
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let Some(expression) = &made.expression else {
        return RecordBatch::new_empty(schema);
    };
    let columns = expression
        .columns(&|port| unit.fields(port))
        .unwrap_or_else(|error| panic!("{error}"));
    let columns = columns.iter().map(|column| match &column.source {
        Source::Made(number) => match &made.made[*number] {
            Some((_, array)) => Arc::clone(array),
            None => panic!("a made column is gone"),
        },
        Source::Passed { input, port, name } => {
            let pieces = pieces(unit, port, name, data);
            take(&pieces, &made.inputs[*input]).unwrap_or_else(|error| panic!("{error}"))
        }
    });
    let options = RecordBatchOptions::new().with_row_count(Some(made.rows as usize));
    let columns = columns.collect();
    RecordBatch::try_new_with_options(schema, columns, &options)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn pieces(unit: &Unit, port: &str, name: &str, data: &Memory) -> Vec<ArrayRef> {
    let table = unit
        .table(port)
        .unwrap_or_else(|| panic!("there is no table at `{port}`"));
    let at = table
        .position(name)
        .unwrap_or_else(|| panic!("there is no column `{name}`"));
    let piece = |partition: &Arc<pinion_runtime::table::Partition>| {
        let values = data.column(&table.fields[at], &partition.columns[at]);
        let values = values.unwrap_or_else(|error| panic!("{error}"));
        let all = Rows::All(values.len());
        values::take(&[values], &all).unwrap_or_else(|error| panic!("{error}"))
    };
    table.partitions.iter().map(piece).collect()
}

//! The four kinds of step, as traits.
//!
//! Implement one of them and name the type in [`crate::export!`]. `Params` is what the pipeline file
//! gives under `params`: derive `serde::Deserialize` and `schemars::JsonSchema`, deny unknown fields,
//! and give optional ones a default.

use arrow_array::RecordBatch;
use arrow_schema::{FieldRef, Schema};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batch::Batch;
use crate::descriptor::{Content, Descriptor, Shape, Shapes};
use crate::error::{Error, Result};
use crate::mark;
use crate::table::{Blob, Inputs, Outputs, Table, TableWriter};

/// Row-wise: the output for a row depends on that row, the params and the side inputs, and on nothing
/// else. The host may cut batches anywhere, and tests that it makes no difference.
pub trait RowMap: Sized {
    /// What the pipeline file gives under `params`.
    type Params: DeserializeOwned + JsonSchema;

    /// The ports.
    fn describe() -> Descriptor;

    /// The shapes of every output port, before any data.
    ///
    /// Unless it is implemented, the step is applied to a batch without rows to see what comes out,
    /// which is enough for every step without side blobs.
    ///
    /// # Errors
    /// A column that is missing or of the wrong type, or params that make no sense.
    fn check(params: Self::Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let mut side = Inputs::default();
        let mut main = None;
        let descriptor = Self::describe().into_wire("row-map", String::new());
        for shape in inputs.iter() {
            let Content::Table(fields) = &shape.content else {
                return Err(Error::new(
                    "bad-step",
                    format!(
                        "a step with the side blob `{}` must implement `check`",
                        shape.port
                    ),
                ));
            };
            if descriptor
                .inputs
                .iter()
                .any(|port| port.name == shape.port && port.role == "main")
            {
                main = Some((shape.port.as_str(), fields));
            } else {
                side = side.with_table(&shape.port, Table::local(fields.clone(), Vec::new()));
            }
        }
        let (port, fields) =
            main.ok_or_else(|| Error::new("missing-port", "there is no table at the main port"))?;
        // What comes out tells by them what was passed on.
        let marked = fields.iter().map(|field| {
            let passed = mark::Passed {
                port: port.to_owned(),
                column: field.name().clone(),
                looked_up: false,
            };
            FieldRef::new(mark::passed(field, &passed))
        });
        let fields: Vec<FieldRef> = marked.collect();
        let empty = RecordBatch::new_empty(std::sync::Arc::new(Schema::new(fields)));
        let mut outputs = Self::open(params, side)?.apply(&empty.into())?;
        descriptor
            .outputs
            .iter()
            .map(|port| {
                let index = outputs.iter().position(|output| output.port == port.name);
                let output = index
                    .map(|index| outputs.swap_remove(index))
                    .ok_or_else(|| {
                        Error::new(
                            "bad-step",
                            format!(
                                "no rows came out of port `{}` where none went in",
                                port.name
                            ),
                        )
                    })?;
                Ok(Shape::marked(&port.name, &output.rows.marked_schema()?))
            })
            .collect()
    }

    /// Called once on an instance, before `apply`.
    ///
    /// # Errors
    /// Side inputs that do not fit.
    fn open(params: Self::Params, side: Inputs) -> Result<Self>;

    /// At most one batch for a port; none means no rows.
    ///
    /// # Errors
    /// Values that the step cannot work with.
    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>>;
}

/// Rows for one output port.
#[derive(Debug)]
pub struct Output {
    /// The port.
    pub port: String,
    /// The rows.
    pub rows: Batch,
}

impl Output {
    /// Rows for `port`.
    pub fn new(port: &str, rows: Batch) -> Self {
        Self {
            port: port.to_owned(),
            rows,
        }
    }
}

/// What a round of a [`Reduce`] ends with.
#[derive(Debug)]
pub enum Round<S> {
    /// State for the next round.
    Next(S),
    /// State for `finish`.
    Done(S),
}

/// Rounds of: a partial for each partition, merged in a fixed tree, then one update.
///
/// States, partials and carries are written with `postcard`, which keeps every bit of a float. Use
/// ordered maps in them, so that equal states are equal bytes.
pub trait Reduce {
    /// What the pipeline file gives under `params`.
    type Params: DeserializeOwned + JsonSchema;
    /// What a round starts from.
    type State: Serialize + DeserializeOwned;
    /// A partition's share of a round.
    type Partial: Serialize + DeserializeOwned;
    /// What comes back to the same partition in the next round; `()` if nothing has to.
    type Carry: Serialize + DeserializeOwned + Default;

    /// The ports.
    fn describe() -> Descriptor;

    /// The shapes of every output port, before any data.
    ///
    /// # Errors
    /// A column that is missing or of the wrong type, or params that make no sense.
    fn check(params: Self::Params, inputs: &Shapes) -> Result<Vec<Shape>>;

    /// The state of round 0. Sees no rows.
    ///
    /// # Errors
    /// Side inputs that do not fit.
    fn init(params: &Self::Params, side: &Inputs) -> Result<Self::State>;

    /// One partition's share of a round. `carry` is the default in round 0.
    ///
    /// # Errors
    /// Values that the step cannot work with.
    fn partial(
        params: &Self::Params,
        round: u32,
        state: &Self::State,
        carry: Self::Carry,
        rows: &Table,
    ) -> Result<(Self::Partial, Self::Carry)>;

    /// Merges neighbours; `left` has the lower partition positions.
    ///
    /// # Errors
    /// Partials that do not fit together.
    fn merge(
        params: &Self::Params,
        left: Self::Partial,
        right: Self::Partial,
    ) -> Result<Self::Partial>;

    /// Ends a round. `merged` is none if there was no partition.
    ///
    /// # Errors
    /// For instance a fit that does not converge.
    fn update(
        params: &Self::Params,
        round: u32,
        state: Self::State,
        merged: Option<Self::Partial>,
    ) -> Result<Round<Self::State>>;

    /// Writes the outputs.
    ///
    /// # Errors
    /// Outputs that cannot be written.
    fn finish(params: &Self::Params, state: Self::State, outputs: &mut Outputs) -> Result<()>;
}

/// Everything at once: one instance, any number of passes.
pub trait WholeTable {
    /// What the pipeline file gives under `params`.
    type Params: DeserializeOwned + JsonSchema;

    /// The ports.
    fn describe() -> Descriptor;

    /// The shapes of every output port, before any data.
    ///
    /// # Errors
    /// A column that is missing or of the wrong type, or params that make no sense.
    fn check(params: Self::Params, inputs: &Shapes) -> Result<Vec<Shape>>;

    /// Reads the inputs and writes the outputs.
    ///
    /// # Errors
    /// Values that the step cannot work with.
    fn run(params: &Self::Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()>;
}

/// Bytes of one blob that can be read alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
    /// The source's own note to itself, such as a row-group number.
    pub hint: String,
}

/// Brings bytes from outside into a table. One range becomes one partition.
pub trait Source {
    /// What the pipeline file gives under `params`.
    type Params: DeserializeOwned + JsonSchema;

    /// One sentence and the output port. The bytes come to the input port `source`, which is added.
    fn describe() -> Descriptor;

    /// The fields that are read, given those that `probe` found. All of them unless implemented.
    ///
    /// # Errors
    /// A column that is missing, or params that make no sense.
    fn check(_params: Self::Params, probed: Vec<FieldRef>) -> Result<Vec<FieldRef>> {
        Ok(probed)
    }

    /// The schema of the bytes.
    ///
    /// # Errors
    /// `bad-file` if they are not what this source reads.
    fn probe(params: &Self::Params, bytes: &Blob) -> Result<Vec<FieldRef>>;

    /// Cuts the bytes into ranges of about `rows` rows, in order. Bytes that are appended must leave
    /// earlier ranges as they are.
    ///
    /// # Errors
    /// `bad-file`.
    fn partition(params: &Self::Params, bytes: &Blob, rows: u64) -> Result<Vec<Range>>;

    /// Reads one range. `columns` names what to read, in schema order.
    ///
    /// # Errors
    /// `bad-file`.
    fn read(
        params: &Self::Params,
        bytes: &Blob,
        range: &Range,
        columns: &[String],
        rows: &mut TableWriter,
    ) -> Result<()>;
}

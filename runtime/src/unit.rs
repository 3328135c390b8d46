//! A unit of work as a plain value, what it observed, and what it left behind.
//!
//! [`Unit`] says everything that may decide a result and nothing else: no step name, no path, no time.
//! It can be written down and run elsewhere. What the guest was told while it ran is a list of
//! [`Question`]s with answers; together they are the unit's key.

use std::sync::Arc;

use arrow_schema::FieldRef;
use serde::{Deserialize, Serialize};

use crate::arrow::format::{self, WireField};
use crate::digest::{ComponentDigest, Digest, StructuredHasher};
use crate::expression::Expression;
use crate::promise::Promise;
use crate::table::{Selection, Table, schema_digest};

/// Version of the forms of key and recipe. A change makes every stored unit unknown: an older library
/// does not find what a newer one stored, nor the other way round, and both may use one store.
///
/// - 2: a recipe says how much output was kept, and the most fuel that one call used.
pub const KEY_VERSION: u64 = 2;

/// Version of everything that may change a result or a fuel figure: the engine, its settings, how
/// components are rewritten before they are compiled, the host's kernels and the contract. Part of every
/// key and every run digest.
///
/// - 3: fuel is taken for the data of a component everywhere, also where it could be mapped.
/// - 4: calls of the host take fuel for what crosses the contract; fetched dictionaries are in canonical form; a
///   `select` is one question; what a port promises is enforced.
pub const SEMANTICS: &str = "4+wasmtime-48.0";

/// Bits of a range's number in the position of a unit that reads it; those above have the file's.
const RANGE_BITS: u32 = 24;

/// The position of a source's unit: that of its file among the files of the source, and the number of its
/// range there, from 1. Number 0 is the file itself.
pub(crate) fn range_position(file: usize, number: u64) -> u64 {
    ((file as u64) << RANGE_BITS) + number
}

/// The file that a position from [`range_position`] is about.
pub(crate) fn file_of(position: u64) -> usize {
    usize::try_from(position >> RANGE_BITS).unwrap_or(usize::MAX)
}

/// One piece of work.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The component.
    pub component: ComponentDigest,
    /// What is called on it.
    pub call: Call,
    /// Canonical JSON.
    pub params: Arc<str>,
    /// The pipeline's seed.
    pub seed: u64,
    /// Position of the partition, for a unit of one partition.
    pub position: Option<u64>,
    /// Rows a full batch has.
    pub batch_rows: u32,
    /// Batches a full partition has.
    pub partition_batches: u32,
    /// The inputs, in port order.
    pub inputs: Vec<Input>,
    /// The output ports with their checked shapes, in port order.
    pub outputs: Vec<Shape>,
    /// What the guest may use.
    pub limits: Limits,
}

/// What is called on a component.
#[derive(Clone, Debug)]
pub enum Call {
    /// `source.read` of one range.
    Read(Range),
    /// `row-map.open` and `apply` on every batch.
    RowMap,
    /// `reduce.init`.
    Init,
    /// `reduce.partial` of one partition.
    Partial {
        /// Counted from 0.
        round: u32,
        /// State of the round.
        state: Arc<[u8]>,
        /// What the same partition returned in the round before.
        carry: Arc<[u8]>,
    },
    /// `reduce.merge` of neighbours.
    Merge {
        /// Of the lower partition positions.
        left: Arc<[u8]>,
        /// Of the higher ones.
        right: Arc<[u8]>,
    },
    /// `reduce.update`.
    Update {
        /// Counted from 0.
        round: u32,
        /// State of the round.
        state: Arc<[u8]>,
        /// The merged partials, if there was a partition.
        merged: Option<Arc<[u8]>>,
    },
    /// `reduce.finish`.
    Finish {
        /// The last state.
        state: Arc<[u8]>,
    },
    /// All rounds of a reduce step: the key under which its outputs are stored. Never executed as such.
    Reduce,
    /// `whole-table.run`.
    Run,
}

/// Bytes of one blob that can be read alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
    /// The source's own note to itself.
    pub hint: String,
}

/// What is bound to an input port.
#[derive(Clone, Debug)]
pub struct Input {
    /// The port.
    pub port: Arc<str>,
    /// Whether it is the main table, which a row-map or reduce unit sees one partition of.
    pub main: bool,
    /// The table or blob.
    pub content: InputContent,
}

/// A table or a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputContent {
    /// A table: the whole, or one partition of it.
    Table(Arc<Table>),
    /// A blob.
    Blob(Blob),
}

/// Stored bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Over the raw bytes.
    pub digest: Digest,
    /// Number of bytes.
    pub len: u64,
    /// What they are.
    pub media_type: String,
}

/// What a port carries, before any data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The port.
    pub port: Arc<str>,
    /// A table's fields or a blob's media type.
    pub content: ShapeContent,
    /// What an output table has of the inputs, whatever the data. Not part of a key: the components, params and
    /// shapes that it follows from are, or do not matter, and a unit that is known is held to it again.
    pub promise: Option<Promise>,
}

impl Shape {
    /// A shape that promises nothing.
    pub fn new(port: Arc<str>, content: ShapeContent) -> Self {
        Self {
            port,
            content,
            promise: None,
        }
    }

    /// Columns of a table that are passed on, and may have the values of other rows than those that are promised.
    pub fn looked_up(&self) -> impl Iterator<Item = &str> {
        let fields = match &self.content {
            ShapeContent::Table(fields) => fields.as_slice(),
            ShapeContent::Blob(_) => &[],
        };
        let promise = self.promise.as_ref();
        let looked_up = fields
            .iter()
            .enumerate()
            .filter(move |(at, _)| promise.is_some_and(|promise| promise.is_looked_up(*at)));
        looked_up.map(|(_, field)| field.name().as_str())
    }
}

/// A table's fields or a blob's media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShapeContent {
    /// A table.
    Table(Vec<FieldRef>),
    /// A blob.
    Blob(String),
}

/// What a guest may use, for each unit. Not part of a key: a stored unit knows what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Wasm instructions, roughly.
    pub fuel: u64,
    /// Linear memory, in bytes.
    pub memory_bytes: u64,
    /// Bytes that the host keeps as columns, blobs and states, or holds as batches, at a time.
    pub output_bytes: u64,
    /// Bytes of rows that are laid aside in scratch, which is on the disk. 0 in records before version 3,
    /// where they are part of the output.
    #[serde(default)]
    pub scratch_bytes: u64,
    /// Bytes of log, standard output and standard error.
    pub log_bytes: u64,
    /// Milliseconds on the wall clock: a safety net for what hangs, since how long something takes is the
    /// machine's to say. To run into it is a failure of this run and never a result.
    pub time_ms: u64,
}

impl Default for Limits {
    /// - `fuel`: 200 billion, minutes of work.
    /// - `memory_bytes`: 1 GiB.
    /// - `output_bytes`: 4 GiB.
    /// - `scratch_bytes`: 64 GiB.
    /// - `log_bytes`: 64 KiB.
    /// - `time_ms`: one hour.
    fn default() -> Self {
        Self {
            fuel: 200_000_000_000,
            memory_bytes: 1 << 30,
            output_bytes: 4 << 30,
            scratch_bytes: 64 << 30,
            log_bytes: 64 << 10,
            time_ms: 60 * 60 * 1_000,
        }
    }
}

/// What guests used: one of them, or several one after the other. The same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Wasm instructions, roughly, of all guests together.
    pub fuel: u64,
    /// The most fuel of one guest, which is what its limit is for.
    #[serde(default)]
    pub peak_fuel: u64,
    /// The highest peak of linear memory, in bytes.
    pub memory_bytes: u64,
    /// The most bytes that the host kept and held at a time because of one guest.
    #[serde(default)]
    pub output_bytes: u64,
    /// The most bytes that one guest laid aside.
    #[serde(default)]
    pub scratch_bytes: u64,
    /// The most bytes that one guest logged, whether they were kept or not.
    #[serde(default)]
    pub log_bytes: u64,
}

impl Usage {
    /// Both uses one after the other: fuel adds up, of all else the most that one guest used counts.
    pub fn and(self, other: Self) -> Self {
        Self {
            fuel: self.fuel.saturating_add(other.fuel),
            peak_fuel: self.peak_fuel.max(other.peak_fuel),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            output_bytes: self.output_bytes.max(other.output_bytes),
            scratch_bytes: self.scratch_bytes.max(other.scratch_bytes),
            log_bytes: self.log_bytes.max(other.log_bytes),
        }
    }
}

/// Something a guest asked the host. Ports are meant, never steps.
///
/// In a structured hash, what is asked and what is answered are these items. An answer has the domain
/// `pinion answer v1`, and where it begins with an option, nothing else follows if there is no such port or column.
///
/// | question | items | answer |
/// |---|---|---|
/// | rows | text `rows`, text port | option, u64 rows |
/// | layout | text `layout`, text port | list of partitions, each u64 rows |
/// | field | text `field`, text port, text name | option, digest of the [field](format::field_digest) |
/// | schema | text `schema`, text port | option, digest of the [schema](format::schema_digest) |
/// | column | text `column`, text port, text name | option, digest of the field, digest of the [column](Table::column_digest) |
/// | valid | text `valid`, the [expression](Expression::feed) | option tag, whether it is |
/// | blob | text `blob`, text port | option, digest, u64 bytes, text media type |
/// | seed | text `seed`, u64 substream | u64, the [seed](Unit::seed_bits) |
/// | batch rows | text `batch-rows` | u64 rows |
///
/// The table at the main port of a row-map unit is the one partition that it works on. Withheld columns are in no
/// table. The blob at a source's port is the file, with the [media type](crate::source::media_type) of its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// How many rows are there?
    Rows {
        /// The port.
        port: String,
    },
    /// How are the rows cut into partitions?
    Layout {
        /// The port.
        port: String,
    },
    /// Which field has this name, if one has?
    Field {
        /// The port.
        port: String,
        /// The name.
        name: String,
    },
    /// Which fields are there?
    Schema {
        /// The port.
        port: String,
    },
    /// Which values has this column?
    Column {
        /// The port.
        port: String,
        /// The name.
        name: String,
    },
    /// Can this be made of the inputs' schemas?
    Valid {
        /// What is to be made.
        expression: Expression,
    },
    /// Which bytes are there?
    Blob {
        /// The port.
        port: String,
    },
    /// Which seed has this substream?
    Seed {
        /// Which one.
        substream: u64,
    },
    /// How many rows has a full batch?
    BatchRows,
}

/// A question and what the host answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// What was asked.
    pub question: Question,
    /// Digest of the answer.
    pub answer: Digest,
}

impl Unit {
    /// The part of the key that is known before anything runs.
    ///
    /// Structured hash `pinion unit v1`: key version, semantics version, component, call with its own
    /// bytes, canonical params.
    pub fn first_key(&self) -> Digest {
        let mut hasher = StructuredHasher::new("pinion unit v1");
        hasher
            .u64(KEY_VERSION)
            .text(SEMANTICS)
            .component(&self.component);
        match &self.call {
            Call::Read(range) => {
                hasher
                    .text("read")
                    .u64(range.offset)
                    .u64(range.len)
                    .text(&range.hint);
            }
            Call::RowMap => {
                hasher.text("row-map");
            }
            Call::Init => {
                hasher.text("init");
            }
            Call::Partial {
                round,
                state,
                carry,
            } => {
                hasher
                    .text("partial")
                    .u64(u64::from(*round))
                    .bytes(state)
                    .bytes(carry);
            }
            Call::Merge { left, right } => {
                hasher.text("merge").bytes(left).bytes(right);
            }
            Call::Update {
                round,
                state,
                merged,
            } => {
                hasher
                    .text("update")
                    .u64(u64::from(*round))
                    .bytes(state)
                    .option_tag(merged.is_some());
                if let Some(merged) = merged {
                    hasher.bytes(merged);
                }
            }
            Call::Finish { state } => {
                hasher.text("finish").bytes(state);
            }
            Call::Reduce => {
                hasher.text("reduce");
            }
            Call::Run => {
                hasher.text("run");
            }
        }
        hasher.text(&self.params);
        hasher.finish()
    }

    /// The answer that the host would give today, as a digest.
    pub fn answer(&self, question: &Question) -> Digest {
        if let Question::Valid { expression } = question {
            return answer_valid(self.is_valid(expression));
        }
        let mut hasher = StructuredHasher::new("pinion answer v1");
        match question {
            Question::Rows { port } => {
                let table = self.table(port);
                hasher.option_tag(table.is_some());
                if let Some(table) = table {
                    hasher.u64(table.rows());
                }
            }
            Question::Layout { port } => {
                let partitions = self
                    .table(port)
                    .map(|table| table.partitions.as_slice())
                    .unwrap_or_default();
                hasher.list(partitions.len());
                for partition in partitions {
                    hasher.u64(partition.rows);
                }
            }
            Question::Field { port, name } => {
                let field = self
                    .table(port)
                    .and_then(|table| table.position(name).map(|at| &table.fields[at]));
                hasher.option_tag(field.is_some());
                if let Some(field) = field {
                    hasher.digest(&format::field_digest(field));
                }
            }
            Question::Schema { port } => {
                let table = self.table(port);
                hasher.option_tag(table.is_some());
                if let Some(table) = table {
                    hasher.digest(&schema_digest(&table.fields));
                }
            }
            Question::Column { port, name } => {
                let column = self
                    .table(port)
                    .and_then(|table| Some((table, table.position(name)?)));
                hasher.option_tag(column.is_some());
                if let Some((table, position)) = column {
                    hasher.digest(&format::field_digest(&table.fields[position]));
                    hasher.digest(&table.column_digest(position));
                }
            }
            // Answered above.
            Question::Valid { .. } => {}
            Question::Blob { port } => {
                let blob = self.blob(port);
                hasher.option_tag(blob.is_some());
                if let Some(blob) = blob {
                    hasher
                        .digest(&blob.digest)
                        .u64(blob.len)
                        .text(&blob.media_type);
                }
            }
            Question::Seed { substream } => {
                hasher.u64(self.seed_bits(*substream));
            }
            Question::BatchRows => {
                hasher.u64(u64::from(self.batch_rows));
            }
        }
        hasher.finish()
    }

    /// The whole key: the first part and every question with its answer, in the order asked.
    ///
    /// [Structured](crate::digest): text `pinion key v1`, digest of the first part, list of observations, each
    /// the items of its [`Question`] and the digest of the answer.
    pub fn key(first: &Digest, observations: &[Observation]) -> Digest {
        let mut hasher = StructuredHasher::new("pinion key v1");
        hasher.digest(first).list(observations.len());
        for observation in observations {
            hash_question(&mut hasher, &observation.question);
            hasher.digest(&observation.answer);
        }
        hasher.finish()
    }

    /// Every question answered as of today.
    pub fn observe(&self, questions: &[Question]) -> Vec<Observation> {
        let observe = |question: &Question| Observation {
            question: question.clone(),
            answer: self.answer(question),
        };
        questions.iter().map(observe).collect()
    }

    /// 64 bits that depend on the pipeline's seed, the component, the params, `substream` and, in a unit
    /// of one partition, its position.
    ///
    /// The first eight bytes, big-endian, of the [structured](crate::digest) hash of text `pinion seed v1`, u64
    /// seed, component digest, text params, u64 substream, option u64 position.
    pub fn seed_bits(&self, substream: u64) -> u64 {
        let mut hasher = StructuredHasher::new("pinion seed v1");
        hasher
            .u64(self.seed)
            .component(&self.component)
            .text(&self.params)
            .u64(substream);
        hasher.option_tag(self.position.is_some());
        if let Some(position) = self.position {
            hasher.u64(position);
        }
        let digest = hasher.finish();
        digest
            .as_bytes()
            .iter()
            .take(8)
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }

    /// The table at an input port.
    pub fn table(&self, port: &str) -> Option<&Arc<Table>> {
        self.inputs
            .iter()
            .find(|input| &*input.port == port)
            .and_then(|input| match &input.content {
                InputContent::Table(table) => Some(table),
                InputContent::Blob(_) => None,
            })
    }

    /// The blob at an input port.
    pub fn blob(&self, port: &str) -> Option<&Blob> {
        self.inputs
            .iter()
            .find(|input| &*input.port == port)
            .and_then(|input| match &input.content {
                InputContent::Blob(blob) => Some(blob),
                InputContent::Table(_) => None,
            })
    }

    /// Whether an expression fits the tables at the input ports.
    fn is_valid(&self, expression: &Expression) -> bool {
        // A step that selects columns asks so for each of them, and there may be thousands.
        if let Expression::Select(of, names) = expression
            && let (Expression::Input(port), [name]) = (&**of, names.as_slice())
        {
            return self
                .table(port)
                .is_some_and(|table| table.position(name).is_some());
        }
        expression.columns(&|port| self.fields(port)).is_ok()
    }

    /// The fields of the table at an input port.
    pub fn fields(&self, port: &str) -> Option<&[FieldRef]> {
        self.table(port).map(|table| table.fields.as_slice())
    }
}

/// The answer to [`Question::Valid`], as [`Unit::answer`] gives it.
pub(crate) fn answer_valid(is_valid: bool) -> Digest {
    let mut hasher = StructuredHasher::new("pinion answer v1");
    hasher.option_tag(is_valid).finish()
}

/// Feeds a question to a structured hash.
pub(crate) fn hash_question(hasher: &mut StructuredHasher, question: &Question) {
    match question {
        Question::Rows { port } => hasher.text("rows").text(port),
        Question::Layout { port } => hasher.text("layout").text(port),
        Question::Field { port, name } => hasher.text("field").text(port).text(name),
        Question::Schema { port } => hasher.text("schema").text(port),
        Question::Column { port, name } => hasher.text("column").text(port).text(name),
        Question::Valid { expression } => {
            hasher.text("valid");
            expression.feed(hasher);
            hasher
        }
        Question::Blob { port } => hasher.text("blob").text(port),
        Question::Seed { substream } => hasher.text("seed").u64(*substream),
        Question::BatchRows => hasher.text("batch-rows"),
    };
}

/// What a unit left behind, as it is stored: a recipe, so that a hit binds passed columns to the inputs
/// of today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// One for each output port, in port order. Empty for a unit that only returned bytes.
    pub outputs: Vec<OutputRecipe>,
    /// Bytes returned by a reduce call: state, partial, carry.
    pub bytes: Vec<Blob>,
    /// What it asked, with the answers of then.
    pub observations: Vec<Observation>,
    /// What it used.
    pub usage: Usage,
}

/// What came out of one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OutputRecipe {
    /// Partitions, in order.
    Table(Vec<PartitionRecipe>),
    /// A blob.
    Blob(Blob),
}

/// How to make one partition of the inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionRecipe {
    /// Number of rows.
    pub rows: u64,
    /// How the columns come together; none for a partition without rows, which has the checked schema.
    pub expression: Option<Expression>,
    /// For every input in the expression, in reading order, the rows taken of it.
    pub selections: Vec<Selection>,
    /// For every column made in the expression, in reading order, its chunk; none if it was dropped later.
    pub made: Vec<Option<MadeChunk>>,
}

/// A column that a unit made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeChunk {
    /// Digest of the values.
    pub digest: Digest,
    /// The chunk file that holds it; none for a column without rows.
    pub file: Option<Digest>,
    /// Position in the file.
    pub column: u32,
}

/// Fields in their stored form.
pub fn wire(fields: &[FieldRef]) -> Vec<WireField> {
    fields
        .iter()
        .flat_map(|field| format::to_wire(field))
        .collect()
}

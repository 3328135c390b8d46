//! What the host keeps for one instance: the unit's data, what the guest asked, wrote and used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, UInt64Array};
use bytes::Bytes;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{WasiCliCtx, WasiCliCtxView, WasiCliView};
use wasmtime_wasi::filesystem::{WasiFilesystemCtx, WasiFilesystemCtxView, WasiFilesystemView};

use super::batch::{BadBatch, Batch, nodes};
use super::blob::Pieces;
use super::console::Console;
use super::ledger::{Held, Ledger};
use super::outcome::{self, MadePartition};
use super::random::Random;
use super::spill::{Keeper, Kept};
use super::tariff::{self, Debt};
use super::watch::Watch;
use super::{Data, DataError, Line};
use crate::arrow::chunk::canonical;
use crate::arrow::format::WireField;
use crate::arrow::rows::{self, BadRows, Chosen, Rows};
use crate::arrow::values::{self, Values, has_dictionary};
use crate::digest::Digest;
use crate::error::{Facts, amount};
use crate::expression::{Expression, Source};
use crate::promise::BrokenPromise;
use crate::unit::{self, InputContent, Limits, Observation, Question, ShapeContent, Unit};

/// Everything behind one instance.
pub(super) struct State {
    /// No arguments, no environment, nothing to read.
    pub(super) cli: WasiCliCtx,
    /// No directories.
    pub(super) filesystem: WasiFilesystemCtx,
    pub(super) random: Random,
    pub(super) resources: ResourceTable,
    pub(super) memory: Memory,
    pub(super) stdout: Console,
    pub(super) stderr: Console,
    pub(super) session: Session,
}

/// What may be asked in one unit, and what was.
pub(super) struct Session {
    /// None in `describe` and `check`, which see no data.
    pub(super) unit: Option<Arc<Unit>>,
    pub(super) data: Arc<dyn Data>,
    pub(super) limits: Limits,
    pub(super) watch: Watch,
    /// What calls cost.
    pub(super) debt: Debt,
    /// Fuel that calls cost since somebody looked whether to go on.
    pub(super) unseen: u64,
    /// What the host's memory is used for.
    pub(super) ledger: Ledger,
    pub(super) observations: Vec<Observation>,
    /// What was asked of inputs by name.
    asked: BTreeSet<Question>,
    /// What was asked of batches, by how these came together, which may be long.
    asked_of: BTreeSet<Digest>,
    /// Values of the partitions touched so far, by input, column and partition. They are not moved, so they take
    /// little.
    loaded: BTreeMap<(usize, usize, usize), Values>,
    blobs: BTreeMap<usize, Bytes>,
    /// Bytes fetched for the guest's questions.
    pub(super) read_bytes: u64,
    /// Bytes that crossed the wall, both ways.
    pub(super) copied_bytes: u64,
    /// Bytes that the guest has laid aside.
    pub(super) scratch_bytes: u64,
    /// One for each output port, in port order.
    pub(super) written: Vec<Written>,
    keeper: Keeper,
    pub(super) log: Vec<Line>,
    /// Bytes that it logged, kept or not.
    pub(super) log_bytes: u64,
}

/// A guest that was stopped because it took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the step has not ended in time{}", Facts(&self.facts()))]
pub struct OutOfTime {
    /// The time that it was given, in milliseconds.
    pub limit_ms: u64,
}

impl OutOfTime {
    /// The limit and what was found instead, as labels and values.
    pub fn facts(&self) -> [(&'static str, String); 2] {
        let limit = format!("at most {} on the wall clock", amount::time(self.limit_ms));
        [("expected", limit), ("found", "more".to_owned())]
    }

    /// A value for the pipeline's `limits` that may well be enough.
    pub fn larger(&self) -> String {
        format!("\"{}\"", amount::time(self.limit_ms.saturating_mul(10)))
    }
}

/// A limit that a guest ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} limit is reached{}", Facts(&self.facts()))]
pub struct LimitReached {
    /// `fuel`, `memory`, `output`, `scratch`, `handles` or `table`.
    pub what: &'static str,
    /// The limit, in the limit's own unit.
    pub limit: u64,
    /// What was used or asked for, in the same unit; none if the guest was stopped at the limit.
    pub wanted: Option<u64>,
}

impl LimitReached {
    /// The limit and what was wanted instead, as labels and values.
    pub fn facts(&self) -> [(&'static str, String); 2] {
        let amount = |number| match self.what {
            "memory" | "output" | "scratch" => amount::size(number),
            "table" => format!("{} elements", amount::count(number)),
            what => format!("{} {what}", amount::count(number)),
        };
        let found = self.wanted.map_or_else(|| "more".to_owned(), amount);
        [
            ("expected", format!("at most {}", amount(self.limit))),
            ("found", found),
        ]
    }

    /// A value for the pipeline's `limits` that would have been enough here or may well be; none for what
    /// a pipeline cannot set.
    pub fn larger(&self) -> Option<String> {
        let wanted = self.wanted.unwrap_or_default().max(self.limit);
        match self.what {
            "fuel" => Some(amount::count(wanted.checked_mul(10)?)),
            "memory" if wanted > MAX_MEMORY => None,
            "memory" | "output" | "scratch" => Some(format!(
                "\"{}\"",
                amount::size(wanted.checked_add(1)?.checked_next_power_of_two()?)
            )),
            _ => None,
        }
    }
}

/// Linear memory that 32 bits can address, in bytes.
const MAX_MEMORY: u64 = 4 << 30;

/// A call that breaks the contract; it traps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) String);

/// What a guest keeps aside has no room.
#[derive(Debug, thiserror::Error)]
#[error("what a unit keeps has no room")]
pub(super) struct Unkept(#[source] pub(super) DataError);

/// What a guest asked for cannot be fetched.
#[derive(Debug, thiserror::Error)]
#[error("a column or blob cannot be fetched")]
pub(super) struct Unavailable(#[source] pub(super) DataError);

impl Session {
    pub(super) fn new(
        unit: Option<Arc<Unit>>,
        data: Arc<dyn Data>,
        limits: Limits,
        watch: Watch,
    ) -> Self {
        Self {
            unit,
            data,
            limits,
            watch,
            debt: Debt::default(),
            unseen: 0,
            ledger: Ledger::new(limits.output_bytes),
            observations: Vec::new(),
            asked: BTreeSet::new(),
            asked_of: BTreeSet::new(),
            loaded: BTreeMap::new(),
            blobs: BTreeMap::new(),
            read_bytes: 0,
            copied_bytes: 0,
            scratch_bytes: 0,
            written: Vec::new(),
            keeper: Keeper::default(),
            log: Vec::new(),
            log_bytes: 0,
        }
    }

    pub(super) fn unit(&self) -> wasmtime::Result<&Arc<Unit>> {
        self.unit
            .as_ref()
            .ok_or_else(|| misuse("`describe` and `check` may not ask for anything"))
    }

    /// Records a question with its answer, the first time it is asked.
    pub(super) fn observe(&mut self, question: Question) -> wasmtime::Result<()> {
        // A guest may ask for the same with every row.
        if self.asked.contains(&question) {
            return Ok(());
        }
        let answer = self.unit()?.answer(&question);
        self.occupy(QUESTION_BYTES + 2 * question_bytes(&question))?;
        self.asked.insert(question.clone());
        self.observations.push(Observation { question, answer });
        Ok(())
    }

    /// Records whether columns of these names can be taken of a batch, the first time it is asked, as [`observe`]
    /// would; but the batch knows.
    ///
    /// [`observe`]: Self::observe
    pub(super) fn observe_columns(
        &mut self,
        batch: &Batch,
        names: Vec<String>,
    ) -> wasmtime::Result<()> {
        self.unit()?;
        let mut hasher = batch.operation("columns");
        names.iter().for_each(|name| {
            hasher.text(name);
        });
        let are_there = names.iter().all(|name| batch.find(name).is_some());
        let question = batch.have(names);
        self.observe_of(hasher.finish(), question, are_there)
    }

    /// Records that a batch came together, the first time.
    pub(super) fn observe_made(&mut self, batch: &Batch) -> wasmtime::Result<()> {
        self.unit()?;
        let expression = (*batch.expression).clone();
        let identity = batch.operation("valid").finish();
        self.observe_of(identity, Question::Valid { expression }, true)
    }

    fn observe_of(
        &mut self,
        identity: Digest,
        question: Question,
        is_valid: bool,
    ) -> wasmtime::Result<()> {
        if self.asked_of.contains(&identity) {
            return Ok(());
        }
        self.occupy(QUESTION_BYTES + question_bytes(&question))?;
        let answer = unit::answer_valid(is_valid);
        self.observations.push(Observation { question, answer });
        self.asked_of.insert(identity);
        Ok(())
    }

    /// The values of one column of a batch. Observes a passed one.
    pub(super) fn values(&mut self, batch: &Batch, position: usize) -> wasmtime::Result<ArrayRef> {
        let column = batch
            .columns
            .get(position)
            .ok_or_else(|| misuse("a column that is not there"))?;
        match &column.source {
            Source::Made(made) => Ok(Arc::clone(&batch.made[*made])),
            Source::Passed { input, port, name } => {
                self.observe(Question::Column {
                    port: port.to_string(),
                    name: name.to_string(),
                })?;
                let rows = Arc::clone(&batch.inputs[*input]);
                self.fetch(port, name, &rows)
            }
        }
    }

    /// Rows of one column of an input.
    fn fetch(&mut self, port: &str, name: &str, rows: &Rows) -> wasmtime::Result<ArrayRef> {
        self.look()?;
        let unit = Arc::clone(self.unit()?);
        let input = unit.inputs.iter().position(|input| &*input.port == port);
        let input = input.ok_or_else(|| misuse(format!("there is no input `{port}`")))?;
        let InputContent::Table(table) = &unit.inputs[input].content else {
            return Err(misuse(format!("input `{port}` is no table")));
        };
        let column = table
            .position(name)
            .ok_or_else(|| misuse(format!("there is no column `{name}`")))?;
        let wrong = |error: BadRows| misuse(error.to_string());
        let field = &table.fields[column];
        let starts = values::starts(table.partitions.iter().map(|partition| partition.rows));
        let (span, rows) = values::narrow(&starts, rows).map_err(wrong)?;
        let piece_bytes = PIECE_BYTES * nodes(field.data_type());
        self.afford(piece_bytes.saturating_mul(span.len() as u64))?;
        let mut pieces = Vec::with_capacity(span.len());
        for position in span {
            let place = (input, column, position);
            let piece = match self.loaded.get(&place) {
                Some(piece) => piece.clone(),
                None => {
                    // To open a file takes as long as many a call.
                    self.look()?;
                    self.occupy(piece_bytes)?;
                    let chunk = &table.partitions[position].columns[column];
                    let piece = self.data.column(field, chunk);
                    let piece = piece.map_err(|error| wasmtime::Error::new(Unavailable(error)))?;
                    if let Values::Array(array) = &piece {
                        self.read_bytes += values::byte_size(array);
                    }
                    self.loaded.insert(place, piece.clone());
                    piece
                }
            };
            pieces.push(piece);
        }
        if pieces.is_empty() {
            return Ok(arrow_array::new_empty_array(field.data_type()));
        }
        let selected = pieces
            .iter()
            .any(|piece| matches!(piece, Values::Selected { .. }));
        self.afford(values::taken_bytes(&pieces, &rows).map_err(wrong)?)?;
        let taken = values::take(&pieces, &rows).map_err(wrong)?;
        if selected {
            self.read_bytes += values::byte_size(&taken);
        }
        // What lies under nulls, and which values a dictionary has besides those used, must not tell how the
        // values came to be where they are.
        let whole = pieces.len() == 1 && rows.is_all(pieces[0].len());
        let plain = match has_dictionary(field.data_type()) {
            true => whole && !selected,
            false => !selected && !matches!(rows, Rows::Indices(_)),
        };
        if plain {
            return Ok(taken);
        }
        let bytes = rows::taken_bytes(&taken, &Chosen::all(taken.len()));
        self.afford(bytes.saturating_mul(MERGED))?;
        let field = field.as_ref().clone().with_nullable(true);
        canonical(&field, &[taken]).map_err(|error| misuse(error.to_string()))
    }

    /// Appends rows to the table at an output port, cutting partitions at the locked size.
    pub(super) fn write(
        &mut self,
        port: usize,
        batch: &Batch,
    ) -> wasmtime::Result<Result<(), BadBatch>> {
        let mut start = 0;
        loop {
            self.look()?;
            self.end_empty(port)?;
            let rowset = self.rowset(port)?;
            let partition_rows = rowset.partition_rows(batch.rows - start)?;
            let len = (batch.rows - start).min(partition_rows - rowset.open_rows);
            // A batch without rows still says which columns there are.
            let first = rowset.ended.is_empty() && rowset.open.is_empty();
            if len > 0 || (batch.rows == 0 && first && !rowset.is_promised()) {
                let piece = if len == batch.rows {
                    Ok(batch.clone())
                } else {
                    batch.slice(start, len)
                };
                match piece {
                    Ok(piece) => rowset.open.push(piece),
                    Err(error) => return Ok(Err(error)),
                }
            }
            rowset.open_rows += len;
            start += len;
            if rowset.open_rows > 0 && rowset.open_rows == partition_rows {
                self.end_partition(port)?;
            }
            if start == batch.rows {
                return Ok(Ok(()));
            }
        }
    }

    /// Ends the open partition of the table at an output port, unless nothing was written to it.
    pub(super) fn end_partition(&mut self, port: usize) -> wasmtime::Result<()> {
        let unit = Arc::clone(self.unit()?);
        let (Some(Written::Table(rowset)), Some(shape)) =
            (self.written.get_mut(port), unit.outputs.get(port))
        else {
            return Ok(());
        };
        let ShapeContent::Table(fields) = &shape.content else {
            return Ok(());
        };
        let batches = std::mem::take(&mut rowset.open);
        rowset.open_rows = 0;
        if batches.is_empty() {
            return Ok(());
        }
        let (start, len) = rowset.next_rows();
        let arrays: u64 = fields.iter().map(|field| nodes(field.data_type())).sum();
        let places = PARTITION_BYTES * (1 + arrays);
        self.occupy(places + expression_bytes(&batches[0].expression))?;
        let held = outcome::Held::of(shape, start, len);
        let partition = outcome::partition(self, &unit, fields, held.as_ref(), batches)?;
        self.keep_partition(port, partition)
    }

    /// Ends the table at an output port: what is open, and what was promised.
    pub(super) fn end_table(&mut self, port: usize) -> wasmtime::Result<()> {
        match self.written.get(port) {
            Some(Written::Table(rowset)) if rowset.is_promised() => {
                self.end_empty(port)?;
                self.rowset(port)?.check_ended()
            }
            Some(Written::Table(_)) => self.end_partition(port),
            Some(Written::Blob(_)) | None => Ok(()),
        }
    }

    /// Ends partitions that are promised to have no rows, up to the next one that is to have some.
    fn end_empty(&mut self, port: usize) -> wasmtime::Result<()> {
        while self.rowset(port)?.is_next_empty() {
            self.occupy(PARTITION_BYTES)?;
            self.keep_partition(port, MadePartition::empty())?;
        }
        Ok(())
    }

    fn keep_partition(&mut self, port: usize, partition: MadePartition) -> wasmtime::Result<()> {
        let rows = partition.rows;
        let bytes = partition.bytes();
        let kept = self.keeper.keep(partition, bytes, &*self.data);
        let kept = kept.map_err(|error| wasmtime::Error::new(Unkept(error)))?;
        self.rowset(port)?.push(kept, rows);
        Ok(())
    }

    /// The bytes of the blob at an input port.
    pub(super) fn blob(&mut self, port: usize) -> wasmtime::Result<Bytes> {
        if let Some(bytes) = self.blobs.get(&port) {
            return Ok(bytes.clone());
        }
        let unit = Arc::clone(self.unit()?);
        let Some(InputContent::Blob(blob)) = unit.inputs.get(port).map(|input| &input.content)
        else {
            return Err(misuse("a blob that is not there"));
        };
        let bytes = self
            .data
            .blob(&blob.digest)
            .map_err(|error| wasmtime::Error::new(Unavailable(error)))?;
        self.blobs.insert(port, bytes.clone());
        Ok(bytes)
    }

    /// Counts bytes that a guest hands over to be kept.
    pub(super) fn charge(&mut self, bytes: u64) -> wasmtime::Result<()> {
        self.copied_bytes += bytes;
        self.occupy(bytes)
    }

    /// Fails if the guest has to end.
    pub(super) fn look(&self) -> wasmtime::Result<()> {
        self.watch.look().map_err(wasmtime::Error::new)
    }

    /// The same in step `at` of a loop over many small things.
    pub(super) fn pass(&self, at: usize) -> wasmtime::Result<()> {
        self.watch.pass(at).map_err(wasmtime::Error::new)
    }

    /// Counts bytes that the host keeps because of something a guest asked for.
    pub(super) fn occupy(&mut self, bytes: u64) -> wasmtime::Result<()> {
        self.ledger.occupy(bytes).map_err(wasmtime::Error::new)
    }

    /// Counts bytes that a batch takes until the guest has let go of it and of what shares its values.
    pub(super) fn hold(&mut self, bytes: u64) -> wasmtime::Result<Held> {
        self.ledger.hold(bytes).map_err(wasmtime::Error::new)
    }

    /// Fails if bytes that are about to be copied are more than the guest may have. Counts nothing.
    pub(super) fn afford(&self, bytes: u64) -> wasmtime::Result<()> {
        self.ledger.afford(bytes).map_err(wasmtime::Error::new)
    }

    /// Takes fuel for rows that are selected of a batch, or put somewhere.
    pub(super) fn charge_rows(&self, batch: &Batch, rows: u64) {
        let moved = 1 + batch.inputs.len() as u64 + batch.made.len() as u64;
        // Not of those passed on: nobody has asked how many there are, and a known unit has the fuel of then.
        let columns = tariff::COLUMN * batch.made.len() as u64;
        self.debt
            .add(rows.saturating_mul(moved).saturating_add(columns));
    }

    /// Moves the values of a batch that is to be kept to where they keep nothing else in memory.
    pub(super) fn compact(&mut self, batch: &mut Batch) -> wasmtime::Result<Result<(), BadBatch>> {
        self.afford(batch.loose_bytes())?;
        Ok(batch.compact())
    }

    /// Keeps a batch that a guest lays aside, whose values count as scratch and as nothing else.
    pub(super) fn lay_aside(&mut self, mut batch: Batch) -> wasmtime::Result<Kept<Batch>> {
        let bytes = batch.content_bytes();
        self.scratch_bytes = self
            .scratch_bytes
            .saturating_add(batch.handle_bytes() + bytes);
        check_limit("scratch", self.scratch_bytes, self.limits.scratch_bytes)?;
        let compact = self.compact(&mut batch)?;
        compact.map_err(|error| misuse(error.to_string()))?;
        // What is laid aside may be on the disk, but not the list of it.
        batch.held.clear();
        batch.handle = Some(self.hold(batch.handle_bytes())?);
        batch.spilled = false;
        let kept = self.keeper.keep(batch, bytes, &*self.data);
        kept.map_err(|error| wasmtime::Error::new(Unkept(error)))
    }

    /// What was written to the table at an output port.
    pub(super) fn rowset(&mut self, port: usize) -> wasmtime::Result<&mut Rowset> {
        match self.written.get_mut(port) {
            Some(Written::Table(rowset)) => Ok(rowset),
            _ => Err(misuse("an output table that is not there")),
        }
    }

    /// Keeps a line that a guest logs.
    pub(super) fn log(&mut self, level: &str, message: &str) -> wasmtime::Result<()> {
        /// What a line takes besides its text.
        const LINE_BYTES: u64 = 64;
        if self.log_bytes < self.limits.log_bytes {
            self.occupy(LINE_BYTES)?;
        }
        self.keep_line(level, message);
        Ok(())
    }

    /// Keeps a line of the log, up to the limit; what is beyond it is dropped and said so once.
    pub(super) fn keep_line(&mut self, level: &str, message: &str) {
        let level = match level {
            "error" | "warn" | "debug" => level,
            _ => "info",
        };
        let before = self.log_bytes;
        self.log_bytes = before.saturating_add(message.len() as u64 + 1);
        if before >= self.limits.log_bytes {
            return;
        }
        if self.log_bytes >= self.limits.log_bytes {
            let message = format!(
                "the log ends here: its limit of {} is reached, and `limits = {{ log = … }}` sets another",
                amount::size(self.limits.log_bytes)
            );
            self.log.push(Line {
                level: "warn".to_owned(),
                message,
            });
            return;
        }
        // A guest's text goes to terminals: nothing in it may move a cursor.
        let message = message
            .chars()
            .map(|c| {
                if c.is_control() && c != '\t' {
                    '\u{fffd}'
                } else {
                    c
                }
            })
            .collect();
        self.log.push(Line {
            level: level.to_owned(),
            message,
        });
    }
}

fn check_limit(what: &'static str, wanted: u64, limit: u64) -> wasmtime::Result<()> {
    if wanted > limit {
        return Err(wasmtime::Error::new(LimitReached {
            what,
            limit,
            wanted: Some(wanted),
        }));
    }
    Ok(())
}

/// What a question takes besides its names, roughly.
const QUESTION_BYTES: u64 = 512;

/// What a partition that is complete takes besides its values, and each of its columns.
const PARTITION_BYTES: u64 = 256;

/// What one piece of a fetched column takes besides its values, which are not moved.
const PIECE_BYTES: u64 = 256;

/// How much larger than what is brought into canonical form what it takes to do so may be: a dictionary's values are
/// compared as rows, and put together anew.
pub(super) const MERGED: u64 = 4;

/// Bytes of the names in a question that a guest chose.
fn question_bytes(question: &Question) -> u64 {
    let bytes = match question {
        Question::Field { name, .. } | Question::Column { name, .. } => name.len(),
        Question::Valid { expression } => return expression_bytes(expression),
        _ => 0,
    };
    bytes as u64
}

/// Bytes of the outermost operation of an expression; what it is done to is shared.
pub(super) fn expression_bytes(expression: &Expression) -> u64 {
    /// What a text takes besides its bytes.
    const TEXT: usize = 40;
    let text = |text: &String| TEXT + text.len();
    let fields = |fields: &[WireField]| -> usize { fields.iter().map(field_bytes).sum() };
    let bytes = match expression {
        Expression::Input(port) => text(port),
        Expression::Made(made) | Expression::With(_, made) => fields(made),
        Expression::Select(_, names) => names.iter().map(text).sum(),
        Expression::Rename(_, name, to) => text(name) + text(to),
        Expression::Zip(..) => 0,
    };
    bytes as u64
}

fn field_bytes(field: &WireField) -> usize {
    let metadata = field.metadata.iter();
    let metadata: usize = metadata
        .map(|(key, value)| 64 + key.len() + value.len())
        .sum();
    128 + field.name.len() + field.format.len() + metadata
}

pub(super) fn misuse(message: impl Into<String>) -> wasmtime::Error {
    wasmtime::Error::new(Misuse(message.into()))
}

/// Bounds linear memory, of all memories together, which never shrink: what is used is the peak.
pub(super) struct Memory {
    pub(super) limit: u64,
    pub(super) peak: u64,
}

/// Elements that all tables of a component may have; a table is for functions, not for data.
const MAX_TABLE_ELEMENTS: usize = 1 << 17;

impl ResourceLimiter for Memory {
    /// A growth beyond the limit traps: whether a guest survives it must not depend on how it reacts.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self
            .peak
            .saturating_add((desired as u64).saturating_sub(current as u64));
        if total > self.limit {
            return Err(wasmtime::Error::new(LimitReached {
                what: "memory",
                limit: self.limit,
                wanted: Some(total),
            }));
        }
        self.peak = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            return Err(wasmtime::Error::new(LimitReached {
                what: "table",
                limit: MAX_TABLE_ELEMENTS as u64,
                wanted: Some(desired as u64),
            }));
        }
        Ok(true)
    }
}

impl State {
    pub(super) fn random(&mut self) -> &mut Random {
        self.session.debt.add(tariff::CALL);
        let room = self.session.ledger.room();
        self.random.set_room(room, self.session.limits.output_bytes);
        &mut self.random
    }
}

impl WasiCliView for State {
    fn cli(&mut self) -> WasiCliCtxView<'_> {
        self.session.debt.add(tariff::CALL);
        WasiCliCtxView {
            ctx: &mut self.cli,
            table: &mut self.resources,
        }
    }
}

impl WasiFilesystemView for State {
    fn filesystem(&mut self) -> WasiFilesystemCtxView<'_> {
        self.session.debt.add(tariff::CALL);
        WasiFilesystemCtxView {
            ctx: &mut self.filesystem,
            table: &mut self.resources,
        }
    }
}

/// `arrow.table`: a whole input, one partition of it, or sealed scratch.
#[expect(
    clippy::large_enum_variant,
    reason = "a unit has a few, and asks the larger one for every batch"
)]
pub(super) enum Table {
    /// The input of this position, cut into batches.
    Input {
        port: Arc<str>,
        /// All rows.
        columns: Batch,
        cuts: Arc<[Rows]>,
        rows: u64,
    },
    /// What a guest kept for itself.
    Scratch(Arc<Sealed>),
}

/// `arrow.blob`: the input of this position.
pub(super) struct Blob(pub(super) usize);

/// `arrow.table-writer`: stands for an output port. What is written outlives the handle.
pub(super) struct TableWriter(pub(super) usize);

/// `arrow.blob-writer`: stands for an output port. What is written outlives the handle.
pub(super) struct BlobWriter(pub(super) usize);

/// What was written to one output port.
pub(super) enum Written {
    Table(Rowset),
    Blob(Pieces),
}

impl Default for Written {
    fn default() -> Self {
        Self::Blob(Pieces::default())
    }
}

/// Partitions, the last one open.
pub(super) struct Rowset {
    /// Those that are complete.
    pub(super) ended: Vec<Kept<MadePartition>>,
    open: Vec<Batch>,
    open_rows: u64,
    layout: Layout,
}

/// How what is written is cut into partitions.
enum Layout {
    /// At most so many rows, and fewer where the guest says so.
    Full(u64),
    /// As the table at this input port is, whatever the guest says.
    Of {
        port: Arc<str>,
        /// Rows of each partition.
        rows: Vec<u64>,
        /// Rows of those that are complete.
        ended_rows: u64,
    },
}

impl Rowset {
    /// Partitions of at most so many rows.
    pub(super) fn new(partition_rows: u64) -> Self {
        Self::with(Layout::Full(partition_rows))
    }

    /// Partitions of these numbers of rows, which are those of the table at input `port`.
    pub(super) fn of(port: Arc<str>, rows: Vec<u64>) -> Self {
        Self::with(Layout::Of {
            port,
            rows,
            ended_rows: 0,
        })
    }

    fn with(layout: Layout) -> Self {
        Self {
            ended: Vec::new(),
            open: Vec::new(),
            open_rows: 0,
            layout,
        }
    }

    /// Whether a cut ends a partition here.
    pub(super) fn can_cut(&self) -> bool {
        self.open_rows > 0 && !self.is_promised()
    }

    fn is_promised(&self) -> bool {
        matches!(self.layout, Layout::Of { .. })
    }

    /// Rows that the open partition will have, which has to take one of `more`.
    fn partition_rows(&self, more: u64) -> wasmtime::Result<u64> {
        match &self.layout {
            Layout::Full(rows) => Ok(*rows),
            Layout::Of { port, rows, .. } => match rows.get(self.ended.len()) {
                Some(rows) => Ok(*rows),
                None if more == 0 => Ok(0),
                None => Err(broken(BrokenPromise::Rows {
                    port: port.to_string(),
                    expected: format!("{} rows", rows.iter().sum::<u64>()),
                    found: "more".to_owned(),
                })),
            },
        }
    }

    fn is_next_empty(&self) -> bool {
        match &self.layout {
            Layout::Full(_) => false,
            Layout::Of { rows, .. } => {
                self.open.is_empty() && rows.get(self.ended.len()) == Some(&0)
            }
        }
    }

    /// The first row of the input that the next partition is promised to have, and how many.
    fn next_rows(&self) -> (u64, u64) {
        match &self.layout {
            Layout::Full(_) => (0, 0),
            Layout::Of {
                rows, ended_rows, ..
            } => (
                *ended_rows,
                rows.get(self.ended.len()).copied().unwrap_or_default(),
            ),
        }
    }

    fn push(&mut self, partition: Kept<MadePartition>, len: u64) {
        if let Layout::Of { ended_rows, .. } = &mut self.layout {
            *ended_rows += len;
        }
        self.ended.push(partition);
    }

    /// Whether all partitions are there that were promised.
    fn check_ended(&self) -> wasmtime::Result<()> {
        match &self.layout {
            Layout::Of {
                port,
                rows,
                ended_rows,
            } if self.ended.len() < rows.len() => Err(broken(BrokenPromise::Rows {
                port: port.to_string(),
                expected: format!("{} rows", rows.iter().sum::<u64>()),
                found: (ended_rows + self.open_rows).to_string(),
            })),
            _ => Ok(()),
        }
    }
}

/// A promise that a guest broke; it traps.
pub(super) fn broken(promise: BrokenPromise) -> wasmtime::Error {
    misuse(promise.to_string())
}

/// `arrow.scratch`.
#[derive(Default)]
pub(super) struct Scratch(pub(super) Sealed);

/// Batches that a guest has laid aside.
#[derive(Default)]
pub(super) struct Sealed {
    batches: Vec<Kept<Batch>>,
    /// Row numbers at which they start.
    starts: Vec<u64>,
    /// Number of rows.
    pub(super) rows: u64,
    /// The first one, without its rows.
    pub(super) columns: Option<Batch>,
    /// Whether all came together in the same way.
    pub(super) alike: bool,
}

impl Sealed {
    /// Adds a batch at the end.
    pub(super) fn push(&mut self, kept: Kept<Batch>) -> Result<(), BadBatch> {
        let batch = kept.get();
        match &self.columns {
            Some(first) => self.alike &= batch.is_like(first),
            None => {
                let mut first = batch.slice(0, 0)?;
                first.compact()?;
                (self.columns, self.alike) = (Some(first), true);
            }
        }
        self.starts.push(self.rows);
        self.rows = self.rows.saturating_add(batch.rows);
        self.batches.push(kept);
        Ok(())
    }

    /// Number of batches.
    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    /// One batch.
    pub(super) fn get(&self, at: usize) -> Option<Batch> {
        self.batches.get(at).map(Kept::get)
    }

    /// All batches.
    pub(super) fn all(&self) -> impl Iterator<Item = Batch> {
        self.batches.iter().map(Kept::get)
    }

    /// The batches that rows lie in, and the same rows numbered over these.
    pub(super) fn narrow(&self, indices: &UInt64Array) -> (Vec<Batch>, UInt64Array) {
        let at = |row: u64| {
            self.starts
                .partition_point(|start| *start <= row)
                .checked_sub(1)
        };
        let there = indices.iter().flatten().filter(|row| *row < self.rows);
        let touched: BTreeSet<usize> = there.filter_map(at).collect();
        // By batch, how many rows lie between those that are touched.
        let mut skipped = BTreeMap::new();
        let mut batches = Vec::with_capacity(touched.len());
        let mut rows = 0;
        for batch in touched {
            skipped.insert(batch, self.starts[batch] - rows);
            let batch = self.batches[batch].get();
            rows += batch.rows;
            batches.push(batch);
        }
        let narrow = |row: u64| match at(row).and_then(|at| skipped.get(&at)) {
            Some(skipped) if row < self.rows => row - skipped,
            // There is no such row here either.
            _ => row,
        };
        let narrowed = indices.iter().map(|row| row.map(narrow)).collect();
        (batches, narrowed)
    }
}

/// Cuts `partitions` (their numbers of rows, in order) into batches of at most `batch_rows`.
pub(super) fn cuts(partitions: impl Iterator<Item = u64>, batch_rows: u32) -> Arc<[Rows]> {
    let mut cuts = Vec::new();
    let mut first = 0;
    for rows in partitions {
        let mut start = 0;
        while start < rows {
            let len = (rows - start).min(u64::from(batch_rows));
            cuts.push(Rows::Range {
                start: first + start,
                len,
            });
            start += len;
        }
        first += rows;
    }
    cuts.into()
}

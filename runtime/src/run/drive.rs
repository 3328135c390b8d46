//! How each kind of step comes apart into units, and how their results come together.
//!
//! A driver is asked for work, told what came of it, and asked again; it never waits and never runs
//! anything. Results are put together by position, never by when they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::obtain::{Obtained, Output, all_questions, store_failed};
use crate::plan::{Origin, Plan, PlannedStep, file_input};
use crate::record::{
    Artifact, RecipeKey, SourceFile, TableSummary, Totals, UnitOutcome, UnitRecord,
};
use crate::sandbox::{Kind, StepError};
use crate::store::Store;
use crate::table::{Partition, Table};
use crate::unit::{
    Blob, Call, Input, InputContent, Observation, Range, ShapeContent, Unit, Usage, file_of,
    range_position,
};

/// Something to be done by a worker.
#[derive(Debug)]
pub(super) enum Work {
    /// Cut a source's file into ranges.
    Ranges(Arc<Unit>),
    /// Obtain a unit, from the store if it is known.
    Obtain(Arc<Unit>),
    /// Find out whether a unit is known.
    LookUp(Arc<Unit>),
    /// Run a unit of a later round.
    Run(Arc<Unit>),
    /// Run `finish` and keep what it makes under the key of the whole reduce step.
    Finish {
        finish: Arc<Unit>,
        whole: Arc<Unit>,
        observations: Vec<Observation>,
        usage: Usage,
        /// The units of `init` and of round 0, which are kept one by one.
        parts: Vec<RecipeKey>,
    },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    Ranges(Vec<Range>),
    /// None if it is not known and nothing may be run.
    Unit(Option<Box<Obtained>>),
}

/// What an output port of a finished step carries.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Table(MadeTable),
    Blob(Blob),
}

/// A table that came out of a step.
#[derive(Clone, Debug)]
pub(super) struct MadeTable {
    pub(super) summary: TableSummary,
    /// None as long as nobody has read its manifest.
    pub(super) table: Option<Arc<Table>>,
}

impl MadeTable {
    fn new(table: Table) -> Self {
        let summary = TableSummary {
            digest: table.digest(),
            rows: table.rows(),
            partitions: table.partitions.len() as u64,
            fields: table
                .fields
                .iter()
                .map(|field| field.name().clone())
                .collect(),
        };
        Self {
            summary,
            table: Some(Arc::new(table)),
        }
    }

    /// The table itself.
    pub(super) fn get(&self, store: &Store) -> Result<Arc<Table>, StepError> {
        if let Some(table) = &self.table {
            return Ok(Arc::clone(table));
        }
        let table = store.present_table(&self.summary.digest);
        table.map(Arc::new).map_err(store_failed)
    }
}

impl From<Artifact> for Value {
    fn from(artifact: Artifact) -> Self {
        match artifact {
            Artifact::Table(summary) => Self::Table(MadeTable {
                summary,
                table: None,
            }),
            Artifact::Blob(blob) => Self::Blob(blob),
        }
    }
}

impl From<&Value> for Artifact {
    fn from(value: &Value) -> Self {
        match value {
            Value::Table(table) => Self::Table(table.summary.clone()),
            Value::Blob(blob) => Self::Blob(blob.clone()),
        }
    }
}

/// A finished step.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) outputs: Vec<Value>,
    pub(super) units: Vec<UnitRecord>,
    pub(super) totals: Totals,
    pub(super) log: Vec<crate::sandbox::Line>,
}

/// What a driver wants next. Work is done in the order of its numbers as far as threads allow, and of
/// several failures the one with the lowest number counts.
pub(super) enum Next {
    Work(Vec<(u64, Work)>),
    Finished(Box<Finished>),
    /// A unit is not known, and nothing may be run.
    Unknown,
}

/// Takes one step apart.
pub(super) struct Driver {
    inputs: Vec<Input>,
    state: State,
    /// The position of the only unit that is wanted. Of a source or a row-map alone.
    only: Option<u64>,
    waiting: usize,
    units: BTreeMap<u64, (Call, Option<u64>, Box<Obtained>)>,
}

enum State {
    Source { files: Vec<SourceFile> },
    RowMap { main: usize, partitions: usize },
    WholeTable,
    Reduce(Box<Reduce>),
}

/// Rounds that a reduce step may take.
const MAX_ROUNDS: u32 = 10_000;

struct Reduce {
    main: usize,
    partitions: usize,
    nodes: Vec<Node>,
    stage: Stage,
    round: u32,
    state: Arc<[u8]>,
    carries: Vec<Arc<[u8]>>,
    values: Vec<Option<Arc<[u8]>>>,
    /// Every observation, by when it would have been made if all ran one after the other.
    observations: BTreeMap<u64, Vec<Observation>>,
    /// What names the units that are kept one by one, by their numbers.
    parts: BTreeMap<u64, RecipeKey>,
    /// Who took one of them over unseen, if somebody did.
    adopted: Option<String>,
    usage: Usage,
    totals: Totals,
    log: BTreeMap<u64, Vec<crate::sandbox::Line>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    LookUp,
    Init,
    Round,
    Update,
    Finish,
}

/// A node of the merge tree: a partition, or the merge of two nodes before it.
#[derive(Clone, Copy)]
enum Node {
    Partition,
    Merge(usize, usize),
}

/// The merge tree over `partitions`: the left part has the largest power of two of partitions below
/// their number (RFC 6962, section 2.1), so that an append changes the right edge only. Partitions come
/// first, in order; children come before their parents; the last node is the root.
fn tree(partitions: usize) -> Vec<Node> {
    fn grow(first: usize, len: usize, nodes: &mut Vec<Node>) -> usize {
        if len == 1 {
            return first;
        }
        let left = 1 << (usize::BITS - 1 - (len - 1).leading_zeros());
        let node = Node::Merge(
            grow(first, left, nodes),
            grow(first + left, len - left, nodes),
        );
        nodes.push(node);
        nodes.len() - 1
    }
    let mut nodes = vec![Node::Partition; partitions];
    if partitions > 1 {
        grow(0, partitions, &mut nodes);
    }
    nodes
}

impl Driver {
    /// A driver for a step, given what each step before it made.
    pub(super) fn new(
        plan: &Plan,
        step: &PlannedStep,
        made: &[Option<Vec<Value>>],
        store: &Store,
        only: Option<u64>,
    ) -> Result<Self, StepError> {
        let inputs = inputs(plan, step, made, store)?;
        let main = inputs.iter().position(|input| input.main);
        let partitions = main.and_then(|main| match &inputs[main].content {
            InputContent::Table(table) => Some(table.partitions.len()),
            InputContent::Blob(_) => None,
        });
        let no_main = || StepError::Host("a step without a main table".to_owned());
        let state = match step.descriptor.kind {
            Kind::Source => {
                let files = match step.inputs.first().map(|input| &input.from) {
                    Some(Origin::Source(name)) => {
                        plan.sources.get(name).cloned().unwrap_or_default()
                    }
                    _ => Vec::new(),
                };
                State::Source { files }
            }
            Kind::RowMap => State::RowMap {
                main: main.ok_or_else(no_main)?,
                partitions: partitions.ok_or_else(no_main)?,
            },
            Kind::WholeTable => State::WholeTable,
            Kind::Reduce => {
                let partitions = partitions.ok_or_else(no_main)?;
                let nodes = tree(partitions);
                State::Reduce(Box::new(Reduce {
                    main: main.ok_or_else(no_main)?,
                    partitions,
                    values: vec![None; nodes.len()],
                    nodes,
                    stage: Stage::LookUp,
                    round: 0,
                    state: Arc::default(),
                    carries: vec![Arc::default(); partitions],
                    observations: BTreeMap::new(),
                    parts: BTreeMap::new(),
                    adopted: None,
                    usage: Usage::default(),
                    totals: Totals::default(),
                    log: BTreeMap::new(),
                }))
            }
        };
        Ok(Self {
            inputs,
            state,
            only,
            waiting: 0,
            units: BTreeMap::new(),
        })
    }

    /// The first work.
    pub(super) fn start(&mut self, plan: &Plan, step: &PlannedStep) -> Next {
        let only = self.only;
        let wanted = |at: &usize| only.is_none_or(|only| only == *at as u64);
        let work: Vec<(u64, Work)> = match &mut self.state {
            State::Source { files } => {
                let port = step.inputs.first().map_or("source", |input| &input.port);
                let ranges = |(at, file): (usize, &SourceFile)| {
                    let unit = step.unit(plan, Call::Run, vec![file_input(file, port)], None);
                    (range_position(at, 0), Work::Ranges(Arc::new(unit)))
                };
                files.iter().enumerate().map(ranges).collect()
            }
            State::RowMap { main, partitions } => {
                let (main, partitions) = (*main, *partitions);
                (0..partitions)
                    .filter(wanted)
                    .map(|at| {
                        let inputs = with_partition(&self.inputs, main, at);
                        let unit = step.unit(plan, Call::RowMap, inputs, Some(at as u64));
                        (at as u64, Work::Obtain(Arc::new(unit)))
                    })
                    .collect()
            }
            State::WholeTable => {
                let unit = step.unit(plan, Call::Run, self.inputs.clone(), None);
                vec![(0, Work::Obtain(Arc::new(unit)))]
            }
            State::Reduce(_) => {
                let unit = step.unit(plan, Call::Reduce, self.inputs.clone(), None);
                vec![(0, Work::LookUp(Arc::new(unit)))]
            }
        };
        self.want(plan, step, work)
    }

    fn want(&mut self, plan: &Plan, step: &PlannedStep, work: Vec<(u64, Work)>) -> Next {
        self.waiting += work.len();
        if self.waiting > 0 {
            Next::Work(work)
        } else {
            self.finish(plan, step)
        }
    }

    /// What follows from an answer.
    pub(super) fn answered(
        &mut self,
        plan: &Plan,
        step: &PlannedStep,
        order: u64,
        unit: Option<&Unit>,
        answer: Answer,
    ) -> Result<Next, StepError> {
        self.waiting -= 1;
        match answer {
            Answer::Ranges(ranges) => {
                let State::Source { files } = &self.state else {
                    return Ok(self.want(plan, step, Vec::new()));
                };
                let at = file_of(order);
                let port = step.inputs.first().map_or("source", |input| &input.port);
                let reads = ranges.into_iter().zip(1..).map(|(range, number)| {
                    let order = range_position(at, number);
                    let unit = step.unit(
                        plan,
                        Call::Read(range),
                        vec![file_input(&files[at], port)],
                        Some(order),
                    );
                    (order, Work::Obtain(Arc::new(unit)))
                });
                let wanted = |(order, _): &(u64, Work)| self.only.is_none_or(|only| only == *order);
                let reads = reads.filter(wanted).collect();
                Ok(self.want(plan, step, reads))
            }
            Answer::Unit(obtained) => {
                if let State::Reduce(_) = &self.state {
                    return self.reduced(plan, step, order, obtained);
                }
                let Some(obtained) = obtained else {
                    return Ok(Next::Unknown);
                };
                if let Some(unit) = unit {
                    self.units
                        .insert(order, (unit.call.clone(), unit.position, obtained));
                }
                Ok(self.want(plan, step, Vec::new()))
            }
        }
    }

    /// Puts the outputs of all units together.
    fn finish(&mut self, plan: &Plan, step: &PlannedStep) -> Next {
        if let State::Reduce(_) = &self.state {
            // Reached only without partitions and without an answer, which cannot be: a reduce step
            // always waits for something until its last answer.
            return Next::Unknown;
        }
        let _ = plan;
        let mut partitions: Vec<Vec<Arc<Partition>>> = vec![Vec::new(); step.outputs.len()];
        let mut blobs: Vec<Option<Blob>> = vec![None; step.outputs.len()];
        let mut units = Vec::with_capacity(self.units.len());
        let mut log = Vec::new();
        for (call, position, obtained) in std::mem::take(&mut self.units).into_values() {
            for (at, output) in obtained.outputs.iter().enumerate() {
                match output {
                    Output::Table(more) => partitions[at].extend(more.iter().cloned()),
                    Output::Blob(blob) => blobs[at] = Some(blob.clone()),
                }
            }
            units.push(unit_record(step, call_name(&call), position, &obtained));
            log.extend(obtained.log);
        }
        let outputs = values(step, partitions, blobs);
        let totals = Totals::of(&units);
        Next::Finished(Box::new(Finished {
            outputs,
            units,
            totals,
            log,
        }))
    }

    fn reduced(
        &mut self,
        plan: &Plan,
        step: &PlannedStep,
        order: u64,
        obtained: Option<Box<Obtained>>,
    ) -> Result<Next, StepError> {
        let State::Reduce(reduce) = &mut self.state else {
            return Ok(Next::Unknown);
        };
        // Of later rounds nothing is kept.
        if let (Stage::Init | Stage::Round, Some(obtained)) = (reduce.stage, &obtained) {
            reduce
                .parts
                .extend(obtained.recipe.map(|recipe| (order, recipe)));
        }
        let whole_units = reduce.nodes.len() as u64 + 1;
        match (reduce.stage, obtained) {
            (Stage::LookUp, Some(obtained)) => {
                reduce.totals = Totals {
                    units: whole_units,
                    cached: whole_units,
                    usage: obtained.usage,
                    bytes: obtained.bytes,
                    ..Totals::default()
                };
                Ok(self.reduce_finished(step, &obtained))
            }
            (Stage::LookUp, None) => {
                reduce.stage = Stage::Init;
                let unit = step.unit(plan, Call::Init, side_inputs(&self.inputs), None);
                Ok(self.want(plan, step, vec![(0, Work::Obtain(Arc::new(unit)))]))
            }
            (_, None) => Ok(Next::Unknown),
            (Stage::Init, Some(obtained)) => {
                reduce.state = returned(&obtained, 0)?;
                reduce.count(0, &obtained);
                reduce.stage = Stage::Round;
                let work = self.round(plan, step);
                Ok(self.want(plan, step, work))
            }
            (Stage::Round, Some(obtained)) => {
                let at = (order - round_order(reduce.round)) as usize;
                if at < reduce.partitions {
                    reduce.carries[at] = returned(&obtained, 1)?;
                }
                reduce.values[at] = Some(returned(&obtained, 0)?);
                reduce.count(order, &obtained);
                if reduce.round == 0 {
                    reduce.totals.units += 1;
                    reduce.totals.cached += u64::from(obtained.cached);
                }
                let work = self.merges(plan, step, at);
                Ok(self.want(plan, step, work))
            }
            (Stage::Update, Some(obtained)) => {
                reduce.state = returned(&obtained, 0)?;
                reduce.count(order, &obtained);
                let work = if obtained.next {
                    reduce.round += 1;
                    if reduce.round >= MAX_ROUNDS {
                        return Err(StepError::BadOutput(format!(
                            "it has not ended after {MAX_ROUNDS} rounds"
                        )));
                    }
                    reduce.stage = Stage::Round;
                    reduce.values = vec![None; reduce.nodes.len()];
                    self.round(plan, step)
                } else {
                    reduce.stage = Stage::Finish;
                    self.last(plan, step)
                };
                Ok(self.want(plan, step, work))
            }
            (Stage::Finish, Some(obtained)) => {
                reduce.totals.units += 1;
                reduce.totals.usage = obtained.usage;
                reduce.totals.bytes = reduce.totals.bytes.and(obtained.bytes);
                Ok(self.reduce_finished(step, &obtained))
            }
        }
    }

    /// The partials of a round; without partitions its update.
    fn round(&mut self, plan: &Plan, step: &PlannedStep) -> Vec<(u64, Work)> {
        let State::Reduce(reduce) = &mut self.state else {
            return Vec::new();
        };
        if reduce.partitions == 0 {
            return self.update(plan, step, None);
        }
        (0..reduce.partitions)
            .map(|at| {
                let (round, state, carry) = (
                    reduce.round,
                    Arc::clone(&reduce.state),
                    Arc::clone(&reduce.carries[at]),
                );
                let inputs = vec![partition_input(&self.inputs[reduce.main], at)];
                let unit = step.unit(
                    plan,
                    Call::Partial {
                        round,
                        state,
                        carry,
                    },
                    inputs,
                    Some(at as u64),
                );
                (round_order(round) + at as u64, round_work(round, unit))
            })
            .collect()
    }

    /// The merge that a new value makes possible; after the last one the update.
    fn merges(&mut self, plan: &Plan, step: &PlannedStep, at: usize) -> Vec<(u64, Work)> {
        let State::Reduce(reduce) = &mut self.state else {
            return Vec::new();
        };
        if at + 1 == reduce.nodes.len() {
            let merged = reduce.values[at].clone();
            return self.update(plan, step, merged);
        }
        let parent = reduce.nodes.iter().position(
            |node| matches!(node, Node::Merge(left, right) if *left == at || *right == at),
        );
        let Some((parent, Node::Merge(left, right))) =
            parent.map(|parent| (parent, reduce.nodes[parent]))
        else {
            return Vec::new();
        };
        let (Some(left), Some(right)) = (reduce.values[left].clone(), reduce.values[right].clone())
        else {
            return Vec::new();
        };
        let unit = step.unit(plan, Call::Merge { left, right }, Vec::new(), None);
        vec![(
            round_order(reduce.round) + parent as u64,
            round_work(reduce.round, unit),
        )]
    }

    fn update(
        &mut self,
        plan: &Plan,
        step: &PlannedStep,
        merged: Option<Arc<[u8]>>,
    ) -> Vec<(u64, Work)> {
        let State::Reduce(reduce) = &mut self.state else {
            return Vec::new();
        };
        reduce.stage = Stage::Update;
        let call = Call::Update {
            round: reduce.round,
            state: Arc::clone(&reduce.state),
            merged,
        };
        let unit = step.unit(plan, call, Vec::new(), None);
        vec![(
            round_order(reduce.round) + ROUND_UPDATE,
            Work::Run(Arc::new(unit)),
        )]
    }

    fn last(&mut self, plan: &Plan, step: &PlannedStep) -> Vec<(u64, Work)> {
        let State::Reduce(reduce) = &mut self.state else {
            return Vec::new();
        };
        let finish = step.unit(
            plan,
            Call::Finish {
                state: Arc::clone(&reduce.state),
            },
            Vec::new(),
            None,
        );
        let whole = step.unit(plan, Call::Reduce, self.inputs.clone(), None);
        let main = self.inputs[reduce.main].port.to_string();
        let questions = all_questions(Some(&main), reduce.observations.values().map(Vec::as_slice));
        let work = Work::Finish {
            observations: whole.observe(&questions),
            finish: Arc::new(finish),
            whole: Arc::new(whole),
            usage: reduce.usage,
            parts: std::mem::take(&mut reduce.parts).into_values().collect(),
        };
        vec![(u64::MAX, work)]
    }

    fn reduce_finished(&mut self, step: &PlannedStep, obtained: &Obtained) -> Next {
        let State::Reduce(reduce) = &mut self.state else {
            return Next::Unknown;
        };
        let mut partitions: Vec<Vec<Arc<Partition>>> = vec![Vec::new(); step.outputs.len()];
        let mut blobs: Vec<Option<Blob>> = vec![None; step.outputs.len()];
        for (at, output) in obtained.outputs.iter().enumerate() {
            match output {
                Output::Table(more) => partitions[at].extend(more.iter().cloned()),
                Output::Blob(blob) => blobs[at] = Some(blob.clone()),
            }
        }
        let outputs = values(step, partitions, blobs);
        let mut record = unit_record(step, "reduce", None, obtained);
        record.bytes = reduce.totals.bytes;
        record.adopted = record.adopted.or_else(|| reduce.adopted.take());
        let mut log: Vec<_> = std::mem::take(&mut reduce.log)
            .into_values()
            .flatten()
            .collect();
        log.extend(obtained.log.iter().cloned());
        Next::Finished(Box::new(Finished {
            outputs,
            units: vec![record],
            totals: reduce.totals,
            log,
        }))
    }
}

impl Reduce {
    fn count(&mut self, order: u64, obtained: &Obtained) {
        self.usage = self.usage.and(obtained.usage);
        self.adopted = self.adopted.take().or_else(|| obtained.adopted.clone());
        self.totals.bytes = self.totals.bytes.and(obtained.bytes);
        self.observations
            .insert(order, obtained.observations.clone());
        if !obtained.log.is_empty() {
            self.log.insert(order, obtained.log.clone());
        }
    }
}

/// Numbers of a round's work: partials, then merges, then the update.
const ROUND_SHIFT: u32 = 40;
const ROUND_UPDATE: u64 = (1 << ROUND_SHIFT) - 1;

fn round_order(round: u32) -> u64 {
    (u64::from(round) + 1) << ROUND_SHIFT
}

/// Round 0 is kept, so that an append finds it; later rounds depend on every row there is.
fn round_work(round: u32, unit: Unit) -> Work {
    if round == 0 {
        Work::Obtain(Arc::new(unit))
    } else {
        Work::Run(Arc::new(unit))
    }
}

fn returned(obtained: &Obtained, at: usize) -> Result<Arc<[u8]>, StepError> {
    let bytes: Option<&Bytes> = obtained.returned.get(at);
    bytes
        .map(|bytes| Arc::from(&bytes[..]))
        .ok_or_else(|| StepError::Host("a reduce call returned nothing".to_owned()))
}

fn inputs(
    plan: &Plan,
    step: &PlannedStep,
    made: &[Option<Vec<Value>>],
    store: &Store,
) -> Result<Vec<Input>, StepError> {
    if step.descriptor.kind == Kind::Source {
        return Ok(Vec::new());
    }
    let missing = || StepError::Host("an input is not there".to_owned());
    step.inputs
        .iter()
        .map(|input| match &input.from {
            Origin::Source(name) => {
                let file = plan
                    .sources
                    .get(name)
                    .and_then(|files| files.first())
                    .ok_or_else(missing)?;
                Ok(file_input(file, &input.port))
            }
            Origin::Given { content, .. } => Ok(Input {
                port: Arc::clone(&input.port),
                main: input.main,
                content: match content {
                    InputContent::Table(table) => {
                        InputContent::Table(handed(Arc::clone(table), &input.withheld))
                    }
                    blob @ InputContent::Blob(_) => blob.clone(),
                },
            }),
            Origin::Step { step, output } => {
                let value = made
                    .get(*step)
                    .and_then(Option::as_ref)
                    .and_then(|values| values.get(*output));
                let content = match value.ok_or_else(missing)? {
                    Value::Table(table) => {
                        InputContent::Table(handed(table.get(store)?, &input.withheld))
                    }
                    Value::Blob(blob) => InputContent::Blob(blob.clone()),
                };
                Ok(Input {
                    port: Arc::clone(&input.port),
                    main: input.main,
                    content,
                })
            }
        })
        .collect()
}

/// The table without the columns that the pipeline keeps from the step.
fn handed(table: Arc<Table>, withheld: &[String]) -> Arc<Table> {
    match withheld {
        [] => table,
        withheld => Arc::new(table.without(withheld)),
    }
}

fn partition_input(input: &Input, at: usize) -> Input {
    let content = match &input.content {
        InputContent::Table(table) => match table.partition(at) {
            Some(partition) => InputContent::Table(Arc::new(partition)),
            None => input.content.clone(),
        },
        InputContent::Blob(_) => input.content.clone(),
    };
    Input {
        port: Arc::clone(&input.port),
        main: input.main,
        content,
    }
}

fn with_partition(inputs: &[Input], main: usize, at: usize) -> Vec<Input> {
    let mut inputs = inputs.to_vec();
    inputs[main] = partition_input(&inputs[main], at);
    inputs
}

fn side_inputs(inputs: &[Input]) -> Vec<Input> {
    inputs.iter().filter(|input| !input.main).cloned().collect()
}

fn values(
    step: &PlannedStep,
    partitions: Vec<Vec<Arc<Partition>>>,
    blobs: Vec<Option<Blob>>,
) -> Vec<Value> {
    let value = |((shape, partitions), blob): (
        (&crate::unit::Shape, Vec<Arc<Partition>>),
        Option<Blob>,
    )| match (&shape.content, blob) {
        (ShapeContent::Table(fields), _) => Value::Table(MadeTable::new(Table {
            fields: fields.clone(),
            partitions,
        })),
        (ShapeContent::Blob(_), Some(blob)) => Value::Blob(blob),
        (ShapeContent::Blob(media_type), None) => Value::Blob(Blob {
            digest: crate::digest::Digest::of(b""),
            len: 0,
            media_type: media_type.clone(),
        }),
    };
    step.outputs
        .iter()
        .zip(partitions)
        .zip(blobs)
        .map(value)
        .collect()
}

fn call_name(call: &Call) -> &'static str {
    match call {
        Call::Read(_) => "read",
        Call::RowMap => "row-map",
        Call::Run => "run",
        Call::Init
        | Call::Partial { .. }
        | Call::Merge { .. }
        | Call::Update { .. }
        | Call::Finish { .. }
        | Call::Reduce => "reduce",
    }
}

fn unit_record(
    step: &PlannedStep,
    call: &str,
    position: Option<u64>,
    obtained: &Obtained,
) -> UnitRecord {
    let made = step.outputs.iter().zip(&obtained.made);
    UnitRecord {
        call: call.to_owned(),
        position,
        outcome: if obtained.cached {
            UnitOutcome::Cached
        } else {
            UnitOutcome::Run
        },
        observations: obtained.observations.clone(),
        made: made
            .filter(|(_, names)| !names.is_empty())
            .map(|(shape, names)| (shape.port.to_string(), names.clone()))
            .collect(),
        recipe: obtained.recipe,
        adopted: obtained.adopted.clone(),
        usage: obtained.usage,
        duration_ms: 0,
        bytes: obtained.bytes,
    }
}

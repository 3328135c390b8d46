//! Runs a plan: units of all steps on all threads, results and record independent of both.

mod bind;
mod drive;
mod obtain;
mod schedule;

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub use obtain::Mode;

use drive::{Driver, Finished, Next, Value};
use schedule::{Order, Queue, Report};

use crate::plan::{Origin, Plan, PlannedStep, Tools};
use crate::record::{
    Artifact, InputRecord, Line, LogLine, OutputRecord, RunEnd, RunOutcome, RunStart, Size,
    StepFailure, StepOutcome, StepRecord, TableSummary, Totals, run_digest, source_digest,
};
use crate::sandbox::StepError;
use crate::store::{RunWriter, StoreError};
use crate::unit::InputContent;

/// How to run.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Whether what is known is used, and whether anything is run.
    pub mode: Mode,
    /// Units at once, at least 1.
    pub threads: usize,
    /// Whether steps that do not depend on a failed one go on.
    pub keep_going: bool,
    /// Milliseconds since some moment. For durations that people see, and nothing else.
    pub clock: &'a (dyn Fn() -> u64 + Sync),
    /// Is told how it goes.
    pub observer: &'a dyn Observer,
}

/// Is told how a run goes. Called from the thread that runs it.
pub trait Observer {
    /// Units of a step are known to be wanted.
    fn wanted(&self, step: &PlannedStep, units: u64);
    /// A unit is there.
    fn obtained(&self, step: &PlannedStep, cached: bool);
    /// A step has ended.
    fn ended(&self, record: &StepRecord);
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub outcome: RunOutcome,
    /// Of a succeeded run of all steps.
    pub run_digest: Option<crate::digest::Digest>,
    /// What each step did, in pipeline order.
    pub steps: Vec<StepRecord>,
    /// The failure that counts: of the lowest step and unit.
    pub failure: Option<Failure>,
    /// How long it took.
    pub duration_ms: u64,
}

/// A step that failed.
#[derive(Debug)]
pub struct Failure {
    /// Position of the step in the plan.
    pub step: usize,
    /// Position of the partition, for a unit of one.
    pub position: Option<u64>,
    /// Why.
    pub error: StepError,
}

/// What is known of a step without running it.
#[derive(Debug)]
pub enum Prediction {
    /// Everything it would do is known.
    Cached(Box<StepRecord>),
    /// Something it would do is not known. Its inputs are as given.
    Runs(Vec<InputRecord>),
    /// It depends on a step that is not known.
    Depends,
}

/// Runs a plan and writes its record.
///
/// What a succeeded run gives, its run digest and the failure that counts are the same for any number of
/// threads. Which of the later steps of a failed run still ended, and whether one of two equal units was
/// run or found, is not. A step that fails is part of what is returned, not an error.
///
/// # Errors
/// [`StoreError`] if the record cannot be written.
pub fn execute(
    plan: &Plan,
    tools: Tools<'_>,
    options: Options<'_>,
    start: RunStart,
    record: &mut RunWriter,
    now: &dyn Fn() -> String,
) -> Result<Ended, StoreError> {
    let started = (options.clock)();
    record.append(&Line::Run(Box::new(start.clone())))?;
    let mut run = Run::new(plan, tools, options);
    let mut written = |step: &StepRecord| record.append(&Line::Step(Box::new(step.clone())));
    run.go(&mut written)?;
    let steps: Vec<StepRecord> = std::mem::take(&mut run.records).into_values().collect();
    let outcome = match (&run.failure, tools.cancel.is_cancelled()) {
        (None, false) => RunOutcome::Succeeded,
        (Some(_), false) => RunOutcome::Failed,
        (_, true) => RunOutcome::Cancelled,
    };
    let end = RunEnd {
        outcome,
        run_digest: (outcome == RunOutcome::Succeeded).then(|| run_digest(&start, &steps)),
        duration_ms: (options.clock)().saturating_sub(started),
        finished: now(),
    };
    let ended = Ended {
        outcome,
        run_digest: end.run_digest,
        steps,
        failure: run.failure.take().map(|(_, failure)| failure),
        duration_ms: end.duration_ms,
    };
    record.append(&Line::Outcome(end))?;
    Ok(ended)
}

/// What would run, step by step.
///
/// # Errors
/// [`StoreError`].
pub fn predict(
    plan: &Plan,
    tools: Tools<'_>,
    options: Options<'_>,
) -> Result<Vec<Prediction>, StoreError> {
    let options = Options {
        mode: Mode::Lookup,
        keep_going: true,
        ..options
    };
    let mut run = Run::new(plan, tools, options);
    run.go(&mut |_| Ok(()))?;
    let mut predictions = Vec::with_capacity(plan.steps.len());
    for at in 0..plan.steps.len() {
        predictions.push(match (run.records.remove(&at), run.unknown.remove(&at)) {
            // Nothing is run here: what succeeded had no units.
            (Some(record), _)
                if matches!(record.outcome, StepOutcome::Cached | StepOutcome::Succeeded) =>
            {
                Prediction::Cached(Box::new(record))
            }
            (_, Some(inputs)) => Prediction::Runs(inputs),
            _ => Prediction::Depends,
        });
    }
    Ok(predictions)
}

struct Run<'a> {
    plan: &'a Plan,
    tools: Tools<'a>,
    options: Options<'a>,
    drivers: Vec<Option<Driver>>,
    made: Vec<Option<Vec<Value>>>,
    ended: Vec<bool>,
    started_ms: Vec<u64>,
    unit_ms: BTreeMap<Order, u64>,
    records: BTreeMap<usize, StepRecord>,
    unknown: BTreeMap<usize, Vec<InputRecord>>,
    failure: Option<(Order, Failure)>,
    failed: BTreeMap<usize, Order>,
    out: usize,
}

type Write<'a> = &'a mut dyn FnMut(&StepRecord) -> Result<(), StoreError>;

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, tools: Tools<'a>, options: Options<'a>) -> Self {
        let steps = plan.steps.len();
        Self {
            plan,
            tools,
            options,
            drivers: (0..steps).map(|_| None).collect(),
            made: vec![None; steps],
            ended: vec![false; steps],
            started_ms: vec![0; steps],
            unit_ms: BTreeMap::new(),
            records: BTreeMap::new(),
            unknown: BTreeMap::new(),
            failure: None,
            failed: BTreeMap::new(),
            out: 0,
        }
    }

    fn go(&mut self, write: Write<'_>) -> Result<(), StoreError> {
        let queue = Queue::default();
        let (sender, reports) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.options.threads.max(1) {
                let (queue, sender, plan, mode, tools, clock) = (
                    &queue,
                    sender.clone(),
                    self.plan,
                    self.options.mode,
                    self.tools,
                    self.options.clock,
                );
                scope.spawn(move || schedule::work(queue, plan, mode, tools, clock, &sender));
            }
            drop(sender);
            let ended = self.coordinate(&queue, &reports, write);
            if ended.is_err() {
                queue.drop_if(|_| true);
            }
            queue.close();
            ended
        })
    }

    fn coordinate(
        &mut self,
        queue: &Queue,
        reports: &mpsc::Receiver<Report>,
        write: Write<'_>,
    ) -> Result<(), StoreError> {
        loop {
            self.start_ready(queue, write)?;
            if self.out == 0 {
                return self.close(write);
            }
            match reports.recv_timeout(CANCEL_INTERVAL) {
                Ok(report) => self.report(queue, report, write)?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.close(write),
            }
            if self.tools.cancel.is_cancelled() {
                self.out -= queue.drop_if(|_| true).len();
            }
        }
    }

    /// Starts every step whose inputs are there, until no more are.
    fn start_ready(&mut self, queue: &Queue, write: Write<'_>) -> Result<(), StoreError> {
        for at in 0..self.plan.steps.len() {
            if self.drivers[at].is_some() || self.ended[at] || self.tools.cancel.is_cancelled() {
                continue;
            }
            let stopped = self
                .failure
                .as_ref()
                .is_some_and(|((step, _), _)| !self.options.keep_going && at > *step);
            let step = &self.plan.steps[at];
            let ready = step.inputs.iter().all(|input| match &input.from {
                Origin::Source(_) => true,
                Origin::Step { step, .. } => self.made[*step].is_some(),
            });
            if stopped || !ready {
                continue;
            }
            self.started_ms[at] = (self.options.clock)();
            match Driver::new(self.plan, step, &self.made) {
                Ok(mut driver) => {
                    let next = driver.start(self.plan, step);
                    self.drivers[at] = Some(driver);
                    self.follow(queue, at, next, write)?;
                }
                Err(error) => self.fail(queue, (at, 0), None, error),
            }
        }
        Ok(())
    }

    fn follow(
        &mut self,
        queue: &Queue,
        at: usize,
        next: Next,
        write: Write<'_>,
    ) -> Result<(), StoreError> {
        match next {
            Next::Work(work) => {
                if self.failed.contains_key(&at) {
                    return Ok(());
                }
                self.out += work.len();
                self.options
                    .observer
                    .wanted(&self.plan.steps[at], work.len() as u64);
                queue.add(at, work);
                Ok(())
            }
            Next::Finished(finished) => self.finish(at, *finished, write),
            Next::Unknown => {
                self.out -= queue.drop_if(|(step, _)| *step == at).len();
                self.unknown
                    .entry(at)
                    .or_insert_with(|| input_records(self.plan, at, self.drivers[at].as_ref()));
                self.ended[at] = true;
                Ok(())
            }
        }
    }

    fn report(
        &mut self,
        queue: &Queue,
        report: Report,
        write: Write<'_>,
    ) -> Result<(), StoreError> {
        self.out -= 1;
        let at = report.order.0;
        self.unit_ms.insert(report.order, report.duration_ms);
        if self.ended[at] {
            return Ok(());
        }
        let step = &self.plan.steps[at];
        let position = report.unit.as_ref().and_then(|unit| unit.position);
        let answer = match report.answer {
            Ok(answer) => answer,
            Err(StepError::Cancelled) => return Ok(()),
            Err(error) => {
                self.fail(queue, report.order, position, error);
                return Ok(());
            }
        };
        if let drive::Answer::Unit(Some(obtained)) = &answer {
            self.options.observer.obtained(step, obtained.cached);
        }
        let Some(driver) = self.drivers[at].as_mut() else {
            return Ok(());
        };
        match driver.answered(
            self.plan,
            step,
            report.order.1,
            report.unit.as_deref(),
            answer,
        ) {
            Ok(next) => self.follow(queue, at, next, write),
            Err(error) => {
                self.fail(queue, report.order, position, error);
                Ok(())
            }
        }
    }

    /// Remembers a failure if it is the lowest so far, and drops what it makes useless. Lower work goes
    /// on: it may fail too, and then its failure counts, whatever the timing was.
    fn fail(&mut self, queue: &Queue, order: Order, position: Option<u64>, error: StepError) {
        let lowest_of_step = self.failed.get(&order.0).is_none_or(|other| order < *other);
        if lowest_of_step {
            self.failed.insert(order.0, order);
            let step = &self.plan.steps[order.0];
            let record = self.step_record(
                order.0,
                StepOutcome::Failed,
                None,
                Some(failure_record(step, &error)),
            );
            self.records.insert(order.0, record);
        }
        if self
            .failure
            .as_ref()
            .is_none_or(|(other, _)| order < *other)
        {
            self.failure = Some((
                order,
                Failure {
                    step: order.0,
                    position,
                    error,
                },
            ));
        }
        let keep_going = self.options.keep_going;
        let dropped = queue.drop_if(|other| *other > order && (!keep_going || other.0 == order.0));
        self.out -= dropped.len();
    }

    fn finish(
        &mut self,
        at: usize,
        finished: Finished,
        write: Write<'_>,
    ) -> Result<(), StoreError> {
        if self.failed.contains_key(&at) {
            return Ok(());
        }
        let totals = &finished.totals;
        // Without units there was nothing that could have been cached.
        let outcome = if totals.units > 0 && totals.cached == totals.units {
            StepOutcome::Cached
        } else {
            StepOutcome::Succeeded
        };
        for value in &finished.outputs {
            if let Value::Table(table) = value {
                self.tools.store.put_table(table)?;
            }
        }
        let mut record = self.step_record(at, outcome, Some(&finished), None);
        record.outputs = output_records(&self.plan.steps[at], &finished.outputs);
        self.made[at] = Some(finished.outputs);
        self.ended[at] = true;
        self.options.observer.ended(&record);
        write(&record)?;
        self.records.insert(at, record);
        Ok(())
    }

    fn step_record(
        &self,
        at: usize,
        outcome: StepOutcome,
        finished: Option<&Finished>,
        error: Option<StepFailure>,
    ) -> StepRecord {
        let step = &self.plan.steps[at];
        let mut units = finished
            .map(|finished| finished.units.clone())
            .unwrap_or_default();
        let durations = self.unit_ms.range((at, 0)..=(at, u64::MAX));
        // A reduce step has one entry for all its units, a source's files come between its ranges.
        let by_number: BTreeMap<u64, u64> = durations
            .map(|((_, number), duration)| (*number, *duration))
            .collect();
        match units.as_mut_slice() {
            [only] => only.duration_ms = by_number.values().sum(),
            many => {
                for unit in many {
                    let duration = unit.position.and_then(|position| by_number.get(&position));
                    unit.duration_ms = duration.copied().unwrap_or_default();
                }
            }
        }
        let log = finished
            .map(|finished| finished.log.as_slice())
            .unwrap_or_default();
        StepRecord {
            name: step.name.clone(),
            component: step.reference.clone(),
            digest: step.digest(),
            kind: step.descriptor.kind.name().to_owned(),
            params: step.params.to_string(),
            outcome,
            inputs: input_records(self.plan, at, self.drivers[at].as_ref()),
            outputs: Vec::new(),
            units,
            totals: finished.map_or_else(Totals::default, |finished| finished.totals),
            duration_ms: (self.options.clock)().saturating_sub(self.started_ms[at]),
            log: log
                .iter()
                .map(|line| LogLine {
                    level: line.level.clone(),
                    message: line.message.clone(),
                })
                .collect(),
            error,
        }
    }

    /// Writes what is left to say: steps that failed, and steps that did not come to run.
    fn close(&mut self, write: Write<'_>) -> Result<(), StoreError> {
        if self.options.mode == Mode::Lookup {
            return Ok(());
        }
        let cancelled = self.tools.cancel.is_cancelled();
        for at in 0..self.plan.steps.len() {
            if self.ended[at] {
                continue;
            }
            let record = match self.records.remove(&at) {
                Some(failed) => failed,
                None => {
                    let outcome = if cancelled {
                        StepOutcome::Cancelled
                    } else {
                        StepOutcome::Skipped
                    };
                    self.step_record(at, outcome, None, None)
                }
            };
            self.ended[at] = true;
            self.options.observer.ended(&record);
            write(&record)?;
            self.records.insert(at, record);
        }
        Ok(())
    }
}

/// How long to wait for a report before looking whether to go on.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);

fn failure_record(step: &PlannedStep, error: &StepError) -> StepFailure {
    let details = match error {
        StepError::Refused { details, .. } => details.clone(),
        StepError::Trapped { stderr, .. } if !stderr.is_empty() => {
            vec![("stderr".to_owned(), stderr.join("\n"))]
        }
        _ => Vec::new(),
    };
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    debug_assert!(!step.name.as_str().is_empty(), "a step has a name");
    StepFailure {
        code: error.code().to_owned(),
        message,
        details,
    }
}

fn input_records(plan: &Plan, at: usize, driver: Option<&Driver>) -> Vec<InputRecord> {
    let step = &plan.steps[at];
    let bound = driver.map(Driver::inputs).unwrap_or_default();
    step.inputs
        .iter()
        .filter_map(|input| {
            let from = plan.origin_name(&input.from);
            let port = input.port.to_string();
            match (
                &input.from,
                bound
                    .iter()
                    .find(|bound| bound.port == input.port)
                    .map(|bound| &bound.content),
            ) {
                (_, Some(InputContent::Table(table))) => Some(InputRecord {
                    port,
                    from,
                    digest: table.digest(),
                    size: Size::Rows(table.rows()),
                }),
                (_, Some(InputContent::Blob(blob))) => Some(InputRecord {
                    port,
                    from,
                    digest: blob.digest,
                    size: Size::Bytes(blob.len),
                }),
                (Origin::Source(name), None) => {
                    let files = plan
                        .sources
                        .get(name)
                        .map(Vec::as_slice)
                        .unwrap_or_default();
                    let bytes = files.iter().map(|file| file.size_bytes).sum();
                    Some(InputRecord {
                        port,
                        from,
                        digest: source_digest(files),
                        size: Size::Bytes(bytes),
                    })
                }
                (Origin::Step { .. }, None) => None,
            }
        })
        .collect()
}

fn output_records(step: &PlannedStep, outputs: &[Value]) -> Vec<OutputRecord> {
    let record = |(shape, value): (&crate::unit::Shape, &Value)| OutputRecord {
        port: shape.port.to_string(),
        artifact: match value {
            Value::Table(table) => Artifact::Table(TableSummary {
                digest: table.digest(),
                rows: table.rows(),
                partitions: table.partitions.len() as u64,
                fields: table
                    .fields
                    .iter()
                    .map(|field| field.name().clone())
                    .collect(),
            }),
            Value::Blob(blob) => Artifact::Blob(blob.clone()),
        },
    };
    step.outputs.iter().zip(outputs).map(record).collect()
}

/// Data out of a store, and out of source files that the store does not keep.
pub struct StoreData {
    store: Arc<crate::store::Store>,
    project: Option<cap_std::fs::Dir>,
    sources: BTreeMap<crate::digest::Digest, String>,
}

impl StoreData {
    /// Columns and blobs of `store`; blobs that it does not have are the files of `sources` under `project`.
    pub fn new(
        store: Arc<crate::store::Store>,
        project: Option<cap_std::fs::Dir>,
        sources: BTreeMap<crate::digest::Digest, String>,
    ) -> Self {
        Self {
            store,
            project,
            sources,
        }
    }
}

impl crate::sandbox::Data for StoreData {
    fn column(
        &self,
        field: &arrow_schema::Field,
        chunk: &crate::table::Chunk,
    ) -> Result<crate::arrow::values::Values, crate::sandbox::DataError> {
        Ok(self.store.values(field, chunk)?)
    }

    fn spill(
        &self,
        buffers: &[arrow_buffer::Buffer],
    ) -> Result<Vec<arrow_buffer::Buffer>, crate::sandbox::DataError> {
        Ok(self.store.spill(buffers)?)
    }

    fn blob(
        &self,
        digest: &crate::digest::Digest,
    ) -> Result<bytes::Bytes, crate::sandbox::DataError> {
        let missing = match self.store.blob(digest) {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        let (Some(project), Some(path)) = (&self.project, self.sources.get(digest)) else {
            return Err(missing.into());
        };
        let bytes = project.read(path)?;
        let found = crate::digest::Digest::of(&bytes);
        if found != *digest {
            return Err(format!(
                "`{path}` changed while it was read\n  expected {digest}\n  found    {found}"
            )
            .into());
        }
        Ok(bytes.into())
    }
}

//! Runs a plan: units of all steps on all threads, results and record independent of both.

mod bind;
mod drive;
pub(crate) mod known;
mod obtain;
pub(crate) mod parts;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub(crate) use bind::MEMO as BINDING;
pub use obtain::Mode;
pub(crate) use schedule::{RANGES, ranges_key};

use drive::{Driver, Finished, Next, Value};
use schedule::{Order, Queue, Report};

use crate::digest::Digest;
use crate::plan::{Origin, Plan, PlannedInput, PlannedStep, Tools};
use crate::record::{
    Artifact, InputRecord, Line, LogLine, OutputRecord, RunEnd, RunOutcome, RunStart, Size,
    SourceFile, StepFailure, StepOutcome, StepRecord, Totals, run_digest, source_digest,
};
use crate::sandbox::{Kind, StepError};
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
    /// A unit is there, and ran unless it was known.
    fn obtained(&self, step: &PlannedStep, ran: Option<Amount>);
    /// A step has ended; `again` if that was told before and nothing has changed since.
    fn ended(&self, record: &StepRecord, again: bool);
    /// A step has found something gone or damaged that an earlier step made: all is gone through once more,
    /// and what is not there is made again.
    fn lost(&self, step: &PlannedStep, error: &StoreError);
}

/// How much a unit went through when it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Rows that it was given, or that a source made. None are counted for what sees no rows, such as a
    /// merge.
    pub rows: u64,
    /// Bytes of columns and blobs that it was handed.
    pub bytes: u64,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub outcome: RunOutcome,
    /// Of a succeeded run of all steps.
    pub run_digest: Option<Digest>,
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
/// What a step made and the store has lost, or finds damaged and sets aside, is made again within the run:
/// once everything that is stored still was looked at, the plan is gone through again, where all that is
/// sound is known; so are units of a step that had not ended yet. That ends, since nothing is made again
/// twice.
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
    let mut write = |step: &StepRecord| record.append(&Line::Step(Box::new(step.clone())));
    let mut run = Run::new(plan, tools, options);
    run.go(&mut write)?;
    let mut made_again = BTreeSet::new();
    while let Some((at, error)) = run.to_make_again()
        && made_again.insert(error.to_string())
    {
        options.observer.lost(&plan.steps[at], error);
        run.check_made();
        run = Run {
            earlier: run.into_ended(),
            ..Run::new(plan, tools, options)
        };
        run.go(&mut write)?;
    }
    run.close(&mut write)?;
    let steps: Vec<StepRecord> = std::mem::take(&mut run.records).into_values().collect();
    let outcome = run.outcome();
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

/// Runs the only step of a plan, or of its units the one at `position` alone, and records nothing.
///
/// What it makes is kept in the store, as in a run. A step that fails is part of what is returned.
///
/// # Errors
/// [`StoreError`] if what it makes cannot be kept.
pub fn alone(
    plan: &Plan,
    position: Option<u64>,
    tools: Tools<'_>,
    options: Options<'_>,
) -> Result<Ended, StoreError> {
    let started = (options.clock)();
    let mut run = Run::new(plan, tools, options);
    run.only = position;
    let mut write = |_: &StepRecord| Ok(());
    run.go(&mut write)?;
    run.close(&mut write)?;
    Ok(Ended {
        outcome: run.outcome(),
        run_digest: None,
        steps: std::mem::take(&mut run.records).into_values().collect(),
        failure: run.failure.take().map(|(_, failure)| failure),
        duration_ms: (options.clock)().saturating_sub(started),
    })
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
    /// Steps that read from each step.
    readers: Vec<Vec<usize>>,
    /// How many of the inputs of each step are still to be made.
    missing: Vec<usize>,
    /// Steps that have not started, though all their inputs are there.
    ready: BTreeSet<usize>,
    ended: Vec<bool>,
    started_ms: Vec<u64>,
    unit_ms: BTreeMap<Order, u64>,
    records: BTreeMap<usize, StepRecord>,
    /// Steps that have finished, and are not written down yet.
    unsettled: Vec<(usize, Finished)>,
    /// What was written of steps before all was gone through again.
    earlier: BTreeMap<usize, StepRecord>,
    unknown: BTreeMap<usize, Vec<InputRecord>>,
    failure: Option<(Order, Failure)>,
    failed: BTreeMap<usize, Order>,
    /// Chunk files of known steps that were seen in the store.
    present: BTreeSet<Digest>,
    /// The position of the only unit that is wanted.
    only: Option<u64>,
    out: usize,
}

type Write<'a> = &'a mut dyn FnMut(&StepRecord) -> Result<(), StoreError>;

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, tools: Tools<'a>, options: Options<'a>) -> Self {
        let steps = plan.steps.len();
        let (mut readers, mut missing) = (vec![Vec::new(); steps], vec![0; steps]);
        for (at, step) in plan.steps.iter().enumerate() {
            for input in &step.inputs {
                if let Origin::Step { step, .. } = input.from {
                    readers[step].push(at);
                    missing[at] += 1;
                }
            }
        }
        Self {
            plan,
            tools,
            options,
            drivers: (0..steps).map(|_| None).collect(),
            made: vec![None; steps],
            readers,
            ready: (0..steps).filter(|at| missing[*at] == 0).collect(),
            missing,
            ended: vec![false; steps],
            started_ms: vec![0; steps],
            unit_ms: BTreeMap::new(),
            records: BTreeMap::new(),
            unsettled: Vec::new(),
            earlier: BTreeMap::new(),
            unknown: BTreeMap::new(),
            failure: None,
            failed: BTreeMap::new(),
            present: BTreeSet::new(),
            only: None,
            out: 0,
        }
    }

    fn outcome(&self) -> RunOutcome {
        match (&self.failure, self.tools.cancel.is_cancelled()) {
            (None, false) => RunOutcome::Succeeded,
            (Some(_), false) => RunOutcome::Failed,
            (_, true) => RunOutcome::Cancelled,
        }
    }

    /// What decides all that a step does; none if not all of it is done.
    fn key(&self, step: &PlannedStep) -> Option<Digest> {
        match self.only {
            Some(_) => None,
            None => known::key(self.plan, step, &self.made),
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
                queue.drop_within(..);
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
            self.settle(write)?;
            if self.out == 0 {
                return Ok(());
            }
            match reports.recv_timeout(CANCEL_INTERVAL) {
                Ok(report) => self.report(queue, report),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.tools.cancel.is_cancelled() {
                self.out -= queue.drop_within(..);
            }
        }
    }

    /// Starts every step whose inputs are there, until no more are.
    fn start_ready(&mut self, queue: &Queue, write: Write<'_>) -> Result<(), StoreError> {
        while let Some(at) = self.ready.pop_first() {
            let stopped = self
                .failure
                .as_ref()
                .is_some_and(|((step, _), _)| !self.options.keep_going && at > *step);
            if stopped || self.tools.cancel.is_cancelled() {
                continue;
            }
            let step = &self.plan.steps[at];
            self.started_ms[at] = (self.options.clock)();
            if self.options.mode != Mode::Fresh
                && let Some(key) = self.key(step)
                && let Some(known) = known::find(&key, step, self.tools.store, &mut self.present)
            {
                self.finish(at, known);
                self.settle(write)?;
                continue;
            }
            match Driver::new(self.plan, step, &self.made, self.tools.store, self.only) {
                Ok(mut driver) => {
                    let next = driver.start(self.plan, step);
                    self.drivers[at] = Some(driver);
                    self.follow(queue, at, next);
                }
                Err(error) => self.fail(queue, (at, 0), None, error),
            }
        }
        Ok(())
    }

    fn follow(&mut self, queue: &Queue, at: usize, next: Next) {
        match next {
            Next::Work(work) => {
                if self.failed.contains_key(&at) {
                    return;
                }
                self.out += work.len();
                self.options
                    .observer
                    .wanted(&self.plan.steps[at], work.len() as u64);
                queue.add(at, work);
            }
            Next::Finished(finished) => self.finish(at, *finished),
            Next::Unknown => {
                self.out -= queue.drop_within((at, 0)..=(at, u64::MAX));
                self.unknown
                    .entry(at)
                    .or_insert_with(|| input_records(self.plan, at, &self.made));
                self.ended[at] = true;
            }
        }
    }

    fn report(&mut self, queue: &Queue, report: Report) {
        self.out -= 1;
        let at = report.order.0;
        self.unit_ms.insert(report.order, report.duration_ms);
        if self.ended[at] {
            return;
        }
        let step = &self.plan.steps[at];
        let position = report.unit.as_ref().and_then(|unit| unit.position);
        let answer = match report.answer {
            Ok(answer) => answer,
            Err(StepError::Cancelled) => return,
            Err(error) => {
                self.fail(queue, report.order, position, error);
                return;
            }
        };
        if let drive::Answer::Unit(Some(obtained)) = &answer {
            let ran = report.unit.as_ref().filter(|_| !obtained.cached);
            let ran = ran.map(|unit| obtained.amount(unit));
            self.options.observer.obtained(step, ran);
        }
        let Some(driver) = self.drivers[at].as_mut() else {
            return;
        };
        match driver.answered(
            self.plan,
            step,
            report.order.1,
            report.unit.as_deref(),
            answer,
        ) {
            Ok(next) => self.follow(queue, at, next),
            Err(error) => self.fail(queue, report.order, position, error),
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
        let useless = if self.options.keep_going {
            Bound::Included((order.0, u64::MAX))
        } else {
            Bound::Unbounded
        };
        self.out -= queue.drop_within((Bound::Excluded(order), useless));
    }

    /// Hands what a step has made to its readers.
    fn finish(&mut self, at: usize, finished: Finished) {
        if self.failed.contains_key(&at) {
            return;
        }
        self.made[at] = Some(finished.outputs.clone());
        for reader in std::mem::take(&mut self.readers[at]) {
            self.missing[reader] -= 1;
            if self.missing[reader] == 0 {
                self.ready.insert(reader);
            }
        }
        self.ended[at] = true;
        self.unsettled.push((at, finished));
    }

    /// Writes down the steps that have finished: by now the threads have work of those that come after.
    fn settle(&mut self, write: Write<'_>) -> Result<(), StoreError> {
        for (at, finished) in std::mem::take(&mut self.unsettled) {
            let record = self.keep_step(at, &finished)?;
            if let Some(earlier) = self.earlier.remove(&at) {
                if record.outcome != StepOutcome::Succeeded && record.outputs == earlier.outputs {
                    self.options.observer.ended(&earlier, true);
                    self.records.insert(at, earlier);
                    continue;
                }
                self.end(at, record.after(&earlier), write)?;
            } else {
                self.end(at, record, write)?;
            }
        }
        Ok(())
    }

    /// Keeps the manifests of what a step has made, and what it did; gives its record.
    fn keep_step(&self, at: usize, finished: &Finished) -> Result<StepRecord, StoreError> {
        let totals = &finished.totals;
        // Without units there was nothing that could have been cached.
        let outcome = if totals.units > 0 && totals.cached == totals.units {
            StepOutcome::Cached
        } else {
            StepOutcome::Succeeded
        };
        let step = &self.plan.steps[at];
        let mut record = self.step_record(at, outcome, Some(finished), None);
        record.outputs = output_records(step, &finished.outputs);
        // Looking up writes nothing: the next run puts down what is missing. A step that came out of its
        // own memo has no driver.
        if self.options.mode != Mode::Lookup && self.drivers[at].is_some() {
            for value in &finished.outputs {
                if let Value::Table(table) = value
                    && let Some(table) = &table.table
                {
                    self.tools.store.put_table(table)?;
                }
            }
            if let Some(key) = self.key(step) {
                known::keep(&key, &record, finished, self.tools.store);
            }
        }
        Ok(record)
    }

    fn end(&mut self, at: usize, record: StepRecord, write: Write<'_>) -> Result<(), StoreError> {
        self.options.observer.ended(&record, false);
        write(&record)?;
        self.records.insert(at, record);
        Ok(())
    }

    /// The records of all steps that have ended well.
    fn into_ended(self) -> BTreeMap<usize, StepRecord> {
        let mut ended = self.earlier;
        ended.extend(self.records);
        ended.retain(|_, record| record.error.is_none());
        ended
    }

    /// The step that failed only because the store has lost something, and what it was.
    fn to_make_again(&self) -> Option<(usize, &StoreError)> {
        let (_, failure) = self.failure.as_ref()?;
        let StepError::Data(source) = &failure.error else {
            return None;
        };
        let error: &StoreError = source.downcast_ref()?;
        let lost = error.is_miss() && !self.tools.cancel.is_cancelled();
        lost.then_some((failure.step, error))
    }

    /// Reads everything that steps have made so far: what is damaged is set aside, so that all of it is made
    /// again at once.
    fn check_made(&self) {
        let store = self.tools.store;
        for value in self.made.iter().flatten().flatten() {
            match value {
                Value::Table(table) => {
                    drop(store.set_aside_foreign_table(&table.summary.digest));
                    let Ok(table) = table.get(store) else {
                        continue;
                    };
                    let files = table.files();
                    let cancel = self.tools.cancel;
                    let files = files.iter().take_while(|_| !cancel.is_cancelled());
                    // Whatever is wrong with a file, it counts when somebody asks for it.
                    files.for_each(|file| drop(store.read_chunks(file)));
                }
                Value::Blob(blob) => drop(store.blob(&blob.digest)),
            }
        }
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
        let mut totals = finished.map_or_else(Totals::default, |finished| finished.totals);
        totals.longest_ms = by_number.into_values().max().unwrap_or_default();
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
            inputs: input_records(self.plan, at, &self.made),
            outputs: Vec::new(),
            units,
            totals,
            duration_ms: (self.options.clock)().saturating_sub(self.started_ms[at]),
            limits: Some(step.limits),
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
            let record = match (self.records.remove(&at), self.earlier.remove(&at)) {
                (Some(failed), _) => failed,
                (None, Some(earlier)) => {
                    self.options.observer.ended(&earlier, true);
                    self.records.insert(at, earlier);
                    continue;
                }
                (None, None) => {
                    let outcome = if cancelled {
                        StepOutcome::Cancelled
                    } else {
                        StepOutcome::Skipped
                    };
                    self.step_record(at, outcome, None, None)
                }
            };
            self.ended[at] = true;
            self.end(at, record, write)?;
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

fn input_records(plan: &Plan, at: usize, made: &[Option<Vec<Value>>]) -> Vec<InputRecord> {
    let step = &plan.steps[at];
    let record = |input: &PlannedInput| {
        let (digest, size) = match &input.from {
            Origin::Source(name) => {
                let files = plan.sources.get(name).map(Vec::as_slice);
                let files = files.unwrap_or_default();
                match (step.descriptor.kind, files) {
                    // Only a source reads files as such; for all else a file is a blob.
                    (Kind::Source, _) | (_, []) => {
                        let bytes = files.iter().map(|file| file.size_bytes).sum();
                        (source_digest(files), Size::Bytes(bytes))
                    }
                    (_, [file, ..]) => (file.digest, Size::Bytes(file.size_bytes)),
                }
            }
            Origin::Step { step, output } => match made.get(*step)?.as_ref()?.get(*output)? {
                Value::Table(table) => (table.summary.digest, Size::Rows(table.summary.rows)),
                Value::Blob(blob) => (blob.digest, Size::Bytes(blob.len)),
            },
            Origin::Given { content, .. } => match content {
                InputContent::Table(table) => (table.digest(), Size::Rows(table.rows())),
                InputContent::Blob(blob) => (blob.digest, Size::Bytes(blob.len)),
            },
        };
        Some(InputRecord {
            port: input.port.to_string(),
            main: input.main,
            from: plan.origin_name(&input.from),
            digest,
            withheld: input.withheld.clone(),
            size,
        })
    };
    step.inputs.iter().filter_map(record).collect()
}

fn output_records(step: &PlannedStep, outputs: &[Value]) -> Vec<OutputRecord> {
    let record = |(shape, value): (&crate::unit::Shape, &Value)| OutputRecord {
        port: shape.port.to_string(),
        artifact: Artifact::from(value),
        promised: shape.promise.as_ref().map(|it| it.promised.clone()),
        looked_up: shape.looked_up().map(str::to_owned).collect(),
    };
    step.outputs.iter().zip(outputs).map(record).collect()
}

/// Data out of a store, and out of source files that the store does not keep.
pub struct StoreData {
    store: Arc<crate::store::Store>,
    project: Option<cap_std::fs::Dir>,
    sources: BTreeMap<Digest, SourceFile>,
}

impl StoreData {
    /// Columns and blobs of `store`; blobs that it does not have are the files of `sources` under `project`.
    pub fn new(
        store: Arc<crate::store::Store>,
        project: Option<cap_std::fs::Dir>,
        sources: impl IntoIterator<Item = SourceFile>,
    ) -> Self {
        let sources = sources.into_iter().map(|file| (file.digest, file));
        Self {
            store,
            project,
            sources: sources.collect(),
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

    fn blob(&self, digest: &Digest) -> Result<bytes::Bytes, crate::sandbox::DataError> {
        let missing = match self.store.blob(digest) {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        let (Some(project), Some(file)) = (&self.project, self.sources.get(digest)) else {
            return Err(missing.into());
        };
        let path = &file.path;
        let bytes = crate::regular::read(project, path, file.size_bytes)
            .map_err(|error| format!("`{path}` cannot be read any more: {error}"))?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(format!(
                "`{path}` changed while it was read\n  expected {digest}\n  found    {found}"
            )
            .into());
        }
        Ok(bytes.into())
    }
}

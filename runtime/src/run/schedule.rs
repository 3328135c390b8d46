//! Workers and what they share: work ordered by step and number, taken lowest first.

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::drive::{Answer, Work};
use super::obtain::{self, Guess, Mode};
use super::parts;
use crate::digest::{ComponentDigest, Digest, StructuredHasher};
use crate::plan::{Plan, PlannedStep, Tools};
use crate::sandbox::{StepError, check_ranges};
use crate::unit::{Call, InputContent, SEMANTICS, Unit};

/// Position of a piece of work: its step, then its number there.
pub(super) type Order = (usize, u64);

/// Work that waits for a worker.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    work: BTreeMap<Order, Work>,
    closed: bool,
}

impl Queue {
    pub(super) fn add(&self, step: usize, work: Vec<(u64, Work)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.work.extend(
            work.into_iter()
                .map(|(number, work)| ((step, number), work)),
        );
        self.changed.notify_all();
    }

    /// Drops the work within `useless`; gives how much that was.
    pub(super) fn drop_within(&self, useless: impl RangeBounds<Order>) -> usize {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.work.extract_if(useless, |_, _| true).count()
    }

    /// Lets workers go once nothing waits.
    pub(super) fn close(&self) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.changed.notify_all();
    }

    fn take(&self) -> Option<(Order, Work)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(next) = waiting.work.pop_first() {
                return Some(next);
            }
            if waiting.closed {
                return None;
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What a worker sends back.
pub(super) struct Report {
    pub(super) order: Order,
    pub(super) unit: Option<Arc<Unit>>,
    pub(super) answer: Result<Answer, StepError>,
    pub(super) duration_ms: u64,
}

/// Works until the queue is closed and empty.
pub(super) fn work(
    queue: &Queue,
    plan: &Plan,
    mode: Mode,
    tools: Tools<'_>,
    clock: &(dyn Fn() -> u64 + Sync),
    reports: &Sender<Report>,
) {
    let mut guess = Guess::default();
    while let Some((order, work)) = queue.take() {
        let started = clock();
        let step = &plan.steps[order.0];
        let unit = match &work {
            Work::Ranges(unit) | Work::Obtain(unit) | Work::LookUp(unit) | Work::Run(unit) => {
                Some(Arc::clone(unit))
            }
            Work::Finish { whole, .. } => Some(Arc::clone(whole)),
        };
        // A host that panics in a worker must not leave the run waiting for a report that never comes.
        let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            answer(plan, step, work, mode, tools, &mut guess)
        }));
        let answer = answer.unwrap_or_else(|_| {
            Err(StepError::Host(
                "a worker panicked; please report this as a bug".to_owned(),
            ))
        });
        let report = Report {
            order,
            unit,
            answer,
            duration_ms: clock().saturating_sub(started),
        };
        if reports.send(report).is_err() {
            return;
        }
    }
}

fn answer(
    plan: &Plan,
    step: &PlannedStep,
    work: Work,
    mode: Mode,
    tools: Tools<'_>,
    guess: &mut Guess,
) -> Result<Answer, StepError> {
    if tools.cancel.is_cancelled() {
        return Err(StepError::Cancelled);
    }
    let unit = match work {
        Work::Ranges(unit) => return ranges(plan, step, &unit, tools).map(Answer::Ranges),
        Work::Obtain(unit) => obtain::obtain(step, &unit, mode, tools, guess)?,
        Work::LookUp(unit) => match mode {
            Mode::Fresh => None,
            Mode::Cached | Mode::Lookup => obtain::known(&unit, tools, guess).transpose()?,
        },
        Work::Run(_) | Work::Finish { .. } if mode == Mode::Lookup => None,
        Work::Run(unit) => Some(obtain::run_only(step, &unit, tools)?),
        Work::Finish {
            finish,
            whole,
            observations,
            usage,
            parts,
        } => {
            let key = Unit::key(&whole.first_key(), &observations);
            parts::keep(&key, &parts, tools.store);
            let program = step.program(tools.sandbox)?;
            let mut done =
                tools
                    .sandbox
                    .execute(&program, &finish, Arc::clone(tools.data), tools.cancel)?;
            done.observations = observations;
            done.usage = usage.and(done.usage);
            Some(obtain::keep(&whole, done, tools)?)
        }
    };
    Ok(Answer::Unit(unit.map(Box::new)))
}

/// The ranges of a file: a pure fact of the component, its params and the bytes.
fn ranges(
    plan: &Plan,
    step: &PlannedStep,
    unit: &Arc<Unit>,
    tools: Tools<'_>,
) -> Result<Vec<crate::unit::Range>, StepError> {
    let rows = plan.layout.partition_rows();
    let file = unit.inputs.first().and_then(|input| match &input.content {
        InputContent::Blob(blob) => Some(blob),
        InputContent::Table(_) => None,
    });
    let digest = file.map(|file| &file.digest);
    let key = ranges_key(SEMANTICS, &unit.component, &unit.params, rows, digest);
    debug_assert!(
        matches!(unit.call, Call::Run),
        "ranges are asked for of the whole file"
    );
    let find_out = || {
        let program = step.program(tools.sandbox)?;
        tools.sandbox.partition(
            &program,
            Arc::clone(unit),
            Arc::clone(tools.data),
            rows,
            tools.cancel,
        )
    };
    let ranges = crate::plan::remembered(tools, RANGES, &key, find_out)?;
    // Every range becomes a unit. What is remembered may be of somebody else, and is held to the same.
    match check_ranges(&ranges, file.map_or(0, |file| file.len)) {
        Ok(()) => Ok(ranges),
        Err(_) => find_out(),
    }
}

/// Under which name the store remembers ranges.
pub(crate) const RANGES: &str = "ranges";

/// What the ranges of a file, of at most so many rows, are remembered under.
pub(crate) fn ranges_key(
    semantics: &str,
    component: &ComponentDigest,
    params: &str,
    rows: u64,
    file: Option<&Digest>,
) -> Digest {
    let mut hasher = StructuredHasher::new("pinion ranges v1");
    hasher
        .text(semantics)
        .component(component)
        .text(params)
        .u64(rows);
    if let Some(file) = file {
        hasher.digest(file);
    }
    hasher.finish()
}

//! Runs single steps, outside of a pipeline's run and without a record: in tests and in replays.

use std::collections::BTreeMap;
use std::sync::Arc;

use pinion_runtime::caps::Caps;
use pinion_runtime::component::Component;
use pinion_runtime::pipeline::{Pipeline, SourceName, StepDecl, StepName};
use pinion_runtime::plan::{self, Given, Plan, PlanError, PlannedStep, Tools};
use pinion_runtime::record::{SourceFile, StepRecord};
use pinion_runtime::run::{self, Amount, Ended, Mode, Observer, Options};
use pinion_runtime::sandbox::{Data, Descriptor, Sandbox, StepError};
use pinion_runtime::store::{Store, StoreError};

use crate::clock;
use crate::failure::Failure;
use crate::project::{cancelled, end_in_good_order, sandbox, threads};

/// Where single steps run and what they make is kept.
pub(crate) struct Alone {
    pub(crate) store: Arc<Store>,
    data: Arc<dyn Data>,
    sandbox: Sandbox,
}

/// What a step reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads {
    /// The files of sources.
    pub(crate) sources: BTreeMap<SourceName, Vec<SourceFile>>,
    /// What other steps have put out.
    pub(crate) given: BTreeMap<StepName, Vec<Given>>,
}

impl Alone {
    /// Keeps what is made in `store`; `data` has what is read. No step may use more than `caps`.
    pub(crate) fn new(store: Arc<Store>, data: Arc<dyn Data>, caps: Caps) -> Result<Self, Failure> {
        Ok(Self {
            store,
            data,
            sandbox: sandbox(threads(None), caps)?,
        })
    }

    /// What no step may use more than.
    pub(crate) fn caps(&self) -> &Caps {
        self.sandbox.caps()
    }

    /// What a component tells of itself.
    pub(crate) fn describe(&self, component: &Component) -> Result<Descriptor, StepError> {
        let bytes = || Ok(component.bytes.to_vec());
        let program = self.sandbox.program(component.digest, &bytes)?;
        self.sandbox.describe(&program, cancelled())
    }

    /// Binds and checks a step. Of the pipeline, the seed and the layout count.
    pub(crate) fn plan(
        &self,
        pipeline: &Pipeline,
        declared: &StepDecl,
        component: Component,
        reads: Reads,
    ) -> Result<Plan, PlanError> {
        let Reads { sources, given } = reads;
        plan::resolve_alone(pipeline, declared, component, sources, given, self.tools())
    }

    /// Runs the step of a plan, all of it or the unit at `position` alone.
    pub(crate) fn run(
        &self,
        plan: &Plan,
        position: Option<u64>,
        mode: Mode,
    ) -> Result<Ended, Failure> {
        end_in_good_order();
        let elapsed = clock::elapsed();
        let options = Options {
            mode,
            threads: threads(None),
            keep_going: false,
            clock: &*elapsed,
            observer: &Silent,
        };
        Ok(run::alone(plan, position, self.tools(), options)?)
    }

    fn tools(&self) -> Tools<'_> {
        Tools {
            store: &self.store,
            sandbox: &self.sandbox,
            data: &self.data,
            cancel: cancelled(),
        }
    }
}

/// Shows nothing.
struct Silent;

impl Observer for Silent {
    fn wanted(&self, _step: &PlannedStep, _units: u64) {}
    fn obtained(&self, _step: &PlannedStep, _ran: Option<Amount>) {}
    fn ended(&self, _record: &StepRecord, _again: bool) {}
    fn lost(&self, _step: &PlannedStep, _error: &StoreError) {}
}

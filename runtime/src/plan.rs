//! From a pipeline to a plan: every component there, every port bound, every type checked.
//!
//! After [`resolve`] there is nothing left to look up. It reads no data but what a source must look at
//! to say which columns its files have.

mod error;
mod shapes;

pub(crate) use shapes::{check_key, describe_key, probe_key, remembered};
pub use shapes::{introduce, strangers};

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow_schema::FieldRef;
use serde_json::Value;

pub use error::PlanError;

use crate::arrow::format::WireField;
use crate::caps::Caps;
use crate::component::Component;
use crate::digest::ComponentDigest;
use crate::error::Place;
use crate::lock::{LockedComponent, LockedFile, Lockfile};
use crate::pipeline::{
    Columns, From, InputRef, Layout, Pipeline, SourceName, StepDecl, StepName, canonical_json,
};
use crate::record::SourceFile;
use crate::sandbox::{Cancel, Data, Descriptor, Kind, Port, Program, Sandbox, StepError};
use crate::source::media_type;
use crate::store::Store;
use crate::unit::{self, Blob, Call, Input, InputContent, Limits, Shape, ShapeContent, Unit};

/// What resolving and running a plan needs besides the plan.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Where results are kept.
    pub store: &'a Store,
    /// Where components run.
    pub sandbox: &'a Sandbox,
    /// Where columns and blobs are to be had.
    pub data: &'a Arc<dyn Data>,
    /// Whether to go on.
    pub cancel: &'static dyn Cancel,
}

/// A resolved, checked and ordered pipeline.
#[derive(Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// The pipeline's seed.
    pub seed: u64,
    /// How tables are cut.
    pub layout: Layout,
    /// The pipeline's params, overrides included.
    pub params: BTreeMap<String, Value>,
    /// The files of every source, in byte order of their paths.
    pub sources: BTreeMap<SourceName, Vec<SourceFile>>,
    /// What the limits of all steps are within.
    pub caps: Caps,
    /// The steps; each reads only from those before it.
    pub steps: Vec<PlannedStep>,
    /// Where each of them is.
    positions: BTreeMap<StepName, usize>,
    /// What steps that are not among them have put out.
    given: BTreeMap<StepName, Vec<Given>>,
}

/// A step that is ready to run.
#[derive(Debug)]
pub struct PlannedStep {
    /// The step.
    pub name: StepName,
    /// The component, as the pipeline has it.
    pub reference: String,
    /// The component with its bytes.
    pub component: Component,
    /// What it tells of itself.
    pub descriptor: Descriptor,
    /// Canonical JSON.
    pub params: Arc<str>,
    /// The bound input ports, in port order.
    pub inputs: Vec<PlannedInput>,
    /// The checked shapes of every output port, in port order.
    pub outputs: Vec<Shape>,
    /// The fields that a source's files have.
    pub probed: Option<Vec<FieldRef>>,
    /// What a unit may use.
    pub limits: Limits,
    /// Where the pipeline declares it.
    pub place: Place,
}

/// A bound input port.
#[derive(Clone, Debug)]
pub struct PlannedInput {
    /// The port.
    pub port: Arc<str>,
    /// Whether it is the main table.
    pub main: bool,
    /// What it reads.
    pub from: Origin,
    /// Columns of the table that the step is not handed, in the order of the table.
    pub withheld: Vec<String>,
    /// Where the pipeline says so.
    pub place: Place,
}

/// What an input reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The files of a source.
    Source(SourceName),
    /// An output of an earlier step.
    Step {
        /// Position among the steps.
        step: usize,
        /// Position among its output ports.
        output: usize,
    },
    /// What is there already, of a step that is not in the plan.
    Given {
        /// What the pipeline calls it: `split.after`.
        name: String,
        /// The table or blob.
        content: InputContent,
    },
}

/// What a step that is not in a plan has put out at one of its ports.
#[derive(Clone, Debug)]
pub struct Given {
    /// The output port.
    pub port: String,
    /// The table or blob.
    pub content: InputContent,
}

impl Plan {
    /// The lockfile that says what this plan runs.
    pub fn lockfile(&self) -> Lockfile {
        let mut lock = Lockfile::new(unit::SEMANTICS, self.layout);
        for step in &self.steps {
            let component = &step.component;
            lock.components.insert(
                component.key.clone(),
                LockedComponent {
                    origin: component.origin.clone(),
                    digest: component.digest,
                    // Whatever a step is not given is refused before this.
                    capabilities: std::collections::BTreeSet::new(),
                },
            );
            if let Some(fields) = &step.probed {
                lock.probes.insert(step.name.clone(), unit::wire(fields));
            }
        }
        for (name, files) in &self.sources {
            let locked = |file: &SourceFile| {
                (
                    file.path.clone(),
                    LockedFile {
                        digest: file.digest,
                        size_bytes: file.size_bytes,
                    },
                )
            };
            lock.sources
                .insert(name.clone(), files.iter().map(locked).collect());
        }
        lock
    }

    /// Position of a step.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    fn empty(
        pipeline: &Pipeline,
        sources: BTreeMap<SourceName, Vec<SourceFile>>,
        given: BTreeMap<StepName, Vec<Given>>,
        caps: Caps,
    ) -> Self {
        Self {
            caps,
            name: pipeline.name.clone(),
            seed: pipeline.seed,
            layout: pipeline.layout,
            params: pipeline.params.clone(),
            sources,
            steps: Vec::with_capacity(pipeline.steps.len()),
            positions: BTreeMap::new(),
            given,
        }
    }

    fn push(&mut self, step: PlannedStep) {
        self.positions.insert(step.name.clone(), self.steps.len());
        self.steps.push(step);
    }

    /// What an origin is called in the pipeline: `sources.flights`, `split.after`.
    pub fn origin_name(&self, origin: &Origin) -> String {
        match origin {
            Origin::Source(name) => format!("sources.{name}"),
            Origin::Step { step, output } => {
                let step = &self.steps[*step];
                format!("{}.{}", step.name, step.outputs[*output].port)
            }
            Origin::Given { name, .. } => name.clone(),
        }
    }

    /// The plan with only the steps named and those that they read from, directly or not.
    ///
    /// # Errors
    /// [`PlanError::UnknownStep`].
    pub fn only(mut self, names: &[String]) -> Result<Self, PlanError> {
        if names.is_empty() {
            return Ok(self);
        }
        let mut needed = vec![false; self.steps.len()];
        for name in names {
            let at = self.position(name).ok_or_else(|| PlanError::UnknownStep {
                name: name.clone(),
                known: self
                    .steps
                    .iter()
                    .map(|step| step.name.to_string())
                    .collect(),
            })?;
            needed[at] = true;
        }
        for at in (0..self.steps.len()).rev() {
            if needed[at] {
                for input in &self.steps[at].inputs {
                    if let Origin::Step { step, .. } = input.from {
                        needed[step] = true;
                    }
                }
            }
        }
        let mut moved = vec![0; self.steps.len()];
        self.positions.clear();
        for (at, mut step) in std::mem::take(&mut self.steps).into_iter().enumerate() {
            if needed[at] {
                for input in &mut step.inputs {
                    if let Origin::Step { step, .. } = &mut input.from {
                        *step = moved[*step];
                    }
                }
                moved[at] = self.steps.len();
                self.push(step);
            }
        }
        Ok(self)
    }
}

impl PlannedStep {
    /// The compiled component.
    ///
    /// # Errors
    /// [`StepError::BadComponent`].
    pub fn program(&self, sandbox: &Sandbox) -> Result<Arc<Program>, StepError> {
        sandbox.program(self.component.digest, &|| Ok(self.component.bytes.to_vec()))
    }

    /// The component's digest.
    pub fn digest(&self) -> ComponentDigest {
        self.component.digest
    }

    /// A unit of this step.
    pub fn unit(&self, plan: &Plan, call: Call, inputs: Vec<Input>, position: Option<u64>) -> Unit {
        Unit {
            component: self.component.digest,
            call,
            params: Arc::clone(&self.params),
            seed: plan.seed,
            position,
            batch_rows: plan.layout.batch_rows,
            partition_batches: plan.layout.partition_batches,
            inputs,
            outputs: self.outputs.clone(),
            limits: self.limits,
        }
    }
}

/// A source's file as the input of a unit.
pub fn file_input(file: &SourceFile, port: &str) -> Input {
    let blob = Blob {
        digest: file.digest,
        len: file.size_bytes,
        media_type: media_type(&file.path).to_owned(),
    };
    Input {
        port: port.into(),
        main: false,
        content: InputContent::Blob(blob),
    }
}

/// Makes sure that the pipeline has these steps.
///
/// # Errors
/// [`PlanError::UnknownStep`].
pub fn refuse_unknown(pipeline: &Pipeline, names: &[String]) -> Result<(), PlanError> {
    match names.iter().find(|name| pipeline.step(name).is_none()) {
        None => Ok(()),
        Some(name) => Err(PlanError::UnknownStep {
            name: name.clone(),
            known: pipeline
                .steps
                .iter()
                .map(|step| step.name.to_string())
                .collect(),
        }),
    }
}

/// Binds and checks every step.
///
/// `components` has one for each step, `sources` the files of each source.
///
/// # Errors
/// [`PlanError`]; the first in pipeline order.
pub fn resolve(
    pipeline: &Pipeline,
    mut components: BTreeMap<StepName, Component>,
    sources: BTreeMap<SourceName, Vec<SourceFile>>,
    tools: Tools<'_>,
) -> Result<Plan, PlanError> {
    let mut plan = Plan::empty(
        pipeline,
        sources,
        BTreeMap::new(),
        tools.sandbox.caps().clone(),
    );
    // Many steps of one component are the rule, and it says the same of itself each time.
    let mut described = BTreeMap::new();
    for declared in &pipeline.steps {
        let component =
            components
                .remove(&declared.name)
                .ok_or_else(|| PlanError::NoComponent {
                    step: declared.name.to_string(),
                })?;
        let step = resolve_step(&plan, declared, component, &mut described, tools)?;
        plan.push(step);
    }
    Ok(plan)
}

/// Binds and checks one step of a pipeline, which reads what `given` says that the steps before it have put
/// out. It is the only step of the plan.
///
/// # Errors
/// [`PlanError`]; a step that reads what is not given reads what is unknown.
pub fn resolve_alone(
    pipeline: &Pipeline,
    declared: &StepDecl,
    component: Component,
    sources: BTreeMap<SourceName, Vec<SourceFile>>,
    given: BTreeMap<StepName, Vec<Given>>,
    tools: Tools<'_>,
) -> Result<Plan, PlanError> {
    let mut plan = Plan::empty(pipeline, sources, given, tools.sandbox.caps().clone());
    let step = resolve_step(&plan, declared, component, &mut BTreeMap::new(), tools)?;
    plan.push(step);
    Ok(plan)
}

fn resolve_step(
    plan: &Plan,
    declared: &StepDecl,
    component: Component,
    described: &mut BTreeMap<ComponentDigest, Descriptor>,
    tools: Tools<'_>,
) -> Result<PlannedStep, PlanError> {
    let failed = |error| PlanError::Component {
        step: declared.name.to_string(),
        reference: declared.component.to_string(),
        place: declared.component_place.clone(),
        error,
    };
    let descriptor = match described.entry(component.digest) {
        Entry::Occupied(known) => known.get().clone(),
        Entry::Vacant(new) => {
            let descriptor = shapes::describe(&component, tools).map_err(failed)?;
            new.insert(descriptor).clone()
        }
    };
    declared
        .check_params(&descriptor.params_schema)
        .map_err(PlanError::Params)?;
    let params = canonical_json(&declared.params);
    let inputs = bind(plan, declared, &descriptor)?;
    let mut step = PlannedStep {
        name: declared.name.clone(),
        reference: declared.component.to_string(),
        component,
        params: params.into(),
        inputs,
        outputs: Vec::new(),
        probed: None,
        limits: limits(declared, &plan.caps)?,
        place: declared.place.clone(),
        descriptor,
    };
    let given = match step.descriptor.kind {
        Kind::Source => {
            let fields = probe(plan, declared, &step, tools)?;
            step.probed = Some(fields.clone());
            vec![Shape::new("probe".into(), ShapeContent::Table(fields))]
        }
        _ => step
            .inputs
            .iter()
            .map(|input| shape_of(plan, input))
            .collect(),
    };
    step.outputs = shapes::check(&step, &given, tools)
        .map_err(|error| error::refusal(plan, declared, &step, &given, error))?;
    Ok(step)
}

/// Makes sure that no step of a pipeline asks for more than it may have.
///
/// # Errors
/// [`PlanError::BeyondCap`]; that of the first in pipeline order.
pub fn refuse_beyond(pipeline: &Pipeline, caps: &Caps) -> Result<(), PlanError> {
    pipeline
        .steps
        .iter()
        .try_for_each(|declared| limits(declared, caps).map(drop))
}

/// The limits of a step: what it asks for, which must be within the caps, and the defaults, lowered to them.
fn limits(declared: &StepDecl, caps: &Caps) -> Result<Limits, PlanError> {
    for (limit, cap) in caps.iter() {
        if let Some(asked) = declared.limits.get(limit).filter(|asked| *asked > cap.most) {
            return Err(PlanError::BeyondCap {
                step: declared.name.to_string(),
                limit,
                asked,
                cap: cap.clone(),
                place: declared
                    .limits_place
                    .as_ref()
                    .unwrap_or(&declared.place)
                    .clone(),
            });
        }
    }
    let (asked, default) = (declared.limits, Limits::default());
    Ok(caps.lower(Limits {
        fuel: asked.fuel.unwrap_or(default.fuel),
        memory_bytes: asked.memory_bytes.unwrap_or(default.memory_bytes),
        output_bytes: asked.output_bytes.unwrap_or(default.output_bytes),
        scratch_bytes: asked.scratch_bytes.unwrap_or(default.scratch_bytes),
        log_bytes: asked.log_bytes.unwrap_or(default.log_bytes),
        time_ms: asked.time_ms.unwrap_or(default.time_ms),
    }))
}

/// Binds the declared inputs to the described ports, in port order.
fn bind(
    plan: &Plan,
    declared: &StepDecl,
    descriptor: &Descriptor,
) -> Result<Vec<PlannedInput>, PlanError> {
    let step = declared.name.to_string();
    let mut bound: BTreeMap<usize, PlannedInput> = BTreeMap::new();
    for input in &declared.inputs {
        let at = match &input.port {
            Some(name) => descriptor.inputs.iter().position(|port| port.name == *name),
            // A plain `input` is the main table, or the only port there is.
            None => descriptor
                .inputs
                .iter()
                .position(|port| port.main)
                .or_else(|| (descriptor.inputs.len() == 1).then_some(0)),
        };
        let Some(at) = at else {
            return Err(PlanError::UnknownPort {
                step,
                port: input.port.clone(),
                known: descriptor
                    .inputs
                    .iter()
                    .map(|port| port.name.clone())
                    .collect(),
                place: input.place.clone(),
            });
        };
        let port = &descriptor.inputs[at];
        let from = origin(plan, &step, input)?;
        let planned = PlannedInput {
            port: port.name.as_str().into(),
            main: port.main && !port.blob,
            withheld: withheld(plan, &step, port, input, &from)?,
            from,
            place: input.place.clone(),
        };
        check_kind(plan, &step, descriptor, port, &planned)?;
        bound.insert(at, planned);
    }
    for (at, port) in descriptor.inputs.iter().enumerate() {
        if !port.optional && !bound.contains_key(&at) {
            return Err(PlanError::Unbound {
                step,
                port: port.name.clone(),
                expected: wanted(descriptor, port),
                doc: port.doc.clone(),
                write: inputs_with(plan, descriptor, &bound, port),
                place: declared.place.clone(),
            });
        }
    }
    Ok(bound.into_values().collect())
}

/// The columns of what `from` makes that the pipeline keeps from the step, in the order of the table.
fn withheld(
    plan: &Plan,
    step: &str,
    port: &Port,
    input: &InputRef,
    from: &Origin,
) -> Result<Vec<String>, PlanError> {
    let (names, only, place) = match &input.columns {
        Columns::All => return Ok(Vec::new()),
        Columns::Only(names, place) => (names, true, place),
        Columns::Except(names, place) => (names, false, place),
    };
    let fields = match from {
        Origin::Step { step, output } => match &plan.steps[*step].outputs[*output].content {
            ShapeContent::Table(fields) => Some(fields),
            ShapeContent::Blob(_) => None,
        },
        Origin::Given {
            content: InputContent::Table(table),
            ..
        } => Some(&table.fields),
        Origin::Given { .. } | Origin::Source(_) => None,
    };
    let fields = fields.ok_or_else(|| PlanError::NoColumns {
        step: step.to_owned(),
        port: port.name.clone(),
        from: plan.origin_name(from),
        place: place.clone(),
    })?;
    let known = || fields.iter().map(|field| field.name());
    if let Some(missing) = names
        .iter()
        .find(|name| !known().any(|known| known == *name))
    {
        return Err(PlanError::UnknownColumn {
            step: step.to_owned(),
            column: missing.clone(),
            from: plan.origin_name(from),
            known: known().cloned().collect(),
            place: place.clone(),
        });
    }
    Ok(known()
        .filter(|name| names.contains(name) != only)
        .cloned()
        .collect())
}

/// What belongs to an input port.
fn wanted(descriptor: &Descriptor, port: &Port) -> String {
    match (descriptor.kind, port.blob, port.accepts.as_slice()) {
        (Kind::Source, _, _) => "a source".to_owned(),
        (_, false, _) => "a table".to_owned(),
        (_, true, []) => "a blob".to_owned(),
        (_, true, accepts) => accepts.join(" or "),
    }
}

/// What the pipeline would say with something at `port` too.
fn inputs_with(
    plan: &Plan,
    descriptor: &Descriptor,
    bound: &BTreeMap<usize, PlannedInput>,
    port: &Port,
) -> String {
    let from = if descriptor.kind == Kind::Source {
        "sources.…"
    } else {
        "…"
    };
    if descriptor.inputs.len() == 1 {
        return format!("input = \"{from}\"");
    }
    let bound = bound.values().map(|input| {
        let from = match &input.from {
            Origin::Step { step, .. } if plan.steps[*step].outputs.len() == 1 => {
                plan.steps[*step].name.to_string()
            }
            from => plan.origin_name(from),
        };
        format!("{} = \"{from}\"", input.port)
    });
    let missing = format!("{} = \"{from}\"", port.name);
    let inputs: Vec<String> = bound.chain([missing]).collect();
    format!("inputs = {{ {} }}", inputs.join(", "))
}

fn origin(plan: &Plan, step: &str, input: &InputRef) -> Result<Origin, PlanError> {
    match &input.from {
        From::Source(name) => Ok(Origin::Source(name.clone())),
        From::Step { name, port } => {
            if let Some(outputs) = plan.given.get(name) {
                return given(step, name, port.as_deref(), outputs, input);
            }
            let upstream = plan
                .position(name.as_str())
                .ok_or_else(|| PlanError::UnknownStep {
                    name: name.to_string(),
                    known: plan
                        .steps
                        .iter()
                        .map(|step| step.name.to_string())
                        .collect(),
                })?;
            let outputs = &plan.steps[upstream].outputs;
            let output = match port {
                Some(port) => outputs.iter().position(|shape| *shape.port == **port),
                None => (outputs.len() == 1).then_some(0),
            };
            let output = output.ok_or_else(|| PlanError::UnknownOutput {
                step: step.to_owned(),
                upstream: name.to_string(),
                port: port.clone(),
                known: outputs.iter().map(|shape| shape.port.to_string()).collect(),
                place: input.place.clone(),
            })?;
            Ok(Origin::Step {
                step: upstream,
                output,
            })
        }
    }
}

/// What a step that is not in the plan has put out.
fn given(
    step: &str,
    name: &StepName,
    port: Option<&str>,
    outputs: &[Given],
    input: &crate::pipeline::InputRef,
) -> Result<Origin, PlanError> {
    let output = match (port, outputs) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(port), _) => outputs.iter().find(|output| output.port == port),
    };
    let output = output.ok_or_else(|| PlanError::UnknownOutput {
        step: step.to_owned(),
        upstream: name.to_string(),
        port: port.map(str::to_owned),
        known: outputs.iter().map(|output| output.port.clone()).collect(),
        place: input.place.clone(),
    })?;
    Ok(Origin::Given {
        name: format!("{name}.{}", output.port),
        content: output.content.clone(),
    })
}

/// Tables go to table ports, blobs to blob ports that accept them, and files to sources and blob ports.
fn check_kind(
    plan: &Plan,
    step: &str,
    descriptor: &Descriptor,
    port: &Port,
    input: &PlannedInput,
) -> Result<(), PlanError> {
    let found = match &input.from {
        Origin::Source(name) => {
            if descriptor.kind == Kind::Source {
                return Ok(());
            }
            let files = plan
                .sources
                .get(name)
                .map(Vec::as_slice)
                .unwrap_or_default();
            match files {
                [file] if port.blob => media_type(&file.path).to_owned(),
                _ if port.blob => format!("{} files", files.len()),
                _ => "files".to_owned(),
            }
        }
        Origin::Step { step, output } => match &plan.steps[*step].outputs[*output].content {
            ShapeContent::Table(_) if port.blob || descriptor.kind == Kind::Source => {
                "a table".to_owned()
            }
            ShapeContent::Table(_) => return Ok(()),
            ShapeContent::Blob(media_type) => media_type.clone(),
        },
        Origin::Given { content, .. } => match content {
            InputContent::Table(_) if port.blob || descriptor.kind == Kind::Source => {
                "a table".to_owned()
            }
            InputContent::Table(_) => return Ok(()),
            InputContent::Blob(blob) => blob.media_type.clone(),
        },
    };
    let is_blob = found.contains('/');
    if port.blob && is_blob && (port.accepts.is_empty() || port.accepts.contains(&found)) {
        return Ok(());
    }
    Err(PlanError::WrongKind {
        step: step.to_owned(),
        port: port.name.clone(),
        expected: wanted(descriptor, port),
        found: format!("{found} from `{}`", plan.origin_name(&input.from)),
        place: input.place.clone(),
    })
}

fn shape_of(plan: &Plan, input: &PlannedInput) -> Shape {
    let content = match &input.from {
        Origin::Source(name) => {
            let file = plan.sources.get(name).and_then(|files| files.first());
            ShapeContent::Blob(
                file.map_or("application/octet-stream", |file| media_type(&file.path))
                    .to_owned(),
            )
        }
        Origin::Step { step, output } => match &plan.steps[*step].outputs[*output].content {
            ShapeContent::Table(fields) => ShapeContent::Table(handed(fields, &input.withheld)),
            blob @ ShapeContent::Blob(_) => blob.clone(),
        },
        Origin::Given { content, .. } => match content {
            InputContent::Table(table) => {
                ShapeContent::Table(handed(&table.fields, &input.withheld))
            }
            InputContent::Blob(blob) => ShapeContent::Blob(blob.media_type.clone()),
        },
    };
    Shape::new(Arc::clone(&input.port), content)
}

/// The fields that are not withheld.
fn handed(fields: &[FieldRef], withheld: &[String]) -> Vec<FieldRef> {
    let fields = fields.iter();
    let handed = fields.filter(|field| !withheld.contains(field.name()));
    handed.cloned().collect()
}

/// The refusal of a source that was not given files.
fn reads_a_step(plan: &Plan, declared: &StepDecl, step: &PlannedStep) -> PlanError {
    let name = step.name.to_string();
    match (step.inputs.first(), declared.inputs.first()) {
        (Some(input), Some(written)) => PlanError::WrongKind {
            step: name,
            port: input.port.to_string(),
            expected: "files, as in `sources.NAME`".to_owned(),
            found: format!("what comes from `{}`", plan.origin_name(&input.from)),
            place: written.place.clone(),
        },
        _ => PlanError::NoComponent { step: name },
    }
}

/// The fields of a source's files, which must agree.
fn probe(
    plan: &Plan,
    declared: &StepDecl,
    step: &PlannedStep,
    tools: Tools<'_>,
) -> Result<Vec<FieldRef>, PlanError> {
    let Some(Origin::Source(name)) = step.inputs.first().map(|input| &input.from) else {
        return Err(reads_a_step(plan, declared, step));
    };
    let files = plan
        .sources
        .get(name)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut first: Option<(&SourceFile, Vec<FieldRef>)> = None;
    for file in files {
        let fields = shapes::probe(plan, step, file, tools).map_err(|error| PlanError::Probe {
            step: step.name.to_string(),
            file: file.path.clone(),
            place: declared.place.clone(),
            error,
        })?;
        match &first {
            None => first = Some((file, fields)),
            Some((_, expected)) if *expected == fields => {}
            Some((other, expected)) => {
                return Err(error::files_differ(
                    declared,
                    (other, expected),
                    (file, &fields),
                ));
            }
        }
    }
    Ok(first.map(|(_, fields)| fields).unwrap_or_default())
}

/// Fields in their stored form.
pub(crate) type WireFields = Vec<WireField>;

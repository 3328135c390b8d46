//! A run of the past, as far as it takes to run it again: its texts, its params and its components.

use std::collections::BTreeMap;

use pinion_runtime::component::{Component, Places, Resolved, refuse_unreleased, resolve};
use pinion_runtime::digest::{ComponentDigest, Digest};
use pinion_runtime::lock::Lockfile;
use pinion_runtime::pipeline::{Pipeline, StepName};
use pinion_runtime::record::{RunOutcome, RunRecord};

use crate::failure::Failure;
use crate::lookup;
use crate::project::{LOCK, Project};
use crate::std_components::standard;
use crate::verb::run::outcome_name;

/// What a recorded run was given, but for its sources.
pub(crate) struct Recorded {
    /// The pipeline file's text.
    pub(crate) pipeline_text: String,
    /// The lockfile's text.
    pub(crate) lock_text: String,
    /// The pipeline, with the params of then.
    pub(crate) pipeline: Pipeline,
    /// The locked component of every step.
    pub(crate) components: BTreeMap<StepName, Component>,
}

impl Recorded {
    /// Finds what a run was given. Components come from the store by their digests, else from the project or
    /// the binary, if they are the locked ones there.
    pub(crate) fn open(project: &Project, record: &RunRecord) -> Result<Self, Failure> {
        let text = |digest: &Digest| -> Result<String, Failure> {
            let bytes = project.store.blob(digest)?;
            String::from_utf8(bytes.to_vec())
                .map_err(|_| Failure::wrong("the recorded pipeline is not UTF-8"))
        };
        let pipeline_text = text(&record.start.pipeline_text)?;
        let lock_text = text(&record.start.lock_text)?;
        let pipeline = lookup::pipeline(&pipeline_text, record)?;
        let lock = Lockfile::parse(&lock_text, LOCK)?;
        let components = components(project, &pipeline, &lock)?;
        Ok(Self {
            pipeline_text,
            lock_text,
            pipeline,
            components,
        })
    }
}

/// The run of this name, or the last of the project's pipeline that succeeded; a run that did not is of no use to
/// `purpose`.
pub(crate) fn succeeded(
    project: &Project,
    run: Option<&str>,
    purpose: &str,
) -> Result<RunRecord, Failure> {
    let record = match run {
        Some(text) => lookup::by_id(&project.store, text)?,
        None => {
            let is_wanted = |run: &RunRecord| run.outcome() == RunOutcome::Succeeded;
            lookup::last(project, 1, is_wanted)?.pop().ok_or_else(|| {
                let named = project.pipeline_name();
                let of = named.map_or(String::new(), |name| format!(" of pipeline `{name}`"));
                Failure::wrong(format!("there is no succeeded run{of} to {purpose}"))
                    .hint("to make one, run `pinion run`")
            })?
        }
    };
    if record.outcome() != RunOutcome::Succeeded {
        let how = match record.outcome() {
            RunOutcome::Cancelled | RunOutcome::Interrupted => "was ",
            RunOutcome::Failed | RunOutcome::Succeeded => "",
        };
        return Err(Failure::wrong(format!(
            "run {} {how}{}, so there is nothing to {purpose}",
            record.start.id,
            outcome_name(record.outcome())
        )));
    }
    Ok(record)
}

fn components(
    project: &Project,
    pipeline: &Pipeline,
    lock: &Lockfile,
) -> Result<BTreeMap<StepName, Component>, Failure> {
    let standard = standard();
    let kept = |digest: &ComponentDigest| {
        project
            .store
            .component(digest)
            .map(|bytes| bytes.map(bytes::Bytes::from))
            .map_err(std::io::Error::other)
    };
    let places = Places {
        project: &project.dir,
        standard,
        kept: &kept,
        is_standard: &|key, digest| project.is_standard(key, digest),
    };
    let mut components = BTreeMap::new();
    for step in &pipeline.steps {
        let locked = lock.component(&step.component);
        if let Some((key, locked)) = locked {
            refuse_unreleased(key, locked, places).map_err(|error| error.used_by(step))?;
        }
        let component = match locked
            .and_then(|(key, locked)| Some((key, locked, kept(&locked.digest).ok()??)))
        {
            Some((key, locked, bytes)) => Component {
                key: key.clone(),
                origin: locked.origin.clone(),
                digest: locked.digest,
                bytes,
            },
            None => match resolve(&step.component, locked, places, true)
                .map_err(|error| error.used_by(step))?
            {
                Resolved::Component(component) => component,
                Resolved::Unbuilt { path, .. } => {
                    return Err(Failure::wrong(format!(
                        "the component built from `{path}` is gone"
                    )));
                }
            },
        };
        components.insert(step.name.clone(), component);
    }
    Ok(components)
}

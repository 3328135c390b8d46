//! A whole pipeline of standard steps, run in this process over any store.
//!
//! What the command line does around a run is left out, but for what the store sees of it. Components are
//! compiled once for all runs of the process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::arrow::chunk;
use pinion_runtime::component::Component;
use pinion_runtime::digest::{ComponentDigest, Digest};
use pinion_runtime::lock::{ComponentKey, Origin};
use pinion_runtime::pipeline::{ComponentRef, Pipeline, StepDecl, StepName};
use pinion_runtime::plan::{self, PlannedStep, Tools};
use pinion_runtime::record::{
    Artifact, RECORD_VERSION, RunId, RunOutcome, RunStart, SourceFile, StepRecord,
};
use pinion_runtime::run::{self, Amount, Ended, Mode, Observer, Options, StoreData};
use pinion_runtime::sandbox::Data;
use pinion_runtime::source::{self, Trust};
use pinion_runtime::store::{Key, Store, StoreError};
use pinion_runtime::unit::SEMANTICS;
use tempfile::TempDir;

use crate::fixtures;
use crate::step::{NEVER, sandbox};

/// The key of stores that tests open by themselves. The one of the binary that is tested is another.
pub fn key() -> Key {
    Key::new(&[7; 32], &[7; 32])
}

/// A pipeline with its source files and its components.
pub struct Whole {
    directory: TempDir,
    text: String,
    pipeline: Pipeline,
    components: BTreeMap<StepName, Component>,
}

/// What must not differ between two runs of a pipeline: the run digest, and each step's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// Of the whole run.
    pub run: Digest,
    /// By step and port.
    pub outputs: BTreeMap<(String, String), Artifact>,
}

/// Why a run did not end well: an error with everything that caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub String);

/// What became of an artifact that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// All of it is there, and is what its digest says.
    Right,
    /// Something of it is gone or damaged, and that was said.
    Missed,
}

/// Components of so many bytes are not put into the store, where each look at all of it would hash them once
/// more: most of the time of a test would go into that.
const KEPT_BELOW_BYTES: usize = 1 << 20;

impl Whole {
    /// A pipeline whose text is `text`, with source files by path and contents.
    ///
    /// # Panics
    /// If it is none, or uses other components than standard ones.
    pub fn new(text: &str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        for (path, contents) in files {
            let path = directory.path().join(path);
            let parent = path.parent().unwrap_or(directory.path());
            let written =
                std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, contents));
            written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        let pipeline = Pipeline::parse(text, "pinion.toml", &[]);
        let pipeline = pipeline.unwrap_or_else(|error| panic!("{error}"));
        let components = pipeline.steps.iter();
        let components = components.map(|step| (step.name.clone(), component(step)));
        Self {
            directory,
            text: text.to_owned(),
            components: components.collect(),
            pipeline,
        }
    }

    /// Whether runs put a component into the store.
    pub fn keeps(&self, component: &ComponentDigest) -> bool {
        let mut kept = self.kept();
        kept.any(|kept| kept.digest == *component)
    }

    fn kept(&self) -> impl Iterator<Item = &Component> {
        let small = |component: &&Component| component.bytes.len() < KEPT_BELOW_BYTES;
        self.components.values().filter(small)
    }

    /// Runs it on so many threads, as the run `id`.
    ///
    /// # Errors
    /// [`Failed`], if it did not end well, for whatever reason.
    pub fn run(&self, store: &Arc<Store>, id: &RunId, threads: usize) -> Result<Results, Failed> {
        self.run_handing(store, id, threads, |data| data)
    }

    /// The same, where steps are handed what `hand` makes of the data that there is.
    ///
    /// # Errors
    /// [`Failed`], if it did not end well, for whatever reason.
    pub fn run_handing(
        &self,
        store: &Arc<Store>,
        id: &RunId,
        threads: usize,
        hand: impl FnOnce(Arc<dyn Data>) -> Arc<dyn Data>,
    ) -> Result<Results, Failed> {
        let project = Dir::open_ambient_dir(self.directory.path(), ambient_authority());
        let project = project.map_err(|error| Failed::new(&error))?;
        for component in self.kept() {
            if !store.has_component(&component.digest) {
                let put = store.put_component(&component.bytes);
                put.map_err(|error| Failed::new(&error))?;
            }
        }
        let mut sources = BTreeMap::new();
        for declared in &self.pipeline.sources {
            let files = source::scan(&project, declared, store, Trust::Remembered, threads);
            sources.insert(
                declared.name.clone(),
                files.map_err(|error| Failed::new(&error))?,
            );
        }
        let files: Vec<SourceFile> = sources.values().flatten().cloned().collect();
        let data = hand(Arc::new(StoreData::new(
            Arc::clone(store),
            Some(project),
            files,
        )));
        let tools = Tools {
            store,
            sandbox: sandbox(),
            data: &data,
            cancel: &NEVER,
        };
        let strangers = plan::strangers(self.components.values(), tools);
        plan::introduce(&strangers, threads, tools);
        let plan = plan::resolve(&self.pipeline, self.components.clone(), sources, tools);
        let plan = plan.map_err(|error| Failed::new(&error))?;
        let kept = |text: &str| {
            let put = store.put_blob(text.as_bytes());
            put.map(|(digest, _)| digest)
                .map_err(|error| Failed::new(&error))
        };
        let start = RunStart {
            format: RECORD_VERSION,
            id: id.clone(),
            pipeline: plan.name.clone(),
            semantics: SEMANTICS.to_owned(),
            seed: plan.seed,
            layout: plan.layout,
            pipeline_text: kept(&self.text)?,
            lock_text: kept(&plan.lockfile().to_text())?,
            params: plan.params.clone(),
            sources: plan.sources.clone(),
            steps: plan.steps.iter().map(|step| step.name.clone()).collect(),
            started: "2026-11-23T06:15:30Z".to_owned(),
        };
        let mut record = store.create_run(id).map_err(|error| Failed::new(&error))?;
        let options = Options {
            mode: Mode::Cached,
            threads,
            keep_going: false,
            clock: &|| 0,
            observer: &Nobody,
        };
        let now = || "2026-11-23T06:15:31Z".to_owned();
        let ended = run::execute(&plan, tools, options, start, &mut record, &now);
        Results::of(ended.map_err(|error| Failed::new(&error))?)
    }
}

impl Failed {
    fn new(error: &dyn std::error::Error) -> Self {
        Self(crate::step::chain(error))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Results {
    fn of(ended: Ended) -> Result<Self, Failed> {
        if let Some(failure) = ended.failure {
            return Err(Failed::new(&failure.error));
        }
        let (RunOutcome::Succeeded, Some(run)) = (ended.outcome, ended.run_digest) else {
            return Err(Failed(format!("{:?} without a failure", ended.outcome)));
        };
        let outputs = ended.steps.into_iter().flat_map(|step| {
            let name = step.name.to_string();
            let outputs = step.outputs.into_iter();
            outputs.map(move |output| ((name.clone(), output.port), output.artifact))
        });
        Ok(Self {
            run,
            outputs: outputs.collect(),
        })
    }

    /// Reads every artifact to its last value, and says which cannot be had.
    ///
    /// # Panics
    /// If a value is not the one that its digest says: that is what must never happen.
    pub fn read(&self, store: &Store) -> BTreeMap<(String, String), Readable> {
        let read = |artifact: &Artifact| match artifact {
            Artifact::Blob(blob) => store.blob(&blob.digest).map(|bytes| {
                assert_eq!(Digest::of(&bytes), blob.digest, "a wrong blob");
                assert_eq!(bytes.len() as u64, blob.len, "a wrong length");
            }),
            Artifact::Table(summary) => store.present_table(&summary.digest).and_then(|table| {
                assert_eq!(table.digest(), summary.digest, "a wrong table");
                for partition in &table.partitions {
                    for (field, chunk) in table.fields.iter().zip(&partition.columns) {
                        let values = store.load(field, chunk)?;
                        let found = chunk::digest(&*values);
                        let found = found.unwrap_or_else(|error| panic!("{error}"));
                        assert_eq!(found, chunk.digest, "wrong values");
                    }
                }
                Ok(())
            }),
        };
        let outputs = self.outputs.iter();
        let outputs = outputs.map(|(output, artifact)| match read(artifact) {
            Ok(()) => (output.clone(), Readable::Right),
            Err(error) if error.is_miss() => (output.clone(), Readable::Missed),
            Err(error) => panic!("{output:?}: {error}"),
        });
        outputs.collect()
    }
}

fn component(step: &StepDecl) -> Component {
    let ComponentRef::Std { name, .. } = &step.component else {
        panic!("`{}` is no standard component", step.component);
    };
    let bytes = fixtures::standard(name);
    Component {
        key: ComponentKey {
            name: step.component.lock_name(),
            version: "0.1.0".parse().ok(),
        },
        origin: Origin::Std,
        digest: ComponentDigest::of(bytes),
        bytes: bytes.into(),
    }
}

/// Nobody looks.
struct Nobody;

impl Observer for Nobody {
    fn wanted(&self, _: &PlannedStep, _: u64) {}
    fn obtained(&self, _: &PlannedStep, _: Option<Amount>) {}
    fn ended(&self, _: &StepRecord, _: bool) {}
    fn lost(&self, _: &PlannedStep, _: &StoreError) {}
}

//! Where pipelines run: a store in memory, and nothing around it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::component::Component;
use pinion_runtime::lineage::{Lineage, Node};
use pinion_runtime::pipeline::{Pipeline, SourceName, StepName};
use pinion_runtime::plan::{self, PlannedStep, Tools};
use pinion_runtime::record::{
    Artifact, RECORD_VERSION, RunRecord, RunStart, SourceFile, StepRecord,
};
use pinion_runtime::run::{self, Amount, Mode, Observer, Options, StoreData};
use pinion_runtime::sandbox::Data;
use pinion_runtime::store::{Store, StoreError};
use pinion_runtime::table::Table;
use pinion_runtime::unit::SEMANTICS;
use pinion_tests::step::{NEVER, chain, sandbox};
use pinion_tests::whole::key;
use tempfile::TempDir;

use super::data::Source;

/// A store, and how many runs it has seen.
pub(super) struct Ground {
    pub(super) store: Arc<Store>,
    runs: u64,
    _directory: TempDir,
}

/// A pipeline that can be run.
pub(super) struct Runnable {
    pub(super) pipeline: Pipeline,
    pub(super) components: BTreeMap<StepName, Component>,
}

impl Ground {
    /// A new one, in memory if the system has files there.
    pub(super) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let directory = directory.unwrap();
        let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
        Self {
            store: Arc::new(Store::open(dir, key()).unwrap()),
            runs: 0,
            _directory: directory,
        }
    }

    /// Runs a pipeline over these sources to its end.
    ///
    /// # Errors
    /// Why it did not succeed, as people are told.
    pub(super) fn run(
        &mut self,
        runnable: &Runnable,
        sources: &[Source],
        mode: Mode,
    ) -> Result<RunRecord, String> {
        let store = &self.store;
        let mut files: BTreeMap<SourceName, Vec<SourceFile>> = BTreeMap::new();
        for source in sources {
            let (digest, size_bytes) = store.put_blob(&source.bytes()).unwrap();
            let file = SourceFile {
                path: source.path(),
                digest,
                size_bytes,
            };
            files.insert(source.name.parse().unwrap(), vec![file]);
        }
        let data: Arc<dyn Data> = Arc::new(StoreData::new(Arc::clone(store), None, []));
        let tools = Tools {
            store,
            sandbox: sandbox(),
            data: &data,
            cancel: &NEVER,
        };
        let plan = plan::resolve(
            &runnable.pipeline,
            runnable.components.clone(),
            files,
            tools,
        );
        let plan = plan.map_err(|error| chain(&error))?;
        self.runs += 1;
        let id = format!(
            "20261123-{:06}-{:04x}",
            self.runs / 65_536,
            self.runs % 65_536
        );
        let nothing = pinion_runtime::digest::Digest::of(b"");
        let start = RunStart {
            format: RECORD_VERSION,
            id: id.parse().unwrap(),
            pipeline: plan.name.clone(),
            semantics: SEMANTICS.to_owned(),
            seed: plan.seed,
            layout: plan.layout,
            pipeline_text: nothing,
            lock_text: nothing,
            params: BTreeMap::new(),
            sources: plan.sources.clone(),
            steps: plan.steps.iter().map(|step| step.name.clone()).collect(),
            started: String::new(),
        };
        let mut record = store.create_run(&start.id).unwrap();
        let options = Options {
            mode,
            threads: 1,
            keep_going: false,
            clock: &|| 0,
            observer: &Nobody,
        };
        let ended = run::execute(
            &plan,
            tools,
            options,
            start.clone(),
            &mut record,
            &String::new,
        );
        let ended = ended.map_err(|error| chain(&error))?;
        match ended.failure {
            Some(failure) => Err(format!(
                "{}: {}",
                plan.steps[failure.step].reference,
                chain(&failure.error)
            )),
            None => Ok(RunRecord {
                start,
                steps: ended.steps,
                end: None,
            }),
        }
    }

    /// Everything that two runs of one pipeline put out, and whether it differs.
    pub(super) fn differing(&self, first: &RunRecord, second: &RunRecord) -> Vec<(Node, bool)> {
        let mut all = Vec::new();
        let lineage = Lineage::of(first, &self.store).unwrap();
        for step in &first.steps {
            for output in &step.outputs {
                let name = step.name.as_str();
                let nodes = lineage.nodes(name, &output.port);
                let other = second.output(name, &output.port).unwrap();
                if output.artifact == *other {
                    all.extend(nodes.into_iter().map(|node| (node, false)));
                    continue;
                }
                let tables = (self.table(&output.artifact), self.table(other));
                let (Some(one), Some(other)) = tables else {
                    all.extend(nodes.into_iter().map(|node| (node, true)));
                    continue;
                };
                all.extend(nodes.into_iter().map(|node| {
                    let differs = is_other(&node, &one, &other);
                    (node, differs)
                }));
            }
        }
        all
    }

    fn table(&self, artifact: &Artifact) -> Option<Table> {
        match artifact {
            Artifact::Table(table) => Some(self.store.present_table(&table.digest).unwrap()),
            Artifact::Blob(_) => None,
        }
    }
}

/// Whether a column, or the rows, of two tables differ.
fn is_other(node: &Node, one: &Table, other: &Table) -> bool {
    let rows = |table: &Table| -> Vec<u64> {
        table
            .partitions
            .iter()
            .map(|partition| partition.rows)
            .collect()
    };
    let Node::Column { column, .. } = node else {
        return rows(one) != rows(other) || one.fields != other.fields;
    };
    let column = |table: &Table| {
        let at = table.position(column).unwrap();
        let digests = table.partitions.iter();
        let digests: Vec<_> = digests
            .map(|partition| partition.columns[at].digest)
            .collect();
        (rows(table), table.fields[at].clone(), digests)
    };
    column(one) != column(other)
}

/// Nobody looks.
struct Nobody;

impl Observer for Nobody {
    fn wanted(&self, _: &PlannedStep, _: u64) {}
    fn obtained(&self, _: &PlannedStep, _: Option<Amount>) {}
    fn ended(&self, _: &StepRecord, _: bool) {}
    fn lost(&self, _: &PlannedStep, _: &StoreError) {}
}

//! What led to what in a run, by observation: columns, rows and blobs, from the sources to any artifact.
//!
//! A step can touch only what it was handed, so the record and the recipes of its units say all there is
//! to know. What a step was given the values of reaches everything that the step put out: columns, blobs, which rows
//! there are and which columns it passed on, whatever became of it in this run. What a port promised, and the host
//! enforced, is the one exception. Nothing here reads data but row numbers. `ARCHITECTURE.md` says what *no path*
//! means, and why it follows.
//!
//! [`Lineage::influence`] answers for columns and blobs, [`Lineage::trace`] for single rows.

mod error;
mod graph;
mod step;
mod trace;

use std::collections::BTreeMap;

pub use self::error::LineageError;
pub use self::graph::{Hop, How, Influence, Link, Node};
pub use self::step::{Kept, OutputLineage, RowsFrom, StepLineage};
pub use self::trace::{Origin, Others, TracedRow};

use self::graph::Graph;
use crate::record::{Artifact, RunRecord, SourceFile};
use crate::store::Store;

/// What led to what in one run.
pub struct Lineage<'a> {
    record: &'a RunRecord,
    store: &'a Store,
    steps: Vec<StepLineage>,
    /// Where each step stands.
    positions: BTreeMap<String, usize>,
    graph: Graph,
}

impl<'a> Lineage<'a> {
    /// Reads what the steps of a run left behind. Steps that put out nothing, because they failed for
    /// instance, led to nothing.
    ///
    /// # Errors
    /// - [`LineageError::Older`]: the record is of a version that does not say where recipes are.
    /// - [`LineageError::Gone`]: the store has lost a recipe.
    /// - [`LineageError::Unfit`]: a recipe does not fit what the record says.
    /// - [`LineageError::Store`]: the store cannot be read.
    pub fn of(record: &'a RunRecord, store: &'a Store) -> Result<Self, LineageError> {
        Self::leaving_out(record, store, None)
    }

    /// The same without the edges of one channel. For tests that see whether its loss is noticed.
    ///
    /// # Errors
    /// As [`Lineage::of`].
    #[doc(hidden)]
    pub fn of_without(
        record: &'a RunRecord,
        store: &'a Store,
        channel: Link,
    ) -> Result<Self, LineageError> {
        Self::leaving_out(record, store, Some(channel))
    }

    fn leaving_out(
        record: &'a RunRecord,
        store: &'a Store,
        channel: Option<Link>,
    ) -> Result<Self, LineageError> {
        let mut steps = Vec::with_capacity(record.steps.len());
        for step in record.steps.iter().filter(|step| !step.outputs.is_empty()) {
            steps.push(StepLineage::of(record, step, store)?);
        }
        let positions = steps
            .iter()
            .map(|step| step.name.clone())
            .zip(0..)
            .collect();
        Ok(Self {
            graph: Graph::of(&steps, channel),
            record,
            store,
            steps,
            positions,
        })
    }

    /// The steps that put out something, each after all those it reads from.
    pub fn steps(&self) -> &[StepLineage] {
        &self.steps
    }

    /// A step that put out something.
    pub fn step(&self, name: &str) -> Option<&StepLineage> {
        self.steps.get(*self.positions.get(name)?)
    }

    /// The steps that `step` reads from, directly or not, and itself, in the order of the run.
    pub fn upstream(&self, step: &str) -> Vec<&StepLineage> {
        let mut needed = vec![false; self.steps.len()];
        if let Some(at) = self.positions.get(step) {
            needed[*at] = true;
        }
        for (at, step) in self.steps.iter().enumerate().rev() {
            if needed[at] {
                for (from, _) in step.inputs.iter().filter_map(|input| input.step()) {
                    if let Some(from) = self.positions.get(from) {
                        needed[*from] = true;
                    }
                }
            }
        }
        let steps = self.steps.iter().zip(needed);
        steps
            .filter(|(_, needed)| *needed)
            .map(|(step, _)| step)
            .collect()
    }

    /// The files of a source.
    pub fn files(&self, source: &str) -> &[SourceFile] {
        let files = self.record.start.sources.iter();
        let mut files = files.filter(|(name, _)| name.as_str() == source);
        files
            .next()
            .map(|(_, files)| files.as_slice())
            .unwrap_or_default()
    }

    /// Everything that an output is: a blob, or the rows of a table and each of its columns.
    pub fn nodes(&self, step: &str, port: &str) -> Vec<Node> {
        match self.record.output(step, port) {
            None => Vec::new(),
            Some(Artifact::Blob(_)) => vec![Node::blob(step, port)],
            Some(Artifact::Table(table)) => {
                let columns = table.fields.iter();
                let columns = columns.map(|column| Node::column(step, port, column));
                std::iter::once(Node::rows(step, port))
                    .chain(columns)
                    .collect()
            }
        }
    }

    /// Every column of this name, where it got it: made, or passed on under a new name. Whatever has the name
    /// beside these is one of them, passed on.
    pub fn columns_named(&self, name: &str) -> Vec<Node> {
        let mut columns = Vec::new();
        for step in &self.steps {
            for output in &step.outputs {
                let mut kept = output.kept.get(name).into_iter().flatten();
                if output.made.contains(name) || kept.any(|kept| kept.column != name) {
                    columns.push(Node::column(&step.name, &output.port, name));
                }
            }
        }
        columns
    }

    /// Whether, and how, any of `from` reaches any of `to`.
    pub fn influence(&self, from: &[Node], to: &[Node]) -> Influence {
        self.graph.influence(from, to)
    }
}

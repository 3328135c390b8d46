//! What one step did with what it was handed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::FieldRef;

use super::LineageError;
use crate::expression::{Expression, Source};
use crate::promise::Promised;
use crate::record::{Artifact, InputRecord, RunRecord, Size, StepRecord, columns_read};
use crate::store::{Store, StoreError};
use crate::table::{Selection, Table};
use crate::unit::{OutputRecipe, PartitionRecipe, Question, Recipe};

/// What one step did with what it was handed.
#[derive(Clone, Debug)]
pub struct StepLineage {
    /// The step.
    pub name: String,
    /// The component, as the pipeline has it.
    pub component: String,
    /// The component's kind, as in a [`StepRecord`].
    pub kind: String,
    /// What was bound to its input ports, in port order.
    pub inputs: Vec<InputRecord>,
    /// Columns whose values it was given, by input port.
    pub columns_read: BTreeMap<String, BTreeSet<String>>,
    /// Input ports whose blob or file it was given the bytes of.
    pub blobs_read: BTreeSet<String>,
    /// Columns that it could have asked for, by input port with a table.
    pub(super) columns_handed: BTreeMap<String, Vec<String>>,
    /// What came out, in port order.
    pub outputs: Vec<OutputLineage>,
    /// Number of units of which only somebody without the store's key says what they did.
    pub told_units: u64,
}

/// What came out of one port.
#[derive(Clone, Debug)]
pub struct OutputLineage {
    /// The port.
    pub port: String,
    /// None for a blob.
    pub rows: Option<RowsFrom>,
    /// What the port promised, which the host has held every unit to.
    pub promised: Option<Promised>,
    /// Columns that the step made, in any partition.
    pub made: BTreeSet<String>,
    /// Columns that the step passed on, in any partition.
    pub kept: BTreeMap<String, BTreeSet<Kept>>,
    /// Whether it is a table of which no unit put out a partition, so that nothing shows where its columns come
    /// from. They are all listed as made, and taken to be made of everything that the step was handed.
    pub unseen: bool,
    /// Where each partition comes from, in order.
    pub(super) partitions: Vec<PartitionFrom>,
}

/// A column of an input that was passed on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// The input port.
    pub port: String,
    /// What it is called there.
    pub column: String,
    /// Whether it stands beside the output's rows, so that what the step read looked it up, as in a join.
    pub looked_up: bool,
}

/// Where the rows of a table come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsFrom {
    /// Input ports whose rows they are.
    pub ports: BTreeSet<String>,
    /// Whether what the step read may have decided which there are, their order, or where they are cut: in any
    /// case, unless the port promised the rows of an input.
    pub chosen: bool,
    /// Whether they are, in this run, all rows of one input, in order.
    pub all: bool,
}

/// Where a partition of an output comes from.
#[derive(Clone, Debug)]
pub(super) struct PartitionFrom {
    /// Position of the partition of the main table that its unit saw, or of a source's range; none for a unit
    /// that saw all there is.
    pub(super) position: Option<u64>,
    /// Number of rows.
    pub(super) rows: u64,
    /// Input ports, in reading order, and which rows of them.
    pub(super) inputs: Vec<(String, Selection)>,
}

impl StepLineage {
    pub(super) fn of(
        record: &RunRecord,
        step: &StepRecord,
        store: &Store,
    ) -> Result<Self, LineageError> {
        let tables = tables(step, store)?;
        let mut outputs: Vec<OutputLineage> = step
            .outputs
            .iter()
            .map(|output| OutputLineage {
                port: output.port.clone(),
                rows: match output.artifact {
                    Artifact::Table(_) => Some(RowsFrom {
                        ports: BTreeSet::new(),
                        chosen: promised_rows(output.promised.as_ref()).is_none(),
                        all: true,
                    }),
                    Artifact::Blob(_) => None,
                },
                promised: output.promised.clone(),
                made: BTreeSet::new(),
                kept: BTreeMap::new(),
                unseen: false,
                partitions: Vec::new(),
            })
            .collect();
        let reading = Reading {
            step,
            tables: &tables,
        };
        let mut told_units = 0;
        for unit in &step.units {
            let run = record.start.id.to_string();
            let at = unit
                .recipe
                .ok_or_else(|| LineageError::Older { run: run.clone() })?;
            let told = store
                .told_recipe(&at.first, &at.key)
                .map_err(LineageError::Store)?;
            let (recipe, standing) = told.ok_or_else(|| LineageError::Gone {
                step: step.name.to_string(),
                run,
            })?;
            told_units += u64::from(!standing.is_own());
            reading.add(&recipe, unit.position, &mut outputs)?;
        }
        let is_source = step.inputs.iter().any(|input| input.source().is_some());
        for (output, recorded) in outputs.iter_mut().zip(&step.outputs) {
            for name in &recorded.looked_up {
                if let Some(kept) = output.kept.remove(name) {
                    // Whatever rows it was found in, in this run.
                    let looked_up = kept.into_iter().map(|kept| Kept {
                        looked_up: true,
                        ..kept
                    });
                    output.kept.insert(name.clone(), looked_up.collect());
                }
            }
        }
        for (output, recorded) in outputs.iter_mut().zip(&step.outputs) {
            if let Artifact::Table(table) = &recorded.artifact {
                let known = |name: &&String| {
                    !output.made.contains(*name) && !output.kept.contains_key(*name)
                };
                let unknown: Vec<String> = table.fields.iter().filter(known).cloned().collect();
                output.unseen = output.made.is_empty() && output.kept.is_empty();
                output.made.extend(unknown);
                if let Some(rows) = &mut output.rows {
                    rows.all &= !output.unseen && !is_source;
                }
            }
        }
        let columns_handed = tables.iter().map(|(port, table)| {
            let names = table.fields.iter().map(|field| field.name().clone());
            (port.clone(), names.collect())
        });
        let observations = step.units.iter().flat_map(|unit| &unit.observations);
        let blobs_read = observations.filter_map(|observation| match &observation.question {
            Question::Blob { port } => Some(port.clone()),
            _ => None,
        });
        Ok(Self {
            name: step.name.to_string(),
            component: step.component.clone(),
            kind: step.kind.clone(),
            inputs: step.inputs.clone(),
            columns_read: columns_read(step),
            blobs_read: blobs_read.collect(),
            columns_handed: columns_handed.collect(),
            outputs,
            told_units,
        })
    }

    /// Whether it was handed a table without rows. Such a step need not ask for what it would ask for
    /// otherwise, so that it did not is no sign of anything: it counts as having read all it was handed.
    pub fn saw_no_rows(&self) -> bool {
        let mut inputs = self.inputs.iter();
        inputs.any(|input| matches!(input.size, Size::Rows(0)))
    }
}

/// The input port whose rows are promised.
fn promised_rows(promised: Option<&Promised>) -> Option<&Arc<str>> {
    promised.and_then(Promised::rows)
}

impl OutputLineage {
    /// The input port whose rows it was promised to have, in order and cut alike.
    pub fn rows_of(&self) -> Option<&str> {
        promised_rows(self.promised.as_ref()).map(|port| &**port)
    }

    /// Whether it was promised which columns are passed on.
    pub fn columns_are_promised(&self) -> bool {
        self.promised.as_ref().is_some_and(Promised::columns)
    }
}

/// The tables at a step's input ports, as it was handed them.
fn tables(step: &StepRecord, store: &Store) -> Result<BTreeMap<String, Table>, LineageError> {
    let mut tables = BTreeMap::new();
    for input in &step.inputs {
        // A blob has no manifest.
        if let Some(table) = store.table(&input.digest).map_err(LineageError::Store)? {
            tables.insert(input.port.clone(), table.without(&input.withheld));
        } else if matches!(input.size, Size::Rows(_)) {
            return Err(LineageError::Store(StoreError::Missing {
                kind: crate::store::Kind::Table,
                name: input.digest.to_string(),
            }));
        }
    }
    Ok(tables)
}

/// Reads the recipes of one step.
struct Reading<'a> {
    step: &'a StepRecord,
    tables: &'a BTreeMap<String, Table>,
}

impl Reading<'_> {
    fn add(
        &self,
        recipe: &Recipe,
        position: Option<u64>,
        outputs: &mut [OutputLineage],
    ) -> Result<(), LineageError> {
        for (recipe, output) in recipe.outputs.iter().zip(outputs) {
            if let OutputRecipe::Table(partitions) = recipe {
                for partition in partitions {
                    self.partition(partition, position, output)?;
                }
                let all = self.are_all(partitions, position);
                if let Some(rows) = &mut output.rows {
                    rows.all &= all;
                    if !all && rows.ports.is_empty() {
                        rows.ports.extend(self.passed_on(partitions));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the partitions that a unit put out have, one after the other, all rows that it saw of one
    /// input, in order.
    fn are_all(&self, partitions: &[PartitionRecipe], position: Option<u64>) -> bool {
        let mut whole: Option<(&str, u64)> = None;
        for partition in partitions {
            let ports = partition.expression.as_ref().map(Expression::ports);
            let Some(ports) = ports.filter(|_| partition.rows > 0) else {
                continue;
            };
            let main = self.main_of(&ports);
            let (Some(port), Some(selection)) = (ports.get(main), partition.selections.get(main))
            else {
                return false;
            };
            let (before, next) = whole.unwrap_or((port, 0));
            let (start, len) = match selection {
                Selection::All => (0, self.rows_seen(port, position)),
                Selection::Range { start, len } => (*start, *len),
                Selection::Indices { .. } => return false,
            };
            if before != *port || start != next {
                return false;
            }
            whole = Some((port, start.saturating_add(len)));
        }
        match whole {
            Some((port, end)) => end == self.rows_seen(port, position),
            None => {
                let mut inputs = self.step.inputs.iter();
                inputs.all(|input| self.rows_seen(&input.port, position) == 0)
            }
        }
    }

    /// Rows that a unit was given at a port: of a partition of the main table, or all there are.
    fn rows_seen(&self, port: &str, position: Option<u64>) -> u64 {
        let Some(table) = self.tables.get(port) else {
            return 0;
        };
        match position.and_then(|at| usize::try_from(at).ok()) {
            Some(at) if self.is_main(port) => table
                .partitions
                .get(at)
                .map_or(0, |partition| partition.rows),
            // What stands beside the main table gives an output no rows of its own.
            Some(_) => 0,
            None => table.rows(),
        }
    }

    /// Ports of the inputs that partitions without rows would have had rows of.
    fn passed_on(&self, partitions: &[PartitionRecipe]) -> BTreeSet<String> {
        let is_made = partitions.iter().any(|partition| partition.rows > 0);
        let tables = self.tables.keys().filter(|_| !is_made);
        tables.cloned().collect()
    }

    /// Which of the inputs of an expression its rows are: the main table, or else the first.
    fn main_of(&self, ports: &[&str]) -> usize {
        ports
            .iter()
            .position(|port| self.is_main(port))
            .unwrap_or(0)
    }

    fn is_main(&self, port: &str) -> bool {
        let mut inputs = self.step.inputs.iter();
        inputs.any(|input| input.main && input.port == port)
    }

    fn partition(
        &self,
        partition: &PartitionRecipe,
        position: Option<u64>,
        output: &mut OutputLineage,
    ) -> Result<(), LineageError> {
        let unfit = |problem: String| LineageError::Unfit {
            step: self.step.name.to_string(),
            problem,
        };
        let ports: Vec<String> = partition
            .expression
            .iter()
            .flat_map(|expression| expression.ports())
            .map(str::to_owned)
            .collect();
        if ports.len() != partition.selections.len() {
            return Err(unfit(
                "it selects rows of other inputs than it passes on".to_owned(),
            ));
        }
        output.partitions.push(PartitionFrom {
            position,
            rows: partition.rows,
            inputs: ports
                .iter()
                .cloned()
                .zip(partition.selections.iter().cloned())
                .collect(),
        });
        let (Some(expression), Some(rows)) = (&partition.expression, &mut output.rows) else {
            return Ok(());
        };
        // What stands beside the rows is looked up.
        let main = self.main_of(&ports.iter().map(String::as_str).collect::<Vec<_>>());
        rows.ports.extend(ports.get(main).cloned());
        let fields =
            |port: &str| -> Option<&[FieldRef]> { Some(self.tables.get(port)?.fields.as_slice()) };
        let columns = expression
            .columns(&fields)
            .map_err(|error| unfit(error.to_string()))?;
        for column in columns {
            let name = column.field.name().clone();
            match column.source {
                Source::Made(_) => {
                    output.made.insert(name);
                }
                Source::Passed {
                    input,
                    port,
                    name: of,
                } => {
                    // Even if it is all rows in order: that the two tables are aligned is what the look-up found.
                    let looked_up = input != main;
                    output.kept.entry(name).or_default().insert(Kept {
                        port: text(&port),
                        column: text(&of),
                        looked_up,
                    });
                }
            }
        }
        Ok(())
    }
}

fn text(text: &Arc<str>) -> String {
    text.to_string()
}

impl InputRecord {
    /// The step and the output port that it reads, unless that is a source.
    pub fn step(&self) -> Option<(&str, &str)> {
        match self.from.split_once('.') {
            Some(("sources", _)) | None => None,
            Some((step, port)) => Some((step, port)),
        }
    }

    /// The source that it reads, unless that is a step.
    pub fn source(&self) -> Option<&str> {
        self.from.strip_prefix("sources.")
    }
}

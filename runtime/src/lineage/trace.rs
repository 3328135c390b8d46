//! Single rows, back to the rows of the files that they were.

use std::collections::BTreeSet;

use super::step::{OutputLineage, PartitionFrom, StepLineage};
use super::{Lineage, LineageError};
use crate::record::{Artifact, Size};
use crate::table::Table;
use crate::unit::file_of;

/// A row of a table on the way back to where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRow {
    /// How many rows it is away from the one that was asked for.
    pub depth: usize,
    /// The step that put out the table.
    pub step: String,
    /// The output port.
    pub port: String,
    /// The row, counted from 0 over all partitions.
    pub row: u64,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a row came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From rows of the step's inputs, which follow.
    Rows {
        /// How many.
        count: usize,
        /// What else decided on this row.
        others: Others,
    },
    /// From rows of the step's inputs, which stand where this row was before.
    Above,
    /// From a file.
    File {
        /// The source.
        source: String,
        /// The file, relative to the pipeline.
        path: String,
        /// The row there, counted from 0 and without a header.
        row: u64,
    },
    /// The step made it of all that it read: a sum over a group, for instance.
    Made,
}

/// What the rows that a row came from do not show: an instance sees all rows of its unit, one partition of the
/// main table and all of the others, and whatever it makes or chooses may depend on any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    /// Rows that the unit saw, of all its inputs.
    pub seen: u64,
    /// Whether columns of the table were made, so that their values may depend on all of these rows. Those that were
    /// passed on have the values of the rows that this one came from, and of no others.
    pub made: bool,
    /// Whether all of these rows may have decided that this row is here: always, unless the port promised the rows
    /// of an input.
    pub chosen: bool,
}

impl Lineage<'_> {
    /// A row of a table, and after it the rows that it came from, each before its own; the last ones are rows
    /// of files, or rows that a step made. A row that is reached on several ways, as where something derived of a
    /// table was joined to it, is followed once. A row of nulls, as a join may put beside a row that has no match,
    /// came from nowhere and is not there.
    ///
    /// # Errors
    /// - [`LineageError::Row`]: the table has no such row.
    /// - [`LineageError::Unfit`]: `step` and `port` are no table, or a recipe does not fit.
    /// - [`LineageError::Store`]: row numbers cannot be read.
    pub fn trace(&self, step: &str, port: &str, row: u64) -> Result<Vec<TracedRow>, LineageError> {
        let mut traced = Vec::new();
        let mut followed = BTreeSet::new();
        let mut waiting = vec![(0, step.to_owned(), port.to_owned(), row)];
        while let Some((depth, step, port, row)) = waiting.pop() {
            let (origin, before) = match followed.contains(&(step.clone(), port.clone(), row)) {
                true => (Origin::Above, Vec::new()),
                false => self.origin(&step, &port, row)?,
            };
            if !before.is_empty() {
                followed.insert((step.clone(), port.clone(), row));
            }
            for (step, port, row) in before.into_iter().rev() {
                waiting.push((depth + 1, step, port, row));
            }
            traced.push(TracedRow {
                depth,
                step,
                port,
                row,
                origin,
            });
        }
        Ok(traced)
    }

    #[expect(
        clippy::type_complexity,
        reason = "where a row came from, and the rows that is"
    )]
    fn origin(
        &self,
        name: &str,
        port: &str,
        row: u64,
    ) -> Result<(Origin, Vec<(String, String, u64)>), LineageError> {
        let unfit = |problem: &str| LineageError::Unfit {
            step: name.to_owned(),
            problem: problem.to_owned(),
        };
        let step = self.step(name).ok_or_else(|| unfit("it put out nothing"))?;
        let output = step
            .outputs
            .iter()
            .find(|output| output.port == port && output.rows.is_some());
        let output = output.ok_or_else(|| unfit(&format!("`{port}` is no table of it")))?;
        let (partition, local) = find(output, row).ok_or_else(|| LineageError::Row {
            table: format!("{name}.{port}"),
            row,
            rows: output
                .partitions
                .iter()
                .map(|partition| partition.rows)
                .sum(),
        })?;
        if let Some(source) = step.inputs.first().and_then(|input| input.source())
            && let Some(position) = output.partitions[partition].position
        {
            let before = output.partitions[..partition].iter();
            let same_file =
                before.filter(|other| other.position.map(file_of) == Some(file_of(position)));
            let first: u64 = same_file.map(|partition| partition.rows).sum();
            let file = self.files(source).get(file_of(position));
            let file = file.ok_or_else(|| unfit("it read a file that the run did not have"))?;
            let origin = Origin::File {
                source: source.to_owned(),
                path: file.path.clone(),
                row: first + local,
            };
            return Ok((origin, Vec::new()));
        }
        let partition = &output.partitions[partition];
        if partition.inputs.is_empty() {
            return Ok((Origin::Made, Vec::new()));
        }
        let mut before = Vec::new();
        for (port, selection) in &partition.inputs {
            let (from, from_port, table) = self.bound(step, port)?;
            let (start, rows) = seen(step, partition, port, &table)
                .ok_or_else(|| unfit("it read a partition that its input does not have"))?;
            let selected = self.store.load_selection(selection, rows);
            let selected = selected.map_err(LineageError::Store)?;
            let found = selected
                .get(local)
                .ok_or_else(|| unfit("it selects fewer rows than it put out"))?;
            if let Some(found) = found {
                before.push((from, from_port, start + found));
            }
        }
        // A zip of a table with itself is one row, not two.
        before.dedup();
        let mut seen_rows = 0;
        for input in &step.inputs {
            if matches!(input.size, Size::Rows(_)) {
                let (_, _, table) = self.bound(step, &input.port)?;
                let seen = seen(step, partition, &input.port, &table);
                seen_rows += seen.map_or(0, |(_, rows)| rows);
            }
        }
        let others = Others {
            seen: seen_rows,
            made: !output.made.is_empty(),
            chosen: output.rows.as_ref().is_some_and(|rows| rows.chosen),
        };
        let count = before.len();
        Ok((Origin::Rows { count, others }, before))
    }

    /// The step, the port and the table that an input port reads.
    fn bound(
        &self,
        step: &StepLineage,
        port: &str,
    ) -> Result<(String, String, Table), LineageError> {
        let unfit = || LineageError::Unfit {
            step: step.name.clone(),
            problem: format!("nothing is bound to its port `{port}`"),
        };
        let input = step
            .inputs
            .iter()
            .find(|input| input.port == port)
            .ok_or_else(unfit)?;
        let (from, output) = input.step().ok_or_else(unfit)?;
        match self.record.output(from, output) {
            Some(Artifact::Table(table)) => {
                let table = self
                    .store
                    .present_table(&table.digest)
                    .map_err(LineageError::Store)?;
                Ok((from.to_owned(), output.to_owned(), table))
            }
            _ => Err(unfit()),
        }
    }
}

/// The partition that a row is in, and its number there.
fn find(output: &OutputLineage, row: u64) -> Option<(usize, u64)> {
    let mut left = row;
    for (at, partition) in output.partitions.iter().enumerate() {
        if left < partition.rows {
            return Some((at, left));
        }
        left -= partition.rows;
    }
    None
}

/// The first row and the number of rows of a table that a unit saw at a port.
fn seen(
    step: &StepLineage,
    partition: &PartitionFrom,
    port: &str,
    table: &Table,
) -> Option<(u64, u64)> {
    let is_main = step
        .inputs
        .iter()
        .any(|input| input.main && input.port == port);
    match partition.position.filter(|_| is_main) {
        None => Some((0, table.rows())),
        Some(position) => {
            let at = usize::try_from(position).ok()?;
            let before = table.partitions.get(..at)?;
            Some((
                before.iter().map(|partition| partition.rows).sum(),
                table.partitions.get(at)?.rows,
            ))
        }
    }
}

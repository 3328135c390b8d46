//! Row-map means row-wise: rows that are cut at other places make the same rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::ArrayRef;
use pinion_runtime::arrow::chunk::canonical;
use pinion_runtime::record::{Artifact, OutputRecord, StepRecord};
use pinion_runtime::table::{Chunk, Partition, Place, Table};
use pinion_runtime::unit::{InputContent, Question};

use super::case::Case;
use super::compare::Difference;
use super::{Came, MOST_SHOWN, Tester};
use crate::alone::Reads;
use crate::failure::Failure;
use crate::rows::StoredTable;

/// How often the rows are cut anew.
const TRIALS: u64 = 4;

/// Most rows that are given to a step one by one.
const SINGLE_ROWS: usize = 64;

/// What differs when rows are cut at other places.
pub(super) struct Cut {
    /// Rows of each piece.
    pub(super) pieces: Vec<usize>,
    pub(super) differences: (Vec<Difference>, usize),
}

/// Whether the step drew random numbers, which differ from partition to partition.
pub(super) fn draws(record: &StepRecord) -> bool {
    let mut observations = record.units.iter().flat_map(|unit| &unit.observations);
    observations.any(|observation| matches!(observation.question, Question::Seed { .. }))
}

impl Tester<'_> {
    /// The first way of cutting the rows of a case that makes a difference.
    pub(super) fn cuts(
        &self,
        case: &Case,
        reads: &Reads,
        whole: &StepRecord,
    ) -> Result<Option<Cut>, Failure> {
        let main = self.descriptor.inputs.iter().find(|port| port.main);
        let outputs = reads.given.values().flatten();
        let mut of_main = outputs.filter(|given| main.is_some_and(|port| port.name == given.port));
        let Some(InputContent::Table(table)) = of_main.next().map(|given| &given.content) else {
            return Ok(None);
        };
        let rows = usize::try_from(table.rows()).unwrap_or(usize::MAX);
        if rows < 2 {
            return Ok(None);
        }
        let columns = self.columns(table)?;
        let mut random = Random(0);
        for trial in 0..TRIALS {
            let pieces = match trial {
                0 if rows <= SINGLE_ROWS => vec![1; rows],
                _ => random.pieces(rows),
            };
            let batch_rows = 1 + random.below(rows as u64);
            let cut = Arc::new(self.cut(table, &columns, &pieces)?);
            let mut reads = reads.clone();
            for given in reads.given.values_mut().flatten() {
                if main.is_some_and(|port| port.name == given.port) {
                    given.content = InputContent::Table(Arc::clone(&cut));
                }
            }
            let batch_rows = u32::try_from(batch_rows).unwrap_or(u32::MAX);
            let differences = match self.came(case, reads, Some(batch_rows))? {
                Came::Outputs { record, .. } => self.between(&whole.outputs, &record.outputs)?,
                Came::Cancelled => return Ok(None),
                Came::Refusal(words) => failed(&format!("it refuses: {words}")),
                Came::Broken(failure) => failed(&failure.error.to_string()),
            };
            if differences.1 > 0 {
                return Ok(Some(Cut {
                    pieces,
                    differences,
                }));
            }
        }
        Ok(None)
    }

    /// The values of each column, in one piece.
    fn columns(&self, table: &Table) -> Result<Vec<ArrayRef>, Failure> {
        let column = |at: usize| -> Result<ArrayRef, Failure> {
            let field = &table.fields[at];
            let pieces = table
                .partitions
                .iter()
                .map(|partition| self.alone.store.load(field, &partition.columns[at]));
            let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
            canonical(field, &pieces).map_err(uncut)
        };
        (0..table.fields.len()).map(column).collect()
    }

    /// The same rows as partitions of so many rows.
    fn cut(&self, table: &Table, columns: &[ArrayRef], pieces: &[usize]) -> Result<Table, Failure> {
        let fields: Vec<_> = table
            .fields
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        let mut partitions = Vec::with_capacity(pieces.len());
        let mut start = 0;
        for rows in pieces {
            let slices = table.fields.iter().zip(columns).map(|(field, column)| {
                canonical(field, &[column.slice(start, *rows)]).map_err(uncut)
            });
            let stored = self
                .alone
                .store
                .put_chunks(&fields, &slices.collect::<Result<Vec<_>, Failure>>()?)?;
            let chunk = |(column, digest)| Chunk {
                digest,
                place: Place::Stored {
                    file: stored.file,
                    column,
                },
            };
            partitions.push(Arc::new(Partition {
                rows: *rows as u64,
                columns: (0..)
                    .zip(stored.chunks.iter().copied())
                    .map(chunk)
                    .collect(),
            }));
            start += rows;
        }
        Ok(Table {
            fields: table.fields.clone(),
            partitions,
        })
    }

    /// Differences between what a step put out twice.
    fn between(
        &self,
        expected: &[OutputRecord],
        found: &[OutputRecord],
    ) -> Result<(Vec<Difference>, usize), Failure> {
        let mut all = (Vec::new(), 0);
        for (expected, found) in expected.iter().zip(found) {
            if let (Artifact::Table(wanted), Artifact::Table(table)) =
                (&expected.artifact, &found.artifact)
            {
                let open = |digest| self.cells(&StoredTable::open(&self.alone.store, digest)?);
                let (found, wanted) = (open(&table.digest)?, open(&wanted.digest)?);
                let (differences, count) = found.differences(&expected.port, &wanted, MOST_SHOWN);
                all.0.extend(differences);
                all.1 += count;
            }
        }
        Ok(all)
    }
}

fn failed(found: &str) -> (Vec<Difference>, usize) {
    let difference = Difference::of_step("outcome", "the same rows", found);
    (vec![difference], 1)
}

fn uncut(error: impl std::fmt::Display) -> Failure {
    Failure::wrong(format!("the rows cannot be cut: {error}"))
}

/// SplitMix64: the same cuts each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// At least two pieces of `rows` rows together, `rows` being two or more.
    fn pieces(&mut self, rows: usize) -> Vec<usize> {
        let cuts = 1 + self.below((rows as u64 - 1).min(8));
        let mut ends: BTreeSet<usize> = (0..cuts)
            .map(|_| 1 + self.below(rows as u64 - 1) as usize)
            .collect();
        ends.insert(rows);
        let mut start = 0;
        let piece = |end| {
            let rows = end - start;
            start = end;
            rows
        };
        ends.into_iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_rows_and_never_none() {
        let mut random = Random(0);
        for rows in 2..200 {
            let pieces = random.pieces(rows);
            assert!(pieces.len() >= 2 && !pieces.contains(&0), "{pieces:?}");
            assert_eq!(pieces.iter().sum::<usize>(), rows);
        }
    }
}

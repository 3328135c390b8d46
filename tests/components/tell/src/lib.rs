//! A step that sees all rows at once and tells what it read, or where batches end, in the way that its params name:
//! through every channel by which what came out can depend on what went in.

mod secret;
mod told;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, UInt64Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{
    Batch, Descriptor, Error, Inputs, Outputs, Result, Scratch, Shape, Shapes, Table, TableWriter,
    WholeTable, context,
};

use told::{TOLD, Told, With};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The column that it reads; none unless given, and then all that it knows is `note`, or where batches end.
    secret: Option<String>,
    /// How it tells.
    how: How,
    /// The port that tells. From the others the rows come as they went in.
    to: String,
    /// Columns that are chosen from.
    pair: Option<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// Batch by batch, as `tell-each` does, by a bit of each batch.
    Each(Told),
    /// The same by a bit of all rows.
    All(Told),
    /// Partitions are cut after odd numbers.
    Cut,
    /// Rows are written in pieces that end after odd numbers, and nothing is cut.
    Pieces,
    /// As `each: choose`, for each row, cut after each row.
    ChooseCut,
    /// As `each: choose`, for each row.
    ChooseRow,
    /// The rows of the whole table, in the order of their numbers.
    Sort,
    /// Rows of odd numbers, laid aside and read back in the batches that they are in then.
    Scratch,
    /// So many rows that say nothing.
    Count,
    /// So many partitions that say nothing.
    Partitions,
    /// The numbers are bytes of the blob.
    Bytes,
    /// They are its length.
    Length,
    /// How many rows there are, found by asking for one too many.
    Reach,
}

struct Tell;

impl WholeTable for Tell {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Tells what it read.")
            .input("rows", "Any table.")
            .side_table("side", "Rows to put beside others.")
            .optional()
            .side_blob("note", &[], "What is told if no column is.")
            .optional()
            .output("rows", "Anything.")
            .output("chosen", "Columns as they are, and what is made; any rows.")
            .same_columns()
            .output(
                "kept",
                "Rows as they are, and what is made or stands beside.",
            )
            .same_rows_as("rows")
            .output("picked", "Rows as they are, and any columns.")
            .same_rows_only_as("rows")
            .output_blob("note", "application/octet-stream", "Anything.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let how = match params.how {
            How::Each(told) | How::All(told) => told,
            How::ChooseCut | How::ChooseRow => Told::Choose,
            How::Count | How::Partitions | How::Reach => Told::Values,
            _ => Told::Rows,
        };
        let mut told = how.check(rows.fields(), params.pair.as_ref(), inputs)?;
        if matches!(params.how, How::Count | How::Partitions | How::Reach) {
            told.retain(|field| field.name() == TOLD);
        }
        let shape = |port: &&str| match *port == params.to {
            true => how.passes(Shape::table(port, told.clone()), inputs),
            false => Ok(Shape::table(port, rows.fields().to_vec()).passes(rows, &[])),
        };
        let mut shapes = ["rows", "chosen", "kept", "picked"]
            .iter()
            .map(shape)
            .collect::<Result<Vec<_>>>()?;
        shapes.push(Shape::blob("note", "application/octet-stream"));
        Ok(shapes)
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let rows = inputs.table("rows")?;
        for port in ["rows", "chosen", "kept", "picked"] {
            if port != params.to {
                let to = outputs.table(port)?;
                rows.batches().try_for_each(|batch| to.write(&batch))?;
            }
        }
        if params.how == How::Reach {
            return reach(rows, outputs.table(&params.to)?);
        }
        let numbers = numbers(params, inputs, rows)?;
        if matches!(params.how, How::Bytes | How::Length) {
            let bytes: Vec<u8> = match params.how {
                How::Bytes => numbers.iter().map(|number| *number as u8).collect(),
                _ => vec![0; (sum(&numbers) % 9) as usize],
            };
            let to = outputs.table(&params.to)?;
            rows.batches().try_for_each(|batch| to.write(&batch))?;
            return outputs.blob("note")?.write(&bytes);
        }
        let with = With {
            pair: params.pair.as_ref(),
            side: inputs.find_table("side"),
        };
        tell(
            params.how,
            rows,
            &numbers,
            &with,
            outputs.table(&params.to)?,
        )
    }
}

/// A number for each row.
fn numbers(params: &Params, inputs: &Inputs, rows: &Table) -> Result<Vec<i64>> {
    if params.secret.is_none()
        && let Some(note) = inputs.find_blob("note")
    {
        let bytes = note.read_all();
        let sum = bytes.iter().copied().map(i64::from).sum::<i64>();
        let rows = usize::try_from(rows.rows()).unwrap_or_default();
        return Ok((sum..).take(rows).collect());
    }
    let mut numbers = Vec::new();
    for batch in rows.batches() {
        numbers.extend(secret::of_batch(&batch, params.secret.as_deref())?);
    }
    Ok(numbers)
}

fn sum(numbers: &[i64]) -> u64 {
    numbers.iter().sum::<i64>().unsigned_abs()
}

fn tell(
    how: How,
    rows: &Table,
    numbers: &[i64],
    with: &With<'_>,
    to: &mut TableWriter,
) -> Result<()> {
    let constant = |rows: usize| {
        let ones: ArrayRef = Arc::new(Int64Array::from(vec![1; rows]));
        Batch::new(rows, vec![(Field::new(TOLD, DataType::Int64, true), ones)])
    };
    match how {
        How::Count => return to.write(&constant((sum(numbers) % 7) as usize)?),
        How::Partitions => {
            for _ in 0..sum(numbers) % 5 {
                to.write(&constant(1)?)?;
                to.cut();
            }
            return Ok(());
        }
        How::Sort => {
            let mut order: Vec<u64> = (0..).take(numbers.len()).collect();
            order.sort_by_key(|row| numbers[*row as usize]);
            let most = usize::try_from(context::batch_rows()).unwrap_or(1);
            let mut pieces = order.chunks(most.max(1));
            return pieces
                .try_for_each(|piece| to.write(&rows.take(&UInt64Array::from(piece.to_vec()))?));
        }
        _ => {}
    }
    let mut scratch = (how == How::Scratch).then(Scratch::new);
    let all_odd = told::is_odd(numbers);
    let mut before = 0;
    for batch in rows.batches() {
        let end = before + usize::try_from(batch.rows()).unwrap_or_default();
        let here = numbers.get(before..end).unwrap_or_default();
        let odd = told::is_odd(here);
        match (how, &mut scratch) {
            (How::Each(told) | How::All(told), _) => {
                let odd = if matches!(how, How::Each(_)) {
                    odd
                } else {
                    all_odd
                };
                if let Some(batch) = told.tell(&batch, here, odd, with)? {
                    to.write(&batch)?;
                }
            }
            (_, Some(scratch)) => {
                if let Some(batch) = Told::Rows.tell(&batch, here, odd, with)? {
                    scratch.write(&batch)?;
                }
            }
            (How::ChooseCut | How::ChooseRow, _) => {
                for (row, number) in (0..).zip(here) {
                    let odd = number & 1 == 1;
                    let chosen = Told::Choose.tell(&batch.slice(row, 1)?, &[*number], odd, with)?;
                    chosen.iter().try_for_each(|chosen| to.write(chosen))?;
                    if how == How::ChooseCut {
                        to.cut();
                    }
                }
            }
            _ => pieces(how, &batch, here, to)?,
        }
        before = end;
    }
    match scratch {
        Some(scratch) if before > 0 => {
            let table = scratch.seal();
            table.batches().try_for_each(|batch| to.write(&batch))
        }
        _ => Ok(()),
    }
}

/// Writes the batch in pieces that end after odd numbers.
fn pieces(how: How, batch: &Batch, numbers: &[i64], to: &mut TableWriter) -> Result<()> {
    let mut start = 0;
    for (row, number) in (0..).zip(numbers) {
        if number & 1 == 1 || row + 1 == batch.rows() {
            to.write(&batch.slice(start, row + 1 - start)?)?;
            start = row + 1;
            if how == How::Cut && number & 1 == 1 {
                to.cut();
            }
        }
    }
    Ok(())
}

/// Tells how many rows there are, without asking.
fn reach(rows: &Table, to: &mut TableWriter) -> Result<()> {
    let is_there = |row: u64| rows.take(&UInt64Array::from(vec![row])).is_ok();
    let found = (0..).find(|row| !is_there(*row)).unwrap_or_default();
    let found = i64::try_from(found).map_err(|error| Error::bad_data(error.to_string()))?;
    let ones: ArrayRef = Arc::new(Int64Array::from(vec![found]));
    to.write(&Batch::new(
        1,
        vec![(Field::new(TOLD, DataType::Int64, true), ones)],
    )?)
}

pinion_sdk::export!(Tell: WholeTable);

//! A whole-table step of two passes: keeps its keys in scratch, sorts them and takes the rows in order.

use std::sync::Arc;

use arrow_array::{Int64Array, UInt64Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::bindings::host::pinion::step::arrow as host;
use pinion_sdk::{
    Batch, Descriptor, Inputs, Outputs, Result, Shape, Shapes, Table, WholeTable, context,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// An `int64` column.
    by: String,
}

struct SortRows;

impl WholeTable for SortRows {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Sorts rows.")
            .side_table("rows", "Needs the column.")
            .output("sorted", "The rows in order; nulls come last.")
            .output_blob("order", "text/plain", "The old row numbers, one a line.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        rows.field(&params.by)?;
        Ok(vec![
            Shape::table("sorted", rows.fields().to_vec()),
            Shape::blob("order", "text/plain"),
        ])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let rows = inputs.table("rows")?;
        let scratch = host::Scratch::new();
        for batch in rows.batches() {
            let keys: Int64Array = batch.column(&params.by)?;
            let keys =
                Batch::new(keys.len(), vec![(key_field(), Arc::new(keys) as _)])?.into_host()?;
            scratch.write(&keys)?;
        }
        let mut keyed: Vec<(bool, i64, u64)> = Vec::new();
        for batch in Table::owned(host::Scratch::seal(scratch)).batches() {
            let keys: Int64Array = batch.column("key")?;
            for key in keys.iter() {
                keyed.push((key.is_none(), key.unwrap_or_default(), keyed.len() as u64));
            }
        }
        keyed.sort_unstable();
        for part in keyed.chunks(context::batch_rows() as usize) {
            let order: UInt64Array = part.iter().map(|(_, _, row)| Some(*row)).collect();
            outputs.table("sorted")?.write(&rows.take(&order)?)?;
            for (_, _, row) in part {
                outputs
                    .blob("order")?
                    .write(format!("{row}\n").as_bytes())?;
            }
        }
        Ok(())
    }
}

fn key_field() -> Field {
    Field::new("key", DataType::Int64, true)
}

pinion_sdk::export!(SortRows: WholeTable);

//! A whole-table step that promises the rows of one of its inputs, and keeps the promise or breaks it in the way
//! its params name.

use arrow_array::UInt64Array;
use pinion_sdk::{Batch, Descriptor, Inputs, Outputs, Result, Shape, Shapes, Table, WholeTable};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    mode: String,
}

struct PromiseTable;

impl WholeTable for PromiseTable {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Promises its rows.")
            .input("rows", "Columns `a` and `b` of one type.")
            .side_table("other", "A table with a column `a`.")
            .output("rows", "The same rows, with the `a` before each as `lag`.")
            .same_rows_as("rows")
    }

    fn check(_params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let lag = rows.field("a")?.clone().with_name("lag");
        let lag = lag.with_nullable(true);
        let of = |name: &str| (name == "lag").then(|| "a".to_owned());
        Ok(vec![
            Shape::table("rows", rows.with([lag]))
                .passes(rows, &[])
                .looks_up(rows, of),
        ])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let (rows, other) = (inputs.table("rows")?, inputs.table("other")?);
        let writer = outputs.table("rows")?;
        let count = rows.rows();
        let lagged = |batch: &Batch, of: &Table, start: u64| -> Result<Batch> {
            let before = (start..start + batch.rows()).map(|row| row.checked_sub(1));
            let lag = of.take(&before.collect::<UInt64Array>())?;
            batch.zip(&lag.select(&["a"])?.rename("a", "lag")?)
        };
        let mode = params.mode.as_str();
        let mut start = 0;
        for batch in rows.batches() {
            let len = batch.rows();
            let batch = match mode {
                "turn" => {
                    let turned = (start..start + len).map(|row| count - 1 - row);
                    rows.take(&UInt64Array::from_iter_values(turned))?
                }
                "lag-all" => {
                    let before = (start..start + len).map(|row| row.checked_sub(1));
                    rows.take(&before.collect::<UInt64Array>())?
                }
                _ => batch,
            };
            let from = if mode == "other-lag" { other } else { rows };
            let whole = lagged(&batch, from, start)?;
            start += len;
            match mode {
                "last-row" if start == count => writer.write(&whole.slice(0, len - 1)?)?,
                // However it is cut, the host knows better.
                "cut" => {
                    for row in 0..len {
                        writer.write(&whole.slice(row, 1)?)?;
                        writer.cut();
                    }
                }
                "nothing" => {}
                _ => writer.write(&whole)?,
            }
            if mode == "twice" {
                writer.write(&whole)?;
            }
        }
        Ok(())
    }
}

pinion_sdk::export!(PromiseTable: WholeTable);

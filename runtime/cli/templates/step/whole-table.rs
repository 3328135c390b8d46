//! Keeps the first rows of a table.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types |
//! | out `rows` | table | the first `count` rows, or all if there are fewer |
//!
//! Reads no column, so it runs again only when the number of rows changes.

use pinion_sdk::{Descriptor, Inputs, Outputs, Result, Shape, Shapes, WholeTable};

/// What the pipeline file gives under `params`.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// How many rows to keep.
    count: u64,
}

/// The step.
pub struct KeepFirst;

impl WholeTable for KeepFirst {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Keeps the first rows of a table.")
            .input("rows", "Any table.")
            .output("rows", "The first rows.")
    }

    fn check(_params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        Ok(vec![Shape::table(
            "rows",
            inputs.table("rows")?.fields().to_vec(),
        )])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let writer = outputs.table("rows")?;
        let mut missing = params.count;
        for batch in inputs.table("rows")?.batches() {
            let kept = missing.min(batch.rows());
            writer.write(&batch.slice(0, kept)?)?;
            missing -= kept;
            if missing == 0 {
                break;
            }
        }
        Ok(())
    }
}

pinion_sdk::export!(KeepFirst: WholeTable);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch};
    use pinion_sdk::{Table, testing};

    use super::*;

    #[test]
    fn stops_within_a_batch() {
        let batch = |values: Vec<i64>| {
            RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(values)) as _)]).unwrap()
        };
        let batches = vec![batch(vec![1, 2]), batch(vec![3, 4]), batch(vec![5])];
        let table = Table::local(batches[0].schema().fields().to_vec(), batches);

        let outputs = testing::whole_table::<KeepFirst>(
            r#"{ "count": 3 }"#,
            &Inputs::default().with_table("rows", table),
        )
        .unwrap();

        assert_eq!(
            outputs.into_table("rows"),
            [[batch(vec![1, 2]), batch(vec![3])]]
        );
    }
}

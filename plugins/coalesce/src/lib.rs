//! Merges small partitions, as filters leave them, into full ones. Rows and their order stay.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types |
//! | out `rows` | table | the same, in as few partitions as the locked layout allows |
//!
//! Reads no column. Deterministic; asks for no capabilities.

use pinion_sdk::{Descriptor, Inputs, Outputs, Result, Shape, Shapes, WholeTable};
use schemars::JsonSchema;
use serde::Deserialize;

/// There are none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {}

struct Coalesce;

impl WholeTable for Coalesce {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Merges small partitions into full ones.")
            .input("rows", "Any table.")
            .output("rows", "The same rows in the same order.")
    }

    fn check(_params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        Ok(vec![Shape::table(
            "rows",
            inputs.table("rows")?.fields().to_vec(),
        )])
    }

    fn run(_params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let writer = outputs.table("rows")?;
        inputs
            .table("rows")?
            .batches()
            .try_for_each(|batch| writer.write(&batch))
    }
}

pinion_sdk::export!(Coalesce: WholeTable);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch};
    use pinion_sdk::{Table, testing};

    use super::*;

    #[test]
    fn passes_every_batch_on_in_order() {
        let batch = |values: Vec<i64>| {
            RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(values)) as _)]).unwrap()
        };
        let batches = vec![batch(vec![1, 2]), batch(vec![]), batch(vec![3])];
        let table = Table::local(batches[0].schema().fields().to_vec(), batches.clone());
        let outputs =
            testing::whole_table::<Coalesce>("{}", &Inputs::default().with_table("rows", table))
                .unwrap();
        assert_eq!(outputs.into_table("rows"), [batches]);
    }
}

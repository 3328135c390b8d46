//! Computes the mean of a column.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | any; the column is `float64` |
//! | out `mean` | table | `(1, 2)`: `mean` as `float64`, `count` as `uint64` |
//!
//! Nulls do not count. Without any value the mean is null.

use std::sync::Arc;

use arrow_array::{Array, Float64Array, UInt64Array};
use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::{Batch, Descriptor, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table};

/// What the pipeline file gives under `params`.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The column to average.
    column: String,
}

/// What is known of some of the rows.
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    sum: f64,
    count: u64,
}

/// The step.
pub struct Mean;

impl Reduce for Mean {
    type Params = Params;
    type State = Tally;
    type Partial = Tally;
    type Carry = ();

    fn describe() -> Descriptor {
        Descriptor::new("Computes the mean of a column.")
            .input("rows", "Any table; the column is `float64`.")
            .output("mean", "One row: `mean` and `count`.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        inputs.table("rows")?.field(&params.column)?;
        Ok(vec![Shape::table("mean", fields().to_vec())])
    }

    fn init(_params: &Params, _side: &Inputs) -> Result<Tally> {
        Ok(Tally::default())
    }

    fn partial(
        params: &Params,
        _round: u32,
        _state: &Tally,
        _carry: (),
        rows: &Table,
    ) -> Result<(Tally, ())> {
        let mut tally = Tally::default();
        for batch in rows.batches() {
            let values: Float64Array = batch.column(&params.column)?;
            tally.sum += values.iter().flatten().sum::<f64>();
            tally.count += (values.len() - values.null_count()) as u64;
        }
        Ok((tally, ()))
    }

    fn merge(_params: &Params, left: Tally, right: Tally) -> Result<Tally> {
        Ok(Tally {
            sum: left.sum + right.sum,
            count: left.count + right.count,
        })
    }

    fn update(
        _params: &Params,
        _round: u32,
        _state: Tally,
        merged: Option<Tally>,
    ) -> Result<Round<Tally>> {
        Ok(Round::Done(merged.unwrap_or_default()))
    }

    fn finish(_params: &Params, state: Tally, outputs: &mut Outputs) -> Result<()> {
        let mean = (state.count > 0).then(|| state.sum / state.count as f64);
        let [mean_field, count_field] = fields().map(|field| field.as_ref().clone());
        let columns = vec![
            (mean_field, Arc::new(Float64Array::from(vec![mean])) as _),
            (
                count_field,
                Arc::new(UInt64Array::from(vec![state.count])) as _,
            ),
        ];
        outputs.table("mean")?.write(&Batch::new(1, columns)?)
    }
}

/// The columns that come out.
fn fields() -> [FieldRef; 2] {
    [
        Arc::new(Field::new("mean", DataType::Float64, true)),
        Arc::new(Field::new("count", DataType::UInt64, false)),
    ]
}

pinion_sdk::export!(Mean: Reduce);

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use pinion_sdk::testing;

    use super::*;

    #[test]
    fn averages_over_partitions_and_passes_over_nulls() {
        let batch = |values: Vec<Option<f64>>| {
            RecordBatch::try_from_iter_with_nullable([(
                "x",
                Arc::new(Float64Array::from(values)) as _,
                true,
            )])
            .unwrap()
        };
        let partitions = [
            vec![batch(vec![Some(1.0), None]), batch(vec![Some(2.0)])],
            vec![batch(vec![Some(6.0)])],
        ];
        let fields = partitions[0][0].schema().fields().to_vec();

        let outputs = testing::reduce::<Mean>(
            r#"{ "column": "x" }"#,
            &Inputs::default(),
            &fields,
            &partitions,
        )
        .unwrap();

        let mean = &outputs.into_table("mean")[0][0];
        assert_eq!(
            mean["mean"].as_ref(),
            &Float64Array::from(vec![3.0]) as &dyn Array
        );
        assert_eq!(
            mean["count"].as_ref(),
            &UInt64Array::from(vec![3]) as &dyn Array
        );
    }
}

//! Marks the rows in which a column is above a threshold.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | any; the column is `float64` |
//! | out `rows` | table | the same rows, with `above` added |
//!
//! Where the column is null, so is `above`.

use std::sync::Arc;

use arrow_array::{BooleanArray, Float64Array};
use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap};

/// What the pipeline file gives under `params`.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The column to look at.
    column: String,
    /// Values greater than this are above.
    threshold: f64,
}

/// The step.
pub struct MarkAbove(Params);

impl RowMap for MarkAbove {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Marks the rows in which a column is above a threshold.")
            .input("rows", "Any table; the column is `float64`.")
            .output("rows", "The same rows, with `above` added.")
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        Ok(Self(params))
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let values: Float64Array = rows.column(&self.0.column)?;
        let above: BooleanArray = values
            .iter()
            .map(|value| value.map(|value| value > self.0.threshold))
            .collect();
        Ok(vec![Output::new(
            "rows",
            rows.with("above", Arc::new(above))?,
        )])
    }
}

pinion_sdk::export!(MarkAbove: RowMap);

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use pinion_sdk::testing;

    use super::*;

    #[test]
    fn marks_what_is_greater_and_passes_nulls_on() {
        let minutes = Float64Array::from(vec![Some(10.0), None, Some(15.0), Some(15.5)]);
        let rows = RecordBatch::try_from_iter([("minutes", Arc::new(minutes) as _)]).unwrap();
        let params = r#"{ "column": "minutes", "threshold": 15.0 }"#;

        let marked =
            testing::row_map::<MarkAbove>(params, Inputs::default(), &[rows], "rows").unwrap();

        let expected = BooleanArray::from(vec![Some(false), None, Some(false), Some(true)]);
        assert_eq!(
            marked[0]["above"].as_ref(),
            &expected as &dyn arrow_array::Array
        );
    }
}

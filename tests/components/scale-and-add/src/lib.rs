//! A row-map for benchmarks: adds `c = a * 2 + b` of two `float64` columns without nulls.

use std::sync::Arc;

use arrow_array::Float64Array;
use arrow_schema::{DataType, Field};
use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap, Shape, Shapes};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// A `float64` column without nulls.
    a: String,
    /// Another one.
    b: String,
    /// The name of the column added.
    c: String,
}

struct ScaleAndAdd(Params);

impl RowMap for ScaleAndAdd {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Adds `c = a * 2 + b`.")
            .input("rows", "Needs both columns.")
            .output("rows", "The rows with `c`.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        rows.field(&params.a)?;
        rows.field(&params.b)?;
        let added = Field::new(&params.c, DataType::Float64, false);
        Ok(vec![Shape::table("rows", rows.with([added]))])
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        Ok(Self(params))
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let a: Float64Array = rows.column(&self.0.a)?;
        let b: Float64Array = rows.column(&self.0.b)?;
        let sums = a.values().iter().zip(b.values()).map(|(a, b)| a * 2.0 + b);
        let c: Float64Array = sums.collect::<Vec<f64>>().into();
        Ok(vec![Output::new(
            "rows",
            rows.with(&self.0.c, Arc::new(c))?,
        )])
    }
}

pinion_sdk::export!(ScaleAndAdd: RowMap);

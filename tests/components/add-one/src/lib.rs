//! A row-map: adds one to one of several columns and parts the rows by it, passing the others unseen.

use std::sync::Arc;

use arrow_array::{BooleanArray, Int64Array};
use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// An `int64` column.
    column: String,
    /// Rows whose sum is at least this are kept.
    at_least: i64,
}

struct AddOne(Params);

impl RowMap for AddOne {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Adds one to a column.")
            .input("rows", "Needs the column.")
            .output("kept", "Rows whose sum is large enough.")
            .output("rest", "The other rows, as they came.")
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        Ok(Self(params))
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let values: Int64Array = rows.column(&self.0.column)?;
        let sums: Int64Array = values
            .iter()
            .map(|value| value.map(|value| value.wrapping_add(1)))
            .collect();
        let kept: BooleanArray = sums
            .iter()
            .map(|sum| Some(sum.is_some_and(|sum| sum >= self.0.at_least)))
            .collect();
        let rest = kept.iter().map(|kept| kept.map(|kept| !kept)).collect();
        let with = rows.with(&self.0.column, Arc::new(sums))?;
        Ok(vec![
            Output::new("kept", with.filter(&kept)?),
            Output::new("rest", rows.filter(&rest)?),
        ])
    }
}

pinion_sdk::export!(AddOne: RowMap);

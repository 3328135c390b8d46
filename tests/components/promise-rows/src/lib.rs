//! A row-map that promises the rows of its input, and keeps the promise or breaks it in the way its params name.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, UInt64Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap, Shape, Shapes};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    mode: String,
}

struct PromiseRows {
    mode: String,
}

impl RowMap for PromiseRows {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Promises its rows.")
            .input("rows", "Columns `a` and `b` of one type.")
            .output("rows", "The same rows, `b` as `y`, with `made`.")
            .same_rows_as("rows")
    }

    fn check(_params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let a = rows.field("a")?.clone();
        let y = rows.field("b")?.clone().with_name("y");
        let fields = vec![a.into(), y.into(), made().into()];
        let of = |name: &str| match name {
            "a" => Some("a".to_owned()),
            "y" => Some("b".to_owned()),
            _ => None,
        };
        Ok(vec![Shape::table("rows", fields).passes_as(rows, of)])
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        Ok(Self { mode: params.mode })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let count = rows.rows();
        let numbers = |order: &mut dyn Iterator<Item = u64>| UInt64Array::from_iter_values(order);
        let chosen = match self.mode.as_str() {
            "drop-first" => rows.slice(1, count - 1)?,
            "drop-all" => return Ok(Vec::new()),
            "turn" => rows.take(&numbers(&mut (0..count).rev()))?,
            "repeat" => rows.take(&numbers(&mut (0..count).map(|_| 0)))?,
            // The same rows, by another way.
            "take-all" => rows.take(&numbers(&mut (0..count)))?,
            "filter-all" => rows.filter(&BooleanArray::from(vec![true; count as usize]))?,
            _ => rows.duplicate()?,
        };
        let passed = match self.mode.as_str() {
            "other-column" => {
                let named = chosen.select(&["b", "a"])?.rename("b", "y")?;
                // `y` is `a`, and `a` is `b`.
                named.rename("a", "t")?.rename("y", "a")?.rename("t", "y")?
            }
            "make-it" => {
                let b: ArrayRef = chosen.array("b")?;
                let y = Field::new("y", b.data_type().clone(), true);
                chosen.select(&["a"])?.with_columns(vec![(y, b)])?
            }
            _ => chosen.select(&["a", "b"])?.rename("b", "y")?,
        };
        if self.mode == "pass-it" {
            let also = chosen.select(&["a"])?.rename("a", "made")?;
            return Ok(vec![Output::new("rows", passed.zip(&also)?)]);
        }
        let values = Int64Array::from_iter_values(0..passed.rows() as i64);
        let values: ArrayRef = Arc::new(values);
        let rows = passed.with_columns(vec![(made(), values)])?;
        Ok(vec![Output::new("rows", rows)])
    }
}

fn made() -> Field {
    Field::new("made", DataType::Int64, true)
}

pinion_sdk::export!(PromiseRows: RowMap);

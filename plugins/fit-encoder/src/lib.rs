//! Fits the sorted categories of columns, for `std:transform`.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | the columns are text, integers or booleans; null is no category |
//! | out `encoder` | blob | the distinct values of each column in ascending order |
//!
//! The position of a value is its code, as in scikit-learn's `OrdinalEncoder`; text is ordered by its
//! UTF-8 bytes. One round: after an append only the new partitions are read.

use std::collections::BTreeMap;

use arrow_array::Array;
use pinion_models::{Categories, ColumnCategories, Encoder, Model};
use pinion_sdk::{Descriptor, Error, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table};
use serde::Deserialize;

/// The step.
#[derive(Debug)]
pub struct FitEncoder;

/// What the pipeline file gives under `params`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The columns to encode.
    columns: Vec<String>,
}

impl Reduce for FitEncoder {
    type Params = Params;
    type State = Vec<ColumnCategories>;
    type Partial = Vec<ColumnCategories>;
    type Carry = ();

    fn describe() -> Descriptor {
        Descriptor::new("Fits the sorted categories of columns.")
            .input(
                "rows",
                "The columns are text, integers or booleans; null is no category.",
            )
            .output_blob(
                "encoder",
                Encoder::MEDIA_TYPE,
                "The distinct values of each column, ascending.",
            )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        if params.columns.is_empty() {
            return Err(Error::bad_params("`columns` names no column"));
        }
        for column in &params.columns {
            Categories::check(rows.field(column)?)?;
        }
        Ok(vec![Shape::blob("encoder", Encoder::MEDIA_TYPE)])
    }

    fn init(_params: &Params, _side: &Inputs) -> Result<Vec<ColumnCategories>> {
        Ok(Vec::new())
    }

    fn partial(
        params: &Params,
        _round: u32,
        _state: &Vec<ColumnCategories>,
        _carry: (),
        rows: &Table,
    ) -> Result<(Vec<ColumnCategories>, ())> {
        let of = |name: &String| {
            let mut missing = 0;
            for batch in rows.batches() {
                missing += batch.array(name)?.logical_null_count() as u64;
            }
            Ok(ColumnCategories {
                categories: Categories::of_rows(name, rows)?,
                missing,
                rows: rows.rows(),
            })
        };
        Ok((params.columns.iter().map(of).collect::<Result<_>>()?, ()))
    }

    fn merge(
        _params: &Params,
        left: Vec<ColumnCategories>,
        right: Vec<ColumnCategories>,
    ) -> Result<Vec<ColumnCategories>> {
        let union = |(left, right): (ColumnCategories, ColumnCategories)| {
            Ok(ColumnCategories {
                categories: left.categories.union(right.categories)?,
                missing: left.missing + right.missing,
                rows: left.rows + right.rows,
            })
        };
        left.into_iter().zip(right).map(union).collect()
    }

    fn update(
        _params: &Params,
        _round: u32,
        _state: Vec<ColumnCategories>,
        merged: Option<Vec<ColumnCategories>>,
    ) -> Result<Round<Vec<ColumnCategories>>> {
        merged
            .map(Round::Done)
            .ok_or_else(|| Error::new("no-values", "there is no row to fit on"))
    }

    fn finish(params: &Params, state: Vec<ColumnCategories>, outputs: &mut Outputs) -> Result<()> {
        let encoder = Encoder {
            columns: params
                .columns
                .iter()
                .cloned()
                .zip(state)
                .collect::<BTreeMap<_, _>>(),
        };
        outputs.blob("encoder")?.write(&encoder.to_bytes()?)
    }
}

pinion_sdk::export!(FitEncoder: Reduce);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Int16Array, RecordBatch, StringArray};
    use pinion_sdk::testing;

    use super::*;

    fn batch(carriers: Vec<Option<&str>>, months: Vec<i16>, late: Vec<bool>) -> RecordBatch {
        RecordBatch::try_from_iter([
            ("carrier", Arc::new(StringArray::from(carriers)) as ArrayRef),
            ("month", Arc::new(Int16Array::from(months))),
            ("late", Arc::new(BooleanArray::from(late))),
        ])
        .unwrap()
    }

    #[test]
    fn categories_are_sorted_over_all_partitions() {
        let first = batch(
            vec![Some("UA"), None, Some("9E")],
            vec![12, 1, 2],
            vec![true; 3],
        );
        let second = batch(vec![Some("AA"), Some("UA")], vec![2, -3], vec![true; 2]);
        let fields = first.schema().fields().to_vec();
        let params = r#"{"columns": ["carrier", "month", "late"]}"#;
        let partitions = [vec![first], vec![], vec![second]];
        let outputs =
            testing::reduce::<FitEncoder>(params, &Inputs::default(), &fields, &partitions)
                .unwrap();
        let encoder = Encoder::parse(outputs.written_blob("encoder").unwrap()).unwrap();
        let carrier = encoder.column("carrier").unwrap();
        assert_eq!(
            carrier.categories,
            Categories::Text(["9E", "AA", "UA"].map(str::to_owned).to_vec())
        );
        assert_eq!((carrier.missing, carrier.rows), (1, 5));
        assert_eq!(
            encoder.column("month").unwrap().categories,
            Categories::Integer(vec![-3, 1, 2, 12])
        );
        assert_eq!(
            encoder.column("late").unwrap().categories,
            Categories::Boolean(vec![true])
        );
    }

    #[test]
    fn the_file_is_as_documented() {
        let batch = batch(vec![Some("b"), Some("a")], vec![1, 1], vec![true, true]);
        let fields = batch.schema().fields().to_vec();
        let params = r#"{"columns": ["carrier"]}"#;
        let outputs =
            testing::reduce::<FitEncoder>(params, &Inputs::default(), &fields, &[vec![batch]])
                .unwrap();
        let expected = r#"{
  "model": {
    "columns": {
      "carrier": {
        "categories": {
          "text": [
            "a",
            "b"
          ]
        },
        "missing": 0,
        "rows": 2
      }
    }
  },
  "version": 1
}
"#;
        assert_eq!(
            String::from_utf8_lossy(outputs.written_blob("encoder").unwrap()),
            expected
        );
    }

    #[test]
    fn floats_and_absent_columns_are_refused() {
        use arrow_schema::{DataType, Field};
        let check = |columns: &str| {
            let fields = vec![Arc::new(Field::new("x", DataType::Float64, true))];
            let params = Params {
                columns: vec![columns.to_owned()],
            };
            FitEncoder::check(params, &Shapes::new(vec![Shape::table("rows", fields)]))
                .unwrap_err()
                .code
        };
        assert_eq!(check("x"), "wrong-type");
        assert_eq!(check("y"), "missing-column");
    }
}

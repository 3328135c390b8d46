//! Sorts a table by one or more columns, however many rows it has.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types; keys as below |
//! | out `rows` | table | the same rows in order |
//!
//! ```toml
//! params = { by = ["carrier", { column = "delay", descending = true }] }
//! ```
//!
//! Keys are of every type but nested ones and intervals. False comes before true, text is in the order of
//! its UTF-8 bytes, the zeros of floats are equal, and NaN is greater than every number. Nulls come last,
//! in either direction, unless told. Rows with equal keys stay in their order.
//!
//! Reads the keys only, and holds at most [`MEMORY_BYTES`] of them; sorted runs of the rest lie in scratch.
//! Deterministic; asks for no capabilities.

use std::collections::BTreeSet;

use pinion_sdk::{
    Descriptor, Error, Inputs, Outputs, Result, Shape, Shapes, Table, TableWriter, WholeTable,
};
use pinion_tables::key::{self, Order};
use pinion_tables::{MEMORY_BYTES, Sorter, TakenRows};
use schemars::JsonSchema;
use serde::Deserialize;

/// What to sort by.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The columns to sort by: names, or objects such as `{ column = "delay", descending = true }`. A later one
    /// decides where all before it are equal.
    by: Vec<By>,
}

/// One column to sort by.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`by` is a list of column names, or of objects with `column` and perhaps `descending` and `nulls`"
)]
enum By {
    /// Ascending, nulls last.
    Name(String),
    /// In another order.
    Column(Column),
}

/// A column and its order.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Column {
    /// The column's name.
    column: String,
    /// Whether the largest value comes first. Not unless given.
    #[serde(default)]
    descending: bool,
    /// Where nulls come, in either direction: `first` or `last`. Last unless given.
    #[serde(default)]
    nulls: Nulls,
}

/// Where nulls come.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Nulls {
    /// Before all values.
    First,
    /// After all values.
    #[default]
    Last,
}

impl Params {
    /// Names and orders of the key columns.
    fn keys(&self) -> Result<Vec<(&str, Order)>> {
        let keys = self.by.iter().map(|by| match by {
            By::Name(name) => (name.as_str(), Order::default()),
            By::Column(by) => {
                let order = Order {
                    descending: by.descending,
                    nulls_first: by.nulls == Nulls::First,
                };
                (by.column.as_str(), order)
            }
        });
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Err(Error::bad_params("`by` names no column"));
        }
        let mut seen = BTreeSet::new();
        match keys.iter().find(|(name, _)| !seen.insert(*name)) {
            Some((name, _)) => Err(Error::bad_params(format!(
                "`by` names column `{name}` twice"
            ))),
            None => Ok(keys),
        }
    }
}

struct SortRows;

impl WholeTable for SortRows {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Sorts a table by one or more columns.")
            .input("rows", "The rows to sort.")
            .output("rows", "The same rows in order.")
            .same_columns()
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        for (name, _) in params.keys()? {
            key::check(rows.field(name)?)?;
        }
        Ok(vec![
            Shape::table("rows", rows.fields().to_vec()).passes(rows, &[]),
        ])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let rows = inputs.table("rows")?;
        sort(rows, &params.keys()?, MEMORY_BYTES, outputs.table("rows")?)
    }
}

/// Writes `rows` in the order of `keys`, holding about `memory` bytes of them.
fn sort(rows: &Table, keys: &[(&str, Order)], memory: usize, to: &mut TableWriter) -> Result<()> {
    let fields = keys
        .iter()
        .map(|(name, _)| rows.field(name))
        .collect::<Result<Vec<_>>>()?;
    let orders = keys.iter().map(|(_, order)| *order);
    let by: Vec<_> = fields.iter().map(AsRef::as_ref).zip(orders).collect();
    let mut sorter = Sorter::new(&by, memory)?;
    for batch in rows.batches() {
        let columns = keys
            .iter()
            .map(|(name, _)| batch.array(name))
            .collect::<Result<Vec<_>>>()?;
        sorter.push(&columns)?;
    }
    let mut taken = TakenRows::new(rows, to);
    sorter.finish(|_, row| taken.push(row))?;
    taken.finish()
}

pinion_sdk::export!(SortRows: WholeTable);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
    use pinion_sdk::testing;

    use super::*;

    fn batch() -> RecordBatch {
        let carrier = StringArray::from(vec![Some("b"), None, Some("a"), Some("b"), Some("a")]);
        let delay = Float64Array::from(vec![Some(1.0), Some(0.5), None, Some(f64::NAN), Some(2.0)]);
        RecordBatch::try_from_iter([
            ("carrier", Arc::new(carrier) as ArrayRef),
            ("delay", Arc::new(delay)),
            ("n", Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4]))),
        ])
        .unwrap()
    }

    fn table(piece: usize) -> Table {
        let batch = batch();
        let pieces = (0..batch.num_rows()).step_by(piece);
        let batches = pieces.map(|start| batch.slice(start, piece.min(batch.num_rows() - start)));
        Table::local(batch.schema().fields().to_vec(), batches.collect())
    }

    fn numbers(batches: &[Vec<RecordBatch>]) -> Vec<i64> {
        let batches = batches.iter().flatten();
        batches
            .flat_map(|batch| batch["n"].as_primitive::<Int64Type>().values().to_vec())
            .collect()
    }

    fn run(params: &str) -> Result<Vec<i64>> {
        let inputs = Inputs::default().with_table("rows", table(2));
        let outputs = testing::whole_table::<SortRows>(params, &inputs)?;
        Ok(numbers(&outputs.into_table("rows")))
    }

    #[test]
    fn sorts_by_columns_in_turn() {
        assert_eq!(run(r#"{"by": ["delay"]}"#).unwrap(), [1, 0, 4, 3, 2]);
        assert_eq!(run(r#"{"by": ["carrier"]}"#).unwrap(), [2, 4, 0, 3, 1]);
        let by = r#"{"by": ["carrier", {"column": "delay", "descending": true}]}"#;
        assert_eq!(run(by).unwrap(), [4, 2, 3, 0, 1]);
        let by = r#"{"by": [{"column": "delay", "nulls": "first", "descending": true}]}"#;
        assert_eq!(run(by).unwrap(), [2, 3, 4, 0, 1]);
    }

    #[test]
    fn what_does_not_fit_is_laid_aside() {
        for keys in [vec!["delay"], vec!["carrier"], vec!["carrier", "delay"]] {
            let keys: Vec<_> = keys
                .into_iter()
                .map(|key| (key, Order::default()))
                .collect();
            let sorted = |memory, piece| {
                let mut writer = TableWriter::local();
                sort(&table(piece), &keys, memory, &mut writer).unwrap();
                numbers(&writer.into_partitions())
            };
            let expected = sorted(MEMORY_BYTES, 5);
            for piece in 1..5 {
                assert_eq!(sorted(1, piece), expected);
            }
        }
    }

    #[test]
    fn no_rows_are_no_rows() {
        let empty = Table::local(
            batch().schema().fields().to_vec(),
            vec![batch().slice(0, 0)],
        );
        let inputs = Inputs::default().with_table("rows", empty);
        let outputs = testing::whole_table::<SortRows>(r#"{"by": ["n"]}"#, &inputs).unwrap();
        assert!(numbers(&outputs.into_table("rows")).is_empty());
    }

    #[test]
    fn bad_params_are_refused() {
        for params in [
            r#"{"by": []}"#,
            r#"{"by": ["n", {"column": "n"}]}"#,
            r#"{"by": [{"column": "n", "nulls": "middle"}]}"#,
            "{}",
        ] {
            assert_eq!(run(params).unwrap_err().code, "bad-params", "{params}");
        }
        let shapes = Shapes::new(vec![Shape::table(
            "rows",
            batch().schema().fields().to_vec(),
        )]);
        let by = |json| pinion_sdk::guest::params::<Params>(json).unwrap();
        let error = SortRows::check(by(r#"{"by": ["m"]}"#), &shapes).unwrap_err();
        assert_eq!(error.code, "missing-column");
        assert!(SortRows::check(by(r#"{"by": ["n"]}"#), &shapes).is_ok());
    }

    /// What DuckDB finds, from `tests/oracles/large_tables.py`.
    fn oracle() -> serde_json::Value {
        serde_json::from_str(include_str!("../tests/data/duckdb.json")).unwrap()
    }

    /// The rows of a table in the oracle's file, the columns `row`, `k`, `t` and `x`, named anew.
    fn oracle_rows(columns: &serde_json::Value, names: [&str; 4]) -> RecordBatch {
        let values = |column: usize| columns[column].as_array().unwrap().iter();
        let integers = |column| {
            values(column)
                .map(|value| value.as_i64())
                .collect::<Int64Array>()
        };
        let text: StringArray = values(2).map(|value| value.as_str()).collect();
        let floats: Float64Array = values(3).map(|value| value.as_f64()).collect();
        let arrays: [ArrayRef; 4] = [
            Arc::new(integers(0)),
            Arc::new(integers(1)),
            Arc::new(text),
            Arc::new(floats),
        ];
        let columns = names
            .into_iter()
            .zip(arrays)
            .map(|(name, array)| (name, array, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    #[test]
    fn rows_are_in_the_order_that_duckdb_finds() {
        let oracle = oracle();
        let rows = oracle_rows(&oracle["columns"], ["n", "k", "t", "x"]);
        let of = |name, descending, nulls_first| {
            let order = Order {
                descending,
                nulls_first,
            };
            (name, order)
        };
        for (by, keys) in [
            ("x", vec![of("x", false, false)]),
            ("t", vec![of("t", true, true)]),
            ("k, t", vec![of("k", false, true), of("t", true, false)]),
        ] {
            let expected: Vec<i64> = serde_json::from_value(oracle["rows"][by].clone()).unwrap();
            for memory in [1, 2000, MEMORY_BYTES] {
                let batches = (0..20).map(|piece| rows.slice(10 * piece, 10));
                let table = Table::local(rows.schema().fields().to_vec(), batches.collect());
                let mut writer = TableWriter::local();
                sort(&table, &keys, memory, &mut writer).unwrap();
                assert_eq!(
                    numbers(&writer.into_partitions()),
                    expected,
                    "{by} {memory}"
                );
            }
        }
    }
}

//! Keeps, drops or renames columns, without reading one of them.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types |
//! | out `rows` | table | `(n_rows, n_kept)` |
//!
//! `keep` lists the columns that stay, in their new order; `drop` lists those that go. `rename` maps
//! old names to new ones and comes last. Deterministic; asks for no capabilities.

use std::collections::{BTreeMap, BTreeSet};

use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which columns stay, and under which names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The columns that stay, in their new order. Not together with `drop`.
    keep: Option<Vec<String>>,
    /// The columns that go. Not together with `keep`.
    drop: Option<Vec<String>>,
    /// New names by old names.
    #[serde(default)]
    rename: BTreeMap<String, String>,
}

struct SelectColumns(Params);

impl RowMap for SelectColumns {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Keeps, drops or renames columns.")
            .input("rows", "Any table.")
            .output("rows", "The same rows with the columns that stay.")
            .same_rows_as("rows")
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        if params.keep.is_some() && params.drop.is_some() {
            return Err(Error::bad_params("`keep` and `drop` are given together"));
        }
        if params.keep.is_none() && params.drop.is_none() && params.rename.is_empty() {
            return Err(Error::bad_params(
                "none of `keep`, `drop` and `rename` is given",
            ));
        }
        Ok(Self(params))
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let mut rows = match (&self.0.keep, &self.0.drop) {
            (Some(keep), _) => rows.select(&keep.iter().map(String::as_str).collect::<Vec<_>>())?,
            (None, Some(drop)) => {
                let fields = rows.schema()?;
                let names: BTreeSet<&str> =
                    fields.iter().map(|field| field.name().as_str()).collect();
                if let Some(missing) = drop.iter().find(|name| !names.contains(name.as_str())) {
                    return Err(Error::missing_column(missing));
                }
                let drop: BTreeSet<&str> = drop.iter().map(String::as_str).collect();
                let stays = |name: &&str| !drop.contains(name);
                rows.select(
                    &fields
                        .iter()
                        .map(|field| field.name().as_str())
                        .filter(stays)
                        .collect::<Vec<_>>(),
                )?
            }
            (None, None) => rows.duplicate()?,
        };
        for (name, to) in &self.0.rename {
            rows = rows.rename(name, to)?;
        }
        Ok(vec![Output::new("rows", rows)])
    }
}

pinion_sdk::export!(SelectColumns: RowMap);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch};
    use pinion_sdk::testing;

    use super::*;

    fn select(params: &str) -> Result<Vec<String>> {
        let column = |value| Arc::new(Int64Array::from(vec![value])) as _;
        let batch =
            RecordBatch::try_from_iter([("a", column(1)), ("b", column(2)), ("c", column(3))])
                .unwrap();
        let out = testing::row_map::<SelectColumns>(params, Inputs::default(), &[batch], "rows")?;
        Ok(out[0]
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect())
    }

    #[test]
    fn keeps_in_the_order_given() {
        assert_eq!(select(r#"{"keep": ["c", "a"]}"#).unwrap(), ["c", "a"]);
    }

    #[test]
    fn drops_and_renames() {
        assert_eq!(
            select(r#"{"drop": ["b"], "rename": {"c": "z"}}"#).unwrap(),
            ["a", "z"]
        );
    }

    #[test]
    fn refuses_what_is_not_there() {
        for params in [
            r#"{"keep": ["x"]}"#,
            r#"{"drop": ["x"]}"#,
            r#"{"rename": {"x": "y"}}"#,
        ] {
            assert_eq!(
                select(params).unwrap_err().code,
                "missing-column",
                "{params}"
            );
        }
    }

    #[test]
    fn refuses_params_that_contradict_or_say_nothing() {
        for params in [
            r#"{"keep": ["a"], "drop": ["b"]}"#,
            "{}",
            r#"{"kep": ["a"]}"#,
        ] {
            assert_eq!(select(params).unwrap_err().code, "bad-params", "{params}");
        }
    }
}

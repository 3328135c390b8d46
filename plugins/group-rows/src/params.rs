//! What is grouped, and what is computed of a group.

use std::collections::{BTreeMap, BTreeSet};

use pinion_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// What is grouped, and what is computed of a group.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The columns whose values make a group.
    pub(crate) by: Vec<String>,
    /// What to compute of each group, by the name of the new column, such as
    /// `mean_delay = { column = "delay", function = "mean" }` or `flights = { function = "count" }`.
    #[serde(default)]
    pub(crate) aggregates: BTreeMap<String, Aggregate>,
}

/// One figure of each group.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aggregate {
    /// The column it is computed of. `count` without one counts rows.
    pub(crate) column: Option<String>,
    /// What is computed of the values that are not null.
    pub(crate) function: Function,
}

/// What is computed of the values of a group that are not null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Function {
    /// Their number.
    Count,
    /// The number of different ones.
    #[serde(rename = "count-distinct")]
    CountDistinct,
    /// Their sum: exact for integers and decimals.
    Sum,
    /// Their arithmetic mean, a float.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The first in the order of the rows.
    First,
    /// The last in the order of the rows.
    Last,
}

impl Params {
    /// Refuses params that make no sense.
    ///
    /// # Errors
    /// `bad-params`, or `duplicate-column` if two columns would have one name.
    pub(crate) fn check(&self) -> Result<()> {
        if self.by.is_empty() {
            return Err(Error::bad_params("`by` names no column"));
        }
        let mut seen = BTreeSet::new();
        for name in &self.by {
            if !seen.insert(name) {
                return Err(Error::bad_params(format!(
                    "`by` names column `{name}` twice"
                )));
            }
        }
        for (name, aggregate) in &self.aggregates {
            if seen.contains(name) {
                let message = format!("there would be two columns `{name}`");
                return Err(Error::new("duplicate-column", message)
                    .with("column", name)
                    .with("in", "`by` and `aggregates`"));
            }
            if aggregate.column.is_none() && aggregate.function != Function::Count {
                return Err(Error::bad_params(format!(
                    "aggregate `{name}` names no column"
                )));
            }
        }
        Ok(())
    }
}

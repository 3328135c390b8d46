//! What is joined, and by what.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::FieldRef;
use pinion_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// What is joined, and by what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The columns that must be equal: names that both sides have, such as `["carrier", "year"]`, or
    /// names in `right` by names in `left`, such as `{ dest = "faa" }`.
    on: On,
    /// What becomes of a left row without a match: `inner` drops it, `left` keeps it, with nulls. `inner`
    /// unless given, as in SQL.
    #[serde(default)]
    pub(crate) how: How,
    /// The columns of `right` to add, in this order. All but the keys unless given.
    columns: Option<Vec<String>>,
    /// Goes before the name of an added column that `left` has as well. Not together with `suffix`.
    prefix: Option<String>,
    /// Goes after the name of an added column that `left` has as well. Not together with `prefix`.
    suffix: Option<String>,
    /// Whether two rows of `right` with the same key end the run, so that no row of `left` can come out twice.
    #[serde(default)]
    pub(crate) unique: bool,
}

/// Key columns.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`on` is a column name, a list of names, or names in `right` by names in `left`"
)]
enum On {
    /// One column that both sides have.
    Column(String),
    /// Columns that both sides have.
    Columns(Vec<String>),
    /// Names in `right` by names in `left`.
    Pairs(BTreeMap<String, String>),
}

/// What becomes of a left row without a match.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// It is dropped.
    #[default]
    Inner,
    /// It stays, with nulls for the columns of `right`.
    Left,
}

/// A column of `right` and its name in the output.
pub(crate) struct Added {
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Params {
    /// Names of the key columns, left and right.
    ///
    /// # Errors
    /// `bad-params` if there is none or one stands twice, or for params that contradict each other.
    pub(crate) fn keys(&self) -> Result<Vec<(String, String)>> {
        if self.prefix.is_some() && self.suffix.is_some() {
            return Err(Error::bad_params(
                "`prefix` and `suffix` are given together",
            ));
        }
        let keys: Vec<(String, String)> = match &self.on {
            On::Column(name) => vec![(name.clone(), name.clone())],
            On::Columns(names) => names
                .iter()
                .map(|name| (name.clone(), name.clone()))
                .collect(),
            On::Pairs(pairs) => pairs
                .iter()
                .map(|(left, right)| (left.clone(), right.clone()))
                .collect(),
        };
        if keys.is_empty() {
            return Err(Error::bad_params("`on` names no column"));
        }
        refuse_twice("on", keys.iter().map(|(_, right)| right))?;
        refuse_twice("columns", self.columns.iter().flatten())?;
        Ok(keys)
    }

    /// The columns of `right` to add, whose schema is asked for only if it is needed.
    pub(crate) fn columns(
        &self,
        keys: &[(String, String)],
        right: impl FnOnce() -> Result<Vec<FieldRef>>,
    ) -> Result<Vec<String>> {
        if let Some(columns) = &self.columns {
            return Ok(columns.clone());
        }
        let fields = right()?;
        let names = fields.iter().map(|field| field.name());
        Ok(names
            .filter(|name| keys.iter().all(|(_, key)| key != *name))
            .cloned()
            .collect())
    }

    /// The names that `columns` get beside the columns of `left`.
    pub(crate) fn added(
        &self,
        columns: &[String],
        is_in_left: impl Fn(&str) -> Result<bool>,
    ) -> Result<Vec<Added>> {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let suffix = self.suffix.as_deref().unwrap_or_default();
        let renames = !prefix.is_empty() || !suffix.is_empty();
        columns
            .iter()
            .map(|from| {
                let to = if renames && is_in_left(from)? {
                    format!("{prefix}{from}{suffix}")
                } else {
                    from.clone()
                };
                Ok(Added {
                    from: from.clone(),
                    to,
                })
            })
            .collect()
    }
}

fn refuse_twice<'a>(param: &str, names: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::bad_params(format!(
                "`{param}` names column `{name}` twice"
            )));
        }
    }
    Ok(())
}

//! What a join joins by, and the columns that come out.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{Field, FieldRef};
use pinion_sdk::{Batch, Error, Result, TableShape};
use pinion_values::{Kind, kind};
use schemars::JsonSchema;
use serde::Deserialize;

/// Key columns.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`on` is a column name, a list of names, or names in `right` by names in `left`"
)]
pub enum On {
    /// One column that both sides have.
    Column(String),
    /// Columns that both sides have.
    Columns(Vec<String>),
    /// Names in `right` by names in `left`.
    Pairs(BTreeMap<String, String>),
}

/// What becomes of a left row without a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It is dropped.
    #[default]
    Inner,
    /// It stays, with nulls for the columns of `right`.
    Left,
}

/// The names in a join.
pub struct Names {
    /// Key columns, left and right.
    pub keys: Vec<(String, String)>,
    columns: Option<Vec<String>>,
    prefix: String,
    suffix: String,
}

/// A column of `right` and its name in the output.
struct Added {
    from: String,
    to: String,
}

impl Names {
    /// The names that these params give.
    ///
    /// # Errors
    /// `bad-params` if there is no key or a name stands twice, or for params that contradict each other.
    pub fn new(
        on: &On,
        columns: Option<&[String]>,
        prefix: Option<&str>,
        suffix: Option<&str>,
    ) -> Result<Self> {
        if prefix.is_some() && suffix.is_some() {
            return Err(Error::bad_params(
                "`prefix` and `suffix` are given together",
            ));
        }
        let same = |name: &String| (name.clone(), name.clone());
        let keys: Vec<(String, String)> = match on {
            On::Column(name) => vec![same(name)],
            On::Columns(names) => names.iter().map(same).collect(),
            On::Pairs(pairs) => pairs
                .iter()
                .map(|(left, right)| (left.clone(), right.clone()))
                .collect(),
        };
        if keys.is_empty() {
            return Err(Error::bad_params("`on` names no column"));
        }
        refuse_twice("on", keys.iter().map(|(_, right)| right))?;
        refuse_twice("columns", columns.into_iter().flatten())?;
        Ok(Self {
            keys,
            columns: columns.map(<[String]>::to_vec),
            prefix: prefix.unwrap_or_default().to_owned(),
            suffix: suffix.unwrap_or_default().to_owned(),
        })
    }

    /// The columns of `right` to add, whose schema is asked for only if it is needed.
    ///
    /// # Errors
    /// What `right` refuses.
    pub fn columns(&self, right: impl FnOnce() -> Result<Vec<FieldRef>>) -> Result<Vec<String>> {
        if let Some(columns) = &self.columns {
            return Ok(columns.clone());
        }
        let fields = right()?;
        let names = fields.iter().map(|field| field.name());
        Ok(names
            .filter(|name| self.keys.iter().all(|(_, key)| key != *name))
            .cloned()
            .collect())
    }

    /// The fields of the output: those of `left`, then those that are added.
    ///
    /// # Errors
    /// - `missing-column`, or `wrong-type` for keys that hold different things.
    /// - `duplicate-column` if two columns would have one name.
    pub fn fields(
        &self,
        how: How,
        left: TableShape<'_>,
        right: TableShape<'_>,
    ) -> Result<Vec<FieldRef>> {
        for (left_name, right_name) in &self.keys {
            check_key(left.field(left_name)?, right.field(right_name)?)?;
        }
        let columns = self.columns(|| Ok(right.fields().to_vec()))?;
        let mut fields = left.fields().to_vec();
        for Added { from, to } in self.added(&columns, |name| Ok(left.find(name).is_some()))? {
            let field = right.field(&from)?;
            let taken = fields.iter().any(|field| *field.name() == to)
                || (from != to && columns.contains(&to));
            if taken {
                return Err(Error::new(
                    "duplicate-column",
                    format!("there would be two columns `{to}`"),
                )
                .with("column", &to)
                .with("in", format!("port `left`, and port `right` as `{from}`"))
                .with(
                    "param",
                    "`suffix` or `prefix` renames such columns, and `columns` lists what to add",
                ));
            }
            let nullable = field.is_nullable() || how == How::Left;
            fields.push(field.clone().with_name(to).with_nullable(nullable).into());
        }
        Ok(fields)
    }

    /// Rows of `left` beside as many rows of `right`, of which it gets `columns`.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn zip(&self, left: &Batch, right: &Batch, columns: &[String]) -> Result<Batch> {
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut right = right.select(&names)?;
        for Added { from, to } in self.added(columns, |name| Ok(left.find(name)?.is_some()))? {
            if from != to {
                right = right.rename(&from, &to)?;
            }
        }
        left.zip(&right)
    }

    /// The names that `columns` get beside the columns of `left`.
    fn added(
        &self,
        columns: &[String],
        is_in_left: impl Fn(&str) -> Result<bool>,
    ) -> Result<Vec<Added>> {
        let renames = !self.prefix.is_empty() || !self.suffix.is_empty();
        columns
            .iter()
            .map(|from| {
                let to = if renames && is_in_left(from)? {
                    format!("{}{from}{}", self.prefix, self.suffix)
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

/// Refuses keys that never match because they hold different things, and floats, which rarely do.
///
/// # Errors
/// `wrong-type`.
pub fn check_key(left: &Field, right: &Field) -> Result<()> {
    let kind = |field: &Field| match kind(field.name(), field.data_type())? {
        Kind::Float => Err(Error::wrong_type(
            field.name(),
            "anything but floats as a key",
            field.data_type(),
        )),
        kind => Ok(kind),
    };
    if kind(left)? != kind(right)? {
        let side = |field: &Field| format!("`{}` as {}", field.name(), field.data_type());
        return Err(Error::new(
            "wrong-type",
            format!(
                "keys `{}` and `{}` hold different things",
                left.name(),
                right.name()
            ),
        )
        .with("left", side(left))
        .with("right", side(right))
        .with(
            "step",
            "`std:cast-columns` gives one of them the other's type",
        ));
    }
    Ok(())
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

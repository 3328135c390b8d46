//! Which features to add.

use std::collections::BTreeMap;

use arrow_schema::{DataType, Field};
use pinion_models::check_number;
use pinion_sdk::{Error, Result, TableShape};
use pinion_tables::key;
use pinion_values::{Kind, parse_duration};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which features to add.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The columns whose values make a group. All rows are one group unless given.
    #[serde(default)]
    pub(crate) by: Vec<String>,
    /// The column that says which rows of a group come before others, without nulls. Of equal values the row that
    /// stands first in the table comes first.
    pub(crate) order_by: String,
    /// Whether a row is in its own windows. It is not unless told, so that they can be features of what is only known
    /// with the row itself. A lag never is of the row itself.
    #[serde(default)]
    pub(crate) include_current: bool,
    /// The features, by the name of the new column, such as
    /// `last_delay = { function = "lag", column = "delay", rows = 1 }` or
    /// `delay_7d = { function = "mean", column = "delay", duration = "7 d" }`.
    pub(crate) features: BTreeMap<String, Feature>,
}

/// One feature.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Feature {
    /// What is computed.
    pub(crate) function: Function,
    /// The column it is computed of. `count` without one counts rows.
    pub(crate) column: Option<String>,
    /// How many rows back a lag is, or how many rows a window has. At least 1.
    rows: Option<u32>,
    /// How far back a window goes by the values of `order_by`: a whole number and `ms`, `s`, `min`, `h` or `d`.
    duration: Option<String>,
}

/// What is computed of the values in a window that are not missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Function {
    /// The value so many rows before, whatever its type.
    Lag,
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their arithmetic mean.
    Mean,
    /// Their sample standard deviation.
    Std,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// How far back a window goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many rows.
    Rows(u64),
    /// So many nanoseconds.
    Nanoseconds(i128),
}

impl Params {
    /// Refuses params that make no sense for `rows`, and gives the fields to add.
    ///
    /// # Errors
    /// `bad-params`, `missing-column`, `wrong-type`, or `duplicate-column`.
    pub(crate) fn check(&self, rows: TableShape<'_>) -> Result<Vec<Field>> {
        for (position, name) in self.by.iter().enumerate() {
            key::check(rows.field(name)?)?;
            if self.by[..position].contains(name) {
                return Err(Error::bad_params(format!(
                    "`by` names column `{name}` twice"
                )));
            }
        }
        key::check(rows.field(&self.order_by)?)?;
        if self.features.is_empty() {
            return Err(Error::bad_params("`features` names no feature"));
        }
        let field = |(name, feature): (&String, &Feature)| {
            if rows.find(name).is_some() {
                let message = format!("there is a column `{name}` already");
                return Err(Error::new("duplicate-column", message).with("column", name));
            }
            let column = feature.column.as_ref();
            let column = column.map(|column| rows.field(column)).transpose()?;
            let field = feature.field(name, column)?;
            if let Some(Extent::Nanoseconds(_)) = feature.extent(name)? {
                let order = rows.field(&self.order_by)?;
                let kind = Kind::of(order.data_type());
                if !matches!(kind, Some(Kind::Date | Kind::Timestamp | Kind::Instant)) {
                    let expected =
                        format!("dates or timestamps, as feature `{name}` has a duration");
                    return Err(Error::wrong_type(order.name(), expected, order.data_type()));
                }
            }
            Ok(field)
        };
        self.features.iter().map(field).collect()
    }
}

impl Feature {
    /// The field that is added.
    fn field(&self, name: &str, column: Option<&Field>) -> Result<Field> {
        match (self.function, column) {
            (Function::Lag, Some(column)) => Ok(column.clone().with_name(name).with_nullable(true)),
            (Function::Count, _) => Ok(Field::new(name, DataType::Int64, false)),
            (_, Some(column)) => {
                check_number(column)?;
                Ok(Field::new(name, DataType::Float64, true))
            }
            (_, None) => Err(Error::bad_params(format!(
                "feature `{name}` names no column"
            ))),
        }
    }

    /// How many rows back the lag is, if it is one.
    pub(crate) fn lag(&self) -> Option<u64> {
        match self.function {
            Function::Lag => self.rows.map(u64::from),
            _ => None,
        }
    }

    /// The window of the feature `name`; none of a lag.
    ///
    /// # Errors
    /// `bad-params`.
    pub(crate) fn extent(&self, name: &str) -> Result<Option<Extent>> {
        let is_lag = self.function == Function::Lag;
        match (self.rows, &self.duration) {
            (Some(0), _) => Err(Error::bad_params(format!(
                "`rows` of feature `{name}` must be at least 1"
            ))),
            (Some(_), None) if is_lag => Ok(None),
            (Some(rows), None) => Ok(Some(Extent::Rows(rows.into()))),
            (None, Some(duration)) if !is_lag => match parse_duration(duration) {
                Some(nanoseconds) => Ok(Some(Extent::Nanoseconds(nanoseconds))),
                None => Err(
                    Error::bad_params(format!("`duration` of feature `{name}` is none"))
                        .with("expected", "such as `90 s`, `15 min`, `6 h` or `7 d`")
                        .with("found", format!("`{duration}`")),
                ),
            },
            _ => {
                let expected = match is_lag {
                    true => "`rows`, and no `duration`",
                    false => "either `rows` or `duration`",
                };
                let message = format!("feature `{name}` does not say how far it goes back");
                Err(Error::bad_params(message).with("expected", expected))
            }
        }
    }
}

//! What must hold of a table.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::ArrowPrimitiveType;
use arrow_array::types::Float16Type;
use arrow_schema::DataType;
use pinion_values::{Kind, Value, parse_decimal, parse_moment};
use schemars::JsonSchema;
use serde::Deserialize;

/// What must hold of the table. Null is a value of no range and no set: only `not_null` looks at it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Columns without nulls.
    #[serde(default)]
    pub(crate) not_null: Vec<String>,
    /// Smallest and largest values by column, such as `{ age = { min = 0, max = 120 } }`. NaN is in no range.
    #[serde(default)]
    pub(crate) range: BTreeMap<String, Range>,
    /// Allowed values by column, such as `{ carrier = ["AA", "UA"] }`.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, Vec<Literal>>,
    /// Columns that together differ in every row: a name, a list of names, or a list of such lists for
    /// several checks. Rows with a null in one of them count as different, as in SQL.
    pub(crate) unique: Option<Unique>,
    /// Fewest and most rows.
    pub(crate) rows: Option<Rows>,
    /// What happens if a check fails.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
}

/// The values that a column may have. Dates and timestamps are written as text.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    /// The smallest value.
    pub(crate) min: Option<Literal>,
    /// The largest value.
    pub(crate) max: Option<Literal>,
}

/// How many rows there may be.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rows {
    /// Fewest rows.
    pub(crate) min: Option<u64>,
    /// Most rows.
    pub(crate) max: Option<u64>,
}

/// Columns that together differ in every row.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`unique` is a column name, a list of names, or a list of lists of names"
)]
pub(crate) enum Unique {
    /// One column.
    Column(String),
    /// Columns that differ together.
    Key(Vec<String>),
    /// Several such lists, each a check of its own.
    Keys(Vec<Vec<String>>),
}

/// What happens if a check fails.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFailure {
    /// The run fails and shows the first bad rows.
    #[default]
    Fail,
    /// The run goes on; the table `report` tells.
    Report,
}

/// A value as it is written in params.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a value is a number, text or a boolean")]
pub(crate) enum Literal {
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text, a date, a timestamp or a decimal.
    Text(String),
}

/// What becomes of a number with a fraction among whole numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// The next whole number above, as for a smallest value.
    Up,
    /// The next whole number below, as for a largest value.
    Down,
    /// There is no such value.
    Refuse,
}

impl Literal {
    /// The value that this is in a column of `data_type`, none if it is none.
    pub(crate) fn value(&self, data_type: &DataType, rounding: Rounding) -> Option<Value<'_>> {
        Some(match (Kind::of(data_type)?, self) {
            (Kind::Boolean, Self::Boolean(value)) => Value::Boolean(*value),
            (Kind::Integer, Self::Integer(value)) => Value::Integer(i128::from(*value)),
            (Kind::Integer, Self::Float(value)) => {
                let whole = match rounding {
                    Rounding::Up => value.ceil(),
                    Rounding::Down => value.floor(),
                    Rounding::Refuse => (value.fract() == 0.0).then_some(*value)?,
                };
                Value::Integer(whole as i128)
            }
            (Kind::Float, Self::Integer(value)) => Value::Float(narrow(*value as f64, data_type)),
            (Kind::Float, Self::Float(value)) => Value::Float(narrow(*value, data_type)),
            (Kind::Decimal(scale), Self::Integer(_) | Self::Float(_) | Self::Text(_)) => {
                Value::Integer(parse_decimal(&self.to_string(), scale)?)
            }
            (Kind::Text, Self::Text(text)) => Value::Text(text),
            (Kind::Instant, Self::Text(text)) => Value::Integer(parse_moment(text)?.utc()),
            (Kind::Date | Kind::Timestamp, Self::Text(text)) => {
                let moment = parse_moment(text)?;
                moment
                    .offset
                    .is_none()
                    .then_some(Value::Integer(moment.nanoseconds))?
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// `value` as the column can hold it: in `float32`, 0.1 is what 0.1 becomes there.
fn narrow(value: f64, data_type: &DataType) -> f64 {
    match data_type {
        DataType::Float16 => <Float16Type as ArrowPrimitiveType>::Native::from_f64(value).to_f64(),
        DataType::Float32 => f64::from(value as f32),
        _ => value,
    }
}

//! What is joined, and by what.

use std::num::NonZeroU64;

use arrow_schema::Field;
use pinion_sdk::{Error, Result};
use pinion_tables::join::{Given, How, Names, On};
use pinion_values::{Kind, parse_duration};
use schemars::JsonSchema;
use serde::Deserialize;

/// What is joined, and by what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The columns that must be equal: names that both sides have, such as `["carrier", "year"]`, or
    /// names in `right` by names in `left`, such as `{ dest = "faa" }`. With `nearest` there may be none.
    on: Option<On>,
    /// Which of the rows with equal keys is the match: the nearest in time, such as
    /// `{ left = "time", right = "measured_at", tolerance = "30 min" }`. Every one unless given.
    pub(crate) nearest: Option<Nearest>,
    /// Which rows of `left` come out: `inner` those with a match, once for each; `left` those without one as
    /// well, with nulls; `semi` those with a match, once each and without columns of `right`; `anti` those without
    /// a match. `inner` unless given, as in SQL.
    #[serde(default)]
    pub(crate) how: How,
    /// The columns of `right` to add, in this order. All but the keys unless given, and but the time if its name is
    /// that of the left one. `semi` and `anti` add none.
    columns: Option<Vec<String>>,
    /// Goes before the name of an added column that `left` has as well. Not together with `suffix`.
    prefix: Option<String>,
    /// Goes after the name of an added column that `left` has as well. Not together with `prefix`.
    suffix: Option<String>,
    /// Whether two rows of `right` with the same key, and with `nearest` the same time, end the run, so that no two
    /// rows are equally good matches. Not with `semi` and `anti`.
    #[serde(default)]
    pub(crate) unique: bool,
}

/// Which row of `right` is the match by its time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nearest {
    /// The column of `left` with the times: dates, timestamps of any unit, or integers.
    pub(crate) left: String,
    /// The column of `right` with the times, of the same kind, in whatever unit.
    pub(crate) right: String,
    /// Where the match is: `backward`, at the time of the left row or before; `forward`, at its time or after;
    /// `nearest`, on whichever side is nearer, and before if both are as near. `backward` unless given, since features
    /// must not be made of what was not yet known.
    #[serde(default)]
    pub(crate) direction: Direction,
    /// How far from the left row the match may be, this far included: a whole number and `ms`, `s`, `min`, `h` or
    /// `d`, or for columns of integers a whole number. Any distance unless given.
    tolerance: Option<Tolerance>,
    /// Whether a row of exactly the same time can be the match. It can unless told. With dates that is a row of the
    /// same day, which may be of a later hour.
    #[serde(default = "yes")]
    pub(crate) allow_exact: bool,
}

/// On which side of a time the match is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// The last row that is not later.
    #[default]
    Backward,
    /// The first row that is not earlier.
    Forward,
    /// The nearer of both, the earlier one if they are equally near.
    Nearest,
}

/// How far away a match may be.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`tolerance` is a duration such as `30 min`, or for integers a whole number above 0"
)]
enum Tolerance {
    /// A length of time.
    Duration(String),
    /// A difference of integers.
    Difference(NonZeroU64),
}

fn yes() -> bool {
    true
}

impl Params {
    /// The names in the join.
    ///
    /// # Errors
    /// `bad-params`.
    pub(crate) fn names(&self) -> Result<Names> {
        self.how
            .refuse_param("unique", self.unique, "no row comes out twice")?;
        let times = self.nearest.as_ref();
        Names::new(Given {
            on: self.on.as_ref(),
            times: times.map(|nearest| (nearest.left.as_str(), nearest.right.as_str())),
            how: self.how,
            columns: self.columns.as_deref(),
            prefix: self.prefix.as_deref(),
            suffix: self.suffix.as_deref(),
        })
    }
}

impl Nearest {
    /// How far away a match may be, in nanoseconds or as a difference of integers; `time` is a column of either side.
    ///
    /// # Errors
    /// `bad-params` if the tolerance is none for such times.
    pub(crate) fn tolerance(&self, time: &Field) -> Result<Option<i128>> {
        let of_integers = Kind::of(time.data_type()) == Some(Kind::Integer);
        let (tolerance, found) = match &self.tolerance {
            None => return Ok(None),
            Some(Tolerance::Difference(difference)) => (
                of_integers.then(|| i128::from(difference.get())),
                difference.to_string(),
            ),
            Some(Tolerance::Duration(text)) => (
                parse_duration(text).filter(|_| !of_integers),
                text.to_owned(),
            ),
        };
        match tolerance {
            Some(tolerance) => Ok(Some(tolerance)),
            None => {
                let expected = match of_integers {
                    true => "a whole number",
                    false => "a duration such as `90 s`, `15 min`, `6 h` or `7 d`",
                };
                let message = format!(
                    "`tolerance` is none for the times in column `{}`",
                    time.name()
                );
                Err(Error::bad_params(message)
                    .with("expected", expected)
                    .with("found", format!("`{found}`")))
            }
        }
    }
}

//! What a join joins by, and the columns that come out.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{Field, FieldRef};
use pinion_sdk::{Batch, Error, Result, Shape, TableShape};
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

/// Which rows of `left` come out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Those with a match, once for each.
    #[default]
    Inner,
    /// All, once for each match, or once with nulls for the columns of `right`.
    Left,
    /// Those with a match, once each, without columns of `right`.
    Semi,
    /// Those without a match, without columns of `right`.
    Anti,
}

impl How {
    /// Whether rows get the columns of their matches.
    #[must_use]
    pub fn adds_columns(self) -> bool {
        matches!(self, Self::Inner | Self::Left)
    }

    /// Whether left rows without a match come out.
    #[must_use]
    pub fn keeps_unmatched(self) -> bool {
        matches!(self, Self::Left | Self::Anti)
    }

    /// Refuses a param that says something about matches, if only their existence counts.
    ///
    /// # Errors
    /// `bad-params` if it `is_given`.
    pub fn refuse_param(self, param: &str, is_given: bool, why: &str) -> Result<()> {
        let name = match self {
            Self::Semi => "semi",
            Self::Anti => "anti",
            Self::Inner | Self::Left => return Ok(()),
        };
        match is_given {
            true => Err(Error::bad_params(format!(
                "`{param}` is given, but with `how = \"{name}\"` {why}"
            ))),
            false => Ok(()),
        }
    }
}

/// The params that say which columns are compared and which are added, as they are given.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// The key columns. There must be one, unless times are compared.
    pub on: Option<&'a On>,
    /// The columns whose times are compared, left and right, of a join by the nearest time.
    pub times: Option<(&'a str, &'a str)>,
    /// Which rows come out.
    pub how: How,
    /// The columns of `right` to add.
    pub columns: Option<&'a [String]>,
    /// Goes before the name of an added column that `left` has as well.
    pub prefix: Option<&'a str>,
    /// Goes after such a name.
    pub suffix: Option<&'a str>,
}

/// The names in a join.
pub struct Names {
    /// Key columns, left and right.
    pub keys: Vec<(String, String)>,
    /// The columns whose times are compared, left and right.
    pub times: Option<(String, String)>,
    how: How,
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
    pub fn new(given: Given<'_>) -> Result<Self> {
        let Given {
            on,
            times,
            how,
            columns,
            prefix,
            suffix,
        } = given;
        for (param, is_given) in [
            ("columns", columns.is_some()),
            ("prefix", prefix.is_some()),
            ("suffix", suffix.is_some()),
        ] {
            how.refuse_param(param, is_given, "no columns are added")?;
        }
        if prefix.is_some() && suffix.is_some() {
            return Err(Error::bad_params(
                "`prefix` and `suffix` are given together",
            ));
        }
        let same = |name: &String| (name.clone(), name.clone());
        let keys: Vec<(String, String)> = match on {
            None => Vec::new(),
            Some(On::Column(name)) => vec![same(name)],
            Some(On::Columns(names)) => names.iter().map(same).collect(),
            Some(On::Pairs(pairs)) => pairs
                .iter()
                .map(|(left, right)| (left.clone(), right.clone()))
                .collect(),
        };
        if keys.is_empty() && times.is_none() {
            return Err(Error::bad_params("`on` names no column"));
        }
        refuse_twice("on", keys.iter().map(|(_, right)| right))?;
        let times = times.map(|(left, right)| (left.to_owned(), right.to_owned()));
        if let Some((left, right)) = &times {
            let twice = keys.iter().find_map(|key| match key {
                (name, _) if name == left => Some(left),
                (_, name) if name == right => Some(right),
                _ => None,
            });
            if let Some(name) = twice {
                return Err(Error::bad_params(format!(
                    "`on` and `nearest` both name column `{name}`"
                ))
                .with("expected", "in `on` only columns that must be equal"));
            }
        }
        refuse_twice("columns", columns.into_iter().flatten())?;
        let columns = match how.adds_columns() {
            true => columns.map(<[String]>::to_vec),
            false => Some(Vec::new()),
        };
        Ok(Self {
            keys,
            times,
            how,
            columns,
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
        // A time of one name is added no more than a key is. One of another name says how old a match is.
        let of_one_name = self.times.iter().filter(|(left, right)| left == right);
        let left_out: Vec<&String> = self
            .keys
            .iter()
            .chain(of_one_name)
            .map(|(_, right)| right)
            .collect();
        Ok(names
            .filter(|name| !left_out.contains(name))
            .cloned()
            .collect())
    }

    /// The fields of the output: those of `left`, then those that are added.
    ///
    /// # Errors
    /// - `missing-column`, or `wrong-type` for keys or times that hold different things.
    /// - `duplicate-column` if two columns would have one name.
    pub fn fields(&self, left: TableShape<'_>, right: TableShape<'_>) -> Result<Vec<FieldRef>> {
        for (left_name, right_name) in &self.keys {
            check_key(left.field(left_name)?, right.field(right_name)?)?;
        }
        if let Some((left_name, right_name)) = &self.times {
            check_time(left.field(left_name)?, right.field(right_name)?)?;
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
            let nullable = field.is_nullable() || self.how.keeps_unmatched();
            fields.push(field.clone().with_name(to).with_nullable(nullable).into());
        }
        Ok(fields)
    }

    /// The output at `port`: the fields, and what each of them passes on.
    ///
    /// # Errors
    /// As [`Names::fields`].
    pub fn shape(&self, port: &str, left: TableShape<'_>, right: TableShape<'_>) -> Result<Shape> {
        let columns = self.columns(|| Ok(right.fields().to_vec()))?;
        let added = self.added(&columns, |name| Ok(left.find(name).is_some()))?;
        let of_right = |name: &str| {
            let mut added = added.iter();
            added
                .find(|added| added.to == name)
                .map(|added| added.from.clone())
        };
        Ok(Shape::table(port, self.fields(left, right)?)
            .passes(left, &[])
            .looks_up(right, of_right))
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
    refuse_different("keys", (left, kind(left)?), (right, kind(right)?))
}

/// Refuses times that cannot be compared, because they hold different things or none in time.
///
/// # Errors
/// `wrong-type`.
pub fn check_time(left: &Field, right: &Field) -> Result<()> {
    let kind = |field: &Field| match Kind::of(field.data_type()) {
        Some(kind @ (Kind::Date | Kind::Timestamp | Kind::Instant | Kind::Integer)) => Ok(kind),
        _ => Err(Error::wrong_type(
            field.name(),
            "dates, timestamps or integers as times",
            field.data_type(),
        )),
    };
    refuse_different("times", (left, kind(left)?), (right, kind(right)?))
}

fn refuse_different(what: &str, left: (&Field, Kind), right: (&Field, Kind)) -> Result<()> {
    let ((left, left_kind), (right, right_kind)) = (left, right);
    if left_kind == right_kind {
        return Ok(());
    }
    let names = format!("{what} `{}` and `{}`", left.name(), right.name());
    let message = match (left_kind, right_kind) {
        (Kind::Instant, Kind::Timestamp) => format!("of {names} only the left one has a zone"),
        (Kind::Timestamp, Kind::Instant) => format!("of {names} only the right one has a zone"),
        _ => format!("{names} hold different things"),
    };
    let side = |field: &Field| format!("`{}` as {}", field.name(), field.data_type());
    Err(Error::new("wrong-type", message)
        .with("left", side(left))
        .with("right", side(right))
        .with(
            "step",
            "`std:cast-columns` gives one of them the other's type",
        ))
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

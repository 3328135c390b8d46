//! One check and what it has found so far.

use std::cmp::Ordering;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use pinion_sdk::{Error, Result};
use pinion_values::{Column, Kind, Value, kind, write_key};

use crate::params::{Literal, Params, Range, Rounding, Rows, Unique};

/// Bad rows that are shown for a check.
const SHOWN_ROWS: usize = 5;

/// A check and what it has found so far.
pub(crate) struct Check<'a> {
    rule: Rule<'a>,
    columns: Vec<&'a str>,
    bad_rows: u64,
    /// The first bad rows, with their values.
    shown: Vec<String>,
}

enum Rule<'a> {
    NotNull,
    Range {
        min: Option<Value<'a>>,
        max: Option<Value<'a>>,
        text: String,
    },
    Set(BTreeSet<Vec<u8>>),
    /// The first row with a key, by key. The map's order is never asked for.
    Unique(HashMap<Box<[u8]>, u64, BuildHasherDefault<DefaultHasher>>),
    Rows(Rows),
}

impl<'a> Check<'a> {
    /// The checks that `params` ask for, of a table whose columns have the types that `type_of` tells.
    ///
    /// # Errors
    /// - `bad-params` for no check at all, and for values that no row of the column could have.
    /// - `missing-column` and `wrong-type`.
    pub(crate) fn all(
        params: &'a Params,
        type_of: impl Fn(&str) -> Result<DataType>,
    ) -> Result<Vec<Self>> {
        let mut checks = Vec::new();
        for name in &params.not_null {
            type_of(name)?;
            checks.push(Self::new(Rule::NotNull, vec![name]));
        }
        for (name, range) in &params.range {
            checks.push(Self::new(
                self::range(name, range, &type_of(name)?)?,
                vec![name],
            ));
        }
        for (name, values) in &params.set {
            checks.push(Self::new(set(name, values, &type_of(name)?)?, vec![name]));
        }
        for columns in unique(params.unique.as_ref()) {
            if columns.is_empty() {
                return Err(Error::bad_params("`unique` names no column"));
            }
            for name in &columns {
                kind(name, &type_of(name)?)?;
            }
            checks.push(Self::new(Rule::Unique(HashMap::default()), columns));
        }
        if let Some(rows) = params.rows {
            if rows.min.is_none() && rows.max.is_none()
                || rows.min.zip(rows.max).is_some_and(|(min, max)| min > max)
            {
                return Err(Error::bad_params(
                    "`rows` needs `min` or `max`, and `min` may not be above `max`",
                ));
            }
            checks.push(Self::new(Rule::Rows(rows), Vec::new()));
        }
        if checks.is_empty() {
            return Err(Error::bad_params("there is nothing to check").with(
                "expected",
                "one of `not_null`, `range`, `set`, `unique` and `rows`",
            ));
        }
        Ok(checks)
    }

    fn new(rule: Rule<'a>, columns: Vec<&'a str>) -> Self {
        Self {
            rule,
            columns,
            bad_rows: 0,
            shown: Vec::new(),
        }
    }

    /// Its name in params.
    pub(crate) fn name(&self) -> &'static str {
        match self.rule {
            Rule::NotNull => "not_null",
            Rule::Range { .. } => "range",
            Rule::Set(_) => "set",
            Rule::Unique(_) => "unique",
            Rule::Rows(_) => "rows",
        }
    }

    /// The columns that it reads.
    pub(crate) fn columns(&self) -> &[&'a str] {
        &self.columns
    }

    /// How many rows are bad, none for a check of no rows in particular.
    pub(crate) fn bad_rows(&self) -> Option<u64> {
        (!matches!(self.rule, Rule::Rows(_))).then_some(self.bad_rows)
    }

    /// Whether a table of `rows` rows, all of which it has seen, is as it must be.
    pub(crate) fn passed(&self, rows: u64) -> bool {
        match self.rule {
            Rule::Rows(Rows { min, max }) => {
                min.is_none_or(|min| rows >= min) && max.is_none_or(|max| rows <= max)
            }
            _ => self.bad_rows == 0,
        }
    }

    /// Looks at `rows` more rows, the first of which has the number `first`.
    ///
    /// # Errors
    /// `wrong-type`, which [`Check::all`] has refused before.
    pub(crate) fn see(
        &mut self,
        arrays: &BTreeMap<&str, ArrayRef>,
        first: u64,
        rows: usize,
    ) -> Result<()> {
        let read: Vec<(&str, &ArrayRef)> = self
            .columns
            .iter()
            .filter_map(|name| arrays.get_key_value(name))
            .map(|(name, array)| (*name, array))
            .collect();
        if let (Rule::NotNull, [(name, array)]) = (&self.rule, read.as_slice()) {
            let nulls = array.logical_nulls();
            (0..rows)
                .filter(|row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(*row)))
                .for_each(|row| self.add(first, row, || format!("`{name}` is null")));
            return Ok(());
        }
        let columns = read
            .iter()
            .map(|(name, array)| Column::new(name, array))
            .collect::<Result<Vec<_>>>()?;
        let show = |row| {
            let names = read.iter().zip(&columns);
            names
                .map(|((name, _), column)| format!("`{name}` is {}", column.show(row)))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let mut key = Vec::new();
        for row in 0..rows {
            if let Some(why) = self
                .rule
                .refuse(&columns, row, first + row as u64, &mut key)
            {
                self.add(first, row, || show(row) + &why);
            }
        }
        Ok(())
    }

    fn add(&mut self, first: u64, row: usize, show: impl FnOnce() -> String) {
        self.bad_rows += 1;
        if self.shown.len() < SHOWN_ROWS {
            self.shown
                .push(format!("{}: {}", first + row as u64, show()));
        }
    }

    /// Adds to `error` that this check failed, and the first bad rows.
    pub(crate) fn explain(&self, error: Error, rows: u64) -> Error {
        let columns = self
            .columns
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let of = format!("{} of {rows} rows", self.bad_rows);
        let found = match &self.rule {
            Rule::NotNull => format!("{columns} is null in {of}"),
            Rule::Range { text, .. } => format!("{columns} is not {text} in {of}"),
            Rule::Set(_) => format!("{columns} is not one of the allowed values in {of}"),
            Rule::Unique(_) => format!("{columns} repeats an earlier row in {of}"),
            Rule::Rows(Rows { min, max }) => {
                let bound = |words: &str, bound: &Option<u64>| {
                    bound.map(|bound| format!("{words} {bound}"))
                };
                let bounds: Vec<String> = [bound("at least", min), bound("at most", max)]
                    .into_iter()
                    .flatten()
                    .collect();
                format!("there are {rows}, not {}", bounds.join(" and "))
            }
        };
        self.shown
            .iter()
            .fold(error.with(self.name(), found), |error, row| {
                error.with("row", row)
            })
    }
}

impl Rule<'_> {
    /// What there is to say about `row`, besides its values, if it is bad; mostly nothing. `number` is its
    /// number in the whole table, `key` is overwritten.
    fn refuse(
        &mut self,
        columns: &[Column<'_>],
        row: usize,
        number: u64,
        key: &mut Vec<u8>,
    ) -> Option<String> {
        match self {
            Self::Range { min, max, .. } => {
                let value = columns.first()?.value(row)?;
                let is_ordered = |low: Value<'_>, high: Value<'_>| {
                    low.partial_cmp(&high).is_some_and(Ordering::is_le)
                };
                let fits = min.is_none_or(|min| is_ordered(min, value))
                    && max.is_none_or(|max| is_ordered(value, max));
                (!fits).then(String::new)
            }
            Self::Set(allowed) => {
                (write_key(columns, row, key) && !allowed.contains(key)).then(String::new)
            }
            Self::Unique(seen) => {
                if !write_key(columns, row, key) {
                    return None;
                }
                match seen.entry(key.as_slice().into()) {
                    Entry::Vacant(entry) => {
                        entry.insert(number);
                        None
                    }
                    Entry::Occupied(entry) => Some(format!(", as in row {}", entry.get())),
                }
            }
            Self::NotNull | Self::Rows(_) => None,
        }
    }
}

fn range<'a>(name: &str, range: &'a Range, data_type: &DataType) -> Result<Rule<'a>> {
    if matches!(kind(name, data_type)?, Kind::Boolean | Kind::Text) {
        return Err(Error::wrong_type(
            name,
            "numbers, dates or timestamps",
            data_type,
        ));
    }
    let bound = |literal: &'a Option<Literal>, rounding| {
        literal
            .as_ref()
            .map(|literal| value("range", name, literal, data_type, rounding))
            .transpose()
    };
    let (min, max) = (
        bound(&range.min, Rounding::Up)?,
        bound(&range.max, Rounding::Down)?,
    );
    let text = match (&range.min, &range.max) {
        (Some(min), Some(max)) => format!("in {min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => {
            return Err(Error::bad_params(format!(
                "`range` gives column `{name}` neither `min` nor `max`"
            )));
        }
    };
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        return Err(Error::bad_params(format!(
            "`range` gives column `{name}` no value: nothing is {text}"
        )));
    }
    Ok(Rule::Range { min, max, text })
}

fn set<'a>(name: &str, values: &'a [Literal], data_type: &DataType) -> Result<Rule<'a>> {
    kind(name, data_type)?;
    if values.is_empty() {
        return Err(Error::bad_params(format!(
            "`set` allows column `{name}` no value"
        )));
    }
    let key = |literal| {
        let mut key = Vec::new();
        value("set", name, literal, data_type, Rounding::Refuse)?.encode(&mut key);
        Ok(key)
    };
    Ok(Rule::Set(values.iter().map(key).collect::<Result<_>>()?))
}

fn value<'a>(
    param: &str,
    name: &str,
    literal: &'a Literal,
    data_type: &DataType,
    rounding: Rounding,
) -> Result<Value<'a>> {
    literal.value(data_type, rounding).ok_or_else(|| {
        Error::bad_params(format!(
            "`{param}` gives column `{name}` a value that it cannot have"
        ))
        .with("expected", format!("a value of type {data_type}"))
        .with("found", format!("`{literal}`"))
    })
}

/// The keys to check.
fn unique(unique: Option<&Unique>) -> Vec<Vec<&str>> {
    match unique {
        None => Vec::new(),
        Some(Unique::Column(name)) => vec![vec![name]],
        Some(Unique::Key(names)) => vec![names.iter().map(String::as_str).collect()],
        Some(Unique::Keys(keys)) => keys
            .iter()
            .map(|names| names.iter().map(String::as_str).collect())
            .collect(),
    }
}

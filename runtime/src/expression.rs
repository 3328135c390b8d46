//! How the columns of a batch came together, without their values.
//!
//! A step that passes rows on without asking for the schema must, on a hit, pass on the columns that are
//! there *now*: one that was added upstream too. So a batch remembers the operations that made it, and
//! they are replayed over today's schemas. Row selections do not appear: they move every column alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{Field, FieldRef};
use serde::{Deserialize, Serialize};

use crate::arrow::format::{self, WireField};
use crate::digest::StructuredHasher;

/// Operations on schemas, as a tree. Equal trees over equal schemas give equal columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Expression {
    /// Every column of an input port.
    Input(String),
    /// Columns that the step made.
    Made(Vec<WireField>),
    /// Some columns, in this order.
    Select(Arc<Expression>, Vec<String>),
    /// Made columns at the end; one of an existing name replaces it in place.
    With(Arc<Expression>, Vec<WireField>),
    /// One column under another name.
    Rename(Arc<Expression>, String, String),
    /// The columns of both.
    Zip(Arc<Expression>, Arc<Expression>),
}

/// Nesting that a guest may reach; a chain of operations on one batch is never this long for a reason.
pub const MAX_DEPTH: usize = 48;

/// One column of an evaluated expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its field. Nullability is the input's or the maker's; a selection with null rows may widen it.
    pub field: FieldRef,
    /// Where its values come from.
    pub source: Source,
}

/// Where the values of a column come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The made column of this number, in reading order.
    Made(usize),
    /// A column of an input.
    Passed {
        /// Which `Input` of the expression, in reading order.
        input: usize,
        /// Its port.
        port: Arc<str>,
        /// The column's name there.
        name: Arc<str>,
    },
}

/// Why an expression does not fit the schemas.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExpression {
    /// A port that has no table.
    #[error("there is no table at port `{port}`")]
    Port {
        /// The port.
        port: String,
    },
    /// A column that is not there.
    #[error("there is no column `{name}`")]
    Missing {
        /// The name.
        name: String,
    },
    /// Two columns of one name.
    #[error("there are two columns `{name}`")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Fields that are none.
    #[error(transparent)]
    Fields(#[from] format::BadFields),
    /// Too many operations on top of each other.
    #[error("there are more than {MAX_DEPTH} operations on top of each other")]
    Depth,
}

/// The columns of an expression, with how many inputs and made columns were read so far.
#[derive(Default)]
struct Reading {
    inputs: usize,
    made: usize,
}

impl Expression {
    /// The columns over the schemas that `fields` gives for each port.
    ///
    /// # Errors
    /// - [`BadExpression::Port`], [`BadExpression::Missing`], [`BadExpression::Duplicate`]: it does not fit.
    /// - [`BadExpression::Fields`], [`BadExpression::Depth`]: a stored expression that is none.
    pub fn columns<'a>(
        &self,
        fields: &dyn Fn(&str) -> Option<&'a [FieldRef]>,
    ) -> Result<Vec<Column>, BadExpression> {
        self.read(fields, &mut Reading::default(), 0)
    }

    fn read<'a>(
        &self,
        fields: &dyn Fn(&str) -> Option<&'a [FieldRef]>,
        reading: &mut Reading,
        depth: usize,
    ) -> Result<Vec<Column>, BadExpression> {
        if depth > MAX_DEPTH {
            return Err(BadExpression::Depth);
        }
        match self {
            Self::Input(port) => {
                let fields =
                    fields(port).ok_or_else(|| BadExpression::Port { port: port.clone() })?;
                reading.inputs += 1;
                Ok(input_columns(fields, port, reading.inputs - 1))
            }
            Self::Made(wire) => made_columns(wire, &mut reading.made),
            Self::Select(of, names) => select(&of.read(fields, reading, depth + 1)?, names),
            Self::With(of, wire) => {
                let columns = of.read(fields, reading, depth + 1)?;
                Ok(with(columns, made_columns(wire, &mut reading.made)?))
            }
            Self::Rename(of, name, to) => rename(of.read(fields, reading, depth + 1)?, name, to),
            Self::Zip(left, right) => {
                let columns = left.read(fields, reading, depth + 1)?;
                zip(columns, right.read(fields, reading, depth + 1)?)
            }
        }
    }

    /// Nesting, to be bounded while a batch is being made.
    pub fn depth(&self) -> usize {
        match self {
            Self::Input(_) | Self::Made(_) => 0,
            Self::Select(of, _) | Self::With(of, _) | Self::Rename(of, _, _) => of.depth() + 1,
            Self::Zip(left, right) => left.depth().max(right.depth()) + 1,
        }
    }

    /// The ports of the inputs, in reading order.
    pub fn ports(&self) -> Vec<&str> {
        match self {
            Self::Input(port) => vec![port],
            Self::Made(_) => Vec::new(),
            Self::Select(of, _) | Self::With(of, _) | Self::Rename(of, _, _) => of.ports(),
            Self::Zip(left, right) => {
                let mut ports = left.ports();
                ports.extend(right.ports());
                ports
            }
        }
    }

    /// Feeds the tree to a structured hash, in pre-order: text `input` and text port; text `made` and the
    /// fields; text `select`, list of text names, and what is selected from; text `with`, the fields, and
    /// what they are added to; text `rename`, text name, text new name, and where; text `zip` and both sides.
    ///
    /// Fields are a list, flat and in pre-order, each text name, text format, u64 nullable (0 or 1), u64 number
    /// of children, and list of metadata, each text key and text value.
    pub fn feed(&self, hasher: &mut StructuredHasher) {
        match self {
            Self::Input(port) => {
                hasher.text("input").text(port);
            }
            Self::Made(fields) => {
                hasher.text("made");
                hash_fields(hasher, fields);
            }
            Self::Select(of, names) => {
                hasher.text("select").list(names.len());
                for name in names {
                    hasher.text(name);
                }
                of.feed(hasher);
            }
            Self::With(of, fields) => {
                hasher.text("with");
                hash_fields(hasher, fields);
                of.feed(hasher);
            }
            Self::Rename(of, name, to) => {
                hasher.text("rename").text(name).text(to);
                of.feed(hasher);
            }
            Self::Zip(left, right) => {
                hasher.text("zip");
                left.feed(hasher);
                right.feed(hasher);
            }
        }
    }
}

/// Feeds fields to a structured hash; see [`Expression::feed`].
pub(crate) fn hash_fields(hasher: &mut StructuredHasher, fields: &[WireField]) {
    hasher.list(fields.len());
    for field in fields {
        hasher
            .text(&field.name)
            .text(&field.format)
            .u64(u64::from(field.nullable))
            .u64(u64::from(field.children));
        hasher.list(field.metadata.len());
        for (key, value) in &field.metadata {
            hasher.text(key).text(value);
        }
    }
}

/// The columns of an input.
pub fn input_columns(fields: &[FieldRef], port: &str, input: usize) -> Vec<Column> {
    let port: Arc<str> = port.into();
    let column = |field: &FieldRef| Column {
        field: Arc::clone(field),
        source: Source::Passed {
            input,
            port: Arc::clone(&port),
            name: field.name().as_str().into(),
        },
    };
    fields.iter().map(column).collect()
}

fn made_columns(wire: &[WireField], made: &mut usize) -> Result<Vec<Column>, BadExpression> {
    let fields = format::from_wire(wire)?;
    format::check_names(&fields)?;
    Ok(number(fields, made))
}

/// Made columns for `fields`, numbered on from `made`.
pub fn number(fields: Vec<Field>, made: &mut usize) -> Vec<Column> {
    let column = |field: Field| {
        *made += 1;
        Column {
            field: Arc::new(field),
            source: Source::Made(*made - 1),
        }
    };
    fields.into_iter().map(column).collect()
}

/// The columns named, in that order.
///
/// # Errors
/// [`BadExpression::Missing`] and [`BadExpression::Duplicate`].
pub fn select(columns: &[Column], names: &[String]) -> Result<Vec<Column>, BadExpression> {
    let places = places(columns);
    let mut seen = BTreeSet::new();
    let mut selected: Vec<Column> = Vec::with_capacity(names.len());
    for name in names {
        if !seen.insert(name) {
            return Err(BadExpression::Duplicate { name: name.clone() });
        }
        let found = places.get(name.as_str());
        let found = found.ok_or_else(|| BadExpression::Missing { name: name.clone() })?;
        selected.push(columns[*found].clone());
    }
    Ok(selected)
}

/// Adds columns, whose names differ, at the end; one of an existing name replaces it in place.
pub fn with(mut columns: Vec<Column>, added: Vec<Column>) -> Vec<Column> {
    let places = places(&columns);
    let places: Vec<_> = added
        .iter()
        .map(|column| places.get(column.field.name().as_str()).copied())
        .collect();
    for (column, place) in added.into_iter().zip(places) {
        match place {
            Some(place) => columns[place] = column,
            None => columns.push(column),
        }
    }
    columns
}

/// Renames one column.
///
/// # Errors
/// [`BadExpression::Missing`] and [`BadExpression::Duplicate`].
pub fn rename(
    mut columns: Vec<Column>,
    name: &str,
    to: &str,
) -> Result<Vec<Column>, BadExpression> {
    if name != to && columns.iter().any(|column| column.field.name() == to) {
        return Err(BadExpression::Duplicate {
            name: to.to_owned(),
        });
    }
    let column = columns
        .iter_mut()
        .find(|column| column.field.name() == name);
    let column = column.ok_or_else(|| BadExpression::Missing {
        name: name.to_owned(),
    })?;
    column.field = Arc::new(column.field.as_ref().clone().with_name(to));
    Ok(columns)
}

/// The columns of both.
///
/// # Errors
/// [`BadExpression::Duplicate`].
pub fn zip(mut left: Vec<Column>, right: Vec<Column>) -> Result<Vec<Column>, BadExpression> {
    let places = places(&left);
    let twice = right
        .iter()
        .map(|column| column.field.name())
        .find(|name| places.contains_key(name.as_str()));
    if let Some(name) = twice {
        return Err(BadExpression::Duplicate { name: name.clone() });
    }
    left.extend(right);
    Ok(left)
}

/// Where the columns are, by name.
fn places(columns: &[Column]) -> BTreeMap<&str, usize> {
    let names = columns.iter().map(|column| column.field.name().as_str());
    names.zip(0..).collect()
}

//! Tables that hold every type in every form of nesting, and nulls in every way there is.

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field};

use super::super::type_name;
use super::{Nulls, Random, Value, build_within, supported, values_with};

/// Rows of a table of the sweep, unless it is to have none: more than a byte has bits, and no multiple of it.
const ROWS: usize = 13;

/// Columns of equal length, one for each type that holds no other.
pub(crate) struct Table {
    /// The form of nesting and what is done about nulls, for messages.
    pub(crate) name: String,
    /// Named by their number and their type.
    pub(crate) fields: Vec<Field>,
    /// Of each column.
    pub(crate) values: Vec<Vec<Value>>,
    /// Arrays of the values.
    pub(crate) columns: Vec<ArrayRef>,
}

/// What a table has besides a form of nesting.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Fields are not nullable.
    Required,
    /// Fields are nullable, and no value is null.
    NoNulls,
    /// Any value is null, also those that hold others.
    SomeNulls,
    /// Every value is null that holds no other.
    AllNull,
    /// No rows.
    Empty,
    /// Cut out of longer arrays, with nulls.
    Sliced,
}

/// A table for each form of nesting and each [`State`].
pub(crate) fn sweep() -> Vec<Table> {
    let leaves: Vec<DataType> = supported(None).concat();
    let forms = 1 + supported(Some(&Field::new("item", DataType::Int8, true)))
        .concat()
        .len();
    let states = [
        State::Required,
        State::NoNulls,
        State::SomeNulls,
        State::AllNull,
        State::Empty,
        State::Sliced,
    ];
    let mut tables = Vec::new();
    for form in 0..forms {
        for (seed, state) in states.into_iter().enumerate() {
            tables.push(table(form, state, &leaves, &mut Random(seed as u64)));
        }
    }
    tables
}

fn table(form: usize, state: State, leaves: &[DataType], random: &mut Random) -> Table {
    let mut table = Table {
        name: String::new(),
        fields: Vec::new(),
        values: Vec::new(),
        columns: Vec::new(),
    };
    for leaf in leaves {
        let nullable = !matches!(state, State::Required) || *leaf == DataType::Null;
        let item = Field::new("item", leaf.clone(), nullable);
        let data_type = match form.checked_sub(1) {
            None => leaf.clone(),
            // The last form has `item` as keys, which nulls cannot be.
            Some(form) => match supported(Some(&item)).concat().into_iter().nth(form) {
                Some(data_type) => data_type,
                None => continue,
            },
        };
        let name = format!("{} {}", table.fields.len(), type_name(&data_type));
        let field = Field::new(name, data_type, nullable);
        let nulls = match state {
            State::Required | State::NoNulls => Nulls::None,
            State::SomeNulls | State::Empty | State::Sliced => Nulls::Some,
            State::AllNull => Nulls::All,
        };
        let rows = if matches!(state, State::Empty) {
            0
        } else {
            ROWS
        };
        let around = if matches!(state, State::Sliced) {
            (11, 3)
        } else {
            (0, 0)
        };
        let values = values_with(&field, rows, nulls, random);
        let column = build_within(&field, &values, around, random);
        table.fields.push(field);
        table.values.push(values);
        table.columns.push(column);
    }
    let last = table.fields.last().map(Field::name);
    table.name = format!("{state:?}, as `{}`", last.map_or("", String::as_str));
    table
}

//! Which column of an input a field from `check` passes on, as metadata that the host takes out again.

use std::collections::{BTreeMap, HashMap};

use arrow_schema::{Field, FieldRef};

/// Metadata of a field that has the values of a column, row by row: `PORT/COLUMN`.
const PASSED: &str = "pinion:passed";

/// The same of a field that has the values of other rows.
const LOOKED_UP: &str = "pinion:looked-up";

/// What a field passes on.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) port: String,
    pub(crate) column: String,
    pub(crate) looked_up: bool,
}

/// What a field says that it passes on, row by row.
pub(crate) fn of(field: &Field) -> Option<Passed> {
    let (port, column) = field.metadata().get(PASSED)?.split_once('/')?;
    Some(Passed {
        port: port.to_owned(),
        column: column.to_owned(),
        looked_up: false,
    })
}

/// A field that passes on a column.
pub(crate) fn passed(field: &Field, passed: &Passed) -> Field {
    let key = if passed.looked_up { LOOKED_UP } else { PASSED };
    let mut metadata = field.metadata().clone();
    metadata.insert(key.to_owned(), format!("{}/{}", passed.port, passed.column));
    field.clone().with_metadata(metadata)
}

/// Fields with marks for those that are passed on.
pub(crate) fn all(fields: Vec<FieldRef>, passed: &BTreeMap<String, Passed>) -> Vec<FieldRef> {
    let mark = |field: FieldRef| match passed.get(field.name()) {
        Some(passed) => FieldRef::new(self::passed(&field, passed)),
        None => field,
    };
    fields.into_iter().map(mark).collect()
}

/// The field as everybody else knows it.
pub(crate) fn without(field: &FieldRef) -> FieldRef {
    if of(field).is_none() {
        return FieldRef::clone(field);
    }
    let mut metadata: HashMap<String, String> = field.metadata().clone();
    metadata.remove(PASSED);
    field.as_ref().clone().with_metadata(metadata).into()
}

//! What an output has of the inputs whatever their data: which columns are passed on, and perhaps all rows.
//!
//! A step says in `describe` that one of its ports keeps a promise, and in `check`, which sees shapes and no data,
//! which columns it passes on there. The host holds every unit to it. So what the step read had no say in
//! what was promised, other than that the step did not fail, and lineage need not count it.

use std::sync::Arc;

use arrow_schema::Field;
use serde::{Deserialize, Serialize};

use crate::expression::{Column, Source};

/// The annotation of an output port by which `describe` makes a promise: `columns`, `only-rows:PORT`, or `rows:PORT`,
/// which is both.
pub const ANNOTATION: &str = "promise";

/// Metadata of a field from `check` that says what it passes on, as `PORT/COLUMN`. Only the host reads it, and no
/// table has it.
pub const PASSED: &str = "pinion:passed";

/// The same of a field that has the values of other rows, where the rows are promised: of a lag, or of what a join
/// found.
pub const LOOKED_UP: &str = "pinion:looked-up";

/// What a port promises, before it is known which columns there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promised {
    /// Which columns are passed on, and under which names, is what `check` says.
    Columns,
    /// The rows, their order and how they are cut into partitions are those of the table at this input port.
    OnlyRows(Arc<str>),
    /// Both.
    Rows(Arc<str>),
}

/// What an output table has of the inputs, whatever the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// What the port promises.
    pub promised: Promised,
    /// For each field of the output, in order, what it passes on; none for a column that the step makes.
    pub passed: Vec<Option<PassedColumn>>,
}

/// A column of an input that is passed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassedColumn {
    /// The input port.
    pub port: Arc<str>,
    /// What the column is called there.
    pub column: Arc<str>,
    /// Whether it may have the values of other rows than those that are promised, or of another input.
    pub looked_up: bool,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenPromise {
    /// A column comes from elsewhere.
    #[error(
        "it promised what it passes on, and does otherwise\n  expected column `{column}` to be {expected}\n  found    {found}"
    )]
    Column {
        /// The column of the output.
        column: String,
        /// What `check` said.
        expected: String,
        /// What came.
        found: String,
    },
    /// The rows are not those of the input.
    #[error(
        "it promised the rows of input `{port}`, in order, and does otherwise\n  expected {expected}\n  found    {found}"
    )]
    Rows {
        /// The input port.
        port: String,
        /// What should have come.
        expected: String,
        /// What came.
        found: String,
    },
}

impl Promised {
    /// The promise of an annotation's value.
    pub fn parse(value: &str) -> Option<Self> {
        match value.split_once(':') {
            None if value == "columns" => Some(Self::Columns),
            Some(("only-rows", port)) => Some(Self::OnlyRows(port.into())),
            Some(("rows", port)) => Some(Self::Rows(port.into())),
            _ => None,
        }
    }

    /// The input port whose rows are promised.
    pub fn rows(&self) -> Option<&Arc<str>> {
        match self {
            Self::Columns => None,
            Self::OnlyRows(port) | Self::Rows(port) => Some(port),
        }
    }

    /// Whether the choice of columns is promised.
    pub fn columns(&self) -> bool {
        !matches!(self, Self::OnlyRows(_))
    }
}

impl PassedColumn {
    /// What a field from `check` says of itself, if it says anything that can be meant.
    pub fn of(field: &Field) -> Option<Self> {
        let metadata = field.metadata();
        let (looked_up, of) = match (metadata.get(PASSED), metadata.get(LOOKED_UP)) {
            (Some(of), _) => (false, of),
            (None, of) => (true, of?),
        };
        let (port, column) = of.split_once('/')?;
        Some(Self {
            port: port.into(),
            column: column.into(),
            looked_up,
        })
    }
}

/// A field without what only `check` may say of it.
#[must_use]
pub fn without_mark(field: Field) -> Field {
    let marked = |field: &Field| {
        let mut keys = field.metadata().keys();
        keys.any(|key| key == PASSED || key == LOOKED_UP)
    };
    if !marked(&field) {
        return field;
    }
    let mut metadata = field.metadata().clone();
    metadata.retain(|key, _| key != PASSED && key != LOOKED_UP);
    field.with_metadata(metadata)
}

impl Promise {
    /// Whether the column of an output may have the values of other rows than those that are promised.
    pub fn is_looked_up(&self, at: usize) -> bool {
        let passed = self.passed.get(at).and_then(Option::as_ref);
        passed.is_some_and(|passed| passed.looked_up)
    }

    /// Holds the columns of an output, which are as many as were checked, to the promise.
    ///
    /// # Errors
    /// [`BrokenPromise::Column`].
    pub fn check_columns(&self, columns: &[Column]) -> Result<(), BrokenPromise> {
        if !self.promised.columns() {
            return Ok(());
        }
        for (promised, column) in self.passed.iter().zip(columns) {
            let kept = match (&column.source, promised) {
                (Source::Made(_), None) => true,
                (Source::Passed { port, name, .. }, Some(passed)) => {
                    *port == passed.port && *name == passed.column
                }
                _ => false,
            };
            if !kept {
                return Err(BrokenPromise::Column {
                    column: column.field.name().clone(),
                    expected: match promised {
                        Some(passed) => passed_on(&passed.port, &passed.column),
                        None => "made".to_owned(),
                    },
                    found: match &column.source {
                        Source::Passed { port, name, .. } => passed_on(port, name),
                        Source::Made(_) => "made".to_owned(),
                    },
                });
            }
        }
        Ok(())
    }
}

fn passed_on(port: &str, column: &str) -> String {
    format!("column `{column}` of input `{port}`, passed on")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use arrow_schema::DataType;

    use super::*;

    fn column(name: &str, source: Source) -> Column {
        Column {
            field: Arc::new(Field::new(name, DataType::Int64, true)),
            source,
        }
    }

    fn passed(port: &str, name: &str) -> Source {
        Source::Passed {
            input: 0,
            port: port.into(),
            name: name.into(),
        }
    }

    #[test]
    fn annotations_are_read() {
        assert_eq!(Promised::parse("columns"), Some(Promised::Columns));
        assert_eq!(
            Promised::parse("rows:left"),
            Some(Promised::Rows("left".into()))
        );
        assert_eq!(
            Promised::parse("only-rows:left"),
            Some(Promised::OnlyRows("left".into()))
        );
        for other in ["", "rows", "columns:left", "everything"] {
            assert_eq!(Promised::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_mark_is_read_and_removed() {
        let plain = Field::new("y", DataType::Int64, true)
            .with_metadata([("unit".to_owned(), "m".to_owned())].into());
        let mut metadata = plain.metadata().clone();
        metadata.insert(PASSED.to_owned(), "rows/a/b".to_owned());
        let marked = plain.clone().with_metadata(metadata);
        let of = PassedColumn::of(&marked).unwrap();
        assert_eq!(
            (&*of.port, &*of.column, of.looked_up),
            ("rows", "a/b", false)
        );
        assert_eq!(without_mark(marked), plain);
        assert_eq!(PassedColumn::of(&plain), None);
    }

    #[test]
    fn another_column_another_port_and_a_made_column_break_it() {
        let promise = Promise {
            promised: Promised::Columns,
            passed: vec![
                Some(PassedColumn {
                    port: "rows".into(),
                    column: "a".into(),
                    looked_up: false,
                }),
                None,
            ],
        };
        let made = || column("z", Source::Made(0));
        let kept = [column("y", passed("rows", "a")), made()];
        assert_eq!(promise.check_columns(&kept), Ok(()));
        for broken in [
            [column("y", passed("rows", "b")), made()],
            [column("y", passed("side", "a")), made()],
            [column("y", Source::Made(1)), made()],
            [
                column("y", passed("rows", "a")),
                column("z", passed("rows", "z")),
            ],
        ] {
            assert!(promise.check_columns(&broken).is_err(), "{broken:?}");
        }
    }
}

//! What `pinion diff --json` prints; a stable interface.

use pinion_runtime::diff::{
    BlobDiff, Cell, ComponentDiff, FigureDiff, FigureRow, OutputDiff, OutputSide, RunDiff, RunSide,
    SourceDiff, StepDiff, TableFigures, ValueDiff,
};
use serde::Serialize;
use serde_json::Value;

use super::page::number;
use crate::verb::run::outcome_name;

/// Two runs compared. What is equal is not in it.
#[derive(Serialize)]
pub(super) struct View<'a> {
    old: RunView<'a>,
    new: RunView<'a>,
    equal: bool,
    settings: &'a [ValueDiff],
    params: &'a [ValueDiff],
    components: &'a [ComponentDiff],
    sources: &'a [SourceDiff],
    steps: &'a [StepDiff],
    outputs: &'a [OutputDiff],
    figures: Vec<TableView<'a>>,
    blobs: Vec<BlobView<'a>>,
    /// What could not be read, and so was not compared.
    unread: &'a [String],
}

#[derive(Serialize)]
struct RunView<'a> {
    run: String,
    pipeline: &'a str,
    outcome: &'static str,
    run_digest: Option<String>,
}

#[derive(Serialize)]
struct TableView<'a> {
    step: &'a str,
    port: &'a str,
    /// The columns that rows are matched by.
    key: &'a [String],
    rows: Vec<RowView<'a>>,
    /// Columns whose types are not compared by value.
    uncompared: &'a [String],
}

#[derive(Serialize)]
struct RowView<'a> {
    key: &'a [Cell],
    figures: Vec<FigureView<'a>>,
}

#[derive(Serialize)]
struct FigureView<'a> {
    column: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<&'a Cell>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<&'a Cell>,
    /// The new number less the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Cell>,
}

#[derive(Serialize)]
struct BlobView<'a> {
    step: &'a str,
    port: &'a str,
    old: &'a OutputSide,
    new: &'a OutputSide,
    /// Of JSON documents, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<FieldView<'a>>>,
}

#[derive(Serialize)]
struct FieldView<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Cell>,
}

impl<'a> View<'a> {
    pub(super) fn of(diff: &'a RunDiff) -> Self {
        Self {
            old: RunView::of(&diff.old),
            new: RunView::of(&diff.new),
            equal: diff.is_equal(),
            settings: &diff.settings,
            params: &diff.params,
            components: &diff.components,
            sources: &diff.sources,
            steps: &diff.steps,
            outputs: &diff.outputs,
            figures: diff.figures.iter().map(TableView::of).collect(),
            blobs: diff.blobs.iter().map(BlobView::of).collect(),
            unread: &diff.unread,
        }
    }
}

impl<'a> RunView<'a> {
    fn of(run: &'a RunSide) -> Self {
        Self {
            run: run.id.to_string(),
            pipeline: &run.pipeline,
            outcome: outcome_name(run.outcome),
            run_digest: run.run_digest.map(|digest| digest.to_string()),
        }
    }
}

impl<'a> TableView<'a> {
    fn of(table: &'a TableFigures) -> Self {
        let row = |row: &'a FigureRow| RowView {
            key: &row.key,
            figures: row.figures.iter().map(FigureView::of).collect(),
        };
        Self {
            step: table.step.as_str(),
            port: &table.port,
            key: &table.key,
            rows: table.rows.iter().map(row).collect(),
            uncompared: &table.uncompared,
        }
    }
}

impl<'a> FigureView<'a> {
    fn of(figure: &'a FigureDiff) -> Self {
        let (old, new) = (figure.old.as_ref(), figure.new.as_ref());
        Self {
            column: &figure.column,
            old,
            new,
            difference: difference(old, new),
        }
    }
}

impl<'a> BlobView<'a> {
    fn of(blob: &'a BlobDiff) -> Self {
        let field = |field: &'a ValueDiff| {
            let number = |side: &Option<Value>| side.as_ref().and_then(number);
            FieldView {
                path: &field.path,
                old: field.old.as_ref(),
                new: field.new.as_ref(),
                difference: difference(number(&field.old).as_ref(), number(&field.new).as_ref()),
            }
        };
        Self {
            step: blob.step.as_str(),
            port: &blob.port,
            old: &blob.old,
            new: &blob.new,
            fields: blob
                .fields
                .as_ref()
                .map(|fields| fields.iter().map(field).collect()),
        }
    }
}

/// The new number less the old one, to be shown; exact for integers.
pub(super) fn difference(old: Option<&Cell>, new: Option<&Cell>) -> Option<Cell> {
    let float = |cell: &Cell| match cell {
        Cell::Integer(integer) => Some(*integer as f64),
        Cell::Float32(float) => Some(f64::from(*float)),
        Cell::Float64(float) => Some(*float),
        Cell::Null | Cell::Boolean(_) | Cell::Text(_) => None,
    };
    match (old?, new?) {
        (Cell::Integer(old), Cell::Integer(new)) => new.checked_sub(*old).map(Cell::Integer),
        (old, new) => Some(Cell::Float64(float(new)? - float(old)?)),
    }
}

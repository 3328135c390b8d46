//! What is printed of influence and rows, for people and as JSON.

use std::collections::BTreeMap;

use pinion_runtime::lineage::{
    Hop, Influence, Lineage, Link, Node, Origin, Others, StepLineage, TracedRow,
};
use pinion_runtime::promise::Promised;
use pinion_runtime::record::RunRecord;
use serde::Serialize;

use crate::ui;

/// What `pinion lineage STEP --from COLUMN --json` prints.
#[derive(Serialize)]
pub(super) struct InfluenceView {
    run: String,
    from: Vec<String>,
    to: String,
    /// `no path`, `through success`, `through rows` or `through column`.
    influence: &'static str,
    path: Vec<HopView>,
    #[serde(skip)]
    asked: String,
}

#[derive(Serialize)]
struct HopView {
    node: String,
    step: Option<String>,
    /// The channel: `made`, `wrote`, `kept`, `chose-columns`, `looked-up`, `unseen`, `chose-rows`, `handed`, `has` or
    /// `succeeded`.
    link: Option<&'static str>,
    #[serde(skip)]
    words: String,
}

/// What `pinion lineage STEP --column COLUMN --json` prints.
#[derive(Serialize)]
pub(super) struct ColumnsView {
    run: String,
    to: String,
    columns: Vec<ColumnView>,
}

#[derive(Serialize)]
struct ColumnView {
    column: String,
    influence: &'static str,
    path: Vec<String>,
}

/// What `pinion lineage STEP --row N --json` prints.
#[derive(Serialize)]
pub(super) struct RowView {
    run: String,
    /// The row asked for, and after each row those that it came from.
    rows: Vec<TracedView>,
}

#[derive(Serialize)]
struct TracedView {
    depth: usize,
    table: String,
    row: u64,
    /// `rows`, `above` where what it came from stands after the same row before, `file` or `made`.
    origin: &'static str,
    /// What else may have decided on a row that came from `rows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<OthersView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_row: Option<u64>,
}

#[derive(Serialize)]
struct OthersView {
    /// Rows that the step saw at once.
    seen: u64,
    /// Whether columns were made, which may depend on all of them.
    columns_made: bool,
    /// Whether all of them may have decided that this row is here.
    rows_chosen: bool,
}

/// What is said of rows that a row did not come from and may depend on.
pub(super) fn others(step: &str, others: &Others) -> Option<String> {
    let what = match (others.made, others.chosen) {
        (false, false) => return None,
        (true, false) => "columns made here",
        (false, true) => "which row stands here",
        (true, true) => "columns made here, and which row stands here,",
    };
    Some(format!(
        "{what} may depend on all {} rows that `{step}` saw",
        others.seen
    ))
}

/// What `pinion lineage STEP --json` prints.
#[derive(Serialize)]
pub(super) struct StepsView<'a> {
    run: String,
    to: String,
    sources: BTreeMap<&'a str, Vec<String>>,
    steps: Vec<StepView<'a>>,
}

#[derive(Serialize)]
struct StepView<'a> {
    name: &'a str,
    component: &'a str,
    inputs: Vec<InputView<'a>>,
    outputs: Vec<OutputView<'a>>,
}

#[derive(Serialize)]
struct InputView<'a> {
    port: &'a str,
    from: &'a str,
    columns_read: Vec<&'a String>,
    /// Whether the bytes of a blob or of files were read.
    bytes_read: bool,
    withheld: &'a [String],
    /// Whether all that the step was handed counts as read, because it was handed a table without rows.
    counts_as_read: bool,
}

#[derive(Serialize)]
struct OutputView<'a> {
    port: &'a str,
    /// Input ports whose rows it has; null for a blob.
    rows_of: Option<Vec<&'a String>>,
    /// Whether what the step read may have decided which rows there are, in which order, and where they are cut;
    /// null for a blob.
    rows_chosen: Option<bool>,
    /// What the port promised, and the host enforced: `columns`, or `rows` and which input they are of.
    promised: Option<&'a Promised>,
    columns_made: Vec<&'a String>,
    /// Whether it has no rows that would show where its columns come from: then they are all listed as made.
    unseen: bool,
    /// By name here, `port.column` there.
    columns_kept: BTreeMap<&'a str, Vec<String>>,
}

fn name(influence: &Influence) -> &'static str {
    match influence {
        Influence::None => "no path",
        Influence::Success(_) => "through success",
        Influence::Rows(_) => "through rows",
        Influence::Column(_) => "through column",
    }
}

fn path(influence: &Influence) -> &[Hop] {
    match influence {
        Influence::None => &[],
        Influence::Success(path) | Influence::Rows(path) | Influence::Column(path) => path,
    }
}

/// What a node is called; rows of a table are told from the table.
fn shown(node: &Node) -> String {
    match node {
        Node::Rows { .. } => format!("rows of {node}"),
        _ => node.to_string(),
    }
}

impl HopView {
    fn of(hop: &Hop) -> Self {
        let (step, link, words) = match &hop.by {
            None => (None, None, String::new()),
            Some((step, link)) => {
                let (link, words) = match link {
                    Link::Made => ("made", format!("`{step}` read it and made this")),
                    Link::Wrote => ("wrote", format!("`{step}` read it and wrote this")),
                    Link::Kept => ("kept", format!("`{step}` passed it on")),
                    Link::ChoseColumns => (
                        "chose-columns",
                        format!("`{step}` read it and decided which column to pass on"),
                    ),
                    Link::LookedUp => ("looked-up", format!("`{step}` looked this up by it")),
                    Link::Unseen => (
                        "unseen",
                        format!("`{step}` put out no rows, so this may be made of it"),
                    ),
                    Link::ChoseRows => (
                        "chose-rows",
                        format!("`{step}` read it and decided on the rows"),
                    ),
                    Link::Handed => ("handed", format!("`{step}` was handed these rows")),
                    Link::Has => ("has", "has these rows".to_owned()),
                    Link::Succeeded => (
                        "succeeded",
                        format!("`{step}` read it, did not fail, and decided nothing else"),
                    ),
                };
                (Some(step.clone()), Some(link), words)
            }
        };
        Self {
            node: shown(&hop.node),
            step,
            link,
            words,
        }
    }
}

impl InfluenceView {
    pub(super) fn of(
        run: &RunRecord,
        asked: &str,
        from: &[Node],
        to: &str,
        influence: &Influence,
    ) -> Self {
        Self {
            run: run.start.id.to_string(),
            from: from.iter().map(ToString::to_string).collect(),
            to: to.to_owned(),
            influence: name(influence),
            path: path(influence).iter().map(HopView::of).collect(),
            asked: asked.to_owned(),
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let verdict = match self.influence {
            "no path" => format!("no path: `{}` does not reach `{}`", self.asked, self.to),
            "through success" => format!(
                "through success: `{}` reaches `{}` only in that no step failed",
                self.asked, self.to
            ),
            how => format!("{how}: `{}` reaches `{}`", self.asked, self.to),
        };
        let rows = self.path.iter();
        let rows: Vec<Vec<String>> = rows
            .map(|hop| vec![format!("  {}", ui::harmless(&hop.node)), hop.words.clone()])
            .collect();
        std::iter::once(ui::harmless(&verdict))
            .chain(ui::aligned(&rows))
            .collect()
    }
}

impl ColumnsView {
    pub(super) fn of(run: &RunRecord, to: &str, found: Vec<(Node, Influence)>) -> Self {
        let column = |(node, influence): (Node, Influence)| ColumnView {
            column: node.to_string(),
            influence: name(&influence),
            path: path(&influence)
                .iter()
                .map(|hop| shown(&hop.node))
                .collect(),
        };
        Self {
            run: run.start.id.to_string(),
            to: to.to_owned(),
            columns: found.into_iter().map(column).collect(),
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let rows: Vec<Vec<String>> = self
            .columns
            .iter()
            .map(|column| {
                let between = column.path.len().saturating_sub(1);
                let path = column.path.get(1..between).unwrap_or_default().join(" > ");
                vec![
                    ui::harmless(&column.column),
                    column.influence.to_owned(),
                    ui::harmless(&path),
                ]
            })
            .collect();
        ui::aligned(&rows)
    }
}

impl RowView {
    pub(super) fn of(run: &RunRecord, traced: &[TracedRow]) -> Self {
        let view = |traced: &TracedRow| {
            let others = match &traced.origin {
                Origin::Rows { others, .. } => Some(OthersView {
                    seen: others.seen,
                    columns_made: others.made,
                    rows_chosen: others.chosen,
                }),
                _ => None,
            };
            let (origin, source, file, file_row) = match &traced.origin {
                Origin::Rows { .. } => ("rows", None, None, None),
                Origin::File { source, path, row } => {
                    ("file", Some(source.clone()), Some(path.clone()), Some(*row))
                }
                Origin::Above => ("above", None, None, None),
                Origin::Made => ("made", None, None, None),
            };
            TracedView {
                depth: traced.depth,
                table: format!("{}.{}", traced.step, traced.port),
                row: traced.row,
                origin,
                others,
                source,
                file,
                file_row,
            }
        };
        Self {
            run: run.start.id.to_string(),
            rows: traced.iter().map(view).collect(),
        }
    }
}

impl<'a> StepsView<'a> {
    pub(super) fn of(
        run: &RunRecord,
        to: &str,
        steps: &[&'a StepLineage],
        lineage: &Lineage<'_>,
    ) -> Self {
        let inputs = steps.iter().flat_map(|step| &step.inputs);
        let sources = inputs.filter_map(|input| input.source()).map(|source| {
            let files = lineage.files(source).iter();
            (source, files.map(|file| file.path.clone()).collect())
        });
        Self {
            run: run.start.id.to_string(),
            to: to.to_owned(),
            sources: sources.collect(),
            steps: steps.iter().map(|step| StepView::of(step)).collect(),
        }
    }
}

impl<'a> StepView<'a> {
    fn of(step: &'a StepLineage) -> Self {
        let inputs = step.inputs.iter().map(|input| InputView {
            port: &input.port,
            from: &input.from,
            columns_read: step
                .columns_read
                .get(&input.port)
                .into_iter()
                .flatten()
                .collect(),
            bytes_read: step.blobs_read.contains(&input.port),
            withheld: &input.withheld,
            counts_as_read: step.saw_no_rows(),
        });
        let outputs = step.outputs.iter().map(|output| {
            let kept = output.kept.iter().map(|(name, kept)| {
                let of = kept
                    .iter()
                    .map(|kept| format!("{}.{}", kept.port, kept.column));
                (name.as_str(), of.collect())
            });
            OutputView {
                port: &output.port,
                rows_of: output.rows.as_ref().map(|rows| rows.ports.iter().collect()),
                rows_chosen: output.rows.as_ref().map(|rows| rows.chosen),
                promised: output.promised.as_ref(),
                columns_made: output.made.iter().collect(),
                unseen: output.unseen,
                columns_kept: kept.collect(),
            }
        });
        Self {
            name: &step.name,
            component: &step.component,
            inputs: inputs.collect(),
            outputs: outputs.collect(),
        }
    }
}

//! Finds what an argument names: a column, a table, a blob or a source.

use pinion_runtime::error::closest;
use pinion_runtime::lineage::{Lineage, Node};
use pinion_runtime::record::{Artifact, RunRecord};

use crate::failure::Failure;

/// What `COLUMN`, `STEP.COLUMN`, `STEP.PORT.COLUMN`, `STEP[.PORT]` or `sources.NAME` is. A column that several
/// steps put out is all of them: whoever asks for `gender` means every one. In the same way a name that can be
/// read in several ways is all that it can mean, so that nobody can hide a column by calling another one
/// `people.gender`, or a step `gender`.
///
/// A name that nothing has is refused, so that a slip is never taken for the absence of a path.
pub(super) fn find(
    lineage: &Lineage<'_>,
    run: &RunRecord,
    text: &str,
) -> Result<Vec<Node>, Failure> {
    let mut found = lineage.columns_named(text);
    if let Some(source) = text.strip_prefix("sources.")
        && run.start.sources.keys().any(|name| name.as_str() == source)
    {
        found.push(Node::Source(source.to_owned()));
    }
    let (step, rest) = match text.split_once('.') {
        Some((step, rest)) => (step, Some(rest)),
        None => (text, None),
    };
    if let Some(step) = lineage.step(step) {
        let outputs = step.outputs.iter();
        let nodes = outputs.flat_map(|output| lineage.nodes(&step.name, &output.port));
        found.extend(nodes.filter(|node| rest.is_none_or(|rest| is_named(node, rest))));
    }
    found.sort();
    found.dedup();
    match found.is_empty() {
        false => Ok(found),
        true => Err(unknown(run, text)),
    }
}

/// Whether a part of a step's output can be meant by `PORT`, `COLUMN` or `PORT.COLUMN`.
fn is_named(node: &Node, text: &str) -> bool {
    match node {
        Node::Source(_) => false,
        Node::Rows { port, .. } | Node::Blob { port, .. } => port == text,
        Node::Column { port, column, .. } => {
            port == text || column == text || format!("{port}.{column}") == text
        }
    }
}

/// The refusal of a column that a table does not have.
pub(super) fn no_column(table: &str, column: &str, known: &[String]) -> Failure {
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let failure = Failure::wrong(format!(
        "`{table}` has no column `{column}`\n  expected one of {}",
        names.join(", ")
    ));
    match closest(column, known.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    }
}

fn unknown(run: &RunRecord, text: &str) -> Failure {
    let mut known: Vec<&str> = run
        .steps
        .iter()
        .flat_map(|step| &step.outputs)
        .filter_map(|output| match &output.artifact {
            Artifact::Table(table) => Some(table.fields.iter().map(String::as_str)),
            Artifact::Blob(_) => None,
        })
        .flatten()
        .collect();
    known.sort_unstable();
    known.dedup();
    let failure = Failure::wrong(format!(
        "no step of run `{}` put out a column `{text}`\n  expected COLUMN, STEP.COLUMN, STEP[.PORT] or sources.NAME",
        run.start.id
    ));
    match closest(text, known) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("to see the columns of a step, run `pinion show STEP.PORT`"),
    }
}

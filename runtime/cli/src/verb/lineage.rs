//! `pinion lineage`.

mod draw;
mod name;
mod view;

use std::path::Path;

use pinion_runtime::lineage::{Influence, Lineage, Node, Origin, TracedRow};
use pinion_runtime::record::{Artifact, OutputRecord, RunRecord, StepRecord};

use self::view::{ColumnsView, InfluenceView, RowView, StepsView};
use crate::args::{Drawing, Lineage as Arguments};
use crate::failure::{DONE, FAILED, Failure};
use crate::lookup;
use crate::project::Project;
use crate::standing;
use crate::ui;

/// What is asked about: some outputs of a step, or one column.
struct Target<'a> {
    step: &'a StepRecord,
    /// As in `fit.model` or `predict.rows.late`.
    name: String,
    nodes: Vec<Node>,
}

/// Tells what led to an artifact, a column or a row.
pub(crate) fn lineage(args: &Arguments) -> Result<u8, Failure> {
    let project = Project::open_to_read(&args.place)?;
    let named = lookup::arguments(&project, &args.what)?;
    let run = &named.run;
    let Some(name) = named.step else {
        return Err(Failure::wrong(format!(
            "no step of run `{}` is named\n  expected STEP or STEP.PORT",
            run.start.id
        ))
        .hint("to see its steps, run `pinion show`"));
    };
    let step = name.find(run)?;
    let lineage = Lineage::of(run, &project.store)?;
    if standing::of(&project.store, run)?.is_own() {
        let told: u64 = lineage.steps().iter().map(|step| step.told_units).sum();
        if told > 0 {
            ui::note(&format!(
                "  what {} of run {} did is the sender's word: it was not written with this store's key",
                ui::counted(told, "unit"),
                run.start.id
            ));
        }
    }
    standing::tell(&project.store, run)?;
    if let Some(row) = args.row {
        let output = lookup::output(step, name.port)?;
        table_of(step, output)?;
        let traced = lineage.trace(step.name.as_str(), &output.port, row)?;
        return show_row(run, &traced, args.place.json);
    }
    let target = target(&lineage, step, name.port, args.column.as_deref())?;
    if let Some(from) = args.from.as_ref().or(args.never.as_ref()) {
        let from = name::find(&lineage, run, from)?;
        return show_influence(run, &lineage, &from, &target, args);
    }
    match args.column {
        Some(_) => show_columns(run, &lineage, &target, args.place.json),
        None => show_steps(run, &lineage, &target, args),
    }
}

fn target<'a>(
    lineage: &Lineage<'_>,
    step: &'a StepRecord,
    port: Option<&str>,
    column: Option<&str>,
) -> Result<Target<'a>, Failure> {
    let name = step.name.as_str();
    if let Some(column) = column {
        let output = lookup::output(step, port)?;
        let columns = table_of(step, output)?;
        if !columns.iter().any(|known| known == column) {
            return Err(name::no_column(
                &format!("{name}.{}", output.port),
                column,
                columns,
            ));
        }
        let node = Node::column(name, &output.port, column);
        return Ok(Target {
            step,
            name: node.to_string(),
            nodes: vec![node],
        });
    }
    // Without a port all outputs are meant; a step without any has nothing to tell.
    let outputs: Vec<&OutputRecord> = match port {
        None if step.outputs.len() > 1 => step.outputs.iter().collect(),
        port => vec![lookup::output(step, port)?],
    };
    let nodes = outputs
        .iter()
        .flat_map(|output| lineage.nodes(name, &output.port));
    Ok(Target {
        step,
        name: match outputs.as_slice() {
            [only] => format!("{name}.{}", only.port),
            _ => name.to_owned(),
        },
        nodes: nodes.collect(),
    })
}

/// The columns of an output, which has to be a table.
fn table_of<'a>(step: &StepRecord, output: &'a OutputRecord) -> Result<&'a [String], Failure> {
    match &output.artifact {
        Artifact::Table(table) => Ok(&table.fields),
        Artifact::Blob(blob) => Err(Failure::wrong(format!(
            "`{}.{}` has no columns and no rows\n  expected a table\n  found    {}",
            step.name, output.port, blob.media_type
        ))),
    }
}

fn show_influence(
    run: &RunRecord,
    lineage: &Lineage<'_>,
    from: &[Node],
    target: &Target<'_>,
    args: &Arguments,
) -> Result<u8, Failure> {
    let influence = lineage.influence(from, &target.nodes);
    let asked = args
        .from
        .as_ref()
        .or(args.never.as_ref())
        .map_or("", String::as_str);
    let view = InfluenceView::of(run, asked, from, &target.name, &influence);
    if args.place.json {
        ui::json(&view)?;
    } else {
        for line in view.lines() {
            ui::data(&line);
        }
    }
    Ok(match (&args.never, influence) {
        (Some(_), Influence::Rows(_) | Influence::Column(_)) => FAILED,
        (Some(_), Influence::Success(_)) if args.success => FAILED,
        _ => DONE,
    })
}

fn show_columns(
    run: &RunRecord,
    lineage: &Lineage<'_>,
    target: &Target<'_>,
    json: bool,
) -> Result<u8, Failure> {
    let mut found = Vec::new();
    for step in lineage.upstream(target.step.name.as_str()) {
        let is_source = step.inputs.iter().any(|input| input.source().is_some());
        for output in &step.outputs {
            for column in &output.made {
                let node = Node::column(&step.name, &output.port, column);
                if target.nodes.contains(&node) {
                    continue;
                }
                let influence = lineage.influence(std::slice::from_ref(&node), &target.nodes);
                // What came in and has no path is news; what a step made for something else is not.
                if is_source || influence != Influence::None {
                    found.push((node, influence));
                }
            }
        }
    }
    let view = ColumnsView::of(run, &target.name, found);
    if json {
        ui::json(&view)?;
    } else {
        for line in view.lines() {
            ui::data(&line);
        }
    }
    Ok(DONE)
}

fn show_steps(
    run: &RunRecord,
    lineage: &Lineage<'_>,
    target: &Target<'_>,
    args: &Arguments,
) -> Result<u8, Failure> {
    let steps = lineage.upstream(target.step.name.as_str());
    if args.place.json {
        ui::json(&StepsView::of(run, &target.name, &steps, lineage))?;
        return Ok(DONE);
    }
    let text = match args.format {
        Drawing::Text => draw::text(&steps, lineage),
        Drawing::Mermaid => draw::mermaid(&steps),
        Drawing::Dot => draw::dot(&steps),
        Drawing::Svg => draw::svg(&steps)?,
    };
    match &args.output {
        None => text.lines().for_each(ui::data),
        Some(path) => write(path, &text)?,
    }
    Ok(DONE)
}

fn show_row(run: &RunRecord, traced: &[TracedRow], json: bool) -> Result<u8, Failure> {
    let view = RowView::of(run, traced);
    if json {
        ui::json(&view)?;
        return Ok(DONE);
    }
    for row in traced {
        let indent = "  ".repeat(row.depth);
        let place = format!("{}.{} row {}", row.step, row.port, row.row);
        let origin = match &row.origin {
            Origin::Rows { count: 0, .. } => "  of no row of an input".to_owned(),
            Origin::Rows { others, .. } => view::others(&row.step, others)
                .map_or_else(String::new, |others| format!("  {others}")),
            Origin::Above => "  as above".to_owned(),
            Origin::File { path, row, .. } => format!("  {} row {row}", ui::harmless(path)),
            Origin::Made => format!("  made by `{}` of what it read", row.step),
        };
        ui::data(&format!("{indent}{place}{origin}"));
    }
    Ok(DONE)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::on_path("write", path.display(), error))?;
    ui::note(&format!("wrote {}", path.display()));
    Ok(())
}

//! Draws steps and what each did: as text, for Mermaid and Graphviz, and as a picture.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::style::StyleAttr;
use layout::std_shapes::render::get_shape_size;
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;
use pinion_runtime::lineage::{Lineage, OutputLineage, StepLineage};
use pinion_runtime::record::InputRecord;

use crate::failure::Failure;
use crate::ui;

/// Columns that a label lists before it counts the others.
const LISTED: usize = 6;

/// Columns that a line of text lists before it counts the others.
const LISTED_IN_TEXT: usize = 40;

/// Size of the font of a picture, in its own units.
const FONT: usize = 15;

/// Boxes and arrows between them.
struct Drawing {
    /// What they say, and whether they are sources.
    boxes: Vec<(String, bool)>,
    /// From a box to a box, and what it says.
    arrows: Vec<(usize, usize, String)>,
}

/// A line for each fact of each step, in the order of the run.
pub(super) fn text(steps: &[&StepLineage], lineage: &Lineage<'_>) -> String {
    let mut rows = Vec::new();
    let mut sources = BTreeSet::new();
    for step in steps {
        for source in step.inputs.iter().filter_map(InputRecord::source) {
            if sources.insert(source) {
                let files = lineage.files(source).iter().map(|file| file.path.as_str());
                rows.push(row(
                    &format!("sources.{source}"),
                    "files",
                    &list(files, LISTED_IN_TEXT),
                ));
            }
        }
        for (at, (what, value)) in facts(step).into_iter().enumerate() {
            let name = if at == 0 { step.name.as_str() } else { "" };
            rows.push(row(name, what, &value));
        }
    }
    ui::aligned(&rows).join("\n")
}

fn row(name: &str, what: &str, value: &str) -> Vec<String> {
    vec![ui::harmless(name), what.to_owned(), ui::harmless(value)]
}

fn facts(step: &StepLineage) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    for input in &step.inputs {
        let columns = step.columns_read.get(&input.port);
        let columns = list(
            columns.into_iter().flatten().map(String::as_str),
            LISTED_IN_TEXT,
        );
        facts.push(
            match (columns.as_str(), step.blobs_read.contains(&input.port)) {
                _ if step.saw_no_rows() => (
                    "read",
                    format!("{}: a table had no rows, so all of it counts", input.from),
                ),
                ("", false) if input.source().is_none() => (
                    "read",
                    format!("{}: nothing but the number of rows", input.from),
                ),
                ("", _) => ("read", format!("{}: its bytes", input.from)),
                (columns, _) => ("read", format!("{}: {columns}", input.from)),
            },
        );
        if !input.withheld.is_empty() {
            let withheld = list(input.withheld.iter().map(String::as_str), LISTED_IN_TEXT);
            facts.push(("withheld", format!("{}: {withheld}", input.from)));
        }
    }
    for output in &step.outputs {
        facts.extend(output_facts(step, output));
    }
    facts
}

fn output_facts(step: &StepLineage, output: &OutputLineage) -> Vec<(&'static str, String)> {
    let name = format!("{}.{}", step.name, output.port);
    let Some(rows) = &output.rows else {
        return vec![("made", name)];
    };
    if output.unseen {
        let none = format!("{name}: none, so its columns count as made of all it was handed");
        return vec![("rows", none)];
    }
    let mut facts = Vec::new();
    if !output.made.is_empty() {
        let made = list(output.made.iter().map(String::as_str), LISTED_IN_TEXT);
        facts.push(("made", format!("{name}: {made}")));
    }
    if !output.kept.is_empty() {
        let kept = list(output.kept.keys().map(String::as_str), LISTED_IN_TEXT);
        facts.push(("kept", format!("{name}: {kept}")));
    }
    let bound = |port: &String| {
        let mut inputs = step.inputs.iter();
        inputs
            .find(|input| input.port == *port)
            .map(|input| input.from.as_str())
    };
    let of = list(rows.ports.iter().filter_map(bound), LISTED_IN_TEXT);
    facts.push(match (of.as_str(), rows.chosen, rows.all) {
        ("", _, _) => ("rows", format!("{name}: made by the step")),
        (of, true, false) => ("rows", format!("{name}: chosen among those of {of}")),
        (of, true, true) => ("rows", format!("{name}: all of {of}, as the step chose")),
        (of, false, _) => ("rows", format!("{name}: those of {of}, as promised")),
    });
    facts
}

/// Names, the first ones of many.
fn list<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<&str> = names.collect();
    match names.get(most..) {
        Some([_, ..]) => format!(
            "{} and {} more",
            names[..most].join(", "),
            names.len() - most
        ),
        _ => names.join(", "),
    }
}

impl Drawing {
    fn of(steps: &[&StepLineage]) -> Self {
        let mut drawing = Self {
            boxes: Vec::new(),
            arrows: Vec::new(),
        };
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for step in steps {
            for source in step.inputs.iter().filter_map(InputRecord::source) {
                let name = format!("sources.{source}");
                let next = drawing.boxes.len();
                if let std::collections::btree_map::Entry::Vacant(new) = numbers.entry(name.clone())
                {
                    new.insert(next);
                    drawing.boxes.push((ui::harmless(&name), true));
                }
            }
            let here = drawing.boxes.len();
            numbers.insert(step.name.clone(), here);
            let label = format!("{}\n{}", step.name, ui::harmless(&step.component));
            drawing.boxes.push((label, false));
            for input in &step.inputs {
                let from = input.step().map_or(input.from.as_str(), |(from, _)| from);
                if let Some(from) = numbers.get(from) {
                    drawing.arrows.push((*from, here, label_of(step, input)));
                }
            }
        }
        drawing
    }
}

/// What an arrow into a step says: what it read of that input, and what it was not handed.
fn label_of(step: &StepLineage, input: &InputRecord) -> String {
    let columns = step.columns_read.get(&input.port).into_iter().flatten();
    let mut label = list(columns.map(String::as_str), LISTED);
    if label.is_empty() {
        let bytes = step.blobs_read.contains(&input.port);
        label = if bytes { "its bytes" } else { "rows" }.to_owned();
    }
    if !input.withheld.is_empty() {
        let withheld = list(input.withheld.iter().map(String::as_str), LISTED);
        let _ = write!(label, "\nwithout {withheld}");
    }
    label
        .lines()
        .map(ui::harmless)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A flowchart in Mermaid's language.
pub(super) fn mermaid(steps: &[&StepLineage]) -> String {
    let quoted = |text: &str| {
        let mut quoted = String::new();
        for c in text.chars() {
            match c {
                '\n' => quoted.push_str("<br>"),
                // Mermaid's own way to write characters that would end a label or begin a tag.
                '"' | '<' | '>' | '#' | '&' => {
                    let _ = write!(quoted, "#{};", u32::from(c));
                }
                c => quoted.push(c),
            }
        }
        format!("\"{quoted}\"")
    };
    let drawing = Drawing::of(steps);
    let mut text = "flowchart TD\n".to_owned();
    for (at, (label, source)) in drawing.boxes.iter().enumerate() {
        let (open, close) = if *source { ("[(", ")]") } else { ("[", "]") };
        let _ = writeln!(text, "    n{at}{open}{}{close}", quoted(label));
    }
    for (from, to, label) in &drawing.arrows {
        let _ = writeln!(text, "    n{from} -->|{}| n{to}", quoted(label));
    }
    text
}

/// A graph in Graphviz's language.
pub(super) fn dot(steps: &[&StepLineage]) -> String {
    let quoted = |text: &str| {
        let escaped = text
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        format!("\"{escaped}\"")
    };
    let drawing = Drawing::of(steps);
    let mut text = "digraph lineage {\n    node [shape=box];\n".to_owned();
    for (at, (label, source)) in drawing.boxes.iter().enumerate() {
        let shape = if *source { ", shape=cylinder" } else { "" };
        let _ = writeln!(text, "    n{at} [label={}{shape}];", quoted(label));
    }
    for (from, to, label) in &drawing.arrows {
        let _ = writeln!(text, "    n{from} -> n{to} [label={}];", quoted(label));
    }
    text.push_str("}\n");
    text
}

/// A picture.
///
/// # Errors
/// There is no step to draw.
pub(super) fn svg(steps: &[&StepLineage]) -> Result<String, Failure> {
    let drawing = Drawing::of(steps);
    if drawing.boxes.is_empty() {
        return Err(Failure::wrong("there is nothing to draw"));
    }
    let mut graph = VisualGraph::new(Orientation::TopToBottom);
    let mut handles = Vec::with_capacity(drawing.boxes.len());
    for (label, source) in &drawing.boxes {
        let shape = match source {
            true => ShapeKind::new_circle(label),
            false => ShapeKind::new_box(label),
        };
        let mut style = StyleAttr::simple();
        style.font_size = FONT;
        let size = get_shape_size(Orientation::TopToBottom, &shape, FONT, false);
        let element = Element::create(shape, style, Orientation::TopToBottom, size);
        handles.push(graph.add_node(element));
    }
    for (from, to, label) in &drawing.arrows {
        graph.add_edge(Arrow::simple(label), handles[*from], handles[*to]);
    }
    let mut svg = SVGWriter::new();
    graph.do_it(false, false, false, &mut svg);
    Ok(svg.finalize())
}

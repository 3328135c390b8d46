//! The grammar of the pipeline file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::component_ref::ComponentRef;
use super::error::{PipelineError, Problem};
use super::file_path::{PathProblem, normal_pattern};
use super::limits::{LIMITS, Limits, read_limit};
use super::name::{NameProblem, SourceName, StepName, is_name};
use super::order;
use super::params::{Converter, OPEN, override_params, type_name};
use super::reader::{Entry, Section, document};
use super::{Columns, From, InputRef, Layout, Pipeline, SourceDecl, StepDecl};
use crate::caps::Limit;
use crate::error::SourceText;
use serde_json::{Map, Value};

/// What references to sources begin with.
const SOURCES: &str = "sources";

pub(super) fn pipeline(
    text: &str,
    file_name: &str,
    set: &[(String, String)],
) -> Result<Pipeline, PipelineError> {
    let source = SourceText::new(file_name, text);
    let document = document("pipeline", &source, text)?;
    let root = Section::root(&source, document.as_table());
    root.allow(&["params", "pipeline", "sources", "steps"])?;

    let header = root.require("pipeline")?.section()?;
    let (name, seed, layout) = read_header(&header)?;
    let params = match root.get("params") {
        Some(entry) => read_params(&source, &entry.section()?, set)?,
        None => read_params(
            &source,
            &Section::root(&source, &toml_edit::Table::new()),
            set,
        )?,
    };
    let sources = match root.get("sources") {
        Some(entry) => entry
            .section()?
            .entries()
            .map(|e| read_source(&e))
            .collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let steps: Vec<StepDecl> = match root.get("steps") {
        Some(entry) => entry
            .section()?
            .entries()
            .map(|entry| read_step(&source, &entry, &params))
            .collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    if steps.is_empty() {
        return Err(Problem::Empty.at(header.place()));
    }
    order::check_references(&sources, &steps)?;
    let steps = order::in_order(steps)?;
    Ok(Pipeline {
        name,
        seed,
        layout,
        params,
        sources,
        steps,
    })
}

fn read_header(section: &Section<'_>) -> Result<(String, u64, Layout), PipelineError> {
    section.allow(&["batch_rows", "name", "partition_batches", "seed"])?;
    let entry = section.require("name")?;
    let name = entry.text()?;
    if name.trim().is_empty() || name.contains(char::is_control) {
        return Err(entry.wrong("text of one line"));
    }
    let seed = section
        .get("seed")
        .map_or(Ok(0), |entry| entry.integer(0))?;
    let mut layout = Layout::default();
    for (key, cell) in [
        ("batch_rows", &mut layout.batch_rows),
        ("partition_batches", &mut layout.partition_batches),
    ] {
        if let Some(entry) = section.get(key) {
            *cell = u32::try_from(entry.integer(1)?)
                .map_err(|_| entry.wrong("integer that fits 32 bits"))?;
        }
    }
    if layout
        .batch_rows
        .checked_mul(layout.partition_batches)
        .is_none()
    {
        let key = if section.get("batch_rows").is_some() {
            "batch_rows"
        } else {
            "partition_batches"
        };
        // One of the two is there: the defaults fit.
        let entry = section.require(key)?;
        return Err(entry.wrong("partition of fewer than 2^32 rows"));
    }
    Ok((name.to_owned(), seed, layout))
}

fn read_params(
    source: &Arc<SourceText>,
    section: &Section<'_>,
    set: &[(String, String)],
) -> Result<BTreeMap<String, Value>, PipelineError> {
    let mut params = BTreeMap::new();
    let mut types = BTreeMap::new();
    for entry in section.entries() {
        if !is_name(entry.key) {
            return Err(Problem::Name(NameProblem(entry.key.to_owned())).at(entry.key_place));
        }
        let value = Converter::new(source, None).convert(&entry)?;
        params.insert(entry.key.to_owned(), value);
        types.insert(entry.key.to_owned(), type_name(entry.item));
    }
    override_params(&mut params, &types, set)?;
    Ok(params)
}

fn read_source(entry: &Entry<'_>) -> Result<SourceDecl, PipelineError> {
    let name: SourceName = entry
        .key
        .parse()
        .map_err(|problem| Problem::Name(problem).at(entry.key_place.clone()))?;
    let section = entry.section()?;
    section.allow(&["keep", "path"])?;
    let path_entry = section.require("path")?;
    let written = path_entry.text()?;
    let path = match normal_pattern(written) {
        Ok(path) if !path.contains(OPEN) => Ok(path),
        Ok(_) => Err(PathProblem::Reference),
        Err(problem) => Err(problem),
    };
    let path = path.map_err(|problem| {
        let path = written.to_owned();
        Problem::Path { path, problem }.at(path_entry.place.clone())
    })?;
    let keep = section
        .get("keep")
        .map_or(Ok(true), |entry| entry.boolean())?;
    Ok(SourceDecl {
        name,
        path,
        keep,
        place: entry.key_place.clone(),
    })
}

fn read_step(
    source: &Arc<SourceText>,
    entry: &Entry<'_>,
    params: &BTreeMap<String, Value>,
) -> Result<StepDecl, PipelineError> {
    let name: StepName = entry
        .key
        .parse()
        .map_err(|problem| Problem::Name(problem).at(entry.key_place.clone()))?;
    if name.as_str() == SOURCES {
        return Err(Problem::ReservedName.at(entry.key_place.clone()));
    }
    let section = entry.section()?;
    section.allow(&["input", "inputs", "limits", "params", "use"])?;

    let component_entry = section.require("use")?;
    let reference = component_entry.text()?;
    let component = ComponentRef::parse(reference).map_err(|(problem, hint)| {
        Problem::Component {
            reference: reference.to_owned(),
            problem,
            hint,
        }
        .at(component_entry.place.clone())
    })?;

    let inputs = match (section.get("input"), section.get("inputs")) {
        (Some(_), Some(inputs)) => {
            return Err(Problem::InputAndInputs(name).at(inputs.key_place));
        }
        (Some(input), None) => vec![read_input(&input, None)?],
        (None, Some(inputs)) => inputs
            .section()?
            .entries()
            .map(|entry| read_input(&entry, Some(entry.key)))
            .collect::<Result<_, _>>()?,
        (None, None) => Vec::new(),
    };

    let mut converter = Converter::new(source, Some(params));
    let step_params = match section.get("params") {
        Some(entry) => {
            entry.section()?;
            converter.convert(&entry)?
        }
        None => Value::Object(Map::new()),
    };
    let limits_entry = section.get("limits");
    let limits = limits_entry
        .as_ref()
        .map_or(Ok(Limits::default()), read_limits)?;
    Ok(StepDecl {
        name,
        component,
        inputs,
        params: step_params,
        limits,
        limits_place: limits_entry.map(|entry| entry.place),
        place: entry.key_place.clone(),
        component_place: component_entry.place,
        param_places: converter.places,
    })
}

fn read_input(entry: &Entry<'_>, port: Option<&str>) -> Result<InputRef, PipelineError> {
    const FORMS: &str = "`sources.name`, `step` or `step.port`";
    if let Some(port) = port.filter(|port| !is_name(port)) {
        return Err(Problem::Name(NameProblem(port.to_owned())).at(entry.key_place.clone()));
    }
    if entry.item.is_array() {
        return Err(entry.wrong(&format!("one reference: {FORMS}")));
    }
    if entry.item.is_table_like() {
        let section = entry.section()?;
        section.allow(&["columns", "except", "from"])?;
        let mut input = read_input(&section.require("from")?, None)?;
        input.port = port.map(str::to_owned);
        input.columns = read_columns(&section)?;
        return Ok(input);
    }
    let text = entry.text()?;
    let parts: Vec<&str> = text.split('.').collect();
    if !parts.iter().all(|part| is_name(part)) {
        return Err(entry.wrong(FORMS));
    }
    let name = |problem: NameProblem| Problem::Name(problem).at(entry.place.clone());
    let from = match parts.as_slice() {
        [SOURCES, source] => From::Source(source.parse().map_err(name)?),
        [step] if *step != SOURCES => From::Step {
            name: step.parse().map_err(name)?,
            port: None,
        },
        [step, port] => From::Step {
            name: step.parse().map_err(name)?,
            port: Some((*port).to_owned()),
        },
        _ => return Err(entry.wrong(FORMS)),
    };
    Ok(InputRef {
        port: port.map(str::to_owned),
        from,
        columns: Columns::All,
        place: entry.place.clone(),
    })
}

fn read_columns(section: &Section<'_>) -> Result<Columns, PipelineError> {
    let names = |entry: &Entry<'_>| -> Result<Vec<String>, PipelineError> {
        let wrong = || entry.wrong("list of column names");
        let array = entry.item.as_array().ok_or_else(wrong)?;
        let name = |value: &toml_edit::Value| value.as_str().map(str::to_owned);
        let names: Option<Vec<String>> = array.iter().map(name).collect();
        let names = names.ok_or_else(wrong)?;
        let mut seen = BTreeSet::new();
        match names.iter().find(|name| !seen.insert(*name)) {
            Some(twice) => Err(Problem::Duplicate(twice.clone()).at(entry.place.clone())),
            None => Ok(names),
        }
    };
    match (section.get("columns"), section.get("except")) {
        (Some(_), Some(except)) => Err(Problem::ColumnsAndExcept.at(except.key_place)),
        (Some(only), None) => Ok(Columns::Only(names(&only)?, only.place)),
        (None, Some(except)) => Ok(Columns::Except(names(&except)?, except.place)),
        (None, None) => Ok(Columns::All),
    }
}

fn read_limits(entry: &Entry<'_>) -> Result<Limits, PipelineError> {
    let section = entry.section()?;
    section.allow(LIMITS)?;
    let limit = |limit: Limit| {
        let entry = section.get(limit.key());
        entry.map(|entry| read_limit(limit, &entry)).transpose()
    };
    Ok(Limits {
        fuel: limit(Limit::Fuel)?,
        memory_bytes: limit(Limit::Memory)?,
        output_bytes: limit(Limit::Output)?,
        scratch_bytes: limit(Limit::Scratch)?,
        log_bytes: limit(Limit::Log)?,
        time_ms: limit(Limit::Time)?,
    })
}

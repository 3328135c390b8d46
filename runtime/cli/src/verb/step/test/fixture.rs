//! Fixtures as what a step reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pinion_runtime::component::{Component, StdComponent};
use pinion_runtime::error::closest;
use pinion_runtime::lock::{ComponentKey, Origin};
use pinion_runtime::pipeline::{
    Columns, ComponentRef, From, InputRef, Layout, Limits, Pipeline, SourceName, StepDecl, StepName,
};
use pinion_runtime::plan::Given;
use pinion_runtime::record::{Artifact, SourceFile};
use pinion_runtime::run::Mode;
use pinion_runtime::sandbox::{Descriptor, Kind, Port};
use pinion_runtime::source::media_type;
use pinion_runtime::table::Table;
use pinion_runtime::unit::{Blob, InputContent};
use semver::VersionReq;
use serde_json::{Map, Value};

use super::Tester;
use super::case::Case;
use crate::alone::Reads;
use crate::failure::Failure;
use crate::file;
use crate::std_components::standard;
use crate::verb::run;

/// What messages call what a step reads.
const INPUTS: &str = "inputs";

/// What they call a step whose component has a name that no step can have.
const STEP: &str = "step";

impl Tester<'_> {
    /// Everything in a case's `inputs/`, in the store.
    pub(super) fn reads(&self, case: &Case) -> Result<Reads, Failure> {
        let mut reads = Reads::default();
        let mut given = Vec::new();
        for (name, file) in &case.inputs {
            let port = self
                .descriptor
                .inputs
                .iter()
                .find(|port| port.name == *name);
            let Some(port) = port else {
                return Err(no_port("input", name, file, &self.descriptor.inputs));
            };
            let source = self.file(file)?;
            if self.descriptor.kind == Kind::Source {
                reads.sources.insert(source_name(INPUTS)?, vec![source]);
                continue;
            }
            let content = match port.blob {
                true => InputContent::Blob(Blob {
                    digest: source.digest,
                    len: source.size_bytes,
                    media_type: media_type(&source.path).to_owned(),
                }),
                false => InputContent::Table(Arc::new(self.table(case, file, source)?)),
            };
            given.push(Given {
                port: port.name.clone(),
                content,
            });
        }
        reads.given.insert(step_name(INPUTS)?, given);
        Ok(reads)
    }

    /// A file, with its bytes in the store.
    fn file(&self, file: &Path) -> Result<SourceFile, Failure> {
        let bytes = file::read(file, file::MOST_FIXTURE_BYTES)
            .map_err(|error| Failure::on_path("read", file.display(), error))?;
        let (digest, size_bytes) = self.alone.store.put_blob(&bytes)?;
        Ok(SourceFile {
            path: file.display().to_string(),
            digest,
            size_bytes,
        })
    }

    /// The table in a file, as the standard component for such files reads it.
    fn table(&self, case: &Case, file: &Path, source: SourceFile) -> Result<Table, Failure> {
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        let mut params = Map::new();
        let reader = match extension.as_ref() {
            "csv" => {
                let types = file.with_extension("types.json");
                if types.exists() {
                    params.insert("types".to_owned(), types_of(&types)?);
                }
                "read-csv"
            }
            "parquet" => "read-parquet",
            "arrow" => "read-arrow",
            _ => {
                return Err(Failure::wrong(format!(
                    "`{}` is the input of a table\n  expected `.csv`, `.parquet` or `.arrow`",
                    file.display()
                )));
            }
        };
        let name = source_name(INPUTS)?;
        let declared = StepDecl {
            params: Value::Object(params),
            inputs: vec![InputRef {
                port: None,
                from: From::Source(name.clone()),
                columns: Columns::All,
                place: case.place.clone(),
            }],
            ..step(case, &format!("std:{reader}"))?
        };
        let pipeline = pipeline(case, None);
        let reads = Reads {
            sources: BTreeMap::from([(name, vec![source])]),
            given: BTreeMap::new(),
        };
        let plan = self
            .alone
            .plan(&pipeline, &declared, standard_named(reader)?, reads)?;
        let ended = self.alone.run(&plan, None, Mode::Cached)?;
        if let Some(failure) = &ended.failure {
            return Err(run::failed_step(&plan, failure, None, None));
        }
        let outputs = ended.steps.first().map(|step| step.outputs.as_slice());
        match outputs
            .and_then(<[_]>::first)
            .map(|output| &output.artifact)
        {
            Some(Artifact::Table(table)) => Ok(self.alone.store.present_table(&table.digest)?),
            _ => Err(Failure::wrong(format!("`{}` was not read", file.display()))),
        }
    }
}

/// A pipeline and the step in it that a case runs. Given `batch_rows`, a batch has that many.
pub(super) fn declared(
    case: &Case,
    component: &str,
    descriptor: &Descriptor,
    reads: &Reads,
    batch_rows: Option<u32>,
) -> Result<(Pipeline, StepDecl), Failure> {
    let input = |port: &str, from: From| InputRef {
        port: Some(port.to_owned()),
        from,
        columns: Columns::All,
        place: case.place.clone(),
    };
    let mut inputs = Vec::new();
    for (name, given) in &reads.given {
        for given in given {
            let from = From::Step {
                name: name.clone(),
                port: Some(given.port.clone()),
            };
            inputs.push(input(&given.port, from));
        }
    }
    for name in reads.sources.keys() {
        let port = descriptor
            .inputs
            .first()
            .map_or("source", |port| port.name.as_str());
        inputs.push(input(port, From::Source(name.clone())));
    }
    let declared = StepDecl {
        params: case.params.clone(),
        inputs,
        ..step(case, component)?
    };
    Ok((pipeline(case, batch_rows), declared))
}

fn pipeline(case: &Case, batch_rows: Option<u32>) -> Pipeline {
    let layout = Layout::default();
    Pipeline {
        name: case.name.clone(),
        seed: 0,
        layout: Layout {
            batch_rows: batch_rows.unwrap_or(layout.batch_rows),
            ..layout
        },
        params: BTreeMap::new(),
        sources: Vec::new(),
        steps: Vec::new(),
    }
}

/// A step without params and inputs, called as its component is as far as steps can be.
fn step(case: &Case, component: &str) -> Result<StepDecl, Failure> {
    let (reference, _) = component.split_once('@').unwrap_or((component, ""));
    let last = reference.rsplit(['/', ':']).next().unwrap_or_default();
    let name = last
        .trim_end_matches(".wasm")
        .parse::<StepName>()
        .or_else(|_| step_name(STEP))?;
    let component = match component.strip_prefix("std:") {
        Some(name) => ComponentRef::Std {
            name: name.to_owned(),
            version: VersionReq::STAR,
        },
        None => ComponentRef::Crate {
            path: component.trim_start_matches("./").to_owned(),
        },
    };
    Ok(StepDecl {
        name,
        component,
        inputs: Vec::new(),
        params: Value::Object(Map::new()),
        limits: Limits::default(),
        limits_place: None,
        place: case.place.clone(),
        component_place: case.place.clone(),
        param_places: BTreeMap::new(),
    })
}

fn standard_named(name: &str) -> Result<Component, Failure> {
    let known = standard().iter().filter(|known| known.name == name);
    let newest = known.max_by(|left, right| left.version.cmp(&right.version));
    let component = |newest: &StdComponent| Component {
        key: ComponentKey {
            name: format!("std:{name}"),
            version: Some(newest.version.clone()),
        },
        origin: Origin::Std,
        digest: newest.digest,
        bytes: bytes::Bytes::from_static(newest.bytes),
    };
    newest
        .map(component)
        .ok_or_else(|| Failure::wrong(format!("there is no standard component `std:{name}`")))
}

fn types_of(file: &Path) -> Result<Value, Failure> {
    let text = file::read_text(file, file::MOST_FIXTURE_BYTES)
        .map_err(|error| Failure::on_path("read", file.display(), error))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::wrong(format!("`{}` is not JSON: {error}", file.display())))
}

/// A file of a case that belongs to no port.
pub(super) fn no_port(way: &str, port: &str, file: &Path, ports: &[Port]) -> Failure {
    let names: Vec<String> = ports
        .iter()
        .map(|port| format!("`{}`", port.name))
        .collect();
    let failure = Failure::wrong(format!(
        "the step has no {way} port `{port}`\n  expected one of {}\n  in       {}",
        names.join(", "),
        file.display()
    ));
    match closest(port, ports.iter().map(|port| port.name.as_str())) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure,
    }
}

fn step_name(name: &str) -> Result<StepName, Failure> {
    name.parse()
        .map_err(|error| Failure::wrong(format!("{error}")))
}

fn source_name(name: &str) -> Result<SourceName, Failure> {
    name.parse()
        .map_err(|error| Failure::wrong(format!("{error}")))
}

//! What components say about themselves and their shapes, asked once and remembered in the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::FieldRef;
use serde::{Deserialize, Serialize};

use super::{Plan, PlannedStep, Tools, WireFields, file_input};
use crate::arrow::format;
use crate::component::Component;
use crate::digest::{ComponentDigest, Digest, StructuredHasher};
use crate::parallel;
use crate::promise::Promise;
use crate::record::SourceFile;
use crate::sandbox::{Descriptor, StepError};
use crate::table::schema_digest;
use crate::unit::{self, Call, SEMANTICS, Shape, ShapeContent};

/// A remembered shape.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredShape {
    port: String,
    fields: Option<WireFields>,
    media_type: Option<String>,
    #[serde(default)]
    promise: Option<Promise>,
}

/// What a component tells of itself.
pub(super) fn describe(component: &Component, tools: Tools<'_>) -> Result<Descriptor, StepError> {
    let key = describe_key(SEMANTICS, &component.digest);
    remembered(tools, "describe", &key, || {
        let program = tools
            .sandbox
            .program(component.digest, &|| Ok(component.bytes.to_vec()))?;
        tools.sandbox.describe(&program, tools.cancel)
    })
}

/// What a description is remembered under by a library of these semantics.
pub(crate) fn describe_key(semantics: &str, component: &ComponentDigest) -> Digest {
    let mut hasher = StructuredHasher::new("pinion describe v1");
    hasher.text(semantics).component(component).finish()
}

/// The components, each once, that have not told of themselves in this store yet.
pub fn strangers<'a>(
    components: impl Iterator<Item = &'a Component>,
    tools: Tools<'_>,
) -> Vec<Component> {
    let mut seen = BTreeSet::new();
    let known = |component: &Component| {
        matches!(
            tools
                .store
                .memo("describe", &describe_key(SEMANTICS, &component.digest)),
            Ok(Some(_))
        )
    };
    components
        .filter(|component| seen.insert(component.digest) && !known(component))
        .cloned()
        .collect()
}

/// Lets components tell of themselves, several at once: compiling one may take seconds.
///
/// What goes wrong is told to whoever asks next, with the step that uses the component.
pub fn introduce(strangers: &[Component], threads: usize, tools: Tools<'_>) {
    let introduced = parallel::each(threads, strangers.len(), |at| {
        match describe(&strangers[at], tools) {
            Err(_) if tools.cancel.is_cancelled() => Err(()),
            _ => Ok(()),
        }
    });
    drop(introduced);
}

/// The shapes of every output port.
pub(super) fn check(
    step: &PlannedStep,
    given: &[Shape],
    tools: Tools<'_>,
) -> Result<Vec<Shape>, StepError> {
    let key = check_key(SEMANTICS, &step.component.digest, &step.params, given);
    let stored: Vec<StoredShape> = remembered(tools, "check", &key, || {
        let program = step.program(tools.sandbox)?;
        let shapes = tools.sandbox.check(
            &program,
            &step.descriptor,
            &step.params,
            given,
            tools.cancel,
        )?;
        Ok(shapes.iter().map(store).collect())
    })?;
    stored.into_iter().map(load).collect()
}

/// What the shapes of outputs are remembered under.
pub(crate) fn check_key(
    semantics: &str,
    component: &ComponentDigest,
    params: &str,
    given: &[Shape],
) -> Digest {
    let mut hasher = StructuredHasher::new("pinion check v1");
    hasher
        .text(semantics)
        .component(component)
        .text(params)
        .list(given.len());
    for shape in given {
        hasher.text(&shape.port);
        match &shape.content {
            ShapeContent::Table(fields) => hasher.text("table").digest(&schema_digest(fields)),
            ShapeContent::Blob(media_type) => hasher.text("blob").text(media_type),
        };
    }
    hasher.finish()
}

/// What the fields of a file are remembered under.
pub(crate) fn probe_key(
    semantics: &str,
    component: &ComponentDigest,
    params: &str,
    file: &Digest,
) -> Digest {
    let mut hasher = StructuredHasher::new("pinion probe v1");
    hasher
        .text(semantics)
        .component(component)
        .text(params)
        .digest(file)
        .finish()
}

/// The fields of one file.
pub(super) fn probe(
    plan: &Plan,
    step: &PlannedStep,
    file: &SourceFile,
    tools: Tools<'_>,
) -> Result<Vec<FieldRef>, StepError> {
    let key = probe_key(
        SEMANTICS,
        &step.component.digest,
        &step.params,
        &file.digest,
    );
    let wire: WireFields = remembered(tools, "probe", &key, || {
        let program = step.program(tools.sandbox)?;
        let port = step.inputs.first().map_or("source", |input| &input.port);
        let unit = step.unit(plan, Call::Run, vec![file_input(file, port)], None);
        let fields = tools.sandbox.probe(
            &program,
            Arc::new(unit),
            Arc::clone(tools.data),
            tools.cancel,
        )?;
        Ok(unit::wire(&fields))
    })?;
    fields(&wire)
}

fn store(shape: &Shape) -> StoredShape {
    let (fields, media_type) = match &shape.content {
        ShapeContent::Table(fields) => (Some(unit::wire(fields)), None),
        ShapeContent::Blob(media_type) => (None, Some(media_type.clone())),
    };
    StoredShape {
        port: shape.port.to_string(),
        fields,
        media_type,
        promise: shape.promise.clone(),
    }
}

fn load(shape: StoredShape) -> Result<Shape, StepError> {
    let content = match (shape.fields, shape.media_type) {
        (Some(wire), _) => ShapeContent::Table(fields(&wire)?),
        (None, media_type) => ShapeContent::Blob(media_type.unwrap_or_default()),
    };
    Ok(Shape {
        port: shape.port.into(),
        content,
        promise: shape.promise,
    })
}

fn fields(wire: &WireFields) -> Result<Vec<FieldRef>, StepError> {
    let fields = format::from_wire(wire).map_err(|error| StepError::Host(error.to_string()))?;
    Ok(fields.into_iter().map(Arc::new).collect())
}

/// A pure fact: from the store, or found out and stored. A store that cannot keep it is no failure.
pub(crate) fn remembered<T: Serialize + for<'de> Deserialize<'de>>(
    tools: Tools<'_>,
    name: &str,
    key: &Digest,
    find_out: impl FnOnce() -> Result<T, StepError>,
) -> Result<T, StepError> {
    if let Ok(Some(bytes)) = tools.store.memo(name, key)
        && let Ok(fact) = serde_json::from_slice(&bytes)
    {
        return Ok(fact);
    }
    let fact = find_out()?;
    let bytes = serde_json::to_vec(&fact).map_err(|error| StepError::Host(error.to_string()))?;
    // A memo that cannot be kept costs time at the next run and nothing else.
    drop(tools.store.put_memo(name, key, &bytes));
    Ok(fact)
}

//! What is wrong with a pipeline that reads well.

use arrow_schema::FieldRef;

use super::{Origin, Plan, PlannedStep};
use crate::arrow::type_name;
use crate::caps::{Cap, Limit};
use crate::error::{Facts, Hint, Place, closest, listed};
use crate::pipeline::{PipelineError, StepDecl};
use crate::record::SourceFile;
use crate::sandbox::{BadComponent, StepError};
use crate::unit::{Shape, ShapeContent};

/// Why a pipeline cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A step that the caller did not resolve.
    #[error("step `{step}` has no component")]
    NoComponent {
        /// The step.
        step: String,
    },
    /// A step that is not there.
    #[error("there is no step `{name}`\n  expected one of {}", listed(known.iter().map(String::as_str)))]
    UnknownStep {
        /// As asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A component that cannot be used.
    #[error(
        "step `{step}` has a component that does not work\n  found {reference}\n  in    {place}"
    )]
    Component {
        /// The step.
        step: String,
        /// The component as written.
        reference: String,
        /// Where.
        place: Place,
        /// Why not.
        #[source]
        error: StepError,
    },
    /// A step that asks for more than the user lets any step have.
    #[error(
        "step `{step}` asks for a larger limit of {} than it may have\n  expected at most {}, by {}\n  found    {}\n  in       {place}",
        limit.key(), limit.shown(cap.most), cap.set_by, limit.shown(*asked)
    )]
    BeyondCap {
        /// The step.
        step: String,
        /// Of what.
        limit: Limit,
        /// As much.
        asked: u64,
        /// The most, and who says so.
        cap: Cap,
        /// Where.
        place: Place,
    },
    /// Params that do not fit.
    #[error(transparent)]
    Params(PipelineError),
    /// An input port that is not there.
    #[error(
        "step `{step}` has no input port {}\n  expected one of {}\n  in       {place}",
        .port.as_ref().map_or_else(|| "to take a plain `input`".to_owned(), |port| format!("`{port}`")),
        listed(known.iter().map(String::as_str))
    )]
    UnknownPort {
        /// The step.
        step: String,
        /// As written; none for a plain `input`.
        port: Option<String>,
        /// What there is.
        known: Vec<String>,
        /// Where.
        place: Place,
    },
    /// An output port that is not there, or one that has to be named.
    #[error(
        "step `{step}` cannot read {}\n  expected one of {}\n  in       {place}",
        .port.as_ref().map_or_else(
            || format!("`{upstream}` without a port"),
            |port| format!("`{upstream}.{port}`")
        ),
        listed(known.iter().map(|port| format!("{upstream}.{port}")).collect::<Vec<_>>().iter().map(String::as_str))
    )]
    UnknownOutput {
        /// The step that reads.
        step: String,
        /// The step that is read.
        upstream: String,
        /// As written.
        port: Option<String>,
        /// What there is.
        known: Vec<String>,
        /// Where.
        place: Place,
    },
    /// An input port that needs something.
    #[error(
        "step `{step}` has nothing at its input port `{port}`\n  expected {expected}\n  port     {doc}\n  in       {place}"
    )]
    Unbound {
        /// The step.
        step: String,
        /// The port.
        port: String,
        /// What belongs there.
        expected: String,
        /// What it is for, as the step says it.
        doc: String,
        /// What the pipeline could say instead.
        write: String,
        /// Where.
        place: Place,
    },
    /// A table where a blob belongs, or the other way round.
    #[error(
        "step `{step}` cannot take this at its input port `{port}`\n  expected {expected}\n  found    {found}\n  in       {place}"
    )]
    WrongKind {
        /// The step.
        step: String,
        /// The port.
        port: String,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
        /// Where.
        place: Place,
    },
    /// `columns` or `except` on an input that is no table.
    #[error(
        "step `{step}` cannot be handed some columns only at its input port `{port}`\n  found `{from}`, which is no table\n  in    {place}"
    )]
    NoColumns {
        /// The step.
        step: String,
        /// The port.
        port: String,
        /// What is bound to it.
        from: String,
        /// Where.
        place: Place,
    },
    /// A column in `columns` or `except` that is not there.
    #[error(
        "step `{step}` cannot be handed or denied column `{column}`: `{from}` has none of this name\n  expected one of {}\n  in       {place}",
        listed(known.iter().map(String::as_str))
    )]
    UnknownColumn {
        /// The step.
        step: String,
        /// As written.
        column: String,
        /// The table that is bound to the port.
        from: String,
        /// Its columns.
        known: Vec<String>,
        /// Where.
        place: Place,
    },
    /// A file that a source cannot read.
    #[error("step `{step}` cannot read its source\n  in {file}\n  in {place}")]
    Probe {
        /// The step.
        step: String,
        /// The file.
        file: String,
        /// Where.
        place: Place,
        /// Why not.
        #[source]
        error: StepError,
    },
    /// Files of one source that differ in schema.
    #[error(
        "the files that step `{step}` reads differ\n  expected {expected}\n  found    {found}\n  in       {place}"
    )]
    FilesDiffer {
        /// The step.
        step: String,
        /// A field and the file it is in.
        expected: String,
        /// A field and the file it is in.
        found: String,
        /// Where.
        place: Place,
    },
    /// A step that refuses what it is given.
    #[error("step `{step}` cannot take what it is given: {message}{}", Facts(&facts(details, place)))]
    Refused {
        /// The step.
        step: String,
        /// Stable and kebab-case.
        code: String,
        /// The step's own words.
        message: String,
        /// The step's own facts, and where a column comes from.
        details: Vec<(String, String)>,
        /// The name that was likely meant.
        meant: Option<String>,
        /// Where.
        place: Place,
    },
    /// A step whose `check` went wrong.
    #[error("step `{step}` could not check what it is given{}", Facts(&facts(&said(error), place)))]
    Check {
        /// The step.
        step: String,
        /// Where.
        place: Place,
        /// Why.
        #[source]
        error: StepError,
    },
}

/// The facts of a step, but for its advice, and where it stands.
fn facts<'a>(details: &'a [(String, String)], place: &Place) -> Vec<(&'a str, String)> {
    let own = details.iter().filter(|(label, _)| label != "hint");
    own.map(|(label, value)| (label.as_str(), value.clone()))
        .chain([("in", place.to_string())])
        .collect()
}

/// What a step that trapped wrote to standard error.
fn said(error: &StepError) -> Vec<(String, String)> {
    let StepError::Trapped { stderr, .. } = error else {
        return Vec::new();
    };
    let lines = stderr.iter().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| ("stderr".to_owned(), line.clone()))
        .collect()
}

impl Hint for PlanError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownStep { name, known } => closest(name, known.iter().map(String::as_str))
                .map(|meant| format!("did you mean `{meant}`?")),
            Self::UnknownPort {
                port: None, known, ..
            } => {
                let first = known.first()?;
                Some(format!(
                    "name the port, as in `inputs = {{ {first} = \"…\" }}`"
                ))
            }
            Self::UnknownPort {
                port: Some(port),
                known,
                ..
            } => closest(port, known.iter().map(String::as_str))
                .map(|meant| format!("did you mean `{meant}`?")),
            Self::Component {
                error: StepError::BadComponent(BadComponent::Imports { .. }),
                ..
            } => Some(
                "a step has no network, no files and no clock: what it reads has to come from `[sources]`"
                    .to_owned(),
            ),
            Self::BeyondCap { limit, cap, .. } => Some(format!(
                "ask for less with `limits = {{ {} = … }}` of the step, or raise the cap that is set by {}",
                limit.key(),
                cap.set_by
            )),
            Self::Params(error) => error.hint(),
            Self::Refused {
                meant: Some(meant), ..
            } => Some(format!("did you mean `{meant}`?")),
            Self::Refused { code, details, .. } => {
                let detail = |wanted: &str| {
                    let mut found = details.iter().filter(|(label, _)| label == wanted);
                    found.next().map(|(_, value)| value)
                };
                match detail("hint") {
                    Some(hint) => Some(hint.clone()),
                    None if code == "wrong-type" => detail("column")
                        .map(|column| format!("`std:cast-columns` gives `{column}` another type")),
                    None => None,
                }
            }
            Self::UnknownOutput {
                upstream,
                port: Some(port),
                known,
                ..
            } => closest(port, known.iter().map(String::as_str))
                .map(|meant| format!("did you mean `{upstream}.{meant}`?")),
            Self::WrongKind {
                expected, found, ..
            } if expected == "a table" && found.contains("from `sources.") => Some(
                "make a table of the files first, with a step that uses `std:read-csv`, `std:read-parquet` or `std:read-arrow`"
                    .to_owned(),
            ),
            Self::UnknownColumn { column, known, .. } => {
                closest(column, known.iter().map(String::as_str))
                    .map(|meant| format!("did you mean `{meant}`?"))
            }
            Self::Unbound { write, .. } => {
                Some(format!("name the step or source that it reads: `{write}`"))
            }
            _ => None,
        }
    }
}

/// The error for a step that refused, with where the column was looked for and what is there instead.
pub(super) fn refusal(
    plan: &Plan,
    declared: &StepDecl,
    step: &PlannedStep,
    given: &[Shape],
    error: StepError,
) -> PlanError {
    let StepError::Refused {
        code,
        message,
        mut details,
    } = error
    else {
        return PlanError::Check {
            step: declared.name.to_string(),
            place: declared.place.clone(),
            error,
        };
    };
    let column = details
        .iter()
        .find(|(label, _)| label == "column")
        .map(|(_, column)| column.clone());
    let mut meant = None;
    let place = quoted(&message, &details)
        .find_map(|text| named_at(&declared.params, text))
        .map_or_else(
            || declared.place.clone(),
            |param| declared.param_place(&param).clone(),
        );
    if let Some(column) = &column {
        let port = match details.iter().find(|(label, _)| label == "port") {
            Some((_, port)) => Some(port.clone()),
            None => {
                let main = step
                    .inputs
                    .iter()
                    .find(|input| input.main)
                    .or(step.inputs.first());
                main.map(|input| input.port.to_string())
            }
        };
        if let Some(port) = port {
            if !details.iter().any(|(label, _)| label == "port") {
                details.push(("port".to_owned(), port.clone()));
            }
            if let Some(input) = step.inputs.iter().find(|input| *input.port == *port) {
                let from = match &input.from {
                    Origin::Source(_) => None,
                    from => Some(plan.origin_name(from)),
                };
                if let Some(from) = from {
                    details.push(("from".to_owned(), from));
                }
            }
            let shape = given
                .iter()
                .find(|shape| *shape.port == *port)
                .or(given.first());
            if let (
                true,
                Some(Shape {
                    content: ShapeContent::Table(fields),
                    ..
                }),
            ) = (code == "missing-column", shape)
            {
                details.retain(|(label, _)| label != "columns");
                let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
                details.push(("columns".to_owned(), names.join(", ")));
                let mut inputs = step.inputs.iter();
                if inputs.any(|input| *input.port == *port && input.withheld.contains(column)) {
                    let withheld = format!("`{column}`, which the pipeline keeps from this step");
                    details.push(("withheld".to_owned(), withheld));
                }
                meant = closest(column, names).map(str::to_owned);
            }
            if let (
                "wrong-type",
                Some(Shape {
                    content: ShapeContent::Table(fields),
                    ..
                }),
            ) = (code.as_str(), shape)
                && let Some(field) = fields.iter().find(|field| field.name() == column)
            {
                // One spelling of types, whatever the step's own is.
                for (_, found) in details.iter_mut().filter(|(label, _)| label == "found") {
                    *found = type_name(field.data_type());
                }
            }
        }
    }
    PlanError::Refused {
        step: declared.name.to_string(),
        code,
        message,
        details,
        meant,
        place,
    }
}

/// What a step says that may be the value of a param: an expression below its message, then the values of
/// its facts, the column first. The expression comes first, since another may be named as the column is.
fn quoted<'a>(message: &'a str, details: &'a [(String, String)]) -> impl Iterator<Item = &'a str> {
    let column = details.iter().filter(|(label, _)| label == "column");
    let values = column
        .chain(details)
        .map(|(_, value)| value.trim_matches('`'));
    let lines = message.lines().skip(1);
    lines
        .filter_map(|line| line.trim_start().strip_prefix("in "))
        .chain(values)
}

/// The path of the param that is a text or has its name, in the form of [`StepDecl::param_place`].
fn named_at(params: &serde_json::Value, column: &str) -> Option<String> {
    use serde_json::Value;
    match params {
        Value::String(text) => (text == column).then(String::new),
        Value::Array(values) => values.iter().enumerate().find_map(|(index, value)| {
            named_at(value, column).map(|rest| format!("[{index}]{}", dotted(&rest)))
        }),
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            if name == column {
                return Some(name.clone());
            }
            named_at(value, column).map(|rest| format!("{name}{}", dotted(&rest)))
        }),
        _ => None,
    }
}

fn dotted(rest: &str) -> String {
    if rest.is_empty() || rest.starts_with('[') {
        rest.to_owned()
    } else {
        format!(".{rest}")
    }
}

/// The error for two files of one source that differ: the first field in which they do.
pub(super) fn files_differ(
    declared: &StepDecl,
    (expected_file, expected): (&SourceFile, &[FieldRef]),
    (found_file, found): (&SourceFile, &[FieldRef]),
) -> PlanError {
    let at = expected
        .iter()
        .zip(found)
        .position(|(left, right)| left != right);
    let at = at.unwrap_or_else(|| expected.len().min(found.len()));
    let tell = |fields: &[FieldRef], file: &SourceFile| match fields.get(at) {
        Some(field) => {
            let nullable = if field.is_nullable() { "nullable " } else { "" };
            format!(
                "column {} as {nullable}`{}` {} in {}",
                at + 1,
                field.name(),
                type_name(field.data_type()),
                file.path
            )
        }
        None => format!("{} columns in {}", fields.len(), file.path),
    };
    PlanError::FilesDiffer {
        step: declared.name.to_string(),
        expected: tell(expected, expected_file),
        found: tell(found, found_file),
        place: declared.place.clone(),
    }
}

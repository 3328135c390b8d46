//! What can be wrong with a pipeline file.

use std::fmt;

use super::file_path::PathProblem;
use super::name::{NameProblem, StepName};
use super::params_schema::ParamsError;
use crate::error::{Facts, Hint, Place, closest, listed, readable};

/// A problem and the places it is about.
///
/// Its text is the problem, what was expected and found, then each place with the line itself.
#[derive(Debug)]
pub struct PipelineError {
    /// What is wrong.
    pub problem: Box<Problem>,
    /// Where. More than one for a cycle; none for a wrong override.
    pub places: Vec<Place>,
}

/// What is wrong with a pipeline.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Not TOML.
    #[error("the {what} is not valid TOML: {message}")]
    Syntax {
        /// What the file is: `pipeline`.
        what: &'static str,
        /// What the parser says.
        message: String,
    },
    /// A key that stands twice in one table.
    #[error("`{0}` is given twice")]
    Duplicate(String),
    /// A key that a table does not have.
    #[error("unknown key `{key}` {}", in_table(table))]
    UnknownKey {
        /// The table, dotted; empty for the top level.
        table: String,
        /// The key.
        key: String,
        /// The keys that the table has.
        known: &'static [&'static str],
    },
    /// A key that a table has to have.
    #[error("`{key}` is missing {}", in_table(table))]
    MissingKey {
        /// The table, dotted; empty for the top level.
        table: String,
        /// The key.
        key: &'static str,
    },
    /// A value of the wrong type or range.
    #[error("`{key}` has a wrong value")]
    Value {
        /// The key, dotted.
        key: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A name that breaks the rule for names.
    #[error(transparent)]
    Name(#[from] NameProblem),
    /// A step with a name that means something else.
    #[error("no step can be called `sources`: references to sources begin with it")]
    ReservedName,
    /// A path that is not relative and portable.
    #[error("path `{path}` cannot be used: {problem}")]
    Path {
        /// The path as written.
        path: String,
        /// Why not.
        problem: PathProblem,
    },
    /// A `use` that names no component.
    #[error("component `{reference}` cannot be used: {problem}")]
    Component {
        /// The reference as written.
        reference: String,
        /// Why not.
        problem: String,
        /// How to write it.
        hint: Option<String>,
    },
    /// Both `input` and `inputs`.
    #[error("step `{0}` has both `input` and `inputs`")]
    InputAndInputs(StepName),
    /// Both `columns` and `except` of an input.
    #[error("an input has both `columns` and `except`")]
    ColumnsAndExcept,
    /// A step, source or param that does not exist.
    #[error("there is no {kind} `{name}`")]
    Unknown {
        /// `step`, `source` or `param`.
        kind: &'static str,
        /// The name as written.
        name: String,
        /// The names there are.
        known: Vec<String>,
        /// The reference that was likely meant.
        meant: Option<String>,
    },
    /// Text with a `${` that is no reference, or one that cannot stand there.
    #[error("`{found}` cannot be substituted: {why}")]
    Substitution {
        /// The part of the text.
        found: String,
        /// Why not.
        why: String,
    },
    /// Steps that read from each other.
    #[error("steps wait for each other: {}", path_of(.0))]
    Cycle(Vec<StepName>),
    /// No step at all.
    #[error("the pipeline has no steps")]
    Empty,
    /// An override of a param with a value of another type.
    #[error("`--set {name}={value}` changes the type of param `{name}`")]
    SetType {
        /// The param.
        name: String,
        /// The value as given.
        value: String,
        /// The type that the file gives the param.
        expected: &'static str,
        /// The type of the override.
        found: &'static str,
    },
    /// Params that do not fit the schema of the step's component.
    #[error("{}", .error.of_step(step))]
    Param {
        /// The step.
        step: StepName,
        /// What does not fit.
        error: ParamsError,
    },
}

impl Problem {
    pub(super) fn at(self, place: Place) -> PipelineError {
        PipelineError {
            problem: Box::new(self),
            places: vec![place],
        }
    }

    pub(super) fn at_all(self, places: Vec<Place>) -> PipelineError {
        PipelineError {
            problem: Box::new(self),
            places,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::UnknownKey { known, .. } => vec![("expected", listed(known.iter().copied()))],
            Self::Unknown { known, .. } => {
                vec![("expected", listed(known.iter().map(String::as_str)))]
            }
            Self::Value {
                expected, found, ..
            } => {
                vec![("expected", expected.clone()), ("found", found.clone())]
            }
            Self::SetType {
                expected, found, ..
            } => {
                vec![
                    ("expected", (*expected).to_owned()),
                    ("found", (*found).to_owned()),
                ]
            }
            Self::Param { error, .. } => error.facts(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&readable(&self.problem.to_string()))?;
        let mut facts = self.problem.facts();
        for (_, value) in &mut facts {
            *value = readable(value);
        }
        let Some((first, others)) = self.places.split_first() else {
            return write!(f, "{}", Facts(&facts));
        };
        facts.push(("in", format!("{first}{}", first.excerpt())));
        write!(f, "{}", Facts(&facts))?;
        for place in others {
            write!(
                f,
                "{}",
                Facts(&[("in", format!("{place}{}", place.excerpt()))])
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for PipelineError {}

impl Hint for PipelineError {
    fn hint(&self) -> Option<String> {
        match &*self.problem {
            Problem::UnknownKey { key, known, .. } => {
                closest(key, known.iter().copied()).map(did_you_mean)
            }
            Problem::Unknown { meant, .. } => meant.as_deref().map(did_you_mean),
            Problem::MissingKey { key: "pipeline", .. } => {
                Some("begin the file with `[pipeline]` and a line `name = \"…\"`".into())
            }
            Problem::MissingKey { key: "use", .. } => Some(
                "name the component: `use = \"std:name@version\"`, or the path of a crate or `.wasm` file".into(),
            ),
            Problem::Component { hint, .. } => hint.clone(),
            Problem::InputAndInputs(_) => Some(
                "`input` is for steps with one input port; name the ports under `inputs`".into(),
            ),
            Problem::ColumnsAndExcept => Some(
                "`columns` lists what the step is handed, `except` what it is not; one of them says it all".into(),
            ),
            Problem::Substitution { .. } => Some(
                "to keep `${` as text, write `$${`".into(),
            ),
            Problem::Empty => {
                Some("add one, such as `[steps.read]` with `use = \"std:read-csv@0.1\"`".into())
            }
            Problem::Param { error, .. } => error.hint(),
            _ => None,
        }
    }
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

fn in_table(table: &str) -> String {
    if table.is_empty() {
        "at the top level".to_owned()
    } else {
        format!("in `[{table}]`")
    }
}

fn path_of(steps: &[StepName]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("`{step}`")).collect();
    steps.join(" -> ")
}

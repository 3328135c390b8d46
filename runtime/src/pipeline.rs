//! The authored pipeline: `pinion.toml` parsed, checked for what can be checked without components,
//! params substituted, steps put in order.
//!
//! What comes out is decided by the text and the `--set` overrides alone. Components, ports and the
//! data itself are unknown here; [`StepDecl::check_params`] brings in a step's params schema later.

mod canonical;
mod component_ref;
mod error;
mod file_path;
mod limits;
mod name;
mod order;
mod params;
mod params_schema;
mod parse;
pub(crate) mod reader;

use std::collections::BTreeMap;

use serde_json::Value;

pub use self::canonical::canonical_json;
pub use self::component_ref::ComponentRef;
pub use self::error::{PipelineError, Problem};
pub use self::file_path::{PathProblem, is_device, normal_path};
pub(crate) use self::limits::{LIMITS, read_limit};
pub use self::limits::{Limits, limit_form, parse_limit, parse_size, parse_time};
pub use self::name::{NameProblem, SourceName, StepName};
pub use self::params_schema::{ParamsError, ParamsProblem, check_params};
use crate::error::Place;

/// Rows in a full batch if the pipeline does not say.
pub const DEFAULT_BATCH_ROWS: u32 = 16_384;

/// Batches in a full partition if the pipeline does not say.
pub const DEFAULT_PARTITION_BATCHES: u32 = 8;

/// A parsed pipeline.
///
/// Every name it refers to exists, its steps have no cycle, and every `${params.…}` is substituted.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// What the pipeline is called, free text on one line.
    pub name: String,
    /// What all pseudo-random numbers of the pipeline are derived from.
    pub seed: u64,
    /// How its tables are cut.
    pub layout: Layout,
    /// The effective params: those of the file, with the overrides in place.
    pub params: BTreeMap<String, Value>,
    /// The sources, in the order of the file.
    pub sources: Vec<SourceDecl>,
    /// The steps, each after all those it reads from; otherwise in the order of the file.
    pub steps: Vec<StepDecl>,
}

/// How tables are cut into batches and partitions. Part of what decides results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Rows in a full batch, at least 1.
    pub batch_rows: u32,
    /// Most batches in a partition, at least 1.
    pub partition_batches: u32,
}

impl Layout {
    /// Most rows in a partition.
    pub fn partition_rows(self) -> u64 {
        u64::from(self.batch_rows) * u64::from(self.partition_batches)
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            batch_rows: DEFAULT_BATCH_ROWS,
            partition_batches: DEFAULT_PARTITION_BATCHES,
        }
    }
}

/// Files from outside, under `[sources.<name>]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceDecl {
    /// What steps call it, as `sources.<name>`.
    pub name: SourceName,
    /// A file, a directory or a glob: relative to the pipeline, `/` between the parts, no `.` or `..`.
    pub path: String,
    /// Whether runs copy the files into the store, so that they can be verified later.
    pub keep: bool,
    /// Where the file declares it.
    pub place: Place,
}

/// One use of a component, under `[steps.<name>]`.
#[derive(Clone, Debug, PartialEq)]
pub struct StepDecl {
    /// What the step is called.
    pub name: StepName,
    /// Which component it uses.
    pub component: ComponentRef,
    /// What it reads, in the order of the file.
    pub inputs: Vec<InputRef>,
    /// Its params, an object, with every `${params.…}` substituted.
    pub params: Value,
    /// The limits it sets for itself.
    pub limits: Limits,
    /// Where it does, if it does.
    pub limits_place: Option<Place>,
    /// Where the file declares it.
    pub place: Place,
    /// Where its `use` is.
    pub component_place: Place,
    /// Where each param is, by the path that [`ParamsError::path`] gives it, such as `columns[0].name`.
    pub param_places: BTreeMap<String, Place>,
}

/// One input of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRef {
    /// The input port. None if the step was given a plain `input`: then it has to have only one.
    pub port: Option<String>,
    /// What is read.
    pub from: From,
    /// Which columns of it the step is handed.
    pub columns: Columns,
    /// Where the file says so.
    pub place: Place,
}

/// The columns of a table that a step is handed. What is not among them is withheld: for the step it does
/// not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    /// All there are.
    #[default]
    All,
    /// These alone, which have to be there.
    Only(Vec<String>, Place),
    /// All but these, which have to be there.
    Except(Vec<String>, Place),
}

/// What an input reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// The files of a source.
    Source(SourceName),
    /// What a step puts out.
    Step {
        /// The step.
        name: StepName,
        /// The output port. None if the step is to have only one.
        port: Option<String>,
    },
}

/// Writes the reference as the pipeline file does: `sources.flights`, `split.late`, `split`.
impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source(name) => write!(f, "sources.{name}"),
            Self::Step {
                name,
                port: Some(port),
            } => write!(f, "{name}.{port}"),
            Self::Step { name, port: None } => write!(f, "{name}"),
        }
    }
}

impl Pipeline {
    /// Parses the text of a pipeline file, with params overridden by `set`.
    ///
    /// `file_name` is only what errors call the file. `set` holds pairs of a param's name and its new
    /// value; a value is read as TOML and otherwise as text, must be of the type the param has in
    /// the file, and the last of several for one param counts.
    ///
    /// # Errors
    /// The first problem, by its place in the file as far as problems are independent, with the line
    /// that it is about. See [`Problem`].
    ///
    /// # Examples
    /// ```
    /// # use pinion_runtime::pipeline::Pipeline;
    /// let text = r#"
    /// [pipeline]
    /// name = "late"
    ///
    /// [params]
    /// minutes = 15
    ///
    /// [steps.label]
    /// use = "./steps/label-late"
    /// params = { minutes = "${params.minutes}" }
    /// "#;
    /// let set = [("minutes".to_owned(), "30".to_owned())];
    /// let pipeline = Pipeline::parse(text, "pinion.toml", &set)?;
    /// assert_eq!(pipeline.steps[0].params["minutes"], 30);
    /// # Ok::<(), pinion_runtime::pipeline::PipelineError>(())
    /// ```
    pub fn parse(
        text: &str,
        file_name: &str,
        set: &[(String, String)],
    ) -> Result<Self, PipelineError> {
        parse::pipeline(text, file_name, set)
    }

    /// The step of this name.
    pub fn step(&self, name: &str) -> Option<&StepDecl> {
        self.steps.iter().find(|step| step.name.as_str() == name)
    }

    /// The source of this name.
    pub fn source(&self, name: &str) -> Option<&SourceDecl> {
        self.sources
            .iter()
            .find(|source| source.name.as_str() == name)
    }
}

impl StepDecl {
    /// Checks the step's params against the schema its component describes.
    ///
    /// # Errors
    /// [`Problem::Param`], at the param if it stands in the file and else at the step.
    pub fn check_params(&self, schema_json: &str) -> Result<(), PipelineError> {
        check_params(schema_json, &self.params).map_err(|error| {
            let place = self.param_place(&error.path).clone();
            Problem::Param {
                step: self.name.clone(),
                error,
            }
            .at(place)
        })
    }

    /// Where the param at `path` is; the nearest one around it, or the step, if it is not in the file.
    pub fn param_place(&self, path: &str) -> &Place {
        let mut path = path;
        loop {
            if let Some(place) = self.param_places.get(path) {
                return place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = path.get(..end).unwrap_or_default(),
                None => return &self.place,
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod refused_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

//! How params can fail to fit a schema.

use crate::error::{Hint, closest, listed};
use crate::pipeline::name::StepName;

/// A param that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamsError {
    /// Which, as `columns[0].name`; empty for the params as a whole.
    pub path: String,
    /// Why.
    pub problem: ParamsProblem,
}

/// Why a param does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamsProblem {
    /// The schema is not JSON, not a schema, or takes too long to check.
    Schema(String),
    /// A param that the component does not have.
    Unknown {
        /// The params it has there.
        known: Vec<String>,
    },
    /// A param that has to be given.
    Missing,
    /// A value that is not what the schema asks for.
    Value {
        /// What it asks for.
        expected: String,
        /// What it got.
        found: String,
    },
    /// A value that is not one of a few. The texts are JSON.
    NotOneOf {
        /// Those that are.
        allowed: Vec<String>,
        /// What it got.
        found: String,
    },
}

impl ParamsError {
    /// The error as one about `step`, without its facts.
    pub(crate) fn of_step(&self, step: &StepName) -> String {
        let path = match self.path.as_str() {
            "" => String::new(),
            path => format!(" `{path}`"),
        };
        match &self.problem {
            ParamsProblem::Schema(why) => {
                format!("the component of step `{step}` describes its params wrongly: {why}")
            }
            ParamsProblem::Unknown { .. } => format!("step `{step}` has no param{path}"),
            ParamsProblem::Missing => format!("step `{step}` needs a param{path}"),
            ParamsProblem::Value { .. } | ParamsProblem::NotOneOf { .. } => {
                format!("step `{step}` cannot take its param{path}")
            }
        }
    }

    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        match &self.problem {
            ParamsProblem::Schema(_) | ParamsProblem::Missing => Vec::new(),
            ParamsProblem::Unknown { known } => {
                vec![("expected", listed(known.iter().map(String::as_str)))]
            }
            ParamsProblem::Value { expected, found } => {
                vec![("expected", expected.clone()), ("found", found.clone())]
            }
            ParamsProblem::NotOneOf { allowed, found } => vec![
                ("expected", listed(allowed.iter().map(String::as_str))),
                ("found", format!("`{found}`")),
            ],
        }
    }
}

impl Hint for ParamsError {
    fn hint(&self) -> Option<String> {
        let (written, known) = match &self.problem {
            ParamsProblem::Unknown { known } => (last(&self.path), known),
            ParamsProblem::NotOneOf { allowed, found } => (found.as_str(), allowed),
            _ => return None,
        };
        closest(written, known.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"))
    }
}

/// The last name of a path.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

//! Checks params against the JSON Schema that a component describes, before anything runs.
//!
//! It is for early and readable messages; what a component accepts is for its own `check` to say. So
//! this is the subset of JSON Schema 2020-12 that schemars 1 writes for serde types: `type`, `enum`,
//! `const`, `properties`, `required`, `additionalProperties`, `items`, `prefixItems`, `minItems`,
//! `maxItems`, `uniqueItems`, `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`,
//! `minLength`, `maxLength`, `anyOf`, `oneOf`, `allOf`, and `$ref` into `$defs`. Everything else is
//! taken for an annotation, as the standard asks for unknown keywords, and with it `format`,
//! `default` and `pattern`. One deviation: `1.0` is not an `integer`, as serde has it.
//!
//! The schema comes from a guest. Nothing in it is looked up anywhere, no part of it is run (a
//! `pattern` could take exponential time), and the work done is bounded.

mod error;
mod walk;

use serde_json::Value;

pub use self::error::{ParamsError, ParamsProblem};

/// Checks `params` against the JSON Schema 2020-12 text `schema_json`.
///
/// # Errors
/// The param that does not fit and why; [`ParamsProblem::Schema`] if the schema itself is not usable.
pub fn check_params(schema_json: &str, params: &Value) -> Result<(), ParamsError> {
    let schema: Value = serde_json::from_str(schema_json).map_err(|error| ParamsError {
        path: String::new(),
        problem: ParamsProblem::Schema(error.to_string()),
    })?;
    walk::Walk::new(&schema).check(&schema, params, "")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

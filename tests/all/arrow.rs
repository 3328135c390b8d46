//! The generator of types, values and arrays that the runtime's own tests use.

pub(crate) use pinion_runtime::arrow::{support, type_name};

#[path = "../../runtime/src/arrow/samples.rs"]
pub(crate) mod samples;

//! The generator of types, values and arrays that the runtime's own tests use.

pub(crate) use pinion_runtime::arrow::{support, type_name};

#[path = "../../runtime/src/arrow/samples.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the runtime's tests use all of it"
)]
pub(crate) mod samples;

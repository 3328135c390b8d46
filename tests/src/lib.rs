//! What the tests of the whole share: fixture components, and data in memory.
//!
//! Tests may see everything; nothing may see tests.

#[path = "../../runtime/cli/src/cargo.rs"]
pub mod cargo;

pub mod fixtures;
pub mod memory;
pub mod step;
pub mod project;

//! What the tests of the whole share: fixture components, and data in memory.
//!
//! Tests may see everything; nothing may see tests.

#[path = "../../runtime/cli/src/cargo.rs"]
#[expect(
    dead_code,
    reason = "the command line builds crates of projects, and gives advice, on its own"
)]
mod cargo;

pub mod fixtures;
pub mod memory;
pub mod project;
pub mod step;
pub mod whole;

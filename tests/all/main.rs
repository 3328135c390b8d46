//! All tests of the whole in one binary, which is linked once.

#![expect(clippy::unwrap_used, reason = "tests")]

mod contract;
mod sandbox;
mod scaffold;

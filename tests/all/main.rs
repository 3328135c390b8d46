//! All tests of the whole in one binary, which is linked once.

#![expect(clippy::unwrap_used, reason = "tests")]

mod caching;
mod contract;
mod days;
mod failure;
mod sandbox;
mod scaffold;
mod verify;

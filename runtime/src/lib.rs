//! Runs pipelines of sandboxed WebAssembly components over Arrow data, reproducibly.
//!
//! The library never prints, reads no environment and takes no clock and no randomness of its own; files
//! are opened through directories that it is handed.
//!
//! The modules stand in dependency order: each uses only those above it.
//!
//! ```text
//! pinion.toml ── parse ──> Pipeline ─┐
//! pinion.lock ── parse ──> Lockfile ─┴─ resolve ──> Plan ── execute ──> Run record
//! ```

// The blank lines keep the formatter from sorting the list.
pub mod error;

pub mod digest;

mod parallel;

pub mod regular;

pub mod arrow;

pub mod expression;

pub mod promise;

pub mod table;

pub mod unit;

pub mod caps;

pub mod nan;

pub mod sandbox;

pub mod pipeline;

pub mod config;

pub mod lock;

pub mod component;

pub mod record;

pub mod store;

pub mod lineage;

pub mod diff;

pub mod verify;

pub mod source;

pub mod plan;

pub mod run;

pub mod reach;

pub mod adopt;

pub mod pack;

#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;

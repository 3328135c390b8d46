//! Runs pipelines of sandboxed WebAssembly components over Arrow data, reproducibly.
//!
//! The modules stand in dependency order: each uses only those above it.

pub mod digest;
pub mod error;

pub mod arrow;

pub mod expression;
pub mod table;
pub mod unit;

pub mod sandbox;

pub mod pipeline;

pub mod lock;

pub mod record;

pub mod store;

//! Arrow on the host's side of the wall: what crosses it, what is stored, and what is hashed.
//!
//! Columns come from guests as untrusted nodes ([`node`]), described by untrusted fields ([`mod@format`]).
//! Once decoded they are ordinary arrow-rs arrays. Selecting rows is the host's only kernel ([`rows`]),
//! and is put off as long as it can be ([`values`]).
//! What is kept is brought into one canonical form with one digest ([`chunk`]) and written as Arrow IPC
//! files ([`mod@file`]).
//!
//! Which types a table can have, and what becomes of the others, is one list ([`support`]).

pub mod cell;
pub mod chunk;
pub mod compare;
pub mod file;
pub mod format;
pub mod node;
pub mod rows;
pub mod support;
pub mod values;

mod ipc;
mod layout;
mod merge;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod samples;
mod type_name;
mod views;

pub use type_name::type_name;

#[cfg(target_endian = "big")]
compile_error!("buffers are hashed, stored and sent as they lie in memory, which is little-endian");

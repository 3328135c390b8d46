//! `pinion_runtime::nan` against the engine's own switch: the same bits, on Cranelift and on Pulley.
#![expect(clippy::unwrap_used, reason = "tests")]

mod instructions;
mod origins;
mod programs;
mod smith;
mod switch;
mod unchanged;

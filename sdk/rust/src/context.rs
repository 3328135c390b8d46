//! What a step may know besides its data.
//!
//! On the host these are observations of the running unit. In native tests `log` writes to standard
//! error and the others give fixed values.

#[cfg(target_family = "wasm")]
use crate::bindings::host::pinion::step::context;

/// Writes one line to the step's log. Never part of a result.
pub fn log(level: Level, message: &str) {
    #[cfg(target_family = "wasm")]
    context::log(level.name(), message);
    #[cfg(not(target_family = "wasm"))]
    {
        use std::io::Write;
        // A closed standard error in a native test is nobody's failure.
        drop(writeln!(std::io::stderr(), "{}: {message}", level.name()));
    }
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something a person should look at.
    Warn,
    /// Something worth knowing.
    Info,
    /// Something for whoever debugs the step.
    Debug,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// 64 seed bits that depend on the pipeline's seed, the component, the params, `substream` and, in a
/// unit of one partition, the partition's position. In native tests `substream` itself.
pub fn seed(substream: u64) -> u64 {
    #[cfg(target_family = "wasm")]
    return context::seed(substream);
    #[cfg(not(target_family = "wasm"))]
    substream
}

/// Rows a full batch has, from the lockfile. In native tests 16,384.
pub fn batch_rows() -> u32 {
    #[cfg(target_family = "wasm")]
    return context::batch_rows();
    #[cfg(not(target_family = "wasm"))]
    16_384
}

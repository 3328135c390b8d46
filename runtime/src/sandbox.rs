//! Runs units in fresh instances of their components. The only place that knows wasmtime.
//!
//! An instance is made for one unit and dropped after it, whatever happens, so nothing that a guest
//! keeps can make a result depend on scheduling. Guests are untrusted: they see what the contract gives
//! them and an otherwise empty world, everything they hand over is checked before the host believes it,
//! and everything they may use has a limit.

mod batch;
mod blob;
mod call;
mod columns;
mod compiler;
mod console;
mod effort;
mod imports;
mod ledger;
mod outcome;
mod random;
mod second;
mod spill;
mod state;
mod tariff;
mod wasi;
mod watch;
mod wire;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_buffer::Buffer;
use arrow_schema::Field;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::arrow::values::Values;
use crate::caps::{Caps, Limit};
use crate::digest::{ComponentDigest, Digest};
use crate::error::{amount, listed};
use crate::promise::Promised;
use crate::table::Chunk;
use crate::unit::Limits;
use compiler::{Compiler, Target};
use second::Second;

pub(crate) use call::check_ranges;
pub use outcome::{Done, Made, MadePartition, Returned};
pub use second::{CrossChecked, Divergence, Share};
pub use state::{LimitReached, OutOfTime};

/// Where a unit's data is to be had. Implemented over the store.
pub trait Data: Send + Sync {
    /// The values of a chunk that has this field, as they lie; see
    /// [`Store::values`](crate::store::Store::values).
    ///
    /// # Errors
    /// A chunk that is gone or damaged.
    fn column(&self, field: &Field, chunk: &Chunk) -> Result<Values, DataError>;

    /// The bytes of a blob.
    ///
    /// # Errors
    /// A blob that is gone or damaged.
    fn blob(&self, digest: &Digest) -> Result<Bytes, DataError>;

    /// Puts what a unit keeps aside where it takes no memory of the process, such as a file, until somebody
    /// holds the buffers no more. Gives equal ones, in order, aligned for every type.
    ///
    /// # Errors
    /// There is no room.
    fn spill(&self, buffers: &[Buffer]) -> Result<Vec<Buffer>, DataError>;
}

/// Why data cannot be had; handed through to whoever implements [`Data`].
pub type DataError = Box<dyn std::error::Error + Send + Sync>;

/// Compiled code that was kept.
#[derive(Debug)]
pub enum Code {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// A file that begins with them, and that nobody changes as long as this process lives. It is mapped, which
    /// saves two copies.
    File(PathBuf),
}

/// Keeps compiled code between processes.
///
/// What is loaded is run as native code: an implementation must give back only bytes that it kept
/// itself, and must be able to tell.
pub trait CodeCache: Send + Sync {
    /// The code kept under `key`, if there is any.
    fn load(&self, key: &Digest) -> Option<Code>;
    /// Keeps code. Failing to is nobody's failure.
    fn keep(&self, key: &Digest, code: &[u8]);
}

/// Says whether whoever asked for a run has lost interest. It lives as long as the process, since what a guest may
/// call looks at it too.
pub trait Cancel: Send + Sync {
    /// Asked often; must be cheap.
    fn is_cancelled(&self) -> bool;
}

impl Cancel for std::sync::atomic::AtomicBool {
    fn is_cancelled(&self) -> bool {
        self.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Milliseconds since some moment, never fewer than before: what limits of time are measured with.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A line of a step's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// `error`, `warn`, `info` or `debug`.
    pub level: String,
    /// One line of text without control characters.
    pub message: String,
}

/// The kind of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Brings bytes from outside into a table.
    Source,
    /// Row by row.
    RowMap,
    /// Rounds of partials and merges.
    Reduce,
    /// Everything at once.
    WholeTable,
}

impl Kind {
    /// As `describe` and people spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::RowMap => "row-map",
            Self::Reduce => "reduce",
            Self::WholeTable => "whole-table",
        }
    }

    fn interface(self) -> String {
        format!("pinion:step/{}@0.1.0", self.name())
    }
}

/// What a step tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// What the component exports, which `describe` must agree with.
    pub kind: Kind,
    /// One sentence.
    pub summary: String,
    /// In port order.
    pub inputs: Vec<Port>,
    /// In port order.
    pub outputs: Vec<Port>,
    /// JSON Schema 2020-12 of the params.
    pub params_schema: String,
}

/// A named input or output of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Whether it is the main table, which comes partition by partition.
    pub main: bool,
    /// Whether it carries a blob rather than a table.
    pub blob: bool,
    /// Whether it may be left unbound.
    pub optional: bool,
    /// Media types of a blob; empty for any.
    pub accepts: Vec<String>,
    /// What an output promises.
    #[serde(default)]
    pub promised: Option<Promised>,
    /// One sentence.
    pub doc: String,
}

/// Why a step did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The bytes are no component of a step.
    #[error("the component cannot be used")]
    BadComponent(#[source] BadComponent),
    /// The step refused.
    #[error("{message}")]
    Refused {
        /// Stable and kebab-case.
        code: String,
        /// The step's own words.
        message: String,
        /// The step's own facts.
        details: Vec<(String, String)>,
    },
    /// The guest trapped.
    #[error("the step trapped: {message}")]
    Trapped {
        /// What happened.
        message: String,
        /// What it wrote to standard error, the last lines.
        stderr: Vec<String>,
        /// Where it was, innermost call first: bytes of the component as it was compiled, which
        /// [`nan::origins`](crate::nan::origins) leads back. For messages: it is in no record.
        frames: Vec<usize>,
    },
    /// A limit was reached.
    #[error(transparent)]
    LimitReached(LimitReached),
    /// It took too long. That says something of the machine too, so it is never a result.
    #[error(transparent)]
    OutOfTime(OutOfTime),
    /// The guest handed over what it must not.
    #[error("the step broke its contract: {0}")]
    BadOutput(String),
    /// Data that the step asked for is gone or damaged.
    #[error("data that the step asked for cannot be read")]
    Data(#[source] DataError),
    /// Two engines ran the same and did not do the same.
    #[error(transparent)]
    Diverged(Box<Divergence>),
    /// Whoever asked has lost interest.
    #[error("cancelled")]
    Cancelled,
    /// The host failed.
    #[error("the host cannot run the step: {0}")]
    Host(String),
}

impl StepError {
    /// Stable and kebab-case; part of a run record's digest.
    pub fn code(&self) -> &str {
        match self {
            Self::BadComponent(_) => "bad-component",
            Self::Refused { code, .. } => code,
            Self::Trapped { .. } => "trapped",
            Self::LimitReached(_) => "limit-reached",
            Self::OutOfTime(_) => "out-of-time",
            Self::BadOutput(_) => "bad-output",
            Self::Data(_) => "data",
            Self::Diverged(_) => "diverged",
            Self::Cancelled => "cancelled",
            Self::Host(_) => "host",
        }
    }
}

/// Why bytes are no component of a step.
#[derive(Debug, thiserror::Error)]
pub enum BadComponent {
    /// Larger than a component may be.
    #[error(
        "it has {found} bytes, and a component may have {}",
        MAX_COMPONENT_BYTES
    )]
    TooLarge {
        /// Its size.
        found: usize,
    },
    /// More work to compile than a component may be.
    #[error(
        "it is too much to compile\n  expected at most {} {what}\n  found    {}",
        amount::count(*most),
        amount::count(*found)
    )]
    TooMuch {
        /// What was counted.
        what: &'static str,
        /// How many it may have.
        most: u64,
        /// How many were counted, perhaps not all.
        found: u64,
    },
    /// Not a component at all, or with features that are off.
    #[error("{0}")]
    Invalid(String),
    /// It does not export `step`, or none or several of the kinds.
    #[error("it is no step\n  expected exports `{STEP}` and one kind of step\n  found    {}", listed(exports.iter().map(String::as_str)))]
    Kinds {
        /// What it exports.
        exports: Vec<String>,
    },
    /// It imports interfaces that no step is given.
    #[error("it asks for what no step is given\n  found imports {}", listed(refused.iter().map(String::as_str)))]
    Imports {
        /// The interfaces.
        refused: Vec<String>,
    },
    /// It imports what steps are given, with other functions or types.
    #[error("its imports are not those of the contract: {0}")]
    Signature(String),
}

/// The interface that every step exports.
const STEP: &str = "pinion:step/step@0.1.0";

/// Bytes that a component may have.
pub const MAX_COMPONENT_BYTES: usize = 128 << 20;

/// Runs units. One for a process; shared by its threads.
pub struct Sandbox {
    compiler: Compiler,
    clock: Clock,
    caps: Caps,
    programs: Mutex<BTreeMap<ComponentDigest, Arc<Program>>>,
    second: Option<Second>,
}

/// A compiled component that is ready to be instantiated. Made by [`Sandbox::program`] alone, from bytes
/// whose digest was checked.
pub struct Program {
    digest: ComponentDigest,
    kind: Kind,
    pre: InstancePre<state::State>,
}

impl Program {
    /// The component's digest.
    pub fn digest(&self) -> ComponentDigest {
        self.digest
    }

    /// What it exports.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl Sandbox {
    /// A sandbox for `threads` units at once, whose time `clock` tells.
    ///
    /// # Errors
    /// [`StepError::Host`] if the machine cannot reserve the address space.
    pub fn new(
        threads: usize,
        cache: Option<Arc<dyn CodeCache>>,
        clock: Clock,
    ) -> Result<Self, StepError> {
        Ok(Self {
            compiler: Compiler::new(threads, Target::Machine, cache)?,
            clock,
            caps: Caps::default(),
            programs: Mutex::default(),
            second: None,
        })
    }

    /// A sandbox that runs a share of the units once more, on another engine, and fails where that does
    /// anything else ([`StepError::Diverged`]).
    ///
    /// The other engine is wasmtime's interpreter, about a hundred times slower. It shares the compiler's front
    /// end with the first, and none of its code for a processor.
    ///
    /// # Errors
    /// As [`Sandbox::new`].
    pub fn cross_checking(
        threads: usize,
        cache: Option<Arc<dyn CodeCache>>,
        clock: Clock,
        share: Share,
    ) -> Result<Self, StepError> {
        let interpreter = Self {
            compiler: Compiler::new(threads, Target::Interpreter, cache.clone())?,
            clock: Arc::clone(&clock),
            caps: Caps::default(),
            programs: Mutex::default(),
            second: None,
        };
        Ok(Self {
            second: Some(Second::new(interpreter, share)),
            ..Self::new(threads, cache, clock)?
        })
    }

    /// The same, where no guest may use more than `caps`, whatever its unit or the host itself would let it.
    ///
    /// How long the second engine takes has no cap, as it has no limit: it says nothing of the step.
    #[must_use]
    pub fn within(self, caps: Caps) -> Self {
        let slow = caps.clone().without(Limit::Time);
        Self {
            second: self.second.map(|second| second.within(slow)),
            caps,
            ..self
        }
    }

    /// What no guest may use more than.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// How many units were run on the other engine too, of how many; none without one.
    pub fn cross_checked(&self) -> Option<CrossChecked> {
        self.second.as_ref().map(Second::checked)
    }

    /// Compiles a component, or loads what was compiled before.
    ///
    /// # Errors
    /// [`StepError::BadComponent`].
    pub fn program(
        &self,
        digest: ComponentDigest,
        bytes: &dyn Fn() -> Result<Vec<u8>, StepError>,
    ) -> Result<Arc<Program>, StepError> {
        if let Some(program) = self.known(&digest) {
            return Ok(program);
        }
        if let Some(second) = &self.second {
            second.prepare(digest, bytes)?;
        }
        let (kind, pre) = self.compiler.component(digest, bytes, kind)?;
        let program = Arc::new(Program { digest, kind, pre });
        if let Ok(mut programs) = self.programs.lock() {
            programs.insert(digest, Arc::clone(&program));
        }
        Ok(program)
    }

    fn known(&self, digest: &ComponentDigest) -> Option<Arc<Program>> {
        self.programs.lock().ok()?.get(digest).cloned()
    }
}

/// Stack that a guest may use: the same on every machine, though frames differ, which is why an overflow
/// is never a result.
const STACK_BYTES: usize = 1 << 20;

fn kind(engine: &Engine, component: &Component) -> Result<Kind, BadComponent> {
    let component_type = component.component_type();
    let exports: Vec<String> = component_type
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    let kinds = [Kind::Source, Kind::RowMap, Kind::Reduce, Kind::WholeTable];
    let mut found = kinds
        .iter()
        .filter(|kind| exports.contains(&kind.interface()));
    match (
        found.next(),
        found.next(),
        exports.iter().any(|export| export == STEP),
    ) {
        (Some(kind), None, true) => Ok(*kind),
        _ => Err(BadComponent::Kinds { exports }),
    }
}

/// Limits of `describe` and `check`, which see no data: what a schema of tens of thousands of columns takes.
pub(crate) fn pure_limits() -> Limits {
    Limits {
        fuel: 10_000_000_000,
        memory_bytes: 256 << 20,
        output_bytes: 64 << 20,
        scratch_bytes: 0,
        ..Limits::default()
    }
}

//! Runs units in fresh instances of their components. The only place that knows wasmtime.
//!
//! An instance is made for one unit and dropped after it, whatever happens, so nothing that a guest
//! keeps can make a result depend on scheduling. Guests are untrusted: they see what the contract gives
//! them and an otherwise empty world, everything they hand over is checked before the host believes it,
//! and everything they may use has a limit.

mod batch;
mod call;
mod console;
mod imports;
mod outcome;
mod state;
mod wasi;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow_array::ArrayRef;
use arrow_schema::Field;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::digest::{ComponentDigest, Digest, StructuredHasher};
use crate::error::listed;
use crate::table::Chunk;
use crate::unit::Limits;

pub use outcome::{Done, Made, MadePartition, Returned};
pub use state::LimitReached;

/// Where a unit's data is to be had. Implemented over the store.
pub trait Data: Send + Sync {
    /// The values of a chunk that has this field.
    ///
    /// # Errors
    /// A chunk that is gone or damaged.
    fn column(&self, field: &Field, chunk: &Chunk) -> Result<ArrayRef, DataError>;

    /// The bytes of a blob.
    ///
    /// # Errors
    /// A blob that is gone or damaged.
    fn blob(&self, digest: &Digest) -> Result<Bytes, DataError>;
}

/// Why data cannot be had; handed through to whoever implements [`Data`].
pub type DataError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps compiled code between processes.
///
/// What is loaded is run as native code: an implementation must give back only bytes that it kept
/// itself, and must be able to tell.
pub trait CodeCache: Send + Sync {
    /// The code kept under `key`, if there is any.
    fn load(&self, key: &Digest) -> Option<Vec<u8>>;
    /// Keeps code. Failing to is nobody's failure.
    fn keep(&self, key: &Digest, code: &[u8]);
}

/// Says whether whoever asked for a run has lost interest.
pub trait Cancel: Send + Sync {
    /// Asked often; must be cheap.
    fn is_cancelled(&self) -> bool;
}

impl Cancel for std::sync::atomic::AtomicBool {
    fn is_cancelled(&self) -> bool {
        self.load(std::sync::atomic::Ordering::Relaxed)
    }
}

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
    },
    /// A limit was reached.
    #[error(transparent)]
    LimitReached(LimitReached),
    /// The guest handed over what it must not.
    #[error("the step broke its contract: {0}")]
    BadOutput(String),
    /// Data that the step asked for is gone or damaged.
    #[error("data that the step asked for cannot be read")]
    Data(#[source] DataError),
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
            Self::BadOutput(_) => "bad-output",
            Self::Data(_) => "data",
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
    engine: Engine,
    linker: Linker<state::State>,
    cache: Option<Arc<dyn CodeCache>>,
    programs: Mutex<BTreeMap<ComponentDigest, Arc<Program>>>,
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
    /// A sandbox for `threads` units at once.
    ///
    /// # Errors
    /// [`StepError::Host`] if the machine cannot reserve the address space.
    pub fn new(threads: usize, cache: Option<Arc<dyn CodeCache>>) -> Result<Self, StepError> {
        let host = |error: wasmtime::Error| StepError::Host(format!("{error:#}"));
        let engine = Engine::new(&config(threads)).map_err(host)?;
        let mut linker = Linker::new(&engine);
        wasi::add_to_linker(&mut linker).map_err(host)?;
        imports::add_to_linker(&mut linker).map_err(host)?;
        Ok(Self {
            engine,
            linker,
            cache,
            programs: Mutex::default(),
        })
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
        let component = self.component(digest, bytes)?;
        let kind = kind(&self.engine, &component).map_err(StepError::BadComponent)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|error| {
            let refused = refused_imports(&self.engine, &component);
            StepError::BadComponent(if refused.is_empty() {
                BadComponent::Signature(format!("{error:#}"))
            } else {
                BadComponent::Imports { refused }
            })
        })?;
        let program = Arc::new(Program { digest, kind, pre });
        if let Ok(mut programs) = self.programs.lock() {
            programs.insert(digest, Arc::clone(&program));
        }
        Ok(program)
    }

    fn known(&self, digest: &ComponentDigest) -> Option<Arc<Program>> {
        self.programs.lock().ok()?.get(digest).cloned()
    }

    fn component(
        &self,
        digest: ComponentDigest,
        bytes: &dyn Fn() -> Result<Vec<u8>, StepError>,
    ) -> Result<Component, StepError> {
        let key = self.code_key(&digest);
        if let Some(code) = self.cache.as_ref().and_then(|cache| cache.load(&key)) {
            #[expect(
                unsafe_code,
                reason = "loading compiled code is running it; `CodeCache` promises that it is ours"
            )]
            // SAFETY: the cache gives back only what `keep` was given, under a key of engine and component.
            let loaded = unsafe { Component::deserialize(&self.engine, &code) };
            if let Ok(component) = loaded {
                return Ok(component);
            }
        }
        let bytes = bytes()?;
        if bytes.len() > MAX_COMPONENT_BYTES {
            return Err(StepError::BadComponent(BadComponent::TooLarge {
                found: bytes.len(),
            }));
        }
        let found = ComponentDigest::of(&bytes);
        if found != digest {
            return Err(StepError::Host(format!(
                "component {digest} was asked for and {found} was given"
            )));
        }
        check_header(&bytes).map_err(StepError::BadComponent)?;
        let component = Component::from_binary(&self.engine, &bytes).map_err(|error| {
            StepError::BadComponent(BadComponent::Invalid(format!("{error:#}")))
        })?;
        if let Some(cache) = &self.cache
            && let Ok(code) = component.serialize()
        {
            cache.keep(&key, &code);
        }
        Ok(component)
    }

    /// Compiled code depends on the component, the engine with its settings and the machine's features.
    fn code_key(&self, digest: &ComponentDigest) -> Digest {
        let mut engine = EngineHasher(StructuredHasher::new("pinion code v1"));
        std::hash::Hash::hash(&self.engine.precompile_compatibility_hash(), &mut engine);
        engine.0.component(digest).finish()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Lets wasmtime's own `Hash` feed a digest.
struct EngineHasher(StructuredHasher);

impl std::hash::Hasher for EngineHasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.bytes(bytes);
    }
}

/// Stack that a guest may use: the same on every machine, though frames differ, which is why an overflow
/// is never a result.
const STACK_BYTES: usize = 1 << 20;

/// Address space for one linear memory; what a guest may really use is its limit.
const MEMORY_RESERVATION: u64 = 4 << 30;

fn config(threads: usize) -> Config {
    let mut config = Config::new();
    // Everything that could make two machines differ is switched off or made deterministic.
    config
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .consume_fuel(true)
        .concurrency_support(false)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(STACK_BYTES + (1 << 20))
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16))
        .memory_reservation(MEMORY_RESERVATION)
        .memory_init_cow(true);
    // A few more than threads: an instance is returned to the pool a moment after the next is asked for.
    let instances = u32::try_from(threads)
        .unwrap_or(1)
        .saturating_mul(2)
        .saturating_add(4);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances * 8)
        .total_memories(instances * 2)
        .total_tables(instances * 8)
        .total_stacks(instances)
        .table_elements(1 << 17)
        .max_memory_size(MEMORY_RESERVATION as usize)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .linear_memory_keep_resident(1 << 20);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Tells what is plainly no component from one that is damaged.
fn check_header(bytes: &[u8]) -> Result<(), BadComponent> {
    let invalid = |message: &str| Err(BadComponent::Invalid(message.to_owned()));
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => invalid("it is a core module and no component"),
        [0, b'a', b's', b'm', ..] => Ok(()),
        _ => invalid("it is not WebAssembly"),
    }
}

/// Imports of interfaces that are not defined for steps, in order.
fn refused_imports(engine: &Engine, component: &Component) -> Vec<String> {
    let is_given = |import: &str| {
        let (interface, version) = import.split_once('@').unwrap_or((import, ""));
        let (given, track): (&[&str], _) = match interface.starts_with("wasi:") {
            true => (&wasi::INTERFACES, "0.2."),
            false => (&imports::INTERFACES, "0.1."),
        };
        given.contains(&interface) && version.starts_with(track)
    };
    let component_type = component.component_type();
    // What is only types asks for nothing.
    let asks = |import: &ComponentItem| match import {
        ComponentItem::Type(_) => false,
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(_, export)| !matches!(export.ty, ComponentItem::Type(_))),
        _ => true,
    };
    component_type
        .imports(engine)
        .filter(|(name, import)| !is_given(name) && asks(&import.ty))
        .map(|(name, _)| name.to_owned())
        .collect()
}

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

/// Limits of `describe` and `check`, which see no data: a fixed share of the defaults.
pub(crate) fn pure_limits() -> Limits {
    Limits {
        fuel: 10_000_000_000,
        memory_bytes: 256 << 20,
        ..Limits::default()
    }
}

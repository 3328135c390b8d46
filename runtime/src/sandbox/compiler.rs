//! From a component's bytes to code.
//!
//! There are two engines. One leaves NaNs as the machine makes them, and runs components that
//! [`nan::canonicalise`] has rewritten. The other canonicalises after every operation, and runs what that
//! refuses. What a guest can see is the same in both but for fuel; which one a component gets follows from
//! its bytes.

use std::sync::{Arc, OnceLock};

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::{
    BadComponent, Code, CodeCache, MAX_COMPONENT_BYTES, STACK_BYTES, StepError, effort, imports,
    state, wasi,
};
use crate::digest::{ComponentDigest, Digest, StructuredHasher};
use crate::nan;
use crate::unit::SEMANTICS;

/// What runs compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The processor.
    Machine,
    /// Pulley, the interpreter that comes with the engine: the same bits, made by other code.
    Interpreter,
}

/// Both engines, and what was compiled before.
pub(super) struct Compiler {
    threads: usize,
    target: Target,
    rewritten: Backend,
    /// Made when it is first needed, which may be never.
    switched: OnceLock<Backend>,
    cache: Option<Arc<dyn CodeCache>>,
}

/// An engine and what it links components with.
struct Backend {
    engine: Engine,
    linker: Linker<state::State>,
}

impl Backend {
    fn new(threads: usize, target: Target, switch: bool) -> Result<Self, StepError> {
        let host = |error: wasmtime::Error| StepError::Host(format!("{error:#}"));
        let mut config = config(threads, switch);
        if target == Target::Interpreter {
            config.target("pulley64").map_err(host)?;
        }
        let engine = Engine::new(&config).map_err(host)?;
        let mut linker = Linker::new(&engine);
        wasi::add_to_linker(&mut linker).map_err(host)?;
        imports::add_to_linker(&mut linker).map_err(host)?;
        Ok(Self { engine, linker })
    }

    /// Compiled code depends on the component, how it was rewritten, the engine with its settings and the
    /// machine's features.
    fn code_key(&self, digest: &ComponentDigest) -> Digest {
        let mut engine = EngineHasher(StructuredHasher::new("pinion code v2"));
        std::hash::Hash::hash(&self.engine.precompile_compatibility_hash(), &mut engine);
        engine.0.text(SEMANTICS).component(digest).finish()
    }

    fn load(&self, digest: &ComponentDigest, cache: &dyn CodeCache) -> Option<Component> {
        let code = cache.load(&self.code_key(digest))?;
        #[expect(
            unsafe_code,
            reason = "loading compiled code is running it; `CodeCache` promises that it is ours"
        )]
        // SAFETY: the cache gives back only what `keep` was given, under a key of engine and component.
        let loaded = unsafe {
            match code {
                Code::Bytes(bytes) => Component::deserialize(&self.engine, &bytes),
                Code::File(path) => Component::deserialize_file(&self.engine, path),
            }
        };
        loaded.ok()
    }

    fn compile(&self, bytes: &[u8]) -> Result<Component, StepError> {
        Component::from_binary(&self.engine, bytes)
            .map_err(|error| StepError::BadComponent(BadComponent::Invalid(format!("{error:#}"))))
    }

    fn link(&self, component: &Component) -> Result<InstancePre<state::State>, StepError> {
        self.linker.instantiate_pre(component).map_err(|error| {
            let refused = refused_imports(&self.engine, component);
            StepError::BadComponent(if refused.is_empty() {
                BadComponent::Signature(format!("{error:#}"))
            } else {
                BadComponent::Imports { refused }
            })
        })
    }
}

impl Compiler {
    pub(super) fn new(
        threads: usize,
        target: Target,
        cache: Option<Arc<dyn CodeCache>>,
    ) -> Result<Self, StepError> {
        Ok(Self {
            threads,
            target,
            rewritten: Backend::new(threads, target, false)?,
            switched: OnceLock::new(),
            cache,
        })
    }

    fn switched(&self) -> Result<&Backend, StepError> {
        if let Some(backend) = self.switched.get() {
            return Ok(backend);
        }
        let backend = Backend::new(self.threads, self.target, true)?;
        Ok(self.switched.get_or_init(|| backend))
    }

    /// Compiles a component, or loads what was compiled before. What it exports is looked at before it is
    /// linked.
    pub(super) fn component<T>(
        &self,
        digest: ComponentDigest,
        bytes: &dyn Fn() -> Result<Vec<u8>, StepError>,
        look: impl Fn(&Engine, &Component) -> Result<T, BadComponent>,
    ) -> Result<(T, InstancePre<state::State>), StepError> {
        let link = |backend: &Backend, component: &Component| {
            let seen = look(&backend.engine, component).map_err(StepError::BadComponent)?;
            Ok((seen, backend.link(component)?))
        };
        let known = |backend: &Backend| backend.load(&digest, self.cache.as_deref()?);
        if let Some(component) = known(&self.rewritten) {
            return link(&self.rewritten, &component);
        }
        let bytes = checked(digest, bytes()?)?;
        let (backend, component) = match nan::canonicalise(&bytes) {
            Ok(rewritten) => (&self.rewritten, self.rewritten.compile(&rewritten.bytes)?),
            Err(_) => {
                let backend = self.switched()?;
                if let Some(component) = known(backend) {
                    return link(backend, &component);
                }
                (backend, backend.compile(&bytes)?)
            }
        };
        if let Some(cache) = &self.cache
            && let Ok(code) = component.serialize()
        {
            cache.keep(&backend.code_key(&digest), &code);
        }
        link(backend, &component)
    }
}

/// The bytes, if they are what was asked for and may be a component.
fn checked(digest: ComponentDigest, bytes: Vec<u8>) -> Result<Vec<u8>, StepError> {
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
    effort::check(&bytes).map_err(StepError::BadComponent)?;
    Ok(bytes)
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

/// Address space for one linear memory; what a guest may really use is its limit.
const MEMORY_RESERVATION: u64 = 4 << 30;

fn config(threads: usize, switch: bool) -> Config {
    let mut config = Config::new();
    // Everything that could make two machines differ is switched off or made deterministic.
    config
        .cranelift_nan_canonicalization(switch)
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
        // Where data of a guest can be mapped instead of copied, fuel is not taken for it, and it cannot be on
        // every system. Copied everywhere, it is the same fuel everywhere.
        .memory_init_cow(false);
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
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(kept_resident())
        // A table of functions is some kilobytes: less than what it costs to give it back.
        .table_keep_resident(64 << 10);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Bytes of a linear memory that are put back to what they were rather than given back to the system, so
/// that the next instance does not fault them in anew.
///
/// Where the system tells which pages were written, these are what a few full batches take. Elsewhere they
/// are the lowest ones, written or not, and so many only that putting them back is quicker than the faults.
fn kept_resident() -> usize {
    match PoolingAllocationConfig::is_pagemap_scan_available() {
        true => 4 << 20,
        false => 1 << 20,
    }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn uses_switch(text: &str) -> bool {
        let compiler = Compiler::new(1, Target::Machine, None).unwrap();
        let bytes = wat::parse_str(text).unwrap();
        let digest = ComponentDigest::of(&bytes);
        let compiled = compiler.component(digest, &|| Ok(bytes.clone()), |_, _| Ok(()));
        assert!(compiled.is_ok());
        compiler.switched.get().is_some()
    }

    #[test]
    fn what_cannot_be_rewritten_is_compiled_with_the_switch() {
        assert!(!uses_switch(
            "(component (core module (func (param f64) (result f64) (f64.sqrt (local.get 0)))))"
        ));
        // Typed references to functions: the engine knows them, the pass does not.
        assert!(uses_switch(
            "(component (core module
                (type $t (func (param f64) (result f64)))
                (func (param (ref $t)) (result f64) (call_ref $t (f64.const 1) (local.get 0)))))"
        ));
    }

    #[test]
    fn code_of_the_two_engines_is_kept_apart() {
        let compiler = Compiler::new(1, Target::Machine, None).unwrap();
        let digest = ComponentDigest::of(b"a component");
        assert_ne!(
            compiler.rewritten.code_key(&digest),
            compiler.switched().unwrap().code_key(&digest)
        );
    }
}

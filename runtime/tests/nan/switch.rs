//! Runs a module on both engines, as written with the switch and rewritten without.

use std::sync::LazyLock;

use pinion_runtime::nan;
use wasmtime::{Config, Engine, Extern, ExternType, Instance, Module, Store, Trap, Val, ValType};

/// Bits of floats that are worth a try: NaNs of either sign, quiet and signalling, with several payloads;
/// infinities, zeros, subnormals and a few numbers.
pub(crate) const F64S: [u64; 22] = [
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff8_0000_0000_0001,
    0xfff8_0000_dead_beef,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
    0x7ff0_0000_0000_0001,
    0xfff0_0000_0000_0001,
    0x7ff4_0000_0000_0000,
    0xfff7_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x0000_0000_0000_0000,
    0x8000_0000_0000_0000,
    0x0000_0000_0000_0001,
    0x800f_ffff_ffff_ffff,
    0x3ff0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x4004_cccc_cccc_cccd,
    0xc1e0_0000_0020_0000,
    0x7fef_ffff_ffff_ffff,
    0x47ef_ffff_f000_0000,
];

/// The same, narrow.
pub(crate) const F32S: [u32; 22] = [
    0x7fc0_0000,
    0xffc0_0000,
    0x7fc0_0001,
    0xffc0_beef,
    0x7fff_ffff,
    0xffff_ffff,
    0x7f80_0001,
    0xff80_0001,
    0x7fa0_0000,
    0xffbf_ffff,
    0x7f80_0000,
    0xff80_0000,
    0x0000_0000,
    0x8000_0000,
    0x0000_0001,
    0x807f_ffff,
    0x3f80_0000,
    0xbf80_0000,
    0x4026_6666,
    0xcf00_0001,
    0x7f7f_ffff,
    0x0080_0000,
];

/// An engine without the switch, and one with it.
struct Pair {
    plain: Engine,
    switched: Engine,
}

static PAIRS: LazyLock<[Pair; 2]> = LazyLock::new(|| {
    [None, Some("pulley64")].map(|target| {
        let engine = |switch| {
            let mut config = Config::new();
            config.cranelift_nan_canonicalization(switch);
            if let Some(target) = target {
                config.target(target).unwrap();
            }
            Engine::new(&config).unwrap()
        };
        Pair {
            plain: engine(false),
            switched: engine(true),
        }
    })
});

/// All that a guest leaves behind that can be seen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What each exported function gave: bits of its results, or the trap.
    pub(crate) calls: Vec<Result<Vec<u128>, Trap>>,
    /// Bits of exported globals.
    pub(crate) globals: Vec<u128>,
    /// Exported memories.
    pub(crate) memories: Vec<Vec<u8>>,
}

/// What was seen everywhere, and how many places were rewritten.
pub(crate) struct Agreed {
    pub(crate) seen: Seen,
    pub(crate) places: usize,
}

/// Runs all exported functions. `fill` is repeated over all memories first.
///
/// # Panics
/// If anything that can be seen differs from what the switch gives.
pub(crate) fn agree(name: &str, wasm: &[u8], fill: &[u8]) -> Agreed {
    let rewritten = nan::canonicalise(wasm).unwrap_or_else(|error| panic!("{name}: {error}"));
    let again = nan::canonicalise(wasm).unwrap();
    assert_eq!(rewritten.bytes, again.bytes, "{name}");
    let mut agreed: Option<Seen> = None;
    for pair in &*PAIRS {
        for (engine, wasm) in [(&pair.switched, wasm), (&pair.plain, &rewritten.bytes)] {
            let seen = run(name, engine, wasm, fill);
            if let Some(expected) = &agreed {
                assert!(*expected == seen, "{name}: {}", difference(expected, &seen),);
            }
            agreed = Some(seen);
        }
    }
    Agreed {
        seen: agreed.unwrap(),
        places: rewritten.places,
    }
}

fn difference(expected: &Seen, found: &Seen) -> String {
    for (at, (expected, found)) in expected.calls.iter().zip(&found.calls).enumerate() {
        if expected != found {
            return format!("call {at} gives {found:x?} for {expected:x?}");
        }
    }
    for (at, (expected, found)) in expected.globals.iter().zip(&found.globals).enumerate() {
        if expected != found {
            return format!("global {at} is {found:x} for {expected:x}");
        }
    }
    for (expected, found) in expected.memories.iter().zip(&found.memories) {
        for (at, (expected, found)) in expected.chunks(8).zip(found.chunks(8)).enumerate() {
            if expected != found {
                return format!("memory at {:#x} is {found:x?} for {expected:x?}", 8 * at);
            }
        }
    }
    "they differ".to_owned()
}

fn run(name: &str, engine: &Engine, wasm: &[u8], fill: &[u8]) -> Seen {
    let module = Module::new(engine, wasm).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let mut store = Store::new(engine, ());
    let instance =
        Instance::new(&mut store, &module, &[]).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let exports: Vec<(String, ExternType)> = module
        .exports()
        .map(|export| (export.name().to_owned(), export.ty()))
        .collect();
    for (export, _) in &exports {
        if let Some(Extern::Memory(memory)) = instance.get_export(&mut store, export) {
            let memory = memory.data_mut(&mut store);
            for (to, from) in memory.iter_mut().zip(fill.iter().cycle()) {
                *to = *from;
            }
        }
    }
    let mut seen = Seen {
        calls: Vec::new(),
        globals: Vec::new(),
        memories: Vec::new(),
    };
    for (export, export_type) in &exports {
        let ExternType::Func(function_type) = export_type else {
            continue;
        };
        let function = instance.get_func(&mut store, export).unwrap();
        let arguments: Vec<Val> = function_type
            .params()
            .enumerate()
            .map(|(at, parameter)| argument(&parameter, at + seen.calls.len()))
            .collect();
        let mut results = vec![Val::I32(0); function_type.results().len()];
        let called = function.call(&mut store, &arguments, &mut results);
        seen.calls.push(match called {
            Ok(()) => Ok(results.iter().map(bits).collect()),
            Err(error) => Err(*error.downcast_ref::<Trap>().unwrap()),
        });
    }
    for (export, _) in &exports {
        match instance.get_export(&mut store, export) {
            Some(Extern::Global(global)) => seen.globals.push(bits(&global.get(&mut store))),
            Some(Extern::Memory(memory)) => seen.memories.push(memory.data(&store).to_vec()),
            _ => {}
        }
    }
    seen
}

fn argument(parameter: &ValType, at: usize) -> Val {
    match parameter {
        ValType::I32 => Val::I32(at as i32),
        ValType::I64 => Val::I64(at as i64),
        ValType::F32 => Val::F32(F32S[at % F32S.len()]),
        ValType::F64 => Val::F64(F64S[at % F64S.len()]),
        ValType::V128 => {
            let low = u128::from(F64S[at % F64S.len()]);
            Val::V128((low | u128::from(F64S[(at + 1) % F64S.len()]) << 64).into())
        }
        ValType::Ref(reference) => Val::null_ref(reference.heap_type()),
    }
}

fn bits(value: &Val) -> u128 {
    match value {
        Val::I32(value) => u128::from(*value as u32),
        Val::I64(value) => u128::from(*value as u64),
        Val::F32(bits) => u128::from(*bits),
        Val::F64(bits) => u128::from(*bits),
        Val::V128(value) => value.as_u128(),
        // Functions of different instances; whether there is one.
        Val::FuncRef(function) => u128::from(function.is_some()),
        _ => 0,
    }
}

//! Random modules of wasm-smith.

use arbitrary::Unstructured;
use wasm_smith::{Config, InstructionKind, InstructionKinds, Module};

use crate::switch::{F32S, F64S, agree};

/// Modules to try.
const MODULES: u64 = 800;

#[test]
fn random_modules_have_the_switchs_bits() {
    // NaNs of both widths, wherever a guest looks.
    let fill: Vec<u8> = F64S
        .iter()
        .flat_map(|bits| bits.to_le_bytes())
        .chain(F32S.iter().flat_map(|bits| bits.to_le_bytes()))
        .collect();
    let (mut places, mut ended, mut nans) = (0, 0, 0);
    for seed in 0..MODULES {
        let mut module = module(seed);
        module.ensure_termination(1000).unwrap();
        let agreed = agree(&format!("seed {seed}"), &module.to_bytes(), &fill);
        places += agreed.places;
        let results = agreed.seen.calls.iter().flatten().flatten();
        for value in results.chain(&agreed.seen.globals) {
            nans += usize::from(value & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000);
        }
        ended += agreed.seen.calls.iter().filter(|call| call.is_ok()).count();
    }
    // They are worth something only if they do arithmetic, end and see NaNs.
    assert!(
        places > 300 && ended > 300 && nans > 25,
        "{places} places, {ended} calls that ended, {nans} NaNs"
    );
}

fn module(seed: u64) -> Module {
    let mut config = Config {
        allowed_instructions: InstructionKinds::new(&[
            InstructionKind::Numeric,
            InstructionKind::Vector,
            InstructionKind::Parametric,
            InstructionKind::Variable,
            InstructionKind::Memory,
            InstructionKind::Control,
        ]),
        export_everything: true,
        allow_start_export: false,
        disallow_traps: true,
        exceptions_enabled: false,
        gc_enabled: false,
        reference_types_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        simd_enabled: seed.is_multiple_of(2),
        max_imports: 0,
        min_funcs: 4,
        max_funcs: 10,
        min_globals: 4,
        max_globals: 10,
        min_memories: 1,
        max_memory32_bytes: 1 << 17,
        max_data_segments: 0,
        max_instructions: 1000,
        max_types: 12,
        max_values: 6,
        ..Config::default()
    };
    config.max_tables = 0;
    // The bytes that decide everything.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
    .take(65_536)
    .collect();
    Module::new(config, &mut Unstructured::new(&bytes)).unwrap()
}

//! What the sandbox costs numeric loops: native against WebAssembly with and without fuel, and with NaNs
//! canonicalised by the engine and by `pinion_runtime::nan`.
//!
//! ```sh
//! cargo bench --profile dev -p pinion-tests --bench numeric_kernels
//! ```
//!
//! Modes take turns, and the best of all rounds counts. Nothing is printed before all modes agree.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    unsafe_code,
    reason = "a benchmark that prints a table and runs kernels over a raw memory"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pinion_runtime::nan;
use wasmtime::{Config, Engine, Instance, Memory, Module, Store, TypedFunc};

type Native = unsafe extern "C" fn(*const f64, *mut f64, usize);

/// A name, the symbol, the native function, and how many values it writes for `n`.
type Kernel = (&'static str, &'static str, Native, fn(usize) -> usize);

const KERNELS: [Kernel; 7] = [
    ("serial sum", "serial_sum", bench_kernels::serial_sum, |_| 1),
    ("8-lane sum", "lane_sum", bench_kernels::lane_sum, |_| 1),
    ("a*x+b map", "affine_map", bench_kernels::affine_map, |n| n),
    (
        "logistic gradient, 16 features",
        "gradient",
        bench_kernels::gradient,
        |_| bench_kernels::FEATURES,
    ),
    (
        "boosting histogram",
        "histogram",
        bench_kernels::histogram,
        |_| 2 * bench_kernels::BINS,
    ),
    (
        "sigmoid map",
        "sigmoid_map",
        bench_kernels::sigmoid_map,
        |n| n,
    ),
    ("div, sqrt map", "norm_map", bench_kernels::norm_map, |n| n),
];

/// Values that a kernel reads.
const VALUES: usize = 3_200_000;

const ROUNDS: usize = 41;

/// How the kernels are compiled.
struct Mode {
    name: &'static str,
    switch: bool,
    pass: bool,
    fuel: bool,
}

const MODES: [Mode; 5] = [
    Mode {
        name: "plain",
        switch: false,
        pass: false,
        fuel: false,
    },
    Mode {
        name: "fuel",
        switch: false,
        pass: false,
        fuel: true,
    },
    Mode {
        name: "switch + fuel",
        switch: true,
        pass: false,
        fuel: true,
    },
    Mode {
        name: "pass",
        switch: false,
        pass: true,
        fuel: false,
    },
    Mode {
        name: "pass + fuel",
        switch: false,
        pass: true,
        fuel: true,
    },
];

/// The kernels in one mode, with input in place.
struct Guest {
    store: Store<()>,
    memory: Memory,
    kernels: Vec<TypedFunc<(u32, u32, u32), ()>>,
    input: u32,
    output: u32,
}

impl Guest {
    fn new(mode: &Mode, wasm: &[u8], values: &[f64]) -> Self {
        let mut config = Config::new();
        config
            .cranelift_nan_canonicalization(mode.switch)
            .consume_fuel(mode.fuel)
            .concurrency_support(false)
            .memory_reservation(4 << 30);
        let engine = Engine::new(&config).unwrap();
        let wasm = if mode.pass {
            nan::canonicalise(wasm).unwrap().bytes
        } else {
            wasm.to_vec()
        };
        let module = Module::new(&engine, wasm).unwrap();
        let mut store = Store::new(&engine, ());
        if mode.fuel {
            store.set_fuel(u64::MAX).unwrap();
        }
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let bytes = size_of_val(values);
        let input = memory.data_size(&store);
        memory
            .grow(&mut store, (2 * bytes).div_ceil(1 << 16) as u64)
            .unwrap();
        for (at, value) in values.iter().enumerate() {
            let at = input + at * size_of::<f64>();
            memory.data_mut(&mut store)[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let kernels = KERNELS
            .iter()
            .map(|(_, symbol, ..)| instance.get_typed_func(&mut store, symbol).unwrap())
            .collect();
        Self {
            store,
            memory,
            kernels,
            input: input as u32,
            output: (input + bytes) as u32,
        }
    }

    fn run(&mut self, kernel: usize, n: usize) -> Duration {
        let start = Instant::now();
        self.kernels[kernel]
            .call(&mut self.store, (self.input, self.output, n as u32))
            .unwrap();
        start.elapsed()
    }

    fn output(&self, values: usize) -> &[u8] {
        &self.memory.data(&self.store)[self.output as usize..][..values * size_of::<f64>()]
    }
}

/// Compiles the kernels to a core module.
fn kernels() -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target: PathBuf = workspace.join("target/wasm");
    let status = Command::new("cargo")
        .args([
            "rustc",
            "--package",
            "bench-kernels",
            "--profile",
            "component",
        ])
        .args(["--target", "wasm32-wasip2", "--crate-type", "cdylib"])
        .arg("--target-dir")
        .arg(&target)
        .args(["--", "-C", "link-arg=--skip-wit-component"])
        .current_dir(workspace)
        .status()
        .unwrap();
    assert!(status.success(), "the kernels do not compile");
    std::fs::read(target.join("wasm32-wasip2/component/bench_kernels.wasm")).unwrap()
}

/// Numbers in `[0, 1)`, the same in every run.
fn values() -> Vec<f64> {
    let mut state = 1_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    std::iter::repeat_with(next).take(VALUES).collect()
}

fn main() {
    let wasm = kernels();
    let values = values();
    let mut native = vec![0.0_f64; VALUES];
    let mut guests: Vec<Guest> = MODES
        .iter()
        .map(|mode| Guest::new(mode, &wasm, &values))
        .collect();

    // By kernel: native, then the modes.
    let mut best = vec![vec![Duration::MAX; 1 + MODES.len()]; KERNELS.len()];
    for (kernel, (name, _, function, written)) in KERNELS.iter().enumerate() {
        for _ in 0..ROUNDS {
            let start = Instant::now();
            // SAFETY: both have as many values as the kernel is told.
            unsafe { function(values.as_ptr(), native.as_mut_ptr(), VALUES) };
            best[kernel][0] = best[kernel][0].min(start.elapsed());
            for (at, guest) in guests.iter_mut().enumerate() {
                let took = guest.run(kernel, VALUES);
                best[kernel][1 + at] = best[kernel][1 + at].min(took);
            }
        }
        let written = written(VALUES);
        let expected: Vec<u8> = native[..written]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        for (guest, mode) in guests.iter().zip(&MODES) {
            assert!(
                guest.output(written) == expected,
                "{name}, {}: not what the native kernel gives",
                mode.name
            );
        }
    }

    print!("| kernel | native ms |");
    MODES.iter().for_each(|mode| print!(" {} |", mode.name));
    println!(" pass + fuel / fuel |");
    println!("|---{}|", "|---".repeat(2 + MODES.len()));
    let mut logarithms = vec![0.0; 1 + MODES.len()];
    for ((name, ..), best) in KERNELS.iter().zip(&best) {
        let seconds: Vec<f64> = best.iter().map(Duration::as_secs_f64).collect();
        let mut ratios: Vec<f64> = seconds[1..].iter().map(|mode| mode / seconds[0]).collect();
        ratios.push(seconds[5] / seconds[2]);
        print!("| {name} | {:.2} |", seconds[0] * 1e3);
        for (sum, ratio) in logarithms.iter_mut().zip(&ratios) {
            print!(" {ratio:.2} |");
            *sum += ratio.ln() / KERNELS.len() as f64;
        }
        println!();
    }
    print!("| geometric mean | |");
    for sum in logarithms {
        print!(" {:.2} |", sum.exp());
    }
    println!("\n\nPeak memory of the process: {}", peak());
}

/// As the system counts it, where it does.
fn peak() -> String {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
            Some(line.trim_start_matches("VmHWM:").trim().to_owned())
        })
        .unwrap_or_else(|| "unknown".to_owned())
}

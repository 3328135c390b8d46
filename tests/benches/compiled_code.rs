//! Compiling a component, next to loading what was compiled before:
//!
//! ```sh
//! cargo bench --profile dev -p pinion-tests --bench compiled_code
//! ```
//!
//! Both go through the sandbox and the command line's own cache: compiling rewrites NaNs and keeps the code,
//! loading checks that the code is this user's. Each load has a sandbox of its own, as a process has. The best
//! of all rounds counts.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people at a terminal"
)]

#[path = "../../runtime/cli/src/code_cache.rs"]
#[expect(dead_code, reason = "where a user's cache is does not matter here")]
mod code_cache;

#[path = "../../runtime/cli/src/key.rs"]
#[expect(dead_code, reason = "no store is opened here")]
mod key;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use code_cache::UserCodeCache;
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::sandbox::{CodeCache, Sandbox, StepError};
use pinion_tests::fixtures;

/// Standard components of about one, three and four megabytes.
const COMPONENTS: [&str; 3] = ["select-columns", "filter-rows", "read-parquet"];

/// How often each is compiled and loaded.
const ROUNDS: (usize, usize) = (2, 41);

/// What loading may take, as a share of compiling.
const GOAL: f64 = 1.0 / 500.0;

fn main() {
    for name in COMPONENTS {
        let bytes = fixtures::standard(name);
        let digest = ComponentDigest::of(bytes);
        let scratch = tempfile::tempdir().unwrap();
        let compile = best(ROUNDS.0, |round| {
            let cache = cache(&scratch.path().join(round.to_string()));
            timed(cache, |sandbox| {
                sandbox.program(digest, &|| Ok(bytes.to_vec())).unwrap();
            })
        });
        let kept = scratch.path().join("0");
        let load = best(ROUNDS.1, |_| {
            timed(cache(&kept), |sandbox| {
                let missing = || -> Result<Vec<u8>, StepError> {
                    Err(StepError::Host("it is compiled again".to_owned()))
                };
                sandbox.program(digest, &missing).unwrap();
            })
        });
        report(name, bytes.len(), compile, load, &kept.join("code"));
    }
}

/// Prints a case and its parts, measured on their own.
fn report(name: &str, bytes: usize, compile: Duration, load: Duration, directory: &Path) {
    let file = fs::read_dir(directory).unwrap().next().unwrap().unwrap();
    let code = fs::read(file.path()).unwrap();
    let read = best(ROUNDS.1, |_| {
        let started = Instant::now();
        let read = fs::read(file.path()).unwrap();
        let took = started.elapsed();
        drop(read);
        took
    });
    let hash = best(ROUNDS.1, |_| {
        let started = Instant::now();
        std::hint::black_box(blake3::keyed_hash(&[0; 32], &code));
        started.elapsed()
    });
    let ratio = load.as_secs_f64() / compile.as_secs_f64();
    let met = if ratio <= GOAL { "met" } else { "missed" };
    println!(
        "{name}, {bytes} bytes, {} of code: compiled in {compile:.1?}, loaded in {load:.1?}, 1/{:.0}; goal 1/{:.0} {met}",
        code.len(),
        1.0 / ratio,
        1.0 / GOAL
    );
    println!("  {read:>9.1?} reading the file");
    println!("  {hash:>9.1?} checking that it is ours");
    println!("  {:>9.1?} the rest", load.saturating_sub(read + hash));
}

/// The cache of a user who has nothing else.
fn cache(directory: &Path) -> Arc<dyn CodeCache> {
    let (code, secret) = (directory.join("code"), directory.join("secret"));
    Arc::new(UserCodeCache::at(code, &secret).unwrap())
}

/// What the work takes in a sandbox that has done nothing yet.
fn timed(cache: Arc<dyn CodeCache>, work: impl FnOnce(&Sandbox)) -> Duration {
    let sandbox = Sandbox::new(1, Some(cache), Arc::new(|| 0)).unwrap();
    let started = Instant::now();
    work(&sandbox);
    started.elapsed()
}

fn best(rounds: usize, side: impl Fn(usize) -> Duration) -> Duration {
    (0..rounds).map(side).min().unwrap_or_default()
}

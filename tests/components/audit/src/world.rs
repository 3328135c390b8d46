//! Everything outside of arithmetic: time, chance, the environment, files and memory.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Seen;

pub(crate) fn clocks(seen: &mut Seen) {
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or(Duration::MAX);
    let (start, first) = (Instant::now(), SystemTime::now());
    std::thread::sleep(Duration::from_millis(3));
    seen.text(&format!("{:?}", since(first)));
    seen.text(&format!("{:?}", since(SystemTime::now())));
    seen.text(&format!("{:?}", start.elapsed()));
}

pub(crate) fn hash_order(seen: &mut Seen) {
    for _ in 0..3 {
        let map: HashMap<u64, u64> = (0..500).map(|number| (number * 7, number)).collect();
        map.iter()
            .for_each(|(key, value)| seen.number(key ^ value << 32));
        let set: HashSet<String> = (0..100).map(|number| format!("word {number}")).collect();
        set.iter().for_each(|word| seen.text(word));
    }
}

pub(crate) fn environment(seen: &mut Seen) {
    std::env::vars().for_each(|(name, value)| seen.text(&format!("{name}={value}")));
    std::env::args().for_each(|argument| seen.text(&argument));
    seen.text(&format!(
        "{:?}",
        std::env::current_dir().map_err(|error| error.kind())
    ));
    seen.text(&format!(
        "{:?}",
        std::thread::available_parallelism().map_err(|error| error.kind())
    ));
    let mut line = String::new();
    seen.text(&format!(
        "{:?}",
        std::io::stdin()
            .read_line(&mut line)
            .map_err(|error| error.kind())
    ));
    seen.text(&line);
}

pub(crate) fn files(seen: &mut Seen) {
    for path in [
        "/",
        ".",
        "/etc/hostname",
        "audit.txt",
        "C:\\",
        "/proc/self/exe",
    ] {
        seen.text(&format!(
            "{:?}",
            std::fs::read(path).map_err(|error| error.kind())
        ));
        seen.text(&format!(
            "{:?}",
            std::fs::write(path, "x").map_err(|error| error.kind())
        ));
        let listed = std::fs::read_dir(path).map(Iterator::count);
        seen.text(&format!("{:?}", listed.map_err(|error| error.kind())));
    }
}

/// How memory grows, and that what is new is zero.
#[expect(unsafe_code, reason = "memory that nobody owns yet is looked at")]
pub(crate) fn memory(seen: &mut Seen) {
    for _ in 0..4 {
        let before = std::arch::wasm32::memory_size(0);
        let grown = std::arch::wasm32::memory_grow(0, 3);
        seen.number(before as u64);
        seen.number(grown as u64);
        let start = (grown * 65_536) as *const u8;
        // SAFETY: these three pages were just added, and nobody else knows of them.
        let fresh = unsafe { std::slice::from_raw_parts(start, 3 * 65_536) };
        seen.number(fresh.iter().map(|byte| u64::from(*byte)).sum());
    }
}

/// Where allocations and the stack are is decided by the component alone.
pub(crate) fn addresses(seen: &mut Seen) {
    let local = 0u64;
    seen.number(std::ptr::from_ref(black_box(&local)).addr() as u64);
    let kept: Vec<Vec<u8>> = (0..50).map(|size| vec![1; size * size * 13]).collect();
    kept.iter()
        .for_each(|vector| seen.number(vector.as_ptr().addr() as u64));
    let function: fn(&mut Seen) = black_box(addresses);
    seen.number(function as usize as u64);
}

#[expect(unconditional_recursion, reason = "the stack is to overflow")]
pub(crate) fn recursion(seen: &mut Seen, depth: u64) {
    let local = black_box([depth; 16]);
    recursion(seen, depth + 1);
    seen.number(local[3]);
}

pub(crate) fn too_much_memory() {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1u8; 1 << 20]);
        black_box(&kept);
    }
}

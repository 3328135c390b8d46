//! The test that hunts: if lineage says that there is no path from a column to something, then that something is the
//! same whatever the column holds.
//!
//! Pipelines of standard steps, and of fixtures that tell what they read through every channel that there is, are made
//! at random over small tables. One column of a source changes, and the pipeline runs again. Whatever differs must have
//! a path from that column, in the lineage of both runs.
//!
//! `HUNT=<number>` runs the case of that number alone and shows its pipeline; `HUNT_CASES=<count>` runs as many.

mod data;
mod ground;
mod known;
mod pipeline;
mod random;
mod search;
mod seeds;
mod standard;
mod tells;

use std::collections::BTreeMap;
use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ground::Ground;
use pinion_runtime::lineage::Link;
use pipeline::Mix;
use search::{Finding, Looked};

/// Cases that share a store, and what is known in it.
const SHARED: u64 = 50;
/// How many findings are shown.
const SHOWN: usize = 3;

/// What came of many cases.
#[derive(Default)]
struct Total {
    cases: u64,
    compared: u64,
    changes: u64,
    differing: u64,
    steady: u64,
    without_path: u64,
    failed: BTreeMap<String, u64>,
    found: Vec<Finding>,
    noticed: BTreeMap<Link, u64>,
}

impl Total {
    fn add(&mut self, looked: Looked) {
        self.cases += 1;
        self.compared += u64::from(looked.changes > 0);
        self.changes += looked.changes;
        self.differing += looked.differing;
        self.steady += looked.steady;
        self.without_path += looked.without_path;
        if let Some(failed) = looked.failed {
            let first = failed.lines().take(2).collect::<Vec<_>>().join(" ");
            *self.failed.entry(first).or_default() += 1;
        }
        self.found.extend(looked.found);
        for (channel, count) in looked.noticed {
            *self.noticed.entry(channel).or_default() += count;
        }
    }
}

impl Total {
    fn figures(&self) -> String {
        format!(
            "{} cases, {} compared, {} changes, {} differences, {} found",
            self.cases,
            self.compared,
            self.changes,
            self.differing,
            self.found.len()
        )
    }
}

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{name}: {error}")),
    )
}

/// Runs cases on all threads.
fn hunt(cases: std::ops::Range<u64>, changes: usize, mix: Mix) -> Total {
    let total = Mutex::new(Total::default());
    let next = AtomicU64::new(cases.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let start = next.fetch_add(SHARED, Ordering::Relaxed);
                    if start >= cases.end {
                        break;
                    }
                    let mut ground = Ground::new();
                    for number in start..cases.end.min(start + SHARED) {
                        let looked = search::case(number, changes, mix, &mut ground);
                        total.lock().unwrap().add(looked);
                    }
                }
            });
        }
    });
    total.into_inner().unwrap()
}

/// Of a hundred steps, so many tell what they read.
const MIXED: Mix = Mix { tells: 45 };
/// Honest pipelines.
const STANDARD: Mix = Mix { tells: 0 };

#[test]
fn where_there_is_no_path_nothing_differs() {
    let cases = match variable("HUNT") {
        Some(number) => number..number + 1,
        None => 0..variable("HUNT_CASES").unwrap_or(2_000),
    };
    let total = hunt(cases, 2, MIXED);
    let figures = total.figures();
    let shown: Vec<String> = total
        .found
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    assert!(total.found.is_empty(), "{figures}\n{}", shown.join("\n"));
    // Alone, a case says nothing of how many fail.
    assert!(
        total.cases < SHARED || total.compared * 4 > total.cases * 3,
        "{figures}: {:#?}",
        total.failed
    );
    // A channel whose edges are lost would be noticed.
    let unnoticed = search::CHANNELS
        .iter()
        .filter(|channel| !total.noticed.contains_key(channel));
    let unnoticed: Vec<_> = unnoticed.collect();
    assert!(
        total.cases < 2_000 || unnoticed.is_empty(),
        "{unnoticed:?} unnoticed: {:?}",
        total.noticed
    );
}

/// What a column cannot change has no path from it, half of the time and more.
#[test]
fn a_path_is_not_found_everywhere() {
    for (mix, cases) in [(STANDARD, 100_000..100_050), (MIXED, 200_000..200_050)] {
        let total = hunt(cases, 20, mix);
        assert!(
            total.steady > 50 && total.without_path * 2 >= total.steady,
            "{} of {} have no path, of a hundred steps {} tell: {}",
            total.without_path,
            total.steady,
            mix.tells,
            total.figures()
        );
    }
}

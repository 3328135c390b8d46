//! All tests of the whole in one binary, which is linked once.

#![expect(clippy::unwrap_used, reason = "tests")]

mod arrow;
mod audit;
mod authoring;
mod caching;
mod caps;
mod cli;
mod completions;
mod contract;
mod cross_check;
mod days;
mod diff;
mod failure;
mod faults;
mod foreign;
mod formats;
mod gc;
mod golden;
mod grants;
mod hunt;
mod journey;
mod limits;
mod lineage;
mod old_formats;
mod pack;
mod promises;
mod regression;
mod sandbox;
mod scaffold;
mod step_run;
mod step_test;
mod tables;
mod types;
mod verify;
mod watch;
mod windows;

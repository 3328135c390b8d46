//! The `pinion` command line: the only place that knows the terminal, the environment and the toolchain.

mod alone;
mod args;
mod build;
mod cargo;
mod clock;
mod code_cache;
mod config;
mod drift;
mod failure;
mod file;
mod key;
mod lookup;
mod project;
mod recorded;
mod rows;
mod scaffold;
mod standing;
mod std_components;
mod symbols;
mod ui;
mod verb;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use args::{Cli, Verb};
use failure::Failure;

/// Keeps the pages of what is freed: every unit needs buffers for columns, of the sizes that the one before
/// it needed, and most of what fresh ones cost is faulting them in. What nobody needs for ten milliseconds
/// goes back to the system, and huge pages, of which only a part would be used, are off.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Shown by `--version`: the engine and the version of what its results mean.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (engine wasmtime 48.0.8, semantics 4+wasmtime-48.0)"
);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = project::on_interrupt().and_then(|()| dispatch(&cli.verb));
    ExitCode::from(done.unwrap_or_else(|failure: Failure| {
        ui::failure(&failure);
        failure.code
    }))
}

fn dispatch(verb: &Verb) -> Result<u8, Failure> {
    match verb {
        Verb::New(args) => verb::new::new(args),
        Verb::Step(args) => verb::step::step(args),
        Verb::Lock(args) => verb::lock::lock(args),
        Verb::Update(args) => verb::lock::update(args),
        Verb::Plan(args) => verb::plan::plan(args),
        Verb::Run(args) => verb::run::run(args),
        Verb::Verify(args) => verb::verify::verify(args),
        Verb::Adopt(args) => verb::adopt::adopt(args),
        Verb::Runs(args) => verb::runs::runs(args),
        Verb::Show(args) => verb::show::show(args),
        Verb::Lineage(args) => verb::lineage::lineage(args),
        Verb::Diff(args) => verb::diff::diff(args),
        Verb::Export(args) => verb::export::export(args),
        Verb::Gc(args) => verb::gc::gc(args),
        Verb::Pack(args) => verb::pack::pack(args),
        Verb::Unpack(args) => verb::pack::unpack(args),
        Verb::Doctor(args) => verb::doctor::doctor(args),
        Verb::Completions(args) => verb::completions::completions(args),
        Verb::Man(args) => verb::completions::man(args),
    }
}
